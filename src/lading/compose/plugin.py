"""The Compose plugin, called directly and in an environment of nothing but the project's variables."""

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lading import errors, process

TIMEOUT = 120.0  # seconds for `docker compose config`; thousands of services take their time
NOWHERE = "/lading-no-home"  # stands for ~ so that it can be recognised
FOLDERS = (
    "/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Compose:
    """One way to call `docker compose config` for a project."""

    binary: str
    folder: Path
    files: tuple[str, ...]
    path: str

    def config(
        self, name: str, values: Mapping[str, str], *options: str, stdin: bytes = b"", absolute: bool = False
    ) -> process.Finished:
        """Run it in an environment of nothing but *values*; `.env` is not read. Paths stay as written, or become *absolute*."""
        argv = [self.binary, "--env-file", os.devnull, "--profile", "*", "-p", name]
        argv += [part for file in (["-"] if stdin else self.files) for part in ("-f", file)]
        argv += ["config", *([] if absolute else ["--no-path-resolution"]), *options]
        env = {"PATH": self.path, "HOME": NOWHERE, **values}
        try:
            return process.run(argv, stdin=stdin, env=env, cwd=str(self.folder), timeout=TIMEOUT)
        except process.ProgramMissingError as gone:
            raise missing_plugin() from gone
        except process.ProgramTimeoutError as late:
            raise errors.InputError(f"docker compose config does not end in {TIMEOUT:g} s",
                                    "by hand: docker compose config; services that wait for each other in a long row take long") from late


def find(environment: Mapping[str, str]) -> str:
    """The path of the Compose plugin; called directly it is faster, and needs no daemon.

    Raises:
        InputError: it is not installed.
    """
    folders = [posixpath.join(environment["DOCKER_CONFIG"], "cli-plugins")] if environment.get("DOCKER_CONFIG") else []
    folders += [posixpath.join(environment["HOME"], ".docker/cli-plugins")] if environment.get("HOME") else []
    for folder in (*folders, *FOLDERS):
        binary = posixpath.join(folder, "docker-compose")
        if os.access(binary, os.X_OK) and os.path.isfile(binary):
            return binary
    raise missing_plugin()


def version(environment: Mapping[str, str]) -> str:
    """The version of the plugin that `find` finds.

    Raises:
        InputError: there is none, or it does not work.
    """
    binary = find(environment)
    done = process.run([binary, "version", "--short"], env={"PATH": environment.get("PATH", ""), "HOME": NOWHERE})
    if done.status != 0:
        raise errors.InputError(f"{binary} does not work", f"try it by hand: {binary} version")
    return done.stdout.decode("utf-8", "replace").strip().lstrip("v")


def missing_plugin() -> errors.InputError:
    hint = "install the package docker-compose-plugin; lading looks in ~/.docker/cli-plugins and " + FOLDERS[0]
    return errors.InputError("Docker Compose 2.24.4 or newer is not installed here", hint)
