"""Hosts where lading works by sudo: a user who may not talk to Docker has all of a deployment's life, as others do without sudo."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from app_client import App
from lab_client import Lab
from ssh_client import ADDRESS, DIRECT, Person, goes_round
from test_interrupted import deploying, open_intents

SUDO = {name: f"{{address: {ADDRESS[name]}, user: ops, sudo: true}}" for name in ("web1", "web2")}
COMMAND = "[t]imeout -k 10"  # what every command of lading is on a host; not this text itself


@pytest.fixture
def person(lab: Lab, tmp_path: Path) -> Person:
    return Person(lab, tmp_path / "home")


@pytest.fixture
def ops(person: Person, app: App) -> App:
    """The app as ops deploys it."""
    return person.deploys(app, SUDO)


@pytest.fixture(params=["by sudo", "without sudo"])
def either(request: pytest.FixtureRequest, person: Person, app: App) -> App:
    """The app as ops deploys it, and as deploy does, who is in group docker."""
    return person.deploys(app, SUDO if request.param == "by sudo" else DIRECT)


def state(app: App, host: str) -> str:
    """The app's folder on a host."""
    places = "/var/lib/lading/apps/*/ /root/.lading/*/apps/*/ /home/*/.lading/*/apps/*/"
    return app.lab.exec(host, f"ls -d {places} 2>/dev/null | grep '/{app.name}/$'", check=False).stdout.strip().rstrip("/")


def test_all_of_it_by_sudo(ops: App, lab: Lab) -> None:
    for host in ("web1", "web2"):
        assert "docker" not in lab.exec(host, "id -nG ops").stdout.split()
        assert lab.exec(host, "docker ps", user="ops", check=False).returncode != 0
    goes_round(ops, "web1", "web2")
    before = {host: ops.ids(host) for host in ("web1", "web2")}
    broken = ops.deploy("1.2.0")
    assert (broken.returncode, "rolled_back" in broken.stdout) == (5, True), broken.stderr
    assert ops.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert {host: ids["store"] for host, ids in before.items()} == {host: ops.ids(host)["store"] for host in before}
    assert ops.lading("drift", ops.name).returncode == 0
    assert "1.0.0" in ops.lading("logs", ops.name, "--to", "web1,web2").stdout
    removed = ops.lading("remove", ops.name, "--to", "web1,web2", "--yes")
    assert (removed.returncode, set(ops.ids("web1")) | set(ops.ids("web2"))) == (0, {f"volume:{ops.name}_data"})


def test_who_owns_the_state_folder(ops: App, app: App, lab: Lab) -> None:
    """Shared on web1: who is in group docker takes turns with ops. On web2 it is root's own, and nobody else works beside it."""
    files = "ls -A /home/ops"  # other tests let Ansible work here as ops
    before = lab.exec("web2", files).stdout
    assert ops.deploy("1.0.0").returncode == 0
    assert lab.exec("web1", f"find {state(ops, 'web1')} ! -group docker").stdout == ""
    assert lab.exec("web1", f"stat -c '%U:%G %a' {state(ops, 'web1')}").stdout.strip() == "root:docker 2770"
    assert state(ops, "web2").startswith("/root/.lading/")
    assert lab.exec("web2", "find /root/.lading ! -user root; stat -c '%U %a' /root/.lading").stdout == "root 700\n"
    assert lab.exec("web2", files).stdout == before
    person = App(lab, app.folder, app.name, (), ())
    mixed = person.deploy("1.1.0", "--take-over", to="web1")
    assert mixed.returncode == 0, mixed.stderr
    assert ops.lading("rollback", ops.name, "--to", "web1", "--yes").returncode == 0
    assert ops.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    refused = person.deploy("1.1.0", "--take-over", to="web2")
    assert refused.returncode == 4, refused.stderr
    assert ("web2", "1.0.0", "healthy") in ops.versions()


