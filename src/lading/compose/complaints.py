"""What `docker compose config` complains of, as errors with file, line and hint."""

import difflib
import re
from collections.abc import Mapping, Sequence

from lading import errors
from lading.compose import parse

TOP_KEYS = ("configs", "include", "models", "name", "networks", "secrets", "services", "version", "volumes")
SERVICE_KEYS = tuple(
    ["annotations", "attach", "blkio_config", "build", "cap_add", "cap_drop", "cgroup", "cgroup_parent", "command", "configs", "container_name", "cpu_count", "cpu_percent", "cpu_period", "cpu_quota", "cpu_rt_period", "cpu_rt_runtime", "cpu_shares", "cpus", "cpuset", "credential_spec", "depends_on", "deploy", "develop", "device_cgroup_rules", "devices", "dns", "dns_opt", "dns_search", "domainname", "entrypoint", "env_file", "environment", "expose", "extends", "external_links", "extra_hosts", "gpus", "group_add", "healthcheck", "hostname", "image", "init", "ipc", "isolation", "label_file", "labels", "links", "logging", "mac_address", "mem_limit", "mem_reservation", "mem_swappiness", "memswap_limit", "models", "network_mode", "networks", "oom_kill_disable", "oom_score_adj", "pid", "pids_limit", "platform", "ports", "post_start", "pre_stop", "privileged", "profiles", "provider", "pull_policy", "read_only", "restart", "runtime", "scale", "secrets", "security_opt", "shm_size", "stdin_open", "stop_grace_period", "stop_signal", "storage_opt", "sysctls", "tmpfs", "tty", "ulimits", "use_api_socket", "user", "userns_mode", "uts", "volumes", "volumes_from", "working_dir"]
)
INNER_KEYS = {
    "build": ("additional_contexts", "args", "cache_from", "context", "dockerfile", "dockerfile_inline", "target"),
    "deploy": ("endpoint_mode", "labels", "mode", "placement", "replicas", "resources", "restart_policy",
               "rollback_config", "update_config"),
    "healthcheck": ("disable", "interval", "retries", "start_interval", "start_period", "test", "timeout"),
    "ports": ("app_protocol", "host_ip", "mode", "name", "protocol", "published", "target"),
    "update_config": ("delay", "failure_action", "max_failure_ratio", "monitor", "order", "parallelism"),
    "volumes": ("bind", "consistency", "image", "read_only", "source", "target", "tmpfs", "type", "volume"),
}  # fmt: skip
RESOURCE_KEYS = {
    "configs": ("content", "environment", "external", "file", "labels", "name", "template_driver"),
    "networks": ("attachable", "driver", "driver_opts", "enable_ipv4", "enable_ipv6", "external", "internal", "ipam", "labels", "name"),
    "secrets": ("driver", "driver_opts", "environment", "external", "file", "labels", "name", "template_driver"),
    "volumes": ("driver", "driver_opts", "external", "labels", "name"),
}  # fmt: skip
# How versions say that they do not know a key: 2.36 and later, and 5; before 2.36; 5, of a service's own keys.
UNKNOWN = (
    re.compile(r"validating \S+: (?P<path>\S*) ?additional properties (?P<quoted>.+) not allowed"),
    re.compile(r"validating \S+: (?P<path>\S+) Additional property (?P<key>.*) is not allowed"),
    re.compile(r"validating \S+: (?P<whole>services\..+) false schema"),
)


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint naming the known word that *word* may have been meant for."""
    close = difflib.get_close_matches(word, known, 1)
    return f"did you mean `{close[0]}`?" if close else ""


def complaint(text: str, documents: Sequence[parse.Document]) -> errors.ComposeError:
    """What `docker compose config` wrote on stderr, as an error with file, line and hint."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("time=")]
    message = " ".join(lines) or "docker compose config failed, and does not say why"
    for pattern in UNKNOWN:
        unknown = pattern.search(message)
        if unknown:
            return _unknown_key(unknown.groupdict(), documents)
    place = _place(message, documents)
    short = re.sub(r"^validating \S+: |: invalid compose project$", "", message)
    return errors.ComposeError(short or message, "correct the line", file=place[0], line=place[1])


def _unknown_key(found: Mapping[str, str], documents: Sequence[parse.Document]) -> errors.ComposeError:
    """The error for a key that Compose does not know."""
    if "whole" in found:
        *path, key = _steps(found["whole"], documents)
    else:
        path = _steps(found["path"].removeprefix("(root)"), documents)
        quoted = found.get("quoted", "")
        key = found["key"] if "key" in found else (re.findall(r"'([^']*)'", quoted) or [quoted])[0]  # also "", and one with a quote in it
    hint = nearest(key, _known(path)) or "remove it, or put it under `x-…`"
    file, line = parse.locate(documents, [*path, key])
    return errors.ComposeError(f"{'.'.join([*path, key])}: Compose does not know `{key}`", hint, file=file, line=line)


def _known(path: Sequence[str]) -> Sequence[str]:
    """The keys that may stand at *path*, as far as hints for wrong ones want them."""
    if not path:
        return TOP_KEYS
    if len(path) == 2:
        return SERVICE_KEYS if path[0] == "services" else RESOURCE_KEYS.get(path[0], ())
    inner = path[-2] if path[-1].isdigit() else path[-1]
    return INNER_KEYS.get(inner, ())


def _place(message: str, documents: Sequence[parse.Document]) -> tuple[str, int]:
    """Where a complaint of Compose belongs, as well as its words tell."""
    marked = re.search(r"failed to parse (\S+): .*?line (\d+)", message)
    if marked:
        meant = [one.path for one in documents if marked[1].endswith(one.path.lstrip("./"))]
        file = (meant or [one.path for one in documents] or [marked[1]])[0]
        return file, int(marked[2])
    dotted = re.search(r"(?:services|networks|volumes|configs|secrets)[.\[][\w.\[\]-]+", message)
    if dotted:
        return parse.locate(documents, _steps(dotted[0].replace("[", ".").replace("]", ""), documents))
    service = re.search(r'service "([^"]+)".*?(?:undefined \w+ "?([\w.-]+)|$)', message)
    if service:
        return parse.find(documents, service[2] or "", ["services", service[1]])
    named = re.search(r"env file (\S+) not found|(?:open|stat) (\S+): no such file", message)
    if named:
        return parse.find(documents, (named[1] or named[2]).rsplit("/", 1)[-1])
    return (documents[0].path, 0) if documents else ("", 0)


def _steps(dotted: str, documents: Sequence[parse.Document]) -> list[str]:
    """`services.my.app.deploy` as steps; a service's name may have dots in it."""
    parts = [part for part in dotted.strip(".:,").split(".") if part]
    if len(parts) < 3:
        return parts
    for size in range(len(parts) - 1, 0, -1):
        path = [parts[0], ".".join(parts[1 : 1 + size]), *parts[1 + size :]]
        if any(one.line(path[:2], whole=True) for one in documents):
            return path
    return parts
