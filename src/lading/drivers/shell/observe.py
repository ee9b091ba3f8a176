"""LOOK: what runs where, all hosts at once; an unreachable host is a value.

A script tells of lading's own files. Where the host lets that through, its engine is asked itself,
beside the script; else the script asks it, by docker's client.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from lading import errors, state
from lading.compose import restore
from lading.dataclass import dataclass
from lading.drivers import wants
from lading.drivers.engine_api import engine, looking
from lading.drivers.shell import observation, parsers
from lading.inventory import hosts
from lading.transport import base, command

LARGE = 256 * 1024  # bytes of an answer that is read apart
READING = 5.0  # seconds of CPU that one host's answer may take


def marker() -> str:
    """A fresh random word that announces the parts of an answer."""
    return f"lading-{secrets.token_hex(8)}"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of each host; see `observation.observe`."""

    state_dir: str
    app: str = ""
    nonce: str = ""
    binds: Sequence[str] = ()
    facts: bool = True
    registries: Sequence[str] = ()
    sources: Sequence[str] = ()
    volumes: Sequence[str] | None = None
    data: Sequence[str] = ()
    probe: bool = False
    want: wants.Wants = wants.CHANGE
    since: wants.Since = ()

    def command(self, host: str, apart: observation.Apart | None) -> command.Command:
        """The script that asks it of *host*."""
        return observation.observe(
            marker(), state_dir=self.state_dir, app=self.app, nonce=self.nonce, binds=self.binds,
            facts=self.facts, registries=self.registries, sources=self.sources,
            volumes=self.volumes, data=self.data, probe=self.probe, host=host, want=self.want,
            since=self.since, apart=apart)

    @property
    def wanted(self) -> looking.Wanted:
        """What of it the engine tells."""
        return looking.Wanted(self.app, self.facts, self.volumes)


async def fleet(
    transport: base.Transport, where: Sequence[hosts.Host], *, state_dir: str, app: str = "",
    nonce: str = "", binds: Sequence[str] = (), facts: bool = True, registries: Sequence[str] = (),
    sources: Sequence[str] = (), volumes: Sequence[str] | None = None, data: Sequence[str] = (),
    probe: bool = False, want: wants.Wants = wants.CHANGE,
    since: Mapping[str, wants.Since] = MappingProxyType({}),
    engines: engine.Engines | None = None,
) -> state.FleetState:
    """What is on all of them, asked in parallel, in their order.

    *app*: one app, "" = all of lading's; *since*: by host; *engines*: by whom the hosts' engines
    are asked themselves, None = by scripts.
    """
    question = Question(
        state_dir, app, nonce, binds, facts, registries, sources, volumes, data, probe, want)
    looks = []
    for one in where:
        own = replace(question, since=since.get(one.name, ()))
        dockerd = engines.of(one) if engines is not None else None
        looks.append(host(transport, one, own, dockerd))
    seen = await asyncio.gather(*looks)
    return state.FleetState({one.host: one for one in seen})


async def host(
    transport: base.Transport, where: hosts.Host, question: Question,
    dockerd: engine.Engine | None = None,
) -> state.HostState:
    """What is on one host."""
    try:
        result, seen = await _answers(transport, where, question, dockerd)
        if sum(map(len, result.parts.values())) > LARGE:  # other hosts do not wait for it
            found = await asyncio.to_thread(_checked, where.name, result)
        else:
            found = _checked(where.name, result)
    except errors.TransportError as lost:
        return state.HostState(
            where.name, error=lost.message, error_kind=lost.kind, error_hint=lost.hint)
    return noted(found, dockerd, seen)


async def by_script(
    transport: base.Transport, where: hosts.Host, question: Question
) -> state.HostState:
    """What is on one host, whose engine a script asks.

    Raises:
        TransportError: it does not answer.
    """
    return _checked(where.name, await transport.run(where, question.command(where.name, None)))


def noted(
    found: state.HostState, dockerd: engine.Engine | None, seen: looking.Seen | None
) -> state.HostState:
    """The same, with the way by which its engine was asked, and what only that has told.

    The engine is told what the host has said, for what is asked later in this call.
    """
    if dockerd is None or not found.reachable:
        return found
    if seen is not None:
        dockerd.state_dir = found.facts.state_dir
        dockerd.told = found.facts.docker_info or dockerd.told
        if seen.marks is not None:
            dockerd.marks = seen.marks
    facts = replace(found.facts, api=dockerd.described)
    return replace(found, facts=facts, is_settled=seen is not None and seen.is_settled)


def apart(dockerd: engine.Engine) -> observation.Apart:
    """What is known of an engine, for a script that runs beside it."""
    known = observation.Apart(dockerd.state_dir, info=dockerd.told)
    return replace(known, docker_root=dockerd.root) if dockerd.root else known


