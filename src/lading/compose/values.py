"""Which variables a project needs, and who gives their values: -e, the environment, the destination, a tracked .env."""

import posixpath
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from lading import errors
from lading.compose import env_files, images, parse, sources, variables, worktree
from lading.dataclass import dataclass

REFUSED = ("HOME", "PATH", "PWD", "USER")  # other ones on the host than here
OWN = "COMPOSE_PROJECT_NAME"  # Compose sets it itself, from -p
VERSION = "VERSION"
VALUE_LIMIT = 96 * 1024  # bytes; Linux takes 128 KiB with the name


@dataclass(frozen=True, slots=True)
class Need:
    """A text that refers to variables: the service it is for ("" = all), its file; *own*: names given in that file."""

    text: str
    service: str = ""
    where: worktree.Spot = ("", 0)
    own: frozenset[str] = frozenset()


def _none(names: frozenset[str]) -> Mapping[str, str]:
    """Nothing is given by reference."""
    return {}


@dataclass(frozen=True, slots=True)
class Secrets:
    """Variables that lading.yaml gives by reference: *places*: name → the file and line that say so; *read*: their values."""

    places: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[frozenset[str]], Mapping[str, str]] = _none

    def among(self, names: frozenset[str]) -> frozenset[str]:
        """Those of *names*."""
        return names & self.places.keys()


@dataclass(frozen=True, slots=True)
class Values:
    """The variables of a project: *all* by name, *hidden* the names that are secret, *local* those that includes set.

    *behind*: the names that the values of those refer to; *shown*: those values, with names in place of secrets.
    """

    all: Mapping[str, str] = field(repr=False)
    hidden: frozenset[str] = frozenset()
    local: Mapping[str, str] = field(default_factory=dict, repr=False)
    behind: Mapping[str, frozenset[str]] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)

    def reached(self, found: frozenset[str]) -> frozenset[str]:
        """*found*, and all that their values refer to where an include sets them."""
        return reached(found, self.behind)

    def by_includes(self, used: frozenset[str]) -> dict[str, str]:
        """What includes give to those of *used* names that nothing else gives, with names in place of secrets."""
        return {name: self.shown[name] for name in sorted(used & self.shown.keys() - self.all.keys())}

    @property
    def plain(self) -> dict[str, str]:
        """What may be shown."""
        return {name: value for name, value in self.all.items() if name not in self.hidden and name != OWN}

    @property
    def secret(self) -> dict[str, bytes]:
        """What may not, by the names that secrets have."""
        return {f"var.{name}": self.all[name].encode() for name in sorted(self.hidden & self.all.keys())}


def model_needs(raw: Mapping[str, Any]) -> Iterator[Need]:
    """What the merged Compose files refer to, with `secrets.X.environment` and `configs.X.environment`."""
    for key, value in raw.items():
        for name, one in value.items() if key == "services" else (("", value),):
            yield from (Need(text, name) for text in variables.texts(one, str(key)) if "$" in text)
    for kind in ("secrets", "configs"):
        for one in (raw.get(kind) or {}).values():
            if one.get("environment"):
                yield Need(f"${{{one['environment']}}}")


def file_needs(text: str, path: str, service: str, format: str, own: set[str]) -> Iterator[Need]:
    """What an env_file refers to; names that were set before, *own*, are its own, and those that it sets come to them.

    Raises:
        ComposeError: Compose cannot read it.
    """
    for _, need in _line_needs(text, path, service, format, own):
        if need is not None:
            yield need


def _line_needs(
    text: str, path: str, service: str, format: str, own: set[str]
) -> Iterator[tuple[str, Need | None]]:
    """Each name that an env file sets, with what its value refers to."""
    for one in read_env_file(text, path, format):
        refers = "$" in one.template
        if refers and variables.nested(one.template) > variables.NESTING:
            raise worktree.refuse(f"{one.key} has more than {variables.NESTING} variables in each other", "write less at once", (path, one.line))
        yield one.key, Need(one.template, service, (path, one.line), frozenset(own)) if refers else None
        own.add(one.key)


def read_env_file(text: str, path: str, format: str = "") -> Iterator[env_files.Assignment]:
    """What an env file assigns.

    Raises:
        ComposeError: Compose cannot read it.
    """
    try:
        yield from env_files.read(text, format)
    except env_files.BrokenError as broken:
        raise worktree.refuse(f"{path}: {broken.message}", "correct the line", (path, broken.line)) from broken


def dotenv_needs(text: str, path: str, wanted: frozenset[str]) -> list[Need]:
    """What the lines of an env file that set *wanted* names refer to, and the lines that set what those refer to."""
    found = []
    reached = set(wanted)
    for name, need in reversed(list(_line_needs(text, path, "", "", set()))):
        if name in reached and need is not None:
            reached |= names([need])
            found.append(need)
    return found[::-1]


