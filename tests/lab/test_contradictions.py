"""A host that contradicts the ledger is named and refused, until somebody accepts it: put back from a snapshot, emptied, edited."""

import json
from pathlib import Path
from typing import Any

import pytest
from app_client import App, some
from lab_client import Lab

HOSTS = ("web1", "web2")


def folder(app: App, host: str) -> str:
    """The app's folder on a host: shared, or the user's own."""
    return app.lab.exec(host, f"ls -d /var/lib/lading/apps/{app.name} /home/*/.lading/*/apps/{app.name} 2>/dev/null | head -n 1").stdout.strip()


def ledger_says(app: App, *verb: str) -> dict[str, str]:
    """Host → why it contradicts, as `drift` tells it."""
    done = app.lading("drift", app.name, "--json")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return {row["host"]: row["observed"] for row in rows if row["field"] == "ledger"}


def check_named(app: App, host: str, words: str) -> None:
    """`where`, `drift` and `ledger verify --hosts` name the host and what is wrong, and no other host."""
    said = ledger_says(app)
    assert list(said) == [host], said
    assert words in said[host]
    rows = [row for row in app.where() if row["service"] is None]
    assert [(row["host"], row["state"]) for row in rows] == [(host, "unknown")]
    assert words in rows[0]["drift"][0] and f"--accept-host {host}" in rows[0]["drift"][0]
    verified = app.lading("ledger", "verify", "--hosts", "--to", ",".join(HOSTS), "--json")
    told = json.loads(verified.stdout)["contradicting"]
    assert (verified.returncode, [(one["host"], one["app"]) for one in told]) == (7, [(host, app.name)])


def check_refused(app: App, host: str) -> None:
    """Every verb that changes something refuses, and nothing is changed."""
    before = {name: app.ids(name) for name in HOSTS}
    to = ("--to", ",".join(HOSTS), "--yes")
    for words in (("deploy", "--version", "1.0.0"), ("rollback", app.name), ("remove", app.name)):
        refused = app.lading(*words, *to)
        assert (refused.returncode, f"{host}: " in refused.stderr, f"--accept-host {host}" in refused.stderr) == (
            4, True, True), refused.stderr
    assert {name: app.ids(name) for name in HOSTS} == before


def check_put_right(app: App, host: str) -> None:
    """The plan shows the repair, and whoever accepts the host has it carried out."""
    plan = app.lading("plan", "--version", "1.1.0", "--to", ",".join(HOSTS), "--json")
    assert plan.returncode == 0, plan.stderr
    changes = [one for one in json.loads(plan.stdout)["changes"] if one["field"] == "record"]
    assert [(one["host"], one["new"]) for one in changes] == [(host, "written anew")]
    wrong = app.deploy("1.1.0", "--accept-host", "web3")
    assert wrong.returncode == 2, wrong.stderr
    done = app.deploy("1.1.0", "--accept-host", host)
    assert (done.returncode, "succeeded" in done.stdout) == (0, True), done.stderr
    assert (ledger_says(app), app.lading("drift", app.name).returncode) == ({}, 0)
    assert app.versions() == {(name, "1.1.0", "healthy") for name in HOSTS}
    same = app.deploy("1.1.0", "--json")
    assert json.loads(same.stdout)["result"] == "unchanged", same.stderr


def test_a_host_that_was_put_back_from_a_snapshot(app: App, lab: Lab, tmp_path: Path) -> None:
    assert app.deploy("1.0.0").returncode == 0
    where = folder(app, "web2")
    lab.exec("web2", f"rm -rf /root/snapshot; cp -a {where} /root/snapshot")
    assert app.deploy("1.1.0").returncode == 0
    assert ledger_says(app) == {}
    lab.exec("web2", f"rm -rf {where}; mv /root/snapshot {where}")
    check_named(app, "web2", "its journal lacks deployment")
    check_refused(app, "web2")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".ssh").symlink_to("/root/.ssh")
    fresh = app.lading("where", app.name, options=["--home", str(home)])
    assert (fresh.returncode, "not compared with a ledger" in fresh.stderr) == (0, True), fresh.stderr
    assert "its journal lacks" not in fresh.stdout
    check_put_right(app, "web2")


def test_a_host_that_was_emptied(app: App, lab: Lab) -> None:
    assert app.deploy("1.0.0").returncode == 0
    assert app.deploy("1.1.0").returncode == 0
    lab.exec("web1", f"rm -rf {folder(app, 'web1')}")
    check_named(app, "web1", "it has no record of")
    check_refused(app, "web1")
    check_put_right(app, "web1")


@pytest.mark.parametrize(("file", "edit", "words"), some([
    ("current", 's/"since":"[^"]*"/"since":"2099-01-01T00:00:00Z"/', "its `current` is not what was written"),
    ("journal", r'/"committed"/s/"version": "1.1.0"/"version": "9"/', "otherwise than this ledger saw"),
]))
def test_a_host_that_was_edited(file: str, edit: str, words: str, app: App, lab: Lab) -> None:
    assert app.deploy("1.0.0").returncode == 0
    assert app.deploy("1.1.0").returncode == 0
    lab.exec("web2", f"sed -i '{edit}' {folder(app, 'web2')}/{file}")
    check_named(app, "web2", words)
    check_put_right(app, "web2")


def test_what_others_did_is_news(app: App, tmp_path: Path) -> None:
    assert app.deploy("1.0.0").returncode == 0
    home = tmp_path / "home"
    home.mkdir()
    (home / ".ssh").symlink_to("/root/.ssh")
    other = app.lading("deploy", "--version", "1.1.0", "--to", "web1", "--yes", options=["--home", str(home)])
    assert other.returncode == 0, other.stderr
    assert ledger_says(app) == {}
    assert app.deploy("1.1.0").returncode == 0
    gone = app.lading("remove", app.name, "--to", "web2", "--yes", options=["--home", str(home)])
    assert gone.returncode == 0, gone.stderr
    assert ledger_says(app) == {}
    assert app.deploy("1.0.0").returncode == 0
