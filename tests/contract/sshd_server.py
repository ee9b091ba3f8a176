"""A real sshd of the tests' own: loopback, a free port, its own keys, nothing outside its folder but /run/sshd."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from lading.inventory import hosts

PROGRAM = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")
LIMIT = 90  # seconds until a test is said to hang


def make_key(path: Path) -> Path:
    """An ed25519 key without a passphrase; the public half is beside it, with .pub."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)], check=True)
    return path


def free_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _with_home(lines: Sequence[str], folder: Path) -> list[str]:
    """The same, with a home for what is run: start-up files of whoever runs the tests may leave locks behind if they are killed."""
    given = next((line for line in lines if line.startswith("SetEnv ")), "SetEnv")  # sshd heeds the first one
    home = "" if " HOME=" in given else f" HOME={folder}"
    return [given + home, *(line for line in lines if line != given)]


class Sshd:
    """One running sshd, with the files that a client of it needs."""

    def __init__(self, folder: Path, *more: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.user = getpass.getuser()
        self.host_key = make_key(folder / "host_key")
        self.user_key = make_key(folder / "user_key")
        self.port = free_port()
        self.known_hosts = folder / "known_hosts"
        self.config = folder / "config"
        self.log = folder / "log"
        self.log.touch()
        self.known_hosts.write_text(self.known_line())
        self.write_config()
        (folder / "sshd_config").write_text("\n".join([
            f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {self.host_key}", "UsePAM no", "StrictModes no",
            f"AuthorizedKeysFile {self.user_key}.pub", "PidFile none", "PermitRootLogin yes", "LogLevel VERBOSE",
            *_with_home(more, folder), "",
        ]))
        self._start()

    def _start(self) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        assert PROGRAM, "sshd is not installed"
        told = self._count("Server listening")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([PROGRAM, "-D", "-e", "-f", str(self.folder / "sshd_config")], stderr=log)
        until = time.monotonic() + LIMIT
        while self._count("Server listening") == told:
            assert self._process.poll() is None and time.monotonic() < until, self.log.read_text()
            time.sleep(0.01)

    def restart(self) -> None:
        """Let it read its configuration and its keys again."""
        self.stop()
        self._start()

    def _count(self, words: str) -> int:
        return self.log.read_text(errors="replace").count(words)

    def known_line(self, key: Path | None = None, name: str = "") -> str:
        """The line of known_hosts for this server."""
        public = Path(f"{key or self.host_key}.pub").read_text().rsplit(" ", 1)[0]
        return f"{name or f'[127.0.0.1]:{self.port}'} {public}\n"

    def write_config(self, *more: str, key: Path | None = None) -> None:
        """An OpenSSH client configuration with this server's user key and no agent."""
        lines = [*more, "Host *", f"IdentityFile {key or self.user_key}", "IdentitiesOnly yes", "IdentityAgent none", ""]
        self.config.write_text("\n".join(lines))

    def host(self, name: str = "web1", jump: str = "") -> hosts.Host:
        """This server as a host of the inventory."""
        return hosts.Host(name, "127.0.0.1", self.user, self.port, jump)

    def logins(self) -> int:
        """How many connections were let in so far."""
        return self._count("Accepted publickey")

    def sessions(self) -> list[int]:
        """The processes below the listening one: those of connections and what they run."""
        parents: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            try:
                stat = (entry / "stat").read_text() if entry.name.isdigit() else ""
            except OSError:
                continue
            if stat:
                parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
        found, left = [], [self._process.pid]
        while left:
            below = parents.get(left.pop(), [])
            found += below
            left += below
        return found

    def signal_sessions(self, number: signal.Signals) -> None:
        """Send a signal to all of them."""
        for pid in self.sessions():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def stop(self) -> None:
        """End it and its connections."""
        self.signal_sessions(signal.SIGCONT)
        self.signal_sessions(signal.SIGKILL)
        self._process.terminate()
        self._process.wait(LIMIT)
