"""The fleet file and the pinned host keys: init, hosts, config."""

import json
import os
import sys
from pathlib import Path

import click

from lading import allowed, bootstrap, disk, errors, settings
from lading import found as finding
from lading.cli import completing, options, prompts, render, session, terminal
from lading.queries import check as checks

PINS = "in lading.yaml: ssh: {known_hosts: PATH}, a file in a folder that is there"


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
    code = _trust(str(path), (), yes, False)
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
    render.check(found)
    return 0 if all(one.good for one in found) else 6


@click.group()
def hosts() -> None:
    """List hosts; look at their keys and pin them."""


@hosts.command("list")
@options.json_option
@click.pass_obj
def hosts_list(config: str, as_json: bool) -> int:
    """The hosts and destinations of the fleet file."""
    found = session.load(config, Path()).inventory
    if as_json:
        render.document([
            {"host": h.name, "address": h.address or None, "user": h.user or None, "port": h.port or 22,
             "labels": dict(h.labels), "destinations": [d.name for d in found.destinations.values() if h.name in d.hosts],
             "groups": found.groups_of(h.name), "from": h.origin or None, "notes": list(found.notes.get(h.name, ())),
             "refused": h.refusal.message if h.refusal else None}
            for h in found.hosts.values()
        ])
    else:
        render.hosts(found)
    return 0


@hosts.command("trust")
@click.argument("names", nargs=-1, shell_complete=completing.destinations)
@click.option("--replace", is_flag=True, help="Replace keys that differ (the host was installed anew).")
@options.yes_option
@options.verbose_option
@click.pass_obj
def hosts_trust(config: str, names: tuple[str, ...], replace: bool, yes: bool) -> int:
    """Show the keys' fingerprints, and pin them beside the fleet file."""
    return _trust(config, names, yes, replace)


def _trust(config: str, names: tuple[str, ...], yes: bool, replace: bool) -> int:
    prompts.must_answer(yes)
    found = session.load(config, Path())
    chosen = found.inventory.choose(names)[1] if names else found.inventory.reachable()
    path = found.ssh.known_hosts
    with disk.writing(path, PINS):
        pinned = path.read_text(errors="surrogateescape").splitlines() if path.exists() else []

    async def work() -> list[tuple[str, list[tuple[str, str, str]]]]:
        transport = bootstrap.over_ssh(found, session.teller())
        try:
            return [(host.name, await transport.fetch_host_keys(host)) for host in chosen]
        finally:
            await transport.close()

    for name, keys in session.run(work()):
        pinned = _pin(name, keys, pinned, yes, replace)
    with disk.writing(path, PINS):
        path.write_text("\n".join(pinned) + "\n", errors="surrogateescape")
    return 0


def _pin(
    name: str, keys: list[tuple[str, str, str]], pinned: list[str], yes: bool, replace: bool
) -> list[str]:
    mine = [line for _, _, line in keys]
    where = mine[0].split()[0] if mine else name
    old = [line for line in pinned if line.split()[:1] == [where]]
    if set(mine) <= set(old):
        render.line(f"{name}: pinned already")
        return pinned
    if old and not replace:
        raise errors.HostKeyError(
            f"the key of {name} differs from the one that is pinned: it was installed anew, or somebody is in between",
            f"ask who runs it; then: lading hosts trust {name} --replace", host=name)
    for algorithm, fingerprint, _ in keys:
        render.line(f"{name}: {algorithm} {fingerprint}")
    if not yes and not terminal.confirm(f"Pin the keys of {name}?"):
        raise errors.NotConfirmedError("not confirmed; nothing was pinned", "compare with the host's own: ssh-keygen -lf")
    return [line for line in pinned if line not in old] + mine


@click.group("config")
def config() -> None:
    """What a fleet file that was found here runs and reads."""


@config.command("allow")
@click.option("-C", "--project-directory", default=".", type=click.Path(path_type=Path), help="Where the search begins.")
@click.option("--show", is_flag=True, help="Only show the entries, and whether they are allowed.")
@options.yes_option
@click.pass_obj
def config_allow(config: str, project_directory: Path, show: bool, yes: bool) -> int:
    """Allow the entries of the fleet file found here that run programs, read the environment or lead out of its folder.

    A fleet file named by --config or LADING_CONFIG, and the one in ~/.config/lading, need no such word.
    """
    found = finding.find(project_directory, os.environ, config)
    if found is None:
        raise errors.SettingsError("there is no fleet file here or above", "lading init")
    entries = finding.entries(found.path)
    if not entries:
        render.line(f"{found.path} runs no program and reads nothing of the environment: there is nothing to allow")
        return 0
    home = settings.state_home(os.environ)
    digest = allowed.digest(found.path, entries)
    render.line(f"{found.path}:")
    for entry in entries:
        render.line(f"  {entry}")
    if show:
        known = allowed.allows(home, found.path, entries)
        render.line("allowed" if known else "not allowed: lading config allow")
        return 0
    prompts.must_answer(yes)
    if not yes and not terminal.confirm("Allow these entries, for you on this machine?"):
        raise errors.NotConfirmedError("not confirmed; nothing was allowed", "answer y, or add --yes")
    allowed.allow(home, found.path, digest)
    render.line("allowed, until one of these entries changes")
    return 0


def _allow(path: Path) -> None:
    """Allow what lading itself has just written."""
    entries = finding.entries(path)
    if entries:
        allowed.allow(settings.state_home(os.environ), path, allowed.digest(path, entries))
