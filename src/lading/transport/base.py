"""What a transport is: something that runs a Command on a Host and returns its Result."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

from lading.dataclass import dataclass
from lading.inventory import hosts
from lading.transport import command

OnPart = Callable[[str, bytes], bool]
"""Called with each complete part of the answer as it comes; True ends the command's stdin (it may stop now)."""


class Transport(Protocol):
    """Runs commands on hosts: one connection per host, kept open until `close`."""

    async def run(
        self, host: hosts.Host, what: command.Command, on_part: OnPart | None = None,
        until: asyncio.Event | None = None,
    ) -> command.Result:
        """Run *what* on *host* to its end and return what it answered.

        Its exit status is a value, not an error. Stdin stays open until the command ends, since
        its end would cancel that, or until *on_part* returns True or *until* is set. Cancelling
        the task ends stdin: on the host a command with `changes` goes on to its own end, any other
        is ended.

        Raises:
            UnreachableError: no connection, or it was lost, or the answer did not come within timeout + 30 s.
            AuthenticationError: the host accepts none of the keys.
            HostKeyError: the host's key is unknown, changed or revoked.
        """
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


@runtime_checkable
class Keyed(Protocol):
    """A transport that is let in by keys."""

    def key_of(self, host: hosts.Host) -> str:
        """The fingerprint of the key that let it in on *host*, such as SHA256:…; "" if it was not let in, or by another way."""
        ...


def key_of(transport: Transport, host: hosts.Host) -> str:
    """The fingerprint of the key that let a transport in on *host*; "" where none did."""
    return transport.key_of(host) if isinstance(transport, Keyed) else ""


class Stream(Protocol):
    """Bytes both ways, through the connection to a host."""

    async def read(self) -> bytes:
        """What has come, as soon as something has.

        b"" once nothing more will come, also where the connection was lost.
        """
        ...

    async def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            OSError: the other end, or the connection, is gone.
        """
        ...

    async def arrived(self) -> None:
        """Come back once what was written is at the host, whether or not somebody has read it there."""
        ...

    def close(self) -> None:
        """End it, both ways."""
        ...


class NoStreamError(Exception):
    """A host opens no such stream; *lasting*: nor will it later, as far as can be known."""

    def __init__(self, why: str, *, lasting: bool) -> None:
        super().__init__(why)
        self.why, self.lasting = why, lasting


@runtime_checkable
class Streaming(Protocol):
    """A transport that carries streams beside commands."""

    async def open_socket(self, host: hosts.Host, path: str) -> Stream:
        """A stream to the UNIX socket *path* of *host*, as its SSH user.

        Raises:
            NoStreamError: the host does not forward sockets, or nobody listens there: an OpenSSH
                server does not say which.
            TransportError: as `Transport.run`.
        """
        ...

    async def open_program(self, host: hosts.Host, what: command.Command) -> Stream:
        """The stdin and stdout of a program: *what* is a script that becomes it.

        Raises:
            NoStreamError: there is no room for it beside the commands of this connection.
            TransportError: as `Transport.run`.
        """
        ...


def streaming(transport: Transport, host: hosts.Host) -> Streaming:
    """The same transport, if it carries streams to *host*.

    Raises:
        NoStreamError: it does not.
    """
    if not isinstance(transport, Streaming):
        raise NoStreamError(
            f"{host.name} is reached by a transport that carries no streams", lasting=True)
    return transport


class Window(NamedTuple):
    """The size of a terminal, in characters."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Terminal:
    """A person's terminal: its *kind* as TERM names it, and the *window* that it has now."""

    kind: str
    window: Window


class Session(Protocol):
    """A program on a host whose stdin, stdout and stderr are somebody's own; its end has a status."""

    async def read(self) -> bytes:
        """What it has written to stdout, as soon as there is something; b"" at its end."""
        ...

    async def read_errors(self) -> bytes:
        """The same of stderr; with a terminal all comes by stdout."""
        ...

    async def write(self, data: bytes) -> None:
        """Send all of it to its stdin.

        Raises:
            OSError: the program, or the connection, is gone.
        """
        ...

    async def arrived(self) -> None:
        """As that of a `Stream`."""
        ...

    def write_eof(self) -> None:
        """End its stdin."""
        ...

    def resize(self, window: Window) -> None:
        """Tell its terminal that the window has changed."""
        ...

    async def wait(self) -> int | None:
        """Its exit status, 128 + N where a signal N has ended it; None: the connection was lost."""
        ...

    def close(self) -> None:
        """Let go of it: its stdin ends, and its terminal hangs up."""
        ...


@runtime_checkable
class Attaching(Protocol):
    """A transport that attaches somebody to a program."""

    async def attach(
        self, host: hosts.Host, what: command.Command, terminal: Terminal | None
    ) -> Session:
        """Run *what*, a script that becomes the program; its payload is sent, the stdin goes on.

        Its output comes as it is, with all that the host says before. *terminal*: the program gets
        one of the same kind and size, which changes nothing in what goes through: whoever wants
        lines edited and Ctrl-C heeded sets that himself. `command.timeout` does not count.

        Raises:
            TransportError: as `Transport.run`; also where the host opens no session or no terminal.
        """
        ...


def attaching(transport: Transport, host: hosts.Host) -> Attaching:
    """The same transport, if it attaches to programs on *host*.

    Raises:
        NoStreamError: it does not.
    """
    if not isinstance(transport, Attaching):
        raise NoStreamError(
            f"{host.name} is reached by a transport that carries no streams", lasting=True)
    return transport
