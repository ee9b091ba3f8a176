"""What `make bench` compares: each variant's command line for some hosts and a version (pure but for written inventories)."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab_scene import BENCH, USER, Scene

UP = "cd bench && VERSION={version} docker compose -p bench --progress quiet up -d --wait"


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to bring an app to a version on some hosts; *what* says it for the page."""

    name: str
    what: str
    argv: Callable[[Scene, Sequence[str], str], list[str]]
    project: str = "bench"
    environment: Mapping[str, str] = field(default_factory=dict)


def at_once(lines: Sequence[str]) -> list[str]:
    """A shell that runs all *lines* at once and fails if one fails."""
    started = "".join(f"( {line} ) & pids=\"$pids $!\"\n" for line in lines)
    return ["bash", "-c", f"pids=; {started}rc=0; for p in $pids; do wait $p || rc=1; done; exit $rc"]


def _ssh(options: str) -> Callable[[Scene, Sequence[str], str], list[str]]:
    def argv(scene: Scene, hosts: Sequence[str], version: str) -> list[str]:
        line = shlex.quote(UP.format(version=version))
        return at_once([f"ssh -o ControlPath={options.format(path=scene.control_path(host))} {USER}@{host} {line}" for host in hosts])

    return argv


def _docker_host(_: Scene, hosts: Sequence[str], version: str) -> list[str]:
    return at_once([
        f"VERSION={version} DOCKER_HOST=ssh://{USER}@{host} docker compose -p bench --progress quiet up -d --wait" for host in hosts
    ])


def _playbook(name: str, *options: str) -> Callable[[Scene, Sequence[str], str], list[str]]:
    def argv(scene: Scene, hosts: Sequence[str], version: str) -> list[str]:
        inventory = Path(scene.folder) / "inventory"
        inventory.write_text("".join(f"{host} ansible_user={USER}\n" for host in hosts))
        more = ["-e", f"version={version}", "-e", f"compose_file={BENCH / 'app/docker-compose.yml'}"]
        return ["ansible-playbook", "-i", str(inventory), *options, *more, str(BENCH / "playbooks" / name)]

    return argv


def _lading(_: Scene, hosts: Sequence[str], version: str) -> list[str]:
    return ["lading", "deploy", "--version", version, "--to", ",".join(hosts), "--app", "lading-bench", "--take-over",
            "--yes", "--json"]


TUNED = {"ANSIBLE_FORKS": "50", "ANSIBLE_PIPELINING": "True", "ANSIBLE_GATHERING": "explicit"}
VARIANTS = (
    Variant("ssh warm", "`ssh HOST docker compose up -d --wait` on all hosts at once, over open ControlMaster connections", _ssh("{path}")),
    Variant("ssh cold", "the same, each with a connection of its own: the floor", _ssh("none")),
    Variant("lading", "`lading deploy --version V --to HOSTS --yes`, every guarantee on", _lading, "lading-bench"),
    Variant("DOCKER_HOST=ssh", "`DOCKER_HOST=ssh://HOST docker compose up -d --wait` on all hosts at once", _docker_host),
    Variant("ansible module tuned", "`playbooks/module.yml`: community.docker.docker_compose_v2; forks 50, pipelining, no facts",
            _playbook("module.yml"), environment=TUNED),
    Variant("ansible tuned", "`playbooks/article.yml`: the five tasks of the article; forks 50, pipelining, no facts",
            _playbook("article.yml"), environment=TUNED),
    Variant("ansible default", "the same with Ansible's defaults (forks 5)", _playbook("article.yml")),
)
