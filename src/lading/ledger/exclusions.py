"""Which hosts are excluded, by events that belong to no deployment; and which deployments have left a host out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

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
    """Excluded host → the deployments that have left it out, the oldest first, and that it has not made good since.

    What it missed in an earlier exclusion counts too: that it was included says nothing of what is there.
    """
    found: dict[str, list[deployments.Deployment]] = {name: [] for name in excluded}
    left_out = _left_out(base, excluded) if excluded else {}
    for one in _listed(base, "deployment", [*left_out]):
        what = left_out[one.deployment]
        one = replace(one, by_hand=deployments.numbers(what.changes) if what.verb in deployments.BY_HAND else {})
        for name in what.excluded:
            if _is(excluded, name, what.excluded[name]):
                found[name].append(one)
    every = [one for some in found.values() for one in some]
    own = _listed(base, "app", sorted({one.app for one in every}), min((one.started for one in every), default=""))
    return {name: deployments.still_missed(some, name, own) for name, some in found.items()}


def _left_out(
    base: stores.Base, excluded: Mapping[str, exclusion.Exclusion]
) -> dict[str, events.DeploymentPlanned]:
    """The deployments that have left one of these hosts out, since the first time that one of them was excluded."""
    first = min((at for what, at in changes(base) if _is(excluded, what.host, what.place)), default="")
    found: dict[str, events.DeploymentPlanned] = {}
    query = f"WHERE {tables.MILESTONES} AND kind='DeploymentPlanned' AND at>=? AND data LIKE ?"
    for row in tables.scan(base, query, (first, '%"excluded":{"%')):
        what = projection.event(row)
        if isinstance(what, events.DeploymentPlanned) and what.verb != "resume" and any(
                _is(excluded, *one) for one in what.excluded.items()):
            found[what.deployment] = what
    return found


def _is(excluded: Mapping[str, exclusion.Exclusion], name: str, place: str) -> bool:
    """Whether a name at a place is one of these hosts."""
    return name in excluded and excluded[name].place == place


def _listed(
    base: stores.Base, column: str, values: Sequence[str], since: str = ""
) -> list[deployments.Deployment]:
    """The deployments with one of these values, the oldest first."""
    found = []
    for some in stores.chunks(values, stores.ASKED):
        query = f"SELECT * FROM deployments WHERE started>=? AND {column} IN ({stores.marks(some)})"
        rows = base.execute(query, (since, *some))
        found += [projection.deployment(row) for row in rows]
    return sorted(found, key=lambda one: (one.started, one.deployment))
