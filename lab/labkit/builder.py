"""Build and push images with an engine that is no host of the fleet, as a CI server does."""

import base64
import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field

from labkit import host, registry
from labkit.errors import LabError
from labkit.state import Lab
from labkit.topology import BUILDER, REGISTRY

DOCKER = "/usr/bin/docker"


@dataclass(frozen=True, slots=True)
class Build:
    """One image to build from a folder, and its name in the lab's registry."""

    context: str
    reference: str
    arguments: Sequence[str] = field(default_factory=list)
    file: str | None = None

    def argv(self) -> list[str]:
        """The docker command line."""
        words = ["build", "-q", "-t", self.reference]
        for argument in self.arguments:
            words += ["--build-arg", argument]
        return [*words, *(["-f", self.file] if self.file else []), self.context]


def ensure_builder(lab: Lab) -> None:
    """Start the builder if this is the first build."""
    host.boot(lab, BUILDER)
    host.wait_ready(lab, [BUILDER])


def login_file(password: str) -> str:
    """A docker config.json that knows the registry."""
    word = base64.b64encode(f"{registry.USER}:{password}".encode()).decode()
    return json.dumps({"auths": {REGISTRY: {"auth": word}}})


def build_and_push(lab: Lab, build: Build) -> str:
    """Build, push, and return the reference with the pushed digest."""
    if not build.reference.startswith(f"{REGISTRY}/"):
        raise LabError(f"the image must be one of the lab's registry: {REGISTRY}/{build.reference}")
    folder = lab.root / "builder"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "config.json").write_text(login_file(lab.running().password))
    _docker(lab, build.argv())
    _docker(lab, ["push", "-q", build.reference])
    found = _docker(lab, ["image", "inspect", "-f", "{{index .RepoDigests 0}}", build.reference])
    return found.strip()


def _docker(lab: Lab, words: Sequence[str]) -> str:
    """The client runs on the machine, reads the context there, and talks to the builder's engine."""
    environment = {
        **os.environ,
        "DOCKER_BUILDKIT": "0",
        "DOCKER_CONFIG": str(lab.root / "builder"),
        "DOCKER_HOST": f"unix://{host.socket_path(lab, BUILDER)}",
    }
    done = subprocess.run([DOCKER, *words], env=environment, text=True, capture_output=True, check=False)
    if done.returncode:
        raise LabError(f"docker {' '.join(words)}: {(done.stdout + done.stderr).strip()}")
    return done.stdout
