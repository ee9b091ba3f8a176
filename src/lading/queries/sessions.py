"""Attach somebody to a command: in a running container of an app, or in one that is made for it and goes again."""

import asyncio
import contextlib
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from lading import context as contexts
from lading import errors, state
from lading.compose import complaints
from lading.dataclass import dataclass
from lading.drivers import base as drivers
from lading.drivers import refusals, wants
from lading.drivers.shell import observe, sessions
from lading.inventory import hosts
from lading.queries import look, meant
from lading.transport import base, command

LEFTOVER = 2.0  # seconds for the rest of the output once the command has ended
TIDY = 30.0  # seconds that a host has to remove what a run has made
READER_GONE = 128 + signal.SIGPIPE


class Ends(Protocol):
    """The person's own end: what is typed, what is shown, and signals."""

    @property
    def terminal(self) -> base.Terminal | None:
        """The terminal, if the command shall have one."""
        ...

    def begin(self, resized: Callable[[base.Window], None]) -> None:
        """From now on all that is typed is the command's; *resized* is called when the window has changed."""
        ...

    async def read(self) -> bytes:
        """What is typed; b"" at its end."""
        ...

    async def write(self, data: bytes, *, errors: bool) -> None:
        """Show what the command has said; *errors*: on stderr.

        Raises:
            OSError: nobody reads it any more.
        """
        ...

    async def signalled(self) -> signal.Signals:
        """The next signal that this process gets."""
        ...

    def note(self, text: str) -> None:
        """Say what people should know."""
        ...


@dataclass(frozen=True, slots=True)
class _Call:
    """One command: *what* is sent to *host*; *signals* makes the command that sends it a signal there.

    *place*: where the command is, for people; *stays*: it goes on there should nobody be attached any more.
    """

    host: hosts.Host
    what: command.Command
    signals: Callable[[str], command.Command]
    place: str
    stays: bool


async def execute(
    context: contexts.Context, asked: meant.Asked, argv: Sequence[str], ends: Ends
) -> int:
    """Run *argv* in the one running container that is meant; its exit status.

    Raises:
        InputError, RefusedError: no container or several are meant, or the host runs nothing there.
        TransportError: a host does not answer, or the connection was lost.
    """
    seen = await _look(context, asked)
    name, container = meant.container(seen, asked)
    marker, session = observe.marker(), secrets.token_hex(8)
    what = sessions.execute(
        marker, container.id, argv, session=session, at_terminal=ends.terminal is not None)

    def signalling(word: str) -> command.Command:
        return sessions.signal(observe.marker(), word, container=container.id, session=session)

    host = context.settings.inventory.hosts[name]
    return await _until_signalled(
        context, _Call(host, what, signalling, f"in {container.name} on {name}", stays=True), ends,
        contextlib.nullcontext())


async def run(
    context: contexts.Context, asked: meant.Asked, argv: Sequence[str],
    variables: Mapping[str, str], ends: Ends,
) -> int:
    """Run *argv*, or the service's own command, in a container of the deployed release that goes again.

    Raises:
        InputError, RefusedError: no host or several are meant, or the host runs nothing there.
        TransportError: a host does not answer, or the connection was lost.
    """
    seen = await _look(context, asked)
    name, app, made = meant.release_on(seen, asked)
    project = sessions.project_of_run(app.app, secrets.token_hex(6))
    common = {"STATE_DIR": context.settings.state_dir, "KNOWN_STATE_DIR": seen[name].facts.state_dir}
    what = sessions.run(
        observe.marker(), made, app, asked.service, argv, common=common, project=project,
        variables=variables, at_terminal=ends.terminal is not None)

    def signalling(word: str) -> command.Command:
        return sessions.signal(observe.marker(), word, project=project)

    host = context.settings.inventory.hosts[name]
    guard = sessions.guard(observe.marker(), app.app, common=common, project=project)
    call = _Call(host, what, signalling, f"in a container of its own on {name}", stays=False)
    return await _until_signalled(context, call, ends, _guarded(context, host, guard, ends))


