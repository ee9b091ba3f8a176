"""LOOK: what runs where, all hosts at once, one round trip each; an unreachable host is a value."""

import asyncio
import secrets
from collections.abc import Sequence

from lading import errors, state
from lading.commands import answers, command, docker
from lading.inventory import hosts
from lading.transport import base


def marker() -> str:
    """A fresh random word that announces the parts of an answer."""
    return f"lading-{secrets.token_hex(8)}"


async def host(
    transport: base.Transport, where: hosts.Host, *, state_dir: str, app: str = "", nonce: str = "",
    binds: Sequence[str] = (), facts: bool = True, registries: Sequence[str] = (),
) -> state.HostState:
    """What is on one host: one app, or all of lading's if *app* is empty."""
    what = docker.observe(marker(), state_dir=state_dir, app=app, nonce=nonce, binds=binds, facts=facts,
                          registries=registries)
    try:
        result = await transport.run(where, what)
        return _checked(where.name, result)
    except errors.TransportError as lost:
        return state.HostState(where.name, error=lost.message, error_kind=lost.kind, error_hint=lost.hint)


def _checked(name: str, result: command.Result) -> state.HostState:
    if "end" not in result.parts:
        said = result.stderr.strip().splitlines()
        return state.HostState(
            name, error=f"looking failed with status {result.status}: {said[-1] if said else 'no output'}",
            error_kind="command",
        )
    try:
        return answers.from_result(name, result)
    except ValueError as newer:
        return state.HostState(name, error=str(newer), error_kind="format", error_hint="install the newer lading")


async def fleet(
    transport: base.Transport, where: Sequence[hosts.Host], *, state_dir: str, app: str = "", nonce: str = "",
    binds: Sequence[str] = (), facts: bool = True, registries: Sequence[str] = (),
) -> state.FleetState:
    """`host` for all of them in parallel, in their order."""
    seen = await asyncio.gather(*(
        host(transport, one, state_dir=state_dir, app=app, nonce=nonce, binds=binds, facts=facts,
             registries=registries) for one in where
    ))
    return state.FleetState({one.host: one for one in seen})
