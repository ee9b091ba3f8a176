"""A commit of the project's repository: whether it is here, which files differ from it, its files laid out."""

import os
import re
from pathlib import Path

from lading import errors
from lading.compose import project, repository, worktree
from lading.transport import command

NAME = re.compile(r"[0-9a-f]{7,64}")
COMMITTED = re.compile(r"^committer .*> (\d+) [+-]\d{4}$", re.MULTILINE)


def find(tree: worktree.Tree, name: str) -> str:
    """The whole name of a commit, "" if this clone does not have it."""
    if tree.git is None or not NAME.fullmatch(name):
        return ""
    return worktree.commits(tree, name)[0]


def time(tree: worktree.Tree, commit: str) -> str:
    """When a commit was made, in seconds since 1970; "" if it does not say."""
    assert tree.git is not None
    text = tree.git.run("cat-file", "commit", commit).stdout.decode("utf-8", "replace")
    found = COMMITTED.search(text.partition("\n\n")[0])
    return found[1] if found is not None else ""


def exact_tag(tree: worktree.Tree, *, allow_dirty: bool = False) -> str:
    """The tag of the commit that is checked out, "" if it has none; *allow_dirty*: files may differ from it.

    Raises:
        InputError: it has several, or tracked files differ from it.
    """
    now = worktree.head(tree)
    if not now:
        return ""
    assert tree.git is not None
    done = tree.git.run("for-each-ref", f"--points-at={now}", "--format=%(refname:strip=2)", "refs/tags")
    tags = done.stdout.decode("utf-8", "replace").split()
    if not tags:
        return ""
    if len(tags) > 1:
        raise errors.InputError(
            f"no version was given, and commit {now[:12]} has several tags: {', '.join(tags)}",
            f"name one: --version {command.quote(tags[-1])}")
    changed = [] if allow_dirty else worktree.differing(tree, now, [str(tree.top)])
    if changed:
        named = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        raise errors.InputError(
            f"no version was given, and the work tree is not what tag {tags[0]} is: {named}",
            f"commit and tag it; or --allow-dirty; or name a version: --version {command.quote(tags[0])}")
    return tags[0]


def paths(tree: worktree.Tree, reading: project.Reading) -> list[str]:
    """The files of a deployment, relative to the work tree's top: what ships, and the env files and secrets it names."""
    root = tree.project if reading.directory == "." else tree.top
    found = [root / one.path for one in reading.files]
    kept = (name.partition(".")[2] for name in reading.secrets if not name.startswith("var."))
    found += [tree.project / path for path in (".env", *reading.binds, *kept)]
    inside = (Path(os.path.normpath(path)) for path in found)
    return sorted({path.relative_to(tree.top).as_posix() for path in inside if path.is_relative_to(tree.top)})


def lay_out(tree: worktree.Tree, commit: str, folder: Path) -> Path:
    """Check *commit* out below *folder*, under the work tree's own name; nothing is written to the repository.

    Raises:
        InputError: Git cannot.
    """
    own = tree.git
    assert own is not None
    there = folder / (tree.top.name or "project")
    git_dir = there / ".git"
    repository.make_bare(git_dir, own.format(), b"ref: refs/heads/none\n")
    (git_dir / "refs").mkdir()
    (git_dir / "objects" / "info").mkdir()
    (git_dir / "objects" / "info" / "alternates").write_bytes(os.fsencode(own.common / "objects") + b"\n")
    done = repository.call(own.path, git_dir, there, "checkout", "-q", "--detach", commit)
    if done.status:
        raise errors.InputError(f"Git does not check out {commit[:12]}: {done.error_text}",
                                "--source worktree takes the files as they are here")
    return there
