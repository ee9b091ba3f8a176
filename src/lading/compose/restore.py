"""Releases that hosts and ledgers keep, read back: checked, and each of them once for a whole fleet (pure)."""

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lading import canonical, errors, shape, state
from lading.compose import release
from lading.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class _Resource:
    """What a release keeps of a network or a volume."""

    name: str
    external: bool
    definition: Mapping[str, Any]


def from_json(stored: Mapping[str, Any]) -> release.Release:
    """A release read back from a host or the ledger; one that many hosts keep is read once.

    Raises:
        InputError: it was written by a newer lading, or is damaged.
    """
    return _kept(stored) if isinstance(stored, state.Kept) else _made(stored)


@functools.lru_cache(maxsize=256)
def _kept(stored: state.Kept) -> release.Release:
    return _made(stored)


def _made(stored: Mapping[str, Any]) -> release.Release:
    if stored.get("v") not in range(1, release.FORMAT + 1):
        raise errors.InputError(
            f"a release of format {stored.get('v')} was found; this lading knows {release.FORMAT}", "use the newer lading"
        )
    try:
        made = shape.made(release.Release, {key: value for key, value in stored.items() if key not in ("v", "as_read")})
        for resource in (*made.networks.values(), *made.volumes.values()):
            shape.made(_Resource, resource)
    except ValueError as wrong:
        raise errors.InputError(f"a stored release is damaged: {wrong}", "deploy again") from wrong
    return made


def from_bytes(content: bytes) -> release.Release:
    """`from_json` of a release's canonical bytes.

    Raises:
        InputError: it was written by a newer lading, or is damaged.
    """
    try:
        stored = shape.parse(content.decode())
    except ValueError as wrong:
        raise errors.InputError(f"a stored release is damaged: {wrong}", "deploy again") from wrong
    return from_json(stored)


def readable(app: state.AppState) -> state.AppState:
    """What was seen of an app, without the kept releases that cannot be read, which are named as damaged."""
    lost = [name for name, raw in app.releases.items() if not _whole(name, raw if isinstance(raw, state.Kept) else state.Kept(raw))]
    gone = frozenset(lost)
    kept = {name: raw for name, raw in app.releases.items() if name not in gone}
    return replace(app, releases=kept, damaged=(*app.damaged, *(f"release {name}" for name in lost)))


@functools.lru_cache(maxsize=256)
def _whole(name: str, raw: state.Kept) -> bool:
    try:
        from_json(raw)
    except errors.InputError:
        return False
    return canonical.digest(raw) == name
