"""Projects as teams have them: lading's containers equal plain Compose's, from the first deployment to the last.

A few of them here; all with `make corpus` (CORPUS=all). tests/projects/cases.yaml says what each is.
"""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from app_client import ALL_CASES, App
from lab_client import Lab
from project_client import PROJECTS, VERSIONS, Case, Project, build_images, cases, difference, logout

CASES = cases()
FEW = ("web-worker-beat", "monorepo")
CHOSEN = tuple(CASES) if ALL_CASES else FEW
AT_ONCE = 4
PATIENCE = 60
Look = dict[str, Any]


@pytest.fixture(scope="module")
def stories(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[None]]]:
    """Every chosen project from its first deployment to its removal, several at once."""
    running_lab.up(3)
    build_images(running_lab, tmp_path_factory.mktemp("stand-in") / "context", [CASES[name] for name in CHOSEN], "web2")
    folder = tmp_path_factory.mktemp("projects")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(whole_story, CASES[name], running_lab, folder / name) for name in CHOSEN}
    logout(running_lab, "web2")
    App(running_lab, folder, "").forget()


def test_every_project_is_tried() -> None:
    assert {path.name for path in PROJECTS.iterdir() if path.is_dir()} == {*CASES, "stand-in"}
    assert len(CASES) >= 30


@pytest.mark.parametrize("name", CHOSEN)
def test_containers_equal_plain_composes(stories: dict[str, Future[None]], name: str) -> None:
    stories[name].result()


def whole_story(case: Case, lab: Lab, folder: Path) -> None:
    """Deploy, again, upgrade, rollback, remove."""
    project = Project.lay_out(case, lab, folder)
    for host in ("web1", "web2"):
        lab.exec(host, case.prepare or ":")
    try:
        if case.refused:
            refused_until_changed(project)
        first = deployed(project)
        unchanged(project)
        upgraded(project)
        rolled_back(project, first)
        removed(project)
    finally:
        project.wipe()


def refused_until_changed(project: Project) -> None:
    done = project.deploy(VERSIONS[0])
    assert (done.returncode in (2, 4), project.case.refused in done.stderr) == (True, True), done.stderr
    assert project.ours.ids() == {}
    project.edit(project.case.instead)
    project.values.update(project.case.values)


def deployed(project: Project) -> Look:
    """The first deployment; what plain Compose made."""
    project.up(VERSIONS[0])
    done = project.deploy(VERSIONS[0])
    assert done.returncode == 0, done.stderr
    return equal(project)


def unchanged(project: Project) -> None:
    before = project.ours.ids()
    again = project.deploy(VERSIONS[0])
    assert (again.returncode, "unchanged" in again.stdout) == (0, True), again.stderr
    assert project.ours.ids() == before


def upgraded(project: Project) -> None:
    """What plain Compose recreates is recreated, and nothing else."""
    before = [engine.ids() for engine in (project.ours, project.plain)]
    project.edit(project.case.change)
    project.up(VERSIONS[1])
    done = project.deploy(VERSIONS[1])
    assert done.returncode == 0, done.stderr
    after = [engine.ids() for engine in (project.ours, project.plain)]
    ours, theirs = (recreated(*pair) for pair in zip(before, after, strict=True))
    assert theirs
    assert ours == theirs
    equal(project)


def rolled_back(project: Project, first: Look) -> None:
    """As it was; one-shots that have ended are left as they are, and not run again."""
    done = project.app.lading("rollback", project.name, "--to", "web1", "--yes")
    assert done.returncode == 0, done.stderr
    ended = {name for name, one in first["containers"].items() if one["state"].startswith("exited")}
    now = project.ours.look()
    for look in (now, first):
        look["containers"] = {name: one for name, one in look["containers"].items() if name not in ended}
    same(now, first)


def removed(project: Project) -> None:
    """Containers and networks go, volumes stay: as with `docker compose down`."""
    project.down(VERSIONS[1])
    done = project.app.lading("remove", project.name, "--to", "web1", "--yes")
    assert done.returncode == 0, done.stderr
    left = project.ours.look()
    assert (left["containers"], left["networks"]) == ({}, {})
    same(left, project.plain.look())


def recreated(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def equal(project: Project) -> Look:
    """Nothing differs between the two hosts; what plain Compose made."""
    until = time.monotonic() + PATIENCE
    while project.ours.states() != project.plain.states() and time.monotonic() < until:
        pass  # plain Compose has returned before its containers are healthy or have ended
    plain = project.plain.look()
    same(project.ours.look(), plain)
    return plain


def same(ours: object, plain: object) -> None:
    found = difference(ours, plain)
    assert not found, "\n".join(found)
