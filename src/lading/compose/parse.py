"""YAML in which every key and text has its file and line."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from lading import errors
from lading.compose import subset, variables
from lading.compose.subset import BrokenError
from lading.dataclass import dataclass


class Loader(yaml.CSafeLoader):
    """YAML as Compose reads it: `no` and `22:22` are texts, `!reset` and `!override` are passed over."""

    yaml_implicit_resolvers: Any = {}


for _tag, _pattern, _first in subset.IMPLICIT:
    Loader.add_implicit_resolver(f"{subset.CORE}{_tag}", _pattern, [*_first, *([""] if _tag == "null" else [])])


def _untagged(loader: Any, suffix: str, node: yaml.Node) -> Any:
    """What stands behind a tag of Compose's own."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


Loader.add_multi_constructor("!", _untagged)
Path = Sequence[str | int]
SECTIONS = ("services", "networks", "volumes", "configs", "secrets")
NODE_LIMIT = 500_000  # values in one file, anchors spread
FOREIGN_MORE = 1 << 16  # bytes that another version's form may have beside four times those of ours
DEPTH_LIMIT = 100  # of values in each other; the C parser's own limit is the end of the process


@dataclass(frozen=True, slots=True)
class Document:
    """One file that Compose reads: *path* relative to the project folder, *data* its YAML documents."""

    path: str
    content: bytes
    nodes: tuple[yaml.Node, ...]
    data: tuple[Mapping[str, Any], ...]

    def value(self, key: str) -> Any:
        """The value of a top-level key, None where it is absent."""
        return next((part[key] for part in reversed(self.data) if key in part), None)

    def kept(self, section: str) -> set[str]:
        """The names in a top-level section but those that `!reset` takes away."""
        return set(self.value(section) or {}) - self.reset(section)

    def reset(self, section: str) -> set[str]:
        """The names in a top-level section that `!reset` takes away, also from the files before this one."""
        found: set[str] = set()
        for node in self.nodes:
            for key, value in _pairs(node):
                if key.value != section:
                    continue
                found |= {name.value for name, one in _pairs(value) if "!reset" in (value.tag, one.tag)}
        return found

    def line(self, path: Path, *, whole: bool = False) -> int:
        """The line of *path*; 0 if not even its first step is here, or (*whole*) not all of it."""
        found = [_walk(node, path) for node in self.nodes]
        depth, line = max(found, default=(0, 0))
        return line if depth and (depth == len(path) or not whole) else 0

    def scalars(self) -> Iterator[tuple[str, int]]:
        """Every text with its line."""
        for node in self.nodes:
            yield from _scalars(node)


def load(text: bytes) -> Any:
    """The output of `docker compose config` as plain values."""
    return yaml.load(text, Loader=Loader)


def foreign(content: bytes, like: bytes) -> Any:
    """The same as another machine's Compose wrote it, in bounded depth, memory and time; None if it is not that.

    *like*: what was written here, which no version says in many times as many words.
    """
    if len(content) > 4 * len(like) + FOREIGN_MORE:
        return None
    try:
        read(content)
        found = _values(content)
    except BrokenError:
        return None
    return found[0] if len(found) == 1 else None


def read(content: bytes, look: Callable[[yaml.Event], None] = lambda event: None) -> tuple[yaml.Node, ...]:
    """The nodes of each YAML document in *content*, in bounded depth, memory and time; *look* sees every event first.

    Raises:
        BrokenError: it is not YAML, is nested too deeply, or has too many values, its anchors spread.
    """
    try:
        _measure(content, look)
        nodes = tuple(node for node in yaml.compose_all(content, Loader=Loader) if node is not None)
    except yaml.YAMLError as broken:
        raise _broken(broken) from broken
    if sum(_spread(node, {}) for node in nodes) > NODE_LIMIT:
        raise BrokenError(f"has anchors that spread to more than {NODE_LIMIT} values", "write less with anchors and merges")
    return nodes


