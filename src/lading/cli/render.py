"""What everything that is shown is made of: lines, paragraphs, tables, colour; nothing here decides anything."""

import os
import sys
import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lading import loading
from lading.cli import terminal

COLOURS = {
    "healthy": "green", "running": "green", "completed": "green", "starting": "yellow", "restarting": "red",
    "unhealthy": "red", "exited": "red", "paused": "yellow", "missing": "red", "stopped": "yellow", "unknown": "magenta",
    "succeeded": "green", "unchanged": "green", "rolled_back": "yellow", "failed": "red", "partial": "red",
    "untouched": "dim", "unwell": "red", "refused": "yellow", "not_begun": "yellow",
}


def console(error: bool = False) -> Console:
    """A console for stdout or stderr; wide when piped, so that no cell is cut."""
    stream = sys.stderr if error else sys.stdout
    return Console(file=stream, highlight=False, emoji=False, width=None if stream.isatty() else 200, soft_wrap=False)


line, document = terminal.out, terminal.document


def paragraph(text: str) -> None:
    """A sentence of the result: on a terminal broken between words, else on one line."""
    whole = terminal.one_line(text)
    if not sys.stdout.isatty():
        line(whole)
        return
    for part in textwrap.wrap(whole, console().width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False):
        line(part)


def cell(value: str, style: str = "") -> Text:
    """A text as a part of a line; words that are results or states have their colour."""
    return Text(terminal.one_line(value), style=style or COLOURS.get(value.split(" ")[0].rstrip(","), ""))


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, error: bool = False, fold: Sequence[str] = (),
    whole: bool = False,
) -> None:
    """A table without lines; words that are results or states have their colour; *error*: on stderr.

    A column that says nothing in any row is left out, unless the *whole* table is wanted; only those in *fold* are broken
    over lines where it is narrow.
    """
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    kept = [n for n in range(len(columns)) if whole or not rows or any(row[n] not in ("", "-") for row in rows)]
    for number in kept:
        widest = max([len(columns[number]), *(len(row[number]) for row in rows)]) if columns[number] not in fold else None
        made.add_column(columns[number].upper(), overflow="fold", min_width=widest)
    for row in rows:
        made.add_row(*(cell(row[number]) for number in kept))
    console(error).print(made, crop=False)


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
