"""Back to the previous release or to any kept one: whole, from what the hosts keep, without registry or ledger."""

from collections.abc import Mapping, Sequence
from typing import Any

from lading import canonical, errors, observe, state
from lading import context as contexts
from lading.compose import release as releases
from lading.deploy import ended, running, start
from lading.engines import base
from lading.plan import planner, steps


async def rollback(
    context: contexts.Context, app: str, to: Sequence[str], *, release: str = "", reason: str = "",
    take_lease: bool = False,
) -> ended.Ended:
    """Bring an app back to *release* (an id, the beginning of one, or a version), or to the one before the current.

    Raises:
        UnknownReleaseError: a host does not keep it; what is kept is named.
        RefusedError, TransportError, LedgerError: nothing was changed.
    """
    destination, chosen = context.settings.inventory.choose(to)
    seen = await observe.fleet(context.transport, chosen, state_dir=context.settings.state_dir, app=app)
    start.check_reachable(seen)
    wanted = {name: _target(name, host, app, release) for name, host in seen.hosts.items()}
    if len(set(wanted.values())) > 1:
        alike = len({*map(canonical.short, wanted.values())}) == 1
        told = ", ".join(f"{name}: {target if alike else canonical.short(target)}" for name, target in wanted.items())
        raise errors.UnknownReleaseError(f"the hosts would go back to different releases ({told})",
                                         f"name one: lading rollback {app} --release ID --to {destination.name}")
    known = running.known_releases(seen, app)
    target = known[next(iter(wanted.values()))]
    plans = {name: _plan(name, target, host.apps[app], host) for name, host in seen.hosts.items()}
    whole = planner.plan(target, destination.name, plans, back=True)
    current = next(host.apps[app].current for host in seen.hosts.values())
    begin = {
        "verb": "rollback", "app": app, "version": target.version, "destination": current.destination if current else "",
        "source": current.source if current else "", "commit": "", "actor": context.actor, "reason": reason,
        "url": context.url, "plan": whole.hash, "participants": [n for batch in whole.batches for n in batch],
        "parallelism": max(map(len, whole.batches), default=0),
    }
    job = base.Job(
        plan=whole, release=target, bundle=None, known=known, hosts={host.name: host for host in chosen},
        deployment=start.new_id(), begin=begin, state_dir=context.settings.state_dir, holder=context.actor,
        since=contexts.now(), url=context.url, take_lease=take_lease, keep_jobs=True, stop=context.stop,
    )
    return await running.carry_out(context, job, verb="rollback", reason=reason, plan=whole)


def _target(host: str, seen: state.HostState, app: str, wanted: str) -> str:
    mine = seen.apps.get(app)
    if mine is None or mine.current is None:
        raise errors.UnknownReleaseError(f"{app} is not deployed on {host}", f"lading where {app}", host=host)
    kept = {name: raw.get("version", "") for name, raw in mine.releases.items()}
    shown = ", ".join(f"{canonical.short(name)} ({version})" for name, version in kept.items() if name != mine.current.release)
    if wanted:
        found = [n for n, v in kept.items() if n.startswith(wanted)] or [n for n, v in kept.items() if v == wanted]
        if len(found) > 1:
            raise errors.UnknownReleaseError(f"{host} keeps more than one release {wanted} of {app}",
                                             f"say more of: {', '.join(sorted(found))}", host=host)
        if not found:
            raise errors.UnknownReleaseError(f"{host} keeps no release {wanted} of {app}",
                                             f"kept there: {shown or 'none'}", host=host)
        return found[0]
    past = [str(line.get("to")) for line in mine.journal if line.get("kind") == "committed"]
    before = [name for name in reversed(past) if name != mine.current.release and name in kept]
    if not before:
        raise errors.UnknownReleaseError(f"{host} keeps no release of {app} before {canonical.short(mine.current.release)}",
                                         f"kept there: {shown or 'none'}", host=host)
    return before[0]


def _plan(name: str, target: releases.Release, app: state.AppState, host: state.HostState) -> steps.HostPlan:
    numbers = _numbers(target, app.journal, app)
    return planner.plan_host(name, target, numbers, (), app, running.kept_release(app), host.attached(target.app))


def _numbers(
    target: releases.Release, journal: Sequence[Mapping[str, Any]], app: state.AppState
) -> dict[str, int]:
    """The secret generations with which the host last ran a release: kept with it, so no secret is asked for."""
    for line in reversed(journal):
        if line.get("kind") == "begin" and line.get("to") == target.id:
            return {name: int(number) for name, number in line.get("generations", {}).items()}
    return {name: max(app.secrets.get(name, {1: ""})) for name in target.secrets}
