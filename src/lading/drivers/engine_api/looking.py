"""LOOK by a host's engine itself: lists, and what they name, which is asked for along with them once it is known."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from typing import TypeVar

from lading.dataclass import dataclass
from lading.drivers.engine_api import answers, engine, requests

NOT_FOUND = 404
LARGE = 256 * 1024  # bytes of an answer that is read apart, so that other hosts do not wait for it
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked.

    *app*: one app, or "" for all of lading's; *facts*: also of all containers and networks.
    *volumes*: names of volumes that are asked for beside the app's own; None = no volume is.
    *images*: of which it is asked whether they are there.
    """

    app: str = ""
    facts: bool = False
    volumes: Sequence[str] | None = None
    images: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What an engine has said, as lines of scripts: see `answers`.

    *containers*: those of the app, a JSON object each; *marks*: app → user and folder;
    *is_settled*: see `answers`; *present*: image → whether it is there, where the engine says so.
    """

    info: Sequence[str] = ()
    listed: Sequence[str] = ()
    containers: Sequence[str] = ()
    volumes: Sequence[str] | None = None
    marks: Mapping[str, str] | None = None
    is_settled: bool = False
    present: Mapping[str, bool] = field(default_factory=dict)


async def look(dockerd: engine.Engine, wanted: Wanted) -> Seen:
    """What there is.

    Raises:
        UnavailableError: the engine cannot be asked.
        ValueError: what it says cannot be read.
    """
    questions = _questions(wanted)
    if wanted.facts and dockerd.info is None:
        questions["info"] = requests.INFO
    asking = _Asking(dockerd, wanted.app)
    said = dict(zip(questions, await asking.lists(*questions.values()), strict=True))
    if "info" in said:
        dockerd.info = answers.info(answers.object_of(said["info"]))
    read = await _apart(said.values(), lambda: _read(said, wanted))
    second = await asking.named(read.ids, read.volumes)
    seen = await _apart(second, lambda: _seen(dockerd, wanted, read, second))
    return replace(seen, present=_present(said, wanted.images))


def _present(said: Mapping[str, requests.Answer], images: Sequence[str]) -> Mapping[str, bool]:
    """Which images are there; of one that cannot be told, nothing."""
    found = {image: said[_image(image)] for image in images}
    return {
        image: one.is_good for image, one in found.items() if one.is_good or one.status == NOT_FOUND
    }


def _image(reference: str) -> str:
    """By which name a question for an image is known."""
    return f"image {reference}"


class _Asking:
    """Asks for lists, and then for what they name.

    The containers that they named the last time are asked for along with them: as long as nothing
    has changed, one round trip will do. The engine answers one after the other, so no container is
    older than its list.
    """

    def __init__(self, dockerd: engine.Engine, app: str) -> None:
        self._dockerd, self._app = dockerd, app
        self._known: dict[str, requests.Answer] = {}

    async def lists(self, *asked: requests.Request) -> Sequence[requests.Answer]:
        """The answers to the lists."""
        guessed = self._dockerd.containers.get(self._app, ())
        said = await self._dockerd.ask(*asked, *map(requests.container, guessed))
        paths = [requests.container(id).path for id in guessed]
        self._known = dict(zip(paths, said[len(asked) :], strict=True))
        return said[: len(asked)]

    async def named(self, ids: Sequence[str], volumes: Sequence[str] = ()) -> Sequence[requests.Answer]:
        """What there is to know of the containers, and then of the volumes, that they name."""
        self._dockerd.containers[self._app] = ids
        wanted = [*map(requests.container, ids), *map(requests.volume, volumes)]
        lacking = [one for one in wanted if one.path not in self._known]
        if lacking:
            said = await self._dockerd.ask(*lacking)
            self._known |= zip((one.path for one in lacking), said, strict=True)
        return [self._known[one.path] for one in wanted]


def _questions(wanted: Wanted) -> dict[str, requests.Request]:
    """The lists that are asked for, by name."""
    questions = {"containers": requests.containers(*_labels(wanted))}
    if wanted.facts:
        questions["networks"] = requests.NETWORKS
    if wanted.facts or wanted.volumes is not None:
        questions["volumes"] = requests.volumes()
    questions |= {_image(one): requests.image(one) for one in wanted.images}
    return questions


def _labels(wanted: Wanted) -> Sequence[str]:
    """By which label containers are chosen; none where all are asked for."""
    if wanted.facts:
        return ()
    if wanted.app:
        return (f"{requests.PROJECT}={wanted.app}",)
    return ("lading.app",)


async def containers(dockerd: engine.Engine, app: str) -> Sequence[str]:
    """An app's containers, a JSON object each.

    Raises:
        UnavailableError, ValueError: as `look`.
    """
    asking = _Asking(dockerd, app)
    (first,) = await asking.lists(requests.containers(f"{requests.PROJECT}={app}"))
    ids = answers.ids(answers.objects_of(first), app)
    return _inspected(await asking.named(ids))


async def own_info(dockerd: engine.Engine) -> Sequence[str]:
    """What the engine says of itself.

    Raises:
        UnavailableError, ValueError: as `look`.
    """
    if dockerd.info is None:
        (said,) = await dockerd.ask(requests.INFO)
        dockerd.info = answers.info(answers.object_of(said))
    return dockerd.info


@dataclass(frozen=True, slots=True)
class _First:
    """What the lists have said."""

    ids: Sequence[str]  # the containers that are inspected
    volumes: Sequence[str]  # and the volumes
    names: Sequence[str]
    listed: Sequence[str]
    marks: Mapping[str, str] | None
    is_settled: bool


def _read(said: Mapping[str, requests.Answer], wanted: Wanted) -> _First:
    containers = answers.objects_of(said["containers"])
    volumes: Sequence[answers.Said] = ()
    marks = None
    if "volumes" in said:
        volumes = answers.volumes_of_all(said["volumes"])
        marks = answers.marks(volumes)
    names = list(answers.volume_names(volumes))
    lines: list[str] = []
    if wanted.facts:
        networks = answers.objects_of(said["networks"])
        lines = [*answers.listed(containers), *answers.networks(networks)]
    return _First(
        ids=answers.ids(containers, wanted.app),
        volumes=_inspected_volumes(volumes, names, wanted),
        names=names,
        listed=lines,
        marks=marks,
        is_settled=wanted.facts and answers.is_settled(containers, wanted.app),
    )


def _inspected_volumes(
    volumes: Sequence[answers.Said], names: Sequence[str], wanted: Wanted
) -> list[str]:
    """The volumes of which it is asked how they were made."""
    if wanted.volumes is None:
        return []
    by_name = sorted({*wanted.volumes} & {*names})
    return list(dict.fromkeys([*answers.volumes_of(volumes, wanted.app), *by_name]))


def _seen(
    dockerd: engine.Engine, wanted: Wanted, read: _First, more: Sequence[requests.Answer]
) -> Seen:
    """What the lists have said, and *more*: the containers and then the volumes."""
    count = len(read.ids)
    volumes = None
    if wanted.volumes is not None:
        volumes = [*read.names, *(answers.volume(one) for one in _there(more[count:]))]
    info = dockerd.info if wanted.facts else None
    return Seen(
        info=info or (),
        listed=read.listed,
        containers=_inspected(more[:count]),
        volumes=volumes,
        marks=read.marks,
        is_settled=read.is_settled,
    )


def _inspected(found: Sequence[requests.Answer]) -> list[str]:
    return [answers.container(one) for one in _there(found)]


def _there(found: Sequence[requests.Answer]) -> list[answers.Said]:
    """What was asked for, without that which has gone in the meantime."""
    return [answers.object_of(one) for one in found if one.status != NOT_FOUND]


async def _apart(found: Collection[requests.Answer], read: Callable[[], T]) -> T:
    """Read answers; large ones where other hosts do not wait for it."""
    if sum(len(one.body) for one in found) > LARGE:
        return await asyncio.to_thread(read)
    return read()


async def marks(dockerd: engine.Engine) -> Mapping[str, str]:
    """Where lading keeps apps, as the engine remembers it.

    Raises:
        UnavailableError, ValueError: as `look`.
    """
    (said,) = await dockerd.ask(requests.volumes())
    return answers.marks(answers.volumes_of_all(said))
