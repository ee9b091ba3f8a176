"""What ships with a release and what stays on the host: what is in Git ships, what is not is the host's."""

import os
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from lading.compose import project, worktree
from lading.dataclass import dataclass
from lading.transport import command

KEEPERS = (".gitignore", ".gitkeep", ".keep")  # files that are tracked only to keep a folder


@dataclass(slots=True)
class Cargo:
    """What was found to travel, while it is collected; paths as in the Compose file, relative to the project folder."""

    files: dict[str, project.ShippedFile] = field(default_factory=dict)
    binds: dict[str, tuple[project.ShippedFile, ...]] = field(default_factory=dict)
    host_data: set[str] = field(default_factory=set)
    secrets: dict[str, bytes] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def paths(self) -> set[str]:
        """Every path that the host must have room for."""
        kept = {name.partition(".")[2] for name in self.secrets}
        return {*self.files, *self.binds, *self.host_data, *kept}


def listed(path: str, data: Sequence[str]) -> bool:
    """Whether *path* is one of *data*, or below one."""
    return any(path == one or path.startswith(one + "/") for one in data)


def ship_files(
    tree: worktree.Tree, cargo: Cargo, paths: Iterable[tuple[str, worktree.Where]], read: Mapping[str, bytes] | None = None
) -> None:
    """Take what Compose itself reads; an untracked one ships too, with a warning. *read*: what was read of them before."""
    for path, where in paths:
        real = worktree.place(tree, path, where, "the file")
        if not tree.tracked(real):
            cargo.warnings.append(f"{path} is not tracked by Git: no commit tells what it was")
        cargo.files[path] = _shipped(tree, real, path, path, where, (read or {}).get(path))


def _shipped(
    tree: worktree.Tree, real: Path, path: str, shown: str, where: worktree.Where, read: bytes | None = None
) -> project.ShippedFile:
    """One file, *read* before or now; Git's mode counts where there is one."""
    mode = (tree.modes or {}).get(real.relative_to(tree.top).as_posix(), "")
    data = worktree.content(tree, real, shown, where) if read is None else read
    return project.ShippedFile(path, data, mode == "100755" if mode else os.access(real, os.X_OK))


def ship_bind(tree: worktree.Tree, cargo: Cargo, path: str, where: worktree.Where, *, data: Sequence[str], writable: bool) -> None:
    """Decide on one relative bind: it ships if Git tracks it, else it is the host's (*data*: `x-lading.data`)."""
    real = worktree.place(tree, path, where, "the bind")
    if listed(path, data):
        keep(tree, cargo, path, where)
        return
    files = _tracked(tree, real, path, where)
    if not files:
        _check_kept(tree, real, path, where)
        keep(tree, cargo, path, where)
        return
    if writable and real.is_dir():
        if tree.modes is None:
            hint = f"without Git: `x-lading: {{data: [{path}]}}` keeps it on the host, `:ro` ships it"
            raise worktree.refuse(f"{path} is mounted writable: is it part of the app or data?", hint, where)
        cargo.warnings.append(f"{path} ships and is mounted writable: what containers write there is lost with the release, "
                              "and no edit by hand there is drift (:ro for what is only read)")
    cargo.binds[path] = files


def ship_config(tree: worktree.Tree, cargo: Cargo, path: str, where: worktree.Where, *, data: Sequence[str]) -> None:
    """Take the file of a config; it must be in Git, or kept on the host by `x-lading.data`."""
    real = worktree.place(tree, path, where, "the bind")
    if listed(path, data):
        keep(tree, cargo, path, where)
        return
    files = _tracked(tree, real, path, where)
    if not files:
        state = "is not tracked by Git" if (tree.project / path).exists() else "does not exist"
        hint = f"git add {command.quote(path)}, or keep it on the host: `x-lading: {{data: [{path}]}}`"
        raise worktree.refuse(f"the config file {path} {state}", hint, where)
    cargo.binds[path] = files


def keep(tree: worktree.Tree, cargo: Cargo, path: str, where: worktree.Where) -> None:
    """Leave a path to the host: it lies in the app's own folder there, which has nothing of the app above it.

    Raises:
        ComposeError: the path leads above the project folder, so on a host it would lead out of the app's.
    """
    if path != ".." and not path.startswith("../"):
        cargo.host_data.add(path)
        return
    inner = os.path.relpath(os.path.normpath(tree.project / path), tree.project)
    if not inner.startswith(".."):
        raise worktree.refuse(f"{path} goes out of the project folder and back into it", f"write ./{inner}", where)
    raise worktree.refuse(
        f"{path} lies above the project folder and does not ship, so no host has a place for it",
        f"write an absolute path of the host, such as /srv/{posixpath.basename(path) or 'data'}; or let it ship: git add {command.quote(path)}",
        where)


def _check_kept(tree: worktree.Tree, real: Path, path: str, where: worktree.Where) -> None:
    """Refuse a file that is here and does not ship: the host has none, and Docker would make a folder in its place.

    Raises:
        ComposeError: it is such a file.
    """
    here = real if tree.beside is None else worktree.place(tree.beside, path, where, "the bind")
    if here.is_file():
        state = "is not tracked by Git" if tree.beside is None or not tree.beside.tracked(here) else "is not in that commit"
        hint = f"git add {command.quote(path)}; or keep a file of the host's there: `x-lading: {{data: [{path}]}}`"
        raise worktree.refuse(f"the file {path} {state}, so it would not ship", hint, where)


