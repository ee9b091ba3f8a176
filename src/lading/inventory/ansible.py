"""An Ansible inventory as hosts and groups: static files are read here, all others by Ansible itself."""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from lading import errors
from lading.dataclass import dataclass
from lading.inventory import ansible_program, configuration, connection, groups, hosts, ini, tree, yaml_files

YAML = (".yml", ".yaml", ".json")
IGNORED = (".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry")
VARIABLES = ("group_vars", "host_vars", "vars_plugins")
_DEPTH = 20  # folders within folders


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    content: bytes

    @property
    def place(self) -> groups.Place:
        return groups.Place(str(self.path))

    @property
    def encrypted(self) -> bool:
        return self.content.startswith(b"$ANSIBLE_VAULT;")

    def text(self) -> str:
        try:
            return self.content.decode("utf-8")
        except UnicodeDecodeError as bad:
            line = self.content[: bad.start].count(b"\n") + 1
            raise groups.InventoryError("not UTF-8 text", groups.Place(str(self.path), line)) from bad


def read(
    path: Path, labels: Sequence[str], environment: Mapping[str, str], fleet: Path, *, programs: bool = True,
    user: str = "",
) -> hosts.Inventory:
    """The hosts and groups of the inventory at *path*; the variables named in *labels* become labels of the hosts.

    *fleet* is the folder of the fleet file: an ansible.cfg may lie there, and relative key files are relative to it.
    *user*: who logs in where a host names nobody, by the fleet file; else it is ansible.cfg's remote_user.
    Without *programs* nothing is run: an inventory that only Ansible can read is empty.

    Raises:
        SettingsError: it cannot be read, is wrong, or needs Ansible, which is not there; with file and line.
    """
    wanted = frozenset((*connection.VALUES, *labels))
    try:
        config = configuration.find(path, environment, fleet)
        try:
            found = static(path, wanted, config)
        except ansible_program.NeededError as why:
            if not programs:
                return hosts.Inventory({}, {})
            found = ansible_program.ask(path, wanted, environment, config, why, lambda: _contents(path))
    except groups.InventoryError as wrong:
        raise errors.SettingsError(wrong.message, "correct it", file=wrong.place.file, line=wrong.place.line) from wrong
    return _inventory(_by_configuration(found, config, user), labels, fleet)


def static(path: Path, wanted: frozenset[str], config: configuration.Configuration) -> ansible_program.Found:
    """What the static files of an inventory say, of each host the *wanted* variables.

    Raises:
        InventoryError: it is wrong.
        NeededError: something in it takes Ansible.
    """
    if config.reason:
        raise ansible_program.NeededError(config.reason, groups.Place(str(config.file or path)))
    files = [_load(one) for one in _sources(path, 0)]
    for file in files:
        _check_readable(file)
    into = groups.Groups()
    skipped = [note for file in files for note in _source(file, into)]
    into.settle()
    folder = path if path.is_dir() else path.parent
    variables = into.variables(_variable_files(folder / "group_vars", into.groups), _variable_files(folder / "host_vars", into.hosts))
    kept = {host: ansible_program.kept(mine, wanted) for host, mine in variables.items()}
    for host, mine in kept.items():
        for key, variable in mine.items():
            if ansible_program.unresolved(variable.value):
                raise ansible_program.NeededError(f"{key} of {host} is a template or vaulted", variable.place)
    return ansible_program.Found(kept, into.all_members(), into.places, tuple(skipped))


def _sources(path: Path, depth: int) -> Iterator[Path]:
    """The inventory files of a folder, in Ansible's order; a file alone is itself."""
    if not path.exists():
        raise groups.InventoryError("there is no such inventory", groups.Place(str(path)))
    if not path.is_dir():
        yield path
    elif depth < _DEPTH:
        for one in sorted(path.iterdir(), key=lambda entry: entry.name):
            if not one.name.startswith(".") and one.name not in VARIABLES and not one.name.endswith(IGNORED):
                yield from _sources(one, depth + 1)


def _load(path: Path) -> _File:
    try:
        return _File(path, path.read_bytes())
    except OSError as missing:
        raise groups.InventoryError(f"cannot be read: {missing.strerror}", groups.Place(str(path))) from missing


