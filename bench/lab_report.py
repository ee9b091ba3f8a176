"""The page and the plots of `make bench`, from its runs."""

import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any

import document
import lab_variants
import plot

if TYPE_CHECKING:
    from lab_scene import Scene

FOLDER = document.PAGE.parent / "benchmarks"
PHASES = ("start and end", "prepare", "lease", "stage", "roll", "commit", "between")
MIB = 1 / 2**20
PLOTS = {
    "wall": ("Until the new version is healthy on all hosts (image present)", "s", 1.0),
    "cpu": ("CPU of the controller (image present)", "s", 1.0),
    "memory": ("Peak memory of the controller (image present)", "MiB", MIB),
}


@dataclass(frozen=True, slots=True)
class Run:
    """One run that ended as it should: seconds, bytes; *phases* of lading, name → seconds.

    *hosts_resting*: what the hosts took in each second before it, with the app healthy and nothing else to do.
    """

    variant: str
    hosts: int
    present: bool
    wall: float
    cpu: float
    memory: int
    hosts_cpu: float
    phases: Mapping[str, float] = field(default_factory=dict)
    hosts_resting: float = 0.0

    @property
    def hosts_work(self) -> float:
        """Seconds of the hosts' CPU without what they would have taken anyway: health checks, most of all."""
        return max(0.0, self.hosts_cpu - self.hosts_resting * self.wall)


def phases(timings: Mapping[str, Any], wall: float) -> dict[str, float]:
    """Where one run's wall time went, from `lading show --timings --json`: of each phase its slowest host.

    The phases on the hosts come one after the other for all of them, so the slowest host's times add up; what is between
    them (the ledger, judging, the last host) is "between", what is outside the command's own clock "start and end".
    """
    slowest = {phase: max((host.get(phase, 0.0) for host in timings["hosts"].values()), default=0.0)
               for phase in ("lease", "stage", "roll", "commit")}
    inside = timings["total"] - timings["prepare"] - sum(slowest.values())
    found = {"start and end": max(0.0, wall - timings["total"]), "prepare": timings["prepare"], **slowest, "between": max(0.0, inside)}
    return {name: round(found[name], 3) for name in PHASES}


def select(runs: Sequence[Run], variant: str, hosts: int, present: bool) -> list[Run]:
    """The runs of one cell."""
    return [run for run in runs if (run.variant, run.hosts, run.present) == (variant, hosts, present)]


def wall_table(runs: Sequence[Run], numbers: Sequence[int], present: bool) -> str:
    """Wall seconds, a column for each number of hosts, and beside it what multiple of the cold floor it is."""
    head = ["variant"] + [word for number in numbers for word in (f"{hosts_text(number)}, s", "of cold ssh")]
    rows = []
    for variant in lab_variants.VARIANTS:
        row = [variant.name]
        for number in numbers:
            mine, floor = select(runs, variant.name, number, present), select(runs, "ssh cold", number, present)
            row += [document.figure([run.wall for run in mine]).text() if mine else "-", ratio(mine, floor)]
        rows.append(row)
    return document.table(head, rows)


def ratio(mine: Sequence[Run], others: Sequence[Run]) -> str:
    """"1.08": the median wall of some runs over that of others."""
    if not mine or not others:
        return "-"
    return f"{statistics.median(run.wall for run in mine) / statistics.median(run.wall for run in others):.2f}"


def cost_table(runs: Sequence[Run], numbers: Sequence[int], present: bool) -> str:
    """Controller CPU, peak memory and the hosts' CPU."""
    most = hosts_text(numbers[-1])
    head = ["variant"] + [f"controller CPU, {hosts_text(n)}, s" for n in numbers] + [
        f"peak memory, {most}, MiB", f"hosts' CPU, {most}, s", f"hosts' CPU but for health checks, {most}, s"]
    rows = []
    for variant in lab_variants.VARIANTS:
        cells = [select(runs, variant.name, number, present) for number in numbers]
        rows.append([variant.name, *(document.figure([r.cpu for r in cell]).text() if cell else "-" for cell in cells),
                     document.figure([r.memory for r in cells[-1]]).text(0, MIB) if cells[-1] else "-",
                     document.figure([r.hosts_cpu for r in cells[-1]]).text(1) if cells[-1] else "-",
                     document.figure([r.hosts_work for r in cells[-1]]).text(1) if cells[-1] else "-"])
    return document.table(head, rows)


