"""Kill anything: controllers that die or are stopped, hosts that go, leases that are held (promise 4)."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from app_client import App, some
from lab_client import Lab


@contextmanager
def deploying(app: App, version: str, until: str, to: str = "web1,web2") -> Iterator[subprocess.Popen[str]]:
    """A deployment in the background that has just said *until*; it is ended at the end of the block."""
    with running(app, "deploy", "--version", version, "--to", to, "--yes", until=until) as process:
        yield process


@contextmanager
def running(app: App, *words: str, until: str) -> Iterator[subprocess.Popen[str]]:
    """A verb in the background that has just said *until*; it is ended at the end of the block."""
    process = app.start(*words)
    try:
        assert process.stderr is not None
        said = ""
        while until not in said:
            line = process.stderr.readline()
            assert line, f"it never said {until!r}, but:\n{said}"
            said += line
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def open_intents(app: App) -> list[str]:
    done = app.lading("drift", app.name, "--json")
    return [row["host"] for row in json.loads(done.stdout) if row["field"] == "deployment"]


def test_controller_gone_for_ever(app: App, lab: Lab, tmp_path: Path) -> None:
    assert app.deploy("1.0.0").returncode == 0
    store = app.ids("web1")["store"]
    with deploying(app, "1.1.0", "web1       roll begins") as process:
        process.kill()
    assert set(open_intents(app)) == {"web1", "web2"}
    home = tmp_path / "home"
    home.mkdir()
    (home / ".ssh").symlink_to("/root/.ssh")
    ended = app.lading("resume", app.name, options=["--home", str(home)])
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert "succeeded" in ended.stdout, "all hosts had the release, so it goes on"
    assert app.versions() == {("web1", "1.1.0", "healthy"), ("web2", "1.1.0", "healthy")}
    assert open_intents(app) == []
    assert app.ids("web1")["store"] == store
    assert "unchanged" in app.deploy("1.1.0").stdout


def test_the_same_deployment_again_finishes_it_and_says_so(app: App) -> None:
    assert app.deploy("1.0.0").returncode == 0
    with deploying(app, "1.1.0", "web1       roll begins") as process:
        process.kill()
    again = app.deploy("1.1.0")
    assert (again.returncode, "unchanged" in again.stdout) == (0, True), again.stderr
    assert "of " + app.name + " 1.1.0 was open and has been finished just now" in again.stderr


def test_the_next_deployment_ends_what_a_dead_controller_left(app: App) -> None:
    """By itself: no resume, no --take-lease; whoever comes waits for the leases, which end within 30 seconds."""
    assert app.deploy("1.0.0").returncode == 0
    with deploying(app, "1.1.0", "web2       roll web is healthy") as process:
        process.kill()
    before = app.ids("web2")["web"]
    done = app.deploy("1.0.0")
    assert done.returncode == 0, done.stderr
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert (open_intents(app), app.ids("web2")["web"] != before) == ([], True)
    rows = json.loads(app.lading("history", app.name, "--json").stdout)
    assert [row["result"] for row in rows] == ["succeeded", "succeeded", "succeeded"]


@pytest.mark.parametrize("until", some(["web1       roll begins", "web1       lease taken"]))
def test_a_rollback_that_was_interrupted_goes_one_step_and_no_further(app: App, until: str) -> None:
    for version in ("1.0.0", "1.1.0"):
        assert app.deploy(version).returncode == 0
    words = ("rollback", app.name, "--to", "web1,web2", "--yes")
    with running(app, *words, until=until) as process:
        process.kill()
    again = app.lading(*words)
    assert again.returncode == 0, again.stderr
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert open_intents(app) == []


@pytest.mark.parametrize("number", some([signal.SIGTERM, signal.SIGHUP, signal.SIGINT]))
def test_first_signal_undoes(app: App, number: signal.Signals) -> None:
    assert app.deploy("1.0.0").returncode == 0
    with deploying(app, "1.1.0", "web1       roll begins") as process:
        os.kill(process.pid, number)
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 5
    assert "rolled_back" in out
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert open_intents(app) == []


def test_a_deployment_that_nobody_listens_to_goes_on_to_its_end(app: App) -> None:
    assert app.deploy("1.0.0").returncode == 0
    with deploying(app, "1.1.0", "web1       roll begins") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        process.stderr.close()
        assert process.wait(120) == 0
    assert app.versions() == {("web1", "1.1.0", "healthy"), ("web2", "1.1.0", "healthy")}
    assert open_intents(app) == []
    assert json.loads(app.lading("history", app.name, "--json").stdout)[0]["result"] == "succeeded"


def test_lease_is_held(app: App) -> None:  # R62
    assert app.deploy("1.0.0").returncode == 0
    app.edit("command: [migrate]", 'entrypoint: [sh, -c, "sleep 25; exec /app migrate"]')  # who lives is known by its beats
    with deploying(app, "1.1.0", "web1       roll begins") as process:
        seen = app.lading("where", app.name)
        refused = app.deploy("1.1.0")
        out, _ = process.communicate(timeout=120)
    assert refused.returncode == 4
    assert "is running (" in seen.stdout, seen.stdout
    assert "lading resume" not in seen.stdout
    assert "is held by" in refused.stderr
    assert "--wait" in refused.stderr
    assert "--take-lease" in refused.stderr
    assert process.returncode == 0, out


def test_host_lost_in_the_middle(app: App, lab: Lab) -> None:  # R52 R72
    assert app.deploy("1.0.0").returncode == 0
    with deploying(app, "1.1.0", "web2       stage done") as process:
        lab.off("web2")
        out, _ = process.communicate(timeout=200)
    assert process.returncode == 5
    assert "unknown" in out
    assert ("web1", "1.0.0", "healthy") in app.versions()
    assert any(row["host"] == "web2" and row["state"] == "unknown" for row in app.where("--to", "web1,web2"))
    lab.on("web2")
    ended = app.lading("resume", app.name)
    assert ended.returncode == 0, ended.stderr
    until = time.monotonic() + 60
    while app.versions() != {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}:
        assert time.monotonic() < until, app.versions()
    assert open_intents(app) == []
