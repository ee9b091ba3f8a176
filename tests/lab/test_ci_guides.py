"""The guides' workflows for GitHub Actions and GitLab CI, copied out of docs/how-to.md and run against real hosts (R57, R59)."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from app_client import App
from lab_client import CHECKOUT, Lab

from ci_runners import URL, GitHub, GitLab, Machine, Run, github_guide, gitlab_guide, python

BOTH = ("web1", "web2")


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package index in a folder: lading's wheel, made here, and all that it needs."""
    folder = tmp_path_factory.mktemp("wheels")
    subprocess.run([CHECKOUT / "scripts" / "wheel", folder], check=True, capture_output=True)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:", "--require-hashes", "-d", str(folder)]
    subprocess.run([*pip, "-r", str(CHECKOUT / "requirements" / "runtime.txt")], check=True, timeout=240)
    return folder


@pytest.fixture
def repository(app: App, lab: Lab, wheels: Path) -> Path:
    """The app's repository, with its fleet file, the pinned host keys and the workflows as they are in the guides."""
    head, _, rest = (lab.fleet / "lading.yaml").read_text().partition("destinations:\n")
    places = "  production: {hosts: [web1, web2]}\n  staging: {hosts: [web3]}\n"
    added = {
        "lading.yaml": f"{head}destinations:\n{places}{rest[rest.index('registries:'):]}",
        "known_hosts": (lab.fleet / "known_hosts").read_text(), "ca.pem": (lab.fleet / "ca.pem").read_text(),
        ".github/workflows/deploy.yml": github_guide(), ".github/lading.txt": locked(wheels), ".gitlab-ci.yml": gitlab_guide(),
    }
    for name, text in added.items():
        path = app.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git = ["git", "-C", str(app.folder), "-c", "user.name=ann", "-c", "user.email=ann@example"]
    for step in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "the shop"]):
        subprocess.run([*git, *step], check=True)
    return app.folder


def locked(wheels: Path) -> str:
    """`.github/lading.txt`, as the guide says that it is made."""
    (wheel,) = wheels.glob("lading-*.whl")
    made = subprocess.check_output([sys.executable, "-m", "pip", "hash", "-a", "sha256", wheel], text=True).split()[-1]
    return f"{(CHECKOUT / 'requirements' / 'runtime.txt').read_text()}lading=={wheel.name.split('-')[1]} {made}\n"


