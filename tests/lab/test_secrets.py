"""The canary (issue 3): a registry password, a secret variable, a secret file, an env_file; where they may be, and where not."""

import base64
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from app_client import LADING, App, some
from lab_client import Done, Lab

HOSTS = ("web1", "web2")
NOWHERE = ("password", "login")  # of the registry
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
        """Run `lading -v` with the secret variable in its environment, not in any command line."""
        done = self.app.lab.run(*self._argv(words), check=False, cwd=self.app.folder, timeout=240)
        self.printed += [done.stdout, done.stderr]
        assert done.returncode == code, done.stderr
        return done

    def killed(self, *words: str, at: str) -> None:
        """Run it, and kill -9 the controller when it says *at*; return when nothing that it began runs on the hosts."""
        process = self.app.lab.popen(*self._argv(words), cwd=self.app.folder)
        try:
            assert process.stderr is not None
            said = ""
            while at not in said:
                line = process.stderr.readline()
                assert line, said
                said += line
        finally:
            process.kill()
        self.printed += [said, *process.communicate()]
        for host in HOSTS:
            self.app.lab.exec(host, "timeout 100 sh -c 'while pgrep -f \"[t]imeout -k 10\"; do sleep 0.1; done'")

    def _argv(self, words: Sequence[str]) -> list[str]:
        return ["/bin/sh", "-c", '. "$0"; exec "$@"', str(self.folder / "environment"), *LADING, "-vv", *words]

    def in_text(self, text: str) -> set[str]:
        """The kinds of secret that a text holds."""
        return {kind for kind, word in self.words.items() if word in text}


@pytest.fixture
def canary(app: App, lab: Lab, tmp_path: Path) -> Canary:
    words = {kind: f"canary-{kind}-{secrets.token_hex(8)}" for kind in ("variable", "file", "env", "later")}
    app.edit('    volumes: ["/etc/hostname:/host-name:ro"]\n', WEB)
    app.pass_env("GREETING")
    app.edit("volumes:\n  data", TOP + "  data")
    (app.folder / "web.env").write_text(f"A=1\nTOKEN={words['env']}\n")
    (app.folder / "token.txt").write_text(f"{words['file']}\n")
    (tmp_path / "tmp").mkdir()
    (tmp_path / "environment").write_text(f"export GREETING={words['variable']} TMPDIR={tmp_path}/tmp\n")
    for host in HOSTS:  # so that every image is pulled, with the password
        lab.exec(host, "docker image prune -af")
    login = base64.b64encode(f"ci:{lab.password}".encode()).decode()  # as Docker's configuration keeps it
    return Canary(app, tmp_path, {**words, "password": lab.password, "login": login})


@dataclass
class Watched:
    """What was seen of processes outside containers: (where, cmdline or environ, kind of secret), and where any was seen."""

    seen: set[tuple[str, str, str]] = field(default_factory=set)
    where: set[str] = field(default_factory=set)

    def look(self, canary: Canary, top: Path) -> None:
        """Read command line and environment of every process below a control group.

        A process that has gone into a container while it was read is not one of these.
        """
        for folder, inner, _ in os.walk(top):
            inner[:] = [name for name in inner if name != "docker"]  # containers
            place = f"{Path(folder).relative_to(top)}/".partition("/")[0]
            try:
                pids = Path(folder, "cgroup.procs").read_text().split()
            except OSError:
                continue
            for pid in pids:
                for file in ("cmdline", "environ"):
                    try:
                        text = Path("/proc", pid, file).read_bytes().decode("utf-8", "replace")
                        if "/docker/" in Path("/proc", pid, "cgroup").read_text():
                            continue
                    except OSError:
                        continue
                    self.where.add(place)
                    self.seen |= {(place, file, kind) for kind in canary.in_text(text)}


