"""Control groups: every process of a lab is in /lading-lab/NAME/…, on cgroup v1 and v2.

Version 1 has a tree per controller; version 2 has one, in which a group with processes cannot give
controllers to its children, so that a host's processes go into its sub-group `init`.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabError
from labkit.process import signal_quietly, wait_until

TOP = "lading-lab"
V1_FLAGS = frozenset({"rw", "ro", "relatime", "noatime", "nosuid", "nodev", "noexec", "clone_children", "xattr"})
V2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids")
V2_INNER = "init"


@dataclass(frozen=True, slots=True)
class Mount:
    """One cgroup file system: its type, the options that select it, and where it is."""

    fstype: str
    options: str
    path: Path


@dataclass(frozen=True, slots=True)
class Layout:
    """How cgroups are mounted on a machine."""

    version: int
    mounts: tuple[Mount, ...]

    def host_mounts(self) -> str:
        """The mounts a host makes for itself, one a line: type, options, folder below /sys/fs/cgroup."""
        if self.version == 2:
            return "cgroup2 - .\n"
        return "".join(f"cgroup {mount.options} {mount.path.name}\n" for mount in self.mounts)


def choose_layout(mounts_text: str) -> Layout:
    """The layout told by /proc/self/mounts: v2 if it is mounted as /sys/fs/cgroup, else all v1 trees."""
    found: list[Mount] = []
    for line in mounts_text.splitlines():
        _, target, fstype, options = line.split(" ")[:4]
        if fstype == "cgroup2" and target == "/sys/fs/cgroup":
            return Layout(2, (Mount("cgroup2", "-", Path(target)),))
        if fstype == "cgroup":
            found.append(Mount("cgroup", v1_options(options), Path(target)))
    if not found:
        raise LabError("no cgroups are mounted under /sys/fs/cgroup")
    return Layout(1, tuple(found))


def v1_options(options: str) -> str:
    """The words of a v1 mount that select its tree: 'cpu,cpuacct' or 'none,name=systemd'."""
    words = [word for word in options.split(",") if word not in V1_FLAGS and not word.startswith("release_agent=")]
    return ",".join(["none", *words] if any(word.startswith("name=") for word in words) else words)


def current_layout() -> Layout:
    """The layout of this machine."""
    return choose_layout(Path("/proc/self/mounts").read_text())


def enter(layout: Layout, lab: str, group: str) -> None:
    """Put the calling process into the group, made if need be. Runs between fork and exec too."""
    for file in members(layout, lab, group):
        file.write_text(str(os.getpid()))


def members(layout: Layout, lab: str, group: str) -> list[Path]:
    """The files to which a process writes its number to be in the group, which is made if need be."""
    files = []
    for mount in layout.mounts:
        folder = mount.path / TOP / lab / group
        folder.mkdir(parents=True, exist_ok=True)
        if layout.version == 1:
            _fill_cpuset(mount.path, folder)
        else:
            _delegate(mount.path, folder.parent)
        files.append(folder / "cgroup.procs")
    return files


def _fill_cpuset(top: Path, folder: Path) -> None:
    """A v1 cpuset takes no process before it is told its CPUs and memory nodes."""
    for step in [*reversed(folder.relative_to(top).parents), folder.relative_to(top)]:
        for name in ("cpuset.cpus", "cpuset.mems"):
            file = top / step / name
            if step != Path() and file.exists() and not file.read_text().strip():
                file.write_text((file.parent.parent / name).read_text())


def _delegate(top: Path, folder: Path) -> None:
    """A v2 group hands each controller down, step by step."""
    for step in [*reversed(folder.relative_to(top).parents), folder.relative_to(top)]:
        available = (top / step / "cgroup.controllers").read_text().split()
        wanted = " ".join(f"+{name}" for name in V2_CONTROLLERS if name in available)
        (top / step / "cgroup.subtree_control").write_text(wanted)


def move_out(layout: Layout, lab: str, pid: int) -> None:
    """On v2, take a host's outer process (the parent of its PID 1) out of the host's group."""
    if layout.version == 2:
        folder = layout.mounts[0].path / TOP / lab / "outer"
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.procs").write_text(str(pid))


def leaf(layout: Layout, host: str) -> str:
    """The group in which a host's own processes are."""
    return f"{host}/{V2_INNER}" if layout.version == 2 else host


def inside(lab: str, own_cgroups: str) -> bool:
    """Is the process whose /proc/PID/cgroup this is one of the lab's?"""
    return any(f"/{TOP}/{lab}/" in f"{line}/" for line in own_cgroups.splitlines())


def processes(layout: Layout, lab: str, group: str = "") -> Iterator[int]:
    """All processes in the group and below it."""
    for mount in layout.mounts:
        for folder, _, _ in os.walk(mount.path / TOP / lab / group):  # which does not mind that one of them goes
            try:
                yield from (int(pid) for pid in Path(folder, "cgroup.procs").read_text().split())
            except OSError:
                continue


def kill_all(layout: Layout, lab: str, group: str = "") -> None:
    """Kill -9 whatever is in the group, until it is empty. The caller itself is spared."""

    def empty() -> bool:
        left = set(processes(layout, lab, group)) - {os.getpid(), 0}
        for pid in left:
            signal_quietly(pid)
        return not left

    wait_until(empty, f"end of all processes of {lab} {group}".strip(), 20)


def remove(layout: Layout, lab: str, group: str = "") -> None:
    """Remove the (empty) group and all below it; the kernel may need a moment to let go."""
    deadline = time.monotonic() + 10
    for mount in layout.mounts:
        top = mount.path / TOP / lab / group
        while top.exists():
            try:
                for folder, _, _ in os.walk(top, topdown=False):
                    Path(folder).rmdir()
            except FileNotFoundError:
                continue
            except OSError as error:
                if time.monotonic() > deadline:
                    raise LabError(f"cgroup not removed: {error}") from None
                time.sleep(0.02)
        with contextlib.suppress(OSError):  # other labs may be in it
            (mount.path / TOP).rmdir()


def memory_in_use(layout: Layout, lab: str, group: str) -> int:
    """Bytes of anonymous memory of the group and all below it."""
    for mount in layout.mounts:
        file = mount.path / TOP / lab / group / "memory.stat"
        if file.exists():
            facts = dict(line.split(" ") for line in file.read_text().splitlines())
            return int(facts.get("total_rss") or facts.get("anon") or 0)
    return 0
