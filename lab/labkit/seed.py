"""What a host's files differ in from the machine's: users, sshd, engine, names (pure but for `write`).

A host sees the machine's root folder through an overlay; the files here are laid into the overlay's
upper layer before the host is first started.
"""

import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from labkit.topology import CONTROLLER_ADDRESS, REGISTRY, Host

FIRST_UID = 2001
HIDDEN = ("usr/local/bin/docker", "usr/local/bin/docker-compose", "var/lib/lading")
SSHD_CONFIG = """\
# Of the lab: keys only, everything else as sshd has it
Port 22
ListenAddress {address}
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PrintMotd no
AcceptEnv LANG LC_*
Subsystem sftp /usr/lib/openssh/sftp-server
"""
CONTAINERD_CONFIG = """\
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri"]
"""


@dataclass(frozen=True, slots=True)
class User:
    """A person who logs in over SSH."""

    name: str
    uid: int
    shell: str
    in_docker: bool


@dataclass(frozen=True, slots=True)
class Accounts:
    """The machine's account files as text."""

    passwd: str
    group: str
    shadow: str


@dataclass(frozen=True, slots=True)
class File:
    """One file of a host."""

    text: str
    mode: int = 0o644


def choose_users(host: Host, passwd: str) -> list[User]:
    """deploy, alice and ops, with ids that nobody on the machine has."""
    taken = {int(line.split(":")[2]) for line in passwd.splitlines() if line.count(":") >= 6}
    free = (number for number in range(FIRST_UID, 60000) if number not in taken)
    return [
        User("deploy", next(free), host.deploy_shell, in_docker=True),
        User("alice", next(free), "/bin/bash", in_docker=True),
        User("ops", next(free), "/bin/bash", in_docker=False),
    ]


def with_users(accounts: Accounts, users: Sequence[User]) -> Accounts:
    """The machine's accounts plus these users, each with a group of its own; docker is a group."""
    names = {user.name for user in users}
    passwd, group, shadow = (
        [line for line in text.splitlines() if line.split(":")[0] not in names | gone]
        for text, gone in ((accounts.passwd, set()), (accounts.group, {"docker"}), (accounts.shadow, set()))
    )
    docker = next((line for line in accounts.group.splitlines() if line.startswith("docker:")), "docker:x:998:")
    members = ",".join(user.name for user in users if user.in_docker)
    group.append(":".join([*docker.split(":")[:3], members]))
    for user in users:
        passwd.append(f"{user.name}:x:{user.uid}:{user.uid}::/home/{user.name}:{user.shell}")
        group.append(f"{user.name}:x:{user.uid}:")
        shadow.append(f"{user.name}:*:19700:0:99999:7:::")
    return Accounts(*("\n".join(lines) + "\n" for lines in (passwd, group, shadow)))


def hosts_file(hosts: Sequence[Host], own_name: str = "") -> str:
    """/etc/hosts: every host, and the registry."""
    lines = [f"127.0.0.1 localhost {own_name}".rstrip(), f"{CONTROLLER_ADDRESS} ctl {REGISTRY.split(':')[0]}"]
    return "\n".join([*lines, *(f"{host.address} {host.name}" for host in hosts)]) + "\n"


def system_files(host: Host, hosts: Sequence[Host], accounts: Accounts, ca: str, host_key: str) -> dict[str, File]:
    """Every file of the host that root owns, by its path."""
    registry_host = REGISTRY.split(":")[0]
    return {
        "etc/passwd": File(accounts.passwd),
        "etc/group": File(accounts.group),
        "etc/shadow": File(accounts.shadow, 0o640),
        "etc/hostname": File(f"{host.name}\n"),
        "etc/hosts": File(hosts_file(hosts)),
        "etc/resolv.conf": File(""),
        "etc/ssh/sshd_config": File(SSHD_CONFIG.format(address=host.address)),
        "etc/ssh/ssh_host_ed25519_key": File(host_key, 0o600),
        "etc/sudoers.d/ops": File("ops ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440),
        "etc/sudo.conf": File("Set disable_coredump false\n"),
        "etc/containerd/config.toml": File(CONTAINERD_CONFIG),
        "etc/docker/daemon.json": File(json.dumps({"bip": "172.17.0.1/16"}) + "\n"),
        f"etc/docker/certs.d/{registry_host}:5000/ca.crt": File(ca),
    }


def write(upper: Path, files: dict[str, File], users: Sequence[User], public_key: str, state_gid: int | None) -> None:
    """Lay all of it into the upper layer of a host's overlay."""
    upper.mkdir(parents=True)
    upper.chmod(0o755)
    for path in HIDDEN:
        _hide(upper / path)
    for path, file in files.items():
        _put(upper / path, file)
    for user in users:
        home = upper / "home" / user.name
        _put(home / ".ssh" / "authorized_keys", File(public_key, 0o600))
        (home / ".ssh").chmod(0o700)
        for owned in (home, home / ".ssh", home / ".ssh" / "authorized_keys"):
            os.chown(owned, user.uid, user.uid)
    if state_gid is not None:
        folder = upper / "var/lib/lading"
        folder.unlink(missing_ok=True)
        folder.mkdir()
        os.chown(folder, 0, state_gid)
        folder.chmod(0o2770)


def _put(path: Path, file: File) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=file.mode)
    path.write_text(file.text)
    path.chmod(file.mode)


def _hide(path: Path) -> None:
    """An overlay's sign for 'this is not there': a character device 0/0."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))
