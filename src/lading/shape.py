"""JSON that others wrote, read as values of the types that are expected; what does not fit is an error, never a guess (pure)."""

import dataclasses
import functools
import json
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")
_LARGEST = 2**53  # the largest number that all readers of JSON agree on


def whole(text: str, otherwise: int = -1) -> int:
    """A whole number as a program prints it; *otherwise* if it is none, or beyond all that is counted here."""
    return int(text) if len(text) < 16 and text.isascii() and text.isdigit() else otherwise


def parse(text: str) -> dict[str, Any]:
    """A JSON object whose texts can be stored and passed on: no NUL, no half of a surrogate pair; no number that is none.

    Raises:
        ValueError: it is another thing.
    """
    found = _value(text)
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return found


def parse_list(text: str) -> list[dict[str, Any]]:
    """A list of such objects.

    Raises:
        ValueError: it is another thing.
    """
    found = _value(text)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("it is no list of objects")
    return found


def _value(text: str) -> Any:
    try:
        found = json.loads(text, parse_float=_finite, parse_constant=_finite)
        text.encode()
        if "\\u" in text:  # only so can a text hold what the text around it does not
            again = json.dumps(found, ensure_ascii=False)
            again.encode()
            if _NUL.search(again):
                raise ValueError("a text in it holds a NUL")
    except RecursionError as deep:
        raise ValueError("it is nested too deeply") from deep
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number")
    return number


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
    for name, value in stored.items():
        if name in kinds:
            fitting(value, kinds[name], name)


def is_word(text: object) -> bool:
    """Whether a text can be a part of a path, or a name, on a host, and leads nowhere else."""
    return isinstance(text, str) and _WORD.match(text) is not None


def words(stored: Mapping[str, Any], names: Iterable[str]) -> None:
    """Check those keys of an object that are ids and names; they may be absent or empty.

    Raises:
        ValueError: one is no word.
    """
    for name in names:
        if stored.get(name) and not is_word(stored[name]):
            raise _unfit(name)


@functools.cache
def _hints(kind: type) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)


def fitting(value: Any, kind: Any, name: str) -> Any:
    """*value* as a *kind*: lists as tuples, objects as dataclasses.

    Raises:
        ValueError: it is of another type.
    """
    return value if kind is str and type(value) is str else _reader(kind)(value, name)


@functools.cache
def _reader(kind: Any) -> Callable[[Any, str], Any]:
    """What reads a value of one type: made once, since the journals of a fleet are many thousand values."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return lambda value, name: value
    if origin is types.UnionType:
        one = _reader(inner[0])
        return lambda value, name: None if value is None else one(value, name)
    if origin is tuple:
        return functools.partial(_many, inner[0])
    if origin is Mapping:
        one = _reader(inner[1])
        return lambda value, name: {key: one(each, f"{name}.{key}") for key, each in _object(value, name).items()}
    if dataclasses.is_dataclass(kind):
        return lambda value, name: made(kind, _object(value, name))  # type: ignore[arg-type]
    return functools.partial(_plain, kind)


def _many(kind: Any, value: Any, name: str) -> tuple[Any, ...]:
    if kind is str and isinstance(value, list) and {*map(type, value)} <= {str}:
        return tuple(value)
    one = _reader(kind)
    if not isinstance(value, list):
        raise _unfit(name)
    return tuple([one(each, name) for each in value])


def _plain(kind: Any, value: Any, name: str) -> Any:
    number = kind in (int, float) and not isinstance(value, bool)
    fits = isinstance(value, int | float if kind is float else kind) if number or kind in (str, bool) else False
    if not fits or (number and abs(value) > _LARGEST):
        raise _unfit(name)
    return value


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _unfit(name)
    return value


def _unfit(name: str) -> ValueError:
    return ValueError(f"{name} is not what it should be")
