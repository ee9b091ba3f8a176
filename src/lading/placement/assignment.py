"""Which host runs which services, how many containers of each, and which rule decided (pure)."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lading.compose import release as releases
from lading.placement import exclusion

Placed = Mapping[str, int]
"""What one host runs of a release: service → containers."""


@dataclass(frozen=True, slots=True)
class Row:
    """One host that came into question: whether it was taken, by which *rule*, what it runs.

    *excluded*: how it was left out, should somebody have excluded it.
    """

    host: str
    chosen: bool
    rule: str
    services: Placed = field(default_factory=dict)
    excluded: exclusion.Exclusion | None = None

    def as_json(self) -> dict[str, Any]:
        """One entry of "assignment" in `plan --json`; who excluded it is told beside these."""
        return {"host": self.host, "chosen": self.chosen, "rule": self.rule, "services": dict(self.services)}


@dataclass(frozen=True)
class Assignment:
    """Every host that came into question, the chosen ones first: from a destination to a plan."""

    rows: tuple[Row, ...] = ()

    @functools.cached_property
    def _services(self) -> Mapping[str, Placed]:
        return {row.host: row.services for row in self.rows}

    @property
    def excluded(self) -> tuple[exclusion.Exclusion, ...]:
        """The hosts that were left out, since somebody has excluded them."""
        return tuple(row.excluded for row in self.rows if row.excluded is not None)

    def on(self, host: str) -> Placed:
        """What a host is to run; nothing, if it was not chosen."""
        return self._services.get(host, {})

    def only(self, hosts: Sequence[str], rule: str) -> "Assignment":
        """The same, where only *hosts* are left; *rule*: what decided against the others."""
        dropped = [replace(row, chosen=False, rule=rule, services={})
                   for row in self.rows if row.chosen and row.host not in hosts]
        names = {row.host for row in dropped}
        kept = [row for row in self.rows if row.host not in names]
        return Assignment(tuple(sorted([*kept, *dropped], key=lambda row: not row.chosen)))

    def as_json(self) -> list[dict[str, Any]]:
        """The field "assignment" of `plan --json`."""
        return [row.as_json() for row in self.rows]


def by_default(release: releases.Release) -> dict[str, int]:
    """What a host runs where nothing else is said: every service whose profiles were asked for."""
    return {name: spec.replicas for name, spec in release.active.items()}


def declared(release: releases.Release, by_hand: Mapping[str, int]) -> dict[str, int]:
    """What a host runs that declares *release*, and beside it the numbers that a person wants there."""
    placed = by_default(release)
    return placed | {name: count for name, count in by_hand.items() if name in placed}


def differing(release: releases.Release, placed: Placed) -> dict[str, int]:
    """What of *placed* is another number than the release says."""
    return {name: count for name, count in placed.items() if count != release.services[name].replicas}


def everywhere(release: releases.Release, rows: Sequence[Row]) -> Assignment:
    """The assignment by default: all chosen hosts run all services."""
    placed = by_default(release)
    return Assignment(tuple(replace(row, services=placed) if row.chosen else row for row in rows))
