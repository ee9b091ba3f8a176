"""How long the last roll of an app took, as far as this ledger knows: what its next plan says of the outage."""

from lading import context as contexts
from lading import errors
from lading.ledger import timings

LOOKED_AT = 5  # deployments
MOST = 50  # hosts: the events of more are not read for a sentence


async def roll_seconds(context: contexts.Context, app: str) -> float:
    """Seconds that the slowest host took in the last roll that succeeded; 0 = nobody knows."""
    if context.ledger is None:
        return 0.0
    try:
        for row in await context.ledger.history(app, LOOKED_AT):
            if row.result != "succeeded" or row.origin or len(row.hosts) > MOST:
                continue
            took = timings.timings(await context.ledger.events(row.deployment))
            slowest = max((phases.get("roll", 0.0) for phases in took.hosts.values()), default=0.0)
            if slowest:
                return slowest
    except errors.LedgerError:
        return 0.0  # a sentence is not worth a refusal
    return 0.0
