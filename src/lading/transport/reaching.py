"""How one host is reached, in asyncssh's words: its own address, user, key, times; a ProxyCommand; a jump specification."""

import dataclasses
import re
import shlex
import socket
from collections.abc import Mapping
from typing import Any

from lading import errors
from lading.inventory import hosts
from lading.transport import openssh

CONNECT, KEEPALIVE = 10, 15  # seconds, where neither the fleet file nor the OpenSSH configuration says any
_FLAGS = {"": "", "inet": " -4", "inet6": " -6"}
_FAMILIES = {"any": socket.AF_UNSPEC, "inet": socket.AF_INET, "inet6": socket.AF_INET6}


def reached(host: hosts.Host, said: openssh.Configured) -> openssh.Configured:
    """*said* by the OpenSSH configuration, and before it what the fleet file says of this host alone."""
    own: dict[str, Any] = {}
    if host.key_file:
        own |= {"identity_files": (host.key_file,), "certificate_files": ()}
    if host.family:
        own["family"] = host.family
    if host.jump or host.proxy_command:
        own |= {"jump": host.jump, "proxy_command": ""}
    return dataclasses.replace(said, **own)


def arguments(host: hosts.Host, said: openssh.Configured, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What asyncssh is given: it reads no file of its own, and asks for keys. *settings*: of the fleet, 0 where it says nothing."""
    patience = float(host.connect_timeout or settings.get("connect_timeout") or said.connect_timeout or CONNECT)
    found: dict[str, Any] = {
        "gss_kex": False, "agent_forwarding": False, "x11_forwarding": False, "request_pty": False, "env": None, "send_env": None,
        "command": None, **settings, "config": None, "tunnel": None, "proxy_command": None, "client_keys": None, "agent_path": None,
        "host": said.hostname, "port": said.port, "username": said.user, "family": _FAMILIES[said.family],
        "host_key_alias": said.host_key_alias or None, "connect_timeout": patience, "login_timeout": patience,
        "keepalive_interval": float(host.keepalive or settings.get("keepalive_interval") or said.keepalive or KEEPALIVE),
    }
    return found | ({"local_addr": (said.bind_address, 0)} if said.bind_address else {})


def by_hand(host: hosts.Host) -> str:
    """What to add to a line of `ssh` for the host's own key and ProxyCommand."""
    config = f" -F {shlex.quote(host.ssh_config)}" if host.ssh_config else ""
    key = f"{config}{_FLAGS[host.family]} -i {shlex.quote(host.key_file)}" if host.key_file else f"{config}{_FLAGS[host.family]}"
    return key + (f" -o {shlex.quote(f'ProxyCommand={host.proxy_command}')}" if host.proxy_command else "")


def filled(proxy_command: str, name: str, host: str, port: int, user: str) -> str:
    """A ProxyCommand of the OpenSSH configuration, a line for a shell, with what its tokens stand for."""
    values = {"%h": host, "%n": name, "%p": str(port), "%r": user, "%%": "%"}
    return re.sub("%.", lambda found: values.get(found[0], found[0]), proxy_command)


def proxy(command: str, host: str, port: int, user: str) -> list[str]:
    """The words of a ProxyCommand, with what %h, %n, %p and %r stand for."""
    values = {"%h": host, "%n": host, "%p": str(port), "%r": user, "%%": "%"}
    return [re.sub("%.", lambda found: values.get(found[0], found[0]), word) for word in shlex.split(command)]


def specification(text: str) -> hosts.Host:
    """The host that an OpenSSH jump specification means: [user@]host[:port], or ssh://…

    Raises:
        SettingsError: it is none.
    """
    try:
        at = hosts.parse_address("", text)
    except errors.InputError as bad:
        raise errors.SettingsError(f"jump: {text!r} is neither a host nor [user@]host[:port]", "correct it in lading.yaml") from bad
    return dataclasses.replace(at, name=at.address, address="")  # a name is looked for in the OpenSSH configuration