def machine(lab: Lab, folder: Path, path: str, variables: Mapping[str, str]) -> Machine:
    """A runner that stands where the lab's controller does, with neither its key nor its passwords."""
    def start(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> "subprocess.Popen[str]":
        both = ("sh", "-c", 'exec "$@" 2>&1', "runner", *argv)
        return lab.popen(*both, cwd=cwd, env=env, options=("--home", env["HOME"], "--no-credentials"))

    return Machine(start, folder, f"{path}:/usr/local/bin:/usr/bin:/bin", variables)


def key(lab: Lab) -> str:
    """The private key that the hosts let in."""
    return (lab.root / "controller" / "ssh" / "id_ed25519").read_text()


def state(app: App, lab: Lab) -> dict[str, tuple[dict[str, str], str]]:
    """Whatever a deployment changes on hosts: containers, networks, volumes and the journal."""
    told = f"cat /var/lib/lading/apps/{app.name}/journal"
    return {host: (app.ids(host), lab.exec(host, told, check=False).stdout) for host in BOTH}


def newest(app: App) -> dict[str, Any]:
    """The newest deployment, as somebody sees it who has another ledger: by what hosts tell."""
    rows: list[dict[str, Any]] = json.loads(app.lading("history", app.name, "--json").stdout)
    return rows[0]


def said_nothing_secret(run: Run, lab: Lab) -> None:
    """Neither the log nor what is kept has a line of the key, or a password."""
    told = "\n".join([run.log, run.summary, *run.files.values()])
    lines = [line for line in key(lab).splitlines() if "-----" not in line]
    assert lines
    assert [secret for secret in (*lines, lab.password) if secret in told] == []


def is_where(app: App, version: str) -> None:
    assert app.versions() == {(host, version, "healthy") for host in BOTH}


def test_github(app: App, lab: Lab, repository: Path, wheels: Path, tmp_path: Path) -> None:
    index = {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    runner = machine(lab, tmp_path / "runner", str(python(tmp_path / "bin")), index)
    flow = GitHub(github_guide(), runner, repository, {"LADING_SSH_KEY": key(lab), "REG_PASSWORD": lab.password})

    first = flow.run(destination="production", version="1.0.0")
    assert first.code == 0, first.log
    is_where(app, "1.0.0")
    row = newest(app)
    assert (row["actor"], row["url"], row["result"]) == ("ann", f"{URL['github']}/actions/runs/42", "succeeded")
    assert row["reason"] == "deploy #7: workflow_dispatch of main"
    kept = json.loads(first.files["deployment.json"])
    assert (kept["deployment"], kept["url"]) == (json.loads(first.files["result.json"])["deployment"], row["url"])
    assert "web1" in first.files["plan.txt"] and first.summary.endswith("succeeded\n~~~\n")
    assert first.files["plan.txt"] in first.log

    before = state(app, lab)
    for version in ("9.9.9", "1.0.0; touch x"):
        wrong = flow.run(destination="production", version=version)
        assert (wrong.codes["Plan"], wrong.codes["Deploy"], wrong.code) == (2, None, 2), wrong.log
    assert state(app, lab) == before

    broken = flow.run(destination="production", version="1.2.0")
    assert (broken.codes["Plan"], broken.codes["Deploy"], broken.code) == (0, 5, 5), broken.log
    assert broken.summary.endswith("rolled_back\n~~~\n") and json.loads(broken.files["deployment.json"])["result"] == "rolled_back"
    is_where(app, "1.0.0")

    cancelled = flow.run(cancel="roll begins", destination="production", version="1.1.0")
    assert (cancelled.codes["Deploy"], newest(app)["result"]) == (5, "rolled_back"), cancelled.log
    is_where(app, "1.0.0")
    for run in (first, wrong, broken, cancelled):
        said_nothing_secret(run, lab)


def test_gitlab(app: App, lab: Lab, repository: Path, tmp_path: Path) -> None:
    here = str(Path(sys.executable).parent)  # what the image of `make image` has
    flow = GitLab(gitlab_guide(), machine(lab, tmp_path / "runner", here, {"LADING_IMAGE": "lading@sha256:0"}), repository,
                  {"LADING_SSH_KEY": key(lab)}, {"REG_PASSWORD": lab.password})

    first = flow.run(DESTINATION="production", VERSION="1.0.0")
    assert first.code == 0, first.log
    is_where(app, "1.0.0")
    row = newest(app)
    assert (row["actor"], row["url"], row["result"]) == ("ben", f"{URL['gitlab']}/-/jobs/7", "succeeded")
    assert row["reason"] == "web pipeline of main: the shop"
    kept = json.loads(first.files["deployment.json"])
    assert (kept["deployment"], kept["url"]) == (json.loads(first.files["result.json"])["deployment"], row["url"])
    assert first.files["plan.txt"] in first.log

    before = state(app, lab)
    for version in ("9.9.9", ""):
        wrong = flow.run(DESTINATION="production", VERSION=version)
        assert wrong.code == 2 and "result.json" not in wrong.files, wrong.log
    assert state(app, lab) == before

    broken = flow.run(DESTINATION="production", VERSION="1.2.0")
    assert broken.code == 5, broken.log
    assert json.loads(broken.files["deployment.json"])["result"] == "rolled_back"
    is_where(app, "1.0.0")
    for run in (first, wrong, broken):
        said_nothing_secret(run, lab)