def test_one_deployment_at_a_time(ops: App) -> None:
    assert ops.deploy("1.0.0").returncode == 0
    ops.edit("command: [migrate]", 'entrypoint: [sh, -c, "sleep 25; exec /app migrate"]')
    with deploying(ops, "1.1.0", "web1       roll begins") as process:
        refused = ops.deploy("1.1.0")
        _, said = process.communicate(timeout=120)
    assert (refused.returncode, "is held by" in refused.stderr, "--take-lease" in refused.stderr) == (4, True, True)
    assert process.returncode == 0, said


def test_a_controller_that_dies_while_containers_change(either: App) -> None:
    """What had begun ends by itself on the hosts; another run goes on with it."""
    assert either.deploy("1.0.0").returncode == 0
    store = either.ids("web1")["store"]
    with deploying(either, "1.1.0", "web1       roll begins") as process:
        process.kill()
    assert set(open_intents(either)) == {"web1", "web2"}
    ended = either.lading("resume", either.name)
    assert (ended.returncode, "succeeded" in ended.stdout) == (0, True), ended.stderr
    assert either.versions() == {("web1", "1.1.0", "healthy"), ("web2", "1.1.0", "healthy")}
    assert either.ids("web1")["store"] == store


def test_a_controller_that_comes_too_late_changes_nothing(either: App, lab: Lab, tmp_path: Path) -> None:  # the fence
    assert either.deploy("1.0.0").returncode == 0
    mate = App(lab, either.folder, either.name, either.config, ("--home", str(Person(lab, tmp_path / "mate").home)))
    with deploying(either, "1.1.0", "web1       stage begins") as process:
        os.kill(process.pid, signal.SIGSTOP)
        for host in ("web1", "web2"):
            lab.exec(host, f"flock -w 60 {state(either, host)}/op.lock true")
        taken = mate.deploy("1.1.0", "--take-lease")
        assert taken.returncode == 0, taken.stderr
        before = {host: either.ids(host) for host in ("web1", "web2")}
        os.kill(process.pid, signal.SIGCONT)
        out, said = process.communicate(timeout=120)
    assert (process.returncode, "taken the app over" in said) == (4, True), out + said
    assert {host: either.ids(host) for host in before} == before
    assert either.versions() == {("web1", "1.1.0", "healthy"), ("web2", "1.1.0", "healthy")}


def test_an_upload_ends_with_its_controller(either: App, lab: Lab) -> None:
    (either.folder / "big.bin").write_bytes(os.urandom(60 * 1024 * 1024))
    either.edit('"/etc/hostname:/host-name:ro"', '"/etc/hostname:/host-name:ro", "./big.bin:/big.bin:ro"')
    watch = lab.exec_argv("web1", ["timeout", "60", "/bin/sh", "-c", "until p=$(pgrep -f 'ta[r] -xpof - -C .*/incoming'); "
                                   "do sleep 0.01; done; kill -STOP $p; echo $p"])
    with subprocess.Popen(watch, stdout=subprocess.PIPE, text=True) as frozen:  # tar, so that the upload cannot end
        with deploying(either, "1.0.0", "web1       stage begins", to="web1") as process:
            tar = frozen.communicate(timeout=60)[0].strip()
            assert process.poll() is None
            process.kill()
    assert lab.exec("web1", f"pgrep -f '{COMMAND}'").stdout.split()
    lab.exec("web1", f"kill -CONT {tar}")
    lab.exec("web1", f"timeout 30 sh -c 'while pgrep -f \"{COMMAND}\"; do sleep 0.1; done'")
    place = state(either, "web1")
    lab.exec("web1", f"flock -n {place}/op.lock true")
    assert lab.exec("web1", f"find {place}/releases {place}/objects {place}/incoming.* -type f", check=False).stdout == ""
    assert either.ids("web1") == {}
    done = either.deploy("1.0.0", "--take-lease", to="web1")
    assert done.returncode == 0, done.stderr
