"""How long the last roll of an app took, as far as this ledger knows: what its next plan says of the outage."""

from lading import errors
from lading.ledger import deployments, timings
from lading.ledger.ledger import Ledger

LOOKED_AT = 5  # deployments
MOST = 50  # hosts: the events of more are not read for a sentence
ROLLING = ("deploy", "rollback", "restart")
"""The verbs that take containers away and wait for others; a number of containers by hand does not."""


async def roll_seconds(ledger: Ledger | None, app: str, destination: str) -> float:
    """Seconds that the slowest host took in the last roll there that succeeded; 0 = nobody knows."""
    if ledger is None:
        return 0.0
    try:
        for row in await ledger.history(app, LOOKED_AT):
            if not _tells(row, destination):
                continue
            took = timings.timings(await ledger.events(row.deployment))
            slowest = max((phases.get("roll", 0.0) for phases in took.hosts.values()), default=0.0)
            if slowest:
                return slowest
    except errors.LedgerError:
        return 0.0  # a sentence is not worth a refusal
    return 0.0


def _tells(row: deployments.Deployment, destination: str) -> bool:
    """Whether a deployment is like those that come, and this ledger has all of it."""
    made_here = row.result == "succeeded" and not row.origin and len(row.hosts) <= MOST
    return made_here and row.destination == destination and row.verb in ROLLING
