"""Compose files of any content, and what they refer to of any kind: read, or refused with a hint; in bounded time and memory."""

import os
import resource
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lading import errors
from lading.compose import passing, project, read, release
from trees import changed, spots

pytestmark = pytest.mark.timeout(280)
ENV = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "A": "value of A"}
GIB = 1 << 30


def outcome(folder: Path, **more: Any) -> project.Reading | errors.InputError:
    """What reading a project comes to; anything but a reading or a refusal with a hint is a failure."""
    found: project.Reading | errors.InputError
    try:
        found = read.read(read.Request(folder, version="1", environment=ENV, pass_env=passing.Passing(("A",)), **{"app": "app", **more}))
        release.build(found, {}).release.canonical()
    except errors.InputError as refused:
        found = refused
    assert isinstance(found, project.Reading) or (found.message and found.hint), found
    assert isinstance(found, project.Reading) or len(found.message) <= errors.LIMIT + 1
    return found


def attempt(content: bytes, **files: bytes) -> project.Reading | errors.InputError:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "app"
        folder.mkdir()
        (folder / "compose.yaml").write_bytes(content)
        for file, text in files.items():
            (folder / file.replace("_", ".")).write_bytes(text)
        return outcome(folder)


# any bytes, any tree

@settings(max_examples=12, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(noise: bytes) -> None:
    assert isinstance(attempt(noise), errors.InputError)
    attempt(b"services: {web: {image: 'r/a:1'}}\n" + noise)
    attempt(b"services: {web: {image: '" + noise + b"'}}\n")


WHOLE: dict[str, Any] = {
    "name": "shop", "include": [{"path": "other.yaml", "env_file": "x.env", "project_directory": "."}],
    "x-lading": {"data": ["./data"], "plain": ["A"], "on_undo": "run",
                 "hooks": {"before": {"service": "job", "command": ["migrate"], "timeout": "5m"}}},
    "services": {
        "web": {
            "image": "r.example/web:${VERSION}", "build": {"context": "."}, "env_file": [{"path": "x.env", "required": False}],
            "label_file": ["x.env"], "environment": {"A": "${A}", "B": None}, "labels": {"k": "v"}, "ports": ["8080:80", {"target": 81, "published": "9"}],
            "volumes": ["./conf:/conf:ro", {"type": "bind", "source": "./data", "target": "/d"}, "vol:/v"], "tmpfs": ["/t"],
            "configs": ["c", {"source": "d", "target": "/d2"}], "secrets": ["s"], "networks": {"default": {"aliases": ["a"]}},
            "depends_on": {"job": {"condition": "service_completed_successfully"}}, "restart": "always", "stop_grace_period": "10s",
            "healthcheck": {"test": ["CMD", "x"], "interval": "5s", "retries": 3, "start_period": "1s"}, "profiles": ["p"], "scale": 1,
            "deploy": {"replicas": 1, "update_config": {"parallelism": 1, "monitor": "5s", "delay": "1s"}, "rollback_config": {"parallelism": 1},
                       "restart_policy": {"condition": "on-failure"}, "resources": {"limits": {"memory": "64M"}}},
            "extends": {"service": "base", "file": "other.yaml"}, "network_mode": None, "volumes_from": [], "x-own": 1,
        },
        "job": {"image": "r.example/job:1"},
    },
    "configs": {"c": {"file": "./conf/a"}, "d": {"content": "${A}"}}, "secrets": {"s": {"file": "./secret"}, "t": {"environment": "A"}},
    "volumes": {"vol": {"driver_opts": {"o": "bind", "device": "/srv"}}}, "networks": {"default": {"ipam": {"config": []}}},
}
OTHER = b"services: {base: {labels: {x: y}}}\n"
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(
    ["", "a\0b", "\x1b[2J", "${", "${A", "${A:?say}", "$$", "${A:-${A:-x}}", "../x", "/dev/zero", "~/x", "a" * 5000, "x y", "²", "-1", "1e9", ":", "..", ".",
     "http://h/x", "\u202e", "é", 10**400])
junk = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(["a", "image", "path", "file", "source", "target", "<<", ""]) | st.integers(), inner, max_size=3), max_leaves=6)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(spots(WHOLE)), junk, st.booleans())
@example(("services", "web", "deploy"), {"": None}, False)  # a key whose name is nothing
def test_a_value_of_any_type_under_every_key(path: tuple[Any, ...], new: Any, plain: bool) -> None:
    whole = changed(WHOLE, path, new)
    if plain and isinstance(whole, dict):  # without what else would be refused first
        whole = {key: value for key, value in whole.items() if key != "include" or path[:1] == ("include",)}
    attempt(yaml.safe_dump(whole, allow_unicode=True).encode("utf-8", "surrogatepass"), other_yaml=OTHER, x_env=b"Z=1\n", secret=b"s")


