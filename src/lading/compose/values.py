"""Which variables a project needs, and who gives their values: -e, the environment, the destination, a tracked .env."""

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lading import errors
from lading.compose import parse, plugin, sources, variables, worktree

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


@dataclass(frozen=True, slots=True)
class Values:
    """The variables of a project: *all* by name, *hidden* the names that are secret, *local* those that includes set."""

    all: Mapping[str, str] = field(repr=False)
    hidden: frozenset[str] = frozenset()
    local: Mapping[str, str] = field(default_factory=dict, repr=False)

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


def file_needs(text: str, path: str, service: str) -> Iterator[Need]:
    """What an env_file or label_file refers to; names that it has set before are its own."""
    own: set[str] = set()
    for one in variables.assignments(text):
        if one.value and variables.nested(one.value) > variables.NESTING:
            raise worktree.refuse(f"{one.key} has more than {variables.NESTING} variables in each other", "write less at once", (path, one.line))
        if one.value is None and one.key not in own:
            yield Need(f"${{{one.key}}}", service, (path, one.line), frozenset(own))
        elif one.value and not one.literal and "$" in one.value:
            yield Need(one.value, service, (path, one.line), frozenset(own))
        own.add(one.key)


def dotenv_needs(text: str, path: str, wanted: frozenset[str]) -> list[Need]:
    """What the lines of an env file that set *wanted* names refer to, and the lines that set what those refer to."""
    sets = {one.line: one.key for one in variables.assignments(text)}
    reached = set(wanted)
    found = []
    for need in reversed(list(file_needs(text, path, ""))):
        if sets[need.where[1]] in reached:
            reached |= names([need])
            found.append(need)
    return found[::-1]


def names(needs: Iterable[Need]) -> frozenset[str]:
    """The names that *needs* refer to."""
    return frozenset(reference.name for need in needs for reference in variables.references(need.text))


def hidden_names(found: frozenset[str], raw: Mapping[str, Any], plain: Sequence[str]) -> frozenset[str]:
    """The names whose values are secret: all but those of images, those listed as *plain*, VERSION."""
    images = [one.get("image") for one in (raw.get("services") or {}).values()]
    sources_ = {str(one["environment"]) for one in (raw.get("secrets") or {}).values() if one.get("environment")}
    return (found - variables.names(images) - {*plain, VERSION, OWN}) | sources_


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
    needs: Sequence[Need], values: Values, documents: Sequence[parse.Document], untracked: frozenset[str]
) -> None:
    """Refuse variables that are unset, empty or blank where the file has no default (R19, T1, T11).

    Raises:
        ComposeError: naming the variable, file, line and what to type.
    """
    known = {**values.local, **values.all}
    for need in needs:
        given = {**dict.fromkeys(need.own, "own"), **known}
        for lack in variables.lacking(need.text, given):
            where = need.where if need.where[1] else used_at(lack.name, documents, needs)
            state = "is not set" if lack.name not in known else "is empty" if not known[lack.name] else "is blank"
            if lack.name in untracked:
                state += " (Git does not track .env, so it does not count)"
            said = f": {lack.argument}" if lack.argument else ""
            raise worktree.refuse(f"{lack.name} {state}{said}", how(lack.name), where)


def how(name: str) -> str:
    """What to type to give a variable a value."""
    if name == VERSION:
        return "lading … --version VERSION"
    return f"lading … -e {name}=VALUE, or the destination's `variables:`, or a default in the file: ${{{name}:-VALUE}}"


def used_at(name: str, documents: Sequence[parse.Document], needs: Sequence[Need]) -> worktree.Spot:
    """File and line at which a name is used."""
    found = parse.find_name(documents, name)
    return next((one.where for one in needs if one.where[1] and name in names([one])), found) if not found[1] else found


def dotenv(compose: plugin.Compose, path: str, content: bytes, given: Mapping[str, str]) -> dict[str, str]:
    """The variables of an env file, read by Compose itself; *path* is how it is called.

    Raises:
        ComposeError: Compose cannot read it.
    """
    place = compose.laid.hidden(content)
    model = f'services: {{x: {{image: x, env_file: ["{place}"]}}}}\n'.encode()
    done = compose.config("x", given, model=model)
    if done.status:
        raise worktree.refuse(f"{path} cannot be read: {done.error_text.replace(place, path)}", "correct the file", (path, 0))
    read = parse.load(done.stdout)["services"]["x"].get("environment") or {}
    return {name: variables.plain_text(str(value)) for name, value in read.items() if value is not None}


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
        set_here = {line.key: line.value or "" for line in variables.assignments(text)}
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
