"""What `make bench-scale` compares: each variant's command line for some hosts and a version, and how its verdict is read."""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lab_variants import TUNED
from long_history import COUNT
from measure import Measured
from scale_report import OLD, YOUNG
from scale_scene import BENCH, OLD_UPTO, REGISTRY, Scene, address

APP, OLD_APP = "app-{size}", "old-{size}"
AT_ONCE = 32  # raw OpenSSH clients
RAW = """umask 077; printf %s {compose} >docker-compose.yml && printf %s {password} |
docker login -u ci --password-stdin {registry} >/dev/null && VERSION={version} docker compose -p raw -f docker-compose.yml up -d --wait
"""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to bring an app to a version on hosts. *upto*: the most hosts it is tried on; *wrong*: what its output says
    against it; *app*: what lading's own records on the hosts are called, "" for the others; *old*: a thousand deployments
    were made before."""

    name: str
    what: str
    argv: Callable[[Scene, int, str], list[str]]
    wrong: Callable[[Measured, int], str] = lambda done, size: ""
    app: str = ""
    upto: int = 1_000_000
    environment: Mapping[str, str] = field(default_factory=dict)
    old: bool = False


def destination(size: int, *, old: bool) -> str:
    """That of lading's app on the first hosts; of one project no destination has two apps."""
    return f"old-n{size}" if old else f"n{size}"


def _lading(*, old: bool) -> Callable[[Scene, int, str], list[str]]:
    def argv(_: Scene, size: int, version: str) -> list[str]:
        app = (OLD_APP if old else APP).format(size=size)
        return ["lading", "deploy", "--version", version, "--to", destination(size, old=old), "--app", app, "--yes", "--json"]

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
    Variant(YOUNG, "`lading deploy --version V --to HOSTS --yes`, every guarantee on", _lading(old=False), _committed, APP),
    Variant(OLD, f"the same after {COUNT:,} deployments of the app, in the hosts' journals and in the ledger",
            _lading(old=True), _committed, OLD_APP, upto=OLD_UPTO, old=True),
    Variant("raw OpenSSH", f"file, login and `docker compose up` in one script on `ssh HOST sh -s`, {AT_ONCE} at a time, "
            "KexAlgorithms=curve25519-sha256", _raw),
    Variant("ansible", "`playbooks/article.yml`, the five tasks of the article; forks 50, pipelining, no facts", _playbook,
            upto=50, environment=TUNED),
)
