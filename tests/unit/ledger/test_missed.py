"""What an excluded host has missed, and how exclusions stand in the history."""

from dataclasses import replace
from typing import Any

import pytest

from lading import events
from lading.ledger import deployments

OUT = events.HostExcluded("", "web2", reason="dead", actor="ann", url="https://ci/1", ran_by="ci@agent")
BACK = events.HostIncluded("", "web2", actor="ben", ran_by="ben")
ONE = deployments.planned(
    events.DeploymentPlanned("20261130-100000-aaaa", app="shop", version="1", release="r1", destination="production",
                             hosts=("web1",), excluded={"web2": "10.0.0.2:22"}), "2026-11-30T10:00:00.123456Z")
GOOD = replace(ONE, result="succeeded")


def test_a_host_has_a_row_of_its_own() -> None:
    row = deployments.of_host(OUT, "2026-11-30T09:00:00.123456Z")
    assert row.as_json() | {"ran_by": "ci@agent"} == row.as_json()
    assert {name: value for name, value in row.as_json().items() if value is not None} == {
        "verb": "exclude", "actor": "ann", "reason": "dead", "url": "https://ci/1", "started": "2026-11-30T09:00:00Z",
        "ended": "2026-11-30T09:00:00Z", "result": "excluded", "hosts": {"web2": "excluded"}, "ran_by": "ci@agent"}
    back = deployments.of_host(BACK, "2026-11-30T11:00:00.123456Z")
    assert (back.verb, back.result, back.hosts) == ("include", "included", {"web2": "included"})


def test_a_deployment_says_whom_it_has_left_out_and_none_says_nothing() -> None:
    assert ONE.as_json()["excluded"] == ["web2"]
    assert "excluded" not in replace(ONE, excluded=()).as_json()


def rows(*minutes: int, host: bool = False) -> list[deployments.Deployment]:
    """Deployments, or exclusions, of these minutes of an hour."""
    times = [f"2026-11-30T10:{minute:02}:00.5Z" for minute in minutes]
    return [deployments.of_host(OUT, at) if host else replace(ONE, started=at[:19] + "Z") for at in times]


@pytest.mark.parametrize(("limit", "found"), [(9, ["40", "30", "20", "10"]), (2, ["40", "30"]), (0, [])])
def test_the_newest_of_both_are_shown(limit: int, found: list[str]) -> None:
    whole = deployments.together(rows(30, 20)[:limit], rows(40, 10, host=True), limit)
    assert [one.started[14:16] for one in whole] == found


def test_what_is_older_than_the_limit_is_not() -> None:
    whole = deployments.together(rows(30, 20), rows(25, 10, host=True), 2)
    assert [(one.verb, one.started[14:16]) for one in whole] == [("deploy", "30"), ("exclude", "25")]


def missed(verb: str, result: str = "succeeded", **more: Any) -> deployments.Deployment:
    return replace(GOOD, verb=verb, result=result, **more)


def behind(*all_of_it: deployments.Deployment) -> list[tuple[str, str, str]]:
    return [(one.app, one.verb, one.version) for one in deployments.behind(all_of_it)]


def test_the_last_of_each_app_and_destination_counts() -> None:
    assert behind() == []
    assert behind(missed("deploy"), missed("deploy", version="2"), missed("rollback", version="1.9")) == [("shop", "rollback", "1.9")]
    assert behind(missed("deploy"), missed("deploy", app="blog"), missed("remove")) == [("blog", "deploy", "1"), ("shop", "remove", "1")]
    assert behind(missed("deploy"), missed("adopt", destination="staging")) == [("shop", "deploy", "1"), ("shop", "adopt", "1")]


def by_hand(verb: str, **numbers: int | None) -> deployments.Deployment:
    return missed(verb, by_hand=numbers)


def test_what_was_done_by_hand_since_the_last_release_counts_too() -> None:
    rows = deployments.behind([by_hand("stop", web=0), missed("deploy"), by_hand("stop", web=0, worker=0), by_hand("start", web=None),
                               by_hand("scale", api=3)])
    assert [(one.verb, dict(one.by_hand)) for one in rows] == [
        ("deploy", {}), ("start", {"web": None}), ("stop", {"worker": 0}), ("scale", {"api": 3})]
    assert [(one.verb, dict(one.by_hand)) for one in deployments.behind([by_hand("stop")])] == [("stop", {})], "of which is not known"


def test_the_numbers_that_a_person_wants() -> None:
    words = {"web": "stopped by hand", "api": "3 by hand", "worker": "2", "cron": "1 (2 by hand)"}
    changes = [{"host": "web1", "service": name, "field": "containers", "old": "1", "new": new} for name, new in words.items()]
    changes.append({"host": "web1", "service": "db", "field": "image", "old": "a", "new": "b"})
    assert deployments.numbers(changes) == {"web": 0, "api": 3, "worker": None, "cron": 2}


@pytest.mark.parametrize(("own", "left"), [
    ({}, ["deploy", "stop"]),
    ({"hosts": {"web1": "succeeded", "web2": "succeeded"}}, []),
    ({"hosts": {"web2": "unwell"}}, ["stop"]),
    ({"hosts": {"web1": "succeeded", "web2": "rolled_back"}}, ["deploy", "stop"]),
    ({"hosts": {"web1": "succeeded"}}, ["deploy", "stop"]),
    ({"verb": "restart", "hosts": {"web2": "succeeded"}}, ["deploy", "stop"]),
    ({"app": "blog", "hosts": {"web2": "succeeded"}}, ["deploy", "stop"]),
    ({"started": "2026-11-30T09:00:00Z", "hosts": {"web2": "succeeded"}}, ["deploy", "stop"]),
])
def test_a_host_that_took_part_again_has_it(own: dict[str, Any], left: list[str]) -> None:
    later = [replace(GOOD, **{"started": "2026-11-30T12:00:00Z", **own})] if own else []
    found = deployments.still_missed([missed("deploy"), by_hand("stop", web=0)], "web2", later)
    assert [one.verb for one in found] == left


@pytest.mark.parametrize(("verb", "result", "lacks"), [
    ("deploy", "partial", True), ("deploy", "running", True), ("deploy", "unknown", True), ("deploy", "rolled_back", False),
    ("deploy", "failed", False), ("deploy", "refused", False), ("restart", "succeeded", False), ("repair", "succeeded", False),
])
def test_only_what_may_have_changed_what_is_there_counts(verb: str, result: str, lacks: bool) -> None:
    assert bool(behind(missed(verb, result))) is lacks
