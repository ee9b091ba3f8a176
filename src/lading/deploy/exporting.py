"""A deployment written as a playbook with its files: the plan is made as for `lading plan`, nothing is changed anywhere."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lading import by_reference, disk, errors, state
from lading import context as contexts
from lading.compose import bundle, hooks, normal, project, reference
from lading.deploy import credentials, preparation
from lading.deploy.preparation import Prepared
from lading.deploy.request import Request
from lading.drivers.shell import releases
from lading.export import ansible
from lading.inventory import hosts
from lading.plan import steps
from lading.rollout import rolling
from lading.transport import command, configuration, reaching, target, trust

NEW = "-o with a new folder in one that is there"


async def write(context: contexts.Context, request: Request, output: Path) -> dict[str, Any]:
    """Write the folder of a playbook; the document of `export ansible --json`.

    Raises:
        InputError: the output exists or cannot be written, or a host or a step wants what no playbook of built-in modules can do.
    """
    disk.check_new(output, NEW)
    _refuse_groups(context.settings.inventory.choose(request.to)[1])
    prepared = await preparation.prepare(context, request)
    _refuse(prepared)
    if prepared.images.sent:
        raise errors.InputError(
            f"{', '.join(sorted(prepared.images.sent))}: no playbook of built-in modules sends images from this machine",
            "push them to a registry, and name that in lading.yaml")
    batches = rolling.batches([host.name for host in prepared.chosen], prepared.bundle.release.forth.parallelism)
    placed = prepared.plan.assignment.on(prepared.chosen[0].name)  # a play has one list of services for all its hosts
    generations = {name: plan.generations for name, plan in prepared.plan.hosts.items()}
    said, known = await _said(context, prepared.chosen)
    teams = context.settings.ansible.inventory if any(_by_team(context, host) for host in prepared.chosen) else ()
    what = ansible.Deployment(
        prepared.bundle.release, prepared.destination.name, batches, generations, _registries(context, prepared),
        context.settings.state_dir, prepared.bundle.source,
        tuple([*([ansible.TEAMS] if teams else []), *(["inventory.yml"] if said else [])]), placed, _origins(prepared))
    files = [_file("playbook.yml", ansible.playbook(what)), *([_file("inventory.yml", ansible.inventory(said))] if said else []),
             *known, *_files(prepared)]
    with disk.writing(output, NEW), tempfile.TemporaryDirectory(dir=output.resolve().parent) as name:
        normal.lay_out(Path(name) / "playbook", files)
        (Path(name) / "playbook").rename(output)
    made = prepared.bundle.release
    return {"app": made.app, "version": made.version, "release": made.id, "destination": prepared.destination.name,
            "batches": [list(batch) for batch in batches], "files": sorted(file.path for file in files),
            "run": _run(context, [*teams, *([f"{output}/inventory.yml"] if said else [])], output)}


def _refuse_groups(chosen: Sequence[hosts.Host]) -> None:
    """Refuse hosts with `sudo_group`: what Ansible's become runs, their sudoers line does not allow."""
    for host in chosen:
        if not host.sudo_group:
            continue
        file, _, line = host.origin.rpartition(":")
        raise errors.InputError(
            f"sudo_group: {host.sudo_group} cannot be said in a playbook: "
            "Ansible's become takes a user, not a group",
            "deploy with lading; or write sudo: true for the hosts of the playbook",
            file=file, line=int(line), host=host.name)


def _refuse(prepared: Prepared) -> None:
    made = prepared.bundle.release
    if hooks.before(made.extension) is not None:
        raise errors.InputError("x-lading.hooks.before runs beside a running app, which a playbook of built-in modules cannot do",
                                "deploy with lading, or take the hook out")
    for name, plan in prepared.plan.hosts.items():
        for step in plan.steps:
            if isinstance(step, steps.RecreateNetwork):
                raise errors.InputError(f"network {step.network} changes its definition: all its services must stop for that",
                                        "deploy this version with lading", host=name)
        app = prepared.seen.hosts[name].apps.get(made.app)
        kept = ansible.left_alone(made, app.containers if app else (), plan.services)
        if kept:
            raise errors.InputError(
                f"{', '.join(kept)}: adopted and unchanged, but a playbook, which knows services by lading's labels, would recreate them",
                f"deploy this version with lading; or give the app back and use Compose: lading remove {made.app} --to {name} --keep-running",
                host=name)


def _file(path: str, text: str, executable: bool = False) -> project.ShippedFile:
    return project.ShippedFile(path, text.encode(), executable)


def _files(prepared: Prepared) -> list[project.ShippedFile]:
    """What the playbook copies: the release, mounted files, the script that runs Compose; no secret."""
    made = prepared.bundle
    found = [(f"files/releases/{made.release.id}/", f) for f in bundle.release_files(made)]
    found += [("files/", f) for f in bundle.object_files(made, made.objects)]
    moved = [project.ShippedFile(lead + f.path, f.content, f.executable) for lead, f in found]
    for name, plan in prepared.plan.hosts.items():
        script = releases.call(made.release, plan.generations, state.AppState(made.release.app)).operator_script()
        moved.append(_file(f"files/compose/{name}", script, executable=True))
    return moved


