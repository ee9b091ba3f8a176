"""Run lading as `python -m lading` does, and note what its processor time goes to: `sampled.py FILE WORD…`.

A timer of the process's own CPU asks every few milliseconds which function is at work. FILE gets JSON: part → seconds.
"""

import atexit
import gc
import json
import runpy
import signal
import sys
import time
from pathlib import Path
from types import FrameType

EVERY = 0.004  # seconds of CPU
COLLECTOR = "Python's garbage collector"
# Part → what the path of its files holds. The first that fits says it; where none does, as for json, it is its caller's.
PARTS = {
    "start": ("<frozen importlib",),
    "SSH: keys": ("/asyncssh/kex", "/asyncssh/crypto/ed", "/asyncssh/crypto/kex", "/asyncssh/crypto/ec", "/asyncssh/public_key",
                  "/asyncssh/eddsa", "/asyncssh/auth", "/asyncssh/known_hosts"),
    "SSH: packets and channels": ("/asyncssh/", "/src/lading/transport/packets"),
    "lading: connections and scripts": ("/src/lading/transport/", "/src/lading/connecting"),
    "HTTP of engines (h11)": ("/h11/",),
    "lading: questions to engines": ("/src/lading/drivers/engine_api/",),
    "lading: what hosts say, and steps on them": ("/src/lading/drivers/shell/", "/src/lading/engines/"),
    "lading: ledger": ("/src/lading/ledger/", "/sqlite3/"),
    "lading: the rest": ("/src/lading/",),
    "asyncio": ("/asyncio/", "/selectors.py"),
}
OTHER = "Python's library"


class Sampler:
    """Counts how often the timer finds the program in each part; *collected*: seconds of the garbage collector."""

    def __init__(self) -> None:
        self.samples: dict[str, int] = {}
        self.parts: dict[str, str] = {}  # path of a file → its part, "" for its caller's
        self.collected = 0.0
        self._began = 0.0

    def part(self, path: str) -> str:
        """What a file is part of."""
        if path not in self.parts:
            self.parts[path] = next((part for part, pieces in PARTS.items() if any(one in path for one in pieces)), "")
        return self.parts[path]

    def sample(self, _: int, frame: FrameType | None) -> None:
        """The timer has rung."""
        found = ""
        while frame is not None and not found:
            found = self.part(frame.f_code.co_filename)
            frame = frame.f_back
        self.samples[found or OTHER] = self.samples.get(found or OTHER, 0) + 1

    def collect(self, phase: str, _: dict[str, int]) -> None:
        """The garbage collector begins, or has ended."""
        if phase == "start":
            self._began = time.process_time()
        else:
            self.collected += time.process_time() - self._began

    def seconds(self) -> dict[str, float]:
        """The whole of the process's CPU, shared out by the samples; the collector's is measured."""
        rest = time.process_time() - self.collected
        count = sum(self.samples.values()) or 1
        return {COLLECTOR: self.collected, **{part: rest * found / count for part, found in self.samples.items()}}


def main() -> None:
    """Sample, and be lading."""
    file = Path(sys.argv[1])
    del sys.argv[1]
    sampler = Sampler()
    atexit.register(lambda: file.write_text(json.dumps(sampler.seconds())))
    gc.callbacks.append(sampler.collect)
    signal.signal(signal.SIGPROF, sampler.sample)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    runpy.run_module("lading", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
