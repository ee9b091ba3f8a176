"""What a host answered to `observe` and `lease`, as values (pure)."""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import unquote

from lading import canonical, shape, state
from lading.commands import command, docker

_LISTENER = re.compile(r"(?:[0-9A-Fa-f]{8}|[0-9A-Fa-f]{32}):[0-9A-Fa-f]{1,4}")
PORT_LIMIT = 70_000  # published ports of a host that are looked at
T = TypeVar("T")


def host_state(host: str, parts: Sequence[tuple[str, bytes]]) -> state.HostState:
    """All that one answer says: facts, apps, containers; files of an app that cannot be read are named as damaged.

    Raises:
        NewerError: a file was written by a newer lading.
        ValueError: what Docker says of its containers cannot be read.
    """
    texts = {name: content.decode("utf-8", "replace") for name, content in parts}
    containers = docker.parse_containers(texts.get("containers", ""))
    names = {name.partition(":")[2] for name in texts if name.startswith("app:")} | {c.app for c in containers}
    apps = {name: _app(name, texts, containers) for name in sorted(names) if command.APP.fullmatch(name)}
    facts = _facts(texts.get("facts", ""), texts.get("registries", ""))
    silent = texts.get("silent", "").strip().partition("\n")[0]
    return state.HostState(host, replace(facts, problem=facts.problem or silent), apps,
                           others=_others(texts.get("others", "")))


def _others(text: str) -> dict[str, state.Current]:
    """What each app's `current` says, a line each; one that cannot be read is looked at when that app is."""
    found: dict[str, state.Current] = {}
    for line in text.split("\n"):
        try:
            one = state.current_from_json(shape.parse(line))
        except ValueError:
            continue
        if command.APP.fullmatch(one.app):
            found[one.app] = one
    return found


def from_result(host: str, result: command.Result) -> state.HostState:
    """The same from a finished command."""
    return host_state(host, list(result.parts.items()))


def _app(name: str, texts: Mapping[str, str], containers: Sequence[state.ContainerState]) -> state.AppState:
    lead, damaged = f"release:{name}:", list[str]()
    current = _read(damaged, "current", texts.get(f"current:{name}"), state.current_from_json)
    found = {key.removeprefix(lead): text for key, text in texts.items() if key.startswith(lead)}
    read = {folder: _release(damaged, folder, text) for folder, text in found.items()}
    folders = {folder: one[0] for folder, one in read.items() if one is not None}
    kept = dict(one for one in read.values() if one is not None)
    written, torn = [text for text in texts.get(f"journal:{name}", "").split("\n") if text.strip()], list[str]()
    lines = (_read(torn, "journal", text, state.journal_from_json) for text in written)
    journal = tuple(_named(line, folders) for line in lines if line is not None)
    if current is not None:
        current = replace(current, release=folders.get(current.release, current.release))
    return state.AppState(
        app=name,
        current=current,
        releases=kept,
        journal=journal,
        damaged=(*damaged, *(torn[:1] if not journal else ())),  # a torn line is no loss
        containers=state.recognised([c for c in containers if c.app == name], current.adopted if current else {}),
        secrets=_secrets(texts.get(f"secrets:{name}", "")),
        objects=frozenset(filter(shape.is_word, texts.get(f"objects:{name}", "").split())),
        edited=_edited(name, current, kept, folders, texts),
        folders=folders,
        busy=texts[f"busy:{name}"].strip() or "a command" if f"busy:{name}" in texts else "",
        lease=dict(line.split("=", 1) for line in texts.get(f"lease:{name}", "").splitlines() if "=" in line),
    )


def _release(damaged: list[str], folder: str, text: str) -> tuple[str, state.Kept] | None:
    one = _kept(folder, text)
    damaged += [] if one else [f"release {folder}"]
    return one


@lru_cache(maxsize=256)
def _kept(folder: str, text: str) -> tuple[str, state.Kept] | None:
    """What lies in a folder, and its id: by its content, where that is what the folder's name says.

    Read once, for most hosts of a fleet keep the same releases.
    """
    raw = _read([], "", text, partial(state.release_from_json, folder))
    if raw is None:
        return None
    id = canonical.digest(raw)
    return (id if canonical.is_named(folder, id) else folder, raw)


def _named(line: Mapping[str, Any], folders: Mapping[str, str]) -> Mapping[str, Any]:
    """A line of the journal; the releases that it names by 12 digits by their ids, where the host keeps them."""
    found, before = dict(line), line.get("from")
    if line.get("to") in folders:
        found["to"] = folders[line["to"]]
    if isinstance(before, Mapping) and before.get("release") in folders:
        found["from"] = {**before, "release": folders[before["release"]]}
    return found


def _read(damaged: list[str], what: str, text: str | None, as_: Callable[[dict[str, Any]], T]) -> T | None:
    """What a text of a host says; None if it is absent or, noted in *damaged*, another thing."""
    try:
        return None if text is None else as_(shape.parse(text))
    except state.NewerError:
        raise
    except ValueError:
        damaged.append(what)
        return None


