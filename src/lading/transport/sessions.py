"""Sessions of an SSH connection: what comes by one is told to its command, and one is opened ahead, its shell waiting for a script (asyncssh).

An OpenSSH server takes no byte for a session before a program runs in it: until then its window is 0. So a session that
is to take a script at once needs a shell that runs already. See docs/decisions/0100.
"""

import asyncio
import contextlib

import asyncssh

from lading.dataclass import dataclass
from lading.transport import command, streams, uplink, wire

PARTING = 5.0  # seconds that a shell has to end once its stdin has


class Session(asyncssh.SSHClientSession[bytes]):
    """Tells an exchange what comes through a channel; without one, it keeps that until `take`."""

    def __init__(self, exchange: wire.Exchange | None = None) -> None:
        self._exchange = exchange
        self._sure = exchange is not None
        self._lost = False
        self.exited = False
        """Whether its program has ended."""
        self.status: int | None = None
        """The exit status of its program; None also where a signal has ended it."""
        self.whole = False
        """Whether all that its program wrote has come, and the server has closed the channel."""
        self.flowing = asyncio.Event()
        """Not set while the host takes no more: its window is full."""
        self.flowing.set()

    @property
    def timed_out(self) -> bool:
        """Whether its shell has waited for a script as long as it may."""
        return self.status in command.TIMED_OUT

    @property
    def gave_up(self) -> bool:
        """Whether its shell has ended of its own accord before that."""
        return self.status is not None and not self.timed_out

    def take(self, exchange: wire.Exchange) -> None:
        """Tell *exchange* what comes; its end only once it is clear whether that is news: see `be_sure`."""
        self._exchange = exchange

    def be_sure(self) -> None:
        """The host is known to have been there, so the end of the channel is that of the exchange."""
        self._sure = True
        if self._lost:
            self._end()

    def leave(self) -> None:
        """Tell nothing any more: the exchange goes on elsewhere."""
        self._exchange = None

    def connection_made(self, chan: "asyncssh.SSHClientChannel[bytes]") -> None:
        chan.set_write_buffer_limits(0)
        if self._exchange is None:
            chan.pause_reading()

    def pause_writing(self) -> None:
        self.flowing.clear()

    def resume_writing(self) -> None:
        self.flowing.set()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self._exchange is None:
            return
        if datatype == asyncssh.EXTENDED_DATA_STDERR:
            self._exchange.stderr(data)
        else:
            self._exchange.stdout(data)

    def eof_received(self) -> bool:
        return True  # stdin stays open: its end would cancel the command

    def exit_status_received(self, status: int) -> None:
        self.status = status
        self._exited(status)

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._exited(128 + streams.signal_number(signal))

    def _exited(self, status: int) -> None:
        self.exited = True
        if self._exchange is not None:
            self._exchange.exited(status)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self.whole = self.exited and exc is None
        if self._sure or self.exited:
            self._end()

    def _end(self) -> None:
        if self._exchange is not None:
            self._exchange.closed()


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that is open on the connection of *way*; *waits*: its shell takes any script."""

    channel: "asyncssh.SSHClientChannel[bytes]"
    session: Session
    way: uplink.Uplink
    waits: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the server has not closed it, as far as is known."""
        return not self.channel.is_closing() and not self.session.exited

    def take(self, exchange: wire.Exchange) -> None:
        """Tell *exchange* what has come meanwhile, such as the words of a start-up file, and what comes."""
        self.session.take(exchange)
        self.channel.resume_reading()

    def was_refused(self, exchange: wire.Exchange) -> bool:
        """Whether its shell has ended and run nothing of *exchange*, which would have said that it begins.

        A time-out of `read` may end it just then, or a forced command may not let it start.
        """
        return self.waits and self.session.whole and not (exchange.answers or exchange.left or self.way.is_closed)

    def stdin(self, exchange: wire.Exchange) -> uplink.Stdin:
        """The stdin of its program, for *exchange*."""
        return uplink.Stdin(self.channel, self.way, self.session.flowing, exchange.heard)

    async def end(self) -> None:
        """End its shell; only then the host has room for another session."""
        self.channel.resume_reading()  # its end comes behind all that it said
        with contextlib.suppress(OSError):  # it may have ended already
            self.channel.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PARTING):
                await self.channel.wait_closed()
        self.channel.close()


async def open_waiting(connection: asyncssh.SSHClientConnection, way: uplink.Uplink, line: str) -> Opened:
    """Open a session ahead; *line*: that of a shell that waits.

    Raises:
        asyncssh.ChannelOpenError: the server opens none.
        asyncssh.Error, OSError: the connection is lost.
    """
    session = Session()
    channel, _ = await connection.create_session(lambda: session, line, encoding=None)
    return Opened(channel, session, way, waits=True)
