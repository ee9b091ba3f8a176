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
    ({"edited": ("files/docker-compose.yml",)}, "file: edited by hand"),
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
