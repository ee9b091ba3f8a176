"""What a host's engine changes goes on only while a script there holds the app's lock."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from lading.drivers import base
from lading.drivers.shell import bound
from lading.transport import command

FRESH = 25.0  # seconds since the script was heard; after 30 without a byte it lets go


class Held:
    """A lock that a script on the host holds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_held = asyncio.Event()
        self._clock = clock
        self._fresh_until = 0.0

    def part(self, name: str, content: bytes) -> bool:
        """Take a part of the script's answer: what comes in time says that it lives.

        What comes late says nothing: while this controller was stopped, it may have waited here
        since before the lock was let go.
        """
        now = self._clock()
        if name == "held":
            self.is_held.set()
            self._fresh_until = now + FRESH
        if now <= self._fresh_until:
            self._fresh_until = now + FRESH
        return False

    def check(self) -> None:
        """Before each change: a controller that was stopped for a while changes nothing.

        Raises:
            Refused: the script was not heard lately.
        """
        if self._clock() > self._fresh_until:
            raise base.Refused("silent", "the host was not heard for half a minute")


async def while_held(
    host: bound.Bound, holding: command.Command, work: Callable[[Held], Awaitable[None]]
) -> command.Result:
    """Run *work* while the script *holding* holds the lock; what the script answers.

    Raises:
        Refused, TransportError: the lock was not had, or was lost, and *work* was ended; or *work*
            itself was refused.
    """
    held, done = Held(), asyncio.Event()
    script = asyncio.create_task(host.send(holding, held.part, done))
    working = asyncio.create_task(_work(held, work, done))
    try:
        await asyncio.wait({script, working}, return_when=asyncio.FIRST_COMPLETED)
        if script.done():
            working.cancel()
        answer = await script
        await asyncio.wait({working})
        if not working.cancelled():
            working.result()
        return answer
    finally:
        for task in (script, working):
            task.cancel()
        await asyncio.gather(script, working, return_exceptions=True)


async def _work(held: Held, work: Callable[[Held], Awaitable[None]], done: asyncio.Event) -> None:
    """Wait for the lock, work, and let the script end."""
    await held.is_held.wait()
    try:
        await work(held)
    finally:
        done.set()
