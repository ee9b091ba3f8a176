"""Profiles of services: which were asked for, what is left out without them, and that nothing needs what is left out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lading.compose import complaints, parse, worktree

ALL = "*"


def asked(own: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a service with its *own* profiles is started for those that are *wanted*."""
    return not own or ALL in wanted or bool(set(own) & set(wanted))


def _left_out(resolved: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, list[str]]:
    """The services that are not started, with their profiles."""
    found = {name: [str(one) for one in service.get("profiles") or ()] for name, service in resolved["services"].items()}
    return {name: own for name, own in found.items() if not asked(own, wanted)}


def notes(resolved: Mapping[str, Any], wanted: Sequence[str]) -> list[str]:
    """What the plan says of services that are left out."""
    left_out = _left_out(resolved, wanted)
    if not left_out:
        return []
    told = ", ".join(f"{name} ({', '.join(own)})" for name, own in sorted(left_out.items()))
    return [f"not started, since nobody asks for their profile: {told}; --profile NAME does"]


def check(
    resolved: Mapping[str, Any], wanted: Sequence[str], typed: Sequence[str], documents: Sequence[parse.Document]
) -> None:
    """Refuse a *typed* profile that no service has, and services that need one which is left out.

    Raises:
        ComposeError: with file and line, and the profile to ask for.
    """
    known = {str(one) for service in resolved["services"].values() for one in service.get("profiles") or ()}
    for name in typed:
        if name not in {ALL, *known}:
            hint = complaints.nearest(name, sorted(known)) or f"profiles: {', '.join(sorted(known)) or 'none'}"
            raise worktree.refuse(f"no service has the profile {name}", hint)
    left_out = _left_out(resolved, wanted)
    for name, service in resolved["services"].items():
        if name in left_out:
            continue
        for other, key in _needed(service):
            if other in left_out:
                raise worktree.refuse(
                    f"service {name} needs {other} ({key}), which is not started without one of its profiles",
                    f"--profile {left_out[other][0]}", parse.locate(documents, ("services", name, key)))


def _needed(service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The services without which this one cannot be started, each with the key that says so; Compose adds all to `depends_on`."""
    for key in ("network_mode", "ipc", "pid"):
        kind, _, name = str(service.get(key) or "").partition(":")
        if kind == "service":
            yield name, key
    for one in service.get("volumes_from") or ():
        yield str(one).partition(":")[0], "volumes_from"
    for name, one in (service.get("depends_on") or {}).items():
        if one.get("required", True):
            yield name, "depends_on"
