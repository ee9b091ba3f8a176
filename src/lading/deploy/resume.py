"""Finish or undo what another run left open, from each host's own records; no ledger is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lading import context as contexts
from lading import errors, events, state
from lading.compose import release
from lading.deploy import approval, contradicting, ended, running
from lading.drivers.shell import observe
from lading.engines import base, hosts
from lading.inventory import hosts as inventory
from lading.ledger import deployments
from lading.placement import assignment
from lading.plan import steps
from lading.rollout import rolling
from lading.state import journal


@dataclass(frozen=True, slots=True)
class Resumed:
    """What was open and how it ended; *asked*: all hosts that were asked.

    *silent*: those of them that could not say whether something is open there, and why.
    """

    ended: tuple[ended.Ended, ...]
    asked: tuple[str, ...]
    silent: Mapping[str, str]


async def resume(
    context: contexts.Context, app: str = "", *, to: Sequence[str] = (), choice: str = "", reason: str = "resume",
) -> Resumed:
    """End every open deployment of *app* (or of all apps) on the hosts; *choice* decides what is in doubt.

    What is done on a host comes from that host's own record. Others only decide which way it goes
    (`decide`), and whether it goes at all.

    Raises:
        DeployFailedError: it is in doubt (a participant does not answer) and *choice* is "".
        ForeignError: a host says that it was committed, this ledger that it was undone; and *choice* is "".
        LeaseHeldError: a command of that deployment still runs on a host.
        UnknownReleaseError: all hosts answer, and neither they nor the ledger know the app.
        UnansweredError: some do not answer, and the others do not know the app.
        ContradictionError: a host contradicts the ledger, and its records count for nothing.
    """
    _, chosen = context.choose(to)
    seen, wrong = await contradicting.look_at_all(context, chosen, app, facts=False)
    touched = {app} if app else {name for name, _ in _open(seen)}
    for one in wrong:
        contradicting.check({host: what for host, what in one.items() if what.app in touched})
    await context.check_known(app, seen)
    return await _end(context, app, seen, choice, reason)


async def _end(context: contexts.Context, app: str, seen: state.FleetState, choice: str, reason: str) -> Resumed:
    done = [await _one(context, name, deployment, seen, choice, reason) for name, deployment in _open(seen)]
    return Resumed(tuple(done), tuple(seen.hosts), seen.untold)


async def end_open(
    context: contexts.Context, app: str, seen: state.FleetState, *, take_lease: bool, before: str
) -> tuple[ended.Ended, ...]:
    """End what another run left open of an app, before a verb plans on it: the one entry of all that change it.

    How it ended; () = nothing was open there.

    Raises:
        LeaseHeldError: whoever began it is not dead, as far as the lease says.
        DeployFailedError, ForeignError: nobody can say which way to end it.
        PlanChangedError: a plan was approved by its hash, and what this leaves behind cannot be in it.
    """
    names = list(running.unfinished(seen, app))
    approval.check_ended(context, app, running.unfinished(seen, app))
    for name in names:
        _check_free(name, seen.hosts[name].apps[app], take_lease=take_lease)
    if not names:
        return ()
    there = state.FleetState({name: seen.hosts[name] for name in names})
    return (await _end(context, app, there, "", f"before {before}")).ended


def _check_free(host: str, app: state.AppState, *, take_lease: bool) -> None:
    if not app.held or take_lease:
        return
    lease = app.lease
    link = f", {lease['url']}" if lease.get("url") else ""
    raise errors.LeaseHeldError(
        f"{app.app} on {host} is held by {lease.get('holder')} (deployment {lease.get('deployment')}, since "
        f"{lease.get('since')}{link})",
        f"wait; if that deployment is dead: lading resume {app.app}, or --take-lease", host=host, step="lease")


def _open(seen: state.FleetState) -> tuple[tuple[str, str], ...]:
    """App and deployment of everything that is open on one of the hosts."""
    found = dict[tuple[str, str], None]()
    for host in seen.hosts.values():
        for name, one in host.apps.items():
            if one.open is not None:
                found[name, one.open.begun.deployment] = None
    return tuple(found)


def _begun(host: state.HostState, app: str, deployment: str) -> Mapping[str, Any] | None:
    """A host's own record of a deployment that is open there."""
    mine = host.apps.get(app)
    left = mine.open if mine is not None else None
    return left.begun.raw if left is not None and left.begun.deployment == deployment else None


async def _one(
    context: contexts.Context, app: str, deployment: str, first: state.FleetState, choice: str, reason: str
) -> ended.Ended:
    names = _participants(first, app, deployment)
    known = context.settings.inventory.reachable()
    chosen = tuple(host for host in known if host.name in names)
    missing = [name for name in names if name not in {host.name for host in chosen}]
    seen = await observe.fleet(context.transport, chosen, state_dir=context.settings.state_dir, app=app, facts=False)
    silent = [*missing, *seen.untold]
    forward = decide(deployment, app, seen, silent, choice, await _decided(context, deployment))
    job = _job(context, app, deployment, seen, chosen, reason)

    async def act(engine: hosts.HostsEngine, what: base.Job, store: events.Record) -> base.Report:
        return await engine.settle(what, store, forward=forward, silent=silent)

    return await running.carry_out(context, job, verb="resume", reason=reason, plan=job.plan, act=act, ask=False)


