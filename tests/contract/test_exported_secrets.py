"""A secret variable that an exported playbook keeps on a host, rendered by Ansible itself, is what lading would keep there."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lading.compose import bundle
from lading.compose import release as releases
from lading.export import ansible

pytestmark = [pytest.mark.contract, pytest.mark.timeout(180)]
VALUES = ("plain", "it's", 's3cr\'et \\ $x "y"', "a\\", "x'\ny$", "it's #", "\\'", " 'two'\n\n\"lines\" ")


class Loader(yaml.SafeLoader):
    """YAML with Ansible's one tag."""


Loader.add_constructor("!unsafe", lambda loader, node: str(node.value))


def tasks_for(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The variables of an exported play with this secret variable, and the tasks that keep it."""
    made = releases.empty("app")
    spec = releases.ServiceSpec("web", "i@sha256:" + "a" * 64, "c", {}, secrets=(f"var.{name}",))
    fields = {key: getattr(made, key) for key in made.__dataclass_fields__}
    made = releases.Release(**{**fields, "services": {"web": spec}, "secrets": (f"var.{name}",)})
    what = ansible.Deployment(made, "d", (("localhost",),), {"localhost": {f"var.{name}": 1}}, (), "/srv")
    (play,) = yaml.load(ansible.playbook(what), Loader)
    return play["vars"], [task for task in play["tasks"] if task["name"].endswith(f"secret {name}")]


def test_every_value_is_kept_as_lading_keeps_it(tmp_path: Path) -> None:
    variables: dict[str, Any] = {}
    tasks = []
    for number in range(len(VALUES)):
        more, found = tasks_for(f"V{number}")
        variables |= {**more, "app_folder": str(tmp_path)}
        for task in found:
            keyed = task.get("ansible.builtin.copy")
            if keyed is not None:
                keyed["dest"] = f"{tmp_path}/secrets/var.V{number}/1"
            tasks.append({key: value for key, value in task.items() if key != "no_log"})
    play = [{"hosts": "localhost", "gather_facts": False, "connection": "local", "vars": {
        key: variables[key] for key in ("app_backslash", "app_newline", "app_mode", "app_folder")}, "tasks": tasks}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play))
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-e",
            f"ansible_python_interpreter={sys.executable}", str(tmp_path / "play.yml")]
    environment = {**os.environ, "ANSIBLE_HOME": str(tmp_path), **{f"V{n}": value for n, value in enumerate(VALUES)}}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for number, value in enumerate(VALUES):
        kept = (tmp_path / "secrets" / f"var.V{number}" / "1").read_text()
        assert kept == bundle.env_line(f"V{number}", value)
