"""Env files as Compose reads them: what each line assigns, which variables it refers to, what it gives (pure).

tests/contract/test_env_values.py compares this reading with Compose's own over files made at random.
"""

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping

from lading.compose import variables
from lading.dataclass import dataclass

RAW = "raw"  # `env_file: [{format: raw}]`: every value is what stands behind the =
MARK = "\ufeff"  # some editors put it before a text in UTF-8
INLINE = "\t\v\f\r \x85\xa0"
SPACE = INLINE + "\n\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
_SPACES = re.compile(f"[{SPACE}]*")
_BLANKS = re.compile(f"[{INLINE}]*")
_EXPORT = re.compile(rf"export(?=[\t\n\f\r ])[{INLINE}]*")
_KEY = re.compile(rf"[\w.\-\[\]{INLINE}]*")
_QUOTED = {quote: re.compile(rf"{quote}((?:[^{quote}\\]++|\\.)*+){quote}", re.DOTALL) for quote in "'\""}
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:([abfnrtv$\"\\])|0([0-9]{0,3}))")
_CHARACTERS = {**dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)), "$": "$$", '"': '"', "\\": "\\"}
_OCTAL = re.compile(r"[0-3][0-7]{2}")


class BrokenError(Exception):
    """An env file that Compose cannot read, with the line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message, self.line = message, line


@dataclass(frozen=True, slots=True)
class Assignment:
    """One assignment. *text*: what Compose fills in, its escapes resolved; None for a bare name, which passes a variable on.

    *literal*: nothing in it is a variable.
    """

    key: str
    text: str | None
    line: int
    literal: bool = False

    @property
    def template(self) -> str:
        """What may refer to variables, "" if nothing does; a bare name refers to its own, which need not be set."""
        if self.text is None:
            return variables.passing(self.key) if variables.NAME.fullmatch(self.key) else ""
        return "" if self.literal else self.text

    def given(self, values: Mapping[str, str]) -> str | None:
        """The value that a container gets, None if it gets none."""
        if self.text is None:
            return values.get(self.key)
        return self.text if self.literal else variables.plain_text(variables.substitute(self.text, values))


def read(text: str, format: str = "") -> Iterator[Assignment]:
    """What an env file assigns, in its order.

    Raises:
        BrokenError: Compose cannot read it from there on.
    """
    text = text.removeprefix(MARK)
    return _raw(text) if format == RAW else _Reader(text).assignments()


def assigned(text: str, values: Mapping[str, str], format: str = "") -> Iterator[tuple[str, str]]:
    """Every name with its value as containers get it, up to where Compose cannot read on; *values*: the project's variables."""
    own: dict[str, str] = {}
    known = ChainMap(dict(values), own)
    try:
        for one in read(text, format):
            value = one.given(known)
            if value is not None:
                own[one.key] = value
                yield one.key, value
    except BrokenError:
        return


def _raw(text: str) -> Iterator[Assignment]:
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r").lstrip(SPACE)
        key, equals, value = line.partition("=")
        if not line or line.startswith("#"):
            continue
        if not key or " " in key or "\t" in key:
            raise BrokenError(f"{key!r} is no name of a variable", number)
        yield Assignment(key, value if equals else None, number, literal=bool(equals))


class _Reader:
    """One way through a text. A statement need not end with its line: behind a closing quote the next one may begin."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._line, self._counted = 1, 0

    def assignments(self) -> Iterator[Assignment]:
        while self._reach_statement():
            yield self._statement()

    def _reach_statement(self) -> bool:
        """Pass over blank lines and comments; whether there is a statement."""
        self._pass(_SPACES)
        while self._text.startswith("#", self._at):
            self._at = self._line_end()
            self._pass(_SPACES)
        return self._at < len(self._text)

    def _pass(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _line_end(self) -> int:
        end = self._text.find("\n", self._at)
        return len(self._text) if end < 0 else end

    def _here(self) -> int:
        """The line that has been reached."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _statement(self) -> Assignment:
        line = self._here()
        self._pass(_EXPORT)
        if self._at == len(self._text):
            raise BrokenError("nothing stands behind export", line)
        key, sign = self._key(line)
        if sign == "\n":
            return Assignment(key, None, line)
        self._pass(_BLANKS)
        return self._value(key, line)

    def _key(self, line: int) -> tuple[str, str]:
        """The name, and what ended it; without an end the whole rest is a value without a name."""
        start = self._at
        end = _KEY.match(self._text, start).end()  # type: ignore[union-attr]  # it matches nothing at least
        sign = self._text[end : end + 1]
        if not sign:
            return "", ""
        key = self._text[start:end].rstrip(SPACE)
        if sign not in "=:\n" or " " in key:
            whole = self._text[start : self._line_end()]
            raise BrokenError(f"no name of a variable begins {whole.partition('=')[0].strip()[:40]!r}", line)
        self._at = end + 1
        return key, sign

    def _value(self, key: str, line: int) -> Assignment:
        quote = self._text[self._at : self._at + 1]
        if quote not in _QUOTED:
            end = self._line_end()
            value = self._text[self._at : end].partition(" #")[0].rstrip(SPACE)
            self._at = end + 1
            return Assignment(key, value, line)
        found = _QUOTED[quote].match(self._text, self._at)
        if found is None:
            raise BrokenError(f"the quote that begins the value of {key} is never closed", line)
        self._at = found.end()
        value = _PAIR.sub(lambda pair: quote if pair[1] == quote else pair[0], found[1])
        if quote == "'":
            return Assignment(key, value, line, literal=True)
        return Assignment(key, _ESCAPE.sub(_character, value), line)


def _character(found: re.Match[str]) -> str:
    """What an escape within double quotes stands for; an octal number that is none stays, without its 0."""
    if found[1]:
        return _CHARACTERS[found[1]]
    return chr(int(found[2], 8)) if _OCTAL.fullmatch(found[2]) else f"\\{found[2]}"
