"""Commands on this machine: the same remote line and the same wire as over SSH."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from lading import errors, process
from lading.inventory import hosts
from lading.transport import base, beats, command, local_session, wire

_POLL = 0.02  # seconds; asyncio tells the exit only after all pipes are closed, and a leftover may hold one open
_AT_ONCE = 64 * 1024  # bytes of a stream that are read at once


_KEPT = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TMPDIR", "USER", "XDG_RUNTIME_DIR")
_FOLDERS = ("DOCKER_CERT_PATH", "DOCKER_CONFIG")


def login_environment(caller: Mapping[str, str]) -> dict[str, str]:
    """What of the caller's environment commands on this machine are given.

    About as much as a login by SSH has, and what leads docker's client to its engine: whatever else
    lading was given, passwords of registries among it, is for lading. They begin in the home folder, as
    after a login, so folders of Docker's own are absolute.
    """
    kept = {
        name: value for name, value in caller.items()
        if name in _KEPT or name.startswith(("DOCKER_", "LC_"))
    }
    return kept | {name: str(Path(kept[name]).absolute()) for name in _FOLDERS if kept.get(name)}


class LocalTransport:
    """Runs commands by `sh` of this machine.

    *environment*: that of the commands, which begin in its home folder; None = lading's own, and its folder.
    """

    def __init__(
        self, *, slack: float = wire.SLACK, environment: Mapping[str, str] | None = None
    ) -> None:
        self._slack = slack
        self._environment = environment
        self._runner = wire.Runner()
        self._programs: list[asyncio.subprocess.Process] = []
        self._sessions: list[local_session.Session] = []

    async def run(
        self, host: hosts.Host, what: command.Command, on_part: base.OnPart | None = None,
        until: asyncio.Event | None = None,
    ) -> command.Result:
        """Run *what* here; see `base.Transport.run`."""
        exchange = wire.Exchange(host, what, on_part, self._slack, until)
        return await self._runner.run(exchange, _carry(exchange, self._environment))

    async def open_socket(self, host: hosts.Host, path: str) -> base.Stream:
        """See `base.Streaming`."""
        try:
            return PipeStream(*await asyncio.open_unix_connection(path))
        except OSError as failure:
            why = f"{path}: {failure.strerror or failure}"
            raise base.NoStreamError(why, lasting=False) from failure

    async def open_program(self, host: hosts.Host, what: command.Command) -> base.Stream:
        """See `base.Streaming`."""
        started = await process.start(
            ["sh", "-c", wire.line(host, what)], env=self._environment,
            cwd=local_session.home(self._environment))
        self._programs.append(started)
        assert started.stdin is not None and started.stdout is not None
        stream = PipeStream(started.stdout, started.stdin)
        try:
            await stream.write(wire.outgoing(what)[1])
        except OSError as failure:
            raise base.NoStreamError(f"{host.name}: {failure}", lasting=False) from failure
        return stream

    async def attach(
        self, host: hosts.Host, what: command.Command, terminal: base.Terminal | None
    ) -> base.Session:
        """See `base.Attaching`."""
        try:
            session = await local_session.start(
                wire.attached_line(host, what), terminal, self._environment)
        except process.ProgramMissingError as missing:
            raise errors.UnreachableError("this machine has no sh", host=host.name) from missing
        self._sessions.append(session)
        with contextlib.suppress(OSError):  # it has ended already, and `wait` says how
            await session.write(wire.outgoing(what)[1])
        return session

    async def close(self) -> None:
        """Let go of what still runs."""
        await self._runner.close()
        for program in self._programs:
            await _let_go(program)
        await asyncio.gather(*(session.end() for session in self._sessions))


class PipeStream:
    """A stream over what asyncio reads and writes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        """See `base.Stream`."""
        try:
            return await self._reader.read(_AT_ONCE)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        """See `base.Stream`."""
        self._writer.write(data)
        await self._writer.drain()

    async def arrived(self) -> None:
        """See `base.Stream`; this machine is never far."""

    def close(self) -> None:
        """See `base.Stream`."""
        self._writer.close()


class _Stdin:
    """The stdin of a command, through a pipe."""

    def __init__(self, pipe: asyncio.StreamWriter) -> None:
        self._pipe = pipe
        pipe.transport.set_write_buffer_limits(0)

    async def write(self, data: bytes) -> None:
        """See `beats.Channel`."""
        self._pipe.write(data)
        await self._pipe.drain()

    def beat(self) -> None:
        """See `beats.Channel`."""
        self._pipe.write(beats.BYTE)

    async def reach(self) -> None:
        """See `beats.Channel`; this machine is never out of reach."""

    def write_eof(self) -> None:
        """See `beats.Channel`."""
        self._pipe.write_eof()


async def _carry(exchange: wire.Exchange, environment: Mapping[str, str] | None) -> None:
    started = await _start(exchange, environment)
    assert started.stdin is not None and started.stdout is not None and started.stderr is not None
    pumps = [
        asyncio.create_task(_pump(started.stdout, exchange.stdout)),
        asyncio.create_task(_pump(started.stderr, exchange.stderr)),
    ]
    watch = asyncio.create_task(_watch(started, pumps, exchange))
    try:
        await exchange.carry(_Stdin(started.stdin))
    finally:
        for task in (watch, *pumps):
            task.cancel()
        await asyncio.wait({watch, *pumps})
        await _let_go(started)


async def _start(
    exchange: wire.Exchange, environment: Mapping[str, str] | None
) -> asyncio.subprocess.Process:
    # The outer shell is what asyncio kills on close; the command itself goes on to its own end.
    argv = ["sh", "-c", 'sh -c "$1"; exit $?', "sh", wire.line(exchange.host, exchange.what)]
    starting = asyncio.create_task(
        process.start(argv, env=environment, cwd=local_session.home(environment)))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:  # asyncio leaks the pipes of a start that is cancelled
        await _let_go(await starting)
        raise
    except process.ProgramMissingError as missing:
        raise errors.UnreachableError("this machine has no sh", host=exchange.host.name) from missing


async def _let_go(started: asyncio.subprocess.Process) -> None:
    started._transport.close()  # type: ignore[attr-defined]
    await started.wait()


async def _pump(stream: asyncio.StreamReader, take: Callable[[bytes], None]) -> None:
    while data := await stream.read(1 << 16):
        take(data)


async def _watch(
    started: asyncio.subprocess.Process, pumps: list[asyncio.Task[None]], exchange: wire.Exchange
) -> None:
    while started.returncode is None:
        await asyncio.sleep(_POLL)
    status = started.returncode
    exchange.exited(status if status >= 0 else 128 - status)
    await asyncio.wait(pumps)
    exchange.closed()
