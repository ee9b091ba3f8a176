"""A deployment as a playbook of Ansible's own modules, which runs without lading (pure)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lading import state
from lading.commands import command
from lading.compose import release
from lading.export import playbook_text
from lading.inventory import hosts

TEAMS = "INVENTORY"  # stands for the inventory of the team's own, which lies elsewhere wherever the playbook is run
_PINNED = "\x01"  # stands for the pinned host keys until everything around them is quoted


@dataclass(frozen=True, slots=True)
class Registry:
    """Credentials by reference: *password* is ("env", NAME) or ("command", argv…)."""

    name: str
    username: str
    password: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is written: *generations*: host → secret → number; *batches* of host names; *state_dir* as configured."""

    made: release.Release
    destination: str
    batches: tuple[tuple[str, ...], ...]
    generations: Mapping[str, Mapping[str, int]]
    registries: tuple[Registry, ...]
    state_dir: str
    source: str = ""
    inventories: tuple[str, ...] = ("inventory.yml",)


def inventory(said: Mapping[str, Mapping[str, Any]]) -> str:
    """An inventory of hosts with what is said of each, in the plan's order."""
    return "---\n# Hosts in the plan's order, as lading.yaml names them\n" + _yaml({"all": {"hosts": said}})


def connection(way: Sequence[hosts.Host], *, pinned: bool) -> dict[str, Any]:
    """How Ansible reaches a host as lading does: *way* is the host, then those that it is reached through, the nearest first.

    *pinned*: host keys are those of the file known_hosts beside the inventory.
    """
    host = way[0]
    options = _literal(command.join(_options(way, pinned=pinned)))
    told = {
        "ansible_host": host.address or host.name, "ansible_port": host.port, "ansible_user": host.user,
        "ansible_become": host.sudo, "ansible_ssh_private_key_file": host.key_file, "ansible_timeout": host.connect_timeout,
        "ansible_ssh_common_args": options.replace(_PINNED, "{{ inventory_dir }}/known_hosts"),
    }
    return {key: value for key, value in told.items() if value}


def _options(way: Sequence[hosts.Host], *, pinned: bool) -> list[str]:
    """What `ssh` must be told of the keys that a host may show, and of the way to it."""
    host, *rest = way
    known = [_PINNED] if pinned else []
    if known and not host.address:  # the OpenSSH configuration leads there, and lading too goes by its keys
        known += ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]
    known += [host.known_hosts] if host.known_hosts else []
    found = ["StrictHostKeyChecking=yes", "UserKnownHostsFile=" + " ".join(f'"{file}"' for file in known)] if known else []
    if rest:
        found.append(f"ProxyCommand={_through(rest, pinned=pinned)}")
    elif host.proxy_command:
        found.append(f"ProxyCommand={host.proxy_command}")
    return [word for option in found for word in ("-o", option)]


def _through(way: Sequence[hosts.Host], *, pinned: bool) -> str:
    """The ProxyCommand by way of *way*; ProxyJump would hand on neither the keys that are pinned nor the host's own key."""
    host = way[0]
    options = [option.replace("%", "%%") for option in _options(way, pinned=pinned)]
    for letter, value in (("p", str(host.port or "")), ("l", host.user), ("i", host.key_file)):
        options += [f"-{letter}", value] if value else []
    return command.join(["ssh", "-W", "[%h]:%p", *options, host.address or host.name])


def _literal(text: str) -> str:
    """*text* within a template of Ansible's."""
    return text.replace("{", "{{ '{' }}")


def left_alone(made: release.Release, running: Sequence[state.ContainerState], started: Sequence[str]) -> list[str]:
    """The services of adopted containers that a deployment would leave as they are: they lack the labels a playbook goes by."""
    return sorted({one.service for one in running if one.adopted and one.service in made.services} - set(started))


def playbook(what: Deployment) -> str:
    """The whole playbook."""
    made = what.made
    delay = made.forth.delay and len(what.batches) > 1
    words = {
        "APP": made.app, "VERSION": made.version, "RELEASE": made.id, "DESTINATION": what.destination,
        "INVENTORIES": command.join([word for name in what.inventories for word in ("-i", name)]),
        "WHOSE": playbook_text.TEAMS if TEAMS in what.inventories else "",
        "HOSTS": ",".join(name for batch in what.batches for name in batch),
        "SERIAL": "[" + ", ".join(str(len(batch)) for batch in what.batches) + "]",
        "NEEDED": "".join(f"#   {name}\n" for name in _needed(what)) or "#   nothing\n",
        "VARIABLES": _indent(_yaml(_variables(what)), 4),
        "STATE": playbook_text.STATE if what.state_dir == "auto" else "",
        "REQUIRE": "".join(playbook_text.REQUIRE.replace("@NAME@", name) for name in _needed(what)),
        "SECRETS": "".join(_secret(name) for name in made.secrets),
        "OBJECTS": playbook_text.OBJECTS if made.objects else "",
        "LOGIN": "".join(_login(number, one) for number, one in enumerate(what.registries)),
        "DELAY": playbook_text.DELAY.replace("@SECONDS@", f"{made.forth.delay:g}") if delay else "",
    }
    whole = re.sub(r"^@([A-Z]+)@\n", lambda found: words[found[1]], playbook_text.PLAYBOOK, flags=re.M)
    return re.sub(r"@([A-Z]+)@", lambda found: words[found[1]], whole)


