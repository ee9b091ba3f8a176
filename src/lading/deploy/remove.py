"""An app leaves its hosts; volumes and host data only when asked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lading import context as contexts
from lading import errors, events, state
from lading.compose import release
from lading.deploy import contradicting, ended, host_checks, order, placing, resume, running
from lading.engines import base, hosts
from lading.inventory import hosts as inventory
from lading.placement import assignment, choices
from lading.plan import steps


async def plan(
    context: contexts.Context, app: str, to: Sequence[str], *, volumes: bool = False, keep_running: bool = False
) -> steps.Plan:
    """What `remove` would do; nothing is changed anywhere.

    Raises:
        UnknownReleaseError, RefusedError, TransportError: as `remove`.
    """
    destination, chosen = await placing.place(context, to, lambda _: app)
    seen = await _look(context, chosen, app)
    rows = choices.of_names(context.settings.inventory, to, destination, chosen)
    return _planned(destination, rows, seen, _there(app, seen, keep_running), app, volumes=volumes, keep_running=keep_running)


async def remove(
    context: contexts.Context, app: str, to: Sequence[str], *, volumes: bool = False, keep_running: bool = False,
    reason: str = "", take_lease: bool = False,
) -> ended.Ended:
    """Remove an app's containers, networks and lading's files from hosts; the journal stays, data unless *volumes*.

    *keep_running*: only lading's files go; containers stay, and what they mount.

    Raises:
        UnknownReleaseError: the app is on none of the hosts.
        RefusedError, TransportError, LedgerError: nothing was changed.
    """
    destination, chosen = await placing.place(context, to, lambda _: app)
    seen = await _look(context, chosen, app)
    if await resume.end_open(context, app, seen, take_lease=take_lease, before="it is removed"):
        seen = await _look(context, chosen, app)
    there = _there(app, seen, keep_running)
    rows = choices.of_names(context.settings.inventory, to, destination, chosen)
    whole = _planned(destination, rows, seen, there, app, volumes=volumes, keep_running=keep_running)
    begin = {
        "verb": "remove", "app": app, "destination": destination.name, "commit": "", "actor": context.actor,
        "reason": reason, "url": context.url, "plan": whole.hash, "participants": list(whole.hosts),
        **({"keeps_containers": True} if keep_running else {}),
    }
    job = base.Job(
        plan=whole, release=release.empty(app), bundle=None, known={},
        hosts={host.name: host for host in chosen}, deployment=order.new_id(), begin=begin,
        state_dir=context.settings.state_dir, holder=context.actor, since=contexts.now(), url=context.url,
        take_lease=take_lease, stop=context.stop, own={name: _own(one) for name, one in there.items()},
    )

    async def act(engine: hosts.HostsEngine, what: base.Job, record: events.Record) -> base.Report:
        return await engine.remove(what, record, volumes=volumes)

    done = await running.carry_out(context, job, verb="remove", reason=reason, plan=whole, act=act)
    return replace(done, note="; ".join(filter(None, [done.note, *_stays(app, seen, done)]))) if keep_running else done


def _there(app: str, seen: state.FleetState, keep_running: bool) -> dict[str, state.AppState]:
    """The hosts on which there is something of the app to remove.

    Raises:
        UnknownReleaseError: there is none, and all have answered.
    """
    there = {name: host.apps[app] for name, host in seen.hosts.items() if app in host.apps}
    there = {name: one for name, one in there.items()
             if one.current or one.unreadable or (not keep_running and any(c.owned for c in one.containers))}
    unsure = {name: why for name, why in seen.silent.items() if name not in there}
    contexts.check_answered(unsure, f"whether {app} is deployed")
    if not there:
        raise errors.UnknownReleaseError(f"{app} is not deployed on {', '.join(seen.hosts)}", "lading where")
    return there


def _planned(
    destination: inventory.Destination, rows: Sequence[assignment.Row], seen: state.FleetState,
    there: Mapping[str, state.AppState], app: str, *, volumes: bool, keep_running: bool,
) -> steps.Plan:
    plans = {name: _kept(name, one) if keep_running else _gone(name, one) for name, one in there.items()}
    data = ("containers, networks, volumes and host data stay" if keep_running else
            "volumes and host data are removed too" if volumes else "volumes and host data stay")
    versions = {one.current.version for one in there.values() if one.current is not None}
    version = versions.pop() if len(versions) == 1 else ""
    return steps.Plan(app, version, "", destination.name, plans, (tuple(plans),), warnings=(data,), verb="remove",
                      confirm=destination.confirm, unfinished=running.unfinished(seen, app),
                      assignment=assignment.Assignment(tuple(rows)).only(list(plans), f"{app} is not deployed there"))


async def _look(context: contexts.Context, chosen: Sequence[inventory.Host], app: str) -> state.FleetState:
    seen, wrong = await contradicting.look(context, chosen, app)
    host_checks.check_reachable(seen, readable=False)
    contradicting.check(wrong)
    return seen


def _own(app: state.AppState) -> base.Own:
    """What is written of one host: the version and the source that leave it."""
    current, kept = app.current, running.kept_releases(app)
    words = {"version": current.version, "source": current.source} if current is not None else {}
    return base.Own(kept, kept.get(current.release) if current is not None else None, words)


def _gone(name: str, app: state.AppState) -> steps.HostPlan:
    """The plan of removing an app from one host: every service with all its containers."""
    services: dict[str, list[str]] = {}
    for container in app.containers:
        services.setdefault(container.service, []).append(container.id)
    gone = tuple(steps.RemoveService(service, tuple(ids)) for service, ids in sorted(services.items()))
    changes = tuple(steps.Change(name, service, "service", "running", "removed") for service in sorted(services))
    return steps.HostPlan(name, (*gone, steps.CommitRelease("")), changes, app.current)


def _kept(name: str, app: state.AppState) -> steps.HostPlan:
    """The plan of giving an app back on one host."""
    change = steps.Change(name, "", "lading's files", app.current.release if app.current else "", "removed")
    return steps.HostPlan(name, (steps.CommitRelease(""),), (change,), app.current)


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
