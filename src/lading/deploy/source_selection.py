"""Whose Compose file: that of the commit which the image was built from, or the work tree's; a difference is said (R32)."""

import asyncio
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lading import errors
from lading.compose import project, read, reference, registry, registry_access, revision, worktree
from lading.dataclass import dataclass
from lading.deploy import local_engine
from lading.deploy.request import Request

REVISION, SOURCE = "org.opencontainers.image.revision", "org.opencontainers.image.source"
CHANGED = "-dirty"  # behind the commit of an image that was built from a work tree with changes
Find = Callable[[Request, Path], read.Files]
"""The files of a request for another folder, and the folder that it stands for."""
Access = Callable[[str], registry_access.Access]


@dataclass(frozen=True, slots=True)
class Built:
    """What the app's own images say: the commit they were built from, or why none can be named."""

    commit: str = ""
    doubt: str = ""


async def select_source(
    request: Request, here: read.Files, access: Access, find: Find,
    engine: local_engine.LocalEngine | None = None,
) -> project.Reading:
    """Read the files that count: of the images' commit, or of the work tree; a difference is a warning.

    Which files count is known before Compose reads any, so that it reads only those. What the files here say of the
    images is compared with what Compose makes of them. Other tasks go on meanwhile. *engine*: see `_labels`.

    Raises:
        InputError: they differ, or nothing tells, and the request demands that they match.
        RegistryError: it demands that, and no label can be read.
    """
    images = _own(here.images, here.version)
    reading, read_here = await _select(request, here, access, find, images, engine)
    exact = own_images(reading)
    if not read_here or exact == images:
        return reading
    return (await _select(request, here, access, find, exact, engine))[0]


async def _select(
    request: Request, here: read.Files, access: Access, find: Find, images: Sequence[str],
    engine: local_engine.LocalEngine | None,
) -> tuple[project.Reading, bool]:
    """The reading for what *images* tell, and whether it is of the files here."""
    tree = here.tree
    labels, lost = await _labels(images if tree.modes is not None else [], access, engine)
    built = judge(labels, worktree.remote(tree))
    commit = revision.find(tree, built.commit) if built.commit else ""
    doubt = built.doubt
    if built.commit and not commit:
        doubt = f"the image was built from commit {built.commit[:12]}, which this clone does not have"
    if commit:
        return await asyncio.to_thread(_read_matching, request, here, commit, find)
    if request.require_matching_source:
        raise lost or errors.InputError(
            doubt or f"no image of {here.name} says which commit of this repository it was built from",
            "lading build --push makes such images; git fetch --unshallow gets old commits")
    reading = await asyncio.to_thread(read.read_files, here)
    return _noted(reading, f"{doubt}: the files as they are here count") if doubt else reading, True


def _read_matching(
    request: Request, here: read.Files, commit: str, find: Find
) -> tuple[project.Reading, bool]:
    """The reading for images that were built from *commit*, and whether it is of the files here.

    Raises:
        InputError: the files here differ, and the request demands that they match.
    """
    tree = here.tree
    commit_counts = request.source != "worktree" and not request.require_matching_source
    if commit_counts and worktree.differing(tree, commit, here.paths()):
        return _read_commit(request, here, commit, find), False
    with read.merged(here) as merged:
        if commit_counts and worktree.differing(tree, commit, merged.paths()):
            return _read_commit(request, here, commit, find), False
        reading = merged.read()
    changed = worktree.differing(tree, commit, revision.paths(tree, reading))
    if not changed:
        return replace(reading, commit=commit), True
    if commit_counts:
        return _read_commit(request, here, commit, find), False
    said = _difference(changed, commit)
    if request.require_matching_source:
        raise errors.InputError(
            said, f"git checkout {commit[:12]}, or build a version of what is here: lading build --push")
    return _noted(reading, f"{said}; what is here counts (--source worktree)"), True


def _difference(changed: Sequence[str], commit: str) -> str:
    names = ", ".join(changed)
    return f"{names} here: not as in commit {commit[:12]}, which the image was built from"


