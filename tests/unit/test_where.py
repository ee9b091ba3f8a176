"""`where` hides nothing: what is about no container has a row too, an open deployment with what to type next."""

import json
from dataclasses import replace
from typing import Any

import pytest

from builders import a_container, a_journal, a_release, a_service, an_app
from lading import state
from lading.ledger import contradictions
from lading.queries import differences, listing

MADE = a_release(a_service("web"), a_service("db"))
BEGIN = {"v": 3, "kind": "begin", "at": "2026-11-28T10:00:00Z", "deployment": "20261128-100000-aaaa", "to": "f" * 64,
         "version": "2.0.0", "actor": "ann"}


def rows(app: state.AppState, *wrong: contradictions.Contradiction) -> list[listing.Row]:
    return listing.host_rows(state.HostState("web1", apps={"shop": app}), "", wrong)


def test_an_open_deployment() -> None:
    [first, *others] = rows(an_app(MADE, journal=a_journal(BEGIN)))
    assert (first.service, first.state, first.version, first.release, first.deployment, first.since, first.actor) == (
        "", "unknown", "2.0.0", "f" * 64, "20261128-100000-aaaa", "2026-11-28T10:00:00Z", "ann")
    assert first.drift == ("deployment: not ended; next: lading resume shop",)
    assert [(row.service, row.drift) for row in others] == [("db", ()), ("web", ())]


def test_a_deployment_that_somebody_works_on() -> None:
    lease = {"deployment": BEGIN["deployment"], "fence": "1", "state": "held", "boot": "b", "nowboot": "b", "now": "100", "expires": "128", "length": "30"}
    [first, *_] = rows(an_app(MADE, journal=a_journal(BEGIN), lease=lease))
    assert first.drift == ("deployment: running; next: lading show 20261128-100000-aaaa",)
    assert first.deployment_is_open


def test_that_the_deployment_before_ended_unwell_says_nothing_of_the_one_that_is_open() -> None:
    before = [{**BEGIN, "deployment": "d1"}, {"v": 3, "kind": "ended", "deployment": "d1", "at": "2026-11-28T09:00:00Z", "result": "unwell"}]
    [opened, ended, *_] = rows(an_app(MADE, journal=a_journal(*before, BEGIN)))
    assert (opened.drift, ended.drift) == (("deployment: not ended; next: lading resume shop",), ("deployment: ended unwell",))
    assert (ended.deployment, ended.actor) == ("", "")


@pytest.mark.parametrize(("more", "words"), [
    ({"edited": ("files/docker-compose.yml",)}, "file files/docker-compose.yml: edited by hand"), ({"missing": ("files/a.yml",)}, "file files/a.yml: missing"),
    ({"damaged": ("release 0123456789ab",)}, "release 0123456789ab: damaged: it cannot be read"),
    ({"damaged": ("journal",)}, "journal: damaged: it cannot be read"),
    ({"releases": {}}, "release: its files are gone"),
    ({"current": None, "damaged": ("current",), "containers": ()}, "current: damaged: it cannot be read"),
])
def test_what_is_about_no_container(more: dict[str, Any], words: str) -> None:
    told = [one for row in rows(replace(an_app(MADE), **more)) for one in row.drift if not row.service]
    assert told == [words]


@pytest.mark.parametrize("app", [
    an_app(MADE), an_app(MADE, journal=a_journal(BEGIN), edited=("files/a", "files/b")), an_app(MADE, damaged=("journal", "release x")),
    replace(an_app(MADE), containers=an_app(MADE).containers[:1]), replace(an_app(MADE), current=None),
])
def test_every_difference_is_in_a_row(app: state.AppState) -> None:
    told = [one.partition(";")[0] for row in rows(app) for one in row.drift]
    found = [f"{one.field} {one.declared}: {one.observed}" if one.field == "file" else f"{one.field}: {one.observed or 'nothing'}" for one in differences.differences("web1", app)]
    assert sorted(told) == sorted(found)
    assert [one.as_json()["app"] for one in differences.differences("web1", app)] == ["shop"] * len(found)


def test_a_service_with_too_few_containers_has_the_rows_of_those_that_run() -> None:
    made = a_release(a_service("web", replicas=2))
    [row] = rows(an_app(made))
    assert (row.service, row.container) == ("web", "shop-web-1")


