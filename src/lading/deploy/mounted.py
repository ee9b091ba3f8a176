"""What is mounted of a host, and the rights that links there add: under `allow:`, what a path really leads to counts."""

from collections.abc import Iterator, Mapping, Sequence

from lading import state
from lading.compose import keys, masking, project, release, rights, variables
from lading.dataclass import dataclass
from lading.deploy import on_host, policy

UNSEEN = "?"  # the argument of a right over nobody knows what: only the bare right gives it


@dataclass(frozen=True, slots=True)
class Mounted:
    """Paths of a host that containers see: absolute, or below the app's folder `project` there.

    *sources*: path → the services that mount it; *written*: those in which a container may write, and so leave links.
    """

    sources: Mapping[str, str]
    written: frozenset[str]


def of_reading(reading: project.Reading) -> Mounted:
    """What a project mounts."""
    sources = _absolute(reading.rights)
    services = reading.project.services.items()
    for path in reading.host_data:
        users = [name for name, one in services if path in map(_path, one.mounts)]
        sources[path] = ", ".join(users)
    mounts = [mount for _, one in services for mount in one.mounts]
    written = {_path(mount) for mount in mounts if mount.kind == "bind" and not mount.read_only}
    return Mounted(sources, frozenset(written & sources.keys()))


def of_release(made: release.Release) -> Mounted:
    """The same of a release that was made before."""
    sources = _absolute(policy.of_release(made))
    written = set()
    for name, spec in made.services.items():
        for mount in policy.mounts(made, spec):
            path = release.bind_key(variables.plain_text(str(mount.get("source") or "")))
            if mount.get("type") != "bind":
                continue
            if not path.startswith("/"):
                sources.setdefault(path, name)
            if not mount.get("read_only"):
                written.add(path)
    return Mounted(sources, frozenset(written))


def _path(mount: project.Mount) -> str:
    return release.bind_key(mount.source)


def _absolute(asked: Sequence[rights.Right]) -> dict[str, str]:
    found: dict[str, str] = {}
    for right in asked:
        if right.name == "host-path" and right.argument.startswith("/"):
            found.setdefault(right.argument, right.service)
    return found


def added(
    mounted: Mounted, app: str, seen: state.HostState, secrets: Mapping[str, bytes], plain: Mapping[str, str],
    *, guarded: bool,
) -> list[rights.Right]:
    """The rights that a host's links add to what a path itself asks for.

    Where nobody can say where a path leads, that is all of `host-path`. *guarded*: a destination with `allow:`; there
    counts too what a running container could still make of a path between this look and the mount.
    """
    written = _written(mounted, app, seen) if guarded else frozenset()
    found = []
    for number, (path, service) in enumerate(mounted.sources.items()):
        for asked, why in _reasons(path, seen, number, written):
            shown = "" if asked[1] == UNSEEN else masking.hidden(asked[1], secrets, plain)
            found.append(rights.Right(service, *asked, (masking.hidden(why, secrets, plain),), shown))
    return found


def _written(mounted: Mounted, app: str, seen: state.HostState) -> frozenset[str]:
    """Where containers of the app write: those that run, and those that will."""
    kept = on_host.current_release(seen.apps.get(app, state.AppState(app)))

    if kept is None:
        return mounted.written
    return mounted.written | of_release(kept).written


def _reasons(
    path: str, seen: state.HostState, number: int, written: frozenset[str]
) -> Iterator[tuple[tuple[str, str], str]]:
    """(right, argument) and why, for one path."""
    above = sorted(one for one in written if path.startswith(f"{one.rstrip('/')}/"))
    if above:
        yield ("host-path", UNSEEN), f"{path} lies in {above[0]}, where a container of {seen.host} may leave a link"
        return
    if number not in seen.facts.links:
        return
    real = seen.facts.links[number]
    why = f"{path} on {seen.host} leads to {real or 'where nobody can see'}"
    before = list(keys.host_path(path)) if path.startswith("/") else []
    for one in keys.host_path(real) if real else [("host-path", UNSEEN)]:
        if one not in before:
            yield one, why


def notes(found: Sequence[rights.Right]) -> tuple[str, ...]:
    """What a plan says of the rights that were added."""
    return tuple(f"{one.service or 'the project'}: {one.place}: {one.word}" for one in found)
