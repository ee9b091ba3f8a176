"""The way back when the engine of a host is away: it is waited for; and when that fails, the host is left for the next one."""

import asyncio
import json
from dataclasses import replace

import pytest
from test_round_trips import HOSTS, Fleet, releases

from builders import a_container, a_release, a_service, an_app
from lading import events
from lading.compose import release
from lading.engines import base, held, host_commands, hosts
from lading.health import watch
from lading.inventory import hosts as inventory
from lading.plan import steps
from lading.transport import base as transports
from lading.transport import command

AWAY = b"state=/s\nproblem=Cannot connect to the Docker daemon\n"


class Struck(Fleet):
    """A fleet whose web2 fails in its roll, and whose engine then is away for *looks* looks; *undo*: what its undo's up says."""

    def __init__(self, looks: int, undo: bytes = b"0\n") -> None:
        super().__init__(*releases())
        self.looks, self.undo, self.rolled = looks, undo, False
        self.journaled: list[tuple[str, str]] = []

    def answer(self, host: inventory.Host, what: command.Command) -> command.Result:
        if what.name == "release-lease":
            line = next(line for line in what.script.splitlines() if line.startswith("RECORD="))
            self.journaled.append((host.name, json.loads(line.removeprefix("RECORD=").strip("'"))["kind"]))
        if what.name == "last-lines":
            return command.Result(0, {"end": b""})
        if what.name == "undo":
            self.runs[host.name] = self.old
            struck = host.name == "web2" and self.undo != b"0\n"
            found = self._containers(self.new if struck else self.old)
            return command.Result(0, {"up": self.undo if struck else b"0\n", "containers": found, "tick": b"", "end": b""})
        answer = super().answer(host, what)
        if host.name == "web2" and what.name == "roll":
            self.rolled = True
            return command.Result(0, {"up": b"1\nthe daemon is gone", "containers": b"", "tick": b"", "end": b""})
        if host.name == "web2" and what.name == "observe" and self.rolled and self.looks:
            self.looks -= 1
            return command.Result(0, {"facts": AWAY, "end": b""})
        return answer


def test_an_undo_waits_for_an_engine_that_is_restarting() -> None:
    fleet = Struck(looks=2)
    report = asyncio.run(fleet.upgrade())
    assert {name: one.result for name, one in report.outcome.hosts.items()} == dict.fromkeys(HOSTS, "rolled_back")
    assert fleet.looks == 0
    assert sorted(fleet.journaled) == [(name, "undone") for name in HOSTS]


def test_an_undo_that_fails_gives_the_lease_back_and_leaves_the_deployment_open() -> None:
    fleet = Struck(looks=0, undo=b"1\nno space left")
    report = asyncio.run(fleet.upgrade())
    assert report.outcome.result == "partial"
    assert (report.outcome.hosts["web2"].result, report.outcome.hosts["web1"].result) == ("failed", "rolled_back")
    assert sorted(fleet.journaled) == [("web1", "undone"), ("web2", "left"), ("web3", "undone")]


def test_an_engine_that_stays_away_is_a_failure_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "RECONNECT", 0.0)
    report = asyncio.run(Struck(looks=99).upgrade())
    assert report.outcome.hosts["web2"].result == "failed"
    assert "Cannot connect to the Docker daemon" in report.outcome.hosts["web2"].error


class Meddled(Struck):
    """A fleet on some of whose *hosts* somebody brings the old version back when all is verified; *undo*: as above, of web2."""

    def __init__(self, meddled: tuple[str, ...], undo: bytes = b"0\n") -> None:
        super().__init__(looks=0, undo=undo)
        self.meddled = meddled

    def answer(self, host: inventory.Host, what: command.Command) -> command.Result:
        if what.name == "commit" and host.name in self.meddled:
            return command.Result(40, {"refused": b"changed\nweb\n", "end": b""})
        return Fleet.answer(self, host, what) if what.name == "roll" else super().answer(host, what)


@pytest.mark.parametrize("meddled", [("web2",), tuple(HOSTS)])
def test_a_host_that_was_changed_before_the_commit_goes_back_and_the_whole_says_so(meddled: tuple[str, ...]) -> None:
    fleet = Meddled(meddled)
    report = asyncio.run(fleet.upgrade())
    words = {name: "rolled_back" if name in meddled else "succeeded" for name in HOSTS}
    assert {name: one.result for name, one in report.outcome.hosts.items()} == words
    assert report.outcome.result == ("rolled_back" if len(meddled) == len(HOSTS) else "partial")
    assert "web does not run any more as it was judged" in report.why
    assert sorted(fleet.journaled) == [(name, "undone") for name in meddled]


def test_who_finishes_another_s_deployment_commits_nothing_that_does_not_run() -> None:
    async def story(fleet: Meddled) -> base.Report:
        return await hosts.HostsEngine(fleet.recorder).settle(await fleet.job(), fleet.record, forward=True, silent=())

    report = asyncio.run(story(Meddled(("web2",))))
    assert {name: one.result for name, one in report.outcome.hosts.items()} == {"web1": "succeeded", "web2": "rolled_back", "web3": "succeeded"}
    assert (report.host, report.outcome.result) == ("web2", "partial")


def test_a_host_that_was_changed_and_does_not_go_back_is_failed() -> None:
    report = asyncio.run(Meddled(("web2",), undo=b"1\nno space left").upgrade())
    assert (report.outcome.result, report.outcome.hosts["web2"].result, report.outcome.hosts["web1"].result) == ("partial", "failed", "succeeded")


