"""Commands over SSH: one verified connection per host, opened when needed, shared by all its commands (asyncssh).

Host keys are always verified, whatever StrictHostKeyChecking says: against the pinned file, and for hosts without an
address, whose names go to the OpenSSH configuration, against the user's own files too.
"""

import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import os
import random
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import asyncssh

from lading import errors
from lading.commands import command
from lading.inventory import hosts
from lading.transport import base, reaching, trust, wire

_PORT = 22  # of SSH
CHANNELS = 8  # per connection; sshd's MaxSessions is 10
_TRIES = 5  # connections that the server dropped in the banner (MaxStartups)
_LOST = (asyncssh.ConnectionLost, ConnectionResetError, BrokenPipeError)


class SshTransport:
    """Runs commands over SSH; *lookup* gives the host that a jump names, if the inventory has it."""

    def __init__(
        self, *, user: str = "", known_hosts: str = "", config_files: Sequence[str] | None = None,
        connect_timeout: float = 10.0, keepalive: float = 15.0, max_connections: int = 64,
        lookup: Callable[[str], hosts.Host | None] = lambda name: None, slack: float = wire.SLACK,
    ) -> None:
        own = Path("~/.ssh/config").expanduser()
        self._settings: dict[str, Any] = {
            "config": list(config_files) if config_files is not None else [str(own)] if own.is_file() else None,
            "connect_timeout": connect_timeout, "login_timeout": connect_timeout,
            "keepalive_interval": keepalive, "keepalive_count_max": 3,
            "gss_kex": False, "agent_forwarding": False, "x11_forwarding": False, "request_pty": False,
            "env": None, "send_env": None, "command": None,
        }
        if not self._settings["config"]:
            self._settings["config"] = None
        self._user = user
        self._known_hosts = known_hosts
        self._lookup = lookup
        self._slack = slack
        self._max = max_connections
        self._slots = asyncio.Semaphore(max_connections)
        self._links: dict[tuple[str, str], _Link] = {}
        self._runner = wire.Runner()

    async def run(
        self, host: hosts.Host, what: command.Command, on_part: base.OnPart | None = None
    ) -> command.Result:
        """Run *what* on *host*; see `base.Transport.run`."""
        exchange = wire.Exchange(host, what, on_part, self._slack)
        return await self._runner.run(exchange, self._carry(exchange))

    async def close(self) -> None:
        """Close all connections, those that others lead through last."""
        await self._runner.close()
        for link in sorted(self._links.values(), key=lambda link: link.jump):
            await link.close()
        self._links.clear()

    async def fetch_host_keys(self, host: hosts.Host) -> list[tuple[str, str, str]]:
        """The keys that *host* shows, unverified: (algorithm, SHA256 fingerprint, line for known_hosts).

        Raises:
            UnreachableError: it cannot be reached.
        """
        target = await self._target(host, ())
        found = []
        for algorithm in trust.KEY_TYPES[:-1]:
            key = await target.fetch(algorithm)
            if key is not None:
                public = key.export_public_key("openssh").decode().split()
                found.append((public[0], key.get_fingerprint(), f"{target.known_name()} {public[0]} {public[1]}"))
        if not found:
            raise target.unreachable("shows no host key that lading knows")
        return found

    async def _carry(self, exchange: wire.Exchange) -> None:
        link = self._link(exchange.host)
        async with self._using(link), link.channels:
            channel = await self._open(link, exchange)
            try:
                exchange.begin(channel)
                await exchange.wait()
            finally:
                channel.close()

    async def _open(self, link: "_Link", exchange: wire.Exchange) -> "asyncssh.SSHClientChannel[bytes]":
        for again in (True, False):
            connection = await self._connection(link, ())
            opening = asyncio.create_task(connection.create_session(
                lambda: _Session(exchange), wire.line(exchange.host, exchange.what), encoding=None
            ))
            try:
                channel, _ = await asyncio.shield(opening)
            except asyncio.CancelledError:
                opening.add_done_callback(_close_late)
                raise
            except (asyncssh.Error, OSError) as failure:
                if again and connection.is_closed():  # it died unnoticed; nothing was run yet
                    continue
                name = exchange.host.name
                raise errors.UnreachableError(
                    f"{name} opens no session: {failure}", f"try by hand: {link.by_hand}", host=name
                ) from failure
            return channel
        raise AssertionError("unreachable")

    @contextlib.asynccontextmanager
    async def _using(self, link: "_Link") -> AsyncIterator[None]:
        async with link.entering:
            if link.users == 0:
                await self._slots.acquire()
            link.users += 1
        try:
            yield
        finally:
            link.users -= 1
            if link.users == 0:
                self._slots.release()

    def _link(self, host: hosts.Host) -> "_Link":
        return self._links.setdefault((host.name, host.jump), _Link(host))

    async def _connection(self, link: "_Link", chain: tuple[str, ...]) -> asyncssh.SSHClientConnection:
        if link.connection is not None and not link.connection.is_closed():
            return link.connection
        if link.opening is None or link.opening.done():
            link.opening = self._runner.keep(self._reopen(link, chain))
        await asyncio.shield(link.opening)
        assert link.connection is not None
        return link.connection

    async def _reopen(self, link: "_Link", chain: tuple[str, ...]) -> None:
        await link.close()
        others = [one for one in self._links.values() if one.counts() and one is not link]
        idle = [one for one in others if not one.users]
        for old in idle[: max(0, len(others) + 1 - self._max)]:
            await old.close()
        limit = 6 * float(link.host.connect_timeout or self._settings["connect_timeout"]) + 10
        try:
            async with asyncio.timeout(limit):
                target = await self._target(link.host, chain)
                link.by_hand = target.by_hand()
                link.connection = await target.connect()
        except TimeoutError as late:  # such as two jump hosts that wait for each other
            name = link.host.name
            raise errors.UnreachableError(f"{name} could not be connected within {limit:g} s", host=name) from late

    async def _target(self, host: hosts.Host, chain: tuple[str, ...]) -> "_Target":
        """How *host* is reached, with the connection to its jump host open."""
        arguments = {**self._settings, **reaching.arguments(host)}
        options = await _options(host, arguments)
        if not host.user and self._user and (host.address or options.config.get("User") is None):
            options = await _options(host, arguments := {**arguments, "username": self._user})
        if host.proxy_command:
            arguments["proxy_command"] = reaching.proxy(host.proxy_command, options.host, options.port, options.username)
        jump = host.jump or (options.tunnel if isinstance(options.tunnel, str) and not host.proxy_command else "")
        tunnel = await self._tunnel(host, jump, (*chain, host.name)) if jump else None
        return _Target(host, {**arguments, "tunnel": tunnel}, options, self._known_hosts)

    async def _tunnel(self, host: hosts.Host, jump: str, chain: tuple[str, ...]) -> asyncssh.SSHClientConnection:
        before, _, last = jump.rpartition(",")
        through = self._lookup(last.strip()) or reaching.specification(last.strip())
        if through.name in chain:  # asking for its connection would wait for ourselves
            raise errors.UnreachableError(
                f"the jump hosts lead in a circle: {' → '.join([*chain, through.name])}", "correct jump: in lading.yaml",
                host=host.name,
            )
        link = self._link(dataclasses.replace(through, jump=before) if before else through)
        link.jump = True
        try:
            return await self._connection(link, chain)
        except errors.TransportError as failure:
            raise type(failure)(f"on the way to {host.name}: {failure.message}", failure.hint, host=host.name) from failure


