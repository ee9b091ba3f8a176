"""What is different between two documents of `plan --json`, in words (pure)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lading import canonical

SHOWN = 12  # differences that are told; of more their number
PLAIN = ("verb", "app", "version", "release", "destination", "source", "hosts", "batches", "delay", "previous")


def between(approved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Everything in which two plans differ, each in a line; the approved one comes first."""
    found = [f"{key}: {_value(approved.get(key))} → {_value(now.get(key))}" for key in PLAIN
             if _form(approved.get(key)) != _form(now.get(key))]
    for key, says in (("changes", _change), ("steps", _step), ("rights", _value), ("warnings", str)):
        before, after = _lines(approved.get(key), says), _lines(now.get(key), says)
        found += [f"approved, but not planned any more: {one}" for one in before if one not in after]
        found += [f"not approved: {one}" for one in after if one not in before]
    return _some([*_excluded(approved, now), *found] or ["its format"])


def _excluded(approved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Who was excluded or included in between: why other hosts are in the plan."""
    before, after = ({str(one.get("host")): one for one in plan.get("excluded") or ()} for plan in (approved, now))
    found = [f"{name} was excluded meanwhile by {one.get('actor')}: {one.get('reason')}" for name, one in after.items() if name not in before]
    return found + [f"{name} was included again meanwhile" for name in before if name not in after]


def summary(now: Mapping[str, Any]) -> list[str]:
    """A plan in a few lines, where there is nothing to compare it with."""
    head = (f"{now.get('verb')} {now.get('app')} {now.get('version')} to {now.get('destination')} "
            f"({', '.join(map(str, now.get('hosts') or ()))})")
    return _some([head, *_lines(now.get("changes"), _change)])


def _some(found: Sequence[str]) -> list[str]:
    """The first of many, and how many there are besides."""
    if len(found) <= SHOWN:
        return list(found)
    return [*found[:SHOWN], f"and {len(found) - SHOWN} more"]


def _lines(values: Any, says: Any) -> list[str]:
    return [says(one) for one in values] if isinstance(values, list | tuple) else []


def _change(one: Mapping[str, Any]) -> str:
    where = " ".join(str(one.get(key)) for key in ("host", "service", "field") if one.get(key))
    return f"{where}: {_value(one.get('old'))} → {_value(one.get('new'))}"


def _step(one: Mapping[str, Any]) -> str:
    more = {key: value for key, value in one.items() if key not in ("host", "kind")}
    return f"{one.get('host')} {one.get('kind')} {canonical.short(_form(more))}"


def _form(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _value(value: Any) -> str:
    """A value for people: of ids their first 12 digits, of nothing a dash."""
    if isinstance(value, str):
        return canonical.short(value) or "-"
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        return ", ".join(_value(one) for one in value) or "-"
    return "-" if value is None else canonical.short(_form(value))