@contextmanager
def processes_watched(canary: Canary) -> Iterator[None]:
    """All processes of the controller's commands and of the hosts, again and again; none may show a secret.

    But for the environment that the caller gave to lading: what is in it is the caller's.
    """
    lab, ended, found = canary.app.lab, threading.Event(), Watched()
    (top, *_) = sorted([*Path("/sys/fs/cgroup").glob(f"lading-lab/{lab.name}"),
                        *Path("/sys/fs/cgroup").glob(f"pids/lading-lab/{lab.name}")])

    def look() -> None:
        while not ended.is_set():
            found.look(canary, top)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
    assert found.where >= {*HOSTS, "run"}
    assert {one for one in found.seen if one[0] in (*HOSTS, "run")} == {
        ("run", "environ", "variable"), ("run", "environ", "password")}


def holding(folders: list[Path], words: dict[str, str]) -> set[tuple[str, str]]:
    """(kind of secret, file) for every file below some folders that holds one."""
    found: set[tuple[str, str]] = set()
    for top in folders:
        for folder, _, names in os.walk(top):
            for path in (Path(folder, name) for name in names):
                if path.is_file() and not path.is_symlink():
                    try:
                        content = path.read_bytes()
                    except FileNotFoundError:  # Docker writes its records anew at each health check
                        continue
                    found |= {(kind, str(path.relative_to(top))) for kind, word in words.items() if word.encode() in content}
    return found


def on_host(lab: Lab, host: str, words: dict[str, str]) -> set[tuple[str, str]]:
    """The same for all that a host wrote since its first start, on disk and in memory."""
    top = lab.root / "hosts" / host
    search = "".join(f"grep -rlsF -e {word} /run /tmp /dev/shm | sed 's/^/{kind} /'\n" for kind, word in words.items())
    inside = lab.exec(host, search, check=False).stdout.splitlines()
    memory = {(kind, path) for kind, _, path in (line.partition(" ") for line in inside)}
    return {*holding([top / "upper", top / "home", top / "engine"], words), *memory}


def allowed(path: str) -> bool:
    """The 0700 folder, and Docker's own records of a container (that of a health check is in /tmp while it runs)."""
    records = ("docker/containers/", "run/containerd/", "/run/containerd/", "containerd/io.containerd.")
    return "/secrets/" in path or path.startswith("/tmp/runc-process") or (
        path.startswith(records) and (path.endswith((".json", "meta.db")) or Path(path).name.startswith(".tmp-config.v2.json")))


def test_a_program_that_tells_its_secrets_is_not_quoted(canary: Canary, lab: Lab) -> None:
    """What a failed deployment shows of a container's last lines and a hook's, and what the ledger keeps of it."""
    told = "echo I cannot log in with $$GREETING; cat /run/secrets/token; env; exit 3"
    canary.app.edit("    env_file: [./web.env]\n", f"    entrypoint: [/bin/sh, -c, '{told}']\n    env_file: [./web.env]\n")
    failed = canary.lading("deploy", "--version", "1.0.0", "--to", "web1", "--yes", "-v", code=5)
    assert "I cannot log in with ***" in failed.stderr
    assert re.search(r"web1 +roll compose web: Container \S+ Started", failed.stderr), failed.stderr
    path = canary.app.folder / "docker-compose.yml"
    path.write_text(path.read_text() + "x-lading: {hooks: {before: {service: web}}}\n")
    hooked = canary.lading("deploy", "--version", "1.0.0", "--to", "web1", "--yes", "-v", code=5)
    assert "I cannot log in with ***" in hooked.stderr
    assert re.search(r"web1 +hook hook web: I cannot log in with \*\*\*", hooked.stderr), hooked.stderr
    for one in json.loads(canary.lading("history", canary.app.name, "--json").stdout):
        assert "    I cannot log in with ***" in canary.lading("show", one["deployment"]).stdout.splitlines()
    assert canary.in_text("\n".join(canary.printed)) == set()
    assert holding([lab.root / "controller"], canary.words) == set()


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


