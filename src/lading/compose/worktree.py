"""The Git work tree a project lies in: what is tracked, where a path really lies, which commit it is."""

import contextlib
import errno
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures.thread import ThreadPoolExecutor  # as in read.py
from dataclasses import field
from pathlib import Path, PurePath

from lading import disk, errors
from lading.compose import owner, repository
from lading.dataclass import dataclass

LIMIT = 64 * 1024 * 1024  # bytes of one bundle
ATTRIBUTES = ".gitattributes"
SUBMODULE = "160000"  # the mode of one in Git's index
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
REMOTE = re.compile(r"^[a-z][a-z0-9+.-]*://|^git@|^oci:|^github\.com/|\.git(?:#.*)?$")
Spot = tuple[str, int]  # file and line
Where = Spot | Callable[[], Spot]  # or what finds them, should they be needed: it looks through all files


@dataclass(slots=True)
class Known:
    """What Git has said of a work tree, and is not asked again.

    *commits*: their whole names. *changed*: commit → the tracked files below the project folder
    that differ from it.
    """

    commits: dict[str, str] = field(default_factory=dict)
    changed: dict[str, list[str]] = field(default_factory=dict)
    asking: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class Tree:
    """The folders a project lies in: *top* of the Git work tree (without Git: the project folder); *modes* of what is tracked.

    *beside*: the work tree that this one stands for; env files and secrets that Git does not track lie there.
    *known*: what Git has said of it.
    """

    project: Path
    top: Path
    modes: Mapping[str, str] | None = None
    beside: "Tree | None" = None
    git: repository.Repository | None = None
    known: Known = field(default_factory=Known, compare=False, repr=False)

    def tracked(self, real: Path) -> bool:
        """Whether the file ships: Git tracks it, or there is no Git."""
        return self.modes is None or real.relative_to(self.top).as_posix() in self.modes

    def below(self, real: Path) -> list[str]:
        """The tracked files below a folder, relative to it."""
        if self.modes is None:
            found = (Path(root, name) for root, _, files in os.walk(real) for name in files)
            return sorted(path.relative_to(real).as_posix() for path in found)
        prefix = real.relative_to(self.top).as_posix() + "/"
        prefix = "" if prefix == "./" else prefix
        return sorted(path.removeprefix(prefix) for path in self.modes if path.startswith(prefix))


def refuse(message: str, hint: str, where: Where = ("", 0)) -> errors.ComposeError:
    """A refusal at a place."""
    file, line = where() if callable(where) else where
    return errors.ComposeError(message, hint, file=file, line=line)


def look(folder: Path, environment: Mapping[str, str]) -> Tree:
    """Find the Git work tree that *folder* lies in, and what is tracked.

    Raises:
        InputError: there is a work tree, but Git does not read it.
    """
    found = repository.find(folder, environment)
    if found is None:
        return Tree(folder, folder)
    listed = found.run("ls-files", "-s", "-z")
    if listed.status:
        said = listed.error_text.splitlines()
        raise errors.InputError(f"Git does not read {folder}: {said[0] if said else ''}", "git status")
    entries = (entry.partition("\t") for entry in os.fsdecode(listed.stdout).split("\0") if entry)
    modes = {path: head[:6] for head, _, path in entries}
    return Tree(folder, found.top.resolve(), modes, git=found)


def place(tree: Tree, path: str, where: Where, what: str) -> Path:
    """Where *path* (relative to the project folder) really lies.

    Raises:
        ComposeError: it is absolute, or it leaves the work tree, itself or through a symlink.
    """
    if REMOTE.search(path):
        raise refuse(f"{what} {path} is not in this project", "copy it into the project and name it by a relative path", where)
    if path.startswith(("/", "~")):
        raise refuse(f"{what} {path} is an absolute path", "put it into the project and name it by a relative path", where)
    tree_name = "the project folder" if tree.modes is None else "the Git work tree"
    full = Path(os.path.normpath(tree.project / path))
    try:
        real = full.resolve()
        real.exists()
    except (OSError, RuntimeError, ValueError) as fault:  # no right to look, a name too long, a circle of links, a NUL
        raise refuse(f"{what} {path} cannot be looked at: {disk.reason(fault)}", "correct the path", where) from fault
    if not full.is_relative_to(tree.top):
        raise refuse(f"{what} {path} lies outside {tree_name}", f"move it into {tree.top}", where)
    if not real.is_relative_to(tree.top):
        raise refuse(f"{what} {path} leaves {tree_name} through a symlink", "put the file itself there", where)
    return real


def bring(tree: Tree, path: str, where: Where, what: str) -> Path:
    """Where a file lies that Git need not track; out of the work tree beside it is copied here first, for Compose to read."""
    real = place(tree, path, where, what)
    if tree.beside is not None and not real.exists():
        kept = place(tree.beside, path, where, what)
        if kept.is_file():
            real.parent.mkdir(parents=True, exist_ok=True)
            real.write_bytes(content(tree.beside, kept, path, where))
    return real


