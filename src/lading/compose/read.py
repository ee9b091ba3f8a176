"""Compose files and the caller's values → Reading: everything that a release is made of; errors carry file and line."""

import contextlib
import json
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures.thread import ThreadPoolExecutor  # here: `concurrent.futures` alone loads it when it is used
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import Any

from lading import errors, process
from lading.compose import (
    answered,
    checks,
    complaints,
    dialects,
    dotenv,
    images,
    masking,
    outline,
    parse,
    passing,
    plugin,
    profiles,
    project,
    rights,
    services,
    shipping,
    snapshot,
    sources,
    values,
    variables,
    worktree,
)
from lading.dataclass import dataclass
from lading.transport import command


@dataclass(frozen=True, slots=True)
class Request:
    """What the caller asks for.

    *project*: what the destination calls the project, or ""; {app} in it is the app's own name.
    *beside*: the project folder that *directory* stands for, where env files and secrets lie that Git does not track.
    *environment* is the caller's whole one; only what *pass_env* lets through becomes a variable of the project.
    *source*: what lading.yaml calls the source of a project without a repository's address.
    *profiles*: those that were typed; *usual*: those of the destination, None if it names none.
    *origin*: where a *version* comes from that nobody typed, in words.
    *secrets*: what lading.yaml gives by reference; read only where the files refer to it, and once these are known.
    """

    directory: Path
    files: tuple[str, ...] = ()
    app: str = ""
    version: str = ""
    overrides: Mapping[str, str] = field(default_factory=dict, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    destination: Mapping[str, str] = field(default_factory=dict, repr=False)
    project: str = ""
    beside: Path | None = None
    pass_env: passing.Passing = field(default_factory=passing.Passing)
    source: str = ""
    profiles: tuple[str, ...] = ()
    usual: tuple[str, ...] | None = None
    origin: str = ""
    secrets: values.Secrets = field(default_factory=values.Secrets)

    @property
    def given(self) -> Mapping[str, str]:
        """What counts more than the project's own `.env`."""
        typed = {values.VERSION: self.version} if self.version else {}
        return {**self.destination, **self.passed, **self.overrides, **typed}

    def early(self, chosen: dotenv.Chosen) -> Mapping[str, str]:
        """The variables for what lading reads before Compose does: those that are given, and those of a tracked `.env`."""
        own = {name: value for name, value in chosen.values.items() if name != values.VERSION}
        return {**own, **self.given}

    @property
    def typed_version(self) -> str:
        """The version that a person or pipeline gives, "" if none does; an empty one of the environment is none."""
        given = (self.version, self.overrides.get(values.VERSION), self.passed.get(values.VERSION))
        return next((one for one in given if one), self.destination.get(values.VERSION, ""))

    def asked_profiles(self, own: tuple[str, ...]) -> tuple[str, ...]:
        """The profiles that are meant: those that were typed, else the destination's, else the project's *own*."""
        return self.profiles or (own if self.usual is None else self.usual)

    @property
    def passed(self) -> Mapping[str, str]:
        """What of the caller's environment the project is given."""
        return self.pass_env.passed(self.environment)

    def withheld(self, names: Iterable[str]) -> list[str]:
        """Those of *names* that the caller's environment has and the project is not given, nor what lading.yaml says of them."""
        found = frozenset(names)
        return self.pass_env.withheld(found - self.secrets.among(found), self.environment, self.overrides)


@dataclass(frozen=True, slots=True)
class Model:
    """The merged Compose files: *raw* before interpolation, *resolved* after it; *needs*: variables by service;
    *profiles*: those that were asked for.
    """

    raw: Mapping[str, Any]
    resolved: Mapping[str, Any]
    needs: Mapping[str, frozenset[str]]
    values: values.Values
    profiles: tuple[str, ...] = ()

    def names(self, service: str) -> frozenset[str]:
        """The variables that a service uses, also through its env files, configs and secrets."""
        one = self.resolved["services"][service]
        found = self.needs.get(service, frozenset())
        for kind in ("configs", "secrets"):
            for reference in one.get(kind) or ():
                source = (self.raw.get(kind) or {}).get(reference["source"]) or {}
                found |= variables.names(source) | ({source["environment"]} if source.get("environment") else set())
        return self.values.reached(found)


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a project, found and parsed, and its name; Compose has not read them yet."""

    request: Request
    chosen: dotenv.Chosen
    closure: sources.Closure
    name: str
    answers: answered.Answers

    @property
    def tree(self) -> worktree.Tree:
        """The work tree that they lie in."""
        return self.chosen.tree

    @property
    def named(self) -> bool:
        """Whether somebody has named the app, and not just its repository."""
        by_file = any(one.value("name") for one in self.closure.main)
        return bool(self.request.project or self.request.app or self.chosen.name or by_file)

    @property
    def source(self) -> str:
        """Whose the app is, see `worktree.source`."""
        return worktree.source(self.tree, self.request.source)

    @property
    def version(self) -> str:
        """The version that is asked for, or that the images' texts give by default; or ""."""
        texts = outline.image_texts(self.closure)
        services = {name: {"image": text} for name, text in texts.items()}
        return _version(self.request, {"services": services}, self.closure.all)

    @property
    def lacks_version(self) -> bool:
        """Whether an image needs VERSION, and nobody gives one."""
        texts = self.image_texts.values()
        return not self.version and any(values.VERSION in variables.names(text) for text in texts)

    @property
    def given(self) -> Mapping[str, str]:
        """The variables that are known before Compose reads the files."""
        given = {**self.request.early(self.chosen), values.OWN: self.name}
        if self.version:
            given[values.VERSION] = self.version
        return {**values.local_values(self.closure, frozenset(), given), **given}

    @property
    def image_texts(self) -> Mapping[str, str]:
        """Service → image as the files write it."""
        return outline.image_texts(self.closure)

    @property
    def images(self) -> Mapping[str, str]:
        """Service → image, as far as that is certain before Compose merges the files."""
        return outline.images(self.closure, self.given)

    def paths(self) -> list[str]:
        """What steers the reading, relative to the work tree's top: Compose files, `.env`, includes' env files."""
        found = [*self.chosen.paths]
        found += [one.path for one in self.closure.all]
        found += [one.path for one in self.closure.locals]
        return _from_top(self.tree, found)


def _from_top(tree: worktree.Tree, paths: Iterable[str]) -> list[str]:
    """Paths of the project folder as seen from the work tree's top, but those that lie elsewhere."""
    found = set()
    for path in paths:
        full = Path(os.path.normpath(tree.project / path))
        if full.is_relative_to(tree.top):
            found.add(full.relative_to(tree.top).as_posix())
    return sorted(found)


def find(request: Request, answers: answered.Answers | None = None) -> Files:
    """The files of a project; no program but Git is run.

    *answers*: what Compose has answered before.

    Raises:
        ComposeError: a file is missing or wrong, or nothing names the app.
        InputError: Git does not read the work tree.
    """
    dotenv.check_typed(request.overrides, "-e")
    dotenv.check_typed(request.destination, "the destination's `variables:`")
    chosen = dotenv.choose(request.directory, request.files, request.environment, request.given)
    tree = chosen.tree
    if request.beside is not None:
        own = worktree.look(request.beside, request.environment)
        tree, chosen = replace(tree, beside=own), dotenv.beside(chosen, own, request.given)
    closure = sources.closure(tree, chosen.files)
    checks.check_shape(closure.main, [one for one, _ in closure.included])
    name = project_name(closure.main, request, replace(chosen, tree=tree.beside or tree))
    files = Files(request, replace(chosen, tree=tree), closure, name, answers or answered.Answers())
    if not files.named:
        files.answers.use_stand_in()
    return files


def read(request: Request) -> project.Reading:
    """Read a project for one version; nothing outside this machine is contacted.

    Raises:
        ComposeError: the files, or what they refer to, cannot be shipped.
        InputError: Compose or Git is missing.
    """
    return read_files(find(request))


def ask_ahead(files: Files) -> None:
    """Ask Compose now what `read_files` will ask it first; what is wrong is told there.

    No program is run for a secret: perhaps other files turn out to count, which do without it.
    """
    with contextlib.suppress(errors.LadingError), merged(files, ahead=True):
        pass


def read_files(files: Files) -> project.Reading:
    """The same, for files that were found.

    Raises:
        ComposeError, InputError: as `read`.
    """
    with merged(files) as whole:
        return whole.read()


@contextlib.contextmanager
def merged(files: Files, *, ahead: bool = False) -> Iterator["Merged"]:
    """The project as Compose merges its files, before variables are filled in.

    *ahead*: no program is run for a secret.

    Raises:
        ComposeError: Compose refuses the files.
        InputError: Compose is missing.
    """
    closure = files.closure
    binary = plugin.find(files.request.environment)
    with _laid_out(files) as laid:
        compose = plugin.Compose(binary, files.chosen.files, laid, files.answers)
        raw = _raw(files, compose, resolved=not (ahead and files.request.secrets.places))
        checks.check_agreement(raw, closure.main, closure.all)
        yield Merged(files, compose, raw)


@contextlib.contextmanager
def _laid_out(files: Files) -> Iterator[snapshot.Snapshot]:
    """A snapshot of the files."""
    tree = files.tree
    with snapshot.opened(tree.project.relative_to(tree.top).as_posix()) as laid:
        lay_out(laid, files.closure)
        yield laid


def lay_out(laid: snapshot.Snapshot, closure: sources.Closure) -> None:
    """Give Compose the files as they were read.

    An env file of an include that demands a variable is empty until all variables are known: Compose would not go on.
    """
    for document in closure.all:
        laid.add(document.path, document.content)
    for one in closure.locals:
        if one.ships and one.content is not None:
            laid.add_secret(one.path, b"" if values.demands(one) else one.content)


@dataclass(frozen=True, slots=True)
class Merged:
    """A project that is laid out for Compose and merged by it; *raw*: before interpolation."""

    files: Files
    compose: plugin.Compose
    raw: Mapping[str, Any]

    def paths(self) -> list[str]:
        """The files that the project names, relative to the work tree's top, as far as is known by now."""
        filled = _filled(self.raw, self.files.given)
        found: list[str] = []
        for service in (filled.get("services") or {}).values():
            found += [path for path, _, _ in env_paths(service, {})]
            found += [str(path) for path in service.get("label_file") or ()]
            found += services.seccomp(service)
            mounted = [mount.source for mount in services.mounts(service)]
            found += [source for source in mounted if source.startswith((".", "/"))]
        for kind in ("configs", "secrets"):
            entries = [one for one in (filled.get(kind) or {}).values() if one]
            found += [str(one["file"]) for one in entries if one.get("file")]
        return sorted({*self.files.paths(), *_from_top(self.files.tree, found)})

    def read(self) -> project.Reading:
        """Read it whole; if that is refused, without the services that nobody needs: they may be wrong, as with Compose."""
        request, chosen = self.files.request, self.files.chosen
        try:
            return self._read(self.raw, frozenset())
        except errors.ComposeError:
            wanted, early = request.asked_profiles(chosen.profiles), request.early(chosen)
            needless = profiles.needless(self.raw, wanted, early)
            if not needless:
                raise
            profiles.check_typed(self.raw, request.profiles, early)
            return self._read(self.raw, needless)

    def _read(self, whole: Mapping[str, Any], needless: frozenset[str]) -> project.Reading:
        """Read it, but not the *needless* services; *whole*: the files before interpolation."""
        files, compose, name = self.files, self.compose, self.files.name
        request, chosen, closure = files.request, files.chosen, files.closure
        tree, asked = chosen.tree, request.asked_profiles(chosen.profiles)
        raw = profiles.without(whole, needless) if needless else whole
        version = _version(request, raw, closure.all)
        cargo = shipping.Cargo(warnings=[*filter(None, [request.origin]), *chosen.notes])
        demanded = [need for need in values.model_needs(whole) if need.service in needless and values.demanding(need)]
        given, needs = _values(request, name, version, chosen, closure, raw, compose, cargo, demanded)
        for one in closure.locals:
            if one.ships and one.content is not None:
                compose.laid.put_secret(one.path, one.content)
        for path in _read_as_written(raw, given.all):
            compose.laid.make_way(path)
        some = profiles.also(raw, asked, request.early(chosen)) if needless else (profiles.ALL,)
        settled = _settled(_ask(files, compose, given, active=some), compose.binary)
        resolved = profiles.without(settled, needless) if needless else settled
        checks.check_services(resolved, raw, closure.all)
        if needless:
            cargo.warnings.append(f"not read, since nothing of them is started: {', '.join(sorted(needless))}")
        else:
            cargo.warnings += profiles.notes(resolved, asked)
        profiles.check(resolved, asked, [] if needless else request.profiles, closure.all)
        model = Model(raw, resolved, _by_service(needs), given, asked)
        _ship(tree, closure, model, cargo)
        with worktree.compared_anew(tree):
            shipping.check_filters(tree, cargo)
            shipping.tell(tree, cargo)
        if request.version and "VERSION" not in values.names(needs):
            cargo.warnings.append(f"no file uses ${{VERSION}}: {version} only names this release")
        return _reading(files, version, model, cargo)


def _filled(value: Any, given: Mapping[str, str]) -> Any:
    """A tree with its variables filled in; those that are not known count as empty."""
    if isinstance(value, Mapping):
        return {key: _filled(one, given) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, given) for one in value]
    return variables.substitute(value, given) if isinstance(value, str) else value


