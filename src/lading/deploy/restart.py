"""New containers of the release that runs: for all services of an app, or some; from what the hosts keep."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from lading import context as contexts
from lading import errors, state
from lading.compose import complaints
from lading.compose import release as releases
from lading.deploy import (
    ended,
    execution,
    on_host,
    placing,
    policy,
    rollback,
    takeover,
    usual,
    waiting,
)
from lading.inventory import hosts
from lading.placement import assignment
from lading.plan import planner, steps


async def plan(
    context: contexts.Context, app: str, services: Sequence[str], to: Sequence[str]
) -> steps.Plan:
    """What `restart` would do; nothing is changed anywhere.

    Raises:
        InputError, UnknownReleaseError, RefusedError, TransportError: as `restart`.
    """
    placed = await placing.place(context, to, lambda _: app)
    seen = await rollback.look_whole(context, placed.chosen, app)
    made = _prepare(placed, seen, app, services).plan
    return replace(made, usual=await usual.roll_seconds(context.ledger, app, placed.destination.name))


async def restart(
    context: contexts.Context, app: str, services: Sequence[str], to: Sequence[str], *, reason: str = "",
    take_lease: bool = False,
) -> ended.Ended:
    """Give *services* of an app, all without a name, new containers of the release that runs.

    They are rolled and waited for as a deployment's; where one does not get well, the host is undone as by one.

    Raises:
        InputError: the release has no such service.
        UnknownReleaseError: a host has not deployed the app, or hosts run different releases of it.
        RefusedError, TransportError, LedgerError: nothing was changed.
    """
    placed = await placing.place(context, to, lambda _: app)
    chosen = placed.chosen
    seen = await rollback.look_whole(context, chosen, app)
    if await waiting.for_others(context, app, seen):
        seen = await rollback.look_whole(context, chosen, app)
    first = await takeover.end_open(context, app, seen, take_lease=take_lease, before="the restart")
    if first:
        seen = await rollback.look_whole(context, chosen, app)
    prepared = _prepare(placed, seen, app, services)
    prepared = replace(prepared, plan=replace(prepared.plan, usual=await usual.roll_seconds(context.ledger, app, placed.destination.name)))
    wanted = rollback.order_of(context, prepared, placed, reason=reason, take_lease=take_lease)
    return await execution.carry_out(context, wanted, first=first)


def _prepare(
    where: placing.Placed, seen: state.FleetState, app: str, services: Sequence[str]
) -> rollback.Prepared:
    """The plan, out of what each host keeps of the release that it runs."""

    def plan_one(
        host: str, release: releases.Release, there: state.AppState, placed: assignment.Placed
    ) -> steps.HostPlan:
        numbers = there.current.generations if there.current is not None else {}
        wanted = chosen(release, placed, services)
        return planner.restart_host(host, release, numbers, there, wanted, placed)

    return of_running(where, seen, app, "restart", plan_one)


PlanOne = Callable[[str, releases.Release, state.AppState, assignment.Placed], steps.HostPlan]
"""The plan of a host, from the release that it runs, what is seen of the app, and what it is to run."""


def of_running(
    where: placing.Placed, seen: state.FleetState, app: str, verb: str, plan_one: PlanOne,
    warnings: Sequence[str] = (),
) -> rollback.Prepared:
    """The plan of a verb that leaves the release as it is, out of what each host keeps of the one that it runs.

    Raises:
        UnknownReleaseError: a host has not deployed the app, or hosts run different releases of it.
        RefusedError: the release may no longer do what it does.
    """
    destination = where.destination
    apps = {name: rollback.deployed(name, host, app) for name, host in seen.hosts.items()}
    release = _running(apps, destination)
    plans: dict[str, steps.HostPlan] = {}
    for name, one in apps.items():
        by_hand = one.current.by_hand if one.current is not None else {}
        plans[name] = plan_one(name, release, one, assignment.declared(release, by_hand))
    asked = policy.of_release(release)
    policy.check(app, asked, destination.allowed)
    whole = planner.plan(release, destination.name, plans, ["the release that runs stays the same", *warnings])
    owners = sorted({one.current.source for one in apps.values() if one.current is not None})
    assigned = assignment.Assignment(tuple(
        replace(row, services=plans[row.host].placed) if row.host in plans else row for row in where.rows))
    whole = replace(
        whole, verb=verb, assignment=assigned, source=", ".join(owners), confirm=destination.confirm,
        unfinished=on_host.unfinished(seen, app), rights=policy.planned(asked, app, seen))
    kept = {name: on_host.releases(one) for name, one in apps.items()}
    return rollback.Prepared(whole, release, apps, kept)


def _running(apps: Mapping[str, state.AppState], destination: hosts.Destination) -> releases.Release:
    """The release that all hosts run, each out of what it keeps.

    Raises:
        UnknownReleaseError: one does not keep it, or they run different ones.
    """
    found = {name: on_host.current_release(one) for name, one in apps.items()}
    for name, made in found.items():
        if made is None:
            raise errors.UnknownReleaseError(
                f"{name} does not keep the release that it runs", f"lading repair {name} {apps[name].app}", host=name)
    running = [made for made in found.values() if made is not None]
    if any(one.id != running[0].id for one in running):
        told = ", ".join(f"{name}: {made.version}" for name, made in found.items() if made is not None)
        raise errors.UnknownReleaseError(
            f"the hosts of {destination.name} run different releases ({told})", "name hosts that run the same: --to HOST")
    return running[0]


def chosen(
    release: releases.Release, placed: assignment.Placed, services: Sequence[str]
) -> tuple[str, ...]:
    """The services that are meant; all that go on running without a name, since one-shots have done their work (pure).

    Raises:
        InputError: there is no such service, it has no containers there, or none runs.
    """
    check_services(release, placed, services)
    running = [name for name in placed if release.endings.get(name) != "must" and placed[name]]
    for name in services:
        if placed[name]:
            continue
        if release.services[name].replicas:
            raise errors.InputError(f"{name} was stopped by hand", f"lading start {release.app}/{name}")
        raise errors.InputError(f"{name} has no containers: so its release says", f"lading scale {release.app}/{name}=1")
    wanted = tuple(services) or tuple(running)
    if not wanted:
        raise errors.InputError(f"nothing of {release.app} {release.version} goes on running", f"lading where {release.app}")
    return wanted


def check_services(
    release: releases.Release, placed: assignment.Placed, services: Sequence[str]
) -> None:
    """Refuse the name of a service that a host does not run of the release.

    Raises:
        InputError: there is none of that name; the nearest is said.
    """
    for name in services:
        if name not in placed:
            raise errors.InputError(
                f"{release.app} {release.version} has no service {name}",
                complaints.nearest(name, list(placed)) or f"it has: {', '.join(placed)}")
