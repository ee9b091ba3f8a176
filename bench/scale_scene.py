"""The scene of `make bench-scale`: loopback addresses as hosts, behind one sshd in a network namespace of its own.

Every address has a home of its own, so that state folders, leases, journals and releases are real for each host; only
the engines and Compose are stubs (bench/scale/engine.c, docker.c). Servers and variants have control groups of their own on the same machine.
"""

import contextlib
import functools
import json
import os
import secrets
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import long_history
import measure
from labkit import cgroup, process

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
OWNER = f"scale-{os.getpid()}"  # of the control groups
SERVERS = "servers"
REGISTRY = "127.0.0.1:5000"
VERSIONS = ("v1", "v2")
LONG_HISTORY_HOSTS = 200  # at most: the journals of a thousand hosts would be too much memory
PER_NET = 250  # hosts in each 127.0.x.0/24
START = """set -e
ip link set lo up
mount -t tmpfs tmpfs /var/lib
mount --bind "$SCENE/passwd" /etc/passwd
mount -t tmpfs tmpfs /run
mkdir /run/sshd
"$SCENE/bin/engine" "$SCENE" /run/docker.sock &
"$SCENE/python" "$SCENE/bin/registry.py" 5000 &
/usr/sbin/sshd -f "$SCENE/sshd_config" -E "$SCENE/sshd.log"
exec sleep infinity
"""
SSHD = """ListenAddress 0.0.0.0
HostKey {scene}/host_key
AuthorizedKeysFile {scene}/key.pub
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 2000
LogLevel ERROR
PidFile none
Subsystem sftp internal-sftp
"""
SSH = """Host *
User root
IdentityFile {scene}/key
IdentitiesOnly yes
UserKnownHostsFile {scene}/known_hosts
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking yes
KexAlgorithms curve25519-sha256
"""


def address(number: int) -> str:
    """The address of a host, counted from 1."""
    net, last = divmod(number - 1, PER_NET)
    return f"127.0.{net + 1}.{last + 1}"


def fleet_file(numbers: Sequence[int]) -> str:
    """The fleet file: hosts h1, h2, …; destinations n50 and old-n50 are the first 50, and so on."""
    hosts = "".join(f"  h{number}: {{address: {address(number)}}}\n" for number in range(1, max(numbers) + 1))
    groups = "".join(f"  {old}n{size}: {{hosts: [{', '.join(f'h{number}' for number in range(1, size + 1))}]}}\n"
                     for size in numbers for old in ("", "old-") if not old or size <= LONG_HISTORY_HOSTS)
    return (f'lading: 1\nssh: {{user: root}}\nhosts:\n{hosts}destinations:\n{groups}registries:\n  "{REGISTRY}": '
            "{username: ci, password: {env: REG_PASSWORD}, insecure: true}\n")


def compose_file() -> str:
    """The app's, without ports: the apps of 50 and of 1,000 hosts run side by side on the first 50."""
    lines = (BENCH / "app/docker-compose.yml").read_text().replace("registry.lab:5000", REGISTRY).splitlines(keepends=True)
    return "".join(line for line in lines if "ports:" not in line)


