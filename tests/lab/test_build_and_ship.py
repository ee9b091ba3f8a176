"""`lading build` and `lading ship`, with the docker client and the lab's builder; whose Compose file counts (R1, R32, R58)."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app_client import EXAMPLE, App
from lab_client import Lab
from test_interrupted import running

from labkit import host as builder
from labkit import state, topology

REMOTE = "https://ann:canary@git.example/team/shop.git"


class Repository(App):
    """The example with its Dockerfile in a Git repository, built by the lab's builder host."""

    def git(self, *words: str) -> str:
        env = {"PATH": "/usr/bin:/bin", "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"}
        words = ("-c", "user.name=ann", "-c", "user.email=ann@example", *words)
        return subprocess.run(["git", *words], cwd=self.folder, check=True, capture_output=True, text=True, env=env).stdout.strip()

    def commit(self) -> str:
        """Commit all there is; the commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "a change")
        return self.git("rev-parse", "HEAD")

    @property
    def docker(self) -> dict[str, str]:
        """The engine that builds, and a docker configuration that knows no registry."""
        socket = builder.socket_path(state.Lab(self.lab.name), topology.BUILDER)
        return {"DOCKER_HOST": f"unix://{socket}", "DOCKER_CONFIG": str(self.folder.parent / "docker")}

    def build(self, version: str, *words: str, check: bool = True, **env: str) -> dict[str, Any]:
        """`lading build --version V --json`."""
        done = self.lading("build", "--version", version, "--json", *words, env={**self.docker, **env})
        assert not check or done.returncode == 0, done.stderr + done.stdout
        found: dict[str, Any] = {**json.loads(done.stdout), "said": done.stderr, "status": done.returncode}
        return found

    def labels(self, image: str) -> dict[str, str]:
        """The labels of an image at the builder, without those of others."""
        done = self.lab.run("docker", "image", "inspect", "--format", "{{json .Config.Labels}}", image, env=self.docker)
        found: dict[str, str] = json.loads(done.stdout)
        return {name.removeprefix("org.opencontainers.image."): value for name, value in found.items()}


@pytest.fixture
def shop(lab: Lab, images: Lab, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Repository]:
    name = request.node.name.removeprefix("test_").split("[")[0].replace("_", "-")[:40]
    made = Repository(lab, tmp_path / "project", name)
    subprocess.run([EXAMPLE / "build-context", made.folder], check=True)
    for file in ("docker-compose.yml", "docker-compose.override.yml"):
        text = (EXAMPLE / file).read_text().replace("name: hello\n", f"name: {name}\n", 1)
        (made.folder / file).write_text(text.replace("lab:5000/hello", f"lab:5000/{name}"))
    override = (made.folder / "docker-compose.override.yml").read_text()
    build = "{context: ., args: [VERSION]}"
    (made.folder / "docker-compose.override.yml").write_text(override.replace("build: .", f"build: {build}"))
    made.git("init", "-q", "-b", "main")
    made.git("remote", "add", "origin", REMOTE)
    made.commit()
    yield made
    made.remove()


def test_build_labels_and_pushes(shop: Repository, lab: Lab) -> None:  # R1 R29 R41
    image = f"registry.lab:5000/{shop.name}:1.0.0"
    local = shop.build("1.0.0")
    assert [(one["image"], one["services"], one["digest"]) for one in local["images"]] == [(image, ["migrate", "web"], None)]
    assert lab.run("curl", "-sf", "-u", f"ci:{lab.password}", "--cacert", str(lab.fleet / "ca.pem"),
                   f"https://registry.lab:5000/v2/{shop.name}/tags/list", check=False).returncode != 0
    assert any("store: registry.lab:5000/store:1 does not carry" in note for note in local["notes"])
    head = shop.git("rev-parse", "HEAD")
    assert shop.labels(image) == {"revision": head, "source": "https://git.example/team/shop.git", "version": "1.0.0",
                                  "created": "2026-01-02T03:04:05Z"}
    first = shop.build("1.0.0", "--push")
    assert shop.build("1.0.0", "--push")["images"] == first["images"]  # one commit, one image
    inspected = lab.run("docker", "image", "inspect", "--format", "{{json .RepoDigests}}", image, env=shop.docker).stdout
    assert f"registry.lab:5000/{shop.name}@{first['images'][0]['digest']}" in json.loads(inspected)
    assert not list((shop.folder.parent / "docker").glob("*"))
    assert lab.password not in first["said"]
    done = shop.lading("build", "--version", "1.0.0", "--push", env=shop.docker)
    assert done.stdout == f"{image}@{first['images'][0]['digest']}\n"


def test_changed_work_tree_is_said(shop: Repository) -> None:
    (shop.folder / "app").write_text((shop.folder / "app").read_text() + "# changed\n")
    done = shop.build("2.0.0")
    head = shop.git("rev-parse", "HEAD")
    assert done["revision"] == f"{head}-dirty" == shop.labels(done["images"][0]["image"])["revision"]
    assert any("has changes that commit" in note for note in done["notes"])
    shop.git("checkout", "-q", ".")
    (shop.folder / "new").write_text("is in the image too")
    assert shop.build("2.0.0")["revision"] == f"{head}-dirty"


def test_what_cannot_be_built(shop: Repository) -> None:
    (shop.folder / "Dockerfile").write_text("FROM scratch\nCOPY lost /\n")
    dirty = ("--push", "--source", "worktree")
    failed = shop.build("1.0.0", *dirty, check=False)
    assert (failed["status"], failed["error"]["kind"]) == (2, "build")
    assert "docker build ended with status" in failed["error"]["message"]
    assert shop.build("1.0.0;reboot", check=False)["error"]["kind"] == "input"
    wrong = shop.build("1.0.0", *dirty, check=False, REG_PASSWORD="wrong")
    assert wrong["status"] == 2
    (shop.folder / "Dockerfile").write_text("FROM scratch\nCOPY app /\n")
    refused = shop.build("1.0.0", *dirty, check=False, REG_PASSWORD="wrong")
    assert (refused["status"], refused["error"]["kind"]) == (2, "build")
    assert "docker push ended with status" in refused["error"]["message"]


def test_ship_deploys_what_it_pushed(shop: Repository) -> None:  # R58 R61
    done = shop.lading("ship", "--version", "1.0.0", "--to", "web1", "--yes", "--json", env=shop.docker)
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(done.stdout)
    (built,) = told["built"]
    (row,) = [row for row in shop.where("--to", "web1") if row["service"] == "web"]
    assert (told["result"], row["digest"], row["state"]) == ("succeeded", built["digest"], "healthy")
    shown = json.loads(shop.lading("show", told["deployment"], "--json").stdout)
    assert shown["commit"] == shop.git("rev-parse", "HEAD")
    (shop.folder / "app").write_text((shop.folder / "app").read_text() + "# changed\n")
    dirty = shop.lading("ship", "--version", "1.0.0", "--to", "web1", "--yes", env=shop.docker)
    assert (dirty.returncode, "--source worktree" in dirty.stderr) == (2, True)
    other = shop.lading("ship", "--version", "1.0.0", "--to", "web1", "--yes", "--source", "worktree", env=shop.docker)
    assert (other.returncode, "the registry has that tag, with other content" in other.stderr) == (2, True)
    shop.git("checkout", "-q", ".")
    again = json.loads(shop.lading("ship", "--version", "1.0.0", "--to", "web1", "--yes", "--json", env=shop.docker).stdout)
    assert again["result"] == "unchanged"
    (shop.folder / "app").write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    shop.commit()
    broken = shop.lading("ship", "--version", "1.1.0", "--to", "web1", "--yes", "--json", env=shop.docker)
    assert (broken.returncode, json.loads(broken.stdout)["result"]) == (5, "rolled_back")
    assert {row["digest"] for row in shop.where("--to", "web1") if row["service"] == "web"} == {built["digest"]}


def test_the_file_of_the_image_counts(shop: Repository) -> None:  # R32
    (shop.folder / ".gitignore").write_text("local.env\n")
    (shop.folder / "local.env").write_text("WORD=kept\n")
    shop.edit("    restart: unless-stopped\n    volumes: [\"/etc/hostname", "    env_file: [local.env]\n    volumes: [\"/etc/hostname")
    built_from = shop.commit()
    assert shop.build("1.0.0", "--push")["revision"] == built_from
    assert built_from[:12] not in shop.lading("plan", "--version", "1.0.0", "--to", "web1").stderr
    (shop.folder / "README").write_text("no part of the deployment\n")
    shop.commit()
    same = shop.lading("deploy", "--version", "1.0.0", "--to", "web1", "--yes", "--json", "--require-matching-source")
    assert same.returncode == 0, same.stderr
    shown = json.loads(shop.lading("show", json.loads(same.stdout)["deployment"], "--json").stdout)
    assert shown["commit"] == built_from

    shop.edit("8080:8080", "8090:8080")
    shop.edit("registry.lab:5000/store:1", f"registry.lab:5000/{shop.name}-lost:${{VERSION}}")  # 1.0.0 has no such image
    shop.commit()
    plan = shop.lading("plan", "--version", "1.0.0", "--to", "web1")
    assert plan.returncode == 0, plan.stderr
    assert "nothing to do" in plan.stderr
    noted = json.loads(shop.lading("plan", "--version", "1.0.0", "--to", "web1", "--json").stdout)
    assert any(f"docker-compose.yml here: not as in commit {built_from[:12]}" in note for note in noted["warnings"])
    refused = shop.lading("deploy", "--version", "1.0.0", "--to", "web9,web1", "--yes", "--require-matching-source")
    assert refused.returncode == 2
    refused = shop.lading("deploy", "--version", "1.0.0", "--to", "web1", "--yes", "--json", "--require-matching-source")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["kind"]) == (2, "input")
    assert "docker-compose.yml here" in json.loads(refused.stdout)["error"]["message"]

    shop.edit(f"registry.lab:5000/{shop.name}-lost:${{VERSION}}", "registry.lab:5000/store:1")
    here = json.loads(shop.lading("plan", "--version", "1.0.0", "--to", "web1", "--json", "--source", "worktree").stdout)
    assert any("ports" in str(change["field"]) or "definition" in str(change["field"]) for change in here["changes"]), here["changes"]
    assert any("what is here counts" in note for note in here["warnings"])


def test_a_commit_that_is_not_here(shop: Repository) -> None:  # R32
    shop.build("1.0.0", "--push")
    shop.git("checkout", "-q", "--orphan", "other")
    shop.edit("8080:8080", "8091:8080")
    shop.commit()
    shop.git("branch", "-q", "-D", "main")
    shop.git("reflog", "expire", "--expire=now", "--all")
    shop.git("gc", "-q", "--prune=now")
    plan = json.loads(shop.lading("plan", "--version", "1.0.0", "--to", "web1", "--json").stdout)
    assert any("which this clone does not have" in note for note in plan["warnings"])
    refused = shop.lading("plan", "--version", "1.0.0", "--to", "web1", "--json", "--require-matching-source")
    assert refused.returncode == 2
    assert "git fetch" in json.loads(refused.stdout)["error"]["hint"]


def test_ship_waits_for_who_deploys_already(shop: Repository) -> None:
    """The first one's migration lasts longer than the second one builds."""
    migrates, sleeps = "command: [migrate]", 'entrypoint: [sh, -c, "sleep 60; exec /app migrate"]'
    shop.environment.update(shop.docker)
    shop.edit(migrates, sleeps)
    shop.commit()
    with running(shop, *shipping("1.0.0"), until="web1       roll begins") as first:
        shop.edit(sleeps, migrates)
        shop.commit()
        with running(shop, *shipping("1.1.0"), "--wait", "3m", until="waiting, at most 180 s") as second:
            first.communicate(timeout=200)
            _, said = second.communicate(timeout=200)
    assert (first.returncode, second.returncode) == (0, 0), said
    assert {row["version"] for row in shop.where("--to", "web1") if row["service"] == "web"} == {"1.1.0"}


def shipping(version: str) -> tuple[str, ...]:
    """The words of a ship to one host."""
    return "ship", "--version", version, "--to", "web1", "--yes"
