"""SEND an image from this machine to a host that lacks it, while a script there holds the app's lock."""

import asyncio
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from typing import Any

from lading import errors
from lading.compose import archive, sent
from lading.drivers import base
from lading.drivers.engine_api import engine, pulling, requests
from lading.drivers.shell import bound, holding, lock, observe, said, scripts
from lading.transport import base as transports
from lading.transport import beats, command

PATIENCE = 6 * 3600  # seconds that one image may take
TOLD = 1.0  # seconds from one word on how far it has come to the next
_GZIP = 31  # zlib's word for gzip's format
_SAID = 64 * 1024  # bytes that the host's client may say
_LOAD = "exec docker load -q"
Stopped = Callable[[], Coroutine[Any, Any, Any]]


async def send(
    host: bound.Bound, holds: command.Command, name: str, what: base.Sent, lines: said.Lines,
    stopped: Stopped | None = None,
) -> None:
    """Send one image, which the host has as *name* then; *holds*: the script that holds the lock meanwhile.

    Either all of it is there under its name, or nothing: the end of its archive goes out only once
    all of it was checked here, and the name is in the archive.

    Raises:
        Refused: it cannot be had here, the host does not take it, or *stopped* came back.
        TransportError: the host does not answer.
    """
    async def work(held: lock.Held) -> None:
        await _unless(stopped, _Sending(host, name, what, lines).work(held))

    await holding.while_held(host, holds, work)


class Outgoing:
    """An image on its way: its archive, checked and packed; *told* hears how many bytes of it have passed."""

    def __init__(self, name: str, what: base.Sent, told: Callable[[int], None]) -> None:
        self._name, self._what, self._told = name, what, told
        self.ids: frozenset[str] = frozenset()
        """By which ids an engine may know it, once it has passed."""

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """What goes over the wire.

        Raises:
            Refused: it cannot be had, or is not what it should be.
        """
        whole, packer, passed = archive.Archive(self._what.id, self._name), zlib.compressobj(1, wbits=_GZIP), 0

        def pack(piece: bytes) -> bytes:
            return packer.compress(whole.feed(piece))

        try:
            async with aclosing(self._what.open()) as opened:
                async for piece in opened:
                    passed += len(piece)
                    packed = await asyncio.to_thread(pack, piece)
                    self._told(passed)
                    if packed:
                        yield packed
            end, self.ids = whole.end()
        except errors.InputError as wrong:
            raise base.Refused("local", f"{self._what.image}: {wrong.message}") from wrong
        except ValueError as wrong:
            raise base.Refused("local", f"{self._what.image}: {wrong}") from wrong
        yield packer.compress(end) + packer.flush()


class _Sending:
    """One image for one host."""

    def __init__(self, host: bound.Bound, name: str, what: base.Sent, lines: said.Lines) -> None:
        self._host, self._name, self._what, self._lines = host, name, what, lines
        self._next = 0.0
        self._going = Outgoing(name, what, self._passed)

    async def work(self, held: lock.Held) -> None:
        """Send it, and look whether it is what the host's engine has then."""
        dockerd = self._host.engine
        try:
            async with aclosing(self._going.pieces()) as pieces:
                if dockerd is not None:
                    await pulling.load(dockerd, pieces, held.check)
                else:
                    await self._by_client(pieces, held)
            found = await self._found()
        except (pulling.PullError, engine.UnavailableError, ValueError) as wrong:
            raise base.Refused("load", f"{self._what.image}\n{wrong}") from wrong
        if found not in self._going.ids:
            await self._forget(held)
            raise base.Refused("content", f"{self._what.image}\nit says {found or 'that it has none'}")
        self._say(self._what.size, "sent")

    async def _by_client(self, pieces: AsyncIterator[bytes], held: lock.Held) -> None:
        """By docker's client on the host, where nobody gets at its engine.

        Raises:
            PullError: it does not take it.
        """
        what = command.Command("stage", _LOAD, observe.marker(), timeout=0)
        try:
            over = transports.attaching(self._host.transport, self._host.host)
        except transports.NoStreamError as none:
            raise base.Refused("load", f"{self._what.image}\n{none.why}") from none
        session = await over.attach(self._host.host, what, None)
        words = [asyncio.create_task(_words(read)) for read in (session.read, session.read_errors)]
        try:
            await _feed(session, pieces, held.check)
            session.write_eof()
            status = await session.wait()
            said = " ".join(await asyncio.gather(*words)).strip()
        except OSError as gone:  # why it has ended stands in its words
            said, status = " ".join(await asyncio.gather(*words)).strip() or str(gone), 1
        finally:
            for task in words:
                task.cancel()
            session.close()
        if status != 0:
            raise pulling.PullError(said or f"docker load ended with status {status}")

    async def _found(self) -> str:
        """By which id the host has the image now."""
        dockerd = self._host.engine
        if dockerd is not None:
            return await pulling.id_of(dockerd, self._name)
        return (await has(self._host, [self._name])).get(self._name, "")

    async def _forget(self, held: lock.Held) -> None:
        dockerd = self._host.engine
        if dockerd is not None:
            await pulling.carry_out(dockerd, requests.untag(self._name), check=held.check)
            return
        held.check()
        line = command.join(["docker", "image", "rm", self._name])
        await self._host.transport.run(self._host.host, command.Command("stage", line, observe.marker()))

    def _passed(self, size: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + TOLD
            self._say(size, "sending")

    def _say(self, size: int, how: str) -> None:
        total = max(self._what.size, 1)
        done = min(size, total)
        text = f"{how} {self._what.image}: {sent.megabytes(done)} of {sent.megabytes(total)}"
        self._lines.tell(self._name, text, done / total)


async def has(host: bound.Bound, names: list[str]) -> dict[str, str]:
    """Those of *names* that a host has, with the id of each, as docker's client there says.

    Raises:
        Refused, TransportError: it is not known.
    """
    return ids(await host.send(question(observe.marker(), names)))


def question(marker: str, names: list[str]) -> command.Command:
    """The question which images a host has."""
    return command.Command("images", scripts.script("images", {"MARKER": marker, "APP": ""}, names), marker, looks=True)


def ids(answer: command.Result) -> dict[str, str]:
    """Image → its id: what a host answered to that."""
    rows = [line.split(" ") for line in answer.text("images").splitlines()]
    return {row[1]: row[0] for row in rows if len(row) == 2}


async def _feed(session: transports.Session, pieces: AsyncIterator[bytes], check: Callable[[], None]) -> None:
    """Write to a program, never much ahead of what has arrived."""
    now, pace = asyncio.get_running_loop().time, beats.Pace()
    underway, began = 0, now()
    async for piece in pieces:
        for start in range(0, len(piece), beats.WAITING):
            part = piece[start : start + beats.WAITING]
            await session.write(part)
            underway += len(part)
            if underway < pace.window:
                continue
            check()
            await session.arrived()
            pace.arrived(now() - began)
            underway, began = 0, now()
    check()


async def _words(read: Callable[[], Coroutine[None, None, bytes]]) -> str:
    """What a program says, the beginning of it."""
    kept = b""
    while piece := await read():
        kept += piece[: _SAID - len(kept)]
    return kept.decode("utf-8", "replace").strip()


async def _unless(stopped: Stopped | None, work: Coroutine[None, None, None]) -> None:
    """Do *work* to its end, or until *stopped* comes back.

    Raises:
        Refused: it did.
    """
    working = asyncio.create_task(work)
    tasks: set[asyncio.Task[Any]] = {working}
    if stopped is not None:
        tasks.add(asyncio.create_task(stopped()))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise base.Refused("stopped")
        working.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
