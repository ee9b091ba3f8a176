"""Streams to a host's sockets and programs, each over one channel of its connection (asyncssh)."""

import asyncio
import contextlib
from collections.abc import Callable

import asyncssh

AT_ONCE = 64 * 1024  # bytes that are read at once
PARTING = 5.0  # seconds that a program has to end once its stdin has


class ChannelStream:
    """A stream over one channel of an SSH connection; *closed* is called once it ends here."""

    def __init__(
        self, reader: "asyncssh.SSHReader[bytes]", writer: "asyncssh.SSHWriter[bytes]",
        closed: Callable[[], None] = lambda: None,
    ) -> None:
        self._reader, self._writer, self._closed = reader, writer, closed
        self.is_open = True

    async def read(self) -> bytes:
        """See `base.Stream`."""
        try:
            return await self._reader.read(AT_ONCE)
        except (asyncssh.Error, OSError):
            return b""

    async def write(self, data: bytes) -> None:
        """See `base.Stream`."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except asyncssh.Error as failure:
            raise OSError(str(failure)) from failure

    def close(self) -> None:
        """See `base.Stream`."""
        if self.is_open:
            self.is_open = False
            self._writer.channel.close()
            self._closed()

    async def end(self) -> None:
        """End its stdin, and wait for the program to end.

        Only then the host has room for another session.
        """
        with contextlib.suppress(asyncssh.Error, OSError):  # it may have ended already
            self._writer.write_eof()
        with contextlib.suppress(asyncssh.Error, OSError, TimeoutError):
            async with asyncio.timeout(PARTING):
                await self._writer.channel.wait_closed()
        self.close()
