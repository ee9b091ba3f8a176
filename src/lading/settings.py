"""lading.yaml, the fleet file, read and checked; errors carry file and line."""

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

import yaml

from lading import by_reference, disk, errors, loading, nodes, options
from lading.compose import parse, passing, rights, subset
from lading.dataclass import dataclass
from lading.inventory import hosts, patterns, ssh_names

FORMAT = 1
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMES = {"address": ssh_names.is_host, "user": ssh_names.is_user, "jump": ssh_names.is_jump}
SIZE_LIMIT = 4 * 1024 * 1024  # bytes of a fleet file


@dataclass(frozen=True, slots=True)
class SshSettings:
    """How hosts are reached; times in seconds, 0 where nothing is said."""

    user: str = ""
    known_hosts: Path = Path("known_hosts")
    connect_timeout: int = 0
    keepalive: int = 0
    keepalive_count: int = 3
    parallel: int = 64
    max_connections: int = 1100


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """How a registry is reached, with its credentials by reference.

    *by_hosts*: it is never asked from here; the hosts of a deployment ask it, and must agree.
    """

    username: str = ""
    password: by_reference.Source | None = None
    ca: str = ""
    insecure: bool = False
    auth: str = ""
    by_hosts: bool = False


@dataclass(frozen=True, slots=True)
class AnsibleSettings:
    """How Ansible is called for hosts with `transport: ansible`: absolute paths, and the vault password by reference."""

    inventory: tuple[str, ...] = ()
    config: str = ""
    vault_password_file: str = ""
    vault_password_command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """A fleet file, read and checked. *ledger_env*: the variable that holds the URL of the ledger, "" = SQLite.

    *env_names*: every variable that the file itself reads, by `{env: NAME}`. *no_registry*: images are sent from here.
    """

    path: Path
    inventory: hosts.Inventory
    ssh: SshSettings = field(default_factory=SshSettings)
    registries: Mapping[str, RegistrySettings] = field(default_factory=dict)
    state_dir: str = "auto"
    ledger_env: str = ""
    ansible: AnsibleSettings = field(default_factory=AnsibleSettings)
    pass_env: tuple[str, ...] = ()
    env_names: frozenset[str] = frozenset()
    source: str = ""
    no_registry: bool = False

    @property
    def folder(self) -> Path:
        """Where it lies: its relative paths are seen from there, and its programs run there."""
        return self.path.parent.resolve()

    def by_hosts(self, registry: str) -> bool:
        """Whether only hosts ask this registry."""
        return registry in self.registries and self.registries[registry].by_hosts

    def pass_env_for(self, destination: hosts.Destination) -> passing.Passing:
        """Which variables of the caller's environment the apps of a destination are given."""
        return passing.Passing(self.pass_env, destination.pass_env, self.env_names, destination.name)


def state_home(environment: Mapping[str, str]) -> Path:
    """The user's folder for lading's own state: $XDG_STATE_HOME/lading or ~/.local/state/lading."""
    return Path(environment.get("XDG_STATE_HOME") or Path(environment.get("HOME", "/")) / ".local/state") / "lading"


def load(path: Path, environment: Mapping[str, str]) -> Settings:
    """Read and check a fleet file that the user has named.

    Raises:
        SettingsError: with file, line, and the nearest right name where one is unknown.
    """
    return read(path, parse_file(path), environment)


def parse_file(path: Path) -> Any:
    """The one document of a fleet file, as a YAML node; None if it is empty. Nothing of it is carried out.

    Raises:
        SettingsError: it cannot be read, or is no YAML.
    """
    try:
        documents = parse.read(disk.read(path, limit=SIZE_LIMIT))
    except OSError as missing:
        raise errors.SettingsError(f"the fleet file cannot be read: {disk.reason(missing)}", "lading init",
                                   file=str(path)) from missing
    except subset.BrokenError as wrong:
        raise errors.SettingsError(f"the fleet file {wrong.message}", wrong.hint, file=str(path), line=wrong.line) from wrong
    if len(documents) > 1:
        raise _Reader(path).wrong(documents[1], "the fleet file is one document", "remove the line ---")
    return documents[0] if documents else None


def read(path: Path, top: Any, environment: Mapping[str, str]) -> Settings:
    """The settings of a fleet file that was parsed; what its inventory takes to be read is run, in *environment*.

    Raises:
        SettingsError: with file, line, and the nearest right name where one is unknown.
    """
    return _Reader(path, environment).settings(top)


