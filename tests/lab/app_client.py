"""An app in a folder of its own, and lading as a person runs it on the lab's controller."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from lab_client import CHECKOUT, Done, Lab

import documents
from labkit.errors import LabError

EXAMPLE = CHECKOUT / "examples" / "hello"
Case = TypeVar("Case")
LADING = (sys.executable, "-m", "lading")
ALL_CASES = os.environ.get("CORPUS") == "all"
"""With `make corpus` every case of a test is tried; with `make test` one of those that differ in little."""
VERSIONS: dict[str, dict[str, str]] = {"1.0.0": {}, "1.1.0": {}, "1.2.0": {"BROKEN": "1"}}


def some(cases: Sequence[Case], count: int = 1) -> Sequence[Case]:
    """All cases, or the first of them: see ALL_CASES."""
    return cases if ALL_CASES else cases[:count]


def build_images(lab: Lab, folder: Path) -> None:
    """Build and push the example's images: hello 1.0.0, 1.1.0, a broken 1.2.0, and store 1."""
    subprocess.run([EXAMPLE / "build-context", folder], check=True)
    for version, more in VERSIONS.items():
        lab.build(folder, f"registry.lab:5000/hello:{version}", VERSION=version, **more)
    lab.build(folder, "registry.lab:5000/store:1", VERSION="store")


@dataclass
class App:
    """A copy of the example under a name and port of its own; *config* and *options*: who deploys it, and how."""

    lab: Lab
    folder: Path
    name: str
    config: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    """Variables for every call of lading."""

    @classmethod
    def copy(cls, lab: Lab, folder: Path, name: str, port: int) -> "App":
        """The example as *name*, published on *port*."""
        folder.mkdir()
        text = (EXAMPLE / "docker-compose.yml").read_text()
        text = text.replace("name: hello\n", f"name: {name}\n", 1).replace("8080:8080", f"{port}:8080")
        text = text.replace("interval: 1s", "interval: 2s")  # each look of a health check costs the engine a process
        (folder / "docker-compose.yml").write_text(text)
        shutil.copy(EXAMPLE / "docker-compose.override.yml", folder)
        return cls(lab, folder, name)

    def edit(self, old: str, new: str) -> None:
        """Change the Compose file."""
        path = self.folder / "docker-compose.yml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def pass_env(self, *names: str) -> None:
        """Let the lab's fleet file pass these variables of the environment on to Compose files; without names, none."""
        path = self.lab.fleet / "lading.yaml"
        kept = [line for line in path.read_text().splitlines() if not line.startswith("pass_env: ")]
        passed = [f"pass_env: [{', '.join(names)}]"] if names else []
        path.write_text("\n".join([*kept, *passed]) + "\n")

    def lading(self, *words: str, options: Sequence[str] = (), env: dict[str, str] | None = None) -> Done:
        """Run lading in the app's folder; the exit code is the caller's to check."""
        done = self.lab.run(*LADING, *self.config, *words, check=False, cwd=self.folder, env={**self.environment, **(env or {})},
                            timeout=240, options=[*self.options, *options])
        documents.check(words, done.stdout)
        return done

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start lading in the app's folder; the process is lading itself: its pid takes signals."""
        return self.lab.popen(*LADING, *self.config, *words, cwd=self.folder, env=self.environment, options=self.options)

    def deploy(self, version: str, *words: str, to: str = "web1,web2", env: dict[str, str] | None = None) -> Done:
        """`lading deploy --version V --to … --yes`."""
        return self.lading("deploy", "--version", version, "--to", to, "--yes", *words, env=env)

    def where(self, *words: str) -> list[dict[str, Any]]:
        """`lading where NAME --json`."""
        rows: list[dict[str, Any]] = json.loads(self.lading("where", self.name, "--json", *words).stdout)
        return rows

    def versions(self) -> set[tuple[str, str, str]]:
        """(host, version, state) of every web container."""
        return {(r["host"], r["version"], r["state"]) for r in self.where() if r["service"] == "web"}

    def ids(self, host: str) -> dict[str, str]:
        """Container ids by service, the networks and the volumes of the app on a host."""
        label = f"label=com.docker.compose.project={self.name}"
        lines = self.lab.exec(
            host, f"docker ps -a --no-trunc --filter {label} --format '{{{{.Label \"com.docker.compose.service\"}}}} {{{{.ID}}}}';"
            f"docker network ls --no-trunc --filter {label} --format 'network:{{{{.Name}}}} {{{{.ID}}}}';"
            f"docker volume ls --filter {label} --format 'volume:{{{{.Name}}}} there'").stdout.split("\n")
        return dict(line.split(" ", 1) for line in lines if " " in line)

    def forget(self) -> None:
        """Let the controller's ledger begin anew, as on another machine."""
        for path in (self.lab.root / "controller" / "state" / "lading").glob("ledger.db*"):
            path.unlink()

    def remove(self) -> None:
        """Take the app off every host, with its data; the ledger, which would miss it there, begins anew."""
        self.forget()
        for host in ("web1", "web2", "web3", "stage1"):
            self._remove_from(host)

    def _remove_from(self, host: str) -> None:
        folders = f"/var/lib/lading/apps/{self.name} /home/*/.lading/*/apps/{self.name} /root/.lading/*/apps/{self.name}"
        lines = [f"rm -rf {folders}"]
        if self._anything_on(host):
            label = f"label=com.docker.compose.project={self.name}"
            lines = [f"docker ps -aq --filter {label} | xargs -r docker rm -f",
                     f"docker network ls -q --filter {label} | xargs -r docker network rm",
                     f"docker volume ls -q --filter {label} | xargs -r docker volume rm",
                     f"docker volume rm -f lading-state-{self.name}", *lines]
        self.lab.exec(host, "; ".join(lines), check=False)

    def _anything_on(self, host: str) -> bool:
        """Has the host's engine anything of the app? Unknown is a yes."""
        filters = quote(json.dumps({"label": [f"com.docker.compose.project={self.name}"]}))
        try:
            containers = self.lab.engine(host, f"/containers/json?all=1&filters={filters}")
            networks = self.lab.engine(host, f"/networks?filters={filters}")
            volumes = self.lab.engine(host, f"/volumes?filters={filters}")["Volumes"]
            named = quote(json.dumps({"name": [f"lading-state-{self.name}"]}))
            volumes = volumes or self.lab.engine(host, f"/volumes?filters={named}")["Volumes"]
        except (LabError, OSError, HTTPException, ValueError):
            return True
        return bool(containers or networks or volumes)
