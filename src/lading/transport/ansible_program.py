"""A program of its own, beside lading's process: ansible-runner plays one play for some hosts, events come out as JSON lines.

`python -m lading.transport.ansible_program` reads one JSON line (a `Play`), and then nothing but the end of stdin, at which
it tells each host that nobody listens any more, ends Ansible and removes the folder: also when lading was killed.
It is the only module that imports ansible_runner; ansible itself (GPL) is a program that ansible-runner starts.
"""

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ansible_runner

from lading import process

GOODBYE = 10.0  # seconds for the hosts to take the last line
_KEPT = 4096  # characters of what Ansible says beside events


class _Play:
    """One run of the play, seen by its events."""

    def __init__(self, asked: Mapping[str, Any]) -> None:
        self.asked = asked
        self.leaving = False
        self.silent = threading.Event()
        self.homes: set[str] = set()
        self.left: set[str] = set()
        self.said = ""
        self.ended = False
        self.fifos = {host: os.open(f"{place}/line", os.O_RDWR) for host, place in asked["places"].items()}

    def on_event(self, event: Mapping[str, Any]) -> bool:
        """Pass on what hosts answered; False = nothing is kept in a file."""
        data = event.get("event_data") or {}
        result = data.get("res") or {}
        name, host = str(event.get("event")), str(data.get("host") or "")
        if name in ("error", "warning", "verbose", "deprecated"):
            self.said = (self.said + str(event.get("stdout", "")) + "\n")[-_KEPT:]
        elif name.startswith("runner_"):
            if self.leaving and self.asked["left"] in str(result.get("stdout")):
                self.left.add(host)
            self.tell({"event": name, "host": host, "task": str(data.get("task") or ""), **{key: result.get(key) for key in (
                "rc", "stdout", "stderr", "msg", "unreachable", "failed")}})
        if self.leaving and self.left >= self.homes:
            self.silent.set()
        return False

    def on_end(self, _runner: object) -> None:
        """Ansible has ended: by itself only if it could not begin."""
        self.ended = True
        self.silent.set()
        self.tell({"event": "ended", "said": self.said})

    def tell(self, what: Mapping[str, Any]) -> None:
        try:
            print(json.dumps(what), flush=True)
        except BrokenPipeError:  # lading was killed
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def leave(self) -> None:
        """Say goodbye to the hosts where the session has a home, then end Ansible with all that it started."""
        goodbyes = {host: Path(place) / "goodbye" for host, place in self.asked["places"].items()}
        self.homes = {host for host, goodbye in goodbyes.items() if goodbye.is_file()}
        self.leaving = True
        for host in self.homes:
            os.write(self.fifos[host], goodbyes[host].read_bytes())
        self.silent.wait(GOODBYE if self.homes and not self.ended else 0)
        for one in _family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)


def _family() -> list[int]:
    """All processes that came of this one, parents first: Ansible's workers lead sessions of their own, so no group has them all."""
    pairs = [line.split() for line in process.run(["ps", "-A", "-o", "pid=,ppid="]).stdout.decode().splitlines()]
    found = [os.getpid()]
    for parent in found:  # grows while it is walked
        found += [int(child) for child, of in pairs if int(of) == parent]
    return found[1:]


def main() -> None:
    """Play until stdin ends."""
    asked = json.loads(sys.stdin.readline())
    os.environ["PATH"] = f"{asked['folder']}/bin:{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    play = _Play(asked)
    try:
        ansible_runner.run_async(
            private_data_dir=asked["folder"], playbook=asked["playbook"], inventory=asked["inventories"],
            extravars=asked["variables"], envvars=asked["environment"], forks=len(asked["places"]),
            settings={"suppress_output_file": True}, suppress_env_files=True, quiet=True, event_handler=play.on_event,
            finished_callback=play.on_end,
        )
        sys.stdin.read()
        play.leave()
    finally:
        shutil.rmtree(asked["folder"], ignore_errors=True)
        sys.stdout.flush()
        os._exit(0)  # not waiting for ansible-runner's thread


if __name__ == "__main__":
    main()
