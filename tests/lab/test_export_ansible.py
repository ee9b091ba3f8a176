"""An exported playbook, run by plain ansible-playbook without lading: what runs afterwards is what lading's own deployment runs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from app_client import App
from lab_client import Done, Lab
from playbook import Playbook, adopt

pytestmark = pytest.mark.timeout(1200)  # a play takes a minute on a quiet machine of two cores
TOOLS = Path(sys.executable).parent
BOTH = ("web1", "web2")
TEAMS = """
web1 ansible_host=10.88.0.11 ansible_user=deploy
web2 ansible_host=10.88.0.12 ansible_user=ops ansible_become=true ansible_ssh_common_args='-o ProxyCommand="ssh -W %h:%p -q web1"'
"""
FLEET = """lading: 1
inventory: hosts
ssh: {{known_hosts: {lab}/known_hosts}}
registries:
  "registry.lab:5000": {{username: ci, password: {{env: REG_PASSWORD}}, ca: {lab}/ca.pem}}
"""


def export(app: App, version: str, folder: Path, **env: str) -> Done:
    return app.lading("export", "ansible", app.name, "--version", version, "--to", "web1,web2", "-o", str(folder), env=env)


def play(lab: Lab, folder: Path, password: str = "", **env: str) -> Done:
    """The playbook in an environment in which there is no lading."""
    words = {"ANSIBLE_HOME": str(folder.parent / "ansible-home"), "REG_PASSWORD": password or lab.password, "ANSIBLE_FORKS": "4", **env}
    return lab.run(str(TOOLS / "ansible-playbook"), "-i", str(folder / "inventory.yml"), str(folder / "playbook.yml"), check=False,
                   cwd="/", env=words, timeout=500)


def recap(done: Done) -> dict[str, dict[str, int]]:
    """Host → ok, changed, failed as the last lines say."""
    lines = done.stdout.split("PLAY RECAP")[1].splitlines()[1:]
    rows = (line.split(":", 1) for line in lines if ":" in line)
    return {name.strip(): {k: int(v) for k, v in (word.split("=") for word in words.split())} for name, words in rows}


def running(lab: Lab, app: App, host: str) -> dict[str, Any]:
    """What each container of the app is made of, but for its id, times and generated names."""
    label = f"label=com.docker.compose.project={app.name}"
    out = lab.exec(host, f"docker inspect $(docker ps -aq --filter {label})").stdout
    found = {}
    for one in json.loads(out):
        config, host_config = one["Config"], one["HostConfig"]
        depends = "com.docker.compose.depends_on"  # Compose writes it in any order
        config["Labels"][depends] = sorted(config["Labels"][depends].split(","))
        found[config["Labels"]["com.docker.compose.service"]] = {
            "image": config["Image"], "image_id": one["Image"], "env": sorted(config["Env"]), "labels": config["Labels"],
            "command": config["Cmd"], "health": config.get("Healthcheck"), "ports": host_config["PortBindings"],
            "restart": host_config["RestartPolicy"], "binds": sorted(host_config["Binds"] or []),
            "mounts": sorted((m["Type"], m["Destination"], m["Source"]) for m in one["Mounts"]),
            "networks": sorted(one["NetworkSettings"]["Networks"]), "state": one["State"]["Status"],
        }
    return found


def folders(lab: Lab, app: App, host: str) -> list[str]:
    """Where a host keeps the app, whoever put it there."""
    places = ("/root/.lading/*", "/home/*/.lading/*", "/var/lib/lading")
    return lab.exec(host, f"ls -d {' '.join(f'{place}/apps/{app.name}' for place in places)} 2>/dev/null", check=False).stdout.split()


def test_it_runs_what_lading_runs(app: App, lab: Lab, tmp_path: Path) -> None:  # R14
    app.edit("    restart: unless-stopped\n    volumes: [\"/etc", "    restart: unless-stopped\n    environment: [TOKEN]\n    env_file: [web.env]\n    volumes: [\"/etc")
    (app.folder / "web.env").write_text("FROM_FILE=it's $$ \"quoted\"\n")
    app.pass_env("TOKEN")
    secrets = {"TOKEN": "s3cr'et \\ $x \"y\"", "PROJECT_DIRECTORY": str(app.folder)}
    made = export(app, "1.0.0", tmp_path / "out", TOKEN=secrets["TOKEN"])
    assert made.returncode == 0, made.stderr
    texts = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    for secret in (secrets["TOKEN"].encode(), b"quoted", lab.password.encode()):
        assert secret not in texts
    first = play(lab, tmp_path / "out", **secrets)
    assert first.returncode == 0, first.stdout + first.stderr
    assert secrets["TOKEN"] not in first.stdout and lab.password not in first.stdout
    by_playbook = {host: running(lab, app, host) for host in BOTH}
    assert by_playbook["web1"]["web"]["state"] == "running"
    assert {(r["host"], r["version"], r["state"]) for r in app.where() if r["service"] == "web"} == {
        (host, "1.0.0", "healthy") for host in BOTH}
    assert app.lading("drift", app.name).returncode == 0
    ids = {host: app.ids(host) for host in BOTH}
    again = play(lab, tmp_path / "out", **secrets)
    assert {host: row["changed"] for host, row in recap(again).items()} == dict.fromkeys(BOTH, 0)
    assert {host: app.ids(host) for host in BOTH} == ids
    for host in BOTH:
        assert lab.exec(host, "ls /dev/shm").stdout == ""

    app.remove()
    assert app.deploy("1.0.0", env={"TOKEN": secrets["TOKEN"]}).returncode == 0
    for host in BOTH:
        by_lading = running(lab, app, host)
        assert set(by_lading) == set(by_playbook[host])
        for service, found in by_lading.items():
            assert found == by_playbook[host][service], (host, service)

    upgrade = export(app, "1.1.0", tmp_path / "next", TOKEN=secrets["TOKEN"])
    assert upgrade.returncode == 0, upgrade.stderr
    assert play(lab, tmp_path / "next", **secrets).returncode == 0
    assert app.versions() == {(host, "1.1.0", "healthy") for host in BOTH}
    assert {r["deployment"] for r in app.where() if r["service"] == "web"} == {"ansible-playbook"}
    assert app.lading("drift", app.name).returncode == 0
    there = app.ids("web1")
    assert app.deploy("1.1.0", env={"TOKEN": secrets["TOKEN"]}).returncode == 0  # lading goes on from there
    assert app.ids("web1") == there


def test_a_bad_version_stops_at_the_first_batch(app: App, lab: Lab, tmp_path: Path) -> None:
    app.edit("    stop_grace_period: 2s\n  migrate", "    stop_grace_period: 2s\n    deploy: {update_config: {parallelism: 1}}\n  migrate")
    assert export(app, "1.2.0", tmp_path / "out").returncode == 0
    assert "serial: [1, 1]" in (tmp_path / "out" / "playbook.yml").read_text()
    failed = play(lab, tmp_path / "out")
    assert failed.returncode == 2
    assert set(recap(failed)) == {"web1"}
    assert not [name for name in app.ids("web2") if not name.startswith("volume:")]
    assert lab.exec("web1", "ls /dev/shm").stdout == ""


def test_what_is_missing_is_said_and_no_login_stays(app: App, lab: Lab, tmp_path: Path) -> None:
    assert export(app, "1.0.0", tmp_path / "out").returncode == 0
    for host in BOTH:  # what other tests pulled needs no login
        lab.exec(host, "docker images -q registry.lab:5000/hello | sort -u | xargs -r docker rmi -f", check=False)
    wrong = play(lab, tmp_path / "out", "not the password")
    assert wrong.returncode == 2
    assert lab.exec("web1", "ls /dev/shm").stdout == ""
    without = lab.run("env", "-u", "REG_PASSWORD", str(TOOLS / "ansible-playbook"), "-i", str(tmp_path / "out" / "inventory.yml"),
                      str(tmp_path / "out" / "playbook.yml"), check=False, cwd="/")
    assert "set REG_PASSWORD in the environment" in without.stdout
    assert app.ids("web1") == {}
    assert export(app, "1.0.0", tmp_path / "out").returncode == 2  # never over another folder
    app.edit("services:", "x-lading: {hooks: {before: {service: migrate}}}\nservices:")
    refused = export(app, "1.0.0", tmp_path / "other")
    assert (refused.returncode, (tmp_path / "other").exists()) == (2, False)
    assert "hooks.before" in refused.stderr


def test_hosts_of_the_teams_inventory_are_reached_as_it_says(app: App, lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(TEAMS)
    (tmp_path / "lading.yaml").write_text(FLEET.format(lab=lab.fleet))
    fleet = {"LADING_CONFIG": str(tmp_path / "lading.yaml")}
    assert app.deploy("1.0.0", env=fleet).returncode == 0
    ids = {host: app.ids(host) for host in BOTH}
    there = {host: folders(lab, app, host) for host in BOTH}
    assert there["web2"][0].startswith("/root/")
    made = app.lading("export", "ansible", "--version", "1.0.0", "--to", "web1,web2", "-o", str(tmp_path / "out"), "--json", env=fleet)
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["run"] == f"ansible-playbook -i {tmp_path}/hosts {tmp_path}/out/playbook.yml"
    assert not (tmp_path / "out" / "inventory.yml").exists()
    words = {"ANSIBLE_HOME": str(tmp_path / "ansible-home"), "REG_PASSWORD": lab.password, "PATH": f"{TOOLS}:/usr/bin:/bin"}
    done = lab.run("sh", "-c", told["run"], check=False, cwd="/", env=words, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {host: app.ids(host) for host in BOTH} == ids
    assert {host: folders(lab, app, host) for host in BOTH} == there  # as the same user
    removed = app.lading("remove", app.name, "--to", "web1,web2", "--yes", env=fleet)
    assert removed.returncode == 0, removed.stderr


def test_what_was_adopted_is_not_recreated(app: App, playbook: Playbook, tmp_path: Path) -> None:
    for host in BOTH:
        playbook.up(host, "1.0.0")
    assert adopt(app, "--yes").returncode == 0
    refused = export(app, "1.1.0", tmp_path / "out")
    assert (refused.returncode, (tmp_path / "out").exists()) == (2, False)
    assert "store: adopted and unchanged" in refused.stderr
    assert f"lading remove {app.name} --to web1 --keep-running" in refused.stderr
    assert app.deploy("1.0.0").returncode == 0  # unchanged: they are still adopted
    assert export(app, "1.0.0", tmp_path / "out").returncode == 2


def test_an_app_of_another_source_is_exported_when_told_to_take_it_over(app: App, lab: Lab, tmp_path: Path) -> None:
    assert app.deploy("1.0.0", to="web1").returncode == 0
    other = App.copy(lab, tmp_path / "elsewhere", app.name, 8080)
    words = ("export", "ansible", app.name, "--version", "1.1.0", "--to", "web1", "-o", str(tmp_path / "out"))
    refused = other.lading(*words)
    assert (refused.returncode, "belongs to" in refused.stderr, "--take-over" in refused.stderr) == (4, True, True), refused.stderr
    assert not (tmp_path / "out").exists()
    assert other.lading(*words, "--take-over").returncode == 0
    assert app.versions() == {("web1", "1.0.0", "healthy")}  # an export changes no host
    done = play(lab, tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert other.deploy("1.1.0", to="web1").returncode == 0  # it belongs to the other one now
    before = app.deploy("1.0.0", to="web1")
    assert (before.returncode, "belongs to" in before.stderr) == (4, True), before.stderr
    assert app.versions() == {("web1", "1.1.0", "healthy")}


def test_ansible_lint_finds_nothing(app: App, lab: Lab, tmp_path: Path) -> None:
    assert export(app, "1.0.0", tmp_path / "out").returncode == 0
    argv = [str(TOOLS / "ansible-lint"), "--offline", "--strict", "--profile", "production", "playbook.yml"]
    done = subprocess.run(argv, cwd=tmp_path / "out", capture_output=True, text=True, check=False,
                          env={"PATH": f"{TOOLS}:/usr/bin:/bin", "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
