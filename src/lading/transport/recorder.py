"""A transport without hosts: notes every command, masked, and answers with what it was given (dry run, tests)."""

import asyncio
from collections import Counter
from collections.abc import Callable

from lading.inventory import hosts
from lading.transport import base, command


class RecorderTransport:
    """Notes what would be sent; *answers* says what each host answers."""

    def __init__(self, answers: Callable[[hosts.Host, command.Command], command.Result]) -> None:
        self._answers = answers
        self.lines: list[tuple[hosts.Host, str]] = []
        """Host and masked command, in the order of the calls."""
        self.count: Counter[str] = Counter()
        """Round trips by host name."""

    async def run(
        self, host: hosts.Host, what: command.Command, on_part: base.OnPart | None = None,
        until: asyncio.Event | None = None,
    ) -> command.Result:
        """Note *what* and answer; see `base.Transport.run`."""
        self.lines.append((host, what.masked()))
        self.count[host.name] += 1
        result = self._answers(host, what)
        if on_part is not None:
            for name, content in result.parts.items():
                on_part(name, content)  # also after True: a real host has sent the rest by then
        return result

    async def close(self) -> None:
        """There is nothing to close."""
