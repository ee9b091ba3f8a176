"""What each key of a Compose file means under `allow:`: harmless, a right that its value asks for, or refused (pure)."""

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from lading.compose import variables
from lading.dataclass import dataclass

Asked = Iterator[tuple[str, str]]  # rights with their arguments
Judge = Callable[[Any], Asked]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a key means under `allow:`: *word* says it to people; *open*: its parts have rules of their own.

    *judge* tells from the value, of a list from each item, which rights it asks for; without one the key is harmless.
    """

    word: str
    open: bool = False
    refused: bool = False
    judge: Judge | None = None


OPEN = Rule("by its parts", open=True)
HARMLESS = Rule("harmless")
UNKNOWN = Rule("lading does not know this key", refused=True)
GIVEN = (  # capabilities that Docker gives every container
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
)
SOCKETS = ("docker.sock", "docker.raw.sock", "docker-cli.sock", "docker_engine", "containerd.sock", "podman.sock", "crio.sock")
SOCKET_PATHS = (  # who has a folder above one of these controls the engine
    "/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock", "/var/run/containerd/containerd.sock",
    "/run/docker/containerd/containerd.sock", "/var/run/docker/containerd/containerd.sock", "/run/podman/podman.sock",
    "/run/user/0/docker.sock", "/var/run/user/0/docker.sock", "/proc/1/root/run/docker.sock",
    "/var/lib/docker/containers", "/var/lib/containerd/io.containerd.metadata.v1.bolt",
)  # fmt: skip
HARMLESS_OPTIONS = (
    "com.docker.network.driver.mtu", "com.docker.network.bridge.enable_icc",
    "com.docker.network.bridge.enable_ip_masquerade",
)
NAMED = (  # mappings whose keys are names that people chose
    "services", "networks", "volumes", "configs", "secrets", "models", "services.*.networks",
)  # fmt: skip


def path(text: str) -> str:
    """A path of a host without `..`, double slashes and a slash at its end."""
    return "/" + posixpath.normpath("/" + text).lstrip("/")


def capability(text: str) -> str:
    """The name of a capability as capabilities(7) has it, without CAP_."""
    return text.strip().upper().removeprefix("CAP_")


def _texts(value: Any) -> list[str]:
    """A list of texts, or one text, as texts; `$$` as the `$` it means."""
    listed = value if isinstance(value, list) else [value]
    return [variables.plain_text(str(one)) for one in listed if one is not None]


def _words(value: Any) -> list[str]:
    """The names of a mapping or of a list of NAME=VALUE."""
    return [str(one) for one in value] if isinstance(value, Mapping) else [one.partition("=")[0] for one in _texts(value)]


def is_set(value: Any) -> bool:
    """Whether a value says more than nothing."""
    return value not in (None, False, "", "false", [], {})


def _if_set(name: str) -> Judge:
    """A right that any value but a false or empty one asks for."""

    def judge(value: Any) -> Asked:
        if is_set(value):
            yield name, ""

    return judge


def _each(name: str, words: Callable[[Any], Iterable[str]] = _texts, harmless: Sequence[str] = ()) -> Judge:
    """A right for each word of a value but the harmless ones."""

    def judge(value: Any) -> Asked:
        for word in words(value) if is_set(value) else ():
            if word not in harmless:
                yield name, word

    return judge


def _capabilities(value: Any) -> Asked:
    for word in _texts(value):
        if capability(word) not in GIVEN:
            yield "capability", capability(word)


def _security(value: Any) -> Asked:
    for word in _texts(value):
        name, sign, setting = word.replace("=", ":", 1).partition(":")
        if name != "no-new-privileges" or setting not in ("", "true"):
            yield "security-option", name + sign + setting


def _namespace(host: str) -> Judge:
    """A namespace: the host's, a foreign container's; one of its own or of a service of the project is harmless."""

    def judge(value: Any) -> Asked:
        for mode in _texts(value):
            kind, _, name = mode.partition(":")
            if kind == "container":
                yield "foreign-container", name
            elif kind not in ("", "service", "private", "shareable", "none"):
                yield host, ""

    return judge


def _network_mode(value: Any) -> Asked:
    for mode in _texts(value):
        kind, _, name = mode.partition(":")
        if kind == "container":
            yield "foreign-container", name
        elif mode == "host":
            yield "host-network", ""
        elif mode not in ("", "none", "bridge", "default") and kind != "service":
            yield "shared-network", mode


def _containers(value: Any) -> Asked:
    for word in _texts(value):
        kind, _, rest = word.partition(":")
        if kind == "container":
            yield "foreign-container", rest.partition(":")[0]
        elif "$" in kind:
            yield "foreign-container", word


def _links(value: Any) -> Asked:
    for word in _texts(value):
        yield "foreign-container", word.partition(":")[0]


def _devices(one: Any) -> Asked:
    source = one.get("source") if isinstance(one, Mapping) else str(one).partition(":")[0]
    yield "device", variables.plain_text(str(source))


def host_path(source: str) -> Asked:
    """What a path of the host gives who mounts it: the engine's socket, or a folder in which it lies, is more than a path."""
    where = path(source)
    name = posixpath.basename(where)
    if name in SOCKETS:
        yield "docker-socket", ""
        return
    folder = where.rstrip("/") + "/"
    if any(socket.startswith(folder) for socket in SOCKET_PATHS):
        yield "docker-socket", ""
    yield "host-path", where


