"""Back to the previous release or to any kept one: whole, from what the hosts keep, without registry or ledger."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from lading import canonical, errors, spans, state
from lading import context as contexts
from lading.compose import release as releases
from lading.dataclass import dataclass
from lading.deploy import (
    contradicting,
    ended,
    execution,
    host_checks,
    mounted,
    on_host,
    order,
    placing,
    policy,
    takeover,
    usual,
    waiting,
)
from lading.drivers import base as drivers
from lading.engines import base, preflight
from lading.health import verdict
from lading.inventory import hosts
from lading.placement import assignment
from lading.plan import mounts, planner, steps
from lading.transport import command


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with what it was made from: what each host has of the app, and the releases that it keeps."""

    plan: steps.Plan
    target: releases.Release
    apps: Mapping[str, state.AppState]
    kept: Mapping[str, Mapping[str, releases.Release]]


async def plan(context: contexts.Context, app: str, to: Sequence[str], *, release: str = "") -> steps.Plan:
    """What `rollback` would do; nothing is changed anywhere.

    Raises:
        UnknownReleaseError, RefusedError, TransportError: as `rollback`.
    """
    placed = await placing.place(context, to, lambda _: app)
    seen = await look_whole(context, placed.chosen, app)
    made = _prepare(placed, seen, app, release).plan
    return replace(made, usual=await usual.roll_seconds(context.ledger, app, placed.destination.name))


async def rollback(
    context: contexts.Context, app: str, to: Sequence[str], *, release: str = "", reason: str = "",
    take_lease: bool = False,
) -> ended.Ended:
    """Bring an app back to *release* (an id, the beginning of one, or a version), or to the one before the current.

    Raises:
        UnknownReleaseError: a host does not keep it; what is kept is named.
        RefusedError, TransportError, LedgerError: nothing was changed.
    """
    placed = await placing.place(context, to, lambda _: app)
    chosen = placed.chosen
    seen = await look_whole(context, chosen, app)
    if await waiting.for_others(context, app, seen):
        seen = await look_whole(context, chosen, app)
    verbs = on_host.open_verbs(seen, app)
    done = await takeover.end_open(context, app, seen, take_lease=take_lease, before="the way back")
    answer = _already_there(app, done, verbs) if done and not release else None
    if answer is not None:
        return answer
    if done:
        seen = await look_whole(context, chosen, app)
    prepared = _prepare(placed, seen, app, release)
    prepared = replace(prepared, plan=replace(prepared.plan, usual=await usual.roll_seconds(context.ledger, app, placed.destination.name)))
    wanted = order_of(context, prepared, placed, reason=reason, take_lease=take_lease)
    return await execution.carry_out(context, wanted, first=done)


def order_of(
    context: contexts.Context, prepared: Prepared, placed: placing.Placed, *, reason: str, take_lease: bool,
) -> base.DeploymentOrder:
    """The order for a plan that is made from what hosts keep."""
    target, app, destination = prepared.target, prepared.target.app, placed.destination
    sources = mounted.of_release(target)

    def judge(host: state.HostState) -> None:
        added = mounted.added(sources, app, host, {}, target.plain, guarded=bool(destination.allowed))
        policy.check(app, added, destination.allowed)

    becoming = {name: _becoming(target, one) for name, one in prepared.apps.items()}
    look = {name: drivers.Look(binds=preflight.needed_binds(target, host.placed), sources=tuple(sources.sources))
            for name, host in prepared.plan.hosts.items()}
    means = order.Means(more_logins=partial(order.logins, context, target), look=look, judge=judge)
    return order.make(
        context, prepared.plan, becoming, placed.chosen, deployment=order.new_id(), means=means, reason=reason,
        override=take_lease)


def _already_there(app: str, done: Sequence[ended.Ended], verbs: Collection[str]) -> ended.Ended | None:
    """The way back that is asked for, if what was open has gone it; None = it is still to be gone.

    *verbs*: of what was open.
    """
    succeeded = all(one.result == "succeeded" for one in done)
    if set(verbs) == {"rollback"} and succeeded:
        finished = f"the rollback to {done[-1].version} was open and has been finished; to go further back: lading rollback {app}"
        return replace(done[-1], note="; ".join(filter(None, [done[-1].note, finished])))
    if set(verbs) == {"deploy"} and not succeeded:
        return _already_back(app, done)
    return None


def _already_back(app: str, done: Sequence[ended.Ended]) -> ended.Ended:
    """What was fled is gone: a deployment was open, and has been taken back; that is as far as one step goes."""
    taken = f"{done[-1].version} was open and has been taken back; to go further back: lading rollback {app}"
    note = "; ".join(filter(None, [done[-1].note, taken]))
    return replace(done[-1], note=note, reached=all(one.result in ("succeeded", "rolled_back", "failed") for one in done))


def _becoming(target: releases.Release, app: state.AppState) -> order.Becoming:
    """What a host goes back to: it belongs to whom it belonged, as that host has it."""
    assert app.current is not None
    left = target.left_on_the_way_back(on_host.finished(app))
    return order.Becoming(target, app, target.version, app.current.source, app.current.destination, left)


