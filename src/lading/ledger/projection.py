"""The list of deployments, made from events and from what hosts tell; and whether it still agrees with them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from lading import events
from lading.ledger import chain, deployments, stores, tables


def event(row: chain.Row) -> events.Event:
    """The event of a row.

    Raises:
        Damaged: it is not one, or of a newer lading.
    """
    try:
        data = json.loads(row.data)
        return events.from_json({"v": data.pop("v", 0), "kind": row.kind, "deployment": row.deployment,
                                 "host": row.host, "step": row.step, "data": data})
    except (ValueError, TypeError, AttributeError) as wrong:
        raise tables.Damaged(f"row {row.seq}: {wrong}") from wrong


def deployment(row: Mapping[str, Any]) -> deployments.Deployment:
    """A row of the list.

    Raises:
        Damaged: it is not one.
    """
    try:
        return deployments.Deployment(**{**row, "hosts": dict(json.loads(row["hosts"]))})
    except (ValueError, TypeError) as wrong:
        raise tables.Damaged(f"deployment {row['deployment']}: {wrong}") from wrong


def known(base: stores.Base, id: str) -> deployments.Deployment | None:
    """What the list says of a deployment."""
    rows = base.execute("SELECT * FROM deployments WHERE deployment=?", (id,))
    return deployment(rows[0]) if rows else None


def _put(base: stores.Base, row: deployments.Deployment) -> None:
    values = tables.deployment_values({**asdict(row), "hosts": chain.canonical(row.hosts)})
    base.execute(tables.PUT_DEPLOYMENT, values)


def take(base: stores.Base, told: deployments.Deployment) -> bool:
    """Merge what hosts tell of a deployment; whether it was not in the list."""
    there = known(base, told.deployment)
    _put(base, deployments.merged(there, told) if there else told)
    return there is None


def project(base: stores.Base, what: events.Event, at: str) -> None:
    """Let the list follow an event."""
    if isinstance(what, events.DeploymentPlanned) and what.verb != "resume":
        _put(base, deployments.planned(what, at))
    elif isinstance(what, events.DeploymentEnded):
        there = known(base, what.deployment)
        if there is not None:
            _put(base, deployments.ended(there, what, at))


def differences(base: stores.Base, rows: Iterable[chain.Row]) -> Iterator[str]:
    """Deployments of the list that say otherwise than their events, in words."""
    found: dict[str, deployments.Deployment] = {}
    for row in rows:
        what = event(row) if row.sealed and row.kind in ("DeploymentPlanned", "DeploymentEnded") else None
        if isinstance(what, events.DeploymentPlanned) and what.verb != "resume":
            found[row.deployment] = deployments.planned(what, row.at)
        elif isinstance(what, events.DeploymentEnded) and row.deployment in found:
            found[row.deployment] = deployments.ended(found[row.deployment], what, row.at)
    for key, one in found.items():
        listed = known(base, key)
        settled = one.ended and "unknown" not in one.hosts.values()
        if listed is None or (listed != one if settled else listed.started != one.started):
            yield f"deployment {key} is not in the list as its events tell it: lading ledger rebuild"
