"""The main job through Ansible's connections: one host by a plain inventory, one by become and a vaulted variable."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_client import App
from lab_client import Lab
from test_interrupted import deploying, open_intents

from lading import settings

pytestmark = pytest.mark.timeout(900)
FLEET = """lading: 1
hosts: {{web1: {{}}, web2: {{}}}}
destinations: {{production: {{hosts: [web1, web2]}}}}
transport: ansible
ansible: {{inventory: inventory, vault_password_file: vault-password}}
ssh: {{known_hosts: {lab}/known_hosts}}
registries:
  "registry.lab:5000": {{username: ci, password: {{env: REG_PASSWORD}}, ca: {lab}/ca.pem}}
"""
VAULT = Path(sys.executable).parent / "ansible-vault"


@pytest.fixture
def by_ansible(app: App, lab: Lab, tmp_path: Path) -> Iterator[App]:
    """The app with a fleet file whose hosts are known to Ansible only: no address, user or sudo in lading.yaml."""
    password = tmp_path / "vault-password"
    password.write_text("not in any log\n")
    argv = [str(VAULT), "encrypt_string", "--vault-password-file", str(password), "ops", "--name", "ansible_user"]
    secret = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "hosts.ini").write_text(
        "[plain]\nweb1 ansible_host=10.88.0.11 ansible_user=deploy\n[raised]\nweb2 ansible_host=10.88.0.12\n")
    raised = tmp_path / "inventory" / "group_vars"
    raised.mkdir()
    (raised / "raised.yml").write_text(f"ansible_become: true\n{secret}")
    (tmp_path / "lading.yaml").write_text(FLEET.format(lab=lab.fleet))
    assert {h.transport for h in settings.load(tmp_path / "lading.yaml", os.environ).inventory.hosts.values()} == {"ansible"}
    before = app.environment
    app.environment = {"LADING_CONFIG": str(tmp_path / "lading.yaml")}
    yield app
    app.environment = before


def left_behind(lab: Lab) -> list[str]:
    """What lies in memory here and on the hosts that should not."""
    found = lab.run("find", "/dev/shm", "-name", "lading-ansible-*").stdout.split()
    for host in ("web1", "web2"):
        found += lab.exec(host, "ls -d /dev/shm/lading-* /dev/shm/lading.* 2>/dev/null", check=False).stdout.split()
    return found


def test_deploy_upgrade_undo_rollback(by_ansible: App, lab: Lab) -> None:
    app = by_ansible
    first = app.deploy("1.0.0", "--json", to="production")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["result"] == "succeeded"
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    store = app.ids("web1")["store"]
    again = app.deploy("1.0.0", to="production")
    assert (again.returncode, "unchanged" in again.stdout) == (0, True)
    assert app.lading("drift", app.name).returncode == 0
    assert app.deploy("1.1.0", to="production").returncode == 0
    broken = app.deploy("1.2.0", to="production")
    assert broken.returncode == 5
    assert "rolled_back" in broken.stdout
    assert "GREETING_TEMPLATE is missing" in broken.stderr
    assert app.versions() == {("web1", "1.1.0", "healthy"), ("web2", "1.1.0", "healthy")}
    back = app.lading("rollback", app.name, "--to", "production", "--yes")
    assert back.returncode == 0, back.stderr
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert app.ids("web1")["store"] == store
    lab.exec("web1", f"docker rm -f {app.name}-web-1")
    assert app.lading("drift", app.name).returncode == 1
    assert lab.exec("web2", "stat -c %U /root/.lading").stdout.strip() == "root"  # become, not the user that logs in
    assert app.lading("remove", app.name, "--to", "production", "--yes").returncode == 0
    assert left_behind(lab) == []


def test_controller_gone_for_ever(by_ansible: App, lab: Lab) -> None:
    app = by_ansible
    assert app.deploy("1.0.0", to="production").returncode == 0
    with deploying(app, "1.1.0", "web1       roll begins", to="production") as process:
        process.kill()
    assert set(open_intents(app)) == {"web1", "web2"}
    ended = app.lading("resume", app.name)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert "succeeded" in ended.stdout
    assert app.versions() == {("web1", "1.1.0", "healthy"), ("web2", "1.1.0", "healthy")}


def test_first_signal_undoes(by_ansible: App, lab: Lab, tmp_path: Path) -> None:
    app, fleet = by_ansible, tmp_path / "lading.yaml"
    before = left_behind(lab)  # of a controller that was killed
    fleet.write_text(fleet.read_text().replace("vault_password_file: vault-password",
                                               f"vault_password_command: [cat, {tmp_path}/vault-password]"))
    assert app.deploy("1.0.0", to="production").returncode == 0
    with deploying(app, "1.1.0", "web1       roll begins", to="production") as process:
        os.kill(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=200)
    assert process.returncode == 5
    assert "rolled_back" in out
    assert app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert left_behind(lab) == before


def test_host_keys_are_verified_whatever_the_inventory_says(by_ansible: App, lab: Lab, tmp_path: Path) -> None:
    app = by_ansible
    hosts = tmp_path / "inventory" / "hosts.ini"
    hosts.write_text(hosts.read_text().replace(
        "ansible_user=deploy", "ansible_user=deploy ansible_ssh_args='-o StrictHostKeyChecking=no -o "
        "UserKnownHostsFile=/dev/null -o ControlMaster=no' ansible_host_key_checking=false"))
    pins = tmp_path / "known_hosts"
    pins.write_text("")
    fleet = tmp_path / "lading.yaml"
    fleet.write_text(fleet.read_text().replace(f"{lab.fleet}/known_hosts", str(pins)))
    refused = app.deploy("1.0.0", to="web1")
    assert refused.returncode == 6
    assert "Host key verification failed" in refused.stderr
    assert app.ids("web1") == {}


def test_wrong_vault_password_is_said(by_ansible: App, tmp_path: Path) -> None:
    (tmp_path / "vault-password").write_text("another\n")
    refused = by_ansible.deploy("1.0.0", to="production")
    assert refused.returncode == 6
    assert "vault" in refused.stderr.lower(), refused.stderr
    assert "another" not in refused.stderr
