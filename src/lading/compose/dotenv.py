"""The project's `.env`, if Git tracks it, as far as it steers Compose: which files, which profiles, what name."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from lading import errors
from lading.compose import env_files, sources, worktree
from lading.dataclass import dataclass
from lading.transport import command

NAME = ".env"
FILE, SEPARATOR, PROFILES, PROJECT = "COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME"
INSTEAD = {FILE: "-f FILE", PROFILES: "--profile NAME, or `profiles:` of the destination", PROJECT: "--app NAME, or `name:` in the file"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is read: the work tree, the Compose files below its project folder, and what a tracked `.env` says of them.

    *by_env*: the files are those of its COMPOSE_FILE; *paths*: each `.env` whose variables count, the first one most;
    *name_line*: where it names the project; *values*: what it sets besides, for what is read before Compose is asked;
    *version_at*: where it sets VERSION; *uncounted*: what a `.env` sets that does not count, name → its path; *notes*: what of it is not carried out.
    """

    tree: worktree.Tree
    files: tuple[str, ...]
    by_env: bool = False
    paths: tuple[str, ...] = (NAME,)
    profiles: tuple[str, ...] = ()
    name: str = ""
    name_line: int = 0
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    version_at: worktree.Spot = (NAME, 0)
    uncounted: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Steering:
    """The variables of one `.env` that steer Compose, each with its line; *tracked*: they count; *others*: all the others."""

    values: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    tracked: bool = False
    others: Mapping[str, str] = field(default_factory=dict, repr=False)

    def get(self, name: str) -> str:
        """The value of one that counts, "" if there is none."""
        return self.values.get(name, "") if self.tracked else ""

    def listed(self, name: str, separator: str) -> tuple[str, ...]:
        """The parts of one that is a list."""
        parts = (part.strip() for part in self.get(name).split(separator))
        return tuple(part for part in parts if part)


def choose(
    directory: Path, files: Sequence[str], environment: Mapping[str, str], given: Mapping[str, str]
) -> Chosen:
    """The files of `-f`, else those of a tracked `.env`'s COMPOSE_FILE, else the only one there is.

    *given*: the variables that count more than `.env`, which it may refer to.

    Raises:
        ComposeError: a folder or file is not there, or there are several files.
        InputError: there is a work tree, but Git does not read it.
    """
    sources.check_folder(directory)
    if files:
        folder, names = sources.choose(directory, files)
        tree = worktree.look(folder, environment)
        return _chosen(tree, names, (_steering(tree, given),))
    tree = worktree.look(directory.resolve(), environment)
    first = _steering(tree, given)
    named = first.listed(FILE, first.get(SEPARATOR) or ":")
    folder, names = sources.choose(directory, named, (NAME, first.lines.get(FILE, 0)) if named else None)
    if folder == tree.project:
        return _chosen(tree, names, (first,), by_env=bool(named), usual=not named)
    inner = worktree.look(folder, environment)
    return _chosen(inner, names, (first, _steering(inner, given)), by_env=True, start=tree.project)


def _chosen(
    tree: worktree.Tree, names: tuple[str, ...], found: Sequence[_Steering], *, by_env: bool = False,
    start: Path | None = None, usual: bool = False,
) -> Chosen:
    """*found*: what each `.env` says, the one that counts most first; *usual*: the file is the one that Compose looks for."""
    profiles = next((one.listed(PROFILES, ",") for one in found if one.get(PROFILES)), ())
    naming = next((one for one in found if one.get(PROJECT)), _Steering())
    paths = (NAME,) if start is None else (sources.relative(start / NAME, tree.project), NAME)
    notes = tuple(note for one in found for note in _notes(one))
    if usual:
        notes += _override_notes(tree, names[0])
    named = list(zip(reversed(paths), reversed(found), strict=True))  # the one that counts most comes last
    spots = {name: (path, one.lines[name]) for path, one in named if one.tracked for name in one.others}
    return Chosen(
        tree, names, by_env, paths, profiles, naming.get(PROJECT), naming.lines.get(PROJECT, 0),
        values={name: value for _, one in named if one.tracked for name, value in one.others.items()},
        version_at=spots.get("VERSION", (NAME, 0)),
        uncounted={name: path for path, one in named if not one.tracked for name in one.others},
        notes=notes,
    )


def _steering(tree: worktree.Tree, given: Mapping[str, str]) -> _Steering:
    """What the `.env` of a project folder says to Compose itself."""
    try:
        real = worktree.place(tree, NAME, (NAME, 0), "the file")
        text = worktree.content(tree, real, NAME, (NAME, 0)).decode("utf-8", "replace") if real.is_file() else ""
    except errors.ComposeError:  # it leads out of the work tree, or cannot be read: it does not count
        return _Steering()
    everything = dict(env_files.assigned(text, given))
    values = {name: value for name, value in everything.items() if name.startswith("COMPOSE_")}
    others = {name: value for name, value in everything.items() if name not in values}
    tracked = tree.modes is not None and tree.tracked(real)
    return _Steering(values, _lines(text) if everything else {}, tracked, others)


def _lines(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    try:
        for one in env_files.read(text):
            found[one.key] = one.line
    except env_files.BrokenError:
        return found
    return found


def _notes(one: _Steering) -> list[str]:
    """What of a `.env` is not carried out."""
    if not one.tracked:
        return [f"{NAME}:{one.lines.get(name, 0)} sets {name}, but Git does not track {NAME}, so it does not count: {INSTEAD[name]}"
                for name in one.values if name in INSTEAD]
    others = sorted(set(one.values) - {*INSTEAD, SEPARATOR})
    return [f"{NAME} sets {name}, which steers Compose's own commands: not carried out" for name in others]


def _override_notes(tree: worktree.Tree, file: str) -> tuple[str, ...]:
    """What the plan says of an override, which plain Compose adds by itself."""
    found = [name for name in sources.OVERRIDES if (tree.project / name).is_file()][:1]
    return tuple(f"left out: {name}, which is for work on one's own machine; -f {command.quote(file)} -f {name} takes it" for name in found)


def beside(chosen: Chosen, tree: worktree.Tree, given: Mapping[str, str]) -> Chosen:
    """*chosen* with what a `.env` sets that does not count and lies in the work tree that *chosen* stands for."""
    one = _steering(tree, given)
    more = {} if one.tracked else dict.fromkeys(one.others, NAME)
    return replace(chosen, uncounted={**more, **chosen.uncounted})


def check_typed(given: Mapping[str, str], where: str) -> None:
    """Refuse Compose's own settings where they are given as variables: they would do nothing.

    Raises:
        InputError: naming what does it.
    """
    for name in sorted(INSTEAD.keys() & given.keys()):
        raise errors.InputError(f"{where} gives {name}, which is no variable of the files: it steers Compose itself", INSTEAD[name])
