"""How each key of a Compose file is carried out: by the host's Compose, by lading, not at all, or refused; docs/compose.md (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any

from lading.compose import keys, recipes
from lading.dataclass import dataclass

HOST, LADING, OWN, LEFT, REFUSED = "host", "lading", "own", "left out", "refused"
KINDS = {
    HOST: "the Compose of the host carries it out, as written",
    LADING: "lading carries it out, or a part of it, besides the host's Compose",
    OWN: "Compose's own: it has its effect when files are merged, or in commands that lading does not run",
    LEFT: "not carried out; the plan says so where it would make a difference",
    REFUSED: "refused, by the plan already",
}


@dataclass(frozen=True, slots=True)
class Handling:
    """What becomes of a key: one of KINDS, and in words how or why."""

    kind: str
    says: str = ""


IN_PLACE = "containers are replaced in place (stop-first)"
TAKEN_BACK = "a deployment that fails is always rolled back"
ALL_HOSTS = "it runs on every host of the destination"
_SWARM = Handling(OWN, "only Docker Swarm reads it")
_NO_SWARM = Handling(REFUSED, "only Docker Swarm has it: Compose refuses it too where a service uses it")
_DEPLOY = "services.*.deploy"
_FOUND: dict[str, Handling] = {
    "name": Handling(LADING, "the app's name, in small letters as with Compose; COMPOSE_PROJECT_NAME of a tracked .env comes first"),
    "version": Handling(OWN, "obsolete: it means nothing"),
    "include": Handling(OWN, "what it names ships; remote files are refused"),
    "services.*.extends": Handling(OWN, "what it names ships; remote files are refused"),
    "services.*.attach": Handling(OWN, "for `docker compose up` in a terminal"),
    "services.*.develop": Handling(OWN, "for `docker compose watch`"),
    "services.*.build": Handling(LADING, "`lading build` reads it; hosts build nothing"),
    "services.*.image": Handling(LADING, "its tag becomes a digest, which hosts pull; without `image:` a service is refused"),
    "services.*.container_name": Handling(HOST, "refused with more than one replica"),
    "services.*.depends_on": Handling(LADING, "order, conditions and `restart: true`"),
    "services.*.env_file": Handling(LADING, "ships as a secret, tracked or not; read as Compose reads it, `format: raw` too"),
    "services.*.label_file": Handling(LADING, "ships; its labels go to the container"),
    "services.*.environment": Handling(HOST, "a bare name is passed on if it is given"),
    "services.*.configs": Handling(LADING, "files that Git tracks ship; a changed one recreates the container"),
    "services.*.runtime": Handling(HOST, "refused by the plan where the engine does not know it"),
    "services.*.external_links": Handling(HOST, "refused by the plan where there is no such container"),
    "services.*.network_mode": Handling(HOST, "`container:NAME`: refused by the plan where there is no such container"),
    "services.*.security_opt": Handling(LADING, "seccomp profiles of relative paths ship; those of absolute ones must be on the host"),
    "services.*.secrets": Handling(LADING, "files ship as secrets; a changed one recreates the container"),
    "services.*.healthcheck": Handling(LADING, "carried out by Docker; a deployment waits for it"),
    "services.*.networks": Handling(LADING, "a network that changes is made anew, its services with it"),
    "services.*.ports": Handling(LADING, "a port that others have refuses the deployment; no fixed one with more than one replica"),
    "services.*.profiles": Handling(LADING, "`--profile`, `profiles:` of the destination, COMPOSE_PROFILES of a tracked .env; what is left out is named"),
    "services.*.provider": Handling(REFUSED, "it is a program on the host, outside containers"),
    "services.*.pull_policy": Handling(LADING, "hosts pull by digest, before anything is stopped; `never`: no registry is asked, each host must have the image, or is sent it (`--push-images`)"),
    "services.*.pull_refresh_after": Handling(OWN, "digests do not move; `--refresh` looks tags up anew"),
    "services.*.restart": Handling(LADING, "carried out by Docker; it decides whether an end is a failure"),
    "services.*.scale": Handling(LADING, "containers on each host"),
    "services.*.stop_grace_period": Handling(LADING, "carried out by Docker; time-outs heed it"),
    "services.*.volumes": Handling(LADING, "relative paths: what Git tracks ships, the rest is the host's; volumes stay"),
    _DEPLOY: Handling(LADING, "by its parts"),
    f"{_DEPLOY}.replicas": Handling(LADING, "containers on each host"),
    f"{_DEPLOY}.mode": Handling(LADING, "`global` is one container on each host"),
    f"{_DEPLOY}.restart_policy": Handling(LADING, "counts more than `restart:`, as with Compose; without a condition nothing is restarted"),
    f"{_DEPLOY}.restart_policy.delay": _SWARM,
    f"{_DEPLOY}.restart_policy.window": _SWARM,
    f"{_DEPLOY}.endpoint_mode": _SWARM,
    f"{_DEPLOY}.labels": _SWARM,
    f"{_DEPLOY}.resources.reservations.generic_resources": _SWARM,
    f"{_DEPLOY}.placement": Handling(LEFT, ALL_HOSTS),
    f"{_DEPLOY}.update_config": Handling(LADING, "by its parts"),
    f"{_DEPLOY}.update_config.parallelism": Handling(LADING, "hosts at a time"),
    f"{_DEPLOY}.update_config.delay": Handling(LADING, "between batches of hosts"),
    f"{_DEPLOY}.update_config.monitor": Handling(LADING, "how long a container must stay good"),
    f"{_DEPLOY}.update_config.order": Handling(LEFT, IN_PLACE),
    f"{_DEPLOY}.update_config.failure_action": Handling(LEFT, TAKEN_BACK),
    f"{_DEPLOY}.update_config.max_failure_ratio": Handling(LEFT, "one failure is enough"),
    f"{_DEPLOY}.rollback_config": Handling(LADING, "by its parts"),
    f"{_DEPLOY}.rollback_config.parallelism": Handling(LADING, "hosts at a time, on the way back"),
    f"{_DEPLOY}.rollback_config.delay": Handling(LADING, "between batches of hosts, on the way back"),
    f"{_DEPLOY}.rollback_config.monitor": Handling(LEFT, "the way back judges as the way forth"),
    f"{_DEPLOY}.rollback_config.order": Handling(LEFT, IN_PLACE),
    f"{_DEPLOY}.rollback_config.failure_action": Handling(LEFT, "a way back that fails is told, never forced"),
    f"{_DEPLOY}.rollback_config.max_failure_ratio": Handling(LEFT, "one failure is enough"),
    "networks": Handling(LADING, "a changed definition is a step of the plan"),
    "volumes": Handling(LADING, "a changed definition is refused, with what to do by hand"),
    "configs.*.external": _NO_SWARM,
    "configs.*.template_driver": _NO_SWARM,
    "secrets.*.external": _NO_SWARM,
    "secrets.*.driver": _NO_SWARM,
    "secrets.*.driver_opts": _NO_SWARM,
    "secrets.*.template_driver": _NO_SWARM,
    "configs.*.file": Handling(LADING, "ships; it must be in Git, or named by `x-lading.data`"),
    "secrets.*.file": Handling(LADING, "ships as a secret, tracked or not"),
    "configs.*.content": Handling(HOST, "with its variables filled in"),
    "configs.*.environment": Handling(HOST, "the variable must be given"),
    "secrets.*.environment": Handling(HOST, "the variable must be given"),
}


def _build(name: str) -> Handling:
    """What becomes of a key of `build:`."""
    if name in {*recipes.TAKEN, *recipes.FLAGS, *recipes.WORDS, *recipes.LISTS}:
        return Handling(LADING, "`lading build` carries it out; hosts build nothing")
    return Handling(LEFT, "`lading build` refuses it: build and push with docker compose; hosts build nothing")


def of(key: str) -> Handling:
    """What becomes of a key, by its dotted path in keys.TABLE or keys.ABOVE."""
    if key in _FOUND:
        return _FOUND[key]
    if key in keys.ABOVE:
        above = of(keys.ABOVE[key])
        return Handling(above.kind, f"as `{keys.ABOVE[key].rpartition('.')[2]}`") if above.kind != HOST else Handling(HOST)
    lead, _, name = key.rpartition(".")
    return _build(name) if lead == "services.*.build" else Handling(HOST)


def table() -> dict[str, Handling]:
    """All keys, in their order."""
    return {key: of(key) for key in sorted({*keys.TABLE, *keys.ABOVE})}


def refused(tree: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str, str], Handling]]:
    """The refused keys of a project in Compose's normal form: section, name and key, and why.

    A config or secret counts only if a service uses it, as with Compose.
    """
    used = {kind: _used(tree, kind) for kind in ("configs", "secrets")}
    for section in ("services", "configs", "secrets"):
        for name, one in (tree.get(section) or {}).items():
            if name not in used.get(section, {name}):
                continue
            for key, value in (one or {}).items():
                found = of(f"{section}.*.{key}")
                if found.kind == REFUSED and keys.is_set(value):
                    yield (section, str(name), str(key)), found


def _used(tree: Mapping[str, Any], kind: str) -> set[str]:
    """The configs or secrets that services use."""
    lists = [service.get(kind) or () for service in (tree.get("services") or {}).values()]
    return {str(one["source"]) for many in lists for one in many}
