"""How Compose is called on a host for one release, by scripts and by its operator (pure)."""

from collections.abc import Mapping, Sequence

from lading.dataclass import dataclass
from lading.drivers.shell import scripts
from lading.transport import command

APP_DIR = "@"  # the app's folder, in a word that begins with it: a script knows where that is


@dataclass(frozen=True, slots=True)
class ComposeCall:
    """Compose for one release, with the *options* that come before what is asked of it.

    *variables*: what it has beside our own clean environment. A path in the app's folder begins
    with `@/`.
    """

    app: str
    variables: Mapping[str, str]
    options: Sequence[str]

    def values(self) -> dict[str, str]:
        """The variables of a script that calls its function `compose`."""
        variables = [f"{name}={value}" for name, value in self.variables.items()]
        return {"COMPOSE": scripts.lines([*variables, "docker", "compose", *self.options])}

    def operator_script(self) -> str:
        """The file `compose` in the app's folder: the same call for a person to use by hand.

        A file for people, which no script of lading runs: its text is written here.
        """
        variables = [command.quote(f"{name}={value}") for name, value in self.variables.items()]
        call = " ".join([*variables, "docker", "compose", *map(_in_folder, self.options)])
        return (
            '#!/bin/sh\nA=$(cd "$(dirname "$0")" && pwd)\n'
            'exec env -i PATH="$PATH" HOME="$HOME" ${DOCKER_HOST:+DOCKER_HOST="$DOCKER_HOST"} '
            f'LADING_DIR="$A" {call} "$@"\n'
        )


def compose_call(
    app: str, release: str, directory: str, compose_files: Sequence[str],
    secrets: Mapping[str, int], variables: Mapping[str, str], profiles: Sequence[str] = (),
) -> ComposeCall:
    """Compose for the release in a folder, its project in the *directory* of its files.

    *secrets*: folder name below `secrets/` of each secret variable → generation; *variables*: the
    LADING_ ones, of which LADING_DIR is the app's folder on each host; *profiles*: those that were
    asked for.
    """
    folder = f"{APP_DIR}/releases/{release}"
    project = f"{folder}/files" + ("" if directory in ("", ".") else f"/{directory}")
    options: list[str] = []
    for name in profiles:
        options += ["--profile", name]
    options += ["-p", app, "--project-directory", project, "--env-file", f"{folder}/plain.env"]
    for name, number in secrets.items():
        options += ["--env-file", f"{APP_DIR}/secrets/{name}/{number}"]
    for path in compose_files:
        options += ["-f", f"{project}/{path}"]
    options += ["-f", f"{folder}/compose.overlay.yaml"]
    own = {name: value for name, value in variables.items() if name != "LADING_DIR"}
    return ComposeCall(app, own, options)


def _in_folder(word: str) -> str:
    """A word for a shell whose $A is the app's folder."""
    if not word.startswith(f"{APP_DIR}/"):
        return command.quote(word)
    return f'"$A"/{command.quote(word.removeprefix(f"{APP_DIR}/"))}'
