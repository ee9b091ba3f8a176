"""Which hosts a lab has, with address, hardware address and shells (pure)."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from labkit.errors import LabError

CONTROLLER_ADDRESS = "10.88.0.1"
CONTROLLER_MAC = "02:88:0a:58:00:01"
PREFIX_LENGTH = 24
REGISTRY = "registry.lab:5000"
MAX_HOSTS = 80
NAME_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,28}[a-z0-9])?")
RESERVED_NAMES = frozenset({"engines"})
DEPLOY_SHELLS = {"web2": "/usr/bin/fish", "web3": "/usr/bin/tcsh"}


@dataclass(frozen=True, slots=True)
class Host:
    """One machine of the lab."""

    name: str
    address: str
    deploy_shell: str = "/bin/bash"
    state_dir: bool = False

    @property
    def link(self) -> str:
        """The controller's end of the host's network cable."""
        return f"v{self.name}"

    @property
    def mac(self) -> str:
        """Fixed by the address, so that neighbours know the host again after a power cycle."""
        return "02:88:" + ":".join(f"{int(part):02x}" for part in self.address.split("."))


@dataclass(frozen=True, slots=True)
class Options:
    """What `lab up` was asked for; a running lab is the same lab only if these are equal."""

    hosts: int
    staging: bool = True
    fast_keepalive: bool = False
    small_disks: dict[str, str] = field(default_factory=dict)
    engines: dict[str, str] = field(default_factory=dict)


def web_host(number: int) -> Host:
    """Host web1, web2, …"""
    name = f"web{number}"
    return Host(name, f"10.88.0.{10 + number}", DEPLOY_SHELLS.get(name, "/bin/bash"), state_dir=number == 1)


STAGE = Host("stage1", "10.88.0.101")
BUILDER = Host("ci1", "10.88.0.102")


def fleet_hosts(options: Options) -> list[Host]:
    """The hosts that lading knows: web1…webN and stage1."""
    if not 1 <= options.hosts <= MAX_HOSTS:
        raise LabError(f"a lab has 1 to {MAX_HOSTS} hosts, not {options.hosts}")
    hosts = [web_host(number) for number in range(1, options.hosts + 1)]
    return [*hosts, STAGE] if options.staging else hosts


def check_host_names(options: Options) -> None:
    """Refuses options for hosts that the lab does not have."""
    known = {host.name for host in fleet_hosts(options)}
    for name in [*options.small_disks, *options.engines]:
        if name not in known:
            raise LabError(f"no host {name} in this lab (hosts: {', '.join(sorted(known))})")


def default_name(checkout: Path) -> str:
    """A name that two checkouts do not share."""
    return "lading-" + hashlib.sha256(str(checkout).encode()).hexdigest()[:6]


def check_name(name: str) -> str:
    """A lab's name goes into folder, namespace and cgroup names."""
    if not NAME_PATTERN.fullmatch(name) or name in RESERVED_NAMES:
        raise LabError(f"not a lab name: {name!r} (small letters, digits and '-', at most 30)")
    return name
