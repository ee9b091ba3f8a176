"""A port that leads to a server, and hangs up on a word: what was said has arrived, the answer never comes."""

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
