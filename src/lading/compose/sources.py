"""The files of a project: which Compose files there are, and what they include and extend."""

import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import Any

from lading import disk
from lading.compose import parse, worktree
from lading.dataclass import dataclass

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
OVERRIDES = tuple(f"{stem}.override.{end}" for stem in ("compose", "docker-compose") for end in ("yml", "yaml"))


@dataclass(frozen=True, slots=True)
class Local:
    """An `env_file:` of an `include:` (or the `.env` of its folder): values for the included files only.

    *before*: the paths of those whose values its lines may refer to.
    """

    path: str
    where: worktree.Where
    implicit: bool = False
    before: tuple[str, ...] = ()
    content: bytes | None = field(default=None, repr=False)
    tracked: bool = False

    @property
    def ships(self) -> bool:
        """Whether Compose reads it here and on hosts: one that is named, or that Git tracks; the project's own is for all files."""
        return not self.implicit or (self.path != ".env" and self.tracked and self.content is not None)

    @property
    def text(self) -> str:
        """What it says where Compose reads it, "" if it does not."""
        return (self.content or b"").decode("utf-8", "replace") if self.ships else ""


@dataclass(frozen=True, slots=True)
class Closure:
    """All files that Compose reads: the chosen ones, then the included and the extended ones.

    *folders*: the project folder of each file that is included, by the file's path.
    """

    main: tuple[parse.Document, ...]
    others: tuple[parse.Document, ...] = ()
    locals: tuple[Local, ...] = ()
    folders: Mapping[str, str] = field(default_factory=dict)

    @property
    def included(self) -> tuple[tuple[parse.Document, str], ...]:
        """The files that are included, each with its project folder."""
        return tuple((one, self.folders[one.path]) for one in self.others if one.path in self.folders)

    @property
    def all(self) -> tuple[parse.Document, ...]:
        """Every document, the chosen files first."""
        return self.main + self.others


def check_folder(directory: Path) -> None:
    """Refuse a folder that is not there.

    Raises:
        ComposeError: it is not.
    """
    if not disk.is_folder(directory):
        raise worktree.refuse(f"there is no folder {directory}", "lading … -C FOLDER")


def check_names(paths: Iterable[str]) -> None:
    """Refuse a name with a newline in it: a host is told the project's folder and its Compose files a line each.

    Raises:
        ComposeError: there is one.
    """
    for path in paths:
        if "\n" in path:
            raise worktree.refuse(f"there is a newline in the name {path!r}", "rename the file or the folder")


def choose(directory: Path, files: Sequence[str], named: worktree.Spot | None = None) -> tuple[Path, tuple[str, ...]]:
    """The project folder and its Compose files below it: those of `-f`, else the only one there is (R55, R56, R28).

    As with Compose, the folder of the first file is the project folder. *named*: where the files are named, if not by `-f`.

    Raises:
        ComposeError: there is none, or there are several.
    """
    if not files:
        found = [name for name in NAMES if disk.is_file(directory / name)]
        if not found:
            raise worktree.refuse(f"no Compose file in {directory}: looked for {', '.join(NAMES)}", "lading … -C FOLDER, or -f FILE")
        if len(found) > 1:
            raise worktree.refuse(f"several Compose files in {directory}: {', '.join(found)}", f"say which: -f {found[0]}")
        return directory.resolve(), (found[0],)
    for name in files:
        if not disk.is_file(directory / name):
            hint = "correct COMPOSE_FILE there, or lading … -f FILE" if named else "lading … -f FILE"
            raise worktree.refuse(f"there is no file {name} in {directory}", hint, named or (name, 0))
    folder = (directory / files[0]).absolute().parent.resolve()
    paths = [(directory / name).absolute() for name in files]
    return folder, tuple(relative(path.parent.resolve() / path.name, folder) for path in paths)


def relative(path: Path, folder: Path) -> str:
    """A path as it is named from a folder."""
    return Path(os.path.relpath(path, folder)).as_posix()


