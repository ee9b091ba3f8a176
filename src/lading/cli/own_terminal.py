"""This process's own stdin, stdout and signals, lent to a command on a host: bytes as they are; a terminal is given back as it was."""

import asyncio
import contextlib
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable
from typing import Any

from lading.cli import session
from lading.transport import base

AT_ONCE = 64 * 1024  # bytes that are read at once
STDIN, STDOUT, STDERR = 0, 1, 2
HEEDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class OwnTerminal:
    """See `queries.sessions.Ends`; *plain*: no terminal for the command, though there is one here."""

    def __init__(self, *, plain: bool) -> None:
        is_terminal = not plain and sys.stdin is not None and os.isatty(STDIN) and os.isatty(STDOUT)
        self.terminal = base.Terminal(os.environ.get("TERM") or "xterm", _window()) if is_terminal else None
        self._modes: list[Any] | None = None
        self._signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
        self._never_waits = False

    def __enter__(self) -> "OwnTerminal":
        loop = asyncio.get_running_loop()
        for number in HEEDED:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                loop.add_signal_handler(number, self._signals.put_nowait, number)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the terminal back as it was."""
        if self._modes is not None:
            with contextlib.suppress(termios.error):  # it is gone
                termios.tcsetattr(STDIN, termios.TCSADRAIN, self._modes)

    def begin(self, resized: Callable[[base.Window], None]) -> None:
        """See `queries.sessions.Ends`."""
        sys.stdout.flush()
        if self.terminal is None:
            return
        self._modes = termios.tcgetattr(STDIN)
        tty.setraw(STDIN, termios.TCSADRAIN)
        asyncio.get_running_loop().add_signal_handler(signal.SIGWINCH, lambda: resized(_window()))
        resized(_window())  # it may have changed meanwhile

    async def read(self) -> bytes:
        """See `queries.sessions.Ends`."""
        if sys.stdin is None:  # closed before the process began: whatever has its number now is not ours to read
            return b""
        try:
            await self._until_readable()
            return os.read(STDIN, AT_ONCE)
        except BlockingIOError:
            return await self.read()
        except OSError:  # closed, or the terminal is gone
            return b""

    async def _until_readable(self) -> None:
        """A file is never waited for, and no loop takes it."""
        if self._never_waits:
            await asyncio.sleep(0)
            return
        loop, is_ready = asyncio.get_running_loop(), asyncio.Event()
        try:
            loop.add_reader(STDIN, is_ready.set)
        except PermissionError:
            self._never_waits = True
            return
        try:
            await is_ready.wait()
        finally:
            loop.remove_reader(STDIN)

    async def write(self, data: bytes, *, errors: bool) -> None:
        """See `queries.sessions.Ends`; a reader that takes its time holds up nothing else."""
        await asyncio.to_thread(_write, STDERR if errors else STDOUT, data)

    async def signalled(self) -> signal.Signals:
        """See `queries.sessions.Ends`."""
        return await self._signals.get()

    def note(self, text: str) -> None:
        """See `queries.sessions.Ends`."""
        session.note(text)


def _window() -> base.Window:
    try:
        found = os.get_terminal_size(STDIN)
    except OSError:
        return base.Window(80, 24)
    return base.Window(found.columns or 80, found.lines or 24)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # somebody made it one that does not block
            select.select([], [descriptor], [])
