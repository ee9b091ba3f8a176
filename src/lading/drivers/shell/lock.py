"""Whether a script on a host still holds the app's lock, as far as it was heard."""

import asyncio
import time
from collections.abc import Callable

from lading.drivers import base

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
