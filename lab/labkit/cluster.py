"""The story of a lab: up (make it, or heal it) and down (leave nothing)."""

import contextlib
import dataclasses
import os
import shutil
from pathlib import Path

from labkit import cgroup, controller, engines, host, network, process, registry
from labkit.errors import LabError
from labkit.state import Lab, boot_id, new_saved
from labkit.topology import Options, check_host_names, fleet_hosts

PROGRAMS = (
    "dockerd", "containerd", "docker-registry", "sshd", "ssh-keygen", "htpasswd", "openssl", "tini", "sudo",
    "fish", "tcsh", "ip", "iptables", "nsenter", "unshare", "setpriv", "mkfs.ext4",
)  # fmt: skip


def up(lab: Lab, options: Options) -> None:
    """Make the lab, or heal it if it is there; what a killed predecessor left is removed first."""
    require_root()
    require_programs()
    check_host_names(options)
    lab.require_real_disk()
    engines.ensure(lab.base, options)
    with lab.locked():
        saved = lab.saved()
        if saved and saved.complete and saved.boot == boot_id():
            if saved.options != options:
                raise LabError(f"lab {lab.name} is up with other hosts or options: lab down first")
        else:
            remove(lab)
            prepare(lab, options)
        start(lab)
        mark_complete(lab)


def mark_complete(lab: Lab) -> None:
    """From now on `up` heals this lab and does not make it anew."""
    saved = lab.saved()
    if saved and not saved.complete:
        lab.save(dataclasses.replace(saved, complete=True))


def require_root() -> None:
    """Namespaces, mounts and cgroups need it."""
    if os.geteuid():
        raise LabError("the lab must be run as root")


def require_programs() -> None:
    """What scripts/setup installs."""
    path = process.CLEAN_ENVIRONMENT["PATH"]
    missing = [name for name in PROGRAMS if not shutil.which(name, path=path)]
    if missing:
        raise LabError(f"not installed: {', '.join(missing)} (run scripts/setup)")


def prepare(lab: Lab, options: Options) -> None:
    """Everything that is written once."""
    saved = new_saved(options)
    lab.save(saved)
    registry.prepare(lab, saved.password)
    controller.prepare(lab)
    for machine in fleet_hosts(options):
        host.prepare(lab, machine)
    controller.write_fleet(lab)


def start(lab: Lab) -> None:
    """Start what is not running, all hosts at once, and wait until everything answers."""
    hosts = fleet_hosts(lab.running_options())
    network.make_bridge(lab)
    registry.start(lab)
    for machine in hosts:
        host.boot(lab, machine)
        network.heal(lab, machine)
        host.unstop_services(lab, machine)
    controller.start(lab)
    registry.wait_ready(lab)
    host.wait_ready(lab, hosts)


def down(lab: Lab, keep_logs: bool = False) -> None:
    """Remove the lab."""
    require_root()
    with lab.locked():
        remove(lab, keep_logs)


def remove(lab: Lab, keep_logs: bool = False) -> None:
    """End all processes, then take away what they stood on."""
    if cgroup.inside(lab.name, Path("/proc/self/cgroup").read_text()):
        raise LabError(f"this is a process of lab {lab.name} itself (lab run): it cannot remove what it runs in")
    cgroup.kill_all(lab.layout, lab.name)
    network.remove_all(lab)
    cgroup.remove(lab.layout, lab.name)
    if keep_logs and lab.logs.exists():
        process.run("find", str(lab.root), "-mindepth", "1", "-maxdepth", "1", "!", "-name", "logs",
                    "-exec", "rm", "-rf", "{}", "+")  # fmt: skip
    else:
        process.run("rm", "-rf", str(lab.root))
        with contextlib.suppress(OSError):  # other labs may be there
            lab.base.rmdir()
