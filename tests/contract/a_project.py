"""A project in a Git work tree of its own, and `lading bundle` of it: what the command line makes of files and variables."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import documents

FLEET = """lading: 1
hosts: {web1: {address: 127.0.0.1, port: 9}}
destinations: {production: {hosts: [web1]}}
"""


@dataclass(frozen=True)
class Ended:
    """How a call ended: status, document, all that was printed, and the folder that was written."""

    status: int
    told: dict[str, Any]
    said: str
    out: Path

    @property
    def message(self) -> str:
        """What an error says, with its place."""
        error = self.told["error"]
        return f"{error['file']}:{error['line']}: {error['message']}; {error['hint']}"

    @property
    def release(self) -> dict[str, Any]:
        """The release that was bundled."""
        done: dict[str, Any] = json.loads((self.out / "release.json").read_text())
        return done

    def service(self, name: str = "web") -> dict[str, Any]:
        """The definition of a service, secret values left out."""
        definition: dict[str, Any] = self.release["services"][name]["definition"]
        return definition

    @property
    def plain(self) -> str:
        """The variables that may be shown."""
        return (self.out / "plain.env").read_text()


@dataclass(frozen=True)
class Project:
    """A work tree in *folder*; a fleet file lies beside it."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Project":
        folder.mkdir()
        subprocess.run(["git", "init", "-q", "."], cwd=folder, check=True)
        subprocess.run(["git", "remote", "add", "origin", "https://git.example/team/shop"], cwd=folder, check=True)
        return cls(folder)

    def write(self, files: Mapping[str, str], *, ignored: str = "") -> None:
        """Write files and track them, but those that are *ignored*."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (self.folder / ".gitignore").write_text(ignored)
        subprocess.run(["git", "add", "-A"], cwd=self.folder, check=True)

    def lading(self, *words: str, fleet: str = FLEET, env: Mapping[str, str] | None = None) -> Ended:
        """One call of lading in the work tree."""
        config = self.folder.parent / "lading.yaml"
        config.write_text(fleet)
        caller = {"PATH": os.environ["PATH"], "HOME": str(self.folder.parent), "LADING_CONFIG": str(config), **(env or {})}
        argv = [sys.executable, "-m", "lading", *words]
        done = subprocess.run(argv, cwd=self.folder, env=caller, capture_output=True, text=True, timeout=200, check=False)
        documents.check(words, done.stdout)
        return Ended(done.returncode, json.loads(done.stdout or "{}"), done.stdout + done.stderr, self.folder.parent / "out")

    def bundle(self, *words: str, fleet: str = FLEET, env: Mapping[str, str] | None = None) -> Ended:
        """`lading bundle` without a registry; what it wrote before is gone."""
        subprocess.run(["rm", "-rf", str(self.folder.parent / "out")], check=True)
        return self.lading("bundle", "--no-digests", "--json", "-o", str(self.folder.parent / "out"), *words, fleet=fleet, env=env)
