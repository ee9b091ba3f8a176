"""The one place that builds what a call is given: from settings transports, ledger and context."""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path

from lading import context as contexts
from lading import errors, settings
from lading import found as finding
from lading.drivers.engine_api import engine
from lading.drivers.shell import driver
from lading.engines.compose_hosts import coordinator
from lading.ledger import ledger
from lading.transport import ansible, ansible_session, base, routed, ssh, telling

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
) -> AsyncIterator[contexts.Context]:
    """The context of one call; its connections and its ledger are closed at the end.

    *tell*: is told each command sent to a host, secrets masked.
    *warn*: is told what of the ledger does not work.

    Raises:
        SettingsError, NotAllowedError: as `load`.
        LedgerError: the ledger cannot be opened, and the call wants it.
    """
    fleet = load(environment, directory, config)
    transport = build_transport(fleet, environment, tell)
    try:
        kept = await _open_for(use, fleet, environment, warn)
        engines = engine.Engines(transport, tell or silent)
        try:
            yield _context(fleet, environment, transport, engines, kept)
        finally:
            engines.close()
            if kept is not None:
                await kept.close()
    finally:
        await transport.close()


def load(
    environment: Mapping[str, str], directory: Path = Path(), config: str = ""
) -> settings.Settings:
    """The fleet file, found and read.

    Raises:
        SettingsError: there is none, or it is wrong.
        NotAllowedError: it was found, not named; its user has not allowed what it runs and reads.
    """
    fleet = load_if_any(environment, directory, config)
    if fleet is None:
        raise errors.SettingsError(
            "there is no fleet file: no --config, no LADING_CONFIG, no lading.yaml here or above",
            "lading init")
    return fleet


def load_if_any(
    environment: Mapping[str, str], directory: Path = Path(), config: str = ""
) -> settings.Settings | None:
    """The same; None where there is no fleet file.

    Raises:
        SettingsError, NotAllowedError: as `load`.
    """
    found = finding.find(directory, environment, config)
    return finding.load(found, environment, directory) if found is not None else None


def _context(
    fleet: settings.Settings, environment: Mapping[str, str], transport: base.Transport,
    engines: engine.Engines, kept: ledger.Ledger | None,
) -> contexts.Context:
    """What the verbs are given, with an engine that works over *transport*."""
    asker = contexts.who(environment)
    return contexts.Context(
        fleet, dict(environment), transport, kept, asker.actor, asker.url, asker.commit,
        ran_by=contexts.process_owner(),
        engine=coordinator.ComposeHosts(driver.connect(transport, fleet.state_dir, engines)), engines=engines)


def build_transport(
    fleet: settings.Settings, environment: Mapping[str, str], tell: Tell | None = None
) -> base.Transport:
    """How this fleet's hosts are reached: each over the transport that is said for it."""
    by_ssh = over_ssh(fleet, tell)
    transport: base.Transport = by_ssh
    if any(host.transport == "ansible" for host in fleet.inventory.hosts.values()):
        by_ansible = _over_ansible(fleet, environment)
        transport = routed.RoutedTransport({"ssh": by_ssh, "ansible": by_ansible})
    return telling.TellingTransport(transport, tell) if tell is not None else transport


def over_ssh(fleet: settings.Settings, tell: Tell | None = None) -> ssh.SshTransport:
    """Connections as the fleet file wants them."""
    return ssh.SshTransport(
        user=fleet.ssh.user, known_hosts=str(fleet.ssh.known_hosts),
        connect_timeout=fleet.ssh.connect_timeout, keepalive=fleet.ssh.keepalive,
        keepalive_count=fleet.ssh.keepalive_count, parallel=fleet.ssh.parallel,
        max_connections=fleet.ssh.max_connections, lookup=fleet.inventory.hosts.get,
        tell=tell or silent)


def _over_ansible(
    fleet: settings.Settings, environment: Mapping[str, str]
) -> ansible.AnsibleTransport:
    told = fleet.ansible
    reach = ansible_session.Reach(
        told.inventory, told.config, told.vault_password_file, told.vault_password_command,
        str(fleet.ssh.known_hosts), fleet.ssh.keepalive, environment.get("XDG_RUNTIME_DIR", ""))
    return ansible.AnsibleTransport(reach, user=fleet.ssh.user, lookup=fleet.inventory.hosts.get)


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
