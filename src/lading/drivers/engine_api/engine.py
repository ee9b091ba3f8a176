"""The engine of one host, and the way to it: its socket forwarded, else docker's `dial-stdio`."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal

from lading import shape
from lading.drivers.engine_api import connection, requests
from lading.inventory import hosts
from lading.transport import base, command

Pieces = AsyncGenerator[bytes, None]
Way = Literal["forwarded", "dial-stdio", "docker client"]
SOCKET = "/var/run/docker.sock"  # where docker's client looks when nothing says otherwise
DIALLED: Literal["dial-stdio"] = "dial-stdio"
BY_CLIENT = "-"  # in place of a socket's path: only docker's client knows where that is
_DIAL = "exec docker system dial-stdio"
_MARKER = "lading-dial"
_OPEN_FOR = 86400  # seconds


class UnavailableError(Exception):
    """An engine cannot be asked itself now: its host's scripts ask it, by docker's client."""


def unchecked() -> None:
    """Before what changes nothing, nothing need be sure."""


def _require_check(asked: Sequence[requests.Request], check: Callable[[], None]) -> None:
    """What changes something goes only while a script holds the app's lock: somebody must look."""
    if check is unchecked and any(one.changes for one in asked):
        raise ValueError("a change needs a check that its lock is still held")


