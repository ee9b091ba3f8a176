"""The Jenkinsfile's shell parts against real hosts, started and ended as Jenkins does; what a CI says is kept (R57, R59, R61)."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_client import App, some
from lab_client import Done, Lab

from jenkins_stand_in import Groovy, groovy

KEY, RESULT, DESCRIPTION = "/root/.ssh/id_ed25519", ".lading/result.json", ".lading/description"
PLAN = ".lading/plan"
SHA = "0123456789abcdef0123456789abcdef01234567"
BUILD = {
    "JENKINS_URL": "https://ci.example/", "BUILD_URL": "https://eve:canary@ci.example/job/shop/12/", "BUILD_NUMBER": "12",
    "JOB_NAME": "shop", "BUILD_USER_ID": "eve", "BUILD_CAUSE": "Started by user Eve", "GIT_COMMIT": SHA, "CI": "true",
}
GITHUB = {
    "GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "ann", "GITHUB_SERVER_URL": "https://github.example", "GITHUB_REPOSITORY": "team/shop",
    "GITHUB_RUN_ID": "42", "GITHUB_RUN_NUMBER": "7", "GITHUB_WORKFLOW": "deploy", "GITHUB_EVENT_NAME": "push",
    "GITHUB_REF_NAME": "main", "GITHUB_SHA": SHA,
}
GITLAB = {
    "GITLAB_CI": "true", "GITLAB_USER_LOGIN": "ben", "CI_JOB_URL": "https://gitlab.example/team/shop/-/jobs/7", "CI_COMMIT_SHA": SHA,
    "CI_COMMIT_TITLE": "Greet in two languages", "CI_PIPELINE_SOURCE": "push", "CI_COMMIT_REF_NAME": "main",
}
SAID = {
    "github": (GITHUB, ("ann", "deploy #7: push of main", SHA, "https://github.example/team/shop/actions/runs/42")),
    "gitlab": (GITLAB, ("ben", "push pipeline of main: Greet in two languages", SHA, GITLAB["CI_JOB_URL"])),
    "jenkins": (BUILD, ("eve", "build #12 of shop: Started by user Eve", SHA, "https://ci.example/job/shop/12/")),
}


class Job:
    """The example in a repository with its fleet file and the Jenkinsfile that lading makes of it."""

    def __init__(self, app: App, lab: Lab, engine: Groovy) -> None:
        self.app, self.lab, self.engine = app, lab, engine
        fleet = (lab.fleet / "lading.yaml").read_text()
        head, _, rest = fleet.partition("destinations:\n")
        rest = rest[rest.index("registries:"):]
        places = "  production: {hosts: [web1, web2], confirm: true}\n  staging: {hosts: [web3]}\n"
        (app.folder / "lading.yaml").write_text(f"{head}destinations:\n{places}{rest}")
        for name in ("known_hosts", "ca.pem"):
            (app.folder / name).write_bytes((lab.fleet / name).read_bytes())
        words = ["git", "-C", str(app.folder), "-c", "user.name=ann", "-c", "user.email=ann@example"]
        for step in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "the shop"]):
            subprocess.run([*words, *step], check=True)
        self.commit = subprocess.check_output([*words, "rev-parse", "HEAD"], text=True).strip()
        made = app.lading("--config", "lading.yaml", "export", "jenkins", "--image", "registry.lab:5000/lading:test")
        assert made.returncode == 0, made.stderr
        self.text = made.stdout
        params = {"DESTINATION": "production", "VERSION": "1.0.0", "REASON": ""}
        self.plan, self.deploy, self.wait = engine.run(self.text, params, files={PLAN: "0" * 64 + "\n"}).shell()

    def environment(self, version: str, destination: str, more: dict[str, str]) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {**BUILD, "PATH": path, "LADING_SSH_KEY": KEY, "VERSION": version, "DESTINATION": destination, **more}

    def argv(self, part: str) -> list[str]:
        """As the step `sh` starts a script."""
        script = self.app.folder.parent / "script.sh"
        script.write_text(part)
        return ["sh", "-xe", str(script)]

    def sh(self, part: str, version: str, destination: str = "production", **more: str) -> Done:
        env = self.environment(version, destination, more)
        return self.lab.run(*self.argv(part), cwd=self.app.folder, env=env, check=False, timeout=240)

    def approved(self, version: str) -> dict[str, str]:
        """What the job passes on after somebody has approved the plan for production: its hash."""
        planned = self.sh(self.plan, version)
        assert planned.returncode == 0, planned.stderr
        files = {PLAN: (self.app.folder / PLAN).read_text()}
        made = self.engine.run(self.text, {"DESTINATION": "production", "VERSION": version, "REASON": ""}, files=files)
        return {"APPROVED_PLAN": str(made.env["APPROVED_PLAN"])}

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.app.folder / RESULT).read_text())
        return found

    def description(self) -> str:
        """What the Jenkinsfile makes of the result; its last shell part has run."""
        params = {"DESTINATION": "production", "VERSION": "x", "REASON": ""}
        assert self.sh(self.wait, "x").returncode == 0
        files = {name: (self.app.folder / name).read_text() for name in (PLAN, RESULT, DESCRIPTION)}
        return str(self.engine.run(self.text, params, files=files).description)


@pytest.fixture(scope="module")
def engine() -> Iterator[Groovy]:
    with groovy() as made:
        yield made


@pytest.fixture
def job(app: App, lab: Lab, engine: Groovy) -> Job:
    return Job(app, lab, engine)


def told(app: App, lab: Lab, deployment: str, host: str = "web1") -> list[tuple[str, str, str, str]]:
    """Actor, reason, commit and URL of a deployment: by the ledger, by the host's journal."""
    shown = json.loads(app.lading("show", deployment, "--json").stdout)
    journal = map(json.loads, lab.exec(host, f"cat /var/lib/lading/apps/{app.name}/journal").stdout.splitlines())
    begin = next(line for line in journal if line["kind"] == "begin" and line["deployment"] == deployment)
    return [(one["actor"], one["reason"], one["commit"], one["url"]) for one in (shown, begin)]


