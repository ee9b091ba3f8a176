"""What is happening, as it happens: one live line per host on a terminal, plain lines when piped."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import get_args

from rich.console import RenderableType
from rich.live import Live

from lading import canonical, events, trace
from lading.cli import render, terminal
from lading.plan import steps

HEALTH: frozenset[trace.Source] = frozenset({"health", "trace"})
PARTS: tuple[str, ...] = (*get_args(steps.Part), "undo")
SAID = 3  # lines of a host, as long as there is room for as many of each
MANY = 8  # hosts; of more, the summary says only from how long to how long
EVERYTHING: frozenset[trace.Source] = HEALTH | {"compose", "pull", "hook"}


class Progress:
    """Shows events as they come; *live*: on a terminal, where the lines make room for the result in the end.

    What programs on hosts say is shown beside the host, the last line of each, on a terminal; line by line with
    *verbose*. Else only what health checks say: a log of a build is read by people who look for why, not for how.
    """

    def __init__(self, *, live: bool, verbose: bool = False) -> None:
        self.steps: dict[str, tuple[str, str, float]] = {}
        self.said: dict[str, str] = {}
        self.telling = trace.Telling(self.line, EVERYTHING if live or verbose else HEALTH)
        self.began = time.monotonic()
        self.begun = False
        """Whether a stop has something to undo."""
        self.took: dict[str, dict[str, float]] = {}
        """Host → part → seconds, of those that have ended."""
        self.order: tuple[str, ...] = ()
        """The hosts as the plan has them."""
        self.versions: Mapping[str, str] = {}
        """Release → version, of those that the plan knows."""
        self.screen = render.console(error=True)
        self.live = Live(console=self.screen, refresh_per_second=4, transient=True,
                         get_renderable=self._lines) if live else None

    def __enter__(self) -> "Progress":
        self.telling.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.telling.__exit__(None, None, None)
        if self.live is not None and self.live.is_started:
            self.live.stop()
            self._summary()

    def _summary(self) -> None:
        """What stays on the screen in place of the live lines: how long each part took, on each host or from host to host."""
        parts = [part for part in PARTS if any(part in took for took in self.took.values())]
        if not parts:
            return
        rows = [(host, *(_seconds([took[part]] if part in took else []) for part in parts), state_of(self.steps.get(host)))
                for host, took in ((host, self.took[host]) for host in self._in_order(self.took))]
        if len(rows) > MANY:
            spread = (_seconds([took[part] for took in self.took.values() if part in took]) for part in parts)
            rows = [(f"{len(rows)} hosts", *spread, "")]
        render.table(("host", *parts, "last"), rows, error=True)

    def paused(self, ask: Callable[[steps.Plan], bool]) -> Callable[[steps.Plan], bool]:
        """*ask*, and only then the live lines."""

        def asked(made: steps.Plan) -> bool:
            answer = ask(made)
            self.order = tuple(made.hosts)
            self.versions = made.versions
            self.begun = self.begun or answer
            if answer and self.live is not None:
                self.live.start()
            return answer

        return asked

    def event(self, event: events.Event) -> None:
        """Show one event."""
        self.begun = self.begun or isinstance(event, events.DeploymentPlanned | events.DeploymentTakenOver)
        if isinstance(event, events.StepEnded) and event.host:
            took = self.took.setdefault(event.host, {})
            took[event.step] = took.get(event.step, 0.0) + event.seconds
        text = said(event, self.versions)
        if self.live is None:
            if text:
                shown = f"{event.step} {text}".strip()
                terminal.err(f"{time.monotonic() - self.began:6.1f}s  {event.host or '-':<10} {terminal.one_line(shown)}")
        elif event.host and text:
            step, _, begun = self.steps.get(event.host, ("", "", 0.0))
            if step != event.step or not isinstance(event, events.ServiceAwaited):
                self.said.pop(event.host, None)
            text = "…" if isinstance(event, events.StepStarted) else text
            self.steps[event.host] = (event.step, text, begun if step == event.step else time.monotonic())

    def line(self, line: trace.Line) -> None:
        """Show a line of the trace; called by another thread."""
        text = traced(line)
        if self.live is None:
            shown = terminal.one_line(f"{line.step} {text}".strip())
            terminal.err(f"{time.monotonic() - self.began:6.1f}s  {line.host:<10} {shown}")
        elif self.steps.get(line.host, ("",))[0] == line.step:
            self.said[line.host] = text

    def _lines(self) -> RenderableType:
        """A line for each host: what is done there, since when, what is waited for; of many those that are at work, and a count."""
        terminal.shown()
        wide, high = self.screen.size
        hosts = self._in_order(self.steps)
        shown, left = hosts, Counter[str]()
        if len(hosts) > high - 3:
            at_work = sorted(hosts, key=lambda host: self.steps[host][1].startswith("done ("))
            shown = at_work[:max(high - 4, 1)]
            left = Counter(self.steps[host][0] for host in at_work[len(shown):])
        more = f"and {', '.join(f'{count} in {step}' for step, count in left.items())}" if left else ""
        most = min(max((high - 3) // max(len(shown), 1), 1), SAID)
        return render.live([self._row(host, *self.steps[host]) for host in shown], wide, most, more)

    def _in_order(self, hosts: Iterable[str]) -> list[str]:
        """Hosts as the plan has them; those that it does not name come last."""
        places = {host: number for number, host in enumerate(self.order)}
        return sorted(hosts, key=lambda host: places.get(host, len(places)))

    def _row(self, host: str, step: str, text: str, begun: float) -> tuple[str, str, str, str]:
        said = self.said.get(host, "")
        known = said.rpartition(": ")[2] in text
        what = said if text == "…" and said else f"{text} · {said}" if said and not known else text
        return terminal.one_line(host), terminal.one_line(step), f"{time.monotonic() - begun:.0f} s", terminal.one_line(what)


def _seconds(found: Sequence[float]) -> str:
    """Seconds in a table: one, or from the least to the most; "" = none are known."""
    if not found:
        return ""
    least, most = f"{min(found):.1f}", f"{max(found):.1f}"
    return f"{most} s" if least == most else f"{least}–{most} s"


def state_of(shown: tuple[str, str, float] | None) -> str:
    """What a host's line said last, unless that is its durations, which stand beside it."""
    if shown is None or shown[1].startswith("done (") or shown[1].endswith(" is current"):
        return ""
    return f"{shown[0]}: {shown[1]}"


def traced(line: trace.Line) -> str:
    """A line of the trace in a few words: who says it, of what, how far it is."""
    how = f" ({line.progress:.0%})" if line.progress is not None else ""
    who = f"{line.source} {line.service}".strip()
    return f"{who}{how}: {line.text}"


def said(event: events.Event, versions: Mapping[str, str]) -> str:
    """An event in a few words; "" for those that are not shown. *versions*: release → version, of those that are known."""
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
        case events.ServiceAwaited():
            return event.what
        case events.HostCommitted():
            known = versions.get(event.release, "")
            return f"{known or f'release {canonical.short(event.release)}'} is current"
        case events.HostUndone():
            known = versions.get(event.release, "")
            return f"back on {known or canonical.short(event.release) or 'nothing, as before'}"
        case events.HostLost():
            return f"lost: {event.error}"
    return ""