def _read_commit(request: Request, here: read.Files, commit: str, find: Find) -> project.Reading:
    """The reading of *commit*'s files; what Git does not track is taken from here."""
    tree = here.tree
    with tempfile.TemporaryDirectory(prefix="lading-") as name:
        there = revision.lay_out(tree, commit, Path(name).resolve())
        try:
            taken = read.read_files(find(_moved(request, tree.top, there), tree.project))
        except errors.ComposeError as wrong:
            raise errors.ComposeError(
                f"in commit {commit[:12]}, which the image was built from: {wrong.message}",
                f"{wrong.hint}; or --source worktree", file=wrong.file, line=wrong.line) from wrong
    taken = replace(taken, source=here.source, path=str(tree.project), commit=commit)
    changed = worktree.differing(tree, commit, {*here.paths(), *revision.paths(tree, taken)})
    if not changed:
        return taken
    said = _difference(changed, commit)
    return _noted(taken, f"{said}; that commit's files count (--source worktree takes what is here)")


def own_images(reading: project.Reading) -> list[str]:
    """The images that carry the version as their tag: those that are built for it."""
    local = reading.project.local_images
    images = {}
    for name, service in reading.project.services.items():
        if service.image not in local:
            images[name] = service.image
    return _own(images, reading.version)


def _own(images: Mapping[str, str], version: str) -> list[str]:
    return [image for image in sorted(set(images.values())) if version and _tag(image) == version]


def _tag(image: str) -> str:
    """The tag of an image, "" if its text is none: whoever reads the whole project says so."""
    try:
        return reference.parse(image).tag
    except errors.ComposeError:
        return ""


async def _labels(
    images: Sequence[str], access: Callable[[str], registry_access.Access],
    engine: local_engine.LocalEngine | None = None,
) -> tuple[dict[str, Mapping[str, str]], errors.RegistryError | None]:
    """The labels of the images that can be had, and why one cannot: perhaps the files that count do not need it.

    *engine*: what this machine's has and sends is asked of no registry.
    """
    found: dict[str, Mapping[str, str]] = {}
    if engine is not None:
        found = {image: one.labels for image, one in (await engine.taken(images)).items()}
    asked = [image for image in images if image not in found]
    answers = await asyncio.gather(*(registry.labels([image], access) for image in asked), return_exceptions=True)
    lost = None
    for answer in answers:
        if isinstance(answer, errors.RegistryError):
            lost = lost or answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found |= answer
    return found, lost


def judge(labels: Mapping[str, Mapping[str, str]], remote: str) -> Built:
    """The commit that images were built from, by their labels; images of another repository do not count."""
    named = {image: one[REVISION] for image, one in labels.items()
             if one.get(REVISION) and (not remote or not one.get(SOURCE) or _same(one[SOURCE], remote))}
    if not named:
        return Built()
    if len(set(named.values())) > 1:
        told = ", ".join(f"{image}: {commit[:12]}" for image, commit in named.items())
        return Built(doubt=f"the images were built from different commits ({told})")
    (commit,) = set(named.values())
    if commit.endswith(CHANGED):
        return Built(doubt=f"the image was built from a changed work tree of commit {commit[:12]}")
    return Built(commit)


def _same(one: str, other: str) -> bool:
    """Whether two addresses mean one repository: over HTTPS or SSH, with or without .git, user and port."""

    def short(address: str) -> str:
        scp = re.sub(r"^(?:[^@/:]+@)?([^/:]+):(?!//)", r"ssh://\1/", address)
        bare = re.sub(r"^[a-z][a-z0-9+.-]*://(?:[^@/]*@)?([^/:]*)(?::\d+)?", r"\1", scp)
        return bare.rstrip("/").removesuffix(".git").lower()

    return short(one) == short(other)


def _moved(request: Request, top: Path, there: Path) -> Request:
    """The request with its paths in the folder *there* instead of the work tree's *top*."""

    def move(path: Path) -> Path:
        whole = Path(os.path.normpath(path.absolute()))
        resolved = whole if whole.is_relative_to(top) else path.resolve()
        return there / resolved.relative_to(top) if resolved.is_relative_to(top) else path

    files = tuple(str(move(request.directory / name)) for name in request.files)
    return replace(request, directory=move(request.directory), files=files)


def _noted(reading: project.Reading, said: str) -> project.Reading:
    return replace(reading, warnings=(*reading.warnings, said))