def medians(runs: Sequence[Run], number: int, present: bool) -> dict[str, float]:
    """lading's phases, the median of each."""
    cell = select(runs, "lading", number, present)
    return {name: statistics.median(run.phases[name] for run in cell) for name in PHASES} if cell else {}


def hosts_text(number: int) -> str:
    """"1 host", "3 hosts"."""
    return f"{number} host" + ("" if number == 1 else "s")


FLOOR = {1: 1.05, 3: 1.10, 10: 1.20}
"""Hosts → the most of the cold floor's wall that is aimed at, with the image present."""
HOSTS_CPU = 1.35  # the most of the floor's, where the host's `config` is left out
FASTER = (("ansible default", 5), ("ansible tuned", 2))


def aims_table(runs: Sequence[Run], numbers: Sequence[int]) -> str:
    """What was aimed at and what came out, missed or not."""
    rows = []
    for number in numbers:
        mine, floor = select(runs, "lading", number, True), select(runs, "ssh cold", number, True)
        if not mine or not floor:
            continue
        if number in FLOOR:
            found = _median(mine, "wall") / _median(floor, "wall")
            rows.append([f"{hosts_text(number)}: at most {FLOOR[number]:.2f} of the cold floor's wall", _judged(found, FLOOR[number])])
        found = _median(mine, "hosts_work") / _median(floor, "hosts_work")
        rows.append([f"{hosts_text(number)}: at most {HOSTS_CPU} of the floor's CPU on hosts, health checks left out", _judged(found, HOSTS_CPU)])
    for name, times in FASTER:
        mine, others = select(runs, "lading", numbers[-1], True), select(runs, name, numbers[-1], True)
        if mine and others:
            found = _median(others, "wall") / _median(mine, "wall")
            said = f"{found:.1f} times: {'reached' if found >= times else '**missed**'}"
            rows.append([f"{hosts_text(numbers[-1])}: {times} times faster than {name}", said])
    return document.table(["aim, image present", "found"], rows)


def _median(cell: Sequence[Run], name: str) -> float:
    found: float = statistics.median(getattr(run, name) for run in cell)
    return found


def _judged(found: float, limit: float) -> str:
    return f"{found:.2f}: {'reached' if found <= limit else '**missed**'}"


def counts(runs: Sequence[Run]) -> str:
    """How many runs stand behind the medians."""
    cells: dict[tuple[str, int, bool], int] = {}
    for run in runs:
        cells[run.variant, run.hosts, run.present] = cells.get((run.variant, run.hosts, run.present), 0) + 1
    low, high = min(cells.values()), max(cells.values())
    return f"{len(runs)} runs, {low if low == high else f'{low} to {high}'} behind each median."


def versions(scene: "Scene") -> dict[str, str]:
    """The versions of all that took part."""
    host = scene.hosts[0]
    said = scene.each([host], "ssh -V 2>&1; docker version -f '{{.Server.Version}}'; docker compose version --short")[host].splitlines()
    bench = metadata.distributions(path=[str(p) for p in (document.PAGE.parents[1] / ".venv-bench/lib").glob("python*/site-packages")])
    found = {d.metadata["Name"].lower(): d.version for d in bench}
    return {"lading": metadata.version("lading"), "CPython": platform.python_version(), "asyncssh": metadata.version("asyncssh"),
            "OpenSSH": re.sub(r"^OpenSSH_(\S+).*", r"\1", said[0]).rstrip(","), "Docker Engine": said[1], "Docker Compose": said[2],
            "ansible-core": found.get("ansible-core", "?"), "ansible": found.get("ansible", "?")}


def summary(found: Mapping[str, Any]) -> str:
    """The tables as text, for the terminal."""
    runs = [Run(**run) for run in found["runs"]]
    numbers = sorted({run.hosts for run in runs})
    parts = [part for present in (True, False) for part in (f"present={present}", wall_table(runs, numbers, present), cost_table(runs, numbers, present),
             *(f"{number}: {medians(runs, number, present)}" for number in numbers))]
    return "\n".join([*parts, *found["wrong"], f"{found['seconds']:.0f} s"])


