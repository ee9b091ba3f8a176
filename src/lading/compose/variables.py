"""Variables of Compose files: what a text refers to and lacks; env files; versions (pure)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
BRACES = re.compile(r"\$\{|\}")
OPERATOR = re.compile(r":?[-?+]")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
NESTING = 20  # references in each other
VERSION_LIMIT = 128  # characters, as in an image's tag
ASSIGNED = re.compile(r"\s*(?:export\s+)?([^\s=:#'\"]+)[ \t]*([=:]?)[ \t]*")
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
SEQUENCE = re.compile(r"\\(?:([abfnrtv$\"\\])|0([0-3][0-7]{2}))")
CHARACTERS = {**dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)), "$": "$$"}
PASSING = ("environment", "args")  # keys under which a bare name stands for the variable of that name


@dataclass(frozen=True, slots=True)
class Reference:
    """One `$NAME` or `${NAME…}`; *text* as written, *operator* one of "", :-, -, :?, ?, :+, +."""

    name: str
    text: str
    operator: str = ""
    argument: str = ""

    def demands(self, values: Mapping[str, str]) -> bool:
        """Whether nothing but a value that is not blank will do, and there is none."""
        return self.operator in ("", ":?", "?") and not values.get(self.name, "").strip()

    def branch(self, values: Mapping[str, str]) -> str | None:
        """The argument, if it stands in for the value; None if the value (or nothing) is used."""
        there = self.name in values if not self.operator.startswith(":") else bool(values.get(self.name))
        wanted = (self.operator.endswith("-") and not there) or (self.operator.endswith("+") and there)
        return self.argument if wanted else None


@dataclass(frozen=True, slots=True)
class Assignment:
    """One line of an env_file; *value* (as written, without its *quote*) is None for a bare name."""

    key: str
    value: str | None
    line: int
    quote: str = ""

    @property
    def literal(self) -> bool:
        """Whether nothing in it is a variable."""
        return self.quote == "'"

    def given(self, values: Mapping[str, str]) -> str:
        """The value that a container gets: escapes and variables resolved."""
        text = self.value or ""
        if self.quote:
            text = ESCAPED.sub(lambda found: self.quote if found[1] == self.quote else found[0], text)
        if self.quote == '"':
            text = SEQUENCE.sub(_character, text)
        return text if self.literal else plain_text(substitute(text.rstrip() if not self.quote else text, values))


def pieces(text: str) -> Iterator[str | Reference]:
    """*text* cut into literal parts (with `$$` kept) and references."""
    start = at = 0
    closings = _closings(text) if "${" in text else {}
    while (at := text.find("$", at)) >= 0:
        reference = None if text.startswith("$$", at) else _reference(text, at, closings)
        if reference is None:
            at += 2 if text.startswith("$$", at) else 1
            continue
        if at > start:
            yield text[start:at]
        yield reference
        start = at = at + len(reference.text)
    if start < len(text):
        yield text[start:]


def _reference(text: str, at: int, closings: Mapping[int, int]) -> Reference | None:
    """The reference that starts at *at*, or None if this `$` starts none."""
    braced = text.startswith("${", at)
    name = NAME.match(text, at + (2 if braced else 1))
    if name is None:
        return None
    if not braced:
        return Reference(name[0], text[at : name.end()])
    end = closings.get(at, -1)
    operator = OPERATOR.match(text, name.end())
    if end < 0 or (operator is None and end != name.end()):
        return None
    if operator is None:
        return Reference(name[0], text[at : end + 1])
    return Reference(name[0], text[at : end + 1], operator[0], text[operator.end() : end])


def _closings(text: str) -> dict[int, int]:
    """Where each `${` closes, of those that do."""
    found: dict[int, int] = {}
    open_: list[int] = []
    for brace in BRACES.finditer(text):
        if brace[0] == "${":
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
    """The references in *text* that need a value and have none, or only a blank one (R19)."""
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


def texts(tree: Any, key: str = "") -> Iterator[str]:
    """Every text in a tree that was not interpolated; a bare name under `environment` counts as `${NAME}`."""
    passing = key in PASSING
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from [f"${{{name}}}"] if passing and value is None else texts(value, str(name))
    elif isinstance(tree, list):
        for item in tree:
            bare = passing and isinstance(item, str) and NAME.fullmatch(item)
            yield f"${{{item}}}" if bare else ""
            yield from texts(item)


def names(tree: Any, key: str = "") -> frozenset[str]:
    """The names that a tree refers to."""
    return frozenset(reference.name for text in texts(tree, key) for reference in references(text))


def assignments(text: str) -> Iterator[Assignment]:
    """What an env_file assigns, as Compose reads it: quotes, `export`, comments, values over several lines."""
    at = counted = 0
    line = 1
    while at < len(text):
        end = _line_end(text, at)
        found = ASSIGNED.match(text, at, end)
        if found is None:
            at = end + 1
            continue
        line, counted = line + text.count("\n", counted, found.start(1)), found.start(1)
        if not found[2]:
            yield Assignment(found[1], None, line)
            at = end + 1
            continue
        quote = text[found.end() : found.end() + 1]
        closing = _quote_end(text, found.end() + 1, quote) if quote in ("'", '"') else -1
        stop = closing if closing >= 0 else end
        value = text[found.end() + 1 : stop] if closing >= 0 else re.split(r"(?:^|\s)#", text[found.end() : end])[0]
        yield Assignment(found[1], value, line, quote if closing >= 0 else "")
        at = _line_end(text, stop) + 1


def assigned(text: str, values: Mapping[str, str]) -> Iterator[str]:
    """Every value that an env_file gives, as containers get it; *values*: the project's variables."""
    known = dict(values)
    for one in assignments(text):
        if one.value is not None:
            yield (value := one.given(known))
            known.setdefault(one.key, value)


def _character(found: re.Match[str]) -> str:
    """The character that an escape within double quotes stands for."""
    return CHARACTERS.get(found[1], found[1]) if found[1] else chr(int(found[2], 8))


def _line_end(text: str, at: int) -> int:
    """Where the line ends in which *at* lies."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _quote_end(text: str, at: int, quote: str) -> int:
    """Where *quote* closes, backslashes respected; -1 if nowhere."""
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == quote:
            return at
        at += 1
    return -1


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
