"""A transport that knows which hosts have not answered yet, and to what: for who waits for them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from lading.inventory import hosts
from lading.transport import base, command


class UnderWay:
    """Which hosts have not answered yet, and to what; see `words`."""

    def __init__(self) -> None:
        self._open: dict[object, tuple[str, str]] = {}

    @contextmanager
    def until_answered(self, host: str, what: str) -> Iterator[None]:
        """*host* has not answered to *what*, as long as this lasts."""
        mark = object()
        self._open[mark] = host, what
        try:
            yield
        finally:
            del self._open[mark]

    def words(self) -> dict[str, tuple[str, ...]]:
        """What is waited for → the hosts, in the order in which they were asked."""
        found: dict[str, dict[str, None]] = {}
        for host, what in self._open.values():
            found.setdefault(what, {})[host] = None
        return {what: tuple(names) for what, names in found.items()}


class FollowedTransport:
    """Runs commands over another transport, and notes meanwhile who has not answered."""

    def __init__(self, over: base.Transport, noted: UnderWay) -> None:
        self._over = over
        self._noted = noted

    async def run(
        self, host: hosts.Host, what: command.Command, on_part: base.OnPart | None = None,
        until: asyncio.Event | None = None,
    ) -> command.Result:
        """Run *what*; see `base.Transport.run`."""
        with self._noted.until_answered(host.name, what.name):
            return await self._over.run(host, what, on_part, until)

    async def open_socket(self, host: hosts.Host, path: str) -> base.Stream:
        """See `base.Streaming`."""
        with self._noted.until_answered(host.name, "connection"):
            return await base.streaming(self._over, host).open_socket(host, path)

    async def open_program(self, host: hosts.Host, what: command.Command) -> base.Stream:
        """See `base.Streaming`."""
        with self._noted.until_answered(host.name, "connection"):
            return await base.streaming(self._over, host).open_program(host, what)

    async def attach(
        self, host: hosts.Host, what: command.Command, terminal: base.Terminal | None
    ) -> base.Session:
        """See `base.Attaching`."""
        over = base.attaching(self._over, host)
        with self._noted.until_answered(host.name, "connection"):
            return await over.attach(host, what, terminal)

    def key_of(self, host: hosts.Host) -> str:
        """See `base.Keyed`."""
        return base.key_of(self._over, host)

    async def close(self) -> None:
        """Close the other transport."""
        await self._over.close()
