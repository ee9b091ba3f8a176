"""The fleet file and the pinned host keys: hosts, config."""

import os
from pathlib import Path

import click

from lading import allowed, errors, loading, settings
from lading import found as finding
from lading.cli import completing, host_keys, main, options, prompts, render, terminal
from lading.inventory import hosts as inventory


@click.group(cls=main.Noun)
def hosts() -> None:
    """List hosts; look at their keys and pin them; exclude one that is dead."""


@hosts.command("list")
@options.json_option
@click.pass_obj
def hosts_list(config: str, as_json: bool) -> int:
    """The hosts and destinations of the fleet file, and which of them are excluded."""
    found = finding.fleet(os.environ, Path(), config).inventory
    with loading.later():  # as in `hosts_add`
        from lading.cli import session
    excluded = session.excluded(config)
    if as_json:
        render.document("hosts", [
            {"host": h.name, "address": h.address or None, "user": h.user or None, "port": h.port or 22,
             "labels": dict(h.labels), "destinations": [d.name for d in found.destinations.values() if h.name in d.hosts],
             "groups": found.groups_of(h.name), "from": h.origin or None, "notes": list(found.notes.get(h.name, ())),
             "refused": h.refusal.message if h.refusal else None,
             "excluded": excluded[h.name].as_json() if h.name in excluded else None}
            for h in found.hosts.values()
        ])
    else:
        hosts_table(found)
        for one in excluded.values():
            render.line(f"{one.host} is {one.words}")
    return 0


def hosts_table(found: inventory.Inventory) -> None:
    """The hosts of the fleet file, then what of an Ansible inventory is not heeded."""
    render.table(("host", "address", "user", "labels", "destinations", *(["groups"] if found.groups else []), "from"), [
        (h.name, h.place, h.user or "-", ", ".join(f"{k}={v}" for k, v in h.labels.items()) or "-",
         ", ".join(d.name for d in found.destinations.values() if h.name in d.hosts) or "-",
         *([", ".join(found.groups_of(h.name)) or "-"] if found.groups else []), _here(h.origin) or "-")
        for h in found.hosts.values()
    ])
    for name, notes in found.notes.items():
        for note in notes:
            render.line(f"{name}: {note}" if name else note)
    for h in found.hosts.values():
        if h.refusal is not None:
            render.line(f"{h.refusal.message} ({h.refusal.hint})")


def _here(path: str) -> str:
    """A path as seen from here, where it is below."""
    return path.removeprefix(f"{Path.cwd()}/")


@hosts.command("add")
@click.argument("name")
@click.argument("where", metavar="ADDRESS")
@click.option("--to", "destinations", multiple=True, metavar="DEST", help="A destination that it belongs to; repeat it for several.")
@click.option("--check/--no-check", "look", default=True, help="Reach the host and look at it before anything is written.")
@options.yes_option
@options.verbose_option
@click.pass_obj
def hosts_add(
    config: str, *, name: str, where: str, destinations: tuple[str, ...], look: bool, yes: bool
) -> int:
    """Look at a host, pin its key, and add it to the fleet file.

    Comments and layout of the file stay. ADDRESS as for ssh: [user@]host[:port].
    """
    with loading.later():  # all else here is about files: no host is asked, and no ledger opened
        from lading.cli import add_host
    return add_host.add(config, inventory.parse_address(name, where), destinations, look=look, yes=yes)


@hosts.command("trust")
@click.argument("names", nargs=-1, shell_complete=completing.destinations)
@click.option("--replace", is_flag=True, help="Replace keys that differ (the host was installed anew).")
@options.yes_option
@options.verbose_option
@click.pass_obj
def hosts_trust(config: str, names: tuple[str, ...], replace: bool, yes: bool) -> int:
    """Show the keys' fingerprints, and pin them beside the fleet file."""
    return host_keys.trust(config, names, yes, replace)


@hosts.command("exclude")
@click.argument("host", shell_complete=completing.hosts)
@click.option("--reason", required=True, metavar="TEXT", help="Why, for all who will be told that it is left out.")
@options.json_option
@options.verbose_option
@click.pass_obj
def hosts_exclude(config: str, *, host: str, reason: str, as_json: bool) -> int:
    """Leave a host out of all that is deployed, until it is included again: recorded in the ledger. No host is asked."""
    with loading.later():  # as in `hosts_add`
        from lading.cli import excluding
    return excluding.exclude(config, host, reason, as_json=as_json)


@hosts.command("include")
@click.argument("host", shell_complete=completing.hosts)
@click.option("-C", "--project-directory", default=".", type=click.Path(path_type=Path),
              help="The folder of an app that it lacks.")
@options.yes_option
@options.json_option
@options.reason_option
@options.verbose_option
@click.pass_obj
def hosts_include(
    config: str, *, project_directory: Path, host: str, reason: str, yes: bool, as_json: bool
) -> int:
    """Include an excluded host again, if it answers: say what it has missed, and bring it up to date.

    An app is deployed to it if its files are at hand; of the others the command is told.
    """
    with loading.later():  # as in `hosts_add`
        from lading.cli import excluding
    return excluding.include(config, project_directory, host, reason, yes=yes, as_json=as_json)


@click.group("config", cls=main.Noun)
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
