"""The one place that builds what a call is given: ledger, context, and a transport if needed."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from lading import context as contexts
from lading import errors, loading, secrets, settings
from lading import found as finding
from lading.dataclass import dataclass
from lading.inventory import hosts
from lading.ledger import ledger
from lading.transport import base, command, under_way

if TYPE_CHECKING:  # as in `context`
    from lading.drivers.engine_api import engine as engine_api
    from lading.engines import base as engines

Tell = Callable[[str], None]


class LedgerUse(Enum):
    """What a call wants of the ledger."""

    NONE = "none"
    """It is not opened."""
    ASKED = "asked"
    """What it knows counts, if there is one."""
    COMPARED = "compared"
    """What hosts say is compared with it, if there is one that can be read."""
    QUESTIONED = "questioned"
    """It is made if it is not there; a copy will do where it cannot be written."""
    WRITTEN = "written"
    """It is made if it is not there."""


def silent(text: str) -> None:
    """Tells nobody."""


@asynccontextmanager
async def opened(
    environment: Mapping[str, str], directory: Path = Path(), config: str = "", *,
    use: LedgerUse = LedgerUse.NONE, tell: Tell | None = None, warn: Tell = silent,
    offline: bool = False, noted: under_way.UnderWay | None = None,
) -> AsyncIterator[contexts.Context]:
    """The context of one call; its connections and its ledger are closed at the end.

    *tell*: is told each command sent to a host, secrets masked.
    *warn*: is told what of the ledger does not work.
    *offline*: no host is asked. *noted*: knows meanwhile which hosts have not answered.

    Raises:
        SettingsError, NotAllowedError: as `found.fleet`.
        LedgerError: the ledger cannot be opened, and the call wants it.
    """
    fleet = finding.fleet(environment, directory, config)
    reached = _reached(fleet, environment, tell, offline, noted)
    try:
        kept = await _open_for(use, fleet, environment, warn)
        try:
            asker = contexts.who(environment)
            yield contexts.Context(
                fleet, dict(environment), reached.transport, kept, asker.actor, asker.url, asker.commit,
                ran_by=contexts.process_owner(), engine=reached.engine, engines=reached.engines, get_ready=reached.load,
                known=secrets.Known(environment, fleet.folder))
        finally:
            if kept is not None:
                await kept.close()
    finally:
        await reached.close()


@asynccontextmanager
async def reaching(
    context: contexts.Context, tell: Tell | None = None
) -> AsyncIterator[contexts.Context]:
    """An offline call's context, by which hosts can be asked after all."""
    reached = _reached(context.settings, context.environment, tell, offline=False)
    try:
        yield replace(context, transport=reached.transport, engine=reached.engine, engines=reached.engines,
                      get_ready=reached.load)
    finally:
        await reached.close()


async def host_keys(
    environment: Mapping[str, str], fleet: settings.Settings, chosen: Sequence[hosts.Host], tell: Tell | None = None
) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """The keys that each of *chosen* shows, whether they are pinned or not."""
    with loading.later():  # as in `_reached`
        from lading import connecting
    transport = connecting.over_ssh(fleet, environment, tell)
    try:
        return [(host.name, await transport.fetch_host_keys(host)) for host in chosen]
    finally:
        await transport.close()


@dataclass(frozen=True, slots=True)
class _Reached:
    """How hosts are reached, who works there, and by whom their engines are asked themselves; *load*: see `Context`."""

    transport: base.Transport
    engine: "engines.Engine | None" = None
    engines: "engine_api.Engines | None" = None
    load: Callable[[], None] = lambda: None

    async def close(self) -> None:
        """Close all connections."""
        if self.engines is not None:
            self.engines.close()
        await self.transport.close()


def _reached(
    fleet: settings.Settings, environment: Mapping[str, str], tell: Tell | None, offline: bool,
    noted: under_way.UnderWay | None = None,
) -> _Reached:
    if offline:
        return _Reached(_NoHosts())
    with loading.later():  # calls that ask no host do without
        from lading import connecting
    routes = connecting.build_routes(fleet, environment, tell)
    transport = connecting.follow(routes, tell, noted)
    asked = connecting.build_engines(transport, tell)
    return _Reached(transport, connecting.build_engine(fleet, transport, asked), asked, routes.load)


class _NoHosts:
    """The transport of a call that asks no host."""

    async def run(
        self, host: hosts.Host, what: command.Command, on_part: base.OnPart | None = None,
        until: asyncio.Event | None = None,
    ) -> command.Result:
        """Refuse."""
        raise errors.TransportError(
            "this call was to ask no host", "a bug: please report it", host=host.name)

    async def close(self) -> None:
        """There is nothing to close."""


async def open_ledger(
    environment: Mapping[str, str], fleet: settings.Settings | None
) -> ledger.Ledger:
    """The ledger alone; without a fleet file it is the user's own.

    Raises:
        SettingsError: its address is not known.
        LedgerError: it cannot be opened.
    """
    return await ledger.open_ledger(contexts.ledger_place(fleet, environment))


async def _open_for(
    use: LedgerUse, fleet: settings.Settings, environment: Mapping[str, str], warn: Tell
) -> ledger.Ledger | None:
    match use:
        case LedgerUse.NONE:
            return None
        case LedgerUse.ASKED:
            return await _open_if_any(fleet, environment)
        case LedgerUse.COMPARED:
            return await _open_if_readable(fleet, environment, warn)
        case LedgerUse.QUESTIONED:
            return await _open_or_copy(fleet, environment, warn)
        case LedgerUse.WRITTEN:
            return await open_ledger(environment, fleet)


async def _open_if_any(
    fleet: settings.Settings, environment: Mapping[str, str]
) -> ledger.Ledger | None:
    """A ledger in a file that is not there is not made: looking leaves nothing behind."""
    place = contexts.ledger_place(fleet, environment)
    if isinstance(place, Path) and not os.access(place, os.F_OK):
        return None
    return await ledger.open_ledger(place)


async def _open_if_readable(
    fleet: settings.Settings, environment: Mapping[str, str], warn: Tell
) -> ledger.Ledger | None:
    try:
        return await _open_if_any(fleet, environment)
    except (errors.LedgerError, errors.SettingsError) as wrong:
        warn(f"what hosts say is not compared with the ledger: {wrong.message}")
        return None


async def _open_or_copy(
    fleet: settings.Settings, environment: Mapping[str, str], warn: Tell
) -> ledger.Ledger:
    place = contexts.ledger_place(fleet, environment)
    kept, copied = await ledger.open_for_questions(place)
    if copied:
        warn(f"{place} cannot be written: what hosts tell is not kept "
             "(XDG_STATE_HOME names another folder)")
    return kept
