"""The one file lading adds beside the Compose files, written as YAML that people can read (pure)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


RESET = Reset()


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
