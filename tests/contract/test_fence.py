"""What Compose can reach on this machine: the bytes that lading has read, and nothing else."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lading import fence
from lading.compose import plugin, snapshot

PLUGIN = plugin.find({})


@pytest.fixture(autouse=True)
def the_kernel_has_landlock() -> None:
    assert fence.version() > 0, "these tests need a kernel with Landlock"


def fenced(folder: Path, *program: str) -> subprocess.CompletedProcess[str]:
    argv = fence.around(program, [str(folder)])
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    (tmp_path / "outside").write_text("canary\n")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "file").write_text("mine\n")
    (tmp_path / "inside" / "way-out").symlink_to("../outside")
    return tmp_path / "inside"


def test_what_lies_inside_can_be_read(inside: Path) -> None:
    assert fenced(inside, "/bin/cat", "file").stdout == "mine\n"


@pytest.mark.parametrize("path", ["../outside", "way-out", "/etc/passwd", "/proc/self/environ", "/proc/1/cmdline"])
def test_what_lies_outside_cannot(path: str, inside: Path) -> None:
    done = fenced(inside, "/bin/cat", path)
    assert (done.stdout, done.returncode) == ("", 1), done
    assert "denied" in done.stderr


def test_nothing_can_be_written(inside: Path) -> None:
    done = fenced(inside, "/bin/sh", "-c", "echo more >>file; echo new >new; rm -f file; mkdir folder; echo lost >/dev/null && echo last")
    assert done.stdout == "last\n", done
    assert [path.name for path in sorted(inside.iterdir())] == ["file", "way-out"]
    assert (inside / "file").read_text() == "mine\n"


def test_no_connection_can_be_opened(inside: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = fenced(inside, "/bin/bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}")
    assert done.returncode != 0
    assert "denied" in done.stderr


def test_a_program_that_is_not_there_is_said(inside: Path) -> None:
    done = fenced(inside, "/no/such/program")
    assert (done.returncode, done.stdout) == (fence.NOT_FENCED, "")
    assert "/no/such/program cannot be run in a fence" in done.stderr


def test_a_kernel_without_landlock_is_said_and_gets_no_fence(inside: Path) -> None:
    absent = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=444:error=ENOSYS"]
    ask = "from lading import fence; print(fence.describe())"
    said = subprocess.run([*absent, sys.executable, "-c", ask], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout == "none (kernel without Landlock)\n"
    argv = [*absent, *fence.around(["/bin/cat", "../outside"], [str(inside)])]
    assert subprocess.run(argv, cwd=inside, capture_output=True, text=True, timeout=60, check=True).stdout == "canary\n"


def test_a_fence_that_cannot_be_put_up_is_an_error(inside: Path) -> None:
    failing = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=446:error=E2BIG"]
    argv = [*failing, *fence.around(["/bin/cat", "file"], [str(inside)])]
    done = subprocess.run(argv, cwd=inside, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (fence.NOT_FENCED, "")


@pytest.mark.parametrize("model", [
    "include: ['{0}/x.yml']", "services: {{a: {{extends: {{file: '{0}/x.yml', service: s}}}}}}",
    "services: {{a: {{image: x, env_file: ['{0}/x.env']}}}}", "services: {{a: {{image: x, label_file: '{0}/x.env'}}}}",
    "include: [{{path: [in.yml], env_file: '{0}/x.env'}}]\nservices: {{b: {{image: 'r/b:${{TOKEN}}'}}}}",
])
def test_compose_cannot_read_what_a_fooled_check_would_let_pass(model: str, tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text("services: {s: {image: canary}}\n")
    (tmp_path / "x.env").write_text("TOKEN=canary\n")
    with snapshot.opened() as laid:
        laid.add("compose.yaml", model.format(tmp_path).encode())
        laid.add("in.yml", b"services: {i: {image: 'r/i:${TOKEN}'}}\n")
        done = plugin.Compose(PLUGIN, ("compose.yaml",), laid).config("x", {})
    assert done.status != 0
    assert b"canary" not in done.stdout + done.stderr
    assert b"denied" in done.stderr


def test_secrets_in_memory_can_be_read(tmp_path: Path) -> None:
    with snapshot.opened("apps/shop") as laid:
        laid.add("compose.yaml", b"include: [../base.yaml]\nservices: {a: {image: 'r/a:${TAG}', env_file: [secret.env]}}\n")
        laid.add("../base.yaml", b"services: {b: {image: 'r/b:1'}}\n")
        laid.add_secret("secret.env", b"WORD=canary\n")
        done = plugin.Compose(PLUGIN, ("compose.yaml",), laid).config("x", {"TAG": "5"})
        on_disk = [path for path in laid.root.rglob("*") if path.is_file() and not path.is_symlink()]
        assert not [path for path in on_disk if b"canary" in path.read_bytes()]
    assert done.status == 0, done.stderr
    assert b"r/a:5" in done.stdout and b"r/b:1" in done.stdout and b"WORD: canary" in done.stdout
