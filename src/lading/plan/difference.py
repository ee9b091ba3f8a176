"""What is different between two documents of `plan --json`, in words (pure)."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lading import canonical, spans

SHOWN = 7  # differences that are told; of more their number
WIDE = 160  # characters of one
PLAIN = {
    "verb": "verb", "app": "app", "version": "version", "destination": "destination", "source": "source", "hosts": "hosts",
    "batches": "batches", "delay": "seconds between batches",
}
"""What is told as it is, old → new: the key of the document, and its name for people."""
Told = tuple[str, str]
"""A host, "" where it is about all of them, and what is to be said of it."""


def between(approved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In what two plans differ, each in a line, for people: the steps are named only where nothing else says it."""
    found = _excluded(approved, now)
    found += [f"{name}: {_value(approved.get(key))} → {_value(now.get(key))}" for key, name in PLAIN.items() if _differs(key, approved, now)]
    found += _grouped("", [(host, "another release runs there than before") for host in _other(approved.get("previous"), now.get("previous"))])
    before, after = dict.fromkeys(_told(approved)), dict.fromkeys(_told(now))
    found += _grouped("no longer", [one for one in before if one not in after])
    found += _grouped("new", [one for one in after if one not in before])
    if not found and _differs("release", approved, now):
        found = [f"release: {_value(approved.get('release'))} → {_value(now.get('release'))}"]
    if not found and _differs("steps", approved, now):
        found = ["the steps by which it is done: lading plan --json"]
    return _some(found or ["its format"])


def _excluded(approved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Who was excluded or included in between: why other hosts are in the plan."""
    before, after = ({str(one.get("host")): one for one in plan.get("excluded") or ()} for plan in (approved, now))
    found = [f"{name} was excluded meanwhile by {one.get('actor')}: {one.get('reason')}" for name, one in after.items() if name not in before]
    return found + [f"{name} was included again meanwhile" for name in before if name not in after]


def summary(now: Mapping[str, Any]) -> list[str]:
    """A plan in a few lines, where there is nothing to compare it with."""
    head = (f"{now.get('verb')} {now.get('app')} {now.get('version')} to {now.get('destination')} "
            f"({', '.join(map(str, now.get('hosts') or ()))})")
    return _some([head, *_grouped("", list(_changes(now)))])


def _some(found: Sequence[str]) -> list[str]:
    """The first of many, and how many there are besides; none is longer than a person reads."""
    lines = [one if len(one) <= WIDE else f"{one[:WIDE]}…" for one in found[:SHOWN]]
    return lines if len(found) <= SHOWN else [*lines, f"and {len(found) - SHOWN} more"]


def _differs(key: str, approved: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return _form(approved.get(key)) != _form(now.get(key))


def _told(plan: Mapping[str, Any]) -> Iterator[Told]:
    """What a plan says that people can use: changes of services, variables and files, images to be had, rights, notes."""
    yield from _changes(plan)
    for step in _rows(plan, "steps"):
        for service, image in (step.get("images") or {}).items():
            yield str(step.get("host")), f"{service} has to pull {canonical.short(str(image))}"
    for right in _rows(plan, "rights"):
        yield "", f"right: {right.get('service') or 'the project'} {right.get('right')}, {right.get('says')}"
    for note in _rows(plan, "warnings"):
        yield "", f"note: {note}"


def _changes(plan: Mapping[str, Any]) -> Iterator[Told]:
    for one in _rows(plan, "changes"):
        what = " ".join(str(one.get(key)) for key in ("service", "field") if one.get(key))
        yield str(one.get("host")), f"{what}: {_value(one.get('old'))} → {_value(one.get('new'))}"


def _rows(plan: Mapping[str, Any], key: str) -> Sequence[Any]:
    found = plan.get(key)
    return found if isinstance(found, list | tuple) else ()


def _other(before: Any, after: Any) -> list[str]:
    """The hosts of both plans for which they say another value."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return []
    return [host for host in after if host in before and before[host] != after[host]]


def _grouped(lead: str, told: Sequence[Told]) -> list[str]:
    """A line for each thing that is said, with all hosts of which it is."""
    hosts: dict[str, list[str]] = {}
    for host, what in told:
        hosts.setdefault(what, []).append(host)
    where = {what: f" ({', '.join(spans.packed(names))})" if any(names) else "" for what, names in hosts.items()}
    return [(f"{lead}: " if lead else "") + what + where[what] for what in hosts]


def _form(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _value(value: Any) -> str:
    """A value for people: of ids their first 12 digits, of nothing a dash."""
    if isinstance(value, str):
        return canonical.short(value) or "-"
    if isinstance(value, Iterable) and not isinstance(value, Mapping):
        parts = list(value)
        between = ", then " if any(isinstance(one, list | tuple) for one in parts) else ", "  # batches: one after the other
        return between.join(map(_value, parts)) or "-"
    return "-" if value is None else canonical.short(_form(value))
