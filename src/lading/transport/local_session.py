"""Programs of this machine that somebody is attached to: through pipes, or with a terminal of their own."""

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import termios
from collections.abc import Mapping

from lading import process
from lading.transport import base

AT_ONCE = 64 * 1024  # bytes that are read at once
PARTING = 5.0  # seconds that a program has to end once it was let go
POLL = 0.02  # seconds
_TAKE_TERMINAL = 'TERM=$3; export TERM; exec sh -c "$1" <"$2" >"$2" 2>&1'  # the first that a session opens becomes its own


def home(environment: Mapping[str, str] | None) -> str | None:
    """The folder that a login with this environment begins in; None, our own, where it has none of its own."""
    if environment is None:
        return None
    folder = environment.get("HOME", "")
    return folder if folder.startswith("/") and os.access(folder, os.X_OK) else "/"


async def start(
    line: str, terminal: base.Terminal | None, environment: Mapping[str, str] | None
) -> "Session":
    """Run a *line* by sh, for somebody who is attached to it; see `base.Attaching`.

    *environment*: None = our own.

    Raises:
        ProgramMissingError: there is no sh.
    """
    if terminal is None:
        return PipeSession(await process.start(["sh", "-c", line], env=environment, cwd=home(environment)))
    ours, theirs = pty.openpty()
    try:
        _make_plain(theirs)
        _resize(ours, terminal.window)
        os.set_blocking(ours, False)
        words = ["/bin/sh", "-c", _TAKE_TERMINAL, "sh", line, os.ttyname(theirs), terminal.kind]
        started = await process.start(
            words, env=environment, cwd=home(environment), terminal=theirs)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return TerminalSession(started, ours)


class PipeSession:
    """See `base.Session`."""

    def __init__(self, started: asyncio.subprocess.Process) -> None:
        assert started.stdin is not None and started.stdout is not None and started.stderr is not None
        self._process = started
        self._stdin, self._stdout, self._stderr = started.stdin, started.stdout, started.stderr

    async def read(self) -> bytes:
        """See `base.Session`."""
        return await self._stdout.read(AT_ONCE)

    async def read_errors(self) -> bytes:
        """See `base.Session`."""
        return await self._stderr.read(AT_ONCE)

    async def write(self, data: bytes) -> None:
        """See `base.Session`."""
        self._stdin.write(data)
        await self._stdin.drain()

    async def arrived(self) -> None:
        """See `base.Session`; this machine is never far."""

    def write_eof(self) -> None:
        """See `base.Session`."""
        self._stdin.close()

    def resize(self, window: base.Window) -> None:
        """See `base.Session`; there is no terminal."""

    async def wait(self) -> int:
        """See `base.Session`."""
        return await _status(self._process)

    def close(self) -> None:
        """See `base.Session`."""
        self._stdin.close()
        for descriptor in (1, 2):
            pipe = self._process._transport.get_pipe_transport(descriptor)  # type: ignore[attr-defined]
            pipe.close()

    async def end(self) -> None:
        """Let go of it, and see it end."""
        self.close()
        await _end(self._process)


class TerminalSession:
    """See `base.Session`; *ours*: our end of its terminal."""

    def __init__(self, started: asyncio.subprocess.Process, ours: int) -> None:
        self._process, self._ours = started, ours
        self._is_open = True

    async def read(self) -> bytes:
        """See `base.Session`."""
        while self._is_open:
            await _ready(self._ours, for_writing=False)
            try:
                return os.read(self._ours, AT_ONCE)
            except BlockingIOError:
                continue
            except OSError:  # the last one at the terminal has left
                break
        return b""

    async def read_errors(self) -> bytes:
        """See `base.Session`; all comes by the terminal."""
        return b""

    async def write(self, data: bytes) -> None:
        """See `base.Session`."""
        rest = memoryview(data)
        while rest and self._is_open:
            await _ready(self._ours, for_writing=True)
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(self._ours, rest) :]

    async def arrived(self) -> None:
        """See `base.Session`; this machine is never far."""

    def write_eof(self) -> None:
        """See `base.Session`; a terminal has no end, but a key for it."""

    def resize(self, window: base.Window) -> None:
        """See `base.Session`."""
        if self._is_open:
            _resize(self._ours, window)

    async def wait(self) -> int:
        """See `base.Session`."""
        return await _status(self._process)

    def close(self) -> None:
        """See `base.Session`."""
        if self._is_open:
            self._is_open = False
            os.close(self._ours)  # hangs up

    async def end(self) -> None:
        """Let go of it, and see it end."""
        self.close()
        await _end(self._process)


Session = PipeSession | TerminalSession


async def _end(started: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PARTING):
            await _status(started)
    started._transport.close()  # type: ignore[attr-defined]
    await started.wait()


async def _ready(descriptor: int, *, for_writing: bool) -> None:
    """Until it can be read, or written."""
    loop = asyncio.get_running_loop()
    is_ready = asyncio.Event()
    add, remove = (loop.add_writer, loop.remove_writer) if for_writing else (loop.add_reader, loop.remove_reader)
    add(descriptor, is_ready.set)
    try:
        await is_ready.wait()
    finally:
        remove(descriptor)


async def _status(started: asyncio.subprocess.Process) -> int:
    while started.returncode is None:  # `wait` waits for whoever else holds its streams open, too
        await asyncio.sleep(POLL)
    return started.returncode if started.returncode >= 0 else 128 - started.returncode


def _resize(descriptor: int, window: base.Window) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", window.rows, window.columns, 0, 0))


def _make_plain(descriptor: int) -> None:
    """As `base.Attaching` wants a terminal: all that is typed goes through; in its output lines end as people see them."""
    modes = termios.tcgetattr(descriptor)
    modes[0] &= ~(termios.ISTRIP | termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON | termios.IXOFF)
    modes[1] |= termios.OPOST | termios.ONLCR
    modes[3] &= ~(termios.ISIG | termios.ICANON | termios.ECHO | termios.ECHONL | termios.IEXTEN)
    termios.tcsetattr(descriptor, termios.TCSANOW, modes)