def _raw(files: Files, compose: plugin.Compose, *, resolved: bool) -> dict[str, Any]:
    """The project as Compose merges it, before interpolation.

    Meanwhile it is asked whether this Compose is able to, which commit is checked out, and, if
    *resolved*, what Compose makes of the files with their variables.
    """
    with ThreadPoolExecutor(3) as beside:
        told = beside.submit(plugin.version_of, compose.binary)
        beside.submit(worktree.head, files.tree)
        if resolved:
            beside.submit(_ask_resolved, files, compose.binary)
        try:
            return _ask(files, compose, None, "--no-interpolate")
        finally:
            told.result()


def _ask_resolved(files: Files, binary: str) -> None:
    """Ask Compose for the resolved tree of a project in one file, before it has merged that.

    What it is asked follows from the file as it is written. Should it be asked otherwise once the
    file is merged, only this call was for nothing: `answered.Answers` tells them apart.
    """
    closure = files.closure
    if len(closure.all) > 1 or closure.locals or files.tree.beside is not None:
        return
    raw = _as_merged(closure.main[0])
    version = _version(files.request, raw, closure.all)
    with _laid_out(files) as laid:
        compose = plugin.Compose(binary, files.chosen.files, laid, files.answers)
        given, _ = _values(
            files.request, files.name, version, files.chosen, closure, raw, compose, shipping.Cargo(), ())
        _ask(files, compose, given)


