"""Commands over SSH: one verified connection per host, opened when needed, shared by all its commands (asyncssh).

Host keys are always verified, whatever StrictHostKeyChecking says: against the pinned file, and for hosts without an
address, whose names go to the OpenSSH configuration, against the user's own files too.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import asyncssh

from lading import errors, process
from lading.inventory import hosts
from lading.transport import (
    base,
    beats,
    command,
    configuration,
    packets,
    reaching,
    sessions,
    streams,
    target,
    trust,
    uplink,
    wire,
)

CHANNELS = 8  # per connection; sshd's MaxSessions is 10
SPARE = 100  # open files that are not connections
OPENING = 10.0  # seconds that a host has to open a stream
ROOM = 5.0  # seconds in which a host may notice that a session has ended
PAUSE = 0.05  # seconds until it is asked again whether it has
RETURN = 5.0  # seconds in which a link that was cut may show that it is back

packets.make_lean()


class SshTransport:
    """Runs commands over SSH; *lookup* gives the host that a jump names, if the inventory has it.

    *tell* hears of each connection that is opened. *config_files* in place of the OpenSSH configuration of user and system;
    *connect_timeout* and *keepalive*: 0 leaves them to it.
    """

    def __init__(
        self, *, environment: Mapping[str, str], user: str = "", known_hosts: str = "", config_files: Sequence[str] | None = None,
        connect_timeout: float = 0, keepalive: float = 0, keepalive_count: int = 3,
        max_connections: int = 1100, parallel: int = 64,
        lookup: Callable[[str], hosts.Host | None] = lambda name: None, slack: float = wire.SLACK,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._settings: dict[str, Any] = {
            "connect_timeout": connect_timeout, "keepalive_interval": keepalive, "keepalive_count_max": keepalive_count,
        }
        self._openssh = configuration.OpenSsh(environment, config_files)
        self._user = user
        self._known_hosts = known_hosts
        self._lookup = lookup
        self._tell = tell
        self._slack = slack
        self._max = max(1, min(max_connections, process.allow_files(max_connections + SPARE) - SPARE))
        self._places = asyncio.Semaphore(self._max)
        self._slots = asyncio.Semaphore(min(parallel, self._max))
        self._links: dict[tuple[str, str, int, str], _Link] = {}
        self._runner = wire.Runner()

    async def run(
        self, host: hosts.Host, what: command.Command, on_part: base.OnPart | None = None,
        until: asyncio.Event | None = None,
    ) -> command.Result:
        """Run *what* on *host*; see `base.Transport.run`."""
        exchange = wire.Exchange(host, what, on_part, self._slack, until)
        return await self._runner.run(exchange, self._carry(exchange))

    async def open_socket(self, host: hosts.Host, path: str) -> base.Stream:
        """See `base.Streaming`; sockets are forwarded beside sshd's MaxSessions, which counts none of them."""
        link = self._link(host)
        async with self._using(link):
            connection, way = await self._connection(link, ())
            try:
                async with asyncio.timeout(OPENING):
                    reader, writer = await connection.open_unix_connection(path, encoding=None)
            except (asyncssh.Error, OSError, TimeoutError) as lost:
                raise base.NoStreamError(f"{path}: {lost or 'no answer'}", lasting=False) from lost
        return streams.ChannelStream(reader, writer, heard=way.heard)

    async def open_program(self, host: hosts.Host, what: command.Command) -> base.Stream:
        """See `base.Streaming`; it takes the place of a command, and gives way where there is room for one only."""
        link = self._link(host)
        if not link.carries_programs or link.channels.locked():
            raise base.NoStreamError(
                f"{host.name} has no room for a program beside commands", lasting=not link.carries_programs)
        opening = asyncio.create_task(self._dial(link, what))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:  # asyncssh would leave it open, and nobody would know
            opening.add_done_callback(_close_late)
            raise

    async def _dial(self, link: "_Link", what: command.Command) -> streams.ChannelStream:
        async with self._using(link), link.dialling:
            await link.channels.acquire()
            try:
                stream = await self._open_program(link, what)
            except BaseException:
                link.channels.release()
                raise
            link.programs.append(stream)
        return stream

    @contextlib.asynccontextmanager
    async def _using(self, link: "_Link") -> AsyncIterator[None]:
        """While a stream is opened, which takes as much as a command; once open, it takes nobody's place."""
        async with link.users.entered(self._places), link.workers.entered(self._slots):
            yield

    async def _open_program(self, link: "_Link", what: command.Command) -> streams.ChannelStream:
        connection, way = await self._connection(link, ())
        while True:
            try:
                async with asyncio.timeout(OPENING):
                    writer, reader, _ = await connection.open_session(wire.line(link.host, what), encoding=None)
                break
            except asyncssh.ChannelOpenError as refused:
                if await link.drops_ready(for_good=True) or await link.program_has_just_ended():
                    continue
                link.carries_programs = False
                raise base.NoStreamError(f"{link.host.name} opens no session: {refused.reason}", lasting=True) from refused
            except (asyncssh.Error, OSError, TimeoutError) as lost:
                raise base.NoStreamError(f"{link.host.name}: {lost or 'no answer'}", lasting=False) from lost
        stream = streams.ChannelStream(reader, writer, link.program_ended, way.heard)
        try:
            await stream.write(wire.outgoing(what)[1])
        except OSError as lost:
            raise base.NoStreamError(f"{link.host.name}: {lost}", lasting=False) from lost
        return stream

    async def attach(
        self, host: hosts.Host, what: command.Command, terminal: base.Terminal | None
    ) -> base.Session:
        """See `base.Attaching`; it takes the place of a command as long as it lasts."""
        link = self._link(host)
        async with self._using(link):
            await link.channels.acquire()
            try:
                session = await self._attach(link, what, terminal)
            except BaseException:
                link.channels.release()
                raise
        with contextlib.suppress(OSError):  # it has ended already, and `wait` says how
            await session.write(wire.outgoing(what)[1])
        return session

    async def _attach(
        self, link: "_Link", what: command.Command, terminal: base.Terminal | None
    ) -> streams.ChannelSession:
        def ended() -> None:
            link.channels.release()
            link.ended()

        line = wire.attached_line(link.host, what)
        while True:
            connection, _ = await self._connection(link, ())
            try:
                async with asyncio.timeout(OPENING):
                    opened = await connection.open_session(line, encoding=None, **_terminal_words(terminal))
                return streams.ChannelSession(*opened, ended)
            except (asyncssh.Error, OSError, TimeoutError) as failure:
                if isinstance(failure, asyncssh.ChannelOpenError) and await link.makes_room():
                    continue
                raise self._no_session(link, str(failure) or "no answer") from failure

    def key_of(self, host: hosts.Host) -> str:
        """See `base.Keyed`."""
        at = self._link(host).target
        return at.let_in_by if at is not None else ""

    async def close(self) -> None:
        """Close all connections, those that others lead through last."""
        self._openssh.close()
        await self._runner.close()
        for link in sorted(self._links.values(), key=lambda link: link.jump):
            await link.close()
        self._links.clear()

    async def fetch_host_keys(self, host: hosts.Host) -> list[tuple[str, str, str]]:
        """The keys that *host* shows, unverified: (algorithm, SHA256 fingerprint, line for known_hosts).

        Raises:
            UnreachableError: it cannot be reached.
        """
        at = await self._target(_Link(host), ())
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
        async with (
            link.users.entered(self._places), link.channels, contextlib.AsyncExitStack() as working,
        ):
            await working.enter_async_context(link.workers.entered(self._slots))
            exchange.proving = not link.proven
            opened = await self._ready(link, exchange)
            if opened is None or not await self._carried(link, exchange, opened, working):
                await self._carried(link, exchange, await self._open(link, exchange), working)

    async def _carried(
        self, link: "_Link", exchange: wire.Exchange, opened: sessions.Opened, working: contextlib.AsyncExitStack
    ) -> bool:
        """Whether *exchange* came to its end by *opened*; False: it was not begun, or only looks, and is to be asked anew."""
        if exchange.what.streams:
            await working.aclose()
        else:
            link.prepare(self._runner)
        stdin = opened.stdin(exchange)
        sent_at = uplink.now()
        try:
            if opened.waits and exchange.what.looks:
                if not await _carried_at_once(link, exchange, opened, stdin):
                    return False
            else:
                await exchange.carry(stdin, waiting=opened.waits)
        finally:
            opened.channel.close()
            if opened.session.whole:
                opened.way.heard(sent_at)
            link.ended()
            link.proven = link.proven or exchange.proven
            if exchange.cut:
                link.suspect()
        if not opened.was_refused(exchange):
            return True
        exchange.withdraw()
        link.keeps_ready = link.keeps_ready and opened.session.timed_out
        return False

    async def _ready(self, link: "_Link", exchange: wire.Exchange) -> sessions.Opened | None:
        """The session that was opened ahead, if there is one; the one after it is opened already now.

        What changes something goes there only once the host has shown that it is there, or has just done so: a connection that
        died unnoticed, which takes longer than that, has run nothing. See docs/decisions/0103.
        """
        await self._connection(link, ())
        shown = link.ready is not None and not link.ready.done()  # by opening this session only now
        ready = await link.take_ready()
        if ready is None:
            return None
        if not exchange.what.streams:
            link.prepare(self._runner)
        try:
            shown = shown or exchange.what.looks or ready.way.was_heard_just_now
            usable = ready.is_open and (shown or await link.confirms(ready))
        except asyncio.CancelledError:
            ready.channel.close()
            raise
        if not usable:
            ready.channel.close()
            link.ended()
            link.keeps_ready = link.keeps_ready and not ready.session.gave_up  # this host lets no shell wait, or not for long
            return None
        ready.take(exchange)
        if not exchange.what.looks:
            ready.session.be_sure()
        return ready

    async def _open(self, link: "_Link", exchange: wire.Exchange) -> sessions.Opened:
        again = True
        while True:
            connection, way = await self._connection(link, ())
            session = sessions.Session(exchange)
            opening = asyncio.create_task(_opened(connection, session, exchange))
            limit = _unanswered()
            try:
                async with asyncio.timeout(limit):
                    channel = await asyncio.shield(opening)
            except asyncio.CancelledError:
                opening.add_done_callback(_close_late)
                raise
            except TimeoutError as late:  # nothing was run yet, and a session that opens later is closed
                session.leave()
                opening.add_done_callback(_close_late)
                link.suspect()
                if again:
                    again = False
                    continue
                raise self._no_session(link, f"no answer within {limit:g} s") from late
            except (asyncssh.Error, OSError) as failure:
                session.leave()
                if again and connection.is_closed():  # it died unnoticed; nothing was run yet
                    again = False
                    continue
                if await link.makes_room():
                    continue
                raise self._no_session(link, str(failure)) from failure
            return sessions.Opened(channel, session, way)

    def _no_session(self, link: "_Link", why: str) -> errors.UnreachableError:
        assert link.target is not None
        name = link.host.name
        return errors.UnreachableError(f"{name} opens no session: {why}", f"try by hand: {link.target.by_hand()}", host=name)

    def _link(self, host: hosts.Host) -> "_Link":
        return self._links.setdefault((host.name, host.user, host.port, host.jump), _Link(host))

    async def _connection(
        self, link: "_Link", chain: tuple[str, ...]
    ) -> tuple[asyncssh.SSHClientConnection, uplink.Uplink]:
        if link.suspected or not link.stands():
            if link.opening is None or link.opening.done():
                link.opening = self._runner.keep(self._reopen(link, chain))
            await asyncio.shield(link.opening)
        assert link.connection is not None and link.uplink is not None
        return link.connection, link.uplink

    async def _reopen(self, link: "_Link", chain: tuple[str, ...]) -> None:
        if link.suspected and await link.returned():
            return
        await link.close()
        if len(self._links) > self._max:  # else nobody has to give way, and a fleet is not gone through for each of its hosts
            others = [one for one in self._links.values() if one.counts() and one is not link]
            idle = [one for one in others if not one.users.count]
            for old in idle[: max(0, len(others) + 1 - self._max)]:
                await old.close()
        limit = 6 * float(link.host.connect_timeout or self._settings["connect_timeout"] or reaching.CONNECT) + 10
        limit += configuration.LIMIT
        try:
            async with asyncio.timeout(limit) as bound:
                link.target = await self._target(link, chain)
                limit = max(limit, 6 * link.target.patience + 10)
                bound.reschedule(asyncio.get_running_loop().time() + limit)
                link.connected(await link.target.connect())
                self._tell(f"{link.host.name}: connected: {link.target.by_hand()}")
        except TimeoutError as late:  # such as two jump hosts that wait for each other
            name = link.host.name
            raise errors.UnreachableError(f"{name} could not be connected within {limit:g} s", host=name) from late

    async def _target(self, link: "_Link", chain: tuple[str, ...]) -> target.Target:
        """How the host of *link* is reached, with the connection to its jump host open."""
        found = await target.resolve(link.host, self._settings, self._user, self._known_hosts, self._openssh)
        if found.jump:
            jump = await self._tunnel(link.host, found.jump, (*chain, link.host.name))
            assert jump.connection is not None and jump.target is not None
            found.lead_through(jump.connection, jump.target.way())
            link.through = jump
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
        if listed is None:  # read by the same configuration, as by `ssh`
            through = dataclasses.replace(through, ssh_config=host.ssh_config)
        link = self._link(dataclasses.replace(through, jump=before) if before else through)
        link.jump = True
        try:
            await self._connection(link, chain)
        except errors.TransportError as failure:
            unknown = isinstance(failure, errors.HostKeyError) and listed is None
            first = f"add {through.name} to hosts: in lading.yaml; " if unknown else ""
            kind = errors.HostKeyError if isinstance(failure, errors.HostKeyError) else errors.UnreachableError
            raise kind(  # the key of the host itself was not seen
                f"on the way to {host.name}: {failure.message}", first + failure.hint, host=host.name
            ) from failure
        return link