def ship_secret(tree: worktree.Tree, cargo: Cargo, kind: str, path: str, where: worktree.Where) -> bytes:
    """Take an `env_file` (*kind* "env") or the file of a secret ("file"), tracked or not."""
    what = {"env": "env_file", "file": "the secret file"}[kind]
    real = worktree.bring(tree, path, where, what)
    if not real.is_file():
        raise worktree.refuse(f"{what} {path} does not exist", f"make {path}, or correct the path", where)
    cargo.secrets[f"{kind}.{path}"] = worktree.content(tree, real, path, where)
    return cargo.secrets[f"{kind}.{path}"]


def _tracked(tree: worktree.Tree, real: Path, path: str, where: worktree.Where) -> tuple[project.ShippedFile, ...]:
    """The files that ship of a bind; none if it is the host's."""
    if not real.is_dir():
        known = tree.tracked(real) and (real.exists() or tree.modes is not None)
        return (_shipped(tree, real, "", path, where),) if known else ()
    names = tree.below(real)
    if all(posixpath.basename(name) in KEEPERS for name in names):
        return ()
    return tuple(_member(tree, real, name, f"{path}/{name}", where) for name in names)


def _member(tree: worktree.Tree, folder: Path, name: str, shown: str, where: worktree.Where) -> project.ShippedFile:
    """One file of a folder; a symlink ships as what it points to."""
    relative = os.path.relpath(folder / name, tree.project)
    real = worktree.place(tree, Path(relative).as_posix(), where, "the file")
    if real.is_dir():
        raise worktree.refuse(f"{shown} is a symlink to a folder, or a submodule", "mount that folder on its own", where)
    return _shipped(tree, real, name, shown, where)


def tell(tree: worktree.Tree, cargo: Cargo) -> None:
    """Say what stays on the hosts, what stays here, and what ships otherwise than it was committed."""
    if cargo.host_data:
        said = [path if tree.modes is None or _is_here(tree, path) else f"{path} (not here: a folder on each host)"
                for path in sorted(cargo.host_data)]
        cargo.warnings.append(f"host data, which stays on each host and never ships: {', '.join(said)}")
    if tree.git is None or tree.beside is not None:  # of another commit it is said in how far it differs from what is here
        return
    folders = [path for path, files in cargo.binds.items() if any(one.path for one in files)]
    left = [name for name in worktree.left_out(tree, folders) if not listed(name.rstrip("/"), sorted(cargo.host_data))]
    if left:
        cargo.warnings.append(f"not tracked by Git, so they do not ship: {few(left)}")
    changed = worktree.uncommitted(tree, [*cargo.files, *cargo.binds])
    if changed:
        cargo.warnings.append(f"they ship as they lie here, which is not as they were committed: {few(changed)}")


def _is_here(tree: worktree.Tree, path: str) -> bool:
    return (tree.beside or tree).project.joinpath(path).exists()


def few(names: Sequence[str], shown: int = 5) -> str:
    """The first of many names, and how many there are more."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def check_filters(tree: worktree.Tree, cargo: Cargo) -> None:
    """Say which files Git would send through a filter (LFS, git-crypt); of another commit there is only what it stored.

    Raises:
        ComposeError: such a file is to be taken from another commit.
    """
    contents = {path: one.content for path, one in cargo.files.items()}
    contents |= {posixpath.join(path, one.path).rstrip("/"): one.content for path, many in cargo.binds.items() for one in many}
    contents |= {name.partition(".")[2]: data for name, data in cargo.secrets.items()}
    shown = {os.path.relpath(os.path.normpath(tree.project / path), tree.top): path for path in contents}
    for name, driver in worktree.filters(tree, sorted(shown)).items():
        path = shown[name]
        said = f"{path} goes through the Git filter {driver}, which lading does not run"
        if tree.beside is not None:
            raise worktree.refuse(said, "take the file as it lies here: --source worktree", (path, 0))
        state = "a pointer of Git LFS (git lfs pull fetches the file)" if contents[path].startswith(worktree.LFS_POINTER) else "as it lies here"
        cargo.warnings.append(f"{said}: it ships {state}")


def check_size(cargo: Cargo) -> None:
    """Refuse a bundle over the limit, naming its largest file."""
    sizes = {path: len(one.content) for path, one in cargo.files.items()}
    sizes |= {posixpath.join(path, one.path): len(one.content) for path, many in cargo.binds.items() for one in many}
    sizes |= {name.partition(".")[2]: len(data) for name, data in cargo.secrets.items()}
    if sum(sizes.values()) > worktree.LIMIT:
        largest = max(sizes, key=lambda path: sizes[path])
        total = sum(sizes.values()) / 1024**2
        hint = "list its folder under `x-lading.data`"
        raise worktree.refuse(f"the release has {total:.0f} MiB, 64 are allowed; the largest file is {largest}", hint)


def root(tree: worktree.Tree, cargo: Cargo) -> Path:
    """The folder that is the bundle's root: the project folder, or Git's top level if something lies beside it."""
    outside = any(path == ".." or path.startswith("../") for path in cargo.paths())
    return tree.top if outside else tree.project


def placed(files: Mapping[str, project.ShippedFile], directory: str) -> tuple[project.ShippedFile, ...]:
    """The files with their paths below the bundle's root."""
    moved = {posixpath.normpath(posixpath.join(directory, path)): one for path, one in files.items()}
    return tuple(project.ShippedFile(path, moved[path].content, moved[path].executable) for path in sorted(moved))
