"""The controller: where a person sits, on the lab's network, with keys to the hosts and their pins."""

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from labkit import cgroup, fleet, network, process, seed
from labkit.errors import LabError
from labkit.state import Lab, Saved
from labkit.topology import BUILDER, fleet_hosts

NAME = "controller"
COMMANDS = "run"
"""The group of its commands."""
START = """
set -e
hostname ctl
mount --bind "$FOLDER/ssh" /root/.ssh
mount --bind "$FOLDER/hosts" /etc/hosts
mount --bind "$FOLDER/resolv.conf" /etc/resolv.conf
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
touch "$FOLDER/ready"
exec sleep infinity
"""


def prepare(lab: Lab) -> None:
    """The controller's key and the folders its commands write to."""
    lab.controller_ssh.mkdir(parents=True, mode=0o700, exist_ok=True)
    process.run(
        "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(lab.controller_ssh / "id_ed25519")
    )
    for name in ("config", "state", "docker"):
        (lab.root / NAME / name).mkdir(exist_ok=True)
    hosts = [*fleet_hosts(lab.running_options()), BUILDER]
    (lab.root / NAME / "hosts").write_text(seed.hosts_file(hosts, "ctl"))
    (lab.root / NAME / "resolv.conf").write_text("")


def write_fleet(lab: Lab) -> None:
    """Fleet file, pinned host keys and SSH settings, once the hosts have their keys."""
    options = lab.running_options()
    hosts = fleet_hosts(options)
    keys = {host.name: (lab.host_folder(host) / "ssh_host_ed25519_key.pub").read_text() for host in hosts}
    (lab.fleet / "lading.yaml").write_text(fleet.lading_yaml(hosts, options))
    (lab.fleet / "known_hosts").write_text(fleet.known_hosts(hosts, keys, with_addresses=False))
    (lab.controller_ssh / "known_hosts").write_text(fleet.known_hosts(hosts, keys, with_addresses=True))
    (lab.controller_ssh / "config").write_text(fleet.ssh_config(options))


def runs(lab: Lab) -> bool:
    """Is the process there that holds the controller's namespaces?"""
    return process.recorded(lab.pid_file(NAME)) is not None


def start(lab: Lab) -> None:
    """Start the process that holds the controller's namespaces, if it is not running."""
    if runs(lab):
        return
    Path("/root/.ssh").mkdir(mode=0o700, exist_ok=True)  # only as a place to mount on
    ready = lab.root / NAME / "ready"
    ready.unlink(missing_ok=True)
    namespace = f"--net=/run/netns/{lab.namespace(network.CONTROLLER)}"
    pid = process.spawn(
        ["nsenter", namespace, "unshare", "--mount", "--uts", "--propagation", "slave", "bash", "-c", START],
        lab.logs / "controller.log",
        functools.partial(cgroup.enter, lab.layout, lab.name, NAME),
        {"FOLDER": str(lab.root / NAME)},
    )
    process.record(lab.pid_file(NAME), pid)
    process.wait_until(ready.exists, f"controller (log: {lab.logs / 'controller.log'})")


def environment(lab: Lab, saved: Saved, home: str | None = None, credentials: bool = True) -> dict[str, str | None]:
    """What differs in the environment of the controller's commands; None is 'not set'."""
    folder = lab.root / NAME
    return {
        "LADING_LAB": lab.name,
        "LADING_CONFIG": str(lab.fleet / "lading.yaml"),
        "REG_PASSWORD": saved.password if credentials else None,
        "DOCKER_CONFIG": str(folder / "docker"),
        "DOCKER_HOST": None,
        "SSH_AUTH_SOCK": None,
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "ansible"),  # labs have the same addresses, and Ansible keeps connections
        "XDG_CONFIG_HOME": None if home else str(folder / "config"),
        "XDG_STATE_HOME": None if home else str(folder / "state"),
        **({"HOME": home} if home else {}),
    }


def become(lab: Lab, command: Sequence[str], environment: Mapping[str, str | None]) -> NoReturn:
    """Turn this process into the command, on the controller, in the current folder."""
    argv = run_argv(lab, command, Path.cwd())
    cgroup.enter(lab.layout, lab.name, COMMANDS)
    os.execvpe("nsenter", argv, changed(os.environ, environment))


def changed(environment: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """The environment with what differs; None takes a name away."""
    names = {**environment, **changes}
    return {name: value for name, value in names.items() if value is not None}


def run_argv(lab: Lab, command: Sequence[str], folder: Path) -> list[str]:
    """The command line that runs a command on the controller, in a folder."""
    running = process.recorded(lab.pid_file(NAME))
    if running is None:
        raise LabError(f"the controller of lab {lab.name} is gone: lab up heals it")
    target = ["nsenter", "-t", str(running.pid), "-n", "-m", "-u", "--"]
    return [*target, "/usr/bin/env", "-C", str(folder), "--", *command]
