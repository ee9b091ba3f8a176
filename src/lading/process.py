"""Run a local program: argv, stdin, time-out, bounded output (only home of subprocess)."""

import asyncio
import asyncio.subprocess
import contextlib
import os
import resource
import signal
import socket
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from lading.dataclass import dataclass

GRACE = 10.0  # seconds from SIGTERM to SIGKILL
LEFT_OPEN = 1.0  # seconds that output is waited for once its program has ended: others may hold it open
AHEAD = 64 * 1024  # bytes of a pipe
STDERR_KEPT = 64 * 1024  # bytes
OUTPUT_LIMIT = 64 * 1024 * 1024  # bytes of stdout that are kept


@dataclass(frozen=True, slots=True)
class Finished:
    """How a local program ended: exit status, stdout and stderr as bytes."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def error_text(self) -> str:
        """What the program wrote to stderr, readable, without surrounding space."""
        return self.stderr.decode("utf-8", "replace").strip()


class ProgramMissingError(Exception):
    """The program is not there, or cannot be run; the argument is its name."""


class ProgramTimeoutError(Exception):
    """The program did not end in time; the argument is its name."""


def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    timeout: float = 60.0,
    descriptors: Sequence[int] = (),
) -> Finished:
    """Run *argv* to its end (*timeout* in seconds) and return its status and output; it gets our open *descriptors*.

    *env* replaces the environment wholly. A status other than 0 is no error here.

    Raises:
        ProgramMissingError: there is no such program, or it is none.
        ProgramTimeoutError: it was killed after *timeout* seconds.
    """
    try:
        done = subprocess.run(
            list(argv), input=stdin, capture_output=True, env=None if env is None else dict(env), cwd=cwd,
            timeout=timeout, check=False, pass_fds=descriptors,
        )
    except OSError as missing:
        raise ProgramMissingError(argv[0]) from missing
    except subprocess.TimeoutExpired as late:
        raise ProgramTimeoutError(argv[0]) from late
    return Finished(done.returncode, done.stdout[:OUTPUT_LIMIT], done.stderr[:OUTPUT_LIMIT])


@dataclass(frozen=True, slots=True)
class Overdue:
    """A program that did not end in time, and was ended with its process group; what it wrote to stderr until then."""

    stderr: bytes

    @property
    def error_text(self) -> str:
        """As `Finished.error_text`."""
        return self.stderr.decode("utf-8", "replace").strip()


async def unattended(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: str, timeout: float, limit: int
) -> Finished | Overdue:
    """Run *argv* where nobody can answer: no terminal, nothing on stdin, *timeout* in seconds; *limit*: bytes kept of each stream.

    What it leaves running behind it, such as an agent, may go on, even with its output.

    Raises:
        ProgramMissingError: there is no such program, or it is none.
    """
    async with _kept(limit) as stdout, _kept(limit) as stderr:
        try:
            child = await asyncio.create_subprocess_exec(
                *argv, stdin=asyncio.subprocess.DEVNULL, stdout=stdout.end, stderr=stderr.end, env=dict(env), cwd=cwd,
                start_new_session=True)
        except OSError as missing:
            raise ProgramMissingError(argv[0]) from missing
        finally:
            os.close(stdout.end)
            os.close(stderr.end)
        try:
            status = await asyncio.wait_for(child.wait(), timeout)
            await asyncio.wait([stdout.reading, stderr.reading], timeout=LEFT_OPEN)
            return Finished(status, bytes(stdout.content), bytes(stderr.content))
        except TimeoutError:
            return Overdue(bytes(stderr.content))
        finally:
            if child.returncode is None:
                _signal(child.pid, signal.SIGKILL)
                await child.wait()


@dataclass(frozen=True, slots=True)
class _Kept:
    """A pipe: the *end* that a program writes to, what was read of it, and the task that reads."""

    end: int
    content: bytearray
    reading: "asyncio.Task[None]"


@contextlib.asynccontextmanager
async def _kept(limit: int) -> AsyncIterator[_Kept]:
    """A pipe of which *limit* bytes are kept."""
    async with _read(AHEAD) as (reader, theirs):
        content = bytearray()
        reading = asyncio.create_task(_keep(reader, content, limit))
        try:
            yield _Kept(theirs, content, reading)
        finally:
            reading.cancel()


@contextlib.asynccontextmanager
async def _read(ahead: int) -> AsyncIterator[tuple[asyncio.StreamReader, int]]:
    """A pipe of our own, and the end that a program writes to: asyncio's would be waited for as long as anybody holds it open.

    Twice *ahead* bytes are read before somebody takes them.
    """
    ours, theirs = os.pipe()
    reader = asyncio.StreamReader(ahead)
    made, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", 0))
    try:
        yield reader, theirs
    finally:
        made.close()


async def _keep(stream: asyncio.StreamReader, kept: bytearray, limit: int) -> None:
    """Read a stream to its end, and keep no more than *limit* bytes of it."""
    while chunk := await stream.read(65536):
        kept += chunk[: limit - len(kept)]


class ProgramFailedError(Exception):
    """The program ended with a status other than 0; the argument: what it wrote to stderr last."""


async def pieces(argv: Sequence[str], *, env: Mapping[str, str], size: int) -> AsyncGenerator[bytes, None]:
    """What *argv* writes to stdout, as it comes, at most *size* bytes at once: no more than twice that is held here.

    It is killed where nobody takes more.

    Raises:
        ProgramMissingError: there is no such program, or it is none.
        ProgramFailedError: it did not end well, so that what came is not whole.
    """
    async with _read(size) as (stdout, end), _kept(STDERR_KEPT) as stderr:
        try:
            child = await asyncio.create_subprocess_exec(
                *argv, stdin=asyncio.subprocess.DEVNULL, stdout=end, stderr=stderr.end, env=dict(env), start_new_session=True)
        except OSError as missing:
            raise ProgramMissingError(argv[0]) from missing
        finally:
            os.close(end)
            os.close(stderr.end)
        try:
            while piece := await stdout.read(size):
                yield piece
            status = await child.wait()
            await asyncio.wait([stderr.reading], timeout=LEFT_OPEN)
        finally:
            if child.returncode is None:
                _signal(child.pid, signal.SIGKILL)
                await child.wait()
        if status:
            said = bytes(stderr.content).decode("utf-8", "replace").strip()
            raise ProgramFailedError(said or f"it ended with status {status}")


async def start(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: str | None = None, terminal: int | None = None
) -> asyncio.subprocess.Process:
    """Start *argv* in a session of its own with pipes for stdin, stdout and stderr; or all three are *terminal*, a descriptor.

    Raises:
        ProgramMissingError: there is no such program.
    """
    pipe = asyncio.subprocess.PIPE if terminal is None else terminal
    try:
        return await asyncio.create_subprocess_exec(
            *argv, stdin=pipe, stdout=pipe, stderr=pipe, env=None if env is None else dict(env), cwd=cwd,
            start_new_session=True)
    except FileNotFoundError as missing:
        raise ProgramMissingError(argv[0]) from missing


class Connected:
    """A program whose stdin and stdout are one end of a socket pair; *socket* is the other end; stderr is ours."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(list(argv), stdin=theirs.fileno(), stdout=theirs.fileno(), start_new_session=True)

    def end(self) -> None:
        """End it with all that it has started, and close our end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.socket.close()


def allow_files(wanted: int) -> int:
    """Let this process hold *wanted* files open at once, as far as the system allows; how many it may hold now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            return most
    return wanted if soft == resource.RLIM_INFINITY else soft


