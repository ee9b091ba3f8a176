"""Secret values in definitions: whatever the form of the file, what a hidden variable takes part in stays as written."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.compose import masking, variables

VALUES = {"P": "canary", "V": "1", "K": "key"}
HIDDEN = frozenset({"P"})


@pytest.mark.parametrize(("raw", "resolved", "wanted"), [
    ("r/web:$V", "r/web:1", "r/web:1"), ("x-${P}-$V", "x-canary-1", "x-${P}-1"), (7, 7, 7),
    ({"A": "${P}", "B": "$V"}, {"A": "canary", "B": "1"}, {"A": "${P}", "B": "1"}),
    (["--p=${P}", "$V"], ["--p=canary", "1"], ["--p=${P}", "1"]),
    (["--p=${P}", {"a": "$V"}], ["other"], ["--p=${P}", {"a": "1"}]), (["x${P}"], ["ycanary"], ["x${P}"]),
    ([{"target": "/${P}"}], [{"target": "/canary"}], [{"target": "/${P}"}]),
    (["A=${P}", "B=$V", "${K}=x"], {"A": "canary", "B": "1", "key": "x"}, {"A": "${P}", "B": "1", "key": "x"}),
    ({"a": {"gone": "${P}", "here": "1", "none": None}}, {"a": {"here": "1"}}, {"a": {"here": "1", "gone": "${P}"}}),
    ("80:${P}", [{"target": "canary"}], "80:${P}"), ({"deep": ["${P}", 7]}, "canary", {"deep": ["${P}", 7]}),
])
def test_every_form(raw: Any, resolved: Any, wanted: Any) -> None:
    assert masking.masked(raw, resolved, VALUES, HIDDEN) == wanted


def test_names_that_are_only_passed_on() -> None:
    raw: dict[str, Any] = {"environment": ["P", "V", "FIXED=x"], "build": {"args": {"P": None, "V": None}}}
    resolved = {"environment": {"P": "canary", "V": "1", "FIXED": "x"}, "build": {"args": {"P": "canary", "V": "1"}}}
    assert masking.service(raw, resolved, VALUES, HIDDEN) == {
        "environment": {"P": None, "V": "1", "FIXED": "x"}, "build": {"args": {"P": None, "V": "1"}}}


@pytest.mark.parametrize("written", [["V", "X=1"], {"V": None, "X": "1"}, None])
def test_what_only_a_file_says_is_left_out(written: Any) -> None:
    raw = {"env_file": ["e.env"], "label_file": ["l"], "labels": written, "environment": written}
    resolved = {"environment": {"V": "1", "X": "1", "FROM_FILE": "canary"}, "labels": {"V": "1", "X": "1", "shown": "y", "told": "a canary"}}
    found = masking.service({k: v for k, v in raw.items() if v}, resolved, VALUES, HIDDEN)
    assert found["environment"] == ({"V": "1", "X": "1"} if written else {})
    assert found["labels"] == {"V": "1", "X": "1", "shown": "y"}
    assert masking.service({"env_file": ["e"], "label_file": ["l"]}, {"image": "i"}, VALUES, HIDDEN) == {"image": "i"}


@pytest.mark.parametrize("written", [["own=1", "$V=x"], {"own": "1", "1": "x"}])
def test_the_labels_that_only_files_give(written: Any) -> None:
    resolved = {"labels": {"own": "1", "1": "x", "from": "file"}}
    assert masking.file_labels({"label_file": ["l"], "labels": written}, resolved, VALUES) == {"from": "file"}
    assert masking.file_labels({"label_file": ["l"]}, {}, VALUES) == {}
    assert masking.file_labels({"labels": written}, resolved, VALUES) is None


TEXT = st.lists(st.sampled_from(("a", "$V", "${P}", "${P:-x}", "${V:+y}", "$$", " ")), max_size=5).map("".join)
RAW = st.recursive(TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8)


def interpolated(raw: Any) -> Any:
    if isinstance(raw, str):
        return variables.substitute(raw, VALUES)
    return [interpolated(one) for one in raw] if isinstance(raw, list) else {key: interpolated(one) for key, one in raw.items()}


@given(RAW)
def test_no_hidden_value_is_left_and_nothing_else_is_lost(raw: Any) -> None:
    found = masking.masked(raw, interpolated(raw), VALUES, HIDDEN)
    assert "canary" not in str(found)
    assert masking.masked(raw, interpolated(raw), VALUES, frozenset()) == interpolated(raw)
    assert interpolated(found) == interpolated(raw)


def test_a_long_word_of_a_host_is_looked_through_once() -> None:
    begun = time.process_time()
    assert masking.hidden("g" * 200_000, {"var.P": b"hunter22"}, {}) == "g" * 200_000
    assert time.process_time() - begun < 10  # it took the square of the length: minutes
