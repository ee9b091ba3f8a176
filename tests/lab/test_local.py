"""A host that is this machine's own Docker: no SSH, the same engine and guarantees (issue 14)."""

import json
from pathlib import Path

import pytest
from app_client import App
from lab_client import Lab

from labkit import host as machines
from labkit.state import Lab as Place

BROKEN, GOOD = "1.2.0", "1.1.0"


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


def test_from_nothing_to_an_app_and_back(here: App, lab: Lab, tmp_path: Path) -> None:
    registry = ("--registry", "registry.lab:5000", "--username", "ci", "--ca", str(lab.fleet / "ca.pem"))
    made = here.lading("init", "--local", *registry)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "this machine" in made.stdout
    fleet = here.folder / "lading.yaml"
    fleet.write_text(fleet.read_text() + f"state_dir: {tmp_path / 'state'}\n")

    first = here.lading("deploy", here.name, "--version", "1.0.0", "--yes")  # the only destination need not be named
    assert first.returncode == 0, first.stderr
    assert here.versions() == {("here", "1.0.0", "healthy")}
    broken = here.lading("deploy", "--version", BROKEN, "--yes", "--json")
    assert (broken.returncode, json.loads(broken.stdout)["result"]) == (5, "rolled_back")
    assert here.versions() == {("here", "1.0.0", "healthy")}
    assert here.lading("deploy", "--version", GOOD, "--yes").returncode == 0
    assert here.lading("rollback", here.name, "--yes").returncode == 0
    assert here.versions() == {("here", "1.0.0", "healthy")}

    again = here.lading("init", "--local")
    assert (again.returncode, "exists already" in again.stdout) == (0, True), again.stderr
    keys = here.lading("hosts", "trust", "--yes")
    assert (keys.returncode, "there is no key" in keys.stdout) == (0, True)
    removed = here.lading("remove", here.name, "--yes")
    assert removed.returncode == 0, removed.stderr
    assert lab.exec("web1", f"docker ps -aq --filter label=com.docker.compose.project={here.name}").stdout == ""
