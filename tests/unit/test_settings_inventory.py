"""`inventory:` in lading.yaml: groups and patterns as destinations, labels, and errors with the file and line to correct."""

import json
import os
from pathlib import Path

import click.testing
import pytest

from lading import errors, options, settings
from lading.cli import main

INI = """[web]
web[1:3] ansible_host=192.0.2.1 zone=a
[db]
db1 ansible_ssh_private_key_file=keys/db ansible_ssh_common_args='-o StrictHostKeyChecking=no'
[prod:children]
web
db
[old]
web3
[net]
switch1 ansible_connection=network_cli
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HOME", "ANSIBLE_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory/hosts").write_text(INI)
    (tmp_path / "inventory/group_vars").mkdir()
    (tmp_path / "inventory/group_vars/all.yml").write_text("zone: z\nansible_user: deploy\n")
    return tmp_path


def load(folder: Path, text: str) -> settings.Settings:
    (folder / "lading.yaml").write_text(f"lading: 1\n{text}")
    return settings.load(folder / "lading.yaml", os.environ)


def refused(folder: Path, text: str) -> errors.SettingsError:
    with pytest.raises(errors.SettingsError) as caught:
        load(folder, text)
    return caught.value


def test_groups_are_destinations_and_variables_labels(folder: Path) -> None:
    found = load(folder, "inventory: {path: inventory, labels: [zone]}\n").inventory
    destination, hosts = found.choose(["prod:!old"])
    assert [(one.name, one.address, one.user, dict(one.labels)) for one in hosts] == [
        ("web1", "192.0.2.1", "deploy", {"zone": "a"}), ("web2", "192.0.2.1", "deploy", {"zone": "a"}), ("db1", "", "deploy", {"zone": "z"})]
    assert destination.name == "prod:!old"
    assert found.hosts["db1"].key_file == str(folder / "keys/db")
    assert found.hosts["web1"].origin == f"{folder}/inventory/hosts:2"
    with pytest.raises(errors.SettingsError, match="switch1: ansible_connection: network_cli") as caught:
        found.choose(["all"])
    assert (caught.value.file, caught.value.line, caught.value.host) == (f"{folder}/inventory/hosts", 11, "switch1")


def test_the_short_form_and_destinations_of_groups_and_patterns(folder: Path) -> None:
    found = load(folder, """inventory: inventory/hosts
destinations:
  live: {hosts: ["prod:!old", web3, db1], variables: {TZ: UTC}, confirm: true}
  old: {hosts: [web3]}