def _participants(seen: state.FleetState, app: str, deployment: str) -> tuple[str, ...]:
    """The hosts that may have something to say: all that those name where it is open, and those themselves."""
    found = dict[str, None]()
    for name, host in seen.hosts.items():
        begin = _begun(host, app, deployment)
        if begin is not None:
            found |= dict.fromkeys((name, *map(str, begin.get("participants", ()))))
    return tuple(found)


def _job(
    context: contexts.Context, app: str, deployment: str, seen: state.FleetState,
    chosen: Sequence[inventory.Host], reason: str,
) -> base.Job:
    begun = {name: begin for name, host in seen.hosts.items()
             if (begin := _begun(host, app, deployment)) is not None}
    said = _agreed(begun)
    asked = {"kind": "resumed", "actor": context.actor, "reason": reason, "url": context.url}
    own = {name: _own(seen.hosts[name].apps[app], begin, asked) for name, begin in begun.items()}
    plans = {name: _plan(name, begin, own[name].release) for name, begin in begun.items()}
    whole = steps.Plan(app, str(said.get("version", "")), str(said.get("to", "")), str(said.get("destination", "")),
                       plans, rolling.batches(list(plans), int(said.get("parallelism", 0))))
    source = {"source": said.get("source", "")}
    return base.Job(
        plan=whole, release=release.empty(app), bundle=None, known={}, hosts={host.name: host for host in chosen},
        deployment=deployment, begin=source, state_dir=context.settings.state_dir, holder=context.actor,
        since=contexts.now(), url=context.url, stop=context.stop, own=own,
    )


def _agreed(begun: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What all hosts say alike of a deployment: for the ledger and for people, never for a host."""
    first, *others = begun.values() or [{}]
    return {key: value for key, value in first.items() if all(one.get(key) == value for one in others)}


def _own(app: state.AppState, begin: Mapping[str, Any], asked: Mapping[str, str]) -> base.Own:
    """What one host becomes: as its own record says, out of what it keeps."""
    kept = running.kept_releases(app)
    to = str(begin.get("to", ""))
    words = {key: value for key, value in begin.items() if key not in ("at", "v", "from", "to", "generations")}
    return base.Own(kept, kept.get(to) or release.empty(app.app), {**words, **asked}, staged=to in kept)


def _plan(name: str, begin: Mapping[str, Any], to: release.Release | None) -> steps.HostPlan:
    before = state.current_from_json(begin["from"]) if begin.get("from") else None
    numbers = {key: int(value) for key, value in begin.get("generations", {}).items()}
    commit = steps.CommitRelease(str(begin.get("to", "")))
    placed = assignment.by_default(to) if to is not None else {}
    return steps.HostPlan(name, (commit,), (), before, numbers, adopted=state.adopted_from_json(begin), placed=placed)


def decide(
    deployment: str, app: str, seen: state.FleetState, silent: Sequence[str], choice: str,
    decided: deployments.Decision,
) -> bool:
    """True = finish forward, False = undo (decision 0020).

    *decided*: which way this ledger went when it last had this deployment in hand.

    Raises:
        DeployFailedError, ForeignError: as `resume`.
    """
    committed = [name for name, host in seen.hosts.items() if _says_committed(host, app, deployment)]
    if committed and decided == "undo" and not choice:
        raise errors.ForeignError(
            f"deployment {deployment} of {app}: {', '.join(committed)} has it as committed, but this ledger undid it "
            "and saw no host commit it",
            f"lading history {app}; then decide: lading resume {app} --continue | --undo", host=committed[0],
            step="resume")
    if committed and decided != "undo":
        return True
    if decided == "commit" and (silent or choice != "undo"):
        return True
    if choice:
        return choice == "continue"
    if silent:
        raise errors.DeployFailedError(
            f"deployment {deployment} of {app} is in doubt: {', '.join(silent)} cannot be asked whether it was committed",
            f"bring the host back and repeat, or decide: lading resume {app} --continue | --undo", host=silent[0],
            step="resume")
    return False


def _says_committed(host: state.HostState, app: str, deployment: str) -> bool:
    lines = host.apps[app].journal if app in host.apps else ()
    return any(record.deployment == deployment for record in journal.commits(lines))


async def _decided(context: contexts.Context, deployment: str) -> deployments.Decision:
    """What the ledger's chains say of a deployment; nothing without a ledger."""
    if context.ledger is None:
        return ""
    return deployments.decided([stored.event for stored in await context.ledger.events(deployment)])
