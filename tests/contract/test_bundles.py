"""What ships is what was written: the real Compose reads a bundle as it reads the project; env files keep values."""

import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.compose import bundle, normal, parse, passing, plugin, read, release

PLUGIN = plugin.find({})
FILES = {
    "docker-compose.yml": """
name: shop
include: [sub/inc.yml]
x-base: &base {restart: always, logging: {driver: json-file}}
services:
  web:
    <<: *base
    image: r.example/web:${VERSION}
    build: .
    extends: {file: common.yml, service: base}
    env_file: [web.env]
    environment: {MODE: "${MODE:-fast}", PASSWORD: "${PASSWORD}"}
    ports: ["8080:80", {target: 81, published: "9000", protocol: udp}]
    volumes: ["./conf:/conf:ro", "./one.txt:/one.txt:ro", "./data:/data", "vol:/v", "/etc/hostname:/h:ro"]
    configs: [c1, {source: c2, target: /c2}]
    secrets: [s1]
    deploy: {update_config: {parallelism: 1}, placement: {constraints: [node.role==worker]}, resources: {limits: {memory: 64M}}}
    depends_on: {job: {condition: service_completed_successfully}}
  side: {image: "r.example/side:1", network_mode: "service:web", profiles: [debug]}
configs: {c1: {file: ./conf/a.conf}, c2: {content: "mode=${MODE:-fast}"}}
secrets: {s1: {file: ./secret.txt}}
volumes: {vol: {}}
""",
    "common.yml": "services:\n  base: {labels: {team: a}, env_file: [base.env]}\n",
    "sub/inc.yml": "services:\n  job: {image: 'r.example/job:1', restart: 'no', volumes: ['./jd:/jd']}\n",
    "web.env": "A=1\n", "base.env": "B=${VERSION}\n", "secret.txt": "canary-file\n", "conf/a.conf": "a\n", "one.txt": "1\n",
    ".gitignore": "data/\nsub/jd/\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q", "."], ["add", "-A"], ["commit", "-qm", "a"]):
        subprocess.run([*git, *words], cwd=tmp_path / "shop", check=True)
    return tmp_path / "shop"


def made(folder: Path, password: str = "canary-variable") -> release.Bundle:
    reading = read.read(read.Request(folder, version="1.0.0", environment={"PASSWORD": password, "PATH": "/usr/bin:/bin"},
                                     pass_env=passing.Passing(("PASSWORD",))))
    return release.build(reading, {})


def test_compose_reads_the_bundle_as_the_project(folder: Path) -> None:
    got = made(folder)
    numbers = dict.fromkeys(got.secrets, 1)
    ours = yaml.safe_load(normal.form(got, numbers, {"PATH": "/usr/bin:/bin"}).replace("@DIR@", "/DIR"))
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "VERSION": "1.0.0", "PASSWORD": "canary-variable"}
    argv = [PLUGIN, "-f", "docker-compose.yml", "config", "--no-path-resolution"]
    theirs = yaml.safe_load(subprocess.run(argv, cwd=folder, env=env, capture_output=True, check=True).stdout)
    web, plain = ours["services"]["web"], theirs["services"]["web"]
    assert web.pop("labels").keys() - plain.pop("labels").keys() == {"lading.app", "lading.content", "lading.secrets"}
    ids = {source: name for name, source in got.release.objects.items()}
    sources = {mount["target"]: mount["source"] for mount in web.pop("volumes")}
    assert sources == {
        "/conf": f"/DIR/objects/{ids['conf']}", "/one.txt": f"/DIR/objects/{ids['one.txt']}", "/data": "/DIR/project/data",
        "/v": "vol", "/h": "/etc/hostname",
    }
    for key in ("volumes", "build"):
        plain.pop(key)
    for key in ("update_config", "placement"):
        plain["deploy"].pop(key)
    assert web == plain
    assert ours["services"]["job"]["volumes"][0]["source"] == "/DIR/project/sub/jd"
    assert (ours["networks"], ours["volumes"], ours["name"]) == (theirs["networks"], theirs["volumes"], "shop")


def test_no_secret_in_the_release(folder: Path) -> None:
    got = made(folder)
    assert {"var.PASSWORD", "file.secret.txt", "env.web.env", "env.base.env"} <= set(got.secrets)
    assert b"canary" not in got.release.canonical()
    assert all(b"canary" not in file.content for file in bundle.release_files(got))
    assert made(folder, "another").release.id == got.release.id
    assert "docker-compose.yml" in got.release.files


def test_no_secret_lies_on_the_disk_while_compose_reads_the_bundle(folder: Path) -> None:
    got = made(folder)
    with normal.laid_out(got, dict.fromkeys(got.secrets, 1)) as (where, descriptors):
        on_disk = [path for path in where.rglob("*") if path.is_file() and not path.is_symlink()]
        assert on_disk and not [path for path in on_disk if b"canary" in path.read_bytes()]
        behind = subprocess.run(["grep", "-rlR", "canary", "."], cwd=where, pass_fds=descriptors, capture_output=True)
        assert len(behind.stdout.splitlines()) == 2  # whoever has the descriptors reads them: the variable, the file
    assert not where.exists()


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=40))
def test_env_files_keep_every_value(value: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "v.env").write_bytes(bundle.env_line("V", value).encode())
        (folder / "c.yml").write_text("name: x\nservices: {a: {image: b, environment: {V: '${V}'}}}\n")
        argv = [PLUGIN, "--env-file", "v.env", "-f", "c.yml", "config"]
        done = subprocess.run(argv, cwd=folder, env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    got = parse.load(done.stdout)["services"]["a"]["environment"]["V"]
    assert (got or "").replace("$$", "$") == value
