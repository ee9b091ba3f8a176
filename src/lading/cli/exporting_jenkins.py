"""`lading export jenkins`: what the fleet file and the options say, as values for the Jenkinsfile."""

import importlib.metadata
import os
import re
from collections.abc import Iterator
from pathlib import Path

import click

from lading import by_reference, errors, settings
from lading import found as finding
from lading.cli import terminal
from lading.compose import reference
from lading.export import jenkins as jenkinsfiles
from lading.inventory import hosts

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@click.command()
@click.option("-C", "--project-directory", default=".", type=click.Path(path_type=Path), help="The app's folder.")
@click.option("--image", default="", metavar="REF", help="The agent's image (default: lading:VERSION, of make image).")
@click.option("--fleet", default="", metavar="PATH", help="Where the job finds the fleet file, if not in this repository.")
@click.option("--ssh-credential", default="lading-ssh", metavar="ID", help="Jenkins' credential with the SSH key.")
@click.option("--registry-credential", "given", multiple=True, metavar="REGISTRY=ID",
              help="Its credential with user and password of a registry (default: lading- and the registry's name).")
@click.option("--ledger-credential", default="lading-ledger", metavar="ID", help="Its secret text with the ledger's URL.")
@click.option("--variable", "passed", multiple=True, metavar="NAME[=ID]",
              help="A variable of the app's files, and Jenkins' secret text with its value (default: lading- and the name).")
@click.option("--submitter", default="", metavar="USERS", help="Who may approve, by comma (default: who may build).")
@click.option("--approval-minutes", "patience", default=60, type=click.IntRange(1), metavar="N",
              help="How long an approval is waited for (default: 60).")
@click.pass_obj
def jenkins(config: str, project_directory: Path, image: str, fleet: str, ssh_credential: str, given: tuple[str, ...],
            ledger_credential: str, passed: tuple[str, ...], submitter: str, patience: int) -> int:
    """A Jenkinsfile with the fleet file's destinations and registries; it deploys the app it is committed beside."""
    known = finding.fleet(os.environ, project_directory, config)
    choices = _choices(known.inventory)
    if not choices:
        raise errors.SettingsError("the fleet file has no destinations to choose from", "add: destinations:", file=str(known.path))
    version = importlib.metadata.version("lading")
    ids = _credentials(known, given)
    image = image or f"lading:{version}"
    registry = reference.parse(image).registry
    approved = tuple(name for name in choices if known.inventory.choose_ruled([name])[0].confirm)
    top = _top(project_directory.resolve())
    terminal.raw(jenkinsfiles.jenkinsfile(jenkinsfiles.Job(
        version=version, destinations=jenkinsfiles.destinations(list(choices), approved), approved=approved,
        directory=_below(top, project_directory), config=fleet or _fleet(top, known.path), image=image,
        image_registry=f"https://{registry}" if registry in ids else "", image_credential=ids.get(registry, ""),
        ssh_credential=ssh_credential, submitters=submitter, patience=patience, variables=_variables((*_read_here(known), *passed)), pass_env=_pass_env(known),
        registries=tuple(jenkinsfiles.Binding(ids[name], one.password.words[0])
                         for name, one in known.registries.items() if one.password is not None and one.password.kind == "env"),
        unbound=_unbound(known), fetched=_fetched(known),
        ledger=jenkinsfiles.Binding(ledger_credential, known.ledger_env) if known.ledger_env else None,
    )))
    return 0


def _unbound(known: settings.Settings) -> dict[str, str]:
    """The registries whose password no credential of Jenkins gives, and where it comes from."""
    found = {}
    for name, one in known.registries.items():
        if one.password is None:
            found[name] = "DOCKER_AUTH_CONFIG or docker login of the agent, if it wants one"
        elif one.password.kind == "command":
            found[name] = f"the command {one.password.words[0]}, which must be in the agent's image with what it needs"
        elif one.password.kind != "env":
            found[name] = "; ".join(by_reference.needs(one.password))
    return found


