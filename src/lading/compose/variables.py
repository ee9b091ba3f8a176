"""Variables of Compose files: what a text refers to and lacks; versions (pure)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lading.dataclass import dataclass

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
BRACES = re.compile(r"\$\{|\}")
BRACE = re.compile(r"\{.?|\}")  # what stands right behind a brace that opens closes nothing
LINES = re.compile(r"(?<=\n)")
OPERATOR = re.compile(r":?[-?+]")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
NESTING = 20  # references in each other
VERSION_LIMIT = 128  # characters, as in an image's tag
PASSING = ("environment", "args")  # keys under which a bare name stands for the variable of that name


@dataclass(frozen=True, slots=True)
class Reference:
    """One `$NAME` or `${NAME…}`; *text* as written, *operator* one of "", :-, -, :?, ?, :+, +."""

    name: str
    text: str
    operator: str = ""
    argument: str = ""

    def demands(self, values: Mapping[str, str]) -> bool:
        """Whether nothing but a value will do, and there is none; an empty one does where `:?` does not stand."""
        if self.operator == ":?":
            return not values.get(self.name)
        return self.operator in ("", "?") and self.name not in values

    def branch(self, values: Mapping[str, str]) -> str | None:
        """The argument, if it stands in for the value; None if the value (or nothing) is used."""
        there = self.name in values if not self.operator.startswith(":") else bool(values.get(self.name))
        wanted = (self.operator.endswith("-") and not there) or (self.operator.endswith("+") and there)
        return self.argument if wanted else None


def pieces(text: str) -> Iterator[str | Reference]:
    """*text* cut into literal parts (with `$$` kept) and references; as with Compose, no reference goes over a line's end."""
    if "$" not in text:
        yield from [text] if text else []
        return
    literal: list[str] = []
    for line in LINES.split(text):
        for piece in _line_pieces(line):
            if isinstance(piece, str):
                literal.append(piece)
                continue
            if literal:
                yield "".join(literal)
            literal = []
            yield piece
    if rest := "".join(literal):
        yield rest


def _line_pieces(line: str) -> Iterator[str | Reference]:
    start = at = 0
    closings = _closings(line) if "${" in line else {}
    last = line.rfind("}")
    while (at := line.find("$", at)) >= 0:
        reference = None if line.startswith("$$", at) else _reference(line, at, closings.get(at + 1, -1), last)
        if reference is None:
            at += 2 if line.startswith("$$", at) else 1
            continue
        if at > start:
            yield line[start:at]
        yield reference
        start = at = at + len(reference.text)
    yield line[start:]


def _reference(line: str, at: int, closing: int, last: int) -> Reference | None:
    """The reference that starts at *at*, or None if this `$` starts none.

    *closing*: where its brace closes, if it does; else it ends at the *last* brace of the line.
    """
    braced = line.startswith("${", at)
    name = NAME.match(line, at + (2 if braced else 1))
    if name is None:
        return None
    if not braced:
        return Reference(name[0], line[at : name.end()])
    if line.startswith("}", name.end()):
        return Reference(name[0], line[at : name.end() + 1])
    operator = OPERATOR.match(line, name.end())
    end = closing if closing >= 0 else last
    if operator is None or end < operator.end():
        return None
    return Reference(name[0], line[at : end + 1], operator[0], line[operator.end() : end])


def _closings(line: str) -> dict[int, int]:
    """Where each brace closes, of those that do."""
    found: dict[int, int] = {}
    open_: list[int] = []
    for brace in BRACE.finditer(line):
        if brace[0] != "}":
            open_.append(brace.start())
        elif open_:
            found[open_.pop()] = brace.start()
    return found


def nested(text: str) -> int:
    """How many `${` stand in each other at most."""
    depth = deepest = 0
    for brace in BRACES.finditer(text):
        depth = depth + 1 if brace[0] == "${" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest


def references(text: str) -> Iterator[Reference]:
    """Every reference in *text*, also those inside defaults."""
    for piece in pieces(text):
        if isinstance(piece, Reference):
            yield piece
            yield from references(piece.argument)


def lacking(text: str, values: Mapping[str, str]) -> Iterator[Reference]:
    """The references in *text* that need a value and have none (R19)."""
    for piece in pieces(text):
        if isinstance(piece, Reference):
            if piece.demands(values):
                yield piece
            yield from lacking(piece.branch(values) or "", values)


def substitute(text: str, values: Mapping[str, str], hidden: frozenset[str] = frozenset()) -> str:
    """*text* in Compose's normal form (`$` of a value doubled), references to *hidden* names left as written."""
    done = []
    for piece in pieces(text):
        if isinstance(piece, str):
            done.append(piece)
        elif piece.name in hidden:
            done.append(piece.text)
        elif (argument := piece.branch(values)) is not None:
            done.append(substitute(argument, values, hidden))
        elif not piece.operator.endswith("+"):
            done.append(values.get(piece.name, "").replace("$", "$$"))
    return "".join(done)


def plain_text(text: str) -> str:
    """A text of Compose's normal form as the engine gets it: `$$` is `$`."""
    return text.replace("$$", "$")


def pattern(text: str) -> re.Pattern[str]:
    """What *text* can be after interpolation."""
    parts = (re.escape(piece) if isinstance(piece, str) else ".*" for piece in pieces(text))
    return re.compile("".join(parts), re.DOTALL)


def passing(name: str) -> str:
    """A text that refers to a variable which is passed on if it is set, and need not be set."""
    return f"${{{name}-}}"


def texts(tree: Any, key: str = "") -> Iterator[str]:
    """Every text in a tree that was not interpolated; a bare name under `environment` passes the variable of that name on."""
    bare = key in PASSING
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from [passing(str(name))] if bare and value is None else texts(value, str(name))
    elif isinstance(tree, list):
        for item in tree:
            if bare and isinstance(item, str) and NAME.fullmatch(item):
                yield passing(item)
            yield from texts(item)


def names(tree: Any, key: str = "") -> frozenset[str]:
    """The names that a tree refers to."""
    return frozenset(reference.name for text in texts(tree, key) for reference in references(text))


def version_fault(version: str, *, tag: bool) -> str:
    """Why *version* cannot be a version ("" if it can); with *tag* it must also be fit for an image's tag (R57)."""
    if not version.strip():
        return "the version is blank"
    if len(version) > VERSION_LIMIT:
        return f"the version has {len(version)} characters, {VERSION_LIMIT} are allowed"
    if not version.isprintable():
        return f"the version {version!r} has a control character in it"
    if tag and not TAG.fullmatch(version):
        return f"the version {version!r} cannot be an image's tag: letters, digits, '_', '.' and '-' only, no '.' or '-' first"
    return ""