def _mounts(one: Any) -> Asked:
    if not isinstance(one, Mapping):
        yield from _short_mount(str(one))
        return
    kind = str(one.get("type") or "volume")
    source = variables.plain_text(str(one.get("source") or ""))
    if kind in ("bind", "npipe"):
        yield from _bind(source)
    elif kind == "image":
        yield "image-mount", source.partition("@")[0]  # in what is deployed it has a digest
    elif kind == "cluster":
        yield "volume-driver", "cluster"
    elif kind not in ("volume", "tmpfs"):
        yield "mount", kind


def _short_mount(text: str) -> Asked:
    """A mount in the short form, as it stands in a definition whose secret values are left out."""
    source, colon, _ = variables.plain_text(text).rpartition(":")
    if colon and (source.startswith(("/", "$", "~")) or "$" in source):
        yield from _bind(source)


def _bind(source: str) -> Asked:
    """A bind mount; relative ones lie in what ships, or in the app's own folder on the host."""
    relative = not source.startswith(("/", "~", "\\")) and "$" not in source
    if relative and posixpath.normpath(source).partition("/")[0] != "..":
        return
    if source.startswith("/"):
        yield from host_path(source)
    else:
        yield "host-path", source


def _propagation(value: Any) -> Asked:
    if is_set(value) and value not in ("private", "rprivate"):
        yield "mount-propagation", str(value)


def _volume_options(value: Any) -> Asked:
    """The options of the local driver are those of mount(8): a bind, or a file system that root mounts."""
    options = {str(name): variables.plain_text(str(one)) for name, one in (value or {}).items()}
    if not options:
        return
    kind = options.get("type", "")
    words = [word.strip() for word in options.get("o", "").split(",")]
    if kind == "tmpfs" and not {"bind", "rbind"} & set(words):
        return
    if {"bind", "rbind"} & set(words) or kind in ("none", "bind"):
        yield from host_path(options.get("device", "/"))
        return
    yield "mount", kind or "unknown"


def _network_options(value: Any) -> Asked:
    for name in _words(value) if value else ():
        if name not in HARMLESS_OPTIONS:
            yield "network-option", name


def _endpoint_options(value: Any) -> Asked:
    for name in _words(value) if value else ():
        yield ("sysctl" if name.endswith(".sysctls") else "network-option"), name


def _out_of_memory(value: Any) -> Asked:
    text = str(value)
    if is_set(value) and not text.lstrip("+").isdigit():
        yield "out-of-memory", ""


def _build_host(value: Any) -> Asked:
    if is_set(value) and value not in ("none", "default", "bridge"):
        yield "build-host", ""


class _Rules:
    """Rules put together group by group."""

    def __init__(self) -> None:
        self.found: dict[str, Rule] = {}

    def put(self, prefix: str, names: str, rule: Rule) -> None:
        """The same rule for several keys below *prefix*."""
        for name in names.split():
            self.found[f"{prefix}.{name}".lstrip(".")] = rule

    def right(self, prefix: str, name: str, judge: Judge, word: str, *, open: bool = False) -> None:
        """A key whose value decides."""
        self.found[f"{prefix}.{name}"] = Rule(word, judge=judge, open=open)


