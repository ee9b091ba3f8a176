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
    "untouched": "dim", "unwell": "red", "refused": "yellow", "not_begun": "yellow",
}


def console(error: bool = False) -> Console:
    """A console for stdout or stderr; without a terminal it has no colours, and lines of any length."""
    stream = sys.stderr if error else sys.stdout
    return Console(file=stream, highlight=False, emoji=False, width=None if stream.isatty() else 200, soft_wrap=False)


line, document = terminal.out, terminal.document


def width(*, error: bool = False) -> int:
    """How many columns the terminal at stdout or stderr has; 0 = there is none."""
    stream = sys.stderr if error else sys.stdout
    return console(error).width if stream.isatty() else 0


def paragraph(text: str, *, error: bool = False, indent: str = "  ") -> None:
    """A sentence: on a terminal broken between words, its further lines by *indent* more to the right; else on one line."""
    whole = terminal.clean(text).replace("\n", " ").rstrip()
    lead = " " * (len(whole) - len(whole.lstrip()))
    say = terminal.err if error else line
    wide = width(error=error)
    for number, part in enumerate(layout.wrapped(whole, max(wide - len(lead) - len(indent), 20)) if wide else [whole.lstrip()]):
        say(f"{lead}{indent if number else ''}{part}")


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
    kept = [n for n in range(len(columns)) if whole or not rows or any(row[n] not in ("", "-") for row in rows)]
    shown = [[terminal.one_line(row[number]) for number in kept] for row in rows]
    made = laid([columns[number] for number in kept], shown, width(error=error), fold)
    terminal.shown()
    for text in made:
        console(error).print(text, crop=False, soft_wrap=True)


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


def laid(
    columns: Sequence[str], rows: Sequence[Sequence[str]], wide: int, fold: Sequence[str] = (), *, headed: bool = True,
) -> list[Text]:
    """The lines of a table of *wide* columns of the terminal, in colour."""
    return [_coloured(pieces) for pieces in layout.lay(columns, rows, wide, fold, headed=headed)]


def _coloured(pieces: layout.Line) -> Text:
    text = Text()
    for piece in pieces:
        text.append(piece.text, style=_colour(piece.of) if piece.of else "bold")
    return text


def _colour(value: str) -> str:
    return COLOURS.get(value.split(" ")[0].rstrip(","), "")
