"""Ansible's host patterns, such as `web:&prod:!old`, `~re`, `web[0:2]`, `*`: which hosts one means (pure)."""

import difflib
import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import field

from lading import errors
from lading.dataclass import dataclass
from lading.inventory import ranges

LIMIT = 500  # characters of a pattern
BUILT_IN = ("all", "ungrouped")  # Ansible's own groups: meant only where they are written
_SIGNS = frozenset(":&!*?[~")
_WORDS = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_SUBSCRIPT = re.compile(r"(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]")


@dataclass(frozen=True, slots=True)
class Found:
    """The hosts that a pattern means, and the groups and destinations it takes hosts from by their names.

    *left_out*: host → the part, with its & or !, that took it out again.
    """

    hosts: tuple[str, ...]
    named: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict, compare=False)


def is_pattern(text: str) -> bool:
    """Whether *text* is more than a name or names with commas between."""
    return not _SIGNS.isdisjoint(text)


def split(text: str) -> list[str]:
    """The single patterns of one argument: by comma, else by colon, unless it is one host (an IPv6 address) or range."""
    if "," in text:
        words = text.split(",")
    elif ranges.address(text) is not None:
        words = [text]
    else:
        words = _WORDS.findall(text)
    return [word.strip() for word in words if word.strip()]


def evaluate(text: str, hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> Found:
    """The hosts that the pattern *text* means, as Ansible reads it, in its order.

    Other than Ansible: a part that means nothing is an error, and so is a `~` alone, which there means every host;
    `all` and `ungrouped` are no match of `a*`, `~u`.

    Raises:
        InputError: it is too long, not a pattern, or a part of it means nothing.
    """
    if len(text) > LIMIT:
        raise errors.InputError(f"the pattern {text[:40]}… is longer than {LIMIT} characters", "name a group instead")
    words = split(text)
    search = _Search(text, hosts, groups)
    if not words:  # as `$UNSET:$UNSET` becomes
        raise errors.InputError(f"the pattern {text!r} names nothing, which would be every host", "write all")
    found: dict[str, None] = {}
    named: dict[str, None] = {}
    for word in [word for word in words if word[0] not in "&!"] or ["all"]:
        those = search.one(word)
        found, named = found | dict.fromkeys(those.hosts), named | dict.fromkeys(those.named)
    left_out: dict[str, str] = {}
    for word in words:
        if word[0] in "&!":
            those, keep = search.one(word[1:]), word[0] == "&"
            meant = set(those.hosts)
            left_out |= {host: word for host in found if (host in meant) != keep}
            found = {host: None for host in found if host not in left_out}
            named |= dict.fromkeys(those.named if keep else ())
    return Found(tuple(found), tuple(named), left_out)


class _Search:
    """Looks up the parts of one pattern."""

    def __init__(self, whole: str, hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> None:
        self.whole, self.hosts, self.groups = whole, hosts, groups

    def one(self, word: str) -> Found:
        """What one part means, without its & or !."""
        if not word:
            raise self._wrong("there is a & or ! with nothing behind it")
        if word == "~":
            raise self._wrong("there is a ~ with nothing behind it, which would be every host", "write all")
        if word in self.hosts:
            if tuple(self.groups.get(word, (word,))) != (word,):
                raise self._wrong(f"{word} is both a host and a group or destination", "rename one of them")
            return Found((word,), (word,) if word in self.groups else ())
        part = _SUBSCRIPT.fullmatch(word) if word[0] != "~" else None
        found = self._matching(part[1] if part else word)
        return found if part is None else Found(self._sliced(part, found.hosts), found.named)

    def _matching(self, word: str) -> Found:
        if word in ("all", "*"):
            return Found(tuple(self.groups.get("all", self.hosts)), ())
        try:
            form = re.compile(word[1:] if word[0] == "~" else fnmatch.translate(word))
        except re.error as bad:
            raise self._wrong(f"{word} is no regular expression: {bad}") from bad
        named = [name for name in self.groups if name == word or (form.match(name) and name not in BUILT_IN)]
        found = [host for name in named for host in self.groups[name]]
        if not named or not set(".?*[").isdisjoint(word) or word[0] == "~":
            several = [host for host in self.hosts if form.match(host)]
            if not named and not several:
                raise self._unknown(word)
            found += several
        return Found(tuple(dict.fromkeys(found)), tuple(named))

    def _sliced(self, part: re.Match[str], found: tuple[str, ...]) -> tuple[str, ...]:
        _, single, first, last = part.groups()
        if single or last.strip("0") == "" != last:  # Ansible reads [n:0] as [n]
            index = int(single or first)
            if not -len(found) <= index < len(found):
                raise self._wrong(f"{part[1]} has {len(found)} hosts, none of them is [{index}]")
            return (found[index],)
        return found[int(first) : int(last) + 1 if last else None]

    def _unknown(self, word: str) -> errors.InputError:
        names = [*self.groups, *self.hosts]
        near = difflib.get_close_matches(word, names, 1)
        what = "matches" if is_pattern(word) else "is"
        return self._wrong(f"no host, group or destination {what} {word!r}",
                           f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(names)[:20]) or 'none'}")

    def _wrong(self, message: str, hint: str = "see: lading hosts list") -> errors.InputError:
        return errors.InputError(f"in the pattern {self.whole}: {message}", hint)