def test_parts_against_hosts(job: Job, lab: Lab) -> None:  # R54 R59 R61
    planned = job.sh(job.plan, "1.0.0")
    assert planned.returncode == 0, planned.stderr
    assert job.app.lading("where", job.app.name).returncode == 2  # nobody knows it yet
    assert job.sh(job.deploy, "1.0.0", APPROVED_BY="ops").returncode == 4  # nobody's yes to this plan
    assert job.result()["error"]["kind"] == "not_confirmed"
    assert job.sh(job.deploy, "1.0.0", APPROVED_BY="ops", **job.approved("1.0.0")).returncode == 0
    first = job.result()
    assert job.app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert told(job.app, lab, first["deployment"]) == [("eve", "approved by ops", job.commit, "https://ci.example/job/shop/12/")] * 2
    assert job.sh(job.wait, "1.0.0").stdout.startswith("{")
    assert job.description() == f"{job.app.name} 1.0.0 → production: succeeded"

    broken = job.sh(job.deploy, "1.2.0", **job.approved("1.2.0"))
    assert (broken.returncode, job.result()["result"]) == (5, "rolled_back")
    assert job.description() == f"{job.app.name} 1.2.0 → production: rolled_back"
    assert told(job.app, lab, job.result()["deployment"])[1][1] == "build #12 of shop: Started by user Eve"
    lost = job.sh(job.deploy, "9.9.9", REASON="try")
    assert (lost.returncode, job.result()["error"]["kind"], job.description()) == (2, "registry", "not deployed: registry")
    for version, destination in (("1.0.0; touch x", "production"), ("1.0.0", "production,staging"), ("1.0.0", "web1")):
        assert job.sh(job.deploy, version, destination).returncode == 2
    assert lab.password not in broken.stdout + broken.stderr + (job.app.folder / RESULT).read_text()


def test_abort_undoes(job: Job, lab: Lab) -> None:  # the first SIGTERM
    assert job.sh(job.deploy, "1.0.0", **job.approved("1.0.0")).returncode == 0
    cookie = f"JENKINS_SERVER_COOKIE=durable-{job.app.name}"
    env = job.environment("1.1.0", "production", {**dict([cookie.split("=")]), **job.approved("1.1.0")})
    process = lab.popen(*job.argv(job.deploy), cwd=job.app.folder, env=env)
    try:
        assert process.stderr is not None
        said = ""
        while "web1       roll begins" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        for pid in with_environment(cookie):
            os.kill(pid, signal.SIGTERM)
        waited = job.sh(job.wait, "1.1.0")
        process.communicate(timeout=10)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert waited.returncode == 0
    assert json.loads(waited.stdout)["result"] == "rolled_back"  # it waited for the undo
    assert (process.returncode, job.result()["result"]) == (5, "rolled_back")
    assert job.app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    assert job.description() == f"{job.app.name} 1.1.0 → production: rolled_back"


def with_environment(pair: str) -> list[int]:
    """The processes that have it in their environment: how Jenkins finds what it started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            there = pair.encode() in path.read_bytes().split(b"\0")
        except OSError:
            continue
        found += [int(path.parent.name)] if there else []
    return found


@pytest.mark.parametrize("ci", some(list(SAID)))
def test_what_a_ci_says_is_kept(app: App, lab: Lab, ci: str) -> None:  # R59: a project that is not in Git
    environment, expected = SAID[ci]
    done = app.deploy("1.0.0", "--json", to="web1", env=environment)
    assert done.returncode == 0, done.stderr
    assert told(app, lab, json.loads(done.stdout)["deployment"]) == [expected] * 2
    given = app.deploy("1.1.0", "--json", "--reason", "because\nof that", to="web1", env=environment)
    assert [one[1] for one in told(app, lab, json.loads(given.stdout)["deployment"])] == ["because of that"] * 2
    back = app.lading("rollback", app.name, "--to", "web1", "--yes", "--json", env=environment)
    assert [one[:2] for one in told(app, lab, json.loads(back.stdout)["deployment"])] == [expected[:2]] * 2
