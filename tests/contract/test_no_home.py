"""A home that is not there, may not be written, or belongs to a number without a name: no stack trace, and history works."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

NUMBER = 54321  # an account that this machine has no name for
VERBS = [["history"], ["where"], ["check"], ["deploy", "--version", "1", "--to", "here", "--yes"]]


def run(words: list[str], folder: Path, env: Mapping[str, str], *, nobody: bool) -> subprocess.CompletedProcess[str]:
    """lading as a person, or as a number without a name, runs it: that one owns the same files, and no more than modes allow."""
    other = ["unshare", "--user", f"--map-user={NUMBER}", f"--map-group={NUMBER}", "--"] if nobody else []
    argv = [*other, sys.executable, "-P", "-m", "lading", *words]
    return subprocess.run(argv, cwd=folder, env={"PATH": os.defpath, **env}, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project, and a fleet of a host that does not answer."""
    (tmp_path / "lading.yaml").write_text("lading: 1\nhosts: {here: {address: 127.0.0.1, port: 1, user: deploy}}\n")
    (tmp_path / "compose.yaml").write_text("name: shop\nservices: {web: {image: r/web:1}}\n")
    return tmp_path


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
@pytest.mark.parametrize("home", [None, "/proc"])
def test_no_stack_trace(words: list[str], home: str | None, folder: Path) -> None:
    env = {"LADING_CONFIG": str(folder / "lading.yaml"), **({} if home is None else {"HOME": home})}
    done = run(words, folder, env, nobody=True)
    assert "Traceback" not in done.stderr
    assert done.returncode in (2, 3, 6, 7), done.stdout + done.stderr


def test_history_of_a_ledger_that_may_not_be_written(folder: Path) -> None:
    env = {"LADING_CONFIG": str(folder / "lading.yaml"), "HOME": str(folder / "home"), "TMPDIR": str(folder / "scratch")}
    for name in ("home", "scratch"):
        (folder / name).mkdir()
    made = run(["history", "--offline", "--json"], folder, env, nobody=False)
    assert (made.returncode, json.loads(made.stdout)) == (0, [])
    ledger = folder / "home/.local/state/lading/ledger.db"
    for path in (ledger, *ledger.parents):
        if path.is_relative_to(folder / "home"):
            path.chmod(0o555 if path.is_dir() else 0o444)
    asked = run(["history", "--offline", "--json"], folder, env, nobody=True)
    assert (asked.returncode, json.loads(asked.stdout)) == (0, [])
    assert asked.stderr == f" note: {ledger} cannot be written: what hosts tell is not kept (XDG_STATE_HOME names another folder)\n"
    assert not list((folder / "scratch").iterdir())
    ledger.chmod(0o644)
    ledger.write_bytes(b"no ledger at all, but long enough to be looked at" * 100)
    damaged = run(["history", "--offline"], folder, env, nobody=True)
    assert (damaged.returncode, "the ledger is damaged" in damaged.stderr) == (7, True), damaged.stderr


def test_a_read_only_file_system_is_no_reason_to_know_nothing(folder: Path) -> None:
    env = {"LADING_CONFIG": str(folder / "lading.yaml"), "HOME": "/sys"}  # where even root may not make a folder
    done = run(["history", "--offline", "--json"], folder, env, nobody=False)
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    assert "cannot be written" in done.stderr
