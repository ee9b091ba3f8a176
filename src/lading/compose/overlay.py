"""The one file lading adds beside the Compose files, written as YAML that people can read (pure)."""

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from lading.dataclass import dataclass

HEADER = "# Written by lading, format 1: digests, labels, and where shipped files lie. Read it, don't edit it.\n"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}


@dataclass(frozen=True, slots=True)
class Reset:
    """Compose's `!reset null`: the key goes away."""


@dataclass(frozen=True, slots=True)
class Override:
    """Compose's `!override`: the value replaces instead of being merged."""

    value: Any


@dataclass(frozen=True, slots=True)
class Shipped:
    """Which shipped objects an overlay mounts: *mounts*: service → target → object id; *configs*: name → object id.

    *data*: service → target → path of the host data that it mounts. *writable*: the objects that containers may write to.
    """

    mounts: Mapping[str, Mapping[str, str]]
    configs: Mapping[str, str]
    data: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    writable: frozenset[str] = frozenset()


RESET = Reset()
OBJECTS = "${LADING_DIR}/objects/"
DATA = "${LADING_DIR}/project/"


def literal(text: str) -> str:
    """*text* so that Compose interpolates nothing in it."""
    return text.replace("$", "$$")


def write(tree: Mapping[str, Any]) -> str:
    """The overlay's text; mappings keep their order, scalars are JSON (which is YAML)."""
    return HEADER + "".join(_mapping(tree, ""))


def _key(key: str) -> str:
    return key if _PLAIN.match(key) and key.lower() not in _WORDS else json.dumps(key)


def _mapping(tree: Mapping[str, Any], indent: str) -> list[str]:
    return [line for key, value in tree.items() for line in _entry(f"{indent}{_key(key)}:", value, indent + "  ")]


def _entry(lead: str, value: Any, indent: str) -> list[str]:
    if isinstance(value, Override):
        return _entry(f"{lead} !override", value.value, indent)
    if isinstance(value, Reset):
        return [f"{lead} !reset null\n"]
    if isinstance(value, Mapping) and value:
        return [f"{lead}\n", *_mapping(value, indent)]
    if isinstance(value, list) and value:
        return [f"{lead}\n", *(f"{indent}- {json.dumps(item, ensure_ascii=False)}\n" for item in value)]
    return [f"{lead} {json.dumps(value, ensure_ascii=False)}\n"]


@functools.lru_cache(maxsize=64)  # asked for each service of each host, most of which keep the same releases
def shipped(text: str) -> Shipped:
    """The objects that an overlay, as `write` has written it, puts in their places; any other line says nothing."""
    mounts: dict[str, dict[str, str]] = {}
    data: dict[str, dict[str, str]] = {}
    configs: dict[str, str] = {}
    writable: dict[str, str] = {}
    path: list[str] = []
    for line in text.splitlines():
        body = line.lstrip(" ")
        depth = (len(line) - len(body)) // 2
        if body.startswith("- "):
            mount = _mount(path, _value(body.removeprefix("- ")))
            _note_mount(path, mount, mounts, data)
            if mount and mount.get("read_only") is not True:
                _note(writable, str(mount.get("source")), mount.get("source"), OBJECTS)
            continue
        key, value = _pair(body)
        path = [*path[:depth], key]
        if path[0] == "configs" and path[2:] == ["file"]:
            _note(configs, path[1], _value(value), OBJECTS)
    return Shipped(mounts, configs, data, frozenset(writable.values()))


def host_data(text: str) -> frozenset[str]:
    """The paths of the host data that an overlay, as `write` has written it, mounts."""
    items = [_value(line.strip().removeprefix("- ").removeprefix("file: ")) for line in text.splitlines() if DATA in line]
    sources = [str(one.get("source", "")) if isinstance(one, dict) else str(one) for one in items]
    return frozenset(one.removeprefix(DATA).replace("$$", "$") for one in sources if one.startswith(DATA))


def _mount(path: Sequence[str], item: Any) -> Mapping[str, Any]:
    """One item of a list, if it is a mount; else nothing."""
    is_mount = len(path) == 3 and path[0] == "services" and path[2] == "volumes" and isinstance(item, dict)
    return item if is_mount else {}


def _note_mount(
    path: Sequence[str], mount: Mapping[str, Any], mounts: dict[str, dict[str, str]], data: dict[str, dict[str, str]]
) -> None:
    """Note a mount, if it is one of a shipped object or of host data."""
    if not mount:
        return
    target = str(mount.get("target", "")).replace("$$", "$")
    _note(mounts.setdefault(path[1], {}), target, mount.get("source"), OBJECTS)
    found: dict[str, str] = {}
    _note(found, target, mount.get("source"), DATA)
    if found:
        data.setdefault(path[1], {}).update(found)


def _note(found: dict[str, str], key: str, source: Any, place: str) -> None:
    if isinstance(source, str) and source.startswith(place):
        found[key] = source.removeprefix(place).replace("$$", "$")


def _value(text: str) -> Any:
    """A scalar or flow value as `write` writes it; None if it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _pair(body: str) -> tuple[str, str]:
    """The key and the rest of a line of a mapping."""
    quoted = re.match(r'"(?:[^"\\]|\\.)*"', body)
    if quoted is None:
        key, _, value = body.partition(":")
        return key, value.strip()
    return str(_value(quoted[0])), body[quoted.end() + 1 :].strip()