def _as_merged(document: parse.Document) -> dict[str, Any]:
    """A file as Compose writes it where there is nothing to merge.

    It is like that as far as variables and the paths of env files go.
    """
    raw: dict[str, Any] = {}
    for part in document.data:
        raw |= part
    services = {}
    for name, one in raw.get("services", {}).items():
        written = _listed(one.get("env_file"))
        env_files = [{"path": file} if isinstance(file, str) else file for file in written]
        label_files = _listed(one.get("label_file"))
        services[name] = {**one, "env_file": env_files, "label_file": label_files}
    return {**raw, "services": services}


def _listed(value: Any) -> list[Any]:
    """What may be written as one or as a list, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _ask(
    files: Files, compose: plugin.Compose, given: values.Values | None, *options: str,
    active: Sequence[str] = (profiles.ALL,),
) -> dict[str, Any]:
    """The tree that Compose writes of the files.

    It is asked under the stand-in for a name that may still change, so that another name needs no
    other answer; what it refuses, it refuses under the name itself.

    Raises:
        ComposeError: what it complained of, without secret values.
    """
    known = given.all if given is not None else {}
    stand_in = files.answers.stand_in
    if stand_in:
        own = {values.OWN: stand_in} if values.OWN in known else {}
        done = compose.config(stand_in, {**known, **own}, *options, profiles=active)
        if done.status == 0:
            tree: dict[str, Any] = _renamed(parse.load(done.stdout), stand_in, files.name)
            return tree
    done = compose.config(files.name, known, *options, profiles=active)
    return written(done, files.closure.all, given)


def _renamed(value: Any, before: str, after: str) -> Any:
    """A tree with one text in place of another, wherever it stands."""
    if isinstance(value, Mapping):
        return {_renamed(key, before, after): _renamed(one, before, after)
                for key, one in value.items()}
    if isinstance(value, list):
        return [_renamed(one, before, after) for one in value]
    return value.replace(before, after) if isinstance(value, str) else value


def _settled(resolved: Mapping[str, Any], binary: str) -> dict[str, Any]:
    """The resolved tree in one dialect, so that a release is the same one whatever Compose read it."""
    creates = dialects.leaves_room(resolved) and plugin.leaves_out_creation(binary)
    return dialects.settled(resolved, creates=creates)


def _by_service(needs: Sequence[values.Need]) -> dict[str, frozenset[str]]:
    found: dict[str, list[values.Need]] = {}
    for need in needs:
        found.setdefault(need.service, []).append(need)
    return {service: values.names(own) for service, own in found.items()}


def project_name(main: Sequence[parse.Document], request: Request, chosen: dotenv.Chosen) -> str:
    """The app's name, in the destination's words if it has any for the project.

    It is COMPOSE_PROJECT_NAME of a tracked `.env` (unless there is `--app`), else top-level `name:`, cleaned as Compose
    does it, else `--app`, else the repository's (T5).

    Raises:
        ComposeError: the files and `--app` differ, or nothing gives a name, or none that Compose takes.
    """
    written, where = _written_name(main, request, request.early(chosen))
    if chosen.name and not request.app:
        written, where = chosen.name, (dotenv.NAME, chosen.name_line)
    if written and request.app and written != request.app:
        raise worktree.refuse(f"the files call the app {written}, the command line {request.app}",
                              f"the app is called {written}: name it so, or not at all", where)
    own = written or request.app or _cleaned(worktree.name(chosen.tree))
    name = request.project.replace("{app}", own) if request.project else own
    if not name or (not own and "{app}" in request.project):
        example = _cleaned(chosen.tree.project.name) or "NAME"
        raise worktree.refuse("nothing names the app: no `name:` in the Compose file, no --app, no Git repository that would",
                              f"name: {example} at the top of {main[0].path}, or --app {example}", (main[0].path, 1))
    if not command.APP.fullmatch(name):
        better = f", such as {_cleaned(name)}" if _cleaned(name) else ""
        raise worktree.refuse(f"{name!r} cannot be a project's name", f"a-z, 0-9, '-' and '_' only, a letter or digit first{better}",
                              where if name == written else ("", 0))
    return name


def _written_name(
    main: Sequence[parse.Document], request: Request, given: Mapping[str, str]
) -> tuple[str, worktree.Spot]:
    """The top-level `name:` as Compose makes a project's name of it, "" if there is none; and where it stands."""
    named = next((one for one in reversed(main) if one.value("name")), None)
    if named is None:
        return "", ("", 0)
    text, where = str(named.value("name")), (named.path, named.line(("name",)))
    values.check_secrets(request.secrets, {"`name:` is shown": variables.names(text)}, main, [values.Need(text, where=where)])
    if kept := request.withheld(variables.names(text)):
        raise request.pass_env.refusal(dict.fromkeys(kept, where))
    if missing := list(dict.fromkeys(one.name for one in variables.lacking(text, given))):
        raise values.lacking([values.Lack(name, "is not set, and `name:` needs it", where) for name in missing])
    written = variables.plain_text(variables.substitute(text, given))
    if not _cleaned(written):
        raise worktree.refuse(f"name: {written} leaves nothing of which Compose makes a project's name",
                              "a-z, 0-9, '-' and '_' only, a letter or digit first", where)
    return _cleaned(written), where


