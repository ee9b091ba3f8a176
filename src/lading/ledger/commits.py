"""The last commit of each app on each host that chains of this ledger tell of, whatever hosts say."""

from collections.abc import Iterator

from lading import events
from lading.ledger import chain, contradictions, projection, stores, tables

Last = dict[tuple[str, str, str], tuple[str, contradictions.Committed | None]]
"""Writer, app and host → when, and what was committed; None: the app was removed there."""


def of_apps(base: stores.Base, app: str = "") -> dict[str, dict[str, contradictions.Committed]]:
    """App (only *app*, if it is named) → host → its last commit; a host that the app was removed from since has none.

    Only chained events count: those of this ledger, and of ledgers that were taken in. In one chain the later row is
    the later commit; where two chains tell of a host, the later time.
    """
    found: dict[tuple[str, str], tuple[str, contradictions.Committed | None]] = {}
    for (_, name, host), (at, commit) in _last(base, app).items():
        if (name, host) not in found or at >= found[name, host][0]:
            found[name, host] = (at, commit)
    commits: dict[str, dict[str, contradictions.Committed]] = {}
    for (name, host), (_, commit) in found.items():
        if commit is not None:
            commits.setdefault(name, {})[host] = commit
    return commits


def _last(base: stores.Base, app: str) -> Last:
    """The last row of each chain that changed what a host has of an app."""
    whose, last = dict(_planned(base, app)), Last()
    committed = _rows(base, f"{tables.MILESTONES} AND kind='HostCommitted'")
    removed = _rows(base, "kind='StepEnded' AND step='remove'")
    for row in sorted([*committed, *removed], key=lambda row: (row.writer, row.seq)):
        if row.deployment not in whose:
            continue
        what, commit = projection.event(row), None
        if isinstance(what, events.HostCommitted):
            commit = contradictions.Committed(row.deployment, what.release, row.at, what.line, what.current)
        last[row.writer, whose[row.deployment], row.host] = (row.at, commit)
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