def _measure(content: bytes, look: Callable[[yaml.Event], None]) -> None:
    """Refuse what the parser would need too much for, event by event, before it is composed; show each to *look*."""
    depth = 0
    for count, event in enumerate(yaml.parse(content, Loader=Loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        look(event)
        if depth > DEPTH_LIMIT or count > NODE_LIMIT:
            what = f"has more than {DEPTH_LIMIT} values in each other" if depth > DEPTH_LIMIT else f"has more than {NODE_LIMIT} values"
            raise BrokenError(what, "is it the right file?", event.start_mark.line + 1 if event.start_mark else 0)


def _broken(why: yaml.YAMLError) -> BrokenError:
    if not isinstance(why, yaml.MarkedYAMLError):
        return BrokenError(f"is not YAML: {why}", "save it as UTF-8 text")
    mark = why.problem_mark or why.context_mark
    what = f"{why.context}, {why.problem}" if why.context else f"{why.problem}"
    return BrokenError(f"is not YAML: {what}", "correct the line", mark.line + 1 if mark else 0)


def _values(content: bytes) -> tuple[Any, ...]:
    try:
        return tuple(yaml.load_all(content, Loader=Loader))
    except yaml.YAMLError as broken:
        raise _broken(broken) from broken
    except (ValueError, LookupError, AttributeError, TypeError) as odd:  # such as !!bool maybe
        raise BrokenError(f"has a value that is not of its tag: {odd}", "leave out the tag") from odd


def document(path: str, content: bytes) -> Document:
    """Read one file.

    Raises:
        ComposeError: it is not YAML, not of the subset that lading and Compose read alike, or not a mapping.
    """
    try:
        content.decode("utf-8")
        nodes = read(content, subset.Checker().event)
        data = _values(content)
    except UnicodeDecodeError as other:
        line = content.count(b"\n", 0, other.start) + 1
        raise errors.ComposeError(f"{path} is not in UTF-8", "save it as UTF-8 text", file=path, line=line) from other
    except BrokenError as broken:
        raise errors.ComposeError(f"{path} {broken.message}", broken.hint, file=path, line=broken.line) from broken
    kept = tuple(part for part in data if part is not None)
    if not kept or not all(isinstance(part, Mapping) for part in kept):
        raise errors.ComposeError(f"{path} is no Compose file", "it needs `services:` at its top", file=path, line=1)
    made = Document(path, content, nodes, kept)
    for text, line in made.scalars():
        if variables.nested(text) > variables.NESTING:
            raise errors.ComposeError(f"{path} has more than {variables.NESTING} variables in each other", "write less at once",
                                      file=path, line=line)
    for key in SECTIONS:
        if made.value(key) is not None and not isinstance(made.value(key), Mapping):
            raise errors.ComposeError(f"`{key}` must be a mapping of names", f"{key}: {{NAME: …}}", file=path,
                                      line=made.line((key,)))
    return made


def _spread(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a document has once every alias stands for its own copy; *known*: by node, counted once."""
    if id(node) not in known:
        known[id(node)] = NODE_LIMIT  # for an alias to what it is part of
        inner: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            inner = node.value
        elif isinstance(node, yaml.MappingNode):
            inner = [one for pair in node.value for one in pair]
        known[id(node)] = 1 + sum(_spread(one, known) for one in inner)
    return known[id(node)]


def _pairs(node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
    """Keys and values of a mapping; nothing of another node."""
    return node.value if isinstance(node, yaml.MappingNode) else []


def _walk(node: yaml.Node, path: Path) -> tuple[int, int]:
    """How many steps of *path* lead somewhere below *node*, and the line reached."""
    line = node.start_mark.line + 1
    for depth, step in enumerate(path):
        inner = None
        if isinstance(node, yaml.MappingNode):
            inner = next(((key, value) for key, value in node.value if key.value == str(step)), None)
        elif isinstance(node, yaml.SequenceNode) and str(step).isdigit() and int(step) < len(node.value):
            inner = (node.value[int(step)], node.value[int(step)])
        if inner is None:
            return depth, line
        line, node = inner[0].start_mark.line + 1, inner[1]
    return len(path), line


def _scalars(node: yaml.Node) -> Iterator[tuple[str, int]]:
    """Texts below *node*; a text over several lines comes line by line."""
    if isinstance(node, yaml.ScalarNode):
        first = node.start_mark.line + (2 if node.style in ("|", ">") else 1)
        for number, line in enumerate(node.value.split("\n")):
            yield line, min(first + number, node.end_mark.line + 1)
        return
    for item in node.value:
        for part in item if isinstance(item, tuple) else (item,):
            yield from _scalars(part)


def find(documents: Sequence[Document], text: str, path: Path = ()) -> tuple[str, int]:
    """File and line of the first text that holds *text*, else of *path*."""
    for one in documents:
        for scalar, line in _scalars_near(one, path):
            if text and text in scalar:
                return one.path, line
    return locate(documents, path)


def _scalars_near(one: Document, path: Path) -> Iterator[tuple[str, int]]:
    """The texts at or below the line of *path* first, then all."""
    start = one.line(path, whole=True) if path else 0
    every = list(one.scalars())
    yield from (pair for pair in every if start and pair[1] >= start)
    yield from every


def find_name(documents: Sequence[Document], name: str) -> tuple[str, int]:
    """File and line of the first reference to the variable *name*."""
    bare: tuple[str, int] = ("", 0)
    for one in documents:
        for scalar, line in one.scalars():
            if any(reference.name == name for reference in variables.references(scalar)):
                return one.path, line
            if scalar == name and not bare[1]:
                bare = (one.path, line)
    return bare


def locate(documents: Sequence[Document], path: Path) -> tuple[str, int]:
    """File and line of *path*: where all of it is, else where most of it is."""
    for one in documents:
        if line := one.line(path, whole=True):
            return one.path, line
    for one in documents:
        if line := one.line(path):
            return one.path, line
    return (documents[0].path, 0) if documents else ("", 0)
