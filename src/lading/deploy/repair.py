"""Write anew what lading keeps of an app on a host: from the ledger, and from what the host itself still has.

No other host is asked, and no container is touched.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import field, replace

from lading import canonical, errors, events, shape, state
from lading import context as contexts
from lading.compose import release as releases
from lading.compose import restore
from lading.dataclass import dataclass
from lading.deploy import ended, execution, host_checks, on_host, order, takeover
from lading.drivers import wants
from lading.drivers.shell import observe
from lading.inventory import hosts
from lading.placement import exclusion
from lading.plan import phases, planner, steps
from lading.state import damage
from lading.transport import command


@dataclass(frozen=True, slots=True)
class Told:
    """What is deployed on a host, as somebody tells it, *by* whom in words; *numbers* None: of secrets it tells nothing."""

    by: str
    release: str
    deployment: str
    version: str = ""
    actor: str = ""
    source: str = ""
    destination: str = ""
    numbers: Mapping[str, int] | None = None
    adopted: Mapping[str, state.Adopted] = field(default_factory=dict)
    by_hand: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A repair with what it was made from; *app*: what was seen, with the releases that are written anew."""

    plan: steps.Plan
    host: hosts.Host
    app: state.AppState
    told: Told
    made: releases.Release


async def plan(context: contexts.Context, host: str, app: str) -> steps.Plan:
    """What `repair` would write; nothing is changed.

    Raises:
        UnknownReleaseError, RefusedError, TransportError: as `repair`.
    """
    return (await _prepare(context, host, app, await _look(context, host, app))).plan


async def repair(
    context: contexts.Context, host: str, app: str, *, reason: str = "", take_lease: bool = False
) -> ended.Ended:
    """Write what is damaged or missing anew; where nothing is, it ends `unchanged`.

    Raises:
        UnknownReleaseError: nobody tells what is deployed there, or has its record.
        RefusedError, TransportError, LedgerError: nothing was changed.
    """
    seen = await _look(context, host, app)
    done: Sequence[ended.Ended] = ()
    if not seen.hosts[host].apps[app].foreign:
        done = await takeover.end_open(context, app, seen, take_lease=take_lease, before="the repair")
        if done:
            seen = await _look(context, host, app)
    prepared = await _prepare(context, host, app, seen)
    told = prepared.told
    becoming = order.Becoming(prepared.made, prepared.app, prepared.made.version, told.source, told.destination)
    wanted = order.make(
        context, prepared.plan, {host: becoming}, [prepared.host], deployment=order.new_id(), reason=reason,
        override=take_lease, keeps_containers=True)
    return await execution.carry_out(context, wanted, first=done)


async def _look(context: contexts.Context, host: str, app: str) -> state.FleetState:
    """What is seen of the app on this one host.

    Raises:
        InputError: it is a destination or a label, and no host.
        ExcludedError: it is excluded.
        UnknownReleaseError: there is nothing of the app, not even a container.
        TransportError: it does not answer.
    """
    chosen = await _host(context, host)
    seen = await observe.fleet(context.transport, [chosen], state_dir=context.settings.state_dir, engines=context.engines, app=app,
                               want=wants.REPAIR)
    host_checks.check_reachable(seen, readable=False)
    contexts.check_answered(seen.silent, f"what runs of {app}")
    known = await context.commits(app)
    if app not in seen.hosts[host].apps and host not in known.get(app, {}):
        raise errors.UnknownReleaseError(f"there is nothing of {app} on {host}", f"lading where {app}", host=host)
    if app not in seen.hosts[host].apps:
        one = replace(seen.hosts[host], apps={**seen.hosts[host].apps, app: state.AppState(app)})
        return state.FleetState({host: one})
    return seen


async def _host(context: contexts.Context, name: str) -> hosts.Host:
    exclusion.check_named([name], await context.excluded())
    _, chosen = context.choose([name])
    if [one.name for one in chosen] != [name]:
        raise errors.InputError(f"{name} is no single host: a repair is one host's own matter",
                                f"one of: {', '.join(one.name for one in chosen)}")
    return chosen[0]


def _wants_a_person(context: contexts.Context, host: str) -> bool:
    """Whether one of the destinations that the host is in has `confirm: true`."""
    places = context.settings.inventory.destinations.values()
    return any(place.confirm for place in places if host in place.hosts)


