"""The canary (issue 3): a registry password, a secret variable, a secret file, an env_file; where they may be, and where not."""

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from app_client import LADING, App
from lab_client import Done, Lab

HOSTS = ("web1", "web2")
WEB = """
    env_file: [./web.env]
    environment: {GREETING: "${GREETING}"}
    secrets: [token]
    volumes: ["/etc/hostname:/host-name:ro"]
"""
TOP = "secrets: {token: {file: ./token.txt}}\nvolumes:\n"


@dataclass
class Canary:
    """Strings that are nowhere else on this machine, and everything that was printed while they were used."""

    app: App
    folder: Path
    words: dict[str, str]
    printed: list[str] = field(default_factory=list)

    def lading(self, *words: str, code: int = 0) -> Done:
        """Run lading with the secret variable in its environment, not in any command line."""
        done = self.app.lab.run("/bin/sh", "-c", '. "$0"; exec "$@"', str(self.folder / "environment"), *LADING, *words,
                                check=False, cwd=self.app.folder, timeout=240)
        self.printed += [done.stdout, done.stderr]
        assert done.returncode == code, done.stderr
        return done

    def in_text(self, text: str) -> set[str]:
        """The kinds of secret that a text holds."""
        return {kind for kind, word in self.words.items() if word in text}


@pytest.fixture
def canary(app: App, lab: Lab, tmp_path: Path) -> Canary:
    words = {kind: f"canary-{kind}-{secrets.token_hex(8)}" for kind in ("variable", "file", "env", "later")}
    app.edit('    volumes: ["/etc/hostname:/host-name:ro"]\n', WEB)
    app.edit("volumes:\n  data", TOP + "  data")
    (app.folder / "web.env").write_text(f"A=1\nTOKEN={words['env']}\n")
    (app.folder / "token.txt").write_text(f"{words['file']}\n")
    (tmp_path / "environment").write_text(f"export GREETING={words['variable']}\n")
    return Canary(app, tmp_path, {**words, "password": lab.password})


@contextmanager
def processes_watched(canary: Canary) -> Iterator[set[str]]:
    """The kinds of secret seen in the command line of any process, here and on the hosts, again and again."""
    seen: set[str] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            for process in Path("/proc").iterdir():
                if process.name.isdigit():
                    try:
                        seen.update(canary.in_text((process / "cmdline").read_bytes().decode("utf-8", "replace")))
                    except OSError:
                        continue

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def holding(folders: list[Path], word: str) -> set[str]:
    """The files below some folders that hold *word*."""
    found: set[str] = set()
    for top in folders:
        for folder, _, names in os.walk(top):
            for path in (Path(folder, name) for name in names):
                if path.is_file() and not path.is_symlink() and word.encode() in path.read_bytes():
                    found.add(str(path.relative_to(top)))
    return found


def on_host(lab: Lab, host: str, word: str) -> set[str]:
    """The files that a host wrote since its first start, on disk and in memory, that hold *word*."""
    top = lab.root / "hosts" / host
    inside = lab.exec(host, f"grep -rlsF -e {word} /run /tmp /dev/shm", check=False)
    return {*holding([top / "upper", top / "home", top / "engine"], word), *inside.stdout.split()}


def allowed(path: str) -> bool:
    """The 0700 folder, and Docker's own records of a container (that of a health check is in /tmp while it runs)."""
    records = ("docker/containers/", "run/containerd/", "/run/containerd/", "containerd/io.containerd.")
    return "/secrets/" in path or path.startswith("/tmp/runc-process") or (path.startswith(records) and path.endswith((".json", "meta.db")))


