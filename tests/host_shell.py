"""A host for unit tests: a folder, the real /bin/sh, and a `docker` that answers from a table and notes each line."""

import asyncio
import contextlib
import json
import os
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from lading.drivers import base as drivers
from lading.drivers.shell import driver, scripts
from lading.inventory import hosts
from lading.transport import base, command, local

T = TypeVar("T")
Answers = Mapping[str, str | int]
"""What `docker` answers: a pattern of its arguments (`*` = anything) → standard output, or an exit status with an error."""


def by_compose(values: Mapping[str, str], folder: Path, *words: str) -> str:
    """A script that calls Compose as lading's scripts do, with these *values*, for the app in a *folder*."""
    given = command.assign({**values, "app_dir": str(folder)})
    return f"{given}{scripts.parts('compose')}compose {command.join(words)}\n"


class HostShell:
    """lading's state folder on a host, and a way to send it commands over the real wire."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.state.mkdir()
        self.bin = folder / "bin"
        self.bin.mkdir()
        monkeypatch.setenv("PATH", f"{self.bin}:{os.environ['PATH']}")
        self.program("sleep", "#!/bin/sh\n")  # nothing here takes time,
        self.program("sync", "#!/bin/sh\n")  # nor does the power go
        self.docker({})

    @classmethod
    def second(cls, one: "HostShell") -> "HostShell":
        """Another host, with the same Docker: a state folder of its own."""
        other = object.__new__(cls)
        other.folder, other.bin, other.state = one.folder, one.bin, one.folder / "second"
        other.state.mkdir()
        return other

    def docker(self, *tables: Answers) -> None:
        """From now on Docker answers so, the first pattern that fits counts; without one: status 1 with an error."""
        lines = ["#!/bin/sh", f'printf "%s\\n" "$*" >>{self.folder}/lines', f'[ "$1" != compose ] || env >{self.folder}/env', 'case "$*" in']
        for pattern, answer in ((key, one[key]) for one in tables for key in one):
            does = f"printf %s {shlex.quote(answer)}" if isinstance(answer, str) else f"echo refused >&2; exit {answer}"
            literal = "*".join(shlex.quote(part) if part else "" for part in pattern.split("*"))
            lines.append(f"{literal}) {does};;")
        self.program("docker", "\n".join([*lines, "*) echo no such thing >&2; exit 1;;", "esac", ""]))

    def program(self, name: str, text: str) -> None:
        """Put a program first in the host's PATH."""
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def run(self, what: command.Command, enough: str = "") -> command.Result:
        """Run a command; with *enough*, its stdin ends as soon as a part of that name is there."""
        return asyncio.run(self._run(what, enough))

    async def _run(self, what: command.Command, enough: str) -> command.Result:
        transport = local.LocalTransport()
        watched: base.OnPart | None = (lambda name, _: name == enough) if enough else None
        try:
            return await transport.run(hosts.Host("here"), what, watched)
        finally:
            await transport.close()

    def lines(self) -> list[str]:
        """The arguments of all calls of docker until now; they are forgotten."""
        path = self.folder / "lines"
        found = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return found

    def app(self, name: str = "shop") -> Path:
        """An app's folder."""
        return self.state / "apps" / name

    def journal(self) -> list[dict[str, Any]]:
        """What the app's journal says, without the times."""
        stored = [json.loads(line) for line in (self.app() / "journal").read_text().splitlines()]
        return [{key: value for key, value in line.items() if key != "at"} for line in stored]

    def lease(self) -> dict[str, str]:
        """The app's lease file."""
        return dict(line.split("=", 1) for line in (self.app() / "lease").read_text().splitlines())

    def hold(self, deployment: str = "d1", fence: int = 1, process: str = "p1") -> drivers.Hold:
        """What a deployment holds there."""
        return drivers.Hold("shop", deployment, fence, process, "ann@laptop", "2026-11-24T10:00:00Z", "https://ci/1", 0)

    @contextlib.asynccontextmanager
    async def ports(self) -> AsyncIterator[drivers.HostDriver]:
        """The host's two ports, over the real wire."""
        transport = local.LocalTransport()
        try:
            yield driver.connect(transport, str(self.state))(hosts.Host("here"))
        finally:
            await transport.close()

    def ask(self, question: Callable[[drivers.HostDriver], Awaitable[T]]) -> T:
        """What one question to the host's ports is answered."""

        async def asked() -> T:
            async with self.ports() as ports:
                return await question(ports)

        return asyncio.run(asked())
