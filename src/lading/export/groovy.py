"""Text as Groovy literals, in ASCII, so that neither quotes, escapes, `$` nor a file's encoding can change it (pure)."""

from collections.abc import Iterable

_ESCAPED = {"\\": "\\\\", "'": "\\'", "\b": "\\b", "\f": "\\f", "\r": "\\r", "\t": "\\t"}


def literal(text: str) -> str:
    """*text* as one string in single quotes: Groovy puts no values into those."""
    return f"'{_escaped(text).replace(chr(10), chr(92) + 'n')}'"


def block(text: str) -> str:
    """*text* as a string in triple single quotes, its lines as they are."""
    return f"'''{_escaped(text)}'''"


def words(texts: Iterable[str]) -> str:
    """A list of strings."""
    return f"[{', '.join(literal(text) for text in texts)}]"


def _escaped(text: str) -> str:
    return "".join(_ESCAPED.get(c) or (c if c == "\n" or " " <= c <= "~" else _unicode(c)) for c in text)


def _unicode(letter: str) -> str:
    """UTF-16, as Java counts; half a pair stays what it is."""
    code = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{code[at:at + 4]}" for at in range(0, len(code), 4))