class _Shared:
    """What all commands of a link hold together: the first one takes it, the last one gives it back."""

    def __init__(self) -> None:
        self.count = 0
        self._entering = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def entered(self, free: asyncio.Semaphore) -> AsyncIterator[None]:
        """Hold one of those that are *free*."""
        async with self._entering:
            if self.count == 0:
                await free.acquire()
            self.count += 1
        try:
            yield
        finally:
            self.count -= 1
            if self.count == 0:
                free.release()


class _Link:
    """The one connection to a host, and who uses it."""

    def __init__(self, host: hosts.Host) -> None:
        self.host = host
        self.connection: asyncssh.SSHClientConnection | None = None
        self.uplink: uplink.Uplink | None = None
        self.suspected = False
        """Whether the host was not heard when it should have been: the next one who comes asks first."""
        self.through: _Link | None = None
        """The link to the jump host that leads there."""
        self.opening: asyncio.Task[None] | None = None
        self.ready: asyncio.Task[sessions.Opened] | None = None
        """A session that is opened ahead: the next command's, which it costs one round trip less, or two."""
        self.keeps_ready = True
        """Whether the server has room for it, as far as is known."""
        self.channels = asyncio.Semaphore(CHANNELS)
        self.carries_programs = True
        """Whether there is room for a program beside commands, as far as is known."""
        self.programs: list[streams.ChannelStream] = []
        self.dialling = asyncio.Lock()
        """Held while a program is begun, or ended for a command that finds no room."""
        self.room_due = 0.0
        """Until when a session that is refused is asked for again."""
        self.program_due = 0.0
        """The same for a program."""
        self.users = _Shared()
        """All its commands: one of the connections that are allowed."""
        self.workers = _Shared()
        """Those that do not stream: one of the hosts that are worked on at once."""
        self.proven = False
        """Whether the host was seen to run what it is sent."""
        self.jump = False
        self.target: target.Target | None = None

    def counts(self) -> bool:
        """Whether it holds one of the connections that are allowed, or is about to."""
        return not self.jump and (self.connection is not None or (self.opening is not None and not self.opening.done()))

    def connected(self, connection: asyncssh.SSHClientConnection) -> None:
        """Use a new connection."""
        self.connection = connection
        self.uplink = uplink.Uplink(connection)
        self.suspected = False
        self.ready, self.keeps_ready = None, True

    def stands(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self.connection is not None and not self.connection.is_closed()

    def prepare(self, runner: wire.Runner) -> None:
        """Open a session ahead, unless there is one; it takes no place and no slot, and goes with its connection."""
        if self.ready is None and self.keeps_ready and self.stands() and not self.suspected:
            self.ready = runner.keep(self._open_ready())

    async def _open_ready(self) -> sessions.Opened:
        connection, way = self.connection, self.uplink
        assert connection is not None and way is not None
        try:
            return await sessions.open_waiting(connection, way, wire.waiting_line(self.host))
        except asyncssh.ChannelOpenError:  # no room, and nothing more is learnt of it: nobody has asked for this one
            if connection is self.connection and not self.has_just_ended():
                self.keeps_ready = False
            raise

    async def take_ready(self) -> sessions.Opened | None:
        """The session that was opened ahead, which is then the caller's; None if there is none."""
        opening, self.ready = self.ready, None
        if opening is None:
            return None
        try:
            async with asyncio.timeout(_unanswered()):
                return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_ready)
            raise
        except TimeoutError:
            opening.add_done_callback(_close_ready)
            self.suspect()
        except (asyncssh.Error, OSError):
            pass  # it is opened as any other, and then that is said
        return None

    async def drops_ready(self, *, for_good: bool) -> bool:
        """End the session that was opened ahead, for somebody who finds no room; False if there was none.

        *for_good*: no other one is opened.
        """
        self.keeps_ready = self.keeps_ready and not for_good
        ready = await self.take_ready()
        if ready is None:
            return False
        await ready.end()
        self.ended()
        self.program_due = self.room_due
        return True

    async def confirms(self, ready: sessions.Opened) -> bool:
        """Whether the host shows that it is there, and *ready* is still open."""
        try:
            async with asyncio.timeout(_unanswered()):
                await ready.way.reach()
        except TimeoutError:
            self.suspect()
            return False
        return ready.is_open

    async def makes_room(self) -> bool:
        """End what was opened ahead, else programs whose streams were opened, so that a command finds room.

        False if there was none, and none lately.
        """
        if await self.drops_ready(for_good=not self.has_just_ended()):
            return True
        async with self.dialling:  # one that is about to begin may have the room
            ending, self.programs = self.programs, []
            if ending:
                self.carries_programs = False
                await asyncio.gather(*(one.end() for one in ending))
                self.ended()
        if not self.has_just_ended():
            return False
        await asyncio.sleep(PAUSE)
        return True

    def has_just_ended(self) -> bool:
        """Whether a session has, so that there may be room in a moment."""
        return asyncio.get_running_loop().time() < self.room_due

    def program_ended(self) -> None:
        """A program leaves its place to the next one, which sshd may notice only in a moment."""
        self.channels.release()
        self.program_due = asyncio.get_running_loop().time() + ROOM

    async def program_has_just_ended(self) -> bool:
        """Whether its place may be free in a moment, which is waited for."""
        if asyncio.get_running_loop().time() >= self.program_due:
            return False
        await asyncio.sleep(PAUSE)
        return True

    def ended(self) -> None:
        """A session has ended, which sshd may notice only after it was asked for the next one."""
        self.room_due = asyncio.get_running_loop().time() + ROOM

    def suspect(self) -> None:
        """The link, or one on the way to its host, may be cut."""
        self.suspected = True
        if self.through is not None:
            self.through.suspect()

    async def returned(self) -> bool:
        """Whether the connection of a link that was cut can be used again; TCP may send late what it has kept."""
        if self.uplink is None or not self.stands():
            return False
        try:
            async with asyncio.timeout(RETURN):
                await self.uplink.reach()
        except TimeoutError:
            return False
        self.suspected = not self.stands()
        return not self.suspected

    async def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self.connection = self.connection, None
        self.ready = None
        if connection is not None:
            connection.close()
            await connection.wait_closed()
        if self.target is not None:
            self.target.let_go()


