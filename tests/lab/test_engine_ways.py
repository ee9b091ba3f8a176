"""A host's engine is asked through the SSH connection: no docker client is started for an upgrade, by three ways in."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import client_starts
import pytest
from app_client import App
from lab_client import Lab
from ssh_client import ADDRESS, PORT, Person, make_key, public, second_sshd

from labkit.process import wait_until

HOST = "web1"
NO_FORWARDING = "AllowStreamLocalForwarding no"


@pytest.fixture
def counted(lab: Lab, tmp_path: Path) -> Iterator[Lab]:
    """Starts of docker's client are counted on HOST."""
    client_starts.count(lab, HOST, client_starts.compiled(tmp_path))
    yield lab
    client_starts.stop(lab, HOST)


def way(app: App) -> str:
    """How the engine of HOST is asked, as `check` says it."""
    rows = json.loads(app.lading("check", "--json", HOST).stdout)
    return str(next(row for row in rows if row["host"] == HOST)["docker"]["text"])


def test_an_upgrade_starts_no_client(app: App, counted: Lab) -> None:
    assert app.deploy("1.0.0", to=HOST).returncode == 0
    client_starts.started(counted, HOST)
    upgraded = app.deploy("1.1.0", to=HOST)
    assert upgraded.returncode == 0, upgraded.stderr
    assert app.lading("where", app.name).returncode == 0
    assert client_starts.started(counted, HOST) == []
    assert "forwarded" in way(app)


def test_what_an_upgrade_waits_for(app: App, counted: Lab) -> None:
    """Each line is a script, or a question to the engine, whose answer is waited for; its image is there already."""
    for version in ("1.1.0", "1.0.0"):
        assert app.deploy(version, to=HOST).returncode == 0
    upgraded = app.lading("-v", "deploy", "--version", "1.1.0", "--to", HOST, "--yes")
    assert upgraded.returncode == 0, upgraded.stderr
    assert waits(upgraded.stderr) == [
        "observe begins", "GET /containers/json", "GET /containers/ID/json", "observe ends",
        "lease begins", "lease ends", "GET /containers/json",
        "stage begins", "GET /events", "POST tag", "stage ends",
        "roll begins", "prepare begins", "prepare ends", "commit begins", "commit ends",
        "GET /containers/json", "finish begins", "finish ends",
    ]


def waits(said: str) -> list[str]:
    """What `-v` tells of scripts and questions, but for the looks from a roll to what prepares."""
    found = []
    for line in said.splitlines():
        begins = re.match(rf"{HOST} ([a-z]+): begins", line)
        ends = re.match(rf"{HOST} ([a-z]+): exit status 0", line)
        asks = re.match(rf"{HOST} engine: ([A-Z]+) ([^ ,?]+)", line)
        if begins:
            found.append(f"{begins[1]} begins")
        elif ends:
            found.append(f"{ends[1]} ends")
        elif asks:
            found.append("POST tag" if asks[1] == "POST" else f"GET {asks[2]}")
    start, end = found.index("roll begins") + 1, found.index("prepare begins")
    assert {*found[start:end]} <= {"GET /containers/json", "GET /containers/ID/json", "roll ends"}
    assert "roll ends" in found[start:end]
    return found[:start] + found[end:]


@pytest.mark.parametrize(("settings", "expected"), [
    ((NO_FORWARDING,), "dial-stdio"),
    ((NO_FORWARDING, "MaxSessions 1"), "by its client"),
])
def test_where_no_socket_is_forwarded(
    settings: tuple[str, ...], expected: str, app: App, counted: Lab, tmp_path: Path
) -> None:
    person = Person(counted, tmp_path / "home")
    key = make_key(tmp_path / "host")
    person.pin(f"[{ADDRESS[HOST]}]:{PORT} {public(key)}\n")
    theirs = person.deploys(app, {HOST: f"{{address: {ADDRESS[HOST]}, port: {PORT}}}"})
    with second_sshd(counted, HOST, key, settings=settings):
        assert expected in way(theirs)
        assert theirs.deploy("1.0.0", to=HOST).returncode == 0
        client_starts.started(counted, HOST)
        upgraded = theirs.deploy("1.1.0", to=HOST)
        assert upgraded.returncode == 0, upgraded.stderr
        starts = client_starts.started(counted, HOST)
        if expected == "dial-stdio":
            assert {*starts} == {"system dial-stdio"}
            assert len(starts) <= 2  # one for questions; a pull, if one is needed, takes it, and leaves another to be opened
        else:
            assert starts
        seen = theirs.lading("where", app.name)
        assert "1.1.0 on web1" in seen.stdout, seen.stderr


def test_by_sudo(app: App, counted: Lab, tmp_path: Path) -> None:
    person = Person(counted, tmp_path / "home")
    theirs = person.deploys(app, {HOST: f"{{address: {ADDRESS[HOST]}, user: ops, sudo: true}}"})
    assert theirs.deploy("1.0.0", to=HOST).returncode == 0
    client_starts.started(counted, HOST)
    upgraded = theirs.deploy("1.1.0", to=HOST)
    assert upgraded.returncode == 0, upgraded.stderr
    starts = client_starts.started(counted, HOST)
    assert ({*starts}, len(starts) <= 2) == ({"system dial-stdio"}, True), starts
    assert "dial-stdio" in way(theirs)


def test_an_engine_that_starts_again_meanwhile(app: App, lab: Lab) -> None:
    """Its API is lost and found again: nothing is told that is not so."""
    assert app.deploy("1.0.0", to=HOST).returncode == 0
    lab.stop(HOST, "dockerd")
    silent = app.lading("where", app.name)
    assert silent.returncode != 0
    assert HOST in silent.stdout + silent.stderr
    lab.start(HOST, "dockerd")
    # An engine that starts again begins the health check anew: "starting" is the truth until the first one has passed.
    assert app.versions() <= {(HOST, "1.0.0", "starting"), (HOST, "1.0.0", "healthy")}
    wait_until(lambda: app.versions() == {(HOST, "1.0.0", "healthy")}, "web is healthy again")
    assert "forwarded" in way(app)
