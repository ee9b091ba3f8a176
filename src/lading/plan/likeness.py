"""How a running container differs from what a release wants, field by field, from `docker inspect` alone (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from lading.compose import services, variables
from lading.dataclass import dataclass

Found = tuple[str, str, str]  # field, what runs, what the file says; *** where it may be secret
HERE = "/@DIR@/"  # stands for the app's folder in what Compose made of the release
OWN = ("com.docker.compose.", "lading.", "desktop.docker.io")
COMPARED = frozenset((
    "cap_add", "cap_drop", "command", "configs", "container_name", "cpus", "domainname", "entrypoint", "environment",
    "extra_hosts", "healthcheck", "hostname", "image", "init", "ipc", "labels", "logging", "mem_limit", "network_mode",
    "networks", "pid", "ports", "privileged", "read_only", "restart", "secrets", "stdin_open", "stop_grace_period",
    "stop_signal", "tmpfs", "tty", "user", "volumes", "working_dir",
))
NO_MATTER = frozenset((
    "attach", "build", "depends_on", "deploy", "develop", "env_file", "expose", "platform", "profiles", "pull_policy", "scale",
))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen on a host besides containers. *images*: `docker image inspect` by id; *lies*: path of a mount →
    lines of what lies there, *wanted*: place below the app's folder → the same of the release; *same*: (place, path)
    that are one place on the host."""

    images: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lies: Mapping[str, Sequence[str]] = field(default_factory=dict)
    wanted: Mapping[str, Sequence[str]] = field(default_factory=dict)
    same: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount: *kind* as Docker names it; *source*: path, or the name of a volume ("" = anonymous)."""

    kind: str
    source: str
    read_only: bool = False


def unread(tree: Mapping[str, Any], name: str) -> list[str]:
    """What of a service is not compared, so that adopt can say so."""
    service = tree["services"][name]
    keys = [key for key, value in service.items() if value and key not in COMPARED | NO_MATTER and not key.startswith("x-")]
    keys += [f"networks.{key}" for key, value in (service.get("networks") or {}).items() if value]
    keys += [f"{kind}.{one['source']}" for kind in ("configs", "secrets") for one in service.get(kind) or ()
             if not ((tree.get(kind) or {}).get(one["source"]) or {}).get("file")]
    return sorted(keys)


def differences(
    tree: Mapping[str, Any], name: str, raw: Mapping[str, Any], seen: Evidence, image: str
) -> list[Found]:
    """Everything in which container *raw* is not what service *name* of *tree* wants; *image*: it by digest."""
    service = _plain(tree["services"][name])
    own = (seen.images.get(str(raw["Image"])) or {}).get("Config") or {}
    found = [*_image(raw, seen, image), *_scalars(service, raw, own), *_words(service, raw, own)]
    found += _named("environment", _environment(service, own), _pairs(raw["Config"].get("Env")))
    found += _named("label", {**_labels(own), **_labels({"Labels": service.get("labels")})}, _labels(raw["Config"]))
    found += _sets(tree, service, raw)
    return [*found, *_mounts(wanted_mounts(tree, service), seen_mounts(raw, own), seen)]


def _plain(value: Any) -> Any:
    """Compose's normal form without its escapes: `$$` is `$`."""
    if isinstance(value, str):
        return variables.plain_text(value)
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _image(raw: Mapping[str, Any], seen: Evidence, image: str) -> Iterator[Found]:
    name, _, digest = image.partition("@")
    digests = (seen.images.get(str(raw["Image"])) or {}).get("RepoDigests") or ()
    known = [one.partition("@")[2] for one in digests]
    if digest not in known:
        yield "image", f"{raw['Config'].get('Image')}" + (f" ({known[0][:19]})" if known else ""), f"{name} ({digest[:19]})"