def _check_readable(file: _File) -> None:
    """Refuse what only Ansible can read of the inventory's own files."""
    if os.access(file.path, os.X_OK) and file.content.startswith((b"#!", b"\x7fELF")):
        raise ansible_program.NeededError("it is a program that prints an inventory", file.place)
    if file.encrypted:
        raise ansible_program.NeededError("it is encrypted by ansible-vault", file.place)
    if file.path.suffix == ".toml":
        raise ansible_program.NeededError("it is TOML", file.place)


def _source(file: _File, into: groups.Groups) -> list[str]:
    """Add what one file says: YAML by its suffix, INI by another one; without a suffix whichever it is."""
    if file.path.suffix in ("", *YAML):
        try:
            found = yaml_files.tree(file.text(), str(file.path))
        except groups.InventoryError:
            if file.path.suffix:
                raise
            found = groups.Variable(None, file.place)
        if isinstance(found.value, dict) and "plugin" in found.value:
            raise ansible_program.NeededError(f"it configures a plug-in ({found.value['plugin'].value})", file.place)
        if isinstance(found.value, dict) or (file.path.suffix and found.value is not None):
            return tree.read(found, into)
    ini.read(file.text(), str(file.path), into)
    return []


def _variable_files(folder: Path, names: Iterable[str]) -> dict[str, dict[str, groups.Variable]]:
    """The variables that files under group_vars or host_vars give to groups or hosts.

    Raises:
        NeededError: one is encrypted.
    """
    found: dict[str, dict[str, groups.Variable]] = {}
    there = {one.name for one in folder.iterdir()} if folder.is_dir() else set()
    for name in names:
        first = next((name + suffix for suffix in ("", *YAML) if name + suffix in there), "")
        for path in _within(folder / first, 0) if first else ():
            file = _load(path)
            if file.encrypted:
                raise ansible_program.NeededError("it is encrypted by ansible-vault", file.place, stable=True)
            located = yaml_files.tree(file.text(), str(path))
            found.setdefault(name, {}).update(tree.variables(located, "a file of variables"))
    return found


def _within(path: Path, depth: int) -> Iterator[Path]:
    """The files of variables that *path* is or holds, sorted, as Ansible looks for them."""
    if not path.is_dir():
        yield path
    elif depth < _DEPTH:
        for one in sorted(path.iterdir(), key=lambda entry: entry.name):
            if one.name.startswith(".") or one.name.endswith("~"):
                continue
            if (one.is_dir() and not one.suffix) or (one.is_file() and one.suffix in ("", *YAML)):
                yield from _within(one, depth + 1)


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every file that has a say: name and content."""
    folder = path if path.is_dir() else path.parent
    variables = [one for name in VARIABLES[:2] if (folder / name).is_dir() for one in sorted((folder / name).rglob("*"))]
    for one in (*_sources(path, 0), *variables):
        if one.is_file():
            yield str(one), _load(one).content


def _by_configuration(
    found: ansible_program.Found, config: configuration.Configuration, user: str
) -> ansible_program.Found:
    """*found*, and below it what the ansible.cfg says of how each host is reached; a key file there is relative to it."""
    said = {name: value for name, value in config.connection.items() if name != "ansible_user" or not user}
    if not said or config.file is None:
        return found
    if "ansible_private_key_file" in said:
        said["ansible_private_key_file"] = str(config.file.parent / Path(said["ansible_private_key_file"]).expanduser())
    place = groups.Place(str(config.file))
    below = {name: groups.Variable(value, place) for name, value in said.items()}
    return dataclasses.replace(found, variables={host: {**below, **mine} for host, mine in found.variables.items()})


def _inventory(found: ansible_program.Found, labels: Sequence[str], fleet: Path) -> hosts.Inventory:
    notes = {"": found.notes}
    known = {}
    for name, variables in found.variables.items():
        host, notes[name] = connection.host(name, variables, labels, found.places[name])
        known[name] = _with_paths(host, fleet)
    return hosts.Inventory(known, {}, found.members, {name: said for name, said in notes.items() if said})


def _with_paths(host: hosts.Host, fleet: Path) -> hosts.Host:
    """The same host with its files as whole paths."""
    def whole(name: str) -> str:
        return str(fleet / Path(name).expanduser()) if name else ""

    return dataclasses.replace(host, key_file=whole(host.key_file), known_hosts=whole(host.known_hosts),
                               ssh_config=host.ssh_config if host.ssh_config == "none" else whole(host.ssh_config))
