"""Which services run on which host, how many containers of each, and which rule decided: a value of the plan (pure)."""

from collections.abc import Mapping

from lading.compose import release as releases

Placed = Mapping[str, int]  # what one host runs of a release: service → containers


def by_default(release: releases.Release) -> dict[str, int]:
    """What a host runs where nothing else is said: every service whose profiles were asked for, as often as the file says."""
    return {name: spec.replicas for name, spec in release.active.items()}
