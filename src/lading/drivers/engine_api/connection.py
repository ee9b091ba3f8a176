"""HTTP/1.1 to an engine over a stream: several questions at once, answers in their order, everything bounded (h11)."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence

import h11

from lading.drivers.engine_api import requests
from lading.transport import base

HEAD = 64 * 1024  # bytes of an answer's head, or of a chunk's
PIECES = 100_000  # chunks of an answer: dockerd fills them, and reading each has its price
ALL = 8 * requests.BODY  # bytes of all answers to questions that are asked together
ALTOGETHER = 60.0  # seconds for all of them, as long as a script has for a look
AT_ONCE = 64  # questions that are sent before the first answer is read


class LostError(Exception):
    """An engine's answer is not whole, or none came: what it would have said is unknown."""


class Connection:
    """One stream to an engine, over which one request follows the other."""

    def __init__(self, stream: base.Stream) -> None:
        self._stream = stream
        self._left = b""
        self._room = ALL
        self._turn = asyncio.Lock()
        self.is_open = True

    async def ask(self, asked: Sequence[requests.Request], version: str) -> list[requests.Answer]:
        """The answers, in the order of the requests.

        Raises:
            LostError: one of them is not whole; the connection is closed.
        """
        found: list[requests.Answer] = []
        async with self._turn:
            self._room, until = ALL, asyncio.get_running_loop().time() + ALTOGETHER
            for start in range(0, len(asked), AT_ONCE):
                found += await self._ask(asked[start : start + AT_ONCE], version, until)
        return found

    async def _ask(self, asked: Sequence[requests.Request], version: str, until: float) -> list[requests.Answer]:
        sides = [_Side(one, version) for one in asked]
        patience = asyncio.get_running_loop().time() + max(one.patience for one in asked)
        try:
            async with asyncio.timeout_at(min(patience, until)):
                await self._stream.write(b"".join(side.sent for side in sides))
                found = [await self._whole(side) for side in sides]
            if self._left:
                raise OSError("it answers what it was not asked")
            return found
        except (h11.ProtocolError, OSError, TimeoutError) as failure:
            self.close()
            raise LostError(str(failure) or "it gave no answer in time") from failure
        except BaseException:
            self.close()
            raise

    async def _whole(self, side: "_Side") -> requests.Answer:
        body, count = bytearray(), 0
        async for piece in self._pieces(side):
            body += piece
            count += 1
            self._room -= len(piece)
            if self._room < 0:
                raise OSError(f"its answers are more than {ALL:,} bytes")
            if len(body) > side.asked.limit or count > PIECES:
                raise OSError(f"it answers more than {side.asked.limit:,} bytes to {side.asked.path}")
        return requests.Answer(side.status, bytes(body))

    async def stream(self, asked: requests.Request, version: str) -> AsyncGenerator[bytes, None]:
        """The body as it comes, after b"" as soon as the answer has begun; the connection is closed at the end.

        Raises:
            LostError: it ended before its end.
            RefusedError: the engine does not do it.
        """
        side = _Side(asked, version)
        try:
            async with asyncio.timeout(asked.patience) as waiting:
                await self._stream.write(side.sent)
                async for piece in self._pieces(side):
                    if side.is_good:
                        waiting.reschedule(None)
                        yield piece
                    elif piece:
                        raise RefusedError(side.status, piece)
            if not side.is_good:
                raise RefusedError(side.status, b"")
        except (h11.ProtocolError, OSError, TimeoutError) as failure:
            raise LostError(str(failure) or "it gave no answer in time") from failure
        finally:
            self.close()

    async def _pieces(self, side: "_Side") -> AsyncGenerator[bytes, None]:
        if self._left:  # nothing at all would be the end of the connection
            side.http.receive_data(self._left)
            self._left = b""
        while True:
            match side.http.next_event():
                case h11.NEED_DATA:
                    await self._more(side)
                case h11.InformationalResponse():
                    side.spend(HEAD // 8)
                case h11.Response() as head:
                    side.begin(head)
                    yield b""
                case h11.Data(data=data):
                    yield bytes(data)
                case h11.EndOfMessage():
                    self._left = side.http.trailing_data[0]
                    return
                case _:
                    raise OSError("it closed the connection")

    async def _more(self, side: "_Side") -> None:
        data = await self._stream.read()
        if not data and not side.status:
            raise OSError("it closed the connection")
        side.http.receive_data(data)

    def close(self) -> None:
        """End the stream."""
        self.is_open = False
        with contextlib.suppress(OSError):
            self._stream.close()


class RefusedError(Exception):
    """An engine does not do what it was asked; *said*: the beginning of its own words."""

    def __init__(self, status: int, said: bytes) -> None:
        super().__init__(f"HTTP status {status}")
        self.status, self.said = status, said


class _Side:
    """One request and its answer: HTTP's own state, apart from those before and behind it on the connection."""

    def __init__(self, asked: requests.Request, version: str) -> None:
        self.asked = asked
        self.http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD)
        self.status = 0
        self._room = HEAD
        headers = [("Host", "docker"), ("User-Agent", "lading")]
        headers += [(name, secret.value.decode("ascii")) for name, secret in asked.secrets]
        if asked.method == "POST":
            headers.append(("Content-Length", str(len(asked.body.value))))
        if asked.body.value:
            headers.append(("Content-Type", "application/json"))
        head = h11.Request(method=asked.method, target=asked.target(version), headers=headers)
        events = [head, *([h11.Data(data=asked.body.value)] if asked.body.value else []), h11.EndOfMessage()]
        self.sent = b"".join(self.http.send(event) or b"" for event in events)

    @property
    def is_good(self) -> bool:
        """Whether the engine does what it was asked."""
        return 200 <= self.status < 300

    def begin(self, head: h11.Response) -> None:
        """The answer has begun. One that only the end of the connection would end could be cut, and nobody would know."""
        names = {bytes(name) for name, _ in head.headers}
        if not names & {b"content-length", b"transfer-encoding"} and head.status_code not in (204, 304):
            raise OSError("it does not say how long its answer is")
        self.status = head.status_code

    def spend(self, size: int) -> None:
        """What comes before an answer is bounded."""
        self._room -= size
        if self._room < 0:
            raise OSError("it says too much before its answer")
