"""A Git repository that was found by looking, and is read so that nothing in it runs: no configuration, hook or filter of anybody.

Git never sees the repository's own configuration. Each call is given a folder of lading's making instead (`--git-dir`),
which holds the format, HEAD and a few settings that are plain data; refs, index and objects are read where they lie.
Whatever program a configuration names, a filter of any name among them, there is none in what Git reads.
"""

import contextlib
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from lading import disk, errors, process
from lading.dataclass import dataclass
from lading.transport import command

SMALL = 64 * 1024  # bytes of HEAD, of a gitfile, of the files that lead from one folder to another
CONFIGURATION = 1024 * 1024  # bytes of a repository's own configuration
NOTHING = "/dev/null"
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

# They outrank every other configuration, for Git and for what it might start.
SETTINGS = {
    "safe.bareRepository": "explicit",
    "core.fsmonitor": "false",
    "core.hooksPath": NOTHING,
    "core.attributesFile": NOTHING,
    "core.excludesFile": NOTHING,
    "core.untrackedCache": "false",
    "core.sshCommand": "false",
    "core.askPass": "false",
    "core.alternateRefsCommand": "false",
    "core.pager": "cat",
    "credential.helper": "",
    "protocol.allow": "never",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "log.showSignature": "false",
    "gpg.program": "false",
    "maintenance.auto": "false",
    "gc.auto": "0",
}

ENVIRONMENT = {
    "HOME": "/lading-no-home",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_SYSTEM": NOTHING,
    "GIT_CONFIG_GLOBAL": NOTHING,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
}

# What of a repository's configuration is handed on: data, which says how its files lie on the disk.
DATA = {
    "core.autocrlf": ("true", "false", "input"),
    "core.eol": ("lf", "crlf", "native"),
    "core.filemode": ("true", "false"),
    "core.symlinks": ("true", "false"),
    "core.ignorecase": ("true", "false"),
    "core.trustctime": ("true", "false"),
    "core.checkstat": ("default", "minimal"),
    "extensions.objectformat": ("sha1", "sha256"),
    "extensions.refstorage": ("files", "reftable"),
}


@dataclass(frozen=True, slots=True)
class Repository:
    """Where a repository lies. *top*: its work tree; *folder*: HEAD and index of that; *common*: refs and objects.

    *settings* are those of its own configuration, only to be looked up; *path*: where programs are found.
    """

    top: Path
    folder: Path
    common: Path
    path: str
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)

    def run(self, *arguments: str, stdin: bytes = b"") -> process.Finished:
        """Run Git in the work tree."""
        with tempfile.TemporaryDirectory(prefix="lading-git-") as name:
            stand_in = Path(name)
            self._stand_in(stand_in)
            places = {"GIT_OBJECT_DIRECTORY": self.common / "objects", "GIT_INDEX_FILE": self.folder / "index"}
            return call(self.path, stand_in, self.top, *arguments, stdin=stdin, places=places)

    def commits(self, *names: str) -> list[str]:
        """The whole names of commits, in one call; "" for a name that means none here."""
        asked = "".join(f"{name}^{{commit}}\n" for name in names)
        done = self.run("cat-file", "--batch-check=%(objectname)", stdin=asked.encode())
        said = done.stdout.decode("utf-8", "replace").splitlines()
        found = [line if COMMIT.fullmatch(line) else "" for line in said]
        return found if len(found) == len(names) else [""] * len(names)

    def head(self) -> str:
        """The commit that is checked out; "" before the first one."""
        return self.commits("HEAD")[0]

    def format(self) -> str:
        """The configuration that a folder needs for Git to read this repository's objects and files."""
        lines = ["[core]", "\trepositoryformatversion = 1", "\tbare = false"]
        for name, known in DATA.items():
            value = self.settings.get(name, "").lower()
            if value in known:
                section, _, key = name.partition(".")
                lines += [f"[{section}]", f"\t{key} = {value}"]
        return "\n".join(lines) + "\n"

    def _stand_in(self, stand_in: Path) -> None:
        """Fill the folder that Git takes for the repository's."""
        make_bare(stand_in, self.format(), _head(self.folder))
        lies = {"refs": self.common, "packed-refs": self.common, "shallow": self.common, "reftable": self.folder}
        shared = sorted(self.folder.glob("sharedindex.*"))
        found = [self.common / "info" / name for name in ("attributes", "exclude")]
        found += [place / name for name, place in lies.items()]
        for path in (*found, *shared):
            if path.exists():
                target = stand_in / ("info" if path.parent.name == "info" else "") / path.name
                target.symlink_to(path)


