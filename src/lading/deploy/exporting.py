"""A deployment written as a playbook with its files: the plan is made as for `lading plan`, nothing is changed anywhere."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lading import context as contexts
from lading import errors
from lading.commands import docker
from lading.compose import bundle, hooks, normal, project, reference
from lading.deploy import credentials, start
from lading.engines import host_commands
from lading.export import ansible
from lading.inventory import hosts
from lading.plan import rollout, steps


async def write(context: contexts.Context, request: start.Request, output: Path) -> dict[str, Any]:
    """Write the folder of a playbook; the document of `export ansible --json`.

    Raises:
        InputError: the output exists, or the plan has a step that no playbook of built-in modules can do.
    """
    if output.exists():
        raise errors.InputError(f"{output} exists already", "name a new folder")
    prepared = await start.rehearse(context, request)
    _refuse(prepared)
    batches = rollout.batches([host.name for host in prepared.chosen], prepared.bundle.release.forth.parallelism)
    generations = {name: plan.generations for name, plan in prepared.plan.hosts.items()}
    what = ansible.Deployment(prepared.bundle.release, prepared.destination.name, batches, generations,
                              _registries(context, prepared), context.settings.state_dir,
                              prepared.bundle.source)
    files = [_file("playbook.yml", ansible.playbook(what)),
             _file("inventory.yml", ansible.inventory({host.name: _variables(context, host) for host in prepared.chosen})),
             *_files(prepared)]
    with tempfile.TemporaryDirectory(dir=output.resolve().parent) as name:
        normal.lay_out(Path(name) / "playbook", files)
        (Path(name) / "playbook").rename(output)
    made = prepared.bundle.release
    return {"app": made.app, "version": made.version, "release": made.id, "destination": prepared.destination.name,
            "batches": [list(batch) for batch in batches], "files": sorted(file.path for file in files)}


def _refuse(prepared: start.Prepared) -> None:
    if hooks.before(prepared.bundle.release.extension) is not None:
        raise errors.InputError("x-lading.hooks.before runs beside a running app, which a playbook of built-in modules cannot do",
                                "deploy with lading, or take the hook out")
    for name, plan in prepared.plan.hosts.items():
        for step in plan.steps:
            if isinstance(step, steps.RecreateNetwork):
                raise errors.InputError(f"network {step.network} changes its definition: all its services must stop for that",
                                        "deploy this version with lading", host=name)


def _file(path: str, text: str, executable: bool = False) -> project.ShippedFile:
    return project.ShippedFile(path, text.encode(), executable)


def _files(prepared: start.Prepared) -> list[project.ShippedFile]:
    """What the playbook copies: the release, mounted files, the script that runs Compose; no secret."""
    made = prepared.bundle
    found = [(f"files/releases/{made.release.id}/", f) for f in bundle.release_files(made)]
    found += [("files/", f) for f in bundle.object_files(made, made.objects)]
    moved = [project.ShippedFile(lead + f.path, f.content, f.executable) for lead, f in found]
    for name, plan in prepared.plan.hosts.items():
        script = docker.operator_script(host_commands.compose_function(made.release, plan.generations))
        moved.append(_file(f"files/compose/{name}", script, executable=True))
    return moved


def _registries(context: contexts.Context, prepared: start.Prepared) -> tuple[ansible.Registry, ...]:
    """The registries that want a login, passwords by reference; one from a Docker configuration is asked for by a variable."""
    access = credentials.access(context.settings, context.environment)
    found = []
    for name in dict.fromkeys(reference.parse(s.image).registry for s in prepared.bundle.release.services.values()):
        known, told = access(name).credentials, context.settings.registries.get(name)
        if known is not None:
            variable = "REGISTRY_PASSWORD_" + "".join(c if c.isalnum() else "_" for c in name).upper()
            password: Sequence[str] = told.password if told is not None and told.password else ("env", variable)
            found.append(ansible.Registry(name, known.username, tuple(password)))
    return tuple(found)


def _variables(context: contexts.Context, host: hosts.Host) -> dict[str, Any]:
    """How Ansible reaches a host, as far as lading.yaml says it."""
    found: dict[str, Any] = {"ansible_host": host.address or host.name}
    user = host.user or (context.settings.ssh.user if host.address else "")
    found |= {"ansible_user": user} if user else {}
    found |= {"ansible_port": host.port} if host.port else {}
    found |= {"ansible_become": True} if host.sudo else {}
    return found
