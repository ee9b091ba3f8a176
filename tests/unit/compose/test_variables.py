"""Variables of Compose files: every form of the specification, what is lacking, versions (R19, R57)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.compose import variables

VALUES = {"A": "one", "EMPTY": "", "BLANK": " ", "D": "$5"}


@pytest.mark.parametrize(("text", "names", "lacks", "done"), [
    ("plain", [], [], "plain"), ("$$A and $", [], [], "$$A and $"), ("x$A-y", ["A"], [], "xone-y"), ("${A}${A}", ["A", "A"], [], "oneone"),
    ("$1 ${} ${1}", [], [], "$1 ${} ${1}"), ("${A", [], [], "${A"), ("${A!x}", [], [], "${A!x}"), ("${A:-", [], [], "${A:-"),
    ("${NO}", ["NO"], ["NO"], ""), ("$NO", ["NO"], ["NO"], ""), ("${BLANK}", ["BLANK"], [], " "), ("${EMPTY}", ["EMPTY"], [], ""), ("${EMPTY?say}", ["EMPTY"], [], ""), ("${EMPTY:?say}", ["EMPTY"], ["EMPTY"], ""), ("${D}", ["D"], [], "$$5"),
    ("${NO:-x}", ["NO"], [], "x"), ("${EMPTY:-x}", ["EMPTY"], [], "x"), ("${EMPTY-x}", ["EMPTY"], [], ""), ("${NO-x}", ["NO"], [], "x"),
    ("${A:-x}", ["A"], [], "one"), ("${A:+x}", ["A"], [], "x"), ("${EMPTY:+x}", ["EMPTY"], [], ""), ("${EMPTY+x}", ["EMPTY"], [], "x"),
    ("${NO+x}", ["NO"], [], ""), ("${NO:?say}", ["NO"], ["NO"], ""), ("${NO?say}", ["NO"], ["NO"], ""), ("${A:?say}", ["A"], [], "one"),
    ("${NO:-${A:-${B}}}", ["NO", "A", "B"], [], "one"), ("${NO:-${B}}", ["NO", "B"], ["B"], ""), ("${A:-${B}}", ["A", "B"], [], "one"),
    ("a${NO:-}b", ["NO"], [], "ab"), ("${A:-{}}", ["A"], [], "one"), ("${NO:-{a}}-$A", ["NO", "A"], [], "{a}-one"), ("$A\n${NO:-x\n}", ["A"], [], "one\n${NO:-x\n}"), ("}${A}}", ["A"], [], "}one}"),
])
def test_every_form(text: str, names: list[str], lacks: list[str], done: str) -> None:
    assert [one.name for one in variables.references(text)] == names
    assert [one.name for one in variables.lacking(text, VALUES)] == lacks
    assert variables.substitute(text, VALUES) == done


@given(st.text(st.sampled_from("$${}AB:-+?x"), max_size=20))
def test_pieces_are_the_text(text: str) -> None:
    assert "".join(piece if isinstance(piece, str) else piece.text for piece in variables.pieces(text)) == text
    assert variables.substitute(text, {}, frozenset(one.name for one in variables.references(text))) == text


@pytest.mark.parametrize(("text", "deep"), [("", 0), ("$A }} {", 0), ("${A}${B}", 1), ("${A:-${B:-${C}}}", 3), ("}${A", 1), ("${A" * 50, 50)])
def test_how_many_stand_in_each_other(text: str, deep: int) -> None:
    assert variables.nested(text) == deep


def test_braces_that_stay_open_are_read_once() -> None:
    assert list(variables.references("${A" * 100_000)) == []  # each looked for its end in all the rest


def test_hidden_names_stay_as_written() -> None:
    text = "$A ${P:-x} ${NO:-${P}}"
    assert variables.substitute(text, {**VALUES, "P": "canary"}, frozenset({"P"})) == "one ${P:-x} ${P}"
    assert variables.plain_text("$$5 $$$$") == "$5 $$"


def test_names_of_a_tree() -> None:
    tree = {"services": {"web": {"image": "r/web:$V", "ports": ["${P}:80", 7], "environment": ["BARE", "X=${Y}", "not a name"],
                                 "build": {"args": {"ARG": None, "GIVEN": "x"}}, "labels": {"quiet": None}, "cpus": 1.5}}}
    assert variables.names(tree) == {"V", "P", "BARE", "Y", "ARG"}
    assert variables.names(["BARE"], "environment") == {"BARE"}
    assert variables.names(["BARE"], "labels") == frozenset()
    assert variables.names(None) == frozenset()


@pytest.mark.parametrize(("version", "tag", "fault"), [
    ("1.0", True, ""), ("v1-rc.1_x", True, ""), ("x" * 128, True, ""), ("1.0; rm -rf /", False, ""), ("ünïcode", False, ""),
    ("", True, "blank"), (" \t", False, "blank"), ("x" * 300, False, "300 characters, 128"), ("1\n2", False, "control character"),
    ("1\x1b[0m", False, "control character"), ("1.0; rm -rf /", True, "cannot be an image's tag"), (".1", True, "cannot be"), ("ü", True, "cannot be"),
])
def test_versions(version: str, tag: bool, fault: str) -> None:
    said = variables.version_fault(version, tag=tag)
    assert fault in said and bool(said) is bool(fault)
