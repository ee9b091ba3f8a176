"""A ProxyCommand for a link that is slow: what goes in either direction arrives later by half a round trip."""

import contextlib
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable


def late(read: Callable[[int], bytes], write: Callable[[bytes], object], delay: float) -> None:
    """Hand on what comes, each piece *delay* seconds after it came, until nothing more does."""
    waiting = queue.SimpleQueue[tuple[float, bytes]]()

    def take() -> None:
        with contextlib.suppress(OSError):
            while data := read(1 << 16):
                waiting.put((time.monotonic() + delay, data))
        waiting.put((0.0, b""))

    threading.Thread(target=take, daemon=True).start()
    with contextlib.suppress(OSError):  # whoever listened there is gone
        while True:
            due, data = waiting.get()
            if not data:
                return
            time.sleep(max(0.0, due - time.monotonic()))
            write(data)


def main(round_trip: float, address: str, port: int) -> None:
    """Join stdin and stdout with a server, until it ends."""
    server = socket.create_connection((address, port))
    there = threading.Thread(target=late, args=(lambda size: os.read(0, size), server.sendall, round_trip / 2), daemon=True)
    there.start()
    late(server.recv, lambda data: os.write(1, data), round_trip / 2)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
