"""What the shell offers at Tab: destinations and hosts of the fleet file, apps and deployments of the ledger; no host is asked."""

import asyncio
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from lading import context as contexts
from lading import errors, settings
from lading.ledger import deployments, ledger

RECENT = 200  # deployments that are looked through


def destinations(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names for `--to`, also behind a comma."""
    begun, comma, word = incomplete.rpartition(",")
    try:
        path = settings.find(Path(), os.environ, str(ctx.find_root().params.get("config") or ""))
        found = settings.load(path).inventory if path else None
    except errors.LadingError:
        return []
    if found is None:
        return []
    return _fitting([*found.destinations, *found.group_names(), *found.hosts], word, begun + comma)


def apps(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The apps that were deployed from here."""
    return _fitting((row.app for row in _recent()), incomplete)


def recent(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The ids of deployments, newest first."""
    return _fitting((row.deployment for row in _recent()), incomplete)


def _fitting(names: Iterable[str], word: str, lead: str = "") -> list[str]:
    return [lead + name for name in dict.fromkeys(names) if name.startswith(word) and name.isprintable() and " " not in name]


def _recent() -> Sequence[deployments.Deployment]:
    async def look(place: Path | str) -> Sequence[deployments.Deployment]:
        kept = await ledger.open_ledger(place)
        try:
            return await kept.history(limit=RECENT)
        finally:
            await kept.close()

    try:
        found = settings.find(Path(), os.environ)
        place = contexts.ledger_place(settings.load(found) if found else None, os.environ)
        return () if isinstance(place, Path) and not place.exists() else asyncio.run(look(place))
    except errors.LadingError:
        return ()
