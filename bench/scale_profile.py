"""What a host adds to the controller's CPU, by what it is spent on: `.venv/bin/python bench/scale_profile.py`, as root.

Deployments to two numbers of simulated hosts, those of `make bench-scale`, in turn; the difference of the medians, divided by
that of the hosts, is what each host adds, and what is left of the smaller is the same for any number of hosts.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import measure
from scale_bench import LIMIT
from scale_scene import BENCH, VERSIONS, Scene
from scale_variants import VARIANTS

LADING = next(one for one in VARIANTS if one.name == "lading")
Parts = dict[str, float]


def deploy(scene: Scene, size: int, version: str) -> Parts:
    """Seconds of CPU of one deployment, by part.

    Raises:
        RuntimeError: it went wrong.
    """
    scene.forget_images()
    file = scene.folder / "sampled.json"
    words = [sys.executable, str(BENCH / "scale/sampled.py"), str(file), *LADING.argv(scene, size, version)[1:]]
    done = scene.run(words, {}, LIMIT)
    wrong = LADING.wrong(done, size) or scene.wrong(LADING.app.format(size=size), size, version)
    if wrong:
        raise RuntimeError(f"{size} hosts: {wrong}: {done.errors[-500:]}")
    found: Parts = json.loads(file.read_text())
    print(f"{size} hosts: {sum(found.values()):.2f} s of CPU, {done.wall:.1f} s", file=sys.stderr, flush=True)
    return found


def table(few: int, many: int, found: dict[int, list[Parts]]) -> str:
    """The rows, what a host adds most of first."""
    parts = {part for runs in found.values() for one in runs for part in one}

    def median(size: int, part: str) -> float:
        return statistics.median(one.get(part, 0.0) for one in found[size])

    added = {part: (median(many, part) - median(few, part)) / (many - few) for part in parts}
    whole = sum(added.values())
    rows = [f"| {part} | {1000 * added[part]:.1f} ms | {added[part] / whole:.0%} | {median(few, part) - few * added[part]:.2f} s |"
            for part in sorted(parts, key=added.__getitem__, reverse=True)]
    fixed = sum(median(few, part) for part in parts) - few * whole
    return "\n".join(["| spent on | each host | of it | fixed part |", "| --- | --- | --- | --- |", *rows,
                      f"| together | {1000 * whole:.1f} ms | | {fixed:.2f} s |"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=measure.numbers, default="50,200", help="two numbers of hosts, by comma (50,200)")
    parser.add_argument("--repeat", type=measure.rounds, default=3, help="deployments to each number of hosts (3)")
    asked = parser.parse_args()
    if len(asked.hosts) != 2 or asked.hosts[0] == asked.hosts[1]:
        parser.error("--hosts takes two different numbers, such as 50,200: what a host adds is told by their difference")
    few, many = asked.hosts
    folder = Path(tempfile.mkdtemp(prefix="lading-profile-"))
    folder.chmod(0o755)
    scene = Scene(folder, [few, many])
    found: dict[int, list[Parts]] = {few: [], many: []}
    try:
        scene.up()
        for turn in range(asked.repeat + 1):  # the first upgrades nothing, and is not counted
            for size in (few, many):
                taken = deploy(scene, size, VERSIONS[turn % 2])
                found[size] += [taken] if turn else []
    finally:
        scene.down()
        shutil.rmtree(folder, ignore_errors=True)
    print(table(few, many, found))


if __name__ == "__main__":
    main()
