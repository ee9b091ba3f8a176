"""The last commit of each app on each host that chains of this ledger tell of, whatever hosts say."""

import itertools
from collections.abc import Iterator

from lading import events
from lading.ledger import chain, contradictions, projection, stores, tables

Last = dict[tuple[str, str, str], chain.Row]
"""Writer, app and host → the row of the last commit, or of the removal after it."""

CHANGES = (
    f"{tables.MILESTONES} AND kind='HostCommitted'",
    "kind='StepEnded' AND step='remove'",  # as the index events_removals has it
)


def of_apps(base: stores.Base, app: str = "") -> dict[str, dict[str, contradictions.Committed]]:
    """App (only *app*, if it is named) → host → its last commit; a host that the app was removed from since has none.

    Only chained events count: those of this ledger, and of ledgers that were taken in. In one chain the later row is
    the later commit; where two chains tell of a host, the later time.
    """
    found: dict[tuple[str, str], chain.Row] = {}
    last = sorted(_last(base, app).items(), key=lambda one: one[0])  # by writer
    for (_, name, host), row in last:
        if (name, host) not in found or row.at >= found[name, host].at:
            found[name, host] = row
    commits: dict[str, dict[str, contradictions.Committed]] = {}
    for (name, host), row in found.items():
        what = projection.event(row)
        if isinstance(what, events.HostCommitted):
            commits.setdefault(name, {})[host] = contradictions.Committed(
                row.deployment, what.release, row.at, what.line, what.current)
    return commits


def _last(base: stores.Base, app: str) -> Last:
    """The last row of each chain that changed what a host has of an app."""
    whose, last = dict(_planned(base, app)), Last()
    for row in itertools.chain.from_iterable(_rows(base, condition) for condition in CHANGES):
        if row.deployment not in whose:
            continue
        key = (row.writer, whose[row.deployment], row.host)
        if key not in last or row.seq > last[key].seq:
            last[key] = row
    return last


def _planned(base: stores.Base, app: str) -> Iterator[tuple[str, str]]:
    """Deployments and their apps, by their intents; also of those that another ledger began and this one resumed."""
    pattern = f"%{chain.canonical({'app': app})[1:-1]}%" if app else "%"
    for row in _rows(base, f"{tables.MILESTONES} AND kind='DeploymentPlanned' AND data LIKE ?", pattern):
        what = projection.event(row)
        if isinstance(what, events.DeploymentPlanned) and app in ("", what.app):
            yield row.deployment, what.app


def _rows(base: stores.Base, condition: str, *values: object) -> Iterator[chain.Row]:
    query = "SELECT writer, seq, at, deployment, kind, host, step, data, prev, hash FROM events"
    return (chain.Row(**row) for row in base.scan(f"{query} WHERE {condition}", values))