def local_needs(closure: sources.Closure, wanted: frozenset[str]) -> tuple[list[Need], dict[str, frozenset[str]]]:
    """What the env files of `include:` refer to: needs, and by name what its values refer to.

    As in a `.env`, only the lines count that set *wanted* names, or names that those refer to; and those that demand a
    value, without which Compose does not read the file at all.
    """
    set_by: dict[str, frozenset[str]] = {}
    lines: list[tuple[str, Need]] = []
    for one in closure.locals:
        own = set().union(*(set_by.get(path, frozenset()) for path in one.before))
        known = list(_line_needs(one.text, one.path, "", "", own))
        set_by[one.path] = frozenset(name for name, _ in known)
        lines += [(name, need) for name, need in known if need is not None]
    reached = set(wanted)
    needs = []
    behind: dict[str, frozenset[str]] = {}
    for name, need in reversed(lines):
        if name in reached or demanding(need):
            reached |= names([need])
            needs.append(need)
            behind[name] = behind.get(name, frozenset()) | names([need])
    return needs[::-1], behind


def demands(one: sources.Local) -> bool:
    """Whether Compose reads an env file of an include only if some variables have values."""
    return any(need is not None and demanding(need) for _, need in _line_needs(one.text, one.path, "", "", set()))


def demanding(need: Need) -> bool:
    """Whether Compose ends at a text unless a variable of it has a value."""
    return any(one.operator.endswith("?") for one in variables.references(need.text))


