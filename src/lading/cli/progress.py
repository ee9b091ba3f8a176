"""What is happening, as it happens: one live line per host on a terminal, plain lines when piped."""

import time
from collections.abc import Callable

from rich.live import Live
from rich.table import Table

from lading import canonical, events, trace
from lading.cli import render, terminal
from lading.plan import steps

HEALTH: frozenset[trace.Source] = frozenset({"health", "trace"})
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
        self.live = Live(console=render.console(error=True), refresh_per_second=4, transient=True,
                         get_renderable=self._lines) if live else None

    def __enter__(self) -> "Progress":
        self.telling.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.telling.__exit__(None, None, None)
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
        text = said(event)
        if self.live is None:
            if text:
                shown = f"{event.step} {text}".strip()
                terminal.err(f"{time.monotonic() - self.began:6.1f}s  {event.host or '-':<10} {terminal.one_line(shown)}")
        elif event.host and text:
            step, _, begun = self.steps.get(event.host, ("", "", 0.0))
            if step != event.step:
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

    def _lines(self) -> Table:
        rows = Table(box=None, pad_edge=False, show_header=False)
        for _ in range(4):
            rows.add_column()
        rows.add_column(no_wrap=True, overflow="ellipsis")
        for host, (step, text, begun) in list(self.steps.items()):
            rows.add_row(render.cell(host, "cyan"), render.cell(step, "bold"), render.cell(text, "default"),
                         render.cell(f"{time.monotonic() - begun:.0f} s", "dim"),
                         render.cell(self.said.get(host, ""), "dim"))
        return rows


def traced(line: trace.Line) -> str:
    """A line of the trace in a few words: who says it, of what, how far it is."""
    how = f" ({line.progress:.0%})" if line.progress is not None else ""
    who = f"{line.source} {line.service}".strip()
    return f"{who}{how}: {line.text}"


def said(event: events.Event) -> str:
    """An event in a few words; "" for those that are not shown."""
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
            return f"release {canonical.short(event.release)} is current"
        case events.HostUndone():
            return f"back on {canonical.short(event.release) or 'nothing, as before'}"
        case events.HostLost():
            return f"lost: {event.error}"
    return ""
