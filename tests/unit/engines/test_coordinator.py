"""A deployment on simulated hosts: what is sent is the plan; failures, lost answers, stops and takers end it as the protocol says."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from builders import a_release, a_service
from lading import context, errors, events, settings, state
from lading.compose import project
from lading.compose import release as releases
from lading.deploy import order, takeover
from lading.engines import base
from lading.engines.compose_hosts import coordinator
from lading.inventory import hosts as inventory
from lading.plan import phases, planner, steps
from lading.state import journal
from simulated_hosts import Fault, SimulatedHost, connect, lost, no_fault

NAMES = ("web1", "web2", "web3")
HOSTS = {name: inventory.Host(name) for name in NAMES}


def made(version: str, *names: str, **more: Any) -> releases.Release:
    services = [a_service(name, f"r.example/{name}:{version}", health=project.Health()) for name in names or ("web",)]
    return a_release(*services, version=version, plain={"VERSION": version}, **more)


OLD, NEW = made("1", "web", "old"), made("2", "web")


class Fleet:
    """Three hosts on which OLD runs, and one who deploys NEW."""

    def __init__(self, old: releases.Release | None = OLD, parallelism: int = 1) -> None:
        self.hosts = {name: SimulatedHost(name, [old] if old else [], old) for name in NAMES}
        self.recorded: list[events.Event] = []
        self.parallelism = parallelism
        self.engine = coordinator.ComposeHosts(connect(self.hosts))
        fleet_file = settings.Settings(Path("lading.yaml"), inventory.Inventory(HOSTS, {}))
        self.context = context.Context(fleet_file, {}, None, None, "ann")  # type: ignore[arg-type]

    async def record(self, event: events.Event) -> None:
        self.recorded.append(event)

    def plan(self, new: releases.Release = NEW) -> steps.Plan:
        plans = {}
        for name, host in self.hosts.items():
            app = host.app()
            old = host.kept.get(app.current.release) if app.current else None
            plans[name] = planner.plan_host(name, new, {}, (), app, old)
        whole = planner.plan(new, "all", planner.hooked(new, plans))
        batches = tuple((name,) for name in NAMES) if self.parallelism == 1 else (NAMES,)
        return replace(whole, batches=batches, phases=phases.phases(whole.hosts, batches))

    def order(self, plan: steps.Plan, new: releases.Release = NEW, deployment: str = "d1") -> base.DeploymentOrder:
        becoming = {name: order.Becoming(new, host.app(), new.version, "src", "all") for name, host in self.hosts.items()}
        return order.make(self.context, plan, becoming, list(HOSTS.values()), deployment=deployment)

    def apply(self, plan: steps.Plan | None = None, new: releases.Release = NEW, **more: Any) -> base.Report:
        plan = plan or self.plan(new)
        return asyncio.run(self.engine.apply(replace(self.order(plan, new), **more), self.record))

    def settle(self, way: base.Way = "", **more: Any) -> base.Report:
        """What another process does with what is open."""
        seen = state.FleetState({name: host.seen() for name, host in self.hosts.items()})

        async def work() -> base.Report:
            deployment = next(host.open for host in self.hosts.values() if host.open)
            what = await takeover._order(self.context, "shop", deployment, seen, list(HOSTS.values()), takeover.Wish(way))
            return await self.engine.settle(replace(what, **more), self.record, way)

        return asyncio.run(work())

    def runs(self) -> list[str]:
        return [host.runs for host in self.hosts.values()]

    def phases(self) -> list[str | None]:
        return [host.phase for host in self.hosts.values()]


def results(report: base.Report) -> list[str]:
    return [report.outcome.hosts[name].result for name in NAMES]


def sent(step: steps.Step) -> str:
    """What a host is asked for by a step; "" = it goes with another."""
    match step:
        case steps.PullImages():
            return "pull"
        case steps.StoreRelease():
            return "upload"
        case steps.RecreateNetwork() | steps.StopServices() | steps.ScaleDown() | steps.StartServices():
            return f"roll {type(step).__name__}"
        case steps.RemoveService() | steps.RemoveNetwork():
            return f"tidy {type(step).__name__}"
        case steps.VerifyServices():
            return ""
        case _:
            return {"PrepareRelease": "prepare", "CommitRelease": "commit", "FinishRelease": "finish"}[type(step).__name__]


@pytest.mark.parametrize("parallelism", [1, 3])
def test_what_is_sent_is_the_plan(parallelism: int) -> None:
    fleet = Fleet(parallelism=parallelism)
    plan = fleet.plan()
    report = fleet.apply(plan)
    assert (report.outcome.result, report.why) == ("succeeded", "")
    for name, host in fleet.hosts.items():
        assert host.calls == ["begin", *filter(None, map(sent, plan.steps_of(name)))]
    assert fleet.runs() == ["2", "2", "2"]
    assert fleet.phases() == ["ended"] * 3


def shuffled(plan: steps.Plan, order_of: Sequence[int], doubled: frozenset[int]) -> steps.Plan:
    chosen: list[steps.Phase] = []
    for index in order_of:
        chosen += [plan.phases[index]] * (2 if index in doubled else 1)
    return replace(plan, phases=tuple(chosen))


@given(st.data())
@profile(max_examples=40)
def test_another_plan_sends_something_else(data: st.DataObject) -> None:
    """Any order of phases, any of them left out or doubled: each host is asked for what the plan says until one refuses."""
    plan = Fleet().plan()
    order_of = data.draw(st.permutations(range(len(plan.phases))).flatmap(lambda all: st.sampled_from([all[:n] for n in range(1, len(all) + 1)])))
    doubled = data.draw(st.frozensets(st.sampled_from(order_of)))
    other = shuffled(plan, order_of, doubled)
    fleet = Fleet()
    asked: dict[str, list[str]] = {name: [] for name in NAMES}
    fleet.apply(other)
    for name, host in fleet.hosts.items():
        asked[name] = host.calls[1:]
        expected = [*filter(None, map(sent, other.steps_of(name)))]
        common = [one for one, two in zip(asked[name], expected, strict=False) if one == two]
        way_back = {"take", "confirm", "close", "leave", "undo StartServices", "undo", "remove_app", "commit", "finish"}
        assert set(asked[name][len(common):]) <= way_back, (asked[name], expected)
    if other.phases == plan.phases:
        assert fleet.runs() == ["2", "2", "2"]


def fails(call: str, on: str, error: Exception, fleet: Fleet, *, times: int = 1, effect: bool = False) -> None:
    """The next *times* calls on a host fail, before or (*effect*) after they have had their effect."""
    left = [times]

    def fault(host: str, what: str) -> None:
        if what == call and left[0]:
            left[0] -= 1
            raise error

    host = fleet.hosts[on]
    if effect:
        host.after = fault
    else:
        host.before = fault


@pytest.mark.parametrize("call", ["pull", "upload", "roll", "tidy", "prepare"])
@pytest.mark.parametrize("effect", [False, True])
@pytest.mark.parametrize("on", NAMES)
def test_a_lost_answer_before_the_decision_takes_all_back(call: str, effect: bool, on: str) -> None:
    fleet = Fleet()
    fails(call, on, lost(on), fleet, effect=effect)
    report = fleet.apply()
    all_prepared = call == "prepare" and effect
    touched = any("rolling" in [one.kind for one in host.journal] for host in fleet.hosts.values())
    assert fleet.runs() == (["2"] * 3 if all_prepared else ["1"] * 3)
    assert report.outcome.result == ("succeeded" if all_prepared else "rolled_back" if touched else "failed")
    assert {host.open for host in fleet.hosts.values()} == {""}


@pytest.mark.parametrize("call", ["commit", "finish"])
@pytest.mark.parametrize("effect", [False, True])
@pytest.mark.parametrize("on", NAMES)
def test_a_lost_answer_after_the_decision_goes_forward(call: str, effect: bool, on: str) -> None:
    fleet = Fleet()
    fails(call, on, lost(on), fleet, effect=effect)
    report = fleet.apply()
    assert results(report) == ["succeeded"] * 3
    assert (report.host, report.step, report.why) == ("", "", ""), "what failed for a while is no failure of what succeeded"
    assert fleet.phases() == ["ended"] * 3
    assert [host.current.version for host in fleet.hosts.values() if host.current] == ["2"] * 3


def test_a_service_that_never_gets_well_takes_all_back_the_newest_first() -> None:
    fleet = Fleet()
    fleet.hosts["web3"].sick.add(NEW.id)
    report = fleet.apply()
    assert results(report) == ["rolled_back"] * 3
    assert (report.host, report.step) == ("web3", "roll")
    undone = [event.host for event in fleet.recorded if isinstance(event, events.HostUndone)]
    assert undone == ["web3", "web2", "web1"]
    assert fleet.runs() == ["1", "1", "1"]


def test_a_host_that_does_not_answer_any_more_stays_open_and_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinator, "PATIENCE", (0.0, 0.0, 0.0))
    fleet = Fleet()
    fails("roll", "web2", lost("web2"), fleet, times=1)
    away = fleet.hosts["web2"].before

    def gone(host: str, call: str) -> None:
        away(host, call)
        if fleet.hosts["web2"].phase == "staged" and call in ("take", "confirm"):
            raise lost(host)

    fleet.hosts["web2"].before = gone
    report = fleet.apply()
    assert results(report) == ["rolled_back", "unknown", "untouched"]
    assert fleet.hosts["web2"].open == "d1"


def stop_at(fleet: Fleet, call: str, on: str, event: asyncio.Event) -> None:
    def fault(host: str, what: str) -> None:
        if what == call:
            event.set()

    fleet.hosts[on].after = fault


@pytest.mark.parametrize(("call", "on", "expected"), [
    ("begin", "web1", "1"), ("upload", "web3", "1"), ("roll", "web1", "1"), ("roll", "web3", "1"), ("prepare", "web3", "2"), ("commit", "web1", "2"),
])
def test_a_stop_takes_back_until_all_are_prepared(call: str, on: str, expected: str) -> None:
    fleet, stop = Fleet(), asyncio.Event()
    stop_at(fleet, call, on, stop)
    report = fleet.apply(stop=stop)
    assert fleet.runs() == [expected] * 3
    assert report.outcome.result == ("succeeded" if expected == "2" else "rolled_back" if call == "roll" else "failed")
    assert {host.open for host in fleet.hosts.values()} == {""}


def test_a_stop_after_the_decision_is_told_that_it_comes_too_late() -> None:
    for call, told in (("prepare", []), ("commit", ["was decided before the stop: it is too late, and goes on to its end"])):
        fleet, stop, shown = Fleet(), asyncio.Event(), list[events.Event]()
        stop_at(fleet, call, "web1", stop)
        fleet.apply(stop=stop, show=shown.append)
        late = [one.what for one in shown if isinstance(one, events.ServiceAwaited) and one.step == "commit"]
        assert late == told


class Killed(BaseException):
    """The controller dies here."""


def kill_at(fleet: Fleet, call: str, on: str, *, effect: bool) -> None:
    def fault(host: str, what: str) -> None:
        if what == call:
            fleet.hosts[on].before = fleet.hosts[on].after = lambda host, call: None
            raise Killed

    if effect:
        fleet.hosts[on].after = fault
    else:
        fleet.hosts[on].before = fault


@pytest.mark.parametrize("effect", [False, True])
@pytest.mark.parametrize("on", NAMES)
@pytest.mark.parametrize("call", ["pull", "upload", "roll", "tidy", "prepare", "commit", "finish"])
def test_whoever_comes_after_a_killed_controller_ends_it_the_same_everywhere(call: str, on: str, effect: bool) -> None:
    fleet = Fleet()
    kill_at(fleet, call, on, effect=effect)
    with pytest.raises(Killed):
        fleet.apply()
    for host in fleet.hosts.values():
        host.free()  # the lease has ended
    if any(host.open for host in fleet.hosts.values()):
        report = fleet.settle()
        assert report.outcome.result in ("succeeded", "rolled_back", "failed"), report
    assert {host.open for host in fleet.hosts.values()} == {""}
    assert len(set(fleet.runs())) == 1
    assert len({host.current.version for host in fleet.hosts.values() if host.current}) == 1


def crashes(fleet: Fleet, on: str) -> None:
    """The containers that are new on a host have crashed, and Docker has started them again."""
    host = fleet.hosts[on]
    host.containers = [replace(one, restarts=3, created="2026-11-29T10:00:00Z") for one in host.containers]


def dead_after_the_roll(fleet: Fleet) -> None:
    """The controller dies once all have rolled, and before web1 is prepared."""
    kill_at(fleet, "prepare", "web1", effect=False)
    with pytest.raises(Killed):
        fleet.apply()
    for host in fleet.hosts.values():
        host.before = no_fault
        host.free()


def test_what_a_dead_controller_has_rolled_is_watched_by_who_goes_on() -> None:
    fleet = Fleet(parallelism=3)
    dead_after_the_roll(fleet)
    assert fleet.hosts["web1"].phase == "rolled"
    crashes(fleet, "web1")
    report = fleet.settle()
    assert results(report) == ["rolled_back"] * 3
    assert "restarts" in report.why
    assert fleet.runs() == ["1", "1", "1"]


def test_what_was_prepared_and_crashes_is_unwell() -> None:
    fleet = Fleet(parallelism=3)
    kill_at(fleet, "commit", "web1", effect=False)
    with pytest.raises(Killed):
        fleet.apply()
    for host in fleet.hosts.values():
        host.before = no_fault
        host.free()
    crashes(fleet, "web2")
    assert results(fleet.settle()) == ["succeeded", "unwell", "succeeded"]


def test_who_lives_is_not_disturbed() -> None:
    fleet = Fleet()
    kill_at(fleet, "roll", "web2", effect=False)
    with pytest.raises(Killed):
        fleet.apply()
    with pytest.raises(errors.LeaseHeldError):
        fleet.settle()
    assert [host.lease.held for host in fleet.hosts.values()] == [True] * 3


@pytest.mark.parametrize(("call", "on", "result"), [
    ("upload", "web1", "failed"), ("roll", "web2", "succeeded"), ("commit", "web2", "succeeded"), ("undo", "web1", "rolled_back"),
])
def test_who_was_frozen_and_overtaken_says_what_became_of_it(call: str, on: str, result: str) -> None:
    """Somebody else ends the deployment while its controller sleeps; it wakes and is refused everywhere."""
    fleet = Fleet()
    if call == "undo":
        fleet.hosts["web3"].sick.add(NEW.id)
    frozen: list[str] = []

    def overtake(host: str, what: str) -> None:
        if what != call or frozen:
            return
        frozen.append(host)
        for one in fleet.hosts.values():
            one.free()
        other = threading.Thread(target=fleet.settle)
        other.start()
        other.join()

    fleet.hosts[on].before = overtake
    report = fleet.apply()
    assert frozen == [on]
    assert (report.outcome.result, report.overtaken) == (result, "deployment d1 of somebody")
    assert {host.open for host in fleet.hosts.values()} == {""}


def test_hosts_that_contradict_each_other_are_named_and_left() -> None:
    fleet = Fleet()
    kill_at(fleet, "commit", "web1", effect=True)
    with pytest.raises(Killed):
        fleet.apply()
    web3 = fleet.hosts["web3"]
    web3.journal = [one for one in web3.journal if one.kind not in ("prepared", "committed")]
    for host in fleet.hosts.values():
        host.free()
    report = fleet.settle()
    assert results(report) == ["unknown"] * 3
    assert "contradiction: web1: committed, web2: committed, web3: rolled" in report.why


@pytest.mark.parametrize("way", ["continue", "undo"])
def test_what_is_in_doubt_is_decided_by_a_person_who_gives_up_the_silent_host(way: base.Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinator, "PATIENCE", (0.0, 0.0, 0.0))
    async def die() -> Mapping[str, object]:
        raise Killed

    fleet = Fleet()
    with pytest.raises(Killed):
        fleet.apply(decide=die)
    for host in fleet.hosts.values():
        host.free()

    def silent(host: str, call: str) -> None:
        raise lost(host)

    fleet.hosts["web3"].before = silent
    report = fleet.settle()
    assert results(report) == ["unknown"] * 3
    assert "in doubt" in report.why
    report = fleet.settle(way, without=("web3",))
    expected = "succeeded" if way == "continue" else "rolled_back"
    assert results(report)[:2] == [expected] * 2
    written = [one for one in fleet.hosts["web1"].journal if isinstance(one, journal.Reached) and one.without]
    assert [one.without for one in written] == [("web3",)]
    fleet.hosts["web3"].before = no_fault
    assert results(fleet.settle())[2] == expected  # it comes back, and goes where the others went
    assert {host.open for host in fleet.hosts.values()} == {""}


@pytest.mark.parametrize("effect", [False, True])
def test_a_removal_that_was_interrupted_is_taken_back_where_it_has_not_ended(effect: bool) -> None:
    fleet = Fleet()
    gone = steps.RemoveApp(tuple(one.id for one in fleet.hosts["web1"].containers))
    plans = {name: steps.HostPlan(name, (gone,), previous=host.current) for name, host in fleet.hosts.items()}
    plan = steps.Plan("shop", "1", "", "all", plans, (NAMES,), verb="remove", phases=phases.phases(plans, [NAMES]))
    becoming = {name: order.Becoming(OLD, host.app(), "1", "src", "all") for name, host in fleet.hosts.items()}
    what = order.make(fleet.context, plan, becoming, list(HOSTS.values()), deployment="d1")
    kill_at(fleet, "remove", "web2", effect=effect)
    web2 = fleet.hosts["web2"]
    if not effect:
        web2.containers = web2.containers[:1]  # half of it was done
    with pytest.raises(Killed):
        asyncio.run(fleet.engine.remove(what, fleet.record))
    for host in fleet.hosts.values():
        host.free()
    if web2.open:
        assert results(fleet.settle())[1] == "rolled_back"
    assert web2.open == ""
    assert sorted(one.service for one in web2.containers) == ([] if effect else ["old", "web"])


def test_one_host_alone_gives_up_nobody() -> None:
    """A liar's word that it was forced without web2 decides nothing about web2."""
    fleet = Fleet()
    kill_at(fleet, "roll", "web3", effect=True)
    with pytest.raises(Killed):
        fleet.apply()
    liar = fleet.hosts["web1"]
    liar.journal.insert(-1, journal.Reached("d1", phase="rolled", without=("web2", "web3")))
    for host in fleet.hosts.values():
        host.free()
    assert results(fleet.settle()) == ["succeeded"] * 3
    check_alike(fleet)


