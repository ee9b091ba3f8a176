"""The files that Compose is given: laid out in a private folder as lading has read them, secret ones in memory."""

import contextlib
import hashlib
import os
import posixpath
import tempfile
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path

from lading.compose import worktree
from lading.dataclass import dataclass


@dataclass(slots=True)
class Snapshot:
    """A private folder: *top* stands for the work tree's, *project* for the project folder; all that is read lies in *root*.

    Compose sees nothing of the work tree itself, so that it reads neither more than lading has read nor other bytes.
    *laid*: what lies there, path → hash of the content.
    """

    root: Path
    top: Path
    project: Path
    descriptors: list[int] = field(default_factory=list)
    laid: dict[str, str] = field(default_factory=dict)
    opened: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def add(self, path: str, content: bytes) -> None:
        """Lay out a file; *path* is relative to the project folder. The first one of a path stays."""
        target = self._target(path)
        if not os.path.lexists(target):
            target.write_bytes(content)
            self._note(target, content)

    def add_secret(self, path: str, content: bytes) -> None:
        """Lay out a file whose content does not go to the disk."""
        target = self._target(path)
        if not os.path.lexists(target):
            self.link(target, content)
            self._note(target, content)

    def put_secret(self, path: str, content: bytes) -> None:
        """Lay out a secret file anew."""
        self._target(path).unlink(missing_ok=True)
        self.add_secret(path, content)

    def make_way(self, path: str) -> None:
        """Make the folders that *path* goes through as it is written, such as `config` in `config/../a.env`: Compose looks them up."""
        parts = path.split("/")
        for number, part in enumerate(parts):
            folder = Path(os.path.normpath(self.project.joinpath(*parts[:number])))
            if part == ".." and folder.is_relative_to(self.top):
                folder.mkdir(parents=True, exist_ok=True)
                self._note(folder)

    def _note(self, target: Path, content: bytes = b"") -> None:
        self.laid[os.path.relpath(target, self.project)] = hashlib.sha256(content).hexdigest()

    def link(self, target: Path, content: bytes) -> None:
        """Make *target* a link to a file in memory; where the system has none, a file that only its owner may read."""
        place = self.hidden(content)
        if place.startswith("/proc/"):
            target.symlink_to(place)
        else:
            Path(place).rename(target)

    def hidden(self, content: bytes) -> str:
        """A path at which *content* is read: a file without a name (memfd_create(2)), so that a killed process leaves none."""
        if not hasattr(os, "memfd_create"):
            descriptor, name = tempfile.mkstemp(dir=self.root)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            return name
        unnamed = self.opened.enter_context(os.fdopen(os.memfd_create("secret"), "wb", buffering=0))
        unnamed.write(content)
        self.descriptors.append(unnamed.fileno())
        return f"/proc/self/fd/{unnamed.fileno()}"

    def relative(self, text: str) -> str:
        """*text* with the snapshot's own paths as they are seen from the project folder."""
        above = posixpath.relpath(self.top, self.project)
        return text.replace(f"{self.project}/", "").replace(f"{self.top}/", f"{above}/")

    def _target(self, path: str) -> Path:
        """Where a file lies here; the folder for it is made."""
        target = Path(os.path.normpath(self.project / path))
        if not target.is_relative_to(self.top) or target == self.top:
            raise worktree.refuse(f"{path} lies outside the work tree", "name it by a relative path within it")
        target.parent.mkdir(parents=True, exist_ok=True)
        return target


@contextlib.contextmanager
def opened(project: str = ".") -> Iterator[Snapshot]:
    """An empty snapshot; *project*: the project folder, relative to the work tree's top."""
    with tempfile.TemporaryDirectory(prefix="lading-") as name:
        root = Path(name).resolve()
        laid = Snapshot(root, root / "tree", Path(os.path.normpath(root / "tree" / project)))
        laid.project.mkdir(parents=True)
        with laid.opened:
            yield laid
