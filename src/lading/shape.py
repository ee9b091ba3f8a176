"""JSON that others wrote, read as values of the types that are expected; what does not fit is an error, never a guess (pure)."""

import dataclasses
import functools
import json
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_LARGEST = 2**53  # the largest number that all readers of JSON agree on


def whole(text: str, otherwise: int = -1) -> int:
    """A whole number as a program prints it; *otherwise* if it is none, or beyond all that is counted here."""
    return int(text) if len(text) < 16 and text.isascii() and text.isdigit() else otherwise


def parse(text: str) -> dict[str, Any]:
    """A JSON object whose texts can be stored and passed on: no NUL, no half of a surrogate pair; no number that is none.

    Raises:
        ValueError: it is another thing.
    """
    try:
        found = json.loads(text)
        again = json.dumps(found, ensure_ascii=False, allow_nan=False)
    except RecursionError as deep:
        raise ValueError("it is nested too deeply") from deep
    again.encode()
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    if _NUL.search(again):
        raise ValueError("a text in it holds a NUL")
    return found


def made(kind: type[T], stored: Mapping[str, Any]) -> T:
    """A dataclass from the object that it was written as.

    Raises:
        ValueError: a field is missing, unknown, or of another type.
    """
    hints: Mapping[str, Any] = _hints(kind)  # type: ignore[arg-type]
    values = {name: fitting(value, hints.get(name), name) for name, value in stored.items()}
    try:
        return kind(**values)
    except TypeError as wrong:
        raise ValueError(str(wrong)) from wrong


def fields(stored: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    """Check those keys of an object that *kinds* tells the types of; they may be absent.

    Raises:
        ValueError: one is of another type.
    """
    for name, kind in kinds.items():
        if name in stored:
            fitting(stored[name], kind, name)


@functools.cache
def _hints(kind: type) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)


def fitting(value: Any, kind: Any, name: str) -> Any:
    """*value* as a *kind*: lists as tuples, objects as dataclasses.

    Raises:
        ValueError: it is of another type.
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin is types.UnionType:
        return None if value is None else fitting(value, inner[0], name)
    if origin is tuple and isinstance(value, list):
        return tuple(fitting(one, inner[0], name) for one in value)
    if origin is Mapping and isinstance(value, Mapping):
        return {key: fitting(one, inner[1], f"{name}.{key}") for key, one in value.items()}
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        return made(kind, value)  # type: ignore[arg-type]
    if origin is None and _plain(value, kind):
        return value
    raise ValueError(f"{name} is not what it should be")


def _plain(value: Any, kind: Any) -> bool:
    if isinstance(value, bool) or kind not in (int, float):
        return kind in (str, bool) and isinstance(value, kind)
    return isinstance(value, int if kind is int else int | float) and abs(value) <= _LARGEST
