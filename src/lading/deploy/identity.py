"""The name that an app has: the one under which its source runs already, or a refusal; never a second copy beside the first."""

from collections.abc import Callable, Mapping

from lading import errors, state
from lading.compose import owner, project


def name(
    reading: project.Reading, seen: state.FleetState, is_ours: Callable[[str], bool], *, beside: bool = False
) -> str:
    """The app's name: as it was read, or as every host knows its source, where nobody has named it.

    *is_ours*: whether a recorded destination is the one that is asked for. *beside*: a second app of the same source is meant.

    Raises:
        ForeignError: the source runs there under another name.
    """
    wanted = reading.project.name
    known = {host: _names(reading, one, is_ours) for host, one in seen.hosts.items()}
    found = sorted({name for names in known.values() for name in names})
    if beside or all(wanted in names for names in known.values() if names):
        return wanted
    if not reading.named and len(found) == 1 and all(known.values()):
        return found[0]
    others = {host: names for host, names in known.items() if names and wanted not in names}
    raise _runs_as(wanted, others)


def second(reading: project.Reading, seen: state.FleetState, is_ours: Callable[[str], bool]) -> list[str]:
    """What a plan says where the app runs beside another of the same source, as somebody asked for: with data of its own."""
    wanted = reading.project.name
    known = {host: [name for name in _names(reading, one, is_ours) if name != wanted] for host, one in seen.hosts.items()}
    return [f"{host}: {wanted} is another app than {' and '.join(names)} of the same source there: it has volumes and host data of its own"
            for host, names in known.items() if names]


def _names(reading: project.Reading, seen: state.HostState, is_ours: Callable[[str], bool]) -> list[str]:
    """The apps of this source on a host."""
    return [app for app, current in seen.others.items()
            if owner.same(current.source, reading.source, reading.path) and is_ours(current.destination)]


def _runs_as(wanted: str, known: Mapping[str, list[str]]) -> errors.ForeignError:
    where = ", ".join(f"{host} as {' and '.join(names)}" for host, names in known.items())
    first, (found, *_) = next(iter(known.items()))
    return errors.ForeignError(
        f"this would be {wanted}, but what lies in this folder of its repository runs there: {where}",
        f"--app {found}, or `name: {found}` in the file, goes on with it and its data; lading remove {found} --to {first} ends it, "
        f"and its volumes stay there; --take-over runs {wanted} beside it, with volumes of its own", host=first, step="observe")
