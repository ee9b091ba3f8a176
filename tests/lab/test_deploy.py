"""The main job against real hosts: deploy, unchanged, upgrade, undo, rollback, remove, a second person."""

import json
import re
from pathlib import Path

from app_client import App
from lab_client import Done, Lab


def test_deploy_upgrade_undo_rollback(app: App, lab: Lab) -> None:  # R2 R17 R46 R51 R63 R64 R74, promises 2 3 5
    first = app.deploy("1.0.0", "--json", to="production")
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    assert told["result"] == "succeeded"
    assert {host["result"] for host in told["hosts"].values()} == {"succeeded"}
    assert set(told["hosts"]["web1"]) == {"result", "release", "previous", "error", "seconds"}
    assert app.versions() == {(f"web{n}", "1.0.0", "healthy") for n in (1, 2, 3)}
    assert "hello 1.0.0 from web2" in lab.run("curl", "-s", "http://web2:8080/").stdout

    before = {host: app.ids(host) for host in ("web1", "web2", "web3")}
    again = app.deploy("1.0.0", to="production")
    assert (again.returncode, "unchanged" in again.stdout) == (0, True)
    assert {host: app.ids(host) for host in before} == before
    assert app.lading("drift", app.name).returncode == 0

    assert app.deploy("1.1.0", to="production").returncode == 0
    assert app.versions() == {(f"web{n}", "1.1.0", "healthy") for n in (1, 2, 3)}
    for host, old in before.items():
        new = app.ids(host)
        assert new["web"] != old["web"]
        kept = {key: value for key, value in new.items() if key not in ("web", "migrate")}
        assert kept == {key: value for key, value in old.items() if key not in ("web", "migrate")}
        assert "volume:" + app.name + "_data" in kept

    broken = app.deploy("1.2.0", to="production")
    assert broken.returncode == 5
    assert "rolled_back" in broken.stdout
    assert "GREETING_TEMPLATE is missing" in broken.stderr
    assert app.versions() == {(f"web{n}", "1.1.0", "healthy") for n in (1, 2, 3)}
    assert app.lading("drift", app.name).returncode == 0
    assert app.ids("web1")["store"] == before["web1"]["store"]

    lab.registry("stop")
    back = app.lading("rollback", app.name, "--to", "production", "--yes")
    lab.registry("start")
    assert back.returncode == 0, back.stderr
    assert app.versions() == {(f"web{n}", "1.0.0", "healthy") for n in (1, 2, 3)}
    assert "intact" in app.lading("ledger", "verify").stdout


def test_what_is_known_no_host_is_asked(app: App, lab: Lab) -> None:  # docs/decisions/0088
    def told(done: Done) -> set[tuple[str, str]]:
        assert done.returncode == 0, done.stdout + done.stderr
        return set(re.findall(r"(web\d) +stage compose: not asked what it makes of the release: (.*)", done.stdout + done.stderr))

    here: str = "the plug-in and the files are those here"
    before = "the plug-in and the files are those that it has read before"
    assert told(app.deploy("1.0.0", "-v")) == {("web1", here), ("web2", here)}
    assert told(app.deploy("1.1.0", "-v")) == {("web1", here), ("web2", here)}
    changed = lab.exec("web2", f"ls -d /home/deploy/.lading/*/apps/{app.name}/releases/*")
    for folder in changed.stdout.split():
        lab.exec("web2", f"echo '# by hand' >>{folder}/files/docker-compose.yml")
    assert told(app.lading("rollback", app.name, "--to", "web1,web2", "--yes", "-v")) == {("web1", before)}
    assert app.versions() == {(host, "1.0.0", "healthy") for host in ("web1", "web2")}


def test_first_deploy_fails(app: App) -> None:  # promise 2: back to nothing, as before
    broken = app.deploy("1.2.0", "--json")
    assert broken.returncode == 5
    assert json.loads(broken.stdout)["result"] == "rolled_back"
    assert [key for key in app.ids("web1") if not key.startswith("volume:")] == []
    assert app.deploy("1.0.0").returncode == 0