def draw(runs: Sequence[Run], numbers: Sequence[int]) -> None:
    """The plots, into docs/benchmarks/."""
    FOLDER.mkdir(exist_ok=True)
    for name, (title, unit, factor) in PLOTS.items():
        panels = {}
        for number in numbers:
            bars = []
            for variant in lab_variants.VARIANTS:
                cell = [getattr(run, name) * factor for run in select(runs, variant.name, number, True)]
                if cell:
                    one = document.figure(cell)
                    bars.append(plot.Bar(variant.name, one.median, one.low, one.high, variant.name == "lading"))
            panels[hosts_text(number)] = bars
        (FOLDER / f"lab-{name}.svg").write_text(plot.bars(title, unit, panels))
    rows = {f"{hosts_text(n)}{'' if p else ', pull'}": medians(runs, n, p) for n in numbers for p in (True, False)}
    shown = plot.stacks("Where lading's time goes", "s", {name: row for name, row in rows.items() if row})
    (FOLDER / "lab-phases.svg").write_text(shown)


def write(found: Mapping[str, Any]) -> None:
    """The section `lab` of docs/benchmarks.md, and the plots."""
    runs = [Run(**run) for run in found["runs"]]
    numbers = sorted({run.hosts for run in runs})
    draw(runs, numbers)
    document.put("lab", section(found, runs, numbers))


def section(found: Mapping[str, Any], runs: Sequence[Run], numbers: Sequence[int]) -> str:
    """The text of the section."""
    rows = [[hosts_text(n), "present" if p else "not present", *(f"{medians(runs, n, p)[name]:.2f}" for name in PHASES)]
            for n in numbers for p in (True, False) if medians(runs, n, p)]
    notes = document.PAGE.parents[1] / "bench" / "lab_notes.md"
    return f"""## A deployment, beside the alternatives
Made by `make bench` (here: `{found['command']}`, seed {found['seed']}, {found['seconds'] / 60:.0f} minutes). **Ratios count, seconds do not**: controller and hosts share one machine, so the seconds contain
the hosts' own work, and the machine may have had other work too.

{aims_table(runs, numbers)}
![wall time](benchmarks/lab-wall.svg)

### Wall time, image present on the hosts
Seconds, median (lowest-highest); beside it the ratio of the medians to `ssh cold`.

{wall_table(runs, numbers, True)}
### Wall time, image not present (a 4 MB layer is pulled)
{wall_table(runs, numbers, False)}
### What it costs
Image present; CPU and peak anonymous memory of all processes of the variant on the controller together.

{cost_table(runs, numbers, True)}
![controller CPU](benchmarks/lab-cpu.svg)

![peak memory](benchmarks/lab-memory.svg)

### Where lading's time goes
From `lading show DEPLOYMENT --timings --json`, seconds, of each phase the slowest host, medians. "prepare" reads and resolves the project, asks the registry and looks at the
hosts; "start and end" is the interpreter and what is outside the command's own clock. `roll` holds `docker compose up` and the first health check after 1 s.

{document.table(["hosts", "image", *PHASES], rows)}
![phases](benchmarks/lab-phases.svg)

{notes.read_text().strip() if notes.exists() else ""}

{method(found)}"""


def method(found: Mapping[str, Any]) -> str:
    """How it was measured, for whoever doubts it."""
    wrong = "\n".join(f"- {line.splitlines()[0]}" for line in found["wrong"]) or "None."
    return f"""### How it was measured
- The variants: {"; ".join(f"**{v.name}**: {v.what}" for v in lab_variants.VARIANTS)}.
- One service ([bench/app](../bench/app/docker-compose.yml)) with a health check every second; the old version runs healthy, the run ends when the new one is healthy on all hosts. Afterwards Docker and
  HTTP must say so on every host; a run where they do not is not counted, but listed here. Wrong runs: {wrong}
- {counts([Run(**run) for run in found["runs"]])} Each of {found['repeat']} rounds for each number of hosts runs every variant with the image present and without, in random order. Between runs the hosts are brought back to rest (not measured).
- Every run has control groups of its own: CPU is what the kernel charged to them, memory is sampled every 30 ms. The processes behind warm ControlMaster connections are not in it. Hosts' CPU is all that
  the hosts' control groups took meanwhile. In each round it is measured for three seconds what they take with the app healthy and nothing to do, which is health checks most of all; "but for health checks" is without as
  much for each second of the run.
- The playbooks log in, copy, pull, start and clean up as in the article; the raw variants find file and login on the hosts; lading logs in, uploads and pulls by itself, and its ledger is a SQLite file.
- A cold OpenSSH client spends most of its CPU on its default key exchange; asyncssh takes curve25519. That part of "less CPU than ssh" is the key exchange.
- Machine: {found['machine']}. Versions: {", ".join(f"{name} {version}" for name, version in found['versions'].items())}.
"""
