"""How one host is reached over SSH: what asyncssh is given, which keys count, what its failures mean there (asyncssh)."""

import asyncio
import contextlib
import errno
import os
import random
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncssh

from lading import errors, process
from lading.inventory import hosts, ssh_names
from lading.transport import algorithms, command, configuration, identities, offered, openssh, reaching, trust

_PORT = 22  # of SSH
_TRIES = 5  # connections that the server dropped in the banner (MaxStartups)
_LOST = (asyncssh.ConnectionLost, ConnectionResetError, BrokenPipeError)
_ERRNO = re.compile(r"\[Errno (\d+)\]")
_CERTIFICATE = {  # what asyncssh says of a host's certificate, in words
    "Certificate expired": "has expired",
    "Certificate not yet valid": "is not valid yet",
    "Certificate principal mismatch": "is for other names",
    "Host CA key is not trusted": "is of another authority than the one that is trusted for this host",
    "Invalid certificate type": "is not one for hosts",
}


async def resolve(
    host: hosts.Host, settings: Mapping[str, Any], user: str, pinned: str, asked: configuration.OpenSsh
) -> "Target":
    """*host* with what the fleet file and OpenSSH's configuration say of it; what the fleet file says wins.

    *user*: of hosts that name none; for those without an address, whose names go to the OpenSSH
    configuration, only where that names none either.
    """
    named, meant = host.user or (user if host.address else ""), host.address or host.name
    _check(host, ("name", meant, ssh_names.is_destination), ("user", named or user, ssh_names.is_user),
           ("jump host", host.jump, ssh_names.is_jump))
    try:
        found = await asked.of(meant, named, host.port, user, host.ssh_config)
    except errors.SettingsError as bad:
        raise errors.SettingsError(bad.message, bad.hint, host=host.name) from bad
    said = reaching.reached(host, found)
    proxied = said.user if host.proxy_command or said.proxy_command else ""
    _check(host, ("HostName", said.hostname, ssh_names.is_host), ("user", proxied, ssh_names.is_user),
           ("jump host", said.jump, ssh_names.is_jump))
    if host.key_file and not (Path(host.key_file).is_file() or Path(f"{host.key_file}.pub").is_file()):
        raise errors.AuthenticationError(
            f"a key for {host.name} cannot be read: {host.key_file} is not there",
            f"see {host.origin or 'the inventory'}", host=host.name)
    return Target(host, settings, said, pinned)


def _check(host: hosts.Host, *names: tuple[str, str, Callable[[str], bool]]) -> None:
    """Refuse names that a ProxyCommand must not give to its shell, wherever they come from: what, its text, its rule."""
    for what, text, good in names:
        if not good(text):
            file, _, line = host.origin.rpartition(":")
            at: dict[str, Any] = {"file": file, "line": int(line)} if line.isdecimal() else {"file": host.origin}
            raise errors.SettingsError(f"{host.name}: the {what} {text!r} {ssh_names.WHY}", ssh_names.HINT, host=host.name, **at)


