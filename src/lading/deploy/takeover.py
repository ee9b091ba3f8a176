"""End what another process left open, from each host's own records; no ledger is needed.

Every verb that changes an app does it first (`end_open`); `resume` is for those who want only that.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import get_args

from lading import context as contexts
from lading import errors, spans, state
from lading.compose import release as releases
from lading.dataclass import dataclass
from lading.deploy import approval, contradicting, ended, execution, on_host, order
from lading.drivers.shell import observe
from lading.engines import base
from lading.inventory import hosts as inventory
from lading.ledger import deployments
from lading.placement import assignment, exclusion
from lading.plan import planner, steps
from lading.state import journal


@dataclass(frozen=True, slots=True)
class Resumed:
    """What was open and how it ended; *asked*: all hosts that were asked.

    *silent*: those of them that could not say whether something is open there, and why.
    """

    ended: tuple[ended.Ended, ...]
    asked: tuple[str, ...]
    silent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person, or a verb, wants of an open deployment.

    *way*: how it shall end; *without*: hosts that are given up for lost; *override*: leases of living
    holders are taken; *reason*: for the records.
    """

    way: base.Way = ""
    without: tuple[str, ...] = ()
    override: bool = False
    reason: str = "resume"


TO_ITS_END = Wish()


async def resume(
    context: contexts.Context, app: str = "", *, to: Sequence[str] = (), wish: Wish = TO_ITS_END
) -> Resumed:
    """End every open deployment of *app* (or of all apps) on the hosts.

    What is done on a host comes from that host's own record. Others only decide which way it goes,
    and whether it goes at all.

    Raises:
        LeaseHeldError: somebody works on it.
        ExcludedError: a host that is named itself is excluded, or all are.
        UnknownReleaseError: all hosts answer, and neither they nor the ledger know the app.
        UnansweredError: some do not answer, and the others do not know the app.
        ContradictionError: a host contradicts the ledger, and its records count for nothing.
    """
    chosen = await to_ask(context, to)
    seen, wrong = await contradicting.look_at_all(context, chosen, app, facts=False)
    touched = {app} if app else {name for name, _ in _open(seen)}
    for one in wrong:
        contradicting.check({host: what for host, what in one.items() if what.app in touched})
    await context.check_known(app, seen)
    return await _end_all(context, seen, wish)


async def to_ask(context: contexts.Context, to: Sequence[str]) -> tuple[inventory.Host, ...]:
    """The hosts that are asked what is open there; of the others it is noted why they are not.

    Raises:
        ExcludedError: a host that is named itself is excluded, or all are.
        LedgerError: nobody can say which are.
    """
    _, chosen = context.choose(to)
    kept, left = exclusion.leave_out(chosen, to, await context.excluded())
    for one in left:
        note = f"{one.host} is {one.words}: it is not asked what is open there"
        context.notes.extend([note] if note not in context.notes else [])
    return kept


async def end_open(
    context: contexts.Context, app: str, seen: state.FleetState, *, take_lease: bool, before: str
) -> tuple[ended.Ended, ...]:
    """End what another process left open of an app, before a verb plans on it: the one entry of all that change it.

    How it ended; () = nothing was open there.

    Raises:
        LeaseHeldError: whoever began it lives.
        DeployFailedError, ForeignError: nobody can say which way to end it.
        PlanChangedError: a plan was approved by its hash, and what this leaves behind cannot be in it.
    """
    unfinished = on_host.unfinished(seen, app)
    approval.check_ended(context, app, unfinished)
    if not unfinished:
        return ()
    there = state.FleetState({name: seen.hosts[name] for name in unfinished})
    for deployment in sorted(set(unfinished.values())):
        names = ", ".join(spans.packed([name for name, one in unfinished.items() if one == deployment]))
        context.say(f"deployment {deployment} of {app} is open on {names}: unless somebody works on it, it is ended before {before}")
    wish = Wish(override=take_lease, reason=f"before {before}")
    done = (await _end_all(context, there, wish)).ended
    for one in done:
        _check_decided(one, seen.hosts)
        context.say(f"deployment {one.deployment} of {one.app} {one.version} is ended: {one.result}")
    return done


