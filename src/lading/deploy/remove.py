"""An app leaves its hosts; volumes and host data only when asked."""

from collections.abc import Sequence

from lading import context as contexts
from lading import errors, events, observe
from lading.compose import release
from lading.deploy import ended, running, start
from lading.engines import base, hosts
from lading.plan import steps


async def remove(
    context: contexts.Context, app: str, to: Sequence[str], *, volumes: bool = False, reason: str = "",
    take_lease: bool = False,
) -> ended.Ended:
    """Remove an app's containers, networks and lading's files from hosts; the journal stays, data unless *volumes*.

    Raises:
        UnknownReleaseError: the app is on none of the hosts.
        RefusedError, TransportError, LedgerError: nothing was changed.
    """
    destination, chosen = context.settings.inventory.choose(to)
    seen = await observe.fleet(context.transport, chosen, state_dir=context.settings.state_dir, app=app)
    start.check_reachable(seen, readable=False)
    there = {name: host.apps[app] for name, host in seen.hosts.items() if app in host.apps}
    there = {name: one for name, one in there.items() if one.current or one.unreadable or any(c.owned for c in one.containers)}
    if not there:
        raise errors.UnknownReleaseError(f"{app} is not deployed on {', '.join(seen.hosts)}", "lading where")
    known = running.known_releases(seen, app)
    plans = {}
    for name, one in there.items():
        services: dict[str, list[str]] = {}
        for container in one.containers:
            services.setdefault(container.service, []).append(container.id)
        gone = tuple(steps.RemoveService(service, tuple(ids)) for service, ids in sorted(services.items()))
        changes = tuple(steps.Change(name, service, "service", "running", "removed") for service in sorted(services))
        plans[name] = steps.HostPlan(name, (*gone, steps.CommitRelease("")), changes, one.current)
    data = "volumes and host data are removed too" if volumes else "volumes and host data stay"
    first = next(iter(there.values())).current
    made = known.get(first.release) if first else None
    whole = steps.Plan(app, first.version if first else "", "", destination.name, plans, (tuple(plans),), warnings=(data,))
    begin = {
        "verb": "remove", "app": app, "version": whole.version, "destination": destination.name,
        "source": first.source if first else "", "commit": "", "actor": context.actor, "reason": reason,
        "url": context.url, "plan": whole.hash, "participants": list(plans),
    }
    job = base.Job(
        plan=whole, release=made or release.empty(app), bundle=None, known=known,
        hosts={host.name: host for host in chosen}, deployment=start.new_id(), begin=begin,
        state_dir=context.settings.state_dir, holder=context.actor, since=contexts.now(), url=context.url,
        take_lease=take_lease, stop=context.stop,
    )

    async def act(engine: hosts.HostsEngine, what: base.Job, record: events.Record) -> base.Report:
        return await engine.remove(what, record, volumes=volumes)

    return await running.carry_out(context, job, verb="remove", reason=reason, plan=whole, act=act)
