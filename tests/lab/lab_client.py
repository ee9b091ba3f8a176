"""The lab as tests use it: each method is one command of `lab/lab`."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
TOOL = (sys.executable, str(CHECKOUT / "lab" / "lab"))
Done = subprocess.CompletedProcess[str]
PREFIX = "test-"  # names of labs that are removed when their test session is gone: test-PID, test-PID-WORD


def base_folder() -> Path:
    """Where the labs of this machine are."""
    return Path(os.environ.get("LADING_LAB_ROOT") or "/var/lib/lading-lab")


class Lab:
    """One lab, up or not, by its name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root = base_folder() / name

    def up(self, hosts: int, *options: str) -> None:
        """Make the lab or heal it."""
        self._tool("up", str(hosts), *options)
        self.__dict__.pop("password", None)

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
        argv = self.run_argv(*command, env=env, options=options)
        return _finish(argv, check=check, cwd=cwd, timeout=timeout, stdin=stdin)

    def popen(
        self, *command: str, cwd: Path | str | None = None, env: Mapping[str, str] | None = None, options: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        """Start a command on the controller; the process is the command itself: its pid takes signals."""
        pipe = subprocess.PIPE
        argv = self.run_argv(*command, env=env, options=options)
        return subprocess.Popen(argv, cwd=cwd, text=True, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)

    def run_argv(self, *command: str, env: Mapping[str, str] | None = None, options: Sequence[str] = ()) -> list[str]:
        """The command line of run, for a terminal or a pipe of one's own."""
        settings = [word for name, value in (env or {}).items() for word in ("--env", f"{name}={value}")]
        return [*TOOL, "run", "--name", self.name, *settings, *options, "--", *command]

    def exec(
        self, host: str, command: str | Sequence[str], user: str = "root", check: bool = True, timeout: float = 120
    ) -> Done:
        """Run a command inside a host; a string is a line of shell."""
        return _finish(self.exec_argv(host, command, user), check=check, timeout=timeout)

    def exec_argv(self, host: str, command: str | Sequence[str], user: str = "root") -> list[str]:
        """The command line of exec, for a process of one's own."""
        words = ["/bin/sh", "-c", command] if isinstance(command, str) else command
        return [*TOOL, "exec", "--name", self.name, "-u", user, host, "--", *words]

    def ssh(self, host: str, line: str, check: bool = True, timeout: float = 60) -> Done:
        """Run a line on a host (or user@host) over SSH, from the controller."""
        return self.run("ssh", host, line, check=check, timeout=timeout)

    def cut(self, host: str) -> None:
        """Pull its network cable."""
        self._tool("cut", host)

    def drop(self, host: str) -> None:
        """Lose its packets silently."""
        self._tool("drop", host)

    def heal(self, host: str) -> None:
        """Undo cut and drop."""
        self._tool("heal", host)

    def off(self, host: str) -> None:
        """Pull its plug."""
        self._tool("off", host)

    def on(self, host: str) -> None:
        """Switch it on again and wait for its services."""
        self._tool("on", host)

    def kill(self, host: str, service: str) -> None:
        """Kill -9 dockerd, containerd or sshd; the host starts it again."""
        self._tool("kill", host, service)

    def stop(self, host: str, service: str) -> None:
        """Stop a service and keep it down."""
        self._tool("stop", host, service)

    def start(self, host: str, service: str) -> None:
        """Start a stopped service and wait for it."""
        self._tool("start", host, service)

    def registry(self, what: str) -> None:
        """Stop or start the registry."""
        self._tool("registry", what)

    def build(self, context: Path | str, reference: str, file: str | None = None, **arguments: str) -> str:
        """Build and push registry.lab:5000/…; build arguments by name; the reference with its digest."""
        words = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        more = ["--file", file] if file else []
        return self._tool("build", str(context), reference, *words, *more).stdout.strip()

    def status(self) -> str:
        """The table for people."""
        return self._tool("status").stdout

    def _tool(self, command: str, *words: str) -> Done:
        return _finish([*TOOL, command, "--name", self.name, *words], check=True, timeout=300)


def _finish(
    argv: Sequence[str], check: bool, timeout: float, cwd: Path | str | None = None, stdin: str | None = None
) -> Done:
    """Run to the end; a failure shows what the command said."""
    done = subprocess.run(
        argv, cwd=cwd, input=stdin or "", text=True, capture_output=True, timeout=timeout, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done