def is_nowhere_it_must_not_be(canary: Canary, lab: Lab, perhaps: str = "") -> None:
    """No output, log, ledger or temporary file holds a secret, and of a host's files only those that may, which do.

    Whether *perhaps* has reached the hosts is a matter of luck.
    """
    assert canary.in_text("\n".join(canary.printed)) == set()
    here = [lab.root / "controller", lab.root / "logs", canary.folder / "bundle", canary.folder / "tmp"]
    assert holding(here, canary.words) == set()
    for host in HOSTS:
        found = on_host(lab, host, canary.words)
        assert {one for one in found if one[0] in NOWHERE or not allowed(one[1])} == set(), host
        arrived = {kind for kind, path in found if "/secrets/" in path}
        assert arrived | {perhaps} >= {kind for kind in canary.words if kind not in NOWHERE}, host
    left = [lab.exec(host, "ls -d /dev/shm/lading* /tmp/lading* 2>/dev/null || true").stdout for host in HOSTS]
    assert left == ["", ""]


def asked_for_everything(canary: Canary) -> None:
    """All that can be printed about the app."""
    name = canary.app.name
    for words in (["where", name], ["where", name, "--json"], ["drift", name, "--json"], ["history", name],
                  ["logs", name, "--to", "web1,web2"], ["check", "production"], ["ledger", "verify", "--hosts"], ["ledger", "export"]):
        canary.lading(*words)
    told = json.loads(canary.lading("history", name, "--json").stdout)
    assert told
    for row in told:
        canary.lading("show", row["deployment"])
        canary.lading("show", row["deployment"], "--json")


def test_no_secret_is_anywhere_it_must_not_be(canary: Canary, lab: Lab) -> None:  # issue 3, Secrets
    app = canary.app
    with processes_watched(canary):
        to = ("--to", "web1,web2", "--yes")
        canary.lading("plan", "--version", "1.0.0", "--to", "web1,web2", "--json")
        first = canary.lading("deploy", "--version", "1.0.0", *to)
        canary.lading("deploy", "--version", "1.2.0", *to, code=5)
        (app.folder / "web.env").write_text(f"TOKEN={canary.words['later']}\n")
        canary.lading("plan", "--version", "1.1.0", "--to", "web1,web2")
        canary.lading("deploy", "--version", "1.1.0", *to, "--json")
        canary.lading("rollback", app.name, *to)
        canary.lading("bundle", "--version", "1.1.0", "-o", str(canary.folder / "bundle"), "--json")
        asked_for_everything(canary)
    assert "web1 engine: POST /auth" in first.stderr
    assert "X-Registry-Auth: ***" in first.stderr
    assert " secret bytes>" in first.stderr
    is_nowhere_it_must_not_be(canary, lab)
    modes = [lab.exec(host, f"stat -c %a /var/lib/lading/apps/{app.name}/secrets /home/deploy/.lading/*/apps/{app.name}/secrets "
                      "2>/dev/null", check=False).stdout.split() for host in HOSTS]
    assert modes == [["2770"], ["700"]]  # web1's folder is shared by the group docker, who are root there anyway


@pytest.mark.parametrize("moment", some(["web1       roll begins", "web1       stage begins"]))
def test_a_killed_controller_leaves_no_secret_behind(moment: str, canary: Canary, lab: Lab) -> None:
    """In the middle of upload and pull, and while containers change; before anybody cleans up, and afterwards."""
    to = ("--to", "web1,web2", "--yes")
    with processes_watched(canary):
        canary.lading("deploy", "--version", "1.0.0", *to)
        (canary.app.folder / "web.env").write_text(f"TOKEN={canary.words['later']}\nOLD={canary.words['env']}\n")
        canary.killed("deploy", "--version", "1.1.0", *to, at=moment)
    is_nowhere_it_must_not_be(canary, lab, perhaps="later" if "stage" in moment else "")
    with processes_watched(canary):
        canary.lading("resume", canary.app.name)
        canary.lading("deploy", "--version", "1.1.0", *to, "--take-lease")
        asked_for_everything(canary)
    is_nowhere_it_must_not_be(canary, lab)