class Engine:
    """One host's engine.

    *socket*: the path that docker's client would take there; a script of the host may correct it.
    """

    def __init__(
        self, transport: base.Transport, host: hosts.Host,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._transport, self._host, self._tell = transport, host, tell
        self.socket = SOCKET
        self.api_version: str | None = None
        """The version of the API that is spoken to it; None = it was not reached yet."""
        self.info: Sequence[str] | None = None
        """What it has said of itself, lines NAME=VALUE as scripts/lib/engine.sh asks for them."""
        self.told = ""
        """The same as a script of its host has told it: also what only docker's client knows."""
        self.state_dir = ""
        """Where lading's state is on this host, once the host has said so.

        It is kept here because a user's own folder is called after the engine.
        """
        self.containers: dict[str, Sequence[str]] = {}
        """App → its containers by id, as they were listed last; "" = those of all apps."""
        self.marks: Mapping[str, str] | None = None
        """App → where it remembers that lading keeps it; None = it was not asked."""
        self._way: Way | None = None
        self._connection: connection.Connection | None = None
        self._opening = asyncio.Lock()
        self._redirected = 0
        """How often the host has named another socket than the one asked so far."""
        self._streams: set[connection.Connection] = set()

    @property
    def is_client_only(self) -> bool:
        """Whether it is known that only scripts get at it, as long as this connection stands."""
        return self._way == "docker client"

    @property
    def described(self) -> str:
        """The way to it, for people; "" before it was tried."""
        if self._way is None or self.api_version is None:
            return "by its client" if self.is_client_only else ""
        return f"API {self.api_version}, {self._way}"

    @property
    def root(self) -> str:
        """The folder in which it keeps everything; "" before it has said so."""
        for line in self.info or ():
            if line.startswith("root="):
                return line.removeprefix("root=")
        return ""

    def use_socket(self, socket: str) -> bool:
        """Ask the engine that docker's client finds by *socket*, as the host has said.

        True = what was asked so far was another one.

        Raises:
            UnavailableError: only the client knows.
        """
        if socket == BY_CLIENT:
            self._redirected += 1
            self.close()
            self.api_version, self._way = None, "docker client"
            raise UnavailableError("only docker's client knows where that is")
        if socket == self.socket or bool(self._host.sudo or self._host.sudo_group):
            return False
        self._redirected += 1
        self.close()
        self.socket, self.api_version, self.info, self._way = socket, None, None, None
        self.containers.clear()
        return True

    @property
    def _stands(self) -> bool:
        return self._connection is not None and self._connection.is_open

    @property
    def is_dialled(self) -> bool:
        """Whether only a program of the host gets at it: by sudo, or by what stands for docker."""
        return bool(self._host.sudo or self._host.sudo_group) or DIALLED in (self.socket, self._way)

    async def ask(
        self, *asked: requests.Request, check: Callable[[], None] = unchecked
    ) -> list[requests.Answer]:
        """The answers to all of *asked*, which go out at once.

        *check*: called each time before they do; what it raises ends it.

        Raises:
            UnavailableError: it cannot be asked, or an answer is not whole.
            ValueError: a change among them without a check, which is a bug.
        """
        _require_check(asked, check)
        for again in (True, False):
            before = self._connection
            try:
                open_one = await self._opened()
                assert self.api_version is not None
                check()
                self._tell(f"{self._host.name} engine: {requests.summary(asked)}")
                return await open_one.ask(asked, self.api_version)
            except connection.LostError as lost:
                if again and before is not None:  # it stood open, and has died unnoticed
                    continue
                raise UnavailableError(str(lost)) from lost
        raise AssertionError("unreachable")

    async def stream(
        self, asked: requests.Request, check: Callable[[], None] = unchecked, *,
        is_spare: bool = False,
    ) -> Pieces:
        """What it answers as it comes, over a stream of its own; *check*: as for `ask`.

        *is_spare*: it can be done without; so it takes no session of an SSH server, which may have
        two in all.

        Raises:
            UnavailableError: it cannot be asked, or stops in the middle.
            RefusedError: it does not do it.
            ValueError: a change without a check, which is a bug.
        """
        _require_check([asked], check)
        await self._opened()
        assert self.api_version is not None
        if is_spare and self.is_dialled:
            raise UnavailableError("a session for it may be one too many")
        own = await self._taken()
        self._streams.add(own)
        try:
            check()
            self._tell(f"{self._host.name} engine: {requests.summary([asked])}")
            async with aclosing(own.stream(asked, self.api_version)) as pieces:
                async for piece in pieces:
                    yield piece
        except connection.LostError as lost:
            raise UnavailableError(str(lost)) from lost
        finally:
            self._streams.discard(own)
            own.close()

    async def upload(
        self, asked: requests.Request, body: AsyncIterator[bytes], check: Callable[[], None]
    ) -> requests.Answer:
        """Send a long body over a stream of its own, and what it answers to it; *check*: see `connection.upload`.

        Raises:
            UnavailableError: it cannot be asked, or stops in the middle.
        """
        await self._opened()
        assert self.api_version is not None
        own = await self._taken()
        self._streams.add(own)
        try:
            check()
            self._tell(f"{self._host.name} engine: {requests.summary([asked])}")
            return await own.upload(asked, self.api_version, body, check)
        except connection.LostError as lost:
            raise UnavailableError(str(lost)) from lost
        finally:
            self._streams.discard(own)
            own.close()

    async def _taken(self) -> connection.Connection:
        """A connection for one stream: of its own, or where that costs a session, the one there is."""
        if self.is_dialled:
            async with self._opening:
                taken, self._connection = self._connection, None
            if taken is not None and taken.is_open:
                return taken
        opened, _ = await self._open_stream()
        return connection.Connection(opened)

    async def _opened(self) -> connection.Connection:
        """The connection that stands, or a new one."""
        async with self._opening:
            if self._connection is not None and self._stands:
                return self._connection
            if self._connection is not None:  # behind the new one there may be another engine
                self.info, self.told, self.marks = None, "", None
            redirected = self._redirected
            made, way, api_version = await self._connect()
            if redirected != self._redirected:
                made.close()
                raise UnavailableError("the host has said meanwhile that its engine is elsewhere")
            self._connection, self._way, self.api_version = made, way, api_version
            return made

    async def _connect(self) -> tuple[connection.Connection, Way, str]:
        """A new connection, and its way, once the engine has said which API it speaks."""
        opened, way = await self._open_stream()
        made = connection.Connection(opened)
        try:
            return made, way, await _negotiated(made)
        except (connection.LostError, ValueError) as wrong:
            made.close()
            raise UnavailableError(str(wrong)) from wrong

    async def _open_stream(self) -> tuple[base.Stream, Way]:
        """A stream to the engine, by the way that is known, or else by the first that is open."""
        if self._way == "docker client":
            raise UnavailableError(f"{self._host.name} lets nobody through to its engine")
        try:
            over = base.streaming(self._transport, self._host)
            if self.is_dialled:
                return await self._dialled(over)
            return await self._forwarded(over)
        except base.NoStreamError as closed:
            if closed.lasting and not self._stands:
                self._way = "docker client"
            raise UnavailableError(closed.why) from closed

    async def _forwarded(self, over: base.Streaming) -> tuple[base.Stream, Way]:
        """The engine's socket, else docker's own way to it.

        The second is tried whatever sshd says: it forbids sockets in the same words in which it
        says that nobody listens.

        Raises:
            NoStreamError: neither is open.
        """
        try:
            return await over.open_socket(self._host, self.socket), "forwarded"
        except base.NoStreamError:
            if self._way == "forwarded":  # it was open before, so nobody listens now
                raise
        return await self._dialled(over)

    async def _dialled(self, over: base.Streaming) -> tuple[base.Stream, Way]:
        what = command.Command("engine", _DIAL, _MARKER, timeout=_OPEN_FOR)
        return await over.open_program(self._host, what), DIALLED

    def close(self) -> None:
        """Let go of all streams."""
        for one in (self._connection, *self._streams):
            if one is not None:
                one.close()
        self._connection = None


async def _negotiated(made: connection.Connection) -> str:
    """The version of the API that an engine is spoken to in, over a connection that has just been opened.

    Raises:
        LostError: it does not answer.
        ValueError: it is no Docker Engine, or none that lading can speak to.
    """
    (answer,) = await made.ask([requests.VERSION], "")
    if not answer.is_good:
        raise ValueError(f"it answers {answer.status} to /version")
    said = shape.parse(answer.body.decode("utf-8", "replace"))
    shape.fields(said, {"ApiVersion": str, "MinAPIVersion": str})
    parts: Sequence[Mapping[str, Any]] = shape.fitting(
        said.get("Components") or [], tuple[Mapping[str, Any], ...], "Components")
    for one in parts:
        if "podman" in str(one.get("Name")).lower():
            raise ValueError("it is no Docker Engine")
    return requests.version(said.get("ApiVersion", ""), said.get("MinAPIVersion", ""))


class Engines:
    """The engines of all hosts of one call."""

    def __init__(
        self, transport: base.Transport, tell: Callable[[str], None] = lambda text: None
    ) -> None:
        self._transport, self._tell = transport, tell
        self._known: dict[str, Engine] = {}

    def of(self, host: hosts.Host) -> Engine:
        """A host's engine."""
        if host.name not in self._known:
            self._known[host.name] = Engine(self._transport, host, self._tell)
        return self._known[host.name]

    def close(self) -> None:
        """Let go of all streams."""
        for one in self._known.values():
            one.close()

