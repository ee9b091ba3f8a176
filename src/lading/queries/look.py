"""LOOK at the fleet for a question: one round trip per host, in parallel; compared with the ledger if there is one."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from lading import context as contexts
from lading import errors, spans, state
from lading.drivers import wants
from lading.drivers.shell import observe
from lading.ledger import contradictions
from lading.state import damage


async def look(
    context: contexts.Context, app: str, to: Sequence[str], want: wants.Wants,
    since: Mapping[str, wants.Since] = MappingProxyType({}),
) -> state.FleetState:
    """All chosen hosts (all of the fleet without *to*), one round trip each."""
    _, chosen = context.choose(to)
    seen = await observe.fleet(
        context.transport, chosen, state_dir=context.settings.state_dir, engines=context.engines, app=app, facts=False, want=want, since=since)
    context.silent.update(seen.silent)
    return seen


async def compared(
    context: contexts.Context, app: str, to: Sequence[str], want: wants.Wants
) -> tuple[state.FleetState, tuple[contradictions.Contradiction, ...]]:
    """What is seen, and where hosts contradict the ledger, which is asked first: a deployment may end in between."""
    why = "it saw no deployment there" if context.ledger is not None else "there is none here"
    try:
        known = await context.commits(app)
    except errors.LedgerError as wrong:
        known, why = {}, wrong.message
    seen = await look(context, app, to, want, contradictions.reach(known))
    context.notes.extend(repairs(seen, app))
    for name, apart in contradictions.uncompared(seen, known).items():
        context.notes.append(f"{name} on {', '.join(spans.packed(apart))} is not compared with a ledger: {why}")
    return seen, tuple(one for name in known for one in contradictions.found(name, seen, known[name]).values())


def repairs(seen: state.FleetState, app: str = "") -> list[str]:
    """What is damaged so that nothing can be changed there, and what to type (pure)."""
    found = []
    for host in seen.hosts.values():
        for one in host.apps.values():
            wrong = damage.blocking(one) if app in ("", one.app) else None
            if wrong is not None:
                found.append(f"{one.app} on {host.host}: its {wrong.what} is damaged: {wrong.why}; "
                             f"lading repair {host.host} {one.app} writes it anew")
    return found
