"""In what the containers of a service differ from what a release wants, every difference a change (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any

from lading import canonical, state
from lading.compose import overlay, restore
from lading.compose import release as releases
from lading.health import verdict
from lading.plan import mounts, steps

SHOWN = 120  # characters of a value that are shown
NAMED = 100  # entries of a mapping that are named where they differ


def changes(
    host: str, release: releases.Release, expected: verdict.Expected, numbers: Mapping[str, int],
    app: state.AppState, old: releases.Release | None, there: mounts.Kept = mounts.UNASKED,
) -> list[steps.Change]:
    """Everything in which the containers of one service differ, all at once: whoever approves sees the whole."""
    spec, mine = expected.spec, verdict.ranked(expected, app.containers)
    found: list[steps.Change] = []
    if len(mine) != expected.replicas:
        found.append(steps.Change(host, spec.name, "containers", str(len(mine)), str(expected.replicas)))
    for container in mine[: expected.replicas]:
        known = before(spec.name, container.content, app, old)
        moved = mounts.changes(host, release, spec, container, known, there)
        differing = fields(host, release, expected, container, known, moved)
        differing += _secrets(host, expected, numbers, app, container, old)
        found += differing or _unwell(host, expected, container)
    return list(dict.fromkeys(found))


def before(
    service: str, content: str, app: state.AppState, old: releases.Release | None
) -> tuple[releases.Release, releases.ServiceSpec] | None:
    """The release by which a container of *content* was made, with its service; None if none that is kept explains it."""
    if old is not None and service in old.services and old.services[service].content == content:
        return old, old.services[service]
    for kept in app.releases.values():
        if kept.get("services", {}).get(service, {}).get("content") == content:
            made = restore.from_json(kept)
            return made, made.services[service]
    return None


def _secrets(
    host: str, expected: verdict.Expected, numbers: Mapping[str, int], app: state.AppState,
    seen: state.ContainerState, old: releases.Release | None,
) -> list[steps.Change]:
    """The secrets of which a container has another generation, none, or one too many; by name, never by value."""
    if verdict.is_same(expected, seen, "secrets"):
        return []
    spec = expected.spec
    has = _generations(spec.name, app, seen, old)
    if has is None:
        current = app.current.generations if app.current else {}
        moved = [name for name in spec.secrets if current.get(name) != numbers.get(name)] or ["?"]
        return [_secret(host, spec.name, name, "changed") for name in moved]
    wanted = {name: str(numbers.get(name, 0)) for name in spec.secrets}
    found = [_secret(host, spec.name, name, "changed" if name in has else "new")
             for name in sorted(wanted) if has.get(name) != wanted[name]]
    return found + [_secret(host, spec.name, name, "not used any more") for name in sorted(set(has) - set(wanted))]


def _generations(
    service: str, app: state.AppState, seen: state.ContainerState, old: releases.Release | None
) -> dict[str, str] | None:
    """The generation of each secret that a container runs with, by its label; None if nothing kept explains the label."""
    known = before(service, seen.content, app, old)
    names = sorted(known[1].secrets) if known is not None else []
    told = seen.secrets.split(".") if seen.secrets else []
    if len(names) != len(told):
        return None
    current = app.current.generations if app.current else {}
    for name, number in zip(names, told, strict=True):
        kept = {str(one) for one in app.secrets.get(name, ())}
        if number not in kept | {str(current.get(name))}:
            return None
    return dict(zip(names, told, strict=True))


def _secret(host: str, service: str, name: str, word: str) -> steps.Change:
    old = "" if word == "new" else "***"
    return steps.Change(host, service, f"secret {name.partition('.')[2] or name}", old, word)


def _unwell(host: str, expected: verdict.Expected, seen: state.ContainerState) -> list[steps.Change]:
    """Why a container that is what the release says must be made anew all the same.

    One that only is unhealthy is not: the same release would come up the same.
    """
    name = expected.spec.name
    found = verdict.examine(expected, seen)
    down = [one for one in found if one.kind == "state" and one.state != "unhealthy"]
    lost = off_networks(expected.spec, seen)
    if down and lost:
        return [steps.Change(host, name, "attached", f"network {lost[0]} is not attached", "as in the release")]
    if down:
        return [steps.Change(host, name, "state", down[0].state, "completed" if expected.ends == "must" else "running")]
    loose = [one for one in found if one.kind in verdict.ATTACHED]
    return [steps.Change(host, name, "attached", loose[0].why, "as in the release")] if loose else []


def off_networks(spec: releases.ServiceSpec, seen: state.ContainerState) -> list[str]:
    """The networks that a container which does not run was taken off: Compose would start it without them.

    So is one that no deployment started while its network was made anew. Of one that runs, Compose notices.
    """
    return [] if seen.status == "running" else [name for name in spec.networks if name not in seen.networks]


def fields(
    host: str, release: releases.Release, expected: verdict.Expected, seen: state.ContainerState,
    known: tuple[releases.Release, releases.ServiceSpec] | None, moved: Sequence[steps.Change] = (),
) -> list[steps.Change]:
    """The fields in which a service's definition differs from what runs.

    *known*: the release and service by which the container was made. Without it nobody can name the fields, which is said.
    *moved*: its mounts that differ.
    """
    spec, found = expected.spec, list(moved)
    if not verdict.is_same(expected, seen, "image"):
        found.insert(0, steps.Change(host, spec.name, "image", seen.image, spec.image))
    if verdict.is_same(expected, seen, "definition"):
        return found
    if known is None:
        return [*found, steps.Change(host, spec.name, "definition", seen.definition, spec.content[:12])]
    made, was = known
    for key in sorted({*was.definition, *spec.definition} - {"image"}):
        ours, theirs = spec.definition.get(key), was.definition.get(key)
        if key == "volumes" and mounts.wanted(release, spec) != mounts.wanted(made, was):
            continue  # `mounts.changes` says it, target by target
        if ours != theirs:
            found += [steps.Change(host, spec.name, *one) for one in _differing(key, theirs, ours)]
    found += _shipped(host, release, spec, made, was)
    return found or [steps.Change(host, spec.name, "definition", seen.definition, spec.content[:12])]


def _shipped(
    host: str, release: releases.Release, spec: releases.ServiceSpec, made: releases.Release, was: releases.ServiceSpec
) -> list[steps.Change]:
    """The shipped files and configs of a service whose content differs; the definition only says where they lie."""
    ours, theirs = _contents(release, spec), _contents(made, was)
    found = [steps.Change(host, spec.name, what, theirs[what][:12], ours[what][:12])
             for what in sorted(set(ours) & set(theirs)) if ours[what] != theirs[what]]
    if (release.files, release.plain) == (made.files, made.plain):
        return found
    written = [key for key in _configs(spec) if f"config {key}" not in ours]
    return found + [steps.Change(host, spec.name, f"config {key}", "", "may differ: it is written in the Compose file")
                    for key in written if key in _configs(was)]


def _contents(made: releases.Release, spec: releases.ServiceSpec) -> dict[str, str]:
    """What is in each shipped file and config of a service, as the id of its content."""
    shipped = overlay.shipped(made.overlay)
    found = {f"file {target}": id_ for target, id_ in shipped.mounts.get(spec.name, {}).items()}
    return found | {f"config {key}": shipped.configs[key] for key in _configs(spec) if key in shipped.configs}


def _configs(spec: releases.ServiceSpec) -> list[str]:
    """The names of a service's configs."""
    return [str(one.get("source", "")) for one in spec.definition.get("configs") or ()]


