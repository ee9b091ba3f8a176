"""The section `scale` of docs/benchmarks.md and its plots, from the runs of `make bench-scale`."""

import platform
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import document
import plot

FOLDER = document.PAGE.parent / "benchmarks"
NOTES = document.PAGE.parents[1] / "bench/scale_notes.md"
MIB = 1 / 2**20
LADING, LONG_HISTORY = "lading", "lading after a long history"  # variants


@dataclass(frozen=True, slots=True)
class Run:
    """One run that ended as it should: seconds, bytes; *servers*: CPU of sshd, the hosts' shells and stubs."""

    variant: str
    hosts: int
    wall: float
    cpu: float
    memory: int
    servers: float

    def words(self) -> str:
        """One line for the terminal."""
        return (f"{self.variant}, {self.hosts} hosts: {self.wall:.2f} s, CPU {self.cpu:.2f} s, {self.memory * MIB:.1f} MiB, "
                f"servers' CPU {self.servers:.1f} s")


@dataclass(frozen=True, slots=True)
class Look:
    """One `lading where` over *hosts*: the whole command, and two looks in one process (seconds each)."""

    hosts: int
    wall: float
    cpu: float
    memory: int
    cold: float
    open: float
    variant: str = LADING

    def words(self) -> str:
        """One line for the terminal."""
        return (f"where, {self.variant}, {self.hosts} hosts: {self.wall:.2f} s, CPU {self.cpu:.2f} s, {self.memory * MIB:.1f} MiB; "
                f"in one process {self.cold:.2f} s, then {self.open:.2f} s")


@dataclass(frozen=True, slots=True)
class Line:
    """A least-squares line through runs: *fixed* + *slope* × hosts; *determined*: R²."""

    fixed: float
    slope: float
    determined: float


def fit(points: Sequence[tuple[float, float]]) -> Line:
    """The line through (hosts, value).

    Raises:
        ValueError: all points are at one number of hosts.
    """
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if len(set(xs)) < 2:
        raise ValueError("a line needs two different numbers of hosts")
    slope, fixed = statistics.linear_regression(xs, ys)
    return Line(fixed, slope, statistics.correlation(xs, ys) ** 2 if len(set(ys)) > 1 else 1.0)


def values(runs: Sequence[Run] | Sequence[Look], variant: str, hosts: int, name: str) -> list[float]:
    """What one cell of runs gave."""
    return [float(getattr(run, name)) for run in runs if (run.variant, run.hosts) == (variant, hosts)]


def points(runs: Sequence[Run], variant: str, name: str, factor: float = 1.0) -> list[tuple[float, float]]:
    """The median at each number of hosts."""
    sizes = sorted({run.hosts for run in runs if run.variant == variant})
    return [(size, statistics.median(values(runs, variant, size, name)) * factor) for size in sizes]


def bend(found: Sequence[tuple[float, float]]) -> float:
    """How much steeper the last stretch between two numbers of hosts is than the first; 1 = a straight line."""
    (x1, y1), (x2, y2), (x3, y3), (x4, y4) = *found[:2], *found[-2:]
    return ((y4 - y3) / (x4 - x3)) / ((y2 - y1) / (x2 - x1))


def figures(runs: Sequence[Run]) -> str:
    """The table of medians."""
    rows = []
    for variant in dict.fromkeys(run.variant for run in runs):
        for size in sorted({run.hosts for run in runs if run.variant == variant}):
            cell = {name: document.figure(values(runs, variant, size, name)) for name in ("cpu", "memory", "wall", "servers")}
            rows.append([variant, f"{size:,}", cell["cpu"].text(), cell["memory"].text(1, MIB), cell["wall"].text(),
                         cell["servers"].text(1), str(len(values(runs, variant, size, "cpu")))])
    return document.table(["variant", "hosts", "controller CPU, s", "peak memory, MiB", "wall, s", "servers' CPU, s", "runs"], rows)


def slopes(runs: Sequence[Run]) -> str:
    """The table of fitted lines, for variants that ran with several numbers of hosts."""
    rows = []
    for variant in dict.fromkeys(run.variant for run in runs):
        for name, unit, factor, each in (("cpu", "CPU", 1.0, ("s", "ms", 1000.0)), ("memory", "memory", MIB, ("MiB", "MiB", 1.0))):
            found = points(runs, variant, name, factor)
            if len(found) < 2:
                continue
            line = fit([(run.hosts, getattr(run, name) * factor) for run in runs if run.variant == variant])
            rows.append([variant, unit, f"{line.slope * each[2]:.2f} {each[1]}", f"{line.fixed:.2f} {each[0]}", f"{line.determined:.4f}",
                         f"{bend(found):.2f}" if len(found) > 2 else "-"])
    return document.table(["variant", "of", "each host", "fixed part", "R²", "last stretch : first stretch"], rows)


