"""Processes: run a command, start a daemon, know it again by pid and start time, wait for conditions."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabError

# Nothing of the caller's environment (proxies, tokens) reaches the daemons of the lab.
CLEAN_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """A process that the lab started; the start time tells it from a later one with the same pid."""

    pid: int
    started: int

    def alive(self) -> bool:
        """Is it still this very process, and not a zombie?"""
        return start_time(self.pid) == self.started

    def kill(self) -> None:
        """Kill -9, if it is still there."""
        if self.alive():
            signal_quietly(self.pid)


def parse_stat(text: str) -> tuple[str, int]:
    """State letter and start time from /proc/PID/stat (the name in it may hold spaces and brackets)."""
    fields = text[text.rindex(")") + 2 :].split()
    return fields[0], int(fields[19])


def start_time(pid: int) -> int | None:
    """Clock ticks from the machine's boot to the start of the process; None if it has ended."""
    try:
        state, started = parse_stat(Path(f"/proc/{pid}/stat").read_text())
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else started


def signal_quietly(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def record(path: Path, pid: int) -> Recorded:
    """Write down a process just started."""
    started = start_time(pid)
    if started is None:
        raise LabError(f"{path.stem} ended as soon as it was started")
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps({"pid": pid, "started": started}))
    scratch.rename(path)
    return Recorded(pid, started)


def recorded(path: Path) -> Recorded | None:
    """The process written down at path, if it is still alive."""
    try:
        found = json.loads(path.read_text())
        process = Recorded(int(found["pid"]), int(found["started"]))
    except (OSError, ValueError, KeyError):
        return None
    return process if process.alive() else None


def spawn(
    argv: Sequence[str], log: Path, before_exec: Callable[[], None], environment: Mapping[str, str] | None = None
) -> int:
    """Start a daemon in its own session, its output appended to log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        # before_exec puts the child into its cgroup, which it must be in before its namespaces are made.
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**CLEAN_ENVIRONMENT, **(environment or {})},
            preexec_fn=before_exec,
        )
    process.returncode = 0  # the daemon outlives this program: nothing to warn about
    return process.pid


def run(
    *argv: str, check: bool = True, stdin: str | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; its words go into the error if it fails."""
    try:
        done = subprocess.run(
            argv, input=stdin, stdin=subprocess.DEVNULL if stdin is None else None, text=True,
            capture_output=True, timeout=timeout, env=CLEAN_ENVIRONMENT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise LabError(f"no end after {timeout:g} s: {' '.join(argv)}") from None
    if check and done.returncode:
        raise LabError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip() or done.returncode}")
    return done


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Look again and again until the condition holds; an error naming `what` if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)
