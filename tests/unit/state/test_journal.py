"""The journal: records both ways, what lines of older ladings meant, what is open."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_journal, last_phase
from lading import spans, state
from lading.state import journal

WORD = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,8}", fullmatch=True)
TEXT = st.text(max_size=8)
NUMBER = st.integers(0, 2**40)
NAMES = st.lists(st.builds("web{}".format, st.integers(0, 12)), unique=True, max_size=9).map(tuple)
NUMBERS = st.dictionaries(TEXT, NUMBER, max_size=2)
COUNTS = st.dictionaries(WORD, st.integers(0, 1000), max_size=2)
ADOPTED = st.dictionaries(WORD, st.builds(state.Adopted, TEXT, TEXT, TEXT), max_size=2)
CURRENT = st.builds(
    state.Current, WORD, st.one_of(WORD, st.just("f" * 64)), TEXT, WORD, TEXT, TEXT, TEXT, TEXT, NUMBERS, ADOPTED,
    by_hand=COUNTS)
BEGUN = st.builds(
    journal.Begun, WORD, verb=TEXT, app=WORD, version=TEXT, destination=TEXT, source=TEXT, commit=TEXT,
    actor=TEXT, reason=TEXT, url=TEXT, plan=TEXT, ran_by=TEXT, process=TEXT, fence=NUMBER, to=WORD,
    before=st.none() | CURRENT, participants=NAMES, batches=st.lists(NAMES, max_size=3).map(tuple),
    secret_versions=NUMBERS, finished=st.none() | NAMES, adopted=ADOPTED, keeps_containers=st.booleans(),
    by_hand=COUNTS)
RECORDS: tuple[st.SearchStrategy[journal.Record], ...] = (
    BEGUN,
    st.builds(journal.Taken, WORD, actor=TEXT, reason=TEXT, url=TEXT, process=TEXT, fence=NUMBER),
    st.builds(
        journal.Reached, WORD, phase=st.sampled_from(sorted(journal.PHASES)), to=st.just("") | WORD, version=TEXT,
        result=TEXT, ledger=st.dictionaries(TEXT, NUMBER, max_size=2), without=NAMES),
    st.builds(journal.Intent, WORD, doing=WORD, hook=st.just("") | WORD),
    st.builds(journal.Done, WORD, doing=WORD, hook=st.just("") | WORD),
    st.builds(journal.Left, WORD),
)


@pytest.mark.parametrize("kind", RECORDS)
@given(st.data())
def test_a_record_is_read_as_it_was_written(kind: st.SearchStrategy[journal.Record], data: st.DataObject) -> None:
    record = data.draw(kind)
    line = json.loads(json.dumps(record.as_json()))
    again = journal.read({"at": "2026-11-29T10:00:00Z", **line})
    assert again.as_json() == record.as_json()
    assert type(again) is type(record)
    assert (again.kind, again.step) == (record.kind, record.step)
    assert (again.deployment, again.at, record.at) == (record.deployment, "2026-11-29T10:00:00Z", "")
    assert journal.read(line) == record
    assert state.hash_of_line(again.raw | line) == state.hash_of_line(line)


@pytest.mark.parametrize(("record", "said"), [
    (journal.Begun("d1"), set()),
    (journal.Begun("d1", finished=()), {"finished"}),  # none had ended is another thing than not known
    (journal.Begun("d1", keeps_containers=True), {"keeps_containers"}),
    (journal.Begun("d1", adopted={"c1": state.Adopted("cafe", "r/web:1")}), {"adopted"}),
    (journal.Begun("d1", by_hand={"web": 0}), {"by_hand"}),
])
def test_what_a_beginning_says_only_if_it_is_so(record: journal.Begun, said: set[str]) -> None:
    line = record.as_json()
    assert {"finished", "keeps_containers", "adopted", "by_hand"} & set(line) == said
    assert line["v"] == (5 if record.by_hand else 4), "a lading that knows nothing of it must not go on without it"
    assert journal.read(line) == record


@given(st.integers(0, 255))
def test_the_script_adds_how_it_ended(rc: int) -> None:
    done = journal.Done("d1", doing="hook", hook="before")
    assert journal.read({**done.as_json(), "rc": rc}) == journal.Done("d1", doing="hook", hook="before", rc=rc)


def test_the_scripts_read_the_kind_and_the_deployment_first() -> None:
    for record in (journal.Begun("d1"), journal.Taken("d1"), journal.Reached("d1"), journal.Intent("d1"),
                   journal.Done("d1"), journal.Left("d1")):
        assert list(record.as_json())[:3] == ["v", "kind", "deployment"]


def test_a_record_of_no_kind_is_none() -> None:
    with pytest.raises(NotImplementedError):
        journal.Record("d1").as_json()


def test_what_a_newer_lading_of_the_same_format_added_is_left_out() -> None:
    [begun, odd] = a_journal({"v": 4, "kind": "begin", "deployment": "d1", "newer": 1},
                             {"v": 4, "kind": "gone", "deployment": "d1"})
    assert begun == journal.Begun("d1", verb="")
    assert begun.raw["newer"] == 1
    assert (odd, odd.kind) == (journal.Left("d1"), "gone")


@pytest.mark.parametrize("change", [
    {"from": 7}, {"from": {"v": 1}}, {"kind": 1}, {"participants": "web1"}, {"generations": {"a": "1"}},
    {"deployment": None}, {"batches": ["web1"]}, {"keeps_containers": "no"}, {"finished": None}, {"fence": "1"},
    {"ledger": "torn"},
])
def test_a_line_that_is_none(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"what it should be|missing|lacks"):
        journal.read({"kind": "begin", "deployment": "d", **change})


@pytest.mark.parametrize("line", [{}, {"kind": "begin"}, {"deployment": "d"}])
def test_a_line_without_kind_or_deployment(line: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a line lacks its kind or deployment"):
        journal.read(line)


@pytest.mark.parametrize("word", ["../../tmp/x", "a/b", "..", "-rf", "a b", "a\n", "x" * 200, "é"])
@pytest.mark.parametrize("key", ["to", "deployment", "hook", "app", "step"])
def test_a_name_leads_nowhere_else(key: str, word: str) -> None:
    with pytest.raises(ValueError, match=f"{key} is not what it should be"):
        journal.read({"kind": "begin", "deployment": "d", key: word})


def test_a_line_of_a_newer_lading_is_an_error() -> None:
    with pytest.raises(state.NewerError, match="a line of format 6, this lading knows 5"):
        journal.read({"v": 6})


@pytest.mark.parametrize("names", [("web1", "web2"), tuple(f"web{number}" for number in range(1, 9)), ()])
@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_participants(names: tuple[str, ...], version: int) -> None:
    """Many of them are few words from format 2 on; before, a word is a name."""
    written = list(names) if version == 1 else spans.packed(names)
    record = journal.read({"v": version, "kind": "begin", "deployment": "d", "participants": written})
    assert isinstance(record, journal.Begun)
    assert record.participants == names
    assert record.raw["participants"] == names


def test_a_name_of_format_1_that_looks_like_a_span_is_a_name() -> None:
    record = journal.read({"v": 1, "kind": "begin", "deployment": "d", "participants": ["web[1:9]"]})
    assert isinstance(record, journal.Begun)
    assert record.participants == ("web[1:9]",)


def test_batches_stand_for_no_more_hosts_than_a_fleet_has() -> None:
    batches = [[f"web[{number}:60000]"] for number in range(2)]
    with pytest.raises(ValueError, match="batches stand for too many hosts"):
        journal.read({"v": 4, "kind": "begin", "deployment": "d", "batches": batches})


@pytest.mark.parametrize(("more", "rolled"), [
    ({"batches": (("a",), ("b", "c"))}, (("a",), ("b", "c"))),
    ({"parallelism": 2}, (("a", "b"), ("c",))),
    ({}, (("a", "b", "c"),)),
    ({"participants": ()}, ()),
])
def test_in_which_batches_it_rolls(more: dict[str, Any], rolled: tuple[tuple[str, ...], ...]) -> None:
    assert journal.Begun("d", **{"participants": ("a", "b", "c"), **more}).rolled_in == rolled


def line(version: int, kind: str, step: str = "", deployment: str = "d1") -> dict[str, Any]:
    return {"v": version, "kind": kind, "deployment": deployment, **({"step": step} if step else {})}


@pytest.mark.parametrize(("version", "kind", "step", "phase"), [
    *((version, "begin", "", "begun") for version in (1, 2, 3, 4)),
    *((version, "intent", "stage", "begun") for version in (1, 2, 3)),
    *((version, "intent", "roll", "rolling") for version in (1, 2, 3)),
    *((version, "intent", "tidy", "rolled") for version in (1, 2, 3)),
    *((version, "intent", "undo", "undoing") for version in (1, 2, 3)),
    *((version, "committed", "", "ended") for version in (1, 2, 3)),
    *((version, "ended", "", "ended") for version in (1, 2, 3, 4)),
    *((version, "undone", "", "undone") for version in (1, 2, 3, 4)),
    (4, "committed", "", "committed"),
    (4, "prepared", "", "prepared"),
    (4, "undoing", "", "undoing"),
    *((version, kind, "", "rolling") for version in (1, 4) for kind in ("resumed", "taken", "left", "result")),
    *((version, "intent", "hook", "rolling") for version in (1, 2, 3, 4)),
    *((4, "intent", step, "rolling") for step in ("stage", "roll", "tidy", "undo")),  # a phase is a line of its own
])
def test_the_phase_after_a_line(version: int, kind: str, step: str, phase: str) -> None:
    """After a line of each format; *rolling* as before where it says nothing of a phase."""
    before = [line(3, "begin"), line(3, "intent", "roll")]
    told = a_journal(*before, line(version, kind, step))
    assert last_phase(told, "d1") == phase
    left = journal.open_deployment(told)
    assert (left is None) is (phase in journal.CLOSED)
    assert left is None or (left.phase, left.begun.deployment) == (phase, "d1")


LINES = st.lists(st.tuples(
    st.sampled_from((1, 2, 3, 4)), st.sampled_from(("begin", "committed", "undone", "ended", "intent", "result", "left")),
    st.just(""), st.sampled_from("ab")))


@given(LINES)
def test_a_deployment_is_open_until_it_ends_itself(lines: list[tuple[int, str, str, str]]) -> None:
    told = a_journal(*(line(*one) for one in lines))
    found = state.AppState("shop", journal=told).open
    begun = [number for number, one in enumerate(lines) if one[1] == "begin"]
    if not begun:
        assert found is None
        return
    last = told[begun[-1]]
    ended = any(
        deployment == last.deployment and (kind in ("undone", "ended") or (kind == "committed" and version < 4))
        for version, kind, _, deployment in lines[begun[-1]:])
    assert (found is None) is ended
    assert found is None or found.begun is last


def test_the_commits() -> None:
    told = a_journal(
        line(3, "begin"), line(3, "committed"), line(4, "begin", deployment="d2"), line(4, "prepared", deployment="d2"),
        line(4, "committed", deployment="d2"), line(4, "ended", deployment="d2"), line(4, "undone", deployment="d3"))
    assert [record.deployment for record in journal.commits(told)] == ["d1", "d2"]
    assert journal.commits([journal.Reached("d4", phase="committed"), journal.Reached("d4", phase="ended")]) == (
        journal.Reached("d4", phase="committed"),)
    assert list(journal.begun_by_id(told)) == ["d1", "d2"]
