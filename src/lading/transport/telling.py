"""A transport that tells what it sends, for `--verbose`: each command as it begins, masked, and how it ended."""

import asyncio
import time
from collections.abc import Callable

from lading import errors
from lading.inventory import hosts
from lading.transport import base, command


class TellingTransport:
    """Runs commands over another transport, and gives *tell* a text before and after each of them."""

    def __init__(self, over: base.Transport, tell: Callable[[str], None]) -> None:
        self._over = over
        self._tell = tell

    async def run(
        self, host: hosts.Host, what: command.Command, on_part: base.OnPart | None = None,
        until: asyncio.Event | None = None,
    ) -> command.Result:
        """Run *what*; see `base.Transport.run`."""
        self._tell(begins(host, what))
        began, ended = time.monotonic(), "cancelled"
        try:
            result = await self._over.run(host, what, on_part, until)
            ended = f"exit status {result.status}"
            return result
        except errors.LadingError as failure:
            ended = failure.message
            raise
        finally:
            self._tell(f"{host.name} {what.name}: {ended} ({time.monotonic() - began:.2f} s)")

    async def open_socket(self, host: hosts.Host, path: str) -> base.Stream:
        """See `base.Streaming`."""
        self._tell(f"{host.name}: opens its socket {path}")
        return await base.streaming(self._over, host).open_socket(host, path)

    async def open_program(self, host: hosts.Host, what: command.Command) -> base.Stream:
        """See `base.Streaming`."""
        self._tell(begins(host, what))
        return await base.streaming(self._over, host).open_program(host, what)

    async def attach(
        self, host: hosts.Host, what: command.Command, terminal: base.Terminal | None
    ) -> base.Session:
        """See `base.Attaching`."""
        over = base.attaching(self._over, host)
        self._tell(begins(host, what))
        return await over.attach(host, what, terminal)

    def key_of(self, host: hosts.Host) -> str:
        """See `base.Keyed`."""
        return base.key_of(self._over, host)

    async def close(self) -> None:
        """Close the other transport."""
        await self._over.close()


def begins(host: hosts.Host, what: command.Command) -> str:
    """A command that begins: a line with host and step, then all that is sent, masked, each line with the same head."""
    head = f"{host.name} {what.name}"
    how = "by sudo, " if host.sudo else ""
    if host.sudo_group:
        how = f"by sudo with group {host.sudo_group}, "
    sent = "".join(f"\n{head} | {line}" for line in what.masked().splitlines())
    limit = f"at most {what.timeout} s" if what.timeout else "until it ends"
    return f"{head}: begins ({how}{limit}){sent}"
