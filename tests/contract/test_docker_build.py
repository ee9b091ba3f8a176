"""What `lading build` asks of docker: real Compose and Git, a program in docker's place that notes its arguments."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from registry_server import Serve, Server, digest, manifest

PROGRAM = """#!/bin/sh
n=$(ls "$NOTES" | wc -l)
printf '%s\\0' "$@" >"$NOTES/$n.argv"
env -0 >"$NOTES/$n.env"
cat >"$NOTES/$n.stdin"
[ ! -d "$DOCKER_CONFIG" ] || { cat "$DOCKER_CONFIG/config.json" >"$NOTES/$n.config"; stat -c %a "$DOCKER_CONFIG" >"$NOTES/$n.mode"; }
[ -z "$SLOW" ] || { echo begun >&2; sleep 60; }
case $1 in image) echo "${ID:-sha256:abc}" ;; push) echo "1.0: digest: sha256:$DIGEST size: 1" ;; esac
"""
FILE = """name: shop
services:
  web:
    image: nowhere.example/shop:${VERSION}
    environment: {DB_PASSWORD: "${DB_PASSWORD:?}"}
  store: {image: "nowhere.example/store:1"}
"""
OVERRIDE = """services:
  web:
    image: shop:dev
    build:
      context: ./web
      dockerfile: ../Dockerfile
      args: ["LEVEL=${LEVEL:-2}", TOKEN, DOCKER_WORD=x]
      labels: {own: label}
