"""What runs where: one word for people, what a host says of itself, leases, the way back."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_container, a_journal, a_release, a_service
from lading import state

SPEC = a_release(a_service("web")).services["web"]


@pytest.mark.parametrize(("more", "job", "word"), [
    ({}, False, "running"), ({"health": "none"}, False, "running"), ({"health": "healthy"}, True, "healthy"),
    ({"health": "starting"}, False, "starting"), ({"health": "unhealthy"}, False, "unhealthy"),
    ({"status": "restarting"}, False, "restarting"), ({"status": "paused"}, True, "paused"),
    ({"status": "exited"}, False, "exited"), ({"status": "exited"}, True, "completed"),
    ({"status": "exited", "exit_code": 1}, True, "exited"), ({"status": "dead"}, True, "exited"),
    ({"status": "created"}, False, "starting"), ({"status": "removing"}, False, "unknown"), ({"status": ""}, True, "unknown"),
])
def test_one_word_for_people(more: dict[str, Any], job: bool, word: str) -> None:
    assert a_container(SPEC, **more).state(job) == word


@pytest.mark.parametrize(("result", "given"), [("given back", True), ("removed", False), (None, False)])
def test_an_app_that_was_given_back(result: str | None, given: bool) -> None:
    lines = [{"kind": "ended", "deployment": "d1", "result": result}] if result else []
    assert state.AppState("shop", journal=a_journal(*lines)).given_back is given


def test_strangers_by_network() -> None:
    facts = state.Facts(networks={"shop_default": [("shop", "shop-web-1"), ("edge", "edge-1"), ("", "lone")], "own": [("shop", "x")]})
    assert state.HostState("h", facts).attached("shop") == {"shop_default": ["edge-1", "lone"]}


@pytest.mark.parametrize(("error", "reachable"), [("", True), ("no route to host", False)])
def test_a_host_that_did_not_answer(error: str, reachable: bool) -> None:
    assert state.HostState("h", error=error).reachable is reachable


@given(st.dictionaries(st.sampled_from(("state", "boot", "nowboot", "expires", "now")), st.sampled_from(("held", "free", "b", "7", "8", ""))))
def test_a_lease_that_is_not_whole_is_not_held(lease: dict[str, str]) -> None:
    whole = lease.get("state") == "held" and lease.get("boot") == lease.get("nowboot")
    digits = all(lease.get(key, "").isdigit() for key in ("expires", "now"))
    if not digits:
        lease = {key: value for key, value in lease.items() if key not in ("expires", "now")}
    assert state.AppState("shop", lease=lease).held is (whole and digits and int(lease["expires"]) > int(lease["now"]))


@pytest.mark.parametrize(("content", "adopted", "said"), [
    ("0123456789abcdef", False, "0123456789ab"), ("", False, "not lading's"), ("", True, "adopted, not as in the file")])
def test_what_a_container_runs_in_words(content: str, adopted: bool, said: str) -> None:
    assert replace(a_container(SPEC), content=content, adopted=adopted).definition == said


def told(*steps: str, current: str = "") -> tuple[str, ...]:
    """What lies behind the current release after deployments ("1"), rollbacks ("<1"), one that was undone ("!1"), a removal ("x")."""
    lines: list[dict[str, Any]] = []
    for number, step in enumerate(steps):
        common, to = {"deployment": f"d{number}"}, step.lstrip("<!")
        verb = "rollback" if step.startswith("<") else "deploy"
        lines.append({"kind": "begin", "verb": verb, "to": "" if step == "x" else to, **common})
        ended = {"kind": "undone"} if step.startswith("!") else {"kind": "committed", "to": to}
        lines.append({"kind": "ended", "result": "removed", **common} if step == "x" else {**ended, **common})
    now = state.Current("shop", current, "v", "d") if current else None
    return state.AppState("shop", now, journal=a_journal(*lines)).behind


@pytest.mark.parametrize(("steps", "behind"), [
    (("1", "2", "3"), ("2", "1")),
    (("1", "2", "3", "<2"), ("1",)),  # a second rollback does not go to what the first fled
    (("1", "2", "3", "<2", "<1"), ()),
    (("1", "2", "!3", "3", "!<2", "<2"), ("1",)),  # what was undone is no part of the way
    (("1", "2", "3", "<1"), ()),
    (("1", "2", "3", "<2", "4"), ("2", "1")),
    (("1", "2", "<1", "<2"), ("1",)),  # to a kept one that is not behind: forwards
    (("1", "2", "2", "1"), ("2", "1")),
    (("1", "x", "2"), ()),
    ((), ()),
])
def test_the_way_back(steps: tuple[str, ...], behind: tuple[str, ...]) -> None:
    assert told(*steps) == behind


def test_the_way_back_begins_at_what_is_current() -> None:
    assert told("1", "2", current="3") == ("2", "1")
    assert told("1", "2", current="2") == ("1",)
    lost = [{"kind": "committed", "deployment": "d0", "to": "1"}]  # its begin is not in the last lines any more
    assert state.AppState("shop", journal=a_journal(*lost)).behind == ()


def test_who_has_not_answered_what() -> None:
    torn = {"shop": state.AppState("shop", damaged=("journal",)), "blog": state.AppState("blog", damaged=("current",))}
    seen = state.FleetState({
        "web1": state.HostState("web1"), "web2": state.HostState("web2", error="no route"),
        "web3": state.HostState("web3", facts=state.Facts(problem="no engine")), "web4": state.HostState("web4", apps=torn)})
    assert seen.silent == {"web2": "no route", "web3": "no engine"}
    assert seen.untold == {"web2": "no route", "web4": "the journal of shop is damaged"}


@pytest.mark.parametrize("noted", [True, False])
def test_what_lies_with_a_release_goes_on_from_what_is_known(noted: bool) -> None:
    """By the notes of the releases before, or by the journal where an older lading committed them."""
    lines, app = list[dict[str, Any]](), state.AppState("shop")
    steps = [("1", False), ("2", False), ("3", False), ("2", True), ("4", False)]
    found = []
    for number, (to, back) in enumerate(steps):
        note = app.becoming(to, f"d{number}", {"var.P": number}, back=back)
        found.append(note.behind)
        lines += [{"kind": "begin", "verb": "rollback" if back else "deploy", "to": to, "deployment": f"d{number}"},
                  {"kind": "committed", "to": to, "deployment": f"d{number}"}]
        app = state.AppState("shop", state.Current("shop", to, "v", f"d{number}"), {**app.releases, to: {}},
                             () if noted else a_journal(*lines), deployed={**app.deployed, to: note} if noted else {})
        assert state.deployed_from_json({**note.as_json(), "newer": 1}) == note
    assert found == [(), ("1",), ("2", "1"), ("1",), ("2", "1")]
    assert app.order == ("4", "2", "3", "1")
    assert app.ran_with("4") == ({"var.P": 4} if noted else {})
    assert app.ran_with("9") is None
    older = state.AppState("shop", state.Current("shop", "0", "v", "d9"), {**app.releases, "0": {}}, app.journal, deployed=app.deployed)
    assert older.order == (("0", "4", "2", "3", "1") if noted else ("4", "2", "3", "1", "0"))
