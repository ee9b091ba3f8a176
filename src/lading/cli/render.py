"""All that a terminal shows: tables, colour, progress; nothing here decides anything."""

import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lading import canonical, spans
from lading import context as contexts
from lading.cli import terminal, where_table
from lading.deploy import ended as endings
from lading.inventory import hosts as inventory
from lading.placement import assignment as assignments
from lading.placement import choices
from lading.plan import steps
from lading.queries import check as checks
from lading.queries import differences
from lading.queries import where as places

COLOURS = {
    "healthy": "green", "running": "green", "completed": "green", "starting": "yellow", "restarting": "red",
    "unhealthy": "red", "exited": "red", "paused": "yellow", "missing": "red", "unknown": "magenta",
    "succeeded": "green", "unchanged": "green", "rolled_back": "yellow", "failed": "red", "partial": "red",
    "untouched": "dim", "unwell": "red", "refused": "yellow", "not_begun": "yellow",
}


def console(error: bool = False) -> Console:
    """A console for stdout or stderr; wide when piped, so that no cell is cut."""
    stream = sys.stderr if error else sys.stdout
    return Console(file=stream, highlight=False, width=None if stream.isatty() else 200, soft_wrap=False)


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


def plan(made: steps.Plan) -> None:
    """A plan as a table of changes, on stderr (stdout belongs to the result)."""
    if made.empty:
        terminal.err(f"{made.app} {made.version}: nothing to do, {canonical.short(made.release)} is there already")
        assignment(made.assignment)
        approvable(made)
        return
    terminal.err(f"{made.app} {made.version} → {made.destination}, release {canonical.short(made.release)}")
    assignment(made.assignment)
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for c in made.changes:
        groups.setdefault((c.service or "(app)", c.field, c.old, c.new), []).append(c.host)
    rows = [(", ".join(on), service, field, _what(field, old, new)) for (service, field, old, new), on in groups.items()]
    table(("host", "service", "what", "change"), rows, error=True, fold=("host", "change"))
    for name, host in made.hosts.items():
        for step in host.steps:
            if isinstance(step, steps.RunHook):
                terminal.err(f"hook {step.hook}: {step.service} runs once, on {name}, before anything is rolled")
    for number, batch in enumerate(made.batches, 1):
        if len(made.batches) > 1:
            terminal.err(f"batch {number}: {', '.join(batch)}")
    for right in made.rights:
        terminal.err(f"right: {_right(right, tuple(made.hosts))}")
    for warning in made.warnings:
        terminal.err(f"note: {warning}")
    approvable(made)


def assignment(made: assignments.Assignment) -> None:
    """Each host that came into question, yes or no, and the rule that decided; those with one rule in one row."""
    rows = []
    for (chosen, rule), names in choices.grouped(made.rows).items():
        rows.append((", ".join(spans.packed(names)), "yes" if chosen else "no", rule))
    if rows:
        table(("host", "chosen", "rule"), rows, error=True, fold=("host", "rule"))


def approvable(made: steps.Plan) -> None:
    """The last line of a plan: the hash by which it can be approved, or why it has none."""
    if made.unfinished:
        told = ", ".join(f"{deployment} on {host}" for host, deployment in made.unfinished.items())
        terminal.err(f"no hash, since a deployment is open ({told}): lading resume {made.app}, then plan again")
        return
    short = canonical.short(made.hash)
    terminal.err(f"plan {short}: --plan {short} carries out just this, or refuses (secrets are bound by name, not by value)")


def _right(right: steps.Right, hosts: tuple[str, ...]) -> str:
    """A right as a line of the plan: whose, which, what it means, and where it is new."""
    new = ""
    if right.new:
        new = ", new" if right.new == hosts else f", new on {', '.join(right.new)}"
    return f"{right.service or 'the project'}: {right.right} ({right.says}){new}"


def ended(done: endings.Ended) -> None:
    """How a deployment ended: per host if it is not simply good, then one closing line."""
    report = done.report
    if report.why:
        at = " ".join(filter(None, [report.host, report.step]))
        terminal.err(f"failed at {at or 'the controller'}: {report.why}")
        for text in report.log:
            terminal.err(f"  | {text}")
    if done.result not in ("succeeded", "unchanged"):
        table(("host", "result", "runs now", "why"),
              [(name, h.result, canonical.short(h.release) or "-", h.error) for name, h in report.outcome.hosts.items()], error=True,
              fold=("why",))
    count = len(report.outcome.hosts)
    words = f"{done.app} {done.version} → {done.destination}: {done.result} ({count} host{'s' if count != 1 else ''})"
    terminal.out(words + (f", deployment {done.deployment}" if done.deployment else ""))
    if done.note:
        terminal.err(f" note: {done.note}")
    hints = _hints(done)
    if done.result in hints:
        terminal.err(f" hint: {hints[done.result]}")


