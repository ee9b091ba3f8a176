"""An engine whose answers a test says byte by byte: HTTP on a UNIX socket in the test's own process, and a `docker` that leads there."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CLOSE = "close"
"""In an answer: the connection ends here."""
HANG = "hang"
"""In an answer: nothing more comes, and nothing is closed."""
CUT = "cut"
"""In an answer: what was sent until now goes out by itself, before the rest."""
Pieces = Sequence[bytes | str]
VERSION = {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10.24", "Components": [{"Name": "Engine", "Version": "20.10.24"}]}
INFO = {"ServerVersion": "20.10.24", "ID": "A:B", "Architecture": "x86_64", "Runtimes": {"runc": {}}, "DockerRootDir": "/var/lib/docker"}
DIAL = """#!{python} -IS
import os, socket, sys, threading
if sys.argv[1:] != ["system", "dial-stdio"]:
    sys.exit("refused")
engine = socket.socket(socket.AF_UNIX)
engine.connect({socket!r})
def forth():
    while data := os.read(0, 65536):
        engine.sendall(data)
    engine.shutdown(socket.SHUT_WR)
threading.Thread(target=forth, daemon=True).start()
while data := engine.recv(65536):
    os.write(1, data)
"""


def head(status: int = 200, *headers: str) -> bytes:
    """The head of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status} as told", *headers, "", ""]).encode()


def answer(said: Any, status: int = 200) -> bytes:
    """A whole answer: bytes as they are, all else as JSON."""
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return head(status, "Content-Type: application/json", f"Content-Length: {len(body)}") + body


def chunked(*chunks: bytes, ends: bool = True) -> bytes:
    """A whole answer in chunks."""
    sent = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head(200, "Transfer-Encoding: chunked") + sent + (b"0\r\n\r\n" if ends else b"")


class ScriptedEngine:
    """It answers what *answers* says, by "METHOD /path" without version and query; a list of lists: one after the other, the last one for ever."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.answers: dict[str, Any] = {"GET /version": [answer(VERSION)], "GET /info": [answer(INFO)]}
        self.asked: list[str] = []
        """The first lines of all requests."""
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        """Those that came in chunks, as far as they came."""
        self.takes: int | None = None
        """Of such a body it reads no more bytes than that; None = all."""
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, self.socket)

    async def stop(self) -> None:
        """Listen no more: nobody is there."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.drop()
        self.socket.unlink(missing_ok=True)

    async def drop(self) -> None:
        """End all connections."""
        for writer in self._writers:
            writer.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def docker(self, folder: Path) -> Path:
        """A program `docker` in *folder* that can nothing but `system dial-stdio`."""
        program = folder / "docker"
        program.write_text(DIAL.format(python=sys.executable, socket=str(self.socket)))
        program.chmod(0o755)
        return program

    def says(self, answers: Mapping[str, Any]) -> None:
        """Answer so from now on: what is no list of pieces is a whole answer as JSON."""
        for line, said in answers.items():
            is_pieces = isinstance(said, list) and said and all(isinstance(one, bytes | str) for one in said)
            self.answers[line] = said if is_pieces else [answer(said)]

    def lines(self) -> list[str]:
        """The first lines until now, without version and query; they are forgotten."""
        found = [plain(line) for line in self.asked]
        self.asked.clear()
        return found

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections += 1
        self._writers.add(writer)
        self._tasks.add(task)
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode()
        lengths = [line.split(":")[1] for line in asked.lower().splitlines() if line.startswith("content-length:")]
        await reader.readexactly(int(lengths[0]) if lengths else 0)
        self.heads.append(asked)
        self.asked.append(asked.splitlines()[0])
        is_streamed = "transfer-encoding: chunked" in asked.lower()
        if is_streamed:
            self.bodies.append(b"")
            while (self.takes is None or len(self.bodies[-1]) < self.takes) and (size := int(await reader.readuntil(b"\r\n"), 16)):
                self.bodies[-1] += (await reader.readexactly(size + 2))[:size]
        for piece in self._pieces(plain(self.asked[-1])):
            match piece:
                case "close":
                    return False
                case "hang":
                    await reader.read()
                    return False
                case "cut":
                    await writer.drain()
                case bytes():
                    writer.write(piece)
                    await writer.drain()
        while is_streamed and await reader.read(65536):
            pass
        return not is_streamed

    def _pieces(self, line: str) -> Pieces:
        found = self.answers.get(line, [answer({"message": "page not found"}, 404)])
        if found and isinstance(found[0], list):
            found = found.pop(0) if len(found) > 1 else found[0]
        pieces: Pieces = found
        return pieces


def plain(line: str) -> str:
    """"GET /v1.41/info?a=b HTTP/1.1" → "GET /info"."""
    method, target, _ = line.split(" ")
    path = target.partition("?")[0]
    first, _, rest = path.removeprefix("/").partition("/")
    return f"{method} /{rest}" if first.startswith("v1.") else f"{method} {path}"