async def _prepare(context: contexts.Context, host: str, app: str, seen: state.FleetState) -> _Prepared:
    there = seen.hosts[host].apps[app]
    if there.elsewhere and there.current is None:
        raise errors.ForeignError(
            f"lading keeps {app} on {host} in another state folder: {there.elsewhere}",
            f"deploy it as that user, or move that folder to {seen.hosts[host].facts.state_dir}/apps", host=host,
            step="observe")
    told = await _told(context, host, there)
    made = await _record(context, there, told.release)
    if made is None:
        raise errors.UnknownReleaseError(
            f"{told.by} tells that release {canonical.short(told.release)} of {app} is deployed on {host}, but neither the "
            "host nor this ledger keeps its record", f"lading deploy … --version {command.quote(told.version or 'V')} --to {host} "
            f"--accept-host {host} stores it again, from its files", host=host, step="observe")
    fresh = {one.id: one async for one in _records(context, there, made)}
    numbers, unknown = _numbers(there, told, made)
    ids = {container.id for container in there.containers}
    adopted = {name: one for name, one in told.adopted.items() if name in ids}
    changes = tuple(_changes(host, there, told, made, fresh))
    whole = steps.HostPlan(host, previous=there.current, generations=numbers, adopted=adopted, changes=changes,
                           by_hand=told.by_hand)
    if changes:
        todo = steps.RepairRecords(made.id, told.deployment, told.actor, tuple(sorted(fresh)), _is_set_aside(there))
        whole = replace(whole, steps=(todo, *planner.end_of(made.id)))
    open_there = {} if there.foreign else on_host.unfinished(seen, app)
    warnings = tuple(_warnings(there, told, made, fresh, unknown)) if changes else ()
    result = steps.Plan(
        app, made.version, made.id, told.destination or host, {host: whole}, ((host,),), warnings=warnings,
        verb="repair", source=told.source, confirm=_wants_a_person(context, host), unfinished=open_there,
        phases=phases.phases({host: whole}, [(host,)]))
    raw = {id: state.Kept(shape.parse(one.canonical().decode())) for id, one in fresh.items()}
    kept = replace(there, releases={**there.releases, **raw})
    return _Prepared(result, await _host(context, host), kept, told, made)


# What is deployed there


async def _told(context: contexts.Context, host: str, app: state.AppState) -> Told:
    """What is deployed, by the first that knows: the host's own records, this ledger, the containers.

    Records that were copied from another host tell what is there; the ledger comes before them.
    """
    by_ledger = await _by_ledger(context, host, app.app)
    own = [*_by_records(app)]
    found = [by_ledger, *own] if app.foreign else [*own, by_ledger]
    known = next((one for one in (*found, by_containers(app)) if one is not None), None)
    if known is None:
        raise errors.UnknownReleaseError(
            f"nobody tells what is deployed of {app.app} on {host}: neither its own records, nor this ledger, nor its "
            "containers by a release that it keeps", f"lading ledger import takes in a ledger that knows it; or "
            f"lading deploy … --to {host} --accept-host {host}", host=host, step="observe")
    return known


def _by_records(app: state.AppState) -> Iterator[Told]:
    current, by_journal = app.current, None if app.foreign else app.committed
    for by, one in (("its `current`", current), ("its journal", by_journal)):
        if one is not None:
            yield Told(by, one.release, one.deployment, one.version, one.actor, one.source, one.destination,
                       one.generations, one.adopted, one.by_hand)


async def _by_ledger(context: contexts.Context, host: str, app: str) -> Told | None:
    """The last commit on this host of which this ledger's own chains tell."""
    commit = (await context.commits(app)).get(app, {}).get(host)
    if commit is None or context.ledger is None:
        return None
    stored = [one.event for one in await context.ledger.events(commit.deployment)]
    planned = next((one for one in stored if isinstance(one, events.DeploymentPlanned)), events.DeploymentPlanned(""))
    return Told("this ledger", commit.release, commit.deployment, planned.version, planned.actor, planned.source,
                planned.destination)


def by_containers(app: state.AppState) -> Told | None:
    """The kept release that all of the app's containers are of, by their labels; the last committed one first."""
    runs = {(one.service, one.content) for one in app.containers if one.owned and not one.one_off}
    for id in app.order if runs else ():
        made = restore.from_json(app.releases[id])
        if runs <= {(name, spec.content) for name, spec in made.services.items()}:
            noted = app.deployed.get(id)
            return Told("its containers", id, noted.deployment if noted else "", made.version,
                        numbers=noted.generations if noted else None)
    return None


