"""Which digest each image is deployed by: the ledger's, its hosts', the registry's; and who vouches for it."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace

from lading import context as contexts
from lading import events, state
from lading.compose import masking, reference, registry_access, release, restore
from lading.compose import sent as local_images
from lading.dataclass import dataclass
from lading.deploy import credentials, local_engine, on_host
from lading.drivers import base as drivers
from lading.drivers.shell import image_send, observe, resolving
from lading.inventory import hosts
from lading.ledger import contradictions
from lading.plan import digests
from lading.state import journal
from lading.transport import command


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of images before a host is asked.

    *pinned*: what their registries said. *of_hosts*: those whose registries only hosts ask, each
    with the reference to ask for. *sent*: those that are sent from this machine's *engine*, which
    nobody else is asked for.
    """

    pinned: Mapping[str, registry_access.Pinned]
    of_hosts: Mapping[str, str] = field(default_factory=dict)
    sent: Mapping[str, local_images.Local] = field(default_factory=dict)
    engine: local_engine.LocalEngine | None = None

    @property
    def names(self) -> dict[str, str]:
        """Image → how hosts call what is sent of it."""
        return {image: local_images.name(image, one.id) for image, one in self.sent.items()}

    def sources(self) -> dict[str, drivers.Sent]:
        """How hosts call an image → where it is had."""
        if self.engine is None:
            return {}
        return {local_images.name(image, one.id): self.engine.source(image, one) for image, one in self.sent.items()}

    async def check(self) -> None:
        """Refuse if an image that is to be sent is another one by now.

        Raises:
            RefusedError: so it is.
        """
        if self.engine is not None and self.sent:
            await self.engine.check({image: one.id for image, one in self.sent.items()})


