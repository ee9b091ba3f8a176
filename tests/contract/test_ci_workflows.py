"""The guides' workflows for GitHub Actions and GitLab CI: of the published form, with the least rights, and no secret in any argument."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from ci_runners import SHELLS, GitHub, GitLab, Machine, Refused, github_guide, gitlab_guide, read

pytestmark = pytest.mark.contract
SCHEMAS = [("github-workflows", github_guide), ("gitlab-ci", gitlab_guide)]
GITHUB, GITLAB = read(github_guide()), read(gitlab_guide())
JOB, PLAYED = GITHUB["jobs"]["deploy"], GITLAB["deploy"]
SCRIPTS = {step["name"]: step["run"] for step in JOB["steps"] if "run" in step}
SECRETS = {"LADING_SSH_KEY": "", "REG_PASSWORD": "pw"}


def machine(folder: Path) -> Machine:
    def start(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> "subprocess.Popen[str]":
        raise AssertionError(f"{argv} is started, though the file is refused")

    return Machine(start, folder, "/usr/bin:/bin")


def github(folder: Path, text: str) -> GitHub:
    return GitHub(text, machine(folder), folder, SECRETS)


@pytest.mark.parametrize(("name", "text"), SCHEMAS, ids=[name for name, _ in SCHEMAS])
def test_the_published_schema_takes_it(name: str, text: Callable[[], str], tmp_path: Path) -> None:
    def said(content: str) -> tuple[int, str]:
        file = tmp_path / "file.yml"
        file.write_text(content)
        argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{name}", str(file)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    code, told = said(text())
    assert code == 0, told
    assert said(text().replace("environment:", "enviroment:", 1))[0] == 1  # it would say so


def test_scripts_are_ones_that_shellcheck_takes(tmp_path: Path) -> None:
    played = [*PLAYED["before_script"], *PLAYED["script"]]
    scripts = {**SCRIPTS, "played": "\n".join(played), "after": "\n".join(PLAYED["after_script"])}
    for name, text in scripts.items():
        (tmp_path / name).write_text(f"#!/bin/bash -e\n{text}\n")
    done = subprocess.run(["shellcheck", *scripts], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_least_rights() -> None:
    assert GITHUB["permissions"] == {"contents": "read"} and "permissions" not in JOB
    used = [step["uses"] for step in JOB["steps"] if "uses" in step]
    assert [one for one in used if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", one)] == []
    assert JOB["steps"][0]["with"]["persist-credentials"] == "false"
    given = {step.get("name"): set(step.get("env", {})) for step in JOB["steps"] if "secrets." in str(step)}
    assert given == {"Hand the SSH key to an agent": {"SSH_KEY"}, "Plan": {"REG_PASSWORD"}, "Deploy": {"REG_PASSWORD"}}
    assert "secrets" not in str(JOB["env"]) and "${{" not in "".join(SCRIPTS.values())
    assert JOB["environment"] == "${{ inputs.destination }}" and PLAYED["environment"] == PLAYED["resource_group"] == "$DESTINATION"
    assert GITHUB["concurrency"] == {"group": "deploy-${{ inputs.destination }}", "cancel-in-progress": "false"}
    assert (PLAYED["interruptible"], PLAYED["artifacts"]["access"]) == ("false", "developer")


@pytest.mark.parametrize(("variables", "when"), [
    ({"CI_PIPELINE_SOURCE": "web", "CI_COMMIT_REF_PROTECTED": "true"}, "manual"),
    ({"CI_PIPELINE_SOURCE": "web", "CI_COMMIT_REF_PROTECTED": "false"}, ""),
    ({"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_REF_PROTECTED": "true"}, ""),
])
def test_at_gitlab_a_person_presses_play_on_a_protected_branch(variables: dict[str, str], when: str, tmp_path: Path) -> None:
    assert GitLab(gitlab_guide(), machine(tmp_path), tmp_path, {}, {}).offered(variables) == when


@pytest.mark.parametrize(("old", "new"), [
    ("VERSION: ${{ inputs.version }}", "VERSION: ${{ inputs.verison }}"),
    ("VERSION: ${{ inputs.version }}", "VERSION: ${{ github.event.inputs.version }}"),
    ("VERSION: ${{ inputs.version }}", "VERSION: ${{ runner.temp }}"),  # GitHub has no runner there
    ("group: \"deploy-${{ inputs.destination }}\"", "group: \"${{ secrets.REG_PASSWORD }}\""),
    ("timeout-minutes: 30", "timeout-minutes: 30\n    container: debian"),
])
def test_the_runner_of_these_tests_refuses_what_it_does_not_know(old: str, new: str, tmp_path: Path) -> None:
    assert old in github_guide()
    with pytest.raises(Refused):
        github(tmp_path, github_guide().replace(old, new)).run(destination="staging", version="1")


@pytest.mark.parametrize("inputs", [{"destination": "elsewhere", "version": "1"}, {"destination": "staging", "version": "1", "more": "x"}])
def test_the_form_offers_no_other_destination(inputs: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(Refused):
        github(tmp_path, github_guide()).run(**inputs)


@pytest.mark.parametrize(("shell", "script", "name"), [
    (SHELLS["bash"], SCRIPTS["Hand the SSH key to an agent"], "SSH_KEY"),
    (("bash", "-eo", "pipefail"), "\n".join(PLAYED["before_script"]), "LADING_SSH_KEY"),
], ids=["github", "gitlab"])
def test_the_key_is_in_no_argument_and_in_no_file(shell: Sequence[str], script: str, name: str, tmp_path: Path) -> None:
    """The agent has the key afterwards; of all that was started, written and said, nothing has a line of it."""
    key, said = tmp_path / "key", tmp_path / "GITHUB_ENV"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ci", "-f", key], check=True)
    text = key.read_text()
    (tmp_path / "work").mkdir()
    (tmp_path / "script.sh").write_text(f'{script}\nssh-add -l\nkill "$SSH_AGENT_PID"\n')
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "work"), "GITHUB_ENV": str(said), "TMPDIR": str(tmp_path / "work"),
           name: text if name == "SSH_KEY" else str(key)}
    key.chmod(0o666)
    trace = ["strace", "-f", "-qq", "-s", "65536", "-e", "trace=execve,execveat", "-e", "signal=none", "-o", str(tmp_path / "trace")]
    done = subprocess.run([*trace, *shell, str(tmp_path / "script.sh")], cwd=tmp_path / "work", env=env, capture_output=True, text=True,
                          check=False, timeout=60)
    assert (done.returncode, "ED25519" in done.stdout) == (0, True), done.stdout + done.stderr
    told = (tmp_path / "trace").read_text() + done.stdout + done.stderr + (said.read_text() if said.exists() else "")
    assert "ssh-add" in told
    assert [line for line in text.splitlines() if "-----" not in line and line in told] == []
    assert [path for path in (tmp_path / "work").rglob("*") if path.is_file() and text.splitlines()[1] in path.read_text()] == []
