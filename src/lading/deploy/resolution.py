"""What is deployed and where, before hosts are asked: destination, files, variables, digests."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from lading import context as contexts
from lading import errors, secrets, settings
from lading.compose import (
    answered,
    passing,
    profiles,
    project,
    read,
    reference,
    registry,
    registry_access,
    revision,
    sent,
    values,
    variables,
)
from lading.dataclass import dataclass
from lading.deploy import asked_ahead, credentials, local_engine, pinning, placing, policy, source_selection
from lading.deploy.request import Request
from lading.inventory import hosts
from lading.placement import assignment

UNDER_WAY = 0.01  # seconds until registries have been sent what they are asked


@dataclass(frozen=True, slots=True)
class Resolved:
    """A project and its destination, before a host is contacted.

    *rows*: every host that came into question. *images*: what is known of them so far; some registries only hosts can ask.
    """

    destination: hosts.Destination
    chosen: tuple[hosts.Host, ...]
    rows: tuple[assignment.Row, ...]
    reading: project.Reading
    images: pinning.Found

    @property
    def app(self) -> str:
        """The app's name, which is its Compose project's."""
        return self.reading.project.name


async def resolve(context: contexts.Context, request: Request) -> Resolved:
    """Choose the hosts and read the project; only where a destination is in doubt is a host asked.

    Raises:
        InputError: a name, a file or a variable is wrong.
        RightsError: the project asks for more than its destination allows.
        RegistryError: a registry does not answer.
    """
    def app(destination: hosts.Destination) -> str:
        return find_files(context.environment, request, destination, context.settings).name

    placed = await placing.place(context, request.to, app)
    destination = placed.destination
    reading, images = await read_pinned(
        context.settings, context.environment, request, destination, context.compose, context.known, context.get_ready)
    policy.check(reading.project.name, reading.rights, destination.allowed)
    return Resolved(destination, placed.chosen, placed.rows, reading, images)


async def read_pinned(
    fleet: settings.Settings, environment: Mapping[str, str], request: Request,
    destination: hosts.Destination, answers: answered.Answers | None = None, known: secrets.Known | None = None,
    get_ready: Callable[[], None] = lambda: None,
) -> tuple[project.Reading, pinning.Found]:
    """The files of the right commit, and what each image is now, as far as no host is needed.

    *answers*, *known*: what Compose has answered, and which values were read, before.
    *get_ready*: is called while Compose and registries are waited for, see `Context`.
    """
    known = known or secrets.Known(environment, fleet.folder)
    access = credentials.access(fleet, environment, known)

    here = find_files(environment, request, destination, fleet, answers=answers, known=known)
    _check_named(request, here, destination)

    def find_beside(asked: Request, beside: Path) -> read.Files:
        return find_files(environment, asked, destination, fleet, beside=beside, answers=here.answers, known=known)

    engine = _local_engine(fleet, environment, request)
    loop = asyncio.get_running_loop()
    # By far most often it is these files that count
    loop.run_in_executor(None, read.ask_ahead, here).add_done_callback(asked_ahead.noted)
    ahead = asked_ahead.AskedAhead(_known_images(here, request, fleet) if engine is None else [], access)
    readying = loop.call_later(UNDER_WAY, get_ready)
    try:
        reading = await source_selection.select_source(request, here, access, find_beside, engine)
        return reading, await _ask_registries(reading, request, fleet, access, ahead, engine)
    finally:
        readying.cancel()
        await ahead.leave()


def _local_engine(
    fleet: settings.Settings, environment: Mapping[str, str], request: Request
) -> local_engine.LocalEngine | None:
    """The engine of this machine, if images are taken from there."""
    if not request.push_images and not fleet.no_registry:
        return None
    return local_engine.LocalEngine(environment, wholly=fleet.no_registry)


def _known_images(here: read.Files, request: Request, fleet: settings.Settings) -> list[str]:
    """The references that registries are asked for from here, as far as the files are certain.

    One with a variable that is not given is not: the project may be refused for it.
    """
    if request.require_immutable:  # one that moves is refused, and not asked for
        return []
    found = []
    for service, image in here.images.items():
        if not variables.names(here.image_texts[service]) <= here.given.keys():
            continue
        try:
            by_hosts = fleet.by_hosts(reference.parse(image).registry)
        except errors.ComposeError:  # whoever reads the whole project says so
            continue
        if not by_hosts:
            found.append(_with_digest(image, request.digests))
    return found


def read_project(
    environment: Mapping[str, str], request: Request, destination: hosts.Destination,
    fleet: settings.Settings | None = None,
) -> project.Reading:
    """The app's files and variables, under the project name that the destination wants."""
    return read.read_files(find_files(environment, request, destination, fleet))


def lacking_version(
    fleet: settings.Settings, environment: Mapping[str, str], request: Request
) -> errors.ComposeError | None:
    """Why a project is refused whose images need a version that nobody gives; None where it has one.

    No host is asked, nor any program for a secret.

    Raises:
        LadingError: the files or the destination are wrong, so that this is not known.
    """
    if fleet.inventory.undecided(request.to):
        return None  # a host in several destinations: only a look at it says which
    found = find_files(environment, request, fleet.inventory.choose_ruled(request.to)[0], fleet)
    if not found.lacks_version:
        return None
    unread = replace(found.request.secrets, read=lambda names: dict.fromkeys(names, "0"))
    try:
        read.read_files(replace(found, request=replace(found.request, secrets=unread)))
    except errors.ComposeError as wrong:
        return wrong if values.VERSION in wrong.message else None
    return None  # only what is not started needs it