def _hints(done: endings.Ended) -> dict[str, str]:
    """What to type after each result."""
    partial = f"hosts differ: lading where {done.app}; then lading resume {done.app} or deploy again"
    if any(host.result == "unwell" for host in done.report.outcome.hosts.values()):
        partial = f"it is deployed, but not all services are well: lading logs {done.app}; the way back: lading rollback {done.app}"
    return {
        "rolled_back": f"every host is back on what it ran before; lading logs {done.app}, lading show {done.deployment}",
        "failed": f"no host was changed; lading show {done.deployment}",
        "partial": partial,
        "unknown": f"a host does not answer: lading where {done.app}; then lading resume {done.app}",
    }


def _what(field: str, old: str, new: str) -> str:
    """What a change is, in words: the reason of one that has no old value, else old → new."""
    return new if field in ("recreated", "restarted", "removed") else change(old, new)


def change(old: str, new: str) -> str:
    """Old → new; of digests the first 12 digits, of two images of one repository that repository once."""
    short = [canonical.short(text).replace("@sha256:", "@") or "-" for text in (old, new)]
    names = [text.partition("@")[0].rpartition(":")[0] for text in short]
    if names[0] == names[1] != "" and "@sha256:" in old and "@sha256:" in new:
        short[1] = "…" + short[1].removeprefix(names[1])
    return f"{short[0]} → {short[1]}"


def where(answer: places.Answer, app: str = "", *, everything: bool = False, wide: bool = False) -> None:
    """What runs where: in words, then as a table. *app*: what was asked for; *everything*: ended one-shots, too."""
    if not answer.rows:
        line(f"{app} is not deployed on these hosts: lading history {app}" if app
             else "nothing is deployed with lading on these hosts")
        return
    for text in (*answer.lines, *where_table.notes(answer.rows)):
        paragraph(text)
    shown = where_table.chosen(answer.rows, everything=everything)
    if not shown:
        return
    made = where_table.made(shown, wide=wide, width=console().width, today=contexts.now()[:10])
    line("")
    table(made.columns, made.rows, fold=made.folded, whole=True)


def drift(found: Sequence[differences.Difference]) -> None:
    """What differs, as a table."""
    if not found:
        line("no drift")
        return
    table(("host", "app", "service", "what", "declared", "observed"),
          [(d.host, d.app or "-", d.service or "-", d.field, canonical.short(d.declared) or "-",
            canonical.short(d.observed) or "-") for d in found],
          fold=("declared", "observed"))


def check(found: Sequence[checks.Checked]) -> None:
    """One table of what is good and what is not, then the hints."""
    columns = list(dict.fromkeys(name for one in found for name in one.columns))
    rows = []
    for one in found:
        cells = [one.columns.get(name) for name in columns]
        rows.append((one.host, *("-" if c is None else f"✓ {_brief(c[1])}" if c[0] else f"✗ {c[1]}" for c in cells)))
    table(("host", *columns), rows, fold=columns)
    for one in found:
        for hint in one.hints:
            line(f"{one.host}: {hint}")


def _brief(text: str) -> str:
    """A good cell in a few letters: a home as ~, the middle of a long path left out."""
    text = re.sub(r"^(/home/[^/]+|/root)/", "~/", text.partition("+")[0])
    return text if len(text) <= 20 else f"{text[:18]}…"


def hosts(found: inventory.Inventory) -> None:
    """The hosts of the fleet file, then what of an Ansible inventory is not heeded."""
    table(("host", "address", "user", "labels", "destinations", *(["groups"] if found.groups else []), "from"), [
        (h.name, h.address or "(ssh config)", h.user or "-", ", ".join(f"{k}={v}" for k, v in h.labels.items()) or "-",
         ", ".join(d.name for d in found.destinations.values() if h.name in d.hosts) or "-",
         *([", ".join(found.groups_of(h.name)) or "-"] if found.groups else []), _here(h.origin) or "-")
        for h in found.hosts.values()
    ])
    for name, notes in found.notes.items():
        for note in notes:
            line(f"{name}: {note}" if name else note)
    for h in found.hosts.values():
        if h.refusal is not None:
            line(f"{h.refusal.message} ({h.refusal.hint})")


def _here(path: str) -> str:
    """A path as seen from here, where it is below."""
    return path.removeprefix(f"{Path.cwd()}/")


class LogLines:
    """Log lines of several hosts, each with its host in its own colour."""

    def __init__(self) -> None:
        self.colours: dict[str, str] = {}

    def emit(self, host: str, text: str) -> None:
        """Print one line."""
        colour = self.colours.setdefault(host, ("cyan", "yellow", "green", "magenta", "blue")[len(self.colours) % 5])
        for part in terminal.clean(text).split("\n"):
            out = cell(f"{host} | ", colour)
            out.append(cell(part, "default"))
            console().print(out, soft_wrap=True)