def _scalars(service: Mapping[str, Any], raw: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[Found]:
    """What has one value, the image's where the file has none; texts that only count if the file has them come last."""
    config, host = raw["Config"], raw["HostConfig"]
    limits = ((service.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    restart = host.get("RestartPolicy") or {}
    retries = f":{restart['MaximumRetryCount']}" if restart.get("MaximumRetryCount") else ""
    pairs = [
        ("user", config.get("User") or "", service.get("user") or own.get("User") or ""),
        ("working_dir", config.get("WorkingDir") or "", service.get("working_dir") or own.get("WorkingDir") or ""),
        ("stop_signal", config.get("StopSignal") or "SIGTERM", service.get("stop_signal") or own.get("StopSignal") or "SIGTERM"),
        ("stop_grace_period", config.get("StopTimeout") or 10, round(services.seconds(service.get("stop_grace_period", "10s"))) or 10),
        ("restart", (restart.get("Name") or "no") + retries, services.restart_policy(service) or "no"),
        ("mem_limit", int(host.get("Memory") or 0), int(service.get("mem_limit") or limits.get("memory") or 0)),
        ("cpus", (host.get("NanoCpus") or 0) / 1e9, float(service.get("cpus") or limits.get("cpus") or 0)),
        *((key, bool(have), bool(service.get(key))) for key, have in (
            ("tty", config.get("Tty")), ("stdin_open", config.get("OpenStdin")), ("privileged", host.get("Privileged")),
            ("read_only", host.get("ReadonlyRootfs")), ("init", host.get("Init")))),
        *((key, have, service[key]) for key, have in (
            ("hostname", config.get("Hostname")), ("domainname", config.get("Domainname")),
            ("container_name", str(raw["Name"]).removeprefix("/")), ("pid", host.get("PidMode")), ("ipc", host.get("IpcMode")),
            ("network_mode", host.get("NetworkMode"))) if service.get(key) and ":" not in str(service[key])),
    ]
    yield from ((key, str(have), str(want)) for key, have, want in pairs if have != want)


def _words(service: Mapping[str, Any], raw: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[Found]:
    """Command, entrypoint and health check; what they say may be secret."""
    config = raw["Config"]
    entry = service.get("entrypoint")
    command = service.get("command") or (own.get("Cmd") if not entry else None)
    pairs = [("command", config.get("Cmd"), command),
             ("entrypoint", config.get("Entrypoint"), own.get("Entrypoint") if entry is None else entry),
             ("healthcheck", _checked(config.get("Healthcheck")), {**_checked(own.get("Healthcheck")), **_check(service)})]
    yield from ((key, "***", "changed") for key, have, want in pairs if (have or None) != (want or None))


def _checked(check: Mapping[str, Any] | None) -> dict[str, Any]:
    """A health check as Docker shows it, without what is not set."""
    keys = ("Test", "Interval", "Timeout", "Retries", "StartPeriod")
    return {key: value for key in keys if (value := (check or {}).get(key))}


def _check(service: Mapping[str, Any]) -> dict[str, Any]:
    """The same as the file has it."""
    check = service.get("healthcheck") or {}
    if check.get("disable"):
        return {"Test": ["NONE"]}
    times = (("Interval", "interval"), ("Timeout", "timeout"), ("StartPeriod", "start_period"))
    found = {key: round(services.seconds(check[word]) * 1e9) for key, word in times if word in check}
    return _checked({**found, "Test": check.get("test"), "Retries": check.get("retries")})


def _pairs(lines: Sequence[str] | None) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in lines or ())}


def _environment(service: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, str]:
    given = service.get("environment") or {}
    kept = {name: value for name, value in _pairs(own.get("Env")).items() if name not in given}
    return {**kept, **{name: str(value) for name, value in given.items() if value is not None}}


def _labels(config: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in (config.get("Labels") or {}).items() if not name.startswith(OWN)}


def _named(what: str, want: Mapping[str, str], have: Mapping[str, str]) -> list[Found]:
    """The names whose values differ; the values are not shown, whatever they are."""
    names = sorted(name for name in {*want, *have} if want.get(name) != have.get(name))
    return [(f"{what} {name}", "***" if name in have else "", "changed" if name in want else "not there") for name in names]


def _sets(tree: Mapping[str, Any], service: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[Found]:
    host = raw["HostConfig"]
    log = service.get("logging") or {}
    ports = {f"{p.get('host_ip') or ''}:{p.get('published') or ''}->{p['target']}/{p.get('protocol') or 'tcp'}"
             for p in service.get("ports") or ()}
    bound = {f"{one.get('HostIp') or ''}:{one.get('HostPort') or ''}->{port}"
             for port, each in (host.get("PortBindings") or {}).items() for one in each or ()}
    pairs: list[tuple[str, set[str], set[str]]] = [
        ("ports", bound, ports),
        *((key, _caps(host.get(word)), _caps(service.get(key))) for key, word in (("cap_add", "CapAdd"), ("cap_drop", "CapDrop"))),
        ("extra_hosts", set(host.get("ExtraHosts") or ()), {one.replace("=", ":", 1) for one in service.get("extra_hosts") or ()}),
    ]
    if not service.get("network_mode"):
        names = {str(tree["networks"][key]["name"]) for key in service.get("networks") or ()}
        pairs.append(("networks", set(raw["NetworkSettings"].get("Networks") or {}), names))
    if log:
        told = host.get("LogConfig") or {}
        pairs.append(("logging", _log(told.get("Type"), told.get("Config")), _log(log.get("driver"), log.get("options"))))
    yield from ((key, " ".join(sorted(have)), " ".join(sorted(want))) for key, have, want in pairs if have != want)


def _caps(names: Sequence[str] | None) -> set[str]:
    return {name.upper().removeprefix("CAP_") for name in names or ()}


def _log(driver: str | None, options: Mapping[str, Any] | None) -> set[str]:
    return {driver or "json-file", *(f"{name}={value}" for name, value in (options or {}).items())}


def wanted_mounts(tree: Mapping[str, Any], service: Mapping[str, Any]) -> dict[str, Mount]:
    """Target → mount, as the release has it; files of the app's folder below HERE"""
    found = {}
    for one in service.get("volumes") or ():
        source = str(one.get("source") or "")
        if one.get("type") == "volume" and source:
            source = str(((tree.get("volumes") or {}).get(source) or {}).get("name") or source)
        found[str(one["target"])] = Mount(str(one.get("type")), source, bool(one.get("read_only")))
    found |= {str(one).partition(":")[0]: Mount("tmpfs", "") for one in service.get("tmpfs") or ()}
    for kind, folder in (("configs", "/"), ("secrets", "/run/secrets/")):
        for one in service.get(kind) or ():
            file = ((tree.get(kind) or {}).get(one["source"]) or {}).get("file")
            target = str(one.get("target") or one["source"])
            if file:
                found[target if target.startswith("/") else folder + target] = Mount("bind", str(file), True)
    return found


def seen_mounts(raw: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Mount]:
    """Target → mount, as the container has it; without the anonymous volumes that its image asks for."""
    found = {path: Mount("tmpfs", "") for path in raw["HostConfig"].get("Tmpfs") or {}}
    for one in raw.get("Mounts") or ():
        name, target = str(one.get("Name") or ""), str(one["Destination"])
        nameless = one["Type"] == "volume" and len(name) == 64
        if not (nameless and target in (own.get("Volumes") or {})):
            found[target] = Mount(one["Type"], "" if nameless else name or str(one.get("Source") or ""), not one.get("RW", True))
    return found


def _mounts(want: Mapping[str, Mount], have: Mapping[str, Mount], seen: Evidence) -> Iterator[Found]:
    for target in sorted({*want, *have}):
        one, other = have.get(target), want.get(target)
        if one and other and one.kind == other.kind and one.read_only == other.read_only and _alike(one, other, seen):
            continue
        yield f"mount {target}", _said(one), _said(other)


def _alike(have: Mount, want: Mount, seen: Evidence) -> bool:
    """Whether two mounts of one kind show the same: one place, or for files that ship the same content."""
    place = want.source.removeprefix(HERE)
    if place == want.source or have.kind != "bind":
        return have.source == want.source or have.kind == "tmpfs"
    if place.startswith("project/"):
        return (place, have.source) in seen.same
    lies, wanted = seen.lies.get(have.source, ()), seen.wanted.get(place, ())
    skip = 2 if place.startswith("secrets/") else 0  # whether a secret may be executed says nothing
    return bool(lies) and [line[skip:] for line in lies] == [line[skip:] for line in wanted]


def _said(mount: Mount | None) -> str:
    if mount is None:
        return "none"
    source = "what ships" if mount.source.startswith((HERE + "objects", HERE + "secrets")) else mount.source.removeprefix(HERE)
    return f"{mount.kind} {source}".strip() + (" (read only)" if mount.read_only else "")
