"""Confirm, store the intent, let the engine work, store how it ended: the same for every verb that changes anything."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from lading import context as contexts
from lading import errors, events, loading, spans
from lading.deploy import approval, ended, recording
from lading.engines import base
from lading.transport import base as transports

Act = Callable[[base.Engine, base.DeploymentOrder, events.Record], Awaitable[base.Report]]


async def apply(engine: base.Engine, order: base.DeploymentOrder, record: events.Record) -> base.Report:
    """What most verbs want of an engine: all hosts or none."""
    return await engine.apply(order, record)


async def ready() -> None:
    """What has to be looked at last where nothing has."""


async def carry_out(
    context: contexts.Context, order: base.DeploymentOrder, *, commit: str = "", act: Act = apply,
    check: Callable[[], Awaitable[None]] = ready, first: Sequence[ended.Ended] = (),
) -> ended.Ended:
    """Carry an order out and say how it ended; nothing to do = `unchanged`, without a question and without an entry.

    *commit*: the commit that the files were read from. *check*: what is looked at last, once a person has
    said yes; what it raises is a refusal. *first*: what was open, and was ended before: told where nothing else is done.

    Raises:
        NotConfirmedError, PlanChangedError: the answer was no, or another plan was approved; nothing of the plan was done.
        RefusedError, TransportError, LedgerError: before anything of it was done.
    """
    started, plan = contexts.now(), order.plan
    approval.check(context, plan, await approval.carried_out_as(context, plan))
    if plan.empty:
        return replace(_unchanged(context, order, started), note=ended.just_now(first))
    prepared = time.monotonic() - context.began
    await context.record(_requested(context, order))
    try:
        if not context.confirm(plan):
            raise errors.NotConfirmedError("not confirmed; nothing of this plan was carried out", "answer y, or add --yes")
        await check()
        await _keep_release(context, order)
        await context.begin(_planned(context, order, commit, round(prepared, 3)), order.hosts)
    except errors.RefusedError as refused:
        refused.message = "; but before it ".join(filter(None, [refused.message, ended.just_now(first)]))
        await context.record(_refusal(order, refused))
        raise
    return await _work(context, order, act, started)


async def take_over(context: contexts.Context, order: base.DeploymentOrder, way: base.Way) -> ended.Ended:
    """End a deployment that another process left open.

    Raises:
        LeaseHeldError: whoever works on it lives.
    """
    started, plan = contexts.now(), order.plan
    open_on = tuple(order.own)
    await context.record(events.DeploymentTakenOver(
        order.deployment, app=plan.app, actor=context.actor, reason=order.reason, url=context.url,
        ran_by=context.ran_by, hosts=open_on, way=way, without=order.without))

    async def settle(engine: base.Engine, what: base.DeploymentOrder, record: events.Record) -> base.Report:
        return await engine.settle(what, record, way)

    return await _work(context, order, settle, started)


async def _work(
    context: contexts.Context, order: base.DeploymentOrder, act: Act, started: str
) -> ended.Ended:
    begun = time.monotonic()
    record = recording.Recording(context)
    order = replace(order, decide=partial(record.decide, order.deployment), show=context.on_event,
                    trace=context.trace, keep=record.keep)
    assert context.engine is not None, "verbs that change anything are given an engine"
    try:
        report = await act(context.engine, order, record)
    except errors.LadingError as refused:
        end = _refusal(order, refused)
        await record(end)
        await asyncio.gather(_tell(context, order, end, started), record.catch_up())
        raise
    end = _end(order, report, time.monotonic() - begun)
    await record(end)
    untold, lacks = await asyncio.gather(_tell(context, order, end, started), record.catch_up())
    taken = ""
    if report.overtaken:
        taken = f"what became of it was done by {report.overtaken}, who has taken the app over: lading where {order.plan.app}"
    note = "; ".join(filter(None, [taken, lacks]))
    return replace(_ended(context, order, report, report.outcome.result, started), note=note, untold="; ".join(untold))


async def _tell(
    context: contexts.Context, order: base.DeploymentOrder, end: events.DeploymentEnded, started: str
) -> list[str]:
    """Tell the destination's webhooks; what of it did not work is a note, and changes nothing."""
    plan, fleet = order.plan, context.settings
    listening = fleet.inventory.webhooks(plan.destination, list(plan.hosts))
    if not listening:
        return []
    with loading.later():  # few destinations have any
        from lading import webhooks
    told = webhooks.Ending(
        order.deployment, plan.verb, plan.app, plan.version, plan.release, plan.destination, end.result, end.hosts,
        context.actor, order.reason, started, contexts.now(), end.error, context.url)
    lacking = await webhooks.tell(listening, told, context.environment, fleet.folder)
    context.notes.extend(lacking)
    return lacking


