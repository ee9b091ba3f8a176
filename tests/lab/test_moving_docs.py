"""docs/moving.md and the tutorial's first steps are true: every command of their blocks, in order, as a person types it in the lab."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_client import EXAMPLE, App
from lab_client import CHECKOUT, Lab
from playbook import BOTH, Playbook, adopt, drift, lives

PAGE = CHECKOUT / "docs" / "moving.md"
TUTORIAL = CHECKOUT / "docs" / "tutorial.md"
HOSTS = (*BOTH, "web3")


def blocks(page: Path) -> list[str]:
    """The shell blocks of a page, line by line."""
    found = re.findall(r"```sh\n(.*?)```", page.read_text(), re.S)
    return [line for block in found for line in block.splitlines() if line.strip()]


@pytest.fixture
def hello(lab: Lab, images: Lab, tmp_path: Path) -> Iterator[App]:
    """The folder that the page speaks of."""
    folder = tmp_path / "hello"
    shutil.copytree(EXAMPLE, folder)
    shutil.copytree(CHECKOUT / "examples" / "moving", folder, dirs_exist_ok=True)
    made, pins = App(lab, folder, "hello"), (lab.fleet / "known_hosts").read_text()
    made.remove()
    yield made
    (lab.fleet / "known_hosts").write_text(pins)
    made.remove()
    for host in HOSTS:
        lab.exec(host, "rm -rf /home/deploy/hello /home/deploy/.docker /home/deploy/.ansible", check=False)


@pytest.mark.timeout(1500)  # more than twenty commands, one after the other
def test_every_command_of_the_page(hello: App) -> None:
    (hello.folder / "inventory.ini").write_text((hello.folder / "inventory.ini").read_text().replace("web2\n", "web2\nweb3\n"))
    env = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "ANSIBLE_LOCALHOST_WARNING": "False", "LC_ALL": "C.UTF-8"}
    said: dict[str, str] = {}
    stores: dict[str, str] = {}
    for line in blocks(PAGE):
        done = hello.lab.run("sh", "-c", line, cwd=hello.folder, env=env, check=False, timeout=240)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        said[line] = done.stdout + done.stderr
        stores[line] = lives(hello, "web1")["store"][0]
    adopting = [line for line in said if "adopt " in line and "--yes" in line]
    assert len(adopting) == 2
    assert [line for line in adopting if "succeeded" not in said[line] or "differ" in said[line]] == []
    assert len(set(stores.values())) == 1  # all the way in and out the database is the container that the playbook started
    assert drift(hello) == set()


def test_the_playbooks_are_ones_that_ansible_lint_takes() -> None:
    program = Path(sys.executable).parent / "ansible-lint"
    folder = CHECKOUT / "examples" / "moving"
    env = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([program, "--offline", "-q", "--project-dir", folder, folder / "deploy.yml", folder / "beside.yml"],
                          capture_output=True, text=True, check=False, cwd=folder, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def volumes(lab: Lab) -> list[str]:
    """The names of web1's volumes."""
    return lab.exec("web1", "docker volume ls -q").stdout.split()


def test_the_first_two_steps_of_the_tutorial_carry_the_data_over(app: App, playbook: Playbook, lab: Lab) -> None:  # D8
    def on_the_server(line: str) -> None:
        lab.ssh("web1", f"cd {playbook.folder} && exec sh -c {shlex.quote(line)}", timeout=120)

    def rows() -> str:
        return lab.exec("web1", f"docker exec {app.ids('web1')['store']} cat /data/rows").stdout

    before = set(volumes(lab))
    first, *second = blocks(TUTORIAL)
    named = re.search(r"`(volumes: \{.*?)`", TUTORIAL.read_text())
    assert named is not None
    app.edit("volumes:\n  data: {}", named[1])
    playbook.copy("web1")
    try:
        on_the_server(first)
        lab.exec("web1", "docker exec hello sh -c 'echo row >/data/rows'")
        for line in second:
            on_the_server(line)
        assert rows() == "row\n"
        taken = adopt(app, "--yes", to="web1")
        assert taken.returncode == 0, taken.stderr
        app.edit("command: [store]", "command: [store]\n    environment: {N: one}")
        done = app.deploy("1.1.0", to="web1")
        assert (done.returncode, rows()) == (0, "row\n"), done.stderr
        assert set(volumes(lab)) - before == {"data"}
    finally:
        lab.exec("web1", f"docker rm -f hello $(docker ps -aq --filter label=com.docker.compose.project={app.name}); docker volume rm data", check=False)