async def _answers(
    transport: base.Transport, where: hosts.Host, question: Question, dockerd: engine.Engine | None
) -> tuple[command.Result, looking.Seen | None]:
    """What a host's script says, and its engine beside it; None where the script has asked that."""
    if dockerd is None or dockerd.is_client_only:
        return await transport.run(where, question.command(where.name, None)), None
    beside = asyncio.create_task(looking.look(dockerd, question.wanted))
    beside.add_done_callback(_unawaited)
    try:
        known = apart(dockerd)
        result = await transport.run(where, question.command(where.name, known))
        found, seen = await _joined(result, question, dockerd, beside)
        if question.facts and dockerd.root != known.docker_root:  # the script measured another disk
            again = await transport.run(where, question.command(where.name, apart(dockerd)))
            found = await joined(again, dockerd, seen)
        return found, seen
    except (engine.UnavailableError, ValueError):
        return await transport.run(where, question.command(where.name, None)), None
    finally:
        beside.cancel()
        await asyncio.wait({beside})


def _unawaited(beside: "asyncio.Task[looking.Seen]") -> None:
    """What became of a look that nobody waits for any more is no news."""
    if not beside.cancelled():
        beside.exception()


async def _joined(
    result: command.Result, question: Question, dockerd: engine.Engine,
    beside: "asyncio.Task[looking.Seen]",
) -> tuple[command.Result, looking.Seen]:
    """A script's answer with that of the engine in it.

    Raises:
        UnavailableError, ValueError: the engine has given none.
    """
    if "end" not in result.parts or "socket" not in result.parts:
        raise engine.UnavailableError("the script's answer is not whole")
    socket = result.text("socket")
    if socket != dockerd.socket:  # nothing that is still asked there counts as said here
        beside.cancel()
        await asyncio.wait({beside})
    if dockerd.use_socket(socket):
        seen = await _told(looking.look(dockerd, question.wanted))
    else:
        seen = await _told(beside)
    return await joined(result, dockerd, seen), seen


async def _told(looked: Awaitable[looking.Seen]) -> looking.Seen:
    """What an engine says; a host that is lost meanwhile has said nothing.

    Raises:
        UnavailableError, ValueError: it says nothing, or what cannot be read.
    """
    try:
        return await looked
    except errors.TransportError as lost:
        raise engine.UnavailableError(lost.message) from lost


async def joined(
    result: command.Result, dockerd: engine.Engine, seen: looking.Seen
) -> command.Result:
    """A script's answer with what the engine has said beside it, as if the script had asked it.

    Raises:
        UnavailableError, ValueError: the engine does not say more.
    """
    parts = dict(result.parts)
    facts = [parts.get("facts", b"").decode("utf-8", "replace"), *seen.info, *seen.listed]
    if "engine-id" in parts:
        facts += await looking.own_info(dockerd)
    parts["facts"] = _lines(facts)
    parts["containers"] = _lines([*seen.containers, *await _adopted(dockerd, parts)])
    if "marks" in parts:
        known = seen.marks if seen.marks is not None else await looking.marks(dockerd)
        parts["marks"] = _lines([f"lading-state-{app} {where}" for app, where in known.items()])
    if seen.volumes is not None:
        parts["volumes"] = _lines(seen.volumes)
    return replace(result, parts=parts)


async def _adopted(dockerd: engine.Engine, parts: Mapping[str, bytes]) -> list[str]:
    """The containers of adopted apps, which have no label of lading's, where all apps are shown."""
    if "others" in parts:  # one app was looked at
        return []
    found: list[str] = []
    for name, said in parts.items():
        if name.startswith("current:") and b'"adopted":' in said:
            found += await looking.containers(dockerd, name.removeprefix("current:"))
    return found


def _lines(found: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in found).encode("utf-8", "replace")


def _checked(name: str, result: command.Result) -> state.HostState:
    if "end" not in result.parts:
        said = result.stderr.strip().splitlines()
        return state.HostState(
            name, error=f"it did not answer in full (exit status {result.status}): {said[-1][:300] if said else 'it said nothing'}",
            error_kind="command", error_hint=f"lading check {name}",
        )
    return answered(name, result)


def answered(name: str, result: command.Result) -> state.HostState:
    """What a host's answer says of it; one that cannot be read, or only by a newer lading, is an error of that host."""
    if "broken" in result.parts:
        return state.HostState(
            name, error="what lading keeps there could not be told: awk failed",
            error_kind="command",
            error_hint=f"on {name}: command -v awk tail; then lading check {name}")
    try:
        spend = _bounded(name)
        seen = parsers.from_result(name, result, spend)
        apps = {}
        for app, one in seen.apps.items():
            spend()
            apps[app] = restore.readable(one)
        return replace(seen, apps=apps)
    except errors.TransportError as much:
        return state.HostState(name, error=much.message, error_kind=much.kind, error_hint=much.hint)
    except state.NewerError as newer:
        return state.HostState(name, error=str(newer), error_kind="format", error_hint="install the newer lading")
    except ValueError as wrong:
        return state.HostState(name, error=str(wrong), error_kind="command", error_hint=f"on {name}: docker version; docker ps -a")


def _bounded(name: str) -> Callable[[], None]:
    """What ends the reading of one host's answer when that has taken READING seconds of this machine's time."""
    begun = time.thread_time()

    def spend() -> None:
        if time.thread_time() - begun > READING:
            raise errors.CommandError(
                f"{name} answers so much that reading it takes more than {READING:g} s",
                f"see what lies there: lading check {name}; its folders apps/*/releases, apps/*/journal, docker ps -a", host=name,
            )

    return spend