def names(
    path: Path, top: Any, environment: Mapping[str, str], *, inventory: bool, hosts_only: bool = False
) -> list[str]:
    """What `--to` may name, as far as files tell it; *inventory*: those of an Ansible inventory too. Nothing is run.

    *hosts_only*: neither destinations nor groups.

    Raises:
        SettingsError: the file is wrong.
    """
    return _Reader(path, environment).names(top, inventory, hosts_only)


def registries(path: Path, top: Any) -> dict[str, RegistrySettings]:
    """How registries are reached; nothing is run, and no password looked up.

    Raises:
        SettingsError: the file is wrong.
    """
    reader = _Reader(path)
    return reader.registries(reader.known(top, "", ""))


def _no_registry(top: Mapping[str, Any]) -> bool:
    """Whether the file says `registries: none`."""
    node = top.get("registries")
    return isinstance(node, yaml.ScalarNode) and node.value == "none"


def shared_ledger(path: Path, top: Any) -> str:
    """The variable that holds the URL of a ledger, "" for the user's own file.

    Raises:
        SettingsError: the file is wrong.
    """
    reader = _Reader(path)
    return reader.ledger(reader.known(top, "", "").get("ledger"))


def _env_names(node: Any) -> Iterator[str]:
    """The names behind every `env:` at or below a node; labels and variables are people's own words."""
    if isinstance(node, yaml.SequenceNode):
        for one in node.value:
            yield from _env_names(one)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "env" and isinstance(value, yaml.ScalarNode):
                yield str(value.value)
            elif key.value not in ("labels", "variables"):
                yield from _env_names(value)


