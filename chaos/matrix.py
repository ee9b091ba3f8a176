"""make chaos: every fault in every phase where it can matter, random strikes, a row of kills; writes docs/reliability.md.

    python chaos/matrix.py [--fault NAME,…] [--phase NAME,…] [--keepalive fast|default|both] [--lanes N] [--random N]
                           [--kills N] [--seed N] [--fast] [--continue]

Every cell is tried at a keepalive of one second; those of the link's faults at lading's own, too. With --keepalive default
the faults that are named are tried at that alone, or the link's where none is. --kills N is the row of kills alone.
Each cell is noted in dist/chaos.jsonl as it ends: with --continue the cells noted there are not run again.
"""

import argparse
import dataclasses
import json
import os
import queue
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import get_args

import cell
import kills
import reliability
from faults import FAULTS, Fault
from phases import PHASES, Phase
from scene import Red, Scene

ROOT = Path(__file__).resolve().parents[1]
KILLS = 20  # in a row
Pair = tuple[Fault, Phase]
Note = Callable[[int, cell.Cell], None]
Job = Callable[[Scene], None]


def pairs(faults: Sequence[str] = (), phases: Sequence[str] = (), *, fast: bool = False) -> list[Pair]:
    """The cells of the matrix, those of one phase together."""
    return [(fault, phase) for phase in PHASES for fault in FAULTS
            if phase.name in ((fault.fast,) if fast else fault.phases)
            and (not faults or fault.name in faults) and (not phases or phase.name in phases)]


def slow_pairs(chosen: Sequence[Pair], *, named: bool) -> list[Pair]:
    """Those of *chosen* that are tried at the default keepalive too; *named*: all, for somebody has asked for them."""
    return [(fault, phase) for fault, phase in chosen if named or phase.name in fault.slow]


def at_random(count: int, seed: int) -> list[Pair]:
    """*count* cells by chance, the same for the same seed; in an order that no cell is used to."""
    return random.Random(seed).choices(pairs(), k=count)


@dataclass(frozen=True, slots=True)
class Programme:
    """What is to be tried: cells at either keepalive, random strikes, a row of kills."""

    fast: Sequence[Pair]
    slow: Sequence[Pair]
    strikes: Sequence[Pair]
    kills: int
    seed: int

    @property
    def cells(self) -> list[tuple[Pair, cell.Keepalive]]:
        """All cells, in the order of their numbers; the kills have those that follow."""
        fast: list[tuple[Pair, cell.Keepalive]] = [(pair, "fast") for pair in self.fast]
        slow: list[tuple[Pair, cell.Keepalive]] = [(pair, "default") for pair in self.slow]
        return [*fast, *slow, *((pair, "fast") for pair in self.strikes)]

    @property
    def count(self) -> int:
        """How many there are, each kill counted."""
        return len(self.cells) + self.kills

    def jobs(self, notes: "Notes", note: Note) -> list[Job]:
        """What is left to do: the cells that are not noted, or red; the kills, if the row is not whole."""
        cells = self.cells
        left = [at for at in range(self.count) if at not in notes.cells or notes.cells[at].red]
        jobs: list[Job] = [partial(try_cell, at, *cells[at], note) for at in left if at < len(cells)]
        if any(at >= len(cells) for at in left):
            jobs.append(partial(self._kill, note))
        return jobs

    def _kill(self, note: Note, scene: Scene) -> None:
        numbers = iter(range(len(self.cells), self.count))
        try:
            kills.row(scene, self.kills, self.seed, lambda one: note(next(numbers), one))
        except Red as wrong:
            note(next(numbers), cell.Cell(kills.KILLED, "before the first", "", "", 0.0, str(wrong)))

    def shown(self, notes: "Notes", seconds: float) -> reliability.Tried:
        """What was tried so far, sorted for the page."""
        ends = [len(self.fast), len(self.fast) + len(self.slow), len(self.cells), self.count]
        fast, slow, strikes, killed = (
            [notes.cells[at] for at in range(begin, end) if at in notes.cells]
            for begin, end in zip([0, *ends], ends, strict=False))
        return reliability.Tried(fast, slow, strikes, killed, self.count, self.kills, self.seed, seconds)


def try_cell(at: int, pair: Pair, keepalive: cell.Keepalive, note: Note, scene: Scene) -> None:
    """Run a cell, and note it by its number."""
    note(at, cell.run(scene, *pair, keepalive))