def test_a_host_that_contradicts_the_ledger_and_has_nothing_of_the_app() -> None:
    seen = contradictions.Committed("20261128-100000-aaaa", "f" * 64, "2026-11-28T10:00:09Z")
    wrong = contradictions.Contradiction("web1", "lost", "it has no record of lost", seen)
    found = rows(an_app(MADE), wrong, replace(wrong, host="web2"))
    assert [(row.app, row.state, row.drift) for row in found if not row.service] == [
        ("lost", "unknown", ("ledger: it has no record of lost; next: lading deploy … --to web1 --accept-host web1",))]
    assert differences.contradicted(wrong).declared == f"deployment 20261128-100000-aaaa (release {'f' * 12})"


def test_the_one_way_out_of_damage_is_a_repair() -> None:
    seen = contradictions.Committed("d1", MADE.id, "2026-11-28T10:00:09Z")
    wrong = contradictions.Contradiction("web1", "shop", "its `current` is gone", seen)
    committed = a_journal(
        {"v": 4, "kind": "begin", "deployment": "d1", "to": MADE.id, "destination": "production"},
        {"v": 4, "kind": "committed", "deployment": "d1", "to": MADE.id})
    ended = a_journal({"v": 4, "kind": "ended", "deployment": "d1", "result": "well"})
    hurt = replace(an_app(MADE, journal=(*committed, *ended)), current=None)
    found = rows(hurt, wrong)
    assert [one for row in found for one in row.drift if one.startswith("ledger")] == [
        "ledger: its `current` is gone; next: lading repair web1 shop"]
    assert {row.destination for row in found} == {"production"}
    whole = [one for row in rows(an_app(MADE), wrong) for one in row.drift]
    assert whole == ["ledger: its `current` is gone; next: lading deploy … --to web1 --accept-host web1"]


def test_a_service_of_which_no_container_is_wanted_is_not_missing() -> None:
    made = a_release(a_service("web"), a_service("idle", replicas=0), a_service("db"))
    web = a_container(made.services["web"])
    app = replace(an_app(made), containers=(web,))
    assert [(row.service, row.state) for row in rows(app)] == [("db", "missing"), ("web", "running")]


def test_a_service_with_too_few_containers_has_the_rows_of_those_that_are_there() -> None:
    made = a_release(a_service("web", replicas=2))
    [row] = rows(replace(an_app(made), containers=(a_container(made.services["web"]),)))
    assert (row.state, row.drift) == ("running", ("containers: 1",))


def test_what_docker_restarts_and_what_is_unhealthy_is_drift_and_a_state() -> None:
    web = a_container(MADE.services["web"], restarts=3, health="healthy")
    db = a_container(MADE.services["db"], health="unhealthy")
    app = an_app(MADE, web, db)
    found = {one.service: one.as_json() for one in differences.differences("web1", app)}
    common = {"host": "web1", "app": "shop"}
    assert found == {
        "web": {**common, "service": "web", "field": "restarts", "declared": "0", "observed": "Docker restarted it 3 times"},
        "db": {**common, "service": "db", "field": "health", "declared": "healthy", "observed": "unhealthy"},
    }
    assert [(row.service, row.words, row.restarts) for row in rows(app)] == [
        ("db", "unhealthy", 0), ("web", "healthy, restarted 3×", 3)]


def test_a_container_that_was_left_alone_keeps_whose_it_is() -> None:
    ann, ben = "20261101-100000-aaaa", "20261128-120000-bbbb"
    db = a_container(MADE.services["db"], image="postgres:15", created="2026-11-01T10:00:09Z", since="2026-11-01T10:00:10Z")
    web = a_container(MADE.services["web"], created="2026-11-28T12:00:09Z", since="2026-11-28T12:00:10Z")
    journal = tuple(
        {"v": 3, "kind": kind, "deployment": deployment, "actor": actor, "at": at, "to": MADE.id}
        for deployment, actor, begun, ended in (
            (ann, "ann", "2026-11-01T10:00:01Z", "2026-11-01T10:00:20Z"), (ben, "ben", "2026-11-28T12:00:01Z", "2026-11-28T12:00:20Z"))
        for kind, at in (("begin", begun), ("committed", ended))
    )
    app = an_app(MADE, web, db, journal=a_journal(*journal))
    assert app.current is not None
    newest = replace(app.current, deployment=ben, actor="ben", destination="production")
    found = {row.service: row for row in rows(replace(app, current=newest))}
    assert (found["db"].version, found["db"].since, found["db"].deployment, found["db"].actor) == (
        "15", "2026-11-01T10:00:10Z", ann, "ann")
    assert (found["web"].deployment, found["web"].actor, found["web"].destination) == (ben, "ben", "production")
    made_by_hand = replace(db, created="2026-11-20T00:00:00Z")
    by_hand = replace(app, current=newest, containers=(made_by_hand,))
    assert {row.service: row.as_json()["actor"] for row in rows(by_hand)}["db"] is None