def _secrets(text: str) -> dict[str, dict[int, str]]:
    found: dict[str, dict[int, str]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and shape.whole(words[1]) >= 0:
            found.setdefault(unquote(words[0]), {})[int(words[1])] = words[2]
    return found


def _edited(
    name: str, current: state.Current | None, kept: Mapping[str, Mapping[str, Any]], folders: Mapping[str, str],
    texts: Mapping[str, str],
) -> tuple[str, ...]:
    """Files of the current release that are no longer as they were shipped."""
    folder = next((key for key in texts if key.startswith(f"sums:{name}:")), "").rpartition(":")[2]
    release = kept.get(current.release) if current else None
    if current is None or not release or folders.get(folder) != current.release:
        return ()
    sums, lead = texts[f"sums:{name}:{folder}"], f"releases/{folder}/"
    have = {path: value for value, _, path in (line.partition("  ") for line in sums.splitlines())}
    try:
        files: dict[str, str] = shape.fitting(release.get("files"), Mapping[str, str], "files")
    except ValueError:
        return ()
    wanted = {f"files/{path}": value[:64] for path, value in files.items()}
    return tuple(sorted([*(path for path, value in wanted.items() if have.get(lead + path) != value), *_changed(release, have)]))


def _changed(release: Mapping[str, Any], have: Mapping[str, str]) -> Iterator[str]:
    """Shipped objects of one file that are no longer what their id says; in folders containers may write, so those are not judged."""
    objects = release.get("objects")
    for key in objects if isinstance(objects, Mapping) else ():
        one, inside = have.get(f"objects/{key}"), f"objects/{key}/"
        ids = [canonical.object_id([("", executable, one)]) for executable in (False, True)] if one else []
        if key not in ids and not any(path.startswith(inside) for path in have):
            yield f"objects/{key}"


def _facts(text: str, registries: str) -> state.Facts:
    lines = [line.split("=", 1) for line in text.splitlines() if "=" in line]
    one = {key: value.strip() for key, value in lines}
    many = {key: tuple(v.rstrip() for k, v in lines if k == key) for key in ("tool", "missing", "listen", "port")}
    ports = dict(islice((
        (port, project or "(no project)")
        for project, _, published in (line.partition(" ") for line in many["port"])
        for entry in published.replace(",", " ").split() for port in _published(entry)
    ), PORT_LIMIT))
    return state.Facts(
        engine=one.get("engine", ""), engine_id=one.get("id", ""), compose=one.get("compose", "").lstrip("v"),
        architecture=one.get("arch", ""), context=one.get("context", ""), state_dir=one.get("state", ""),
        state_format=one.get("format", ""), state_fs=one.get("fs", ""), disk_free=shape.whole(one.get("free", "")),
        docker_free=shape.whole(one.get("dockerfree", "")), tools=many["tool"], missing_paths=many["missing"],
        listening=tuple(dict.fromkeys(_listener(entry) for entry in many["listen"] if _LISTENER.fullmatch(entry))), ports=ports,
        networks=_networks([v.strip() for k, v in lines if k == "net"]),
        registries={line.split(" ")[0]: line.partition(" ")[2] for line in registries.splitlines() if line},
        docker_info="\n".join(f"{key}={one[key]}" for key in ("engine", "id", "arch", "ctx", "plugin", "root") if one.get("engine") and key in one),
        problem=one.get("problem", "") or (f"cannot write {one['readonly']}" if "readonly" in one else ""),
    )


def _published(entry: str) -> Iterator[str]:
    """"0.0.0.0:80-81->80-81/tcp", as `docker ps` says it → "0.0.0.0:80/tcp" and …81/tcp; nothing if it is not published."""
    outside, arrow, inside = entry.partition("->")
    address, _, span = outside.rpartition(":")
    first, _, last = span.partition("-")
    begin, end = shape.whole(first), shape.whole(last or first)
    numbers = range(begin, min(end, 65535) + 1) if arrow and begin >= 0 else ()
    return (f"{address}:{number}/{inside.partition('/')[2]}" for number in numbers)


def _listener(entry: str) -> str:
    """"0100007F:1F90", as /proc/net/tcp says it (words of the machine's own byte order) → "127.0.0.1:8080"."""
    words, _, port = entry.partition(":")
    raw = b"".join(bytes.fromhex(words[n:n + 8])[::-1] for n in range(0, len(words), 8))
    address = ipaddress.ip_address(raw)
    return f"{getattr(address, 'ipv4_mapped', None) or address}:{int(port, 16)}"


def _networks(lines: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Lines "NAME NETWORK,… PROJECT" of all containers, the project empty for those that have none."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in lines:
        name, _, rest = line.partition(" ")
        nets, _, project = rest.partition(" ")
        for net in filter(None, nets.split(",")):
            found.setdefault(net, []).append((project, name))
    return found
