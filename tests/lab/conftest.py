"""The lab for the tests in this folder: made once in a session, removed at its end whatever happens."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_client import App, build_images
from lab_client import PREFIX, Lab, base_folder
from playbook import Playbook

HOSTS = 3


def remove_orphans() -> None:
    """Take down labs whose test session was killed."""
    for folder in base_folder().glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            Lab(folder.name).down()


@pytest.fixture(scope="session")
def running_lab() -> Iterator[Lab]:
    """Three hosts and stage1."""
    remove_orphans()
    made = Lab(f"{PREFIX}{os.getpid()}")
    try:
        made.up(HOSTS)
        yield made
    finally:
        made.down()


@pytest.fixture
def lab(running_lab: Lab) -> Lab:
    """The session's lab, healed of what the test before it broke (switched on, plugged in, services up)."""
    running_lab.up(HOSTS)
    return running_lab


@pytest.fixture(scope="session")
def images(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The example's images are in the registry."""
    build_images(running_lab, tmp_path_factory.mktemp("context"))
    return running_lab


@pytest.fixture
def app(lab: Lab, images: Lab, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[App]:
    """The example under a name of its own, removed from all hosts afterwards."""
    name = request.node.name.split("[")[0].replace("_", "-")[:40]
    made = App.copy(lab, tmp_path / "project", name, 8080)
    yield made
    made.pass_env()
    made.remove()


@pytest.fixture
def playbook(app: App) -> Iterator[Playbook]:
    """What started the app before lading; its folders and logins are removed afterwards."""
    made = Playbook(app)
    made.login()
    yield made
    made.forget()
