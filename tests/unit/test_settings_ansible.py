"""What the fleet file says of Ansible: which hosts are reached by it, inventories, the vault password by reference."""

import os
from pathlib import Path

import pytest

from lading import errors, settings


def load(folder: Path, lines: str) -> settings.Settings:
    (folder / "lading.yaml").write_text(f"lading: 1\n{lines}\n")
    return settings.load(folder / "lading.yaml", os.environ)


def test_ssh_unless_said_otherwise(tmp_path: Path) -> None:
    found = load(tmp_path, "hosts: {a: {}, b: {transport: ansible}, c: {}}\ndestinations: {d: {hosts: [c], transport: ansible}}")
    assert {name: host.transport for name, host in found.inventory.hosts.items()} == {"a": "ssh", "b": "ansible", "c": "ansible"}
    assert load(tmp_path, "transport: ansible\nhosts: {a: {}}").inventory.hosts["a"].transport == "ansible"
    assert found.ansible == settings.AnsibleSettings()


def test_paths_are_beside_the_fleet_file(tmp_path: Path) -> None:
    found = load(tmp_path, "ansible: {inventory: [hosts.ini, /etc/hosts.yml], config: ansible.cfg, vault_password_file: pw}").ansible
    assert found.inventory == (str(tmp_path / "hosts.ini"), "/etc/hosts.yml")
    assert (found.config, found.vault_password_file) == (str(tmp_path / "ansible.cfg"), str(tmp_path / "pw"))
    found = load(tmp_path, "ansible: {inventory: one, vault_password_command: [pass, show, vault]}").ansible
    assert (found.inventory, found.vault_password_command) == ((str(tmp_path / "one"),), ("pass", "show", "vault"))


@pytest.mark.parametrize(("lines", "words"), [
    ("transport: telnet", "transport must be ssh or ansible, not 'telnet'"),
    ("hosts: {a: {transport: x}}", "hosts.a.transport must be ssh, ansible or local"),
    ("ansible: {vault_password_file: a, vault_password_command: [b]}", "from a file or from a command, not both"),
    ("ansible: {vault_password: x}", "unknown key vault_password in ansible"),
    ("hosts: {a: {}}\ndestinations: {d: {hosts: [a], transport: ssh}, e: {hosts: [a], transport: ansible}}", "disagree about"),
])
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, lines: str, words: str) -> None:
    with pytest.raises(errors.SettingsError, match=words) as caught:
        load(tmp_path, lines)
    assert caught.value.line > 1
