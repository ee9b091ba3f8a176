"""Confirm, store the intent, let the engine run, store how it ended: the same for every changing verb."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from lading import context as contexts
from lading import errors, events, spans, state
from lading.compose import release, restore
from lading.deploy import approval, ended, recording
from lading.engines import base, hosts
from lading.health import verdict
from lading.plan import steps
from lading.transport import base as transports

Act = Callable[[hosts.HostsEngine, base.Job, events.Record], Awaitable[base.Report]]


async def _deploy(engine: hosts.HostsEngine, job: base.Job, record: events.Record) -> base.Report:
    return await engine.run(job, record)


async def carry_out(
    context: contexts.Context, job: base.Job, *, verb: str, reason: str, plan: steps.Plan, commit: str = "",
    act: Act = _deploy, ask: bool = True,
) -> ended.Ended:
    """Carry a job out and say how it ended; nothing to do = `unchanged`, without a question and without an entry.

    Raises:
        NotConfirmedError, PlanChangedError: the answer was no, or another plan was approved; nothing was changed.
        RefusedError, TransportError, LedgerError: before anything was changed.
    """
    started, prepared = contexts.now(), time.monotonic() - context.began
    if ask:
        approval.check(context, plan)
    if plan.empty:
        report = base.Report(events.Outcome({
            name: events.HostOutcome("unchanged", job.release.id, job.release.id) for name in plan.hosts
        }))
        return _ended(context, job, report, "unchanged", started, reason, deployment="")
    if ask and not context.confirm(plan):
        raise errors.NotConfirmedError("not confirmed; nothing was changed", "answer y, or add --yes")
    begun = time.monotonic()
    if context.ledger is not None and job.release.id == plan.release:
        await context.ledger.keep(job.release.canonical())
    await context.record(_intent(context, job, verb, reason, plan, commit, round(prepared, 3)))
    record = recording.Recording(context)
    job = replace(job, attest=record.attest, show=context.on_event, begin={**job.begin, "ran_by": context.ran_by})
    try:
        report = await act(hosts.HostsEngine(context.transport), job, record)
    except errors.LadingError as refused:
        await record(events.DeploymentEnded(job.deployment, result="failed", error=refused.message,
                                            hosts=dict.fromkeys(plan.hosts, "untouched")))
        await record.catch_up()
        raise
    await record(_end(job, report, time.monotonic() - begun))
    lacks = await record.catch_up()
    done = _ended(context, job, report, report.outcome.result, started, reason, deployment=job.deployment)
    return replace(done, note=lacks)


def _end(job: base.Job, report: base.Report, seconds: float) -> events.DeploymentEnded:
    return events.DeploymentEnded(
        job.deployment, result=report.outcome.result,
        hosts={name: host.result for name, host in report.outcome.hosts.items()},
        error=f"{report.host} {report.step}: {report.why}".strip(": ") if report.why else "", seconds=round(seconds, 3),
    )


def _intent(
    context: contexts.Context, job: base.Job, verb: str, reason: str, plan: steps.Plan, commit: str,
    seconds: float,
) -> events.DeploymentPlanned:
    changes = tuple(
        {"host": c.host, "service": c.service, "field": c.field, "old": c.old, "new": c.new} for c in plan.changes
    )
    return events.DeploymentPlanned(
        job.deployment, verb=verb, app=plan.app, version=plan.version, release=plan.release,
        destination=plan.destination, hosts=tuple(plan.hosts), source=str(job.begin.get("source", "")), commit=commit,
        actor=context.actor, reason=reason, url=context.url, plan=plan.hash, changes=changes, seconds=seconds,
        vouched=job.vouched, ran_by=context.ran_by, keys=_keys(context, job, plan),
    )


def _keys(context: contexts.Context, job: base.Job, plan: steps.Plan) -> Mapping[str, tuple[str, ...]]:
    """The fingerprints of the SSH keys that let this run in, and on which of the plan's hosts."""
    found: dict[str, list[str]] = {}
    for name in plan.hosts:
        key = transports.key_of(context.transport, job.hosts[name])
        if key:
            found.setdefault(key, []).append(name)
    return {key: tuple(spans.packed(names)) for key, names in found.items()}


def _ended(
    context: contexts.Context, job: base.Job, report: base.Report, result: str, started: str, reason: str, *,
    deployment: str,
) -> ended.Ended:
    return ended.Ended(
        deployment, job.plan.app, job.plan.version, job.plan.release, job.plan.destination, result, started,
        contexts.now(), context.actor, reason, report,
    )


def unfinished(seen: state.FleetState, app: str) -> dict[str, str]:
    """The hosts on which a deployment of an app is open, with its id."""
    found = {}
    for name, host in seen.hosts.items():
        left = host.apps[app].open if app in host.apps else None
        if left is not None:
            found[name] = left.begun.deployment
    return found


def kept_release(app: state.AppState) -> release.Release | None:
    """The release that a host says is current, if it still keeps it."""
    if app.current is None or app.current.release not in app.releases:
        return None
    return restore.from_json(app.releases[app.current.release])


def owner(app: state.AppState) -> dict[str, str]:
    """To whom an app belongs on one host, as that host has it: no other host decides about it."""
    current = app.current
    return {"source": current.source, "destination": current.destination} if current is not None else {}


def finished(app: state.AppState | None) -> dict[str, list[str]]:
    """What a deployment's record on a host says of the services that had ended well before: a way back does not run them again."""
    return {"finished": list(verdict.finished(app.containers))} if app is not None else {"finished": []}


def kept_releases(app: state.AppState | None) -> Mapping[str, release.Release]:
    """All releases of an app that one host keeps, by id; what another host keeps is no word for this one."""
    if app is None:
        return {}
    return {name: restore.from_json(raw) for name, raw in app.releases.items()}
