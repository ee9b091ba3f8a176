"""`make bench`: lading beside what people would use instead, in the lab; writes docs/benchmarks.md and its plots.

Every round runs each variant once, in random order, on the same hosts; a run that does not end in the new version on
every host is reported and never counted. Ctrl-C ends it early: what was measured so far is written.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import lab_report
import measure
from lab_report import Run
from lab_scene import BENCH, ROOT, Scene
from lab_variants import VARIANTS, Variant

RESTING = 3.0  # seconds


@dataclass
class Bench:
    """One whole bench: what was asked for, and the runs so far."""

    scene: Scene
    keep: Path
    runs: list[Run] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    resting: float | None = None
    """Seconds of CPU that the hosts of this round take in each second with nothing to do; None = not measured yet."""

    def round(self, hosts: Sequence[str], chance: random.Random, variants: Sequence[Variant]) -> None:
        """Each variant once with the image present and once without, all in random order."""
        cells = [(variant, present) for variant in variants for present in (True, False)]
        chance.shuffle(cells)
        self.resting = None
        for variant, present in cells:
            self.one(variant, hosts, present)

    def one(self, variant: Variant, hosts: Sequence[str], present: bool) -> None:
        """One run, from the old version at rest to the new one verified."""
        version = self.scene.start(variant.project, hosts, present=present)
        argv = self.scene.argv(variant.argv(self.scene, hosts, version))
        if self.resting is None:
            self.resting = self.rest(hosts)
        before = self.scene.host_cpu(hosts)
        done = measure.run(argv, owner=self.scene.lab.name, group="bench", env=self.scene.environment() | dict(variant.environment))
        after = self.scene.host_cpu(hosts)
        name = f"{variant.name}, {len(hosts)} hosts, image {'present' if present else 'not present'}"
        wrong = self.scene.wrong(variant.project, hosts, version)
        if done.status or wrong:
            self.wrong.append(f"{name}: status {done.status}; {wrong or 'hosts as wanted'}; {(done.errors or done.output).strip()[-300:]}")
            print("WRONG", self.wrong[-1], file=sys.stderr, flush=True)
            self.mend(variant.project, hosts, version)
            return
        phases = lab_report.phases(self._timings(done.output), done.wall) if variant.name == "lading" else {}
        run = Run(variant.name, len(hosts), present, done.wall, done.cpu, done.memory, after - before, phases, self.resting)
        self.runs.append(run)
        print(f"{name}: {run.wall:.2f} s, CPU {run.cpu:.2f} s, {run.memory / 2**20:.0f} MiB, hosts {run.hosts_cpu:.2f} s", file=sys.stderr, flush=True)

    def rest(self, hosts: Sequence[str]) -> float:
        """What the hosts take in each second with the old version healthy and nothing to do."""
        began, before = time.monotonic(), self.scene.host_cpu(hosts)
        time.sleep(RESTING)
        return (self.scene.host_cpu(hosts) - before) / (time.monotonic() - began)

    def mend(self, project: str, hosts: Sequence[str], version: str) -> None:
        """After a wrong run: bring all hosts to the version that was wanted, so that the next run can start."""
        variant = next(v for v in VARIANTS if v.project == project and v.name in ("lading", "ssh warm"))
        measure.run(self.scene.argv(variant.argv(self.scene, hosts, version)), owner=self.scene.lab.name, group="bench",
                    env=self.scene.environment())

    def _timings(self, output: str) -> dict[str, object]:
        deployment = json.loads(output)["deployment"]
        shown = self.scene.json("lading", "show", deployment, "--timings", "--json")
        assert isinstance(shown, dict)
        timings: dict[str, object] = shown["timings"]
        return timings


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--hosts", type=measure.numbers, default="1,3,10", help="numbers of hosts, by comma (1,3,10)")
    parser.add_argument("--repeat", type=measure.rounds, default=3, help="rounds for each number of hosts (3)")
    parser.add_argument("--only", default="", help="variants, by comma; the page is not written then")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the order of runs")
    parser.add_argument("--lab", default="bench", help="the lab's name (bench)")
    parser.add_argument("--keep-lab", action="store_true", help="leave the lab up; the next run takes it over")
    parser.add_argument("--redraw", action="store_true", help="write the page again from docs/benchmarks/lab.json")
    return parser.parse_args()


def main() -> int:
    """Measure, and write the page."""
    asked = options()
    if asked.redraw:
        lab_report.write(json.loads((ROOT / "docs/benchmarks/lab.json").read_text()))
        return 0
    numbers: list[int] = asked.hosts
    named = measure.variants(asked.only, [v.name for v in VARIANTS])
    variants = [v for v in VARIANTS if v.name in named]
    print(f"seed {asked.seed}", file=sys.stderr)
    begun = time.monotonic()
    bench = Bench(Scene(asked.lab, max(numbers)), BENCH)
    try:
        bench.scene.up()
        rounds = [number for number in numbers for _ in range(asked.repeat)]
        chance = random.Random(asked.seed)
        chance.shuffle(rounds)
        try:
            for number in rounds:
                bench.round(bench.scene.hosts[:number], chance, variants)
        except KeyboardInterrupt:
            print("stopped: the page is written from the runs so far", file=sys.stderr)
        found = {"seed": asked.seed, "repeat": asked.repeat, "seconds": time.monotonic() - begun, "wrong": bench.wrong,
                 "command": " ".join(["bench/lab_bench.py", *sys.argv[1:]]), "machine": measure.machine(),
                 "versions": lab_report.versions(bench.scene), "runs": [asdict(run) for run in bench.runs]}
    finally:
        if not asked.keep_lab:
            bench.scene.down()
    kept = ROOT / "docs/benchmarks/lab.json" if not asked.only else Path(tempfile.gettempdir()) / f"{asked.lab}-runs.json"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(found, indent=1) + "\n")
    if not asked.only:
        lab_report.write(found)
    print(lab_report.summary(found), file=sys.stderr)
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
