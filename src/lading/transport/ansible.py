"""Commands through Ansible's connections: for hosts that only Ansible reaches (plug-ins, become, bastions in group vars).

Ansible brings each command as a file and starts it apart from the connection; short raw commands then fetch what it has
written (ansible_detached.py). Everything else, the wire, cancelling, bounds, is as over SSH.
"""

import asyncio
import dataclasses
import re
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from lading import errors
from lading.inventory import hosts
from lading.transport import ansible_detached, ansible_session, base, beats, command, wire

T = TypeVar("T")
_GATHER = 0.05  # seconds in which hosts are gathered for one run of Ansible
RETURN = 5.0  # seconds in which a connection that was cut may show that it is back
_HOST_KEY = re.compile(r"host key verification failed|host identification has changed|host key is not known|not found in known_hosts", re.I)
_RIGHTS = re.compile(r"permission denied|authentication fail|password|too many authentication", re.I)


class AnsibleTransport:
    """Runs commands by Ansible; *lookup* gives the host that a jump names, if the inventory has it."""

    def __init__(
        self, reach: ansible_session.Reach, *, user: str = "", slack: float = wire.SLACK,
        lookup: Callable[[str], hosts.Host | None] = lambda name: None,
    ) -> None:
        self._reach = reach
        self._user = user
        self._slack = slack
        self._lookup = lookup
        self._runner = wire.Runner()
        self._sessions: list[ansible_session.Session] = []
        self._opening: dict[str, asyncio.Task[ansible_session.Session]] = {}
        self._suspected: set[str] = set()
        self._waiting: dict[str, hosts.Host] = {}
        self._next: asyncio.Task[ansible_session.Session] | None = None

    async def run(
        self, host: hosts.Host, what: command.Command, on_part: base.OnPart | None = None,
        until: asyncio.Event | None = None,
    ) -> command.Result:
        """Run *what* on *host*; see `base.Transport.run`."""
        exchange = wire.Exchange(host, what, on_part, self._slack, until)
        return await self._runner.run(exchange, self._carry(exchange))

    async def close(self) -> None:
        """End Ansible; on the hosts, commands with `changes` go on."""
        await self._runner.close()
        await asyncio.gather(*(session.close() for session in self._sessions))
        self._sessions.clear()

    async def _carry(self, exchange: wire.Exchange) -> None:
        session = await self._session(exchange.host)
        stdin = _Stdin()
        exchange.begin(stdin)
        following = _Following(session, exchange, stdin, self._runner)
        tasks = [asyncio.create_task(following.follow())]
        if exchange.what.beats:
            tasks.append(asyncio.create_task(following.watch()))
        if exchange.until is not None:
            tasks.append(asyncio.create_task(exchange.end_once_told(exchange.until)))
        try:
            await exchange.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            if exchange.cut:
                self._suspected.add(exchange.host.name)
            if following.place is not None and not following.ended:
                self._runner.keep(following.leave())

    async def _session(self, host: hosts.Host) -> ansible_session.Session:
        await self._ask_suspect(host.name)
        known = self._opening.get(host.name)
        if known is not None and known.done() and (known.exception() or known.result().failed(host.name)):
            known = None
        if known is None:
            if self._next is None:
                self._next = asyncio.create_task(self._start())
                self._next.add_done_callback(_seen)
            self._waiting[host.name] = host
            known = self._opening[host.name] = self._next
        return await asyncio.shield(known)

    async def _ask_suspect(self, host: str) -> None:
        """Leave the session of a host that was cut, unless it is back; for other hosts it goes on."""
        known = self._opening.get(host)
        if host not in self._suspected or known is None or not known.done() or known.exception():
            return
        try:
            async with asyncio.timeout(RETURN):
                await known.result().free(host)
        except TimeoutError:
            if self._opening.get(host) is known:
                del self._opening[host]
        self._suspected.discard(host)

    async def _start(self) -> ansible_session.Session:
        await asyncio.sleep(_GATHER)
        gathered, self._waiting, self._next = self._waiting, {}, None
        session = ansible_session.Session(list(gathered), self._reach, self._inventory(gathered.values()))
        self._sessions.append(session)
        await session.begin()
        return session

    def _inventory(self, gathered: Iterable[hosts.Host]) -> dict[str, Any]:
        """What lading.yaml says of hosts, as an inventory; beside one of Ansible's own only what that cannot know."""
        found: dict[str, dict[str, Any]] = {}
        for host in gathered:
            said: dict[str, Any] = {"ansible_become": True} if host.sudo else {}
            if not self._reach.inventories:
                said |= self._connection(host)
            found[host.name] = said
        return {"all": {"hosts": found}}

    def _connection(self, host: hosts.Host) -> dict[str, Any]:
        said: dict[str, Any] = {"ansible_host": host.address or host.name}
        said |= {"ansible_port": host.port} if host.port else {}
        user = host.user or (self._user if host.address else "")
        said |= {"ansible_user": user} if user else {}
        if host.jump:
            through = self._lookup(host.jump)
            at = host.jump if through is None else _jump(through, self._user)
            said["ansible_ssh_common_args"] = f"-o ProxyJump={at}"
        return said