def make_bare(folder: Path, configuration: str, head: bytes) -> None:
    """Make a folder that Git takes for a repository's; refs are to come."""
    (folder / "info").mkdir(parents=True)
    (folder / "objects").mkdir()
    (folder / "config").write_text(configuration)
    (folder / "HEAD").write_bytes(head)


def call(
    path: str, git_dir: Path, top: Path, *arguments: str, stdin: bytes = b"", places: Mapping[str, Path] | None = None
) -> process.Finished:
    """Run Git with a folder of lading's making for the repository's; *places*: its parts that lie elsewhere.

    Raises:
        InputError: there is no Git, or it does not end.
    """
    env = {**ENVIRONMENT, "PATH": path, "GIT_CONFIG_COUNT": str(len(SETTINGS))}
    for number, (name, value) in enumerate(SETTINGS.items()):
        env |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    env |= {name: str(place) for name, place in (places or {}).items()}
    program = shutil.which("git", path=path)
    argv = [program or "git", f"--git-dir={git_dir}", f"--work-tree={top}", *arguments]
    try:
        if program is None:
            raise process.ProgramMissingError("git")
        return process.run(argv, env=env, cwd=str(top), stdin=stdin)
    except process.ProgramMissingError as missing:
        raise errors.InputError("the project is in Git, and there is no git here", "install git") from missing
    except process.ProgramTimeoutError as late:
        raise errors.InputError(f"git {arguments[0]} does not end in {top}", "try it by hand") from late


def find(folder: Path, environment: Mapping[str, str]) -> Repository | None:
    """The repository in whose work tree *folder* lies, as Git finds it: the next `.git` upwards that is one.

    A folder that only looks like a bare repository is none.

    Raises:
        InputError: there is a `.git`, but it is no repository, another one's, or another user's.
    """
    broken: Path | None = None
    for parent in (folder, *folder.parents):
        mark = parent / ".git"
        if not os.path.lexists(mark):
            continue
        place = _place(parent, environment)
        if place is not None and _is_repository(place):
            return _found(parent, place, folder, environment)
        broken = broken or mark
    if broken is not None:
        raise errors.InputError(f"Git does not read {folder}: {broken} is no repository", "git status")
    return None


def _found(top: Path, place: Path, project: Path, environment: Mapping[str, str]) -> Repository:
    """The repository that lies at *place*.

    Raises:
        InputError: it belongs to another user, or its configuration cannot be read.
    """
    common = _common(place)
    for one in {place, common}:
        _check_owner(one, project)
    searched = environment.get("PATH") or os.defpath
    path = os.pathsep.join(one for one in searched.split(os.pathsep) if one.startswith("/"))
    return Repository(top, place, common, path, _settings(top, common, path))


def _place(parent: Path, environment: Mapping[str, str]) -> Path | None:
    """The folder that `.git` in *parent* is, or leads to; None if it leads nowhere.

    Raises:
        InputError: it leads to a repository that does not name this work tree as its own.
    """
    mark = parent / ".git"
    if mark.is_dir() and not mark.is_symlink():
        return mark
    target = mark.resolve() if mark.is_symlink() else _led_to(mark)
    if target is None:
        return None
    if _names(target, mark) or _is_submodule(parent, target, environment):
        return target
    raise errors.InputError(
        f"{mark} leads to {target}, and that repository does not name this work tree as its own",
        f"git -C {command.quote(str(parent))} worktree repair; or remove {mark} if it should not be there")


