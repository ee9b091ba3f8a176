"""The scene of `make bench`: a lab of its own, two apps that take turns, and the state from which each run starts.

lading refuses a project that somebody else's Compose made, so there are two: `bench` for all the others and `lading-bench`.
Both publish port 8080, so that one of them stands still while the other is upgraded; neither disturbs the other's run.
"""

import functools
import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import measure
from labkit import builder, cgroup, cluster, controller, host, process
from labkit.state import Lab
from labkit.topology import BUILDER, Options, web_host

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
USER = "alice"  # whose shell is bash on every host; `deploy` has other shells on some
VERSIONS = {"bench": ("o1", "o2"), "lading-bench": ("l1", "l2")}  # project → the two versions it goes between
PREPARE = """set -e
docker ps -aq --filter label=com.docker.compose.project=OTHER | xargs -r docker stop >/dev/null
c=$(docker ps -aq --filter label=com.docker.compose.project=MINE)
[ -n "$c" ] || { echo none; exit 0; }
docker start $c >/dev/null
n=0; while [ "$(docker inspect -f '{{.State.Health.Status}}' $c)" != healthy ]; do n=$((n + 1)); [ $n -lt 150 ]; sleep 0.2; done
docker inspect -f '{{range .Config.Env}}{{println .}}{{end}}' $c | sed -n s/APP_VERSION=//p
"""
FORGET = "i=$(docker image inspect -f '{{.Id}}' IMAGE 2>/dev/null) || exit 0; docker image rm -f $i >/dev/null"
LOOK = "docker image inspect IMAGE >/dev/null 2>&1 && echo there || echo absent"
CHECK = """docker ps --filter label=com.docker.compose.project=MINE --format '{{.Status}}'
curl -s http://127.0.0.1:8080/"""