def closure(tree: worktree.Tree, files: Sequence[str]) -> Closure:
    """Read the chosen files and all that they include or extend.

    Raises:
        ComposeError: one is missing, remote, outside the work tree, or not YAML.
    """
    main = tuple(_document(tree, path, (path, 0), "the Compose file") for path in files)
    seen = {one.path: one for one in main}
    found: list[Local] = []
    folders: dict[str, str] = {}
    todo = [_Task(one) for one in main]
    while todo:
        task = todo.pop()
        for named in (*_included(task, found), *_extended(task)):
            if named.path not in seen:
                seen[named.path] = _document(tree, named.path, named.where, "the file")
                folders |= {named.path: named.folder} if named.included else {}
                todo.append(_Task(seen[named.path], named.folder, included=named.included, before=named.before))
    others = tuple(one for one in seen.values() if one not in main)
    return Closure(main, others, tuple(_local(tree, one) for one in found), folders)


def _local(tree: worktree.Tree, one: Local) -> Local:
    """An env file of an include with its content, if it is there."""
    real = worktree.place(tree, one.path, one.where, "env_file")
    if not real.exists() or real.is_dir():
        return one
    return replace(one, content=worktree.content(tree, real, one.path, one.where), tracked=tree.tracked(real))


def _document(tree: worktree.Tree, path: str, where: worktree.Where, what: str) -> parse.Document:
    real = worktree.place(tree, path, where, what)
    if not real.is_file():
        raise worktree.refuse(f"{what} {path} does not exist", "correct the path", where)
    return parse.document(path, worktree.content(tree, real, path, where))


def _joined(base: str, text: Any, where: worktree.Where, what: str) -> str:
    """*text* seen from the project folder; remote and absolute ones stay for `place` to refuse."""
    if "$" in str(text):
        raise worktree.refuse(f"{what} {text} has a variable in it", "write the path out", where)
    if worktree.REMOTE.search(str(text)) or str(text).startswith(("/", "~")):
        return str(text)
    return posixpath.normpath(posixpath.join(base, str(text)))


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


@dataclass(frozen=True, slots=True)
class _Task:
    """A document that may name others; *base*: its project folder. What is only extended includes nothing.

    *before*: the env files whose values it sees, since it is included.
    """

    document: parse.Document
    base: str = "."
    included: bool = True
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Named:
    """A file that a document names, with the place and the project folder that it has there."""

    path: str
    where: worktree.Where
    folder: str
    included: bool = True
    before: tuple[str, ...] = ()


def _included(task: _Task, found: list[Local]) -> Iterator[_Named]:
    """Each file that a document includes; their env files go to *found*."""
    one, base = task.document, task.base
    for number, entry in enumerate(_several(one.value("include")) if task.included else ()):
        where = (one.path, one.line(("include", number)))
        entry = entry if isinstance(entry, Mapping) else {"path": entry}
        paths = [_joined(base, path, where, "include") for path in _several(entry.get("path"))]
        if not paths:
            continue
        folder = posixpath.dirname(paths[0]) or "."
        if entry.get("project_directory"):
            folder = _joined(base, entry["project_directory"], where, "project_directory")
        seen = task.before
        if not worktree.REMOTE.search(paths[0]):
            for local in _env_files(entry, base, folder, where):
                found.append(replace(local, before=seen))
                seen = (*seen, local.path)
        yield from (_Named(path, where, folder, before=seen) for path in paths)


def _env_files(entry: Mapping[str, Any], base: str, folder: str, where: worktree.Spot) -> list[Local]:
    """The env files of one entry of `include:`."""
    named = [_joined(base, path, where, "env_file") for path in _several(entry.get("env_file"))]
    if not named:
        return [Local(posixpath.normpath(posixpath.join(folder, ".env")), where, implicit=True)]
    return [Local(path, where) for path in named]


def _extended(task: _Task) -> Iterator[_Named]:
    """Each file whose services a document extends."""
    one = task.document
    for name, service in (one.value("services") or {}).items():
        extends = service.get("extends") if isinstance(service, Mapping) else None
        if isinstance(extends, Mapping) and extends.get("file"):
            where = partial(parse.locate, (one,), ("services", name, "extends"))
            path = _joined(task.base, extends["file"], where, "extends")
            yield _Named(path, where, posixpath.dirname(path) or ".", included=False)
