"""What everything that is shown is made of: lines, paragraphs, tables, colour; nothing here decides anything."""

import os
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from lading import loading
from lading.cli import layout, terminal

COLOURS = {
    "healthy": "green", "running": "green", "completed": "green", "starting": "yellow", "restarting": "red",
    "unhealthy": "red", "exited": "red", "paused": "yellow", "missing": "red", "stopped": "yellow", "unknown": "magenta",
    "succeeded": "green", "unchanged": "green", "rolled_back": "yellow", "failed": "red", "partial": "red",
    "untouched": "dim", "unwell": "red", "refused": "yellow", "not_begun": "yellow", "excluded": "yellow",
    "✓": "green", "✗": "red",
}


def console(error: bool = False) -> Console:
    """A console for stdout or stderr; without a terminal it has no colours, and lines of any length."""
    stream = sys.stderr if error else sys.stdout
    return Console(file=stream, highlight=False, emoji=False, width=None if stream.isatty() else 200, soft_wrap=False)


line, document, width = terminal.out, terminal.document, terminal.width


def cell(value: str, style: str = "") -> Text:
    """A text as a part of a line; words that are results or states have their colour."""
    return Text(terminal.one_line(value), style=style or _colour(value))


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, error: bool = False, fold: Sequence[str] = (),
    whole: bool = False,
) -> None:
    """A table without lines; words that are results or states have their colour; *error*: on stderr.

    A column that says nothing in any row is left out, unless the *whole* table is wanted; those in *fold* are the first to
    be broken over lines where it is narrow. Where that does not do, each row is a block: see `layout`.
    """
    first_that_fits([layout.Shape(columns, rows, fold)], error=error, whole=whole)


def first_that_fits(shapes: Sequence[layout.Shape], *, error: bool = False, whole: bool = False) -> None:
    """The first shape of a table that the terminal is wide enough for; where it is for none, the first one as blocks."""
    made = layout.lay_first([_kept(shape, whole=whole) for shape in shapes], width(error=error))
    terminal.shown()
    for pieces in made:
        console(error).print(_coloured(pieces), crop=False, soft_wrap=True)


def _kept(shape: layout.Shape, *, whole: bool) -> layout.Shape:
    """A shape with what a terminal may be given, without columns that say nothing."""
    columns, rows = shape.columns, shape.rows
    kept = [n for n in range(len(columns)) if whole or not rows or any(row[n] not in ("", "-") for row in rows)]
    shown = [[terminal.one_line(row[number]) for number in kept] for row in rows]
    return layout.Shape([columns[number] for number in kept], shown, shape.folded, shape.below)


def guide(text: str) -> None:
    """A page of Markdown: laid out, and by pages, on a terminal; as it is where it is piped."""
    if not sys.stdout.isatty():
        for one in text.splitlines():
            terminal.raw(one)
        return
    with loading.later():  # nothing else that is shown is Markdown
        from rich.markdown import Markdown
    shown = console()
    whole = Markdown(text, hyperlinks=False)
    if len(text.splitlines()) < shown.height:
        shown.print(whole)
        return
    os.environ.setdefault("LESS", "FRX")  # as Git has it: else less shows colours as control characters
    with shown.pager(styles=True):
        shown.print(whole)


def live(rows: Sequence[Sequence[str]], wide: int, most: int, more: str) -> Text:
    """What goes on, the last cell of each row in *most* lines at most; *more*: what stands below them."""
    lines = [_coloured(pieces) for pieces in layout.beside(rows, wide, most)]
    return Text("\n").join([*lines, *([cell(more, "dim")] if more else [])])


def _coloured(pieces: layout.Line) -> Text:
    text = Text()
    for piece in pieces:
        text.append(piece.text, style=_colour(piece.of) if piece.of else "bold")
    return text


def _colour(value: str) -> str:
    """The colour of a cell: of its first word, unless that is good and what follows is not."""
    if value.endswith(", drifted"):
        return "yellow"
    return COLOURS.get(value.split(" ")[0].rstrip(","), "")
