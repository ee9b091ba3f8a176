"""Many host names as few words, such as web[01:20], and back, in their order: what every host's journal keeps of a fleet (pure)."""

import re
from collections.abc import Sequence
from functools import lru_cache

LIMIT = 100_000  # names that all words together may stand for
_NUMBERED = re.compile(r"(.*?)([0-9]{1,9})([^0-9]*)")
_SPAN = re.compile(r"([^\[\]]*)\[([0-9]{1,9}):([0-9]{1,9})\]([^\[\]0-9]*)")


def packed(names: Sequence[str]) -> list[str]:
    """*names* with each run of at least three that only count up written as one word; a name with a bracket is none of these."""
    words, at = list[str](), 0
    while at < len(names):
        end = _run(names, at)
        if end - at < 3:
            words.append(names[at])
            at += 1
        else:
            lead, first, rest = _parts(names[at])
            words.append(f"{lead}[{first}:{_parts(names[end - 1])[1]}]{rest}")
            at = end
    return words


def _run(names: Sequence[str], at: int) -> int:
    """Where the run that begins at *at* has ended."""
    lead, first, rest = _parts(names[at])
    end = at + 1
    while first and end < len(names) and names[end] == f"{lead}{int(first) + end - at:0{len(first)}d}{rest}":
        end += 1
    return end


def _parts(name: str) -> tuple[str, str, str]:
    found = _NUMBERED.fullmatch(name) if "[" not in name else None
    return (found[1], found[2], found[3]) if found else (name, "", "")


@lru_cache(maxsize=256)
def unpacked(words: tuple[str, ...]) -> tuple[str, ...]:
    """The names that *words* stand for; the same value for equal words, for a fleet's hosts all tell the same.

    Raises:
        ValueError: they stand for more than LIMIT names.
    """
    names = list[str]()
    for word in words:
        span = _SPAN.fullmatch(word)
        if span is None:
            names.append(word)
            continue
        lead, first, last, rest = span.groups()
        if int(last) - int(first) + len(names) >= LIMIT:
            raise ValueError(f"{word} stands for too many hosts")
        names += [f"{lead}{number:0{len(first)}d}{rest}" for number in range(int(first), int(last) + 1)]
    return tuple(names)
