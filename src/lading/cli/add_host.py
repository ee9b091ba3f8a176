"""`lading hosts add`: looks at a host, then adds it to the fleet file that is there."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lading import allowed, disk, errors, fleet_edit, nodes, settings
from lading import found as finding
from lading.cli import host_keys, prompts, render, render_hosts, session, terminal
from lading.compose import parse, subset
from lading.inventory import hosts
from lading.queries import check as checks


def add(config: str, host: hosts.Host, destinations: Sequence[str], *, look: bool, yes: bool) -> int:
    """Add *host* to the fleet file and to *destinations*; *look*: only if lading can work there.

    Raises:
        SettingsError: there is no fleet file, or it is wrong.
        InputError: the name is taken, a destination is not there, or the file cannot be edited.
    """
    found = finding.find(Path(), os.environ, config)
    if found is None:
        raise errors.SettingsError("there is no fleet file here or above", "lading init")
    before = finding.load(found, os.environ)
    destinations = tuple(dict.fromkeys(hosts.split_names(destinations)))
    _check_new(before.inventory, host, destinations)
    top = settings.parse_file(found.path)
    text = disk.read(found.path, limit=settings.SIZE_LIMIT).decode()
    longer = fleet_edit.add_host(text, top, host, destinations, _read)
    after = settings.read(found.path, _read(longer), os.environ)
    if look:
        prompts.must_answer(yes)
    code = _looked(found.path, longer, before.ssh.known_hosts, host, yes=yes) if look else 0
    if code:
        terminal.err(f"{found.path} is left as it was: {host.name} is not ready")
        terminal.err(" hint: mend what the table says, then the same again; or, to add it all the same: --no-check")
        return code
    was_allowed = allowed.allows(settings.state_home(os.environ), found.path, finding.entries(found.path))
    with disk.writing(found.path, "lading --config PATH hosts add …"):
        found.path.write_text(longer)
    if was_allowed:
        entries = finding.entries(found.path)
        allowed.allow(settings.state_home(os.environ), found.path, allowed.digest(found.path, entries))
    places = [name for name, one in after.inventory.destinations.items() if host.name in one.hosts]
    told = f"; it is in {', '.join(places)}" if places else "; it is in no destination yet (--to)"
    render.line(f"added {host.name} to {found.path}{told}")
    return 0


def _read(text: str) -> Any:
    """The node of a fleet file's text; None if it is not one document of YAML."""
    try:
        documents = parse.read(text.encode())
    except subset.BrokenError:
        return None
    return documents[0] if len(documents) == 1 else None


def _check_new(known: hosts.Inventory, host: hosts.Host, destinations: Sequence[str]) -> None:
    """Refuse a name that is none or taken, and a destination that is not there."""
    if not nodes.NAME.match(host.name):
        raise errors.InputError(f"{host.name!r} is no name for a host: letters, digits, _ . - only")
    if host.name in known.names():
        raise errors.InputError(f"the fleet file names {host.name} already", "lading hosts list; or another name")
    if known.groups:
        raise errors.InputError(
            "the hosts of this fleet come from an Ansible inventory, which lading does not edit",
            "add the host there")
    for name in destinations:
        if name not in known.destinations:
            told = ", ".join(known.destinations) or "none"
            raise errors.InputError(f"there is no destination {name}", f"known: {told}")


def _looked(path: Path, text: str, pins: Path, host: hosts.Host, *, yes: bool) -> int:
    """Try the longer *text* beside the fleet file; the exit code. The *pins* are as before where it is not good."""
    kept = pins.read_bytes() if pins.exists() else None
    trial = _beside(path, text)
    code = 1
    try:
        code = looks_good(trial, (host.name,), yes=yes, new_in=pins)
    finally:
        trial.unlink()
        if code:
            _put_back(pins, kept)
    return code


def _beside(path: Path, text: str) -> Path:
    """A file with *text* in the folder of *path*, so that what it names beside it is the same."""
    with disk.writing(path, "lading --config PATH hosts add …"):
        opened, trial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(opened, "w") as file:
            file.write(text)
    return Path(trial)


def _put_back(pins: Path, kept: bytes | None) -> None:
    """The file of pinned keys as it was."""
    if kept is None:
        pins.unlink(missing_ok=True)
    else:
        pins.write_bytes(kept)


def looks_good(path: Path, names: tuple[str, ...], *, yes: bool, new_in: Path | None = None) -> int:
    """Pin the keys of a fleet file's hosts and check them, all without *names*; the exit code. *new_in*: see `host_keys.trust`."""
    code = host_keys.trust(str(path), names, yes, False, new_in=new_in)
    return code or session.run(_check(str(path), names))


async def _check(config: str, names: tuple[str, ...]) -> int:
    """Show the rows of this machine and of the hosts."""
    async with session.opened(config) as context:
        found = await checks.check(context, names)
    render_hosts.check(found)
    return 0 if all(one.good for one in found) else 6
