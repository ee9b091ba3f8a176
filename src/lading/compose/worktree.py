"""The Git work tree a project lies in: what is tracked, where a path really lies, which commit it is."""

import errno
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lading import disk, errors, process

LIMIT = 64 * 1024 * 1024  # bytes of one bundle
REMOTE = re.compile(r"^[a-z][a-z0-9+.-]*://|^git@|^oci:|^github\.com/|\.git(?:#.*)?$")
Spot = tuple[str, int]  # file and line
Where = Spot | Callable[[], Spot]  # or what finds them, should they be needed: it looks through all files


@dataclass(frozen=True, slots=True)
class Tree:
    """The folders a project lies in: *top* of the Git work tree (without Git: the project folder); *modes* of what is tracked."""

    project: Path
    top: Path
    modes: Mapping[str, str] | None = None

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


def git(folder: Path, environment: Mapping[str, str], *arguments: str) -> process.Finished:
    """Run Git in *folder*, asking nothing and taking no locks."""
    kept = {name: environment[name] for name in ("PATH", "HOME", "XDG_CONFIG_HOME") if name in environment}
    env = {"PATH": os.defpath, **kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        return process.run(["git", "-C", str(folder), *arguments], env=env)
    except process.ProgramMissingError as missing:
        raise errors.InputError("the project is in Git, and there is no git here", "install git") from missing
    except process.ProgramTimeoutError as late:
        raise errors.InputError(f"git {arguments[0]} does not end in {folder}", "try it by hand") from late


def look(folder: Path, environment: Mapping[str, str]) -> Tree:
    """Find the Git work tree that *folder* lies in, and what is tracked.

    Raises:
        InputError: there is a work tree, but Git does not read it.
    """
    if not any(os.path.lexists(parent / ".git") for parent in (folder, *folder.parents)):
        return Tree(folder, folder)
    top = git(folder, environment, "rev-parse", "--show-toplevel")
    listed = git(Path(top.stdout.decode().rstrip("\n") or folder), environment, "ls-files", "-s", "-z")
    if top.status or listed.status:
        said = (top.error_text or listed.error_text).splitlines()
        raise errors.InputError(f"Git does not read {folder}: {said[0] if said else ''}", "git status")
    entries = (entry.partition("\t") for entry in os.fsdecode(listed.stdout).split("\0") if entry)
    return Tree(folder, Path(os.fsdecode(top.stdout).rstrip("\n")).resolve(), {path: head[:6] for head, _, path in entries})


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


def origin(tree: Tree, environment: Mapping[str, str]) -> str:
    """The repository (without credentials) and the folder in it; without a remote the path."""
    found = git(tree.project, environment, "remote", "get-url", "origin") if tree.modes is not None else None
    if found is None or found.status:
        return str(tree.project)
    address = re.sub(r"^([a-z][a-z0-9+.-]*://)[^/]*@", r"\1", found.stdout.decode("utf-8", "replace").strip())
    below = tree.project.relative_to(tree.top).as_posix()
    return address if below == "." else f"{address}#{below}"


def commit(tree: Tree, environment: Mapping[str, str], paths: Iterable[str]) -> str:
    """The commit that is checked out, "-dirty" behind it if tracked files of the project differ from it."""
    if tree.modes is None:
        return ""
    head = git(tree.project, environment, "rev-parse", "--verify", "-q", "HEAD")
    if head.status:
        return ""
    beside = sorted(path for path in paths if path.startswith("../"))
    status = git(tree.project, environment, "status", "--porcelain", "-uno", "--", ".", *beside)
    return head.stdout.decode().strip() + ("-dirty" if status.stdout.strip() else "")