class Target:
    """One host with everything that asyncssh has to know, and what its errors mean there."""

    def __init__(
        self, host: hosts.Host, settings: Mapping[str, Any], said: openssh.Configured, pinned: str
    ) -> None:
        self.host = host
        self.jump = said.jump
        self._via = ""
        own = command.join(reaching.proxy(host.proxy_command, said.hostname, said.port, said.user))
        self._proxy = "" if self.jump else own or reaching.filled(
            said.proxy_command, host.address or host.name, said.hostname, said.port, said.user)
        self._helper: process.Connected | None = None
        self._last: _Client | None = None
        self._said = said
        files = [pinned] if pinned else []
        if not host.address or not pinned:
            files += said.known_hosts or ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
        self._trust = trust.Trust(host, [*files, host.known_hosts] if host.known_hosts else files)
        self._arguments = {**reaching.arguments(host, said, settings), **algorithms.offered(said.algorithms)}
        port = said.port if said.port != _PORT else None
        preferred = self._trust.algorithms(said.host_key_alias or said.hostname, port)
        self._arguments["server_host_key_algs"] = trust.wanted(preferred, said.algorithms.get("HostKeyAlgorithms"))

    @property
    def patience(self) -> float:
        """Seconds that a connection may take to open."""
        return float(self._arguments["connect_timeout"])

    def lead_through(self, tunnel: asyncssh.SSHClientConnection, way: str) -> None:
        """Connect through a jump host: its connection, and the specification of its own way for OpenSSH."""
        self._arguments["tunnel"] = tunnel
        self._via = way if self.host.jump else ""  # else the configuration leads there by itself

    async def connect(self) -> asyncssh.SSHClientConnection:
        """Connect, again with growing pauses if the server drops the connection (MaxStartups)."""
        for attempt in range(_TRIES):
            try:
                return await self._connect()
            except _LOST as lost:
                if attempt + 1 == _TRIES:
                    raise await self._dropped() from lost
            except (asyncssh.Error, OSError) as failure:
                raise await self.meaning(failure) from failure
            await asyncio.sleep(random.uniform(0.5, 1.0) * 0.25 * 2**attempt)
        raise AssertionError("unreachable")

    async def _connect(self) -> asyncssh.SSHClientConnection:
        """Connect once; a certificate may be for the host's name in the fleet file instead of its address, as a key may."""
        try:
            return await self._connect_once()
        except asyncssh.HostKeyNotVerifiable as failure:
            if "principal mismatch" not in str(failure) or not self.host.address or self._said.host_key_alias:
                raise
            self._arguments["host_key_alias"] = self.host.name
        return await self._connect_once()

    async def _connect_once(self) -> asyncssh.SSHClientConnection:
        async with identities.offered(self._said) as keys:
            with self._by_proxy() as sock:
                self._last = client = _Client(keys)
                return await asyncssh.connect(
                    **self._arguments, **sock, known_hosts=self._trust, client_factory=lambda: client)

    @contextlib.contextmanager
    def _by_proxy(self) -> Iterator[dict[str, Any]]:
        """The socket that ProxyCommand listens on, if there is one; it is run by a shell, as OpenSSH does.

        asyncssh would take its complaints for the server's words, and a closed stderr for the end.
        """
        if self._proxy:
            self.let_go()
            self._helper = process.Connected(["/bin/sh", "-c", f"exec {self._proxy}"])
        try:
            yield {"sock": self._helper.socket} if self._helper else {}
        except BaseException:
            self.let_go()
            raise

    def let_go(self) -> None:
        """End the ProxyCommand, once its connection is closed."""
        if self._helper is not None:
            self._helper.end()
            self._helper = None

    async def fetch(self, algorithm: str) -> asyncssh.SSHKey | None:
        """The host's key of this type, unverified; None if it has none."""
        names = ("host", "port", "family", "local_addr", "tunnel", "config", "proxy_command", "kex_algs")
        wanted = {name: self._arguments[name] for name in names if name in self._arguments}
        for _ in range(2):
            try:
                async with asyncio.timeout(self._arguments["connect_timeout"]):
                    with self._by_proxy() as sock:
                        return await asyncssh.get_server_host_key(**wanted, **sock, server_host_key_algs=[algorithm])
            except _LOST:  # a server without such a key hangs up,
                continue
            except asyncssh.KeyExchangeFailed as failure:  # or says so
                if algorithms.too_weak(failure) != ("", ""):
                    raise self._no_common(failure) from failure
            except (asyncssh.Error, OSError) as failure:
                raise await self.meaning(failure) from failure
            finally:
                self.let_go()
        return None

    async def _dropped(self) -> errors.UnreachableError:
        """Why a server hangs up each time, as far as it can be found out."""
        if self._proxy:
            return self.unreachable(f"is not reached by its ProxyCommand, {self._proxy!r}")
        if self._greeted() and not self._arguments.get("tunnel") and await self._signs_weakly():
            return errors.UnreachableError(
                f"{self.host.name} has no host key but by signatures of SHA-1 or DSA, which OpenSSH does not take either",
                "give it a better one: ssh-keygen -A, and HostKey in its sshd_config", host=self.host.name,
            )
        return self.unreachable("drops every connection; see MaxStartups in its sshd_config")

    @property
    def let_in_by(self) -> str:
        """The fingerprint of the key that let in on the last connection; "" if it was another way."""
        return self._last.offered if self._last else ""

    def _greeted(self) -> bool:
        """Whether the server said its version before it hung up, which one that has too many connections does not."""
        met = self._last.met if self._last else None
        return met is not None and bool(met.get_extra_info("server_version"))

    async def _signs_weakly(self) -> bool:
        """Whether the server goes on as soon as a weak signature would do: nothing is done with its key."""
        at = {name: self._arguments[name] for name in ("host", "port", "family", "local_addr", "config") if name in self._arguments}
        try:
            async with asyncio.timeout(self._arguments["connect_timeout"]):
                await asyncssh.get_server_host_key(**at, server_host_key_algs=["ssh-rsa"])
        except asyncssh.KeyExchangeFailed:
            return True  # it signed, by SHA-1
        except (asyncssh.Error, OSError):
            return False
        return False

    def known_name(self) -> str:
        """The host as known_hosts names it."""
        name = self._said.host_key_alias or self._said.hostname
        return name if self._said.port == _PORT or self._said.host_key_alias else f"[{name}]:{self._said.port}"

    def way(self) -> str:
        """The jump specification for OpenSSH that leads to this host, by way of those before it."""
        port = "" if self._said.port == _PORT or not self.host.address else f":{self._said.port}"
        return ",".join(filter(None, [self._via, f"{self._said.user}@{self.host.address or self.host.name}{port}"]))

    def by_hand(self) -> str:
        """The line that does the same with OpenSSH."""
        number = self._said.port if self.host.address else self.host.port or _PORT  # else the configuration says it
        port = "" if number == _PORT else f" -p {number}"
        jump = f" -J {command.quote(self._via)}" if self._via else ""
        where = command.quote(f"{self._said.user}@{self.host.address or self.host.name}")
        return f"ssh{port}{jump}{reaching.by_hand(self.host)} {where}"

    def unreachable(self, what: str) -> errors.UnreachableError:
        """The host, and what is wrong with reaching it."""
        at = f"{self._said.hostname}:{self._said.port}"
        name = self.host.name if self.host.name == self._said.hostname else f"{self.host.name} ({at})"
        return errors.UnreachableError(f"{name} {what}", f"try by hand: {self.by_hand()}", host=self.host.name)

    async def meaning(self, failure: Exception) -> errors.TransportError:
        """The error of ours that *failure* of asyncssh or the system is."""
        text = str(failure)
        if isinstance(failure, asyncssh.HostKeyNotVerifiable):
            return self._bad_key(text)
        if isinstance(failure, asyncssh.PermissionDenied) or text.startswith("Too many authentication failures"):
            return await self._denied()
        if isinstance(failure, asyncssh.KeyExchangeFailed):
            return self._no_common(failure)
        if isinstance(failure, asyncssh.ChannelOpenError):
            return self._not_led_through(failure)
        return self.unreachable(self._no_way(failure) or f"cannot be reached: {text or type(failure).__name__}")

    def _no_way(self, failure: Exception) -> str:
        """What is wrong with the way to the host, by what the system says of it; "" if it does not."""
        wrong = _numbers(failure)
        if errno.ETIMEDOUT in wrong or isinstance(failure, TimeoutError):
            return f"did not answer within {self.patience:g} s"
        if isinstance(failure, socket.gaierror):
            return "has a name that cannot be resolved"
        if wrong == {errno.ECONNREFUSED}:
            return "refuses the connection"
        return f"cannot be reached: {', '.join(os.strerror(number).lower() for number in sorted(wrong))}" if wrong else ""

    def _not_led_through(self, failure: asyncssh.ChannelOpenError) -> errors.UnreachableError:
        """A jump host that let in, and leads no further."""
        if failure.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
            return errors.UnreachableError(
                f"{self.host.name} is not reached: its jump host {self.jump} forbids forwarding",
                f"allow it there: AllowTcpForwarding and PermitOpen in its sshd_config; or another jump host for {self.host.name}",
                host=self.host.name)
        return self.unreachable(f"cannot be reached from its jump host {self.jump}: {failure.reason.lower()}")

    def _no_common(self, failure: asyncssh.KeyExchangeFailed) -> errors.UnreachableError:
        """A server with which no algorithm is left in common."""
        what, line = algorithms.too_weak(failure)
        if not what:
            return self.unreachable(f"cannot be reached: {failure}")
        return errors.UnreachableError(
            f"{self.host.name} {what}", f"update its sshd; or, for this host alone, in ~/.ssh/config: Host {self._said.hostname}, "
            f"and below it: {line}", host=self.host.name,
        )

    def _bad_key(self, text: str) -> errors.HostKeyError:
        name = self.host.name
        if "revoked" in text:
            return errors.HostKeyError(
                f"{name}'s key is revoked: the server shows one that is marked @revoked in {self._trust.where}",
                "whoever holds that key may sit in between: ask its operator; once the server has a new key: "
                f"lading hosts trust {name} --replace", host=name,
            )
        fault = next((words for said, words in _CERTIFICATE.items() if said in text), "")
        if fault:
            names = ",".join(dict.fromkeys([name, self._said.hostname]))
            return errors.HostKeyError(
                f"{name}'s host certificate {fault}",
                f"have it signed anew by the @cert-authority of {self._trust.where}: ssh-keygen -s CA -h "
                f"-I {command.quote(name)} -n {command.quote(names)} -V +52w /etc/ssh/ssh_host_ed25519_key.pub", host=name,
            )
        if not self._trust.knows:
            return errors.HostKeyError(f"{name}'s key is not known", f"lading hosts trust {name}", host=name)
        return errors.HostKeyError(
            f"{name} shows another key than the one in {self._trust.where}",
            errors.of_another_key(f"lading hosts trust {name} --replace"), host=name,
        )

    async def _denied(self) -> errors.AuthenticationError:
        found, hint = await offered.tried(self._said)
        methods = self._last.methods if self._last else ()
        only = f"; the server takes only {', '.join(methods)}" if methods and "publickey" not in methods else ""
        who = f"{self._said.user}@{self._said.hostname}:{self._said.port}"
        port = "" if self._said.port == _PORT else f" -p {self._said.port}"
        by_key = (f"allow keys there (PubkeyAuthentication yes in its sshd_config), and add yours: ssh-copy-id{port} "
                  f"{command.quote(f'{self._said.user}@{self._said.hostname}')}")
        return errors.AuthenticationError(
            f"{self.host.name} does not let {who} in{only}; tried: {', '.join(found) or 'no key at all'}",
            by_key if only else hint or f"try by hand: {self.by_hand()}", host=self.host.name,
        )


class _Client(offered.Offers):
    """Keeps the connection that it was told of first."""

    met: asyncssh.SSHClientConnection | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        super().connection_made(conn)
        self.met = conn


def _numbers(failure: BaseException) -> set[int]:
    """The system's numbers for why a connection failed: one, or those of all addresses that were tried."""
    if not isinstance(failure, OSError):
        return set()
    if failure.errno:
        return {failure.errno}
    return {int(number) for number in _ERRNO.findall(str(failure))}
