"""Two hosts, an app whose every phase can be held from outside, a bystander; and what is seen of them."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab_client import Done, Lab

HERE = Path(__file__).resolve().parent
HOSTS = ("web1", "web2")
TO = ",".join(HOSTS)
GOOD = ("1", "2")  # versions that work; every deployment goes from one to the other
BROKEN = "broken"  # a version that ends at once
APP = "chaos"
FAST = ", connect_timeout: 3, keepalive: 1, keepalive_count: 2"  # what `lab up --fast-keepalive` writes into lading.yaml
ONLY_SCRIPTS = "sed -i '1i AllowStreamLocalForwarding no\\nMaxSessions 1' /etc/ssh/sshd_config"
"""After it sshd carries one command at a time and nothing else, so that a host's engine is asked by scripts."""
BYSTANDER = "docker run -d --name bystander --restart always registry.lab:5000/chaos:store"
REST = f"""for S in /var/lib/lading /home/deploy/.lading/*; do A=$S/apps/{APP}; [ -d "$A" ] || continue
find "$A" -maxdepth 2 '(' -name 'incoming.*' -o -name 'answer.*' -o -name '*.new' -o -name '*.old' -o -name '*.err' \\
  -o -name again.yaml -o -name hook.yaml -o -name detached -o -name op.info ')'
sed -n 's/^state=held/the lease is held/p' "$A/lease"; done
ls -d /dev/shm/lading.* /run/user/*/lading.* 2>/dev/null
docker ps -a --format '{{{{.Names}}}}' | grep -E '^[0-9a-f]{{12}}_|-hook-'
docker network ls --format '{{{{.Name}}}}' | grep -e -hook-
pgrep -af 'dd bs=[0-9]* coun[t]='
true"""
SEEN = ("docker ps -a --no-trunc --format '{{.Label \"com.docker.compose.project\"}}|{{.Label \"com.docker.compose.service\"}}|"
        "{{.Names}}|{{.ID}}|{{.Image}}|{{.Status}}'")


class Red(Exception):
    """What was promised did not hold."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The containers of one host: *web*: (tag, status) of the app's web containers; *ids* of what no deployment may touch."""

    web: tuple[tuple[str, str], ...]
    ids: dict[str, str]