class _Link:
    """The one connection to a host, and who uses it."""

    def __init__(self, host: hosts.Host) -> None:
        self.host = host
        self.connection: asyncssh.SSHClientConnection | None = None
        self.opening: asyncio.Task[None] | None = None
        self.channels = asyncio.Semaphore(CHANNELS)
        self.entering = asyncio.Lock()
        self.users = 0
        self.jump = False
        self.by_hand = ""

    def counts(self) -> bool:
        """Whether it holds one of the connections that are allowed, or is about to."""
        return not self.jump and (self.connection is not None or (self.opening is not None and not self.opening.done()))

    async def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()
            await connection.wait_closed()


class _Target:
    """One host with everything that asyncssh has to know, and what its errors mean there."""

    def __init__(
        self, host: hosts.Host, arguments: dict[str, Any], options: asyncssh.SSHClientConnectionOptions, pinned: str
    ) -> None:
        self.host = host
        self._arguments = arguments
        self._options = options
        files = [pinned] if pinned else []
        if not host.address or not pinned:
            configured = options.known_hosts if isinstance(options.known_hosts, list) else []
            files += [str(one) for one in configured] or ["~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts"]
        self._trust = trust.Trust(host, [*files, host.known_hosts] if host.known_hosts else files)
        if not options.config.get("HostKeyAlgorithms"):
            port = options.port if options.port != _PORT else None
            preferred = self._trust.algorithms(options.host_key_alias or options.host, port)
            self._arguments["server_host_key_algs"] = preferred

    async def connect(self) -> asyncssh.SSHClientConnection:
        """Connect, again with growing pauses if the server drops the connection (MaxStartups)."""
        for attempt in range(_TRIES):
            try:
                return await asyncssh.connect(**self._arguments, known_hosts=self._trust)
            except _LOST as lost:
                if attempt + 1 == _TRIES:
                    raise self.unreachable("drops every connection; see MaxStartups in its sshd_config") from lost
            except (asyncssh.Error, OSError) as failure:
                raise await self.meaning(failure) from failure
            await asyncio.sleep(random.uniform(0.5, 1.0) * 0.25 * 2**attempt)
        raise AssertionError("unreachable")

    async def fetch(self, algorithm: str) -> asyncssh.SSHKey | None:
        """The host's key of this type, unverified; None if it has none."""
        wanted = {name: self._arguments[name] for name in ("host", "port", "tunnel", "proxy_command", "config") if name in self._arguments}
        for _ in range(2):
            try:
                async with asyncio.timeout(self._arguments["connect_timeout"]):
                    return await asyncssh.get_server_host_key(**wanted, server_host_key_algs=[algorithm])
            except (asyncssh.KeyExchangeFailed, *_LOST):  # a server without such a key hangs up
                continue
            except (asyncssh.Error, OSError) as failure:
                raise await self.meaning(failure) from failure
        return None

    def known_name(self) -> str:
        """The host as known_hosts names it."""
        name = self._options.host_key_alias or self._options.host
        return name if self._options.port == _PORT else f"[{name}]:{self._options.port}"

    def by_hand(self) -> str:
        """The line that does the same with OpenSSH."""
        if not self.host.address:
            return f"ssh {self._options.username}@{self.host.name}" + (f" -p {self.host.port}" if self.host.port else "")
        port = "" if self._options.port == _PORT else f" -p {self._options.port}"
        jump = f" -J {self.host.jump}" if self.host.jump else ""
        return f"ssh{port}{jump}{reaching.by_hand(self.host)} {self._options.username}@{self._options.host}"

    def unreachable(self, what: str) -> errors.UnreachableError:
        """The host, and what is wrong with reaching it."""
        at = f"{self._options.host}:{self._options.port}"
        name = self.host.name if self.host.name == self._options.host else f"{self.host.name} ({at})"
        return errors.UnreachableError(f"{name} {what}", f"try by hand: {self.by_hand()}", host=self.host.name)

    async def meaning(self, failure: Exception) -> errors.TransportError:
        """The error of ours that *failure* of asyncssh or the system is."""
        text = str(failure)
        if isinstance(failure, asyncssh.HostKeyNotVerifiable):
            return self._bad_key(text)
        if isinstance(failure, asyncssh.PermissionDenied) or "authentication failures" in text:
            return await self._denied()
        if isinstance(failure, TimeoutError):
            return self.unreachable(f"did not answer within {self._arguments['connect_timeout']:g} s")
        if isinstance(failure, OSError) and "gaierror" in type(failure).__name__:
            return self.unreachable("has a name that cannot be resolved")
        if isinstance(failure, ConnectionRefusedError) or "refused" in text or "Connect call failed" in text:
            return self.unreachable("refuses the connection")
        return self.unreachable(f"cannot be reached: {text or type(failure).__name__}")

    def _bad_key(self, text: str) -> errors.HostKeyError:
        name = self.host.name
        if "revoked" in text:
            return errors.HostKeyError(
                f"{name}'s key is revoked", f"the server shows a key marked @revoked in {self._trust.where}; do not "
                "connect before you know who holds that key", host=name,
            )
        if not self._trust.knows:
            return errors.HostKeyError(f"{name}'s key is not known", f"lading hosts trust {name}", host=name)
        return errors.HostKeyError(
            f"{name} shows another key than the one in {self._trust.where}",
            f"either the server was set up anew, or somebody sits in between: ask its operator for the fingerprint; if "
            f"it was set up anew, remove the old line and: lading hosts trust {name}", host=name,
        )

    async def _denied(self) -> errors.AuthenticationError:
        keys = map(_key_name, self._options.client_keys or ())
        tried = [*await _agent_keys(self._options.agent_path), *keys, *_useless_keys(self.host.key_file or self._options.config.get("IdentityFile"))]
        who = f"{self._options.username}@{self._options.host}:{self._options.port}"
        return errors.AuthenticationError(
            f"{self.host.name} does not let {who} in; tried: {', '.join(tried) or 'no key at all'}",
            f"try by hand: {self.by_hand()}", host=self.host.name,
        )


