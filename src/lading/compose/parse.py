"""YAML with file and line, Compose's own complaints placed in it, and its normal form as typed services."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from lading import errors
from lading.compose import project, variables

TOP_KEYS = ("configs", "include", "models", "name", "networks", "secrets", "services", "version", "volumes")
SERVICE_KEYS = tuple(
    """annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name
    cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec
    depends_on deploy develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file
    environment expose extends external_links extra_hosts gpus group_add healthcheck hostname image init ipc isolation
    label_file labels links logging mac_address mem_limit mem_reservation mem_swappiness memswap_limit models
    network_mode networks oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_stop privileged
    profiles provider pull_policy read_only restart runtime scale secrets security_opt shm_size stdin_open
    stop_grace_period stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user userns_mode uts volumes
    volumes_from working_dir""".split()
)
INNER_KEYS = {
    "build": ("additional_contexts", "args", "cache_from", "context", "dockerfile", "dockerfile_inline", "target"),
    "deploy": ("endpoint_mode", "labels", "mode", "placement", "replicas", "resources", "restart_policy",
               "rollback_config", "update_config"),
    "healthcheck": ("disable", "interval", "retries", "start_interval", "start_period", "test", "timeout"),
    "update_config": ("delay", "failure_action", "max_failure_ratio", "monitor", "order", "parallelism"),
}  # fmt: skip
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


class Loader(yaml.CSafeLoader):
    """YAML as Compose reads it: `no` and `22:22` are texts, `!reset` and `!override` are passed over."""

    yaml_implicit_resolvers: Any = {}


Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF"))
Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""])
Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]*\.[0-9]+([eE][-+]?[0-9]+)?$"), list("-+.0123456789")
)
Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile("<<"), ["<"])


def _untagged(loader: Any, suffix: str, node: yaml.Node) -> Any:
    """What stands behind a tag of Compose's own."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


Loader.add_multi_constructor("!", _untagged)
Path = Sequence[str | int]


@dataclass(frozen=True, slots=True)
class Document:
    """One file that Compose reads: *path* relative to the project folder, *data* its YAML documents."""

    path: str
    content: bytes
    nodes: tuple[yaml.Node, ...]
    data: tuple[Mapping[str, Any], ...]

    def value(self, key: str) -> Any:
        """The value of a top-level key, None where it is absent."""
        return next((part[key] for part in reversed(self.data) if key in part), None)

    def line(self, path: Path, *, whole: bool = False) -> int:
        """The line of *path*; 0 if not even its first step is here, or (*whole*) not all of it."""
        found = [_walk(node, path) for node in self.nodes]
        depth, line = max(found, default=(0, 0))
        return line if depth and (depth == len(path) or not whole) else 0

    def scalars(self) -> Iterator[tuple[str, int]]:
        """Every text with its line."""
        for node in self.nodes:
            yield from _scalars(node)


def load(text: bytes) -> Any:
    """The output of `docker compose config` as plain values."""
    return yaml.load(text, Loader=Loader)  # noqa: S506 - a safe loader


def document(path: str, content: bytes) -> Document:
    """Read one file.

    Raises:
        ComposeError: it is not YAML, or not a mapping.
    """
    try:
        nodes = tuple(node for node in yaml.compose_all(content, Loader=Loader) if node is not None)
        data = tuple(yaml.load_all(content, Loader=Loader))
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        line = mark.line + 1 if mark else 0
        what = f"{broken.context}, {broken.problem}" if broken.context else f"{broken.problem}"
        raise errors.ComposeError(f"{path} is not YAML: {what}", "correct the line", file=path, line=line) from broken
    except (yaml.YAMLError, ValueError) as broken:
        raise errors.ComposeError(f"{path} is not YAML: {broken}", "save it as UTF-8 text", file=path) from broken
    kept = tuple(part for part in data if part is not None)
    if not kept or not all(isinstance(part, Mapping) for part in kept):
        raise errors.ComposeError(f"{path} is no Compose file", "it needs `services:` at its top", file=path, line=1)
    return Document(path, content, nodes, kept)


