"""Ansible inventories in INI: sections of hosts, children and variables, read line by line (pure)."""

import ast
import re
import shlex
import warnings
from typing import Any

from lading.inventory import groups, ranges

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_NAME = re.compile(r"([^:\]\s]+)\s*(?:#.*)?")


def read(text: str, file: str, into: groups.Groups) -> None:
    """Add what the INI inventory *text* says.

    Raises:
        InventoryError: with the line.
    """
    _Reader(file, into).read(text)


class _Reader:
    """Reads one file: which section it is in, and which groups were named before they are declared."""

    def __init__(self, file: str, into: groups.Groups) -> None:
        self._file, self._into = file, into
        self._place = groups.Place(file)
        self._group, self._kind = "ungrouped", "hosts"
        self._declared = set(into.groups)
        self._wanted: dict[str, tuple[groups.Place, str]] = {}
        self._parents: dict[str, list[tuple[str, groups.Place]]] = {}  # of groups that come later in the file

    def read(self, text: str) -> None:
        for number, line in enumerate(text.splitlines(), 1):
            self._place = groups.Place(self._file, number)
            if (line := line.strip()) and line[0] not in "#;":
                self._line(line)
        for name, (place, message) in self._wanted.items():
            if name not in self._declared:
                raise groups.InventoryError(message, place)

    def _line(self, line: str) -> None:
        if section := _SECTION.fullmatch(line):
            self._begin(section[1], section[2] or "hosts")
        elif line.startswith("[") and line.endswith("]"):
            raise self._wrong(f"{line} is no section: [GROUP], [GROUP:children] or [GROUP:vars], without spaces")
        elif self._kind == "vars":
            key, equals, value = line.partition("=")
            if not equals:
                raise self._wrong(f"a line of [{self._group}:vars] must be KEY=VALUE, not {line!r}")
            self._into.set(self._group, key.strip(), groups.Variable(typed(value.strip()), self._place))
        elif self._kind == "children":
            self._child(line)
        else:
            self._host(line)

    def _begin(self, group: str, kind: str) -> None:
        if kind not in ("hosts", "children", "vars"):
            raise self._wrong(f"[{group}:{kind}] is no kind of section: [{group}], [{group}:children] or [{group}:vars]")
        self._group, self._kind = group, kind
        self._into.add_group(group)
        if kind == "vars":
            self._want(group, f"[{group}:vars] gives variables to a group that is declared nowhere in this file")
        else:
            self._declared.add(group)
            for parent, place in self._parents.pop(group, ()):
                self._into.add_child(parent, group, place)

    def _want(self, group: str, message: str) -> None:
        self._wanted.setdefault(group, (self._place, message))

    def _child(self, line: str) -> None:
        name = _NAME.fullmatch(line)
        if name is None:
            raise self._wrong(f"a line of [{self._group}:children] must be the name of a group, not {line!r}")
        self._want(name[1], f"[{self._group}:children] names the group {name[1]}, which is declared nowhere in this file")
        if name[1] in self._into.groups:
            self._into.add_child(self._group, name[1], self._place)
        else:
            self._parents.setdefault(name[1], []).append((self._group, self._place))

    def _host(self, line: str) -> None:
        try:
            words = shlex.split(line, comments=True)
            names, port = ranges.hosts(words[0])
        except ValueError as bad:
            raise self._wrong(f"not a host line: {bad}") from bad
        variables = {}
        for word in words[1:]:
            key, equals, value = word.partition("=")
            if not equals:
                raise self._wrong(f"behind a host come KEY=VALUE pairs, not {word!r}")
            variables[key] = groups.Variable(typed(value), self._place)
        for name in names:
            self._into.add_host(name, self._group, port, self._place)
            for key, variable in variables.items():
                self._into.set(name, key, variable)

    def _wrong(self, message: str) -> groups.InventoryError:
        return groups.InventoryError(message, self._place)


def typed(text: str) -> Any:
    """A value of an INI inventory: a Python literal where it is one, else the text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _plain(ast.literal_eval(text))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _plain(value: Any) -> Any:
    """The literal without what JSON has no word for."""
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if value is ...:
        return "..."
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value) if isinstance(value, complex) else value
