"""A stop that is asked for while the ledger is waited for comes before the step that was announced to it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
from test_round_trips import HOSTS, Fleet, releases

from lading import events
from lading.engines import base
from lading.inventory import hosts as inventory
from lading.transport import command


class Stopped(Fleet):
    """A healthy fleet whose user sends SIGTERM while the ledger is told that *step* begins, or stores the decision ("decide")."""

    def __init__(self, step: str) -> None:
        super().__init__(*releases(2, 1, extension={"hooks": {"before": {"service": "s0", "command": ["migrate"]}}}))
        self.step, self.stop, self.sent = step, asyncio.Event(), list[str]()

    def answer(self, host: inventory.Host, what: command.Command) -> command.Result:
        self.sent.append(what.name)
        return super().answer(host, what)

    async def record(self, event: events.Event) -> None:
        """The ledger takes a while."""
        if isinstance(event, events.StepStarted) and event.step == self.step:
            self.stop.set()
        await asyncio.sleep(0)

    async def decide(self) -> Mapping[str, object]:
        """So does the decision."""
        if self.step == "decide":
            self.stop.set()
        return {}

    async def story(self) -> base.Report:
        return await self.apply(replace(await self.order(), stop=self.stop, decide=self.decide))


@pytest.mark.parametrize(("step", "result"), [
    ("stage", "untouched"), ("hook", "untouched"), ("roll", "untouched"), ("tidy", "rolled_back"), ("prepare", "rolled_back"),
])
def test_nothing_is_done_after_it_but_the_way_back(step: str, result: str) -> None:
    fleet = Stopped(step)
    report = asyncio.run(fleet.story())
    assert report.why == "interrupted"
    assert {one.result for one in report.outcome.hosts.values()} == {result}
    assert not {step, "commit"} & set(fleet.sent)
    assert fleet.sent.count("release-lease") == len(HOSTS)


@pytest.mark.parametrize("step", ["never", "decide", "commit", "finish"])
def test_nobody_asked_and_what_was_decided_is_not_stopped(step: str) -> None:
    fleet = Stopped(step)
    assert asyncio.run(fleet.story()).outcome.result == "succeeded"
    assert fleet.sent.count("commit") == fleet.sent.count("finish") == len(HOSTS)


def test_a_stop_that_comes_when_all_are_prepared_is_too_late() -> None:
    class Late(Stopped):
        def do_prepare(self, host: str, what: command.Command) -> dict[str, bytes]:
            told = super().do_prepare(host, what)
            if set(self.phase.values()) == {"prepared"}:
                self.stop.set()
            return told

    fleet = Late("never")
    assert asyncio.run(fleet.story()).outcome.result == "succeeded"
    assert fleet.stop.is_set()
    assert fleet.phase == dict.fromkeys(HOSTS, "ended")
