"""How long the last roll of an app took, as far as this ledger knows: what its next plan says of the outage."""

from collections.abc import Sequence

from lading import errors, events
from lading.ledger import deployments, timings
from lading.ledger.ledger import Ledger
from lading.plan import outage, steps

LOOKED_AT = 5  # deployments
MOST = 50  # hosts: the events of more are not read for a sentence
ROLLING = ("deploy", "rollback", "restart")
"""The verbs that take containers away and wait for others; a number of containers by hand does not."""


async def roll_seconds(ledger: Ledger | None, app: str, destination: str) -> float:
    """Seconds that the slowest host took in the last roll there that took something away and succeeded; 0 = nobody knows."""
    if ledger is None:
        return 0.0
    try:
        for row in await ledger.history(app, LOOKED_AT):
            if not _tells(row, destination):
                continue
            slowest = _slowest(await ledger.events(row.deployment))
            if slowest:
                return slowest
    except errors.LedgerError:
        return 0.0  # a sentence is not worth a refusal
    return 0.0


def _slowest(stored: Sequence[deployments.Stored]) -> float:
    """Seconds of the slowest roll, of the hosts on which containers were replaced; 0 = there were none."""
    changes: dict[str, list[steps.Change]] = {}
    for one in stored:
        for told in one.event.changes if isinstance(one.event, events.DeploymentPlanned) else ():
            words = {name: str(told.get(name, "")) for name in ("host", "service", "field", "old", "new")}
            changes.setdefault(words["host"], []).append(steps.Change(**words))
    measured = {host for host, known in changes.items() if outage.taken_away(known)}
    took = timings.timings(stored).hosts
    return max((phases.get("roll", 0.0) for host, phases in took.items() if host in measured), default=0.0)


def _tells(row: deployments.Deployment, destination: str) -> bool:
    """Whether a deployment is like those that come, and this ledger has all of it."""
    made_here = row.result == "succeeded" and not row.origin and len(row.hosts) <= MOST
    return made_here and row.destination == destination and row.verb in ROLLING