AIMS: Sequence[tuple[str, Callable[[Mapping[str, Line]], bool], Callable[[Mapping[str, Line]], str]]] = (
    ("CPU of each host under 10 ms", lambda f: f["cpu"].slope * 1000 < 10, lambda f: f"{f['cpu'].slope * 1000:.2f} ms"),
    ("fixed part under 1 s of CPU", lambda f: f["cpu"].fixed < 1, lambda f: f"{f['cpu'].fixed:.2f} s"),
    ("memory of each host under 0.15 MiB", lambda f: f["memory"].slope * MIB < 0.15, lambda f: f"{f['memory'].slope * MIB:.3f} MiB"),
    ("linear: R² of CPU at least 0.99", lambda f: f["cpu"].determined >= 0.99, lambda f: f"{f['cpu'].determined:.4f}"),
)


def aims(runs: Sequence[Run], looks: Sequence[Look]) -> str:
    """What was aimed at, and what came out, missed or not."""
    mine = [run for run in runs if run.variant == LADING]
    rows: list[list[str]] = []
    if len({run.hosts for run in mine}) > 1:
        lines = {name: fit([(run.hosts, getattr(run, name)) for run in mine]) for name in ("cpu", "memory")}
        sizes = sorted({run.hosts for run in mine})
        shown = AIMS if len(sizes) > 2 else AIMS[:-1]  # through two numbers of hosts every line is straight
        rows += [[f"{words} ({sizes[0]:,} to {sizes[-1]:,} hosts)", said(lines), "reached" if good(lines) else "**missed**"]
                 for words, good, said in shown]
    for name, limit, words in (("wall", 3.0, "`lading where` over 200 hosts under 3 s"), ("open", 1.0, "on open connections under 1 s")):
        found = values(looks, LADING, 200, name)
        if found:
            rows.append([words, f"{statistics.median(found):.2f} s", "reached" if statistics.median(found) < limit else "**missed**"])
    return document.table(["aim", "came out", ""], [*rows, *with_long_history(runs, looks)])


def with_long_history(runs: Sequence[Run], looks: Sequence[Look]) -> list[list[str]]:
    """How figures after a long history stand to those without, at the most hosts that both were tried on."""
    deployed = _ratios(runs, "a deployment to", {"cpu": "controller's CPU", "memory": "memory", "wall": "time", "servers": "hosts' CPU"})
    looked = _ratios(looks, "`lading where` over", {"cpu": "controller's CPU", "memory": "memory", "wall": "time"})
    return [*deployed, *looked]


def _ratios(found: Sequence[Run] | Sequence[Look], verb: str, names: Mapping[str, str]) -> list[list[str]]:
    """A row for each of the *names*: attribute → words."""
    both = set.intersection(*({one.hosts for one in found if one.variant == variant} for variant in (LADING, LONG_HISTORY)))
    if not both:
        return []
    hosts = max(both)
    rows = []
    for name, words in names.items():
        without, after = (statistics.median(values(found, variant, hosts, name)) for variant in (LADING, LONG_HISTORY))
        verdict = "reached" if after <= 1.1 * without else "**missed**"
        rows.append([f"after a long history, {verb} {hosts} hosts: {words} at most 1.10 of without", f"{after / without:.2f}", verdict])
    return rows


def looked(looks: Sequence[Look]) -> str:
    """The table of `lading where`."""
    rows = []
    for variant, size in sorted({(look.variant, look.hosts) for look in looks}):
        found = {name: document.figure(values(looks, variant, size, name)) for name in ("wall", "cpu", "memory", "cold", "open")}
        rows.append([variant, f"{size:,}", found["wall"].text(), found["cpu"].text(), found["memory"].text(1, MIB),
                     found["cold"].text(), found["open"].text()])
    return document.table(["variant", "hosts", "`lading where`: wall, s", "controller CPU, s", "peak memory, MiB", "first look in one process, s",
                           "second look, s"], rows)


def versions() -> dict[str, str]:
    """The versions of all that took part."""
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr.split(",")[0].removeprefix("OpenSSH_")
    bench = metadata.distributions(path=[str(p) for p in (document.PAGE.parents[1] / ".venv-bench/lib").glob("python*/site-packages")])
    found = {d.metadata["Name"].lower(): d.version for d in bench}
    return {"lading": metadata.version("lading"), "CPython": platform.python_version(), "asyncssh": metadata.version("asyncssh"),
            "OpenSSH": ssh, "ansible-core": found.get("ansible-core", "?")}


