"""What a fleet file that was found, not named, may run and read: nothing, until its user allows these entries by hash."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lading import canonical, disk, errors
from lading.dataclass import dataclass

FORMAT = 1
FILE = "allowed.json"
HINT = "a state folder that you can write: XDG_STATE_HOME"
RUNS, READS = "runs a program", "reads the environment"
_DECRYPTS = "has sops decrypt it, with your keys"
_TELLS = "tells another host how deployments end"
_SETTINGS = "settings of Ansible, which may name programs"
_DOES = {  # options by their dotted path, NAME standing for any name
    "inventory": "an Ansible inventory, which may run programs",
    "ansible.inventory": "an Ansible inventory, which may run programs",
    "ansible.config": _SETTINGS,
    "ansible.vault_password_file": "Ansible runs it where it is a program",
    "ansible.vault_password_command": RUNS,
    "pass_env": READS,
    "destinations.NAME.pass_env": READS,
    "registries.NAME.auth": "sends a registry's credentials to another host",
    "registries.NAME.insecure": "sends a registry's credentials without TLS",
}
_BY_KEY = {"command": RUNS, "env": READS, "sops": _DECRYPTS}  # wherever they stand
_TRANSPORTS = ("transport", "destinations.NAME.transport", "hosts.NAME.transport")
_PATHS = {"ssh.known_hosts": "is read, and written by `hosts trust`, outside", "registries.NAME.ca": "is read outside"}
_PATH_KEYS = ("file", "age", "key")  # of a value by reference
_NAMED = ("hosts", "destinations", "registries")  # mappings whose keys are names that people chose
_TEXT_ONLY = ("labels", "variables")  # mappings in which any key is only a name
_NO = ("false", "no", "off")
_MOST = 1000  # files of an inventory's folder that are looked at
_LIMIT = 1 << 20  # bytes of the file
_PROGRAM_LIMIT = 64 << 20  # bytes of a program that is hashed


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry that needs the user's word: *option* with its *value* as JSON, *line*, and what it *does*."""

    option: str
    value: str
    line: int
    does: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.option}: {self.value} ({self.does})"


def entries(path: Path, top: Any) -> tuple[Entry, ...]:
    """The entries of a fleet file, as the YAML node *top*, that run programs, read the environment or lead elsewhere."""
    folder = path.parent.resolve()
    found = [*_entries(folder, top, ()), *_default_pins(folder, top)]
    return tuple(found)


def _entries(folder: Path, node: Any, place: tuple[str, ...]) -> Iterator[Entry]:
    does = _does(folder, node, place)
    if does:
        yield Entry(".".join(place), canonical.form(_plain(node)).decode(), node.start_mark.line + 1, does)
        return
    if getattr(node, "id", "") == "sequence":
        for number, one in enumerate(node.value):
            yield from _entries(folder, one, (*place, str(number)))
    if getattr(node, "id", "") != "mapping":
        return
    for key, value in node.value:
        name = str(key.value)
        if name not in _TEXT_ONLY or len(place) != 2:
            yield from _entries(folder, value, (*place, name))


def _does(folder: Path, node: Any, place: tuple[str, ...]) -> str:
    """What an option does that needs the user's word, or ""."""
    if getattr(node, "value", None) == []:
        return ""  # an empty list, such as the `pass_env` that `init` writes
    named = len(place) > 1 and place[0] in _NAMED
    option = ".".join((place[0], "NAME", *place[2:]) if named else place)
    text = str(node.value) if getattr(node, "id", "") == "scalar" else ""
    if option == "registries" and text:
        return "sends images of this machine's engine to hosts"
    if option in _TRANSPORTS:
        return {"ansible": "runs Ansible", "local": "works on this machine's own Docker"}.get(text, "")
    if option == "registries.NAME.insecure" and text in _NO:
        return ""
    if option in _PATHS:
        return _PATHS[option] + f" {folder}" if _leads_out(folder, text) else ""
    if place[-1:] == ("pass_env",) and not node.value:
        return ""
    if _is_reference(place) and place[-1] in _PATH_KEYS:
        return f"is read outside {folder}" if _leads_out(folder, text) else ""
    if place[2:3] == ("notify",) and place[-1] == "url" and text:
        return _TELLS
    by_key = _BY_KEY.get(place[-1], "") if len(place) > 1 and not (named and len(place) == 2) else ""
    return _DOES.get(option, by_key)


def _is_reference(place: tuple[str, ...]) -> bool:
    """Whether an option belongs to a value by reference: a secret of a destination, a password, a webhook's address."""
    return place[2:3] in (("secrets",), ("notify",), ("password",)) and len(place) > 3


