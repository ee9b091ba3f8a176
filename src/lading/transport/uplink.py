"""What an SSH connection carries towards its host: little at a time, so that a beat waits behind little (asyncssh).

asyncssh and the kernel take whatever a channel's window allows, 2 MiB with OpenSSH, and a byte that is written later
waits behind all of it. So the server is asked for an answer, as by a keepalive, which shows that all that was sent
before has arrived: it answers in the order in which things come, also behind jump hosts and a ProxyCommand, where the
size of a socket's buffer would say nothing. Most commands are one piece; that is asked for only once room gets scarce.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

import asyncssh

from lading.transport import beats

_PIECES = beats.WAITING // beats.PIECE
JUST_NOW = 0.25  # seconds since an answer has come
AT_ONCE = 2.0  # seconds since it was asked for, if it shall say that the host is there now


def now() -> float:
    """Seconds of a clock that goes on while this machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


async def reach(connection: Any) -> None:
    """Come back once all that was sent has arrived, or the connection is closed."""
    await connection._make_global_request(b"keepalive@openssh.com")  # there is no public way to ask


class Uplink:
    """One connection: of all that its channels send, at most `beats.WAITING` bytes are on their way."""

    def __init__(self, connection: asyncssh.SSHClientConnection) -> None:
        self._connection = connection
        self._room = asyncio.Semaphore(_PIECES)
        self._unasked: list[Callable[[], None]] = []
        """Who hears of the pieces that were sent since the server was asked last."""
        self._asking: set[asyncio.Task[None]] = set()
        self._heard_at = self._young_until = -math.inf

    def heard(self, asked_at: float) -> None:
        """Take note that the host has answered what it was asked then, see `now`.

        An answer may have waited here for long, while this process was stopped or this machine
        slept: so it counts only as long as the question is young.
        """
        if now() - asked_at < AT_ONCE:
            self._heard_at = now()
            self._young_until = max(self._young_until, asked_at + AT_ONCE)

    @property
    def was_heard_just_now(self) -> bool:
        """Whether the host has answered so lately that to ask it for a sign of life would say little more."""
        return now() - self._heard_at < JUST_NOW and now() < self._young_until

    @property
    def is_closed(self) -> bool:
        """Whether the connection is closed, as far as is known."""
        return self._connection.is_closed()

    async def take(self) -> None:
        """Wait until one piece more may be on its way."""
        if self._room.locked() and self._unasked:
            self._ask()
        await self._room.acquire()

    def give(self) -> None:
        """One piece is not on its way any more."""
        self._room.release()

    def sent(self, arrived: Callable[[], None], *, ask: bool = True) -> None:
        """A piece was handed to the connection; *arrived* is called once it is known to be at the host.

        *ask*: now; else before there is no room left for another one.
        """
        self._unasked.append(arrived)
        if ask or len(self._unasked) >= _PIECES - 1:
            self._ask()

    async def reach(self) -> None:
        """Come back once all that was sent has arrived, or the connection is closed."""
        await asyncio.shield(self._ask())  # whoever waits for room hears it too

    def _ask(self) -> asyncio.Task[None]:
        pieces, self._unasked = self._unasked, []
        task = asyncio.create_task(self._arrive(pieces))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return task

    async def _arrive(self, pieces: list[Callable[[], None]]) -> None:
        try:
            await reach(self._connection)
        finally:
            for _ in pieces:
                self.give()
        for arrived in pieces:
            arrived()


class Stdin:
    """The stdin of a command, over one channel of a connection; *heard* is told of each piece that arrived."""

    def __init__(
        self, channel: "asyncssh.SSHClientChannel[bytes]", uplink: Uplink, flowing: asyncio.Event,
        heard: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._uplink = uplink
        self._flowing = flowing
        self._heard = heard
        self._first = True

    async def write(self, data: bytes) -> None:
        """See `beats.Channel`; *flowing* is not set while the host takes no more from this channel."""
        await self._uplink.take()
        try:
            self._channel.write(data)
        except OSError:
            self._uplink.give()
            raise
        first, self._first = self._first, False
        if self._flowing.is_set():
            self._uplink.sent(self._heard, ask=not first)
            return
        self._uplink.give()  # the rest of the piece waits here, for the command to read
        await self._flowing.wait()

    def beat(self) -> None:
        """See `beats.Channel`."""
        self._channel.write(beats.BYTE)

    async def reach(self) -> None:
        """See `beats.Channel`."""
        await self._uplink.reach()

    def write_eof(self) -> None:
        """See `beats.Channel`."""
        self._channel.write_eof()
