"""Tab in the real shells: verbs, options, destinations, hosts, apps, deployments, releases, services, versions (issues 2 and 14)."""

import hashlib
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import registry_server

from lading import context as contexts
from lading import events
from lading.ledger import ledger

FLEET = """lading: 1
hosts: {web1: {address: 192.0.2.1}, web2: {address: 192.0.2.2}, stage1: {address: 192.0.2.3}}
destinations: {production: {hosts: [web1, web2]}, preview: {hosts: [stage1]}}
"""
SERVICES = b'{"services":{"db":{},"web":{},"worker":{}}}'
RELEASE = hashlib.sha256(SERVICES).hexdigest()
BASH = """set -e
eval "$(_LADING_COMPLETE=bash_source lading)"
COMP_WORDS=({words} "$LAST") COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
set -- $(complete -p lading | sed 's/.*-F \\([^ ]*\\).*/\\1/')
"$1" lading
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a fleet file and a ledger of one deployment."""
    import asyncio

    (tmp_path / "lading.yaml").write_text(FLEET)
    env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path), "TERM": "dumb",
           "LADING_CONFIG": str(tmp_path / "lading.yaml"), "XDG_STATE_HOME": str(tmp_path / "state"), "PS1": "ready> ",
           "PYTHONPATH": os.pathsep.join(sys.path)}

    async def fill() -> None:
        kept = await ledger.open_ledger(contexts.ledger_path(env))
        await kept.keep(SERVICES)
        await kept.append(events.DeploymentPlanned("20261122-141503-4f2a", app="shop", version="1.4.0", release=RELEASE, hosts=("web1",)))

    asyncio.run(fill())
    return env


CASES = {
    "verb": ("lading", "ro", ["rollback"]),
    "option": ("lading deploy", "--require-i", ["--require-immutable"]),
    "destination": ("lading deploy --to", "pr", ["production", "preview"]),
    "behind a comma": ("lading where --to", "web1,st", ["web1,stage1"]),
    "check": ("lading check", "st", ["stage1"]),
    "hosts exclude": ("lading hosts exclude", "we", ["web1", "web2"]),
    "hosts include": ("lading hosts include", "we", ["web1", "web2"]),
    "app": ("lading where", "sh", ["shop"]),
    "deployment": ("lading show", "2026", ["20261122-141503-4f2a"]),
    "release": ("lading rollback shop --release", "1", ["1.4.0"]),
    "release by its id": ("lading rollback shop --release", RELEASE[:3], [RELEASE[:12]]),
    "release of another app": ("lading rollback blog --release", "", []),
    "service": ("lading logs shop --service", "w", ["web", "worker"]),
    "service behind a slash": ("lading restart", "shop/w", ["shop/web", "shop/worker"]),
    "host": ("lading repair", "web", ["web1", "web2"]),
    "host that is lost": ("lading resume --lost", "p", []),
    "app of the files": ("lading deploy", "sh", ["shop"]),
    "version that was deployed, where no files are": ("lading deploy --version", "1.", ["1.4.0"]),
}


@pytest.mark.parametrize("case", CASES)
def test_bash(case: str, home: dict[str, str]) -> None:
    words, last, wanted = CASES[case]
    done = subprocess.run(["bash", "-c", BASH.format(words=words)], env={**home, "LAST": last}, text=True,
                          capture_output=True, timeout=60, check=True)
    assert done.stdout.split() == wanted, done.stderr


def test_groups_of_an_ansible_inventory(tmp_path: Path, home: dict[str, str]) -> None:
    (tmp_path / "lading.yaml").write_text("lading: 1\ninventory: hosts.ini\n")
    (tmp_path / "hosts.ini").write_text("alone\n[apps]\napp1\n[web]\n[apps:children]\nweb\n")
    done = subprocess.run(["bash", "-c", BASH.format(words="lading deploy --to")], env={**home, "LAST": "a"}, text=True,
                          capture_output=True, timeout=60, check=True)
    assert done.stdout.split() == ["apps", "alone", "app1"], done.stderr  # not `all`


def test_nothing_is_offered_where_nothing_is(tmp_path: Path, home: dict[str, str]) -> None:
    away = {**home, "LADING_CONFIG": str(tmp_path / "none.yaml"), "XDG_STATE_HOME": str(tmp_path / "nowhere")}
    for words in ("lading deploy --to", "lading where"):
        done = subprocess.run(["bash", "-c", BASH.format(words=words)], env={**away, "LAST": ""}, text=True,
                              capture_output=True, timeout=60, check=True)
        assert (done.stdout.strip(), done.stderr) == ("", "")
    assert not (tmp_path / "nowhere").exists()


def tab(words: str, last: str, home: dict[str, str], **more: str) -> list[str]:
    """What bash offers, and nothing is said beside it."""
    done = subprocess.run(["bash", "-c", BASH.format(words=words)], env={**home, "LAST": last, **more}, text=True,
                          capture_output=True, timeout=60, check=True)
    assert done.stderr == ""
    return sorted(done.stdout.split())


