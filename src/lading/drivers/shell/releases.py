"""What of a release a host's Compose, its folders and its tags are told: calls, names, what stops before it goes (pure)."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from lading import state
from lading.compose import bundle, overlay, project, restore, sent
from lading.compose import release as releases
from lading.dataclass import dataclass
from lading.drivers import base
from lading.drivers.shell import compose_call, scripts
from lading.plan import mounts

_TARGET = re.compile(r"/[A-Za-z0-9_.,:@+/ -]*")  # what stands in YAML as it is


def call(
    made: releases.Release, versions: Mapping[str, int], app: state.AppState
) -> compose_call.ComposeCall:
    """Compose for a release with these secret versions; *app*: what a host keeps."""
    secrets = {releases.secret_path(name): versions.get(name, 0) for name in made.secrets if name.startswith("var.")}
    return compose_call.compose_call(
        made.app, app.folder(made.id), made.directory, made.compose_files, secrets,
        releases.interpolation(made, versions, ""), made.profiles,
    )


def kept_image(app: str, service: str, release: str) -> str:
    """The tag that spares an image of a kept release from a prune (lower case, as Docker wants it).

    *service*: its name, or "NAME+1" for an image that stands elsewhere than in its `image:`.
    """
    name, _, number = service.partition("+")
    suffix = f"__{number}" if number else ""
    return f"lading-keep/{slug(app)}/{slug(name)}{suffix}:{release}"


def slug(name: str) -> str:
    """A name in lower case, as Docker takes it in that of an image."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "x"


def uploaded(what: base.Upload) -> bytes:
    """The tar of what a host lacks of a release; nothing where it keeps all of it."""
    if what.bundle is None:
        return b""
    folder = what.app.folder(what.release.id)
    files = [_moved(one, f"releases/{folder}/") for one in bundle.release_files(what.bundle)]
    files += bundle.object_files(what.bundle, set(what.objects) - _written(what, what.bundle))
    for name in what.fresh_secrets:
        files.append(project.ShippedFile(_secret_place(what, name), bundle.secret_content(name, what.bundle.secrets[name])))
    return bundle.tar(files)


def _written(what: base.Upload, made: releases.Bundle) -> set[str]:
    """The folders on a host that containers may write: what lies there is theirs, and is not put right."""
    writable = overlay.shipped(what.release.overlay).writable & what.app.objects
    return {id for id in writable if any(one.path for one in made.objects.get(id, ()))}


BEFORE = "before"  # that a host has read a release already counts


@dataclass(frozen=True, slots=True)
class KnownForm:
    """When it is known what a host's Compose makes of a release: the variables of scripts/lib/known-form.sh.

    *sum*: the SHA-256 of all that Compose reads of it, secrets included.
    """

    read_by: str = ""
    sum: str = ""
    secrets: Sequence[str] = ()

    def checked(self, said: str) -> Literal["here", "before"]:
        """Why a host did not ask its Compose, by the sums that it says.

        Raises:
            Refused: they are not those that it was told.
        """
        if self.read_by == BEFORE and said.strip():
            return "before"
        if self.read_by and said.split() == [self.read_by, self.sum]:
            return "here"
        raise base.Refused("broken", "it does not ask its Compose, though it has no reason")


def known_form(what: base.Upload) -> KnownForm:
    """When it is known what a host's Compose makes of what is uploaded.

    Of what a host keeps there is nothing here to compare with: what it has read before counts.
    """
    secrets = [_secret_place(what, name).removeprefix("secrets/") for name in what.release.secrets]
    if what.bundle is None:
        return KnownForm(BEFORE, "", secrets)
    read = _read_by_compose(what, what.bundle)
    if not what.read_by or any(set(path) & set("\n\\") for path in read):  # sha256sum writes such names otherwise
        return KnownForm()
    lines = sorted(f"{hashlib.sha256(content).hexdigest()}  {path}\n".encode() for path, content in read.items())
    words = call(what.release, what.secret_versions, what.app).values()["COMPOSE"]
    return KnownForm(what.read_by, hashlib.sha256(b"".join([f"{words}\n".encode(), *lines])).hexdigest(), secrets)


def _read_by_compose(what: base.Upload, made: releases.Bundle) -> dict[str, bytes]:
    """The files that Compose may read of a release, by their place in the app's folder; what only containers read is left out."""
    folder = what.app.folder(what.release.id)
    files = {f"releases/{folder}/{one.path}": one.content for one in bundle.release_files(made)}
    return files | {_secret_place(what, name): bundle.secret_content(name, value) for name, value in made.secrets.items()}


def _secret_place(what: base.Upload, name: str) -> str:
    return f"secrets/{releases.secret_path(name)}/{what.secret_versions.get(name, 0)}"


def records(made: Sequence[releases.Release], app: state.AppState) -> bytes:
    """The tar of what a release's own record gives again of its folder; not the project's files, of which it has only hashes."""
    files = [_moved(file, f"releases/{app.folder(one.id)}/") for one in made for file in bundle.record_files(one)]
    return bundle.tar(files) if files else b""


