"""Compose's normal form as typed services, and what lading refuses of it (pure)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lading.compose import images, project, variables

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def seconds(text: Any) -> float:
    """A duration as Compose writes it (`1m30s`) in seconds."""
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"(\d+(?:\.\d*)?|\.\d+)(h|ms|us|µs|ns|m|s)", str(text)))


def service(
    name: str, resolved: Mapping[str, Any], raw: Mapping[str, Any], masked: Mapping[str, Any],
    used: Iterable[str],
) -> project.Service:
    """One service of Compose's normal form (*resolved*), from its text before interpolation (*raw*), its definition
    (*masked*) and the variables that it uses."""
    restart = restart_policy(resolved)
    return project.Service(
        name=name,
        image=variables.plain_text(resolved.get("image") or ""),
        definition=masked,
        ports=tuple(_port(port) for port in resolved.get("ports") or ()),
        mounts=mounts(resolved),
        networks=tuple(resolved.get("networks") or ()),
        configs=tuple(_file_ref(one, "/") for one in resolved.get("configs") or ()),
        secrets=tuple(_file_ref(one, "/run/secrets/") for one in resolved.get("secrets") or ()),
        env_files=tuple(raw.get("env_file") or ()),
        depends_on={key: str(one.get("condition", "")) for key, one in (resolved.get("depends_on") or {}).items()},
        restarts_with=tuple(sorted(key for key, one in (resolved.get("depends_on") or {}).items() if one.get("restart"))),
        tied_to=tied_to(resolved),
        restart=restart,
        restart_written=bool(restart),
        health=health(resolved.get("healthcheck")),
        stop_grace=seconds(resolved["stop_grace_period"]) if "stop_grace_period" in resolved else 10.0,
        replicas=replicas(resolved),
        rollout=_rollout((resolved.get("deploy") or {}).get("update_config")),
        way_back=_rollout((resolved.get("deploy") or {}).get("rollback_config")),
        profiles=tuple(resolved.get("profiles") or ()),
        platform=str(resolved.get("platform") or ""),
        has_build=bool(resolved.get("build")),
        variables=tuple(sorted(used)),
        elsewhere=images.elsewhere(raw, resolved),
        seccomp=seccomp(resolved),
    )


def replicas(resolved: Mapping[str, Any]) -> int:
    """How many containers of a service run on one host."""
    deploy = resolved.get("deploy") or {}
    if deploy.get("mode") in ("global", "global-job"):
        return 1
    return int(resolved.get("scale", deploy.get("replicas", 1)))


def mounts(resolved: Mapping[str, Any]) -> tuple[project.Mount, ...]:
    """All mounts of a service: `volumes:` and `tmpfs:`."""
    listed = [
        project.Mount(
            kind=str(one.get("type", "volume")),
            source=variables.plain_text(str(one.get("source") or "")),
            target=variables.plain_text(str(one.get("target") or "")),
            read_only=bool(one.get("read_only")),
            options=_bind_options(one.get("bind") or {}),
        )
        for one in resolved.get("volumes") or ()
    ]
    memory = [project.Mount("tmpfs", "", str(one).partition(":")[0]) for one in resolved.get("tmpfs") or ()]
    return tuple(listed + memory)


def _bind_options(written: Mapping[str, Any]) -> Mapping[str, Any]:
    """Options of a bind mount to say again where it is written anew; Compose 5 leaves `create_host_path: true` out."""
    options = {"create_host_path": True} | {key: value for key, value in written.items() if not key.startswith("x-")}
    return options if options != {"create_host_path": True} else {}


def _port(port: Mapping[str, Any]) -> project.Port:
    return project.Port(
        target=int(port["target"]),
        published=str(port.get("published") or ""),
        protocol=str(port.get("protocol") or "tcp"),
        host_ip=str(port.get("host_ip") or ""),
    )


def _file_ref(one: Mapping[str, Any], folder: str) -> project.FileRef:
    target = str(one.get("target") or one["source"])
    return project.FileRef(str(one["source"]), target if target.startswith("/") else folder + target)


def restart_policy(resolved: Mapping[str, Any]) -> str:
    """The restart policy in the words of `restart:`; "" if nothing is written.

    As with Compose, `deploy.restart_policy` counts more than `restart:`, and without a condition nothing is restarted.
    """
    policy = (resolved.get("deploy") or {}).get("restart_policy")
    if policy is None:
        return str(resolved.get("restart") or "")
    condition = str(policy.get("condition") or "no")
    attempts = f":{policy['max_attempts']}" if condition == "on-failure" and policy.get("max_attempts") else ""
    return {"none": "no", "any": "always"}.get(condition, condition) + attempts


def seccomp(resolved: Mapping[str, Any]) -> tuple[str, ...]:
    """The files with the seccomp profiles of a service, which Compose reads where it is run."""
    found = []
    for option in resolved.get("security_opt") or ():
        kind, _, path = variables.plain_text(str(option)).replace("=", ":", 1).partition(":")
        if kind == "seccomp" and path not in ("", "unconfined", "builtin"):
            found.append(path)
    return tuple(found)


def named(service: Mapping[str, Any], kind: str) -> Iterator[tuple[str, str]]:
    """The services or containers (*kind*: "service" or "container") whose namespaces and volumes a service uses.

    Each comes with the key that names it; in `volumes_from`, a name without a kind is a service's.
    """
    for key in ("network_mode", "ipc", "pid"):
        written, _, name = str(service.get(key) or "").partition(":")
        if written == kind:
            yield key, name
    for one in service.get("volumes_from") or ():
        name, _, rest = str(one).partition(":")
        if name != "container" and kind == "service":
            yield "volumes_from", name
        if name == "container" and kind == "container":
            yield "volumes_from", rest.partition(":")[0]


def tied_to(resolved: Mapping[str, Any]) -> tuple[str, ...]:
    """The services whose containers this one's are made on."""
    return tuple(sorted({name for _, name in named(resolved, "service")}))


def health(check: Mapping[str, Any] | None) -> project.Health | None:
    """The times of a health check; None without one."""
    if not check or check.get("disable") or check.get("test") == ["NONE"]:
        return None
    return project.Health(
        interval=seconds(check.get("interval")) or 30.0,
        timeout=seconds(check.get("timeout")) or 30.0,
        retries=int(check.get("retries") or 3),
        start_period=seconds(check.get("start_period")),
    )


def _rollout(config: Mapping[str, Any] | None) -> project.Rollout | None:
    if config is None:
        return None
    standard = project.Rollout()
    return project.Rollout(
        parallelism=int(config.get("parallelism", 1)),
        monitor=seconds(config["monitor"]) if "monitor" in config else standard.monitor,
        delay=seconds(config.get("delay")),
    )
