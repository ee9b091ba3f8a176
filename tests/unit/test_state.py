"""What runs where: one word for people, what a host says of itself, leases and open intents."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_container, a_release, a_service
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


def test_current_both_ways() -> None:
    current = state.Current("shop", "cafe", "1", "d1", "ann@laptop", "then", "git:repo", "production", {"var.P": 2})
    assert state.current_from_json(current.as_json()) == current
    assert "adopted" not in current.as_json()  # what was never adopted is written as before
    adopted = replace(current, adopted={"c1": state.Adopted("cafe", "r/web:1", "1.2")})
    assert state.current_from_json(adopted.as_json()) == adopted


@pytest.mark.parametrize(("result", "given"), [("given back", True), ("removed", False), (None, False)])
def test_an_app_that_was_given_back(result: str | None, given: bool) -> None:
    lines = [{"kind": "ended", "deployment": "d1", "result": result}] if result else []
    assert state.AppState("shop", journal=tuple(lines)).given_back is given


LINES = st.lists(st.fixed_dictionaries({
    "kind": st.sampled_from(("begin", "committed", "undone", "ended", "intent", "result")), "deployment": st.sampled_from("ab"),
    "v": st.just(1),
}))


@given(LINES)
def test_an_intent_is_open_until_its_own_deployment_ends(lines: list[dict[str, Any]]) -> None:
    found = state.AppState("shop", journal=tuple(map(state.journal_from_json, lines))).open_intent
    begun = [n for n, line in enumerate(lines) if line["kind"] == "begin"]
    if not begun:
        assert found is None
        return
    last = lines[begun[-1]]
    ended = any(line["deployment"] == last["deployment"] and line["kind"] in ("committed", "undone", "ended")
                for line in lines[begun[-1]:])
    assert (found is None) is ended
    assert ended or found is last


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


@pytest.mark.parametrize("change", [{"from": 7}, {"from": {"v": 1}}, {"kind": 1}, {"participants": "web1"}, {"generations": {"a": "1"}}, {"deployment": None}])
def test_a_line_of_a_journal_that_is_none(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"what it should be|missing|lacks"):
        state.journal_from_json({"kind": "begin", "deployment": "d", **change})


def test_a_journal_of_a_newer_lading_is_an_error() -> None:
    with pytest.raises(ValueError, match="a line of format 4, this lading knows 3"):
        state.journal_from_json({"v": 4})


@pytest.mark.parametrize(("names", "version"), [(["web1", "web2"], 1), ([f"web{number}" for number in range(1, 9)], 2), ([], 1)])
def test_participants_of_a_journal(names: list[str], version: int) -> None:
    """Many of them are few words, which a lading that takes words for names must not read."""
    kept = state.participants_as_json(names)
    assert kept["v"] == version
    assert list(state.journal_from_json({"kind": "begin", "deployment": "d", **kept})["participants"]) == names


@pytest.mark.parametrize(("content", "adopted", "said"), [
    ("0123456789abcdef", False, "0123456789ab"), ("", False, "not lading's"), ("", True, "adopted, not as in the file")])
def test_what_a_container_runs_in_words(content: str, adopted: bool, said: str) -> None:
    assert replace(a_container(SPEC), content=content, adopted=adopted).definition == said


@pytest.mark.parametrize("word", ["../../tmp/x", "a/b", "..", "-rf", "a b", "a\n", "x" * 200, "é"])
@pytest.mark.parametrize("key", ["to", "deployment", "hook", "app", "step"])
def test_a_name_in_a_journal_leads_nowhere_else(key: str, word: str) -> None:
    with pytest.raises(ValueError, match=f"{key} is not what it should be"):
        state.journal_from_json({"kind": "begin", "deployment": "d", key: word})


@pytest.mark.parametrize("key", ["release", "app", "deployment"])
def test_a_name_in_current_leads_nowhere_else(key: str) -> None:
    with pytest.raises(ValueError, match=f"{key} is not what it should be"):
        state.current_from_json({**state.Current("shop", "r1", "1", "d1").as_json(), key: "../x"})


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
    return state.AppState("shop", now, journal=tuple(lines)).behind


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
    assert state.AppState("shop", journal=tuple(lost)).behind == ()


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
                             () if noted else tuple(lines), deployed={**app.deployed, to: note} if noted else {})
        assert state.deployed_from_json({**note.as_json(), "newer": 1}) == note
    assert found == [(), ("1",), ("2", "1"), ("1",), ("2", "1")]
    assert app.order == ("4", "2", "3", "1")
    assert app.ran_with("4") == ({"var.P": 4} if noted else {})
    assert app.ran_with("9") is None
    older = state.AppState("shop", state.Current("shop", "0", "v", "d9"), {**app.releases, "0": {}}, app.journal, deployed=app.deployed)
    assert older.order == (("0", "4", "2", "3", "1") if noted else ("4", "2", "3", "1", "0"))


def test_a_note_of_another_shape_is_refused() -> None:
    with pytest.raises(state.NewerError):
        state.deployed_from_json({"v": 2, "deployment": "d"})
    for wrong in ({"deployment": "d"}, {"v": 1}, {"v": 1, "deployment": "d", "behind": "x"}):
        with pytest.raises(ValueError):
            state.deployed_from_json(wrong)
