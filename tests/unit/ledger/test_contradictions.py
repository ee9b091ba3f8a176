"""When a host contradicts the ledger, and when what it tells is only news."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from builders import a_journal
from lading import state
from lading.ledger import contradictions
from lading.state import journal

ID, OTHER = "a" * 64, "b" * 64
MINE, LATER = "20261128-100000-aaaa", "20261128-120000-bbbb"
CURRENT = state.Current("shop", ID, "1.1.0", MINE, "ann", "2026-11-28T10:00:00Z", "git:shop", "production")
LINE = {"at": "2026-11-28T10:00:09Z", "v": 3, "kind": "committed", "deployment": MINE, "to": ID, "version": "1.1.0"}
BEGIN = {"v": 3, "kind": "begin", "deployment": MINE, "to": ID}
SEEN = contradictions.Committed(MINE, ID, "2026-11-28T10:00:10Z", state.hash_of_line(LINE), state.hash_of_current(CURRENT))
OLD = replace(SEEN, release=ID[:12], line="", current="")  # as an older lading stored it
HONEST = state.AppState("shop", CURRENT, journal=a_journal(BEGIN, LINE))


def begun(deployment: str, verb: str = "deploy") -> dict[str, Any]:
    return {"v": 3, "kind": "begin", "deployment": deployment, "to": OTHER, "verb": verb}


def then(*lines: Mapping[str, Any]) -> tuple[journal.Record, ...]:
    """The journal of the honest host, and what came later."""
    return (*HONEST.journal, *a_journal(*lines))


def why(app: state.AppState | None, known: contradictions.Committed = SEEN) -> str:
    host = state.HostState("web1", apps={"shop": app} if app is not None else {})
    found = contradictions.found("shop", state.FleetState({"web1": host}), {"web1": known})
    assert set(found) <= {"web1"}
    return found["web1"].why if found else ""


def committed(deployment: str, to: str = OTHER) -> dict[str, Any]:
    return {**LINE, "deployment": deployment, "to": to}


@pytest.mark.parametrize("known", [SEEN, OLD])
@pytest.mark.parametrize("app", [
    HONEST,
    replace(HONEST, journal=then(begun(LATER))),
    replace(HONEST, current=None, journal=then(begun(LATER, "remove"))),
    replace(HONEST, current=replace(CURRENT, release=OTHER, deployment=LATER), journal=then(begun(LATER), committed(LATER))),
    replace(HONEST, current=None, journal=then(begun(LATER), {"kind": "ended", "deployment": LATER, "result": "removed"})),
    replace(HONEST, current=None, journal=then({"kind": "ended", "deployment": LATER, "result": "given back"})),
    replace(HONEST, journal=then(begun(LATER), {"kind": "undone", "deployment": LATER})),
    replace(HONEST, journal=(), damaged=("journal",)),  # that is told as damage
    replace(HONEST, current=None, damaged=("current",)),
    replace(HONEST, current=replace(CURRENT, release=OTHER, deployment="ansible-playbook")),
    replace(HONEST, journal=a_journal(*[{"kind": "intent", "deployment": LATER}] * contradictions.WINDOW)),
], ids=lambda one: str(len(getattr(one, "journal", ""))))
def test_news_and_damage_are_no_contradiction(app: state.AppState, known: contradictions.Committed) -> None:
    assert why(app, known) == ""


LACKING: Mapping[str, tuple[state.AppState | None, str]] = {
    "reinstalled": (None, "it has no record of shop"),
    "emptied": (state.AppState("shop"), "it has no record of shop"),
    "old snapshot": (replace(HONEST, journal=a_journal(begun("20261127-1"), committed("20261127-1"))), "its journal lacks deployment " + MINE),
    "another journal": (replace(HONEST, journal=a_journal(committed(LATER))), "its journal lacks"),
    "only begun": (replace(HONEST, journal=a_journal(BEGIN)), "its journal lacks"),
    "a long old journal": (replace(HONEST, journal=a_journal(*[committed("20261127-1")] * contradictions.WINDOW)), "its journal lacks"),
    "another release": (replace(HONEST, journal=a_journal(BEGIN, committed(MINE))), "otherwise than this ledger saw"),
    "current of before": (replace(HONEST, current=replace(CURRENT, deployment="20261127-1")), "its `current` is not what"),
    "current of another release": (replace(HONEST, current=replace(CURRENT, release=OTHER)), "its `current` is not what"),
    "current is gone": (replace(HONEST, current=None), "its `current` is gone"),
}


@pytest.mark.parametrize("known", [SEEN, OLD])
@pytest.mark.parametrize("case", LACKING)
def test_contradictions(case: str, known: contradictions.Committed) -> None:
    app, words = LACKING[case]
    assert words in why(app, known)


@pytest.mark.parametrize(("app", "words"), [
    (replace(HONEST, current=replace(CURRENT, actor="bob")), "its `current` is not what"),
    (replace(HONEST, current=replace(CURRENT, since="2099-01-01T00:00:00Z")), "its `current` is not what"),
    (replace(HONEST, journal=a_journal(BEGIN, {**LINE, "version": "9"})), "otherwise than this ledger saw"),
])
def test_bytes_that_an_older_lading_did_not_store(app: state.AppState, words: str) -> None:
    assert words in why(app)
    assert why(app, OLD) == ""


def test_a_current_that_was_mended_as_the_journal_tells_it() -> None:
    told = replace(HONEST, current=None).committed
    assert told is not None and told != CURRENT
    assert why(replace(HONEST, current=told)) == ""


def test_two_releases_that_begin_alike_are_two() -> None:
    alike = ID[:12] + OTHER[12:]
    assert "otherwise" in why(replace(HONEST, journal=a_journal(BEGIN, committed(MINE, alike))), replace(SEEN, line=""))


def test_only_hosts_that_answer_and_that_the_ledger_knows_are_compared() -> None:
    silent = state.HostState("web1", error="no route to host")
    unknown = state.HostState("web2")
    seen = state.FleetState({"web1": silent, "web2": unknown})
    assert contradictions.found("shop", seen, {"web1": SEEN}) == {}


def test_where_lading_has_an_app_that_the_ledger_did_not_see_it_is_not_compared() -> None:
    plain = state.AppState("plain")  # containers of somebody else's
    hosts = {name: state.HostState(name, apps={"shop": HONEST, "plain": plain}) for name in ("web1", "web2", "web3")}
    seen = state.FleetState(hosts)
    assert contradictions.uncompared(seen, {"shop": {"web2": SEEN}}) == {"shop": ("web1", "web3")}
    assert contradictions.uncompared(seen, {}) == {"shop": ("web1", "web2", "web3")}
    assert contradictions.uncompared(state.FleetState({}), {}) == {}


def test_containers_without_a_record_may_be_of_another_state_folder() -> None:
    mine = state.ContainerState("shop", "web", "c1", "shop-web-1", "r/web:1", "i", "running", owned=True)
    app = state.AppState("shop", containers=(mine,))
    seen = state.FleetState({"web1": state.HostState("web1", apps={"shop": app})})
    known = contradictions.Committed("d1", "a" * 64, "2026-11-28T10:00:00Z")
    assert "another state folder, perhaps by another SSH user" in contradictions.found("shop", seen, {"web1": known})["web1"].why