class Scene:
    """Running servers, and what the variants are given."""

    def __init__(self, folder: Path, numbers: Sequence[int]) -> None:
        self.folder, self.numbers, self.password = folder, numbers, secrets.token_hex(8)
        self.holder = 0
        self.layout = measure.counting()

    def up(self) -> None:
        """Write everything, and start the servers."""
        process.run("mount", "-t", "tmpfs", "-o", "mode=755", "scale", str(self.folder))  # a thousand hosts' disks are not one disk
        for name in ("bin", "hosts", "kept", "project", "ansible"):
            (self.folder / name).mkdir()
        for number in range(1, max(self.numbers) + 1):
            plugins = self.folder / "hosts" / address(number) / ".docker/cli-plugins"
            plugins.mkdir(parents=True)
            (plugins / "docker-compose").symlink_to(self.folder / "bin/docker")
        for name in ("login", "compose.py", "registry.py", "look.py"):
            shutil.copy(BENCH / "scale" / name, self.folder / "bin")
        for name in ("docker", "engine"):
            process.run("cc", "-O1", "-static", "-o", str(self.folder / "bin" / name), str(BENCH / f"scale/{name}.c"))
        (self.folder / "python").symlink_to(Path(sys.executable).resolve())
        self._keys()
        self._files()
        process.spawn(
            ["unshare", "--net", "--mount", "--propagation", "slave", "sh", "-c", START], self.folder / "servers.log",
            functools.partial(_as_servers, self.layout), {"SCENE": str(self.folder)},
        )
        process.wait_until(self._ready, f"servers (log: {self.folder / 'servers.log'})")

    def _ready(self) -> bool:
        """Whether all servers were started; then what became `sleep` holds the namespace."""
        for pid in cgroup.processes(self.layout, OWNER, SERVERS):
            with contextlib.suppress(OSError):  # one of the many that have ended already
                if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep"):
                    self.holder = pid
        return self.holder > 0

    def down(self) -> None:
        """End the servers."""
        cgroup.kill_all(self.layout, OWNER, SERVERS)
        cgroup.remove(self.layout, OWNER)
        process.run("umount", "--lazy", str(self.folder))

    def _keys(self) -> None:
        for name in ("key", "host_key"):
            process.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(self.folder / name))
        shown = " ".join((self.folder / "host_key.pub").read_text().split()[:2])
        lines = [f"{address(number)} {shown}\n" for number in range(1, max(self.numbers) + 1)]
        (self.folder / "known_hosts").write_text("".join(lines))

    def _files(self) -> None:
        files = {
            "sshd_config": SSHD.format(scene=self.folder), "ssh_config": SSH.format(scene=self.folder),
            "password": self.password + "\n", "lading.yaml": fleet_file(self.numbers),
            "passwd": f"root:x:0:0:root:/:{self.folder}/bin/login\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\nsshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n",
            "project/docker-compose.yml": compose_file(),
            "inventory": "".join(f"[n{size}]\n" + "".join(f"h{n} ansible_host={address(n)}\n" for n in range(1, size + 1))
                                 for size in self.numbers),
        }
        for name, text in files.items():
            (self.folder / name).write_text(text)
        self._make_home(self.home())

    def _make_home(self, home: Path) -> None:
        (home / ".ssh").mkdir(mode=0o700, parents=True)
        (home / ".ssh/config").write_text(f"Host *\nIdentityFile {self.folder}/key\nIdentitiesOnly yes\n")

    def home(self, app: str = "") -> Path:
        """A controller's home folder, in which its ledger lies; that of an app with a long history has another one."""
        return self.folder / "controllers" / (app or "usual")

    def remember_deployments(self, app: str) -> None:
        """Give the app a controller whose ledger tells of a thousand deployments of it."""
        home = self.home(app)
        self._make_home(home)
        long_history.fill_ledger(home / ".local/state/lading/ledger.db", app)

    def lengthen_journals(self, app: str, size: int) -> None:
        """Put a thousand deployments before the app's last one in the journals of its hosts."""
        for number in range(1, size + 1):
            [journal] = (self.folder / "hosts" / address(number)).glob(f".lading/*/apps/{app}/journal")
            long_history.lengthen_journal(journal.parent)

    def argv(self, words: Sequence[str]) -> list[str]:
        """The command line that runs a command in the namespace, from the app's folder."""
        return ["nsenter", "-t", str(self.holder), "-n", "--", "/usr/bin/env", "-C", str(self.folder / "project"), "--", *words]

    def environment(self) -> dict[str, str]:
        """The environment of the variants."""
        path = f"{ROOT / '.venv-bench/bin'}:{ROOT / '.venv/bin'}:{process.CLEAN_ENVIRONMENT['PATH']}"
        return {
            "PATH": path, "HOME": str(self.home()), "LC_ALL": "C.UTF-8", "REG_PASSWORD": self.password, "USER": "bench",
            "LADING_CONFIG": str(self.folder / "lading.yaml"), "ANSIBLE_LOCAL_TEMP": str(self.folder / "ansible"),
            "ANSIBLE_SSH_ARGS": f"-F {self.folder}/ssh_config -o ControlMaster=auto -o ControlPersist=60s",
        }

    def run(self, words: Sequence[str], more: Mapping[str, str], limit: float) -> measure.Measured:
        """Run a variant in a control group of its own."""
        return measure.run(self.argv(words), owner=OWNER, group="bench", env={**self.environment(), **more}, limit=limit)

    def servers_cpu(self) -> float:
        """Seconds of CPU that sshd, the hosts' shells and their stubs took so far."""
        return measure.cpu(self.layout, OWNER, SERVERS)

    def forget_images(self) -> None:
        """No host has an image; what the raw variants left is gone too."""
        for home in (self.folder / "hosts").iterdir():
            shutil.rmtree(home / "images", ignore_errors=True)
            (home / "version").unlink(missing_ok=True)

    def wrong(self, app: str, size: int, version: str) -> str:
        """What is wrong on the hosts after a run, or "": current, journal and lease of lading's, or the raw version."""
        found: dict[str, int] = {}
        for number in range(1, size + 1):
            home = self.folder / "hosts" / address(number)
            said = _lading(home, app, version) if app else _raw(home, version)
            if said:
                found[said] = found.get(said, 0) + 1
        unknown = self.folder / "unknown"
        words = [f"{count} hosts: {said}" for said, count in found.items()]
        return "; ".join([*words, *(unknown.read_text().splitlines()[:1] if unknown.exists() else [])])


def _as_servers(layout: cgroup.Layout) -> None:
    cgroup.enter(layout, OWNER, SERVERS)


def _raw(home: Path, version: str) -> str:
    file = home / "version"
    said = file.read_text().strip() if file.exists() else "nothing"
    return "" if said == version else f"{said} in place of {version}"


def _lading(home: Path, app: str, version: str) -> str:
    """The journal ends well after a commit of the version; `current` and the container are of it, the lease is free."""
    found = list(home.glob(f".lading/*/apps/{app}/current"))
    if len(found) != 1:
        return "no release"
    folder = found[0].parent
    records = [json.loads(line) for line in (folder / "journal").read_text().splitlines()]
    commits = [one["version"] for one in records if one["kind"] == "committed"]
    if (records[-1]["kind"], records[-1].get("result"), commits[-1:]) != ("ended", "well", [version]):
        return f"the journal ends with {records[-1]}, the last commits are {commits[-2:]}"
    if f'"version":"{version}"' not in found[0].read_text() or f":{version}@" not in (home / "containers" / app).read_text():
        return f"`current` or the container is not of {version}"
    return "" if "state=free" in (folder / "lease").read_text() else "the lease is held"

