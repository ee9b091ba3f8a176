"""`make bench-scale`: the controller alone, against 50, 200 and 1,000 simulated hosts; writes docs/benchmarks.md and plots.

Every round runs each variant once, in random order; a run that does not end as it should on every host is reported and
never counted. Ctrl-C ends it early: what was measured so far is written.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import measure
import scale_report
from scale_report import Look, Run
from scale_scene import ROOT, VERSIONS, Scene
from scale_variants import VARIANTS, Variant

KEPT = ROOT / "docs/benchmarks/scale.json"
LIMIT = 1800  # seconds for one run


@dataclass
class Bench:
    """One whole bench: the scene, and what was found so far."""

    scene: Scene
    runs: list[Run] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    at: dict[tuple[str, int], str] = field(default_factory=dict)  # (variant, size) → its version now

    def one(self, variant: Variant, size: int, *, counts: bool = True) -> None:
        """One run, from one version to the other; no host has the image before."""
        before = self.at.get((variant.name, size), VERSIONS[1])
        version = self.at[variant.name, size] = VERSIONS[1 - VERSIONS.index(before)]
        app = variant.app.format(size=size)
        self.scene.forget_images()
        servers = self.scene.servers_cpu()
        done = self.scene.run(variant.argv(self.scene, size, version), {**variant.environment, **variant.home(self.scene, size)}, LIMIT)
        servers = self.scene.servers_cpu() - servers
        complaints = [f"status {done.status}" if done.status else "", variant.wrong(done, size),
                self.scene.wrong(app, size, version)]
        run = Run(variant.name, size, done.wall, done.cpu, done.memory, servers)
        wrong = "; ".join(filter(None, complaints))
        if wrong:
            self.wrong.append(f"{run.words()}: {wrong}; {(done.errors or done.output).strip()[-300:]}")
        elif counts:
            self.runs.append(run)
        said = f"WRONG: {self.wrong[-1]}" if wrong else f"{'counts' if counts else 'warm-up'}: {run.words()}"
        print(said, file=sys.stderr, flush=True)

    def begin(self, variant: Variant, size: int) -> None:
        """The first deployment of lading's app, which leaves nothing to upgrade and does not count; and its history."""
        app = variant.app.format(size=size)
        if variant.long_history:
            self.scene.remember_deployments(app)
        self.one(variant, size, counts=False)
        if variant.long_history:
            self.scene.lengthen_journals(app, size)

    def look(self, variant: Variant, size: int) -> None:
        """`lading where` of lading's app, and two looks in one process."""
        app, to = variant.app.format(size=size), variant.destination.format(size=size)
        home = variant.home(self.scene, size)
        whole = self.scene.run(["lading", "where", app, "--to", to, "--json"], home, LIMIT)
        twice = self.scene.run([sys.executable, str(self.scene.folder / "bin/look.py"), app, to], home, LIMIT)
        try:
            states, found = [row["state"] for row in json.loads(whole.output)], json.loads(twice.output)
        except (ValueError, TypeError):  # what went wrong, in place of rows
            states, found = [], {}
        if not states == found.get("states cold") == found.get("states open") == ["healthy"] * size:
            self.wrong.append(f"where over {size} hosts: {(whole.errors + twice.errors).strip()[-300:] or 'not all are healthy'}")
            return
        self.looks.append(Look(size, whole.wall, whole.cpu, whole.memory, found["cold"], found["open"], variant.name))
        print(self.looks[-1].words(), file=sys.stderr, flush=True)


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="make bench-scale", description=__doc__)
    parser.add_argument("--hosts", type=measure.numbers, default="50,200,1000", help="numbers of hosts, by comma (50,200,1000)")
    parser.add_argument("--repeat", type=measure.rounds, default=3, help="rounds for each number of hosts (3)")
    parser.add_argument("--looks", type=measure.numbers, default="200", help="numbers of hosts for `lading where`, by comma (200)")
    parser.add_argument("--only", default="", help="variants, by comma; the page is not written then")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the order of runs")
    parser.add_argument("--redraw", action="store_true", help="write the page again from docs/benchmarks/scale.json")
    return parser.parse_args()


def measured(asked: argparse.Namespace, bench: Bench, numbers: list[int], variants: list[Variant]) -> None:
    """All rounds; the first run of each cell puts the first version there and does not count."""
    chance = random.Random(asked.seed)
    cells = [(variant, size) for size in numbers for variant in variants if size <= variant.upto]
    for variant, size in cells:
        if variant.app:
            bench.begin(variant, size)
    for _ in range(asked.repeat):
        todo: list[Callable[[], None]] = [partial(bench.one, variant, size) for variant, size in cells]
        todo += [partial(bench.look, variant, size) for variant, size in cells if variant.app and size in asked.looks]
        chance.shuffle(todo)
        for run in todo:
            run()


def main() -> int:
    """Measure, and write the page."""
    asked = options()
    if asked.redraw:
        scale_report.write(json.loads(KEPT.read_text()))
        return 0
    numbers: list[int] = asked.hosts
    named = measure.variants(asked.only, [v.name for v in VARIANTS])
    variants = [v for v in VARIANTS if v.name in named]
    print(f"seed {asked.seed}", file=sys.stderr)
    begun, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="lading-scale-"))
    folder.chmod(0o755)
    bench = Bench(Scene(folder, numbers))
    try:
        bench.scene.up()
        try:
            measured(asked, bench, numbers, variants)
        except KeyboardInterrupt:
            print("stopped: the page is written from the runs so far", file=sys.stderr)
    finally:
        bench.scene.down()
        shutil.rmtree(folder, ignore_errors=True)
    found: dict[str, Any] = {
        "seed": asked.seed, "repeat": asked.repeat, "seconds": time.monotonic() - begun, "wrong": bench.wrong,
        "command": " ".join(["bench/scale_bench.py", *sys.argv[1:]]), "machine": measure.machine(), "versions": scale_report.versions(),
        "runs": [asdict(run) for run in bench.runs], "looks": [asdict(look) for look in bench.looks],
    }
    kept = KEPT if not asked.only else Path(tempfile.gettempdir()) / "scale-runs.json"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(found, indent=1) + "\n")
    if not asked.only:
        scale_report.write(found)
    print(scale_report.summary(found), file=sys.stderr)
    return 1 if bench.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
