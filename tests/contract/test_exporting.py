"""`lading export jenkins` as a person runs it: the choices come from the fleet file, groups of an inventory among them."""

import subprocess
import sys
from pathlib import Path

import pytest

from lading.export import jenkins

INVENTORY = "[web]\nweb1 ansible_host=10.0.0.1\nweb2 ansible_host=10.0.0.2\n[db]\ndb1 ansible_host=10.0.0.3\n[far]\nrouter ansible_connection=network_cli\n"


def exported(folder: Path, fleet: str) -> subprocess.CompletedProcess[str]:
    (folder / "lading.yaml").write_text(fleet)
    return subprocess.run([sys.executable, "-m", "lading", "--config", "lading.yaml", "export", "jenkins"], cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_groups_of_an_inventory_are_choices(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(INVENTORY)
    done = exported(tmp_path, "lading: 1\ninventory: hosts\ndestinations: {live: {hosts: ['web:!web2'], confirm: true}}\n")
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if "choice(" in line)
    assert [name for name in ("web", "db", "live", "all", "ungrouped", "web1", "far") if f"'{name}'" in line] == ["web", "db", "live"]
    asks = next(line for line in done.stdout.splitlines() if "params.DESTINATION in" in line)
    assert ("'web'" in asks, "'live'" in asks, "'db'" in asks) == (True, True, False)  # web has a host that asks for approval
    assert line.index("'db'") < line.index("'web'")  # those that ask for approval come last: the first is the default


def test_a_destination_is_approved_for_its_own_sake(tmp_path: Path) -> None:  # G6: not for a host that it shares
    fleet = ("lading: 1\nhosts: {web1: {address: 10.0.0.1}}\n"
             "destinations: {live: {hosts: [web1], confirm: true}, trial: {hosts: [web1]}}\n")
    asks = next(line for line in exported(tmp_path, fleet).stdout.splitlines() if "params.DESTINATION in" in line)
    assert ("'live'" in asks, "'trial'" in asks) == (True, False)


def test_what_the_file_cannot_bind_is_named(tmp_path: Path) -> None:  # G6
    fleet = ("lading: 1\npass_env: [API_TOKEN, 'APP_*']\nhosts: {web1: {address: 10.0.0.1}}\ndestinations: {live: {hosts: [web1]}}\n"
             "registries:\n  one.example: {username: ci, password: {command: [vault, read, one]}}\n"
             "  two.example: {username: ci, password: {env: TWO}}\n  three.example: {insecure: true}\n")
    told = [line for line in exported(tmp_path, fleet).stdout.splitlines() if line.startswith("// ")]
    assert "// API_TOKEN is not bound here: set it for the job, or make this file with --variable API_TOKEN." in told
    assert "// Registry one.example: its password comes from the command vault, which must be in the agent's image with what it needs; " \
           "nothing is bound for it." in told
    assert any("Registry three.example: its password comes from DOCKER_AUTH_CONFIG or docker login" in line for line in told)
    assert any("the ledger is a SQLite file in the agent's container" in line for line in told)
    assert not any("two.example" in line for line in told)


def test_nothing_to_choose_from(tmp_path: Path) -> None:
    done = exported(tmp_path, "lading: 1\nhosts: {web1: {address: 10.0.0.1}}\n")
    assert (done.returncode, "add: destinations:" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", ["prod$(touch pwned)", "`touch pwned`", 'a"; touch pwned; "', "it's"])
def test_names_of_groups_are_no_shell(tmp_path: Path, name: str) -> None:  # R57
    job = jenkins.Job(version="1", destinations=(name, "web"), approved=(), directory=".", config="lading.yaml", image="lading:1")
    for destination, code in (("nope", 2), (name, 0)):
        done = subprocess.run(["sh", "-c", jenkins.check_part(job)], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=20,
                              env={"PATH": "/usr/bin:/bin", "DESTINATION": destination, "VERSION": "1"})
        assert (done.returncode, name in done.stderr) == (code, code == 2), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_two_names_of_an_app_are_refused(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "lading", "export", "ansible", "other", "--app", "hello", "--to", "web1", "-o", "out"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "two apps are named: other, and --app hello" in done.stderr) == (2, True), done.stderr


def test_a_group_by_sudo_is_in_no_playbook(tmp_path: Path) -> None:
    """Refused with its line before anything is asked of the host, which is not there."""
    (tmp_path / "lading.yaml").write_text("lading: 1\nhosts:\n  web1: {address: 127.0.0.1, port: 1, sudo_group: docker}\n")
    (tmp_path / "compose.yaml").write_text("services: {web: {image: nginx}}\n")
    argv = [sys.executable, "-m", "lading", "--config", "lading.yaml", "export", "ansible", "--to", "web1", "-o", "out"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "lading.yaml:3" in done.stderr, "sudo_group: docker" in done.stderr) == (2, True, True), done.stderr
    assert not (tmp_path / "out").exists()