def _walk(node: yaml.Node, path: Path) -> tuple[int, int]:
    """How many steps of *path* lead somewhere below *node*, and the line reached."""
    line = node.start_mark.line + 1
    for depth, step in enumerate(path):
        inner = None
        if isinstance(node, yaml.MappingNode):
            inner = next(((key, value) for key, value in node.value if key.value == str(step)), None)
        elif isinstance(node, yaml.SequenceNode) and str(step).isdigit() and int(step) < len(node.value):
            inner = (node.value[int(step)], node.value[int(step)])
        if inner is None:
            return depth, line
        line, node = inner[0].start_mark.line + 1, inner[1]
    return len(path), line


def _scalars(node: yaml.Node) -> Iterator[tuple[str, int]]:
    """Texts below *node*; a text over several lines comes line by line."""
    if isinstance(node, yaml.ScalarNode):
        first = node.start_mark.line + (2 if node.style in ("|", ">") else 1)
        for number, line in enumerate(node.value.split("\n")):
            yield line, min(first + number, node.end_mark.line + 1)
        return
    for item in node.value:
        for part in item if isinstance(item, tuple) else (item,):
            yield from _scalars(part)


def find(documents: Sequence[Document], text: str, path: Path = ()) -> tuple[str, int]:
    """File and line of the first text that holds *text*, else of *path*."""
    for one in documents:
        for scalar, line in _scalars_near(one, path):
            if text and text in scalar:
                return one.path, line
    return locate(documents, path)


def _scalars_near(one: Document, path: Path) -> Iterator[tuple[str, int]]:
    """The texts at or below the line of *path* first, then all."""
    start = one.line(path, whole=True) if path else 0
    every = list(one.scalars())
    yield from (pair for pair in every if start and pair[1] >= start)
    yield from every


def find_name(documents: Sequence[Document], name: str) -> tuple[str, int]:
    """File and line of the first reference to the variable *name*."""
    bare: tuple[str, int] = ("", 0)
    for one in documents:
        for scalar, line in one.scalars():
            if any(reference.name == name for reference in variables.references(scalar)):
                return one.path, line
            if scalar == name and not bare[1]:
                bare = (one.path, line)
    return bare


def locate(documents: Sequence[Document], path: Path) -> tuple[str, int]:
    """File and line of *path*: where all of it is, else where most of it is."""
    for one in documents:
        if line := one.line(path, whole=True):
            return one.path, line
    for one in documents:
        if line := one.line(path):
            return one.path, line
    return (documents[0].path, 0) if documents else ("", 0)


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint naming the known word that *word* may have been meant for."""
    close = difflib.get_close_matches(word, known, 1)
    return f"did you mean `{close[0]}`?" if close else ""


def complaint(text: str, documents: Sequence[Document]) -> errors.ComposeError:
    """What `docker compose config` wrote on stderr, as an error with file, line and hint."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("time=")]
    message = " ".join(lines) or "docker compose config failed without a word"
    unknown = re.search(r"validating (\S+): (\S*) ?additional properties (.+) not allowed", message)
    if unknown:
        return _unknown_key(unknown, documents)
    place = _place(message, documents)
    short = re.sub(r"^validating \S+: |: invalid compose project$", "", message)
    return errors.ComposeError(short, "correct the line", file=place[0], line=place[1])


def _unknown_key(found: re.Match[str], documents: Sequence[Document]) -> errors.ComposeError:
    """The error for a key that Compose does not know."""
    key = re.findall(r"'([^']+)'", found[3])[0]
    path = _steps(found[2], documents)
    inner = path[-1] if path else ""
    known = SERVICE_KEYS if len(path) == 2 and path[0] == "services" else INNER_KEYS.get(str(inner), ())
    hint = nearest(key, known if path else TOP_KEYS) or "remove it, or put it under `x-…`"
    file, line = locate(documents, [*path, key])
    return errors.ComposeError(f"{'.'.join([*path, key])}: Compose does not know `{key}`", hint, file=file, line=line)


