"""Which hosts OpenSSH's configuration does not tell apart but by name: its `Host` blocks, read for that alone (pure)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

_LATER = {  # options whose tokens `ssh -G` prints as they are written, and `Host`, where % is a letter
    "host", "proxycommand", "proxyjump", "identityfile", "certificatefile", "identityagent", "controlpath", "localcommand",
    "remotecommand"}
_PLAIN = re.compile(r"[a-z0-9._:-]+")  # a HostName that is printed as it is written
_NAME = re.compile(r"[a-z0-9._:%][a-z0-9._:%-]*")  # `ssh` goes by it as it is written, and takes no user or port out of it
_OPEN = {"match all": False, "match final all": True}  # lines after which all hosts are meant again; in a second pass?


@dataclass
class _Block:
    """A line `Host PATTERNS` and those below it; without patterns: lines for all hosts."""

    patterns: tuple[str, ...] = ()
    lines: list[tuple[str, str]] = field(default_factory=list)

    @cached_property
    def hostname(self) -> str:
        """The address that it gives, "" if it gives none."""
        return next((rest for keyword, rest in self.lines if keyword == "hostname"), "")

    @cached_property
    def is_of_one(self) -> bool:
        """Whether it is for one host, and all that it says is on its lines."""
        plain = len(self.patterns) == 1 and re.search(r"[!*?]", self.patterns[0]) is None
        includes = any(keyword == "include" for keyword, _ in self.lines)
        return plain and not includes and (not self.hostname or _PLAIN.fullmatch(self.hostname) is not None)

    @cached_property
    def without_address(self) -> tuple[tuple[str, str], ...]:
        """Its lines, but for what HostName says: that there is one counts."""
        return tuple((keyword, "" if keyword == "hostname" else rest) for keyword, rest in self.lines)

    @cached_property
    def _wanted(self) -> re.Pattern[str]:
        return _any_of([one for one in self.patterns if not one.startswith("!")])

    @cached_property
    def _unwanted(self) -> re.Pattern[str]:
        return _any_of([one[1:] for one in self.patterns if one.startswith("!")])

    def holds(self, name: str) -> bool:
        """Whether its lines count for the host *name*."""
        if not self.patterns or self.patterns == (name,):
            return True
        if self.is_of_one:
            return False
        return self._wanted.fullmatch(name) is not None and self._unwanted.fullmatch(name) is None


@dataclass(frozen=True, slots=True)
class Kind:
    """What counts for a host: equal for hosts whose answers differ in *hostname* alone, if that is what `ssh -G` says."""

    parts: tuple[object, ...]
    hostname: str = field(compare=False)


class Blocks:
    """The blocks of all files that count."""

    def __init__(self, blocks: Sequence[_Block], *, twice: bool) -> None:
        self._blocks = blocks
        self._twice = twice

    def kind(self, name: str) -> Kind | None:
        """What counts for the host *name*; None: it must be asked for by itself."""
        if _NAME.fullmatch(name) is None:  # capitals, too, `ssh` looks for as they are written, and then has small letters
            return None
        found = self._once(name)
        if not self._twice or found.hostname == name:
            return found
        return Kind((*found.parts, self._once(found.hostname).parts), found.hostname)

    def _once(self, name: str) -> Kind:
        holding = [(place, block) for place, block in enumerate(self._blocks) if block.holds(name)]
        own = [block for _, block in holding if block.is_of_one]
        general = any(block.hostname for _, block in holding if not block.is_of_one)
        if len(own) != 1 or (general and own[0].hostname):  # which HostName comes first is not for us to say
            return Kind(tuple(place for place, _ in holding), name)
        parts = tuple(block.without_address if block is own[0] else place for place, block in holding)
        return Kind(parts, own[0].hostname or name)


def read(texts: Sequence[str]) -> Blocks | None:
    """The blocks of the files *texts*.

    None: each host must be asked for, since a line runs a program, or is one that only OpenSSH can read.
    """
    found: list[_Block] = []
    twice = False
    for text in texts:
        found.append(_Block())
        for keyword, rest in _lines(text):
            if not _is_readable(keyword, rest):
                return None
            if keyword == "host":
                found.append(_Block(tuple(rest.split())))
            elif keyword == "match":
                found.append(_Block())
                twice = twice or _OPEN[_of_match(rest)]
            else:
                found[-1].lines.append((keyword, rest))
    return Blocks(found, twice=twice)


def _lines(text: str) -> list[tuple[str, str]]:
    """Each line that says something: its keyword in lower case, and the rest."""
    lines = (line.strip() for line in text.split("\n"))
    parts = (re.split(r"\s*=\s*|\s+", line, maxsplit=1) for line in lines if line and not line.startswith("#"))
    return [(part[0].lower(), part[1] if len(part) > 1 else "") for part in parts]


def _is_readable(keyword: str, rest: str) -> bool:
    if '"' in keyword:
        return False
    if keyword == "match":
        return _of_match(rest) in _OPEN
    if keyword == "host":
        return re.search(r"[\"'=#,\\]", rest) is None
    return "%" not in rest or keyword in _LATER


def _of_match(rest: str) -> str:
    return " ".join(["match", *rest.lower().split()])


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    """What any of the *patterns* fits, as OpenSSH has them: * and ?, upper and lower case apart; nothing, if there is none."""
    parts = {"*": ".*", "?": "."}
    told = ["".join(parts.get(letter, re.escape(letter)) for letter in pattern) for pattern in patterns]
    return re.compile("|".join(told) or "(?!)")