def brought(made: Any, *others: Any, **more: Any) -> listing.Row:
    """The row of a `web` that deployment d1, which brought *made*, has changed; *others*: releases that are kept too."""
    app = an_app(made, **more)
    kept = {one.id: json.loads(one.canonical()) for one in (*others, made)}
    newest = others[-1] if others else made
    assert app.current is not None
    by = {"web": state.Changed("d1", "ann", "2026-11-28T10:00:00Z", made.id)}
    current = replace(app.current, release=newest.id, deployment="d2", changed=by)
    found = rows(replace(app, current=current, releases=kept))
    return next(row for row in found if row.service == "web")


def test_the_release_shown_is_the_one_that_the_deployment_shown_has_brought() -> None:
    newer = a_release(a_service("web"), a_service("db", "r.example/db:2"), version="2")
    row = brought(MADE, newer)
    assert (row.deployment, row.release, row.app_version) == ("d1", MADE.id, "1"), "not of the newest that fits"


def test_no_release_is_shown_that_the_deployment_shown_has_not_brought() -> None:
    kept = an_app(MADE)
    assert kept.current is not None
    by = dict.fromkeys(("web", "db"), state.Changed("d1", "ann", "2026-11-28T10:00:00Z", "e" * 64))
    found = rows(replace(kept, current=replace(kept.current, changed=by)))
    assert [(row.deployment, row.release, row.app_version) for row in found] == [("d1", "", "")] * 2, "it is not kept any more"


def test_a_deployment_that_was_undone_has_brought_nothing_that_runs() -> None:
    other = a_release(a_service("web", "r.example/app:3"))
    web = a_container(MADE.services["web"], created="2026-11-28T10:00:09Z")
    app = an_app(MADE, web, a_container(MADE.services["db"]), journal=a_journal({**BEGIN, "to": other.id}))
    both = {**app.releases, other.id: json.loads(other.canonical())}
    row = next(row for row in rows(replace(app, releases=both)) if row.service == "web")
    assert (row.deployment, row.release, row.app_version) == (BEGIN["deployment"], "", "")


def test_where_nobody_is_known_to_have_changed_it_the_current_release_counts() -> None:
    adopted = an_app(MADE, *(a_container(spec, adopted=True) for spec in MADE.services.values()))
    assert [(row.deployment, row.release) for row in rows(adopted)] == [("", MADE.id)] * 2
    unlike = an_app(MADE, *(a_container(spec, content="x") for spec in MADE.services.values()))
    assert [(row.deployment, row.release) for row in rows(unlike)] == [("", "")] * 2
    assert [row.release for row in rows(replace(unlike, current=None))] == ["", ""]


def test_what_is_not_known_is_null_and_no_number_is() -> None:
    [silent] = listing.host_rows(state.HostState("web1", error="no route"), "")
    assert silent.as_json() == {
        "app": None, "service": None, "host": "web1", "container": None, "version": None, "release": None, "image": None,
        "digest": None, "state": "unknown", "since": None, "deployment": None, "actor": None, "drift": ["no route"],
        "destination": None, "app_version": None, "label": None, "restarts": 0, "one_shot": False, "unwell": False, "silent": True}


def test_what_must_end_may_be_tried_again() -> None:
    made = a_release(a_service("once"), a_service("web", depends_on={"once": "service_completed_successfully"}))
    once = a_container(made.services["once"], restarts=2)
    assert differences.differences("web1", an_app(made, once, a_container(made.services["web"]))) == ()
