"""FOLLOW an app's containers: a look each second, and at once when the engine tells of an event."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from contextlib import aclosing

from lading import errors
from lading.drivers.engine_api import answers, connection, engine, looking, requests

PERIOD = 1.0  # seconds
TOLD = 64 * 1024  # bytes of one event
SeenEnough = Callable[[Sequence[str]], bool]
_LOST = (engine.UnavailableError, connection.RefusedError, errors.TransportError)


class Events:
    """The events of an app's containers that say that a look is due.

    They are subscribed to before anything is done. *is_ahead*: nobody waits for them yet, so a stream
    that is lost is let go: where connections are few, each one of a fleet would take another's.
    """

    def __init__(self, dockerd: engine.Engine, app: str, *, is_ahead: bool = False) -> None:
        self._dockerd, self._app = dockerd, app
        self._is_awaited = not is_ahead
        self.due = asyncio.Event()
        self.stands = False
        """Whether the engine tells of events now, as far as is known."""
        self._begun = asyncio.Event()
        self._task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        """Listen; where somebody waits, begin anew a second after the stream was lost.

        What was missed is seen by the next look, which is due at once.
        """
        while True:
            try:
                with contextlib.suppress(*_LOST):
                    async with aclosing(self._dockerd.stream(
                        requests.events(self._app), is_spare=True
                    )) as pieces:
                        await self._listen(pieces)
            finally:
                self.stands = False
                self._begun.set()
            if not self._is_awaited:
                return
            self.due.set()
            await asyncio.sleep(PERIOD)

    def keep_on(self) -> None:
        """From now on somebody waits for them."""
        self._is_awaited = True

    async def _listen(self, pieces: "engine.Pieces") -> None:
        rest = b""
        async for piece in pieces:
            self.stands = True
            self._begun.set()
            *lines, rest = (rest + piece).split(b"\n")
            if any(map(is_due, lines)):
                self.due.set()
            rest = rest[-TOLD:]

    async def subscribed(self) -> None:
        """Come back once the engine tells of events, or has failed to.

        Where it has failed, the looks alone must do for a second.
        """
        await self._begun.wait()

    async def next(self) -> None:
        """Come back when something has happened, or a period is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PERIOD):
                await self.due.wait()
        self.due.clear()

    async def close(self) -> None:
        """Listen no more."""
        self._task.cancel()
        await asyncio.wait({self._task})


def is_due(line: bytes) -> bool:
    """Whether an event says that a look is due (pure).

    It is when a container has ended, or tells of its health.
    """
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return False
    action = said.get("Action") if isinstance(said, dict) else None
    if not isinstance(action, str):
        return False
    return action == "die" or action.startswith("health_status")  # "health_status: healthy"


async def follow(
    dockerd: engine.Engine, app: str, events: Events, seen: SeenEnough,
    unreadable: Callable[[str], bool],
) -> None:
    """Show *seen* the app's containers, a JSON object each, until it has seen enough.

    *unreadable* hears of what is no such list. An engine that does not answer tells nothing: that
    is no look, and never "there are no containers".
    """
    while not await _is_enough(dockerd, app, seen, unreadable):
        await events.next()


async def _is_enough(
    dockerd: engine.Engine, app: str, seen: SeenEnough, unreadable: Callable[[str], bool]
) -> bool:
    try:
        found = await looking.containers(dockerd, app)
    except (engine.UnavailableError, errors.TransportError, answers.NotGivenError):
        return False
    except ValueError as wrong:
        return unreadable(str(wrong))
    return seen(found)
