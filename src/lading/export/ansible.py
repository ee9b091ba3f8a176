"""A deployment as a playbook of Ansible's own modules, which runs without lading (pure)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lading import state
from lading.commands import command
from lading.compose import release
from lading.export import playbook_text


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


def inventory(hosts: Mapping[str, Mapping[str, Any]]) -> str:
    """An inventory of the hosts with what is said of each, in the plan's order."""
    return ("---\n# The destination's hosts, in the plan's order; leave it out if they are in an inventory of yours\n"
            + _yaml({"all": {"hosts": hosts}}))


def playbook(what: Deployment) -> str:
    """The whole playbook."""
    made = what.made
    delay = made.forth.delay and len(what.batches) > 1
    words = {
        "APP": made.app, "VERSION": made.version, "RELEASE": made.id, "DESTINATION": what.destination,
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