class _Session(asyncssh.SSHClientSession[bytes]):
    """Tells an exchange what comes through a channel."""

    def __init__(self, exchange: wire.Exchange) -> None:
        self._exchange = exchange

    def data_received(self, data: bytes, datatype: int | None) -> None:
        (self._exchange.stderr if datatype == asyncssh.EXTENDED_DATA_STDERR else self._exchange.stdout)(data)

    def eof_received(self) -> bool:
        return True  # stdin stays open: its end would cancel the command

    def exit_status_received(self, status: int) -> None:
        self._exchange.exited(status)

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._exchange.exited(128 + _signal_number(signal))

    def connection_lost(self, exc: Exception | None) -> None:
        self._exchange.closed()


def _signal_number(name: str) -> int:
    found = getattr(signal, f"SIG{name}", None)
    return int(found) if isinstance(found, signal.Signals) else 127


def _close_late(opening: "asyncio.Task[tuple[asyncssh.SSHClientChannel[bytes], Any]]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].close()


async def _options(host: hosts.Host, arguments: dict[str, Any]) -> asyncssh.SSHClientConnectionOptions:
    try:
        options: asyncssh.SSHClientConnectionOptions = await asyncssh.SSHClientConnectionOptions.construct(**arguments)
        return options
    except asyncssh.ConfigParseError as bad:
        raise errors.SettingsError(f"the OpenSSH configuration: {bad}", host=host.name) from bad
    except (asyncssh.KeyImportError, OSError, ValueError) as bad:
        raise errors.AuthenticationError(
            f"a key for {host.name} cannot be read: {bad}", f"see {host.origin if host.key_file else 'IdentityFile in ~/.ssh/config'}",
            host=host.name,
        ) from bad


def _key_name(pair: asyncssh.SSHKeyPair) -> str:
    digest = base64.b64encode(hashlib.sha256(pair.public_data).digest()).decode().rstrip("=")
    return " ".join(filter(None, [pair.get_algorithm(), f"SHA256:{digest}", pair.get_comment(errors="replace") or ""]))


def _useless_keys(files: Any) -> list[str]:
    """The configured key files that could not be offered, and why."""
    found = []
    for name in [files] if isinstance(files, str) else files or ():
        try:
            asyncssh.read_private_key(Path(name).expanduser())
        except OSError as failure:
            found.append(f"{name}: {failure.strerror}")
        except asyncssh.KeyImportError as failure:
            found.append(f"{name} cannot be read: {failure}")
    return found


async def _agent_keys(path: Any) -> list[str]:
    """What the agent offered, for people."""
    if not path or not isinstance(path, (str, os.PathLike)):
        return ["no agent (SSH_AUTH_SOCK is not set)"]
    names: list[str] = []
    try:
        async with asyncio.timeout(5), asyncssh.connect_agent(str(path)) as agent:
            names += [f"{_key_name(key)} from the agent" for key in await agent.get_keys()]
    except (asyncssh.Error, OSError, ValueError):
        return [f"no agent answers at {path}"]
    return names or ["an agent without keys"]