"""
FLEET = """lading: 1
hosts: {web1: {address: 10.0.0.1}}
registries: {nowhere.example: {username: ci, password: {env: REG_PASSWORD}}}
"""
PASSES = "lading: 1\npass_env: [TOKEN]\n"
LABEL = "org.opencontainers.image."


class Folder:
    """An app's folder, with docker's stand-in on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.app, self.notes, self.bin = (folder / name for name in ("shop", "notes", "bin"))
        for made in (self.app / "web", self.notes, self.bin):
            made.mkdir(parents=True)
        (self.bin / "docker").write_text(PROGRAM)
        (self.bin / "docker").chmod(0o755)
        (self.app / "docker-compose.yml").write_text(FILE)
        (self.app / "docker-compose.override.yml").write_text(OVERRIDE)
        (self.app / "web" / "page").write_text("hello")
        (self.app / "Dockerfile").write_text("FROM scratch\n")

    def git(self) -> str:
        """Make it a repository; the commit."""
        argv = ["git", "-C", str(self.app), "-c", "user.name=ann", "-c", "user.email=a@b"]
        env = {**os.environ, "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"}
        for words in (["init", "-q"], ["remote", "add", "origin", "https://x:y@git.example/shop"], ["add", "-A"], ["commit", "-qm", "a"]):
            subprocess.run([*argv, *words], check=True, env=env)
        return subprocess.check_output([*argv, "rev-parse", "HEAD"], text=True).strip()

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.app.parent), "NOTES": str(self.notes), "DIGEST": "a" * 64}

    def argv(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "lading", "build", "-C", str(self.app), *words]

    def build(self, *words: str, status: int = 0, **more: str) -> dict[str, Any]:
        argv = self.argv("--json", *words)
        done = subprocess.run(argv, env={**self.environment, **more}, cwd=self.app.parent, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def calls(self) -> list[tuple[list[str], dict[str, str]]]:
        """Arguments and environment of each call of docker."""
        names = sorted(self.notes.glob("*.argv"), key=lambda path: int(path.stem))
        return [(path.read_text().split("\0")[:-1], dict(line.split("=", 1) for line in path.with_suffix(".env").read_text().split("\0")[:-1]))
                for path in names]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_what_docker_is_told(folder: Folder) -> None:  # R1 R41; DB_PASSWORD is not needed to build
    commit = folder.git()
    (folder.app.parent / "fleet.yaml").write_text(PASSES)
    told = folder.build("--version", "1.0", "-e", "LEVEL=canary$1", TOKEN="canary", LADING_CONFIG="fleet.yaml")
    assert (told["revision"], told["images"]) == (commit, [
        {"image": "nowhere.example/shop:1.0", "services": ["web"], "id": "sha256:abc", "digest": None}])
    (argv, env), (inspect, _) = folder.calls()
    assert (env["GIT_DIR"], env["BUILDX_GIT_INFO"]) == ("/dev/null", "false")  # no Git in the build context
    assert argv == [
        "build", "--tag", "nowhere.example/shop:1.0", "--build-arg", "TOKEN", "--build-arg", "LEVEL", "--build-arg", "DOCKER_WORD=x",
        "--label", "own=label", "--label", f"{LABEL}version=1.0", "--label", f"{LABEL}revision={commit}",
        "--label", f"{LABEL}source=https://git.example/shop", "--label", f"{LABEL}created=2026-01-02T03:04:05Z",
        "--file", f"{folder.app}/web/../Dockerfile", f"{folder.app}/web"]
    assert (env["TOKEN"], env["LEVEL"]) == ("canary", "canary$1")
    assert inspect[:2] == ["image", "inspect"]


@pytest.mark.parametrize(("dockerfile", "arguments", "given"), [
    ("FROM scratch\nARG LEVEL=1 \\\n    VERSION\n", "[LEVEL=2]", "1.0"), ("arg VERSION=dev\nFROM scratch\n", "{}", "1.0"),
    ("FROM scratch\nARG VERSION\n", "{VERSION: mine}", "mine"), ("FROM scratch\n# ARG VERSION\nENV VERSION=2\nARG VERSIONS\n", "{}", None),
])
def test_a_dockerfile_that_takes_the_version_gets_it(folder: Folder, dockerfile: str, arguments: str, given: str | None) -> None:
    (folder.app / "Dockerfile").write_text(dockerfile)
    old = 'args: ["LEVEL=${LEVEL:-2}", TOKEN, DOCKER_WORD=x]'
    (folder.app / "docker-compose.override.yml").write_text(OVERRIDE.replace(old, f"args: {arguments}"))
    folder.build("--version", "1.0")
    argv, env = folder.calls()[0]
    assert ("VERSION" in argv, env.get("VERSION")) == (given is not None, given)


def pushed_to(folder: Folder, server: Server) -> dict[str, Any]:
    """The app's image at a registry; what docker's stand-in needs to push there what is there."""
    path = folder.app / "docker-compose.yml"
    path.write_text(path.read_text().replace("nowhere.example/shop", f"{server.name}/shop"))
    server.images["shop:1.0"] = manifest()
    return {"ID": "sha256:" + "c" * 64, "DIGEST": digest(manifest()).removeprefix("sha256:")}


def test_a_tag_with_other_content_is_not_overwritten(folder: Folder, serve: Serve) -> None:
    server = serve()
    same = pushed_to(folder, server)
    folder.git()
    assert folder.build("--version", "1.0", "--push", **same)["images"][0]["digest"] == digest(manifest())
    told = folder.build("--version", "1.0", "--push", status=2, **{**same, "ID": "sha256:" + "d" * 64})["error"]
    assert (told["kind"], told["message"]) == (
        "build", f"{server.name}/shop:1.0: the registry has that tag, with other content; nothing was pushed")
    assert "--overwrite" in told["hint"]
    assert [argv[0] for argv, _ in folder.calls()] == ["build", "image", "push", "build", "image"]
    folder.build("--version", "1.0", "--push", "--overwrite", **{**same, "ID": "sha256:" + "d" * 64})
    assert folder.calls()[-1][0][0] == "push"


@pytest.mark.parametrize("id", ["index", "manifest", "config"])
def test_what_an_index_holds_is_the_same_content(folder: Folder, serve: Serve, id: str) -> None:
    server = serve()
    same = pushed_to(folder, server)
    index = json.dumps({"manifests": [{"digest": digest(manifest()), "platform": {"os": "linux", "architecture": "amd64"}}]}).encode()
    server.images |= {"shop:1.0": index, "shop:by-digest": manifest()}
    known = {"index": digest(index), "manifest": digest(manifest()), "config": "sha256:" + "c" * 64}[id]
    folder.build("--version", "1.0", "--push", **{**same, "ID": known, "DIGEST": digest(index).removeprefix("sha256:")})


def test_a_work_tree_that_no_commit_has_is_pushed_only_if_asked_for(folder: Folder, serve: Serve) -> None:
    same = pushed_to(folder, serve())
    commit = folder.git()
    (folder.app / "web" / "page").write_text("changed")
    assert folder.build("--version", "1.0")["revision"] == f"{commit}-dirty"  # who does not push may try things
    before = len(folder.calls())
    told = folder.build("--version", "1.0", "--push", status=2, **same)["error"]
    assert told["message"].startswith(f"the work tree has changes that commit {commit[:12]} has not") and "--source worktree" in told["hint"]
    assert len(folder.calls()) == before
    assert folder.build("--version", "1.0", "--push", "--source", "worktree", **same)["revision"] == f"{commit}-dirty"


def test_a_registry_that_does_not_let_us_look_is_said(folder: Folder, serve: Serve) -> None:
    server = serve(login="basic")
    folder.build("--version", "1.0", "--push", status=2, **pushed_to(folder, server))  # in the end it does not tell what was pushed
    assert folder.calls()[-1][0][0] == "push"


def test_without_git_it_says_so(folder: Folder) -> None:
    told = folder.build("--version", "1.0", SOURCE_DATE_EPOCH="0")
    assert told["revision"] is None
    assert "does not say what it was built from" in told["notes"][-1]
    assert f"{LABEL}created=1970-01-01T00:00:00Z" in folder.calls()[0][0]


def test_an_inline_dockerfile_goes_to_stdin(folder: Folder) -> None:
    (folder.app / "docker-compose.override.yml").write_text("services: {web: {build: {context: web, dockerfile_inline: \"FROM scratch\\n\"}}}\n")
    folder.build("--version", "1.0")
    assert folder.calls()[0][0][-3:] == ["--file", "-", f"{folder.app}/web"]
    assert (folder.notes / "0.stdin").read_text() == "FROM scratch\n"


def test_credentials_are_in_a_file_in_memory(folder: Folder) -> None:  # R41
    (folder.app / "lading.yaml").write_text(FLEET)
    own = folder.app.parent / ".docker"
    (own / "contexts").mkdir(parents=True)
    (own / "config.json").write_text('{"currentContext": "far", "credsStore": "pass", "auths": {"else.example": {}}}')
    folder.build("--version", "1.0", "--push", "--overwrite", status=2, REG_PASSWORD="canary", LADING_CONFIG=str(folder.app / "lading.yaml"))  # nowhere.example does not answer in the end
    assert [argv[0] for argv, _ in folder.calls()] == ["build", "image", "push"]
    for argv, env in folder.calls():
        assert not any("canary" in word or "Y2k6Y2FuYXJ5" in word for word in argv)
        assert env["DOCKER_CONFIG"].startswith("/dev/shm/lading-")
        assert not Path(env["DOCKER_CONFIG"]).exists()
    config = json.loads((folder.notes / "0.config").read_text())
    assert config == {"currentContext": "far", "credHelpers": {}, "auths": {"else.example": {}, "nowhere.example": {"auth": "Y2k6Y2FuYXJ5"}}}
    assert (folder.notes / "0.mode").read_text() == "700\n"


@pytest.mark.parametrize(("change", "words", "message"), [
    ("", ("--version", "1.0;x"), "cannot be an image's tag"), ("", (), "the version is blank"),
    ("context: ./web", ("--version", "1.0"), "lies outside"), ("file", ("--version", "1.0"), "does not carry out build.ssh"),
    ("nothing", ("--version", "1.0"), "there is nothing to build"),
])
def test_refused_before_docker_is_asked(folder: Folder, change: str, words: tuple[str, ...], message: str) -> None:
    path = folder.app / "docker-compose.override.yml"
    if change == "context: ./web":
        path.write_text(OVERRIDE.replace(change, "context: ../"))
    elif change == "file":
        path.write_text(OVERRIDE + "      ssh: [default]\n")
    elif change:
        path.unlink()
    assert message in folder.build(*words, status=2)["error"]["message"]
    assert folder.calls() == []


HOSTILE = {
    "an absolute Dockerfile": ("dockerfile: ../Dockerfile", "dockerfile: /etc/passwd", "/etc/passwd is an absolute path"),
    "a Dockerfile above the tree": ("dockerfile: ../Dockerfile", "dockerfile: ../../outside", "../outside lies outside"),
    "a Dockerfile by a variable": ("dockerfile: ../Dockerfile", "dockerfile: '${WHERE:-/etc/passwd}'", "/etc/passwd is an absolute path"),
    "a Dockerfile that leads out": ("dockerfile: ../Dockerfile", "dockerfile: ../way-out", "leaves the Git work tree through a symlink"),
    "a context that leads out": ("context: ./web", "context: ./folder-out", "leaves the Git work tree through a symlink"),
    "an absolute context": ("context: ./web", "context: /etc", "lies outside"),
    "a remote context": ("context: ./web", "context: 'https://git.example/x.git'", "is not in this project"),
    "another context": ("context: ./web", "context: ./web\n      additional_contexts: {r: /etc}", "does not carry out build.additional_contexts"),
    "a list of what to ignore that leads out": ("context: ./web", "context: ./ignoring", "leaves the Git work tree through a symlink"),
    "a cache in a folder": ("context: ./web", "context: ./web\n      cache_from: ['type=local,src=/etc']", "is no image in a registry"),
    "a cache in a cloud store": ("context: ./web", "context: ./web\n      cache_from: ['type=s3,bucket=x']", "is no image in a registry"),
    "a secret": ("context: ./web", "context: ./web\n      secrets: [s]", "does not carry out build.secrets"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_docker_is_pointed_at_nothing_outside_the_work_tree(folder: Folder, case: str) -> None:
    old, new, message = HOSTILE[case]
    (folder.app / "docker-compose.override.yml").write_text(OVERRIDE.replace(old, new) + "secrets: {s: {file: /etc/passwd}}\n")
    (folder.app.parent / "outside").write_text("canary\n")
    (folder.app / "way-out").symlink_to("../outside")
    (folder.app / "folder-out").symlink_to("/etc")
    (folder.app / "ignoring").mkdir()
    (folder.app / "ignoring" / ".dockerignore").symlink_to("../../outside")
    folder.git()
    error = folder.build("--version", "1.0", status=2)["error"]
    assert message in error["message"]
    assert error["file"] == "docker-compose.override.yml"
    assert error["line"] == (6 if "carry out" in message else 4)
    assert folder.calls() == []


def test_no_docker(folder: Folder) -> None:
    (folder.bin / "docker").unlink()
    (folder.bin / "git").symlink_to("/usr/bin/git")
    error = folder.build("--version", "1.0", status=2, PATH=str(folder.bin))["error"]
    assert "docker client is not installed" in error["message"]


def test_a_signal_ends_docker_too(folder: Folder) -> None:
    process = subprocess.Popen(folder.argv("--version", "1.0"), env={**folder.environment, "SLOW": "yes"}, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "begun" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped; nothing was deployed" in said
    assert not [path for path in Path("/proc").glob("[0-9]*/environ") if names(path, str(folder.notes))]


def names(path: Path, text: str) -> bool:
    """Whether a process has *text* in its environment."""
    try:
        return text.encode() in path.read_bytes()
    except OSError:
        return False
