"""Where an app's data lies: mounts that change, volumes new or left behind, what is refused for their sake (pure)."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lading import state
from lading.compose import overlay, variables
from lading.compose import release as releases
from lading.plan import steps

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


@dataclass(frozen=True, slots=True)
class Mount:
    """What is mounted at a target.

    *kind*: volume, anonymous, data (of the host), shipped, path, hidden (by variables, whose values
    nobody here knows), or Compose's own word; *source*: name or path; *varies*: by the values of
    variables; *among*: the volumes one of which it is.
    """

    kind: str
    source: str = ""
    varies: bool = field(default=False, compare=False)
    among: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{WORDS.get(self.kind, self.kind)} {self.source}".strip()

    @property
    def lasts(self) -> bool:
        """Whether what containers wrote there stays when nothing mounts it any more."""
        return self.kind in ("volume", "anonymous", "data")


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
    read = made.as_read.get(spec.name)
    if read is not None:
        firm = {variables.plain_text(str(one["target"])) for one in written if _is_firm(one)}
        return {one.target: _wanted(made, one.kind, one.source, one.target in shipped, one.target not in firm)
                for one in read.listed}
    found = {target: Mount("data", posixpath.normpath(path)) for target, path in data.items()}
    found |= {target: Mount("shipped", made.objects.get(id_, "")) for target, id_ in shipped.items()}
    for one in written:
        if isinstance(one, Mapping):  # a list that may hold a secret is kept as it is written
            _add_kept(made, spec, one, found)
    return found


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
        return Mount("anonymous")
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


def changes(
    host: str,
    made: releases.Release,
    spec: releases.ServiceSpec,
    container: state.ContainerState,
    known: tuple[releases.Release, releases.ServiceSpec] | None,
    volumes: Mapping[str, state.Volume] | None,
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
        if _differ(old, new, same):
            found.append(
                steps.Change(
                    host,
                    spec.name,
                    f"{FIELD}{target}",
                    str(old or "none"),
                    _becomes(old, new, volumes),
                )
            )
    return found


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


def _becomes(
    old: Mount | None, new: Mount | None, volumes: Mapping[str, state.Volume] | None
) -> str:
    """What is mounted from now on; whether it is new, and what stays behind."""
    notes = []
    if new is not None and new.kind == "volume" and volumes is not None:
        notes.append("there already" if new.source in volumes else "new, empty")
    if new is not None and new.kind == "anonymous":
        notes.append("new, empty")
    if old is not None and old.lasts:
        notes.append(f"{old.source or 'what was there'} stays")
    return str(new or "none") + (f" ({'; '.join(notes)})" if notes else "")


def resources(
    host: str,
    made: releases.Release,
    old: releases.Release | None,
    volumes: Mapping[str, state.Volume] | None,
) -> list[steps.Change]:
    """The volumes that a host will have anew, and those that nothing of the app mounts any more; they stay."""
    now, before = used(made), used(old) if old is not None else frozenset[str]()
    found = []
    for name in sorted(now - before if volumes is not None else ()):
        was = "there already" if name in (volumes or {}) else ""
        found.append(
            steps.Change(host, "", f"volume {name}", was, "mounted" if was else "new, empty")
        )
    found += [
        steps.Change(host, "", f"volume {name}", "mounted", "left behind: it stays, unused")
        for name in sorted(before - now)
    ]
    return found


def used(made: releases.Release) -> frozenset[str]:
    """The names of the volumes that a release's services mount."""
    return frozenset[str]().union(*(of_service(made, spec) for spec in made.active.values()))


def of_service(made: releases.Release, spec: releases.ServiceSpec) -> frozenset[str]:
    """The names of the volumes that a service mounts, all that come into question."""
    found = set[str]()
    for mount in wanted(made, spec).values():
        found |= {*mount.among, *([mount.source] if mount.kind == "volume" else [])}
    return frozenset(found)


def problems(
    made: releases.Release,
    old: releases.Release | None,
    there: state.HostState,
    moved: Sequence[str] = (),
) -> list[Problem]:
    """What of a release's volumes and mounts would lose data on a host, or not happen there at all.

    *moved*: the secrets that have another value than those which run.
    """
    app = there.apps.get(made.app, state.AppState(made.app))
    return [*_volumes(made, old, there, moved), *_hidden(made, app, there)]


def _volumes(
    made: releases.Release,
    old: releases.Release | None,
    there: state.HostState,
    moved: Sequence[str],
) -> Iterator[Problem]:
    names = used(made)
    for key, volume in made.volumes.items():
        name = str(volume["name"])
        if there.volumes is None or name not in names:
            continue
        is_there = there.volumes.get(name)
        if volume["external"]:
            if is_there is None:
                yield Problem(
                    f"the external volume {name} does not exist",
                    f"ssh {there.host} docker volume create {name}",
                )
            continue
        recorded = old is not None and old.volumes.get(key) == volume
        differs = [] if is_there is None or recorded else definition(volume["definition"], is_there)
        differs += [
            f"secret {one} changed"
            for one in _secrets(volume["definition"])
            if one in moved and is_there
        ]
        if differs:
            yield _otherwise(made.app, there.host, name, differs)


def _otherwise(app: str, host: str, name: str, differs: Sequence[str]) -> Problem:
    return Problem(
        f"volume {name} is there and not as the file says ({'; '.join(differs)}), and Docker changes no volume that exists",
        f"let the file say what is there (ssh {host} docker volume inspect {name}); or give the volume another `name:` and "
        f"copy what is in {name} there by hand before the next deployment; or, to lose what is in it: "
        f"lading remove {app} --to {host}, then ssh {host} docker volume rm {name}",
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
    made: releases.Release, app: state.AppState, there: state.HostState
) -> Iterator[Problem]:
    """The host data that files which ship would hide: containers find it there no more, nor what they wrote."""
    found = []
    for name, spec in made.active.items():
        mounts = sorted(wanted(made, spec).items())
        found += [
            (name, target, mount.source)
            for target, mount in mounts
            if mount.kind == "shipped" and there.data.get(mount.source, False)
        ]
    was = _data(app) if found else frozenset[str]()
    for name, target, path in found:
        if path not in was and (app.releases or path == "."):
            continue
        folder = f"{there.facts.state_dir}/apps/{made.app}/project/{path}"
        yield Problem(
            f"{name}: {target}: ./{path} would become files that ship, but {folder} on {there.host} holds data of the app",
            f"`x-lading: {{data: [{path}]}}` keeps it on the host; to let it ship, first put the data elsewhere: "
            f"ssh {there.host} mv {folder} {folder}.old",
        )


def _data(app: state.AppState) -> frozenset[str]:
    """The paths that were host data: for a release that is kept, or for a container."""
    lead = f"/apps/{app.app}/project/"
    found = set[str]()
    for one in app.containers:
        found |= {source.partition(lead)[2] for source in one.mounts.values() if lead in source}
    for kept in app.releases.values():
        found |= overlay.host_data(str(kept.get("overlay", "")))
    return frozenset(found)


def turned(app: state.AppState) -> frozenset[str]:
    """The paths that are host data for one of an app's releases on a host and files that ship for another."""
    shipped = set[str]()
    for kept in app.releases.values():
        shipped |= set(kept.get("objects", {}).values())
    return _data(app) & shipped
