"""Build a version's images from the Compose file's `build:`, labelled with commit, source and version; push them.

The docker client does it, with whatever engine it is set up for; nothing here needs buildx. Credentials of lading.yaml are
given to it in a configuration of its own, in memory where the machine has such a folder.
"""

import asyncio
import contextlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from lading import disk, errors, process, settings
from lading.compose import (
    dotenv,
    parse,
    plugin,
    read,
    recipes,
    reference,
    registry,
    registry_access,
    revision,
    snapshot,
    sources,
    values,
    variables,
    worktree,
)
from lading.dataclass import dataclass
from lading.deploy import credentials, source_selection
from lading.deploy.request import Request
from lading.inventory import hosts

PUSHED = re.compile(r"digest: (sha256:[0-9a-f]{64})")
OWN_ARGUMENT = re.compile(  # steer the client itself, what it is made of, the system's loader, or whom it talks to
    r"(?:DOCKER|BUILDKIT|BUILDX|COMPOSE|SSH|XDG|OTEL|DYLD)_|(?:PATH|HOME|TMPDIR|GLIBC_TUNABLES)\Z"
    r"|LD_(?:PRELOAD|LIBRARY|AUDIT|BIND|DEBUG|DYNAMIC|HWCAP|ORIGIN|POINTER|PREFER|PROFILE|SHOW|TRACE|USE|VERBOSE|WARN)"
    r"|GO(?:DEBUG|TRACEBACK|MAXPROCS|GC|MEMLIMIT|COVERDIR)\Z|SSL_CERT_(?:FILE|DIR)\Z"
    r"|GIT_(?:SSH|CONFIG|EXEC|EXTERNAL|PROXY|DIR|WORK|ASKPASS|EDITOR|PAGER|TRACE|INDEX|OBJECT|ALTERNATE|COMMON|TEMPLATE)"
    r"|(?:HTTPS?|FTP|ALL|NO|GRPC)_PROXY\Z", re.IGNORECASE)
MEMORY = "/dev/shm"
NO_GIT = {  # BuildKit's client would ask Git about the build context, with whatever the repository's configuration runs
    "BUILDX_GIT_INFO": "false", "BUILDX_GIT_LABELS": "false", "BUILDX_GIT_CHECK_DIRTY": "false", "GIT_DIR": os.devnull,
}