async def _look(context: contexts.Context, asked: meant.Asked) -> Mapping[str, state.HostState]:
    """All hosts that may be meant; each of them has answered.

    Raises:
        InputError: there is no such host.
        UnknownReleaseError: no host knows the app.
        UnansweredError: not all have answered, so that nobody knows whether one is meant alone.
        RefusedError: a host is reached by what attaches nobody.
    """
    to = _chosen(context, asked)
    _, chosen = context.choose(to)
    for host in chosen if len(chosen) == 1 else ():
        _attaching(context, host)
    seen = await look.look(context, asked.app, to, wants.RECORDS)
    await context.check_known(asked.app, seen)
    contexts.check_answered(seen.silent, f"which container of {asked.app}/{asked.service} is meant")
    return seen.hosts


def _chosen(context: contexts.Context, asked: meant.Asked) -> Sequence[str]:
    """What `--to` says of the hosts that may be meant."""
    if not asked.host:
        return asked.to
    _, among = context.choose(asked.to)
    names = [host.name for host in among]
    if asked.host not in names:
        hint = complaints.nearest(asked.host, names) or f"hosts: {', '.join(names)}"
        where = f" in {', '.join(asked.to)}" if asked.to else ""
        raise errors.InputError(f"--host {asked.host}: there is no such host{where}", hint)
    return [asked.host]


def _attaching(context: contexts.Context, host: hosts.Host) -> base.Attaching:
    try:
        return base.attaching(context.transport, host)
    except base.NoStreamError as closed:
        raise errors.RefusedError(
            f"nobody can be attached to a command there: {closed.why}",
            "`transport: ssh` for this host (in lading.yaml) can do it; or log in there by ssh",
            host=host.name) from closed


async def _until_signalled(
    context: contexts.Context, call: _Call, ends: Ends,
    guarded: contextlib.AbstractAsyncContextManager[None],
) -> int:
    """The exit status of the command; that of a signal to this process, where the command is not sent it."""
    begun = asyncio.Event()
    working = asyncio.create_task(_attached(context, call, ends, guarded, begun))
    heeding = asyncio.create_task(_heed(context, call, ends, begun))
    await asyncio.wait([working, heeding], return_when=asyncio.FIRST_COMPLETED)
    try:
        return working.result() if working.done() else heeding.result()
    finally:
        for task in (working, heeding):
            task.cancel()
        await asyncio.gather(working, heeding, return_exceptions=True)


async def _heed(
    context: contexts.Context, call: _Call, ends: Ends, begun: asyncio.Event
) -> int:
    """Send the command the first signal, where it has no terminal for Ctrl-C; comes back when this process shall leave."""
    number = await ends.signalled()
    if not begun.is_set() or ends.terminal is not None:
        return 128 + number
    why = await _sent(context, call, number)
    if not why:
        number, why = await ends.signalled(), f"{number.name} was sent to it, and it has not ended"
    if call.stays:
        ends.note(f"the command {call.place} may go on: {why}")
    return 128 + number


async def _sent(context: contexts.Context, call: _Call, number: signal.Signals) -> str:
    """Send a signal to the command; why that cannot be done, or ""."""
    try:
        answer = await context.transport.run(call.host, call.signals(number.name.removeprefix("SIG")))
    except errors.LadingError as wrong:
        return wrong.message
    if "refused" in answer.parts:
        return f"{number.name} cannot be sent to it: its image needs sh and grep for that"
    return ""


async def _attached(
    context: contexts.Context, call: _Call, ends: Ends,
    guarded: contextlib.AbstractAsyncContextManager[None], begun: asyncio.Event,
) -> int:
    over = _attaching(context, call.host)
    async with guarded:
        session = await over.attach(call.host, call.what, ends.terminal)
        try:
            first = await _beginning(session, call, at_terminal=ends.terminal is not None)
            begun.set()
            ends.begin(session.resize)
            return await _carry(session, call, ends, first)
        except drivers.Refused as refused:
            raise _refusal(call, refused) from refused
        finally:
            session.close()


