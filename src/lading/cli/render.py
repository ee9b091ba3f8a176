"""All that a terminal shows: tables, colour, progress; nothing here decides anything."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from lading import check as checks
from lading import events, fleet
from lading.cli.main import clean
from lading.deploy import ended as endings
from lading.inventory import hosts as inventory
from lading.plan import steps

COLOURS = {
    "healthy": "green", "running": "green", "completed": "green", "starting": "yellow", "restarting": "red",
    "unhealthy": "red", "exited": "red", "paused": "yellow", "missing": "red", "unknown": "magenta",
    "succeeded": "green", "unchanged": "green", "rolled_back": "yellow", "failed": "red", "partial": "red",
    "untouched": "dim",
}


def console(error: bool = False) -> Console:
    """A console for stdout or stderr; wide when piped, so that no cell is cut."""
    stream = sys.stderr if error else sys.stdout
    return Console(file=stream, highlight=False, width=None if stream.isatty() else 200, soft_wrap=False)


def line(text: str) -> None:
    """One plain line on stdout."""
    click.echo(clean(text))


def document(value: Any) -> None:
    """The one JSON document of `--json`."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=1))


def _cell(value: str) -> Text:
    return Text(clean(value), style=COLOURS.get(value.split(" ")[0], ""))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, error: bool = False) -> None:
    """A table without lines; words that are results or states have their colour; *error*: on stderr."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column.upper(), overflow="fold")
    for row in rows:
        made.add_row(*(_cell(cell) for cell in row))
    console(error).print(made)


def plan(made: steps.Plan) -> None:
    """A plan as a table of changes, on stderr (stdout belongs to the result)."""
    if made.empty:
        click.echo(f"{made.app} {made.version}: nothing to do, {made.release} is there already", err=True)
        return
    click.echo(clean(f"{made.app} {made.version} → {made.destination}, release {made.release}"), err=True)
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for c in made.changes:
        groups.setdefault((c.service or "(app)", c.field, c.old, c.new), []).append(c.host)
    rows = [(", ".join(on), service, field, f"{old or '-'} → {new or '-'}")
            for (service, field, old, new), on in groups.items()]
    table(("host", "service", "what", "change"), rows, error=True)
    for name, host in made.hosts.items():
        for step in host.steps:
            if isinstance(step, steps.RunHook):
                click.echo(clean(f"hook {step.hook}: {step.service} runs once, on {name}, before anything is rolled"), err=True)
    for number, batch in enumerate(made.batches, 1):
        if len(made.batches) > 1:
            click.echo(f"batch {number}: {', '.join(batch)}", err=True)
    for warning in made.warnings:
        click.echo(clean(f"note: {warning}"), err=True)


def ended(done: endings.Ended) -> None:
    """How a deployment ended: per host if it is not simply good, then one closing line."""
    report = done.report
    if report.why:
        at = " ".join(filter(None, [report.host, report.step]))
        click.echo(clean(f"failed at {at or 'the controller'}: {report.why}"), err=True)
        for text in report.log:
            click.echo(clean(f"  | {text}"), err=True)
    if done.result not in ("succeeded", "unchanged"):
        table(("host", "result", "runs now", "why"),
               [(name, h.result, h.release or "-", h.error) for name, h in report.outcome.hosts.items()], error=True)
    count = len(report.outcome.hosts)
    words = f"{done.app} {done.version} → {done.destination}: {done.result} ({count} host{'s' if count != 1 else ''})"
    click.echo(clean(words + (f", deployment {done.deployment}" if done.deployment else "")))
    if done.note:
        click.echo(clean(f" note: {done.note}"), err=True)
    hints = {
        "rolled_back": f"every host is back on what it ran before; lading logs {done.app}, lading show {done.deployment}",
        "failed": f"no host was changed; lading show {done.deployment}",
        "partial": f"hosts differ: lading where {done.app}; then lading resume {done.app} or deploy again",
        "unknown": f"a host does not answer: lading where {done.app}; then lading resume {done.app}",
    }
    if done.result in hints:
        click.echo(f" hint: {hints[done.result]}", err=True)


def where(rows: Sequence[fleet.Row]) -> None:
    """What runs where, as a table."""
    if not rows:
        line("nothing is deployed with lading on these hosts")
        return
    table(("app", "service", "host", "version", "state", "release", "since", "by", "drift"), [
        (r.app or "-", r.service or "-", r.host, r.version or "?", r.state, r.release or "-", r.since or "-",
         r.actor or "-", "; ".join(r.drift)) for r in rows
    ])


def drift(found: Sequence[fleet.Difference]) -> None:
    """What differs, as a table."""
    if not found:
        line("no drift")
        return
    table(("host", "app", "service", "what", "declared", "observed"),
           [(d.host, d.app or "-", d.service or "-", d.field, d.declared or "-", d.observed or "-") for d in found])


def check(found: Sequence[checks.Checked]) -> None:
    """One table of what is good and what is not, then the hints."""
    columns = list(dict.fromkeys(name for one in found for name in one.columns))
    rows = []
    for one in found:
        cells = [one.columns.get(name) for name in columns]
        rows.append((one.host, *("-" if c is None else f"{'✓' if c[0] else '✗'} {c[1]}" for c in cells)))
    table(("host", *columns), rows)
    for one in found:
        for hint in one.hints:
            line(f"{one.host}: {hint}")


def hosts(found: inventory.Inventory) -> None:
    """The hosts of the fleet file."""
    table(("host", "address", "user", "labels", "destinations"), [
        (h.name, h.address or "(ssh config)", h.user or "-", ", ".join(f"{k}={v}" for k, v in h.labels.items()) or "-",
         ", ".join(d.name for d in found.destinations.values() if h.name in d.hosts) or "-")
        for h in found.hosts.values()
    ])


class LogLines:
    """Log lines of several hosts, each with its host in its own colour."""

    def __init__(self) -> None:
        self.colours: dict[str, str] = {}

    def emit(self, host: str, text: str) -> None:
        """Print one line."""
        colour = self.colours.setdefault(host, ("cyan", "yellow", "green", "magenta", "blue")[len(self.colours) % 5])
        out = Text(f"{host} | ", style=colour)
        out.append(clean(text), style="default")
        console().print(out, soft_wrap=True)


class Progress:
    """Shows events as they come: one line per host on a terminal, plain lines when piped."""

    def __init__(self, *, live: bool) -> None:
        self.live = Live(console=console(error=True), refresh_per_second=8, transient=True) if live else None
        self.steps: dict[str, tuple[str, float]] = {}
        self.began = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self.live is not None and self.live.is_started:
            self.live.stop()

    def paused(self, ask: Callable[[steps.Plan], bool]) -> Callable[[steps.Plan], bool]:
        """*ask*, and only then the live lines."""

        def asked(made: steps.Plan) -> bool:
            answer = ask(made)
            if answer and self.live is not None:
                self.live.start()
            return answer

        return asked

    def event(self, event: events.Event) -> None:
        """Show one event."""
        text = f"{event.step} {_said(event)}".strip()
        if self.live is None:
            if _said(event):
                click.echo(clean(f"{time.monotonic() - self.began:6.1f}s  {event.host or '-':<10} {text}"), err=True)
            return
        if event.host:
            self.steps[event.host] = (text, time.monotonic())
            rows = Table(box=None, pad_edge=False)
            for host, (now, _) in self.steps.items():
                rows.add_row(Text(host, style="cyan"), Text(clean(now)))
            self.live.update(rows)


def _said(event: events.Event) -> str:
    match event:
        case events.LeaseTaken():
            return "taken"
        case events.HostChecked():
            return "; ".join(event.problems) or "ok"
        case events.StepStarted():
            return "begins"
        case events.StepEnded():
            return f"failed: {event.error}" if event.error else f"done ({event.seconds:.1f} s)"
        case events.HookEnded():
            return f"{event.hook}: exit code {event.status}"
        case events.ServiceHealthy():
            return f"{event.service} is {event.state}"
        case events.HostCommitted():
            return f"release {event.release} is current"
        case events.HostUndone():
            return f"back on {event.release or 'nothing, as before'}"
        case events.HostLost():
            return f"lost: {event.error}"
    return ""
