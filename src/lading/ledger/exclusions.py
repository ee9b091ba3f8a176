"""Which hosts are excluded, by events that belong to no deployment; and which deployments have left a host out."""

from collections.abc import Iterator, Mapping

from lading import events
from lading.ledger import deployments, projection, stores, tables
from lading.placement import exclusion

WHERE = "WHERE deployment='' AND kind IN ('HostExcluded', 'HostIncluded')"  # by the index of deployments
Change = events.HostExcluded | events.HostIncluded


def changes(base: stores.Base) -> list[tuple[Change, str]]:
    """Every exclusion and inclusion, each with its time, in the order of time; of all chains that are here."""
    rows = tables.rows(base, WHERE)
    rows.sort(key=lambda row: row.at)  # in one chain the order stays
    found = [(projection.event(row), row.at) for row in rows]
    return [(what, at) for what, at in found if isinstance(what, Change)]


def standing(base: stores.Base) -> dict[tuple[str, str], exclusion.Exclusion]:
    """The hosts that are excluded now, by name and place: fleet files that share a ledger may each have a `web1`."""
    found: dict[tuple[str, str], exclusion.Exclusion] = {}
    for what, at in changes(base):
        if isinstance(what, events.HostIncluded):
            found.pop((what.host, what.place), None)
        else:
            found.setdefault((what.host, what.place), of_event(what, at))
    return found


def of_event(what: events.HostExcluded, at: str) -> exclusion.Exclusion:
    """An exclusion that was stored at *at*."""
    return exclusion.Exclusion(what.host, what.reason, what.actor, f"{at[:19]}Z", what.ran_by, what.place)


def missed(
    base: stores.Base, excluded: Mapping[str, exclusion.Exclusion]
) -> dict[str, list[deployments.Deployment]]:
    """Excluded host → the deployments that have left it out since, the oldest first."""
    ids: dict[str, list[str]] = {name: [] for name in excluded}
    since = min((one.since[:19] for one in excluded.values()), default="")
    for at, what in _planned(base, since) if excluded else ():
        for name, place in what.excluded.items():
            if name in ids and place == excluded[name].place and at >= excluded[name].since[:19]:
                ids[name].append(what.deployment)
    every = sorted({id for found in ids.values() for id in found})
    known: dict[str, deployments.Deployment] = {}
    for some in stores.chunks(every, stores.ASKED):
        listed = base.execute(f"SELECT * FROM deployments WHERE deployment IN ({stores.marks(some)})", some)
        known |= {row["deployment"]: projection.deployment(row) for row in listed}
    return {name: sorted((known[id] for id in found if id in known), key=lambda one: (one.started, one.deployment))
            for name, found in ids.items()}


def _planned(base: stores.Base, since: str) -> Iterator[tuple[str, events.DeploymentPlanned]]:
    """The intents from a time on, each with its own time."""
    for row in tables.scan(base, f"WHERE {tables.MILESTONES} AND kind='DeploymentPlanned' AND at>=?", (since,)):
        what = projection.event(row)
        if isinstance(what, events.DeploymentPlanned) and what.verb != "resume":
            yield row.at, what
