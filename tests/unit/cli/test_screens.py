"""The twelve screens at 80 and 120 columns: as they were last looked at; nothing too wide, no word cut, plain where it must be.

One that changed on purpose: `make screens`, look at its picture, and commit its text.
"""

import contextlib
import io
import re

import pytest

import screens
from lading.cli import layout

GIVES_WAY = {"where": {"2026-11-30", "ana@laptop"}, "where-drift": {"2026-11-30", "ana@laptop"},
             "history": {"ana@laptop", "(run", "jenkins@ci1)", "REASON"}}  # under the row: run by: jenkins@ci1
each = pytest.mark.parametrize("name", screens.SCREENS)
at_each_width = pytest.mark.parametrize("width", screens.WIDTHS)


@each
@at_each_width
def test_as_it_was_last_looked_at(name: str, width: int) -> None:
    assert screens.plain(name, width) == (screens.TEXTS / f"{name}-{width}.txt").read_text()


@each
@at_each_width
def test_nothing_is_wider_than_the_terminal(name: str, width: int) -> None:
    assert max(map(layout.breadth, screens.plain(name, width).splitlines())) <= width


@each
@at_each_width
def test_what_a_wide_terminal_shows_a_narrow_one_shows_word_by_word(name: str, width: int) -> None:
    wide, narrow = (set(screens.plain(name, columns).split()) for columns in (1000, width))
    narrow |= {word.rstrip(";:") for word in narrow}
    assert wide - narrow - {"-"} <= GIVES_WAY.get(name, set())


@each
def test_no_colour_where_none_is_wanted(name: str) -> None:
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", screens.seen(name, 80, NO_COLOR="1"))


@each
def test_without_a_terminal_no_escape_codes_and_a_row_is_a_line(name: str) -> None:
    piped = io.StringIO()
    with contextlib.redirect_stdout(piped), contextlib.redirect_stderr(piped):
        screens.SCREENS[name]()
    assert "\x1b" not in piped.getvalue()
    if name == "history":
        assert len(piped.getvalue().splitlines()) == 5


def test_a_terminal_has_colours_that_both_dark_and_light_ones_show() -> None:
    """Of the terminal's own palette: none that is white, black, or fixed."""
    said = "".join(screens.seen(name, 120) for name in screens.SCREENS)
    codes = {code for found in re.findall(r"\x1b\[([0-9;]+)m", said) for code in found.split(";")}
    assert {"31", "32", "33"} <= codes
    assert not codes & {"30", "37", "38", "40", "47", "48", "90", "97"}
