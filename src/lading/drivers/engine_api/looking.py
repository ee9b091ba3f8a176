"""What an engine says of a host's containers, networks and volumes: few requests, all that do not wait for each other at once."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lading.drivers.engine_api import answers, engine, requests

NOT_FOUND = 404
LARGE = 256 * 1024  # bytes of an answer that is read apart, so that other hosts do not wait for it
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked. *app*: one app, or "" for all of lading's; *facts*: of all containers and networks, too.

    *volumes*: names of volumes that are asked for beside the app's own; None = no volume is looked at.
    """

    app: str = ""
    facts: bool = False
    volumes: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What an engine has said, as lines of scripts: see `answers`.

    *containers*: those of the app, a JSON object each; *marks*: app → user and folder; *is_settled*: see `answers`.
    """

    info: Sequence[str] = ()
    listed: Sequence[str] = ()
    containers: Sequence[str] = ()
    volumes: Sequence[str] | None = None
    marks: Mapping[str, str] | None = None
    is_settled: bool = False


async def look(asked: engine.Engine, wanted: Wanted) -> Seen:
    """What there is.

    Raises:
        UnspokenError: the engine cannot be asked.
        ValueError: what it says cannot be read.
    """
    labels = [] if wanted.facts else [f"{requests.PROJECT}={wanted.app}" if wanted.app else "lading.app"]
    questions = {"containers": requests.containers(*labels)}
    if wanted.facts:
        questions["networks"] = requests.NETWORKS
    if wanted.facts or wanted.volumes is not None:
        questions["volumes"] = requests.volumes()
    if wanted.facts and asked.info is None:
        questions["info"] = requests.INFO
    said = dict(zip(questions, await asked.ask(*questions.values()), strict=True))
    if "info" in said:
        asked.info = answers.info(answers.object_of(said["info"]))
    read = await _apart(said.values(), lambda: _read(said, wanted))
    more = [*map(requests.container, read.ids), *map(requests.volume, read.volumes)]
    second = await asked.ask(*more) if more else []
    return await _apart(second, lambda: _seen(asked, wanted, read, second))


async def containers(asked: engine.Engine, app: str) -> Sequence[str]:
    """An app's containers, a JSON object each.

    Raises:
        UnspokenError, ValueError: as `look`.
    """
    (first,) = await asked.ask(requests.containers(f"{requests.PROJECT}={app}"))
    ids = answers.ids(answers.objects_of(first), app)
    second = await asked.ask(*map(requests.container, ids)) if ids else []
    return _inspected(second)


async def own_info(asked: engine.Engine) -> Sequence[str]:
    """What the engine says of itself.

    Raises:
        UnspokenError, ValueError: as `look`.
    """
    if asked.info is None:
        (said,) = await asked.ask(requests.INFO)
        asked.info = answers.info(answers.object_of(said))
    return asked.info


@dataclass(frozen=True, slots=True)
class _First:
    """What the lists have said."""

    ids: Sequence[str]
    volumes: Sequence[str]
    names: Sequence[str]
    listed: Sequence[str]
    marks: Mapping[str, str] | None
    is_settled: bool


def _read(said: Mapping[str, requests.Answer], wanted: Wanted) -> _First:
    containers = answers.objects_of(said["containers"])
    volumes = answers.volumes_of_all(said["volumes"]) if "volumes" in said else ()
    names = list(answers.volume_names(volumes))
    lines: list[str] = []
    if wanted.facts:
        lines = [*answers.listed(containers), *answers.networks(answers.objects_of(said["networks"]))]
    return _First(
        answers.ids(containers, wanted.app), _asked_for(volumes, names, wanted), names, lines,
        answers.marks(volumes) if "volumes" in said else None,
        wanted.facts and answers.is_settled(containers, wanted.app))


def _asked_for(volumes: Sequence[answers.Said], names: Sequence[str], wanted: Wanted) -> list[str]:
    """The volumes of which it is asked how they were made."""
    if wanted.volumes is None:
        return []
    by_name = sorted({*wanted.volumes} & {*names})
    return list(dict.fromkeys([*answers.volumes_of(volumes, wanted.app), *by_name]))


def _seen(asked: engine.Engine, wanted: Wanted, read: _First, more: Sequence[requests.Answer]) -> Seen:
    count = len(read.ids)
    volumes = None
    if wanted.volumes is not None:
        volumes = [*read.names, *(answers.volume(one) for one in _there(more[count:]))]
    return Seen(
        asked.info or () if wanted.facts else (), read.listed, _inspected(more[:count]), volumes, read.marks,
        read.is_settled)


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


async def marks(asked: engine.Engine) -> Mapping[str, str]:
    """Where lading keeps apps, as the engine remembers it.

    Raises:
        UnspokenError, ValueError: as `look`.
    """
    (said,) = await asked.ask(requests.volumes())
    return answers.marks(answers.volumes_of_all(said))