@pytest.mark.parametrize(("call", "effect", "ends"), [
    ("hook", False, "1"), ("hook", True, "1"), ("roll", False, "2"),
])
def test_a_hook_that_was_interrupted_ends_the_deployment(call: str, effect: bool, ends: str) -> None:
    extension = {"hooks": {"before": {"service": "web", "command": ["migrate"]}}}
    fleet, new = Fleet(made("1", "web")), made("2", "web", extension=extension)
    kill_at(fleet, call, "web1", effect=effect)
    with pytest.raises(Killed):
        fleet.apply(new=new)
    for host in fleet.hosts.values():
        host.free()
    fleet.settle()
    assert fleet.runs() == [ends] * 3
    check_alike(fleet)


KINDS = ("lost", "answer lost", "killed", "stopped")
FAULTS = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(1, 14), st.sampled_from(KINDS)), max_size=4)


def plant(fleet: Fleet, faults: Sequence[tuple[str, int, str]], stop: asyncio.Event) -> None:
    """Let the *n*th call of a host fail in some way; a killed controller does nothing more anywhere."""
    dead: list[bool] = []

    def planted(name: str) -> tuple[Fault, Fault]:
        count = [0]

        def at(effect: bool) -> None:
            if dead:
                raise Killed
            for host, number, kind in faults:
                if (host, number) != (name, count[0]):
                    continue
                if kind == "killed" and not effect:
                    dead.append(True)
                    raise Killed
                if kind == ("answer lost" if effect else "lost"):
                    raise lost(name)
                if kind == "stopped" and not effect:
                    stop.set()

        def before(host: str, call: str) -> None:
            count[0] += 1
            at(effect=False)

        return before, lambda host, call: at(effect=True)

    for name, host in fleet.hosts.items():
        host.before, host.after = planted(name)


