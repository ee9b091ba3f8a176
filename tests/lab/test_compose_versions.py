"""Hosts and controllers with different versions of Compose deploy together, and nothing is restarted because of them.

With CORPUS=all, the hosts have different engines too: the machine's own, trixie's and sid's.
"""

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_client import ALL_CASES, App, build_images
from lab_client import PREFIX, Lab

from compose_versions import HERE, PLUGINS, docker_config

THERE = {"web1": "2.24.6", "web2": "2.30.3", "web3": "5.6.1"}
ENGINES = ("--engine", "web2=trixie", "--engine", "web3=sid") if ALL_CASES else ()
OPTIONS = ("--no-staging", *ENGINES)
ALL = ",".join(THERE)
MOUNTS = 'volumes: ["/etc/hostname:/host-name:ro"]'
MORE = """volumes:
      - /srv/shared:/shared:ro
      - {type: bind, source: /srv/quiet, target: /quiet, bind: {create_host_path: false}}
      - store:/store
    devices: ["/dev/null:/dev/xnull"]
    configs: [{source: words, target: /words, mode: 0440}]
    cpus: 0.5
    deploy: {resources: {limits: {cpus: "0.50"}}}
"""
BELOW = """  store: {}
configs: {words: {content: hello}}
networks: {back: {enable_ipv6: false}}
"""


@pytest.fixture(scope="module")
def running_lab() -> Iterator[Lab]:
    """Three hosts, each with a Compose of its own in the deploying user's home."""
    made = Lab(f"{PREFIX}{os.getpid()}-composes")
    try:
        made.up(3, *OPTIONS)
        for host, version in THERE.items():
            made.exec(host, f"mkdir -p /srv/shared /srv/quiet ~deploy/.docker/cli-plugins && cp {PLUGINS[version]} "
                            "~deploy/.docker/cli-plugins/ && chown -R deploy: ~deploy/.docker")
        yield made
    finally:
        made.down()


@pytest.fixture(scope="module")
def images(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The example's images are in this lab's registry."""
    build_images(running_lab, tmp_path_factory.mktemp("context"))
    return running_lab


@pytest.fixture
def lab(running_lab: Lab) -> Lab:
    """This module's lab, healed."""
    running_lab.up(3, *OPTIONS)
    return running_lab


def containers(lab: Lab, name: str) -> list[str]:
    listing = f"docker ps -aq --no-trunc --filter label=com.docker.compose.project={shlex.quote(name)} | sort"
    return [lab.exec(host, listing).stdout for host in THERE]


def test_any_compose_here_with_any_there(app: App, lab: Lab, tmp_path: Path) -> None:
    told = {host: lab.exec(host, "docker compose version --short", user="deploy").stdout.strip() for host in THERE}
    assert told == THERE
    app.edit(MOUNTS, MORE.rstrip())
    with (app.folder / "docker-compose.yml").open("a") as file:
        file.write(BELOW)
    here = {version: {"DOCKER_CONFIG": str(docker_config(tmp_path, version))} for version in ("2.24.6", *HERE, "as 5")}

    checked = app.lading("check", "--json", env=here["2.40.3"])
    rows = {row["host"]: row for row in json.loads(checked.stdout)}
    assert {host: rows[host]["compose"] for host in THERE} == {host: {"ok": True, "text": version} for host, version in THERE.items()}

    done = app.deploy("1.0.0", to=ALL, env=here["2.40.3"])
    assert done.returncode == 0, done.stdout + done.stderr
    first = containers(lab, app.name)
    for version in (*HERE, "as 5"):
        again = app.deploy("1.0.0", "--json", to=ALL, env=here[version])
        assert (again.returncode, json.loads(again.stdout)["result"]) == (0, "unchanged"), version + again.stdout + again.stderr
    assert containers(lab, app.name) == first

    for number, version in enumerate((*HERE, "as 5")):
        done = app.deploy(("1.1.0", "1.0.0")[number % 2], "-v", to=ALL, env=here[version])
        assert done.returncode == 0, version + done.stdout + done.stderr
        spared = set(re.findall(r"(web\d) +stage compose: not asked what it makes of the release", done.stdout + done.stderr))
        assert spared == {host for host, there in THERE.items() if there == version}

    refused = app.deploy("1.0.0", to=ALL, env=here["2.24.6"])
    assert refused.returncode == 2 and "Docker Compose 2.24.6 here is too old to read projects with, 2.25 is needed" in refused.stderr


def test_what_versions_read_otherwise_is_refused_with_both(app: App, tmp_path: Path) -> None:
    app.edit(MOUNTS, 'configs: [{source: words, mode: "0440"}]')
    with (app.folder / "docker-compose.yml").open("a") as file:
        file.write("configs: {words: {content: hello}}\n")
    done = app.deploy("1.0.0", to="web2", env={"DOCKER_CONFIG": str(docker_config(tmp_path, "2.40.3"))})
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())
    assert "Compose 2.30.3 on the host reads services.web.configs.0.mode otherwise than 2.40.3 here" in said
    assert not app.where()
