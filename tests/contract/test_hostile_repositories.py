"""Hostile repositories under strace: no file of others is opened, no program but the known ones started, nobody else contacted.

A few of them here; all with `make corpus` (CORPUS=all), eight of them with the other verbs that read a repository too.
"""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_repositories import ALL_VERBS, COMPOSE, FLEET, SMALL
from registry_server import Serve, Server, manifest
from strace_watch import Seen, watch
from test_hostile_git import PLANTED, Trap

import lading

WHOLE = os.environ.get("CORPUS") == "all"
CANARY = "canary-3b1f8c"
# What the controller holds and no repository may have: in a file beside it, in the environment.
SECRETS = {"REG_PASSWORD": f"{CANARY}-password", "CI_JOB_TOKEN": f"{CANARY}-token", "AWS_SECRET_ACCESS_KEY": f"{CANARY}-cloud"}
PYTHON = {sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")} | {sys.base_prefix, sys.prefix}
# Folders and files that no repository can fill: libraries, programs and their data, what libc and OpenSSL read, the kernel's.
SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/libexec", "/usr/bin", "/bin", "/usr/share", "/etc/ld.so.cache",
    "/etc/ld.so.preload", "/etc/locale.alias", "/etc/localtime", "/etc/timezone", "/etc/ssl", "/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/hosts",
    "/etc/host.conf", "/etc/resolv.conf", "/etc/gai.conf", "/etc/services", "/etc/mime.types", "/etc/ssh/ssh_config", "/etc/ssh/ssh_config.d",
    "/dev/null", "/dev/urandom", "/dev/random", "/proc", "/sys/kernel/mm", "/sys/fs/cgroup", "/sys/devices/system/cpu",
)
NO_FILES = ("/memfd:", "pipe:", "socket:", "anon_inode:", "/dev/shm/")
PROGRAMS = ("git", "docker-compose", "docker", "python")
FINDERS = ("gcc", "ld", "collect2", "ldconfig", "objdump", "uname")  # ctypes.util.find_library, which asyncssh calls, asks these
ASKED = "ssh"  # how hosts are reached, by `ssh -G` (0095)


class Stage:
    """A repository, a checked registry, a folder with secrets beside them, a server that nobody configured."""

    def __init__(self, folder: Path, registry: Server, lure: int) -> None:
        self.folder, self.registry, self.lure = folder, registry, f"127.0.0.1:{lure}"
        self.top, self.out, self.home, self.temporary = (folder / name for name in ("shop", "outside", "home", "temporary"))
        for made in (self.top, self.out, self.home, self.temporary):
            made.mkdir()
        (self.out / "secret.env").write_text(f"STOLEN={CANARY}-file\n")
        (self.out / "compose.yaml").write_text(f"services: {{web: {{image: '{registry.name}/{CANARY}-file:1'}}}}\n")
        self.program = self.out / "program"
        self.program.write_text(f"#!/bin/sh\necho >{self.program}.ran\n")
        self.program.chmod(0o755)
        registry.images["leak:x"] = manifest("linux/amd64")
        self.config = folder / "lading.yaml"
        self.config.write_text(f"lading: 1\nhosts: {{web1: {{address: 127.0.0.1, port: 1}}}}\n"
                               f"registries: {{'{registry.name}': {{insecure: true}}}}\n")
        (folder / "bin").mkdir()
        (folder / "bin" / "docker").write_text(f"#!/bin/sh\n[ \"$1\" != image ] || echo sha256:{'a' * 64}\n")
        (folder / "bin" / "docker").chmod(0o755)

    def fill(self, entry: dict[str, str]) -> None:
        """Lay the repository out and commit it."""
        for path, text in entry.items():
            target = self.top / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("-> "):
                target.symlink_to(text.removeprefix("-> "))
                continue
            words = {"REG": self.registry.name, "OUT": str(self.out), "PROGRAM": str(self.program), "LURE": self.lure}
            for word, value in words.items():
                text = text.replace(f"{word}/", f"{value}/").replace(f"'{word}'", f"'{value}'") if word == "REG" else text.replace(word, value)
            target.write_text(text)
            target.chmod(0o755 if text.startswith("#!") else 0o644)
        git = ["git", "-C", str(self.top), "-c", "user.name=a", "-c", "user.email=a@b"]
        env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
        for words_ in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "a"]):
            subprocess.run([*git, *words_], check=True, env=env)

    def lading(self, verb: str, *, found: bool = False, folder: str = ".") -> Seen:
        """Run a verb in the repository, with *found* fleet file or with the team's own."""
        words = {"plan": ["plan", "--to=web1"], "build": ["build"], "bundle": ["bundle", "-o", str(self.home / "out")],
                 "deploy": ["deploy", "--to=web1", "--dry-run"]}[verb]
        config = [] if found else [f"--config={self.config}"]
        argv = [sys.executable, "-P", "-m", "lading", *config, *words, "--version=1.0"]
        env = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "HOME": str(self.home), "TMPDIR": str(self.temporary),
               "PYTHONDONTWRITEBYTECODE": "1", **SECRETS}
        if "PYTHONPATH" in os.environ:
            env["PYTHONPATH"] = os.environ["PYTHONPATH"]
        return watch(argv, self.top / folder, env, self.folder / "trace")

    def wrong(self, seen: Seen) -> list[str]:
        """What it did and should not have done."""
        own = [str(one) for one in (self.top, self.home, self.temporary, self.config, self.folder / "bin")]
        readable = [*own, *SYSTEM, *PYTHON, str(Path(lading.__file__).parents[2]), *(one for one in os.environ.get("PYTHONPATH", "").split(":") if one)]
        found = [f"read {path}" for path in sorted(seen.read) if not _below(path, readable)]
        writable = [str(self.home), str(self.temporary), "/dev/null", "/dev/shm", "/proc", "/dev/tty"]
        found += [f"wrote {path}" for path in sorted(seen.written) if not _below(path, writable)]
        found += [f"started {path}" for path in sorted(seen.started) if not self._known(path)]
        known = {self.registry.name.replace("localhost", "127.0.0.1"), "127.0.0.1:1"}
        found += [f"contacted {place}" for place in sorted(seen.called) if place not in known and "nscd" not in place]
        told = f"{seen.stdout}{seen.stderr}{self.registry.seen}"
        told += "".join(path.read_text(errors="replace") for path in (self.home / "out").rglob("*") if path.is_file())
        found += [f"told {CANARY}"] if CANARY in told else []
        found += ["a program of the repository's ran"] if Path(f"{self.program}.ran").exists() else []
        return found + (["a traceback"] if "Traceback" in seen.stderr or seen.status not in (0, 2, 4, 6) else [])

    def _known(self, path: str) -> bool:
        inside = _below(path, [str(self.top), str(self.out)])
        name = Path(path).name
        return not inside and (name in (*FINDERS, ASKED) or any(name.startswith(one) for one in PROGRAMS))


