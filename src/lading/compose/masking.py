"""Secret values masked: in definitions (the resolved tree merged with that before interpolation), in what programs say (pure)."""

import re
from collections.abc import Mapping
from typing import Any

from lading.compose import variables


def service(
    raw: Mapping[str, Any], resolved: Mapping[str, Any], values: Mapping[str, str], hidden: frozenset[str]
) -> dict[str, Any]:
    """The definition of a service: masked, and without what only an env_file says."""
    kept = dict(resolved)
    if raw.get("env_file") and "environment" in kept:
        written = raw.get("environment") or {}
        keys = as_mapping(written, values) if isinstance(written, list) else written
        kept["environment"] = {name: value for name, value in kept["environment"].items() if name in keys}
    if raw.get("label_file") and "labels" in kept:
        written = raw.get("labels") or {}
        keys = as_mapping(written, values) if isinstance(written, list) else written
        secret = {values[name] for name in hidden if values.get(name)}
        kept["labels"] = {
            name: value for name, value in kept["labels"].items()
            if name in keys or not any(one in str(value) for one in secret)
        }
    done = masked({key: value for key, value in raw.items() if key in kept}, kept, values, hidden)
    return dict(done)


def masked(raw: Any, resolved: Any, values: Mapping[str, str], hidden: frozenset[str], key: str = "") -> Any:
    """*resolved* (interpolated by Compose) with everything that a *hidden* name takes part in as in *raw*."""
    if not variables.names(raw, key) & hidden:
        return resolved
    if isinstance(resolved, Mapping) and isinstance(raw, list):
        raw = as_mapping(raw, values, hidden)
    if isinstance(raw, Mapping) and isinstance(resolved, Mapping):
        return _masked_mapping(raw, resolved, values, hidden, key)
    if isinstance(raw, list) and isinstance(resolved, list) and _aligned(raw, resolved):
        return [masked(one, other, values, hidden) for one, other in zip(raw, resolved, strict=True)]
    return _masked_raw(raw, values, hidden)


def _masked_mapping(
    raw: Mapping[str, Any], resolved: Mapping[str, Any], values: Mapping[str, str], hidden: frozenset[str], key: str
) -> dict[str, Any]:
    """Both trees key by key; a variable that is only passed on stays without a value."""
    done = {}
    for name, value in resolved.items():
        if key in variables.PASSING and name in raw and raw[name] is None:
            done[name] = None if name in hidden else value
        else:
            done[name] = masked(raw.get(name), value, values, hidden, name)
    for name, value in raw.items():
        if name not in resolved and variables.names({name: value, "": name}, key) & hidden:
            done[name] = _masked_raw(value, values, hidden)
    return done


def _masked_raw(raw: Any, values: Mapping[str, str], hidden: frozenset[str]) -> Any:
    """*raw* with the names that are not hidden filled in."""
    if isinstance(raw, str):
        return variables.substitute(raw, values, hidden)
    if isinstance(raw, Mapping):
        return {name: _masked_raw(value, values, hidden) for name, value in raw.items()}
    if isinstance(raw, list):
        return [_masked_raw(value, values, hidden) for value in raw]
    return raw


def as_mapping(
    raw: list[Any], values: Mapping[str, str], hidden: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The list form of a mapping (`- KEY=VALUE`, `- KEY`) as a mapping."""
    done: dict[str, Any] = {}
    for item in raw:
        name, equals, value = str(item).partition("=")
        done[variables.substitute(name, values, hidden)] = value if equals else None
    return done


def _aligned(raw: list[Any], resolved: list[Any]) -> bool:
    """Whether the elements of two lists are the same ones in the same order, as far as their texts show it."""
    return len(raw) == len(resolved) and all(
        _pattern(one).fullmatch(other) for one, other in zip(raw, resolved, strict=True)
        if isinstance(one, str) and isinstance(other, str)
    )


def _pattern(text: str) -> re.Pattern[str]:
    """What *text* can be after interpolation."""
    parts = (re.escape(piece) if isinstance(piece, str) else ".*" for piece in variables.pieces(text))
    return re.compile("".join(parts), re.DOTALL)


def hidden(text: str, secrets: Mapping[str, bytes], plain: Mapping[str, str]) -> str:
    """*text* with the contents of *secrets* (name → content) as ***: whole, line by line, and by value in env files.

    What programs print may hold them. A value of an env file may refer to other secrets and to *plain* variables: it is
    hidden as containers get it and as it is written. A value of fewer than 8 letters is only seen as a word of its own,
    and one of fewer than 4 not at all: it cannot be told from other text.
    """
    words = sorted((word for word in _spoken(secrets, plain) if len(word) >= 4), key=len, reverse=True)
    if not words:
        return text
    patterns = (re.escape(word) if len(word) >= 8 else rf"(?<!\w){re.escape(word)}(?!\w)" for word in words)
    return re.sub("|".join(patterns), "***", text)


def _spoken(secrets: Mapping[str, bytes], plain: Mapping[str, str]) -> set[str]:
    """The lines in which a program may print secrets."""
    texts = {name: content.decode("utf-8", "replace") for name, content in secrets.items()}
    values = {**plain, **{name.removeprefix("var."): one for name, one in texts.items() if name.startswith("var.")}}
    found = [line.strip() for text in texts.values() for line in text.splitlines()]
    for text in (one for name, one in texts.items() if name.startswith("env.")):
        written = [line.partition("=")[2].strip() for line in text.splitlines()]
        written += [one.value or "" for one in variables.assignments(text)]
        given = [*written, *variables.assigned(text, values)]
        found += [form for value in given for line in value.splitlines() for form in (line.strip(), line.strip().strip("\"'"))]
    return set(found)
