"""`lading init`: looks at the first host, then writes the fleet file and pins the key."""

import json
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from lading import allowed, disk, errors, fleet_edit, settings
from lading import found as finding
from lading.cli import add_host, host_keys, options, render, terminal
from lading.dataclass import dataclass
from lading.inventory import hosts as inventory
from lading.transport import command

PINS = "known_hosts"


@dataclass(frozen=True, slots=True)
class First:
    """What the first fleet file names: a host, and a registry that wants a password, if any."""

    host: inventory.Host
    registry: str = ""
    username: str = ""
    ca: str = ""

    @property
    def destination(self) -> str:
        """The name of the one destination."""
        return "local" if self.host.is_local else "production"

    def text(self) -> str:
        """The fleet file."""
        lines = ["lading: 1", "hosts:", f"  {fleet_edit.host_entry(self.host)}"]
        if not self.host.is_local:
            lines += ["ssh:", f"  known_hosts: {PINS}"]
        lines += ["destinations:", f"  {self.destination}:", f"    hosts: [{self.host.name}]"]
        if self.registry:
            lines += [
                "registries:", f"  {json.dumps(self.registry)}:", f"    username: {json.dumps(self.username)}",
                "    password: {env: REGISTRY_PASSWORD}"]
            lines += [f"    ca: {json.dumps(str(Path(self.ca).resolve()))}"] if self.ca else []
        elif self.host.is_local:
            lines += [
                "# Images are those that this machine's Docker has; a registry instead: registries: {HOST: {username: U, password: {env: P}}}",
                "registries: none"]
        lines += [
            "# Variables of your environment that Compose files may use, besides VERSION: names, and patterns such as APP_*",
            "pass_env: []"]
        return "\n".join(lines) + "\n"


@click.command()
@click.option("--local", is_flag=True, help="The host is this machine's own Docker; no SSH.")
@click.option("--host", "address", metavar="ADDRESS", help="The first host, as for ssh: [user@]host[:port], or a name of ~/.ssh/config.")
@click.option("--user", help="SSH user there (else as OpenSSH has it).")
@click.option("--registry", help="Registry as host:port, if it wants a password.")
@click.option("--username", help="User of the registry; its password comes from REGISTRY_PASSWORD.")
@click.option("--ca", default="", help="File with the certificate of the registry's own authority.")
@click.option("--check/--no-check", "look", default=True, help="Reach the host and look at it before anything is written.")
@options.yes_option
@options.verbose_option
@click.pass_obj
def init(
    config: str, *, local: bool, address: str | None, user: str | None, registry: str | None, username: str | None,
    ca: str, look: bool, yes: bool,
) -> int:
    """Look at a host, pin its key, and write a fleet file with it. What is not given is asked for on a terminal.

    Nothing is written unless lading can work there (or with --no-check). Where the file is there already, it stays.
    """
    path = Path(config or "lading.yaml")
    if local and (address or user):
        raise errors.InputError("--local is this machine, and --host another one", "name one of them")
    if os.path.lexists(path):
        return _again(path, inventory.LOCAL if local else address or "", yes=yes)
    first = _local(registry, username, ca) if local else _asked_first(address, user, registry, username, ca)
    if not look:
        _write(path, first.text())
        render.line(f"wrote {path}; nothing was asked of {first.host.name}: lading check")
        return 0
    return _looked(path, first, yes=yes)


def _local(registry: str | None, username: str | None, ca: str) -> First:
    return First(inventory.Host("here", transport=inventory.LOCAL), registry or "", username or "", ca)


def _asked_first(
    address: str | None, user: str | None, registry: str | None, username: str | None, ca: str
) -> First:
    """What was given, and else is answered at the terminal."""
    address = _asked(address, "--host", "Address of the first host, as for ssh: [user@]host[:port]")
    host = inventory.parse_address("host1", address)
    if host.user and user not in (None, host.user):
        raise errors.InputError(f"the address says {host.user}@, and --user {user}", "name the user once")
    if not host.user:
        user = _asked(user, "--user", "SSH user there (empty: as ssh has it)", "")
    host = replace(host, user=host.user or user or "")
    registry = _asked(registry, "--registry", "Registry that wants a password, as host:port (empty: none)", "")
    if registry:
        username = _asked(
            username, "--username", "User of the registry (its password: REGISTRY_PASSWORD)", host.user)
    return First(host, registry, username or "", ca)


def _asked(given: str | None, option: str, question: str, default: str | None = None) -> str:
    """What was given, else the answer on a terminal, else *default*.

    Raises:
        InputError: there is nobody to ask, and no default.
    """
    if given is not None:
        return given
    if sys.stdin.isatty():
        return terminal.prompt(question, default)
    if default is None:
        raise errors.InputError(
            f"{option} is missing, and there is no terminal to ask on", f"lading init {option} …, or --local")
    return default


def _looked(path: Path, first: First, *, yes: bool) -> int:
    """Look at the host by a fleet file that nobody else sees; write it where that went well."""
    with tempfile.TemporaryDirectory(prefix="lading-init-") as name:
        trial = Path(name) / path.name
        trial.write_text(first.text())
        pins = path.parent / PINS
        if pins.exists():
            shutil.copyfile(pins, trial.parent / PINS)
        code = add_host.looks_good(trial, (), yes=yes, new_in=pins)
        if code:
            terminal.err(f"{path} was not written: {first.host.name} is not ready")
            terminal.err(" hint: mend what the table says, then the same again; or, to write it all the same: --no-check")
            return code
        _write(path, first.text())
        if (trial.parent / PINS).exists():
            with disk.writing(pins, host_keys.PINS):
                shutil.copyfile(trial.parent / PINS, pins)
    render.line(f"wrote {path}; next, in the app's folder: lading deploy --version V")
    return 0


def _write(path: Path, text: str) -> None:
    """Write a fleet file, and allow what lading itself has written there."""
    with disk.writing(path, "lading --config PATH init"):
        path.write_text(text)
    settings.load(path, os.environ)
    entries = finding.entries(path)
    if entries:
        allowed.allow(settings.state_home(os.environ), path, allowed.digest(path, entries))


def _again(path: Path, address: str, *, yes: bool) -> int:
    """The file is there already: it stays, and the host that it names is looked at.

    Raises:
        SettingsError: it names no such host.
    """
    known = settings.load(path, os.environ).inventory.hosts
    wanted = inventory.parse_address("", address).address if address not in ("", inventory.LOCAL) else ""
    named = [
        host for host in known.values()
        if not address or (host.is_local if address == inventory.LOCAL else wanted in (host.address, host.name))
    ]
    if not named:
        raise errors.SettingsError(
            f"{path} exists already, and names no host at {address}; it is left as it is",
            f"lading hosts add NAME {command.quote(address)}")
    told = ", ".join(f"{host.name} ({host.place})" for host in named)
    render.line(f"{path} exists already, and names {told}")
    if not address:
        render.line("lading check looks at them, lading hosts add NAME ADDRESS adds one")
        return 0
    return add_host.looks_good(path, tuple(host.name for host in named), yes=yes)
