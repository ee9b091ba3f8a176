"""What a host answered to `observe` and `lease`, as values (pure)."""

import ipaddress
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import islice
from typing import Any, Literal, TypeVar
from urllib.parse import unquote

from lading import canonical, shape, state
from lading.compose import overlay
from lading.dataclass import dataclass
from lading.drivers.shell import observation
from lading.state import journal
from lading.transport import command

_LISTENER = re.compile(r"(?:[0-9A-Fa-f]{8}|[0-9A-Fa-f]{32}):[0-9A-Fa-f]{1,4}")
PORT_LIMIT = 70_000  # published ports of a host that are looked at
LINE_LIMIT = 200_000  # lines of one part: a host with all ports in use and 500 lines of journal for each of 100 apps has fewer
LINK_LIMIT = 10_000  # sources of mounts that a host says something of
PATH_LIMIT = 4096  # PATH_MAX of Linux
NAME_LIMIT = 200_000  # hosts that all lines of a host's journals name in spans, equal lists counted once
UNLIKE_LIMIT = 100  # files of a shipped folder that are told one by one
_REMEMBERED = 1 << 20  # characters of a release that is read once for a fleet
_TOTAL = 0  # no object has this id
T = TypeVar("T")
How = Literal["edited", "missing", "added"]
Spend = Callable[[], None]
"""Called before each line that is read; raises where reading has taken long enough."""


@dataclass(frozen=True, slots=True)
class _Folders:
    """What a host tells of the shipped folders of a release: id → path, whether it is executable, SHA-256 of each file."""

    v: int
    folders: Mapping[str, tuple[tuple[Any, ...], ...]]


def host_state(host: str, parts: Sequence[tuple[str, bytes]], spend: Spend = lambda: None) -> state.HostState:
    """All that one answer says: facts, apps, containers; files of an app that cannot be read are named as damaged.

    The work grows with the size of the answer and no faster, whatever is in it.

    Raises:
        NewerError: a file was written by a newer lading.
        ValueError: what Docker says of its containers cannot be read, or a part has more lines than any host tells.
    """
    for name, content in parts:
        if content.count(b"\n") > LINE_LIMIT:
            raise ValueError(f"it answers more than {LINE_LIMIT:,} lines of {name.partition(':')[0]}")
    texts = {name: content.decode("utf-8", "replace") for name, content in parts}
    containers: dict[str, list[state.ContainerState]] = {}
    for one in observation.parse_containers(texts.get("containers", ""), spend):
        containers.setdefault(one.app, []).append(one)
    said, named = _by_app(texts), dict[int, int]()
    apps = {
        name: _app(name, said.get(name, {}), containers.get(name, []), spend, named)
        for name in sorted({name for name, mine in said.items() if "app" in mine} | containers.keys()) if command.APP.fullmatch(name)
    }
    facts = _facts(texts.get("facts", ""), texts.get("registries", ""))
    marks = _marks(texts.get("marks", ""), facts.state_dir)
    apps = {name: replace(one, elsewhere=marks.get(name, ""), foreign=_foreign(one.journal, facts))
            for name, one in apps.items()}
    facts = replace(facts, links=_links(texts.get("links", "")))
    facts = replace(facts, probe=texts.get("probe", ""))
    silent = texts.get("silent", "").strip().partition("\n")[0]
    return state.HostState(host, replace(facts, problem=facts.problem or silent), apps,
                           others=_others(texts.get("others", "")),
                           volumes=observation.parse_volumes(texts["volumes"], spend) if "volumes" in texts else None,
                           data=_data(texts.get("data", "")))


def _foreign(records: Sequence[journal.Record], facts: state.Facts) -> str:
    """For whom a journal was written last, in words; "" if it is this engine's, or nothing tells."""
    told = [one for one in records if isinstance(one, journal.Begun) and one.engine]
    known = facts.engine_id or _engine_of(facts.state_dir)
    if not told or not known:
        return ""
    last = told[-1]
    if last.engine.replace(":", "") == known.replace(":", ""):
        return ""
    return f"on {last.host or 'another host'}, for the engine {last.engine}"


