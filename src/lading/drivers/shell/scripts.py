"""The scripts that hosts run: files in scripts/, each sent with what it needs of scripts/lib (pure).

Static text of POSIX sh, which nothing is written into: arguments are variables, assigned in front
of it, and words. A file says what it needs in a comment `# needs: NAME…`; of what it `may need:`,
the caller adds what this call takes. What is sent has neither comments nor indentation, nor the
functions of its parts that nothing in it calls.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources

from lading.transport import command

FOLDER = resources.files("lading.drivers.shell") / "scripts"
_NEEDS = re.compile(r"^# (may need|needs): (.*)$", re.M)
_COMMENT = re.compile(r"^ *(?:#.*)?\n", re.M)
_INDENT = re.compile(r"^ +", re.M)
# As shfmt writes one: nothing else stands so at the margin
_FUNCTION = re.compile(r"^(\w+)\(\) \{\n(?:.*\n)*?\}\n", re.M)
_WORD = re.compile(r"\w+")


def script(
    name: str, values: Mapping[str, str | int], words: Sequence[str] = (), more: Sequence[str] = ()
) -> str:
    """The script *name* with its arguments, and with *more* parts.

    *values*: its variables; *words*: its positional parameters.
    """
    given = f"set -- {command.join(words)}\n" if words else ""
    return command.assign(values) + given + text(name, tuple(more))


@lru_cache(maxsize=64)
def text(name: str, more: tuple[str, ...] = ()) -> str:
    """A script as it is sent, with those *more* parts that it may need."""
    unknown = set(more) - set(may_need(name))
    if unknown:
        raise ValueError(f"{name}.sh may not need {sorted(unknown)}")
    return _sent(_called(_COMMENT.sub("", whole(name, more))))


@lru_cache(maxsize=64)
def parts(*names: str) -> str:
    """Parts of the library as they are sent, with all that they need."""
    return _sent(_COMMENT.sub("", _joined([f"lib/{name}" for name in names])))


def lines(words: Sequence[str]) -> str:
    """A list as a script takes it, a word a line.

    What Docker and lading name has no newline in its name. What a host calls so gets a space, and
    is not found there.
    """
    return "\n".join(word.replace("\n", " ") for word in words)


def whole(name: str, more: Sequence[str]) -> str:
    """A script as it is written, after all that it needs."""
    needed = [*_needed(name), *(f"lib/{one}" for one in more)]
    return _joined([*needed, name])


def needed(name: str) -> tuple[str, ...]:
    """All parts of the library that a script needs or may need."""
    found: dict[str, str] = {}
    for one in [*_needed(name), *(f"lib/{word}" for word in may_need(name))]:
        _collect(one, found)
    return tuple(one.removeprefix("lib/") for one in found)


def names() -> tuple[str, ...]:
    """All scripts."""
    files = [one.name for one in FOLDER.iterdir()]
    return tuple(sorted(name.removesuffix(".sh") for name in files if name.endswith(".sh")))


def may_need(name: str) -> tuple[str, ...]:
    """The parts that a script and all that it needs may need."""
    found: dict[str, str] = {}
    _collect(name, found)
    words: list[str] = []
    for one in found.values():
        words += _said(one, "may need")
    return tuple(dict.fromkeys(words))


def _joined(names: Sequence[str]) -> str:
    found: dict[str, str] = {}
    for name in names:
        _collect(name, found)
    return "".join(found.values())


def _collect(name: str, found: dict[str, str]) -> None:
    """Add the file *name* to *found*, after what it needs and what is not there yet."""
    if name in found:
        return
    for one in _needed(name):
        _collect(one, found)
    found[name] = _file(name)


@lru_cache(maxsize=128)
def _needed(name: str) -> tuple[str, ...]:
    return tuple(f"lib/{word}" for word in _said(_file(name), "needs"))


def _said(written: str, kind: str) -> list[str]:
    """The words of a file's comments of a kind, `needs` or `may need`."""
    lines = [words for found, words in _NEEDS.findall(written) if found == kind]
    return " ".join(lines).split()


@lru_cache(maxsize=64)
def _file(name: str) -> str:
    return (FOLDER / f"{name}.sh").read_text("utf-8")


def _called(written: str) -> str:
    """A script without the functions that nothing in it names."""
    functions = {found[1]: found[0] for found in _FUNCTION.finditer(written)}
    called: set[str] = set()
    texts = [_FUNCTION.sub("", written)]
    while texts:
        names = functions.keys() & _WORD.findall(texts.pop())
        texts += [functions[name] for name in names - called]
        called |= names
    return _FUNCTION.sub(lambda found: found[0] if found[1] in called else "", written)


def _sent(written: str) -> str:
    return _INDENT.sub("", written)
