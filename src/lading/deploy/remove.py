"""An app leaves its hosts; volumes and host data only when asked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lading import context as contexts
from lading import errors, events, state
from lading.compose import release
from lading.deploy import (
    contradicting,
    ended,
    execution,
    host_checks,
    on_host,
    order,
    placing,
    takeover,
    waiting,
)
from lading.engines import base
from lading.inventory import hosts as inventory
from lading.placement import assignment
from lading.plan import mounts, phases, steps


async def plan(
    context: contexts.Context, app: str, to: Sequence[str], *, volumes: bool = False, keep_running: bool = False
) -> steps.Plan:
    """What `remove` would do; nothing is changed anywhere.

    Raises:
        UnknownReleaseError, RefusedError, TransportError: as `remove`.
    """
    placed = await placing.place(context, to, lambda _: app)
    seen = await _look(context, placed.chosen, app, volumes)
    there = _there(app, seen, keep_running)
    return _planned(placed, seen, there, app, volumes=volumes, keep_running=keep_running)


async def remove(
    context: contexts.Context, app: str, to: Sequence[str], *, volumes: bool = False, keep_running: bool = False,
    reason: str = "", take_lease: bool = False,
) -> ended.Ended:
    """Remove an app's containers, networks and lading's files from hosts; the journal stays, data unless *volumes*.

    *volumes*: its volumes go as well, and those that an earlier removal left. *keep_running*: only
    lading's files go; containers stay, and what they mount.

    Raises:
        UnknownReleaseError: the app is on none of the hosts.
        RefusedError, TransportError, LedgerError: nothing was changed.
    """
    placed = await placing.place(context, to, lambda _: app)
    chosen = placed.chosen
    seen = await _look(context, chosen, app, volumes)
    if await waiting.for_others(context, app, seen):
        seen = await _look(context, chosen, app, volumes)
    first = await takeover.end_open(context, app, seen, take_lease=take_lease, before="it is removed")
    if first:
        seen = await _look(context, chosen, app, volumes)
    there = _there(app, seen, keep_running)
    plan = _planned(placed, seen, there, app, volumes=volumes, keep_running=keep_running)
    becoming = {name: _becoming(one, placed.destination.name) for name, one in there.items()}
    wanted = order.make(context, plan, becoming, chosen, deployment=order.new_id(), reason=reason,
                        override=take_lease, keeps_containers=keep_running)
    done = await execution.carry_out(context, wanted, act=_remove, first=first)
    if not keep_running:
        return done
    return replace(done, given_back=True, note="; ".join(filter(None, [done.note, *_stays(app, seen, done)])))


async def _remove(engine: base.Engine, wanted: base.DeploymentOrder, record: events.Record) -> base.Report:
    return await engine.remove(wanted, record)


def _there(app: str, seen: state.FleetState, keep_running: bool) -> dict[str, state.AppState]:
    """The hosts on which there is something of the app to remove.

    Raises:
        UnknownReleaseError: there is none, and all have answered.
    """
    known = {name: host for name, host in seen.hosts.items() if app in host.apps}
    there = {name: host.apps[app] for name, host in known.items()
             if _runs(host.apps[app], keep_running) or _left_volumes(host, app)}
    unsure = {name: why for name, why in seen.silent.items() if name not in there}
    contexts.check_answered(unsure, f"whether {app} is deployed")
    if not there:
        raise errors.UnknownReleaseError(f"{app} is not deployed on {', '.join(seen.hosts)}", "lading where")
    return there


def _runs(app: state.AppState, keep_running: bool) -> bool:
    """Whether a host has more of an app than what an earlier removal leaves."""
    if app.current or app.unreadable:
        return True
    return not keep_running and any(container.owned for container in app.containers)


def _left_volumes(host: state.HostState, app: str) -> list[str]:
    """The volumes that an earlier removal left, if the host's volumes were looked at.

    None where anybody's container of that project is left: they are in use, and perhaps no longer this app's. Nor of an app
    that was given back: whoever has it may only have taken its containers down.
    """
    known = host.apps[app]
    if known.containers or known.given_back or not known.journal:
        return []
    return _own_volumes(host, app)


def _own_volumes(host: state.HostState, app: str) -> list[str]:
    """The volumes of a host that bear an app's name, if they were looked at."""
    return sorted(name for name, one in (host.volumes or {}).items() if one.labels.get(mounts.PROJECT) == app)


