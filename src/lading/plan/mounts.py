"""Where an app's data lies: mounts that change, volumes new or left behind, what is refused for their sake (pure)."""

import posixpath
import re
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import field, replace

from lading import state
from lading.compose import overlay, variables
from lading.compose import release as releases
from lading.dataclass import dataclass
from lading.placement import assignment
from lading.plan import steps
from lading.transport import command

NAMELESS = re.compile(r"[0-9a-f]{64}")  # how Docker names an anonymous volume
WORDS = {
    "anonymous": "anonymous volume",
    "data": "host data",
    "shipped": "shipped files",
    "path": "the host's",
    "hidden": "what is at",
}
FIELD = "mount "  # how the changes of a target begin
SEEN = ("volume", "anonymous", "data", "shipped", "path", "tmpfs")  # kinds that a container tells
COMPOSE_LABELS = "com.docker.compose."
PROJECT = f"{COMPOSE_LABELS}project"
CONFIG_HASH = f"{COMPOSE_LABELS}config-hash"


@dataclass(frozen=True, slots=True)
class Mount:
    """What is mounted at a target.

    *kind*: volume, anonymous, data (of the host), shipped, path, hidden (by variables, whose values
    nobody here knows), or Compose's own word; *source*: name or path; *varies*: by the values of
    variables; *among*: the volumes one of which it is; *subpath*: the folder of a volume, as far
    as a file says it; *id*: an anonymous volume's.
    """

    kind: str
    source: str = ""
    varies: bool = field(default=False, compare=False)
    among: tuple[str, ...] = field(default=(), compare=False)
    subpath: str = field(default="", compare=False)
    id: str = field(default="", compare=False)

    def __str__(self) -> str:
        below = f", folder {self.subpath}" if self.subpath else ""
        return f"{WORDS.get(self.kind, self.kind)} {self.source}".strip() + below

    @property
    def lasts(self) -> bool:
        """Whether what containers wrote there stays when nothing mounts it any more."""
        return self.kind in ("volume", "anonymous", "data", "path")

    @property
    def name(self) -> str:
        """By what people find it."""
        return self.source or self.id[:12] or "what was there"

    @property
    def is_open(self) -> bool:
        """Whether it has no source of its own: Compose gives it what a container had mounted there before."""
        return self.kind in ("anonymous", "tmpfs") and not self.source


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a release must not be deployed to a host, and what to do by hand."""

    why: str
    hint: str


def wanted(made: releases.Release, spec: releases.ServiceSpec) -> dict[str, Mount]:
    """Target → what a release mounts there for a service.

    Its definition hides what variables give. Whoever has read the files knows it all the same; of a release that is
    read back it is what alone fits of the places that the release names.
    """
    written = spec.definition.get("volumes") or ()
    if not written:
        return {}
    places = overlay.shipped(made.overlay)
    shipped, data = places.mounts.get(spec.name, {}), places.data.get(spec.name, {})
    subpaths = dict(_subpaths(written))
    read = made.as_read.get(spec.name)
    if read is not None:
        firm = {variables.plain_text(str(one["target"])) for one in written if _is_firm(one)}
        found = {one.target: _wanted(made, one.kind, one.source, one.target in shipped, one.target not in firm)
                 for one in read.listed}
        return _with_subpaths(found, subpaths)
    found = {target: Mount("data", posixpath.normpath(path)) for target, path in data.items()}
    found |= {target: Mount("shipped", made.objects.get(id_, "")) for target, id_ in shipped.items()}
    for one in written:
        if isinstance(one, Mapping):  # a list that may hold a secret is kept as it is written
            _add_kept(made, spec, one, found)
    return _with_subpaths(found, subpaths)


def _subpaths(written: Sequence[object]) -> Iterator[tuple[str, str]]:
    """The folders of volumes that a definition mounts, by target."""
    for one in written:
        subpath = (one.get("volume") or {}).get("subpath") if isinstance(one, Mapping) else None
        if isinstance(one, Mapping) and subpath:
            yield variables.plain_text(str(one.get("target"))), variables.plain_text(str(subpath))


def _with_subpaths(found: Mapping[str, Mount], subpaths: Mapping[str, str]) -> dict[str, Mount]:
    return {target: replace(one, subpath=subpaths.get(target, "")) for target, one in found.items()}


def _is_firm(written: object) -> bool:
    """Whether a mount of a definition is the same one whatever its variables are."""
    if not isinstance(written, Mapping):
        return False
    return not variables.names([written.get(key) for key in ("type", "source", "target")])


def _add_kept(
    made: releases.Release, spec: releases.ServiceSpec, written: Mapping[str, object], found: dict[str, Mount]
) -> None:
    """What a definition that was kept says of one mount; where *found* has its place by the overlay, that counts."""
    target = _only(str(written.get("target", "")), spec.mounts)
    varies = not _is_firm(written)
    if target in found:
        found[target] = replace(found[target], varies=varies)
        return
    kind, source = str(written.get("type")), str(written.get("source") or "")
    if variables.names(target) and kind == "bind" and not source.startswith("/"):
        return  # the overlay has said where it is
    choices = {"volume": tuple(made.volumes), "bind": made.absolute_binds}.get(kind, ())
    place = _only(source, choices)
    if not variables.names(place):
        found[target] = _wanted(made, kind, place, False, varies)
        return
    fitting = _fitting(source, choices) if kind == "volume" else []
    among = tuple(volume_name(made, key) for key in fitting)
    found[target] = Mount("hidden", source, among=among)


def _only(text: str, choices: Sequence[str]) -> str:
    """The one of *choices* that a text can be once its variables have values; the text as it is where that is not sure."""
    if not variables.names(text):
        return variables.plain_text(text)
    fitting = _fitting(text, choices)
    return fitting[0] if len(fitting) == 1 else text


def _fitting(text: str, choices: Sequence[str]) -> list[str]:
    pattern = variables.pattern(text)
    return [one for one in choices if pattern.fullmatch(one)]


def _wanted(made: releases.Release, kind: str, source: str, ships: bool, varies: bool) -> Mount:
    if kind == "volume" and not source:
        return Mount("anonymous", varies=varies)
    if kind == "volume":
        return Mount("volume", volume_name(made, source), varies=varies)
    if kind != "bind":
        return Mount(kind, source, varies=varies)
    if source.startswith("/"):
        return Mount("path", posixpath.normpath(source), varies=varies)
    return Mount("shipped" if ships else "data", posixpath.normpath(source), varies=varies)


def volume_name(made: releases.Release, key: str) -> str:
    """The name on the engine of the volume that the file calls *key*."""
    return str(made.volumes[key]["name"]) if key in made.volumes else key


def seen(app: str, container: state.ContainerState, known: Mapping[str, Mount]) -> dict[str, Mount]:
    """Target → what a container has mounted there; *known*: what its release says, which names shipped files."""
    return {
        target: _seen(app, source, known.get(target)) for target, source in container.mounts.items()
    }


def _seen(app: str, source: str, known: Mount | None) -> Mount:
    if NAMELESS.fullmatch(source):
        return Mount("anonymous", id=source)
    if not source:
        return Mount("tmpfs")
    if not source.startswith("/"):
        return Mount("volume", source)
    _, _, place = source.partition(f"/apps/{app}/")
    if place.startswith("project/"):
        return Mount("data", place.removeprefix("project/"))
    if place.startswith(("objects/", "secrets/")):
        return known if known is not None and known.kind == "shipped" else Mount("shipped")
    return Mount("path", source)


@dataclass(frozen=True, slots=True)
class Kept:
    """What lies on a host: *volumes* by name, *data*: place of host data → whether anything lies there; None = not asked."""

    volumes: Mapping[str, state.Volume] | None = None
    data: Mapping[str, bool] | None = None

    def has(self, one: Mount) -> bool | None:
        """Whether there is something at a mount; None = nobody has looked."""
        if one.kind == "volume":
            return None if self.volumes is None else one.source in self.volumes
        if one.kind == "data":
            return None if self.data is None else self.data.get(one.source, False)
        return False if one.kind == "anonymous" else None


UNASKED = Kept()


def changes(
    host: str,
    made: releases.Release,
    spec: releases.ServiceSpec,
    container: state.ContainerState,
    known: tuple[releases.Release, releases.ServiceSpec] | None,
    there: Kept,
) -> list[steps.Change]:
    """The targets at which a container has something else mounted than the release says, in words about the data.

    *known*: the release and service by which it was made. Where a release says the same of the service, only another
    volume counts: the file may give it another name without a word in the service.
    """
    before = wanted(*known) if known is not None else {}
    want, have = wanted(made, spec), seen(made.app, container, before)
    told = container.content == spec.content
    found = []
    for target in sorted({*want, *(() if told else before)}):
        new = want.get(target)
        unseen = new is not None and new.kind not in SEEN
        old = before.get(target) if unseen else have.get(target)
        same = told or (unseen if known is None else before.get(target) == new)
        if new is not None and new.varies and not unseen and not container.adopted:
            same = False  # the same words mean another place with other values
        says = _says(old, new, before.get(target), same, there)
        if says is not None:
            found.append(steps.Change(host, spec.name, f"{FIELD}{target}", *says))
    return found


def _says(
    old: Mount | None, new: Mount | None, before: Mount | None, same: bool, there: Kept
) -> tuple[str, str] | None:
    """What was mounted at a target and what becomes of it, in words; None if nothing changes."""
    if old is not None and new is not None and old == new and before is not None and before.subpath != new.subpath:
        return str(replace(old, subpath=before.subpath)), f"{new} (what is in the other stays)"
    if not _differ(old, new, same):
        return None
    if old is not None and new is not None and new.is_open and old.kind != "tmpfs":
        return str(old), f"{old} (it goes on: Compose gives a mount without a source what was there before)"
    return str(old or "none"), _becomes(old, new, there)


def _differ(old: Mount | None, new: Mount | None, same: bool) -> bool:
    """Whether another thing is mounted now; *same*: the file says what it said."""
    if same:
        return (
            old is not None
            and new is not None
            and (old.kind, new.kind) == ("volume", "volume")
            and old != new
        )
    if old is None or new is None:  # Docker lists a tmpfs elsewhere
        return "tmpfs" not in (old or new or Mount("")).kind
    unnamed = (old.kind, new.kind, old.source) == ("shipped", "shipped", "")
    return old != new and not unnamed


def _becomes(old: Mount | None, new: Mount | None, there: Kept) -> str:
    """What is mounted from now on; whether it is new, and what stays behind."""
    notes = []
    has = there.has(new) if new is not None else None
    if has is not None:
        notes.append("there already" if has else "new, empty")
    if old is not None and old.lasts:
        notes.append(f"{old.name} stays")
    return str(new or "none") + (f" ({'; '.join(notes)})" if notes else "")


def resources(
    host: str,
    made: releases.Release,
    placed: assignment.Placed,
    old: releases.Release | None,
    app: state.AppState,
    volumes: Mapping[str, state.Volume] | None,
) -> list[steps.Change]:
    """The volumes that a host will have anew, and the data that nothing of the app mounts any more; it stays."""
    now, before = used(made, placed), used(old) if old is not None else frozenset[str]()
    found = []
    for name in sorted(now - before if volumes is not None else ()):
        one = (volumes or {}).get(name)
        becomes = "new, empty" if one is None else "mounted"
        found.append(steps.Change(host, "", f"volume {name}", _whose(one, made.app), becomes))
    found += [
        steps.Change(host, "", f"volume {name}", "mounted", "left behind: it stays, unused")
        for name in sorted(before - now - frozenset(_still_mounted(made, placed, app)))
    ]
    for container in app.containers:
        if container.service not in made.services and not container.one_off:
            found += _left(host, made.app, container)
    return found


def _whose(one: state.Volume | None, app: str) -> str:
    """What is told of a volume that an app begins to mount."""
    if one is None:
        return ""
    project = one.labels.get(PROJECT, "")
    if not one.driver or project == app:
        return "there already"
    return f"there already, of project {project}" if project else "there already, not made by Compose"


def _still_mounted(made: releases.Release, placed: assignment.Placed, app: state.AppState) -> Iterator[str]:
    """The volumes that containers have and keep though the release does not say it."""
    for container in app.containers:
        spec = made.services.get(container.service)
        if spec is None:
            continue
        want = wanted(made, spec)
        for target, source in container.mounts.items():
            if container.service not in placed or (target in want and want[target].is_open):
                yield source


def _left(host: str, app: str, container: state.ContainerState) -> Iterator[steps.Change]:
    """The anonymous volumes and host data of a container that goes with its service."""
    for target, one in sorted(seen(app, container, {}).items()):
        if one.kind in ("anonymous", "data"):
            what = f"{one} {one.id[:12]}".strip()
            yield steps.Change(host, container.service, f"{FIELD}{target}", what, "left behind: it stays, unused")


def used(made: releases.Release, placed: assignment.Placed | None = None) -> frozenset[str]:
    """The names of the volumes that the services mount which a host runs of a release; *placed*: by default all."""
    names = assignment.by_default(made) if placed is None else placed
    return frozenset[str]().union(*(of_service(made, made.services[name]) for name in names))


def of_service(made: releases.Release, spec: releases.ServiceSpec) -> frozenset[str]:
    """The names of the volumes that a service mounts, all that come into question."""
    found = set[str]()
    for mount in wanted(made, spec).values():
        found |= {*mount.among, *([mount.source] if mount.kind == "volume" else [])}
    return frozenset(found)


def has_anonymous(made: releases.Release, service: str) -> bool:
    """Whether a service asks for anonymous volumes."""
    return any(one.kind == "anonymous" for one in wanted(made, made.services[service]).values())


def problems(
    made: releases.Release,
    old: releases.Release | None,
    there: state.HostState,
    moved: Sequence[str] = (),
    *,
    placed: assignment.Placed | None = None,
) -> list[Problem]:
    """What of a release's volumes and mounts would lose data on a host, or not happen there at all.

    *moved*: the secrets that have another value than those which run; *placed*: what the host is to run, by default all.
    """
    app = there.apps.get(made.app, state.AppState(made.app))
    placed = assignment.by_default(made) if placed is None else placed
    return [*_volumes(made, placed, old, there, moved), *_hidden(made, placed, app, there)]


def _volumes(
    made: releases.Release,
    placed: assignment.Placed,
    old: releases.Release | None,
    there: state.HostState,
    moved: Sequence[str],
) -> Iterator[Problem]:
    names = used(made, placed)
    for key, volume in made.volumes.items():
        name = str(volume["name"])
        if there.volumes is None or name not in names:
            continue
        is_there = there.volumes.get(name)
        if volume["external"]:
            if is_there is None:
                yield Problem(
                    f"the external volume {name} does not exist",
                    command.by_ssh(there.host, ["docker", "volume", "create", name]),
                )
            continue
        recorded = old is not None and old.volumes.get(key) == volume
        taken = old is None and is_there is not None and _is_taken(is_there, made.app)
        differs = [] if is_there is None or recorded or taken else definition(volume["definition"], is_there)
        differs += [
            f"secret {one} changed"
            for one in _secrets(volume["definition"])
            if one in moved and is_there
        ]
        if differs:
            yield _otherwise(made.app, there.host, name, differs)


def _is_taken(there: state.Volume, app: str) -> bool:
    """Whether Compose takes a volume of somebody else as it is, with a warning: it compares only what it has made itself."""
    return bool(there.driver) and there.labels.get(PROJECT) != app and CONFIG_HASH not in there.labels


def _otherwise(app: str, host: str, name: str, differs: Sequence[str]) -> Problem:
    return Problem(
        f"volume {name} is there and not as the file says ({'; '.join(differs)}), and Docker changes no volume that exists",
        f"let the file say what is there ({command.by_ssh(host, ['docker', 'volume', 'inspect', name])}); or give the volume another `name:` and "
        f"copy what is in {name} there by hand before the next deployment; or, to lose what is in it: "
        f"lading remove {app} --to {host}, then {command.by_ssh(host, ['docker', 'volume', 'rm', name])}",
    )


def _secrets(definition: Mapping[str, object]) -> list[str]:
    """The secret variables in a volume's definition, which is kept with their names in place of their values."""
    return sorted(variables.names(definition))


