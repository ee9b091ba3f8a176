"""A stop that is asked for while the ledger is waited for comes before the step that was announced to it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
from test_round_trips import HOSTS, releases
from test_way_back import Struck

from lading import events
from lading.engines import base, hosts
from lading.inventory import hosts as inventory
from lading.transport import command


class Stopped(Struck):
    """A healthy fleet whose user sends SIGTERM while the ledger is told that *step* begins, or while it attests ("attest")."""

    def __init__(self, step: str) -> None:
        super().__init__(looks=0)
        self.old, self.new = releases(2, 1, extension={"hooks": {"before": {"service": "s0", "command": ["migrate"]}}})
        self.runs = dict.fromkeys(HOSTS, self.old)
        self.step, self.stop, self.sent = step, asyncio.Event(), list[str]()

    def answer(self, host: inventory.Host, what: command.Command) -> command.Result:
        self.sent.append(what.name)
        return super(Struck, self).answer(host, what) if what.name == "roll" else super().answer(host, what)

    async def record(self, event: events.Event) -> None:
        """The ledger takes a while."""
        if isinstance(event, events.StepStarted) and event.step == self.step:
            self.stop.set()
        await asyncio.sleep(0)

    async def attest(self) -> Mapping[str, object]:
        """So does what it attests."""
        if self.step == "attest":
            self.stop.set()
        return {}

    async def story(self, *, forward: bool = False) -> base.Report:
        job, engine = replace(await self.job(), stop=self.stop, attest=self.attest), hosts.HostsEngine(self.recorder)
        return await (engine.settle(job, self.record, forward=True, silent=()) if forward else engine.run(job, self.record))


@pytest.mark.parametrize(("step", "result"), [
    ("stage", "untouched"), ("hook", "untouched"), ("roll", "untouched"), ("tidy", "rolled_back"), ("commit", "rolled_back"),
    ("attest", "rolled_back"),
])
def test_nothing_is_done_after_it_but_the_way_back(step: str, result: str) -> None:
    fleet = Stopped(step)
    report = asyncio.run(fleet.story())
    assert report.why == "interrupted"
    assert {one.result for one in report.outcome.hosts.values()} == {result}
    assert not {step, "commit"} & set(fleet.sent)
    assert fleet.sent.count("release-lease") == len(HOSTS)


def test_nobody_asked_and_a_deployment_that_is_finished_is_not_stopped() -> None:
    assert asyncio.run(Stopped("never").story()).outcome.result == "succeeded"
    finished = Stopped("commit")
    assert asyncio.run(finished.story(forward=True)).outcome.result == "succeeded"
    assert finished.sent.count("commit") == len(HOSTS)
