"""Where the fleet file is found; of one that nobody named counts only what its user has allowed."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from lading import allowed, disk, errors, settings
from lading.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """Where the fleet file lies; *named*: by the user, or the user's own, and so not merely found."""

    path: Path
    named: bool = True


def find(directory: Path, environment: Mapping[str, str], explicit: str = "") -> Found | None:
    """The fleet file: `--config`, LADING_CONFIG, lading.yaml in *directory* and its parents, then the user's own."""
    named = explicit or environment.get("LADING_CONFIG", "")
    if named:
        return Found(disk.expanded(named))
    for folder in (directory.resolve(), *directory.resolve().parents):
        if disk.is_file(folder / "lading.yaml"):
            return Found(folder / "lading.yaml", named=False)
    home = Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "/")) / ".config")
    own = home / "lading" / "lading.yaml"
    return Found(own) if disk.is_file(own) else None


def fleet(
    environment: Mapping[str, str], directory: Path = Path(), config: str = ""
) -> settings.Settings:
    """The fleet file, found and read.

    Raises:
        SettingsError: there is none, or it is wrong.
        NotAllowedError: it was found, not named; its user has not allowed what it runs and reads.
    """
    read = fleet_if_any(environment, directory, config)
    if read is None:
        raise errors.SettingsError(
            "there is no fleet file: no --config, no LADING_CONFIG, no lading.yaml here or above",
            "lading init")
    return read


def fleet_if_any(
    environment: Mapping[str, str], directory: Path = Path(), config: str = ""
) -> settings.Settings | None:
    """The same; None where there is no fleet file.

    Raises:
        SettingsError, NotAllowedError: as `fleet`.
    """
    found = find(directory, environment, config)
    return load(found, environment, directory) if found is not None else None


def load(found: Found, environment: Mapping[str, str], directory: Path = Path()) -> settings.Settings:
    """Read and check a fleet file; *directory*: where the search for it began.

    Raises:
        SettingsError: with file, line, and the nearest right name where one is unknown.
        NotAllowedError: it would run programs or read the environment; nothing was run, read or contacted.
    """
    top = settings.parse_file(found.path)
    if not found.named:
        home, entries = settings.state_home(environment), allowed.entries(found.path, top)
        where = "" if directory.resolve() == Path.cwd() else f" -C {shlex.quote(str(directory))}"
        allowed.check(home, found.path, entries, f"look at these entries; if they are meant: lading config allow{where}")
    return settings.read(found.path, top, environment)


def entries(path: Path) -> tuple[allowed.Entry, ...]:
    """What of a fleet file counts only once its user allows it, where it was found and not named.

    Raises:
        SettingsError: it cannot be read, or is no YAML.
    """
    return allowed.entries(path, settings.parse_file(path))


def names(
    found: Found, environment: Mapping[str, str], *, hosts_only: bool = False
) -> list[str]:
    """What `--to` may name, as far as files tell it: no program is run, no host or server contacted.

    Raises:
        SettingsError: the file cannot be read, or is wrong.
    """
    top = settings.parse_file(found.path)
    home = settings.state_home(environment)
    counts = found.named or allowed.allows(home, found.path, allowed.entries(found.path, top))
    return settings.names(found.path, top, environment, inventory=counts, hosts_only=hosts_only)


def registries(
    found: Found | None, environment: Mapping[str, str]
) -> Mapping[str, settings.RegistrySettings]:
    """How registries are reached, as far as the file counts; nothing is run, and no password looked up.

    Raises:
        SettingsError: the file cannot be read, or is wrong.
    """
    if found is None:
        return {}
    top = settings.parse_file(found.path)
    home = settings.state_home(environment)
    counts = found.named or allowed.allows(home, found.path, allowed.entries(found.path, top))
    return settings.registries(found.path, top) if counts else {}


def own_ledger(found: Found | None, environment: Mapping[str, str]) -> Path | None:
    """The ledger that is a file of this user's; None where the fleet file names a server.

    Raises:
        SettingsError: the file cannot be read, or is wrong.
    """
    if found is not None and settings.shared_ledger(found.path, settings.parse_file(found.path)):
        return None
    return settings.state_home(environment) / "ledger.db"