class Scene:
    """A running lab with images, and open connections of our own for everything that is not measured."""

    def __init__(self, name: str, hosts: int) -> None:
        self.lab = Lab(name)
        self.hosts = [web_host(number).name for number in range(1, hosts + 1)]
        self.folder = self.lab.root / "bench"
        self.images: dict[str, str] = {}  # version → reference by digest

    def up(self) -> None:
        """Make the lab, the images, the fleet file and the inventory, and put the old version everywhere."""
        cluster.up(self.lab, Options(len(self.hosts), staging=False))
        self.folder.mkdir(exist_ok=True)
        self._images()
        fleet = (self.lab.fleet / "lading.yaml").read_text().replace("user: deploy", f"user: {USER}")
        (self.lab.fleet / "bench.yaml").write_text(fleet)
        login = builder.login_file(self.lab.running().password)
        (self.lab.root / "controller/docker/config.json").write_text(login)
        self._masters()
        compose = (BENCH / "app/docker-compose.yml").read_text()
        self.each(self.hosts, f"mkdir -p bench .docker; printf %s {shlex.quote(compose)} >bench/docker-compose.yml; "
                  f"printf %s {shlex.quote(login)} >.docker/config.json; chmod 600 .docker/config.json")
        for version in self.images:
            self.each(self.hosts, f"docker pull -q registry.lab:5000/bench:{version}")
        self.each(self.hosts, "docker ps -q | xargs -r docker stop")
        self.each(self.hosts, f"cd bench && export VERSION={VERSIONS['bench'][0]} && docker compose -p bench up -d --wait && "
                  "docker compose -p bench stop")
        self.json("lading", "deploy", "--version", VERSIONS["lading-bench"][0], "--to", ",".join(self.hosts), "--app", "lading-bench",
                  "--yes", "--json")

    def down(self) -> None:
        """Nothing is left."""
        cluster.down(self.lab)

    def _images(self) -> None:
        context = self.folder / "context"
        context.mkdir(exist_ok=True)
        for name in ("Dockerfile", "app"):
            (context / name).write_bytes((BENCH / "app" / name).read_bytes())
            (context / name).chmod((BENCH / "app" / name).stat().st_mode)
        (context / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
        (context / "busybox").chmod(0o755)
        builder.ensure_builder(self.lab)
        for version in (version for pair in VERSIONS.values() for version in pair):
            (context / f"pad-{version}").write_bytes(os.urandom(4 * 1024 * 1024))
            build = builder.Build(str(context), f"registry.lab:5000/bench:{version}", [f"VERSION={version}"])
            self.images[version] = builder.build_and_push(self.lab, build)
        host.power_off(self.lab, BUILDER)

    def control_path(self, name: str) -> str:
        """The socket of the open connection to a host."""
        return str(self.folder / f"ssh-{name}")

    def _masters(self) -> None:
        for name in self.hosts:
            words = ["ssh", "-MNf", "-o", f"ControlPath={self.control_path(name)}", f"{USER}@{name}"]
            subprocess.run(self.argv(words), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           preexec_fn=functools.partial(cgroup.enter, self.lab.layout, self.lab.name, "bench-masters"))

    def argv(self, words: Sequence[str], cwd: Path | None = None) -> list[str]:
        """The command line that runs a command on the controller."""
        running = process.recorded(self.lab.pid_file(controller.NAME))
        if running is None:
            raise RuntimeError("the controller is gone")
        return ["nsenter", "-t", str(running.pid), "-n", "-m", "-u", "--", "/usr/bin/env", "-C", str(cwd or BENCH / "app"), "--", *words]

    def environment(self) -> dict[str, str]:
        """The environment of the controller's commands."""
        own = controller.environment(self.lab, self.lab.running())
        own |= {"LADING_CONFIG": str(self.lab.fleet / "bench.yaml"), "LC_ALL": "C.UTF-8", "CI": None,
                "PYTHONDONTWRITEBYTECODE": None,  # an installed program is compiled once, not at each start
                "PATH": f"{ROOT / '.venv-bench/bin'}:{ROOT / '.venv/bin'}:{process.CLEAN_ENVIRONMENT['PATH']}"}
        merged = {**{k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")}, **own}
        return {name: value for name, value in merged.items() if value is not None}

    def each(self, hosts: Sequence[str], line: str) -> dict[str, str]:
        """Run a line on hosts at once, over the open connections; what each said.

        Raises:
            RuntimeError: it failed on one.
        """
        started = {
            host: subprocess.Popen(
                self.argv(["ssh", "-o", f"ControlPath={self.control_path(host)}", f"{USER}@{host}", line]), text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment(),
            ) for host in hosts
        }
        said = {host: one.communicate(timeout=300)[0].strip() for host, one in started.items()}
        wrong = [f"{host}: {said[host]}" for host, one in started.items() if one.returncode]
        if wrong:
            raise RuntimeError(f"{line}\n" + "\n".join(wrong))
        return said

    def start(self, project: str, hosts: Sequence[str], *, present: bool) -> str:
        """The old version of *project* healthy on *hosts*, everything else at rest; the version to upgrade to.

        Raises:
            RuntimeError: the hosts do not agree on the old version, or the image is not as it should be.
        """
        other = next(name for name in VERSIONS if name != project)
        idle = [host for host in self.hosts if host not in hosts]
        if idle:
            self.each(idle, "docker ps -q | xargs -r docker stop >/dev/null")
        found = set(self.each(hosts, PREPARE.replace("OTHER", other).replace("MINE", project)).values())
        if len(found) != 1:
            raise RuntimeError(f"different versions of {project} run: {found}")
        old = found.pop()
        new = next(version for version in VERSIONS[project] if version != old)
        if not present:
            self.each(hosts, FORGET.replace("IMAGE", self.images[new]))
        seen = set(self.each(hosts, LOOK.replace("IMAGE", self.images[new])).values())
        if seen != {"there" if present else "absent"}:
            raise RuntimeError(f"image {new} should be {'there' if present else 'absent'}: {seen}")
        return new

    def wrong(self, project: str, hosts: Sequence[str], version: str) -> str:
        """What is wrong after a run, or "": every host must be healthy and answer with the new version."""
        said = self.each(hosts, CHECK.replace("MINE", project))
        return "; ".join(f"{host}: {text!r}" for host, text in said.items()
                         if "(healthy)" not in text or text.splitlines()[-1] != f"bench {version}")

    def host_cpu(self, hosts: Sequence[str]) -> float:
        """Seconds of CPU that these hosts took since they were started."""
        return sum(measure.cpu(self.lab.layout, self.lab.name, host) for host in hosts)

    def json(self, *words: str) -> object:
        """The JSON document that a command on the controller prints."""
        done = subprocess.run(self.argv(words), env=self.environment(), text=True, capture_output=True, check=True)
        return json.loads(done.stdout)
