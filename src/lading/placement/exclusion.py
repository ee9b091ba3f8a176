"""Hosts that somebody has excluded, since when and why; and the one rule by which they are left out of a choice (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lading import errors
from lading.dataclass import dataclass
from lading.inventory import hosts


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A host that no deployment goes to, as it is recorded; *since* is ISO 8601, UTC.

    *place*: which machine it is (`place_of`), since other fleet files may give its name to another. *actor* is what the caller or the CI says of itself, *ran_by* the user and machine that lading ran as.
    """

    host: str
    reason: str
    actor: str
    since: str
    ran_by: str = ""
    place: str = ""

    @property
    def words(self) -> str:
        """Since when, by whom and why, behind "is"."""
        by = self.actor if self.ran_by in ("", self.actor) else f"{self.actor} (run by {self.ran_by})"
        return f"excluded since {self.since[:10]} {self.since[11:16]}Z by {by}: {self.reason}"

    def as_json(self) -> dict[str, Any]:
        """One entry of "excluded" in documents of `--json`."""
        return {"host": self.host, "reason": self.reason, "actor": self.actor, "since": self.since}


Excluded = Mapping[str, Exclusion]
"""Host of one fleet file → how it is excluded."""


def place_of(host: hosts.Host, machine: str) -> str:
    """Which machine a name of a fleet file stands for, as far as that file says: two of one name and place are one.

    *machine*: the name of this one.
    """
    if host.is_local:
        return f"this machine, {machine}"
    port = f":{host.port}" if host.port else ""
    where = f"{host.address}:{host.port or 22}" if host.address else f"{host.name}{port} of the SSH configuration"
    return f"{where} through {host.jump}" if host.jump else where


def of_fleet(standing: Iterable[Exclusion], inventory: hosts.Inventory, machine: str) -> Excluded:
    """The exclusions that are of hosts of one fleet file: by their names, and by the machines that these stand for."""
    here = {(host.name, place_of(host, machine)) for host in inventory.hosts.values()}
    return {one.host: one for one in standing if (one.host, one.place) in here}


def named(names: Sequence[str], excluded: Excluded) -> list[str]:
    """The excluded hosts that `--to` names themselves: not by a destination, a group or a pattern."""
    return [name for name in hosts.split_names(names) if name in excluded]


def check_named(names: Sequence[str], excluded: Excluded) -> None:
    """Refuse an excluded host that is named itself.

    Raises:
        ExcludedError: there is one.
    """
    for name in named(names, excluded):
        raise errors.ExcludedError(
            f"{name} is {excluded[name].words}",
            f"if it is well again: lading hosts include {name}; else leave it out of --to", host=name)


def leave_out(
    chosen: Sequence[hosts.Host], names: Sequence[str], excluded: Excluded
) -> tuple[tuple[hosts.Host, ...], tuple[Exclusion, ...]]:
    """The hosts of a choice that are left, and how the others are excluded.

    Raises:
        ExcludedError: one of them is named itself, or none is left.
    """
    check_named(names, excluded)
    kept = tuple(host for host in chosen if host.name not in excluded)
    left = tuple(excluded[host.name] for host in chosen if host.name in excluded)
    if left and not kept:
        told = "; ".join(f"{one.host} is {one.words}" for one in left)
        raise errors.ExcludedError(
            f"no host is left: {told}", f"if it is well again: lading hosts include {left[0].host}", host=left[0].host)
    return kept, left


def check_still(
    chosen: Mapping[str, str], without: Mapping[str, str], standing: Mapping[tuple[str, str], Exclusion]
) -> None:
    """Refuse a plan that somebody has overtaken: a host of it was excluded since, or one that it leaves out is included.

    *chosen*, *without*: host → place; *standing*: by host and place.

    Raises:
        PlanChangedError: so it is.
    """
    told = [f"{one[0]} is {standing[one].words}" for one in chosen.items() if one in standing]
    told += [f"{one[0]} was left out of it, but is included again" for one in without.items() if one not in standing]
    if told:
        raise errors.PlanChangedError(
            f"the plan was made before: {'; '.join(told)}", "the same command again: it plans anew", host=told[0].partition(" ")[0])
