"""The list of deployments, made from events and from what each host tells; and whether it still agrees with them."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from lading import events
from lading.ledger import chain, deployments, stores, tables

LISTED = (events.DeploymentRequested, events.DeploymentPlanned, events.DeploymentEnded)
KEPT = 10_000  # deployments that one host may have told of


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


def attributed(base: stores.Base, row: deployments.Deployment) -> deployments.Deployment:
    """The row with who ran lading, and by which keys: the list itself has no place for it."""
    if row.origin:
        agreed = [one for one in told(base, row.deployment) if _teller(one) == _teller(row)]
        return replace(row, ran_by=agreed[0].ran_by) if agreed else row
    for what, _ in _story(base, row.deployment):
        if isinstance(what, events.DeploymentPlanned) and what.verb != "resume":
            return replace(row, ran_by=what.ran_by, keys=what.keys, excluded=tuple(what.excluded))
    return row


def told(base: stores.Base, id: str) -> list[deployments.Deployment]:
    """What each host told of a deployment, of itself."""
    found = base.execute("SELECT * FROM told WHERE deployment=? ORDER BY host", (id,))
    return [_telling(row) for row in found]


def _told_of(base: stores.Base, ids: Sequence[str]) -> dict[str, list[deployments.Deployment]]:
    """Deployment → what each host told of it, of itself; of those that hosts told of."""
    query = f"SELECT * FROM told WHERE deployment IN ({stores.marks(ids)}) ORDER BY deployment, host"
    found = dict[str, list[deployments.Deployment]]()
    for row in base.execute(query, ids):
        found.setdefault(row["deployment"], []).append(_telling(row))
    return found


def all_told(base: stores.Base) -> Iterator[deployments.Deployment]:
    """All that hosts told, host by host."""
    return map(_telling, base.scan("SELECT * FROM told ORDER BY host, deployment"))


def _telling(row: Mapping[str, Any]) -> deployments.Deployment:
    words: dict[str, Any] = {name: str(row[name]) for name in tables.TOLD if name != "host"}
    return deployments.Deployment(**words, hosts={row["host"]: words["result"]}, origin=f"host {row['host']}")


def _story(base: stores.Base, id: str) -> list[tuple[events.Event, str]]:
    """The events that make a row of the list, with their times, in their order."""
    found = tables.rows(base, f"WHERE deployment=? AND {tables.MILESTONES}", (id,))
    return _events(found)


def _events(rows: Iterable[chain.Row]) -> list[tuple[events.Event, str]]:
    chosen = [row for row in rows if row.kind != "HostCommitted"]
    if len({row.writer for row in chosen}) > 1:
        chosen.sort(key=lambda row: row.at)
    return [(event(row), row.at) for row in chosen]


def refresh(base: stores.Base, id: str) -> bool:
    """Make the row of a deployment anew, from its events and what hosts told; False: there is neither."""
    row = deployments.listed(_story(base, id), told(base, id))
    if row is not None:
        base.execute(tables.PUT_DEPLOYMENT, _values(row))
    return row is not None


def _values(row: deployments.Deployment) -> tuple[str, ...]:
    words = {name: getattr(row, name) for name in tables.COLUMNS}
    return tables.deployment_values({**words, "hosts": chain.canonical(row.hosts)})


def project(base: stores.Base, what: events.Event) -> None:
    """Let the list follow an event that was just stored."""
    if isinstance(what, LISTED):
        refresh(base, what.deployment)


def follow(base: stores.Base, happened: Iterable[events.Event]) -> None:
    """The same of many events at once."""
    changed = {what.deployment for what in happened if isinstance(what, LISTED)}
    for ids in stores.chunks(sorted(changed), stores.ASKED):
        condition = f"deployment IN ({stores.marks(ids)}) AND {tables.MILESTONES}"
        _list_anew(base, dict(_stories(base, condition, ids)))


def take(base: stores.Base, all_told: Iterable[deployments.Deployment]) -> int:
    """Store what hosts tell of deployments, each of itself; how many were not in the list.

    What a host told stays when it does not tell of it again, or is not sure any more.
    """
    changed: set[str] = set()
    for host, tellings in itertools.groupby(_by_host(all_told), key=_teller):
        changed |= _take_from(base, host, tellings)
    new = 0
    for id in sorted(changed):
        new += not base.execute("SELECT 1 FROM deployments WHERE deployment=?", (id,))
        refresh(base, id)
    return new


def _take_from(base: stores.Base, host: str, tellings: Iterable[deployments.Deployment]) -> set[str]:
    """Store what one host tells; the deployments of which it tells something new. Above KEPT nothing more is taken."""
    found = base.scan("SELECT * FROM told WHERE host=?", (host,))
    before = {row["deployment"]: _telling(row) for row in found}
    changed = set()
    for one in tellings:
        known = before.get(one.deployment)
        if _is_news(one, known) and (known or len(before) < KEPT):
            values = {**asdict(one), "host": host}
            base.execute(tables.PUT_TOLD, [tables.stored(values[name]) for name in tables.TOLD])
            before[one.deployment] = one
            changed.add(one.deployment)
    return changed


def _is_news(one: deployments.Deployment, known: deployments.Deployment | None) -> bool:
    """Whether a host says more, or other things, than before; a host that is unsure now does not take back its word."""
    unsure = one.result in deployments.UNSURE
    return known is None or (known != one and not (unsure and known.result not in deployments.UNSURE))


def _teller(one: deployments.Deployment) -> str:
    return one.origin.removeprefix("host ").partition(" ")[0]


def _by_host(all_told: Iterable[deployments.Deployment]) -> list[deployments.Deployment]:
    """Each host's word by itself, host by host; that a host is unsure of another is nobody's word."""
    found = []
    for one in all_told:
        for host, result in one.hosts.items():
            if host == _teller(one) or result not in deployments.UNSURE:
                found.append(replace(one, hosts={host: result}, result=result, origin=f"host {host}"))
    return sorted(found, key=_teller)


def rebuild(base: stores.Base, all_told: Sequence[deployments.Deployment]) -> None:
    """Make the list anew from the events and from what hosts tell now; what only they told before stays."""
    base.execute("DELETE FROM deployments WHERE origin=''")
    for stories in stores.chunks(_stories(base, tables.MILESTONES), stores.ASKED):
        _list_anew(base, dict(stories))
    take(base, all_told)
    for one in all_told:
        refresh(base, one.deployment)


def _list_anew(base: stores.Base, stories: Mapping[str, Sequence[chain.Row]]) -> None:
    """Make the rows of these deployments, each from its events and from what hosts told of it."""
    told_of = _told_of(base, list(stories))
    made = (deployments.listed(_events(rows), told_of.get(id, ())) for id, rows in stories.items())
    base.execute_each(tables.PUT_DEPLOYMENT, [_values(row) for row in made if row is not None])


def _stories(
    base: stores.Base, condition: str, values: Sequence[object] = ()
) -> Iterator[tuple[str, list[chain.Row]]]:
    """Deployments, and the rows of their events for which a condition holds."""
    rows = tables.scan(base, f"WHERE {condition}", values, order="deployment, writer, seq")
    for id, group in itertools.groupby(rows, key=lambda row: row.deployment):
        yield id, list(group)


def forget(base: stores.Base, host: str) -> int:
    """Take away all that a host told of deployments; how many it told of. What this ledger knows itself stays."""
    told_of = {row["deployment"] for row in base.scan("SELECT deployment FROM told WHERE host=?", (host,))}
    older = base.scan("SELECT deployment FROM deployments WHERE origin=?", (f"host {host}",))
    told_of |= {row["deployment"] for row in older}
    base.execute("DELETE FROM told WHERE host=?", (host,))
    for id in sorted(told_of):
        if not refresh(base, id):
            base.execute("DELETE FROM deployments WHERE deployment=?", (id,))
    return len(told_of)


def differences(base: stores.Base) -> Iterator[str]:
    """Where the list says otherwise than the events, in words: both ways, row by row."""
    for made in stores.chunks(_made_here(base), stores.ASKED):
        listed = _listed(base, [own.deployment for own in made])
        for own in made:
            if not _agrees(own, listed.get(own.deployment)):
                yield (f"deployment {own.deployment} is not in the list as its events tell it: "
                       "lading ledger rebuild")
    for row in base.scan(_UNPLANNED):
        yield (f"deployment {row['deployment']} is in the list as made here, but no event tells of it: "
               "it was added: lading ledger rebuild")


def _made_here(base: stores.Base) -> Iterator[deployments.Deployment]:
    """The deployments of the chains' events, by those that are as they were written."""
    for _, rows in _stories(base, f"{tables.MILESTONES} AND kind<>'HostCommitted'"):
        own = deployments.listed(_events(row for row in rows if row.sealed), ())
        if own is not None:
            yield own