def _default_pins(folder: Path, top: Any) -> Iterator[Entry]:
    """The file of pinned keys beside the fleet file, if it is a link that leads elsewhere."""
    if _leads_out(folder, "known_hosts"):
        where = str((folder / "known_hosts").resolve())
        line = top.start_mark.line + 1 if top is not None else 1
        yield Entry("known_hosts", canonical.form(where).decode(), line, f"{_PATHS['ssh.known_hosts']} {folder}")


def _leads_out(folder: Path, text: str) -> bool:
    """Whether a path of the fleet file lies outside its folder, links followed."""
    try:
        return not (folder / disk.expanded(text)).resolve().is_relative_to(folder)
    except (OSError, ValueError, RuntimeError):
        return True


def _plain(node: Any) -> Any:
    """A YAML node as JSON takes it; every scalar as its text."""
    if node.id == "mapping":
        return {str(key.value): _plain(value) for key, value in node.value}
    if node.id == "sequence":
        return [_plain(one) for one in node.value]
    return str(node.value)


def digest(path: Path, entries: Sequence[Entry]) -> str:
    """What is allowed of the fleet file at *path*, as one hash: options and values, wherever they stand in it.

    Programs that lie beside the file count with their content: who allows them has seen these.
    """
    folder = path.parent.resolve()
    found = []
    for entry in entries:
        programs = dict.fromkeys(_programs(folder, entry.does, json.loads(entry.value)))
        contents = [[str(one), _content(one)] for one in programs]
        found.append([entry.option, entry.value, contents])
    return canonical.digest(sorted(found))


def _programs(folder: Path, does: str, value: Any) -> Iterator[Path]:
    """The files below *folder* that an entry has run: programs, their scripts, what configures Ansible."""
    if isinstance(value, str):
        yield from _program(folder, does, value)
        return
    for one in value.values() if isinstance(value, dict) else value:
        yield from _programs(folder, does, one)


def _program(folder: Path, does: str, text: str) -> Iterator[Path]:
    if _leads_out(folder, text):
        return
    path = folder / text
    if disk.is_folder(path):
        below = sorted(path.rglob("*"))[:_MOST]
        yield from (one for one in below if disk.is_file(one) and os.access(one, os.X_OK))
    elif disk.is_file(path) and (does in (RUNS, _SETTINGS) or os.access(path, os.X_OK)):
        yield path
    config = (path if disk.is_folder(path) else path.parent) / "ansible.cfg"
    if "Ansible" in does and disk.is_file(config):
        yield config


def _content(path: Path) -> str:
    try:
        return hashlib.sha256(disk.read(path, limit=_PROGRAM_LIMIT)).hexdigest()
    except OSError as gone:
        return disk.reason(gone)


def allows(home: Path, path: Path, entries: Sequence[Entry]) -> bool:
    """Whether this user has allowed the entries of the fleet file at *path* as they are; *home*: the state folder."""
    if not entries:
        return True
    known = _load(home).get(_key(path))
    return known is not None and known == digest(path, entries)


def check(home: Path, path: Path, entries: Sequence[Entry], hint: str) -> None:
    """Refuse a fleet file with entries that this user has not allowed as they are.

    Raises:
        NotAllowedError: it names every such entry. Nothing was run, read or contacted.
    """
    if allows(home, path, entries):
        return
    what = "you have not allowed what it runs and reads"
    if _key(path) in _load(home):
        what = "what it runs and reads is not what you allowed"
    told = "; ".join(map(str, entries))
    raise errors.NotAllowedError(
        f"{path} was found here, not named, and {what}: {told}", hint, file=str(path), line=entries[0].line)


def allow(home: Path, path: Path, allowed: str) -> None:
    """Remember that *allowed*, a `digest`, may be run and read for the fleet file at *path*.

    Raises:
        InputError: the state folder cannot be written.
    """
    with disk.writing(home / FILE, HINT):
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = json.dumps({"v": FORMAT, "files": {**_load(home), _key(path): allowed}}, indent=1, sort_keys=True)
        handle, name = tempfile.mkstemp(dir=home)  # 0600
        with os.fdopen(handle, "w") as opened:
            opened.write(text + "\n")
        Path(name).replace(home / FILE)


def _key(path: Path) -> str:
    """A fleet file by its own place: a link to one that is allowed elsewhere is another file."""
    return str(path.parent.resolve() / path.name)


def _load(home: Path) -> dict[str, str]:
    """Path → hash; nothing if the file is not there, damaged, or could have been written by somebody else."""
    try:
        about = (home / FILE).stat()
        if about.st_uid != os.getuid() or about.st_mode & 0o077:
            return {}
        kept = json.loads(disk.read(home / FILE, limit=_LIMIT))
        files = kept["files"] if kept["v"] == FORMAT else {}
        return {str(path): str(value) for path, value in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
