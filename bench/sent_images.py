"""A first deployment whose image is sent from this machine, beside one whose image is pulled: `.venv/bin/python bench/sent_images.py`, as root.

The image has one layer of half random, half empty bytes: what a registry stores packed, too. Lab, registry and all
hosts share this machine's processors, and nothing limits the network: what is measured is what either way costs.
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
from labkit import builder, cluster, host
from labkit.topology import BUILDER, Options

IMAGE = "registry.lab:5000/bench:large"
CLEAN = "docker ps -aq | xargs -r docker rm -f >/dev/null; docker images -q | sort -u | xargs -r docker rmi -f >/dev/null"
APP = ("--app", "sent-images", "--version", "large")


class Sending(Scene):
    """A lab with one large image, in the registry and in the engine of the builder, which is this machine's here."""

    def up(self, size: int = 100) -> None:
        """Make it; *size* in MB."""
        cluster.up(self.lab, Options(len(self.hosts), staging=False))
        context = self.folder / "context"
        context.mkdir(parents=True, exist_ok=True)
        for name in ("Dockerfile", "app"):
            (context / name).write_bytes((BENCH / "app" / name).read_bytes())
            (context / name).chmod(0o755)
        (context / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
        (context / "busybox").chmod(0o755)
        (context / "pad-large").write_bytes(b"".join(os.urandom(500_000) + bytes(500_000) for _ in range(size)))
        builder.ensure_builder(self.lab)
        builder.build_and_push(self.lab, builder.Build(str(context), IMAGE, ["VERSION=large"]))
        fleet = (self.lab.fleet / "lading.yaml").read_text()
        (self.lab.fleet / "pulled.yaml").write_text(fleet)
        lines, inside = [], False
        for line in fleet.splitlines():
            inside = line.startswith("registries:") or (inside and line.startswith(" "))
            lines += [] if inside else [line]
        (self.lab.fleet / "sent.yaml").write_text("\n".join([*lines, "registries: none", ""]))
        (self.lab.root / "controller/docker/config.json").write_text(builder.login_file(self.lab.running().password))

    def lading(self, how: str, *words: str) -> float:
        """Seconds that a command takes."""
        environment = self.environment() | {
            "LADING_CONFIG": str(self.lab.fleet / f"{how}.yaml"), "DOCKER_HOST": f"unix://{host.socket_path(self.lab, BUILDER)}"}
        begun = time.monotonic()
        done = subprocess.run(self.argv(["lading", *words]), env=environment, text=True, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"lading {' '.join(words)}: {done.stdout[-500:]}{done.stderr[-1500:]}")
        return time.monotonic() - begun

    def take(self, how: str) -> float:
        """Seconds of a first deployment, on hosts that have nothing."""
        to = ("--to", ",".join(self.hosts), "--yes", "--json")
        seconds = self.lading(how, "deploy", *APP, *to)
        self.lading(how, "remove", "sent-images", *to)
        for name in self.hosts:
            subprocess.run(host.exec_argv(self.lab, self.lab.host(name), ["/bin/sh", "-c", CLEAN], "root"), check=True)
        return seconds


def main() -> None:
    """Print a JSON object: the way → seconds of each run, and their median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--hosts", type=int, default=2)
    parser.add_argument("--size", type=int, default=100, help="MB")
    chosen = parser.parse_args()
    scene = Sending("sending", chosen.hosts)
    try:
        scene.up(chosen.size)
        took = {how: list[float]() for how in ("pulled", "sent")}
        for _ in range(chosen.repeat):
            for how, seconds in took.items():
                seconds.append(round(scene.take(how), 2))
        print(json.dumps({how: {"seconds": seconds, "median": statistics.median(seconds)} for how, seconds in took.items()}, indent=1))
    finally:
        scene.down()


if __name__ == "__main__":
    main()
