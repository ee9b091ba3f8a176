"""What `make bench-scale` compares: each variant's command line for some hosts and a version, and how its verdict is read."""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lab_variants import TUNED
from long_history import COUNT
from measure import Measured
from scale_report import LADING, LONG_HISTORY
from scale_scene import BENCH, LONG_HISTORY_HOSTS, REGISTRY, Scene, address

AT_ONCE = 32  # raw OpenSSH clients
RAW = """umask 077; printf %s {compose} >docker-compose.yml && printf %s {password} |
docker login -u ci --password-stdin {registry} >/dev/null && VERSION={version} docker compose -p raw -f docker-compose.yml up -d --wait
"""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to bring an app to a version on hosts. *upto*: the most hosts it is tried on; *wrong*: what its output says
    against it; *app*: what lading calls its app, "" for the others; *destination*: where lading brings it, for one project
    cannot be two apps in one destination; *long_history*: many deployments were made before."""

    name: str
    what: str
    argv: Callable[[Scene, int, str], list[str]]
    wrong: Callable[[Measured, int], str] = lambda done, size: ""
    app: str = ""
    destination: str = ""
    upto: int = 1_000_000
    environment: Mapping[str, str] = field(default_factory=dict)
    long_history: bool = False

    def home(self, scene: Scene, size: int) -> dict[str, str]:
        """The home folder of its controller, with a ledger of its own where that is long."""
        return {"HOME": str(scene.home(self.app.format(size=size)))} if self.long_history else {}


def _lading(app: str, destination: str) -> Callable[[Scene, int, str], list[str]]:
    def argv(_: Scene, size: int, version: str) -> list[str]:
        return ["lading", "deploy", "--version", version, "--to", destination.format(size=size),
                "--app", app.format(size=size), "--yes", "--json"]

    return argv


def _committed(done: Measured, size: int) -> str:
    """Every host of the document succeeded, and the whole did."""
    try:
        said = json.loads(done.output)
        good = [host["result"] for host in said["hosts"].values()].count("succeeded")
    except (ValueError, LookupError):
        return "no document"
    return "" if said["result"] == "succeeded" and good == size else f"{said['result']}: {good} of {size} hosts succeeded"


def _raw(scene: Scene, size: int, version: str) -> list[str]:
    compose = (scene.folder / "project/docker-compose.yml").read_text()
    script = scene.folder / f"raw-{version}"
    script.write_text(RAW.format(compose=shlex.quote(compose), password=scene.password, registry=REGISTRY, version=version))
    hosts = " ".join(address(number) for number in range(1, size + 1))
    one = f'exec ssh -F {scene.folder}/ssh_config "$1" sh -s <{script}'
    return ["sh", "-c", f"printf '%s\\n' {hosts} | xargs -P {AT_ONCE} -n 1 sh -c {shlex.quote(one)} x"]


def _playbook(scene: Scene, size: int, version: str) -> list[str]:
    more = [f"version={version}", f"compose_file={scene.folder}/project/docker-compose.yml", "file=/tmp/bench-{{ inventory_hostname }}.yml"]
    return ["ansible-playbook", "-i", str(scene.folder / "inventory"), "-l", f"n{size}",
            *(word for pair in more for word in ("-e", pair)), str(BENCH / "playbooks/article.yml")]


VARIANTS = (
    Variant(LADING, "`lading deploy --version V --to HOSTS --yes`, every guarantee on", _lading("app-{size}", "n{size}"), _committed,
            "app-{size}", "n{size}"),
    Variant(LONG_HISTORY, f"the same after {COUNT:,} deployments of the app, in the hosts' journals and in the ledger",
            _lading("old-{size}", "old-n{size}"), _committed, "old-{size}", "old-n{size}", upto=LONG_HISTORY_HOSTS, long_history=True),
    Variant("raw OpenSSH", f"file, login and `docker compose up` in one script on `ssh HOST sh -s`, {AT_ONCE} at a time, "
            "KexAlgorithms=curve25519-sha256", _raw),
    Variant("ansible", "`playbooks/article.yml`, the five tasks of the article; forks 50, pipelining, no facts", _playbook,
            upto=50, environment=TUNED),
)
