"""The real `ansible-inventory`, for what only Ansible can read: asked by subprocess; answers kept where that is safe."""

import hashlib
import json
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lading import errors, process
from lading.dataclass import dataclass
from lading.inventory import configuration, connection, groups

FORMAT = 1  # of kept answers
KEPT = 20  # answers that are kept
LIMIT = 300.0  # seconds that Ansible may take
_AT_ONCE = 400  # templates that are filled in by one run
_QUIET = {
    "ANSIBLE_NOCOWS": "1", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_DEPRECATION_WARNINGS": "0",
    "ANSIBLE_STDOUT_CALLBACK": "minimal", "ANSIBLE_LOAD_CALLBACK_PLUGINS": "0", "ANSIBLE_LOG_PATH": os.devnull,
    "ANSIBLE_ASK_VAULT_PASS": "0", "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1", "ANSIBLE_INVENTORY_UNPARSED_FAILED": "1",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What an inventory says: variables by host, hosts by group, where each host is named; what is passed over."""

    variables: Mapping[str, Mapping[str, groups.Variable]]
    members: Mapping[str, tuple[str, ...]]
    places: Mapping[str, groups.Place]
    notes: tuple[str, ...] = ()


class NeededError(Exception):
    """Why only Ansible can read an inventory, and where; *stable*: its answer depends on nothing but the files."""

    def __init__(self, message: str, place: groups.Place, *, stable: bool = False) -> None:
        super().__init__(message)
        self.message, self.place, self.stable = message, place, stable


def kept(variables: Mapping[str, groups.Variable], wanted: frozenset[str]) -> dict[str, groups.Variable]:
    """The variables that lading looks at; of secrets only that they are there."""
    found = {key: one for key, one in variables.items() if key in wanted}
    for key in connection.SECRETS:
        if key in variables and variables[key].value is not None:
            found[key] = groups.Variable(True, variables[key].place)
    return found


def unresolved(value: Any) -> bool:
    """Whether a value is a template, or vaulted: what it means only Ansible can say."""
    return isinstance(value, groups.Sealed) or (isinstance(value, str) and any(sign in value for sign in ("{{", "{%", "{#")))


def ask(
    path: Path, wanted: frozenset[str], environment: Mapping[str, str], config: configuration.Configuration,
    why: NeededError, contents: Callable[[], Iterable[tuple[str, bytes]]],
) -> Found:
    """What Ansible says of the inventory at *path*: anew, unless *why* is stable and the *contents* were asked before.

    Raises:
        SettingsError: Ansible is not there, or cannot read it.
    """
    asked = _Asked(path, environment, config, why)
    keeper = _Keeper(environment, _key(path, wanted, environment, config, contents())) if why.stable else None
    answer = keeper.load() if keeper else None
    if answer is None:
        answer, resolved = asked.answer(wanted)
        if keeper and not resolved:
            keeper.store(answer)
    place = groups.Place(str(path))
    variables = {host: {key: groups.Variable(value, place) for key, value in mine.items()}
                 for host, mine in answer["hosts"].items()}
    members = {name: tuple(found) for name, found in answer["groups"].items()}
    return Found(variables, members, dict.fromkeys(variables, place))


class _Asked:
    """One inventory, and the programs of Ansible that read it."""

    def __init__(
        self, path: Path, environment: Mapping[str, str], config: configuration.Configuration, why: NeededError
    ) -> None:
        self._path, self._why = path.absolute(), why  # a link is not followed: group_vars lie beside the link
        self._environment = {**environment, **_QUIET}
        if "utf" not in next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "").lower():
            self._environment["LC_ALL"] = "C.UTF-8"  # Ansible refuses to work otherwise
        if config.file is not None:
            self._environment["ANSIBLE_CONFIG"] = str(config.file.resolve())

    def answer(self, wanted: frozenset[str]) -> tuple[dict[str, Any], bool]:
        """The groups, and the wanted variables of each host; and whether templates had to be filled in for them."""
        said = self._json("ansible-inventory", "--list")
        into = groups.Groups()
        for name in said:
            into.add_group(name) if name != "_meta" else None
        for name, group in said.items():
            for child in group.get("children", ()):
                into.add_group(child)
                into.groups[name].children[child] = None
            for host in group.get("hosts", ()):
                into.add_host(host, name, 0, groups.Place(""))
        hostvars = said.get("_meta", {}).get("hostvars", {})
        for host in hostvars:
            if host not in into.hosts:
                into.add_host(host, "ungrouped", 0, groups.Place(""))
        values = {host: self._kept(hostvars.get(host, {}), wanted) for host in into.hosts}
        open_ones = [(host, key) for host, mine in values.items() for key, value in mine.items()
                     if unresolved(value) and connection.NAME.fullmatch(host)]
        for begin in range(0, len(open_ones), _AT_ONCE):
            some = open_ones[begin : begin + _AT_ONCE]
            for (host, key), value in zip(some, self._filled_in(some), strict=True):
                values[host][key] = value
        in_order = dict.fromkeys([*into.descendants("all"), *into.groups])  # Ansible lists them by name, all the same
        return {"groups": {name: into.members(name) for name in in_order}, "hosts": values}, bool(open_ones)

    def _kept(self, variables: Mapping[str, Any], wanted: frozenset[str]) -> dict[str, Any]:
        located = {key: groups.Variable(_opened(value), groups.Place("")) for key, value in variables.items()}
        return {key: variable.value for key, variable in kept(located, wanted).items()}

    def _filled_in(self, variables: Sequence[tuple[str, str]]) -> list[Any]:
        """Templates of several hosts, filled in for each, and vaulted values, opened."""
        message = [f"{{{{ hostvars[{host!r}][{key!r}] }}}}" for host, key in variables]
        argument = json.dumps({"msg": message})
        said = self._json("ansible", "localhost", "-m", "ansible.builtin.debug", "-a", argument)
        found: list[Any] = said.get("msg", [])
        if len(found) != len(variables):
            raise self._failed("ansible", "it answers otherwise than expected")
        return found

    def _json(self, program: str, *words: str) -> dict[str, Any]:
        folder = self._path if self._path.is_dir() else self._path.parent
        argv = [self._found(program), "-i", str(self._path), *words]
        try:
            done = process.run(argv, env=self._environment, cwd=str(folder), timeout=LIMIT)
        except process.ProgramTimeoutError as late:
            raise self._failed(program, f"it did not answer within {LIMIT:g} s") from late
        except process.ProgramMissingError as missing:
            raise self._failed(program, "it cannot be run") from missing
        text = done.stdout.decode("utf-8", "replace")
        try:
            found = json.loads(text[text.index("{"):]) if not done.status else None
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self._failed(program, _reason(done.error_text) or _reason(text) or f"exit {done.status}")
        return found

    def _found(self, program: str) -> str:
        beside = Path(sys.executable).parent
        found = shutil.which(program, path=self._environment.get("PATH", os.defpath)) or shutil.which(program, path=str(beside))
        if found is None:
            raise errors.SettingsError(
                f"{self._why.message}: to read it takes Ansible, and {program} is neither on PATH nor in {beside}",
                "pip install 'lading[ansible]'", file=self._why.place.file, line=self._why.place.line)
        return found

    def _failed(self, program: str, what: str) -> errors.SettingsError:
        return errors.SettingsError(
            f"{self._why.message}, and {program} cannot read it: {what}", f"try by hand: ansible-inventory -i {shlex.quote(str(self._path))} --list",
            file=self._why.place.file, line=self._why.place.line)


def _opened(value: Any) -> Any:
    """A value as Ansible lists it, without the mark of one that is never a template; a vaulted one stays closed."""
    if isinstance(value, dict) and "__ansible_vault" in value:
        return groups.Sealed()
    return value["__ansible_unsafe"] if isinstance(value, dict) and "__ansible_unsafe" in value else value


def _reason(text: str) -> str:
    """What Ansible gives as the error, in one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    begin = next((number for number, line in enumerate(lines) if "ERROR" in line or '"msg"' in line), max(0, len(lines) - 1))
    return " ".join(lines[begin : begin + 3])[:500]


def _key(
    path: Path, wanted: frozenset[str], environment: Mapping[str, str], config: configuration.Configuration,
    contents: Iterable[tuple[str, bytes]],
) -> str:
    """What the answer depends on, as one hash."""
    def parts() -> Iterator[bytes]:
        yield json.dumps([FORMAT, str(path.absolute()), sorted(wanted), sorted(
            (name, value) for name, value in environment.items() if name.startswith("ANSIBLE_"))]).encode()
        yield config.file.read_bytes() if config.file else b""
        for name, content in contents:
            yield name.encode("utf-8", "surrogateescape")
            yield content

    whole = hashlib.sha256()
    for part in parts():
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


class _Keeper:
    """One answer in a file that only its user may read or write."""

    def __init__(self, environment: Mapping[str, str], key: str) -> None:
        home = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or "~").expanduser() / ".cache"
        self._folder = Path(home) / "lading" / "inventory"
        self._file = self._folder / f"{key}.json"

    def load(self) -> dict[str, Any] | None:
        """The answer, if it is there and nobody else can have written it."""
        try:
            with self._file.open("rb") as opened:
                about = os.fstat(opened.fileno())
                if about.st_uid != os.getuid() or about.st_mode & 0o077:
                    return None
                found = json.load(opened)
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and {"hosts", "groups"} <= found.keys() else None

    def store(self, answer: Mapping[str, Any]) -> None:
        """Keep it; where that is not possible, Ansible is asked again next time."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=self._folder)  # 0600
            with os.fdopen(handle, "w") as opened:
                json.dump(answer, opened)
            Path(name).replace(self._file)
            known = sorted(self._folder.glob("*.json"), key=lambda one: one.stat().st_mtime, reverse=True)
            for old in known[KEPT:]:
                old.unlink(missing_ok=True)
        except OSError:
            return
