"""A connection's packets: none is logged, and no empty ones are sent but for ciphers in CBC mode (asyncssh).

asyncssh prepares a line of log for each packet, whether anybody reads it or not, and sends an empty
one before each. Both together were a seventh of the controller's work for a host.
"""

from typing import Any

from asyncssh import connection, constants, packet

_send = connection.SSHConnection.send_packet


def _send_packet(self: connection.SSHConnection, pkttype: int, *args: bytes, **more: Any) -> None:
    """An empty packet goes before others only where the cipher is chained.

    There it keeps secret from what the next packet starts.
    """
    cipher = str(self.get_extra_info("send_cipher"))
    if pkttype == constants.MSG_IGNORE and not cipher.endswith("-cbc"):
        return
    _send(self, pkttype, *args, **more)


def _log_packet(self: packet.SSHPacketLogger, *args: Any) -> None:
    """Nothing is logged."""


def make_lean() -> None:
    """For all connections from now on."""
    connection.SSHConnection.send_packet = _send_packet  # type: ignore[method-assign]
    packet.SSHPacketLogger._log_packet = _log_packet  # type: ignore[method-assign, assignment]