def _registries(context: contexts.Context, prepared: Prepared) -> tuple[ansible.Registry, ...]:
    """The registries that want a login, passwords by reference; one from a Docker configuration is asked for by a variable."""
    access = credentials.access(context.settings, context.environment, context.known)
    found = []
    for name in dict.fromkeys(reference.parse(image).registry for image in prepared.bundle.release.all_images.values()):
        known, told = access(name).credentials, context.settings.registries.get(name)
        if known is not None:
            variable = "REGISTRY_PASSWORD_" + "".join(c if c.isalnum() else "_" for c in name).upper()
            source = told.password if told is not None else None
            password = _password(source) if source is not None else ("env", variable)
            found.append(ansible.Registry(name, known.username, password))
    return tuple(found)


def _password(source: by_reference.Source) -> tuple[str, ...]:
    """Where a playbook has a password from: the same variable, or the program that prints it."""
    return ("env", source.words[0]) if source.kind == "env" else ("command", *source.argv)


def _origins(prepared: Prepared) -> dict[str, str]:
    """Variable → where lading has its value from; whoever runs the playbook must have it in the environment."""
    secrets, made = prepared.destination.secrets, prepared.bundle.release
    names = [name.removeprefix("var.") for name in made.secrets if name.startswith("var.")]
    found = {}
    for name in names:
        if name not in secrets or secrets[name].words == (name,):
            continue
        argv = secrets[name].argv
        told = f"$({command.join(argv)})" if argv else f"${secrets[name].words[0]}"
        found[name] = f'lading has it from {secrets[name]}: {name}="{told}"'
    return found


def _by_team(context: contexts.Context, host: hosts.Host) -> bool:
    """Whether an Ansible inventory of the team's own says how the host is reached."""
    fleet = context.settings
    return bool(fleet.ansible.inventory) and (bool(fleet.inventory.groups) or host.transport == "ansible")


async def _said(
    context: contexts.Context, chosen: Sequence[hosts.Host]
) -> tuple[Mapping[str, Mapping[str, Any]], list[project.ShippedFile]]:
    """What the playbook's own inventory says: what no inventory of the team's does; with the pinned host keys, if it needs them."""
    fleet = context.settings
    try:
        pinned = disk.read(fleet.ssh.known_hosts, limit=trust.LIMIT).decode("utf-8", "replace")
    except OSError:  # the OpenSSH configuration alone says which keys are known
        pinned = ""
    found: dict[str, Mapping[str, Any]] = {}
    reached: list[hosts.Host] = []
    asked = configuration.OpenSsh(context.environment)
    for host in chosen:
        if host.is_local:
            found[host.name] = {"ansible_connection": "local", **({"ansible_become": True} if host.sudo else {})}
        elif not _by_team(context, host):
            way = await _way(context, host, asked)
            reached += way
            found[host.name] = ansible.connection(way, pinned=bool(pinned))
        elif host.sudo and not fleet.inventory.groups:  # said in lading.yaml alone
            found[host.name] = {"ansible_become": True}
    return found, [_file("known_hosts", ansible.pins(pinned, reached))] if pinned and reached else []


async def _way(
    context: contexts.Context, host: hosts.Host, asked: configuration.OpenSsh
) -> list[hosts.Host]:
    """The host, then those that it is reached through, the nearest first; each with the user that logs in there."""
    found: list[hosts.Host] = []
    through: hosts.Host | None = host
    while through is not None:
        if through.name in {one.name for one in found}:
            raise errors.InputError(f"the jump hosts lead in a circle: {through.name}", "correct jump: in lading.yaml", host=host.name)
        found.append(replace(through, user=await _user(context, through, asked)))
        before, _, last = through.jump.rpartition(",")
        name = last.strip()
        following = (context.settings.inventory.hosts.get(name) or reaching.specification(name)) if name else None
        through = replace(following, jump=before) if following and before else following
    return found


async def _user(context: contexts.Context, host: hosts.Host, asked: configuration.OpenSsh) -> str:
    """Who logs in: where the OpenSSH configuration leads to the host, the user that it names comes first."""
    general = context.settings.ssh.user
    if host.user or host.address or not general:
        return host.user or general
    return (await target.resolve(host, {}, general, "", asked)).way().rpartition("@")[0]


def _run(context: contexts.Context, inventories: Sequence[str], output: Path) -> str:
    """The line that runs the playbook, with what the fleet file says of Ansible."""
    told = context.settings.ansible
    password = told.vault_password_file or (told.vault_password_command[0] if len(told.vault_password_command) == 1 else "")
    vault = ["--vault-password-file", password] if password else ["--ask-vault-pass"] if told.vault_password_command else []
    words = [word for name in inventories for word in ("-i", name)]
    config = f"ANSIBLE_CONFIG={command.quote(told.config)} " if told.config else ""
    return config + command.join(["ansible-playbook", *words, *vault, str(output / "playbook.yml")])
