"""Hosts, labels and destinations: which machine is meant by a name (pure)."""

import dataclasses
import difflib
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace

from lading import by_reference, errors
from lading.dataclass import dataclass
from lading.inventory import patterns

LOCAL = "local"
_ADDRESS = re.compile(r"(?:ssh://)?(?:([^\s\[\]:]+)@)?(\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^@:\[\]\s/-][^@:\[\]\s/]*)(?::(\d{1,5}))?/?")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why lading cannot reach a host as its inventory wants it: said when the host is chosen.

    *by_name*: its name alone is the reason, so that no other transport helps.
    """

    message: str
    hint: str
    file: str
    line: int
    by_name: bool = False


@dataclass(frozen=True, slots=True)
class Host:
    """One machine: how to reach it and what is said about it.

    An empty *address* means that *name* goes to the OpenSSH configuration; *port* 0 means its default.
    *jump* names another host or an OpenSSH jump specification. *sudo*: commands run through `sudo -n`;
    *sudo_group*: through `sudo -n -g` that group.
    *key_file*, *known_hosts* (one more file), *proxy_command* (%h, %p, %r as in OpenSSH), *connect_timeout* and
    *keepalive* (seconds) are this host's own; empty or 0 means the fleet's. *origin*: the file and line that name it.
    *transport*: how commands reach it, "ssh", "ansible", or LOCAL: it is this machine. *ssh_config*: a file in place of
    the user's OpenSSH configuration; *family*: inet or inet6, the only kind of address that is tried.
    """

    name: str
    address: str = ""
    user: str = ""
    port: int = 0
    jump: str = ""
    sudo: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    key_file: str = ""
    known_hosts: str = ""
    proxy_command: str = ""
    connect_timeout: int = 0
    keepalive: int = 0
    origin: str = ""
    refusal: Refusal | None = None
    transport: str = ""
    sudo_group: str = ""
    ssh_config: str = ""
    family: str = ""

    @property
    def is_local(self) -> bool:
        """Whether it is this machine, which nothing leads to and no key opens."""
        return self.transport == LOCAL

    @property
    def place(self) -> str:
        """Where it is, in words."""
        if self.is_local:
            return "(this machine)"
        return self.address or "(ssh config)"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What apps may do with the hosts of a *destination*: the *rights* of its `allow:`; *file* and *line* of that."""

    destination: str
    rights: tuple[str, ...]
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Destination:
    """A named choice of hosts, with variables for the apps that go there.

    *project* is a pattern for the project's name there, such as "{app}-{dest}"; *confirm* asks even with one host.
    *pass_env*: the variables of the caller's environment that those apps may use, as in lading.yaml.
    *allowed*: the lists of rights that count there, each for itself; none means that rights are only shown.
    *profiles*: of services that are started there though they have one; None leaves that to each app.
    *written*: what its `hosts:` say; *left_out*: host → the part of them that took it out again.
    *secrets*: variables too, by reference. *webhooks* are told how deployments there end.
    """

    name: str
    hosts: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    confirm: bool = False
    project: str = ""
    transport: str = ""
    pass_env: tuple[str, ...] = ()
    allowed: tuple[Allowed, ...] = ()
    profiles: tuple[str, ...] | None = None
    written: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, by_reference.Source] = field(default_factory=dict)
    webhooks: tuple[by_reference.Webhook, ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """All hosts and destinations of one fleet file, by name; *groups* are those of an Ansible inventory, `all` included.

    *notes*: what lading does not heed of the inventory, in words, by host; "" for what is about no host.
    """

    hosts: Mapping[str, Host]
    destinations: Mapping[str, Destination]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def choose(self, names: Sequence[str]) -> tuple[Destination, tuple[Host, ...]]:
        """The destination and hosts meant by `--to`: a destination, a group, a host, a pattern, or several of them.

        Without any name: the destination, where the fleet file has exactly one.

        Several names give a destination called "a,b" with the hosts in the order given, each once. A pattern is one
        name, commas included.

        Raises:
            InputError: no name, an empty or unknown one, one that is both, or a choice without hosts.
            SettingsError: lading cannot reach one of the hosts as the inventory says.
        """
        return self._chosen(names, self._one)

    def choose_ruled(
        self, names: Sequence[str], recorded: Mapping[str, str] | None = None
    ) -> tuple[Destination, tuple[Host, ...]]:
        """The same for verbs that change: no other name of a host leads past the rules of its destination.

        A host stands for its part of the destination that is *recorded* for it (host → destination), else of the only one
        that contains it. A group and a pattern keep their own name and variables; what the destinations of their hosts
        allow and ask for counts all the same.

        Raises:
            InputError: as `choose`; or a host is in several destinations, and none is recorded.
            SettingsError: as `choose`.
        """
        known = recorded or {}
        return self._chosen(names, lambda name: self._ruled(name, known))

    def undecided(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The hosts among *names* that are in several destinations, with these: one of them must be recorded or named."""
        found = {}
        for name in split_names(names):
            places = self._places(name) if name in self.hosts and name not in self.destinations else ()
            if len(places) > 1:
                found[name] = places
        return found

    def _places(self, host: str) -> tuple[str, ...]:
        return tuple(name for name, one in self.destinations.items() if host in one.hosts)

    def _ruled(self, name: str, recorded: Mapping[str, str]) -> Destination:
        found = self._one(name)
        if name in self.destinations:
            return found
        if name not in self.hosts:
            return self._strictest(found)
        places = self._places(name)
        if not places:
            return found
        if len(places) > 1 and recorded.get(name) not in places:
            raise errors.InputError(
                f"{name} is in several destinations ({', '.join(places)}), and none of them is recorded there for this app",
                f"name the destination: --to {places[0]}")
        chosen = places[0] if len(places) == 1 else recorded[name]
        return replace(self.destinations[chosen], hosts=(name,))

    def _strictest(self, chosen: Destination) -> Destination:
        """A group or a pattern with the rules of every destination that its hosts are in."""
        places = [one for one in self.destinations.values() if set(one.hosts) & set(chosen.hosts)]
        lists = dict.fromkeys([*chosen.allowed, *(one for place in places for one in place.allowed)])
        confirm = chosen.confirm or any(place.confirm for place in places)
        return replace(chosen, confirm=confirm, allowed=tuple(lists))

    def _chosen(
        self, names: Sequence[str], meaning: Callable[[str], Destination]
    ) -> tuple[Destination, tuple[Host, ...]]:
        """What *names* mean together, each by its *meaning*."""
        wanted = split_names(names) or self._only()
        if not wanted or not all(wanted):
            raise errors.InputError(
                "no destination was given" if not any(wanted) else "an empty name in --to",
                f"name one of: {', '.join(self.names()) or '(none in lading.yaml)'}; there is no default among several, and no \"all\"",
            )
        chosen = [meaning(name) for name in wanted]
        hosts = tuple(dict.fromkeys(host for destination in chosen for host in destination.hosts))
        if not hosts:
            raise errors.InputError(f"destination {','.join(wanted)} has no hosts", "add hosts to it in lading.yaml" if
                                    self.destinations.keys() >= set(wanted) else "see: lading hosts list")
        for host in hosts:
            if (no := self.hosts[host].refusal) is not None:
                raise errors.SettingsError(no.message, no.hint, file=no.file, line=no.line, host=host)
        joined = chosen[0]
        if len(chosen) > 1:
            one = joined.name in self.destinations and {part.name for part in chosen} == {joined.name}
            joined = replace(joined, hosts=hosts) if one else _joined(",".join(wanted), hosts, chosen)
        return joined, tuple(self.hosts[name] for name in hosts)

    def _only(self) -> list[str]:
        """What is meant where nothing was named: the destination, if there is exactly one."""
        return [*self.destinations] if len(self.destinations) == 1 else []

    def alike(self, name: str, chosen: Destination) -> bool:
        """Whether an earlier choice, by its *name*, was of the same kind as *chosen*: the same variables and project name.

        Then it only takes other hosts (a group and a pattern of it, one host and all). Two names of `destinations:` are always two.
        """
        if name == chosen.name:
            return True
        if name in self.destinations and chosen.name in self.destinations:
            return False
        try:
            before, _ = self.choose([name])
        except errors.LadingError:
            return False
        projects = {one.project.replace("{dest}", one.name) for one in (before, chosen)}
        same = (before.variables, before.secrets, before.profiles) == (chosen.variables, chosen.secrets, chosen.profiles)
        return same and len(projects) == 1

    def webhooks(self, destination: str, chosen: Sequence[str]) -> tuple[by_reference.Webhook, ...]:
        """Who is told how a deployment ended: those of its *destination*, or destinations; where that was a host, a group or
        a pattern, those of all destinations that have one of the *chosen* hosts.
        """
        named = [self.destinations[name] for name in split_names([destination]) if name in self.destinations]
        places = named or [one for one in self.destinations.values() if set(one.hosts) & set(chosen)]
        return tuple(dict.fromkeys(one for place in places for one in place.webhooks))

    def reachable(self) -> tuple[Host, ...]:
        """All hosts but those that lading cannot reach as the inventory says."""
        return tuple(host for host in self.hosts.values() if host.refusal is None)

    def group_names(self) -> list[str]:
        """The groups that are destinations: not `all` and `ungrouped`, which are meant only where they are written."""
        return [name for name in self.groups if name not in patterns.BUILT_IN]

    def groups_of(self, host: str) -> list[str]:
        """The groups that a host is in, without `all` and `ungrouped`."""
        return sorted(name for name in self.group_names() if host in self.groups[name])

    def names(self) -> list[str]:
        """Every name that stands for hosts."""
        return sorted({*self.destinations, *self.group_names(), *self.hosts})

    def expand(self, name: str) -> tuple[str, ...]:
        """The hosts that a host, a group or a pattern of them means, for the `hosts:` of a destination.

        Raises:
            InputError: it means nothing.
        """
        return dataclasses.replace(self, destinations={})._one(name).hosts

    def left_out(self, name: str) -> Mapping[str, str]:
        """The hosts that a pattern for the `hosts:` of a destination takes out again, with its part that does."""
        return dataclasses.replace(self, destinations={}).search(name).left_out if patterns.is_pattern(name) else {}

    def search(self, pattern: str) -> patterns.Found:
        """What a pattern means among hosts, groups and destinations.

        Raises:
            InputError: it means nothing.
        """
        groups = dict(self.groups) | {name: one.hosts for name, one in self.destinations.items()}
        return patterns.evaluate(pattern, tuple(self.hosts), groups)

    def reached(self, default: str) -> "Inventory":
        """The same with each host's transport decided: its own, else that of its destinations, else *default*.

        Raises:
            InputError: two destinations of a host disagree.
        """
        chosen: dict[str, str] = {}
        for destination in self.destinations.values():
            for name in destination.hosts if destination.transport else ():
                if chosen.setdefault(name, destination.transport) != destination.transport and not self.hosts[name].transport:
                    raise errors.InputError(f"destinations disagree about the transport of {name}",
                                            f"say it at the host: hosts: {{{name}: {{transport: …}}}}")
        found = {name: replace(host, transport=host.transport or chosen.get(name, default)) for name, host in self.hosts.items()}
        return replace(self, hosts={
            name: replace(host, refusal=None) if host.transport == "ansible" and host.refusal and not host.refusal.by_name else host
            for name, host in found.items()})

    def _one(self, name: str) -> Destination:
        if patterns.is_pattern(name):
            return self._pattern(name)
        hosts = self.destinations[name].hosts if name in self.destinations else self.groups.get(name)
        if name in self.hosts:
            if hosts not in (None, (name,)):
                what = "destination" if name in self.destinations else "group"
                raise errors.InputError(f"{name} is both a host and a {what}", f"rename one of them, or name the hosts of the {what}")
            hosts = (name,)
        if hosts is None:
            near = difflib.get_close_matches(name, self.names(), 1)
            raise errors.InputError(
                f"there is no destination or host called {name!r}",
                f"did you mean {near[0]}?" if near else f"known: {', '.join(self.names()) or 'none'}",
            )
        return self.destinations.get(name) or Destination(name, hosts)

    def _pattern(self, text: str) -> Destination:
        """The destinations that a pattern takes hosts from by their names give it their variables."""
        found = self.search(text)
        named = [self.destinations[name] for name in found.named if name in self.destinations]
        return _joined(text, found.hosts, named) if named else Destination(text, found.hosts)


def parse_address(name: str, text: str) -> Host:
    """The host *name* at an address as ssh takes it: [USER@]HOST[:PORT], an IPv6 address with a port in brackets.

    Raises:
        InputError: it is none.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None and _is_ipv6(text):
        return Host(name, text)
    port = int(found[3] or 0) if found is not None else 0
    if found is None or port > 65535 or (found[3] and not port):
        raise errors.InputError(
            f"{text!r} is no address: [user@]host[:port]", "such as deploy@10.0.0.11:2222, or [fe80::1]:2222")
    return Host(name, found[2].strip("[]"), found[1] or "", port)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def split_names(names: Sequence[str]) -> list[str]:
    """The names of `--to`, several by comma; a pattern is one, commas included."""
    found: list[str] = []
    for name in names:
        parts = [name] if patterns.is_pattern(name) else name.split(",")
        found += [part.strip() for part in parts]
    return found


def _joined(name: str, hosts: tuple[str, ...], parts: Sequence[Destination]) -> Destination:
    """One destination for *hosts* with what *parts* say.

    Raises:
        InputError: they contradict each other.
    """
    variables: dict[str, str] = {}
    told = ", ".join(part.name for part in parts)
    for part in parts:
        for key, value in part.variables.items():
            if variables.setdefault(key, value) != value:
                raise errors.InputError(f"{key} differs between the destinations {told}", "deploy to one of them at a time")
    secrets: dict[str, by_reference.Source] = {}
    for part in parts:
        for name, source in part.secrets.items():
            if secrets.setdefault(name, source) != source or name in variables:
                raise errors.InputError(f"{name} differs between the destinations {told}", "deploy to one of them at a time")
    if len({part.project for part in parts}) > 1:
        raise errors.InputError(f"{told} use different project names", "deploy to one of them at a time")
    if len({part.pass_env for part in parts}) > 1:
        raise errors.InputError(f"pass_env differs between the destinations {told}", "deploy to one of them at a time")
    if len({part.profiles for part in parts}) > 1:
        raise errors.InputError(f"profiles differ between the destinations {told}", "deploy to one of them at a time")
    project = parts[0].project.replace("{dest}", parts[0].name) if len(parts) == 1 else parts[0].project
    lists = dict.fromkeys(one for part in parts for one in part.allowed)
    return Destination(name, hosts, {}, variables, any(part.confirm for part in parts), project,
                       pass_env=parts[0].pass_env, allowed=tuple(lists), profiles=parts[0].profiles, secrets=secrets)