def _cleaned(name: str) -> str:
    """A name as Compose makes one of a folder's and of a top-level `name:`."""
    return re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")


def written(
    done: process.Finished, documents: Sequence[parse.Document], given: values.Values | None = None
) -> dict[str, Any]:
    """The tree that Compose wrote.

    Raises:
        ComposeError: what it complained of, without secret values.
    """
    if done.status == 0:
        tree: dict[str, Any] = parse.load(done.stdout)
        return tree
    text = done.error_text
    secret = {name: given.all.get(name, "") for name in given.hidden} if given else {}
    told = {name: value for name, value in secret.items() if len(value) > 2}
    for name in sorted(told, key=lambda one: -len(told[one])):
        text = text.replace(told[name], f"${{{name}}}")
    text = masking.hidden(text, {f"var.{name}": value.encode() for name, value in told.items()}, {})
    raise complaints.complaint(text, documents)


def _version(request: Request, raw: Mapping[str, Any], documents: Sequence[parse.Document]) -> str:
    """The version that was asked for, else the default that an image's text gives it, else ""."""
    override = request.overrides.get("VERSION", "")
    if request.version and override and request.version != override:
        raise errors.ComposeError(f"--version {request.version} and -e VERSION={override} differ", "give one of them")
    if "VERSION" in request.overrides and not override.strip():
        raise errors.ComposeError("the version is blank", "lading … --version 1.2.3")
    version = request.typed_version
    if not version.strip() and values.VERSION in request.destination:
        raise errors.ComposeError("the VERSION of the destination's `variables:` is blank", "lading … --version 1.2.3")
    written = [text for one in raw.get("services", {}).values() for text in images.texts(one)]
    found = [reference for image in written for reference in variables.references(image) if reference.name == "VERSION"]
    if not version.strip():
        return next((one.argument for one in found if one.operator.endswith("-")), "")
    if fault := variables.version_fault(version, tag=bool(found)):
        file, line = parse.find_name(documents, "VERSION")
        raise errors.ComposeError(fault, "lading … --version 1.2.3", file=file, line=line)
    return version


