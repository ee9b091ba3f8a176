"""Whose Compose file: that of the commit which the image was built from, or the work tree's; a difference is said (R32)."""

import asyncio
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lading import errors
from lading.compose import project, reference, registry, revision, worktree
from lading.deploy.request import Request

REVISION, SOURCE = "org.opencontainers.image.revision", "org.opencontainers.image.source"
CHANGED = "-dirty"  # behind the commit of an image that was built from a work tree with changes
Read = Callable[[Request, Path], project.Reading]  # a request for another folder, and the folder it stands for


@dataclass(frozen=True, slots=True)
class Built:
    """What the app's own images say: the commit they were built from, or why none can be named."""

    commit: str = ""
    doubt: str = ""


async def select_source(
    request: Request, reading: project.Reading, environment: Mapping[str, str],
    access: Callable[[str], registry.Access], read: Read,
) -> project.Reading:
    """The reading to deploy: of the files of the image's commit, or of the work tree's, with a warning where they differ.

    Raises:
        InputError: they differ, or nothing tells (RegistryError: no label can be read), and the request demands that they match.
    """
    tree = worktree.look(Path(reading.path), environment)
    mine = own_images(reading) if tree.modes is not None else []
    labels, lost = await _labels(mine, access)
    built = judge(labels, worktree.remote(tree))
    commit = revision.find(tree, built.commit) if built.commit else ""
    doubt = built.doubt
    if built.commit and not commit:
        doubt = f"the image was built from commit {built.commit[:12]}, which this clone does not have"
    if request.require_matching_source and not commit:
        raise lost or errors.InputError(doubt or f"no image of {reading.project.name} says which commit of this repository it was "
                                "built from", "lading build --push makes such images; git fetch --unshallow gets old commits")
    if not commit:
        return _noted(reading, f"{doubt}: the files as they are here count") if doubt else reading
    changed = worktree.differing(tree, commit, revision.paths(tree, reading))
    if not changed:
        return replace(reading, commit=commit)
    return _choose(request, reading, read, tree, commit, ", ".join(changed))


def own_images(reading: project.Reading) -> list[str]:
    """The images that carry the version as their tag: those that are built for it."""
    local = reading.project.local_images
    images = sorted({service.image for service in reading.project.services.values()} - local)
    return [image for image in images if reading.version and reference.parse(image).tag == reading.version]


async def _labels(
    images: Sequence[str], access: Callable[[str], registry.Access]
) -> tuple[dict[str, Mapping[str, str]], errors.RegistryError | None]:
    """The labels of the images that can be had, and why one cannot: perhaps the files that count do not need it."""
    answers = await asyncio.gather(*(registry.labels([image], access) for image in images), return_exceptions=True)
    found: dict[str, Mapping[str, str]] = {}
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


def _choose(
    request: Request, reading: project.Reading, read: Read, tree: worktree.Tree, commit: str, changed: str,
) -> project.Reading:
    """The files of *commit*, or those here if the request says so."""
    said = f"{changed} here: not as in commit {commit[:12]}, which the image was built from"
    if request.require_matching_source:
        raise errors.InputError(said, f"git checkout {commit[:12]}, or build a version of what is here: lading build --push")
    if request.source == "worktree":
        return _noted(reading, f"{said}; what is here counts (--source worktree)")
    with tempfile.TemporaryDirectory(prefix="lading-") as name:
        there = revision.lay_out(tree, commit, Path(name).resolve())
        try:
            taken = read(_moved(request, tree.top, there), tree.project)
        except errors.ComposeError as wrong:
            raise errors.ComposeError(f"in commit {commit[:12]}, which the image was built from: {wrong.message}",
                                      f"{wrong.hint}; or --source worktree", file=wrong.file, line=wrong.line) from wrong
    return _noted(replace(taken, source=reading.source, path=reading.path, commit=commit),
                  f"{said}; that commit's files count (--source worktree takes what is here)")


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