async def _keep_release(context: contexts.Context, order: base.DeploymentOrder) -> None:
    """The ledger keeps what is deployed."""
    made = next((own.release for own in order.own.values()), None)
    if context.ledger is not None and made is not None and made.id == order.plan.release:
        await context.ledger.keep(made.canonical())


def _unchanged(context: contexts.Context, order: base.DeploymentOrder, started: str) -> ended.Ended:
    release = order.plan.release
    hosts = {name: events.HostOutcome("unchanged", release, release) for name in order.plan.hosts}
    report = base.Report(events.Outcome(hosts))
    return replace(_ended(context, order, report, "unchanged", started), deployment="")


def _requested(context: contexts.Context, order: base.DeploymentOrder) -> events.DeploymentRequested:
    plan = order.plan
    return events.DeploymentRequested(
        order.deployment, verb=plan.verb, app=plan.app, version=plan.version, destination=plan.destination,
        actor=context.actor, reason=order.reason, url=context.url, ran_by=context.ran_by)


def _planned(
    context: contexts.Context, order: base.DeploymentOrder, commit: str, seconds: float
) -> events.DeploymentPlanned:
    plan = order.plan
    changes = tuple(
        {"host": c.host, "service": c.service, "field": c.field, "old": c.old, "new": c.new} for c in plan.changes
    )
    return events.DeploymentPlanned(
        order.deployment, verb=plan.verb, app=plan.app, version=plan.version, release=plan.release,
        destination=plan.destination, hosts=tuple(plan.hosts), source=plan.source, commit=commit,
        actor=context.actor, reason=order.reason, url=context.url, plan=plan.hash, changes=changes,
        seconds=seconds, vouched=order.vouched, ran_by=context.ran_by, keys=_keys(context, order),
        excluded={one.host: one.place for one in plan.assignment.excluded},
    )


def _keys(context: contexts.Context, order: base.DeploymentOrder) -> Mapping[str, tuple[str, ...]]:
    """The fingerprints of the SSH keys that let this run in, and on which of the plan's hosts."""
    found: dict[str, list[str]] = {}
    for name, host in order.hosts.items():
        key = transports.key_of(context.transport, host)
        if key and name in order.plan.hosts:
            found.setdefault(key, []).append(name)
    return {key: tuple(spans.packed(names)) for key, names in found.items()}


def _refusal(order: base.DeploymentOrder, refused: errors.LadingError) -> events.DeploymentEnded:
    """How a deployment ended that was refused: no host was changed."""
    result = "refused" if isinstance(refused, errors.RefusedError) else "failed"
    return events.DeploymentEnded(
        order.deployment, result=result, error=refused.message,
        hosts=dict.fromkeys(order.plan.hosts, "untouched"))


def _end(order: base.DeploymentOrder, report: base.Report, seconds: float) -> events.DeploymentEnded:
    return events.DeploymentEnded(
        order.deployment, result=report.outcome.result,
        hosts={name: host.result for name, host in report.outcome.hosts.items()},
        error=f"{report.host} {report.step}: {report.why}".strip(": ") if report.why else "",
        seconds=round(seconds, 3),
    )


def _ended(
    context: contexts.Context, order: base.DeploymentOrder, report: base.Report, result: str, started: str
) -> ended.Ended:
    plan = order.plan
    return ended.Ended(
        order.deployment, plan.app, plan.version, plan.release, plan.destination, result, started,
        contexts.now(), context.actor, order.reason, report, versions=plan.versions,
        excluded=plan.assignment.excluded, verb=plan.verb,
    )