def test_a_program_that_tells_its_secrets_is_not_quoted(canary: Canary, lab: Lab) -> None:
    """What a failed deployment shows of a container's last lines and a hook's, and what the ledger keeps of it."""
    told = "echo I cannot log in with $$GREETING; cat /run/secrets/token; env; exit 3"
    canary.app.edit("    env_file: [./web.env]\n", f"    entrypoint: [/bin/sh, -c, '{told}']\n    env_file: [./web.env]\n")
    failed = canary.lading("deploy", "--version", "1.0.0", "--to", "web1", "--yes", code=5)
    assert "I cannot log in with ***" in failed.stderr
    path = canary.app.folder / "docker-compose.yml"
    path.write_text(path.read_text() + "x-lading: {hooks: {before: {service: web}}}\n")
    hooked = canary.lading("deploy", "--version", "1.0.0", "--to", "web1", "--yes", code=5)
    assert "I cannot log in with ***" in hooked.stderr
    assert canary.in_text("\n".join(canary.printed)) == set()
    for kind, word in canary.words.items():
        assert (kind, holding([lab.root / "controller"], word)) == (kind, set())


def test_a_way_back_that_fails_quotes_no_program_with_secrets(canary: Canary, lab: Lab) -> None:
    """The values are on the hosts only: what the old version prints cannot be told from them."""
    told = '[ $$APP_VERSION = 1.0.0 ] && [ -e /data/fail ] && echo no $$GREETING && exit 3; exec /app web'
    canary.app.edit("    env_file: [./web.env]\n", f"    entrypoint: [/bin/sh, -c, '{told}']\n    env_file: [./web.env]\n")
    canary.app.edit('"/etc/hostname:/host-name:ro"]', '"/etc/hostname:/host-name:ro", "data:/data"]')
    for version in ("1.0.0", "1.1.0"):
        canary.lading("deploy", "--version", version, "--to", "web1", "--yes")
    lab.exec("web1", ["docker", "exec", canary.app.ids("web1")["store"], "touch", "/data/fail"])
    failed = canary.lading("rollback", canary.app.name, "--to", "web1", "--yes", code=5)
    assert f"its last lines are not shown: lading logs {canary.app.name}" in failed.stderr
    assert canary.in_text("\n".join(canary.printed)) == set()
    assert canary.app.versions() == {("web1", "1.1.0", "healthy")}


def test_no_secret_is_anywhere_it_must_not_be(canary: Canary, lab: Lab) -> None:  # issue 3, Secrets
    app = canary.app
    with processes_watched(canary) as seen:
        to = ("--to", "web1,web2", "--yes")
        canary.lading("plan", "--version", "1.0.0", "--to", "web1,web2", "--json")
        canary.lading("deploy", "--version", "1.0.0", *to)
        canary.lading("deploy", "--version", "1.2.0", *to, code=5)
        (app.folder / "web.env").write_text(f"TOKEN={canary.words['later']}\n")
        canary.lading("plan", "--version", "1.1.0", "--to", "web1,web2")
        canary.lading("deploy", "--version", "1.1.0", *to, "--json")
        canary.lading("rollback", app.name, *to)
        canary.lading("bundle", "--version", "1.1.0", "-o", str(canary.folder / "bundle"))
        for words in (["where", app.name, "--json"], ["drift", app.name, "--json"], ["history", app.name, "--json"],
                      ["logs", app.name, "--to", "web1,web2"], ["check", "production"]):
            canary.lading(*words)
    assert seen == set()
    assert canary.in_text("\n".join(canary.printed)) == set()
    here = [lab.root / "controller", lab.root / "logs", canary.folder / "bundle"]
    for kind, word in canary.words.items():
        assert (kind, holding(here, word)) == (kind, set())
        for host in HOSTS:
            found = on_host(lab, host, word)
            assert (kind, host, {path for path in found if kind == "password" or not allowed(path)}) == (kind, host, set())
            assert kind == "password" or any("/secrets/" in path for path in found), f"{kind} was never on {host}"
    modes = [lab.exec(host, f"stat -c %a /var/lib/lading/apps/{app.name}/secrets /home/deploy/.lading/*/apps/{app.name}/secrets "
                      "2>/dev/null", check=False).stdout.split() for host in HOSTS]
    assert modes == [["2770"], ["700"]]  # web1's folder is shared by the group docker, who are root there anyway
    left = lab.exec("web1", "ls -d /dev/shm/lading* /tmp/lading* 2>/dev/null || true").stdout
    assert left == ""