async def attend(
    argv: Sequence[str], *, env: Mapping[str, str], stop: asyncio.Event, on_line: Callable[[str], None], stdin: bytes = b"",
) -> int | None:
    """Run *argv* to its end, giving each line of its output to *on_line*; its status, None if *stop* ended it.

    Raises:
        ProgramMissingError: there is no such program.
    """
    child = await start(argv, env=env)
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdin.write(stdin)
    child.stdin.close()
    reading: asyncio.Future[Any] = asyncio.gather(_lines(child.stdout, on_line), _lines(child.stderr, on_line))
    stopped: asyncio.Future[Any] = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([stopped, reading], return_when=asyncio.FIRST_COMPLETED)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not reading.done():
                _signal(child.pid, number)
                await asyncio.wait([reading], timeout=GRACE)
        await reading
        status = await child.wait()
        return None if stop.is_set() else status
    finally:
        stopped.cancel()
        if child.returncode is None:
            _signal(child.pid, signal.SIGKILL)


def _signal(leader: int, number: signal.Signals) -> None:
    """Signal a session's processes, if there are any left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)


async def _lines(stream: asyncio.StreamReader, on_line: Callable[[str], None]) -> None:
    """Each line of a stream, however long."""
    rest = b""
    while chunk := await stream.read(65536):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            on_line(line.decode("utf-8", "replace").rstrip("\r"))
    if rest:
        on_line(rest.decode("utf-8", "replace"))
