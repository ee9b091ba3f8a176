"""The YAML that Compose files may be written in: what lading's parser and Compose's could read differently is refused."""

import re
from dataclasses import field

import yaml

from lading.dataclass import dataclass

CORE = "tag:yaml.org,2002:"
IMPLICIT = (  # tag, what an unquoted text of it looks like, its possible first letters
    ("bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    ("null", re.compile(r"(?:~|null|Null|NULL|)$"), "~nN"),
    ("int", re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), "-+0123456789"),
    ("float", re.compile(r"[-+]?[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?$"), "-+.0123456789"),
    ("merge", re.compile(r"<<$"), "<"),
)
COLLECTIONS = ("map", "seq")
SCALARS = ("str", "int", "bool", "null", "float")
OWN = ("!reset", "!override")  # Compose's own tags


class BrokenError(Exception):
    """A text that is no YAML, or not of the kind that is read here; the line is 0 where it is not known."""

    def __init__(self, message: str, hint: str, line: int = 0) -> None:
        super().__init__(message)
        self.message, self.hint, self.line = message, hint, line


def implicit(text: str) -> str:
    """The short tag that an unquoted *text* has: bool, null, int, float, merge, else str."""
    return next((tag for tag, pattern, _ in IMPLICIT if pattern.match(text)), "str")


@dataclass(slots=True)
class _Collection:
    """A collection that is being read: of a mapping the keys so far, and whether a key comes next."""

    mapping: bool
    keys: set[str] = field(default_factory=set)
    key_next: bool = True


class Checker:
    """Looks at each event of one file as the parser gives it.

    Allowed are one document in UTF-8, text as keys, each key once, merge keys and anchors, the tags of the core schema
    where they change nothing, and Compose's own `!reset` and `!override`.
    """

    def __init__(self) -> None:
        self._open: list[_Collection] = []
        self._documents = 0

    def event(self, event: yaml.Event) -> None:
        """Take the next event.

        Raises:
            BrokenError: it is outside of what is allowed.
        """
        if isinstance(event, yaml.DocumentStartEvent):
            self._document(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, yaml.NodeEvent):
            self._node(event)
            if isinstance(event, yaml.CollectionStartEvent):
                self._open.append(_Collection(isinstance(event, yaml.MappingStartEvent)))

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            raise _outside(event, "has several documents", "one file, one document: remove the line ---")
        if event.tags:
            raise _outside(event, "declares tags of its own", "remove the line %TAG")

    def _node(self, event: yaml.NodeEvent) -> None:
        """A key or a value of the innermost collection, or the whole document."""
        around = self._open[-1] if self._open else None
        if around is None or not around.mapping:
            _check_tag(event)
            return
        if around.key_next:
            name = _key(event)
            if name in around.keys:
                raise _outside(event, f"has the key {name!r} twice in one mapping", "remove one of them, or put them together")
            around.keys.add(name)
        else:
            _check_tag(event)
        around.key_next = not around.key_next


def _outside(event: yaml.Event, what: str, hint: str) -> BrokenError:
    return BrokenError(what, hint, event.start_mark.line + 1 if event.start_mark else 0)


def _key(event: yaml.NodeEvent) -> str:
    """The text of a key.

    Raises:
        BrokenError: it is none, or another parser could take it for something else.
    """
    hint = "a key is plain text, such as image: or \"8080\":"
    if not isinstance(event, yaml.ScalarEvent):
        raise _outside(event, "has a key that is an alias, a list or a mapping", hint)
    text = str(event.value)
    if event.tag not in (None, f"{CORE}str"):
        raise _outside(event, f"has a key with a tag: {_short(event.tag)} {text}", hint)
    plain = event.tag is None and not event.style
    if text == "<<" and not plain:
        raise _outside(event, "has a merge key in quotes", "write << without quotes and tag")
    if plain and implicit(text) not in ("str", "merge"):
        raise _outside(event, f"has a key that is no text: {text}", f"put it in quotes: \"{text}\":")
    return text


def _check_tag(event: yaml.NodeEvent) -> None:
    """Refuse a tag by which a value is read as something else than it looks like.

    Raises:
        BrokenError: it has one.
    """
    if not isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) or event.tag is None or event.tag in OWN:
        return
    short = str(event.tag).removeprefix(CORE)
    if isinstance(event, yaml.ScalarEvent):
        known = short in SCALARS and _changes_nothing(short, str(event.value))
    else:
        known = short in COLLECTIONS
    if not known:
        raise _outside(event, f"has a value with the tag {_short(event.tag)}", "leave out the tag; Compose's own are !reset and !override")


def _changes_nothing(tag: str, text: str) -> bool:
    """Whether *text* is read as it looks, in spite of the short *tag*."""
    if tag == "str":
        return True
    return implicit(text) == tag or (tag == "float" and implicit(text) == "int")


def _short(tag: object) -> str:
    """A tag as people write it."""
    text = str(tag)
    return f"!!{text.removeprefix(CORE)}" if text.startswith(CORE) else text
