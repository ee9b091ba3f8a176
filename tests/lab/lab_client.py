"""The lab as tests use it: each method is one command of `lab/lab`.

`run` and `exec`, of which tests start thousands, are spared the start of a Python program each: they start the very
command that `lab/lab` would become.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from labkit import cgroup, controller, host, registry
from labkit.errors import LabError
from labkit.state import Lab as Place
from labkit.topology import fleet_hosts

CHECKOUT = Path(__file__).resolve().parents[2]
TOOL = (sys.executable, str(CHECKOUT / "lab" / "lab"))
Done = subprocess.CompletedProcess[str]
PREFIX = "test-"  # names of labs that are removed when their test session is gone: test-PID, test-PID-WORD

ENTER = """n=$1; shift
while [ "$n" -gt 0 ]; do echo $$ > "$1" || exit 125; shift; n=$((n - 1)); done
exec "$@\""""
"""Become a command that is in cgroups: how many files, the files, the command."""


def base_folder() -> Path:
    """Where the labs of this machine are."""
    return Path(os.environ.get("LADING_LAB_ROOT") or "/var/lib/lading-lab")


class Lab:
    """One lab, up or not, by its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root = base_folder() / name
        self.broken = True
        """Something was done to it since it was last made or healed."""

    def up(self, hosts: int, *options: str) -> None:
        """Make the lab or heal it."""
        if not self.broken and self._all_run():
            return
        self._tool("up", str(hosts), *options)
        self.__dict__.pop("password", None)
        self.broken = False

    def _all_run(self) -> bool:
        """Does every daemon of it run and every engine answer? A look that starts no process."""
        place = Place(self.name)
        saved = place.saved()
        if saved is None or not registry.runs(place) or not controller.runs(place):
            return False
        return all(host.runs(place, machine) for machine in fleet_hosts(saved.options))

    def down(self) -> None:
        """Remove the lab, however much of it there is."""
        self._tool("down")

    @property
    def fleet(self) -> Path:
        """The folder with lading.yaml, known_hosts and ca.pem."""
        return self.root / "fleet"

    @cached_property
    def password(self) -> str:
        """The password of user ci at the registry."""
        return str(json.loads((self.root / "state.json").read_text())["password"])

    def run(
        self,
        *command: str,
        check: bool = True,
        cwd: Path | str | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 120,
        stdin: str | None = None,
        options: Sequence[str] = (),
    ) -> Done:
        """Run a command on the controller; options are those of `lab run` (--home DIR, --no-credentials)."""
        argv, environment = self._on_controller(command, cwd, env, options)
        return _finish(argv, check=check, cwd=cwd, timeout=timeout, stdin=stdin, env=environment)

    def popen(
        self, *command: str, cwd: Path | str | None = None, env: Mapping[str, str] | None = None, options: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        """Start a command on the controller; the process is the command itself: its pid takes signals."""
        pipe = subprocess.PIPE
        argv, environment = self._on_controller(command, cwd, env, options)
        return subprocess.Popen(argv, cwd=cwd, env=environment, text=True, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)

    def _on_controller(
        self, command: Sequence[str], cwd: Path | str | None, env: Mapping[str, str] | None, options: Sequence[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        """The command line and the environment of a command on the controller."""
        place = Place(self.name)
        home = options[options.index("--home") + 1] if "--home" in options else None
        try:
            changes = controller.environment(place, place.running(), home, "--no-credentials" not in options)
            argv = controller.run_argv(place, command, Path(cwd or Path.cwd()))
        except LabError:  # lab/lab says it
            return self.run_argv(*command, env=env, options=options), None
        entered = _entered(place, controller.COMMANDS, argv)
        return entered, controller.changed(os.environ, {**changes, **(env or {})})

    def run_argv(self, *command: str, env: Mapping[str, str] | None = None, options: Sequence[str] = ()) -> list[str]:
        """The command line of run, for a terminal or a pipe of one's own."""
        settings = [word for name, value in (env or {}).items() for word in ("--env", f"{name}={value}")]
        return [*TOOL, "run", "--name", self.name, *settings, *options, "--", *command]

    def exec(
        self, host: str, command: str | Sequence[str], user: str = "root", check: bool = True, timeout: float = 120
    ) -> Done:
        """Run a command inside a host; a string is a line of shell."""
        return _finish(self.exec_argv(host, command, user), check=check, timeout=timeout)

    def exec_argv(self, host_name: str, command: str | Sequence[str], user: str = "root") -> list[str]:
        """The command line of exec, for a process of one's own."""
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else command
        place = Place(self.name)
        try:
            machine = place.host(host_name)
            argv = host.exec_argv(place, machine, words, user)
        except LabError:  # lab/lab says it
            return [*TOOL, "exec", "--name", self.name, "-u", user, host_name, "--", *words]
        return _entered(place, cgroup.leaf(place.layout, host_name), argv)

    def ssh(self, host: str, line: str, check: bool = True, timeout: float = 60) -> Done:
        """Run a line on a host (or user@host) over SSH, from the controller."""
        return self.run("ssh", host, line, check=check, timeout=timeout)

    def cut(self, host: str) -> None:
        """Pull its network cable."""
        self._break("cut", host)

    def drop(self, host: str) -> None:
        """Lose its packets silently."""
        self._break("drop", host)

    def heal(self, host: str) -> None:
        """Undo cut and drop."""
        self._break("heal", host)

    def off(self, host: str) -> None:
        """Pull its plug."""
        self._break("off", host)

    def on(self, host: str) -> None:
        """Switch it on again and wait for its services."""
        self._break("on", host)

    def kill(self, host: str, service: str) -> None:
        """Kill -9 dockerd, containerd or sshd; the host starts it again."""
        self._break("kill", host, service)

    def stop(self, host: str, service: str) -> None:
        """Stop a service and keep it down."""
        self._break("stop", host, service)

    def start(self, host: str, service: str) -> None:
        """Start a stopped service and wait for it."""
        self._break("start", host, service)

    def registry(self, what: str) -> None:
        """Stop or start the registry."""
        self._break("registry", what)

    def build(self, context: Path | str, reference: str, file: str | None = None, **arguments: str) -> str:
        """Build and push registry.lab:5000/…; build arguments by name; the reference with its digest."""
        words = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        more = ["--file", file] if file else []
        return self._tool("build", str(context), reference, *words, *more).stdout.strip()

    def status(self) -> str:
        """The table for people."""
        return self._tool("status").stdout

    def engine(self, host_name: str, path: str) -> Any:
        """What the engine of a host answers to a GET: a list or a mapping; the labels of its API, not of docker's words."""
        place = Place(self.name)
        return host.engine_answer(place, place.host(host_name), path)

    def _break(self, command: str, *words: str) -> None:
        self.broken = True
        self._tool(command, *words)

    def _tool(self, command: str, *words: str) -> Done:
        return _finish([*TOOL, command, "--name", self.name, *words], check=True, timeout=300)


def _entered(place: Place, group: str, argv: Sequence[str]) -> list[str]:
    """The command line of a command in a group of the lab's."""
    files = [str(file) for file in cgroup.members(place.layout, place.name, group)]
    return ["/bin/sh", "-c", ENTER, "enter", str(len(files)), *files, *argv]


def _finish(
    argv: Sequence[str],
    check: bool,
    timeout: float,
    cwd: Path | str | None = None,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Done:
    """Run to the end; a failure shows what the command said."""
    done = subprocess.run(
        argv, cwd=cwd, env=env, input=stdin or "", text=True, capture_output=True, timeout=timeout, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done
