"""make chaos: every fault in every phase where it can matter, then random strikes; writes docs/reliability.md.

    python chaos/matrix.py [--fault NAME,…] [--phase NAME,…] [--lanes N] [--random N] [--seed N] [--fast] [--keep]
"""

import argparse
import os
import queue
import random
import sys
import threading
import time
from collections.abc import Sequence

import cell
import reliability
from faults import FAULTS, Fault
from phases import PHASES, Phase
from scene import Scene

Pair = tuple[Fault, Phase]


def pairs(faults: Sequence[str] = (), phases: Sequence[str] = (), *, fast: bool = False) -> list[Pair]:
    """The cells of the matrix, those of one phase together."""
    return [(fault, phase) for phase in PHASES for fault in FAULTS
            if phase.name in ((fault.fast,) if fast else fault.phases)
            and (not faults or fault.name in faults) and (not phases or phase.name in phases)]


def at_random(count: int, seed: int) -> list[Pair]:
    """*count* cells by chance, the same for the same seed; in an order that no cell is used to."""
    return random.Random(seed).choices(pairs(), k=count)


def in_lanes(cells: Sequence[Pair], lanes: int, *, keep: bool = False) -> list[cell.Cell]:
    """Run the cells, each lane in a lab of its own."""
    waiting: queue.SimpleQueue[tuple[int, Pair]] = queue.SimpleQueue()
    for numbered in enumerate(cells):
        waiting.put(numbered)
    found: dict[int, cell.Cell] = {}

    def lane(number: int) -> None:
        scene = Scene(f"chaos-{os.getpid()}-{number}")
        try:
            scene.up()
            while True:
                try:
                    at, (fault, phase) = waiting.get_nowait()
                except queue.Empty:
                    return
                found[at] = cell.run(scene, fault, phase)
                print(reliability.line(found[at], len(found), len(cells)), flush=True)
        finally:
            if not keep:
                scene.down()

    threads = [threading.Thread(target=lane, args=(number,)) for number in range(min(lanes, len(cells)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[at] for at in sorted(found)]


def main() -> int:
    """The whole, or the part that was asked for; only the whole is written down."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("fault", "phase"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--lanes", type=int, default=2)
    parser.add_argument("--random", type=int, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    part = bool(asked.fault or asked.phase or asked.fast)
    begun = time.monotonic()
    chosen = pairs(list(filter(None, asked.fault.split(","))), list(filter(None, asked.phase.split(","))), fast=asked.fast)
    strikes = [] if part else at_random(asked.random, asked.seed)
    print(f"{len(chosen)} cells, {len(strikes)} random strikes (seed {asked.seed})", flush=True)
    found = in_lanes([*chosen, *strikes], asked.lanes, keep=asked.keep)
    if not part:
        reliability.write(found[:len(chosen)], found[len(chosen):], asked.seed, time.monotonic() - begun)
    red = [one for one in found if one.red]
    print(f"{len(found) - len(red)} green, {len(red)} red, {time.monotonic() - begun:.0f} s")
    return 1 if red or len(found) != len(chosen) + len(strikes) else 0


if __name__ == "__main__":
    sys.exit(main())
