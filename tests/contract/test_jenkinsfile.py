"""The Jenkinsfile in a real Groovy of the version that Jenkins has, its shell parts in real shells (R54, R57, R61)."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jenkins_stand_in import PERSON, Groovy, groovy
from lading.export import groovy as literals
from lading.export import jenkins

JOB = jenkins.Job(
    version="0.1.0", destinations=("staging", "production"), approved=("production",), directory="apps/shop", config="lading.yaml",
    image="registry.example:5000/lading:0.1.0", image_registry="https://registry.example:5000", image_credential="reg",
    registries=(jenkins.Binding("reg", "REG_PASSWORD"),), ledger=jenkins.Binding("ledger", "LADING_LEDGER"),
)
HASH = "0123456789abcdef" * 4
PLANNED = {jenkins.PLAN: f"{HASH}\n"}
STAGING, PRODUCTION = ({"DESTINATION": name, "VERSION": "1.0.0", "REASON": ""} for name in ("staging", "production"))
HOSTILE = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.text("$(){}`'\";&|<>\\\n -./a1*?[]=\t"),
    st.sampled_from(["1.0; rm -rf", "1.0 DESTINATION=prod", "$(touch x)", "`touch x`", "'; touch x; '", "--to=production", "-e A=B",
                     "1.0\nDESTINATION=production", "${IFS}", "\\u0027", "staging,production", "", " ", "*", "1.0.0\n", "é", "-1"]),
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Groovy]:
    with groovy() as made:
        yield made


@settings(deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"])))
@example("'''").via("the end of a block")
@example("\\u0027 \\\\u0027 \\").via("what Java reads before anything else")
@example("${VERSION} $x \r\n \t").via("what Groovy fills in")
@example("\U0001f6a2 → \x00\x7f\u2028").via("what is not ASCII")
def test_literals_are_the_text(engine: Groovy, text: str) -> None:
    for literal in (literals.literal(text), literals.block(text)):
        assert literal.isascii()
        assert engine.ask(literal=literal)["value"] == text
    assert "\n" not in literals.literal(text)
    assert engine.ask(literal=literals.words([text, "x"]))["value"] == [text, "x"]


def test_the_whole_file(engine: Groovy) -> None:  # R54
    made = engine.run(jenkins.jenkinsfile(JOB), PRODUCTION, files=PLANNED)
    assert made.error is None
    assert made.steps("agent")[0]["words"] == ["none"]
    (choice,), strings = made.steps("choice"), made.steps("string")
    assert (choice["words"][0]["name"], choice["words"][0]["choices"]) == ("DESTINATION", ["staging", "production"])
    assert [one["words"][0]["name"] for one in strings] == ["VERSION", "REASON"]
    assert {one["words"][0] for one in made.steps("image")} == {JOB.image}
    assert {one["words"][0] for one in made.steps("registryCredentialsId")} == {"reg"}
    bound = [(one["step"], *one["words"][0].values()) for one in made.steps("withCredentials")[0]["words"][0]]
    assert bound == [("sshUserPrivateKey", "lading-ssh", "LADING_SSH_KEY"),
                     ("usernamePassword", "reg", "REG_PASSWORD_USER", "REG_PASSWORD"), ("string", "ledger", "LADING_LEDGER")]
    assert made.shell() == [jenkins.plan_part(JOB), jenkins.deploy_part(JOB), jenkins.wait_part()]
    assert made.steps("archiveArtifacts")[0]["words"][0]["artifacts"] == jenkins.RESULT
    assert made.env == {"BUILD_USER_ID": "eve", "BUILD_CAUSE": "Started by user Eve", "APPROVED_BY": "approver", "LADING_PLAN": HASH,
                        "APPROVED_PLAN": HASH}


def test_a_fleet_file_of_the_node_is_mounted(engine: Groovy) -> None:  # G6
    made = engine.run(jenkins.jenkinsfile(replace(JOB, config="/etc/our fleet/lading.yaml", ledger=None)), PRODUCTION, files=PLANNED)
    assert made.error is None
    assert {one["words"][0] for one in made.steps("args")} == {"--volume '/etc/our fleet:/etc/our fleet:ro'"}
    assert "--config='/etc/our fleet/lading.yaml'" in made.shell()[0] or "'--config=/etc/our fleet/lading.yaml'" in made.shell()[0]


def test_approval_only_where_it_is_asked_for(engine: Groovy) -> None:
    text = jenkins.jenkinsfile(JOB)
    conditions = [engine.run(text, params, files=PLANNED).steps("expression")[0]["value"] for params in (STAGING, PRODUCTION)]
    assert conditions == [False, True]
    asked = engine.run(jenkins.jenkinsfile(replace(JOB, submitters="ann,o'ps")), PRODUCTION, files=PLANNED)
    assert asked.steps("input")[0]["words"][0]["submitter"] == "ann,o'ps"
    assert asked.stage("Approve")["inside"][0]["step"] == "when"
    assert not any(one["step"] == "agent" for one in asked.stage("Approve")["inside"])
    assert engine.run(jenkins.jenkinsfile(replace(JOB, approved=())), PRODUCTION).steps("input") == []


def test_the_hash_is_what_is_approved(engine: Groovy) -> None:  # C7
    text = jenkins.jenkinsfile(replace(JOB, patience=30, variables=(jenkins.Binding("shop-token", "TOKEN"),)))
    made = engine.run(text, PRODUCTION, files=PLANNED)
    (patience,) = made.stage("Approve")["inside"][1]["inside"][0]["inside"]
    assert (patience["step"], patience["words"][0]) == ("timeout", {"time": 30, "unit": "MINUTES"})
    (asked,) = patience["inside"]
    assert (asked["step"], HASH in asked["words"][0]["message"]) == ("input", True)
    assert (made.env["LADING_PLAN"], made.env["APPROVED_PLAN"]) == (HASH, HASH)
    bound = [one["words"][0] for one in made.steps("withCredentials")[0]["words"][0]]
    assert {"credentialsId": "shop-token", "variable": "TOKEN"} in bound


@pytest.mark.parametrize(("approved", "wanted"), [("", ["--yes"]), (HASH, [f"--plan={HASH}"])])
def test_the_approved_plan_is_deployed(probe: Path, tmp_path: Path, approved: str, wanted: list[str]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    env = {"PATH": f"{probe}:{os.environ['PATH']}", "HOME": "/nonexistent", "PROBE": str(out), "LADING_SSH_KEY": "/key",
           "DESTINATION": "production", "VERSION": "1.0.0", "APPROVED_PLAN": approved}
    subprocess.run(["sh", "-xe", "-c", jenkins.deploy_part(JOB)], cwd=tmp_path, env=env, capture_output=True, check=False)
    assert (out / "argv").read_text().split("\0")[6:-1] == [*wanted, "--json"]


def test_a_plan_without_a_hash_cannot_be_approved(engine: Groovy) -> None:
    made = engine.run(jenkins.jenkinsfile(JOB), PRODUCTION, files={jenkins.PLAN: "\n"})
    assert (made.steps("input"), "no hash" in str(made.error)) == ([], True)


@pytest.mark.parametrize(("result", "description"), [
    ({"app": "shop", "version": "1.0.0", "destination": "production", "result": "rolled_back"}, "shop 1.0.0 → production: rolled_back"),
    ({"error": {"kind": "lease_held", "message": "<b>"}}, "not deployed: lease_held"),
    (None, None),
])
def test_description(engine: Groovy, tmp_path: Path, result: dict[str, object] | None, description: str | None) -> None:
    (tmp_path / jenkins.FOLDER).mkdir()
    (tmp_path / jenkins.RESULT).write_text(json.dumps(result) if result else "")
    (tmp_path / jenkins.DESCRIPTION).write_text("of the build before")
    argv = ["sh", "-xe", "-c", jenkins.wait_part()]
    done = subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
    assert done.stdout == (tmp_path / jenkins.RESULT).read_text()
    files = {str(path.relative_to(tmp_path)): path.read_text() for path in (tmp_path / jenkins.FOLDER).iterdir()}
    assert engine.run(jenkins.jenkinsfile(JOB), STAGING, files=files).description == description


def test_a_failed_step_is_a_failed_build(engine: Groovy) -> None:  # R61
    failed = engine.run(jenkins.jenkinsfile(JOB), STAGING, fails="deploy --project")
    assert failed.error == "script returned exit code 5"
    assert failed.shell()[-1] == jenkins.wait_part()  # also then


def test_who_started_it_and_why(engine: Groovy) -> None:
    timed = engine.run(jenkins.jenkinsfile(JOB), STAGING, causes=[{"_class": "x", "shortDescription": "Started by timer"}])
    assert timed.env == {"BUILD_CAUSE": "Started by timer", "APPROVED_BY": "approver"}
    assert engine.run(jenkins.jenkinsfile(JOB), STAGING, causes=[{**PERSON, "userId": ""}]).env["BUILD_USER_ID"] == ""


@settings(deadline=None, max_examples=50)
@given(text=HOSTILE, version=HOSTILE)
def test_names_of_the_fleet_file_stay_text(engine: Groovy, text: str, version: str) -> None:  # R57
    job = replace(JOB, directory=text, config=text, image=text, image_credential=text, ssh_credential=text, submitters=text,
                  version=version, registries=(jenkins.Binding(text, "P"),))
    params = {**PRODUCTION, "VERSION": version, "REASON": text}
    made = engine.run(jenkins.jenkinsfile(job), params, files=PLANNED)
    assert made.shell() == [jenkins.plan_part(job), jenkins.deploy_part(job), jenkins.wait_part()]
    assert {one["words"][0] for one in made.steps("image")} == {text}
    assert made.steps("withCredentials")[0]["words"][0][0]["words"][0]["credentialsId"] == text


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program `lading` that writes its arguments and environment, NUL-separated, and ends with 5."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "lading").write_text('#!/bin/sh\nprintf "%s\\0" "$@" >"$PROBE/argv"\nenv -0 >"$PROBE/env"\nexit 5\n')
    (folder / "lading").chmod(0o755)
    return folder


SHELLS = (("sh",), ("dash",), ("bash", "--posix"), ("busybox", "sh"))
OWN = {"PWD", "OLDPWD", "SHLVL", "_", "HOME", "XDG_STATE_HOME", "DOCKER_CONFIG", "PROBE", "PATH", "TMPDIR", "LADING_SSH_KEY"}


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
@settings(deadline=None, max_examples=60)
@given(values=st.fixed_dictionaries({"REASON": HOSTILE, "APPROVED_BY": HOSTILE}), destination=HOSTILE | st.sampled_from(JOB.destinations),
       version=HOSTILE | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True), hostile=HOSTILE)
@example({"REASON": "", "APPROVED_BY": ""}, "staging", "a" * 128, "")
@example({"REASON": "", "APPROVED_BY": "ann"}, "staging", "a" * 129, "")
def test_parameters_cannot_inject(  # R57
    probe: Path, tmp_path_factory: pytest.TempPathFactory, shell: tuple[str, ...], values: dict[str, str], destination: str,
    version: str, hostile: str,
) -> None:
    work, out = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("out")
    given = {**values, "VERSION": version, "DESTINATION": destination, "BUILD_URL": hostile}
    env = {"PATH": f"{probe}:{os.environ['PATH']}", "HOME": "/nonexistent", "PROBE": str(out), "LADING_SSH_KEY": "/a key",
           "TMPDIR": str(tmp_path_factory.mktemp("temporary")), **given}
    job = replace(JOB, directory=hostile or ".", config="lading.yaml")
    done = subprocess.run([*shell, "-e", "-c", jenkins.deploy_part(job)], cwd=work, env=env, capture_output=True, text=True)
    good = version.isascii() and 0 < len(version) <= 128 and version[0] not in ".-" and all(c.isalnum() or c in "_.-" for c in version)
    if not good or destination not in JOB.destinations:
        assert (done.returncode, list(out.iterdir()), list(work.iterdir())) == (2, [], [])
        return
    assert done.returncode == 5, done.stderr
    reason = ", ".join(filter(None, [values["REASON"], f"approved by {values['APPROVED_BY']}" if values["APPROVED_BY"] else ""]))
    assert (out / "argv").read_bytes().decode().split("\0")[:-1] == [
        "--config=lading.yaml", "deploy", f"--project-directory={job.directory}", f"--to={destination}", f"--version={version}",
        f"--reason={reason}", "--yes", "--json"]
    seen = dict(line.split("=", 1) for line in (out / "env").read_bytes().decode().split("\0")[:-1])
    assert {name: seen.get(name) for name in given} == given
    home = Path(seen["HOME"])
    assert (str(home.parent), seen["DOCKER_CONFIG"]) == (env["TMPDIR"], "/nonexistent/.docker")  # never in the checkout
    assert home.stat().st_mode & 0o777 == 0o700
    assert set(seen) <= OWN | set(given)
    assert [path.name for path in work.iterdir()] == [jenkins.FOLDER]
    assert (home / ".ssh" / "id_rsa").readlink() == Path("/a key")


@pytest.mark.parametrize("path", [jenkins.FOLDER, f"{jenkins.FOLDER}/lock", jenkins.RESULT, jenkins.DESCRIPTION])
def test_a_symlink_of_the_repository_leads_no_file_elsewhere(tmp_path: Path, path: str) -> None:
    work, other = tmp_path / "work", tmp_path / "other"
    (work / path).parent.mkdir(parents=True)
    other.write_text("of another")
    (work / path).symlink_to(other)
    env = {"PATH": os.environ["PATH"], "LADING_SSH_KEY": "/a key", **STAGING}
    for part in (jenkins.plan_part(JOB), jenkins.deploy_part(JOB), jenkins.wait_part()):
        done = subprocess.run(["sh", "-e", "-c", part], cwd=work, env=env, capture_output=True, text=True)
        assert (done.returncode, done.stdout, other.read_text()) == (2, "", "of another")
        assert f"{path} is a symlink in the repository" in done.stderr