def test_who_was_overtaken_says_by_whom_and_nothing_of_what_runs_now() -> None:
    class Overtaken(Fleet):
        def answer(self, host: inventory.Host, what: command.Command) -> command.Result:
            if what.name in ("stage", "release-lease"):
                lease = b"fence\ndeployment=d2\nfence=2\nstate=held\nholder=bob@laptop\n"
                return command.Result(40, {"refused": lease, "end": b""})
            return super().answer(host, what)

    report = asyncio.run(Overtaken(*releases()).upgrade())
    assert "another deployment has taken the app over: deployment d2 of bob@laptop" in report.why
    assert {(one.result, one.release) for one in report.outcome.hosts.values()} == {("untouched", "")}


class Silent(Struck):
    """A fleet on whose web2 the engine freezes once `up` has ended: nothing is told of the containers any more."""

    async def run(self, host: inventory.Host, what: command.Command, on_part: transports.OnPart | None = None) -> command.Result:
        """Over this fleet as a transport."""
        if host.name == "web2" and what.name == "roll":
            assert on_part is not None and on_part("up", b"0\n") is False
            await asyncio.Event().wait()
        return await self.recorder.run(host, what, on_part)

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(("wait", "stopped", "why"), [(0.0, False, "the engine has told nothing of the containers for"), (99.0, True, "interrupted")])
def test_an_engine_that_falls_silent_is_given_up_when_its_services_have_had_their_time(
    monkeypatch: pytest.MonkeyPatch, wait: float, stopped: bool, why: str
) -> None:
    monkeypatch.setattr(watch, "SILENCE", 0.03)
    fleet = Silent(looks=0)
    fleet.new = replace(fleet.new, services={name: replace(spec, wait=wait) for name, spec in fleet.new.services.items()})

    async def upgrade() -> base.Report:
        job = await fleet.job()

        async def record(event: events.Event) -> None:
            await fleet.record(event)
            if stopped and isinstance(event, events.ServiceHealthy):  # elsewhere: web2 is watched by then
                job.stop.set()

        return await hosts.HostsEngine(fleet).run(job, record)

    report = asyncio.run(asyncio.wait_for(upgrade(), 60))
    assert {name: one.result for name, one in report.outcome.hosts.items()} == dict.fromkeys(HOSTS, "rolled_back")
    assert (report.host, report.step) == ("web2", "roll")
    assert why in report.why


ANONYMOUS = "f" * 64


class Mounting(Struck):
    """A fleet whose old containers have an anonymous volume."""

    def __init__(self) -> None:
        super().__init__(looks=0)
        self.scripts: dict[tuple[str, str], str] = {}

    def answer(self, host: inventory.Host, what: command.Command) -> command.Result:
        self.scripts[host.name, what.name] = what.script
        return super().answer(host, what)

    def _containers(self, made: release.Release) -> bytes:
        found = [json.loads(line) for line in super()._containers(made).splitlines()]
        for one in found if made == self.old else ():
            one["mounts"] = [{"Destination": "/data", "Name": ANONYMOUS}, {"Destination": "/x\ny", "Name": ANONYMOUS},
                             {"Destination": "/named", "Name": "rows"}]
        return "".join(json.dumps(one) + "\n" for one in found).encode()


def test_an_undo_mounts_the_anonymous_volumes_again_that_the_old_containers_had() -> None:
    fleet = Mounting()
    asyncio.run(fleet.upgrade())
    name, spec = next(iter(fleet.old.services.items()))
    assert f"\nHAD='{name} {spec.content} {ANONYMOUS} /data'\n" in fleet.scripts["web2", "roll"]  # written before anything is changed
    assert "\nAGAIN=''\n" in fleet.scripts["web2", "roll"]
    assert f"\nAGAIN='{name} {spec.content}" in fleet.scripts["web2", "undo"]


def test_a_rollback_mounts_them_again_too() -> None:
    fleet = Mounting()

    async def story() -> None:
        await hosts.HostsEngine(fleet.recorder).run(replace(await fleet.job(), keep_jobs=True), fleet.record)

    asyncio.run(story())
    name, spec = next(iter(fleet.new.services.items()))
    assert f"\nAGAIN='{name} {spec.content}" in fleet.scripts["web1", "roll"]


def test_a_rollback_over_a_changed_network_starts_what_its_plan_names() -> None:  # an undo makes everything anew
    fleet = Mounting()
    fleet.old, fleet.new = releases(2)

    async def story() -> None:
        job = await fleet.job()
        plan = job.plan.hosts["web1"]
        todo = (steps.RecreateNetwork("shop_default", ("s1",)), steps.StartServices(("s1",), anew=True))
        approved = replace(plan, steps=todo)
        job = replace(job, keep_jobs=True, plan=replace(job.plan, hosts={**job.plan.hosts, "web1": approved}))
        await hosts.HostsEngine(fleet.recorder).run(job, fleet.record)

    asyncio.run(story())
    lines = [line for line in fleet.scripts["web1", "roll"].splitlines() if " up -d " in line]
    assert lines
    assert {line.partition("--force-recreate ")[2].partition(" 2>&1")[0] for line in lines} == {"s1"}


def test_of_several_containers_nobody_can_tell_whose_is_which() -> None:
    made = a_release(a_service("web"), a_service("db"))
    have = {"/data": ANONYMOUS}
    app = an_app(made, *(a_container(made.services["web"], id=str(n), mounts=have) for n in range(2)),
                 a_container(made.services["db"], mounts=have), a_container(made.services["db"], mounts=have, one_off=True))
    assert host_commands.anonymous(app) == {("db", made.services["db"].content): [f"{ANONYMOUS} /data"]}
    assert host_commands.anonymous(None) == {}
