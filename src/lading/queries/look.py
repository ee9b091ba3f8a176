"""LOOK at the fleet for a question: one round trip per host, in parallel; compared with the ledger if there is one."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from lading import context as contexts
from lading import errors, spans, state
from lading.dataclass import dataclass
from lading.drivers import wants
from lading.drivers.shell import observe
from lading.inventory import hosts
from lading.ledger import contradictions
from lading.placement import exclusion
from lading.queries import absent
from lading.state import damage


async def look(
    context: contexts.Context, app: str, to: Sequence[str], want: wants.Wants,
    since: Mapping[str, wants.Since] = MappingProxyType({}),
) -> state.FleetState:
    """All chosen hosts (all of the fleet without *to*), one round trip each; excluded ones as `Context.to_look_at` has it.

    That an excluded one is silent is a note.
    """
    asked, excluded = await context.to_look_at(to)
    return await _ask(context, app, asked, excluded, want, since)


async def _ask(
    context: contexts.Context, app: str, asked: Sequence[hosts.Host], excluded: exclusion.Excluded, want: wants.Wants,
    since: Mapping[str, wants.Since],
) -> state.FleetState:
    seen = await observe.fleet(
        context.transport, asked, state_dir=context.settings.state_dir, engines=context.engines, app=app, facts=False, want=want, since=since)
    gone = {name: why for name, why in seen.silent.items() if name in excluded}
    context.notes.extend(f"{name} is excluded, and does not answer: {why}" for name, why in gone.items())
    kept = state.FleetState({name: host for name, host in seen.hosts.items() if name not in gone})
    context.silent.update(kept.silent)
    return kept


@dataclass(frozen=True, slots=True)
class Compared:
    """What is *seen*, *wrong*: where hosts contradict the ledger, and the hosts that are excluded."""

    seen: state.FleetState
    wrong: tuple[contradictions.Contradiction, ...]
    absent: tuple[absent.Absent, ...]


async def compared(
    context: contexts.Context, app: str, to: Sequence[str], want: wants.Wants
) -> Compared:
    """What is seen, and what the ledger says of it, which is asked first: a deployment may end in between."""
    why = "it saw no deployment there" if context.ledger is not None else "there is none here"
    try:
        known = await context.commits(app)
    except errors.LedgerError as wrong:
        known, why = {}, wrong.message
    asked, excluded = await context.to_look_at(to)
    left = await _absent(context, excluded)
    seen = await _ask(context, app, asked, excluded, want, contradictions.reach(known))
    context.notes.extend(repairs(seen, app))
    for name, apart in contradictions.uncompared(seen, known).items():
        context.notes.append(f"{name} on {', '.join(spans.packed(apart))} is not compared with a ledger: {why}")
    otherwise = tuple(one for name in known for one in contradictions.found(name, seen, known[name]).values())
    return Compared(seen, otherwise, left)


async def _absent(context: contexts.Context, excluded: exclusion.Excluded) -> tuple[absent.Absent, ...]:
    """The excluded hosts of the choice, with what they have missed."""
    if not excluded or context.ledger is None:
        return ()
    try:
        missed = await context.ledger.missed(excluded)
    except errors.LedgerError as wrong:
        context.notes.append(f"nobody can say what {', '.join(excluded)} has missed: {wrong.message}")
        missed = dict.fromkeys(excluded, ())
    return tuple(absent.Absent(one, tuple(missed[name])) for name, one in excluded.items())


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
