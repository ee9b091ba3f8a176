"""A host that is this machine's own Docker: no SSH, the same engine and guarantees (issue 14)."""

import json
import re
import shutil
from pathlib import Path

import pytest
from app_client import App
from lab_client import CHECKOUT, Lab

from labkit import host as machines
from labkit.state import Lab as Place


@pytest.fixture
def here(app: App, lab: Lab, tmp_path: Path) -> App:
    """The app's folder, on a machine whose Docker is that of web1: its socket is what docker's client is told."""
    place = Place(lab.name)
    pid = machines.init_pid(place, place.host("web1"))
    app.environment = {
        "DOCKER_HOST": f"unix:///proc/{pid}/root/run/docker.sock", "LADING_CONFIG": "", "HOME": str(tmp_path),
        "DOCKER_CONFIG": str(lab.root / "controller/docker"), "REGISTRY_PASSWORD": lab.password,
    }
    return app


DOCKERFILE = """FROM scratch
COPY busybox /bin/busybox
CMD ["/bin/busybox", "sleep", "1000"]
"""


def first_commands() -> list[str]:
    """README's first commands, without their comments."""
    (block,) = re.findall(r"```sh\n(lading init --local.*?)```", (CHECKOUT / "README.md").read_text(), re.S)
    return [line.partition(" #")[0].strip() for line in block.splitlines()]


def test_the_ten_minutes_of_the_readme(here: App, lab: Lab, tmp_path: Path) -> None:
    registry = ("--registry", "registry.lab:5000", "--username", "ci", "--ca", str(lab.fleet / "ca.pem"))
    first, *then = first_commands()
    made = here.lading(*first.split()[1:], *registry)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "this machine" in made.stdout
    fleet = here.folder / "lading.yaml"
    fleet.write_text(fleet.read_text() + f"state_dir: {tmp_path / 'state'}\n")

    after = []
    for line in then:
        words = line.replace("my-app", here.name).split()[1:]
        done = here.lading(*words, *([] if words[0] == "where" else ["--yes"]))
        ((host, version, state),) = here.versions()
        after.append((words[0], done.returncode, host, version, state))
    assert after == [
        ("deploy", 0, "here", "1.0.0", "healthy"), ("where", 0, "here", "1.0.0", "healthy"), ("deploy", 0, "here", "1.1.0", "healthy"),
        ("deploy", 5, "here", "1.1.0", "healthy"), ("rollback", 0, "here", "1.0.0", "healthy"),
    ]
    (undone,) = [one for one in json.loads(here.lading("history", here.name, "--json").stdout) if one["version"] == "1.2.0"]
    assert undone["result"] == "rolled_back"

    again = here.lading("init", "--local")
    assert (again.returncode, "exists already" in again.stdout) == (0, True), again.stderr
    keys = here.lading("hosts", "trust", "--yes")
    assert (keys.returncode, "there is no key" in keys.stdout) == (0, True)
    removed = here.lading("remove", here.name, "--yes")
    assert removed.returncode == 0, removed.stderr
    assert lab.exec("web1", f"docker ps -aq --filter label=com.docker.compose.project={here.name}").stdout == ""


def test_an_image_that_was_built_here_needs_no_registry(here: App, lab: Lab, tmp_path: Path) -> None:
    """As a stranger begins: `docker build`, `init --local`, `deploy`."""
    image = f"{here.name}-built"
    shutil.copy("/bin/busybox", here.folder)
    (here.folder / "Dockerfile").write_text(DOCKERFILE)
    (here.folder / "docker-compose.override.yml").unlink()
    (here.folder / "docker-compose.yml").write_text(
        f"name: {here.name}\nservices:\n  web:\n    image: {image}:${{VERSION}}\n    volumes: [data:/data]\n    stop_grace_period: 1s\n"
        "volumes:\n  data: {}\n")
    for version in ("1.0.0", "1.1.0"):
        words = ("docker", "build", "-q", "--label", f"version={version}", "-t", f"{image}:{version}", ".")
        lab.run(*words, cwd=here.folder, env={**here.environment, "DOCKER_BUILDKIT": "0"})
    made = here.lading("init", "--local")
    assert made.returncode == 0, made.stdout + made.stderr
    fleet = here.folder / "lading.yaml"
    fleet.write_text(fleet.read_text() + f"state_dir: {tmp_path / 'state'}\n")
    steps = {"deploy --version 1.0.0": "1.0.0", "deploy --version 1.1.0": "1.1.0", f"rollback {here.name}": "1.0.0"}
    for line, version in steps.items():
        done = here.lading(*line.split(), "--yes")
        assert done.returncode == 0, done.stderr
        assert here.versions() == {("here", version, "running")}

    volume = f"{here.name}_data"
    shown = here.lading("remove", here.name, "--dry-run")
    assert f"{volume}: they stay" in shown.stdout + shown.stderr
    removed = here.lading("remove", here.name, "--volumes", "--yes")
    assert (removed.returncode, f"volume {volume}" in removed.stderr) == (0, True), removed.stderr
    assert volume not in lab.exec("web1", "docker volume ls -q").stdout
