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
        "shop production: 1.3.0 on 3 hosts; not as deployed on web3: lading drift shop"]
    drifted = replace(app(), containers=(by_hand,))
    assert said({"web1": drifted}) == ["shop production: 1.3.0 on web1; not as deployed on web1: lading drift shop"]


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