async def _end_all(context: contexts.Context, seen: state.FleetState, wish: Wish) -> Resumed:
    done = [await _end(context, app, deployment, seen, wish) for app, deployment in _open(seen)]
    return Resumed(tuple(done), tuple(seen.hosts), seen.untold)


def _check_decided(done: ended.Ended, wanted: Collection[str]) -> None:
    """Refuse to plan on what nobody could end; *wanted*: the hosts of the plan, for the others do not matter to it.

    Raises:
        DeployFailedError: on one of them it is in doubt, or hosts contradict each other.
    """
    app, outcomes = done.app, done.report.outcome.hosts
    unknown = {name: host for name, host in outcomes.items() if host.result == "unknown"}
    left = [name for name in unknown if name in wanted]
    if not left:
        return
    # who waits for a decision says just that: only the others are silent
    silent = [name for name, host in unknown.items() if host.error not in ("", done.report.why)] or left
    raise errors.DeployFailedError(
        f"deployment {done.deployment} of {app} is open: {done.report.why or 'a host did not answer'}",
        f"bring {', '.join(silent)} back and repeat; or leave {', '.join(left)} out (--to), or decide: "
        f"lading resume {app} --continue | --undo {' '.join(f'--lost {name}' for name in silent)}",
        host=left[0], step="resume")


def _open(seen: state.FleetState) -> tuple[tuple[str, str], ...]:
    """App and deployment of everything that is open on one of the hosts."""
    found = dict[tuple[str, str], None]()
    for host in seen.hosts.values():
        for name, one in host.apps.items():
            if one.open is not None and not one.foreign:
                found[name, one.open.begun.deployment] = None
    return tuple(found)


async def _end(
    context: contexts.Context, app: str, deployment: str, first: state.FleetState, wish: Wish
) -> ended.Ended:
    names = _participants(first, app, deployment)
    excluded = await context.excluded()
    listed = [host for host in context.settings.inventory.reachable() if host.name in names]
    known = [host for host in listed if host.name not in excluded]
    missing = _missing(names, [host.name for host in listed], excluded)
    seen = await observe.fleet(
        context.transport, known, state_dir=context.settings.state_dir, engines=context.engines, app=app, facts=False)
    what = await _order(context, app, deployment, seen, known, wish)
    what = replace(what, unreachable=missing)
    return await execution.take_over(context, what, wish.way)


def _missing(
    names: Sequence[str], listed: Sequence[str], excluded: exclusion.Excluded
) -> dict[str, str]:
    """The participants that cannot be asked, and why."""
    missing = {name: "it is not in lading.yaml" for name in names if name not in listed}
    return missing | {name: f"it is {excluded[name].words}" for name in names if name in excluded}


def _participants(seen: state.FleetState, app: str, deployment: str) -> tuple[str, ...]:
    """The hosts that may have something to say: all that those name where it is open, and those themselves."""
    found = dict[str, None]()
    for name, host in seen.hosts.items():
        begun = _begun(host, app, deployment)
        if begun is not None:
            found |= dict.fromkeys((name, *begun.participants))
    return tuple(found)


def _begun(host: state.HostState, app: str, deployment: str) -> journal.Begun | None:
    """A host's own record of a deployment that is open there."""
    left = host.apps[app].open if app in host.apps else None
    return left.begun if left is not None and left.begun.deployment == deployment else None


