"""What the shell offers at Tab, as files of this machine tell it: no program is run, no host or server asked."""

import asyncio
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from lading import errors
from lading import found as finding
from lading.ledger import deployments, ledger

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


def _recent() -> Sequence[deployments.Deployment]:
    async def look(place: Path) -> Sequence[deployments.Deployment]:
        kept = await ledger.open_ledger(place)
        try:
            return await kept.history(limit=RECENT)
        finally:
            await kept.close()

    try:
        found = finding.find(Path(), os.environ)
        place = finding.own_ledger(found, os.environ)
        return asyncio.run(look(place)) if place is not None and place.exists() else ()
    except errors.LadingError:
        return ()