def _check_version(request: Request, chosen: dotenv.Chosen, needs: Sequence[values.Need]) -> None:
    """Refuse a version that only a `.env` gives: what runs under which version would hang on a file that nobody named.

    Raises:
        ComposeError: there is one, and the files use it.
    """
    version = chosen.values.get(values.VERSION, "")
    if not version or request.typed_version.strip() or values.VERSION not in values.names(needs):
        return
    typed = "VERSION" if variables.version_fault(version, tag=True) else version
    raise worktree.refuse(f"{chosen.version_at[0]} sets VERSION, which lading takes from nobody but who deploys",
                          f"lading … --version {command.quote(typed)}; or another name in the files", chosen.version_at)


def _demanded_by_name(main: Sequence[parse.Document]) -> list[values.Need]:
    """What `name:` demands: Compose fills it in on hosts too, though lading gives it the name."""
    named = next((one for one in reversed(main) if one.value("name")), None)
    need = values.Need(str(named.value("name")), "", (named.path, named.line(("name",)))) if named is not None else values.Need("")
    return [need] if values.demanding(need) else []


def _values(
    request: Request, name: str, version: str, chosen: dotenv.Chosen, closure: sources.Closure,
    raw: Mapping[str, Any], compose: plugin.Compose, cargo: shipping.Cargo, demanded: Sequence[values.Need],
) -> tuple[values.Values, tuple[values.Need, ...]]:  # fmt: skip
    """Everything the files refer to, with its value; env files are taken on the way.

    *demanded*: what Compose demands for services that are not read.
    """
    tree = chosen.tree
    layers = [request.overrides, request.passed, request.destination]
    fixed = {values.OWN: name, **({"VERSION": version} if version else {})}

    def pick(found: Iterable[str]) -> dict[str, str]:
        picked = {one: next((layer[one] for layer in layers if one in layer), None) for one in found if one != "VERSION"}
        return {**{one: value for one, value in picked.items() if value is not None}, **fixed}

    def check(needs: Sequence[values.Need]) -> None:
        found = values.names(needs)
        values.check_names(found, closure.all, needs)
        if kept := request.withheld(found - {"VERSION", values.OWN}):
            raise request.pass_env.refusal({one: values.used_at(one, closure.all, needs) for one in kept})

    needs = [*values.model_needs(raw), *demanded]
    values.check_names(values.names(needs), closure.all, needs)
    own = [*closure.main, *(one for one, _ in closure.included)]
    named_plain = checks.extension(own, "plain")
    values.check_secrets(request.secrets, values.shown_names(raw, named_plain, {}), closure.all, needs)
    inner = _add_dotenvs(chosen, values.names(needs), layers, request.secrets)
    try:
        needs += _env_files(tree, closure.all, raw, pick(values.names(needs)), cargo)
    except errors.ComposeError:
        check([*needs, *inner])  # a path may be missing because its variable was not passed on
        raise
    _lay_out_cargo(compose.laid, cargo)
    more, behind = values.local_needs(closure, values.names(needs))
    needs += [*more, *_demanded_by_name(closure.main)]
    found = values.names(needs)
    inner += _add_dotenvs(chosen, found, layers, request.secrets)
    check([*needs, *inner])
    plain = [*named_plain, *values.names(_demanded_by_name(closure.main))]
    values.check_secrets(request.secrets, values.shown_names(raw, plain, behind), closure.all, needs)
    above = frozenset({*request.overrides, *request.passed})
    layers[2] = {**request.destination, **request.secrets.read(request.secrets.among(found) - above)}
    given = pick(found)
    values.encodable(given)
    hidden = values.hidden_names(found, raw, plain, behind)  # all secrets of lading.yaml: none is in an image or plain
    masked = {one: variables.passing(one) if one in hidden else value for one, value in given.items()}
    done = values.Values(given, hidden, values.local_values(closure, found, given), behind, values.local_values(closure, found, masked))
    _check_version(request, chosen, needs)
    uncounted = _uncounted(chosen, found - given.keys() if version != request.typed_version else found - {*given, values.VERSION})
    lacking = found - given.keys() - done.local.keys()
    doubts = {one: f"is not set (Git does not track {path}, so it does not count)" for one, path in uncounted.items() if one in lacking}
    values.check_given(needs, done, closure.all, {**doubts, **_empty(request, found)})
    cargo.warnings += _uncounted_notes(uncounted)
    return done, tuple(needs)