def _engine_of(state_dir: str) -> str:
    """The id of the engine that a user's own state folder is named after; "" for a folder that all share."""
    parent, _, name = state_dir.rpartition("/")
    return name if parent.endswith("/.lading") else ""


def _marks(text: str, state_dir: str) -> dict[str, str]:
    """Lines "lading-state-APP USER FOLDER" of apps that are kept in another state folder than this one → where, and whose."""
    found: dict[str, str] = {}
    for line in islice(text.split("\n"), LINK_LIMIT):
        volume, _, rest = line.partition(" ")
        user, _, folder = rest.partition(" ")
        app = volume.removeprefix("lading-state-")
        if app != volume and _is_plain_path(folder) and folder != f"{state_dir}/apps/{app}":
            found[app] = f"{folder}, of user {user}"
    return found


def _data(text: str) -> dict[str, bool]:
    """Lines "filled PATH" and "empty PATH"."""
    lines = [line.partition(" ") for line in text.split("\n")]
    return {path: word == "filled" for word, _, path in lines if word in ("filled", "empty")}


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


def from_result(host: str, result: command.Result, spend: Spend = lambda: None) -> state.HostState:
    """The same from a finished command."""
    return host_state(host, list(result.parts.items()), spend)


def _by_app(texts: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The parts "KIND:APP" and "KIND:APP:FOLDER" of each app, without its name: "KIND", "KIND:FOLDER"."""
    found: dict[str, dict[str, str]] = {}
    for key, text in texts.items():
        kind, _, rest = key.partition(":")
        name, colon, folder = rest.partition(":")
        if name:
            found.setdefault(name, {})[kind + colon + folder] = text
    return found


def _app(
    name: str, texts: Mapping[str, str], containers: Sequence[state.ContainerState], spend: Spend, named: dict[int, int]
) -> state.AppState:
    damaged = list[str]()
    current = _read(damaged, "current", texts.get("current"), state.current_from_json)
    read = dict[str, tuple[str, state.Kept]]()
    for key, text in texts.items():
        spend()
        one = _release(damaged, key.removeprefix("release:"), text) if key.startswith("release:") else None
        if one is not None:
            read[key.removeprefix("release:")] = one
    folders = {folder: one[0] for folder, one in read.items()}
    deployed = {}
    for folder, id in folders.items():
        one_deployed = _read(damaged, f"deployed {folder}", texts.get(f"deployed:{folder}"), state.deployed_from_json)
        if one_deployed is not None:
            deployed[id] = one_deployed
    kept = dict(read.values())
    records = _journal(damaged, texts.get("journal", ""), folders, spend, named)
    if current is not None:
        current = replace(current, release=folders.get(current.release, current.release))
    unlike = _unlike(current, kept, folders, texts)
    return state.AppState(
        app=name,
        current=current,
        releases=kept,
        journal=records,
        damaged=tuple(damaged),
        containers=state.recognised(containers, current.adopted if current else {}),
        secrets=_secrets(texts.get("secrets", "")),
        objects=frozenset(filter(shape.is_word, texts.get("objects", "").split())),
        edited=tuple(sorted(path for path, how in unlike.items() if how == "edited")),
        missing=tuple(sorted(path for path, how in unlike.items() if how == "missing")),
        added=tuple(sorted(path for path, how in unlike.items() if how == "added")),
        folders=folders,
        deployed=deployed,
        lost=tuple(word for word in texts.get("lost", "").split() if word in ("journal", "lease")),
        busy=texts["busy"].strip() or "a command" if "busy" in texts else "",
        lease=dict(line.split("=", 1) for line in texts.get("lease", "").splitlines() if "=" in line),
    )


def _journal(
    damaged: list[str], text: str, folders: Mapping[str, str], spend: Spend, named: dict[int, int]
) -> tuple[journal.Record, ...]:
    """The lines that can be read; noted in *damaged* if there are others and none of these: a torn line is no loss.

    *named*: how many hosts the spans stand for that were read on this host, by their list's id, and all together.
    """
    torn, found = list[str](), list[journal.Record]()
    for written in text.split("\n"):
        spend()
        if not written.strip():
            continue
        record = _read(torn, "journal", written, lambda line: journal.read(_named(line, folders)))
        if record is None:
            continue
        found.append(record)
        for spans, stand_for in _spans(record):
            if spans not in named:
                named[spans] = stand_for
                named[_TOTAL] = named.get(_TOTAL, 0) + stand_for
        if named.get(_TOTAL, 0) > NAME_LIMIT:
            raise ValueError(f"its journals name more than {NAME_LIMIT:,} participants")
    damaged += torn[:1] if not found else []
    return tuple(found)


def _spans(record: journal.Record) -> Iterator[tuple[int, int]]:
    """The lists of a record that were written in spans: the id of each, and for how many hosts it stands."""
    if not isinstance(record, journal.Begun):
        return
    if record.raw.get("v", 1) != 1:
        yield id(record.participants), len(record.participants)
    yield id(record.batches), sum(map(len, record.batches))


def _release(damaged: list[str], folder: str, text: str) -> tuple[str, state.Kept] | None:
    one = (_kept_once if len(text) <= _REMEMBERED else _kept)(folder, text)
    damaged += [] if one else [f"release {folder}"]
    return one


def _kept(folder: str, text: str) -> tuple[str, state.Kept] | None:
    """What lies in a folder, and its id: by its content, where that is what the folder's name says."""
    raw = _read([], "", text, partial(state.release_from_json, folder))
    if raw is None:
        return None
    id = canonical.digest(raw)
    return (id if canonical.is_named(folder, id) else folder, raw)


_kept_once = lru_cache(maxsize=256)(_kept)  # read once, for most hosts of a fleet keep the same releases


def _named(line: Mapping[str, Any], folders: Mapping[str, str]) -> Mapping[str, Any]:
    """A line of the journal; the releases that it names by 12 digits by their ids, where the host keeps them."""
    found, before = dict(line), line.get("from")
    if "to" in line:
        found["to"] = _whole(line["to"], folders)
    if isinstance(before, Mapping) and "release" in before:
        found["from"] = {**before, "release": _whole(before["release"], folders)}
    return found


def _whole(name: object, folders: Mapping[str, str]) -> object:
    """The id of a release that a folder of the host is named after; another thing as it is, for its reader to refuse."""
    return folders.get(name, name) if isinstance(name, str) else name


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


def _unlike(
    current: state.Current | None, kept: Mapping[str, Mapping[str, Any]], folders: Mapping[str, str], texts: Mapping[str, str],
) -> dict[str, How]:
    """Files of the current release that are no longer as they were shipped → how; and what lies beside them in its folders."""
    folder = next((key for key in texts if key.startswith("sums:")), "").removeprefix("sums:")
    release = kept.get(current.release) if current else None
    if current is None or not release or folders.get(folder) != current.release:
        return {}
    have = {path: value for value, _, path in (line.partition("  ") for line in texts[f"sums:{folder}"].split("\n"))}
    try:
        files: dict[str, str] = shape.fitting(release.get("files"), Mapping[str, str], "files")
    except ValueError:
        return {}
    lead = f"releases/{folder}/"
    there = {path.removeprefix(lead): value for path, value in have.items() if path.startswith(lead)}
    found = _compared("", {f"files/{path}": value[:64] for path, value in files.items()}, there)
    shipped = _folders(texts.get(f"shipped:{folder}", ""))
    return found | _changed(release, have, shipped, texts["objects"].split() if "objects" in texts else shipped)


def _compared(lead: str, wanted: Mapping[str, str], have: Mapping[str, str]) -> dict[str, How]:
    """The wanted files that are missing, or have another sum, by their path below *lead*."""
    return {lead + path: "edited" if path in have else "missing" for path, value in wanted.items() if have.get(path) != value}


def _changed(
    release: Mapping[str, Any], have: Mapping[str, str], folders: Mapping[str, Mapping[str, str]], there: Collection[str],
) -> dict[str, How]:
    """Shipped objects that are no longer what their id says, of folders file by file; *there*: the ids of what is there.

    A folder that a container may write is not judged, also where nothing in it can be read: the container may have emptied
    it, or made it its own. Nor is one of which the host has no list, as older ladings left it.
    """
    found: dict[str, How] = {}
    inside: dict[str, dict[str, str]] = {}
    for path, value in have.items():
        lead, _, rest = path.partition("/")
        key, slash, below = rest.partition("/")
        if lead == "objects" and slash:
            inside.setdefault(key, {})[below] = value
    writable = overlay.shipped(str(release.get("overlay", ""))).writable
    objects = release.get("objects")
    for key in objects if isinstance(objects, Mapping) else ():
        if key not in folders:
            found |= {} if key in inside else _single(key, have.get(f"objects/{key}"))
        elif key not in writable:
            found |= _in_folder(key, folders[key], inside.get(key, {}))
        elif key not in there:
            found[f"objects/{key}"] = "missing"
    return found


def _single(key: str, value: str | None) -> dict[str, How]:
    """A shipped object of one file, whose sum on the host is *value*, if that is not what its id says."""
    if value is None:
        return {f"objects/{key}": "missing"}
    ids = [canonical.object_id([("", executable, value)]) for executable in (False, True)]
    return {} if key in ids else {f"objects/{key}": "edited"}


def _in_folder(key: str, wanted: Mapping[str, str], have: Mapping[str, str]) -> dict[str, How]:
    """What is not as it was shipped in a folder; of very many files only that there are some."""
    lead = f"objects/{key}/"
    found = _compared(lead, wanted, have) | {lead + path: "added" for path in have if path not in wanted}
    return found if len(found) <= UNLIKE_LIMIT else {f"objects/{key}": "edited"}


def _folders(text: str) -> dict[str, dict[str, str]]:
    """Id → path → sum of what lies in each shipped folder, as the host has it written down; what does not give the id counts not."""
    try:
        told = shape.made(_Folders, shape.parse(text)).folders if text else {}
    except ValueError:
        return {}
    return {id: {path: value for path, _, value in files} for id, files in told.items() if _is_list_of(id, files)}


def _is_list_of(id: str, files: Sequence[tuple[Any, ...]]) -> bool:
    """Whether a list is that of a folder, and programs write the names in it as they are."""
    if not all([*map(type, one)] == [str, bool, str] and not set(one[0]) & set("\n\r\\") for one in files):
        return False
    return canonical.object_id([(path, executable, value) for path, executable, value in files]) == id


INFO = ("engine", "id", "arch", "ctx", "plugin", "runtimes", "root")  # lines of `docker info` that are said again; root is the last


def _facts(text: str, registries: str) -> state.Facts:
    lines = [line.split("=", 1) for line in text.splitlines() if "=" in line]
    one = {key: value.strip() for key, value in lines}
    many = {key: tuple(v.rstrip() for k, v in lines if k == key) for key in ("tool", "missing", "listen", "port", "there")}
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
        known_networks=many["there"], runtimes=tuple(one.get("runtimes", "").split()), containers=_containers(lines),
        networks=_networks([v.strip() for k, v in lines if k == "net"]),
        registries={line.split(" ")[0]: line.partition(" ")[2] for line in registries.splitlines() if line},
        docker_info="\n".join(f"{key}={one[key]}" for key in INFO if one.get("engine") and key in one),
        boot=one.get("boot", ""), docker_root=one.get("root", ""),
        problem=one.get("problem", ""), unwritable=one.get("readonly", ""),
    )


def _containers(lines: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The names and ids of all containers, from what `docker ps` says of each; a name may stand for a link: web/db."""
    ids = [value.partition(" ")[0] for key, value in lines if key == "c"]
    names = [name for key, value in lines if key == "net" for name in value.partition(" ")[0].split(",")]
    return tuple(one for one in (*ids, *names) if one and "/" not in one)


def _links(text: str) -> dict[int, str]:
    """Lines "NUMBER PATH" of `leads`; what is no path in plain characters leads nobody knows where."""
    found: dict[int, str] = {}
    for line in islice(text.split("\n"), LINK_LIMIT):
        number, _, path = line.partition(" ")
        if shape.whole(number) >= 0:
            found[int(number)] = path if _is_plain_path(path) else ""
    return found


def _is_plain_path(text: str) -> bool:
    return text.startswith("/") and text.isprintable() and len(text) <= PATH_LIMIT


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
