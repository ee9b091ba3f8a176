"""`where` hides nothing: what is about no container has a row too, an open deployment with what to type next."""

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


@pytest.mark.parametrize(("more", "words"), [
    ({"edited": ("files/docker-compose.yml",)}, "file: edited by hand"), ({"missing": ("files/a.yml",)}, "file: missing"),
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
    found = [f"{one.field}: {one.observed or 'nothing'}" for one in differences.differences("web1", app)]
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