def content(tree: Tree, real: Path, shown: str, where: Where) -> bytes:
    """The bytes of a file that ships.

    Raises:
        ComposeError: it cannot be read, or is larger than a whole bundle may be.
    """
    try:
        return disk.read(real, limit=LIMIT)
    except OSError as fault:
        hint = "list its folder under `x-lading.data`" if fault.errno in (errno.EFBIG, errno.EINVAL) else f"ls -l {shown}"
        raise refuse(f"{shown} cannot be read: {disk.reason(fault)}", hint, where) from fault


def remote(tree: Tree) -> str:
    """The address of the repository, without credentials; "" if it has none."""
    address = tree.git.settings.get("remote.origin.url", "") if tree.git is not None else ""
    return re.sub(r"^([a-z][a-z0-9+.-]*://)[^/]*@", r"\1", address.strip())


def source(tree: Tree, named: str = "") -> str:
    """Whose the app is: its repository and folder in it; without an address what lading.yaml calls it (*named*).

    Where there is neither, a repository is known by its first commit, and a folder as itself.
    """
    below = tree.project.relative_to(tree.top).as_posix()
    if address := remote(tree):
        return owner.written(owner.address(address), below)
    if named:
        return named
    if first := _first_commit(tree):
        return owner.written(first, below)
    seen = tree.project.stat()
    return owner.folder(str(tree.project), hashlib.sha256(f"{seen.st_dev} {seen.st_ino}".encode()).hexdigest()[:16])


def _first_commit(tree: Tree) -> str:
    """The commit with which the history of a whole clone begins; "" if there is none."""
    if tree.git is None or (tree.git.common / "shallow").exists():
        return ""
    return tree.git.run("rev-list", "--max-parents=0", "HEAD", "--").stdout.decode().strip().rpartition("\n")[2]


def name(tree: Tree) -> str:
    """What the repository calls the project: its folder there, at the top the last part of the remote's path; or "".

    Never the name of the folder that the repository was checked out into.
    """
    below = tree.project.relative_to(tree.top).as_posix()
    if tree.git is not None and below != ".":
        return tree.project.name
    return owner.address(remote(tree)).rpartition("/")[2]


def head(tree: Tree) -> str:
    """The commit that is checked out; "" before the first one, and without Git."""
    return commits(tree)[0] if tree.git is not None else ""


def commits(tree: Tree, *names: str) -> list[str]:
    """The whole names of commits, "" for a name that means none here; HEAD's is asked for too."""
    assert tree.git is not None
    asked = names or ("HEAD",)
    with tree.known.asking:
        known = tree.known.commits
        if not known.keys() >= {*asked}:
            every = ("HEAD", *names)
            known |= zip(every, tree.git.commits(*every), strict=True)
        return [known[name] for name in asked]


def commit(tree: Tree, paths: Iterable[str]) -> str:
    """The commit that is checked out, "-dirty" behind it if tracked files of the project differ from it."""
    now = head(tree)
    if not now:
        return ""
    beside = [os.path.normpath(tree.project / path) for path in paths if path.startswith("../")]
    return now + ("-dirty" if differing(tree, now, [str(tree.project), *sorted(beside)]) else "")


@contextlib.contextmanager
def compared_anew(tree: Tree) -> Iterator[None]:
    """Ask Git meanwhile how the project's files differ from HEAD now.

    What it said before they were read may be old.
    """
    tree.known.changed.clear()
    now = head(tree)
    with ThreadPoolExecutor(1) as beside:
        if now:
            # Should it fail, it is asked again where it is needed.
            beside.submit(differing, tree, now, [str(tree.project)])
        yield


def differing(tree: Tree, commit: str, paths: Iterable[str]) -> list[str]:
    """Which tracked files at or below *paths* are other ones in the work tree than in *commit*, or in one of them only.

    Git is asked once for the whole project folder, and for what lies elsewhere each time.

    Raises:
        InputError: Git does not say.
    """
    asked = [Path(os.path.normpath(tree.top / path)) for path in paths]
    elsewhere = [path for path in asked if not path.is_relative_to(tree.project)]
    found: set[str] = set()
    if elsewhere:
        names = [os.path.relpath(path, tree.top) for path in elsewhere]
        found.update(_differing(tree, commit, names))
    if len(elsewhere) < len(asked):
        found.update(name for name in _changed(tree, commit) if _is_below(tree.top / name, asked))
    return sorted(found)


def _is_below(path: Path, asked: Iterable[Path]) -> bool:
    return any(path.is_relative_to(one) for one in asked)


def _changed(tree: Tree, commit: str) -> list[str]:
    """What differs below the project folder."""
    with tree.known.asking:
        if commit not in tree.known.changed:
            below = os.path.relpath(tree.project, tree.top)
            tree.known.changed[commit] = _differing(tree, commit, [below])
        return tree.known.changed[commit]


