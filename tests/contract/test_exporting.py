"""`lading export` as a person runs it: two names of an app are refused; in a Jenkinsfile the choices come from the fleet file, groups of an inventory among them."""

import subprocess
import sys
from pathlib import Path

INVENTORY = "[web]\nweb1 ansible_host=10.0.0.1\nweb2 ansible_host=10.0.0.2\n[db]\ndb1 ansible_host=10.0.0.3\n"


def exported(folder: Path, fleet: str) -> subprocess.CompletedProcess[str]:
    (folder / "lading.yaml").write_text(fleet)
    return subprocess.run([sys.executable, "-m", "lading", "export", "jenkins"], cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_groups_of_an_inventory_are_choices(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(INVENTORY)
    done = exported(tmp_path, "lading: 1\ninventory: hosts\ndestinations: {live: {hosts: ['web:!web2'], confirm: true}}\n")
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if "choice(" in line)
    assert [name for name in ("web", "db", "live", "all", "ungrouped", "web1") if f"'{name}'" in line] == ["web", "db", "live"]
    assert line.index("'web'") < line.index("'live'")  # those that ask for approval come last


def test_nothing_to_choose_from(tmp_path: Path) -> None:
    done = exported(tmp_path, "lading: 1\nhosts: {web1: {address: 10.0.0.1}}\n")
    assert (done.returncode, "add: destinations:" in done.stderr) == (2, True)


def test_two_names_of_an_app_are_refused(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "lading", "export", "ansible", "other", "--app", "hello", "--to", "web1", "-o", "out"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "two apps are named: other, and --app hello" in done.stderr) == (2, True), done.stderr