def _differing(what: str, old: Any, new: Any) -> list[tuple[str, str, str]]:
    """What differs, from what, to what; of long mappings and lists only the entries that differ."""
    short = max(len(_form(old)), len(_form(new))) <= SHOWN
    if short:
        return [(what, _form(old), _form(new))]
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return _differing_entries(what, old, new)
    if isinstance(old, list | tuple) and isinstance(new, list | tuple):
        return [_apart(what, *_differing_items(old, new))]
    return [_apart(what, old, new)]


def _differing_entries(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The entries of two mappings that differ, a row each; beyond NAMED they are counted."""
    keys = [key for key in sorted({*old, *new}) if (key in old, old.get(key)) != (key in new, new.get(key))]
    found = []
    for key in keys[:NAMED]:
        found += _differing(f"{what} {key}", old.get(key), new.get(key))
    if len(keys) > NAMED:
        found.append((what, "", f"and {len(keys) - NAMED} more"))
    return found


def _differing_items(old: Sequence[Any], new: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """The items that only one of two lists has; both lists whole where they differ in order alone."""
    gone = [one for one in old if one not in new]
    come = [one for one in new if one not in old]
    return (gone, come) if gone or come else (old, new)


def _apart(what: str, old: Any, new: Any) -> tuple[str, str, str]:
    """Two values as texts, each from a little before the first place where they differ."""
    texts = _form(old), _form(new)
    pairs = enumerate(zip(*texts, strict=False))
    place = next((number for number, (one, other) in pairs if one != other), min(map(len, texts)))
    return what, _around(place, texts[0]), _around(place, texts[1])


def _form(value: Any) -> str:
    return "" if value is None else canonical.form(value).decode()


def _around(place: int, text: str) -> str:
    """As much of a long text as is shown, from a little before the *place* where it differs; what is left out is marked."""
    first = max(place - 30, 0) if len(text) > SHOWN else 0
    cut = ("..." if first else "") + text[first:]
    return cut if len(cut) <= SHOWN else cut[:SHOWN - 3] + "..."