def _rules() -> dict[str, Rule]:
    """Every key of the Compose specification by its dotted path; * stands for a name, lists leave no trace."""
    rules = _Rules()
    for group in (_project, _service, _parts, _host, _mount, _build_and_deploy, _resources):
        group(rules, "services.*")
    return dict(sorted(rules.found.items()))


def _project(rules: _Rules, _: str) -> None:
    """The top of the file, and what has names."""
    rules.put("", "name version", HARMLESS)
    rules.put("", "services networks volumes configs secrets models", OPEN)
    rules.put("", "include", Rule("harmless: Compose has put in what it names"))
    for kind in ("services", "networks", "volumes", "configs", "secrets", "models"):
        rules.put(kind, "*", OPEN)


def _service(rules: _Rules, service: str) -> None:
    """What a service may say without any right over its host; what no host takes."""
    rules.put(service, "attach blkio_config.weight cap_drop command container_name cpu_count cpu_percent cpu_shares cpu_quota "
                 "cpu_period cpus cpuset depends_on dns dns_opt dns_search domainname entrypoint env_file environment expose "
                 "extra_hosts group_add hostname image init label_file labels links mac_address mem_limit "
                 "mem_reservation mem_swappiness memswap_limit pids_limit platform profiles pull_policy pull_refresh_after "
                 "read_only restart scale shm_size stdin_open stop_grace_period stop_signal storage_opt tmpfs tty ulimits user "
                 "working_dir", HARMLESS)
    rules.put(service, "blkio_config.device_read_bps blkio_config.device_read_iops blkio_config.device_write_bps "
                 "blkio_config.device_write_iops blkio_config.weight_device", Rule("harmless: limits"))
    rules.put(service, "blkio_config build deploy healthcheck logging networks configs secrets ports post_start pre_stop", OPEN)
    rules.put(service, "ports.name ports.mode ports.host_ip ports.target ports.published ports.protocol ports.app_protocol",
        Rule("harmless: a host's port that is taken refuses the deployment"))
    rules.put(service, "develop", Rule("harmless: only `docker compose watch` reads it"))
    rules.put(service, "extends", Rule("harmless: Compose has put in what it names"))
    rules.put(service, "provider", Rule("a program on the host, outside containers", refused=True))
    rules.put(service, "pre_start", Rule("containers of their own, whose keys lading does not judge", refused=True))


def _parts(rules: _Rules, service: str) -> None:
    """The parts of a service that have keys of their own."""
    rules.put(f"{service}.healthcheck", "disable interval retries start_interval start_period test timeout", HARMLESS)
    rules.right(f"{service}.logging", "driver", _each("log-driver", harmless=("json-file", "local", "none", "journald")),
          "other than json-file, local, journald, none: right `log-driver:NAME`")
    rules.put(f"{service}.logging", "options", Rule("harmless: what a driver does with them is its right"))
    for kind in ("configs", "secrets"):
        rules.put(f"{service}.{kind}", "source target uid gid mode", HARMLESS)
    for hook in ("post_start", "pre_stop"):
        rules.put(f"{service}.{hook}", "command environment user working_dir", Rule("harmless: in the service's own container"))
        rules.right(f"{service}.{hook}", "privileged", _if_set("privileged"), "right `privileged`")
    rules.put(f"{service}.networks", "*", OPEN)
    rules.put(f"{service}.networks.*", "aliases interface_name ipv4_address ipv6_address link_local_ips mac_address gw_priority priority",
        HARMLESS)
    rules.right(f"{service}.networks.*", "driver_opts", _endpoint_options, "right `sysctl:NAME` or `network-option:NAME`")


