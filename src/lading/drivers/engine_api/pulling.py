"""PULL by a host's engine itself, with the login in a header: nothing of it is left on the host."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from lading import shape
from lading.drivers.engine_api import answers, connection, engine, requests
from lading.transport import command

LINE = 64 * 1024  # bytes of one line of progress
PROGRESS = 64 * 1024 * 1024  # bytes that one pull may tell
_BYTES = b'"progressDetail":{"'  # as dockerd writes it, many times a second


class PullError(Exception):
    """An image was not pulled; the argument: the engine's own words."""


async def has(dockerd: engine.Engine, references: list[str]) -> dict[str, bool]:
    """Which images are there.

    Raises:
        UnavailableError, ValueError: it is not known.
    """
    found = await dockerd.ask(*map(requests.image, references)) if references else []
    for one in found:
        if not one.is_good and one.status != 404:
            raise ValueError(f"the engine answers {one.status}: {answers.message(one.body)}")
    return {name: one.is_good for name, one in zip(references, found, strict=True)}


async def pull(
    dockerd: engine.Engine, reference: str, login: command.Secret | None,
    told: Callable[[str], None], check: Callable[[], None],
) -> None:
    """Pull one image.

    *told* hears each line of progress, as docker's client would print it; *check*: see
    `engine.Engine.ask`.

    Raises:
        PullError: the registry, or the engine, does not give it.
        UnavailableError: the engine stopped in the middle.
    """
    rest, left = b"", PROGRESS
    failed = ""
    try:
        async with aclosing(dockerd.stream(requests.pull(reference, login), check)) as pieces:
            async for piece in pieces:
                *lines, rest = (rest + piece).split(b"\n")
                if len(rest) > LINE:
                    raise engine.UnavailableError("it tells of progress in lines without an end")
                left -= len(piece)
                if left < 0:
                    raise engine.UnavailableError("it tells more of progress than any pull does")
                for line in lines:
                    failed = failed or _told(line, told)
                await asyncio.sleep(0)  # other hosts do not wait for one that tells much
    except connection.RefusedError as refused:
        raise PullError(f"Error response from daemon: {answers.message(refused.said)}") from refused
    failed = failed or _told(rest, told)
    if failed:  # the answer's status came long before, and was 200
        raise PullError(failed)


async def load(
    dockerd: engine.Engine, body: AsyncIterator[bytes], check: Callable[[], None]
) -> None:
    """Have an engine take an image's archive; *check*: see `connection.Connection.upload`.

    Raises:
        PullError: it does not take it.
        UnavailableError: the engine stopped in the middle.
    """
    answer = await dockerd.upload(requests.load(), body, check)
    if not answer.is_good:
        raise PullError(f"Error response from daemon: {answers.message(answer.body)}")
    for line in answer.body.splitlines():
        if failed := _told(line, lambda _: None):
            raise PullError(failed)


async def unkept(dockerd: engine.Engine, references: Sequence[str]) -> list[str]:
    """Those of *references* whose images no release of any app keeps.

    Raises:
        UnavailableError, ValueError: it is not known.
    """
    found = await dockerd.ask(*map(requests.image, references)) if references else []
    unused = []
    for name, one in zip(references, found, strict=True):
        said = shape.parse(one.body.decode("utf-8", "replace")) if one.is_good else {}
        tags = shape.fitting(said.get("RepoTags") or [], tuple[str, ...], "RepoTags")
        if tags and not any(tag.startswith("lading-keep/") for tag in tags):
            unused.append(name)
    return unused


async def id_of(dockerd: engine.Engine, reference: str) -> str:
    """By which id an engine has an image, "" = it has not.

    Raises:
        UnavailableError, ValueError: it is not known.
    """
    (found,) = await dockerd.ask(requests.image(reference))
    if not found.is_good and found.status != 404:
        raise ValueError(f"the engine answers {found.status}: {answers.message(found.body)}")
    said = shape.parse(found.body.decode("utf-8", "replace")) if found.is_good else {}
    shape.fields(said, {"Id": str})
    return str(said.get("Id", ""))


def _told(line: bytes, told: Callable[[str], None]) -> str:
    """Tell a line of progress; what it says of a failure, or ""."""
    if _BYTES in line:  # how far a layer is would be a thousand lines
        return ""
    try:
        said = shape.parse(line.decode("utf-8", "replace"))
        shape.fields(said, {"status": str, "id": str, "error": str})
    except ValueError:
        return ""
    if said.get("error"):
        return " ".join(str(said["error"]).split())
    if said.get("status") and not said.get("progressDetail"):
        told(_line(said))
    return ""


def _line(said: Mapping[str, Any]) -> str:
    """As docker's client prints it where nobody looks: "LAYER: STATUS"."""
    lead = f"{said['id']}: " if said.get("id") else ""
    return f"{lead}{said['status']}"


async def carry_out(
    dockerd: engine.Engine, *changes: requests.Request, check: Callable[[], None]
) -> None:
    """Tag, untag, or try a login; *check*: see `engine.Engine.ask`.

    Raises:
        UnavailableError: it is not known whether it did.
        PullError: it does not do one of them.
    """
    found = await dockerd.ask(*changes, check=check)
    for change, answer in zip(changes, found, strict=True):
        is_gone = change.method == "DELETE" and answer.status == 404
        if not answer.is_good and not is_gone:
            raise PullError(f"Error response from daemon: {answers.message(answer.body)}")
