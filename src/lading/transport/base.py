"""What a transport is: something that runs a Command on a Host and returns its Result."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from lading.inventory import hosts
from lading.transport import command

OnPart = Callable[[str, bytes], bool]
"""Called with each complete part of the answer as it comes; True ends the command's stdin (it may stop now)."""


class Transport(Protocol):
    """Runs commands on hosts: one connection per host, kept open until `close`."""

    async def run(self, host: hosts.Host, what: command.Command, on_part: OnPart | None = None) -> command.Result:
        """Run *what* on *host* to its end and return what it answered; its exit status is a value, not an error.

        Without *on_part*, stdin stays open until the command ends (its end would cancel it). Cancelling the task ends
        stdin: on the host a command with `changes` goes on to its own end, any other is ended.

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