def _below(path: str, folders: list[str]) -> bool:
    return path.startswith(NO_FILES) or any(path == one or path.startswith(one.rstrip("/") + "/") for one in folders)


@pytest.fixture
def stage(tmp_path: Path, serve: Serve) -> Iterator[Stage]:
    with socket.create_server(("127.0.0.1", 0)) as lure:
        lure.settimeout(0.2)
        yield Stage(tmp_path, serve(), lure.getsockname()[1])


NAMES = [*COMPOSE, *FLEET] if WHOLE else list(SMALL)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_a_repository_reaches_nothing_of_the_controller(stage: Stage, name: str) -> None:
    stage.fill(dict(COMPOSE.get(name) or FLEET[name]))
    seen = stage.lading("plan", found=name in FLEET)
    assert "\n".join(stage.wrong(seen)) == "", seen.stderr


@pytest.mark.timeout(600)
@pytest.mark.parametrize("verb", ["build", "bundle", "deploy"])
@pytest.mark.parametrize("name", ALL_VERBS if WHOLE else ALL_VERBS[-1:])
def test_nor_with_the_other_verbs(stage: Stage, name: str, verb: str) -> None:
    stage.fill(dict(COMPOSE.get(name) or FLEET[name]))
    seen = stage.lading(verb, found=name in FLEET)
    assert "\n".join(stage.wrong(seen)) == "", seen.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", list(PLANTED) if WHOLE else [next(iter(PLANTED))])
def test_nor_what_is_planted_for_git(tmp_path: Path, serve: Serve, name: str) -> None:
    stage = Stage(tmp_path, serve(), 1)
    shutil.rmtree(stage.top)
    shutil.rmtree(stage.home)
    trap = Trap(tmp_path, stage.registry.name)
    stage.registry.images["team/shop:1.0"] = manifest("linux/amd64")
    seen = stage.lading("plan", folder=PLANTED[name](trap))
    assert "\n".join(stage.wrong(seen)) == "", seen.stderr
    assert trap.ran() == ""


def test_the_watcher_sees_what_it_watches_for(stage: Stage) -> None:
    """Else every test here would pass."""
    secret, port = stage.out / "secret.env", int(stage.lure.rpartition(":")[2])
    code = f"import socket, subprocess; open({str(secret)!r}).read(); open({str(stage.top / 'new')!r}, 'w'); " \
           f"socket.create_connection(('127.0.0.1', {port})); subprocess.run([{str(stage.program)!r}]); print({CANARY!r})"
    seen = watch([sys.executable, "-c", code], stage.top, {"PATH": "/usr/bin:/bin"}, stage.folder / "trace")
    wrong = stage.wrong(seen)
    for one in (f"read {secret}", f"wrote {stage.top / 'new'}", f"started {stage.program}", f"contacted {stage.lure}", f"told {CANARY}",
                "a program of the repository's ran"):
        assert one in wrong


def test_the_corpus_is_whole() -> None:
    assert len(COMPOSE) + len(FLEET) + len(PLANTED) >= 40
    assert {*SMALL, *ALL_VERBS} <= {*COMPOSE, *FLEET}
    assert len(ALL_VERBS) == 8
