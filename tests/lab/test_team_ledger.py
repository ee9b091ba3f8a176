"""One ledger of a team in PostgreSQL: shared, lost in the middle of a deployment, not there at its start."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from app_client import LADING, App
from lab_client import Done

import postgres_server


@pytest.fixture(scope="module")
def server() -> Iterator[postgres_server.Server]:
    one = postgres_server.Server()
    yield one
    one.remove()


class Team:
    """People who use one fleet file and one ledger."""

    def __init__(self, app: App, server: postgres_server.Server) -> None:
        self.app, self.server = app, server
        name = f"t{uuid.uuid4().hex}"
        server.execute("postgres", f"CREATE DATABASE {name}")
        self.url = server.socket_url(name)
        fleet, lab = app.folder / "team.yaml", app.lab.fleet
        text = (lab / "lading.yaml").read_text().replace("known_hosts: known_hosts", f"known_hosts: {lab}/known_hosts")
        fleet.write_text(text.replace("ca: ca.pem", f"ca: {lab}/ca.pem") + "ledger: {url: {env: TEAM_LEDGER}}\n")
        self.config = str(fleet)

    def env(self, who: str) -> dict[str, str]:
        return {"TEAM_LEDGER": self.url, "USER": who, "LADING_CONFIG": self.config}

    def lading(self, who: str, *words: str) -> Done:
        return self.app.lading(*words, env=self.env(who))

    def read(self, who: str, *words: str) -> Any:
        done = self.lading(who, *words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def deploying(self, who: str, version: str) -> subprocess.Popen[str]:
        words = (*LADING, "deploy", "--version", version, "--to", "web1,web2", "--yes")
        return self.app.lab.popen(*words, cwd=self.app.folder, env=self.env(who))


@pytest.fixture
def team(app: App, server: postgres_server.Server) -> Team:
    return Team(app, server)


def test_a_team_has_one_history(team: Team) -> None:
    for who, version in (("ann", "1.0.0"), ("ben", "1.1.0")):
        done = team.app.deploy(version, env=team.env(who))
        assert done.returncode == 0, done.stderr
        assert postgres_server.PASSWORD not in done.stdout + done.stderr
    rows = team.read("eve", "history", team.app.name, "--offline")
    assert [(row["actor"].split("@")[0], row["version"], row["result"], row["origin"]) for row in rows] == [
        ("ben", "1.1.0", "succeeded", None), ("ann", "1.0.0", "succeeded", None)]
    told = team.read("eve", "ledger", "verify", "--to", "web1,web2")
    assert (told["ok"], told["attested"], told["other_writers"]) == (True, 4, [])
    assert team.read("eve", "show", rows[0]["deployment"])["images"]["web"].startswith("registry.lab:5000/hello:1.1.0@")


def test_the_server_goes_in_the_middle(team: Team) -> None:
    assert team.app.deploy("1.0.0", env=team.env("ann")).returncode == 0
    process = team.deploying("ann", "1.1.0")
    assert process.stderr is not None
    try:
        while "roll begins" not in (line := process.stderr.readline()):
            assert line, "it ended before it rolled"
        team.server.stop("immediate")
        out, err = process.communicate(timeout=200)
    finally:
        process.kill()
        process.wait()
        team.server.start()
    assert (process.returncode, "unknown (2 hosts)" in out) == (5, True), out + err
    assert "the ledger could not store the decision to commit" in err
    assert postgres_server.PASSWORD not in err
    assert team.app.versions() == {("web1", "1.1.0", "healthy"), ("web2", "1.1.0", "healthy")}
    assert team.app.deploy("1.0.0", env=team.env("ben")).returncode == 0
    newest, taken_over = team.read("ben", "history", team.app.name)[:2]
    assert (newest["version"], newest["result"]) == ("1.0.0", "succeeded")
    assert (taken_over["version"], taken_over["result"]) == ("1.1.0", "succeeded"), "all were prepared, so it went forward"
    assert team.app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert team.read("ben", "ledger", "verify", "--to", "web1,web2")["ok"]


def test_it_is_not_there_at_the_start(team: Team) -> None:
    team.url = ""
    unset = team.app.deploy("1.0.0", env=team.env("ann"))
    assert (unset.returncode, "TEAM_LEDGER, which is not set" in unset.stderr) == (2, True), unset.stderr
    team.url = f"postgresql://lading:{postgres_server.PASSWORD}@/any?host=/nowhere"
    gone = team.app.deploy("1.0.0", env=team.env("ann"))
    assert (gone.returncode, "the ledger does not answer" in gone.stderr) == (7, True), gone.stderr
    assert "hint: " in gone.stderr
    assert postgres_server.PASSWORD not in gone.stderr
    for host in ("web1", "web2"):
        assert team.app.ids(host) == {}
        assert team.app.lab.exec(host, f"find / -xdev -path '*/apps/{team.app.name}' 2>/dev/null", check=False).stdout == ""
