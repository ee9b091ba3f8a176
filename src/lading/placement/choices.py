"""What `--to` takes and what it leaves, host by host, with the rule that decided (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lading.inventory import hosts, patterns
from lading.placement import exclusion
from lading.placement.assignment import Row


@dataclass
class _Rules:
    """Host → the first rule that took it, and the first that left it out."""

    taken: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def take(self, names: Sequence[str], rule: str) -> None:
        for name in names:
            self.taken.setdefault(name, rule)

    def leave(self, names: Sequence[str], rule: str) -> None:
        for name in names:
            self.left.setdefault(name, rule)


def of_names(
    inventory: hosts.Inventory, names: Sequence[str], destination: hosts.Destination,
    chosen: Sequence[hosts.Host], excluded: Sequence[exclusion.Exclusion] = (),
) -> tuple[Row, ...]:
    """A row for every host that *names* might have meant, those that are *chosen* first.

    The others are those that are *excluded*, the rest of the destinations that were named, and what a
    `!` or `&` in a pattern has left out.
    *destination*: what the names mean together (`Inventory.choose_ruled`).
    """
    rules = _Rules()
    for name in hosts.split_names(names) or [destination.name]:  # the only one, where none was named
        if patterns.is_pattern(name):
            _by_pattern(inventory, name, rules)
        elif name in inventory.destinations:
            _by_destination(inventory.destinations[name], rules)
        elif name in inventory.hosts:
            _by_host(inventory, name, destination, rules)
        else:
            rules.take(inventory.groups.get(name, ()), f"group {name} of the inventory")
    asked = f"--to {','.join(names)}"
    taken = {host.name: rules.taken.get(host.name, asked) for host in chosen}
    rows = [Row(name, True, rule) for name, rule in taken.items()]
    rows += [Row(one.host, False, one.words, excluded=one) for one in excluded]
    told = {row.host for row in rows}
    rows += [Row(name, False, rule) for name, rule in rules.left.items() if name not in told]
    return tuple(rows)


def _by_destination(place: hosts.Destination, rules: _Rules) -> None:
    rules.take(place.hosts, named(place))
    _left_by(place, rules)


def _left_by(place: hosts.Destination, rules: _Rules) -> None:
    """The hosts that the `hosts:` of a destination itself leaves out."""
    for name, word in place.left_out.items():
        rules.leave([name], f"{word} in hosts: of destination {place.name}")


def _by_host(
    inventory: hosts.Inventory, name: str, destination: hosts.Destination, rules: _Rules
) -> None:
    """A host stands for its part of a destination: the others of that are left."""
    places = [one for one in inventory.destinations.values() if name in one.hosts]
    if len(places) > 1:
        places = [one for one in places if one.name == destination.name]
    if not places:
        rules.take([name], f"--to {name}")
        return
    place = places[0]
    rules.take([name], f"--to {name}, of {named(place)}")
    rules.leave(place.hosts, f"--to {name} means only that host of destination {place.name}")


def _by_pattern(inventory: hosts.Inventory, text: str, rules: _Rules) -> None:
    found = inventory.search(text)
    rules.take(found.hosts, f"--to {text}")
    for name, word in found.left_out.items():
        rules.leave([name], f"{word} in --to {text}")
    for one in found.named:
        place = inventory.destinations.get(one)
        if place is not None:
            _left_by(place, rules)
            rules.leave(place.hosts, f"--to {text} does not mean it, of destination {place.name}")


def named(place: hosts.Destination) -> str:
    """A destination with what its `hosts:` say, where they are written."""
    if not place.written:
        return f"destination {place.name}"
    return f"destination {place.name}, hosts: [{', '.join(place.written)}]"


def grouped(rows: Sequence[Row]) -> Mapping[tuple[bool, str], list[str]]:
    """The hosts of *rows* by answer and rule, so that fifty of them are a line."""
    found: dict[tuple[bool, str], list[str]] = {}
    for row in rows:
        found.setdefault((row.chosen, row.rule), []).append(row.host)
    return found