def _planned(
    placed: placing.Placed, seen: state.FleetState, there: Mapping[str, state.AppState], app: str, *, volumes: bool,
    keep_running: bool,
) -> steps.Plan:
    destination = placed.destination
    named = {name: sorted({*_volumes(one), *_own_volumes(seen.hosts[name], app)}) for name, one in there.items()}
    plans = {name: _kept(name, one) if keep_running else _gone(name, one, named[name] if volumes else None)
             for name, one in there.items()}
    data = "containers, networks, volumes and host data stay" if keep_running else _of_data(named, volumes=volumes)
    versions = {one.current.version for one in there.values() if one.current is not None}
    version = versions.pop() if len(versions) == 1 else ""
    return steps.Plan(app, version, "", destination.name, plans, (tuple(plans),), warnings=(data,), verb="remove",
                      confirm=destination.confirm, unfinished=on_host.unfinished(seen, app),
                      phases=phases.phases(plans, [tuple(plans)]),
                      assignment=assignment.Assignment(placed.rows).only(list(plans), f"{app} is not deployed there"))


def _of_data(volumes_of: Mapping[str, Sequence[str]], *, volumes: bool) -> str:
    """What becomes of the data, volumes by name."""
    named = sorted({name for names in volumes_of.values() for name in names})
    told = f"host data and {', '.join(named)}" if named else "volumes and host data"
    if volumes:
        return f"{told}: removed with all that is in them"
    later = ", now or later" if named else " now; later it finds an app only by its volumes"
    return f"{told}: they stay; the same command with --volumes removes them{later}"


def _volumes(app: state.AppState) -> list[str]:
    """The names of the volumes that a removal with its data takes away; an external one is somebody else's."""
    made = on_host.current_release(app)
    if made is None:
        return []
    return sorted(str(one["name"]) for one in made.volumes.values() if not one["external"])


async def _look(
    context: contexts.Context, chosen: Sequence[inventory.Host], app: str, volumes: bool
) -> state.FleetState:
    more = {"volumes": ()} if volumes else {}
    seen, wrong = await contradicting.look(context, chosen, app, **more)
    host_checks.check_reachable(seen, readable=False)
    for host in seen.hosts.values():
        host_checks.check_own(host, app)
    contradicting.check(wrong)
    return seen


def _becoming(app: state.AppState, destination: str) -> order.Becoming:
    """What is written of one host: the version and the source that leave it."""
    current = app.current
    made = on_host.current_release(app) or release.empty(app.app)
    version, source = (current.version, current.source) if current is not None else ("", "")
    return order.Becoming(made, app, version, source, destination)


def _gone(name: str, app: state.AppState, volumes: Sequence[str] | None) -> steps.HostPlan:
    """The plan of removing an app from one host: every service with all its containers; *volumes*: None = data stays."""
    services = {container.service for container in app.containers}
    gone = steps.RemoveApp(tuple(sorted(container.id for container in app.containers)), data=volumes is not None)
    changes = [steps.Change(name, service, "service", "running", "removed") for service in sorted(services)]
    changes += [steps.Change(name, "", f"volume {volume}", "its data", "removed") for volume in volumes or ()]
    generations = app.current.generations if app.current is not None else {}
    return steps.HostPlan(name, (gone,), tuple(changes), app.current, generations)


def _kept(name: str, app: state.AppState) -> steps.HostPlan:
    """The plan of giving an app back on one host."""
    change = steps.Change(name, "", "lading's files", app.current.release if app.current else "", "removed")
    return steps.HostPlan(name, (steps.RemoveApp(kept=True),), (change,), app.current)


def _stays(app: str, seen: state.FleetState, done: ended.Ended) -> list[str]:
    """What an app that was given back still needs on its hosts, and how people go on there."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, host in done.report.outcome.hosts.items():
        if host.result == "succeeded":
            one = seen.hosts[name].apps[app]
            old = ", ".join(sorted({c.working_dir for c in one.containers if c.adopted and c.content and c.working_dir}))
            found.setdefault((f"{seen.hosts[name].facts.state_dir}/apps/{app}", old), []).append(name)
    return [
        f"{', '.join(names)}: containers run on; keep {folder}, they mount its files, and go on with {folder}/compose "
        "(docker compose with this app's files)" + (f"; what was never recreated still belongs to {old}" if old else "")
        for (folder, old), names in found.items()
    ]