def reached(found: frozenset[str], behind: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """*found*, and the names *behind* them."""
    done: frozenset[str] = frozenset()
    while more := found - done:
        done |= more
        found = done.union(*(behind.get(name, frozenset()) for name in more))
    return done


def names(needs: Iterable[Need]) -> frozenset[str]:
    """The names that *needs* refer to."""
    return frozenset(reference.name for need in needs for reference in variables.references(need.text))


def hidden_names(
    found: frozenset[str], raw: Mapping[str, Any], plain: Sequence[str],
    behind: Mapping[str, frozenset[str]] | None = None,
) -> frozenset[str]:
    """The names whose values are secret: all but those of images, with what is *behind* them, those listed as *plain*, VERSION."""
    shown = [list(images.texts(one)) for one in (raw.get("services") or {}).values()]
    sources_ = {str(one["environment"]) for one in (raw.get("secrets") or {}).values() if one.get("environment")}
    return (found - reached(variables.names(shown), behind or {}) - {*plain, VERSION, OWN}) | sources_


def check_secrets(
    secrets: Secrets, shown: Mapping[str, frozenset[str]], documents: Sequence[parse.Document], needs: Sequence[Need]
) -> None:
    """Refuse secrets where a value is shown; *shown*: the place in words → the names whose values stand there.

    Raises:
        ComposeError: naming each with its place; nothing was read.
    """
    told = []
    found: dict[str, None] = {}
    for place, names_ in shown.items():
        for name in sorted(secrets.among(names_)):
            told.append(f"{name} is a secret ({secrets.places[name]}), and {place}")
            found[name] = None
    if told:
        hint = "another variable there: the destination's `variables:`, or -e; or take it out of the destination's `secrets:`"
        raise worktree.refuse("; ".join(told), hint, used_at(next(iter(found)), documents, needs))


def shown_names(raw: Mapping[str, Any], plain: Sequence[str], behind: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Where values are shown, in words → the names whose values stand there."""
    written = (raw.get("services") or {}).values()
    paths = [one["path"] for service in written for one in service.get("env_file") or ()]
    paths += [path for service in written for path in service.get("label_file") or ()]
    pictured = [list(images.texts(service)) for service in written]
    return {
        "the name of an image is shown in plans and kept in the history": reached(variables.names(pictured), behind),
        "x-lading.plain says that it may be shown": frozenset(plain),
        "the path of an env_file or label_file is shown": variables.names(paths),
    }


def check_names(found: frozenset[str], documents: Sequence[parse.Document], needs: Sequence[Need]) -> None:
    """Refuse names that mean another thing on the host than here.

    Raises:
        ComposeError: naming file and line.
    """
    for name in sorted(found - {OWN}):
        if name in REFUSED:
            hint = f"write the value out, or use a name of your own: ${{APP_{name}}}; `$${name}` is the container's"
            raise worktree.refuse(f"${name} is another one on the host than here", hint, used_at(name, documents, needs))
        if name.startswith("COMPOSE_"):
            raise worktree.refuse(f"${name} steers Compose itself", "use another name", used_at(name, documents, needs))


def check_given(
    needs: Sequence[Need], values: Values, documents: Sequence[parse.Document], doubts: Mapping[str, str]
) -> None:
    """Refuse variables that are not set where the file has no default, all of them at once (R19, T1, T11).

    *doubts*: name → why what is there of it does not count.

    Raises:
        ComposeError: naming each variable with its file and line, and what to type.
    """
    there = {**values.local, **values.all}
    known = {name: value for name, value in there.items() if name not in doubts}
    found: dict[str, Lack] = {}
    for need in needs:
        for one in variables.lacking(need.text, {**dict.fromkeys(need.own, "own"), **known}):
            if one.name not in found:
                where = need.where if need.where[1] else used_at(one.name, documents, needs)
                state = doubts.get(one.name) or ("is empty" if one.name in known else "is not set")
                found[one.name] = Lack(one.name, f"{state}: {one.argument}" if one.argument else state, where)
    if found:
        raise lacking(list(found.values()))


@dataclass(frozen=True, slots=True)
class Lack:
    """A variable that a file needs and nobody gives: why in words, and where it is used."""

    name: str
    state: str
    where: worktree.Spot


def lacking(lacks: Sequence[Lack]) -> errors.ComposeError:
    """The error for variables that nobody gives."""
    first = lacks[0]
    if len(lacks) == 1:
        return worktree.refuse(f"{first.name} {first.state}", how(first.name), first.where)
    told = [f"{one.name} {one.state}" + (f" ({one.where[0]}:{one.where[1]})" if one.where[1] else "") for one in lacks]
    typed = ["--version VERSION" if one.name == VERSION else f"-e {one.name}=VALUE" for one in lacks]
    hint = f"lading … {' '.join(typed)}, or the destination's `variables:` or `secrets:`, or defaults in the file: ${{NAME:-VALUE}}"
    return worktree.refuse("; ".join(told), hint, first.where)


def how(name: str) -> str:
    """What to type to give a variable a value."""
    if name == VERSION:
        return "lading … --version VERSION"
    return f"lading … -e {name}=VALUE, or the destination's `variables:` or `secrets:`, or a default in the file: ${{{name}:-VALUE}}"


def used_at(name: str, documents: Sequence[parse.Document], needs: Sequence[Need]) -> worktree.Spot:
    """File and line at which a name is used."""
    found = parse.find_name(documents, name)
    return next((one.where for one in needs if one.where[1] and name in names([one])), found) if not found[1] else found


def dotenv(path: str, content: bytes, given: Mapping[str, str]) -> dict[str, str]:
    """The variables of a `.env`, read as Compose reads it; *path* is how it is called.

    Raises:
        ComposeError: Compose could not read it.
    """
    found: dict[str, str] = {}
    known = ChainMap(dict(given), found)
    for one in read_env_file(content.decode("utf-8", "replace"), path):
        for lack in variables.lacking(one.template, known):
            if not lack.operator.endswith("?"):
                continue
            why = f"{lack.name} is not set" + (f": {lack.argument}" if lack.argument else "")
            raise worktree.refuse(f"{path} cannot be read: {why}", how(lack.name), (path, one.line))
        value = one.given(known)
        if value is not None:
            found[one.key] = value
    return found


def local_values(closure: sources.Closure, found: frozenset[str], given: Mapping[str, str]) -> dict[str, str]:
    """What the env files of `include:` set; they must be in Git, since Compose reads them on the host too.

    Raises:
        ComposeError: one is not tracked and gives a value that nobody else gives.
    """
    done: dict[str, str] = {}
    for one in closure.locals:
        own = one.implicit and posixpath.normpath(one.path) == ".env" and one.tracked
        if one.content is None or own:
            continue
        text = one.content.decode("utf-8", "replace")
        set_here = dict(env_files.assigned(text, given))
        if one.tracked:
            done.update(set_here)
        elif lost := sorted((set_here.keys() & found) - given.keys()):
            raise worktree.refuse(f"{lost[0]} comes from {one.path}, which Git does not track", how(lost[0]), one.where)
    return done


def encodable(values: Mapping[str, str]) -> None:
    """Refuse values that no environment can carry.

    Raises:
        InputError: one has a NUL in it, is not text, or is too long.
    """
    for name, value in values.items():
        if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise errors.InputError(f"the value of {name} is not text: NUL or bytes that are not UTF-8", how(name))
        if len(value.encode()) > VALUE_LIMIT:
            hint = "put it into a file: `configs:` or `secrets:`"
            raise errors.InputError(f"the value of {name} has more than {VALUE_LIMIT >> 10} KiB", hint)