def _listed(base: stores.Base, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """What the list has of these deployments, as it lies there."""
    rows = base.execute(f"SELECT * FROM deployments WHERE deployment IN ({stores.marks(ids)})", ids)
    return {row["deployment"]: row for row in rows}


def _agrees(own: deployments.Deployment, listed: Mapping[str, Any] | None) -> bool:
    """Whether the list has a deployment as its events tell it; what they leave open on a host is that host's to tell."""
    if listed is None:
        return False
    row = deployment(listed)
    if set(row.hosts) != set(own.hosts):
        return False
    open_ = {host: row.hosts[host] for host, result in own.hosts.items() if result in deployments.UNSURE}
    wanted = replace(own, hosts={**own.hosts, **open_})
    if open_:
        wanted = replace(wanted, ended=row.ended, result=row.result)
    return _values(wanted) == _values(row)


# Rows of the list of which no event, as it was written or not, is the request or the intent; a resume has its own intent
_UNPLANNED = (
    "SELECT deployment FROM deployments WHERE origin='' AND NOT EXISTS (SELECT 1 FROM events "
    f"WHERE events.deployment=deployments.deployment AND {tables.MILESTONES} "
    "AND kind IN ('DeploymentRequested', 'DeploymentPlanned') "
    """AND replace(data, '"verb":"resume"', '') = data) ORDER BY deployment"""
)
