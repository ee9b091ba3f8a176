"""Hosts, labels and destinations: which machine is meant by a name (pure)."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from lading import errors


@dataclass(frozen=True, slots=True)
class Host:
    """One machine: how to reach it and what is said about it.

    An empty *address* means that *name* goes to the OpenSSH configuration; *port* 0 means its default.
    *jump* names another host or an OpenSSH jump specification. *sudo*: commands run through `sudo -n`.
    *transport*: how commands reach it, "ssh" or "ansible".
    """

    name: str
    address: str = ""
    user: str = ""
    port: int = 0
    jump: str = ""
    sudo: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    transport: str = ""


@dataclass(frozen=True, slots=True)
class Destination:
    """A named choice of hosts, with variables for the apps that go there.

    *project* is a pattern for the project's name there, such as "{app}-{dest}"; *confirm* asks even with one host.
    """

    name: str
    hosts: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    confirm: bool = False
    project: str = ""
    transport: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """All hosts and destinations of one fleet file, by name."""

    hosts: Mapping[str, Host]
    destinations: Mapping[str, Destination]

    def choose(self, names: Sequence[str]) -> tuple[Destination, tuple[Host, ...]]:
        """The destination and hosts meant by `--to`: a destination, a host, or several of them.

        Several names give a destination called "a,b" with the hosts in the order given, each once.

        Raises:
            InputError: no name, an empty or unknown one, one that is both, or a choice without hosts.
        """
        wanted = [part.strip() for name in names for part in name.split(",")]
        if not wanted or not all(wanted):
            raise errors.InputError(
                "no destination was given" if not any(wanted) else "an empty name in --to",
                f"name one of: {', '.join(self._names()) or '(none in lading.yaml)'}; there is no default and no \"all\"",
            )
        chosen = [self._one(name) for name in wanted]
        hosts = tuple(dict.fromkeys(host for destination in chosen for host in destination.hosts))
        if not hosts:
            raise errors.InputError(f"destination {','.join(wanted)} has no hosts", "add hosts to it in lading.yaml")
        if len(chosen) == 1:
            return chosen[0], tuple(self.hosts[name] for name in hosts)
        variables: dict[str, str] = {}
        for destination in chosen:
            for key, value in destination.variables.items():
                if variables.setdefault(key, value) != value:
                    raise errors.InputError(
                        f"{key} differs between the destinations {', '.join(wanted)}", "deploy to one of them at a time"
                    )
        if len({destination.project for destination in chosen}) > 1:
            raise errors.InputError(
                f"{', '.join(wanted)} use different project names", "deploy to one of them at a time"
            )
        joined = Destination(
            ",".join(wanted), hosts, {}, variables, any(d.confirm for d in chosen), chosen[0].project
        )
        return joined, tuple(self.hosts[name] for name in hosts)

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
        return Inventory(found, self.destinations)

    def _names(self) -> list[str]:
        return sorted({*self.destinations, *self.hosts})

    def _one(self, name: str) -> Destination:
        if name in self.destinations and name in self.hosts:
            raise errors.InputError(
                f"{name} is both a host and a destination", "rename one of them in lading.yaml"
            )
        if name in self.destinations:
            return self.destinations[name]
        if name in self.hosts:
            return Destination(name, (name,))
        near = difflib.get_close_matches(name, self._names(), 1)
        raise errors.InputError(
            f"there is no destination or host called {name!r}",
            f"did you mean {near[0]}?" if near else f"known: {', '.join(self._names()) or 'none'}",
        )
