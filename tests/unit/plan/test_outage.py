"""What a plan says is away while it is carried out: services that were there before, on how many hosts at once, for how long."""

from dataclasses import replace

import pytest

from builders import a_release, a_service, an_app
from lading import state
from lading.plan import outage, planner, steps
from lading.state import records

BEFORE = records.Current("shop", "a" * 64, "1.0.0", "d1")


def a_host(name: str, *services: str, new: tuple[str, ...] = (), previous: state.Current | None = BEFORE) -> steps.HostPlan:
    changes = tuple(steps.Change(name, service, "containers", "0", "1") for service in new)
    return steps.HostPlan(name, (steps.StartServices((*services, *new)),), changes, previous, placed={"web": 1, "db": 1})


def down(name: str, *services: str) -> steps.HostPlan:
    """A host on which they are made anew, and do not run."""
    return replace(a_host(name, *services), down=services)


def scaled(name: str, service: str, *others: steps.Change) -> steps.HostPlan:
    change = steps.Change(name, service, "containers", "2", "3")
    return steps.HostPlan(name, (steps.StartServices((service,)),), (change, *others), BEFORE, placed={service: 3})


def a_plan(*hosts: steps.HostPlan, batches: tuple[tuple[str, ...], ...] = (), **more: object) -> steps.Plan:
    return steps.Plan("shop", "1.1.0", "b" * 64, "production", {host.host: host for host in hosts}, batches, **more)  # type: ignore[arg-type]


THREE = tuple(a_host(f"web{number}", "web") for number in (1, 2, 3))


@pytest.mark.parametrize(("plan", "said"), [
    (a_plan(a_host("web1", "web")), ("web is away for a few seconds",)),
    (a_plan(a_host("web1", "web"), usual=3.2), ("web is away for at most about 3 s, as long as the last roll took",)),
    (a_plan(*THREE, batches=(("web1", "web2", "web3"),)), ("all 3 hosts at once: web is away for a few seconds",)),
    (a_plan(*THREE, batches=(("web1",), ("web2",), ("web3",))), (
        "one of 3 hosts at a time: web is away there for a few seconds; requests that reach one just then are not drained",)),
    (a_plan(*THREE, batches=(("web1", "web2"), ("web3",))), (
        "2 of 3 hosts at a time: web is away there for a few seconds; requests that reach one just then are not drained",)),
    (a_plan(*THREE[:2], a_host("web3", new=("web",)), batches=(("web1", "web2", "web3"),)), (
        "all 2 hosts that serve now at once: web is away for a few seconds",)),
    (a_plan(THREE[0], a_host("web2", "db"), batches=(("web1", "web2"),)), (
        "on web1 of 2 hosts: web is away there for a few seconds; requests that reach one just then are not drained",
        "on web2 of 2 hosts: db is away there for a few seconds; requests that reach one just then are not drained")),
    (a_plan(a_host("web1", "web"), down("web2", "web"), batches=(("web1", "web2"),)), ("web is away for a few seconds",)),
    (a_plan(down("web1", "web"), down("web2", "web"), batches=(("web1", "web2"),)), ()),
    (a_plan(a_host("web1", "web"), steps.HostPlan("web2", previous=BEFORE, placed={"web": 1})), (
        "on web1 of 2 hosts: web is away there for a few seconds; requests that reach one just then are not drained",)),
    (a_plan(a_host("web1", "web", "worker", "db")), ("web, worker and db are away for a few seconds",)),
    (a_plan(a_host("web1", "web"), steps.HostPlan("web2", placed={"db": 1})), ("web is away for a few seconds",)),
    (a_plan(a_host("web1", "migrate", "web"), one_shots=("migrate",)), ("web is away for a few seconds",)),
    (a_plan(a_host("web1", "migrate"), one_shots=("migrate",)), ()),
    (a_plan(a_host("web1", new=("web",))), ()),
    (a_plan(a_host("web1", "web", previous=None)), ()),
    (a_plan(a_host("web1", "web"), verb="remove"), ()),
    (a_plan(scaled("web1", "web"), verb="scale"), ()),
    (a_plan(scaled("web1", "web", steps.Change("web1", "web", "image", "1", "2"))), ("web is away for a few seconds",)),
    (a_plan(scaled("web1", "web", steps.Change("web1", "web", "state", "exited", "running"))), ()),
    (a_plan(), ()),
])
def test_what_is_said(plan: steps.Plan, said: tuple[str, ...]) -> None:
    assert outage.expected(plan) == said


def test_what_the_last_roll_took_is_no_part_of_what_is_approved() -> None:
    assert a_plan(*THREE, usual=3.0).hash == a_plan(*THREE, usual=9.0).hash


def test_what_does_not_run_is_down_whatever_else_of_it_differs() -> None:
    web = a_release(a_service("web", "r/web:1"), a_service("db", "r/db:1"))
    seen = an_app(web)
    dead = replace(seen, containers=tuple(replace(one, status="exited") if one.service == "web" else one for one in seen.containers))
    newer = a_release(a_service("web", "r/web:2"), a_service("db", "r/db:2"))
    for app, said in ((seen, "db and web are away for a few seconds"), (dead, "db is away for a few seconds")):
        host = planner.plan_host("web1", newer, {}, (), app, web)
        assert outage.expected(planner.plan(newer, "production", {"web1": host})) == (said,)


@pytest.mark.parametrize(("changes", "services"), [
    ([("web", "image", "1", "2"), ("db", "state", "exited", "running"), ("", "owner", "git:a", "git:b")], {"web"}),
    ([("web", "containers", "0", "1"), ("web", "definition", "", "abc")], set()),
    ([("web", "containers", "2", "3"), ("db", "recreated", "", "it is restarted"), ("old", "service", "running", "removed")], {"db"}),
])
def test_what_measures_an_outage(changes: list[tuple[str, str, str, str]], services: set[str]) -> None:
    assert outage.taken_away(steps.Change("web1", *one) for one in changes) == services


def test_a_container_that_is_started_again_takes_nothing_of_the_others_away() -> None:
    made = a_release(a_service("web", "r/web:1", replicas=2, restart="always"))
    seen = an_app(made)
    first = seen.containers[0]
    second = replace(first, id="second", name="shop-web-2", status="exited", exit_code=1)
    host = planner.plan_host("web1", made, {}, (), replace(seen, containers=(first, second)), made)
    assert [(one.field, one.old) for one in host.changes] == [("state", "exited")]
    assert outage.expected(planner.plan(made, "production", {"web1": host})) == ()
