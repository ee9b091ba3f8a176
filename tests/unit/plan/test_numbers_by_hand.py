"""Numbers of containers by hand: what a plan does for them, how it says it, and when they end."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from builders import a_container, a_release, a_service, an_app
from lading import state
from lading.placement import assignment
from lading.plan import planner, steps
from lading.queries import differences, listing, summary

RELEASE = a_release(a_service("web", "r/web:1", replicas=2), a_service("db", "r/db:1"))


def app(by_hand: Mapping[str, int] | None = None, **there: int) -> state.AppState:
    """*there*: how many containers of a service run; by default as many as are declared."""
    wanted = assignment.declared(RELEASE, by_hand or {}) | there
    running = [a_container(RELEASE.services[name], id=f"{name}{number}", name=f"shop-{name}-{number}")
               for name, count in wanted.items() for number in range(1, count + 1)]
    found = replace(an_app(RELEASE), containers=tuple(running))
    assert found.current is not None
    return replace(found, current=replace(found.current, by_hand=by_hand or {}))


def planned(seen: state.AppState, **wanted: int) -> steps.HostPlan:
    by_hand = seen.current.by_hand if seen.current is not None else {}
    return planner.by_hand_host("h", RELEASE, {}, seen, wanted, assignment.declared(RELEASE, by_hand))


def told(plan: steps.HostPlan) -> list[tuple[str, str, str, str]]:
    return [(one.service, one.field, one.old, one.new) for one in plan.changes]


def changing(plan: steps.HostPlan) -> list[steps.Step]:
    return [one for one in plan.steps if isinstance(one, steps.Changing)]


def test_a_stop_stops_and_removes_all_containers() -> None:
    plan = planned(app(), web=0)
    assert changing(plan) == [steps.StopServices(("web",)), steps.ScaleDown("web", ("web1", "web2"))]
    assert (told(plan), plan.by_hand) == ([("web", "containers", "2", "stopped by hand")], {"web": 0})
    assert plan.placed == {"web": 0, "db": 1}


def test_a_start_goes_back_to_the_number_of_the_release() -> None:
    plan = planned(app({"web": 0}), web=2)
    assert changing(plan) == [steps.StartServices(("web",))]
    assert (told(plan), plan.by_hand) == ([("web", "containers", "stopped by hand", "2")], {})


@pytest.mark.parametrize(("seen", "count", "does", "says"), [
    (app(), 3, [steps.StartServices(("web",), scale={"web": 3})], ("2", "3 by hand")),
    (app({"web": 3}), 1, [steps.ScaleDown("web", ("web2", "web3"))], ("3 by hand", "1 by hand")),
    (app({"web": 3}), 2, [steps.ScaleDown("web", ("web3",))], ("3 by hand", "2")),
    (app({"web": 3}, web=1), 3, [steps.StartServices(("web",), scale={"web": 3})], ("1 (3 by hand)", "3 by hand")),
    (app(web=3), 3, [], ("2", "3 by hand")),  # who scaled with docker says so now
])
def test_another_number(
    seen: state.AppState, count: int, does: list[steps.Step], says: tuple[str, str]
) -> None:
    plan = planned(seen, web=count)
    assert (changing(plan), told(plan)) == (does, [("web", "containers", *says)])
    assert plan.steps[-3:] == tuple(planner.end_of(RELEASE.id))


@pytest.mark.parametrize(("status", "code", "is_down"), [
    ("running", 0, False), ("restarting", 1, False), ("exited", 137, True), ("exited", 0, False), ("paused", 0, False),
])
def test_what_is_down_though_nobody_stopped_it(status: str, code: int, is_down: bool) -> None:
    """As after a host that was rebooted, of services without `restart:`."""
    seen = app({"web": 3})
    changed = tuple(replace(one, status=status, exit_code=code) if one.id == "web2" else one for one in seen.containers)
    seen = replace(seen, containers=changed)
    placed = assignment.declared(RELEASE, {"web": 3})
    assert planner.startable(RELEASE, placed, seen) == (("web",) if is_down else ())
    plan = planned(seen, **dict.fromkeys(planner.startable(RELEASE, placed, seen), 3))
    assert changing(plan) == ([steps.StartServices(("web",), scale={"web": 3})] if is_down else [])
    assert plan.by_hand == {"web": 3}


def test_what_is_gone_is_down_and_one_shots_are_not() -> None:
    once = a_release(a_service("web", "r/web:1"), a_service("job", "r/job:1"), a_service("api", "r/api:1", depends_on={"job": "service_completed_successfully"}))
    placed = assignment.by_default(once)
    assert planner.startable(once, placed, replace(an_app(once), containers=())) == ("api", "web")
    assert planner.startable(once, {**placed, "web": 0}, replace(an_app(once), containers=())) == ("api",)


def test_what_is_so_already_is_no_step() -> None:
    assert planned(app({"web": 3}), web=3).steps == ()
    assert planned(app(), web=2).steps == ()


def test_what_else_differs_stays_as_it_is() -> None:
    plan = planned(app(db=0), web=3)
    assert plan.services == ("web",)


@pytest.mark.parametrize(("seen", "says", "starts"), [
    (app({"web": 3}), ("web", "containers", "3 by hand", "2"), ()),
    (app({"db": 0}), ("db", "containers", "stopped by hand", "1"), ("db",)),
    (app({"db": 0}, db=1), ("db", "containers", "stopped by hand", "1"), ()),
])
def test_the_next_deployment_ends_it_and_says_so(
    seen: state.AppState, says: tuple[str, ...], starts: tuple[str, ...]
) -> None:
    plan = planner.plan_host("h", RELEASE, {}, (), seen, RELEASE)
    assert (told(plan), plan.services, plan.by_hand) == ([says], starts, {})
    assert plan.steps[-2] == steps.CommitRelease(RELEASE.id)


def test_a_restart_keeps_it() -> None:
    placed = assignment.declared(RELEASE, {"web": 3, "db": 0})
    plan = planner.restart_host("h", RELEASE, {}, app({"web": 3, "db": 0}), ("web",), placed)
    assert changing(plan) == [steps.StartServices(("web",), anew=True, scale={"web": 3})]
    assert plan.by_hand == {"web": 3, "db": 0}


def test_a_start_in_another_number_is_bound_by_the_hash_of_a_plan() -> None:
    def hashed(count: int) -> str:
        host = planner.by_hand_host("h", RELEASE, {}, app(), {"web": count}, assignment.by_default(RELEASE))
        return planner.plan(RELEASE, "all", {"h": replace(host, changes=())}).hash

    assert hashed(3) != hashed(4)


@pytest.mark.parametrize("by_hand", [{"web": 3}, {"web": 0, "db": 0}, {"gone": 4}])
def test_a_number_by_hand_is_no_drift(by_hand: dict[str, int]) -> None:
    assert differences.differences("h", app(by_hand)) == ()
    assert differences.differences("h", app(by_hand, web=1)) != ()


def rows(seen: state.AppState) -> list[listing.Row]:
    return listing.host_rows(state.HostState("h", apps={"shop": seen}), "")


def test_where_says_it_and_is_not_alarmed() -> None:
    found = rows(app({"web": 3, "db": 0}))
    assert [(one.service, one.words, one.by_hand, one.drift) for one in found] == [
        ("db", "stopped by hand", 0, ()), *[("web", "running, 3 by hand", 3, ())] * 3]
    assert [one.as_json().get("by_hand") for one in found] == [0, 3, 3, 3]
    assert "by_hand" not in rows(app())[0].as_json()
    fleet = state.FleetState({"h": state.HostState("h", apps={"shop": app({"web": 3, "db": 0})})})
    assert summary.lines(fleet, found, {}) == ("shop: 1 on h; db stopped by hand on h; web 3 by hand on h",)


def test_what_runs_though_it_was_stopped_is_drift() -> None:
    [row] = [one for one in rows(app({"db": 0}, db=1)) if one.service == "db"]
    assert (row.words, row.drift) == ("running, drifted", ("containers: 1",))


def test_what_was_stopped_by_hand_is_not_down_whatever_is_left_of_it() -> None:
    left = replace(app({"web": 0}, web=1), containers=tuple(
        replace(one, status="exited", exit_code=1) for one in app({"web": 0}, web=1).containers if one.service == "web"))
    assert planner.startable(RELEASE, {"web": 0, "db": 0}, left) == (), "a start brings it back in the number of its release"