@dataclass(frozen=True, slots=True)
class Job:
    """One `lading build`: what was asked, and with what; *say* shows a line, *stop* ends it.

    *worktree*: what the commit has not is pushed too; *overwrite*: so is what a tag has other content for.
    """

    request: Request
    environment: Mapping[str, str]
    fleet: settings.Settings
    push: bool
    say: Callable[[str], None]
    stop: asyncio.Event
    worktree: bool = False
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """What is built: the app, its version, the recipes; the labels that say from what; notes for the reader."""

    app: str
    version: str
    recipes: recipes.Recipes
    labels: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was built: its id in the engine, and, once pushed, its digest in the registry."""

    image: str
    services: tuple[str, ...]
    id: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """How a build ended."""

    source: Source
    images: tuple[Image, ...]

    def digests(self) -> dict[str, str]:
        """Image → digest, of those that were pushed."""
        return {one.image: one.digest for one in self.images if one.digest}

    def as_json(self) -> dict[str, Any]:
        """The document of `build --json`."""
        return {
            "app": self.source.app, "version": self.source.version,
            "revision": self.source.labels.get(source_selection.REVISION), "notes": list(self.source.notes),
            "images": [{"image": one.image, "services": list(one.services), "id": one.id, "digest": one.digest or None}
                       for one in self.images],
        }


async def build(job: Job) -> Built:
    """Build every image that carries the version, and push them; nothing is pushed before all are built.

    Raises:
        InputError: the files, the version, or docker; no host was contacted.
        LeftError: it was stopped.
    """
    made = _read(job.request, job.environment, job.fleet)
    if job.push and not job.worktree and made.labels.get(source_selection.REVISION, "").endswith(source_selection.CHANGED):
        commit = made.labels[source_selection.REVISION].removesuffix(source_selection.CHANGED)
        raise errors.InputError(f"the work tree has changes that commit {commit[:12]} has not, and nobody else could build the image again",
                                "commit them; or push them as they are: --source worktree")
    if job.push:
        _check_reached(job, made.recipes.found)
    for note in made.notes:
        job.say(f"note: {note}")
    with _configuration(job, made.recipes.found) as extra:
        docker = _Docker(job, {**job.environment, **extra, **NO_GIT})
        for recipe in made.recipes.found.values():
            await docker.build(recipe, made.labels)
        ids = {image: await docker.id(image) for image in made.recipes.found}
        if job.push:
            await _check_tags(job, ids)
        digests = {image: await docker.push(image) for image in made.recipes.found} if job.push else {}
    there = {image: reference.pinned(image, digest) for image, digest in digests.items()}
    await registry.resolve(list(there.values()), credentials.access(job.fleet, job.environment))
    return Built(made, tuple(
        Image(image, made.recipes.services[image], ids[image], digests.get(image, "")) for image in made.recipes.found))


def _check_reached(job: Job, images: Collection[str]) -> None:
    """Refuse, before anything is built, to push to a registry that is not asked from here."""
    for image in images:
        if job.fleet.no_registry:
            raise errors.InputError(
                f"{image} cannot be pushed: lading.yaml says that there is no registry",
                "lading build --version VERSION; then lading deploy --version VERSION sends it")
        name = reference.parse(image).registry
        if job.fleet.by_hosts(name):
            raise errors.InputError(
                f"{image} cannot be pushed from here: "
                f"only hosts ask its registry (registries.{name}.resolve: host)",
                "build and push it where that registry is reached, then: "
                "lading deploy --version VERSION")


async def _check_tags(job: Job, ids: Mapping[str, str]) -> None:
    """Refuse to put another image under a tag that has one: who deployed that tag relies on what it is.

    Raises:
        BuildError: a tag has other content.
        RegistryError: its registry does not answer.
    """
    if job.overwrite:
        return
    access = credentials.access(job.fleet, job.environment)
    there: dict[str, frozenset[str] | None] = {}
    for image in ids:
        try:
            there |= await registry.contents([image], access)
        except errors.RegistryDeniedError as denied:  # as of a repository that the first push makes
            job.say(f"note: whether {image} is there already cannot be seen: {denied.message}")
    other = [image for image, found in there.items() if found is not None and ids[image] not in found]
    if other:
        raise errors.BuildError(f"{', '.join(other)}: the registry has that tag, with other content; nothing was pushed",
                                "another --version; or, if nobody relies on the tag, --overwrite")


def _read(request: Request, environment: Mapping[str, str], fleet: settings.Settings) -> Source:
    """The recipes of the version, and the labels of its source.

    Raises:
        ComposeError, InputError: something is missing, or nothing is to be built.
    """
    destination = fleet.inventory.choose_ruled(request.to)[0] if request.to else hosts.Destination("", ())
    asked = read.Request(request.directory, request.files, request.app, overrides=request.overrides, environment=environment,
                         pass_env=fleet.pass_env_for(destination))
    chosen = dotenv.choose(request.directory, request.files, environment, asked.given)
    tree, files = chosen.tree, chosen.files
    named = request.files or chosen.by_env
    override = [] if named else [name for name in sources.OVERRIDES if (tree.project / name).is_file()][:1]
    closure = sources.closure(tree, (*files, *override))
    app = read.project_name(closure.main, asked, chosen)
    version = (request.version or request.overrides.get("VERSION") or asked.passed.get("VERSION", "")
               or revision.exact_tag(tree, allow_dirty=request.allow_dirty))
    if fault := variables.version_fault(version, tag=True):
        raise errors.InputError(fault, "lading build --version 1.2.3")
    binary, bare = plugin.find(environment), _bare(closure)
    with snapshot.opened(tree.project.relative_to(tree.top).as_posix()) as laid:
        read.lay_out(laid, closure)
        base, merged = (_uninterpolated(plugin.Compose(binary, names, laid), app, closure, tree)
                        for names in (files, (*files, *override)))
        given = _given(asked, tree, recipes.needed(base, merged, bare), closure)
    found = recipes.recipes(base, merged, bare, {**given, recipes.VERSION: version, values.OWN: app},
                            lambda service, key: parse.locate(closure.all, ("services", service, "build", key)))
    for image, recipe in list(found.found.items()):
        where = partial(parse.locate, closure.all, ("services", found.services[image][0], "build"))
        _check_sources(tree, recipe, where)
        if recipes.VERSION not in recipe.args and recipes.takes(_dockerfile(tree, recipe, where), recipes.VERSION):
            found.found[image] = replace(recipe, args={**recipe.args, recipes.VERSION: version})
    if not found.found:
        told = "; ".join(found.skipped) or "no service has `build:`"
        raise errors.InputError(f"there is nothing to build: {told}", "image: REGISTRY/NAME:${VERSION} in the Compose file, "
                                "and build: there or in the override")
    labels, notes = _labels(tree, environment, version, found, [one.path for one in closure.all])
    return Source(app, version, found, labels, (*(f"not built, {one}" for one in found.skipped), *notes))


def _uninterpolated(
    compose: plugin.Compose, app: str, closure: sources.Closure, tree: worktree.Tree
) -> dict[str, Any]:
    """The merged files before interpolation; the contexts of `build:` are absolute paths in the work tree."""
    found = read.written(compose.config(app, {}, "--no-interpolate", absolute=True), closure.all)
    for service in (found.get("services") or {}).values():
        section = service.get("build") or {}
        context = str(section.get("context") or "")
        if Path(context).is_relative_to(compose.laid.root):
            section["context"] = os.path.normpath(tree.project / os.path.relpath(context, compose.laid.project))
    return found


def _bare(closure: sources.Closure) -> dict[str, tuple[str, ...]]:
    """Service → build arguments that are named without a value: Compose itself leaves them out."""
    found: dict[str, tuple[str, ...]] = {}
    for one in closure.all:
        for name, service in (one.value("services") or {}).items():
            section = service.get("build") if isinstance(service, Mapping) else None
            arguments = section.get("args") if isinstance(section, Mapping) else None
            if isinstance(arguments, Mapping):
                bare = [str(key) for key, value in arguments.items() if value is None]
            else:
                bare = [str(item) for item in arguments or () if "=" not in str(item)]
            found[name] = (*found.get(name, ()), *bare)
    return found


def _given(
    asked: read.Request, tree: worktree.Tree, wanted: frozenset[str], closure: sources.Closure
) -> dict[str, str]:
    """The values of *wanted* variables: -e, what is passed on of the environment, a `.env` that Git tracks."""
    above = {**asked.passed, **asked.overrides}
    own: dict[str, str] = {}
    inner: list[values.Need] = []
    place = worktree.place(tree, ".env", (".env", 0), "the file")
    if tree.modes is not None and place.is_file() and tree.tracked(place):
        content = worktree.content(tree, place, ".env", (".env", 0))
        inner = values.dotenv_needs(content.decode("utf-8", "replace"), ".env", wanted)
        own = values.dotenv(".env", content, {name: above[name] for name in values.names(inner) if name in above})
    if kept := asked.withheld((wanted | values.names(inner)) - {recipes.VERSION, values.OWN}):
        raise asked.pass_env.refusal({name: values.used_at(name, closure.all, inner) for name in kept})
    return {name: value for name, value in {**own, **above}.items() if name in wanted}


def _labels(
    tree: worktree.Tree, environment: Mapping[str, str], version: str, found: recipes.Recipes, files: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """The OCI labels, and what to say of them.

    *created* is the commit's time, so that the same commit makes the same image; SOURCE_DATE_EPOCH overrides it.
    """
    paths = [os.path.relpath(recipe.context, tree.project) for recipe in found.found.values()]
    labels, notes = {"org.opencontainers.image.version": version}, []
    commit = worktree.commit(tree, files).removesuffix(source_selection.CHANGED)
    epoch = environment.get("SOURCE_DATE_EPOCH", "")
    if commit:
        asked = [os.path.normpath(tree.project / path) for path in (*paths, *files)]
        changed = bool(worktree.differing(tree, commit, asked) or worktree.untracked(tree, asked))
        labels[source_selection.REVISION] = commit + (source_selection.CHANGED if changed else "")
        if changed:
            notes.append(f"the work tree has changes that commit {commit[:12]} has not: the image says {commit[:12]}…{source_selection.CHANGED}")
        else:
            epoch = epoch or revision.time(tree, commit)
    else:
        notes.append("this is no Git work tree with a commit: the image does not say what it was built from")
    if address := worktree.remote(tree):
        labels[source_selection.SOURCE] = address
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdecimal() else datetime.now(UTC)
    labels["org.opencontainers.image.created"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return labels, notes


def _check_sources(tree: worktree.Tree, recipe: recipes.Recipe, where: worktree.Where) -> None:
    """Refuse to build from anything but the work tree: docker reads, and prints lines of, what it is pointed at.

    Raises:
        ComposeError: context, Dockerfile or a list of what to ignore lies elsewhere, or a cache is no image.
    """
    context = os.path.relpath(recipe.context, tree.project) if recipe.context.startswith("/") else recipe.context
    if not worktree.place(tree, context, where, "the build context").is_dir():
        raise worktree.refuse(f"the build context {context} is no folder", "correct build: context:", where)
    dockerfile = recipe.dockerfile or "Dockerfile"
    if dockerfile.startswith(("/", "~")):
        raise worktree.refuse(f"the Dockerfile {dockerfile} is an absolute path", "name it by a path relative to the context", where)
    read_by_docker = [f"{context}/.dockerignore"]
    if not recipe.inline:
        read_by_docker += [f"{context}/{dockerfile}", f"{context}/{dockerfile}.dockerignore"]
    for path in read_by_docker:
        worktree.place(tree, os.path.normpath(path), where, "the Dockerfile" if path.endswith(dockerfile) else "the file")
    for source_ in recipe.caches:
        if "=" in source_ and not re.match(r"type=registry(?:,ref=[^,=]+)?\Z", source_):
            raise worktree.refuse(f"cache_from {source_} is no image in a registry", "cache_from: [IMAGE]", where)


def _dockerfile(tree: worktree.Tree, recipe: recipes.Recipe, where: worktree.Where) -> str:
    """The text of a recipe's Dockerfile; docker says what is wrong with one that is not there."""
    if recipe.inline:
        return recipe.inline
    path = os.path.relpath(Path(recipe.context) / (recipe.dockerfile or "Dockerfile"), tree.project)
    try:
        return disk.read(worktree.place(tree, path, where, "the Dockerfile"), limit=worktree.LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""


@contextlib.contextmanager
def _configuration(job: Job, images: Mapping[str, recipes.Recipe]) -> Iterator[dict[str, str]]:
    """Docker's environment: the user's own configuration, with the credentials that it has not put into a copy of it."""
    access = credentials.access(job.fleet, job.environment)
    names = dict.fromkeys(reference.parse(image).registry for image in images)
    known = {name: found for name in names if (found := access(name).credentials) and found.origin != "docker login"}
    if not known:
        yield {}
        return
    own = Path(job.environment.get("DOCKER_CONFIG") or Path(job.environment.get("HOME", "/")) / ".docker")
    with tempfile.TemporaryDirectory(prefix="lading-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        for path in own.iterdir() if own.is_dir() else ():
            if path.name != "config.json":
                (Path(folder) / path.name).symlink_to(path.resolve())
        file = Path(folder) / "config.json"
        file.touch(mode=0o600)
        file.write_text(_merged(own / "config.json", known))
        yield {"DOCKER_CONFIG": folder}


def _merged(path: Path, known: Mapping[str, registry_access.Credentials]) -> str:
    """The user's docker configuration with these logins; a credential store would hide them, so it is left out."""
    try:
        kept: dict[str, Any] = dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        kept = {}
    kept.pop("credsStore", None)
    kept["credHelpers"] = {name: helper for name, helper in (kept.get("credHelpers") or {}).items() if name not in known}
    kept["auths"] = {**(kept.get("auths") or {}), **{name: one.as_docker_keeps() for name, one in known.items()}}
    return json.dumps(kept)


class _Docker:
    """The docker client, its output shown as it comes."""

    def __init__(self, job: Job, environment: Mapping[str, str]) -> None:
        self.job, self.environment = job, environment

    async def build(self, recipe: recipes.Recipe, labels: Mapping[str, str]) -> None:
        """Build one image; values of build arguments are in the client's environment, not in its arguments."""
        argv = ["build", "--tag", recipe.image]
        environment = dict(self.environment)
        for name, value in recipe.args.items():
            if OWN_ARGUMENT.match(name):
                argv += ["--build-arg", f"{name}={value}"]
            else:
                argv += ["--build-arg", name]
                environment[name] = value
        for name, value in {**recipe.labels, **labels}.items():
            argv += ["--label", f"{name}={value}"]
        argv += [*recipe.options, *(["--target", recipe.target] if recipe.target else [])]
        file = "-" if recipe.inline else str(Path(recipe.context) / (recipe.dockerfile or "Dockerfile"))
        await self._run([*argv, "--file", file, recipe.context], environment, recipe.inline.encode())

    async def id(self, image: str) -> str:
        """The id of an image in the engine."""
        lines = await self._run(["image", "inspect", "--format", "{{.Id}}", image], self.environment, show=False)
        return "".join(lines).strip()

    async def push(self, image: str) -> str:
        """Push an image; the digest that the registry gave it."""
        lines = await self._run(["push", image], self.environment)
        found = PUSHED.findall("\n".join(lines))
        if not found:
            raise errors.BuildError(f"docker push {image} does not say which digest it is", "try it by hand")
        return str(found[-1])

    async def _run(
        self, words: Sequence[str], environment: Mapping[str, str], stdin: bytes = b"", *, show: bool = True
    ) -> list[str]:
        said: list[str] = []

        def line(text: str) -> None:
            said.append(text)
            if show:
                self.job.say(text)

        try:
            status = await process.attend(["docker", *words], env=environment, stop=self.job.stop, on_line=line, stdin=stdin)
        except process.ProgramMissingError as missing:
            raise errors.InputError("the docker client is not installed here", "install docker-cli or docker.io") from missing
        if status is None:
            raise errors.LeftError("stopped; nothing was deployed", "the same command again")
        if status:
            last = next((one for one in reversed(said) if one.strip()), "")
            raise errors.BuildError(f"docker {words[0]} ended with status {status}: {last[:300]}", "its output says more")
        return said
