"""Several versions of the real Compose: they write one file's normal form in their own ways, and lading takes each for the same."""

import subprocess
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from compose_versions import HERE, PLUGINS, docker_config
from lading import errors
from lading.compose import complaints, dialects, parse, plugin, probe, read, release
from lading.queries import check

PROJECT = """name: shop
services:
  web:
    image: registry.example/web:1
    build: .
    cpus: 0.5
    command: [serve, "--price=1$$"]
    mem_limit: 512m
    memswap_limit: 1g
    pids_limit: 100
    init: true
    tty: false
    ports: ["8080:80", 443, "127.0.0.1:9000-9001:9000-9001/udp", {target: 81, published: "8081", mode: host}, {target: 82, published: 8082}]
    expose: [1234, "80"]
    volumes:
      - ./a:/a
      - ./b:/b:ro
      - /srv/c:/c:rslave
      - data:/data
      - data:/data2:nocopy
      - /anonymous
      - {type: bind, source: /d, target: /d}
      - {type: bind, source: /d, target: /d2, bind: {create_host_path: false}}
      - {type: bind, source: /d, target: /d3, bind: {create_host_path: true}}
      - /z:/z:z
      - {type: tmpfs, target: /t, tmpfs: {size: 10m, mode: 0o755}}
    tmpfs: [/run, "/tmp:size=64m"]
    configs: [c1, {source: c2, target: /etc/c2, mode: 0440, uid: "0"}]
    secrets: [s1, {source: s1, target: s2, mode: 0400}]
    devices: ["/dev/null:/dev/xnull", /dev/zero, "/dev/full:/dev/full:rw", "vendor.com/gpu=0"]
    dns_search: [example.com]
    extra_hosts: ["a:1.2.3.4", "b=host-gateway"]
    environment: {A: 1, B: x, C: 1.5, D: true, F: ""}
    labels: {a: 1, b: true, c: ""}
    annotations: {q: z}
    ulimits: {nproc: 100, nofile: {soft: 10, hard: 20}}
    sysctls: {net.core.somaxconn: 1024}
    logging: {driver: json-file, options: {max-size: 10m, max-file: 3}}
    healthcheck: {test: "true", interval: 90s, timeout: 5s, retries: 3, start_period: 1s}
    networks: {default: , back: {aliases: [x], ipv4_address: 10.1.2.3, priority: 5}}
    depends_on: {db: {condition: service_healthy, restart: true}, job: {condition: service_completed_successfully, required: false}}
    stop_grace_period: 90s
    restart: on-failure:3
    group_add: [mail, 5]
    blkio_config: {weight: 300, device_read_bps: [{path: /dev/sda, rate: 10mb}]}
    deploy:
      replicas: 1
      resources: {limits: {cpus: "0.50", memory: 512M, pids: 100}, reservations: {cpus: "0.25", devices: [{capabilities: [gpu], count: 1}]}}
      restart_policy: {condition: on-failure, delay: 5s, window: 120s}
  db:
    image: registry.example/db:1
    deploy: {resources: {limits: {cpus: "2"}}}
    environment: [A=1]
    healthcheck: {disable: true}
    network_mode: bridge
  job: {image: registry.example/job:1, command: echo hi, healthcheck: {test: [NONE]}, pid: host, profiles: [b, a]}
networks:
  default:
  back: {driver: bridge, internal: true, attachable: false, enable_ipv6: false, ipam: {config: [{subnet: 10.1.0.0/16}]}, labels: {x: 1}}
volumes: {data: {labels: [a=b]}, e: {external: true}}
configs: {c1: {file: ./c1}, c2: {content: "hello $${x}"}}
secrets: {s1: {file: ./s1}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The project in a Git work tree."""
    made = tmp_path / "shop"
    for name in ("a", "b"):
        (made / name).mkdir(parents=True)
        (made / name / "file").write_text("x")
    for name in ("c1", "s1"):
        (made / name).write_text("x")
    (made / "compose.yaml").write_text(PROJECT)
    for words in (["init", "-q", "."], ["add", "-A"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"]):
        subprocess.run(["git", *words], cwd=made, check=True)
    return made


def form(version: str, folder: Path, file: str = PROJECT) -> Any:
    (folder / "compose.yaml").write_text(file)
    argv = [str(PLUGINS[version]), "-p", "shop", "config", "--no-path-resolution"]
    done = subprocess.run(argv, cwd=folder, env={"HOME": "/nowhere"}, capture_output=True, check=True)
    return parse.foreign(done.stdout, done.stdout)


def made(folder: Path, config: Path) -> release.Bundle:
    environment = {"PATH": "/usr/bin:/bin", "DOCKER_CONFIG": str(config)}
    return release.build(read.read(read.Request(folder, version="1", environment=environment)), {})


def test_no_two_versions_differ_in_what_they_mean(folder: Path) -> None:
    forms = {version: form(version, folder) for version in PLUGINS}
    for ours, theirs in permutations(PLUGINS, 2):
        assert dialects.difference(forms[ours], forms[theirs]) == "", f"{ours} here, {theirs} there"


def test_what_they_read_otherwise_is_found(folder: Path) -> None:
    forms = {version: form(version, folder, PROJECT.replace("mode: 0440", 'mode: "0440"')) for version in ("2.30.3", "2.40.3")}
    assert dialects.difference(forms["2.40.3"], forms["2.30.3"]) == "services.web.configs.1.mode"  # 2.30 takes the text for decimal


def test_a_release_is_the_same_whatever_compose_read_it(folder: Path, tmp_path: Path) -> None:
    releases = {version: made(folder, docker_config(tmp_path, version)).release for version in (*HERE, "as 5")}
    assert {one.id for one in releases.values()} == {releases["2.40.3"].id}


def test_a_compose_that_cannot_keep_secrets_apart_is_refused_here(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.InputError, match=r"Docker Compose 2\.24\.6 here is too old to read projects with"):
        made(folder, docker_config(tmp_path, "2.24.6"))


@pytest.mark.parametrize("here", [*HERE, "as 5"])
def test_check_compares_what_is_read_of_a_fixed_file(here: str, tmp_path: Path) -> None:
    ours = plugin.probe({"DOCKER_CONFIG": str(docker_config(tmp_path, here))})
    assert len(probe.FILE.splitlines()) == 20
    for version in PLUGINS:
        argv = [str(PLUGINS[version]), *probe.OPTIONS.split(), "config", "--no-path-resolution"]
        done = subprocess.run(argv, input=probe.FILE, env={"HOME": "/nowhere"}, capture_output=True, check=True, text=True)
        assert check.reads_otherwise(ours, done.stdout) == ""
        assert check.reads_otherwise(ours, done.stdout.replace("restart: true", "restart: false")) == "services.web.depends_on.db.restart"
    flood = "services:\n" + "  - [[[[[[]]]]]]\n" * 100_000
    for text in ("refused\n", "a: *b\n", "a: &a [*a]\n", "[" * 10_000, flood, "a: 1\n---\nb: 1\n", "\0", ours + "\n---\n" + ours):
        assert check.reads_otherwise(ours, text) == dialects.WHOLE


WRONG = [
    ("    image: a\n    imge: b\n", 4, "did you mean `image`?"), ("    image: a\n    ports:\n      - target: 80\n        publishd: 81\n", 6, "did you mean `published`?"),
    ("    image: a\n    healthcheck:\n      intervall: 5s\n", 5, "did you mean `interval`?"), ("    image: a\nnetwork: {a: {}}\n", 4, "did you mean `networks`?"),
    ("    image: a\n    ports: 80\n", 4, "correct the line"), ("    image: a\n    stop_grace_period: soon\n", 4, "correct the line"),
    ("    image: a\n    networks: [nope]\n", 4, "correct the line"),
]


@pytest.mark.parametrize("version", PLUGINS)
def test_what_they_complain_of_has_its_line_and_hint(version: str, tmp_path: Path) -> None:
    for text, line, hint in WRONG:
        file = tmp_path / "compose.yaml"
        file.write_text("services:\n  web:\n" + text)
        done = subprocess.run([str(PLUGINS[version]), "-p", "a", "config", "-q"], cwd=tmp_path, env={"HOME": "/nowhere"}, capture_output=True, text=True,
                              check=False)
        found = complaints.complaint(done.stderr, [parse.document("compose.yaml", file.read_bytes())])
        assert (found.file, found.line, found.hint) == ("compose.yaml", line, hint), done.stderr
