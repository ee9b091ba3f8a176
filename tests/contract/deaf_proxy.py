"""Ports that lead to a server: one hangs up on a word, and the answer never comes; one is a link that can be cut."""

import asyncio
import socket
import threading
from typing import Self


class DeafProxy:
    """Passes everything on. Once *armed* is set: passes on what holds *word*, waits for the answer, and hangs up."""

    def __init__(self, word: bytes, port: int) -> None:
        self.word, self.target = word, port
        self.armed = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._threads = [threading.Thread(target=self._accept)]
        self._ends: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            self._ends += [client, server]
            cut = threading.Event()
            for carry in (self._forth, self._back):
                self._threads.append(threading.Thread(target=carry, args=(client, server, cut)))
                self._threads[-1].start()

    def _forth(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        try:
            while content := client.recv(65536):
                if self.armed.is_set() and self.word in content:
                    self.armed.clear()
                    cut.set()
                server.sendall(content)
        except OSError:
            pass
        _hang_up(server)

    def _back(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        try:
            while content := server.recv(65536):
                if cut.is_set():
                    break
                client.sendall(content)
        except OSError:
            pass
        _hang_up(client)
        _hang_up(server)


def _hang_up(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class Link:
    """A port that leads to a server by a link that can be cut, come back, be slow, or never come back for those who use it.

    It takes what comes without bound, as a router with a long queue does.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.rate = 0.0
        """Bytes per second towards the server; 0.0: as fast as it goes."""
        self.waiting = 0
        """Bytes that were sent towards the server and are not there yet."""
        self._forth, self._back = asyncio.Event(), asyncio.Event()
        self._lost: list[asyncio.Event] = []
        self._current = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self.restore()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def cut(self, *, forth: bool = True, back: bool = True) -> None:
        """Carry nothing any more, towards the server or back from it or both; nobody is told."""
        if forth:
            self._forth.clear()
        if back:
            self._back.clear()

    def restore(self) -> None:
        """Carry what has come meanwhile and what comes."""
        self._forth.set()
        self._back.set()

    def lose(self) -> None:
        """Carry nothing any more for the connections that there are; new ones are as any."""
        self._current.set()
        self._current = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        lost = self._current
        for carrying in (self._carry(reader, back, self._forth, lost), self._carry(there, writer, self._back, lost)):
            task = asyncio.create_task(carrying)
            self._tasks.add(task)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event, lost: asyncio.Event
    ) -> None:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        taking = asyncio.create_task(self._take(reader, queue, gate))
        try:
            while data := await queue.get():
                await gate.wait()
                if lost.is_set():
                    await asyncio.Event().wait()
                if self.rate and gate is self._forth:
                    await asyncio.sleep(len(data) / self.rate)
                    await gate.wait()
                self.waiting -= len(data) if gate is self._forth else 0
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            taking.cancel()
            writer.close()

    async def _take(self, reader: asyncio.StreamReader, queue: asyncio.Queue[bytes], gate: asyncio.Event) -> None:
        try:
            while data := await reader.read(4096):
                self.waiting += len(data) if gate is self._forth else 0
                queue.put_nowait(data)
        except OSError:
            pass
        queue.put_nowait(b"")
