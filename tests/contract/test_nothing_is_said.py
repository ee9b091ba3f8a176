"""No `[]` and no "nothing" on stdout while a host that was asked is silent: the command line, against a port where nobody listens (D1)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("words", [("history",), ("history", "shop"), ("resume",), ("where",), ("drift",), ("show", "2026")])
def test_who_is_silent_is_named(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "lading.yaml").write_text("lading: 1\nhosts:\n  web1: {address: 127.0.0.1, port: 1}\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    for as_json in ((), ("--json",)):
        done = subprocess.run([sys.executable, "-m", "lading", "--config", "lading.yaml", *words, *as_json], env=env, cwd=tmp_path,
                              text=True, capture_output=True, timeout=60)
        assert (done.returncode, "web1" in done.stdout + done.stderr, "nothing" in done.stdout) == (6, True, False), done.stdout
    assert json.loads(done.stdout) != []
    assert "web1" in done.stdout
