"""A fleet that an older lading deployed goes on with this one: nothing is restarted, and what it kept stays good."""

import json
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from app_client import App
from lab_client import Lab
from test_interrupted import deploying, open_intents

ARCHIVE = Path(__file__).resolve().parents[1] / "formats" / "lading-08d5c5f.tar.xz"
HOSTS = ("web1", "web2")


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The older lading, as its source was."""
    folder = tmp_path_factory.mktemp("older")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "src"


def by_older(app: App, source: Path) -> App:
    """The same app, in the hands of the older lading."""
    older = replace(app, environment={**app.environment, "PYTHONPATH": str(source)})
    run = older.lab.run(sys.executable, "-c", "import lading; print(lading.__file__)", env=older.environment)
    assert str(source) in run.stdout
    return older


def released(app: App) -> dict[str, str]:
    """Version → id of each release that was committed, as history names them."""
    rows = json.loads(app.lading("history", app.name, "--json").stdout)
    return {row["version"]: row["release"] for row in rows}


def kept(app: App, host: str) -> set[str]:
    return set(app.lab.exec(host, f"ls /var/lib/lading/apps/{app.name}/releases").stdout.split())


def clean(app: App) -> bool:
    done = app.lading("drift", app.name, "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, []), done.stdout + done.stderr
    return True


def test_a_fleet_upgrades_without_a_restart(app: App, source: Path, tmp_path: Path) -> None:
    older = by_older(app, source)
    for version in ("1.0.0", "1.1.0"):
        done = older.deploy(version)
        assert done.returncode == 0, done.stderr
    before, names = {host: app.ids(host) for host in HOSTS}, released(app)
    assert all(len(name) == 12 for name in names.values())

    same = app.deploy("1.1.0", "--json")
    assert (same.returncode, json.loads(same.stdout)["result"]) == (0, "unchanged"), same.stderr
    assert {host: app.ids(host) for host in HOSTS} == before
    shown = {row["release"] for row in app.where() if row["service"] == "web"}
    assert {(len(one), one[:12]) for one in shown} == {(64, names["1.1.0"])}
    assert clean(app)
    assert [row["result"] for row in json.loads(app.lading("history", app.name, "--json").stdout)] == ["succeeded"] * 2

    back = app.lading("rollback", app.name, "--release", names["1.0.0"], "--to", ",".join(HOSTS), "--yes")
    assert back.returncode == 0, back.stderr
    assert app.versions() == {(host, "1.0.0", "healthy") for host in HOSTS}
    assert {app.ids(host)["store"] for host in HOSTS} == {before[host]["store"] for host in HOSTS}
    assert (kept(app, "web1"), clean(app)) == (set(names.values()), True)

    app.edit("stop_grace_period: 2s\n  migrate", "stop_grace_period: 3s\n  migrate")
    done = app.deploy("1.1.0", "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)["release"]
    assert {host: app.ids(host)["store"] for host in HOSTS} == {host: before[host]["store"] for host in HOSTS}
    assert (len(made), kept(app, "web1"), clean(app)) == (64, {*names.values(), made}, True)

    home = tmp_path / "home"
    home.mkdir()
    (home / ".ssh").symlink_to("/root/.ssh")
    for words in (("deploy", "--version", "1.0.0"), ("rollback", app.name), ("remove", app.name)):
        refused = older.lading(*words, "--to", "web1", "--yes", options=["--home", str(home)])
        assert (refused.returncode, "newer lading" in refused.stderr) == (4, True), refused.stderr
    other = App.copy(app.lab, tmp_path / "other", f"{app.name}-b", 8081)
    try:  # what it did not touch, the older lading may still change
        done = by_older(other, source).lading("deploy", "--version", "1.0.0", "--to", "web1", "--yes", options=["--home", str(home)])
        assert done.returncode == 0, done.stderr
    finally:
        other.remove()


def test_what_the_older_lading_left_open_is_ended(app: App, lab: Lab, source: Path) -> None:
    older = by_older(app, source)
    done = older.deploy("1.0.0")
    assert done.returncode == 0, done.stderr
    store = app.ids("web1")["store"]
    with deploying(older, "1.1.0", "web1       roll begins") as process:
        process.kill()
    assert set(open_intents(app)) == set(HOSTS)
    held = app.lading("resume", app.name)  # its leases last for minutes, and nobody renews them: who it is may still live
    assert (held.returncode, "--take-lease" in held.stderr) == (4, True), held.stderr
    ended = app.lading("resume", app.name, "--take-lease")
    assert ended.returncode == 0, ended.stderr + ended.stdout
    goes_on = "succeeded" in ended.stdout  # where both hosts had begun; else it is undone
    assert goes_on or "rolled_back" in ended.stdout or "failed" in ended.stdout
    assert app.versions() == {(host, "1.1.0" if goes_on else "1.0.0", "healthy") for host in HOSTS}
    assert (app.ids("web1")["store"], clean(app)) == (store, True)
    again = app.deploy("1.1.0")
    assert again.returncode == 0, again.stderr
