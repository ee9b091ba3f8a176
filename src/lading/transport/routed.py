"""Commands by the transport that each host asks for: SSH for most, Ansible for some; each is made once it is needed."""

import asyncio
from collections.abc import Callable, Mapping

from lading.inventory import hosts
from lading.transport import base, command


class RoutedTransport:
    """Hands each command to the transport of its host; *by_name*: what `Host.transport` says → what makes the transport."""

    def __init__(self, by_name: Mapping[str, Callable[[], base.Transport]]) -> None:
        self._makes = by_name
        self._made: dict[str, base.Transport] = {}

    def load(self) -> None:
        """Make all of them now, with the libraries that they need."""
        for name in self._makes:
            self._named(name)

    async def run(
        self, host: hosts.Host, what: command.Command, on_part: base.OnPart | None = None,
        until: asyncio.Event | None = None,
    ) -> command.Result:
        """Run *what* on *host*; see `base.Transport.run`."""
        return await self._of(host).run(host, what, on_part, until)

    async def open_socket(self, host: hosts.Host, path: str) -> base.Stream:
        """See `base.Streaming`."""
        return await base.streaming(self._of(host), host).open_socket(host, path)

    async def open_program(self, host: hosts.Host, what: command.Command) -> base.Stream:
        """See `base.Streaming`."""
        return await base.streaming(self._of(host), host).open_program(host, what)

    async def attach(
        self, host: hosts.Host, what: command.Command, terminal: base.Terminal | None
    ) -> base.Session:
        """See `base.Attaching`."""
        return await base.attaching(self._of(host), host).attach(host, what, terminal)

    def key_of(self, host: hosts.Host) -> str:
        """See `base.Keyed`."""
        return base.key_of(self._of(host), host)

    async def close(self) -> None:
        """Close all of them."""
        await asyncio.gather(*(transport.close() for transport in self._made.values()))

    def _of(self, host: hosts.Host) -> base.Transport:
        return self._named(host.transport or "ssh")

    def _named(self, name: str) -> base.Transport:
        if name not in self._made:
            self._made[name] = self._makes[name]()
        return self._made[name]
