"""JSON of others: what can be stored and passed on is read as it is, all else is an error."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading import shape

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2**53, 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), VALUES), st.booleans())
def test_what_can_be_stored_is_read_as_it_is(value: dict[str, Any], ascii_only: bool) -> None:
    assert shape.parse(json.dumps(value, ensure_ascii=ascii_only)) == value


@pytest.mark.parametrize("text", [
    "[]", "7", "", "{", '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": "\\u0000"}', '{"\\u0000": 1}', '{"a": "\0"}',
    '{"a": "\\ud800"}', '{"a": ["\\udfff"]}', '{"a": "\udc80"}', '{"a":' * 100_000,
])
def test_what_cannot_be_stored_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        shape.parse(text)


@pytest.mark.parametrize("text", ["", "{}", "7", "null", "[", "[1]", "[null]", "[[]]", '[{}, "x"]', '[{"a": NaN}]', '[{"a": "\\u0000"}]', "[" * 100_000])
def test_what_is_no_list_of_objects_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        shape.parse_list(text)


def test_a_list_of_objects_is_read_as_it_is() -> None:
    assert shape.parse_list('[{"a": 1}, {}]') == [{"a": 1}, {}]
    assert shape.parse_list(" [] ") == []


def test_what_only_looks_like_it_is_read() -> None:
    assert shape.parse('{"a": "\\\\u0000", "b": "\\ud83d\\ude00", "c": 1.5}') == {"a": "\\u0000", "b": "😀", "c": 1.5}


@dataclass(frozen=True)
class Made:
    """Something to be read."""

    name: str
    many: tuple[int, ...] = ()
    words: tuple[str, ...] = ()
    by: Mapping[str, float] | None = None
    inner: "Made | None" = None


@pytest.mark.parametrize("stored", [
    {"name": "a", "many": [1, 2], "words": ["x"], "by": {"y": 1.5}, "inner": {"name": "b"}}, {"name": "a", "by": None, "many": []}])
def test_it_is_made_of_what_fits(stored: dict[str, Any]) -> None:
    made = shape.made(Made, stored)
    assert (made.name, made.many, made.words, made.by) == (
        stored["name"], tuple(stored.get("many", ())), tuple(stored.get("words", ())), stored.get("by"))
    assert made.inner == (Made("b") if "inner" in stored else None)


@pytest.mark.parametrize("stored", [
    {}, {"name": 1}, {"name": None}, {"name": "a", "more": 1}, {"name": "a", "many": [True]}, {"name": "a", "many": ["1"]}, {"name": "a", "many": 1},
    {"name": "a", "many": [2**53 + 1]}, {"name": "a", "words": ["a", 1]}, {"name": "a", "words": "ab"}, {"name": "a", "by": {"y": "1"}},
    {"name": "a", "by": []}, {"name": "a", "inner": {"name": 1}}, {"name": "a", "inner": [1]},
])
def test_what_does_not_fit_is_an_error(stored: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"what it should be|missing|unexpected"):
        shape.made(Made, stored)
