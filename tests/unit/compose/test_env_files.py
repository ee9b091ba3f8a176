"""Env files: what they assign, line by line; that Compose reads them alike is shown in tests/contract/test_env_values.py."""

import pytest

from lading.compose import env_files

FILE = '''\ufeff# a comment
A=1
export B = two words # rest
C: 'it $is #literal' # rest
D="say \\"hi\\"
and ${MORE}"
BARE
export BARE2
E=
F=#all of it
H='a\\'b' I="same line" # rest
J=last'''


def test_every_form() -> None:
    found = {one.key: (one.text, one.line, one.literal, one.template) for one in env_files.read(FILE)}
    assert found == {
        "A": ("1", 2, False, "1"), "B": ("two words", 3, False, "two words"), "C": ("it $is #literal", 4, True, ""),
        "D": ('say "hi"\nand ${MORE}', 5, False, 'say "hi"\nand ${MORE}'), "BARE": (None, 7, False, "${BARE-}"),
        "BARE2": (None, 8, False, "${BARE2-}"), "E": ("", 9, False, ""), "F": ("#all of it", 10, False, "#all of it"),
        "H": ("a'b", 11, True, ""), "I": ("same line", 11, False, "same line"), "J": ("last", 12, False, "last"),
    }


@pytest.mark.parametrize(("written", "given"), [
    (r'"\$A and $A"', "$A and one"), (r'"$$A"', "$A"), (r"'\$A'", r"\$A"), (r'"\0101\n\q\012\0999"', "A\n\\q\\12\\999"), ("$A-$LOST", "one-"),
    ("${LOST:-$A}", "one"), ("", ""), ('"', None), ("x\r", "x"),
])
def test_what_a_container_gets(written: str, given: str | None) -> None:
    assert dict(env_files.assigned(f"K={written}\n", {"A": "one"})).get("K") == given


def test_names_that_are_passed_on() -> None:
    assert dict(env_files.assigned("A\nLOST\nmy.name\n", {"A": "one"})) == {"A": "one"}
    assert [one.template for one in env_files.read("my.name\n")] == [""]


def test_a_bare_name_at_the_end_without_a_line_end_is_a_value_without_a_name() -> None:
    assert list(env_files.assigned("A=1\nBARE", {"BARE": "2"})) == [("A", "1"), ("", "BARE")]


def test_what_was_set_before_is_seen_below_the_projects_variables() -> None:
    assert list(env_files.assigned("A=1\nA=2\nB=$A\n", {})) == [("A", "1"), ("A", "2"), ("B", "2")]


@pytest.mark.parametrize(("text", "line", "said"), [
    ("A=1\nB C=2\n", 2, "B C"), ("A=1\n\n$B=2\n", 3, "no name of a variable"), ('A="open\nB=2\n', 1, "never closed"), ("export ", 1, "behind export"),
    ("A=1\nB C\n", 2, "B C"),
])
def test_what_compose_cannot_read(text: str, line: int, said: str) -> None:
    with pytest.raises(env_files.BrokenError, match=said.replace("$", r"\$")) as broken:
        list(env_files.read(text))
    assert broken.value.line == line


def test_a_raw_file_says_what_it_says() -> None:
    text = '\ufeff# note\n\n A=$B "x" # kept \r\nBARE\nE=\n'
    assert dict(env_files.assigned(text, {"B": "2", "BARE": "3"}, env_files.RAW)) == {"A": '$B "x" # kept ', "BARE": "3", "E": ""}
    assert [one.template for one in env_files.read(text, env_files.RAW)] == ["", "${BARE-}", ""]
    with pytest.raises(env_files.BrokenError) as broken:
        list(env_files.read("A=1\nB C=2\n", env_files.RAW))
    assert broken.value.line == 2
