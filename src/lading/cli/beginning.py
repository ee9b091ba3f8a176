"""`lading init`: the first fleet file, the first pinned key, the first check."""

import json
import os
import sys
from pathlib import Path

import click

from lading import allowed, disk, errors, settings
from lading import found as finding
from lading.cli import fleet_file, options, render, render_hosts, session, terminal
from lading.queries import check as checks


@click.command()
@click.option("--host", "address", help="Address of the first host.")
@click.option("--user", help="SSH user there.")
@click.option("--registry", help="Registry as host:port, if it wants a password.")
@click.option("--username", help="User of the registry; its password comes from REGISTRY_PASSWORD.")
@click.option("--ca", default="", help="File with the certificate of the registry's own authority.")
@click.option("--trust/--no-trust", default=True, help="Look at the host's key and pin it.")
@options.yes_option
@options.verbose_option
@click.pass_obj
def init(
    config: str, address: str | None, user: str | None, registry: str | None, username: str | None, ca: str,
    trust: bool, yes: bool,
) -> int:
    """Write a fleet file, pin the host's key, check. What is not given is asked for on a terminal."""
    path = Path(config or "lading.yaml")
    if os.path.lexists(path):
        raise errors.SettingsError(f"{path} exists already; it is left as it is", f"edit {path}, then: lading check")
    address = _asked(address, "--host", "Address of the first host")
    user = _asked(user, "--user", "SSH user there")
    registry = _asked(registry, "--registry", "Registry that wants a password, as host:port (empty: none)", "")
    lines = ["lading: 1", "hosts:", f"  host1: {{address: {json.dumps(address)}}}", "ssh:",
             f"  user: {json.dumps(user)}", "  known_hosts: known_hosts", "destinations:", "  production:",
             "    hosts: [host1]"]
    if registry:
        username = _asked(username, "--username", "User of the registry (its password: REGISTRY_PASSWORD)", user)
        lines += ["registries:", f"  {json.dumps(registry)}:", f"    username: {json.dumps(username)}",
                  "    password: {env: REGISTRY_PASSWORD}"]
        lines += [f"    ca: {json.dumps(str(Path(ca).resolve()))}"] if ca else []
    lines += ["# Variables of your environment that Compose files may use, besides VERSION: names, and patterns such as APP_*",
              "pass_env: []"]
    with disk.writing(path, "lading --config PATH init"):
        path.write_text("\n".join(lines) + "\n")
    settings.load(path, os.environ)
    _allow(path)
    render.line(f"wrote {path}")
    if not trust:
        return 0
    code = fleet_file.trust(str(path), (), yes, False)
    return code or session.run(_check(str(path)))


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
        raise errors.InputError(f"{option} is missing, and there is no terminal to ask on", f"lading init {option} …")
    return default


async def _check(config: str) -> int:
    async with session.opened(config) as context:
        found = await checks.check(context)
    render_hosts.check(found)
    return 0 if all(one.good for one in found) else 6


def _allow(path: Path) -> None:
    """Allow what lading itself has just written."""
    entries = finding.entries(path)
    if entries:
        allowed.allow(settings.state_home(os.environ), path, allowed.digest(path, entries))
