"""A PostgreSQL server of the tests' own, on loopback, in a folder that is removed at the end."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import LiteralString

import psycopg

PASSWORD = "canary-postgres"


def free_port() -> int:
    """A free port below those that the kernel gives to connections: the server may be stopped and started on it."""
    while True:
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port := random.randrange(20000, 32768)))
            return port


class Server:
    """Debian's PostgreSQL with one user, `lading`, who may make databases."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lading-postgres-"))
        self.bin = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run("initdb", "-D", "data", "-U", "lading", "-A", "scram-sha-256", "--pwfile", "password", "-E", "UTF8", "--no-sync")
        self.port = free_port()
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c max_connections=40 -c fsync=off"
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", words, "start")

    def stop(self, how: str = "immediate") -> None:
        """Stop it: "immediate" is a crash, "fast" ends sessions."""
        self._run("pg_ctl", "-D", "data", "-w", "-m", how, "stop")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """All of its processes are stopped meanwhile, as under a hypervisor that pauses: the kernel goes on answering for them."""
        first = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        stopped = [first]
        os.kill(first, signal.SIGSTOP)  # it makes no more of them
        try:
            for one in Path(f"/proc/{first}/task/{first}/children").read_text().split():
                stopped.append(int(one))
                os.kill(int(one), signal.SIGSTOP)
            yield
        finally:
            for number in reversed(stopped):
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGCONT)

    def remove(self) -> None:
        """Stop it and remove all of it."""
        self.stop()
        shutil.rmtree(self.folder)

    def url(self, database: str, *, port: int = 0, user: str = "lading", password: str = PASSWORD) -> str:
        """The URL of a database."""
        return f"postgresql://{user}:{password}@127.0.0.1:{port or self.port}/{database}"

    def socket_url(self, database: str) -> str:
        """The same by a socket in the file system: it is reached from any network namespace of this machine."""
        return f"postgresql://lading:{PASSWORD}@/{database}?host={self.folder}&port={self.port}"

    def execute(self, database: str, *statements: LiteralString) -> list[tuple[object, ...]]:
        """Run statements, each by itself; the rows of the last."""
        with psycopg.connect(self.url(database), autocommit=True) as base:
            for statement in statements:
                cursor = base.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run([self.bin / program, *words], cwd=self.folder, user=self.user, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