def draw(runs: Sequence[Run]) -> None:
    """The plots, into docs/benchmarks/."""
    FOLDER.mkdir(exist_ok=True)
    names = [v for v in dict.fromkeys(run.variant for run in runs) if len(points(runs, v, "cpu")) > 1]
    for name, title, unit, factor in (("cpu", "CPU of the controller", "s", 1.0), ("memory", "Peak memory of the controller", "MiB", MIB),
                                      ("wall", "Wall time, hosts and controller on the same cores", "s", 1.0)):
        shown = {variant: points(runs, variant, name, factor) for variant in names}
        (FOLDER / f"scale-{name}.svg").write_text(plot.lines(title, "hosts", unit, shown))


def summary(found: Mapping[str, Any]) -> str:
    """The tables as text, for the terminal."""
    runs, looks = [Run(**run) for run in found["runs"]], [Look(**look) for look in found["looks"]]
    return "\n".join([figures(runs), slopes(runs), looked(looks), aims(runs, looks), *found["wrong"], f"{found['seconds']:.0f} s"])


def write(found: Mapping[str, Any]) -> None:
    """The section `scale` of docs/benchmarks.md, and the plots."""
    draw([Run(**run) for run in found["runs"]])
    document.put("scale", section(found))


def section(found: Mapping[str, Any]) -> str:
    """The text of the section."""
    runs, looks = [Run(**run) for run in found["runs"]], [Look(**look) for look in found["looks"]]
    return f"""## The controller alone, up to {max(run.hosts for run in runs):,} hosts
Made by `make bench-scale` (here: `{found['command']}`, seed {found['seed']}, {found['seconds'] / 60:.0f} minutes). The hosts are simulated: what a deployment costs the machine that makes it is measured,
not what it costs hosts. CPU and memory carry over to real fleets; **wall time does not**, because a thousand hosts' shells share two cores with the controller here.

{aims(runs, looks)}
### A whole deployment
Median (lowest-highest); memory is anonymous memory of all processes of the variant together.

{figures(runs)}
![controller CPU](benchmarks/scale-cpu.svg)

![peak memory](benchmarks/scale-memory.svg)

### What each host adds
A least-squares line through all runs; the last column compares the slope between the two highest numbers of hosts with that between the two lowest, so 1 is a straight line.

{slopes(runs)}
![wall time](benchmarks/scale-wall.svg)

### What runs where
{looked(looks)}
{NOTES.read_text().strip() if NOTES.exists() else ""}

{method(found)}"""


def method(found: Mapping[str, Any]) -> str:
    """How it was measured, for whoever doubts it."""
    from scale_variants import VARIANTS

    wrong = "\n".join(f"- {line.splitlines()[0]}" for line in found["wrong"]) or "None."
    return f"""### How it was measured
- The variants: {"; ".join(f"**{v.name}**: {v.what}" for v in VARIANTS)}.
- Hosts are addresses of 127.0.0.0/8 in a network namespace of the bench's own, behind one sshd (MaxSessions as it comes). The address that was called chooses the home folder, so state folder, lease,
  journal and releases are each host's own. [One program](../bench/scale/engine.c) is the engine of all hosts, at `/var/run/docker.sock`: it knows from the connection by which sshd forwards a stream which host is asked,
  and answers at once, but a pull after 50 ms. `docker` and Compose's plug-in are [a stub](../bench/scale/docker.c) that answers after 50 ms; what the real Compose makes of a release is asked of it once and kept. The stub
  does not know what lading asks engines themselves, so a run in which lading falls back to docker's client is a wrong one. The registry has one
  manifest for each tag. No host has the image at the start, so every run logs in and pulls.
- {found['repeat']} rounds were asked for, and the column "runs" says how many were made; each round runs every variant once for each number of hosts, in random order. lading's first deployment of an app, which leaves nothing to upgrade, is not counted.
- A run counts if the variant says so and the hosts agree: for lading, every host succeeded, its journal ends with a commit and `ended` well, `current` and container are of the version, the lease is free. Wrong runs: {wrong}
- Every run has control groups of its own: CPU is what the kernel charged to them, memory is sampled every 30 ms. The servers have another.
- Machine: {found['machine']}. Versions: {", ".join(f"{name} {version}" for name, version in found['versions'].items())}.
"""