@settings(max_examples=12, deadline=None)
@given(st.text(st.sampled_from("A=:'\"#\\\n ${}-\0é\r\texport"), max_size=60))
def test_env_files_of_any_content(text: str) -> None:
    attempt(b"services: {web: {image: 'r/a:1', env_file: x.env}}\n", x_env=text.encode())


@pytest.mark.parametrize("extension", ["[]", "5", "text", "{data: 5}", "{data: [5]}", "{data: {a: b}}", "{plain: A}", "{plain: [[A]]}", "{on_undo: [run]}",
                                       "{hooks: 5}", "{hooks: {before: 5}}", "{hooks: {before: {service: [a]}}}", "{hooks: {before: {service: web, timeout: x}}}",
                                       "{hooks: {before: {service: web, command: 5}}}", "{? [a] : b}", "{5: 6}", "{dataa: []}", "!!set {a}"])
def test_x_lading_of_wrong_types(extension: str) -> None:
    refused = attempt(f"services: {{web: {{image: 'r/a:1'}}}}\nx-lading: {extension}\n".encode())
    assert isinstance(refused, errors.InputError) and refused.exit_code == 2


# large and deep: each within 2 GiB, in a process of its own that is ended beyond

def bombs() -> dict[str, bytes]:
    merges = "x-a: &a {k: 1}\n" + "".join(f"x-{b}: &{b} {{<<: [{', '.join(f'*{a}' for _ in range(9))}], {b}: 1}}\n"
                                            for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    web = "services: {web: {image: 'r/a:1', command: '%s'}}\n"
    return {
        "a hundred thousand lists in each other": b"services: {}\na: " + b"[" * 100_000 + b"]" * 100_000,
        "maps in each other": b"services: {}\na:\n" + b"".join(b" " * n + b" a:\n" for n in range(3000)),
        "dashes": b"- " * 100_000, "questions": b"? " * 100_000, "an anchor in itself": b"services: &a {b: *a}\n",
        "a million values": b"services: {}\nx:\n" + b"-\n" * 1_000_000, "merges of merges": merges.encode() + (web % "x").encode(),
        "a number without end": b"services: {web: {image: 'r/a:1', x-n: " + b"9" * 100_000 + b"}}",
        "braces that stay open": (web % ("${A" * 200_000)).encode(), "variables in each other": (web % ("${A:-" * 3000 + "}" * 3000)).encode(),
        "70 MB": b"#" * 70_000_000, "tags": b"services: !!python/object/apply:os.system ['touch /tmp/x']\n",
        "a tag that lies": b"services: {web: {image: !!bool maybe}}\n", "twenty thousand documents": b"---\nservices: {}\n" * 20_000,
    }


LIMITED = """
import sys, resource
resource.setrlimit(resource.RLIMIT_DATA, ({limit}, {limit}))
from pathlib import Path
from lading import errors
from lading.compose import read
{before}
try:
    read.read(read.Request(Path(sys.argv[1]), app="app", version="1", environment={{"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "A": "a"}}))
except errors.InputError as refused:
    sys.exit(2 if refused.message and refused.hint else 9)
"""


def limited(folder: Path, limit: int = 2 * GIB) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", LIMITED.format(limit=limit, before=""), str(folder)], capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("case", sorted(bombs()))
def test_bombs_are_refused(case: str, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_bytes(bombs()[case])
    done = limited(tmp_path)
    assert done.returncode == 2, done.stderr[-2000:]


def test_ten_thousand_services(tmp_path: Path) -> None:
    one = "  s{n}: {{image: 'r.example/s{n}:1', volumes: ['./d{n}:/d'], environment: {{A: '${{A{n}:-1}}'}}}}\n"
    (tmp_path / "compose.yaml").write_text("name: app\nservices:\n" + "".join(one.format(n=n) for n in range(10_000)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    reading = outcome(tmp_path)
    if isinstance(reading, project.Reading):
        assert len(reading.project.services) == 10_000
    else:  # Compose itself is what may take too long on a slow machine
        assert "docker compose config does not end" in reading.message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 100  # seconds of this processor, not of the clock


def test_an_env_file_of_a_million_lines(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {web: {image: 'r/a:1', env_file: x.env}}\n")
    (tmp_path / "x.env").write_text("A=1\n" * 1_000_000)
    assert limited(tmp_path).returncode in (0, 2)


# what files refer to

def fifo(path: Path) -> None:
    os.mkfifo(path)


def zero(path: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))


def folder(path: Path) -> None:
    path.mkdir()


def circle(path: Path) -> None:
    path.symlink_to(path.name + "-again")
    path.with_name(path.name + "-again").symlink_to(path.name)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(GIB)


def device_by_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


def below_a_file(path: Path) -> None:
    path.write_text("x")  # and `thing/more` is asked for


KINDS: dict[str, Callable[[Path], None]] = {
    "a pipe": fifo, "a device": zero, "a circle of links": circle, "a gibibyte": sparse, "a link to a device": device_by_link, "a folder": folder,
}
DOORS = {
    "env_file": "services: {web: {image: 'r/a:1', env_file: [thing]}}",
    "label_file": "services: {web: {image: 'r/a:1', label_file: [thing]}}",
    "config": "services: {web: {image: 'r/a:1', configs: [c]}}\nconfigs: {c: {file: ./thing}}",
    "secret": "services: {web: {image: 'r/a:1', secrets: [c]}}\nsecrets: {c: {file: ./thing}}",
    "bind": "services: {web: {image: 'r/a:1', volumes: ['./thing:/x:ro']}}",
    "include": "include: [thing]\nservices: {web: {image: 'r/a:1'}}",
    "extends": "services: {web: {image: 'r/a:1', extends: {file: thing, service: b}}}",
    "include with an env_file": "include: [{path: other.yaml, env_file: thing}]\nservices: {web: {image: 'r/a:1'}}",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("door", "git"), [*((door, False) for door in DOORS), ("bind", True), ("config", True)])
def test_what_is_no_file(door: str, kind: str, git: bool, tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "compose.yaml").write_text(DOORS[door] + "\n")
    (app / "other.yaml").write_bytes(OTHER.replace(b"labels", b"image: 'r/b:1', labels"))
    if git:
        subprocess.run(["git", "init", "-q", "."], cwd=app, check=True)
        subprocess.run(["git", "add", "-A"], cwd=app, check=True)
    KINDS[kind](app / "thing")
    found = outcome(app)
    mild = (door, kind) in {("bind", "a folder"), ("include with an env_file", "a folder")} or (door == "bind" and git)  # the host's own
    assert isinstance(found, errors.InputError) or mild
    assert isinstance(found, project.Reading) or "thing" in found.message + found.hint + found.file


@pytest.mark.parametrize("path", ["x" * 5000, "thing/more", "a\0b"])
@pytest.mark.parametrize("door", DOORS)
def test_paths_that_are_none(door: str, path: str, tmp_path: Path) -> None:
    below_a_file(tmp_path / "thing")
    whole = yaml.safe_dump(yaml.safe_load(DOORS[door].replace("thing", "THING")))
    (tmp_path / "compose.yaml").write_text(whole.replace("THING", yaml.safe_dump(path).strip().removesuffix("...").strip().strip('"').strip("'")))
    (tmp_path / "other.yaml").write_bytes(OTHER)
    outcome(tmp_path)


@pytest.mark.parametrize("name", ["x" * 5000, "\x1b[2J", "no/such", "thing/more", "/dev/zero", "/dev/stdin", ".."])
def test_files_and_folders_that_are_named(name: str, tmp_path: Path) -> None:
    below_a_file(tmp_path / "thing")
    assert isinstance(outcome(tmp_path, files=(name,)), errors.InputError)
    assert isinstance(outcome(tmp_path / name), errors.InputError)


@pytest.mark.parametrize("name", ["compose.yaml", "x.env", ".env", "secret", "sub"])
def test_what_may_not_be_read(name: str, tmp_path: Path) -> None:
    app = tmp_path / "app"
    (app / "sub").mkdir(parents=True)
    (app / "compose.yaml").write_text("services: {web: {image: 'r/a:${TAG}', env_file: [x.env, sub/y.env], secrets: [s]}}\nsecrets: {s: {file: secret}}\n")
    for file in ("x.env", ".env", "secret", "sub/y.env"):
        (app / file).write_text("TAG=1\n")
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == os.getuid() and path != Path("/") and path != Path("/tmp"):
            path.chmod(path.stat().st_mode | 0o055)
    (app / name).chmod(0)
    as_nobody = LIMITED.format(limit=2 * GIB, before="import os; os.setgid(65534); os.setuid(65534)")
    done = subprocess.run([sys.executable, "-c", as_nobody, str(app)], capture_output=True, text=True, timeout=100, check=False, cwd="/")
    assert done.returncode == 2, done.stderr[-2000:]