def _add_dotenvs(
    chosen: dotenv.Chosen, found: frozenset[str], layers: list[Mapping[str, str]], secrets: values.Secrets
) -> list[values.Need]:
    """Put each `.env` below the other layers, if Git tracks it and one of *found* is nowhere else; it sees no *secrets*.

    What their lines for *found* refer to themselves is given back.
    """
    inner: list[values.Need] = []
    for path in chosen.paths:
        inner += _add_dotenv(chosen.tree, path, found - secrets.among(found), layers, secrets)
    return inner


def _add_dotenv(
    tree: worktree.Tree, path: str, found: frozenset[str], layers: list[Mapping[str, str]], secrets: values.Secrets
) -> list[values.Need]:
    wanted = any(not any(name in layer for layer in layers) for name in found - {"VERSION", values.OWN})
    if not wanted or tree.modes is None or not (tree.project / path).is_file():
        return []
    real = worktree.place(tree, path, (path, 0), "the file")
    if not tree.tracked(real):
        return []
    content = worktree.content(tree, real, path, (path, 0))
    inner = values.dotenv_needs(content.decode("utf-8", "replace"), path, found)
    values.check_secrets(secrets, {f"{path} sees no secret": values.names(inner)}, (), inner)
    above = {name: layer[name] for layer in reversed(layers) for name in values.names(inner) if name in layer}
    layers.append(values.dotenv(path, content, above))
    return inner


def _lay_out_cargo(laid: snapshot.Snapshot, cargo: shipping.Cargo) -> None:
    """Give Compose the env files and label files as they were read."""
    for name, content in cargo.secrets.items():
        if name.startswith("env."):
            laid.add_secret(name.removeprefix("env."), content)
    for path, file in cargo.files.items():
        laid.add(path, file.content)


def _uncounted(chosen: dotenv.Chosen, found: frozenset[str]) -> dict[str, str]:
    """Those of *found* that stand in a `.env` that does not count, with its path; plain Compose would take them."""
    return {name: chosen.uncounted[name] for name in sorted(found & chosen.uncounted.keys())}


def _uncounted_notes(uncounted: Mapping[str, str]) -> Iterator[str]:
    """What the plan says of values that plain Compose would take here: of each `.env` once."""
    for path in dict.fromkeys(uncounted.values()):
        names = [name for name, where in uncounted.items() if where == path]
        yield (f"{path}, which Git does not track, sets {', '.join(names)}: that does not count, what the files give without it does; "
               f"git add {command.quote(path)}, or -e {names[0]}=VALUE, or the destination's `variables:`")


def _empty(request: Request, found: frozenset[str]) -> dict[str, str]:
    """Those of *found* that the caller's environment gives as nothing: there it is more often a mistake than meant."""
    blank = [name for name in found if not request.passed.get(name, "-").strip() and name not in request.overrides]
    return {name: f"is empty in your environment; if that is meant: -e {name}=" for name in sorted(blank)}