def test_remove(app: App, lab: Lab) -> None:
    assert app.deploy("1.0.0").returncode == 0
    gone = app.lading("remove", app.name, "--to", "web1,web2", "--yes")
    assert gone.returncode == 0, gone.stderr
    assert list(app.ids("web1")) == [f"volume:{app.name}_data"]
    assert app.where("--to", "web1,web2") == []
    with_data = app.lading("remove", app.name, "--to", "web1", "--volumes", "--yes")
    assert (with_data.returncode, f"volume {app.name}_data" in with_data.stderr) == (0, True), with_data.stderr
    assert app.ids("web1") == {}
    nothing_left = app.lading("remove", app.name, "--to", "web1", "--volumes", "--yes")
    assert nothing_left.returncode == 2, nothing_left.stderr
    assert app.deploy("1.0.0").returncode == 0
    assert app.lading("remove", app.name, "--to", "web1,web2", "--volumes", "--yes").returncode == 0
    assert app.ids("web2") == {}


def test_second_person(app: App, lab: Lab, tmp_path: Path) -> None:  # R7 R66: another home, another ledger
    assert app.deploy("1.0.0", "--reason", "first").returncode == 0
    assert app.deploy("1.1.0").returncode == 0
    other = ["--home", str(tmp_path / "home")]
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".ssh").symlink_to("/root/.ssh")  # the one thing set up by hand
    told = json.loads(app.lading("history", app.name, "--json", options=other).stdout)
    assert [(row["version"], row["result"], bool(row["origin"])) for row in told] == [
        ("1.1.0", "succeeded", True), ("1.0.0", "succeeded", True)]
    assert told[1]["reason"] == "first"
    seen = json.loads(app.lading("where", app.name, "--json", options=other).stdout)
    assert {row["version"] for row in seen if row["service"] == "web"} == {"1.1.0"}
    back = app.lading("rollback", app.name, "--to", "web1,web2", "--yes", options=other)
    assert back.returncode == 0, back.stderr
    mine = json.loads(app.lading("history", app.name, "--json").stdout)
    assert (mine[0]["verb"], bool(mine[0]["origin"])) == ("rollback", True)


def test_two_apps_at_once(app: App, lab: Lab, tmp_path: Path) -> None:  # R45
    other = App.copy(lab, tmp_path / "other", "other-app", 8081)
    from concurrent.futures import ThreadPoolExecutor

    try:
        with ThreadPoolExecutor() as pool:
            done = list(pool.map(lambda one: one.deploy("1.0.0", to="web1"), (app, other)))
        assert [one.returncode for one in done] == [0, 0], [one.stderr for one in done]
    finally:
        other.remove()


def test_sudo_host(app: App, lab: Lab, tmp_path: Path) -> None:
    fleet = tmp_path / "sudo.yaml"
    text = (lab.fleet / "lading.yaml").read_text().replace("known_hosts: known_hosts", f"known_hosts: {lab.fleet}/known_hosts")
    fleet.write_text(text.replace("ca: ca.pem", f"ca: {lab.fleet}/ca.pem").replace(
        "user: deploy}\n  web2", "user: ops, sudo: true}\n  web2", 1))
    done = app.lading("--config", str(fleet), "deploy", "--version", "1.0.0", "--to", "web1", "--yes")
    assert done.returncode == 0, done.stderr
    assert ("web1", "1.0.0", "healthy") in app.versions()


def test_logs_and_show(app: App) -> None:
    ended = json.loads(app.deploy("1.0.0", "--json").stdout)
    lines = app.lading("logs", app.name, "--to", "web1,web2").stdout
    assert "web1 |" in lines
    assert "listens on 8080" in lines
    shown = json.loads(app.lading("show", ended["deployment"][:18], "--json").stdout)
    kinds = [event["kind"] for event in shown["events"]]
    assert kinds[:2] == ["DeploymentRequested", "DeploymentPlanned"]
    assert kinds[-1] == "DeploymentEnded"
    assert kinds.count("HostCommitted") == 2
