"""Finish or undo what another run left open, from the hosts' own records; no ledger is needed."""

from collections.abc import Mapping, Sequence
from typing import Any

from lading import context as contexts
from lading import errors, events, observe, state
from lading.compose import release
from lading.deploy import ended, running
from lading.engines import base, hosts
from lading.plan import rollout, steps


async def resume(
    context: contexts.Context, app: str = "", *, to: Sequence[str] = (), choice: str = "", reason: str = "resume",
) -> tuple[ended.Ended, ...]:
    """End every open deployment of *app* (or of all apps) on the hosts; *choice* decides what is in doubt.

    Any participant committed → the others are finished; all reachable and none → undone; otherwise in doubt.

    Raises:
        DeployFailedError: it is in doubt (a participant does not answer) and *choice* is "".
        LeaseHeldError: a command of that deployment still runs on a host.
        UnknownReleaseError: all hosts answer, and neither they nor the ledger know the app.
    """
    _, chosen = context.choose(to)
    seen = await observe.fleet(context.transport, chosen, state_dir=context.settings.state_dir, app=app, facts=False)
    await context.check_known(app, seen)
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for host in seen.hosts.values():
        for name, one in host.apps.items():
            if one.open_intent is not None:
                found[(name, str(one.open_intent["deployment"]))] = one.open_intent
    return tuple([await _one(context, name, begin, choice, reason) for (name, _), begin in found.items()])


async def _one(
    context: contexts.Context, app: str, begin: Mapping[str, Any], choice: str, reason: str
) -> ended.Ended:
    names = [str(name) for name in begin.get("participants", [])]
    missing = [name for name in names if name not in context.settings.inventory.hosts]
    chosen = [context.settings.inventory.hosts[name] for name in names if name not in missing]
    seen = await observe.fleet(context.transport, chosen, state_dir=context.settings.state_dir, app=app, facts=False)
    silent = missing + [name for name, host in seen.hosts.items() if not host.reachable]
    forward = _decide(str(begin["deployment"]), app, seen, silent, choice)
    plans = {name: _plan(name, host.apps.get(app), str(begin["deployment"])) for name, host in seen.hosts.items()
             if host.reachable}
    open_plans = {name: plan for name, plan in plans.items() if plan is not None}
    known = running.known_releases(seen, app)
    target = known.get(str(begin.get("to", ""))) or release.empty(app)
    whole = steps.Plan(app, str(begin.get("version", "")), str(begin.get("to", "")), str(begin.get("destination", "")),
                       open_plans, rollout.batches(list(open_plans), int(begin.get("parallelism", 0))))
    record = {**{key: value for key, value in begin.items() if key not in ("at", "kind", "v", "from", "generations")},
              "kind": "resumed", "actor": context.actor, "reason": reason, "url": context.url}
    job = base.Job(
        plan=whole, release=target, bundle=None, known=known, hosts={host.name: host for host in chosen},
        deployment=str(begin["deployment"]), begin=record, state_dir=context.settings.state_dir,
        holder=context.actor, since=contexts.now(), url=context.url, stop=context.stop,
    )

    async def act(engine: hosts.HostsEngine, what: base.Job, store: events.Record) -> base.Report:
        return await engine.settle(what, store, forward=forward, silent=silent)

    return await running.carry_out(context, job, verb="resume", reason=reason, plan=whole, act=act, ask=False)


def _decide(deployment: str, app: str, seen: state.FleetState, silent: Sequence[str], choice: str) -> bool:
    """True = finish forward, False = undo (DESIGN §4, order of writes)."""
    committed = [
        name for name, host in seen.hosts.items() for line in host.apps.get(app, state.AppState(app)).journal
        if line.get("kind") == "committed" and line.get("deployment") == deployment
    ]
    if committed:
        return True
    if choice:
        return choice == "continue"
    if silent:
        raise errors.DeployFailedError(
            f"deployment {deployment} of {app} is in doubt: {', '.join(silent)} cannot be asked whether it was committed",
            f"bring the host back and repeat, or decide: lading resume {app} --continue | --undo", host=silent[0],
            step="resume")
    return False


def _plan(name: str, app: state.AppState | None, deployment: str) -> steps.HostPlan | None:
    begin = app.open_intent if app is not None else None
    if app is None or begin is None or begin.get("deployment") != deployment:
        return None
    before = state.current_from_json(begin["from"]) if begin.get("from") else None
    numbers = {key: int(value) for key, value in begin.get("generations", {}).items()}
    commit = steps.CommitRelease(str(begin.get("to", "")))
    return steps.HostPlan(name, (commit,), (), before, numbers, adopted=state.adopted_from_json(begin))
