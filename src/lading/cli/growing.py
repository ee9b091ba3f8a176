"""`lading hosts add`: looks at a host, then adds it to the fleet file that is there."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lading import adding, allowed, disk, errors, settings
from lading import found as finding
from lading.cli import pinning, prompts, render, render_hosts, session, terminal
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
    _check_new(before.inventory, host, destinations)
    top = settings.parse_file(found.path)
    text = disk.read(found.path, limit=settings.SIZE_LIMIT).decode()
    longer = adding.add_host(text, top, host, destinations)
    if look:
        prompts.must_answer(yes)
    code = _looked(found.path, longer, before, host, look=look, yes=yes)
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
    told = f" and to {', '.join(destinations)}" if destinations else "; it is in no destination yet (--to)"
    render.line(f"added {host.name} to {found.path}{told}")
    return 0


def _check_new(known: hosts.Inventory, host: hosts.Host, destinations: Sequence[str]) -> None:
    """Refuse a name that is taken, and a destination that is not there."""
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


def _compare(before: settings.Settings, after: settings.Settings, host: hosts.Host) -> None:
    """Refuse a text that would mean more or less than one more host.

    Raises:
        InputError: it would.
    """
    names = [*before.inventory.hosts, host.name]
    if sorted(after.inventory.hosts) != sorted(names):
        raise errors.InputError(
            "the fleet file is laid out in a way that lading does not edit; it is left as it is",
            f"add under hosts:  {adding.host_entry(host)}")


def _looked(
    path: Path, text: str, before: settings.Settings, host: hosts.Host, *, look: bool, yes: bool
) -> int:
    """Try the longer *text* beside the fleet file; the exit code. The pins are as before where it is not good."""
    pins = before.ssh.known_hosts
    kept = pins.read_bytes() if pins.exists() else None
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.") as trial:
        trial.write(text)
        trial.flush()
        _compare(before, settings.load(Path(trial.name), os.environ), host)
        if not look:
            return 0
        try:
            code = looks_good(Path(trial.name), (host.name,), yes=yes)
        except BaseException:
            _put_back(pins, kept)
            raise
    if code:
        _put_back(pins, kept)
    return code


def _put_back(pins: Path, kept: bytes | None) -> None:
    """The file of pinned keys as it was."""
    if kept is None:
        pins.unlink(missing_ok=True)
    else:
        pins.write_bytes(kept)


def looks_good(path: Path, names: tuple[str, ...], *, yes: bool) -> int:
    """Pin the keys of a fleet file's hosts and check them, all without *names*; the exit code."""
    code = pinning.trust(str(path), names, yes, False)
    return code or session.run(_check(str(path), names))


async def _check(config: str, names: tuple[str, ...]) -> int:
    """Show the rows of this machine and of the hosts."""
    async with session.opened(config) as context:
        found = await checks.check(context, names)
    render_hosts.check(found)
    return 0 if all(one.good for one in found) else 6
