"""The Compose plug-in, called directly: fenced in, and with nothing but the project's variables."""

import functools
import os
import posixpath
import threading
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from lading import errors, fence, process
from lading.compose import answered, bundle, snapshot
from lading.compose import probe as probes
from lading.dataclass import dataclass
from lading.transport import command

TIMEOUT = 120.0  # seconds for `docker compose config`; thousands of services take their time
NOWHERE = "/lading-no-home"  # stands for ~ so that it can be recognised
FOLDERS = (
    "/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins", "/usr/lib/docker/cli-plugins",
)  # fmt: skip
OLDEST_HERE = (2, 25)  # older ones fill in env files where they are asked not to: what is secret could not be told
_asking_version = threading.Lock()
SHORT_BIND = b"services: {a: {image: a, volumes: ['/a:/b']}}\n"

REMOTES_OFF = {"COMPOSE_EXPERIMENTAL_GIT_REMOTE": "0", "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "0"}


@dataclass(frozen=True, slots=True)
class Compose:
    """One way to call `docker compose config` for a project that is laid out in a snapshot."""

    binary: str
    files: tuple[str, ...]
    laid: snapshot.Snapshot
    answers: answered.Answers = field(default_factory=answered.Answers)

    def config(
        self, name: str, values: Mapping[str, str], *options: str, absolute: bool = False,
        profiles: Sequence[str] = ("*",),
    ) -> process.Finished:
        """Run it with nothing but *values* as variables, unless it has answered that already.

        Paths stay as written, or become *absolute*, in the snapshot. The variables come in a file, as on a host: in the
        environment some names would steer the programs that are run.
        """
        if absolute:  # such an answer names this snapshot
            return self._run(name, values, options, profiles)
        options = ("--no-path-resolution", *options)
        below = self.laid.project.relative_to(self.laid.top)
        key = (self.binary, below, self.files, name, options, tuple(profiles),
               frozenset(values.items()), frozenset(self.laid.laid.items()))
        return self.answers.of(key, lambda: self._run(name, values, options, profiles))

    def _run(
        self, name: str, values: Mapping[str, str], options: Sequence[str], profiles: Sequence[str]
    ) -> process.Finished:
        given = self.laid.hidden(bundle.plain_env(values).encode()) if values else os.devnull
        argv = ["--env-file", given]
        for profile in profiles:
            argv += ["--profile", profile]
        argv += ["-p", name]
        for file in self.files:
            argv += ["-f", file]
        done = run([self.binary, *argv, "config", *options], folder=self.laid.project,
                   readable=self.laid.root, descriptors=self.laid.descriptors)
        said = self.laid.relative(done.stderr.decode("utf-8", "replace"))
        return process.Finished(done.status, done.stdout, said.encode())


def run(
    argv: Sequence[str], *, folder: Path, readable: Path | None = None, env: Mapping[str, str] | None = None,
    stdin: bytes = b"", descriptors: Sequence[int] = (),
) -> process.Finished:
    """Run the plug-in in *folder* with nothing to read but what is below *readable* and open *descriptors*.

    Raises:
        InputError: it is not there, or does not end.
    """
    fenced = fence.around(argv, [str(readable)] if readable else [])
    environment = {"PATH": NOWHERE, "HOME": NOWHERE, **REMOTES_OFF, **(env or {})}
    try:
        return process.run(fenced, stdin=stdin, env=environment, cwd=str(folder), timeout=TIMEOUT, descriptors=descriptors)
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
        InputError: there is none, it does not work, or it is too old to read projects with.
    """
    return version_of(find(environment))


def version_of(binary: str) -> str:
    """The version of one plugin.

    Raises:
        InputError: it does not work, or it is too old to read projects with.
    """
    with _asking_version:  # whoever else wants to know waits for that answer
        found = _version(binary, _stamp(binary))
    words = found.split(".")
    numbers = tuple(int(word) for word in words[:2] if word.isdecimal())
    if len(numbers) == 2 and numbers < OLDEST_HERE:
        raise errors.InputError(f"Docker Compose {found} here is too old to read projects with, 2.25 is needed (hosts may have 2.24.4)",
                                "install a newer docker-compose-plugin on this machine")
    return found


def _stamp(binary: str) -> tuple[int, int]:
    """What is another once the program is another."""
    found = Path(binary).stat()
    return found.st_mtime_ns, found.st_size


@functools.lru_cache
def _version(binary: str, stamp: tuple[int, int]) -> str:
    done = run([binary, "version", "--short"], folder=Path("/"))
    if done.status != 0:
        raise errors.InputError(f"{binary} does not work", f"try it by hand: {command.quote(binary)} version")
    return done.stdout.decode("utf-8", "replace").strip().lstrip("v")


def leaves_out_creation(binary: str) -> bool:
    """Whether this Compose leaves out `create_host_path: true`, as 5.0 and later do."""
    return _leaves_out_creation(binary, _stamp(binary))


@functools.lru_cache
def _leaves_out_creation(binary: str, stamp: tuple[int, int]) -> bool:
    return b"create_host_path" not in _form(binary, SHORT_BIND).stdout


def probe(environment: Mapping[str, str]) -> str:
    """The normal form of `probe.FILE` as this machine's Compose writes it.

    Raises:
        InputError: there is no plugin, or it does not read the file.
    """
    binary = find(environment)
    done = _form(binary, probes.FILE.encode())
    if done.status != 0:
        raise errors.InputError(f"{binary} does not read a file that Compose 2.24.4 reads: {done.error_text.strip()[-200:]}",
                                "install a newer docker-compose-plugin on this machine")
    return done.stdout.decode("utf-8", "replace")


def _form(binary: str, file: bytes) -> process.Finished:
    return run([binary, *probes.OPTIONS.split(), "config", "--no-path-resolution"], folder=Path("/"), stdin=file)


def missing_plugin() -> errors.InputError:
    hint = "install the package docker-compose-plugin; lading looks in ~/.docker/cli-plugins and " + FOLDERS[0]
    return errors.InputError("Docker Compose 2.24.4 or newer is not installed here", hint)
