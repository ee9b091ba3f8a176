"""New containers of the release that runs: for all services of an app, or some; from what the hosts keep."""

from collections.abc import Mapping, Sequence
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
    waiting,
)
from lading.inventory import hosts
from lading.placement import assignment, choices
from lading.plan import planner, steps


async def plan(
    context: contexts.Context, app: str, services: Sequence[str], to: Sequence[str]
) -> steps.Plan:
    """What `restart` would do; nothing is changed anywhere.

    Raises:
        InputError, UnknownReleaseError, RefusedError, TransportError: as `restart`.
    """
    destination, chosen = await placing.place(context, to, lambda _: app)
    rows = choices.of_names(context.settings.inventory, to, destination, chosen)
    seen = await rollback.look_whole(context, chosen, app)
    return _prepare(destination, rows, seen, app, services).plan


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
    destination, chosen = await placing.place(context, to, lambda _: app)
    seen = await rollback.look_whole(context, chosen, app)
    if await waiting.for_others(context, app, seen):
        seen = await rollback.look_whole(context, chosen, app)
    if await takeover.end_open(context, app, seen, take_lease=take_lease, before="the restart"):
        seen = await rollback.look_whole(context, chosen, app)
    rows = choices.of_names(context.settings.inventory, to, destination, chosen)
    prepared = _prepare(destination, rows, seen, app, services)
    wanted = rollback.order_of(
        context, prepared, destination, chosen, reason=reason, take_lease=take_lease)
    return await execution.carry_out(context, wanted)


def _prepare(
    destination: hosts.Destination, rows: Sequence[assignment.Row], seen: state.FleetState, app: str,
    services: Sequence[str],
) -> rollback.Prepared:
    """The plan, out of what each host keeps of the release that it runs."""
    apps = {name: rollback.deployed(name, host, app) for name, host in seen.hosts.items()}
    release = _running(apps, destination)
    assigned = assignment.everywhere(release, rows)
    plans: dict[str, steps.HostPlan] = {}
    for name, one in apps.items():
        assert one.current is not None
        placed = assigned.on(name)
        wanted = _chosen(release, placed, services)
        plans[name] = planner.restart_host(
            name, release, one.current.generations, one, wanted, placed)
    asked = policy.of_release(release)
    policy.check(app, asked, destination.allowed)
    whole = planner.plan(release, destination.name, plans, ["the release that runs stays the same"])
    owners = sorted({one.current.source for one in apps.values() if one.current is not None})
    whole = replace(
        whole, verb="restart", assignment=assigned, source=", ".join(owners), confirm=destination.confirm,
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


def _chosen(
    release: releases.Release, placed: assignment.Placed, services: Sequence[str]
) -> tuple[str, ...]:
    """The services that are meant; all that go on running without a name, since one-shots have done their work.

    Raises:
        InputError: there is no such service, or none that runs.
    """
    running = [name for name in placed if release.endings.get(name) != "must" and placed[name]]
    for name in services:
        if name not in placed:
            raise errors.InputError(
                f"{release.app} {release.version} has no service {name}",
                complaints.nearest(name, list(placed)) or f"it has: {', '.join(placed)}")
    wanted = tuple(services) or tuple(running)
    if not wanted:
        raise errors.InputError(f"nothing of {release.app} {release.version} goes on running", f"lading where {release.app}")
    return wanted
