"""Ansible inventories in YAML or JSON: groups within groups, once the file is a tree of located values (pure)."""

from collections.abc import Callable, Mapping
from typing import Any

from lading.inventory import groups, ranges

SECTIONS = ("vars", "children", "hosts")


def read(tree: groups.Variable, into: groups.Groups) -> list[str]:
    """Add what the inventory *tree* says; returns what of it Ansible and lading pass over, in words.

    Raises:
        InventoryError: with the line.
    """
    skipped: list[str] = []
    for name, value in entries(tree, "an inventory").items():
        _group(name, value, into, skipped)
    return skipped


def entries(tree: groups.Variable, what: str) -> Mapping[str, groups.Variable]:
    """The entries of a mapping whose keys are texts; nothing at all is an empty one.

    Raises:
        InventoryError: it is no mapping, or a key is no text.
    """
    if tree.value is None:
        return {}
    if not isinstance(tree.value, dict):
        raise groups.InventoryError(f"{what} must be a mapping, not {_kind(tree.value)}", tree.place)
    for key, value in tree.value.items():
        if not isinstance(key, str):
            raise groups.InventoryError(f"{key!r} must be a text: put it in quotation marks", value.place)
    return tree.value


def plain(tree: groups.Variable) -> Any:
    """The value without the places within it."""
    return {key: plain(one) for key, one in tree.value.items()} if isinstance(tree.value, dict) else tree.value


def variables(tree: groups.Variable, what: str) -> dict[str, groups.Variable]:
    """The variables of a mapping, each with its place.

    Raises:
        InventoryError: it is no mapping.
    """
    return {key: groups.Variable(plain(one), one.place) for key, one in entries(tree, what).items()}


def _kind(value: Any) -> str:
    return "a list" if isinstance(value, list) else "a text" if isinstance(value, str) else repr(value)


def _group(name: str, tree: groups.Variable, into: groups.Groups, skipped: list[str]) -> None:
    if not name:
        raise groups.InventoryError("a group must have a name", tree.place)
    into.add_group(name)
    readers: dict[str, Callable[[groups.Variable], None]] = {
        "vars": lambda one: _variables(name, one, into),
        "children": lambda one: _children(name, one, into, skipped),
        "hosts": lambda one: _hosts(name, one, into),
    }
    for key, section in entries(tree, f"the group {name}").items():
        if key not in SECTIONS:
            skipped.append(f"{key} in the group {name} means nothing: only vars, children and hosts do "
                           f"({section.place.file}:{section.place.line})")
        else:
            alone = isinstance(section.value, str)  # `hosts: web1` is short for `hosts: {web1: }`
            readers[key](groups.Variable({section.value: groups.Variable(None, section.place)}, section.place)
                         if alone else section)


def _variables(name: str, tree: groups.Variable, into: groups.Groups) -> None:
    for key, variable in variables(tree, f"vars of the group {name}").items():
        into.set(name, key, variable)


def _children(name: str, tree: groups.Variable, into: groups.Groups, skipped: list[str]) -> None:
    for child, inner in entries(tree, f"children of the group {name}").items():
        _group(child, inner, into, skipped)
        into.add_child(name, child, inner.place)


def _hosts(name: str, tree: groups.Variable, into: groups.Groups) -> None:
    for line, inner in entries(tree, f"hosts of the group {name}").items():
        try:
            found, port = ranges.hosts(line)
        except ValueError as bad:
            raise groups.InventoryError(f"not a host: {bad}", inner.place) from bad
        known = variables(inner, f"variables of {line}")
        for host in found:
            into.add_host(host, name, port, inner.place)
            for key, variable in known.items():
                into.set(host, key, variable)