async def _beginning(
    session: base.Session, call: _Call, *, at_terminal: bool
) -> tuple[bytes, bytes]:
    """What the command itself has said first, by stdout and by stderr, which a terminal does not tell apart.

    Raises:
        Refused: the host does not begin it.
        UnreachableError: the connection was lost.
    """
    out = sessions.Beginning(call.what.marker)
    said = asyncio.create_task(_first_errors(session, call))
    try:
        while data := await session.read():
            if (first := out.feed(data)) is not None:
                return first, b"" if at_terminal else await said
        if await session.wait() is None:
            raise _lost(call)
        out.check((await said).decode("utf-8", "replace"))
    finally:
        said.cancel()
    raise AssertionError("unreachable")


async def _first_errors(session: base.Session, call: _Call) -> bytes:
    """The same of stderr; all that came, if the command does not begin."""
    said, came = sessions.Beginning(call.what.marker), b""
    while data := await session.read_errors():
        if (first := said.feed(data)) is not None:
            return first
        came += data
    return came


async def _carry(session: base.Session, call: _Call, ends: Ends, first: tuple[bytes, bytes]) -> int:
    """Carry all there and back until the command has ended; its status."""
    shown = [asyncio.create_task(_show(session.read, ends, first[0], errors=False)),
             asyncio.create_task(_show(session.read_errors, ends, first[1], errors=True))]
    ended = asyncio.create_task(session.wait())
    typed = asyncio.create_task(_type(session, ends))
    tasks = [*shown, ended, typed]
    try:
        while not (ended.done() and all(one.done() for one in shown)):
            rest = LEFTOVER if ended.done() else None
            waiting = [one for one in (ended, *shown) if not one.done()]
            done, _ = await asyncio.wait(waiting, timeout=rest, return_when=asyncio.FIRST_COMPLETED)
            if any(one.exception() for one in done):
                return READER_GONE
            if not done:  # what the command has left behind holds its output open
                break
        status = ended.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if status is None:
        raise _lost(call)
    return status


async def _show(
    read: Callable[[], Awaitable[bytes]], ends: Ends, first: bytes, *, errors: bool
) -> None:
    data = first or await read()
    while data:
        await ends.write(data, errors=errors)
        data = await read()


async def _type(session: base.Session, ends: Ends) -> None:
    with contextlib.suppress(OSError):  # it has ended, and reads no more
        while data := await ends.read():
            await session.write(data)
    session.write_eof()


@contextlib.asynccontextmanager
async def _guarded(
    context: contexts.Context, host: hosts.Host, guard: command.Command, ends: Ends
) -> AsyncIterator[None]:
    """While a script stands by on the host that removes what a run has made, whatever becomes of us.

    Raises:
        TransportError: it does not, or the connection was lost meanwhile.
    """
    ready, over = asyncio.Event(), asyncio.Event()

    def heard(name: str, content: bytes) -> bool:
        if name == "ready":
            ready.set()
        return False

    standing = asyncio.create_task(context.transport.run(host, guard, heard, over))
    begins = asyncio.create_task(ready.wait())
    await asyncio.wait([standing, begins], return_when=asyncio.FIRST_COMPLETED)
    begins.cancel()
    if not ready.is_set():
        answer = await standing
        raise errors.CommandError(
            f"nothing there stands by to remove the container: {answer.stderr.strip() or f'status {answer.status}'}",
            f"lading check {host.name}", host=host.name, step=guard.name)
    try:
        yield
    finally:
        over.set()
        await asyncio.wait([standing], timeout=TIDY)
        if not standing.done() or standing.exception() is not None:
            standing.cancel()
            ends.note(f"whether the container is removed on {host.name} is not known yet: "
                      f"what stands by there removes it within half a minute")


def _refusal(call: _Call, refused: drivers.Refused) -> errors.LadingError:
    name = call.host.name
    if refused.kind == "broken":
        return errors.CommandError(refusals.describe("broken", refused.text), f"lading check {name}",
                                   host=name, step=call.what.name)
    return errors.RefusedError(
        refusals.describe(refused.kind, refused.text), f"lading check {name}; lading where",
        host=name, step=call.what.name)


def _lost(call: _Call) -> errors.UnreachableError:
    return errors.UnreachableError(
        f"the connection to {call.host.name} was lost; how the command ended is unknown",
        f"it may still run {call.place}" if call.stays else "what it has done so far stays; its container goes",
        host=call.host.name, step=call.what.name)
