"""The way back when the engine of a host is away: it is waited for; and when that fails, the host is left for the next one."""

import asyncio
import json
from dataclasses import replace

import pytest
from test_round_trips import HOSTS, Fleet, is_said, releases

from builders import a_container, a_release, a_service, an_app
from lading import events, state
from lading.compose import release
from lading.deploy import takeover
from lading.drivers.shell import releases as drivers
from lading.engines import base
from lading.engines.compose_hosts import coordinator, host_run
from lading.health import watch
from lading.inventory import hosts as inventory
from lading.plan import steps
from lading.state import journal
from lading.transport import base as transports
from lading.transport import command

AWAY = b"state=/s\nproblem=Cannot connect to the Docker daemon\n"


class Struck(Fleet):
    """A fleet whose web2 fails in its roll, and whose engine then is away for *looks* looks; *undo*: what its undo's up says."""

    def __init__(self, looks: int, undo: bytes = b"0\n") -> None:
        super().__init__(*releases())
        self.looks, self.undo, self.rolled = looks, undo, False

    def do_roll(self, host: str, what: command.Command) -> dict[str, bytes]:
        told = super().do_roll(host, what)
        if host != "web2":
            return told
        self.rolled = True
        return {"up": b"1\nthe daemon is gone", "containers": b"", "tick": b""}

    def do_undo(self, host: str, what: command.Command) -> dict[str, bytes]:
        told = super().do_undo(host, what)
        if host != "web2" or self.undo == b"0\n":
            return told
        return {"up": self.undo, "containers": self._containers(self.new), "tick": b""}

    def do_observe(self, host: str, what: command.Command) -> dict[str, bytes]:
        if host == "web2" and what.name == "observe" and self.rolled and self.looks:
            self.looks -= 1
            return {"facts": AWAY}
        return super().do_observe(host, what)


def results(report: base.Report) -> dict[str, str]:
    return {name: one.result for name, one in report.outcome.hosts.items()}


def test_an_undo_waits_for_an_engine_that_is_restarting() -> None:
    fleet = Struck(looks=2)
    report = asyncio.run(fleet.upgrade())
    assert {name: one.result for name, one in report.outcome.hosts.items()} == dict.fromkeys(HOSTS, "rolled_back")
    assert fleet.looks == 0
    assert sorted(fleet.ended) == [(name, "undone") for name in HOSTS]


def test_an_undo_that_fails_gives_the_lease_back_and_leaves_the_deployment_open() -> None:
    fleet = Struck(looks=0, undo=b"1\nno space left")
    report = asyncio.run(fleet.upgrade())
    assert report.outcome.result == "partial"
    assert (report.outcome.hosts["web2"].result, report.outcome.hosts["web1"].result) == ("failed", "rolled_back")
    assert sorted(fleet.ended) == [("web1", "undone"), ("web2", "left"), ("web3", "undone")]


def test_an_engine_that_stays_away_is_a_failure_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_run, "RECONNECT", 0.0)
    monkeypatch.setattr(coordinator, "PATIENCE", (0.0, 0.0, 0.0))
    report = asyncio.run(Struck(looks=99).upgrade())
    assert report.outcome.hosts["web2"].result == "failed"
    assert "Cannot connect to the Docker daemon" in report.outcome.hosts["web2"].error


class Meddled(Fleet):
    """A fleet on whose web2 somebody brings the old version back when all is verified; *undo*: what its undo's up says."""

    def __init__(self, undo: bytes = b"0\n") -> None:
        super().__init__(*releases())
        self.undo = undo

    def do_prepare(self, host: str, what: command.Command) -> dict[str, bytes]:
        if host != "web2":
            return super().do_prepare(host, what)
        return {"containers": self._containers(self.old)}

    def do_undo(self, host: str, what: command.Command) -> dict[str, bytes]:
        told = super().do_undo(host, what)
        if host != "web2" or self.undo == b"0\n":
            return told
        return {"up": self.undo, "containers": self._containers(self.new), "tick": b""}


def test_a_host_that_was_changed_before_the_commit_takes_all_back_and_is_named() -> None:
    fleet = Meddled()
    report = asyncio.run(fleet.upgrade())
    assert results(report) == dict.fromkeys(HOSTS, "rolled_back")
    assert (report.host, report.step) == ("web2", "prepare")
    assert "s0 does not run any more as it was judged" in report.why
    assert sorted(fleet.ended) == [(name, "undone") for name in HOSTS]


def test_who_finishes_another_s_deployment_commits_nothing_that_does_not_run() -> None:
    fleet = Meddled()

    async def story() -> base.Report:
        order = await fleet.order()
        fleet.runs, fleet.phase = dict.fromkeys(HOSTS, fleet.new), dict.fromkeys(HOSTS, "rolled")
        own = {name: replace(one, begun=replace(one.begun, deployment="d1")) for name, one in order.own.items()}

        def replan(name: str, host: state.HostState, phase: journal.Phase) -> steps.HostPlan:
            return takeover.what_is_left(name, own[name], host, phase)

        taken = replace(order, own=own, bundle=None, replan=replan)
        return await fleet.engine.settle(taken, fleet.record, "")

    report = asyncio.run(story())
    assert results(report) == dict.fromkeys(HOSTS, "rolled_back")
    assert (report.host, report.step) == ("web2", "prepare")
    assert "committed" not in fleet.phase.values()


