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
    words = ["--hosts", "1,2", "--repeat", "1", "--looks", "2", "--only", "lading,raw OpenSSH", "--seed", "1"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench/scale_bench.py"), *words], capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT / "lab"), "TMPDIR": str(tmp_path)},
    )
    assert (done.returncode, "WRONG" in done.stderr) == (0, False), done.stderr[-3000:]
    found = json.loads((tmp_path / "scale-runs.json").read_text())
    assert sorted((run["variant"], run["hosts"]) for run in found["runs"]) == [
        (variant, hosts) for variant in ("lading", "raw OpenSSH") for hosts in (1, 2)]
    assert [look["hosts"] for look in found["looks"]] == [2]