@dataclass
class Controller:
    """A deployment under way in a process of its own."""

    process: subprocess.Popen[str]
    said: list[dict[str, Any]] = field(default_factory=list)

    @property
    def deployment(self) -> str:
        """The id of the deployment, once it was held."""
        return str(self.said[-1]["deployment"]) if self.said else ""

    def held(self, limit: float = 90) -> None:
        """Wait until it stands at its event.

        Raises:
            Red: it ended without having come there.
        """
        self._next()
        if "held" not in self.said[-1]:
            raise Red(f"it never came to the event: {self.said[-1]} {self.process.communicate(timeout=limit)[1][-500:]}")

    def _next(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.said.append(json.loads(line) if line.strip() else {"gone": True})

    def go(self) -> None:
        """Let it go on."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write("go\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return

    def end(self, limit: float = 200) -> tuple[int, dict[str, Any]]:
        """Its exit code and the last thing it said.

        Raises:
            Red: it did not end.
        """
        try:
            out, err = self.process.communicate(timeout=limit)
        except subprocess.TimeoutExpired as late:
            raise Red(f"the controller did not end within {limit:.0f} s") from late
        if "Traceback" in err:
            raise Red(err[-1500:])
        said = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        return self.process.returncode, (said or [{"gone": True}])[-1]


class Scene:
    """One lab with the app on both hosts.

    *home*: where a controller that has never been here has its files; *settled*: the last deployment left all as it
    should be; *coming*: the version that is being deployed.
    """

    def __init__(self, name: str, *, only_scripts: bool = False) -> None:
        self.only_scripts = only_scripts
        self.coming = ""
        self.lab = Lab(name)
        self.folder = self.lab.root / "chaos"
        self.running: list[Controller] = []
        self.home: Path | None = None
        self.settled = False

    def up(self) -> None:
        """Make the lab, the images, the bystander."""
        self.heal()
        self.folder.mkdir(exist_ok=True)
        (self.folder / "blob").write_bytes(b"as it was")
        self.compose()
        context = self.folder / "context"
        shutil.copytree(HERE / "app", context, dirs_exist_ok=True)
        shutil.copy("/bin/busybox", context)
        for version in (*GOOD, BROKEN, "store"):
            (context / "pad").write_bytes(os.urandom(3 << 20))
            more = {"BROKEN": "1"} if version == BROKEN else {}
            self.lab.build(context, f"registry.lab:5000/chaos:{version}", VERSION=version, **more)
        self.lab.off("ci1")
        for host in HOSTS:
            login = f"printf %s {self.lab.password} | docker login -u ci --password-stdin registry.lab:5000"
            self.host(host, f"mkdir -p /srv/gate; {login} && docker pull -q registry.lab:5000/chaos:store && "
                      f"docker logout registry.lab:5000; {BYSTANDER}")
            if self.only_scripts:
                self.host(host, ONLY_SCRIPTS)
                self.lab.stop(host, "sshd")
                self.lab.start(host, "sshd")

    def heal(self) -> None:
        """Make the lab, or what of it is broken."""
        self.lab.up(len(HOSTS), "--no-staging", "--fast-keepalive", "--small-disk", "web2=1G")

    def keep_alive(self, which: str) -> None:
        """Notice a dead connection as the lab does (fast), or as lading does by itself (default)."""
        file = self.lab.fleet / "lading.yaml"
        text = file.read_text().replace(FAST, "")
        if which == "fast":
            text = text.replace("known_hosts: known_hosts", f"known_hosts: known_hosts{FAST}")
        if (FAST in text) != (which == "fast"):
            raise ValueError(f"{file} is another file than this was written for")
        file.write_text(text)

    def down(self) -> None:
        """Nothing is left."""
        for one in self.running:
            if one.process.poll() is None:
                one.process.kill()
                one.process.communicate()
        self.lab.down()

    def compose(self, *edits: tuple[str, str]) -> None:
        """Write the app's Compose file, with *edits*."""
        text = (HERE / "app/docker-compose.yml").read_text()
        for old, new in edits:
            if old not in text:
                raise ValueError(f"{old!r} is not in the Compose file")
            text = text.replace(old, new)
        (self.folder / "docker-compose.yml").write_text(text)

    def host(self, name: str, line: str, *, check: bool = True) -> str:
        """What a line of shell says on a host, as root."""
        return self.lab.exec(name, line, check=check).stdout

    def in_folder(self, name: str, line: str) -> str:
        """What a line of shell says in lading's folder of the app on a host, wherever that is."""
        where = f"cd $S/apps/{APP} 2>/dev/null || continue"
        return self.host(name, f"for S in /var/lib/lading /home/deploy/.lading/*; do {where}; {line}; done", check=False)

    def journal(self, name: str) -> list[dict[str, Any]]:
        """The last lines of the app's journal on a host."""
        lines = self.in_folder(name, "tail -n 60 journal").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def gate(self, host: str, name: str, *, shut: bool) -> None:
        """Hold the app at one of its places, or let it go (on a host that is off: later)."""
        with contextlib.suppress(*(() if shut else (AssertionError,))):
            self.host(host, f"touch /srv/gate/{name}" if shut else f"rm -f /srv/gate/{name}")

    def start(self, version: str, *holds: Sequence[str]) -> Controller:
        """A deployment that is held at the events of *holds*."""
        order = {"directory": str(self.folder), "version": version, "to": list(HOSTS), "hold": holds}
        argv = self.lab.run_argv(sys.executable, str(HERE / "held_controller.py"), json.dumps(order), options=self._home())
        pipe = subprocess.PIPE
        made = Controller(subprocess.Popen(argv, cwd=self.folder, text=True, stdin=pipe, stdout=pipe, stderr=pipe))
        self.running.append(made)
        return made

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start lading as a person does, and do not wait for its end."""
        return self.lab.popen(sys.executable, "-m", "lading", *words, cwd=self.folder, options=self._home())

    def lading(self, *words: str, timeout: float = 240) -> Done:
        """Run lading as a person does."""
        return self.lab.run(sys.executable, "-m", "lading", *words, check=False, cwd=self.folder, timeout=timeout,
                            options=self._home())

    def _home(self) -> list[str]:
        return ["--home", str(self.home)] if self.home else []

    def stranger(self) -> None:
        """From now on whoever calls lading is somebody else, with a ledger that knows nothing."""
        self.home = self.folder / f"home-{time.monotonic_ns()}"
        self.home.mkdir()
        (self.home / ".ssh").symlink_to("/root/.ssh")

    def seen(self, host: str) -> Seen:
        """What is on a host, without lading."""
        web, ids = [], {}
        for line in self.host(host, SEEN).splitlines():
            project, service, name, ident, image, status = line.split("|")
            if (project, service) == (APP, "web"):
                web.append((image.partition("@")[0].rpartition(":")[2], status))
            elif project == APP or name == "bystander":
                ids[service or name] = ident
        return Seen(tuple(web), ids)

    def left(self, host: str) -> str:
        """What of lading's a host holds that should not be there when nothing is under way."""
        return self.host(host, REST).strip()


def wait(condition: Callable[[], bool], what: str, limit: float = 60) -> None:
    """Wait until *condition* holds.

    Raises:
        Red: it did not within *limit* seconds.
    """
    until = time.monotonic() + limit
    while not condition():
        if time.monotonic() > until:
            raise Red(f"{what}: not within {limit:.0f} s")
        time.sleep(0.1)


def healthy(seen: Seen, version: str) -> bool:
    """Whether exactly one web container is there, of *version* and healthy."""
    return [tag for tag, _ in seen.web] == [version] and bool(re.search(r"\(healthy\)", seen.web[0][1]))
