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
    rows = [
        (one.host, one.app, one.service, one.field, canonical.short(one.declared), canonical.short(one.observed))
        for one in found.differences
    ]
    render.table(
        ("host", "app", "service", "what", "declared", "observed"),
        [[cell or "-" for cell in row] for row in rows],
        fold=("declared", "observed"),
    )


def check(found: Sequence[checks.Checked]) -> None:
    """One table of what is good and what is not, then the hints."""
    columns = list(dict.fromkeys(name for one in found for name in one.columns))
    rows = [(one.host, *(_cell(one.columns.get(name)) for name in columns)) for one in found]
    render.table(("host", *columns), rows, fold=columns)
    if any(one.hints for one in found):
        render.line("")
    for one in found:
        for hint in one.hints:
            render.line(f"{one.host}: {hint}")


def _cell(said: tuple[bool, str] | None) -> str:
    """Whether something is good, and what it is; "-" where it was not looked at."""
    if said is None:
        return "-"
    is_good, text = said
    return f"✓ {_brief(text)}" if is_good else f"✗ {text}"


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
