"""make chaos: every fault in every phase where it can matter, then random strikes; writes docs/reliability.md.

    python chaos/matrix.py [--fault NAME,…] [--phase NAME,…] [--lanes N] [--random N] [--seed N] [--fast] [--continue]

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
from pathlib import Path

import cell
import reliability
from faults import FAULTS, Fault
from phases import PHASES, Phase
from scene import Scene

ROOT = Path(__file__).resolve().parents[1]
Pair = tuple[Fault, Phase]


def pairs(faults: Sequence[str] = (), phases: Sequence[str] = (), *, fast: bool = False) -> list[Pair]:
    """The cells of the matrix, those of one phase together."""
    return [(fault, phase) for phase in PHASES for fault in FAULTS
            if phase.name in ((fault.fast,) if fast else fault.phases)
            and (not faults or fault.name in faults) and (not phases or phase.name in phases)]


def at_random(count: int, seed: int) -> list[Pair]:
    """*count* cells by chance, the same for the same seed; in an order that no cell is used to."""
    return random.Random(seed).choices(pairs(), k=count)


def in_lanes(cells: Sequence[tuple[int, Pair]], lanes: int, note: Callable[[int, cell.Cell], None]) -> None:
    """Run the numbered cells, each lane in a lab of its own; *note* is told of each as it ends."""
    waiting: queue.SimpleQueue[tuple[int, Pair]] = queue.SimpleQueue()
    for numbered in cells:
        waiting.put(numbered)

    def lane(number: int) -> None:
        scene = Scene(f"chaos-{os.getpid()}-{number}")
        try:
            scene.up()
            while True:
                try:
                    at, (fault, phase) = waiting.get_nowait()
                except queue.Empty:
                    return
                note(at, cell.run(scene, fault, phase))
        finally:
            scene.down()

    threads = [threading.Thread(target=lane, args=(number,)) for number in range(min(lanes, len(cells)))]
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
    """The cells that ended, by number, in a file that survives the run; *seed* of the random ones, *seconds* it all took."""

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

    def note(self, at: int, one: cell.Cell) -> None:
        """A cell has ended."""
        self.cells[at] = one
        line = {"at": at, "seed": self.seed, "seconds": self.seconds + time.monotonic() - self.begun, "cell": dataclasses.asdict(one)}
        with self.path.open("a") as out:
            out.write(json.dumps(line) + "\n")
        print(reliability.line(one, len(self.cells)), flush=True)


def main() -> int:
    """The whole, or the part that was asked for; only the whole is written down."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("fault", "phase"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--lanes", type=int, default=3)
    parser.add_argument("--random", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--continue", action="store_true", dest="on")
    asked = parser.parse_args()
    for option, named, known in (("--fault", asked.fault, FAULTS), ("--phase", asked.phase, PHASES)):
        if wrong := sorted({*filter(None, named.split(","))} - {one.name for one in known}):
            parser.error(f"{option} {wrong[0]}: there is none; there are: {', '.join(one.name for one in known)}")
    part = bool(asked.fault or asked.phase or asked.fast)
    notes = Notes.opened(ROOT / "dist" / ("chaos-part.jsonl" if part else "chaos.jsonl"), asked.seed, anew=part or not asked.on)
    chosen = pairs(list(filter(None, asked.fault.split(","))), list(filter(None, asked.phase.split(","))), fast=asked.fast)
    every = [*chosen, *([] if part else at_random(asked.random, notes.seed))]
    todo = [(at, one) for at, one in enumerate(every) if at not in notes.cells or notes.cells[at].red]
    print(f"{len(todo)} of {len(every)} cells, {len(every) - len(chosen)} of them random (seed {notes.seed})", flush=True)

    def note(at: int, one: cell.Cell) -> None:
        notes.note(at, one)
        if not part:  # also of a run that is killed the page says what was tried
            matrix, strikes = ([one for at, one in sorted(notes.cells.items()) if (at < len(chosen)) == mine] for mine in (True, False))
            reliability.write(matrix, strikes, len(every), notes.seed, notes.seconds + time.monotonic() - notes.begun)

    in_lanes(todo, asked.lanes, note)
    found = [notes.cells[at] for at in sorted(notes.cells)]
    red = [one for one in found if one.red]
    print(f"{len(found) - len(red)} green, {len(red)} red, {len(every) - len(found)} not run; {time.monotonic() - notes.begun:.0f} s")
    return 1 if red or len(found) != len(every) else 0


if __name__ == "__main__":
    sys.exit(main())
