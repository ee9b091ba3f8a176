"""How many round trips an upgrade and a `where` wait for, over links of 50 and 100 ms: `.venv/bin/python bench/round_trips.py`, as root.

What a command takes longer over the slower link, divided by what that takes longer, is the number of round trips that it
waits for one after the other; what it does meanwhile cancels out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab_scene import BENCH, Scene

LINKS = (0.05, 0.1)  # seconds of a round trip
HOST = "web1"
CONFIG = """Host {host}
    User alice
    UserKnownHostsFile {ssh}/known_hosts
    IdentityFile {ssh}/id_ed25519
    ProxyCommand {python} {proxy} {delay} {address} 22
"""


class Links:
    """Ways to the host of a scene, slow by choice."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.home = scene.folder / "home"
        (self.home / ".ssh").mkdir(parents=True, exist_ok=True)
        fleet = (scene.lab.fleet / "bench.yaml").read_text()
        self.address = fleet.split(f"{HOST}: {{address: ")[1].split(",")[0]
        line = next(one for one in fleet.splitlines() if one.startswith(f"  {HOST}:"))
        self.fleet = scene.lab.fleet / "slow.yaml"
        self.fleet.write_text(fleet.replace(line, f"  {HOST}: {{}}"))

    def take(self, delay: float, *words: str) -> float:
        """Seconds that a command of lading takes over a link of *delay* seconds."""
        (self.home / ".ssh/config").write_text(CONFIG.format(
            host=HOST, ssh="/root/.ssh", python=sys.executable, proxy=BENCH / "slow_link.py", delay=delay, address=self.address))
        environment = self.scene.environment() | {"LADING_CONFIG": str(self.fleet), "HOME": str(self.home)}
        begun = time.monotonic()
        done = subprocess.run(self.scene.argv(["lading", *words]), env=environment, text=True, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"lading {' '.join(words)}: {done.stdout[-500:]}{done.stderr[-1000:]}")
        return time.monotonic() - begun


def upgrade(links: Links, delay: float) -> float:
    """One upgrade, its image present, from the old version at rest."""
    version = links.scene.start("lading-bench", [HOST], present=True)
    return links.take(delay, "deploy", "--version", version, "--to", HOST, "--app", "lading-bench", "--yes", "--json")


def where(links: Links, delay: float) -> float:
    """What runs there."""
    return links.take(delay, "where", "lading-bench", "--to", HOST, "--json")


def main() -> None:
    """Print a JSON object: verb → round trips, and the seconds of each link."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    chosen = parser.parse_args()
    os.chdir(BENCH / "app")
    scene = Scene("trips", 1)
    try:
        scene.up()
        links = Links(scene)
        took = {name: {delay: list[float]() for delay in LINKS} for name in ("upgrade", "where")}
        for _ in range(chosen.repeat):
            for delay in LINKS:
                took["upgrade"][delay].append(upgrade(links, delay))
                took["where"][delay].append(where(links, delay))
        found = {}
        for name, by_link in took.items():
            slow, slower = (statistics.median(by_link[delay]) for delay in LINKS)
            found[name] = {"round trips": round((slower - slow) / (LINKS[1] - LINKS[0]), 1), "seconds": [round(slow, 2), round(slower, 2)]}
        print(json.dumps(found, indent=1))
    finally:
        scene.down()


if __name__ == "__main__":
    main()
