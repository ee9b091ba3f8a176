"""Images that only the controller's engine has: sent to each host that lacks them, kept, taken back and pruned as ever."""

import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_client import EXAMPLE, LADING, App
from lab_client import Lab

from labkit import host as builder
from labkit import state, topology
from labkit.process import wait_until

HOSTS = ("web1", "web2")
STUCK = """#!/bin/sh
[ "$1" = save ] || exec {docker} "$@"
{docker} "$@" | head -c {size}
exec tail -f /dev/null
"""


@pytest.fixture
def sent(app: App, tmp_path: Path) -> Iterator[App]:
    """The example in a fleet without a registry; its images are in the builder's engine, which is the controller's here."""
    socket = builder.socket_path(state.Lab(app.lab.name), topology.BUILDER)
    app.environment = {"DOCKER_HOST": f"unix://{socket}", "DOCKER_CONFIG": str(tmp_path / "docker")}
    app.edit("registry.lab:5000/", f"{app.name}/")
    subprocess.run([EXAMPLE / "build-context", tmp_path / "context"], check=True)
    for version, more in {"1.0.0": {}, "1.1.0": {}, "1.2.0": {"BROKEN": "1"}}.items():
        build(app, f"hello:{version}", tmp_path / "context", VERSION=version, **more)
    build(app, "store:1", tmp_path / "context", VERSION="store")
    fleet = app.lab.fleet / "lading.yaml"
    before = fleet.read_text()
    fleet.write_text(without_registries(before))
    yield app
    fleet.write_text(before)
    for host in HOSTS:
        app.lab.exec(host, f"docker images --format '{{{{.Repository}}}}:{{{{.Tag}}}}' | grep '^{app.name}/' | xargs -r docker rmi -f", check=False)


def without_registries(text: str) -> str:
    """A fleet file whose registries are none."""
    kept, inside = [], False
    for line in text.splitlines():
        inside = line.startswith("registries:") or (inside and line.startswith(" "))
        if not inside:
            kept.append(line)
    return "\n".join([*kept, "registries: none", ""])


def build(app: App, name: str, context: Path, **arguments: str) -> None:
    words = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    app.lab.run("docker", "build", "-q", "-t", f"{app.name}/{name}", *words, str(context), env=app.environment)


def image_id(app: App, name: str) -> str:
    done = app.lab.run("docker", "image", "inspect", "-f", "{{.Id}}", f"{app.name}/{name}", env=app.environment)
    return done.stdout.strip()


def names(app: App, host: str) -> dict[str, str]:
    """What of the app's images is on a host: name → id."""
    lines = app.lab.exec(host, "docker images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}'").stdout.splitlines()
    found = dict(line.split(" ") for line in lines)
    return {name: id for name, id in found.items() if name.startswith(f"{app.name}/")}


def content(app: App, *images: str) -> dict[str, str]:
    """How hosts call images, with their ids."""
    ids = {image: image_id(app, image) for image in images}
    return {f"{app.name}/{image}-{id.replace(':', '-')}": id for image, id in ids.items()}


def left(lab: Lab, host: str) -> set[str]:
    """What there should not be: images without a name, files of an archive, a client that loads one.

    A host is shared with the tests before, so what they left is taken off by whoever asks.
    """
    script = """
        docker images --quiet --filter dangling=true
        ls -A "$(docker info --format '{{.DockerRootDir}}')/tmp"
        pgrep -fa '[d]ocker load' || true
    """
    return set(lab.exec(host, script).stdout.splitlines())


def test_from_the_first_deployment_to_a_prune(sent: App, lab: Lab) -> None:
    first = content(sent, "hello:1.0.0", "store:1")
    left_before = {host: left(lab, host) for host in HOSTS}
    shown = sent.lading("plan", "--version", "1.0.0", "--to", "web1,web2", "--json")
    assert shown.returncode == 0, shown.stderr
    plan = json.loads(shown.stdout)
    assert {(one["image"].removeprefix(f"{sent.name}/"), *one["hosts"]) for one in plan["sent"]} == {
        ("hello:1.0.0", *HOSTS), ("store:1", *HOSTS)}

    done = sent.deploy("1.0.0")
    assert done.returncode == 0, done.stderr
    assert f"image {sent.name}/hello:1.0.0: sent from this machine (" in done.stderr
    assert sent.versions() == {(host, "1.0.0", "healthy") for host in HOSTS}
    rows = {(row["image"], row["digest"]) for row in sent.where() if row["service"] == "web"}
    assert rows == {(f"{sent.name}/hello:1.0.0", image_id(sent, "hello:1.0.0"))}
    for host in HOSTS:
        assert names(sent, host) == first
        assert left(lab, host) - left_before[host] == set()
    assert json.loads(sent.deploy("1.0.0", "--json").stdout)["result"] == "unchanged"

    upgraded = sent.deploy("1.1.0")
    assert upgraded.returncode == 0, upgraded.stderr
    assert f"image {sent.name}/store:1: sent" not in upgraded.stderr
    broken = sent.deploy("1.2.0", "--json")
    assert (broken.returncode, json.loads(broken.stdout)["result"]) == (5, "rolled_back"), broken.stderr
    assert sent.versions() == {(host, "1.1.0", "healthy") for host in HOSTS}
    back = sent.lading("rollback", sent.name, "--to", "web1,web2", "--yes")
    assert back.returncode == 0, back.stderr
    assert sent.versions() == {(host, "1.0.0", "healthy") for host in HOSTS}

    removed = sent.lading("remove", sent.name, "--to", "web1,web2", "--yes")
    assert removed.returncode == 0, removed.stderr
    for host in HOSTS:
        assert names(sent, host).keys() <= content(sent, "hello:1.2.0").keys(), removed.stderr


def test_what_is_cut_in_the_middle_leaves_nothing(sent: App, lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "Dockerfile").write_text(f"FROM {sent.name}/hello:1.0.0\nCOPY random /random\n")
    with (tmp_path / "large" / "random").open("wb") as file:
        for _ in range(48):
            file.write(random.randbytes(1 << 20))
    build(sent, "hello:2.0.0", tmp_path / "large")
    before = {host: names(sent, host) for host in HOSTS}
    left_before = {host: left(lab, host) for host in HOSTS}
    stuck = tmp_path / "bin" / "docker"
    stuck.parent.mkdir()
    stuck.write_text(STUCK.format(docker=shutil.which("docker"), size=30 << 20))
    stuck.chmod(0o755)
    running = sent.lab.popen(
        *LADING, "deploy", "--version", "2.0.0", "--to", "web1,web2", "--yes", cwd=sent.folder,
        env={**sent.environment, "PATH": f"{stuck.parent}:{os.environ['PATH']}"})
    try:
        wait_until(lambda: all(
            any("import" in line for line in left(lab, host) - left_before[host]) for host in HOSTS
        ), "half of the image is there", 60)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=20)
    finally:
        running.kill()
    assert running.returncode == 5, said
    wait_until(
        lambda: all(left(lab, host) <= left_before[host] for host in HOSTS), "the engines have cleared up")
    for host in HOSTS:
        assert names(sent, host) == before[host]
    assert sent.versions() == set()
    assert sent.deploy("2.0.0").returncode == 0