def find_files(
    environment: Mapping[str, str], request: Request, destination: hosts.Destination,
    fleet: settings.Settings | None = None, *, beside: Path | None = None,
    answers: answered.Answers | None = None, known: secrets.Known | None = None,
) -> read.Files:
    """The app's files, and its name at the destination; Compose is not asked for that.

    Without a *fleet* file nothing of the caller's environment is passed on but VERSION.
    *beside*: see `read.Request`. *answers*: see `read.find`. *known*: the values that were read before.
    """
    pass_env, source = passing.Passing(), ""
    if fleet is not None:
        pass_env, source = fleet.pass_env_for(destination), fleet.source
    asked = read.Request(
        directory=request.directory, files=request.files, app=request.app, version=request.version,
        overrides=request.overrides, environment=environment, destination=destination.variables,
        project=destination.project.replace("{dest}", destination.name), beside=beside,
        pass_env=pass_env, source=source, profiles=request.profiles, usual=destination.profiles,
        secrets=_secrets(destination, known or secrets.Known(environment, fleet.folder if fleet is not None else Path())),
    )
    found = read.find(asked, answers)
    if not found.lacks_version:
        return found
    tag = revision.exact_tag(found.tree, allow_dirty=request.allow_dirty)
    if not tag:
        return found
    told = f"version {tag}: the Git tag of the commit that is checked out"
    return read.find(replace(asked, version=tag, origin=told), found.answers)


def _secrets(destination: hosts.Destination, known: secrets.Known) -> values.Secrets:
    """The secret variables of a destination, to be read where the files turn out to refer to them."""
    def look_up(names: frozenset[str]) -> Mapping[str, str]:
        return known.read({name: destination.secrets[name] for name in sorted(names)})

    places = {name: f"{Path(source.file).name}:{source.line}" for name, source in destination.secrets.items()}
    return values.Secrets(places, look_up)


def _check_named(request: Request, here: read.Files, destination: hosts.Destination) -> None:
    """Refuse files that are of another app than the one that was named.

    Raises:
        InputError: they are.
    """
    named = request.named
    project_of = destination.project.replace("{dest}", destination.name) or "{app}"
    if not named or here.name in (named, project_of.replace("{app}", named)):
        return
    raise errors.InputError(
        f"the files in {request.directory.resolve()} are those of {here.name}, not of {named}",
        f"lading … {here.name}; or -C with the folder of {named}; or, if that is the version: --version {named}")


async def _ask_registries(
    reading: project.Reading, request: Request, fleet: settings.Settings,
    access: Callable[[str], registry_access.Access], ahead: asked_ahead.AskedAhead,
    engine: local_engine.LocalEngine | None = None,
) -> pinning.Found:
    """The digests of all images, those that the request names among them.

    Some are taken from this machine's *engine*, and some were asked for *ahead*. An image that nothing is started of may be gone.
    """
    known: set[str] = set()
    for service in reading.project.services.values():
        known.update(service.all_images)
    started = {*request.digests}
    for service in profiles.needed(reading.project):
        started.update(service.all_images)
    pulled = sorted(known - (reading.project.local_images - {*request.digests}))
    if request.require_immutable:
        _refuse_moving_tags(pulled)
    from_here: dict[str, sent.Local] = {}
    if engine is not None:
        from_here = await engine.taken(sorted((started if engine.wholly else known) - {*request.digests}))
        pulled = [] if engine.wholly else [image for image in pulled if image not in from_here]

    asked = {image: _with_digest(image, request.digests) for image in pulled}
    by_hosts = {image for image in pulled if fleet.by_hosts(reference.parse(image).registry)}
    mine = {image: asked[image] for image in pulled if image not in by_hosts}
    needed = [text for image, text in mine.items() if image in started]
    others = [text for image, text in mine.items() if image not in started]

    answers = await ahead.take(needed)
    answers |= await registry.resolve([text for text in needed if text not in answers], access)
    answers |= await registry.findable([text for text in others if text not in answers], access)
    pinned = {image: answers[text] for image, text in mine.items() if text in answers}
    of_hosts = {image: asked[image] for image in pulled if image in by_hosts and image in started}
    return pinning.Found(pinned, of_hosts, from_here, engine)


def _with_digest(image: str, digests: Mapping[str, str]) -> str:
    """An image's reference, by the digest that was asked for if there is one."""
    return reference.pinned(image, digests[image]) if image in digests else image


def _refuse_moving_tags(images: Iterable[str]) -> None:
    """Refuse tags that may name another image tomorrow.

    Raises:
        InputError: there is one.
    """
    for image in images:
        parsed = reference.parse(image)
        if not parsed.digest and reference.is_moving(parsed.tag):
            raise errors.InputError(f"{image}: {parsed.tag or 'latest'} is a moving tag",
                                    "name an immutable version, or leave --require-immutable away")
