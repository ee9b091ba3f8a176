"""How one host is reached, in asyncssh's words: its own address, user, key, times; a ProxyCommand; a jump specification."""

import re
import shlex
from typing import Any

from lading import errors
from lading.inventory import hosts


def arguments(host: hosts.Host) -> dict[str, Any]:
    """What is said about this host alone; what is empty is left to the fleet and to the OpenSSH configuration."""
    found: dict[str, Any] = {"host": host.address or host.name}
    for name, value in (("port", host.port), ("username", host.user), ("keepalive_interval", host.keepalive),
                        ("connect_timeout", host.connect_timeout), ("login_timeout", host.connect_timeout)):
        if value:
            found[name] = value
    if host.key_file:
        found |= {"client_keys": [host.key_file], "ignore_encrypted": True}
    return found


def by_hand(host: hosts.Host) -> str:
    """What to add to a line of `ssh` for the host's own key and ProxyCommand."""
    key = f" -i {shlex.quote(host.key_file)}" if host.key_file else ""
    return key + (f" -o {shlex.quote(f'ProxyCommand={host.proxy_command}')}" if host.proxy_command else "")


def proxy(command: str, host: str, port: int, user: str) -> list[str]:
    """The words of a ProxyCommand, with what %h, %n, %p and %r stand for."""
    values = {"%h": host, "%n": host, "%p": str(port), "%r": user, "%%": "%"}
    return [re.sub("%.", lambda found: values.get(found[0], found[0]), word) for word in shlex.split(command)]


def specification(text: str) -> hosts.Host:
    """The host that an OpenSSH jump specification means: [user@]host[:port], or ssh://…

    Raises:
        SettingsError: it is none.
    """
    found = re.fullmatch(r"(?:ssh://)?(?:(.+)@)?(\[[^\]]+\]|[^:\[\]]+)(?::(\d+))?", text)
    if found is None:
        raise errors.SettingsError(f"jump: {text!r} is neither a host nor [user@]host[:port]", "correct it in lading.yaml")
    return hosts.Host(name=found[2].strip("[]"), user=found[1] or "", port=int(found[3] or 0))
