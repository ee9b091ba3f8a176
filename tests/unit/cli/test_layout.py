"""Whatever stands in a table, on a terminal however narrow: nothing is lost, cut inside a word, or touches its neighbour."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lading.cli import layout

words = some.text("abcdé漢/:-", min_size=1, max_size=9)
cells = some.lists(words, min_size=1, max_size=9).map(" ".join)


@some.composite
def tables(draw: some.DrawFn) -> tuple[list[str], list[list[str]], list[str]]:
    columns = [f"c{number}" for number in range(draw(some.integers(1, 6)))]
    rows = draw(some.lists(some.lists(cells, min_size=len(columns), max_size=len(columns)), max_size=5))
    return columns, rows, draw(some.lists(some.sampled_from(columns), unique=True))


def shown(lines: list[layout.Line]) -> list[str]:
    return ["".join(piece.text for piece in line) for line in lines]


@given(tables(), some.integers(20, 200))
def test_nothing_is_wider_than_the_terminal_and_no_word_is_cut(
    table: tuple[list[str], list[list[str]], list[str]], width: int
) -> None:
    columns, rows, folded = table
    lines = layout.lay(columns, rows, width, folded)
    assert max(map(layout.breadth, shown(lines)), default=0) <= width
    told = [word for line in shown(lines) for word in line.split()]
    for row in rows:
        for word in (word for cell in row for word in cell.split() if cell != "-"):
            assert word in told


@given(tables(), some.integers(20, 200))
def test_columns_never_touch(table: tuple[list[str], list[list[str]], list[str]], width: int) -> None:
    columns, rows, folded = table
    for line in layout.lay(columns, rows, width, folded):
        texts = [piece.text for piece in line]
        assert all(not text.strip() or text.endswith("  ") for text in texts[:-1])
        assert not texts or texts[-1] == texts[-1].rstrip()


@given(tables())
def test_without_a_terminal_a_row_is_a_line(table: tuple[list[str], list[list[str]], list[str]]) -> None:
    columns, rows, folded = table
    lines = shown(layout.lay(columns, rows, 0, folded))
    assert len(lines) == len(rows) + 1
    for row, line in zip(rows, lines[1:], strict=True):
        assert line.split() == [word for cell in row for word in cell.split()]


def test_what_does_not_fit_side_by_side_becomes_blocks() -> None:
    columns = ("host", "service", "declared", "observed")
    rows = [("web1", "web", "registry.example:5000/team/shop:1.0.0", "registry.example:5000/team/shop:1.1.0"), ("web2", "-", "x", "-")]
    assert shown(layout.lay(columns, rows, 60)) == [
        "HOST      web1",
        "SERVICE   web",
        "DECLARED  registry.example:5000/team/shop:1.0.0",
        "OBSERVED  registry.example:5000/team/shop:1.1.0",
        "",
        "HOST      web2",
        "DECLARED  x",
    ]
    assert shown(layout.lay(columns, rows, 100))[1] == "web1  web      registry.example:5000/team/shop:1.0.0  registry.example:5000/team/shop:1.1.0"


def test_what_may_be_folded_is_folded_first_and_further_lines_stand_below_it() -> None:
    rows = [("web1", "rolled_back", "1.0.0", "web is not healthy: the database does not answer")]
    assert shown(layout.lay(("host", "result", "runs now", "why"), rows, 60, ("why",))) == [
        "HOST  RESULT       RUNS NOW  WHY",
        "web1  rolled_back  1.0.0     web is not healthy: the",
        "                             database does not answer",
    ]


SHAPES = (
    layout.Shape(("id", "who", "why"), [("d1", "ann@laptop", "a reason of five words"), ("d2", "ben@ci", "-")]),
    layout.Shape(("id", "who", "why"), [("d1", "ann", "a reason of five words"), ("d2", "ben", "")], below=("why", "else")),
)


@pytest.mark.parametrize(("width", "lines"), [
    (0, ["ID  WHO         WHY", "d1  ann@laptop  a reason of five words", "d2  ben@ci      -"]),
    (38, ["ID  WHO         WHY", "d1  ann@laptop  a reason of five words", "d2  ben@ci      -"]),
    (30, ["ID  WHO", "d1  ann", "  why: a reason of five words", "d2  ben"]),
    (20, ["ID  WHO", "d1  ann", "  why: a reason of", "  five words", "d2  ben"]),
    (6, ["ID   d", "     1"]),
])
def test_what_gives_way_stands_below_its_row_and_blocks_are_the_last_resort(width: int, lines: list[str]) -> None:
    assert shown(layout.lay_first(SHAPES, width))[:len(lines)] == lines
    below_only = [layout.Shape(one.columns, one.rows, below=("why",)) for one in SHAPES[1:]]
    assert shown(layout.lay_first(below_only, 0))[1:3] == ["d1  ann", "  why: a reason of five words"]


def test_a_row_taller_than_four_lines_is_a_block() -> None:
    rows = [("web1", "word " * 40)]
    assert shown(layout.lay(("host", "why"), rows, 40, ("why",)))[0] == "HOST  web1"


@given(some.lists(some.tuples(words, words, cells), max_size=4), some.integers(60, 200), some.integers(1, 4))
def test_what_goes_on_stays_in_its_place(rows: list[tuple[str, str, str]], width: int, most: int) -> None:
    lines = shown(layout.beside(rows, width, most))
    assert len(lines) <= most * len(rows)
    assert max(map(layout.breadth, lines), default=0) <= width


@pytest.mark.parametrize(("most", "last"), [(1, ["it waits for the…"]), (2, ["it waits for the", "database, which…"]),
                                            (3, ["it waits for the", "database, which", "does not answer"])])
def test_what_is_too_long_for_its_lines_ends_with_an_ellipsis(most: int, last: list[str]) -> None:
    lines = shown(layout.beside([("web1", "roll", "it waits for the database, which does not answer")], 29, most))
    assert lines == [("web1  roll  " if not number else " " * 12) + text for number, text in enumerate(last)]


@pytest.mark.parametrize(("text", "width", "lines"), [
    ("", 5, [""]), ("one two", 3, ["one", "two"]), ("a abcdefgh", 4, ["a", "abcd", "efgh"]),
    ("registry.example/team/shop", 18, ["registry.example/", "team/shop"]), ("漢字漢字", 5, ["漢字", "漢字"]), ("漢", 1, ["漢"]),
])
def test_words(text: str, width: int, lines: list[str]) -> None:
    assert layout.wrapped(text, width) == lines