def _prepare(placed: placing.Placed, seen: state.FleetState, app: str, release: str) -> Prepared:
    destination = placed.destination
    apps = {name: deployed(name, host, app) for name, host in seen.hosts.items()}
    kept = {name: on_host.releases(one) for name, one in apps.items()}
    target = _same({name: kept[name][_target(name, one, release)] for name, one in apps.items()},
                   f"lading rollback {app} --release ID --to {command.quote(destination.name)}")
    asked = policy.of_release(target)
    policy.check(app, asked, destination.allowed)
    assigned = assignment.everywhere(target, placed.rows)
    plans = {name: _plan(name, target, assigned.on(name), apps[name], host) for name, host in seen.hosts.items()}
    for name, host in seen.hosts.items():
        host_checks.check_data(target, plans[name], host)
    said = [_way(target, apps.values()), *old_secrets(target, plans, apps)]
    whole = planner.plan(target, destination.name, plans, said, back=True)
    owners = sorted({one.current.source for one in apps.values() if one.current is not None})
    whole = replace(whole, verb="rollback", assignment=assigned, source=", ".join(owners), confirm=destination.confirm,
                    unfinished=on_host.unfinished(seen, app), rights=policy.planned(asked, app, seen))
    return Prepared(whole, target, apps, kept)


async def look_whole(context: contexts.Context, chosen: Sequence[hosts.Host], app: str) -> state.FleetState:
    seen, wrong = await contradicting.look(context, chosen, app, volumes=())
    turned = {path for host in seen.hosts.values() if app in host.apps for path in mounts.turned(host.apps[app])}
    if turned:  # rarely so: it is asked only then what lies there
        seen, wrong = await contradicting.look(context, chosen, app, volumes=(), data=sorted(turned))
    host_checks.check_reachable(seen)
    contradicting.check(wrong)
    return seen


def deployed(host: str, seen: state.HostState, app: str) -> state.AppState:
    mine = seen.apps.get(app)
    if mine is None or mine.current is None:
        raise errors.UnknownReleaseError(f"{app} is not deployed on {host}", f"lading where {app}", host=host)
    return mine


def _same(targets: Mapping[str, releases.Release], hint: str) -> releases.Release:
    """The release that all hosts would go back to, each out of what it keeps.

    Raises:
        UnknownReleaseError: they would go to different ones, or keep different bytes under one name.
    """
    first, *others = targets.values()
    if any(one.canonical() != first.canonical() for one in others):
        alike = len({canonical.short(one.id) for one in targets.values()}) == 1
        told = ", ".join(f"{name}: {one.version} ({one.id if alike else canonical.short(one.id)})"
                         for name, one in targets.items())
        raise errors.UnknownReleaseError(f"the hosts would go back to different releases ({told})", f"name one: {hint}")
    return first


def _way(target: releases.Release, apps: Iterable[state.AppState]) -> str:
    """From what to what it goes, in words."""
    left = sorted({one.current.version for one in apps if one.current is not None})
    return f"it goes back from {', '.join(left)} to {target.version} ({canonical.short(target.id)})"


def old_secrets(
    target: releases.Release, plans: Mapping[str, steps.HostPlan], apps: Mapping[str, state.AppState]
) -> list[str]:
    """Which secrets get the values again that they had then, by name, never by value."""
    found: dict[str, list[str]] = {}
    for host, plan in plans.items():
        current = apps[host].current
        now = current.generations if current is not None else {}
        for name, number in sorted(plan.generations.items()):
            if now.get(name, number) != number:
                found.setdefault(name.partition(".")[2] or name, []).append(host)
    if not found:
        return []
    told = ", ".join(f"{name} on {', '.join(spans.packed(hosts))}" for name, hosts in found.items())
    return [f"secrets go back to the values that {target.version} ran with, not those of now: {told}; "
            "one that was replaced since, or is no longer valid, would be in use again"]


def _target(host: str, app: state.AppState, wanted: str) -> str:
    assert app.current is not None
    kept = {name: raw.get("version", "") for name, raw in app.releases.items()}
    shown = ", ".join(f"{canonical.short(name)} ({version})" for name, version in kept.items() if name != app.current.release)
    if wanted:
        found = [n for n, v in kept.items() if n.startswith(wanted)] or [n for n, v in kept.items() if v == wanted]
        if len(found) > 1:
            raise errors.UnknownReleaseError(f"{host} keeps more than one release {wanted} of {app.app}",
                                             f"say more of: {', '.join(sorted(found))}", host=host)
        if not found:
            raise errors.UnknownReleaseError(f"{host} keeps no release {wanted} of {app.app}",
                                             f"kept there: {shown or 'none'}", host=host)
        return found[0]
    before = [name for name in app.behind if name in kept]
    if not before:
        raise errors.UnknownReleaseError(
            f"{host} keeps no release of {app.app} before {canonical.short(app.current.release)}",
            f"kept there: {shown or 'none'}; to one of them: --release ID", host=host)
    return before[0]


def _plan(
    name: str, target: releases.Release, placed: assignment.Placed, app: state.AppState, host: state.HostState
) -> steps.HostPlan:
    numbers = numbers_of(target, app)
    whole = planner.plan_host(name, target, numbers, (), app, on_host.current_release(app), host.attached(target.app),
                               volumes=host.volumes, placed=placed, ships=False)
    return planner.without_one_shots(whole, target, verdict.finished(app.containers))


def numbers_of(target: releases.Release, app: state.AppState) -> dict[str, int]:
    """The secret generations with which the host ran a release: kept with it, so no secret is asked for."""
    known = app.ran_with(target.id)
    if known is not None:
        return dict(known)
    return {name: max(app.secrets.get(name, {1: ""})) for name in target.secrets}