def _differing(tree: Tree, commit: str, names: list[str]) -> list[str]:
    """What Git says of *names*.

    A file that goes through a filter is compared as Git stored it last: only the filter could tell
    what it is now.
    """
    changed = _compared(tree, commit, names)
    here = [name for name in filters(tree, changed) if os.path.lexists(tree.top / name)]
    stored = _compared(tree, commit, here, "--cached") if here else []
    submodules = [name for name in _submodules(tree, commit, names) if name not in changed]
    return sorted({*changed} - {*here} | {*stored, *submodules})


def _compared(tree: Tree, commit: str, paths: Iterable[str], *options: str) -> list[str]:
    assert tree.git is not None
    words = ("diff", *options, "--no-ext-diff", "--no-textconv", "--no-renames", "--ignore-submodules=all", "--name-only", "-z")
    done = tree.git.run(*words, commit, "--", *paths)
    if done.status:
        raise errors.InputError(f"Git does not compare the work tree with {commit[:12]}: {done.error_text}", "git status")
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def _submodules(tree: Tree, commit: str, paths: Iterable[str]) -> list[str]:
    """The submodules at or below *paths* that are at another commit than *commit* says; Git itself would look inside them."""
    assert tree.git is not None
    assert tree.modes is not None
    listed = [name for name, mode in tree.modes.items() if mode == SUBMODULE]
    asked = [Path(os.path.normpath(tree.top / path)) for path in paths]
    inside = [name for name in listed if any((tree.top / name).is_relative_to(path) for path in asked)]
    if not inside:
        return []
    done = tree.git.run("ls-tree", "-z", commit, "--", *inside)
    entries = (entry.partition("\t") for entry in os.fsdecode(done.stdout).split("\0") if entry)
    wanted = {name: head.split()[2] for head, _, name in entries}
    return [name for name in inside if _checked_out(tree, name) not in ("", wanted.get(name))]


def _checked_out(tree: Tree, submodule: str) -> str:
    """The commit that a submodule is at; "" if it is not there."""
    folder = tree.top / submodule
    if not os.path.lexists(folder / ".git"):
        return ""
    assert tree.git is not None
    found = repository.find(folder, {"PATH": tree.git.path})
    return found.head() if found is not None else ""


def untracked(tree: Tree, paths: Iterable[str]) -> list[str]:
    """The files at or below *paths* that Git neither tracks nor is told to ignore."""
    if tree.git is None:
        return []
    done = tree.git.run("ls-files", "-z", "--others", "--exclude-standard", "--", *paths)
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def left_out(tree: Tree, folders: Iterable[str]) -> list[str]:
    """What lies in *folders* of the project and Git does not track, ignored or not; folders of only such files as one, with `/`."""
    asked = [os.path.normpath(tree.project / path) for path in folders]
    if tree.git is None or not asked:
        return []
    done = tree.git.run("ls-files", "-z", "--others", "--directory", "--no-empty-directory", "--", *asked)
    return sorted(_shown(tree, os.fsdecode(name)) for name in done.stdout.split(b"\0") if name)


def uncommitted(tree: Tree, paths: Iterable[str]) -> list[str]:
    """The tracked files at or below *paths* of the project that differ from the commit that is checked out."""
    now = head(tree)
    asked = [os.path.normpath(tree.project / path) for path in paths]
    if not now or not asked:
        return []
    return [_shown(tree, name) for name in differing(tree, now, asked)]


def _shown(tree: Tree, name: str) -> str:
    """A path from the top as the Compose file would name it."""
    folder = name[-1:] if name.endswith("/") else ""
    return os.path.relpath(tree.top / name, tree.project) + folder


def filters(tree: Tree, paths: Iterable[str]) -> dict[str, str]:
    """Those of *paths* (from the top) that Git would send through a filter on their way, with its name; it is not run."""
    names = list(paths)
    if tree.git is None or not names or not _has_attributes(tree, tree.git, names):
        return {}
    done = tree.git.run("check-attr", "-z", "--stdin", "filter", stdin=b"".join(os.fsencode(name) + b"\0" for name in names))
    if done.status:
        raise errors.InputError(f"Git does not read the attributes in {tree.top}: {done.error_text}", "git check-attr -a FILE")
    words = os.fsdecode(done.stdout).split("\0")
    told = zip(words[0::3], words[2::3], strict=False)
    return {name: value for name, value in told if value not in ("unspecified", "unset", "set", "")}


def _has_attributes(tree: Tree, git: repository.Repository, paths: Iterable[str]) -> bool:
    """Whether there is a file from which Git would read attributes of *paths*.

    It reads a tracked one that is gone here, too.
    """
    assert tree.modes is not None
    if os.path.lexists(git.common / "info" / ATTRIBUTES.removeprefix(".git")):
        return True
    folders = {folder for path in paths for folder in PurePath(path).parents}
    names = [(folder / ATTRIBUTES).as_posix() for folder in folders]
    return any(name in tree.modes or os.path.lexists(tree.top / name) for name in names)
