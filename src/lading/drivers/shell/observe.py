"""LOOK: what runs where, all hosts at once, one round trip each; an unreachable host is a value."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from lading import errors, state
from lading.compose import restore
from lading.drivers import wants
from lading.drivers.shell import observation, parsers
from lading.inventory import hosts
from lading.transport import base, command

LARGE = 256 * 1024  # bytes of an answer that is read apart
READING = 5.0  # seconds of CPU that one host's answer may take


def marker() -> str:
    """A fresh random word that announces the parts of an answer."""
    return f"lading-{secrets.token_hex(8)}"


async def host(
    transport: base.Transport, where: hosts.Host, *, state_dir: str, app: str = "", nonce: str = "",
    binds: Sequence[str] = (), facts: bool = True, registries: Sequence[str] = (),
    sources: Sequence[str] = (), volumes: Sequence[str] | None = None, data: Sequence[str] = (), probe: bool = False,
    want: wants.Wants = wants.CHANGE, since: wants.Since = (),
) -> state.HostState:
    """What is on one host: one app, or all of lading's if *app* is empty."""
    what = observation.observe(marker(), state_dir=state_dir, app=app, nonce=nonce, binds=binds, facts=facts,
                          registries=registries, sources=sources, volumes=volumes, data=data, probe=probe, host=where.name, want=want, since=since)
    try:
        result = await transport.run(where, what)
        if sum(map(len, result.parts.values())) > LARGE:  # the other hosts do not wait for it
            return await asyncio.to_thread(_checked, where.name, result)
        return _checked(where.name, result)
    except errors.TransportError as lost:
        return state.HostState(where.name, error=lost.message, error_kind=lost.kind, error_hint=lost.hint)


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
        return state.HostState(name, error="what lading keeps there could not be told: awk failed", error_kind="command",
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


async def fleet(
    transport: base.Transport, where: Sequence[hosts.Host], *, state_dir: str, app: str = "", nonce: str = "",
    binds: Sequence[str] = (), facts: bool = True, registries: Sequence[str] = (),
    sources: Sequence[str] = (), volumes: Sequence[str] | None = None, data: Sequence[str] = (), probe: bool = False,
    want: wants.Wants = wants.CHANGE, since: Mapping[str, wants.Since] = MappingProxyType({}),
) -> state.FleetState:
    """`host` for all of them in parallel, in their order; *since* by host."""
    seen = await asyncio.gather(*(
        host(transport, one, state_dir=state_dir, app=app, nonce=nonce, binds=binds, facts=facts,
             registries=registries, sources=sources, volumes=volumes, data=data, probe=probe,
             want=want, since=since.get(one.name, ())) for one in where
    ))
    return state.FleetState({one.host: one for one in seen})
