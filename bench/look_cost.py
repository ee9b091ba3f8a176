"""What one look costs a host and the controller, by apps and by history: `.venv/bin/python bench/look_cost.py`.

Docker is a program that answers nothing: its own work, and the engine's, is not counted.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import builders
from lading import state
from lading.compose import release as releases
from lading.drivers import wants
from lading.drivers.shell import observation, observe
from lading.state import journal
from lading.transport import command

KEPT = 5  # releases that a host keeps
SERVICES = 3
FILES = {name: (name * 500).encode() for name in ("compose.yaml", "compose.prod.yaml", "app.env", "nginx/site.conf")}
OBJECT = b"shipped\n" * 500
MARKER = "lading-0123456789abcdef"
VERBS = {"where": wants.RUNNING, "drift": wants.DRIFT, "history": wants.HISTORY}
FORKS = "clone,clone3,fork,vfork"


def deployment(number: int) -> str:
    """The id of a deployment: one each ten minutes."""
    minutes = number * 10
    day, hour, minute = minutes // 1440, minutes // 60 % 24, minutes % 60
    return f"2026{1 + day // 28:02}{1 + day % 28:02}-{hour:02}{minute:02}00-{number:04x}"


def at(number: int) -> str:
    """When it began."""
    word = deployment(number)
    return f"{word[:4]}-{word[4:6]}-{word[6:8]}T{word[9:11]}:{word[11:13]}:{word[13:15]}Z"


def made(app: str, number: int) -> releases.Release:
    """What a deployment brought."""
    services = [builders.a_service(f"web{one}", f"registry.example/{app}/web{one}:{number}", restart="always")
                for one in range(SERVICES)]
    return builders.a_release(*services, version=str(number))


def records(app: str, number: int, now: state.Current, before: state.Current | None) -> list[journal.Record]:
    """What a journal tells of one deployment that went well."""
    name = now.deployment
    begun = journal.Begun(
        name, verb="deploy", app=app, version=now.version, destination="production", source=now.source, commit="c" * 40,
        actor="ann@laptop", url=f"https://ci.example/{number}", plan="d" * 64, ran_by="ann@laptop", process="p" * 16,
        host="web1", engine="ABCD", fence=number, to=now.release, before=before,
        participants=tuple(f"web{one}" for one in range(1, 51)), batches=(("web1",),))
    phases: tuple[journal.Phase, ...] = ("staged", "rolling", "rolled", "prepared")
    ended = journal.Reached(name, phase="ended", result="well")
    head = {"writer": "w" * 16, "seq": number, "hash": "e" * 64}
    committed = journal.Reached(name, phase="committed", to=now.release, version=now.version, ledger=head)
    return [begun, *(journal.Reached(name, phase=one) for one in phases), committed, ended]


def write_app(folder: Path, app: str, deployments: int) -> None:
    """What lading has left of one app after so many deployments."""
    for name in ("releases", "objects", "project", "secrets/var.PASSWORD"):
        (folder / name).mkdir(parents=True)
    object_id = hashlib.sha256(app.encode()).hexdigest()
    (folder / "objects" / object_id).write_bytes(OBJECT)
    (folder / "secrets" / "var.PASSWORD" / "1").write_text("secret")
    lines: list[str] = []
    ids: list[str] = []
    before: state.Current | None = None
    for number in range(1, deployments + 1):
        is_kept = number > deployments - KEPT
        one = made(app, number) if is_kept else None
        id = one.id if one is not None else hashlib.sha256(f"{app}{number}".encode()).hexdigest()
        mine = state.Changed(deployment(number), "ann@laptop", at(number), id)
        now = state.Current(app, id, str(number), deployment(number), "ann@laptop", at(number), "git.example/shop",
                            "production", changed={f"web{service}": mine for service in range(SERVICES)})
        told = records(app, number, now, before)
        lines += [json.dumps({"at": at(number), **record.as_json()}, separators=(",", ":")) for record in told]
        if one is not None:
            write_release(folder / "releases" / id, one, state.Deployed(now.deployment, {}, number, tuple(reversed(ids[-20:]))))
        ids.append(id)
        before = now
    assert before is not None
    begins = [number for number, line in enumerate(lines) if '"kind":"begin"' in line]
    since = sum(len(line) + 1 for line in lines[:begins[-1]])
    (folder / "journal").write_text("".join(f"{line}\n" for line in lines))
    (folder / "current").write_text(json.dumps(before.file_as_json(), separators=(",", ":")))
    lease = {"deployment": before.deployment, "fence": deployments, "boot": "b", "expires": 0, "state": "free",
             "holder": "ann@laptop", "since": before.since, "url": "", "process": "p", "length": 30, "beat": 3, "from": since}
    (folder / "lease").write_text("".join(f"{key}={value}\n" for key, value in lease.items()))


def write_release(folder: Path, made: releases.Release, deployed: state.Deployed) -> None:
    """What lies in the folder of a release."""
    for name, content in FILES.items():
        path = folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "release.json").write_bytes(made.canonical())
    (folder / "deployed.json").write_text(json.dumps(deployed.as_json(), separators=(",", ":")))


@dataclass(frozen=True, slots=True)
class Cost:
    """What one look took: seconds of the host's CPU, forks, bytes of the answer, seconds of the controller's CPU."""

    host: float
    forks: int
    answer: int
    controller: float


def spent(argv: Sequence[str], environment: Mapping[str, str]) -> tuple[float, bytes]:
    """Seconds of CPU of a program and all its children, and what it said."""
    process = subprocess.Popen(argv, env=dict(environment), stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert process.stdout is not None and process.stdin is not None
    said = process.stdout.read()  # its stdin stays open: the end of it would end the look
    process.stdin.close()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime, said


def forks(argv: Sequence[str], environment: Mapping[str, str], place: Path) -> int:
    """How often a program and its children fork."""
    traced = ["strace", "-f", "-qq", "-e", f"trace={FORKS}", "-o", str(place), *argv]
    spent(traced, environment)
    return sum(" = " in line and "unfinished" not in line for line in place.read_text().splitlines())


def measure(top: Path, runs: int, **wanted: Any) -> Cost:
    """One look, so many times: medians."""
    environment = {**os.environ, "PATH": f"{top}/bin:{os.environ['PATH']}"}
    what = observation.observe(MARKER, state_dir=str(top / "state"), facts=False, host="web1", apart=observation.Apart(), **wanted)
    argv = ["timeout", "60", "/bin/sh", "-c", what.script]
    taken = [spent(argv, environment) for _ in range(runs)]
    answer = taken[-1][1]
    reading = []
    for _ in range(runs):
        begun = time.process_time()
        seen = observe.answered("web1", command.Result(0, dict(command.split_parts(answer, MARKER))))
        reading.append(time.process_time() - begun)
        assert seen.reachable, seen.error
    return Cost(statistics.median(one for one, _ in taken), forks(argv, environment, top / "trace"), len(answer),
                statistics.median(reading))


def scene(top: Path, apps: int, deployments: int) -> None:
    """A host with so many apps, each deployed so often, and a docker that says nothing."""
    (top / "bin").mkdir()
    docker = top / "bin" / "docker"
    docker.write_text("#!/bin/sh\n")
    docker.chmod(0o755)
    for number in range(apps):
        write_app(top / "state" / "apps" / f"shop{number}", f"shop{number}", deployments)


def main() -> None:
    """Print a row for each age of the journals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--apps", type=int, default=50)
    parser.add_argument("--deployments", type=int, nargs="+", default=[KEPT, 1000])
    parser.add_argument("--runs", type=int, default=9)
    given = parser.parse_args()
    for deployments in given.deployments:
        with tempfile.TemporaryDirectory() as folder:
            top = Path(folder)
            scene(top, given.apps, deployments)
            for verb, want in VERBS.items():
                cost = measure(top, given.runs, want=want)
                print(f"{verb}, {given.apps} apps, {deployments} deployments each: {cost.host * 1000:.0f} ms CPU on the host, "
                      f"{cost.forks} forks, {cost.answer / 1e6:.2f} MB, {cost.controller * 1000:.0f} ms CPU here", flush=True)


if __name__ == "__main__":
    main()