def _host(rules: _Rules, service: str) -> None:
    """What gives a service rights over its host."""
    rules.right(service, "privileged", _if_set("privileged"), "right `privileged`")
    rules.right(service, "annotations", _each("annotation", _words), "right `annotation:NAME`")
    rules.right(service, "cap_add", _capabilities, "right `capability:NAME`; those that Docker gives anyway are harmless")
    rules.right(service, "cgroup", _namespace("host-cgroup"), "`host`: right `host-cgroup`")
    rules.right(service, "cgroup_parent", _each("cgroup-parent"), "right `cgroup-parent:NAME`")
    rules.right(service, "cpu_rt_period", _if_set("realtime"), "right `realtime`")
    rules.right(service, "cpu_rt_runtime", _if_set("realtime"), "right `realtime`")
    rules.right(service, "credential_spec", _if_set("credential-spec"), "right `credential-spec`")
    rules.right(service, "device_cgroup_rules", _each("device-rules"), "right `device-rules:RULE`")
    rules.right(service, "devices", _devices, "right `device:PATH`")
    rules.right(service, "external_links", _links, "right `foreign-container:NAME`")
    rules.right(service, "gpus", _if_set("gpus"), "right `gpus`")
    rules.right(service, "ipc", _namespace("host-ipc"), "`host`: right `host-ipc`; `container:…`: right `foreign-container:NAME`")
    rules.right(service, "isolation", _each("isolation", harmless=("default",)), "right `isolation:KIND`")
    rules.right(service, "network_mode", _network_mode,
          "`host`: right `host-network`; `container:…`: `foreign-container:NAME`; a network's name: `shared-network:NAME`")
    rules.right(service, "oom_kill_disable", _if_set("out-of-memory"), "right `out-of-memory`")
    rules.right(service, "oom_score_adj", _out_of_memory, "below 0: right `out-of-memory`")
    rules.right(service, "pid", _namespace("host-pid"), "`host`: right `host-pid`; `container:…`: right `foreign-container:NAME`")
    rules.right(service, "runtime", _each("runtime", harmless=("runc", "io.containerd.runc.v2")), "right `runtime:NAME`")
    rules.right(service, "security_opt", _security, "right `security-option:VALUE`; `no-new-privileges` is harmless")
    rules.right(service, "sysctls", _each("sysctl", _words), "right `sysctl:NAME`")
    rules.right(service, "use_api_socket", _if_set("docker-socket"), "right `docker-socket`")
    rules.right(service, "userns_mode", _if_set("host-userns"), "right `host-userns`")
    rules.right(service, "uts", _namespace("host-uts"), "`host`: right `host-uts`")
    rules.right(service, "volumes_from", _containers, "`container:…`: right `foreign-container:NAME`")
    rules.right(service, "models", _if_set("models"), "right `models`")


def _mount(rules: _Rules, service: str) -> None:
    """What a service mounts."""
    rules.right(service, "volumes", _mounts, "absolute binds: right `host-path:PATH`, or `docker-socket`; images: `image-mount:REF`",
          open=True)
    rules.put(service, "volumes.type volumes.source volumes.target volumes.read_only volumes.consistency volumes.bind.create_host_path "
                 "volumes.bind.recursive volumes.volume.labels volumes.volume.nocopy volumes.volume.subpath volumes.tmpfs.size "
                 "volumes.tmpfs.mode volumes.image.subpath", HARMLESS)
    rules.put(service, "volumes.bind.selinux", Rule("harmless: the path itself is a right"))
    rules.put(service, "volumes.bind volumes.volume volumes.tmpfs volumes.image", OPEN)
    rules.right(service, "volumes.bind.propagation", _propagation, "other than private: right `mount-propagation:KIND`")


