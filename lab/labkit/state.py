"""One lab on disk: its folders, what it was asked for, its lock."""

import dataclasses
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labkit import cgroup, process
from labkit.errors import LabError
from labkit.topology import BUILDER, Host, Options, fleet_hosts

DEFAULT_BASE = Path("/var/lib/lading-lab")
UNFIT_FILE_SYSTEMS = frozenset({"overlayfs", "tmpfs", "ramfs"})


def base_folder() -> Path:
    """Where all labs of this machine are."""
    return Path(os.environ.get("LADING_LAB_ROOT") or DEFAULT_BASE)


def boot_id() -> str:
    """Changes when the machine is started anew; then nothing of an old lab runs any more."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True, slots=True)
class Saved:
    """What a lab remembers; `complete` is false while it is being made."""

    options: Options
    password: str
    boot: str
    complete: bool = False


class Lab:
    """The names and folders of one lab. Everything it makes is found from here."""

    def __init__(self, name: str, base: Path | None = None) -> None:
        self.name = name
        self.base = base or base_folder()
        self.root = self.base / name
        self.logs = self.root / "logs"
        self.fleet = self.root / "fleet"
        self.controller_ssh = self.root / "controller" / "ssh"
        self.layout = cgroup.current_layout()

    def namespace(self, machine: str) -> str:
        """The network namespace of a host or of `ctl`."""
        return f"lad-{self.name}-{machine}"

    def pid_file(self, what: str) -> Path:
        """Where the pid and start time of a daemon are written down."""
        return self.root / "run" / f"{what}.json"

    def host_folder(self, host: Host) -> Path:
        """All files of one host."""
        return self.root / "hosts" / host.name

    def require_real_disk(self) -> None:
        """The hosts' files need a file system on which overlay file systems can be laid."""
        self.base.mkdir(parents=True, exist_ok=True)
        found = process.run("stat", "-f", "-c", "%T", str(self.base)).stdout.strip()
        if found in UNFIT_FILE_SYSTEMS:
            raise LabError(f"{self.base} is on {found}: set LADING_LAB_ROOT to a folder on a real disk")

    def saved(self) -> Saved | None:
        """What was written by save(); None if there is no lab."""
        try:
            facts = json.loads((self.root / "state.json").read_text())
            return Saved(**{**facts, "options": Options(**facts["options"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def save(self, saved: Saved) -> None:
        """Write the state in one step."""
        self.root.mkdir(parents=True, exist_ok=True)
        scratch = self.root / "state.new"
        scratch.touch(mode=0o600)
        scratch.write_text(json.dumps(dataclasses.asdict(saved), indent=1))
        scratch.rename(self.root / "state.json")

    def running(self) -> Saved:
        """The state of a lab that is up; an error if it is not."""
        saved = self.saved()
        if saved is None or not saved.complete or saved.boot != boot_id():
            raise LabError(f"lab {self.name} is not up: lab up N")
        return saved

    def running_options(self) -> Options:
        """What the lab, up or being made, was asked for."""
        saved = self.saved()
        if saved is None:
            raise LabError(f"there is no lab {self.name}")
        return saved.options

    def host(self, name: str) -> Host:
        """A host of the running lab by its name."""
        hosts = {host.name: host for host in [*fleet_hosts(self.running().options), BUILDER]}
        if name not in hosts:
            raise LabError(f"no host {name} in lab {self.name} (hosts: {', '.join(hosts)})")
        return hosts[name]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One `up`, `down` or `build` at a time; ends with the process whatever happens."""
        locks = Path("/run/lock")
        locks.mkdir(exist_ok=True)
        with (locks / f"lading-lab-{self.name}").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def new_saved(options: Options) -> Saved:
    """A lab about to be made, with a password of its own."""
    return Saved(options, secrets.token_urlsafe(15), boot_id())
