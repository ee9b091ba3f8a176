"""Another user of a host, who reads the arguments of programs and writes to /dev/shm, has nothing of lading's run or read."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import sshd_server

from lading.inventory import hosts
from lading.transport import ansible, ansible_session, command

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]
M = "MARK-77aa"
# As fast as it can: whatever name of lading's is seen in arguments or in /dev/shm, it puts a program of its own at all names
# near to it, opens a folder for all at the name itself, and moves away what others make in that.
NEIGHBOUR = r"""
import contextlib, os, re, sys
proof, seen = sys.argv[1], set()
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
def plant(path):
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o755))
        with open(path, "w") as file:
            file.write(f"#!/bin/sh\necho $(id -un) ran it >>{proof}/proof; chmod 666 {proof}/proof\n")
def names():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            yield from re.findall(r"/dev/shm/lading-[A-Za-z0-9]+(?:-[0-9]+)?", open(f"/proc/{pid}/cmdline").read())
    yield from (f"/dev/shm/{name}" for name in os.listdir("/dev/shm") if re.fullmatch(r"lading-[A-Za-z0-9]+(-[0-9]+)?", name))
open(f"{proof}/ready", "w").close()
while True:
    for name in set(names()) - seen:
        seen.add(name)
        base = re.sub(r"-[0-9]+$", "", name)
        for number in range(1, 40):
            plant(f"{base}-{number}.sh")
        for path in (f"{name}.sh", f"{name}/1.sh", f"{name}/poll", f"{name}/1/poll"):
            plant(path)
        with contextlib.suppress(OSError):
            os.mkdir(base)
            os.chmod(base, 0o777)
    for name in seen:
        with contextlib.suppress(OSError):
            for inner in os.listdir(name):
                if inner.startswith("ansible-tmp"):
                    os.rename(f"{name}/{inner}", f"{name}/moved")
                    with open(f"{proof}/proof", "a") as file:
                        file.write("moved what was brought\n")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd_server.Sshd]:
    one = sshd_server.Sshd(tmp_path_factory.mktemp("sshd"))
    yield one
    one.stop()


@pytest.fixture
def proof() -> Iterator[Path]:
    """What the neighbour achieved, while it works: nothing, if the file is not there."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        neighbour = subprocess.Popen([sys.executable, "-IS", "-c", NEIGHBOUR, name])
        until = time.monotonic() + sshd_server.LIMIT
        while not (folder / "ready").exists():
            assert neighbour.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        yield folder / "proof"
        neighbour.kill()
        neighbour.wait()
        subprocess.run("find /dev/shm -maxdepth 1 -name 'lading-*' -user nobody -exec rm -rf {} +", shell=True, check=True)


@pytest.fixture(params=["", "daemon"])
async def transport(request: pytest.FixtureRequest, server: sshd_server.Sshd) -> AsyncIterator[ansible.AnsibleTransport]:
    """By Ansible to a real sshd, as the user that logs in and as one that it becomes."""
    path = server.folder / f"inventory{request.param}.yml"
    become = f", ansible_become: true, ansible_become_user: {request.param}" if request.param else ""
    path.write_text(f"""all: {{hosts: {{web1: {{ansible_host: 127.0.0.1, ansible_port: {server.port}, ansible_user: {server.user}{become},
      ansible_ssh_common_args: -F {server.config} -o UserKnownHostsFile={server.known_hosts}}}}}}}\n""")
    one = ansible.AnsibleTransport(ansible_session.Reach((str(path),)))
    yield one
    await one.close()


async def test_a_neighbour_who_plants_programs_and_folders(
    transport: ansible.AnsibleTransport, proof: Path, request: pytest.FixtureRequest
) -> None:
    who = request.node.callspec.params["transport"] or "root"
    for number in range(6):
        plain = who == "daemon" or number % 2  # Ansible brings no files to a user who is neither root nor the one that logs in
        what = command.Command("try", f"printf '\\n{M} a\\n'; id -un; pwd; umask", M, (b"plain" if plain else command.Secret(b"hidden"),))
        try:
            done = await transport.run(hosts.Host("web1"), what)
        finally:
            assert not proof.exists(), proof.read_text()
        user, folder, umask = done.text("a").split("\n")
        assert (done.status, user, umask) == (0, who, "0022"), done
        assert not folder.startswith("/dev/shm")
    assert not proof.exists(), proof.read_text()


async def test_a_home_that_somebody_else_took_is_left(transport: ansible.AnsibleTransport) -> None:
    """Where a host clears up /dev/shm after logins, the name is free again: another's folder of that name is not entered."""
    where = "read -r _ _ _ above _ </proc/$PPID/stat; readlink /proc/$above/cwd"  # what started `timeout` works in the home
    what = command.Command("try", f"printf '\\n{M} a\\n'; {where}", M)
    home = Path((await transport.run(hosts.Host("web1"), what)).text("a"))
    assert re.fullmatch(r"/dev/shm/lading-[A-Za-z0-9]{10}", str(home))
    subprocess.run(["rm", "-rf", str(home)], check=True)
    home.mkdir()
    os.chown(home, 65534, 65534)
    home.chmod(0o777)
    done = await transport.run(hosts.Host("web1"), what)
    assert (done.status, list(home.iterdir())) == (0, [])
    assert done.text("a") not in ("", str(home))
    home.rmdir()
