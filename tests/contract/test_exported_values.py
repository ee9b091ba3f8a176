"""What people wrote, in an exported playbook that Ansible runs: it arrives letter by letter, however much it looks like a template."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lading.compose import release as releases
from lading.export import ansible

pytestmark = [pytest.mark.contract, pytest.mark.timeout(180)]
UNKIND = "{{ 7 * 7 }} {% if %} {# no #} it's \\\\ @APP@ @CORP@ \"é\u2028."
DUMP = """
    - name: Tell
      ansible.builtin.copy:
        content: "{{ {'current': app_current, 'folder': app_folder, 'numbers': app_generations[inventory_hostname],
          'password': lookup('ansible.builtin.pipe', app_password_command_0)} | to_json }}"
        dest: "{{ lookup('ansible.builtin.env', 'TOLD') }}"
        mode: "0600"
"""


def a_deployment(folder: Path) -> ansible.Deployment:
    """One with the text wherever it may stand."""
    made = releases.empty("app")
    names = (f"env.{UNKIND}", "var.TOKEN")
    spec = releases.ServiceSpec("web", "i@sha256:" + "a" * 64, "c", {}, secrets=names)
    fields = {key: getattr(made, key) for key in made.__dataclass_fields__}
    made = releases.Release(**{**fields, "version": UNKIND, "services": {"web": spec}, "secrets": names})
    command = ("command", "printf", "%s", UNKIND)
    return ansible.Deployment(made, UNKIND, (("localhost",),), {"localhost": dict.fromkeys(names, 3)},
                              (ansible.Registry("reg", UNKIND, command),), f"{folder}/state {UNKIND}", UNKIND)


def test_every_text_arrives_as_it_was_written(tmp_path: Path) -> None:
    text = ansible.playbook(a_deployment(tmp_path))
    head, rest = text.split("    # lading's layout", 1)  # up to here the environment is asked for
    secrets = rest[rest.index("    - name: !unsafe \"Make the folder of secret"):rest.index("    - name: Find absent images")]
    (tmp_path / "play.yml").write_text(head + secrets.replace("no_log: true", "no_log: false") + DUMP)
    (tmp_path / UNKIND).write_text("KEY=value\n")
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", "-e",
            f"ansible_python_interpreter={sys.executable}", str(tmp_path / "play.yml")]
    environment = {**os.environ, "ANSIBLE_HOME": str(tmp_path / "home"), "TOLD": str(tmp_path / "told"), "TOKEN": UNKIND,
                   "PROJECT_DIRECTORY": str(tmp_path)}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "told").read_text())
    assert {told["password"], *(told["current"][key] for key in ("version", "destination", "source"))} == {UNKIND}
    assert told["numbers"] == {f"env.{UNKIND}": 3, "var.TOKEN": 3}
    app = Path(told["folder"])
    assert str(app) == f"{tmp_path}/state {UNKIND}/apps/app"
    kept = {name: app / "secrets" / releases.secret_path(name) / "3" for name in (f"env.{UNKIND}", "var.TOKEN")}
    assert kept[f"env.{UNKIND}"].read_text() == "KEY=value\n"
    assert UNKIND.replace("\\", "\\\\").replace('"', '\\"') in kept["var.TOKEN"].read_text()