def _jump(host: hosts.Host, user: str) -> str:
    name = f"{host.user or user}@" if host.user or user else ""
    return name + (host.address or host.name) + (f":{host.port}" if host.port else "")


def _seen(task: "asyncio.Task[ansible_session.Session]") -> None:
    if not task.cancelled():
        task.exception()  # whoever waits for it is told


class _Stdin:
    """What shall become of the command's stdin; its payload goes with it, and its beats are given on the host."""

    def __init__(self) -> None:
        self.ended = False

    async def say(self, word: bytes) -> None:
        """See `wire.Stdin`: nobody waits for a word where the engine is not asked itself."""

    def end(self) -> None:
        """See `wire.Stdin`."""
        self.ended = True

    def heard(self) -> None:
        """See `wire.Stdin`: that polls are answered is told by the session."""


class _Following:
    """One command on its host, followed to its end."""

    def __init__(
        self, session: ansible_session.Session, exchange: wire.Exchange, stdin: _Stdin, runner: wire.Runner
    ) -> None:
        self.session, self.exchange, self.stdin, self._runner = session, exchange, stdin, runner
        self.host = exchange.host.name
        self.place: ansible_detached.Place | None = None
        self.ended = False
        self._out = self._err = 0

    async def follow(self) -> None:
        """Bring the command, then fetch what it writes."""
        try:
            answer = await self._bring()
            while not self._take(answer):
                assert self.place is not None
                line = ansible_detached.poll(self.place, self._out, self._err, eof=self.stdin.ended)
                answer = await self._whole(self.session.line(self.host, line))
        except Exception as failure:
            self.exchange.fail(failure)

    async def watch(self) -> None:
        """Notice that a poll, which is the beat here, is not answered."""
        limit = beats.BEAT + beats.ANSWER
        while (left := limit - self.session.silent(self.host)) > 0:
            await asyncio.sleep(left)
        self.exchange.lose()

    async def _bring(self) -> ansible_session.Answer:
        """Have the command begin; in a new home if the session's is no more, as where a host clears up after logins."""
        # Ansible's become does what `sudo` asks for; `sudo_group` is of the line itself, as over SSH.
        line = wire.line(dataclasses.replace(self.exchange.host, sudo=False), self.exchange.what)
        sent = wire.outgoing(self.exchange.what)[1]
        for _ in range(2):
            place = await self._whole(self.session.place(self.host))
            if isinstance(place, ansible_session.Answer):
                return place
            self.place = place
            file = ansible_detached.launcher(place, line, sent, beats.BEAT if self.exchange.what.beats else 0.0)
            answer = await self._whole(self._begin(place, file))
            if answer.status != ansible_detached.HOMELESS:
                break
            self.session.moved_out(place, self.host)
        return answer

    async def _begin(self, place: ansible_detached.Place, file: bytes) -> ansible_session.Answer:
        secret = any(isinstance(chunk, command.Secret) for chunk in self.exchange.what.payload)
        line = None if secret else ansible_detached.launching(place, file)
        return await (self.session.file(self.host, file) if line is None else self.session.line(self.host, line))

    async def _whole(self, asking: Coroutine[None, None, T]) -> T:
        """The answer; a request that was begun is ended also if nobody waits any more."""
        task = asyncio.create_task(asking)
        self._runner.keep(_done(task))
        return await asyncio.shield(task)

    async def leave(self) -> None:
        """Nobody wants the rest."""
        assert self.place is not None
        await self.session.line(self.host, ansible_detached.leave(self.place))

    def _take(self, answer: ansible_session.Answer) -> bool:
        """Pass on what came; whether that was all."""
        came = ansible_detached.pieces(answer.stdout)
        if came is None:
            raise self._failure(answer)
        for piece in came.stderr:
            self.exchange.stderr(piece)
        for piece in came.stdout:
            self.exchange.stdout(piece)
        self._out += len(came.stdout)
        self._err += len(came.stderr)
        if came.status is not None and (came.ended or not (came.stdout or came.stderr)):
            self.exchange.exited(came.status)  # what was left in the background may hold the output open
        if came.ended:
            self.ended = True
            self.exchange.closed()
        return came.ended

    def _failure(self, answer: ansible_session.Answer) -> errors.TransportError:
        name, step = self.host, self.exchange.what.name
        said = " ".join((answer.said or answer.stdout).split())[-500:]
        if self.session.failed(self.exchange.host.name):
            return errors.UnreachableError(f"Ansible cannot play for {name}: {said}", f"try by hand: ansible -m raw -a id {name}", host=name)
        if _HOST_KEY.search(said):
            return errors.HostKeyError(f"{name}: {said}", f"lading hosts trust {name}", host=name)
        if _RIGHTS.search(said):
            return errors.AuthenticationError(f"{name}: {said}", f"try by hand: ansible -m raw -a id {name}", host=name)
        if self._out or self._err or not answer.unreachable:
            return errors.UnreachableError(f"the connection to {name} was lost while {step} ran: {said}",
                                           "what it did there is unknown; see with: lading where", host=name, step=step)
        return errors.UnreachableError(f"{name}: {said}", f"try by hand: ansible -m raw -a id {name}", host=name)


async def _done(task: "asyncio.Task[Any]") -> None:
    await asyncio.wait({task})