""").inventory
    live = found.destinations["live"]
    assert (live.hosts, live.written, live.left_out) == (("web1", "web2", "db1", "web3"), ("prod:!old", "web3", "db1"), {})
    assert found.choose(["live:!web1"])[0].variables == {"TZ": "UTC"}
    assert found.choose(["old"])[0].hosts == ("web3",)


def test_patterns_work_without_ansible_too(folder: Path) -> None:
    found = load(folder, "hosts: {w1: {}, w2: {}, d1: {}}\ndestinations: {web: {hosts: ['w*']}}\n").inventory
    assert (found.destinations["web"].hosts, found.choose(["web:!w1"])[0].hosts, found.choose(["~[wd]1"])[0].hosts) == (
        ("w1", "w2"), ("w2",), ("w1", "d1"))
    assert found.hosts["w1"].origin == f"{folder}/lading.yaml:2"
    part = load(folder, "hosts: {w1: {}, w2: {}, d1: {}}\ndestinations: {web: {hosts: ['w*:!w2', d1]}}\n").inventory
    assert (part.destinations["web"].hosts, part.destinations["web"].left_out) == (("w1", "d1"), {"w2": "!w2"})


@pytest.mark.parametrize(("text", "line", "message", "hint"), [
    ("hosts: {a: {}}\ninventory: inventory\n", 3, "exclude each other", "all hosts in the inventory"),
    ("inventory: {labels: [a]}\n", 2, "names no file, folder or program", "inventory: PATH"), ("inventory: []\n", 2, "must be a mapping", ""),
    ("inventory: {paht: x}\n", 2, "unknown key paht", "did you mean path?"),
    ("inventory: inventory\ndestinations: {x: {hosts: [wbe]}}\n", 3, "there is no host wbe", "did you mean web?"),
    ("inventory: inventory\ndestinations: {x: {hosts: ['web:!odl']}}\n", 3, "'odl'", "did you mean old?"),
    ("inventory: inventory\ndestinations: {web: {hosts: [db1]}}\n", 3, "also a group of the inventory, with other hosts", "rename"),
    ("inventory: inventory\ndestinations: {web1: {hosts: [db1]}}\n", 3, "both a host and a destination", "rename"),
])
def test_what_is_wrong_in_the_fleet_file(folder: Path, text: str, line: int, message: str, hint: str) -> None:
    wrong = refused(folder, text)
    assert (wrong.file, wrong.line, message in wrong.message, hint in wrong.hint) == (str(folder / "lading.yaml"), line, True, True), wrong.as_json()


@pytest.mark.parametrize(("name", "content", "line", "message"), [
    ("hosts", b"[web\n", 1, "not a host line"), ("hosts.yml", b"web:\n  hosts: [a]\n", 2, "must be a mapping, not a list"),
    ("hosts.yml", b"web:\n  hosts: {a: {x: *y}}\n", 2, "not valid YAML"), ("hosts.yml", b"a: !new x\n", 1, "not valid YAML"),
    ("hosts.yml", b"[a, b]\n", 1, "must be a mapping"), ("hosts", b"a\n\xff\n", 2, "not UTF-8"), ("hosts.json", b'{"a": {"hosts": [1]}}', 0, "not a list"),
    ("hosts.yml", b"a: &x {b: *x}\n", 1, "contains itself"), ("hosts.yml", b"? [a]\n: b\n", 1, "a key must be a text"),
    ("hosts.yml", b"a: {hosts: {b: {c: 2024-99-99}}}\n", 0, "not valid YAML"),
])
def test_what_is_wrong_in_an_inventory(folder: Path, name: str, content: bytes, line: int, message: str) -> None:
    path = folder / "own" / name
    path.parent.mkdir()
    path.write_bytes(content)
    wrong = refused(folder, f"inventory: own/{name}\n")
    assert (wrong.file, wrong.line, message in wrong.message) == (str(path), line, True), wrong.as_json()


def test_what_is_wrong_beside_an_inventory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(folder, "inventory: nowhere\n").message == "there is no such inventory"
    (folder / "inventory/host_vars").mkdir()
    (folder / "inventory/host_vars/db1.yml").write_text("- a\n")
    wrong = refused(folder, "inventory: inventory\n")
    assert (wrong.file, wrong.message) == (f"{folder}/inventory/host_vars/db1.yml", "a file of variables must be a mapping, not a list")
    (folder / "inventory/host_vars/db1.yml").unlink()
    (folder / "inventory/host_vars/db1.yml").symlink_to("nowhere")
    assert "cannot be read: No such file" in refused(folder, "inventory: inventory\n").message
    monkeypatch.setenv("ANSIBLE_CONFIG", str(folder))
    (folder / "ansible.cfg").write_text("no section\n")
    assert (refused(folder, "inventory: inventory\n").file, ) == (f"{folder}/ansible.cfg",)


def test_a_configuration_that_anybody_could_have_put_there_does_not_count(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANSIBLE_CONFIG")
    (folder / "inventory/ansible.cfg").write_text("no section\n")
    (folder / "inventory").chmod(0o777)
    assert load(folder, "inventory: inventory\n").inventory.choose(["old"])[0].hosts == ("web3",)
    (folder / "inventory").chmod(0o755)
    assert "ansible.cfg cannot be read" in refused(folder, "inventory: inventory\n").message


def test_the_example_loads(tmp_path: Path) -> None:
    (tmp_path / "lading.yaml").write_text(options.example())
    assert list(settings.load(tmp_path / "lading.yaml", os.environ).inventory.hosts) == ["web1"]


def test_hosts_list_shows_groups_origins_and_what_is_not_heeded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(folder, "inventory: {path: inventory, labels: [zone]}\ndestinations: {live: {hosts: [prod]}}\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")
    listed = click.testing.CliRunner().invoke(main.cli, ["--config", "lading.yaml", "hosts", "list"], standalone_mode=False)
    lines = [line.split() for line in listed.output.splitlines()]
    assert ["web3", "192.0.2.1", "deploy", "zone=a", "live", "old,", "prod,", "web", "inventory/hosts:2"] in lines, listed.output
    assert "db1: ansible_ssh_common_args: stricthostkeychecking=no is not heeded: lading always verifies host keys" in listed.output
    assert "switch1: ansible_connection: network_cli" in listed.output
    listed = click.testing.CliRunner().invoke(main.cli, ["--config", "lading.yaml", "hosts", "list", "--json"], standalone_mode=False)
    rows = {row["host"]: row for row in json.loads(listed.output)}
    assert (rows["web1"]["groups"], rows["web1"]["from"], rows["web1"]["destinations"]) == (["prod", "web"], "inventory/hosts:2", ["live"])
    assert (len(rows["db1"]["notes"]), "network_cli" in rows["switch1"]["refused"], rows["db1"]["refused"]) == (1, True, None)