def _variables(what: Deployment) -> dict[str, Any]:
    """What the tasks speak of, as the play's variables."""
    made = what.made
    active = made.active
    found: dict[str, Any] = {
        "app_name": made.app,
        "app_current": {
            key: value for key, value in state.Current(
                made.app, made.id, made.version, "ansible-playbook", "ansible-playbook", "", what.source, what.destination,
            ).as_json().items() if key not in ("since", "generations")
        },
        "app_services": {
            name: {"image": spec.image, "content": spec.content, "job": spec.job, "health": spec.health,
                   "replicas": spec.replicas}
            for name, spec in active.items()
        },
        "app_known": sorted(made.services),
        "app_wait": int(max((spec.wait + spec.bake for spec in active.values()), default=60)),
        "app_monitor": int(max((spec.bake for spec in active.values()), default=0)),
    }
    if what.state_dir != "auto":
        found |= {"app_state": what.state_dir, "app_folder": f"{what.state_dir}/apps/{made.app}", "app_mode": "2770"}
    if any(name.startswith("var.") for name in made.secrets):
        found |= {"app_backslash": "\\", "app_newline": "\n"}
    found["app_generations"] = {host: dict(numbers) for host, numbers in what.generations.items()}
    found["app_labels"] = {
        host: {name: release.generation_label(spec, numbers) for name, spec in active.items() if spec.secrets}
        for host, numbers in what.generations.items()
    }
    found |= {_command(number): command.join(one.password[1:])
              for number, one in enumerate(what.registries) if one.password[0] == "command"}
    users = [
        f"({json.dumps([s for s, spec in active.items() if name in spec.secrets])} if {_register(name)} is changed else [])"
        for name in made.secrets
    ]
    found["app_again"] = "{{ " + " + ".join(users).replace('"', "'") + " }}" if users else []
    return found


def _needed(what: Deployment) -> list[str]:
    """The environment variables without which it cannot begin."""
    names = [one.password[1] for one in what.registries if one.password[0] == "env"]
    names += [name.removeprefix("var.") for name in what.made.secrets if name.startswith("var.")]
    if any(not name.startswith("var.") for name in what.made.secrets):
        names.append("PROJECT_DIRECTORY")
    return list(dict.fromkeys(names))


def _register(name: str) -> str:
    return "app_secret_" + re.sub(r"[^a-z0-9]", "_", name.lower())


def _secret(name: str) -> str:
    """The tasks that keep one secret on the host; its content comes from the caller's environment, or a file of the app."""
    kind, _, path = name.partition(".")
    folder = f"{{{{ app_folder }}}}/secrets/{release.secret_path(name)}"
    text = playbook_text.SECRET_VARIABLE.replace("@NAME@", path) if kind == "var" else playbook_text.SECRET_FILE.replace("@PATH@", path)
    for word, value in (("@FOLDER@", folder), ("@KEY@", name), ("@REGISTER@", _register(name)), ("@SHOWN@", path)):
        text = text.replace(word, value)
    return text


def _command(number: int) -> str:
    return f"app_password_command_{number}"


def _login(number: int, one: Registry) -> str:
    kind, argument = ("env", f"'{one.password[1]}'") if one.password[0] == "env" else ("pipe", _command(number))
    password = f"lookup('ansible.builtin.{kind}', {argument})"
    text = playbook_text.LOGIN.replace("@PASSWORD@", password).replace("@USER@", json.dumps(one.username))
    return text.replace("@REGISTRY@", one.name)


def _yaml(tree: Mapping[str, Any], indent: str = "") -> str:
    """Mappings, lists of scalars and scalars as YAML in blocks; scalars are JSON, which is YAML."""
    lines = []
    for key, value in tree.items():
        name = key if re.fullmatch(r"[A-Za-z_][\w-]*", key) else json.dumps(key)
        if isinstance(value, Mapping) and value:
            lines.append(f"{indent}{name}:\n{_yaml(value, indent + '  ')}")
        else:
            lines.append(f"{indent}{name}: {json.dumps(value, ensure_ascii=False)}\n")
    return "".join(lines)


def _indent(text: str, spaces: int) -> str:
    return "".join(" " * spaces + line for line in text.splitlines(keepends=True))
