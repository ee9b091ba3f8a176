"""YAML nodes as values of the fleet file, with the file and line of whatever is wrong; the nearest right name for a wrong one."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lading import errors, shape

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")


class Reader:
    """Turns nodes into values; *paths* are the options that exist, dotted, NAME standing for any name."""

    def __init__(self, path: Path, paths: Sequence[str]) -> None:
        self.path, self.paths = path, paths

    def wrong(self, node: Any, message: str, hint: str = "lading help settings") -> errors.SettingsError:
        """The error for a node: what, where it stands, what to do."""
        line = node.start_mark.line + 1 if node is not None else 0
        return errors.SettingsError(message, hint, file=str(self.path), line=line)

    def mapping(self, node: Any, where: str) -> dict[str, tuple[Any, Any]]:
        """Key → (key node, value node); twice the same key is an error."""
        if node is None or (isinstance(node, yaml.ScalarNode) and node.value in ("", "null", "~")):
            return {}
        if not isinstance(node, yaml.MappingNode):
            raise self.wrong(node, f"{where or 'the file'} must be a mapping")
        found: dict[str, tuple[Any, Any]] = {}
        for key, value in node.value:
            name = self.text(key, f"a key of {where or 'the file'}")
            if name in found:
                raise self.wrong(key, f"{name} is there twice")
            found[name] = (key, value)
        return found

    def known(self, node: Any, where: str, pattern: str) -> dict[str, Any]:
        """The entries of a mapping whose keys must be options below *pattern*."""
        depth = len(pattern.split(".")) if pattern else 0
        names = {one.split(".")[depth] for one in self.paths if one.startswith(f"{pattern}." if pattern else "")}
        found = self.mapping(node, where)
        for name, (key, _) in found.items():
            if name not in names:
                near = difflib.get_close_matches(name, names, 1)
                hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(names))}"
                raise self.wrong(key, f"unknown key {name}" + (f" in {where}" if where else ""), hint)
        return {name: value for name, (_, value) in found.items()}

    def named(self, node: Any, where: str, *, strict: bool = True) -> dict[str, Any]:
        """The entries of a mapping whose keys are names that people chose."""
        found = self.mapping(node, where)
        for name, (key, _) in found.items():
            if strict and not NAME.match(name):
                raise self.wrong(key, f"{name!r} is not a name for {where}: letters, digits, _ . - only")
        return {name: value for name, (_, value) in found.items()}

    def text(self, node: Any, where: str, *, lines: bool = False) -> str:
        """A text without control characters; *lines*: line feeds and tabs may be in it."""
        if not isinstance(node, yaml.ScalarNode):
            raise self.wrong(node, f"{where} must be text")
        value = str(node.value)
        if not value.isprintable() and not (lines and all(c.isprintable() or c in "\n\t" for c in value)):
            raise self.wrong(node, f"{where} has a control character in it")
        return value

    def number(self, node: Any, where: str, low: int, high: int) -> int:
        """A whole number from *low* to *high*."""
        value = self.text(node, where)
        if not low <= shape.whole(value) <= high:
            raise self.wrong(node, f"{where} must be a whole number from {low} to {high}, not {value!r}")
        return shape.whole(value)

    def flag(self, node: Any, where: str) -> bool:
        """Yes or no, as YAML writes it."""
        value = self.text(node, where).lower()
        if value not in ("true", "false", "yes", "no", "on", "off"):
            raise self.wrong(node, f"{where} must be true or false, not {value!r}")
        return value in ("true", "yes", "on")

    def texts(self, node: Any, where: str) -> tuple[str, ...]:
        """A list of texts."""
        if not isinstance(node, yaml.SequenceNode):
            raise self.wrong(node, f"{where} must be a list")
        return tuple(self.text(item, where) for item in node.value)

    def words(self, node: Any, where: str) -> dict[str, str]:
        """A mapping of texts."""
        return {name: self.text(value, f"{where}.{name}", lines=True) for name, (_, value) in self.mapping(node, where).items()}
