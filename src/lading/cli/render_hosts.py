"""What was seen on hosts, as a terminal shows it: where, drift, check, log lines."""

import re
from collections.abc import Sequence

from lading import canonical
from lading import context as contexts
from lading.cli import render, terminal, where_table
from lading.queries import check as checks
from lading.queries import drift as drifts
from lading.queries import where as places

PIPED = 200  # columns: what `where` leaves out is wanted without a terminal, too


def where(
    answer: places.Answer, app: str = "", *, everything: bool = False, wide: bool = False, today: str = ""
) -> None:
    """What runs where: in words, then as a table. *app*: what was asked for; *everything*: ended one-shots, too.

    *today*: the date, of which the time is shown, and of others only which; "" = as the clock says.
    """
    if not answer.rows:
        render.line(_nothing(app))
        return
    for text in (*answer.lines, *where_table.notes(answer.rows)):
        render.line(text)
    shown = where_table.chosen(answer.rows, everything=everything)
    if not shown:
        return
    made = where_table.made(
        shown, wide=wide, width=render.width() or PIPED, today=today or contexts.now()[:10])
    render.line("")
    render.table(made.columns, made.rows, fold=made.folded, whole=True)


def _nothing(app: str) -> str:
    """That an app is not deployed, or nothing at all."""
    if app:
        return f"{app} is not deployed on these hosts: lading history {app}"
    return "nothing is deployed with lading on these hosts"


def drift(found: drifts.Drift, app: str = "") -> None:
    """What differs, as a table. *app*: what was asked for."""
    if not found.differences:
        render.line("no drift" if found.is_deployed else _nothing(app))
        return
    render.table(("host", "app", "service", "what", "declared", "observed"),
                 [(d.host, d.app or "-", d.service or "-", d.field, canonical.short(d.declared) or "-",
                   canonical.short(d.observed) or "-") for d in found.differences],
                 fold=("declared", "observed"))


def check(found: Sequence[checks.Checked]) -> None:
    """One table of what is good and what is not, then the hints."""
    columns = list(dict.fromkeys(name for one in found for name in one.columns))
    rows = []
    for one in found:
        cells = [one.columns.get(name) for name in columns]
        rows.append((one.host, *("-" if c is None else f"✓ {_brief(c[1])}" if c[0] else f"✗ {c[1]}" for c in cells)))
    render.table(("host", *columns), rows, fold=columns)
    if any(one.hints for one in found):
        render.line("")
    for one in found:
        for hint in one.hints:
            render.line(f"{one.host}: {hint}")


def _brief(text: str) -> str:
    """A good cell in a few letters: without a build's name, and a home as ~."""
    return re.sub(r"^(/home/[^/]+|/root)/", "~/", text.partition("+")[0])


class LogLines:
    """Log lines of several hosts, each with its host in its own colour."""

    def __init__(self) -> None:
        self.colours: dict[str, str] = {}

    def emit(self, host: str, text: str) -> None:
        """Print one line."""
        terminal.shown()
        colour = self.colours.setdefault(host, ("cyan", "yellow", "green", "magenta", "blue")[len(self.colours) % 5])
        for part in terminal.clean(text).split("\n"):
            out = render.cell(f"{host} | ", colour)
            out.append(render.cell(part, "default"))
            render.console().print(out, soft_wrap=True)
