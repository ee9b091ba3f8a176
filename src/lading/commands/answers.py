"""What a host answered to `observe` and `lease`, as values (pure)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from lading import state
from lading.commands import command, docker


def host_state(host: str, parts: Sequence[tuple[str, bytes]]) -> state.HostState:
    """All that one answer says: facts, apps, containers; parts that cannot be read count as not there."""
    texts = {name: content.decode("utf-8", "replace") for name, content in parts}
    containers = docker.parse_containers(texts.get("containers", ""))
    names = {name.partition(":")[2] for name in texts if name.startswith("app:")} | {c.app for c in containers}
    apps = {name: _app(name, texts, containers) for name in sorted(names) if name}
    return state.HostState(host, _facts(texts.get("facts", ""), texts.get("registries", "")), apps)


def from_result(host: str, result: command.Result) -> state.HostState:
    """The same from a finished command."""
    return host_state(host, list(result.parts.items()))


def _app(name: str, texts: Mapping[str, str], containers: Sequence[state.ContainerState]) -> state.AppState:
    lead = f"release:{name}:"
    kept = {key.removeprefix(lead): _object(text) for key, text in texts.items() if key.startswith(lead)}
    raw = _object(texts.get(f"current:{name}", ""))
    current = state.current_from_json(raw) if raw else None
    return state.AppState(
        app=name,
        current=current,
        releases=state.releases_from_json({key: value for key, value in kept.items() if value}),
        journal=state.journal_from_json([line for text in texts.get(f"journal:{name}", "").splitlines()
                                         if (line := _object(text))]),
        containers=state.recognised([c for c in containers if c.app == name], current.adopted if current else {}),
        secrets=_secrets(texts.get(f"secrets:{name}", "")),
        objects=frozenset(texts.get(f"objects:{name}", "").split()),
        edited=_edited(name, current, kept, texts),
        busy=texts[f"busy:{name}"].strip() or "a command" if f"busy:{name}" in texts else "",
        lease=dict(line.split("=", 1) for line in texts.get(f"lease:{name}", "").splitlines() if "=" in line),
    )


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text.strip() else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _secrets(text: str) -> dict[str, dict[int, str]]:
    found: dict[str, dict[int, str]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[1].isdigit():
            found.setdefault(unquote(words[0]), {})[int(words[1])] = words[2]
    return found


def _edited(
    name: str, current: state.Current | None, kept: Mapping[str, Mapping[str, Any]], texts: Mapping[str, str]
) -> tuple[str, ...]:
    """Files of the current release that are no longer as they were shipped."""
    release = kept.get(current.release) if current else None
    sums = texts.get(f"sums:{name}:{current.release}") if current else None
    if not release or sums is None:
        return ()
    have = {path.removeprefix("./"): value for value, _, path in (line.partition("  ") for line in sums.splitlines())}
    wanted = {f"files/{path}": value[:64] for path, value in release.get("files", {}).items()}
    return tuple(sorted(path for path, value in wanted.items() if have.get(path) != value))


def _facts(text: str, registries: str) -> state.Facts:
    lines = [line.split("=", 1) for line in text.splitlines() if "=" in line]
    one = {key: value.strip() for key, value in lines}
    many = {key: tuple(v.rstrip() for k, v in lines if k == key) for key in ("tool", "missing", "listen", "port")}
    ports = {
        port: project or "(no project)"
        for project, _, published in (line.partition(" ") for line in many["port"])
        for entry in published.replace(",", " ").split() for port in _published(entry)
    }
    return state.Facts(
        engine=one.get("engine", ""), engine_id=one.get("id", ""), compose=one.get("compose", "").lstrip("v"),
        architecture=one.get("arch", ""), context=one.get("context", ""), state_dir=one.get("state", ""),
        state_format=one.get("format", ""), state_fs=one.get("fs", ""), disk_free=_number(one.get("free")),
        docker_free=_number(one.get("dockerfree")), tools=many["tool"], missing_paths=many["missing"],
        listening=tuple(sorted({str(int(p, 16)) for p in many["listen"] if p}, key=int)), ports=ports,
        networks=_networks([v.strip() for k, v in lines if k == "net"]),
        registries={line.split(" ")[0]: line.partition(" ")[2] for line in registries.splitlines() if line},
        problem=one.get("problem", "") or (f"cannot write {one['readonly']}" if "readonly" in one else ""),
    )


def _published(entry: str) -> list[str]:
    """"0.0.0.0:80-81->80-81/tcp", as `docker ps` says it → "0.0.0.0:80/tcp" and …81/tcp; nothing if it is not published."""
    outside, arrow, inside = entry.partition("->")
    address, _, span = outside.rpartition(":")
    first, _, last = span.partition("-")
    if not (arrow and first.isdigit() and (last or first).isdigit()):
        return []
    numbers = range(int(first), min(int(last or first), 65535) + 1)
    return [f"{address}:{number}/{inside.partition('/')[2]}" for number in numbers]


def _networks(lines: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Lines "NAME NETWORK,… PROJECT" of all containers, the project empty for those that have none."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in lines:
        name, _, rest = line.partition(" ")
        nets, _, project = rest.partition(" ")
        for net in filter(None, nets.split(",")):
            found.setdefault(net, []).append((project, name))
    return found


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else -1