def _sources(known: settings.Settings) -> Iterator[tuple[str, by_reference.Source]]:
    """All that the destinations have by reference, in words: secrets of apps, addresses and secrets of webhooks."""
    for place, one in known.inventory.destinations.items():
        for name, source in one.secrets.items():
            yield f"Secret {name} of {place}", source
        for webhook in one.webhooks:
            yield f"The address of a webhook of {place}", webhook.url
            if webhook.secret is not None:
                yield f"The secret of a webhook of {place}", webhook.secret


def _read_here(known: settings.Settings) -> tuple[str, ...]:
    """The variables that hold them: each is bound as a secret text; --variable gives it another credential."""
    return tuple(dict.fromkeys(source.words[0] for _, source in _sources(known) if source.kind == "env"))


def _fetched(known: settings.Settings) -> dict[str, str]:
    """What no credential of Jenkins gives: what it is → where it comes from, and what that needs."""
    return {what: "; ".join(by_reference.needs(source)) for what, source in _sources(known) if source.kind not in ("env", "text")}


def _variables(passed: tuple[str, ...]) -> tuple[jenkinsfiles.Binding, ...]:
    """The variables of the app, each with the id of Jenkins' credential for it."""
    found = {}
    for pair in passed:
        name, equals, credential = pair.partition("=")
        if not NAME.fullmatch(name) or (equals and not credential):
            raise errors.InputError(f"--variable {pair!r} is not NAME or NAME=ID", "--variable API_TOKEN=shop-api-token")
        found[name] = credential or f"lading-{name.lower().replace('_', '-')}"
    return tuple(jenkinsfiles.Binding(credential, name) for name, credential in found.items())


def _choices(fleet: hosts.Inventory) -> dict[str, tuple[str, ...]]:
    """What may be chosen, with its hosts: the destinations, and the groups of the inventory whose hosts lading reaches."""
    found = {name: fleet.groups[name] for name in fleet.group_names()}
    groups = {name: members for name, members in found.items() if members and all(fleet.hosts[one].refusal is None for one in members)}
    return groups | {name: one.hosts for name, one in fleet.destinations.items()}


def _pass_env(known: settings.Settings) -> tuple[str, ...]:
    """All entries of `pass_env`, those of the destinations too."""
    special = (entry for one in known.inventory.destinations.values() for entry in one.pass_env)
    return tuple(dict.fromkeys((*known.pass_env, *special)))


def _credentials(known: settings.Settings, given: tuple[str, ...]) -> dict[str, str]:
    """The id of Jenkins' credential for each registry whose password the fleet file takes from the environment."""
    ids = {name: f"lading-{re.sub(r'[^A-Za-z0-9]+', '-', name)}"
           for name, one in known.registries.items() if one.password is not None and one.password.kind == "env"}
    for pair in given:
        name, equals, credential = pair.partition("=")
        if not equals or not credential or name not in ids:
            raise errors.InputError(f"--registry-credential {pair!r}: {name or 'it'} is no registry of the fleet file with "
                                    "password: {env: …}", f"REGISTRY=ID; known: {', '.join(ids) or 'none'}")
        ids[name] = credential
    return ids


def _top(folder: Path) -> Path:
    """The top of the checkout that the job will work in."""
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), Path.cwd())


def _below(top: Path, path: Path) -> str:
    whole = path.resolve()
    return whole.relative_to(top).as_posix() if whole.is_relative_to(top) else "."


def _fleet(top: Path, path: Path) -> str:
    """The fleet file's path in the checkout.

    Raises:
        InputError: it lies elsewhere.
    """
    if not path.resolve().is_relative_to(top):
        raise errors.InputError(f"the fleet file {path} lies outside {top}, where the job would not find it",
                                "commit it there, or say where the job finds it: --fleet PATH")
    return path.resolve().relative_to(top).as_posix()
