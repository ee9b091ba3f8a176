"""Groups of an Ansible inventory: who belongs to which, and which value of a variable holds for a host (pure)."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from lading.dataclass import dataclass

PRIORITY = "ansible_group_priority"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something was said: a file and a line of it (0 = the whole file)."""

    file: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Variable:
    """A value, as the file's own type, and where it was given; within a `tree`, mappings hold Variables again."""

    value: Any
    place: Place


@dataclass(frozen=True, slots=True)
class Sealed:
    """A value encrypted by ansible-vault: only Ansible can open it."""


class InventoryError(Exception):
    """What is wrong with a file of an inventory, and where; the reader makes it a SettingsError."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.message = message
        self.place = place


@dataclass(slots=True)
class _Group:
    children: dict[str, None] = field(default_factory=dict)
    hosts: dict[str, None] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    priority: int = 1


class Groups:
    """What the files say, put together as it is read; questions are asked after `settle`.

    Files of variables (group_vars, host_vars) count more than what the inventory's own files say; see `variables`.
    """

    def __init__(self) -> None:
        self.groups = {"all": _Group({"ungrouped": None}), "ungrouped": _Group()}
        self.hosts: dict[str, dict[str, Variable]] = {}
        self.places: dict[str, Place] = {}
        self._depths: dict[str, int] = {}

    def add_group(self, name: str) -> None:
        """There is a group of this name."""
        self.groups.setdefault(name, _Group())

    def add_child(self, parent: str, child: str, place: Place) -> None:
        """*child* is a group within *parent*.

        Raises:
            InventoryError: they would contain each other.
        """
        if child == "all":
            raise InventoryError(f"the group all, which holds every host, cannot be in {parent}", place)
        if parent == child or parent in self.descendants(child):
            raise InventoryError(f"the groups {parent} and {child} would contain each other", place)
        self.groups[parent].children[child] = None

    def add_host(self, name: str, group: str, port: int, place: Place) -> None:
        """The host *name* is in *group*; where it is named first, a port may come with it."""
        if name not in self.hosts:
            self.hosts[name] = {"ansible_port": Variable(port, place)} if port else {}
            self.places[name] = place
        self.groups[group].hosts[name] = None

    def set(self, name: str, key: str, variable: Variable) -> None:
        """A variable of the group or, if there is none, of the host *name*.

        Raises:
            InventoryError: the priority of a group is no whole number.
        """
        if name not in self.groups:
            self.hosts[name][key] = variable
        elif key != PRIORITY:
            self.groups[name].variables[key] = variable
        else:
            try:
                self.groups[name].priority = int(variable.value)
            except (TypeError, ValueError) as bad:
                raise InventoryError(f"{PRIORITY} must be a whole number, not {variable.value!r}", variable.place) from bad

    def settle(self) -> None:
        """All was read: every group is in `all`, and a host is in `ungrouped` exactly if it is in no other group."""
        inner = {child for group in self.groups.values() for child in group.children}
        for name in self.groups:
            if name != "all" and name not in inner:
                self.groups["all"].children[name] = None
        loose = self.groups["ungrouped"].hosts
        grouped = {host for name, group in self.groups.items() if name not in ("all", "ungrouped") for host in group.hosts}
        for host in self.hosts:
            if host in grouped:
                loose.pop(host, None)
            else:
                loose[host] = None
        self._depths = self._measured()

    def _measured(self) -> dict[str, int]:
        """The longest way from `all` to each group."""
        depths = dict.fromkeys(self.groups, 0)
        waiting = ["all"]
        while waiting:
            name = waiting.pop()
            for child in self.groups[name].children:
                if depths[child] <= depths[name]:
                    depths[child] = depths[name] + 1
                    waiting.append(child)
        return depths

    def descendants(self, name: str) -> Iterator[str]:
        """The group and all groups within it, level by level, each once."""
        seen = {name: None}
        level = [name]
        while level:
            level = list(dict.fromkeys(child for one in level for child in self.groups[one].children if child not in seen))
            seen |= dict.fromkeys(level)
        return iter(seen)

    def members(self, name: str) -> tuple[str, ...]:
        """The hosts of a group, those of its subgroups after its own."""
        return tuple(dict.fromkeys(host for one in self.descendants(name) for host in self.groups[one].hosts))

    def all_members(self) -> dict[str, tuple[str, ...]]:
        """The hosts of each group."""
        return {name: self.members(name) for name in self.groups}

    def variables(
        self, group_files: Mapping[str, Mapping[str, Variable]], host_files: Mapping[str, Mapping[str, Variable]]
    ) -> dict[str, dict[str, Variable]]:
        """The variables that hold for each host: what comes later here counts more.

        `all`, then the other groups, outermost first, then by priority, then by name; the same for their files; the
        host's own; its files.
        """
        mine: dict[str, list[str]] = {host: [] for host in self.hosts}
        for name in sorted(self.groups, key=lambda one: (self._depths[one], self.groups[one].priority, one)):
            for host in self.members(name):
                mine[host].append(name)
        found: dict[str, dict[str, Variable]] = {}
        for host, names in mine.items():
            own = [name for name in names if name != "all"]
            layers: list[Mapping[str, Variable]] = [self.groups["all"].variables]
            layers += [self.groups[name].variables for name in own]
            layers += [group_files.get("all", {}), *(group_files.get(name, {}) for name in own)]
            layers += [self.hosts[host], host_files.get(host, {})]
            found[host] = {key: variable for layer in layers for key, variable in layer.items()}
        return found