def _env_files(
    tree: worktree.Tree, documents: Sequence[parse.Document], raw: Mapping[str, Any],
    given: Mapping[str, str], cargo: shipping.Cargo,
) -> Iterator[values.Need]:  # fmt: skip
    """What the env files of each service refer to; they go to *cargo*, and so do label files, which see no variables."""
    for name, service in (raw.get("services") or {}).items():
        own = _set_here(service.get("environment"))
        for path, required, format in env_paths(service, given):
            where = partial(parse.find, documents, posixpath.basename(path), ("services", name, "env_file"))
            if required or worktree.bring(tree, path, where, "env_file").is_file():
                text = shipping.ship_secret(tree, cargo, "env", path, where).decode("utf-8", "replace")
                yield from values.file_needs(text, path, name, format, own)
        for label_file in service.get("label_file") or ():
            path = _path(label_file, given)
            where = partial(parse.find, documents, posixpath.basename(path), ("services", name, "label_file"))
            shipping.ship_files(tree, cargo, [(path, where)])


def _set_here(environment: Any) -> set[str]:
    """The names to which `environment:` of a service itself gives values: its env files may refer to them."""
    if isinstance(environment, Mapping):
        return {str(name) for name, value in environment.items() if value is not None}
    return {name for name, equals, _ in (str(one).partition("=") for one in environment or ()) if equals}


