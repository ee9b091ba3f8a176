"""Commands over SSH: one verified connection per host, opened when needed, shared by all its commands (asyncssh).

Host keys are always verified, whatever StrictHostKeyChecking says: against the pinned file, and for hosts without an
address, whose names go to the OpenSSH configuration, against the user's own files too.
"""

import asyncio
import contextlib
import dataclasses
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import asyncssh

from lading import errors, process
from lading.inventory import hosts
from lading.transport import base, command, reaching, target, trust, wire

CHANNELS = 8  # per connection; sshd's MaxSessions is 10
SPARE = 100  # open files that are not connections


class SshTransport:
    """Runs commands over SSH; *lookup* gives the host that a jump names, if the inventory has it.

    *tell* hears of each connection that is opened.
    """

    def __init__(
        self, *, user: str = "", known_hosts: str = "", config_files: Sequence[str] | None = None,
        connect_timeout: float = 10.0, keepalive: float = 15.0, keepalive_count: int = 3,
        max_connections: int = 1100, parallel: int = 64,
        lookup: Callable[[str], hosts.Host | None] = lambda name: None, slack: float = wire.SLACK,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        own = Path("~/.ssh/config").expanduser()
        self._settings: dict[str, Any] = {
            "config": (list(config_files) if config_files is not None else [str(own)] if own.is_file() else []) or None,
            "connect_timeout": connect_timeout, "login_timeout": connect_timeout, "keepalive_interval": keepalive,
            "keepalive_count_max": keepalive_count, "gss_kex": False, "agent_forwarding": False, "x11_forwarding": False,
            "request_pty": False, "env": None, "send_env": None, "command": None,
        }
        self._user = user
        self._known_hosts = known_hosts
        self._lookup = lookup
        self._tell = tell
        self._slack = slack
        self._max = max(1, min(max_connections, process.allow_files(max_connections + SPARE) - SPARE))
        self._slots = asyncio.Semaphore(min(parallel, self._max))
        self._links: dict[tuple[str, str, int, str], _Link] = {}
        self._runner = wire.Runner()

    async def run(
        self, host: hosts.Host, what: command.Command, on_part: base.OnPart | None = None
    ) -> command.Result:
        """Run *what* on *host*; see `base.Transport.run`."""
        exchange = wire.Exchange(host, what, on_part, self._slack)
        return await self._runner.run(exchange, self._carry(exchange))

    def key_of(self, host: hosts.Host) -> str:
        """See `base.Keyed`."""
        at = self._link(host).target
        return at.let_in_by if at is not None else ""

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
        at = await self._target(host, ())
        self._tell(f"{host.name}: asked for its keys: {at.by_hand()}")
        found = []
        for algorithm in trust.KEY_TYPES[:-1]:
            key = await at.fetch(algorithm)
            if key is not None:
                public = key.export_public_key("openssh").decode().split()
                found.append((public[0], key.get_fingerprint(), f"{at.known_name()} {public[0]} {public[1]}"))
        if not found:
            raise at.unreachable("shows no host key that lading knows")
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
                assert link.target is not None
                name = exchange.host.name
                raise errors.UnreachableError(
                    f"{name} opens no session: {failure}", f"try by hand: {link.target.by_hand()}", host=name
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
        return self._links.setdefault((host.name, host.user, host.port, host.jump), _Link(host))

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
        if len(self._links) > self._max:  # else nobody has to give way, and a fleet is not gone through for each of its hosts
            others = [one for one in self._links.values() if one.counts() and one is not link]
            idle = [one for one in others if not one.users]
            for old in idle[: max(0, len(others) + 1 - self._max)]:
                await old.close()
        limit = 6 * float(link.host.connect_timeout or self._settings["connect_timeout"]) + 10
        try:
            async with asyncio.timeout(limit):
                link.target = await self._target(link.host, chain)
                link.connection = await link.target.connect()
                self._tell(f"{link.host.name}: connected: {link.target.by_hand()}")
        except TimeoutError as late:  # such as two jump hosts that wait for each other
            name = link.host.name
            raise errors.UnreachableError(f"{name} could not be connected within {limit:g} s", host=name) from late

    async def _target(self, host: hosts.Host, chain: tuple[str, ...]) -> target.Target:
        """How *host* is reached, with the connection to its jump host open."""
        found = await target.resolve(host, self._settings, self._user, self._known_hosts)
        if found.jump:
            link = await self._tunnel(host, found.jump, (*chain, host.name))
            assert link.connection is not None and link.target is not None
            found.lead_through(link.connection, link.target.way())
        return found

    async def _tunnel(self, host: hosts.Host, jump: str, chain: tuple[str, ...]) -> "_Link":
        before, _, last = jump.rpartition(",")
        listed = self._lookup(last.strip())
        through = listed or reaching.specification(last.strip())
        if through.name in chain:  # asking for its connection would wait for ourselves
            raise errors.UnreachableError(
                f"the jump hosts lead in a circle: {' → '.join([*chain, through.name])}", "correct jump: in lading.yaml",
                host=host.name,
            )
        link = self._link(dataclasses.replace(through, jump=before) if before else through)
        link.jump = True
        try:
            await self._connection(link, chain)
        except errors.TransportError as failure:
            first = "" if listed or "hosts trust" not in failure.hint else f"add {through.name} to hosts: in lading.yaml; "
            raise type(failure)(
                f"on the way to {host.name}: {failure.message}", first + failure.hint, host=host.name
            ) from failure
        return link


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
        self.target: target.Target | None = None

    def counts(self) -> bool:
        """Whether it holds one of the connections that are allowed, or is about to."""
        return not self.jump and (self.connection is not None or (self.opening is not None and not self.opening.done()))

    async def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()
            await connection.wait_closed()
        if self.target is not None:
            self.target.let_go()


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