def in_lanes(jobs: Sequence[Job], lanes: int) -> None:
    """Do the jobs, each lane in a lab of its own."""
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)

    def lane(number: int) -> None:
        scene = Scene(f"chaos-{os.getpid()}-{number}")
        try:
            scene.up()
            while True:
                try:
                    job = waiting.get_nowait()
                except queue.Empty:
                    return
                job(scene)
        finally:
            scene.down()

    threads = [threading.Thread(target=lane, args=(number,)) for number in range(min(lanes, len(jobs)))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:  # each lane ends its cell and takes its lab down
        print("stopping after the cells that are under way", flush=True)
        while not waiting.empty():
            waiting.get_nowait()
        for thread in threads:
            thread.join()


@dataclass
class Notes:
    """The cells that ended, by number, in a file that survives the run; *seed* of what is random, *seconds* it all took."""

    path: Path
    seed: int
    seconds: float = 0.0
    cells: dict[int, cell.Cell] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)

    @classmethod
    def opened(cls, path: Path, seed: int, *, anew: bool) -> "Notes":
        """The notes of the run before, or none."""
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() and not anew else []
        made = cls(path, lines[0]["seed"] if lines else seed, lines[-1]["seconds"] if lines else 0.0)
        made.cells = {line["at"]: cell.Cell(**line["cell"]) for line in lines}
        path.parent.mkdir(exist_ok=True)
        if anew:
            path.unlink(missing_ok=True)
        return made

    @property
    def elapsed(self) -> float:
        """Seconds that all runs together have taken."""
        return self.seconds + time.monotonic() - self.begun

    def note(self, at: int, one: cell.Cell) -> None:
        """A cell has ended."""
        self.cells[at] = one
        line = {"at": at, "seed": self.seed, "seconds": self.elapsed, "cell": dataclasses.asdict(one)}
        with self.path.open("a") as out:
            out.write(json.dumps(line) + "\n")
        print(reliability.line(one, len(self.cells)), flush=True)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("fault", "phase"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--keepalive", choices=(*get_args(cell.Keepalive), "both"), default="both")
    parser.add_argument("--lanes", type=int, default=3)
    parser.add_argument("--random", type=int, default=10)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--continue", action="store_true", dest="on")
    asked = parser.parse_args()
    for option, known in (("fault", FAULTS), ("phase", PHASES)):
        names = list(filter(None, getattr(asked, option).split(",")))
        there = [one.name for one in known]
        if wrong := sorted({*names} - {*there}):
            parser.error(f"--{option} {wrong[0]}: there is none; there are: {', '.join(there)}")
        setattr(asked, option, names)
    return asked


def _programme(asked: argparse.Namespace, seed: int) -> Programme:
    """The whole, or a part: without random strikes, and the row of kills only by itself."""
    chosen = pairs(asked.fault, asked.phase, fast=asked.fast)
    if asked.kills:
        return Programme((), (), (), asked.kills, seed)
    only_slow = asked.keepalive == "default"
    slow = slow_pairs(chosen, named=only_slow and bool(asked.fault)) if asked.keepalive != "fast" else []
    if not _is_part(asked):
        return Programme(chosen, slow, at_random(asked.random, seed), KILLS, seed)
    return Programme([] if only_slow else chosen, slow, (), 0, seed)


def _is_part(asked: argparse.Namespace) -> bool:
    return bool(asked.fault or asked.phase or asked.fast or asked.kills or asked.keepalive != "both")


def main() -> int:
    """The whole, or the part that was asked for; only the whole is written down."""
    asked = _asked()
    part = _is_part(asked)
    notes = Notes.opened(ROOT / "dist" / ("chaos-part.jsonl" if part else "chaos.jsonl"), asked.seed, anew=part or not asked.on)
    programme = _programme(asked, notes.seed)

    def note(at: int, one: cell.Cell) -> None:
        notes.note(at, one)
        if not part:  # also of a run that is killed the page says what was tried
            reliability.write(programme.shown(notes, notes.elapsed))

    jobs = programme.jobs(notes, note)
    print(f"{len(jobs)} jobs for {programme.count} cells (seed {notes.seed})", flush=True)
    in_lanes(jobs, asked.lanes)
    found = [notes.cells[at] for at in sorted(notes.cells)]
    red = [one for one in found if one.red]
    left = programme.count - len(found)
    print(f"{len(found) - len(red)} green, {len(red)} red, {left} not run; {time.monotonic() - notes.begun:.0f} s")
    return 1 if red or left or not programme.count else 0


if __name__ == "__main__":
    sys.exit(main())
