"""Run a command in control groups of its own: wall time, CPU and peak memory of all its processes together.

CPU time is what the kernel charged to the group (cgroup v1 cpuacct.usage, v2 cpu.stat): processes that ended, and those
that went to the background, count too. Memory is the highest sum of anonymous memory, sampled every 30 ms: shared
libraries and page cache do not count. What the command leaves running is killed once the figures are read.
"""

import argparse
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit import cgroup

SAMPLE = 0.03  # seconds between two looks at the memory


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run took. *wall* and *cpu* in seconds, *memory* in bytes; *output*: stdout; *errors*: stderr."""

    status: int
    output: str
    errors: str
    wall: float
    cpu: float
    memory: int


def run(
    argv: Sequence[str], *, owner: str, group: str, env: Mapping[str, str] | None = None, cwd: Path | None = None,
    limit: float = 600,
) -> Measured:
    """Run *argv* in the fresh group /lading-lab/OWNER/GROUP, of a lab's name or any other, and remove the group.

    Raises:
        subprocess.TimeoutExpired: no end after *limit* seconds; all its processes were killed.
    """
    layout = counting()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as complaints:
        with _Memory(layout, owner, group) as memory:
            begun = time.perf_counter()
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=complaints, env=env, cwd=cwd,
                preexec_fn=lambda: cgroup.enter(layout, owner, group),
            )
            try:
                status = process.wait(limit)
                wall = time.perf_counter() - begun
            finally:
                used = cpu(layout, owner, group)
                cgroup.kill_all(layout, owner, group)
                process.wait()
        cgroup.remove(layout, owner, group)
        output.seek(0)
        complaints.seek(0)
        return Measured(status, output.read(), complaints.read(), wall, used, memory.peak)


def numbers(text: str) -> list[int]:
    """Numbers of hosts, by comma, as an option says them.

    Raises:
        argparse.ArgumentTypeError: it is another thing.
    """
    words = text.split(",")
    if not all(word.isascii() and word.isdigit() and 0 < int(word) <= 1000 for word in words):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers from 1 to 1000, such as 1,3,10")
    return sorted(map(int, words))


def rounds(text: str) -> int:
    """How often something is measured, as an option says it.

    Raises:
        argparse.ArgumentTypeError: it is no number, or less than 1.
    """
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on, such as 3")
    return int(text)


def variants(text: str, known: Collection[str]) -> list[str]:
    """Those of the *known* variants that an option names, by comma; all if it is empty.

    Raises:
        SystemExit: there is none of a name.
    """
    named = text.split(",") if text else list(known)
    for name in named:
        if name not in known:
            raise SystemExit(f"--only {name}: there is none; there are: {', '.join(known)}")
    return named


def counting() -> cgroup.Layout:
    """The control groups that count CPU and memory; on version 1 without those that share the CPU out, which would make a
    group wait for whatever else runs on the machine."""
    whole = cgroup.current_layout()
    trees = [m for m in whole.mounts if whole.version == 2 or {"cpuacct", "memory"} & set(m.options.split(","))]
    return cgroup.Layout(whole.version, tuple(trees))


def cpu(layout: cgroup.Layout, owner: str, group: str) -> float:
    """Seconds of CPU that all processes of a group took so far; 0 where the kernel does not count."""
    for mount in layout.mounts:
        folder = mount.path / cgroup.TOP / owner / group
        old, new = folder / "cpuacct.usage", folder / "cpu.stat"
        if old.exists():
            return int(old.read_text()) / 1e9
        if layout.version == 2 and new.exists():
            facts = dict(line.split() for line in new.read_text().splitlines())
            return int(facts["usage_usec"]) / 1e6
    return 0.0


class _Memory:
    """Looks at a group's memory in a thread of its own for as long as the `with` lasts; *peak* in bytes."""

    def __init__(self, layout: cgroup.Layout, owner: str, group: str) -> None:
        self.peak = 0
        self._where = (layout, owner, group)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE):
            self.peak = max(self.peak, cgroup.memory_in_use(*self._where))


def machine() -> str:
    """This machine in a line: cores, processor, memory, kernel, system."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = next((line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")), "")
    total = int(Path("/proc/meminfo").read_text().split()[1]) / 1024 / 1024
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    system = release.get("PRETTY_NAME", "").strip('"')
    return f"{os.cpu_count()} cores ({model or os.uname().machine}), {total:.1f} GiB, Linux {os.uname().release}, {system}"
