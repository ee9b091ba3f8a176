"""What programs on hosts say while they work, told as it comes: bounded, never waited for, and kept nowhere.

The engine hands lines over and goes on. A listener has a thread of its own; what it is too slow for is lost, and counted.
"""

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Protocol

from lading.dataclass import dataclass

Source = Literal["compose", "pull", "hook", "health", "trace"]
"""Who says it: a program; the judge of a service, with its last health check; or the trace, of lines that were lost."""

WAITING = 1000  # lines that wait for a listener at most
PARTING = 1.0  # seconds that a listener has for the last lines


class Trace(Protocol):
    """Who is told. It must not block; what it raises is raised in the engine.

    *sources*: what it wants to hear of; nothing else is fetched from hosts.
    """

    @property
    def sources(self) -> frozenset[Source]:
        """See above."""
        ...

    def __call__(
        self, host: str, step: str, source: Source, service: str, text: str, progress: float | None = None
    ) -> None:
        """Take one line, without secrets. *service*: "" = it is about none, or nobody knows; *progress*: how much of it
        is done, from 0 to 1; None = nobody knows.
        """
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a trace; see `Trace`."""

    host: str
    step: str
    source: Source
    service: str
    text: str
    progress: float | None = None


class Nobody:
    """A trace that nobody listens to."""

    sources: frozenset[Source] = frozenset()

    def __call__(
        self, host: str, step: str, source: Source, service: str, text: str, progress: float | None = None
    ) -> None:
        """See `Trace`."""


NOBODY: Trace = Nobody()


class Telling:
    """Tells a listener, in a thread of its own while it is entered.

    A listener that raises hears nothing more. One that still works at the end is left behind after PARTING seconds.
    """

    def __init__(
        self, listener: Callable[[Line], None], sources: frozenset[Source], waiting: int = WAITING
    ) -> None:
        self.sources = sources
        self._listener = listener
        self._lines: queue.Queue[Line | None] = queue.Queue(waiting)
        self._lost: dict[str, int] = {}
        self._counting = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="trace", daemon=True)

    def __enter__(self) -> "Telling":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, where: TracebackType | None
    ) -> None:
        self._ended.set()
        try:
            self._lines.put_nowait(None)  # wakes it up
        except queue.Full:
            pass
        self._thread.join(PARTING)

    def __call__(
        self, host: str, step: str, source: Source, service: str, text: str, progress: float | None = None
    ) -> None:
        """See `Trace`."""
        try:
            self._lines.put_nowait(Line(host, step, source, service, text, progress))
        except queue.Full:
            with self._counting:
                self._lost[host] = self._lost.get(host, 0) + 1

    def _tell(self) -> None:
        try:
            while self._tell_next():
                self._tell_lost()
        except Exception:
            self.sources = frozenset()

    def _tell_next(self) -> bool:
        """Tell the next line; False once it has ended and nothing waits any more."""
        if self._ended.is_set() and self._lines.empty():
            return False
        line = self._lines.get()
        if line is not None:
            self._listener(line)
        return True

    def _tell_lost(self) -> None:
        """Of which host how many lines were lost, once the listener has caught up."""
        if not self._lines.empty():
            return
        with self._counting:
            lost_by_host, self._lost = self._lost, {}
        for host, count in lost_by_host.items():
            self._listener(Line(host, "", "trace", "", lost(count)))


def lost(count: int) -> str:
    """That lines were lost, and how many."""
    return f"{count} line{'s' * (count > 1)} lost here, for nobody took them in time"
