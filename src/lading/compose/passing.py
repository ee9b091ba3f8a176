"""Which variables of the caller's environment a project is given: VERSION, and the names that lading.yaml passes on (pure)."""

import fnmatch
import json
import re
from collections.abc import Iterable, Mapping, Sequence

from lading import errors
from lading.dataclass import dataclass

VERSION = "VERSION"
ENTRY = re.compile(r"-?[A-Za-z0-9_*?\[\]!]+")
PLAIN = re.compile(r"[A-Za-z_-][A-Za-z0-9_-]*")  # what YAML reads as text without quotes
Spot = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Passing:
    """`pass_env` of lading.yaml: *general* of its top level, then *special* of the destination called *destination*.

    *own*: the names that lading.yaml itself reads, by `{env: NAME}`; no project is given those.
    """

    general: tuple[str, ...] = ()
    special: tuple[str, ...] = ()
    own: frozenset[str] = frozenset()
    destination: str = ""

    def passes(self, name: str) -> bool:
        """Whether a project may have the caller's value of *name*: of all entries that match it, the last one counts."""
        if name in self.own:
            return False
        return name == VERSION or _listed(name, (*self.general, *self.special))

    def passed(self, environment: Mapping[str, str]) -> dict[str, str]:
        """What of the caller's environment a project may have."""
        return {name: value for name, value in environment.items() if self.passes(name)}

    def withheld(self, names: Iterable[str], environment: Mapping[str, str], typed: Mapping[str, str]) -> list[str]:
        """Those of *names* that the caller's environment has and a project may not have; *typed*: values of -e, which count more."""
        return sorted(name for name in set(names) if name in environment and name not in typed and not self.passes(name))

    def refusal(self, spots: Mapping[str, Spot]) -> errors.ComposeError:
        """The error for names that files use and the environment has, by where they are used; all of them at once."""
        said, hints = [], []
        own = {name: spot for name, spot in spots.items() if name in self.own}
        others = {name: spot for name, spot in spots.items() if name not in self.own}
        if others:
            which = "is" if len(others) == 1 else "are"
            said.append(f"{_places(others)} {which} in your environment, and lading.yaml does not pass {'it' if len(others) == 1 else 'them'} on")
            first = next(iter(others))
            hints.append(f"in lading.yaml{self._level(others)}: {self._line(others)}; or a value here: -e {first}=VALUE; "
                         f"or without it, for the value of the destination or the default: env -u {first} lading …")
        if own:
            said.append(f"{_places(own)}: lading.yaml itself reads that ({{env: {next(iter(own))}}}), so no Compose file gets it")
            hints.append(f"another name in the file instead of {', '.join(own)}")
        file, line = next(iter((*others.values(), *own.values())))
        return errors.ComposeError("; ".join(said), "; ".join(hints), file=file, line=line)

    def _special_is_meant(self, names: Iterable[str]) -> bool:
        """Whether the destination takes one of *names* out, so that an entry of the top level would not help."""
        return any(_listed(name, ("*", *self.special)) is False for name in names)

    def _level(self, names: Iterable[str]) -> str:
        return f", under destinations.{self.destination}" if self._special_is_meant(names) else ""

    def _line(self, names: Mapping[str, Spot]) -> str:
        """The line of lading.yaml that passes them on, with what stands there already."""
        before = self.special if self._special_is_meant(names) else self.general
        return f"pass_env: [{', '.join(_written(entry) for entry in (*before, *names))}]"


def fault(entry: str) -> str:
    """Why an entry of `pass_env` means nothing, "" if it does."""
    return "" if ENTRY.fullmatch(entry) else f"{entry!r} is no name, no pattern such as APP_*, and no -NAME"


def _listed(name: str, entries: Sequence[str]) -> bool:
    found = False
    for entry in entries:
        if fnmatch.fnmatchcase(name, entry.removeprefix("-")):
            found = not entry.startswith("-")
    return found


def _places(spots: Mapping[str, Spot]) -> str:
    return ", ".join(f"{name} ({file}:{line})" if file else name for name, (file, line) in spots.items())


def _written(entry: str) -> str:
    """An entry as YAML wants it in a list."""
    return entry if PLAIN.fullmatch(entry) else json.dumps(entry)