def _place(message: str, documents: Sequence[Document]) -> tuple[str, int]:
    """Where a complaint of Compose belongs, as well as its words tell."""
    marked = re.search(r"failed to parse (\S+): .*?line (\d+)", message)
    if marked:
        file = next((one.path for one in documents if marked[1].endswith(one.path.lstrip("./"))), documents[0].path)
        return file, int(marked[2])
    dotted = re.search(r"(?:services|networks|volumes|configs|secrets)[.\[][\w.\[\]-]+", message)
    if dotted:
        return locate(documents, _steps(dotted[0].replace("[", ".").replace("]", ""), documents))
    service = re.search(r'service "([^"]+)".*?(?:undefined \w+ "?([\w.-]+)|$)', message)
    if service:
        return find(documents, service[2] or "", ["services", service[1]])
    named = re.search(r"env file (\S+) not found|(?:open|stat) (\S+): no such file", message)
    if named:
        return find(documents, (named[1] or named[2]).rsplit("/", 1)[-1])
    return (documents[0].path, 0) if documents else ("", 0)


def _steps(dotted: str, documents: Sequence[Document]) -> list[str]:
    """`services.my.app.deploy` as steps; a service's name may have dots in it."""
    parts = [part for part in dotted.strip(".:,").split(".") if part]
    if len(parts) < 3:
        return parts
    for size in range(len(parts) - 1, 0, -1):
        path = [parts[0], ".".join(parts[1 : 1 + size]), *parts[1 + size :]]
        if any(one.line(path[:2], whole=True) for one in documents):
            return path
    return parts


def seconds(text: Any) -> float:
    """A duration as Compose writes it (`1m30s`) in seconds."""
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(r"([0-9.]+)(h|ms|us|µs|ns|m|s)", str(text)))


def service(name: str, resolved: Mapping[str, Any], raw: Mapping[str, Any], masked: Mapping[str, Any]) -> project.Service:
    """One service of Compose's normal form (*resolved*), its text before interpolation (*raw*) and its definition."""
    restart = _restart(resolved)
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
        tied_to=_tied_to(resolved),
        restart=restart,
        restart_written=bool(restart),
        health=_health(resolved.get("healthcheck")),
        stop_grace=seconds(resolved["stop_grace_period"]) if "stop_grace_period" in resolved else 10.0,
        replicas=replicas(resolved),
        rollout=_rollout((resolved.get("deploy") or {}).get("update_config")),
        profiles=tuple(resolved.get("profiles") or ()),
        platform=str(resolved.get("platform") or ""),
        has_build=bool(resolved.get("build")),
        variables=tuple(sorted(variables.names(raw))),
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
        )
        for one in resolved.get("volumes") or ()
    ]
    memory = [project.Mount("tmpfs", "", str(one).partition(":")[0]) for one in resolved.get("tmpfs") or ()]
    return tuple(listed + memory)


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


def _restart(resolved: Mapping[str, Any]) -> str:
    """The restart policy as written, in the words of `restart:`; "" if nothing is written."""
    policy = (resolved.get("deploy") or {}).get("restart_policy")
    if resolved.get("restart") or policy is None:
        return str(resolved.get("restart") or "")
    condition = str(policy.get("condition") or "any")
    return {"none": "no", "any": "always"}.get(condition, condition)


def _tied_to(resolved: Mapping[str, Any]) -> tuple[str, ...]:
    """The services whose containers this one's are made on."""
    modes = [str(resolved.get(key) or "") for key in ("network_mode", "ipc", "pid")]
    tied = {mode.partition(":")[2] for mode in modes if mode.startswith("service:")}
    sources = [str(one) for one in resolved.get("volumes_from") or ()]
    tied |= {one.partition(":")[0] for one in sources if not one.startswith("container:")}
    return tuple(sorted(tied))


def _health(check: Mapping[str, Any] | None) -> project.Health | None:
    if not check or check.get("disable") or check.get("test") == ["NONE"]:
        return None
    return project.Health(
        interval=seconds(check.get("interval")) or 30.0,
        timeout=seconds(check.get("timeout")) or 30.0,
        retries=int(check.get("retries") or 3),
        start_period=seconds(check.get("start_period")),
    )


def _rollout(config: Mapping[str, Any] | None) -> project.Rollout:
    if config is None:
        return project.Rollout()
    standard = project.Rollout()
    return project.Rollout(
        parallelism=int(config.get("parallelism", 1)),
        monitor=seconds(config["monitor"]) if "monitor" in config else standard.monitor,
        delay=seconds(config.get("delay")),
        order=str(config.get("order") or standard.order),
        failure_action=str(config.get("failure_action") or standard.failure_action),
    )
