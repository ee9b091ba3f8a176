"""Hosts of an exported inventory, as Ansible and OpenSSH read it: by way of a jump host, with the keys that are pinned."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sshd_server

from lading.export import ansible

pytestmark = [pytest.mark.contract, pytest.mark.timeout(180)]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[sshd_server.Sshd, sshd_server.Sshd]]:
    """A server, and one before it."""
    servers = sshd_server.Sshd(tmp_path / "web1"), sshd_server.Sshd(tmp_path / "bastion")
    yield servers
    for one in servers:
        one.stop()


def asked(folder: Path, text: str, known: str) -> subprocess.CompletedProcess[str]:
    """What Ansible gets from web1 by this inventory."""
    folder = folder / "a folder"
    folder.mkdir(exist_ok=True)
    (folder / "inventory.yml").write_text(text)
    (folder / "known_hosts").write_text(known)
    argv = [str(Path(sys.executable).parent / "ansible"), "-i", str(folder / "inventory.yml"), "web1", "-m", "raw", "-a",
            "echo $SSH_CONNECTION"]
    environment = {**os.environ, "ANSIBLE_HOME": str(folder), "HOME": str(folder), "SSH_AUTH_SOCK": "", "ANSIBLE_SSH_ARGS": "-F none"}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_the_way_and_the_pinned_keys_are_those_of_lading(pair: tuple[sshd_server.Sshd, sshd_server.Sshd], tmp_path: Path) -> None:
    server, before = pair
    unkind = before.user_key.rename(tmp_path / "{{ none }} key's")
    keys = {"web1": str(server.user_key), "bastion": str(unkind)}
    way = [replace(one.host(name), key_file=keys[name]) for one, name in ((server, "web1"), (before, "bastion"))]
    text = ansible.inventory({"web1": ansible.connection(way, pinned=True)})
    by_name = server.known_line(name=f"[web1]:{server.port}")
    both = ansible.pins(by_name + before.known_line(), way)
    done = asked(tmp_path, text, both)
    assert (done.returncode, before.logins(), server.logins()) == (0, 1, 1), done.stdout + done.stderr
    for known in (server.known_line(), before.known_line()):
        refused = asked(tmp_path, text, known)
        assert (refused.returncode, "Host key verification failed" in refused.stdout + refused.stderr) == (4, True), refused.stdout
    assert server.logins() == 1
