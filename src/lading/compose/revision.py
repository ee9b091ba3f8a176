"""A commit of the project's repository: whether it is here, which files differ from it, its files laid out."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from lading import errors
from lading.compose import project, worktree

NAME = re.compile(r"[0-9a-f]{7,64}")


def find(tree: worktree.Tree, environment: Mapping[str, str], name: str) -> str:
    """The whole name of a commit, "" if this clone does not have it."""
    if not NAME.fullmatch(name):
        return ""
    found = worktree.git(tree.project, environment, "rev-parse", "--verify", "-q", f"{name}^{{commit}}")
    return found.stdout.decode().strip() if found.status == 0 else ""


def paths(tree: worktree.Tree, reading: project.Reading) -> list[str]:
    """The files of a deployment, relative to the work tree's top: what ships, and the env files and secrets it names."""
    root = tree.project if reading.directory == "." else tree.top
    found = [root / one.path for one in reading.files]
    kept = (name.partition(".")[2] for name in reading.secrets if not name.startswith("var."))
    found += [tree.project / path for path in (".env", *reading.binds, *kept)]
    inside = (Path(os.path.normpath(path)) for path in found)
    return sorted({path.relative_to(tree.top).as_posix() for path in inside if path.is_relative_to(tree.top)})


def differing(tree: worktree.Tree, environment: Mapping[str, str], commit: str, files: Iterable[str]) -> list[str]:
    """Which of *files* are other ones in the work tree than in *commit*, or are in one of them only.

    Raises:
        InputError: Git does not say.
    """
    words = ("--literal-pathspecs", "diff", "--no-ext-diff", "--no-renames", "--name-only", "-z", commit, "--", *files)
    done = worktree.git(tree.top, environment, *words)
    if done.status:
        raise errors.InputError(f"Git does not compare the work tree with {commit[:12]}: {done.error_text}", "git status")
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def lay_out(tree: worktree.Tree, environment: Mapping[str, str], commit: str, folder: Path) -> Path:
    """Check *commit* out below *folder*, under the work tree's own name; nothing is written to the repository.

    Raises:
        InputError: Git cannot.
    """
    objects = worktree.git(tree.top, environment, "rev-parse", "--path-format=absolute", "--git-path", "objects")
    there = folder / (tree.top.name or "project")
    worktree.git(folder, environment, "init", "-q", "--template=", str(there))
    alternates = there / ".git" / "objects" / "info" / "alternates"
    alternates.parent.mkdir(parents=True, exist_ok=True)
    alternates.write_bytes(objects.stdout)
    done = worktree.git(there, environment, "checkout", "-q", "--detach", commit)
    if done.status:
        raise errors.InputError(f"Git does not check out {commit[:12]}: {done.error_text}",
                                "--source worktree takes the files as they are here")
    return there