@pytest.fixture
def registry() -> Iterator[registry_server.Server]:
    """A registry with three versions of one image, and two of the other."""
    server = registry_server.Server()
    for name in ("shop:v1.5.0-slim", "shop:v1.6.0-slim", "shop:v2.0.0-slim", "shop:latest", "worker:1.5.0", "worker:1.6.0"):
        server.images[name] = registry_server.manifest()
    yield server
    server.close()


def project(folder: Path, registry: registry_server.Server) -> str:
    """An app of two images from *registry*; its folder."""
    folder.mkdir()
    (folder / "compose.yaml").write_text(
        f"name: shop\nservices:\n  web: {{image: '{registry.name}/shop:v${{VERSION}}-slim'}}\n"
        f"  worker: {{image: '{registry.name}/worker:${{VERSION:?which}}'}}\n  db: {{image: '{registry.name}/db:16'}}\n")
    return str(folder)


def test_versions_are_the_tags_that_all_images_have(
    tmp_path: Path, home: dict[str, str], registry: registry_server.Server
) -> None:
    words = f"lading deploy -C {project(tmp_path / 'shop', registry)} --version"
    assert tab(words, "1.", home) == ["1.5.0", "1.6.0"]
    asked = len(registry.seen)
    assert asked > 0 and tab(words, "1.6", home) == ["1.6.0"]
    assert len(registry.seen) == asked, "its answer is good for a minute"
    kept = tmp_path / ".cache/lading/tags.json"
    kept.write_text(kept.read_text().replace('"at": ', '"at": -'))
    assert tab(words, "1.6", home) == ["1.6.0"]
    assert len(registry.seen) == 2 * asked, "and no longer"


def test_a_registry_that_does_not_answer_is_waited_for_two_seconds_and_no_more(
    tmp_path: Path, home: dict[str, str], registry: registry_server.Server
) -> None:
    registry.special["/v2/shop/tags/list"] = lambda _: registry_server.Answer(200, b"{", drips=0.2)
    words, begun = f"lading deploy -C {project(tmp_path / 'shop', registry)} --version", time.monotonic()
    assert tab(words, "1.", home) == ["1.4.0"], "what was deployed"
    assert time.monotonic() - begun < 8


def test_at_tab_no_password_is_looked_up_by_a_program(
    tmp_path: Path, home: dict[str, str], registry: registry_server.Server
) -> None:
    ran = tmp_path / "ran"
    login = f"registries: {{'{registry.name}': {{username: ci, password: {{command: [touch, {ran}]}}}}}}\n"
    (tmp_path / "lading.yaml").write_text(FLEET + login)
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text('{"credsStore": "spy"}')
    (tmp_path / "docker-credential-spy").write_text(f"#!/bin/sh\ntouch {ran}\n")
    (tmp_path / "docker-credential-spy").chmod(0o755)
    words = f"lading deploy -C {project(tmp_path / 'shop', registry)} --version"
    path = f"{home['PATH']}:{tmp_path}"
    assert tab(words, "2", home, PATH=path) == []
    assert tab(words, "1.", home, PATH=path, LADING_CONFIG="") == ["1.5.0", "1.6.0"], "nor of a file that was found"
    assert not ran.exists()


def test_fish(home: dict[str, str]) -> None:
    script = "lading_complete_source | source; complete -C 'lading deploy --to prod'; complete -C 'lading logs shop --service wo'"
    script = script.replace("lading_complete_source", "_LADING_COMPLETE=fish_source lading")
    done = subprocess.run(["fish", "--no-config", "-c", script], env=home, text=True, capture_output=True, timeout=60, check=True)
    assert (done.stdout.split(), done.stderr) == (["production", "worker"], "")


def test_zsh(tmp_path: Path, home: dict[str, str]) -> None:
    (tmp_path / ".zshrc").write_text("autoload -Uz compinit; compinit -u -D; PS1='ready> '; unsetopt zle_bracketed_paste\n"
                                     'eval "$(_LADING_COMPLETE=zsh_source lading)"\nbindkey "^I" expand-or-complete\n')
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve("/usr/bin/zsh", ["zsh", "-i"], {**home, "ZDOTDIR": str(tmp_path)})
    try:
        read_until(terminal, "ready> ")
        os.write(terminal, b"lading deploy --to prod\t")
        read_until(terminal, "production")
        os.write(terminal, b"\x15lading where sh\t")
        read_until(terminal, "shop")
        os.write(terminal, b"\x15lading logs shop --service wo\t")
        read_until(terminal, "worker")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def read_until(terminal: int, wanted: str) -> str:
    """What the terminal shows until *wanted* is there."""
    said, limit = "", time.monotonic() + 60
    while wanted not in said:
        assert select.select([terminal], [], [], max(0.0, limit - time.monotonic()))[0], f"never {wanted!r} but {said!r}"
        said += os.read(terminal, 4096).decode("utf-8", "replace")
    return said