def _moved(file: project.ShippedFile, lead: str) -> project.ShippedFile:
    return project.ShippedFile(lead + file.path, file.content, file.executable)


@dataclass(frozen=True, slots=True)
class Dropped:
    """What goes of a host's folder of an app, by names there, and tags.

    *sent*: names of images that were sent; one goes once no release of any app keeps its image.
    """

    releases: Sequence[str]
    objects: Sequence[str]
    secrets: Sequence[str]
    tags: Sequence[str]
    sent: Sequence[str] = ()

    def values(self) -> dict[str, str]:
        """The variables of a script that prunes."""
        return {"DROP_OBJECTS": scripts.lines(self.objects), "DROP_SECRETS": scripts.lines(self.secrets), "SENT": scripts.lines(self.sent)}


def sent_images(app: state.AppState, folders: Iterable[str] | None = None) -> list[str]:
    """The names of images that were sent for the releases in some *folders*; None = for all that are there."""
    found: dict[str, None] = {}
    for folder in app.folders if folders is None else folders:
        found |= dict.fromkeys(filter(sent.is_sent, _images(app, folder).values()))
    return list(found)


def dropped(what: base.Pruned) -> Dropped:
    """What goes when a deployment has ended: also a folder in which an older lading keeps the same release."""
    app = what.app
    gone = [name for name, id in app.folders.items() if id in what.releases or name != app.folder(id)]
    tags = [kept_image(app.app, service, name) for name in gone for service in _kept_images(app, name)]
    kept = {*sent_images(app, [name for name in app.folders if name not in gone]), *what.release.all_images.values()}
    unused = [name for name in sent_images(app, gone) if name not in kept]
    return Dropped(gone, what.objects, [f"{releases.secret_path(name)}/{number}" for name, number in what.secrets], tags, unused)


def _kept_images(app: state.AppState, folder: str) -> Iterable[str]:
    """Under which names the images of the release in a folder are kept."""
    return _images(app, folder)


def _images(app: state.AppState, folder: str) -> Mapping[str, str]:
    """The images of the release in a folder, by the names under which they are kept."""
    raw = app.releases.get(app.folders[folder])
    return {} if raw is None else restore.from_json(raw).all_images


def given_back(release: releases.Release, app: state.AppState) -> Dropped:
    """What goes of an app whose containers stay: all that none of them mounts, and that the file `compose` does not read."""
    current = app.current
    mounted = {part for one in app.containers for source in one.mounts.values() for part in source.split("/")}
    kept = {(name, int(number)) for name, number in (current.generations if current else {}).items()}
    needed = release.objects if current is not None and current.release == release.id else {}
    objects = sorted(app.objects - set(needed) - mounted)
    return Dropped((), objects, sorted(_unused_secrets(app, kept, mounted)), ())


def _unused_secrets(app: state.AppState, kept: Collection[tuple[str, int]], mounted: Collection[str]) -> Iterable[str]:
    for name, known in app.secrets.items():
        path = releases.secret_path(name)
        if path not in mounted:
            yield from (f"{path}/{number}" for number in known if (name, number) not in kept)


def stopping(
    made: releases.Release | None, versions: Mapping[str, int], app: state.AppState,
    services: Collection[str] | None = None,
) -> dict[str, str]:
    """The variables of a script that stops the services of *made* that have a `pre_stop`, before it removes them.

    Only Compose runs that. *services*: which of them go; None = all.
    """
    if made is None:
        return {"STOP": ""}
    hooked = [name for name, spec in made.services.items() if spec.definition.get("pre_stop")]
    chosen = [name for name in hooked if services is None or name in services]
    if not chosen:
        return {"STOP": ""}
    return {**call(made, versions, app).values(), "STOP": " ".join(chosen)}


def anonymous(app: state.AppState) -> list[str]:
    """The anonymous volumes of an app's containers, as scripts/lib/anonymous.sh notes them.

    Of a service with several containers nobody could tell whose is which.
    """
    containers = [one for one in app.containers if not one.one_off and one.content]
    several = {name for name, count in Counter(one.service for one in containers).items() if count > 1}
    found: list[str] = []
    for one in containers:
        if one.service in several:
            continue
        for target, source in sorted(one.mounts.items()):
            if mounts.NAMELESS.fullmatch(source) and _TARGET.fullmatch(target):
                found.append(f"{one.service} {one.content} {source} {target}")
    return found


def resources(made: releases.Release) -> Iterator[str]:
    """The words of scripts/lib/beside-app.sh: KIND KEY NAME JSON_NAME NUMBER of each of the app's own networks and volumes."""
    for kind, declared in (("network", made.networks), ("volume", made.volumes)):
        own = {key: str(one["name"]) for key, one in declared.items() if not one["external"]}
        for number, (key, name) in enumerate(own.items()):
            yield from (kind, json.dumps(key), name, json.dumps(name), str(number))
