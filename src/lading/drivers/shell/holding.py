"""What a host's engine changes goes on only while a script there holds the app's lock."""

import asyncio
from collections.abc import Awaitable, Callable

from lading.drivers import base
from lading.drivers.shell import bound, lock
from lading.transport import beats, command

UNTOLD = "silent"  # by which a script refuses to go on that the controller does not tell the word


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
            await _until_told(script)
            working.result()
        answer = await script
        await asyncio.wait({working})
        if not working.cancelled():
            working.result()
        return answer
    finally:
        for task in (working, script):  # in this order, so that the work does not outlive the lock
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _until_told(script: "asyncio.Task[command.Result]") -> None:
    """Come back once a script has ended that was not told the word, for the work has failed.

    Raises:
        Refused: it has ended for another reason, such as a lease that is lost.
    """
    try:
        await script
    except base.Refused as refused:
        if refused.kind != UNTOLD:
            raise


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