def test_a_host_that_was_changed_and_does_not_go_back_is_failed() -> None:
    fleet = Meddled(undo=b"1\nno space left")
    report = asyncio.run(fleet.upgrade())
    assert report.outcome.result == "partial"
    assert results(report) == {"web1": "rolled_back", "web2": "failed", "web3": "rolled_back"}
    assert "no space left" in report.outcome.hosts["web2"].error
    assert ("web2", "left") in fleet.ended


def test_who_was_overtaken_says_by_whom_and_nothing_of_what_runs_now() -> None:
    lease = b"\ndeployment=d2\nfence=2\nstate=held\nholder=bob@laptop\n"

    class Overtaken(Fleet):
        def answer(self, host: inventory.Host, what: command.Command) -> command.Result:
            if is_said(what, "MODE=take"):
                return command.Result(40, {"refused": b"held" + lease, "end": b""})
            if what.name in ("stage", "release-lease"):
                return command.Result(40, {"refused": b"fence" + lease, "end": b""})
            return super().answer(host, what)

    report = asyncio.run(Overtaken(*releases()).upgrade())
    assert "another deployment has taken the app over: deployment d2 of bob@laptop" in report.why
    assert {(one.result, one.release) for one in report.outcome.hosts.values()} == {("unknown", "")}


class Silent(Fleet):
    """A fleet on whose web2 the engine freezes once `up` has ended: nothing is told of the containers any more."""

    async def run(
        self, host: inventory.Host, what: command.Command, on_part: transports.OnPart | None = None,
        until: asyncio.Event | None = None,
    ) -> command.Result:
        """Over this fleet as a transport."""
        if host.name == "web2" and what.name == "roll":
            assert on_part is not None and on_part("up", b"0\n") is False
            self.phase["web2"] = "rolling"
            await asyncio.Event().wait()
        return await self.recorder.run(host, what, on_part)

    @property
    def transport(self) -> transports.Transport:
        """This fleet."""
        return self

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(("wait", "stopped", "why"), [(0.0, False, "the engine has told nothing of the containers for"), (99.0, True, "interrupted")])
def test_an_engine_that_falls_silent_is_given_up_when_its_services_have_had_their_time(
    monkeypatch: pytest.MonkeyPatch, wait: float, stopped: bool, why: str
) -> None:
    monkeypatch.setattr(watch, "SILENCE", 0.03)
    fleet = Silent(*releases())
    fleet.new = replace(fleet.new, services={name: replace(spec, wait=wait) for name, spec in fleet.new.services.items()})

    async def upgrade() -> base.Report:
        order = await fleet.order()

        async def record(event: events.Event) -> None:
            await fleet.record(event)
            if stopped and isinstance(event, events.ServiceHealthy):  # elsewhere: web2 is watched by then
                order.stop.set()

        return await fleet.engine.apply(order, record)

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
        await fleet.apply(await fleet.order("rollback"))

    asyncio.run(story())
    name, spec = next(iter(fleet.new.services.items()))
    assert f"\nAGAIN='{name} {spec.content}" in fleet.scripts["web1", "roll"]


def test_a_rollback_over_a_changed_network_starts_what_its_plan_names() -> None:  # an undo makes everything anew
    fleet = Mounting()
    fleet.old, fleet.new = releases(2)

    async def story() -> None:
        order = await fleet.order("rollback")
        todo = (steps.RecreateNetwork("shop_default", ("s1",)), steps.StartServices(("s1",), anew=True),
                steps.VerifyServices(("s0", "s1")))
        stage, roll, *end = order.plan.phases
        approved = replace(roll, batches=(*({**batch, "web1": todo} for batch in roll.batches if "web1" in batch),))
        await fleet.apply(replace(order, plan=replace(order.plan, phases=(stage, approved, *end))))

    asyncio.run(story())
    lines = fleet.scripts["web1", "roll"].splitlines()
    assert lines[lines.index("STEPS='network shop_default") + 1] == "anew s1'"


def test_of_several_containers_nobody_can_tell_whose_is_which() -> None:
    made = a_release(a_service("web"), a_service("db"))
    have = {"/data": ANONYMOUS}
    app = an_app(made, *(a_container(made.services["web"], id=str(n), mounts=have) for n in range(2)),
                 a_container(made.services["db"], mounts=have), a_container(made.services["db"], mounts=have, one_off=True))
    assert drivers.anonymous(app) == [f"db {made.services['db'].content} {ANONYMOUS} /data"]
    assert drivers.anonymous(state.AppState("shop")) == []
