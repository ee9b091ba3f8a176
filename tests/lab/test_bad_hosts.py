"""Hosts and machines that cannot: the right message and exit code, nothing changed; check, hosts trust, init."""

import json
import os
import pty
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from app_client import LADING, App
from lab_client import Done, Lab
from test_bad_input import picture


def key_only(lab: Lab, tmp_path: Path) -> list[str]:
    """Options of `lab run` for a person whose one key no host knows."""
    home = tmp_path / "stranger"
    (home / ".ssh").mkdir(parents=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / ".ssh" / "id_ed25519"], check=True)
    return ["--home", str(home)]


def test_wrong_key(app: App, lab: Lab, tmp_path: Path) -> None:
    done = app.lading("deploy", "--version", "1.0.0", "--to", "web1", "--yes", options=key_only(lab, tmp_path))
    assert (done.returncode, "does not let deploy@10.88.0.11:22 in; tried: no agent" in done.stderr) == (6, True), done.stderr
    assert "ssh-ed25519 SHA256:" in done.stderr
    assert app.ids("web1") == {}


def test_agent_without_the_key(app: App, lab: Lab, tmp_path: Path) -> None:
    home = tmp_path / "empty"
    (home / ".ssh").mkdir(parents=True)
    line = 'eval "$(ssh-agent -s)" >/dev/null; trap "ssh-agent -k >/dev/null" EXIT; "$@"'
    done = lab.run("bash", "-c", line, "bash", *LADING, "deploy", "--version", "1.0.0", "--to", "web1", "--yes",
                   check=False, cwd=app.folder, options=["--home", str(home)])
    assert (done.returncode, "agent" in done.stderr) == (6, True), done.stderr
    assert app.ids("web1") == {}


@pytest.fixture
def without(lab: Lab) -> Iterator[Callable[[str, str], None]]:
    """Take a file away from a host for the time of a test."""
    taken: list[tuple[str, str]] = []

    def take(host: str, path: str) -> None:
        lab.exec(host, f"mv {path} {path}.away")
        taken.append((host, path))

    yield take
    for host, path in taken:
        lab.exec(host, f"mv {path}.away {path}")


@pytest.mark.parametrize(("path", "said"), [
    ("/usr/bin/docker", "docker is not installed"),
    ("/usr/local/lib/docker/cli-plugins/docker-compose", "the Compose plugin is not installed"),
    ("/usr/bin/flock", "flock is not installed"),
])
def test_host_lacks(path: str, said: str, app: App, lab: Lab, without: Callable[[str, str], None]) -> None:
    before = picture(lab) if path != "/usr/bin/docker" else {}
    without("web2", path)
    done = app.deploy("1.0.0")
    assert (done.returncode, said in done.stderr, "host web2" in done.stderr) == (4, True, True), done.stderr
    assert app.ids("web1") == {}
    if before:
        assert picture(lab) == before


def test_image_for_another_machine(app: App, lab: Lab) -> None:
    app.edit("registry.lab:5000/store:1", push_index(lab, "linux/arm64"))
    done = app.deploy("1.0.0")
    assert (done.returncode, "is not there for linux/amd64 (only linux/arm64)" in done.stderr) == (4, True), done.stderr
    assert (app.ids("web1"), app.ids("web2")) == ({}, {})


def push_index(lab: Lab, platform: str) -> str:
    """Push an OCI index with one platform over the store's manifest; its reference."""
    script = f"""set -e
curl() {{ command curl -fsS --cacert "$CA" -u "ci:$REG_PASSWORD" "$@"; }}
U=https://registry.lab:5000/v2/store/manifests
curl -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' -D head -o body $U/1
d=$(tr -d '\\r' <head | sed -n 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: //p')
printf '{{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[{{"mediaType":\
"application/vnd.docker.distribution.manifest.v2+json","digest":"%s","size":%s,"platform":{{"os":"{platform.split('/')[0]}",\
"architecture":"{platform.split('/')[1]}"}}}}]}}' "$d" "$(wc -c <body)" >index
curl -X PUT -H 'Content-Type: application/vnd.docker.distribution.manifest.list.v2+json' --data-binary @index $U/index
rm -f head body index
"""
    lab.run("sh", "-c", script, env={"CA": str(lab.fleet / "ca.pem")}, cwd="/tmp")
    return "registry.lab:5000/store:index"


