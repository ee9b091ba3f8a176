"""The last commit of an app on each host that chains of this ledger tell of, whatever hosts say."""

from collections.abc import Iterable, Mapping

from lading import events
from lading.ledger import chain, contradictions, projection, stores, tables


def of_app(base: stores.Base, app: str) -> dict[str, contradictions.Committed]:
    """Host → its last commit of *app*; a host that the app was removed from since has none.

    Only chained events count: those of this ledger, and of ledgers that were taken in. In one chain the later row is
    the later commit; where two chains tell of a host, the later time.
    """
    found: dict[str, tuple[str, contradictions.Committed | None]] = {}
    for host, at, commit in _ends(base, app):
        if host not in found or at >= found[host][0]:
            found[host] = (at, commit)
    return {host: commit for host, (_, commit) in found.items() if commit is not None}


def _ends(base: stores.Base, app: str) -> Iterable[tuple[str, str, contradictions.Committed | None]]:
    """Host, time and commit (None: removed) of the last row of each chain that changed what the host has of the app."""
    last: dict[tuple[str, str], tuple[str, contradictions.Committed | None]] = {}
    changes = (row for deployment in _deployments(base, app) for row in _changes(base, deployment))
    for row in sorted(changes, key=lambda row: (row.writer, row.seq)):
        what = projection.event(row)
        commit = None
        if isinstance(what, events.HostCommitted):
            commit = contradictions.Committed(row.deployment, what.release, row.at, what.line, what.current)
        last[row.writer, row.host] = (row.at, commit)
    return [(host, at, commit) for (_, host), (at, commit) in last.items()]


def _deployments(base: stores.Base, app: str) -> Mapping[str, None]:
    """The deployments of an app, by their intents; also of those that another ledger began and this one resumed."""
    planned = tables.rows(base, "WHERE kind='DeploymentPlanned' AND data LIKE ?",
                          (f"%{chain.canonical({'app': app})[1:-1]}%",))
    return {row.deployment: None for row in planned if getattr(projection.event(row), "app", "") == app}


def _changes(base: stores.Base, deployment: str) -> list[chain.Row]:
    """Rows of a deployment that say: this host has committed it, or the app is gone there."""
    return tables.rows(base, "WHERE deployment=? AND (kind='HostCommitted' OR (kind='StepEnded' AND step='remove'))",
                       (deployment,))