@given(st.lists(FAULTS, min_size=1, max_size=3))
@profile(max_examples=60, deadline=None)
def test_whatever_happens_one_more_deployment_ends_it_alike_on_all_hosts(stories: list[list[tuple[str, int, str]]]) -> None:
    """Cuts, lost answers, stops and kills, of several controllers one after the other; then one without any."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coordinator, "PATIENCE", (0.0, 0.0, 0.0))
        patch.setattr(coordinator, "AGAIN", 0.0)
        fleet = Fleet()
        for faults in stories:
            stop = asyncio.Event()
            plant(fleet, faults, stop)
            is_open = any(host.open for host in fleet.hosts.values())
            try:
                report = fleet.settle(stop=stop) if is_open else fleet.apply(stop=stop)
            except (Killed, errors.LadingError):
                report = None
            for host in fleet.hosts.values():
                host.before = host.after = no_fault
                host.free()
            if report is not None and report.outcome.result in ("succeeded", "rolled_back", "failed"):
                check_alike(fleet, report.outcome.result)
        if any(host.open for host in fleet.hosts.values()):
            report = fleet.settle()
            assert report.outcome.result in ("succeeded", "rolled_back", "failed"), report
        check_alike(fleet)


def check_alike(fleet: Fleet, result: str = "") -> None:
    """Nothing is open, and all hosts run and declare one release; the one that was told."""
    assert {host.open for host in fleet.hosts.values()} == {""}, fleet.phases()
    assert len(set(fleet.runs())) == 1, fleet.runs()
    assert {host.current.version for host in fleet.hosts.values() if host.current} == set(fleet.runs())
    if result == "succeeded":
        assert set(fleet.runs()) == {"2"}


@pytest.mark.parametrize(("call", "expected"), [("undo", "rolled_back"), ("commit", "succeeded"), ("take", "rolled_back")])
def test_a_link_that_flaps_longer_than_three_tries_ends_all_the_same(call: str, expected: str) -> None:
    """Each try gets as far as the link lets it; tries go on until the time is over, not until there were three."""
    fleet = Fleet()
    fails(call, "web2", lost("web2"), fleet, times=6, effect=call == "undo")
    if call != "commit":
        fleet.hosts["web3"].sick.add(NEW.id)
    report = fleet.apply()
    assert report.outcome.result == expected
    assert {host.open for host in fleet.hosts.values()} == {""}


@pytest.mark.parametrize("call", ["prepare", "commit", "finish"])
def test_a_prepared_host_that_is_silent_for_a_while_is_waited_for(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers again within the time that hosts have; until then it is neither in doubt nor given up."""
    monkeypatch.setattr(coordinator, "PATIENCE", (0.0, 5.0, 5.0))
    fleet = Fleet()
    fails(call, "web2", lost("web2"), fleet, effect=True)
    silent = [2]

    def away(host: str, what: str) -> None:
        if what == "take" and silent[0]:
            silent[0] -= 1
            raise lost(host)

    fleet.hosts["web2"].before = away
    report = fleet.apply()
    assert results(report) == ["succeeded"] * 3


def test_an_app_that_was_new_and_has_containers_now_is_anothers() -> None:
    """Deployed meanwhile by a user whose state folder is another, so that no lease told of it (D9)."""
    fleet = Fleet(old=None)
    plan = fleet.plan()
    order = fleet.order(plan)
    fleet.hosts["web2"].run(OLD)
    ids = [one.id for one in fleet.hosts["web2"].containers]
    with pytest.raises(errors.RefusedError, match="was changed since the plan was made"):
        asyncio.run(fleet.engine.apply(order, fleet.record))
    assert [one.id for one in fleet.hosts["web2"].containers] == ids
    assert {host.open for host in fleet.hosts.values()} == {""}