class _Reader(nodes.Reader):
    """Turns the fleet file into Settings."""

    def __init__(self, path: Path, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(path, [option.path for option in options.OPTIONS])
        self.environment = environment or {}

    def settings(self, node: Any) -> Settings:
        top = self.known(node, "", "")
        if "lading" not in top:
            raise self.wrong(node, "the first line must say which format this is", "add: lading: 1")
        if self.number(top["lading"], "lading", 0, 10**6) != FORMAT:
            raise self.wrong(top["lading"], f"this file is of format {top['lading'].value}, this lading knows {FORMAT}",
                             "install the newer lading")
        state_dir = self.text(top["state_dir"], "state_dir") if "state_dir" in top else "auto"
        if state_dir != "auto" and not state_dir.startswith("/"):
            raise self.wrong(top["state_dir"], "state_dir must be auto or an absolute path")
        fleet = self.fleet(top)
        places = {name: self.destination(name, value, fleet)
                  for name, value in self.named(top.get("destinations"), "destinations").items()}
        for name, place in places.items():
            if name in fleet.hosts:
                raise self.wrong(top["destinations"], f"{name} is both a host and a destination", "rename one of them")
            if set(fleet.groups.get(name, place.hosts)) != set(place.hosts):
                raise self.wrong(top["destinations"], f"{name} is also a group of the inventory, with other hosts",
                                 "rename the destination")
        default = self.transport(top, "") or "ssh"
        try:
            inventory = replace(fleet, destinations=places).reached(default)
        except errors.InputError as wrong:
            raise self.wrong(top["destinations"], wrong.message, wrong.hint) from wrong
        return Settings(self.path, inventory, self.ssh(top.get("ssh")), self.registries(top), state_dir,
                        self.ledger(top.get("ledger")), self.ansible(top.get("ansible"), self.inventory(top)[0]),
                        self.pass_env(top, ""), frozenset(_env_names(node)),
                        self.text(top["source"], "source") if "source" in top else "", _no_registry(top))

    def registries(self, top: Mapping[str, Any]) -> dict[str, RegistrySettings]:
        """How each registry that is named is reached."""
        if _no_registry(top):
            return {}
        found = self.named(top.get("registries"), "registries", strict=False)
        return {name: self.registry(name, value) for name, value in found.items()}

    def names(self, node: Any, inventory: bool, hosts_only: bool) -> list[str]:
        """Destinations, groups and hosts; those of an *inventory* as far as lading itself reads it."""
        top = self.known(node, "", "")
        own = self.named(top.get("hosts"), "hosts")
        written = [*own] if hosts_only else [*self.named(top.get("destinations"), "destinations"), *own]
        path = self.inventory(top)[0]
        if not inventory or not path:
            return written
        folder = self.path.parent
        known = _inventory(folder / disk.expanded(path), (), self.environment, folder, programs=False)
        return [*written, *(() if hosts_only else known.group_names()), *known.hosts]

    def pass_env(self, got: Mapping[str, Any], where: str) -> tuple[str, ...]:
        """The entries of a `pass_env`: names, patterns, and both with a `-` before them."""
        if "pass_env" not in got:
            return ()
        node = got["pass_env"]
        entries = self.texts(node, f"{where}pass_env")
        for entry, item in zip(entries, node.value, strict=True):
            if wrong := passing.fault(entry):
                raise self.wrong(item, f"{where}pass_env: {wrong}", "pass_env: [NAME, APP_*, -APP_KEY]")
        return entries

    def transport(self, got: Mapping[str, Any], where: str, *more: str) -> str:
        """ssh or ansible, or one *more*; "" where nothing is said."""
        if "transport" not in got:
            return ""
        value = self.text(got["transport"], f"{where}transport")
        known = ("ssh", "ansible", *more)
        if value not in known:
            told = f"{', '.join(known[:-1])} or {known[-1]}"
            raise self.wrong(got["transport"], f"{where}transport must be {told}, not {value!r}")
        return value

    def host_transport(self, got: Mapping[str, Any], where: str) -> str:
        """How commands reach a host; nothing leads to this machine itself."""
        value = self.transport(got, f"{where}.", hosts.LOCAL)
        wrong = [key for key in ("address", "port", "user", "jump") if key in got and value == hosts.LOCAL]
        if wrong:
            raise self.wrong(
                got[wrong[0]], f"{where}.{wrong[0]}: a host with `transport: local` is this machine, and nothing leads there",
                f"leave {wrong[0]} out, or transport")
        return value

    def ansible(self, node: Any, own: str) -> AnsibleSettings:
        """How Ansible is called; *own*: the inventory that the fleet's hosts come from, "" for none."""
        got = self.known(node, "ansible", "ansible")
        if "vault_password_file" in got and "vault_password_command" in got:
            raise self.wrong(got["vault_password_command"], "the vault password comes from a file or from a command, not both")
        one = "inventory" in got and isinstance(got["inventory"], yaml.ScalarNode)
        inventories = (self.text(got["inventory"], "ansible.inventory"),) if one else (
            self.texts(got["inventory"], "ansible.inventory") if "inventory" in got else tuple(filter(None, [own])))
        command = "vault_password_command"
        return AnsibleSettings(
            tuple(map(self.beside, inventories)),
            **{key: self.beside(self.text(got[key], f"ansible.{key}")) for key in ("config", "vault_password_file") if key in got},
            vault_password_command=self.texts(got[command], f"ansible.{command}") if command in got else (),
        )

    def beside(self, path: str) -> str:
        """A path of the fleet file as an absolute one."""
        return str(self.path.parent.resolve() / disk.expanded(path))

    def ledger(self, node: Any) -> str:
        """The name of the variable that holds the ledger's URL, "" for SQLite."""
        if node is None or (isinstance(node, yaml.ScalarNode) and node.value in ("", "sqlite")):
            return ""
        hint = "ledger: sqlite, or ledger: {url: {env: LADING_LEDGER}}"
        got = self.mapping(node, "ledger") if isinstance(node, yaml.MappingNode) else {}
        url = got["url"][1] if set(got) == {"url"} else None
        inner = self.mapping(url, "ledger.url") if isinstance(url, yaml.MappingNode) else {}
        if set(inner) != {"env"}:
            raise self.wrong(node, "ledger is sqlite, or a URL by reference: it may hold a password", hint)
        return self.text(inner["env"][1], "ledger.url.env")

    def fleet(self, top: Mapping[str, Any]) -> hosts.Inventory:
        """The hosts, named here or by an Ansible inventory."""
        path, labels = self.inventory(top)
        if not path:
            return hosts.Inventory(
                {name: self.host(name, value) for name, value in self.named(top.get("hosts"), "hosts").items()}, {})
        if "hosts" in top:
            raise self.wrong(top["inventory"], "inventory and hosts exclude each other", "name all hosts in the inventory, or none")
        if not os.path.lexists(self.path.parent / disk.expanded(path)):
            raise self.wrong(top["inventory"], "there is no such inventory", f"correct the path: {self.path.parent / disk.expanded(path)} is not there")
        told, folder = self.ansible(top.get("ansible"), path), self.path.parent
        password = told.vault_password_file or (told.vault_password_command[0] if len(told.vault_password_command) == 1 else "")
        environment = dict(self.environment)
        if told.config:
            environment["ANSIBLE_CONFIG"] = told.config
        if password:
            environment["ANSIBLE_VAULT_PASSWORD_FILE"] = password
        user = self.ssh(top.get("ssh")).user
        return _inventory(folder / disk.expanded(path), labels, environment, folder, user=user)

    def inventory(self, top: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
        """The path of the Ansible inventory and the variables that become labels; "" if the hosts are named here."""
        node = top.get("inventory")
        if node is None:
            return "", ()
        got = {"path": node} if isinstance(node, yaml.ScalarNode) else self.known(node, "inventory", "inventory")
        path = self.text(got["path"], "inventory.path") if "path" in got else ""
        if not path:
            raise self.wrong(node, "inventory names no file, folder or program", "inventory: PATH")
        return path, self.texts(got["labels"], "inventory.labels") if "labels" in got else ()

    def host(self, name: str, node: Any) -> hosts.Host:
        got, where = self.known(node, f"hosts.{name}", "hosts.NAME"), f"hosts.{name}"
        words = {key: self.word(got[key], f"{where}.{key}", good) for key, good in _NAMES.items() if key in got}
        return hosts.Host(
            name, self.address(got, words.get("address", ""), where), words.get("user", ""), jump=words.get("jump", ""),
            port=self.number(got["port"], f"{where}.port", 1, 65535) if "port" in got else 0,
            sudo=self.flag(got["sudo"], f"{where}.sudo") if "sudo" in got else False,
            sudo_group=self.sudo_group(got, where),
            labels=self.words(got.get("labels"), f"{where}.labels"), transport=self.host_transport(got, where),
            origin=f"{self.path}:{node.start_mark.line + 1}",
        )

    def address(self, got: Mapping[str, Any], text: str, where: str) -> str:
        """A host's name or address; an IPv6 address may stand in brackets, as it does before a port."""
        bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        if "[" in bare or "]" in bare or "@" in bare:
            raise self.wrong(
                got["address"], f"{where}.address: {text!r} is more than an address",
                "user: and port: are options of their own")
        return bare

    def word(self, node: Any, where: str, good: Callable[[str], bool]) -> str:
        """A name that `ssh` takes, by the rule *good*."""
        value = self.text(node, where)
        if not good(value):
            raise self.wrong(node, f"{where}: {value!r} {ssh_names.WHY}", ssh_names.HINT)
        return value

    def members(self, where: str, node: Any, fleet: hosts.Inventory) -> tuple[tuple[str, ...], dict[str, str]]:
        """The hosts that a list of hosts, groups and patterns means, each once; and those that it leaves out, with its word for it."""
        found: dict[str, None] = {}
        left: dict[str, str] = {}
        for name, item in zip(self.texts(node, f"{where}.hosts"), node.value, strict=True):
            if not patterns.is_pattern(name) and name not in {*fleet.hosts, *fleet.groups}:
                near = difflib.get_close_matches(name, [*fleet.hosts, *fleet.group_names()], 1)
                raise self.wrong(item, f"{where}: there is no host {name}",
                                 f"did you mean {near[0]}?" if near else "add it under hosts:")
            try:
                found |= dict.fromkeys(fleet.expand(name))
                left |= fleet.left_out(name)
            except errors.InputError as bad:
                raise self.wrong(item, f"{where}: {bad.message}", bad.hint) from bad
        return tuple(found), {host: word for host, word in left.items() if host not in found}

    def destination(self, name: str, node: Any, fleet: hosts.Inventory) -> hosts.Destination:
        where = f"destinations.{name}"
        got = self.known(node, where, "destinations.NAME")
        if "hosts" not in got:
            raise self.wrong(node, f"{where} names no hosts", "add: hosts: [...]")
        members, left_out = self.members(where, got["hosts"], fleet)
        variables = self.words(got.get("variables"), f"{where}.variables")
        return hosts.Destination(
            name, members, self.words(got.get("labels"), f"{where}.labels"),
            variables,
            self.flag(got["confirm"], f"{where}.confirm") if "confirm" in got else False,
            self.text(got["project"], f"{where}.project") if "project" in got else "", self.transport(got, f"{where}."),
            self.pass_env(got, f"{where}."),
            self.allowed(name, got["allow"]) if "allow" in got else (),
            self.texts(got["profiles"], f"{where}.profiles") if "profiles" in got else None,
            self.texts(got["hosts"], f"{where}.hosts"), left_out,
            self.secrets(got.get("secrets"), where, variables),
            self.webhooks(got["notify"], where) if "notify" in got else (),
        )

    def allowed(self, name: str, node: Any) -> tuple[hosts.Allowed, ...]:
        """The rights that a destination gives."""
        words = self.texts(node, f"destinations.{name}.allow")
        for word, item in zip(words, node.value, strict=True):
            right = word.partition(":")[0]
            if right not in rights.RIGHTS:
                near = difflib.get_close_matches(right, rights.RIGHTS, 1)
                raise self.wrong(item, f"destinations.{name}.allow: there is no right {word!r}",
                                 f"did you mean {near[0]}?" if near else "lading help rights")
        return (hosts.Allowed(name, words, str(self.path), node.start_mark.line + 1),)

    def ssh(self, node: Any) -> SshSettings:
        got = self.known(node, "ssh", "ssh")
        pins = self.text(got["known_hosts"], "ssh.known_hosts") if "known_hosts" in got else "known_hosts"
        numbers = {key: self.number(got[key], f"ssh.{key}", 1, 10000)
                   for key in ("connect_timeout", "keepalive", "keepalive_count", "parallel", "max_connections") if key in got}
        user = self.word(got["user"], "ssh.user", ssh_names.is_user) if "user" in got else ""
        return SshSettings(user, self.path.parent.resolve() / disk.expanded(pins), **numbers)

    def registry(self, name: str, node: Any) -> RegistrySettings:
        where = f"registries.{name}"
        got = self.known(node, where, "registries.NAME")
        password = self.source(got["password"], f"{where}.password", "registries.NAME.password") if "password" in got else None
        ca = str(self.path.parent.resolve() / self.text(got["ca"], f"{where}.ca")) if "ca" in got else ""
        return RegistrySettings(
            self.text(got["username"], f"{where}.username") if "username" in got else "", password, ca,
            self.flag(got["insecure"], f"{where}.insecure") if "insecure" in got else False,
            self.auth_host(got["auth"], f"{where}.auth") if "auth" in got else "",
            self.who_asks(got["resolve"], f"{where}.resolve") if "resolve" in got else False,
        )

    def source(self, node: Any, where: str, pattern: str) -> by_reference.Source:
        """Where a value comes from; *pattern*: the options that say so."""
        if isinstance(node, yaml.ScalarNode) and node.value not in ("", "null", "~"):
            raise self.wrong(node, f"{where} does not say where its value comes from: what is secret stands in no fleet file",
                             f"{where}: {{command: [pass, show, NAME]}}, or {{file: PATH}}, or {{env: NAME}}")
        got = self.known(node, where, pattern)
        kinds = [kind for kind in by_reference.KINDS if kind in got]
        if len(kinds) != 1:
            raise self.wrong(node, f"{where} says {'nothing' if not kinds else ' and '.join(kinds)}: a value comes from one place",
                             f"{where}: {{{kinds[0] if kinds else 'command'}: …}}")
        kind = kinds[0]
        at = f"{where}.{kind}"
        words = self.texts(got[kind], at) if kind == "command" else (self.text(got[kind], at),)
        if not words or not words[0]:
            raise self.wrong(node, f"{at} is empty", f"lading help give an app secrets: {kind}")
        if kind in ("file", "age", "sops"):
            words = (self.beside(words[0]), *self.source_key(got, kind, node, where))
        elif "key" in got:
            raise self.wrong(got["key"], f"{where}.key belongs to age and sops, not to {kind}", "take it out")
        timeout = self.number(got["timeout"], f"{where}.timeout", 1, 3600) if "timeout" in got else by_reference.TIMEOUT
        return by_reference.Source(kind, words, timeout, str(self.path), node.start_mark.line + 1)

    def source_key(self, got: Mapping[str, Any], kind: str, node: Any, where: str) -> tuple[str, ...]:
        """The `key` of an age or SOPS file: an identity file, or what leads to the value."""
        if kind == "file" and "key" in got:
            raise self.wrong(got["key"], f"{where}.key belongs to age and sops, not to a file", "take it out")
        if kind == "file":
            return ()
        if "key" not in got:
            hint = "key: IDENTITY_FILE, as age-keygen writes it" if kind == "age" else "key: NAME_IN_THE_FILE, or a list of the keys that lead there"
            raise self.wrong(node, f"{where} names no key", hint)
        if kind == "age":
            return (self.beside(self.text(got["key"], f"{where}.key")),)
        keys = (self.text(got["key"], f"{where}.key"),) if isinstance(got["key"], yaml.ScalarNode) else self.texts(got["key"], f"{where}.key")
        if not keys or any(not key or set(key) & set('"[]\\') for key in keys):
            raise self.wrong(got["key"], f"{where}.key: {', '.join(keys) or 'it'} is no key of a SOPS file", "key: NAME, or key: [OUTER, INNER]")
        return keys

    def secrets(self, node: Any, where: str, plain: Mapping[str, str]) -> dict[str, by_reference.Source]:
        """The secret variables of a destination; *plain*: its other ones."""
        found = {}
        for name, (key, value) in self.mapping(node, f"{where}.secrets").items():
            at = f"{where}.secrets.{name}"
            if not _VARIABLE.fullmatch(name):
                raise self.wrong(key, f"{at}: {name!r} is no name of a variable", "letters, digits and _, no digit first")
            if name == passing.VERSION:
                raise self.wrong(key, f"{at}: the version is no secret", "another name")
            if name in plain:
                raise self.wrong(key, f"{where}: {name} is among the variables and among the secrets", "leave it in one of them")
            found[name] = self.source(value, at, "destinations.NAME.secrets.NAME")
        return found

    def webhooks(self, node: Any, where: str) -> tuple[by_reference.Webhook, ...]:
        """Who is told how deployments end: one, or a list."""
        listed = isinstance(node, yaml.SequenceNode)
        return tuple(self.webhook(one, f"{where}.notify") for one in (node.value if listed else [node]))

    def webhook(self, node: Any, where: str) -> by_reference.Webhook:
        got = self.known(node, where, "destinations.NAME.notify")
        if "url" not in got:
            raise self.wrong(node, f"{where} names no url", "url: {env: NAME}: the address often is a secret")
        kind = self.text(got["kind"], f"{where}.kind") if "kind" in got else "generic"
        if kind not in ("slack", "generic"):
            raise self.wrong(got["kind"], f"{where}.kind must be slack or generic, not {kind!r}")
        if kind == "slack" and "secret" in got:
            raise self.wrong(got["secret"], f"{where}: what Slack is told is not signed", "leave secret out, or kind: generic")
        secret = self.source(got["secret"], f"{where}.secret", "destinations.NAME.notify.secret") if "secret" in got else None
        return by_reference.Webhook(self.webhook_url(got["url"], f"{where}.url"), kind, secret)

    def webhook_url(self, node: Any, where: str) -> by_reference.Source:
        """A webhook's address, as it is or by reference."""
        if not isinstance(node, yaml.ScalarNode):
            return self.source(node, where, "destinations.NAME.notify.url")
        text = self.text(node, where)
        if not by_reference.is_address(text):
            raise self.wrong(node, f"{where} is no address of a webhook", "https://HOST/PATH, or {env: NAME}")
        return by_reference.Source("text", (text,), file=str(self.path), line=node.start_mark.line + 1)

    def who_asks(self, node: Any, where: str) -> bool:
        """Whether a registry is asked by the hosts, and never from here."""
        word = self.text(node, where)
        if word not in ("controller", "host"):
            raise self.wrong(node, f"{where} must be controller or host, not {word!r}")
        return word == "host"

    def sudo_group(self, got: Mapping[str, Any], where: str) -> str:
        """The group that `sudo -g` gives to a host's commands; not together with `sudo`, by which they run as root."""
        if "sudo_group" not in got:
            return ""
        group = self.text(got["sudo_group"], f"{where}.sudo_group")
        if re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", group) is None:
            raise self.wrong(got["sudo_group"], f"{where}.sudo_group: {group!r} is no name of a group", "such as: sudo_group: docker")
        if "sudo" in got and self.flag(got["sudo"], f"{where}.sudo"):
            raise self.wrong(got["sudo_group"], f"{where} has both sudo and sudo_group", "sudo: true runs commands as root; leave one of them out")
        return group

    def auth_host(self, node: Any, where: str) -> str:
        """A host, or host:port, without a scheme: HTTPS is what it is asked by."""
        text = self.text(node, where).lower()
        if re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", text) is None:
            raise self.wrong(node, f"{where}: {text!r} is no host", "write a host, or host:port, such as auth.example")
        return text


def _inventory(
    path: Path, labels: Sequence[str], environment: Mapping[str, str], fleet: Path, *, programs: bool = True,
    user: str = "",
) -> hosts.Inventory:
    """See `ansible.read`."""
    with loading.later():  # most fleets name their hosts in lading.yaml
        from lading.inventory import ansible
    return ansible.read(path, labels, environment, fleet, programs=programs, user=user)
