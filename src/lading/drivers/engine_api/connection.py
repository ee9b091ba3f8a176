"""HTTP/1.1 to an engine over a stream: many questions at once, every answer bounded (h11)."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

import h11

from lading.drivers.engine_api import requests
from lading.transport import base, beats

HEAD = 64 * 1024  # bytes of an answer's head, or of a chunk's
PIECES = 100_000  # chunks of an answer: dockerd fills them, and reading each has its price
ALL = 8 * requests.BODY  # bytes of all answers to questions that are asked together
ALTOGETHER = 60.0  # seconds for all of them, as long as a script has for a look
LAST_WORDS = 5.0  # seconds for what an engine says that takes no more of a body
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
                found += await self._ask_at_once(asked[start : start + AT_ONCE], version, until)
        return found

    async def _ask_at_once(
        self, asked: Sequence[requests.Request], version: str, until: float
    ) -> list[requests.Answer]:
        exchanges = [_Exchange(one, version) for one in asked]
        patience = asyncio.get_running_loop().time() + max(one.patience for one in asked)
        try:
            async with asyncio.timeout_at(min(patience, until)):
                await self._stream.write(b"".join(exchange.sent for exchange in exchanges))
                found = [await self._whole(exchange) for exchange in exchanges]
            if self._left:
                raise OSError("it answers what it was not asked")
            return found
        except (h11.ProtocolError, OSError, TimeoutError) as failure:
            self.close()
            raise LostError(str(failure) or "it gave no answer in time") from failure
        except BaseException:
            self.close()
            raise

    async def _whole(self, exchange: "_Exchange") -> requests.Answer:
        """The answer, once all of it has come."""
        body, count = bytearray(), 0
        async for piece in self._pieces(exchange):
            body += piece
            count += 1
            self._room -= len(piece)
            if self._room < 0:
                raise OSError(f"its answers are more than {ALL:,} bytes")
            if len(body) > exchange.request.limit or count > PIECES:
                raise OSError(
                    f"it answers more than {exchange.request.limit:,} bytes "
                    f"to {exchange.request.path}")
        return requests.Answer(exchange.status, bytes(body))

    async def stream(self, asked: requests.Request, version: str) -> AsyncGenerator[bytes, None]:
        """The body as it comes, after b"" as soon as the answer has begun.

        The connection is closed at the end.

        Raises:
            LostError: it ended before its end.
            RefusedError: the engine does not do it.
        """
        exchange = _Exchange(asked, version)
        try:
            async with asyncio.timeout(asked.patience) as waiting:
                await self._stream.write(exchange.sent)
                async for piece in self._pieces(exchange):
                    if exchange.is_good:
                        waiting.reschedule(None)  # only the beginning is waited for
                        yield piece
                    elif piece:
                        raise RefusedError(exchange.status, piece)
            if not exchange.is_good:
                raise RefusedError(exchange.status, b"")
        except (h11.ProtocolError, OSError, TimeoutError) as failure:
            raise LostError(str(failure) or "it gave no answer in time") from failure
        finally:
            self.close()

    async def upload(
        self, asked: requests.Request, version: str, body: AsyncIterator[bytes], check: Callable[[], None]
    ) -> requests.Answer:
        """Send a long body as it comes, and never much ahead of what has arrived; the answer.

        *check*: called again and again; what it raises, or *body*, ends it, and the engine notices
        that the body is not whole. The connection is closed at the end.

        Raises:
            LostError: the answer is not whole, or none came.
        """
        exchange = _Exchange(asked, version, is_streamed=True)
        self._room = ALL
        sending = asyncio.create_task(self._send(exchange, body, check))
        answering = asyncio.create_task(self._whole(exchange))
        try:
            await asyncio.wait({sending, answering}, return_when=asyncio.FIRST_COMPLETED)
            patience = asked.patience
            if sending.done() and isinstance(sending.exception(), OSError):
                patience = LAST_WORDS
            elif sending.done():
                sending.result()
            async with asyncio.timeout(patience):
                return await answering
        except (h11.ProtocolError, OSError, TimeoutError) as failure:
            raise LostError(str(failure) or "it gave no answer in time") from failure
        finally:
            self.close()
            for task in (sending, answering):
                task.cancel()
            await asyncio.gather(sending, answering, return_exceptions=True)

    async def _send(self, exchange: "_Exchange", body: AsyncIterator[bytes], check: Callable[[], None]) -> None:
        now, pace = asyncio.get_running_loop().time, beats.Pace()
        await self._stream.write(exchange.sent)
        underway, began = 0, now()
        async for piece in body:
            rest = memoryview(piece)
            while rest:
                part = bytes(rest[: pace.window - underway])
                rest = rest[len(part) :]
                underway += len(part)
                await self._stream.write(exchange.http.send(h11.Data(data=part)) or b"")
                if underway < pace.window:
                    continue
                check()
                await self._stream.arrived()
                pace.arrived(now() - began)
                underway, began = 0, now()
        check()
        await self._stream.write(exchange.http.send(h11.EndOfMessage()) or b"")

    async def _pieces(self, exchange: "_Exchange") -> AsyncGenerator[bytes, None]:
        """The pieces of an answer, after b"" for its head."""
        if self._left:  # h11 takes b"" for the end of the connection
            exchange.http.receive_data(self._left)
            self._left = b""
        while True:
            match exchange.http.next_event():
                case h11.NEED_DATA:
                    await self._receive(exchange)
                case h11.InformationalResponse():
                    exchange.spend(HEAD // 8)  # eight at the most
                case h11.Response() as head:
                    exchange.begin(head)
                    yield b""
                case h11.Data(data=data):
                    yield bytes(data)
                case h11.EndOfMessage():
                    self._left = exchange.http.trailing_data[0]
                    return
                case _:
                    raise OSError("it closed the connection")

    async def _receive(self, exchange: "_Exchange") -> None:
        data = await self._stream.read()
        if not data and not exchange.status:
            raise OSError("it closed the connection")
        exchange.http.receive_data(data)

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


class _Exchange:
    """One request and its answer.

    Each has an HTTP state of its own, apart from what goes before and behind it on the connection.
    """

    def __init__(self, asked: requests.Request, version: str, *, is_streamed: bool = False) -> None:
        self.request = asked
        self.http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD)
        self.status = 0
        self._room = HEAD
        body = asked.body.value
        head = h11.Request(
            method=asked.method, target=asked.target(version), headers=_headers(asked, is_streamed=is_streamed))
        self.sent = self.http.send(head) or b""
        if is_streamed:
            return
        if body:
            self.sent += self.http.send(h11.Data(data=body)) or b""
        self.sent += self.http.send(h11.EndOfMessage()) or b""

    @property
    def is_good(self) -> bool:
        """Whether the engine does what it was asked."""
        return 200 <= self.status < 300

    def begin(self, head: h11.Response) -> None:
        """The answer has begun, and says where it ends.

        One that only the end of the connection ends could be cut short, and nobody would know.
        """
        names = {bytes(name) for name, _ in head.headers}
        has_end = bool(names & {b"content-length", b"transfer-encoding"})
        if not has_end and head.status_code not in (204, 304):
            raise OSError("it does not say how long its answer is")
        self.status = head.status_code

    def spend(self, size: int) -> None:
        """What comes before an answer is bounded."""
        self._room -= size
        if self._room < 0:
            raise OSError("it says too much before its answer")


def _headers(asked: requests.Request, *, is_streamed: bool) -> list[tuple[str, str]]:
    body = asked.body.value
    headers = [("Host", "docker"), ("User-Agent", "lading")]
    headers += [(name, secret.value.decode("ascii")) for name, secret in asked.secrets]
    if is_streamed:
        return [*headers, ("Transfer-Encoding", "chunked"), ("Content-Type", "application/x-tar")]
    if asked.method == "POST":
        headers.append(("Content-Length", str(len(body))))
    if body:
        headers.append(("Content-Type", "application/json"))
    return headers
