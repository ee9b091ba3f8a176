"""What the shell offers at Tab, as files of this machine tell it: no program is run, no host or server asked."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lading import errors, loading
from lading import found as finding

if TYPE_CHECKING:  # loaded in `_deployments`
    from lading.ledger import deployments

RECENT = 200  # deployments that are looked through


def destinations(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names for `--to`, also behind a comma."""
    begun, comma, word = incomplete.rpartition(",")
    try:
        found = finding.find(Path(), os.environ, str(ctx.find_root().params.get("config") or ""))
        names = finding.names(found, os.environ) if found else []
    except errors.LadingError:
        return []
    return _fitting(names, word, begun + comma)


def apps(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The apps that were deployed from here."""
    return _fitting((row.app for row in _recent()), incomplete)


def recent(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The ids of deployments, newest first."""
    return _fitting((row.deployment for row in _recent()), incomplete)


def _fitting(names: Iterable[str], word: str, lead: str = "") -> list[str]:
    return [lead + name for name in dict.fromkeys(names) if name.startswith(word) and name.isprintable() and " " not in name]


def _recent() -> "tuple[deployments.Deployment, ...]":
    try:
        found = finding.find(Path(), os.environ)
        place = finding.own_ledger(found, os.environ)
        return _deployments(place) if place is not None and place.exists() else ()
    except errors.LadingError:
        return ()


def _deployments(place: Path) -> "tuple[deployments.Deployment, ...]":
    with loading.later():  # every verb has its completion at hand, and only Tab behind it looks into the ledger
        import asyncio

        from lading.ledger import ledger

    async def look() -> "tuple[deployments.Deployment, ...]":
        kept = await ledger.open_ledger(place)
        try:
            return tuple(await kept.history(limit=RECENT))
        finally:
            await kept.close()

    return asyncio.run(look())
