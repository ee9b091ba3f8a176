"""The verb deploy: prepare, end what another run left open, carry out, say how it ended."""

from dataclasses import replace

from lading import context as contexts
from lading.deploy import contradicting, ended, execution, order, preparation, takeover, unwell, waiting
from lading.deploy.preparation import Prepared
from lading.deploy.request import Request
from lading.plan import steps


async def plan(context: contexts.Context, request: Request) -> steps.Plan:
    """What `deploy` would do, from observation, without a lease; nothing is changed anywhere.

    Raises:
        InputError, ForeignError, TransportError: as `deploy`.
    """
    return (await preparation.prepare(context, request)).plan


async def deploy(context: contexts.Context, request: Request) -> ended.Ended:
    """Bring the destination to a version: all hosts or none.

    Raises:
        InputError: the input is wrong; no host was contacted.
        RefusedError: lease, preflight, owner or confirmation; nothing was changed.
        TransportError: a host could not be looked at before the start; nothing was changed.
        LedgerError: the intent could not be stored; nothing was changed.
    """
    prepared = await _prepare(context, request)
    if await waiting.for_others(context, prepared.plan.app, prepared.seen):
        prepared = await _prepare(context, request)
    first = await takeover.end_open(context, prepared.plan.app, prepared.seen,
                                    take_lease=request.take_lease, before="the next deployment")
    if first:
        prepared = await _prepare(context, request)
    wanted = await order.of_prepared(context, prepared, deployment=order.new_id())
    done = await execution.carry_out(context, wanted, commit=prepared.bundle.commit or context.commit,
                                     check=prepared.images.check, first=first)
    if done.result != "unchanged":
        return done
    name = prepared.plan.app
    apps = {host: one.apps[name] for host, one in prepared.seen.hosts.items() if name in one.apps}
    sick = unwell.note(prepared.bundle.release, prepared.plan.hosts, apps)
    return replace(done, note="; ".join(filter(None, [done.note, sick])))


async def _prepare(context: contexts.Context, request: Request) -> Prepared:
    """A plan that may be carried out.

    Hosts that contradict the ledger are refused unless a person has accepted them, or has approved
    this plan by its hash: the plan shows the repair.
    """
    prepared = await preparation.prepare(context, request)
    if not context.approved:
        contradicting.check(prepared.contradictions, request.accepted)
    return prepared