# What is written anew


async def _record(context: contexts.Context, app: state.AppState, id: str) -> releases.Release | None:
    """A release's record, from the host or by its hash from the ledger; *id* may be 12 digits of an older lading."""
    kept = next((name for name in app.releases if canonical.is_named(id, name)), None)
    if kept is not None:
        return restore.from_json(app.releases[kept])
    stored = await context.ledger.release(id) if context.ledger is not None else None
    if stored is None:
        return None
    made = restore.from_bytes(stored)
    return made if made.app == app.app and canonical.is_named(id, made.id) else None


async def _records(
    context: contexts.Context, app: state.AppState, made: releases.Release
) -> AsyncIterator[releases.Release]:
    """The releases whose record is damaged or gone on the host, and is in the ledger."""
    if made.id not in app.releases:
        yield made
    for name in _damaged(app):
        one = await _record(context, app, name)
        if one is not None and one.id not in (made.id, *app.releases):
            yield one


def _damaged(app: state.AppState) -> list[str]:
    """The names of the releases' folders whose record cannot be read."""
    return [name for word, _, name in (one.partition(" ") for one in app.damaged) if word == "release"]


def _numbers(app: state.AppState, told: Told, made: releases.Release) -> tuple[dict[str, int], list[str]]:
    """The versions of the secrets with which the release runs; and the names of those of which nobody knows it."""
    known = told.numbers if told.numbers is not None else app.ran_with(made.id)
    if known is not None:
        return dict(known), []
    return {name: max(app.secrets.get(name, {1: ""})) for name in made.secrets}, list(made.secrets)


def _is_set_aside(app: state.AppState) -> bool:
    """Whether the journal that is there does not count."""
    return bool(app.foreign) or "journal" in app.damaged


def _changes(
    host: str, app: state.AppState, told: Told, made: releases.Release, fresh: Mapping[str, releases.Release]
) -> Iterator[steps.Change]:
    """What is written, and why; nothing where nothing is damaged."""
    wrong = {one.what: one.why for one in damage.found(app)}
    for id, one in sorted(fresh.items()):
        yield steps.Change(host, "", f"release {canonical.short(id)}", "damaged or gone",
                           f"the record of {one.version}, by its hash")
    unrecorded = app.current is None
    if not (wrong or fresh or unrecorded):
        return
    journal = wrong.get("journal", "it goes on")
    begins = "begun" if "journal" in app.lost else "one entry more"
    if _is_set_aside(app):
        begins = "set aside, and another is begun"
    yield steps.Change(host, "", "journal", journal, begins)
    if "lease" in wrong:
        yield steps.Change(host, "", "lease", wrong["lease"], "written anew")
    was = wrong.get("current", "it is gone" if unrecorded else "as it is")
    becomes = f"{made.version}, release {canonical.short(made.id)}, as told by {told.by}"
    yield steps.Change(host, "", "current", was, becomes)


def _warnings(
    app: state.AppState, told: Told, made: releases.Release, fresh: Mapping[str, releases.Release], unknown: list[str]
) -> Iterator[str]:
    """What cannot be rebuilt."""
    if unknown:
        yield (f"which version of {', '.join(unknown)} runs is not known: the newest that the host keeps counts as it, and a "
               "deployment may recreate what runs with another")
    missing = [name for name in made.secrets if name not in app.secrets]
    if missing:
        yield f"the host keeps no {', '.join(missing)} any more: the next deployment brings it"
    for id, one in sorted(fresh.items()):
        if id not in app.folders.values() and not any(canonical.is_named(name, id) for name in _damaged(app)):
            yield (f"no ledger keeps the project's files of {one.version} ({canonical.short(id)}): those that are gone come "
                   "with the next deployment of that version")
    lost = [name for name in _damaged(app) if not any(canonical.is_named(name, id) for id in fresh)]
    if lost:
        yield f"this ledger does not keep {', '.join(canonical.short(name) for name in lost)}: nobody can go back to it here"
    if not told.source:
        yield f"{told.by} does not tell whose the app is: the next deployment needs --take-over"
    strangers = [one.name for one in app.containers if not one.owned and not one.one_off]
    if strangers:
        yield f"nothing tells any more that {', '.join(strangers)} was adopted: lading adopt {app.app} once more"
    if _is_set_aside(app):
        yield "ledgers other than this one will say that the host's journal lacks what they saw: --accept-host there"
