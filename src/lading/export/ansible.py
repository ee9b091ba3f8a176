"""A deployment as a playbook of Ansible's own modules, which runs without lading (pure)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from lading import state
from lading.compose import release
from lading.dataclass import dataclass
from lading.export import playbook_text
from lading.inventory import hosts
from lading.placement import assignment
from lading.transport import command

TEAMS = "INVENTORY"  # stands for the inventory of the team's own, which lies elsewhere wherever the playbook is run
_PINNED = "\x01"  # stands for the pinned host keys until everything around them is quoted


class Template(str):
    """A text that Ansible fills in; every other one stays as people wrote it."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Credentials by reference: *password* is ("env", NAME) or ("command", argv…)."""

    name: str
    username: str
    password: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is written: *generations*: host → secret → number; *batches* of host names; *state_dir* as configured;
    *origins*: variable of the environment → where its value comes from, in words."""

    made: release.Release
    destination: str
    batches: tuple[tuple[str, ...], ...]
    generations: Mapping[str, Mapping[str, int]]
    registries: tuple[Registry, ...]
    state_dir: str
    source: str = ""
    inventories: tuple[str, ...] = ("inventory.yml",)
    placed: assignment.Placed | None = None
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> assignment.Placed:
        """What each host runs of the release; by default all that was asked for."""
        return assignment.by_default(self.made) if self.placed is None else self.placed


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
        "ansible_ssh_common_args": Template(options.replace(_PINNED, "{{ inventory_dir }}/known_hosts")),
    }
    return {key: value for key, value in told.items() if value}


def pins(text: str, reached: Sequence[hosts.Host]) -> str:
    """The known_hosts *text*, with the keys that are pinned by names of the fleet said of addresses too: OpenSSH asks for those."""
    more = []
    for line in text.splitlines():
        words = line.split()
        at = 1 if words and words[0].startswith("@") else 0
        for host in reached if len(words) > at else ():
            names = words[at].split(",")
            wanted = f"[{host.address}]:{host.port}" if host.port not in (0, 22) else host.address
            if host.address and wanted not in names and {host.name, f"[{host.name}]:{host.port}", host.address} & {*names}:
                more.append(" ".join([*words[:at], wanted, *words[at + 1:]]))
    return "".join(f"{line}\n" for line in [*text.splitlines(), *dict.fromkeys(more)])


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
    hosts_named = [name for batch in what.batches for name in batch]
    return _filled(playbook_text.PLAYBOOK, {
        "TITLE": _line(f"{made.app} {made.version} for {what.destination}"), "RELEASE": made.id,
        "PLAY": _scalar(f"Deploy {made.app} {made.version}"), "APP": made.app,
        "INVENTORIES": command.join([word for name in what.inventories for word in ("-i", name)]),
        "WHOSE": playbook_text.TEAMS if TEAMS in what.inventories else "",
        "HOSTS": _scalar(",".join(hosts_named)),
        "SERIAL": "[" + ", ".join(str(len(batch)) for batch in what.batches) + "]",
        "NEEDED": "".join(f"#   {_line(_with_origin(what, name))}\n" for name in _needed(what)) or "#   nothing\n",
        "VARIABLES": _indent(_yaml(_variables(what)), 4),
        "STATE": playbook_text.STATE if what.state_dir == "auto" else "",
        "REQUIRE": "".join(_require(name) for name in _needed(what)),
        "SECRETS": "".join(_secret(name) for name in made.secrets),
        "OBJECTS": playbook_text.OBJECTS if made.objects else "",
        "LOGIN": "".join(_login(number, one) for number, one in enumerate(what.registries)),
        "DELAY": _filled(playbook_text.DELAY, {"SECONDS": f"{made.forth.delay:g}"}) if delay else "",
    })


def _filled(text: str, words: Mapping[str, str]) -> str:
    """*text* with its @WORDS@, in one pass: what is filled in is not read again. A word on a line of its own is whole lines."""
    return re.sub(r"^@([A-Z]+)@\n|@([A-Z]+)@", lambda found: words[found[1] or found[2]], text, flags=re.M)


def _variables(what: Deployment) -> dict[str, Any]:
    """What the tasks speak of, as the play's variables."""
    made = what.made
    active = {name: made.services[name] for name in what.runs}
    found: dict[str, Any] = {
        "app_name": made.app,
        "app_current": {
            key: value for key, value in state.Current(
                made.app, made.id, made.version, "ansible-playbook", "ansible-playbook", "", what.source, what.destination,
            ).as_json().items() if key not in ("since", "generations")
        },
        "app_services": {
            name: {"images": [image for image in spec.all_images.values() if "@" in image], "content": spec.content, "ends": made.endings[name], "health": spec.health,
                   "replicas": what.runs[name]}
            for name, spec in active.items()
        },
        "app_known": sorted(made.services),
        "app_wait": int(max((made.wait(name) + made.bake(name) for name in active), default=60)),
        "app_monitor": int(max((made.bake(name) for name in active), default=0)),
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
    found["app_again"] = Template("{{ " + " + ".join(users).replace('"', "'") + " }}") if users else []
    return found


def _needed(what: Deployment) -> list[str]:
    """The environment variables without which it cannot begin."""
    names = [one.password[1] for one in what.registries if one.password[0] == "env"]
    names += [name.removeprefix("var.") for name in what.made.secrets if name.startswith("var.")]
    if any(not name.startswith("var.") for name in what.made.secrets):
        names.append("PROJECT_DIRECTORY")
    return list(dict.fromkeys(names))


def _with_origin(what: Deployment, name: str) -> str:
    return f"{name} ({what.origins[name]})" if name in what.origins else name


def _register(name: str) -> str:
    return "app_secret_" + re.sub(r"[^a-z0-9]", "_", name.lower())


def _line(text: str) -> str:
    """*text* in a comment."""
    return " ".join(text.split())


def _require(name: str) -> str:
    return _filled(playbook_text.REQUIRE, {
        "TITLE": _scalar(f"Require {name} in the environment"),
        "THAT": _scalar(Template(f"{_lookup('env', _string(name))} | length > 0")),
        "MESSAGE": _scalar(f"set {name} in the environment of ansible-playbook; nothing was changed"),
    })


def _secret(name: str) -> str:
    """The tasks that keep one secret on the host; its content comes from the caller's environment, or a file of the app."""
    kind, _, path = name.partition(".")
    folder = f"{{{{ app_folder }}}}/secrets/{release.secret_path(name)}"
    text = playbook_text.SECRET_VARIABLE if kind == "var" else playbook_text.SECRET_FILE
    return _filled(text, {
        "MAKE": _scalar(f"Make the folder of secret {path}"), "KEEP": _scalar(f"Keep secret {path}"), "FOLDER": _scalar(Template(folder)),
        "DEST": _scalar(Template(f"{folder}/{{{{ app_generations[inventory_hostname][{_string(name)}] }}}}")), "NAME": _literal(path),
        "VALUE": _scalar(Template(f"{{{{ {_lookup('env', _string(path))} }}}}")), "REGISTER": _register(name),
        "SOURCE": _scalar(Template(f"{{{{ {_lookup('env', _string('PROJECT_DIRECTORY'))} }}}}/{_literal(path)}")),
    })


def _command(number: int) -> str:
    return f"app_password_command_{number}"


def _login(number: int, one: Registry) -> str:
    password = _lookup("env", _string(one.password[1])) if one.password[0] == "env" else _lookup("pipe", _command(number))
    return _filled(playbook_text.LOGIN, {"PASSWORD": _scalar(Template(f"{{{{ {password} }}}}")), "USER": _scalar(one.username),
                                         "TITLE": _scalar(f"Log in to {one.name}"), "REGISTRY": _scalar(one.name)})


def _lookup(kind: str, argument: str) -> str:
    return f"lookup('ansible.builtin.{kind}', {argument})"


def _string(text: str) -> str:
    """*text* as a string within an expression of Ansible's, which takes a backslash for itself: what quotes it needs other quotes."""
    parts = [f"'{part}'" for part in text.split("'")]
    return parts[0] if len(parts) == 1 else "(" + """ ~ "'" ~ """.join(parts) + ")"


def _yaml(tree: Mapping[str, Any], indent: str = "") -> str:
    """Mappings, lists and scalars as YAML, mappings in blocks."""
    lines = []
    for key, value in tree.items():
        name = key if re.fullmatch(r"[A-Za-z_][\w-]*", key) else _scalar(Template(key))
        if isinstance(value, Mapping) and value:
            lines.append(f"{indent}{name}:\n{_yaml(value, indent + '  ')}")
        else:
            lines.append(f"{indent}{name}: {_scalar(value)}\n")
    return "".join(lines)


def _scalar(value: Any) -> str:
    """A text, number, list of them or nothing as JSON, which is YAML; Ansible fills in no text but a Template."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_scalar, value)) + "]"
    said = re.sub("[\x7f-\x9f\u2028\u2029\ufeff]", lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
    plain = isinstance(value, str) and not isinstance(value, Template)
    return f"!unsafe {said}" if plain and re.search("{[{%#]", value) else said


def _indent(text: str, spaces: int) -> str:
    return "".join(" " * spaces + line for line in text.splitlines(keepends=True))