def definition(said: Mapping[str, object], there: state.Volume) -> list[str]:
    """In what a volume is not as a file defines it. What is there is not shown: it may hold a password."""
    if not there.driver:  # only its name is known
        return []
    driver = str(said.get("driver") or "local")
    found = []
    if there.driver.removesuffix(":latest") != driver.removesuffix(":latest"):
        found.append(f"driver: {there.driver} → {driver}")
    if there.options or driver == "local":
        found += [
            f"driver_opts {key}" for key in _apart(_texts(said.get("driver_opts")), there.options)
        ]
    own = {key: value for key, value in there.labels.items() if not key.startswith(COMPOSE_LABELS)}
    labels = _texts(said.get("labels"))
    for key in _apart(labels, own):
        found.append(
            f"label {key}: {'(another)' if key in own else '(none)'} → {labels.get(key, '(none)')}"
        )
    return found


def _texts(stored: object) -> dict[str, str]:
    return (
        {str(key): str(value) for key, value in stored.items()}
        if isinstance(stored, Mapping)
        else {}
    )


def _apart(said: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """The keys whose values differ; a value with a secret in it is not compared."""
    plain = {
        key: variables.plain_text(value)
        for key, value in said.items()
        if not variables.names(value)
    }
    differing = [key for key, value in plain.items() if there.get(key) != value]
    lost = [key for key in said if key not in plain and key not in there]
    return sorted([*differing, *lost, *(key for key in there if key not in said)])


def _hidden(
    made: releases.Release, placed: assignment.Placed, app: state.AppState, there: state.HostState
) -> Iterator[Problem]:
    """The host data that files which ship would hide: containers find it there no more, nor what they wrote."""
    was = data_of(app)
    stays = overlay.host_data(made.overlay)
    for name, where, path in _shipping(made, placed):
        if app.releases or path == ".":
            met = [place for one in sorted(was) if (place := _meets(path, one, stays))]
        else:
            met = [path]  # the app was removed, and what it left is there
        filled = next((place for place in met if there.data.get(place, False)), None)
        if filled is None:
            continue
        folder = f"{there.facts.state_dir}/apps/{made.app}/project/{filled}"
        yield Problem(
            f"{name}: {where}: ./{path} would become files that ship, but {folder} on {there.host} holds data of the app",
            f"`x-lading: {{data: [{filled}]}}` keeps it on the host; to let it ship, first put the data elsewhere: "
            f"{command.by_ssh(there.host, ['mv', folder, f'{folder}.old'])}",
        )


def _shipping(made: releases.Release, placed: assignment.Placed) -> Iterator[tuple[str, str, str]]:
    """All that ships and is mounted: whose, where, and its path in the project."""
    for name in placed:
        for target, mount in sorted(wanted(made, made.services[name]).items()):
            if mount.kind == "shipped":
                yield name, target, mount.source
    for key, object_ in sorted(overlay.shipped(made.overlay).configs.items()):
        yield "configs", key, made.objects.get(object_, "")
    for one in made.secrets:
        if one.startswith("file."):
            yield "secrets", one, one.removeprefix("file.")


def _meets(path: str, data: str, stays: Container[str]) -> str:
    """Where files that ship at *path* and what was host data at *data* are one place; "" if nowhere.

    What *stays* host data is mounted by itself, whatever ships around it.
    """
    if path == data or data == "." or path.startswith(f"{data}/"):
        return path
    above = path == "." or data.startswith(f"{path}/")
    return data if above and data not in stays else ""


def nested(shipped: Collection[str], kept: Collection[str], app: state.AppState) -> frozenset[str]:
    """The places of an app's host data below what ships, so that a host is asked what lies there; *kept*: what stays host data."""
    return frozenset(one for one in data_of(app) for path in shipped if one != path and _meets(path, one, kept) == one)


def data_of(app: state.AppState) -> frozenset[str]:
    """The paths that were host data: for a release that is kept, or for a container."""
    lead = f"/apps/{app.app}/project/"
    found = set[str]()
    for one in app.containers:
        found |= {source.partition(lead)[2] for source in one.mounts.values() if lead in source}
    for kept in app.releases.values():
        found |= overlay.host_data(str(kept.get("overlay", "")))
    return frozenset(found)


def turned(app: state.AppState) -> frozenset[str]:
    """The places that are host data for one of an app's releases on a host and files that ship for another."""
    shipped = set[str]()
    for kept in app.releases.values():
        shipped |= set(kept.get("objects", {}).values())
        shipped |= {one.removeprefix("file.") for one in kept.get("secrets", ()) if one.startswith("file.")}
    pairs = [(path, one) for path in shipped for one in data_of(app)]
    return frozenset(filter(None, (_meets(path, one, ()) for path, one in pairs)))