async def _carried_at_once(
    link: _Link, exchange: wire.Exchange, ready: sessions.Opened, stdin: uplink.Stdin
) -> bool:
    """Send what only looks, and ask the host for a sign of life meanwhile; False if neither that nor an answer comes."""
    living = asyncio.create_task(link.confirms(ready))
    carrying = asyncio.create_task(exchange.carry(stdin, waiting=True))
    try:
        await asyncio.wait({living, carrying}, return_when=asyncio.FIRST_COMPLETED)
        if not (carrying.done() or living.result() or ready.session.exited or exchange.answers):
            ready.session.leave()
            exchange.withdraw()
            return False
        ready.session.be_sure()
        await carrying
    finally:
        living.cancel()
        carrying.cancel()
        await asyncio.wait({living, carrying})
    return True


def _unanswered() -> float:
    """Seconds after which a host that answers nothing is taken for gone."""
    return beats.BEAT + beats.ANSWER


def _terminal_words(terminal: base.Terminal | None) -> dict[str, Any]:
    """What a session is opened with for somebody at a terminal."""
    if terminal is None:
        return {}
    return {"request_pty": True, "term_type": terminal.kind, "term_size": tuple(terminal.window),
            "term_modes": streams.PLAIN}


async def _opened(
    connection: asyncssh.SSHClientConnection, session: sessions.Session, exchange: wire.Exchange
) -> "asyncssh.SSHClientChannel[bytes]":
    line = wire.line(exchange.host, exchange.what, proving=exchange.proving)
    channel, _ = await connection.create_session(lambda: session, line, encoding=None)
    return channel


def _close_late(opening: "asyncio.Task[asyncssh.SSHClientChannel[bytes]] | asyncio.Task[streams.ChannelStream]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _close_ready(opening: "asyncio.Task[sessions.Opened]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().channel.close()