@dataclass(frozen=True, slots=True)
class Now:
    """What each image is in its registry now.

    *pins*: image → reference by digest; "" = its hosts do not agree. *platforms*: reference →
    those it is there for. *by_hosts*: see `digests.Told`.
    """

    pins: Mapping[str, str]
    platforms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    by_hosts: Mapping[str, Mapping[str, digests.Resolved]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pinned:
    """Image → reference by digest; *vouched*: those that do not rest on what hosts say alone."""

    pins: Mapping[str, str]
    vouched: tuple[str, ...]


def by_registries(found: Found) -> dict[str, str]:
    """Image → reference by digest, as its registry said."""
    return {image: reference.pinned(image, one.digest) for image, one in found.pinned.items()}


async def now(context: contexts.Context, chosen: Sequence[hosts.Host], found: Found) -> Now:
    """What the registries have: as they said, or where only hosts ask them, as all *chosen* ones say.

    Raises:
        TransportError: a host could not be asked.
    """
    pins = by_registries(found)
    platforms: dict[str, Sequence[str]] = {}
    for image, one in found.pinned.items():
        platforms[pins[image]] = one.platforms
    by_hosts = await _ask_hosts(context, chosen, found.of_hosts)
    for image, answers in by_hosts.items():
        pins[image] = digests.one_answer(image, answers)
        if pins[image]:
            said = [one.platforms for one in answers.values() if one.platforms]
            platforms[pins[image]] = said[0] if said else ()
    return Now(pins, platforms, by_hosts)


async def _ask_hosts(
    context: contexts.Context, chosen: Sequence[hosts.Host], wanted: Mapping[str, str]
) -> dict[str, dict[str, digests.Resolved]]:
    """Image → host → what its engine says of the reference that is *wanted*.

    Every host is asked the same, whatever others answer.
    """
    if not wanted:
        return {}
    access = credentials.access(context.settings, context.environment, context.known)
    registries = {reference.parse(one).registry for one in wanted.values()}
    logins = {name: known for name in registries if (known := access(name).credentials) is not None}
    passwords = {name: known.password.encode() for name, known in logins.items()}
    questions = [_question(one, logins) for one in wanted.values()]

    async def ask(host: hosts.Host) -> dict[str, digests.Resolved]:
        result = await context.transport.run(host, resolving.resolve(observe.marker(), questions))
        told = resolving.answers(questions, result)
        for name, one in told.items():
            told[name] = replace(one, lack=masking.hidden(one.lack, passwords, {}))
        return told

    done = await asyncio.gather(*map(ask, chosen), return_exceptions=True)
    said: dict[str, dict[str, digests.Resolved]] = {}
    for host, answer in zip(chosen, done, strict=True):
        if isinstance(answer, BaseException):
            raise answer
        said[host.name] = answer
    found = {}
    for image, one in wanted.items():
        name = reference.full(one)
        found[image] = {host: answers[name] for host, answers in said.items()}
    return found


def _question(image: str, logins: Mapping[str, registry_access.Credentials]) -> resolving.Question:
    """What a host is asked, with the login that it is given for pulls too."""
    name = reference.parse(image).registry
    if name not in logins:
        return resolving.Question(reference.full(image))
    header = logins[name].as_api_header(name).encode()
    return resolving.Question(reference.full(image), command.Secret(header))


async def keep(
    context: contexts.Context, pins: Mapping[str, str], seen: state.FleetState, app: str, *,
    by_hosts: Mapping[str, Mapping[str, digests.Resolved]] | None = None,
    named: Collection[str] = (), refresh: bool = False,
) -> Pinned:
    """An image whose text did not change keeps its digest (decision 0019).

    Those of *named*, whose digest the user gave, take what their registry has now, and so do all
    if they are to *refresh*. *pins*, *by_hosts*: see `Now`.

    Raises:
        RefusedError: hosts disagree about one, and the ledger does not know it.
    """
    hosts_say = {name: _images(on_host.current_release(host.apps.get(app, state.AppState(app))))
                 for name, host in seen.hosts.items()}
    ledger = {} if refresh else await _ledger_says(context, seen, app)
    told = digests.Told(pins, hosts_say, ledger, by_hosts or {})
    changing = {image for image in pins if refresh or image in named}
    staying = {image: pin for image, pin in pins.items() if image not in changing}
    settled = {**digests.fresh(told, changing), **digests.kept(replace(told, registry=staying))}
    return Pinned(settled, digests.vouched(settled, told, named))


async def lacking(
    context: contexts.Context, chosen: Sequence[hosts.Host], images: Mapping[str, Collection[str]]
) -> dict[str, list[str]]:
    """Image → the hosts that lack it; *images*: host → those that it needs, by the names of what is sent.

    Raises:
        TransportError: a host could not be asked.
    """
    async def ask(host: hosts.Host) -> list[str]:
        names = sorted(images[host.name])
        answer = await context.transport.run(host, image_send.question(observe.marker(), names))
        there = image_send.ids(answer)
        return [name for name in names if name not in there]

    asked = [host for host in chosen if images.get(host.name)]
    found: dict[str, list[str]] = {}
    for host, lacks in zip(asked, await asyncio.gather(*map(ask, asked)), strict=True):
        for name in lacks:
            found.setdefault(name, []).append(host.name)
    return found


async def local(
    context: contexts.Context, images: Collection[str], seen: state.FleetState, app: str
) -> Mapping[str, str]:
    """The digests of images that nobody pulls, where they have been deployed by one: of the others there is only the name.

    What the ledger knows counts, else what all hosts have in their current release.
    """
    if not images:
        return {}
    ledger = await _ledger_says(context, seen, app)
    said = [_images(on_host.current_release(host.apps.get(app, state.AppState(app)))) for host in seen.hosts.values()]
    found: dict[str, str] = {}
    for image in images:
        known = {ledger[image]} if image in ledger else {one.get(image, "") for one in said}
        if len(known) == 1:
            found[image] = known.pop()
    return {image: one for image, one in found.items() if one}


def _images(made: release.Release | None) -> dict[str, str]:
    """The images of a release by their text."""
    if made is None:
        return {}
    return digests.by_image(made.all_images)


async def _ledger_says(context: contexts.Context, seen: state.FleetState, app: str) -> dict[str, str]:
    """The images of the release that this ledger last committed on one of the hosts, unless all went on elsewhere."""
    if context.ledger is None:
        return {}
    known = await context.ledger.commits(app)
    mine = {name: known[name] for name in seen.hosts if name in known}
    if not mine or all(_gone_on(seen.hosts[name], app, one) for name, one in mine.items()):
        return {}
    last = max(mine.values(), key=lambda one: one.at)
    content = await context.ledger.release(last.release)
    planned = await _planned(context, app, last.release)
    if content is None or planned is None:
        return {}
    images = _images(restore.from_bytes(content))
    return {text: one for text, one in images.items() if "*" in planned.vouched or one in planned.vouched}


def _gone_on(seen: state.HostState, app: str, last: contradictions.Committed) -> bool:
    """Whether a host's journal has a commit that this ledger saw, and another one after it."""
    mine = seen.apps.get(app)
    lines = mine.journal if mine is not None else ()
    committed = [record.deployment for record in journal.commits(lines)]
    return last.deployment in committed[:-1]


async def _planned(context: contexts.Context, app: str, release: str) -> events.DeploymentPlanned | None:
    """The intent with which a release was made here; None for one that hosts alone told of."""
    assert context.ledger is not None
    for deployment in await context.ledger.made(app, release):
        for stored in await context.ledger.events(deployment):
            what = stored.event
            if isinstance(what, events.DeploymentPlanned) and (what.verb, what.release) == ("deploy", release):
                return what
    return None
