"""Tab in the real shells: verbs, options, destinations, apps, deployments (issue 2, item 11)."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lading import context as contexts
from lading import events
from lading.ledger import ledger

FLEET = """lading: 1
hosts: {web1: {address: 192.0.2.1}, web2: {address: 192.0.2.2}, stage1: {address: 192.0.2.3}}
destinations: {production: {hosts: [web1, web2]}, preview: {hosts: [stage1]}}
"""
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
        await kept.append(events.DeploymentPlanned("20261122-141503-4f2a", app="shop", version="1", hosts=("web1",)))

    asyncio.run(fill())
    return env


CASES = {
    "verb": ("lading", "ro", ["rollback"]),
    "option": ("lading deploy", "--require-i", ["--require-immutable"]),
    "destination": ("lading deploy --to", "pr", ["production", "preview"]),
    "behind a comma": ("lading where --to", "web1,st", ["web1,stage1"]),
    "check": ("lading check", "st", ["stage1"]),
    "app": ("lading where", "sh", ["shop"]),
    "deployment": ("lading show", "2026", ["20261122-141503-4f2a"]),
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
