"""A rehearsal is no approval: --dry-run with --plan is refused, before any host is asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FLEET = "lading: 1\nhosts:\n  web1: {address: 127.0.0.1, port: 1}\n"


@pytest.mark.parametrize("words", [("deploy",), ("adopt", "shop"), ("rollback", "shop"), ("remove", "shop")])
def test_a_rehearsal_of_an_approved_plan_is_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "lading.yaml").write_text(FLEET)
    (tmp_path / "compose.yaml").write_text("name: shop\nservices: {web: {image: 'registry.example/web:1'}}\n")
    argv = [sys.executable, "-m", "lading", "--config", "lading.yaml", *words, "--to", "web1", "--dry-run", "--plan", "a" * 64]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(argv, env=env, cwd=tmp_path, text=True, capture_output=True, timeout=60)
    assert done.returncode == 2
    assert "--dry-run shows the plan as it is now" in done.stderr
