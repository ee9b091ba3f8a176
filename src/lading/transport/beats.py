"""What goes into a running command: script and payload piece by piece, then a byte now and then that it answers.

The bytes renew what the command holds on its host, and show that the link stands: one that nothing answers means that
the link is cut, long before TCP or the keepalive of SSH say so. See docs/decisions/0074.
"""

import asyncio
import contextlib
from typing import Protocol

BEAT = 10.0  # seconds from one byte to the next
ANSWER = 10.0  # seconds in which something must come back
BYTE = b"."
PIECE = 16 * 1024  # bytes that are sent at once
WAITING = 64 * 1024  # bytes of a connection that may be on their way, before a beat
WINDOW = (64 * 1024, 8 * 1024 * 1024)  # bytes of something long that go out at once: the least, and the most
SOON, LATE = 0.5, 1.5  # seconds in which a window's bytes arrive, where the next may be larger, or must be smaller


class Pace:
    """How many bytes of something long go out at once, before it is asked whether they have arrived.

    As many as arrive in about a second, so that a beat never waits long behind them, whatever the
    link: a pipe that is full to the brim would delay it by all that it holds.
    """

    def __init__(self) -> None:
        self.window = WINDOW[0]

    def arrived(self, seconds: float) -> None:
        """A window's bytes have arrived, *seconds* after they began to go out."""
        least, most = WINDOW
        if seconds < SOON:
            self.window = min(most, 2 * self.window)
        elif seconds > LATE:
            self.window = max(least, self.window // 2)


class Ending(asyncio.Event):
    """Once it is set, a command's stdin ends; *word*: what is said before that, behind the payload.

    A command that waits for a word knows by it that all is well: stdin also ends with its controller.
    """

    word = b""


class Channel(Protocol):
    """A command's stdin."""

    async def write(self, data: bytes) -> None:
        """Send at most PIECE bytes; comes back when the next ones may be sent."""
        ...

    def beat(self) -> None:
        """Send BYTE, ahead of what others wait to send."""
        ...

    async def reach(self) -> None:
        """Come back once the other end of the link has answered, whatever the command does."""
        ...

    def write_eof(self) -> None:
        """End stdin once everything written was sent."""
        ...


class Feeding:
    """One command's stdin from its first byte to its end, and whether its host is still heard."""

    def __init__(self, channel: Channel, data: bytes) -> None:
        self._channel = channel
        self._data = data
        self._sent = asyncio.Event()
        self._ended = False
        self._heard = asyncio.Event()

    def heard(self) -> None:
        """Something came from the host, or is known to have arrived there."""
        self._heard.set()

    def end(self) -> None:
        """End stdin, after the payload."""
        self._ended = True
        if self._sent.is_set():
            self._write_eof()

    async def send(self) -> None:
        """Send script and payload."""
        with contextlib.suppress(OSError):  # the command has ended, or the link is lost: the exchange is told
            for start in range(0, len(self._data), PIECE):
                await self._channel.write(self._data[start : start + PIECE])
                self.heard()
        self._sent.set()
        if self._ended:
            self._write_eof()

    async def say(self, word: bytes) -> None:
        """Send a word behind the payload."""
        await self._sent.wait()
        with contextlib.suppress(OSError):  # the exchange is told
            await self._channel.write(word)

    def _write_eof(self) -> None:
        with contextlib.suppress(OSError):
            self._channel.write_eof()

    async def until_cut(self) -> None:
        """Ask now, and every BEAT seconds.

        Comes back once nothing was heard for ANSWER seconds after that.
        """
        now = asyncio.get_running_loop().time
        due = now()
        while True:
            due = max(due + BEAT, now())
            if not await self._answered():
                return
            await asyncio.sleep(due - now())

    async def _answered(self) -> bool:
        self._heard.clear()
        asking = asyncio.create_task(self._ask())
        try:
            async with asyncio.timeout(ANSWER):
                await self._heard.wait()
        except TimeoutError:
            return self._heard.is_set()  # both at once, as after this process was stopped for a while
        finally:
            asking.cancel()
        return True

    async def _ask(self) -> None:
        with contextlib.suppress(OSError):
            if self._sent.is_set() and not self._ended:
                self._channel.beat()
                return
            # A byte would stand behind the rest of the payload, or come after the end.
            await self._channel.reach()
            self.heard()
