"""A line in words for each app and destination, as a product manager reads it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from builders import a_container, a_journal, a_release, a_service, an_app
from lading import state
from lading.queries import listing, summary

OLD, NEW = (a_release(a_service("web", f"r.example/shop:{version}"), version=version) for version in ("1.0.0", "1.3.0"))
OPEN = {"v": 3, "kind": "begin", "deployment": "20261128-100000-aaaa", "at": "2026-11-28T10:00:01Z", "destination": "production"}
PLACES = {"production": ("web1", "web2", "web3"), "staging": ("stage1",)}


def app(made: Any = NEW, destination: str = "production", **more: Any) -> state.AppState:
    found = an_app(made, **more)
    assert found.current is not None
    return replace(found, current=replace(found.current, destination=destination))


def said(hosts: Mapping[str, state.AppState | str], app: str = "", places: Mapping[str, tuple[str, ...]] = PLACES) -> list[str]:
    """What is said of hosts, each with its app, or why it is silent."""
    seen: dict[str, state.HostState] = {}
    for name, one in hosts.items():
        if isinstance(one, str):
            seen[name] = state.HostState(name, error=one)
        else:
            seen[name] = state.HostState(name, apps={one.app: one})
    rows = [row for host in seen.values() for row in listing.host_rows(host, app)]
    return list(summary.lines(state.FleetState(seen), rows, places, app))


def test_all_have_one_version() -> None:
    assert said({"web1": app(), "web2": app(), "web3": app()}) == ["shop production: 1.3.0 on 3 hosts"]
    assert said({"web1": app()}) == ["shop production: 1.3.0 on web1"]


def test_one_is_behind_and_its_deployment_is_open() -> None:
    assert said({"web1": app(), "web2": app(), "web3": app(OLD, journal=a_journal(OPEN))}) == [
        "shop production: 1.3.0 on 2 of 3 hosts, 1.0.0 on web3; 20261128-100000-aaaa is not ended: lading resume shop"]


def leased(left: int, **more: str) -> state.AppState:
    """The app while a deployment is open, whose lease has so many of its 30 seconds left."""
    lease = {"deployment": OPEN["deployment"], "fence": "1", "state": "held", "boot": "b", "nowboot": "b", "now": "100", "expires": str(100 + left),
             "length": "30", "holder": "ann@laptop", "since": "2026-11-28T10:00:00Z", **more}
    return app(journal=a_journal(OPEN), lease={key: value for key, value in lease.items() if value})


HEAD = "shop production: 1.3.0 on web1; 20261128-100000-aaaa is "
RUNS = "running (ann@laptop, since 2026-11-28T10:00:00Z): lading show 20261128-100000-aaaa; to deploy after it: --wait 10m"


@pytest.mark.parametrize(("left", "more", "words"), [
    (28, {}, RUNS), (15, {}, RUNS),
    (8, {}, "not ended, and not heard of for 22 s (ann@laptop, since 2026-11-28T10:00:00Z): "
            "lading resume shop waits until its lease has ended (8 s), and refuses if it lives"),
    (500, {"length": ""}, "not ended, and nothing tells whether ann@laptop, since 2026-11-28T10:00:00Z, lives: "
                          "its lease ends in 500 s, then lading resume shop"),
    (0, {}, "not ended: lading resume shop"), (500, {}, "not ended: lading resume shop"),
    (28, {"state": "free"}, "not ended: lading resume shop"), (28, {"deployment": "d9"}, "not ended: lading resume shop"),
    (28, {"holder": "", "since": ""}, RUNS.replace("ann@laptop, since 2026-11-28T10:00:00Z", "somebody")),
])
def test_an_open_deployment_is_told_as_its_lease_tells_it(left: int, more: dict[str, str], words: str) -> None:
    assert said({"web1": leased(left, **more)}) == [HEAD + words]


def test_of_an_open_deployment_counts_the_host_that_heard_of_it_last() -> None:
    cut = {"web1": leased(8), "web2": leased(0), "web3": leased(29)}
    assert said(cut) == [HEAD.replace("web1", "3 hosts") + RUNS]


def test_a_silent_host_is_named_and_counted() -> None:
    assert said({"web1": app(), "web2": app(), "web3": "no route"}) == [
        "shop production: 1.3.0 on 2 of 3 hosts; web3 does not answer"]
    assert said({"web1": app(), "web2": "lost", "web3": "lost"}) == [
        "shop production: 1.3.0 on web1; web2, web3 do not answer"]
    assert said({"web3": "no route"}) == ["web3 does not answer"]


def test_a_host_whose_engine_is_silent_is_silent() -> None:
    there = state.HostState("web2", facts=state.Facts(problem="the engine does not answer"), apps={"shop": app()})
    seen = state.FleetState({"web1": state.HostState("web1", apps={"shop": app()}), "web2": there})
    rows = [row for host in seen.hosts.values() for row in listing.host_rows(host, "")]
    assert summary.lines(seen, rows, PLACES) == ("shop production: 1.3.0 on web1; web2 does not answer",)


def test_a_silent_host_of_elsewhere_is_told_apart() -> None:
    other: dict[str, state.AppState | str] = {"web1": app(), "stage1": "lost"}
    assert said(other) == ["shop production: 1.3.0 on web1", "stage1 does not answer"]
    assert said({"web1": app(destination="web1,web2"), "web2": "lost"}, places={}) == [
        "shop web1,web2: 1.3.0 on web1; web2 does not answer"]


def test_each_destination_has_a_line() -> None:
    both = {"web1": app(), "stage1": app(OLD, destination="staging")}
    assert said(both) == ["shop production: 1.3.0 on web1", "shop staging: 1.0.0 on stage1"]
    assert said({"web1": app(), "web2": replace(app(), app="blog")}, "shop") == ["shop production: 1.3.0 on web1"]


def test_what_is_not_as_deployed_is_named() -> None:
    by_hand = a_container(NEW.services["web"], image="r.example/shop:1.3.1")
    lost = replace(app(), containers=())
    assert said({"web1": app(), "web2": app(NEW, "production", journal=()), "web3": lost}) == [
        "shop production: 1.3.0 on 3 hosts; web missing on web3: lading drift shop"]
    drifted = replace(app(), containers=(by_hand,))
    assert said({"web1": drifted}) == ["shop production: 1.3.0 on web1; not as deployed on web1: lading drift shop"]


PAIR = a_release(a_service("web"), a_service("db"), version="1.3.0")
EXITED = {"status": "exited", "exit_code": 1}


def but(*services: str, made: Any = NEW, **more: Any) -> state.AppState:
    """The app, with containers of these services that are otherwise."""
    return replace(app(made), containers=tuple(
        a_container(spec, **(more if name in services else {})) for name, spec in made.services.items()))


@pytest.mark.parametrize(("more", "words"), [
    (EXITED, "web exited on web2: lading logs shop"),
    ({"health": "unhealthy"}, "web unhealthy on web2: lading logs shop"),
    ({"status": "restarting"}, "web restarting on web2: lading logs shop"),
    ({"status": "paused"}, "web paused on web2: lading drift shop"),
    ({"health": "starting"}, "web starting on web2"),
])
def test_a_version_that_does_not_run_is_not_told_as_if_it_did(more: dict[str, Any], words: str) -> None:
    assert said({"web1": app(), "web2": but("web", **more)}) == [f"shop production: 1.3.0 on 2 hosts; {words}"]


def test_a_service_that_has_ended_as_it_may_is_well() -> None:
    assert said({"web1": but("web", status="exited")}) == ["shop production: 1.3.0 on web1"]


def test_what_is_in_one_state_is_said_once() -> None:
    both = but("web", "db", made=PAIR, **EXITED)
    assert said({"web1": both, "web2": both}) == [
        "shop production: 1.3.0 on 2 hosts; db, web exited on web1, web2: lading logs shop"]
    assert said({"web1": both, "web2": but("web", made=PAIR, **EXITED)}) == [
        "shop production: 1.3.0 on 2 hosts; db exited on web1: lading logs shop; web exited on web1, web2: lading logs shop"]
    many = a_release(*(a_service(f"s{number}") for number in range(4)), version="1.3.0")
    assert said({"web1": but(*many.services, made=many, **EXITED)}) == [
        "shop production: 1.3.0 on web1; 4 services exited on web1: lading logs shop"]


def test_two_containers_in_one_state_are_one_host() -> None:
    spec = NEW.services["web"]
    two = replace(app(), containers=tuple(a_container(spec, id=name, name=name, **EXITED) for name in ("a", "b")))
    assert said({"web1": two})[0].count("web1") == 3  # 1.3.0 on web1, exited on web1, too many on web1


def test_what_differs_besides_is_told_besides() -> None:
    other = but("web", image="r.example/shop:1.3.1", **EXITED)
    assert said({"web1": other}) == [
        "shop production: 1.3.0 on web1; web exited on web1: lading logs shop; not as deployed on web1: lading drift shop"]


def test_a_deployment_that_ended_unwell() -> None:
    ended = {"v": 3, "kind": "ended", "deployment": "20261128-100000-aaaa", "at": "2026-11-28T10:01:00Z", "result": "unwell"}
    assert said({"web1": app(journal=a_journal(OPEN, ended))}) == [
        "shop production: 1.3.0 on web1; unwell on web1: lading drift shop"]


def test_a_first_deployment_that_is_open() -> None:
    bare = replace(app(journal=a_journal(OPEN)), current=None, containers=())
    assert said({"web1": bare}) == [
        "shop production: no deployed version on web1; 20261128-100000-aaaa is not ended: lading resume shop"]


COMMITTED = a_journal(
    {"v": 4, "kind": "begin", "deployment": "d1", "to": NEW.id, "version": "1.3.0", "destination": "production"},
    {"v": 4, "kind": "committed", "deployment": "d1", "to": NEW.id},
    {"v": 4, "kind": "ended", "deployment": "d1", "result": "well"},
)


@pytest.mark.parametrize("damaged", [(), ("current",)])
def test_a_current_that_is_gone_or_garbage_is_read_from_the_journal(damaged: tuple[str, ...]) -> None:
    hurt = replace(app(journal=COMMITTED, damaged=damaged), current=None)
    assert said({"web1": app(), "web2": hurt}) == [
        "shop production: 1.3.0 on 2 hosts; damaged on web2: lading repair web2 shop"]
    assert said({"web1": hurt, "web2": hurt}) == [
        "shop production: 1.3.0 on 2 hosts; damaged on web1, web2: lading repair HOST shop"]


def test_what_was_removed_is_not_spoken_of() -> None:
    assert said({"web1": state.AppState("shop")}) == []


@pytest.mark.parametrize(("count", "words"), [(2, "1.0.0 on web3, web4"), (3, "1.0.0 on web[3:5]")])
def test_many_names_are_few_words(count: int, words: str) -> None:
    behind = {f"web{number}": app(OLD) for number in range(3, 3 + count)}
    ahead = {f"web{number}": app() for number in range(6, 11)}
    assert said(behind | ahead) == [f"shop production: 1.3.0 on 5 of {5 + count} hosts, {words}"]
