"""Profiles of services: which were asked for, what is left out without them, and that nothing needs what is left out."""

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from lading.compose import complaints, hooks, parse, project, services, variables, worktree

ALL = "*"


def asked(own: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a service with its *own* profiles is started for those that are *wanted*."""
    return not own or ALL in wanted or bool(set(own) & set(wanted))


def needless(raw: Mapping[str, Any], wanted: Sequence[str], given: Mapping[str, str]) -> frozenset[str]:
    """The services that start no container and without which all others do: what is wrong with them need stop nobody.

    *raw*: the files before interpolation; *given*: variables. A service that a hook runs is needed.
    """
    found = {str(name): one for name, one in (raw.get("services") or {}).items()}
    waiting = {name for name, one in found.items() if not _starts(one, wanted, given)} - {_hooked(raw)}
    while True:
        needed = {other for name, one in found.items() if name not in waiting for other, _ in _needed(one)}
        if not needed & waiting:
            return frozenset(waiting)
        waiting -= needed


def _hooked(raw: Mapping[str, Any]) -> str:
    """The service that a hook runs, "" if there is none."""
    hook = hooks.before(raw.get("x-lading") or {})
    return hook.service if hook is not None else ""


def also(raw: Mapping[str, Any], wanted: Sequence[str], given: Mapping[str, str]) -> tuple[str, ...]:
    """The profiles that Compose is asked for to read what is needed: those *wanted*, and one of what a hook runs."""
    hooked = (raw.get("services") or {}).get(_hooked(raw)) or {}
    own = [_filled(one, given) for one in hooked.get("profiles") or ()]
    return (*wanted, *([] if asked(own, wanted) else own[:1]))


def needed(app: project.Project) -> tuple[project.Service, ...]:
    """The services of which containers are made: those that a deployment starts, and that of its hook."""
    hook = hooks.before(app.extension)
    return tuple(one for one in app.services.values() if one.starts or (hook is not None and one.name == hook.service))


def _starts(service: Mapping[str, Any], wanted: Sequence[str], given: Mapping[str, str]) -> bool:
    """Whether a service has containers: one of its profiles was asked for, and there is not to be none of it."""
    count = _filled(service.get("scale", (service.get("deploy") or {}).get("replicas", 1)), given)
    return asked([_filled(one, given) for one in service.get("profiles") or ()], wanted) and count != "0"


def _filled(text: Any, given: Mapping[str, str]) -> str:
    return variables.plain_text(variables.substitute(str(text), given))


def without(tree: Mapping[str, Any], names: Container[str]) -> dict[str, Any]:
    """*tree* without some services, what others say of them, and the configs and secrets that only they use."""
    kept = {name: dict(service) for name, service in (tree.get("services") or {}).items() if name not in names}
    for service in kept.values():
        needed_ones = service.get("depends_on")
        if isinstance(needed_ones, Mapping):
            service["depends_on"] = {name: how for name, how in needed_ones.items() if name not in names}
    smaller = {**tree, "services": kept}
    for kind in ("configs", "secrets"):
        if kind in tree:
            used = _sources(kept, kind)
            smaller[kind] = {name: one for name, one in (tree[kind] or {}).items() if name in used}
    return smaller


def _sources(named: Mapping[str, Mapping[str, Any]], kind: str) -> set[str]:
    """The configs, or the secrets, that services use."""
    used: set[str] = set()
    for service in named.values():
        used.update(str(one["source"]) for one in service.get(kind) or ())
    return used


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
    check_typed(resolved, typed, {})
    left_out = _left_out(resolved, wanted)
    for name, service in resolved["services"].items():
        if name in left_out:
            continue
        for other, key in _needed(service):
            if other in left_out:
                raise worktree.refuse(
                    f"service {name} needs {other} ({key}), which is not started without one of its profiles",
                    f"--profile {left_out[other][0]}", parse.locate(documents, ("services", name, key)))


def check_typed(tree: Mapping[str, Any], typed: Sequence[str], given: Mapping[str, str]) -> None:
    """Refuse a *typed* profile that no service has; *given*: variables, for a tree that lacks their values.

    Raises:
        ComposeError: there is one.
    """
    found: set[str] = set()
    for service in (tree.get("services") or {}).values():
        found.update(_filled(one, given) for one in service.get("profiles") or ())
    known = sorted(found)
    for name in typed:
        if name == ALL or name in found:
            continue
        hint = complaints.nearest(name, known) or f"profiles: {', '.join(known) or 'none'}"
        raise worktree.refuse(f"no service has the profile {name}", hint)


def _needed(service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The services without which this one cannot be started, each with the key that says so; Compose adds all to `depends_on`."""
    for key, name in services.named(service, "service"):
        yield name, key
    for name, one in (service.get("depends_on") or {}).items():
        if one.get("required", True):
            yield name, "depends_on"