def _build_and_deploy(rules: _Rules, service: str) -> None:
    """How images are built, and how Compose and lading deploy them."""
    build = f"{service}.build"
    rules.put(build, "additional_contexts args cache_from cache_to context dockerfile dockerfile_inline extra_hosts isolation labels no_cache_filter "
               "no_cache platforms provenance pull sbom secrets shm_size ssh tags target ulimits",
        Rule("harmless: hosts build nothing"))
    rules.right(build, "entitlements", _build_host, "right `build-host`")
    rules.right(build, "network", _build_host, "other than none, default: right `build-host`")
    rules.right(build, "privileged", _build_host, "right `build-host`")

    deploy = f"{service}.deploy"
    rules.put(deploy, "endpoint_mode labels mode replicas", HARMLESS)
    rules.put(deploy, "placement resources resources.limits resources.reservations restart_policy rollback_config update_config "
                "placement.preferences", OPEN)
    rules.put(deploy, "placement.constraints placement.preferences.spread placement.max_replicas_per_node", HARMLESS)
    rules.put(deploy, "resources.limits.cpus resources.limits.memory resources.limits.pids resources.reservations.cpus "
                "resources.reservations.memory resources.reservations.generic_resources", HARMLESS)
    rules.right(deploy, "resources.reservations.devices", _if_set("gpus"), "right `gpus`")
    rules.put(deploy, "restart_policy.condition restart_policy.delay restart_policy.max_attempts restart_policy.window", HARMLESS)
    for pace in ("rollback_config", "update_config"):
        rules.put(f"{deploy}.{pace}", "parallelism delay failure_action monitor max_failure_ratio order", HARMLESS)


def _resources(rules: _Rules, _: str) -> None:
    """Networks, volumes, configs, secrets and models."""
    rules.put("networks.*", "attachable enable_ipv4 enable_ipv6 internal ipam labels", HARMLESS)
    rules.put("networks.*", "name external", Rule("another than the project's own: right `shared-network:NAME`"))
    rules.right("networks.*", "driver", _each("network-driver", harmless=("bridge", "default")),
          "other than bridge: right `network-driver:NAME`")
    rules.right("networks.*", "driver_opts", _network_options, "right `network-option:NAME`; some are harmless")
    rules.put("volumes.*", "labels", HARMLESS)
    rules.put("volumes.*", "name external", Rule("another than the project's own: right `shared-volume:NAME`"))
    rules.right("volumes.*", "driver", _each("volume-driver", harmless=("local", "default")), "other than local: right `volume-driver:NAME`")
    rules.right("volumes.*", "driver_opts", _volume_options, "`o: bind`: right `host-path:PATH`; tmpfs is harmless; else `mount:TYPE`")
    rules.put("configs.*", "content environment file labels name", HARMLESS)
    rules.put("secrets.*", "environment file labels name", HARMLESS)
    rules.put("configs.*", "external template_driver", Rule("only Swarm has it", refused=True))
    rules.put("secrets.*", "driver driver_opts external template_driver", Rule("only Swarm has it", refused=True))
    rules.put("models.*", "context_size model name runtime_flags", Rule("harmless: who uses a model needs the right `models`"))


TABLE = _rules()
NESTED = {  # key → the keys below it for which its own rule speaks
    "include": "path env_file project_directory",
    "configs.*.external": "name",
    "secrets.*.external": "name",
    "volumes.*.external": "name",
    "networks.*.external": "name",
    "networks.*.ipam": "driver options config config.subnet config.ip_range config.gateway config.aux_addresses",
    "services.*.blkio_config.device_read_bps": "path rate",
    "services.*.blkio_config.device_read_iops": "path rate",
    "services.*.blkio_config.device_write_bps": "path rate",
    "services.*.blkio_config.device_write_iops": "path rate",
    "services.*.blkio_config.weight_device": "path weight",
    "services.*.build.secrets": "source target uid gid mode",
    "services.*.build.ulimits": "*.soft *.hard",
    "services.*.credential_spec": "config file registry",
    "services.*.depends_on": "*.condition *.required *.restart",
    "services.*.deploy.resources.reservations.devices": "capabilities count device_ids driver options",
    "services.*.deploy.resources.reservations.generic_resources": "discrete_resource_spec discrete_resource_spec.kind discrete_resource_spec.value",
    "services.*.develop": "watch watch.action watch.path watch.target watch.ignore watch.include watch.initial_sync watch.exec "
                          "watch.exec.command watch.exec.environment watch.exec.privileged watch.exec.user watch.exec.working_dir",
    "services.*.devices": "source target permissions",
    "services.*.env_file": "path required format",
    "services.*.extends": "file service",
    "services.*.gpus": "capabilities count device_ids driver options",
    "services.*.models": "*.endpoint_var *.model_var",
    "services.*.provider": "type options",
    "services.*.ulimits": "*.soft *.hard",
}
ABOVE = {f"{key}.{name}": key for key, names in NESTED.items() for name in names.split()}  # nested key → whose rule speaks for it
