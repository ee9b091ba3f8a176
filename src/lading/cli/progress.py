"""What is happening, as it happens: one live line per host on a terminal, plain lines when piped."""

import time
from collections.abc import Callable

from rich.live import Live
from rich.table import Table

from lading import canonical, events
from lading.cli import render, terminal
from lading.plan import steps


class Progress:
    """Shows events as they come; *live*: on a terminal, where the lines make room for the result in the end."""

    def __init__(self, *, live: bool) -> None:
        self.steps: dict[str, tuple[str, str, float]] = {}
        self.began = time.monotonic()
        self.live = Live(console=render.console(error=True), refresh_per_second=4, transient=True,
                         get_renderable=self._lines) if live else None

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
        text = said(event)
        if self.live is None:
            if text:
                shown = f"{event.step} {text}".strip()
                terminal.err(f"{time.monotonic() - self.began:6.1f}s  {event.host or '-':<10} {terminal.one_line(shown)}")
        elif event.host and text:
            step, _, begun = self.steps.get(event.host, ("", "", 0.0))
            text = "…" if isinstance(event, events.StepStarted) else text
            self.steps[event.host] = (event.step, text, begun if step == event.step else time.monotonic())

    def _lines(self) -> Table:
        rows = Table(box=None, pad_edge=False, show_header=False)
        for host, (step, text, begun) in self.steps.items():
            rows.add_row(render.cell(host, "cyan"), render.cell(step, "bold"), render.cell(text, "default"),
                         render.cell(f"{time.monotonic() - begun:.0f} s", "dim"))
        return rows


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
