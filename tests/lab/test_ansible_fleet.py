"""A fleet out of an Ansible inventory: deploy to a group and to a pattern, by a user, sudo and a way of the inventory's own."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from app_client import App
from lab_client import Lab

pytestmark = pytest.mark.timeout(900)
INVENTORY = """
[front]
web1 ansible_host=10.88.0.11
web2 ansible_host=10.88.0.12 ansible_user=ops ansible_become=true
[web:children]
front
back
[back]
web3 ansible_host=10.88.0.13 ansible_ssh_common_args='-o ProxyCommand="ssh -W %h:%p -q web1"'
[web:vars]
ansible_ssh_private_key_file=/root/.ssh/id_ed25519
[offline]
web9 ansible_host=10.88.0.99
[local]
controller ansible_connection=local
"""
GROUP_VARS = "ansible_user: deploy\n"
LADING_YAML = """lading: 1
inventory: {{path: inventory, labels: [zone]}}
ssh: {{known_hosts: {fleet}/known_hosts}}
registries:
  "registry.lab:5000": {{username: ci, password: {{env: REG_PASSWORD}}, ca: {fleet}/ca.pem}}
"""


class Fleet:
    """A fleet file beside an inventory, and lading with it."""

    def __init__(self, app: App, lab: Lab, folder: Path) -> None:
        self.app, self.folder = app, folder
        (folder / "inventory/group_vars").mkdir(parents=True)
        (folder / "inventory/hosts").write_text(INVENTORY)
        (folder / "inventory/group_vars/all.yml").write_text(GROUP_VARS)
        (folder / "inventory/group_vars/front.yml").write_text("zone: front\n")
        (folder / "lading.yaml").write_text(LADING_YAML.format(fleet=lab.fleet))

    def lading(self, *words: str, code: int = 0) -> str:
        done = self.app.lading(*words, env={"LADING_CONFIG": str(self.folder / "lading.yaml")})
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stderr

    def versions(self, *words: str) -> set[tuple[str, str, str]]:
        rows: list[dict[str, Any]] = json.loads(self.lading("where", self.app.name, *words, "--json"))
        return {(row["host"], row["version"], row["state"]) for row in rows if row["service"] == "web"}


@pytest.fixture
def fleet(app: App, lab: Lab, tmp_path: Path) -> Fleet:
    return Fleet(app, lab, tmp_path / "fleet")


def test_deploy_to_a_group_and_to_a_pattern(fleet: Fleet, lab: Lab) -> None:
    name = fleet.app.name
    rows = {row["host"]: row for row in json.loads(fleet.lading("hosts", "list", "--json"))}
    assert {host: row["groups"] for host, row in rows.items()} == {
        "web1": ["front", "web"], "web2": ["front", "web"], "web3": ["back", "web"], "web9": ["offline"], "controller": ["local"]}
    assert (rows["web1"]["address"], rows["web1"]["labels"], rows["web2"]["user"]) == ("10.88.0.11", {"zone": "front"}, "ops")
    assert {row["host"]: row["ok"] for row in json.loads(fleet.lading("check", "web:!offline", "--json"))} == {
        "(here)": True, "web1": True, "web2": True, "web3": True}

    fleet.lading("deploy", "--version", "1.0.0", "--to", "front", "--yes")
    fleet.lading("deploy", "--version", "1.1.0", "--to", "web:!front", "--yes")
    assert fleet.versions("--to", "web") == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy"), ("web3", "1.1.0", "healthy")}
    assert fleet.versions("--to", "~web[12]") == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    mine = lab.exec("web2", f"find /home/ops /root /var/lib/lading -path '*/apps/{name}/current' -user root", check=False).stdout
    assert mine.count("current") == 1, "web2 was reached as ops, through sudo"


    fleet.lading("deploy", "--version", "1.1.0", "--to", "front", "--yes")
    fleet.lading("rollback", name, "--to", "web:&front", "--yes")
    assert fleet.versions("--to", "front") == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    fleet.lading("drift", name, "--to", "web[0:1]")
    fleet.lading("remove", name, "--to", "~web[1-3]", "--volumes", "--yes")
    assert fleet.versions("--to", "web") == set()


def test_what_a_pattern_does_not_mean_touches_no_host(fleet: Fleet) -> None:
    deploy = ("deploy", "--version", "1.0.0", "--yes", "--to")
    assert "in the pattern web:!nobody: no host, group or destination is 'nobody'" in fleet.lading(*deploy, "web:!nobody", code=2)
    assert "controller: ansible_connection: local, but lading reaches hosts over SSH" in fleet.lading(*deploy, "all", code=2)
    assert "destination web:&offline has no hosts" in fleet.lading(*deploy, "web:&offline", code=2)
    assert f"there is no app {fleet.app.name} on" in fleet.lading("where", fleet.app.name, "--to", "web", code=2)


def test_a_program_gives_the_hosts(fleet: Fleet) -> None:
    path = fleet.folder / "inventory.py"
    said = {"web": {"hosts": ["web1"], "vars": {"ansible_user": "deploy"}}, "_meta": {"hostvars": {"web1": {"ansible_host": "10.88.0.11"}}}}
    path.write_text(f"#!{sys.executable}\nprint({json.dumps(said)!r})\n")
    path.chmod(0o755)
    (fleet.folder / "lading.yaml").write_text((fleet.folder / "lading.yaml").read_text().replace("{path: inventory, labels: [zone]}", "inventory.py"))
    fleet.lading("deploy", "--version", "1.0.0", "--to", "web:!nothing*", "--yes", code=2)
    fleet.lading("deploy", "--version", "1.0.0", "--to", "web", "--yes")
    assert fleet.versions() == {("web1", "1.0.0", "healthy")}