def _led_to(mark: Path) -> Path | None:
    """Where a gitfile leads."""
    text = _text(mark)
    if not text.startswith("gitdir: "):
        return None
    return (mark.parent / text.removeprefix("gitdir: ")).resolve()


def _names(target: Path, mark: Path) -> bool:
    """Whether a repository's folder names this `.git` as that of one of its work trees (see git-worktree(1))."""
    text = _text(target / "gitdir")
    return bool(text) and (target / text).resolve() == mark.parent.resolve() / mark.name


def _is_submodule(parent: Path, target: Path, environment: Mapping[str, str]) -> bool:
    """Whether a repository's folder lies among the submodules of the repository around this work tree."""
    around = find(parent.parent, environment)
    if around is None:
        return False
    return any(target.is_relative_to(place.resolve() / "modules") for place in (around.folder, around.common))


def _common(place: Path) -> Path:
    """The folder that a work tree's folder shares with the others; it lies in there.

    Raises:
        InputError: it names one in which it does not lie.
    """
    text = _text(place / "commondir")
    if not text:
        return place
    common = (place / text).resolve()
    if place.resolve().parent != common / "worktrees":
        raise errors.InputError(f"{place} names {common}, in which it does not lie", "git worktree repair")
    return common


def _is_repository(place: Path) -> bool:
    try:
        common = _common(place)
        stored = (common / "refs").is_dir() or (common / "reftable").is_dir()
        return os.path.lexists(place / "HEAD") and (common / "objects").is_dir() and stored
    except OSError:
        return False


def _check_owner(place: Path, project: Path) -> None:
    """Refuse a repository that is neither the caller's, root's nor the project's owner's: it decides what ships.

    Raises:
        InputError: it is another user's.
    """
    owner = place.stat().st_uid
    if owner not in (os.geteuid(), 0, project.stat().st_uid):
        raise errors.InputError(
            f"the repository {place} belongs to another user (uid {owner}) than you and the project {project}",
            f"chown it, or remove it if it should not be there: ls -ld {place}")


def _settings(top: Path, common: Path, path: str) -> dict[str, str]:
    """The settings in a repository's own configuration: read here, parsed by Git from stdin, includes left out.

    Raises:
        InputError: it is no configuration.
    """
    try:
        content = disk.read(common / "config", limit=CONFIGURATION)
    except FileNotFoundError:
        return {}
    except OSError as fault:
        raise _unreadable(common / "config", disk.reason(fault)) from fault
    with tempfile.TemporaryDirectory(prefix="lading-git-") as name:
        make_bare(Path(name), "", b"ref: refs/heads/none\n")
        (Path(name) / "refs").mkdir()
        done = call(path, Path(name), top, "config", "--file", "-", "--no-includes", "-z", "--list", stdin=content)
    if done.status:
        raise _unreadable(common / "config", done.error_text)
    pairs = (entry.partition("\n") for entry in os.fsdecode(done.stdout).split("\0") if entry)
    return {name: value for name, _, value in pairs}


def _head(folder: Path) -> bytes:
    """HEAD as a file; it once was a symlink to a ref."""
    path = folder / "HEAD"
    with contextlib.suppress(OSError):
        if path.is_symlink():
            return b"ref: " + os.fsencode(path.readlink()) + b"\n"
        return disk.read(path, limit=SMALL)
    return b""


def _text(path: Path) -> str:
    """A small file that names a path; "" if it is not there."""
    try:
        return os.fsdecode(disk.read(path, limit=SMALL)).rstrip("\n")
    except OSError as fault:
        if fault.errno in (errno.ENOENT, errno.ENOTDIR, errno.EINVAL):
            return ""
        raise _unreadable(path, disk.reason(fault)) from fault


def _unreadable(path: Path, why: str) -> errors.InputError:
    return errors.InputError(f"Git does not read {path}: {why}", "git status")