def test_full_disk(app: App, lab: Lab) -> None:  # a small loop file system, where lading's state goes
    lab.exec("web2", "dd if=/dev/zero of=/full.img bs=1M count=60 2>/dev/null && mkfs.ext4 -q /full.img && "
             "mkdir -p /var/lib/lading && mount -o loop /full.img /var/lib/lading && chown root:docker /var/lib/lading && "
             "chmod 2770 /var/lib/lading && dd if=/dev/zero of=/var/lib/lading/fill bs=1M count=30 2>/dev/null")
    try:
        done = app.deploy("1.0.0")
        shown = app.lading("check", "web2")
    finally:
        lab.exec("web2", "umount /var/lib/lading && rmdir /var/lib/lading && rm -f /full.img")
    assert (done.returncode, "the disk is full" in done.stderr, "host web2" in done.stderr) == (4, True, True), done.stderr
    assert (shown.returncode, "the disk is full" in shown.stdout) == (6, True)
    assert app.ids("web1") == {}


def test_deploy_needs_no_docker_client_here(app: App, lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for program in ("git", "ssh"):
        (tmp_path / "bin" / program).symlink_to(str(shutil.which(program)))
    words = ["deploy", "--version", "1.0.0", "--to", "web1", "--yes"]
    done = lab.run("/usr/bin/env", f"PATH={tmp_path}/bin", *LADING, *words, cwd=app.folder, check=False)
    assert done.returncode == 0, done.stderr


def test_check_is_one_table(app: App, lab: Lab) -> None:  # issue 2, item 9
    good = app.lading("check", "production")
    assert good.returncode == 0, good.stdout
    head = good.stdout.splitlines()[0].lower().split()
    assert set(head) == {"host", "ssh", "key", "docker", "compose", "registry", "disk", "tools", "state_dir", "fence"}
    assert [line.split()[0] for line in good.stdout.splitlines()[1:5]] == ["(here)", "web1", "web2", "web3"]
    lab.registry("stop")
    lab.off("web3")
    try:
        told = {row["host"]: row for row in json.loads(app.lading("check", "production", "--json").stdout)}
    finally:
        lab.on("web3")
        lab.registry("start")
    assert (told["(here)"]["registry"]["ok"], told["web1"]["registry"]["ok"]) == (False, False)
    assert "registry.lab:5000" in told["web1"]["registry"]["text"]
    assert (told["web1"]["docker"]["ok"], told["web3"]["ssh"]["ok"], told["web3"]["ok"]) == (True, False, False)
    wrong = json.loads(app.lading("check", "web1", "--json", env={"REG_PASSWORD": "wrong"}).stdout)
    assert "refuses the credentials of ci" in wrong[0]["registry"]["text"]
    assert wrong[1]["registry"]["ok"]


def fleet_without_pins(lab: Lab, folder: Path) -> Path:
    """A copy of the fleet file in *folder*, with no pinned key."""
    text = (lab.fleet / "lading.yaml").read_text()
    (folder / "lading.yaml").write_text(text.replace("ca: ca.pem", f"ca: {lab.fleet}/ca.pem"))
    return folder / "lading.yaml"


def test_hosts_trust_shows_and_pins(app: App, lab: Lab, tmp_path: Path) -> None:  # issue 2, item 6
    fleet = ("--config", str(fleet_without_pins(lab, tmp_path)))
    assert app.lading(*fleet, "where", "--to", "web1").stdout.find("unknown") > 0
    unasked = app.lading(*fleet, "hosts", "trust", "web1")
    assert (unasked.returncode, (tmp_path / "known_hosts").exists()) == (4, False), unasked.stderr
    done = app.lading(*fleet, "hosts", "trust", "web1", "--yes")
    own = lab.exec("web1", "ssh-keygen -yf /etc/ssh/ssh_host_ed25519_key | ssh-keygen -lf -").stdout.split()[1]
    assert (done.returncode, own in done.stdout) == (0, True), done.stdout + done.stderr
    assert app.lading(*fleet, "deploy", "--version", "1.0.0", "--to", "web1", "--yes").returncode == 0
    assert "pinned already" in app.lading(*fleet, "hosts", "trust", "web1", "--yes").stdout
    pins = tmp_path / "known_hosts"
    other = lab.exec("web2", "ssh-keygen -yf /etc/ssh/ssh_host_ed25519_key").stdout.split()[:2]
    pins.write_text("".join(f"{line.split()[0]} {' '.join(other)}\n" for line in pins.read_text().splitlines()[:1]))
    before = pins.read_text()
    changed = app.lading(*fleet, "hosts", "trust", "web1", "--yes")
    assert (changed.returncode, "--replace" in changed.stderr, pins.read_text()) == (6, True, before)
    assert app.lading(*fleet, "deploy", "--version", "1.1.0", "--to", "web1", "--yes").returncode == 6
    assert app.lading(*fleet, "hosts", "trust", "web1", "--replace", "--yes").returncode == 0
    assert app.lading(*fleet, "deploy", "--version", "1.1.0", "--to", "web1", "--yes").returncode == 0


def on_terminal(lab: Lab, folder: Path, answers: dict[str, str], *words: str, env: dict[str, str] | None = None) -> Done:
    """Run lading on a terminal and answer its questions."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(lab.run_argv(*LADING, *words, env=env), cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said, open_ = "", dict(answers)
    try:
        while True:
            try:
                said += os.read(ours, 4096).decode("utf-8", "replace")
            except OSError:
                break
            for question in [q for q in open_ if q in said]:
                os.write(ours, f"{open_.pop(question)}\n".encode())
        code = process.wait(timeout=60)
    finally:
        process.kill() if process.poll() is None else None
        os.close(ours)
    return Done(process.args, code, said, "")


def test_init_asks_writes_trusts_and_checks(app: App, lab: Lab) -> None:
    answers = {"Address of the first host": "10.88.0.11", "SSH user": "deploy", "Registry that": "registry.lab:5000",
               "User of the registry": "ci", "Pin the keys": "y"}
    env = {"LADING_CONFIG": "", "REGISTRY_PASSWORD": lab.password}
    done = on_terminal(lab, app.folder, answers, "init", "--ca", str(lab.fleet / "ca.pem"), env=env)
    assert done.returncode == 0, done.stdout
    assert "SHA256:" in done.stdout
    written = (app.folder / "lading.yaml").read_text()
    assert "10.88.0.11" in written
    assert lab.password not in written
    again = app.lading("init", "--host", "x", "--user", "y", "--yes", env=env)
    assert (again.returncode, "exists already" in again.stderr) == (2, True)
    assert (app.folder / "lading.yaml").read_text() == written
    assert app.lading("deploy", "--version", "1.0.0", "--to", "production", "--yes", env=env).returncode == 0
    piped = app.lading("--config", "other.yaml", "init", "--host", "x")
    assert (piped.returncode, "add --yes" in piped.stderr) == (4, True), piped.stderr
    dead = app.lading("--config", "other.yaml", "init", "--host", "10.88.0.99", "--yes")
    assert (dead.returncode, "other.yaml" in dead.stdout) == (6, False), dead.stderr
    assert not (app.folder / "other.yaml").exists()


def test_a_host_is_added_once_it_was_looked_at(app: App, lab: Lab) -> None:
    env = {"LADING_CONFIG": "", "REGISTRY_PASSWORD": lab.password}
    made = app.lading("init", "--host", "deploy@10.88.0.11:22", "--yes", env=env)
    assert made.returncode == 0, made.stderr
    fleet, pins = app.folder / "lading.yaml", app.folder / "known_hosts"
    fleet.write_text(f"# ours\n{fleet.read_text()}")
    before = (fleet.read_text(), pins.read_text())
    for words in (("gone", "10.88.0.99"), ("web2", "deploy@10.88.0.12", "--to", "nowhere"), ("host1", "10.88.0.12"), ("web2", "a b")):
        assert app.lading("hosts", "add", *words, "--yes", env=env).returncode in (2, 6)
        assert (fleet.read_text(), pins.read_text()) == before
    added = app.lading("hosts", "add", "web2", "deploy@10.88.0.12", "--to", "production", "--yes", env=env)
    assert added.returncode == 0, added.stderr
    assert fleet.read_text().startswith("# ours\n")
    assert pins.read_text().startswith(before[1].rstrip())
    checked = app.lading("check", "production", env=env)
    assert (checked.returncode, "web2" in checked.stdout) == (0, True)
    assert app.lading("init", "--host", "10.88.0.12", "--yes", env=env).returncode == 0