def _read_as_written(raw: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[str]:
    """The paths of env files and label files as Compose looks them up here."""
    for service in (raw.get("services") or {}).values():
        written = [one["path"] for one in service.get("env_file") or ()]
        for text in (*written, *(service.get("label_file") or ())):
            path = variables.plain_text(variables.substitute(str(text), given))
            if not path.startswith(("/", "~")):
                yield path


def env_paths(service: Mapping[str, Any], given: Mapping[str, str]) -> list[tuple[str, bool, str]]:
    """The env files of a service as Compose wrote them before interpolation, whether each must be there, and its format."""
    return [(_path(one["path"], given), one.get("required", True), str(one.get("format") or ""))
            for one in service.get("env_file") or ()]


def _path(text: str, given: Mapping[str, str]) -> str:
    """A path of the tree before interpolation, filled in and without `./`; ~ is shown as such again."""
    path = posixpath.normpath(variables.plain_text(variables.substitute(str(text), given)))
    return "~" + path.removeprefix(plugin.NOWHERE) if path.startswith(plugin.NOWHERE) else path


def _ship(tree: worktree.Tree, closure: sources.Closure, model: Model, cargo: shipping.Cargo) -> None:
    """Collect everything that travels."""
    read = {one.path: one.content for one in closure.all}
    read |= {one.path: one.content for one in closure.locals if one.content is not None}
    shipping.ship_files(tree, cargo, [(one.path, (one.path, 0)) for one in closure.all], read)
    shipping.ship_files(tree, cargo, [(one.path, one.where) for one in closure.locals if one.ships], read)
    _ship_profiles(tree, closure.all, model.resolved, cargo)
    data = checks.data(closure.main, closure.included)
    for path, (where, writable) in _binds(closure.all, model.resolved).items():
        shipping.ship_bind(tree, cargo, path, where, data=data, writable=writable)
    for kind, path, where in _files(closure.all, model.resolved):
        kept = shipping.listed(path, data)
        if kind == "configs":
            shipping.ship_config(tree, cargo, path, where, data=data)
        elif kept:
            shipping.keep(tree, cargo, path, where)
        else:
            shipping.ship_secret(tree, cargo, "file", path, where)
    for path in data:
        if not any(shipping.listed(one, [path]) for one in cargo.host_data):
            cargo.warnings.append(f"x-lading.data names {path}, which no service mounts")
    shipping.check_size(cargo)


def _ship_profiles(
    tree: worktree.Tree, documents: Sequence[parse.Document], resolved: Mapping[str, Any], cargo: shipping.Cargo
) -> None:
    """Take the seccomp profiles, which Compose looks for in the project folder; those of absolute paths are the host's.

    Raises:
        ComposeError: one is not there, or is no JSON, at which Compose would end on the host.
    """
    for name, service in (resolved.get("services") or {}).items():
        for path in services.seccomp(service):
            if path.startswith("/"):
                continue
            path, where = posixpath.normpath(path), parse.locate(documents, ("services", name, "security_opt"))
            if not worktree.place(tree, path, where, "the seccomp profile").is_file():
                raise worktree.refuse(f"the seccomp profile {path} does not exist", "correct the path, seen from the project folder", where)
            shipping.ship_files(tree, cargo, [(path, where)])
            try:
                json.loads(cargo.files[path].content)
            except ValueError as odd:
                raise worktree.refuse(f"the seccomp profile {path} is no JSON", f"python3 -m json.tool {path}", where) from odd


def _binds(
    documents: Sequence[parse.Document], resolved: Mapping[str, Any]
) -> dict[str, tuple[worktree.Where, bool]]:
    """Every relative bind: where it stands, and whether one service may write to it."""
    found: dict[str, tuple[worktree.Where, bool]] = {}
    for name, service in (resolved.get("services") or {}).items():
        for mount in services.mounts(service):
            if mount.kind != "bind" or (mount.source.startswith("/") and not mount.source.startswith(plugin.NOWHERE)):
                continue
            path = _path(mount.source.replace("$", "$$"), {})
            where = partial(parse.find, documents, posixpath.basename(path), ("services", name, "volumes"))
            before = found.get(path, (where, False))
            found[path] = (before[0], before[1] or not mount.read_only)
    return found


def _files(
    documents: Sequence[parse.Document], resolved: Mapping[str, Any]
) -> Iterator[tuple[str, str, worktree.Where]]:
    """Kind, path and place of every top-level config and secret that is a file."""
    for kind in ("configs", "secrets"):
        for name, one in (resolved.get(kind) or {}).items():
            if one.get("file"):
                yield kind, _path(one["file"], {}), partial(parse.locate, documents, (kind, name, "file"))
    for name, one in (resolved.get("volumes") or {}).items():
        options = (one or {}).get("driver_opts") or {}
        device = str(options.get("device") or "")
        if {"bind", "rbind"} & {*str(options.get("o")).split(",")} and not device.startswith("/"):
            where = parse.locate(documents, ("volumes", name, "driver_opts", "device"))
            raise worktree.refuse(f"volume {name}: the device {device} is a relative path", "write an absolute path of the host", where)


def _reading(
    files: Files, version: str, model: Model, cargo: shipping.Cargo
) -> project.Reading:
    """Put together what was found."""
    chosen, tree, closure = files.chosen, files.tree, files.closure
    root = shipping.root(tree, cargo)
    directory = tree.project.relative_to(root).as_posix()
    sources.check_names((directory, *chosen.files))
    return project.Reading(
        project=_project(model),
        version=version,
        directory=directory,
        compose_files=chosen.files,
        files=shipping.placed(cargo.files, directory),
        binds=dict(sorted(cargo.binds.items())),
        host_data=tuple(sorted(cargo.host_data)),
        plain=model.values.plain,
        secrets={**model.values.secret, **dict(sorted(cargo.secrets.items()))},
        uses={name: _uses(model, name, cargo) for name in model.resolved["services"]},
        by_includes={name: model.values.by_includes(model.names(name)) for name in model.resolved["services"]},
        source=files.source,
        path=str(tree.project),
        named=files.named,
        profiles=model.profiles,
        commit=worktree.commit(tree, cargo.paths()),
        warnings=tuple(dict.fromkeys(cargo.warnings)),
        rights=tuple(_rights(model, closure.all, cargo)),
    )


def _rights(model: Model, documents: Sequence[parse.Document], cargo: shipping.Cargo) -> Iterator[rights.Right]:
    """What the project may do with its hosts, judged by its true values, and where it is written."""
    shown = masking.masked(model.raw, model.resolved, model.values.all, model.values.hidden)
    for right in rights.find(model.resolved, shown, cargo.binds):
        names = tuple(str(part) for part in right.key if isinstance(part, str))
        file, line = parse.locate(documents, names)
        yield replace(right, file=file, line=line)


def _uses(model: Model, name: str, cargo: shipping.Cargo) -> tuple[str, ...]:
    """The secrets that a service uses."""
    hidden = model.names(name) & model.values.hidden & model.values.all.keys()
    found = {f"var.{one}" for one in hidden}
    files = {f"env.{path}" for path, _, _ in env_paths(model.raw["services"][name], model.values.all)}
    files |= {f"file.{path}" for path in _secret_files(model, name)}
    return tuple(sorted(found | files & cargo.secrets.keys()))


def _secret_files(model: Model, name: str) -> Iterator[str]:
    """The files of the secrets that a service is given."""
    known = model.resolved.get("secrets") or {}
    for reference in model.resolved["services"][name].get("secrets") or ():
        file = (known.get(reference["source"]) or {}).get("file")
        if file:
            yield _path(file, {})


def _project(model: Model) -> project.Project:
    given = model.values
    found = {}
    for name, resolved in model.resolved["services"].items():
        raw = model.raw["services"][name]
        definition = masking.service(raw, resolved, given.all, given.hidden)
        service = services.service(name, resolved, raw, definition, model.names(name))
        labels = masking.file_labels(raw, resolved, given.all)
        named = tuple({**one, "path": _path(one["path"], given.all)} for one in service.env_files)
        found[name] = replace(service, asked=profiles.asked(service.profiles, model.profiles), file_labels=labels, env_files=named)
    extension = masking.masked(model.raw.get("x-lading"), model.resolved.get("x-lading"), given.all, given.hidden)
    return project.Project(
        name=str(model.resolved["name"]),
        services=found,
        networks=_resources(model, "networks"),
        volumes=_resources(model, "volumes"),
        configs=_resources(model, "configs"),
        secrets=_resources(model, "secrets"),
        extension=extension or {},
    )


def _resources(model: Model, kind: str) -> dict[str, project.Resource]:
    raw, given = model.raw.get(kind) or {}, model.values
    done = {}
    for key, resolved in (model.resolved.get(kind) or {}).items():
        one = resolved or {}
        done[key] = project.Resource(
            key=key,
            name=variables.plain_text(str(one.get("name") or key)),
            definition=masking.masked(raw.get(key), one, given.all, given.hidden),
            external=bool(one.get("external")),
            file=_path(one["file"], {}) if one.get("file") else "",
            environment=str(one.get("environment") or ""),
        )
    return done
