"""`make bench-scale`, made small: its stubs of the engine and of Compose answer all that lading asks, and every run counts.

The stub of docker's client does not know what lading asks engines themselves: it is red where lading falls back to it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.lab


def test_every_run_counts(tmp_path: Path) -> None:
    words = ["--hosts", "1,2", "--repeat", "1", "--looks", "2", "--only", "lading,lading after a long history,raw OpenSSH", "--seed", "1"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench/scale_bench.py"), *words], capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT / "lab"), "TMPDIR": str(tmp_path)},
    )
    assert (done.returncode, "WRONG" in done.stderr) == (0, False), done.stderr[-3000:]
    found = json.loads((tmp_path / "scale-runs.json").read_text())
    assert sorted((run["variant"], run["hosts"]) for run in found["runs"]) == [
        (variant, hosts) for variant in ("lading", "lading after a long history", "raw OpenSSH") for hosts in (1, 2)]
    assert sorted((look["variant"], look["hosts"]) for look in found["looks"]) == [("lading", 2), ("lading after a long history", 2)]


def test_the_profile_shares_out_what_a_host_adds(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench/scale_profile.py"), "--hosts", "1,2", "--repeat", "1"],
        capture_output=True, text=True, check=False, timeout=300, env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    spent = [line.split(" | ")[0].removeprefix("| ") for line in done.stdout.splitlines()]
    assert {"SSH: packets and channels", "asyncio", "HTTP of engines (h11)", "Python's garbage collector"} <= set(spent)
    assert spent[-1] == "together"