async def _order(
    context: contexts.Context, app: str, deployment: str, seen: state.FleetState,
    known: Sequence[inventory.Host], wish: Wish,
) -> base.DeploymentOrder:
    """The order to end it: what each host becomes is in its own record, and lies on it."""
    own = {name: _own(host.apps[app], begun) for name, host in seen.hosts.items()
           if (begun := _begun(host, app, deployment)) is not None}
    plan = _plan(app, own)

    def replan(name: str, host: state.HostState, phase: journal.Phase) -> steps.HostPlan:
        return what_is_left(name, own[name], host, phase)

    return base.DeploymentOrder(
        deployment, plan, {host.name: host for host in known}, own, context.actor, contexts.now(),
        order.new_process(), url=context.url, reason=wish.reason, override=wish.override, stop=context.stop,
        show=context.on_event, without=wish.without, replan=replan,
        committed=await _is_committed(context, deployment),
    )


def _own(app: state.AppState, begun: journal.Begun) -> base.HostOrder:
    """What one host becomes: as its own record says, out of what it keeps."""
    kept = on_host.releases(app)
    made = kept.get(begun.to) or releases.empty(app.app)
    left = made.left_on_the_way_back(begun.finished) if begun.verb == "rollback" else frozenset[str]()
    return base.HostOrder(begun, made, kept, left, stored=begun.to in kept)


def _plan(app: str, own: Mapping[str, base.HostOrder]) -> steps.Plan:
    """What is known of the deployment as a whole: what all hosts say alike; for people and the ledger, never for a host."""
    begun = [one.begun for one in own.values()]
    first = begun[0] if begun else journal.Begun("")

    def agreed(name: str) -> str:
        value = str(getattr(first, name))
        return value if all(str(getattr(one, name)) == value for one in begun) else ""

    plans = {name: _host_plan(name, one) for name, one in own.items()}
    same = all(one.rolled_in == first.rolled_in for one in begun)
    batches = first.rolled_in if same else tuple((name,) for name in own)
    return steps.Plan(
        app, agreed("version"), agreed("to"), agreed("destination"), plans, batches, verb="resume",
        source=agreed("source"),
    )


def _host_plan(name: str, own: base.HostOrder) -> steps.HostPlan:
    begun = own.begun
    return steps.HostPlan(
        name, previous=begun.before, generations=begun.secret_versions, adopted=begun.adopted,
        placed=_placed(own), by_hand=begun.by_hand)


def _placed(own: base.HostOrder) -> dict[str, int]:
    placed = assignment.declared(own.release, own.begun.by_hand)
    return {name: count for name, count in placed.items() if name not in own.left}


def what_is_left(
    name: str, own: base.HostOrder, host: state.HostState, phase: journal.Phase
) -> steps.HostPlan:
    """What is left to do on a host to go on with a deployment: from what is seen, out of what it keeps (pure).

    What has rolled is not rolled again, but watched anew: nobody knows what was seen of it. What was
    being rolled is rolled, as far as containers are not as the release says.
    """
    begun, made = own.begun, own.release
    end = tuple(planner.end_of(made.id))
    plan = replace(_host_plan(name, own), steps=end)
    if begun.keeps_containers or phase == "prepared":
        return plan
    app = host.apps.get(made.app, state.AppState(made.app))
    before = own.kept.get(begun.before.release) if begun.before is not None else None
    whole = planner.plan_host(
        name, made, dict(begun.secret_versions), (), app, before, host.attached(made.app),
        placed=assignment.declared(made, begun.by_hand), by_hand=begun.by_hand)
    if begun.verb == "rollback":
        whole = planner.without_one_shots(whole, made, begun.finished or ())
    parts = get_args(steps.Part)
    left = parts[parts.index("roll"):parts.index("prepare")]
    todo = [step for step in whole.steps if steps.part_of(step) in left]
    if phase == "rolled":
        todo = [step for step in todo if not isinstance(step, steps.Changing)]
    return replace(plan, steps=(*todo, *end))


async def _is_committed(context: contexts.Context, deployment: str) -> bool:
    """Whether the ledger has a decision to commit it: of a ledger nothing else counts."""
    if context.ledger is None:
        return False
    stored = [one.event for one in await context.ledger.events(deployment)]
    return deployments.decided(stored) == "commit"
