"""Streams to a host's sockets and programs, and to those somebody is attached to, each over one channel (asyncssh)."""

import asyncio
import contextlib
import signal
from collections.abc import Callable

import asyncssh

from lading.transport import base, uplink

AT_ONCE = 64 * 1024  # bytes that are read at once
PARTING = 5.0  # seconds that a program has to end once its stdin has
_OFF = (
    asyncssh.PTY_ISTRIP, asyncssh.PTY_INLCR, asyncssh.PTY_IGNCR, asyncssh.PTY_ICRNL,
    asyncssh.PTY_IXON, asyncssh.PTY_IXANY, asyncssh.PTY_IXOFF, asyncssh.PTY_ISIG,
    asyncssh.PTY_ICANON, asyncssh.PTY_ECHO, asyncssh.PTY_ECHONL, asyncssh.PTY_IEXTEN,
)
PLAIN = {**dict.fromkeys(_OFF, 0), asyncssh.PTY_OPOST: 1, asyncssh.PTY_ONLCR: 1}
"""The modes of a terminal that passes on all that is typed, from its first byte, for that is a script.

Only in its output lines end as people see them: what docker's client complains before and after.
"""


class ChannelStream:
    """A stream over one channel of an SSH connection.

    *heard* is told when something was sent last, for each piece that has come after it; *closed*
    is called once it ends here.
    """

    def __init__(
        self, reader: "asyncssh.SSHReader[bytes]", writer: "asyncssh.SSHWriter[bytes]",
        closed: Callable[[], None] = lambda: None, heard: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._reader, self._writer, self._closed, self._heard = reader, writer, closed, heard
        self._sent_at = uplink.now()
        self.is_open = True

    async def read(self) -> bytes:
        """See `base.Stream`."""
        try:
            found = await self._reader.read(AT_ONCE)
        except (asyncssh.Error, OSError):
            return b""
        if found:
            self._heard(self._sent_at)
        return found

    async def write(self, data: bytes) -> None:
        """See `base.Stream`."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except asyncssh.Error as failure:
            raise OSError(str(failure)) from failure
        self._sent_at = uplink.now()

    async def arrived(self) -> None:
        """See `base.Stream`."""
        try:
            await uplink.reach(self._writer.channel.get_connection())
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


class ChannelSession:
    """A program that somebody is attached to, over one channel; *closed* is called once it ends here."""

    def __init__(
        self, writer: "asyncssh.SSHWriter[bytes]", reader: "asyncssh.SSHReader[bytes]",
        errors: "asyncssh.SSHReader[bytes]", closed: Callable[[], None],
    ) -> None:
        channel = writer.channel
        assert isinstance(channel, asyncssh.SSHClientChannel)
        self._channel: asyncssh.SSHClientChannel[bytes] = channel
        self._stdout = ChannelStream(reader, writer, closed)
        self._stderr = ChannelStream(errors, writer)

    async def read(self) -> bytes:
        """See `base.Session`."""
        return await self._stdout.read()

    async def read_errors(self) -> bytes:
        """See `base.Session`."""
        return await self._stderr.read()

    async def write(self, data: bytes) -> None:
        """See `base.Session`."""
        await self._stdout.write(data)

    async def arrived(self) -> None:
        """See `base.Session`."""
        await self._stdout.arrived()

    def write_eof(self) -> None:
        """See `base.Session`."""
        with contextlib.suppress(asyncssh.Error, OSError):  # it may have ended already
            self._channel.write_eof()

    def resize(self, window: base.Window) -> None:
        """See `base.Session`."""
        with contextlib.suppress(asyncssh.Error, OSError):
            self._channel.change_terminal_size(*window)

    async def wait(self) -> int | None:
        """See `base.Session`."""
        await self._channel.wait_closed()
        by_signal = self._channel.get_exit_signal()
        if by_signal is not None:
            return 128 + signal_number(by_signal[0])
        return self._channel.get_exit_status()

    def close(self) -> None:
        """See `base.Session`."""
        self._stdout.close()


def signal_number(name: str) -> int:
    """The number of a signal that a server names, such as TERM; 127 for one that is not known here."""
    found = getattr(signal, f"SIG{name}", None)
    return int(found) if isinstance(found, signal.Signals) else 127
