"""What a host's engine changes goes on only while a script there holds the app's lock."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from lading.drivers import base
from lading.drivers.shell import bound, lock
from lading.transport import beats, command


async def while_held(
    host: bound.Bound, holding: command.Command, work: Callable[[lock.Held], Awaitable[None]],
    word: bytes = b"",
) -> command.Result:
    """Run *work* while the script *holding* holds the lock; what the script answers.

    *word*: what the script is told once the work has gone well.

    Raises:
        Refused, TransportError: the lock was not had, or was lost, and *work* was ended; or *work*
            itself was refused.
    """
    held, done = lock.Held(), beats.Ending()
    script = asyncio.create_task(host.send(holding, held.part, done))
    working = asyncio.create_task(_work(held, work, done, word))
    try:
        await asyncio.wait({script, working}, return_when=asyncio.FIRST_COMPLETED)
        if script.done():
            working.cancel()
        elif working.exception() is not None:
            with contextlib.suppress(base.Refused):  # such as that it was not told the word
                await script
            working.result()
        answer = await script
        await asyncio.wait({working})
        if not working.cancelled():
            working.result()
        return answer
    finally:
        for task in (script, working):
            task.cancel()
        await asyncio.gather(script, working, return_exceptions=True)


async def _work(
    held: lock.Held, work: Callable[[lock.Held], Awaitable[None]], done: beats.Ending, word: bytes
) -> None:
    """Wait for the lock, work, and let the script end."""
    await held.is_held.wait()
    try:
        await work(held)
        done.word = word
    finally:
        done.set()
