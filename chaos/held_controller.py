"""lading's own controller, held at a chosen event until it is told to go on: no test build, no luck with timing.

    held_controller.py '{"directory": …, "version": …, "to": […], "hold": [[KIND, HOST, STEP], …]}'

It deploys as `lading deploy --yes --json` does. Once an event of *hold* is stored, it prints {"held": [KIND, HOST, STEP]}
and waits for a line on stdin; at its end it prints {"ended": DOCUMENT} or {"error": DOCUMENT} and leaves with lading's exit code.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lading import bootstrap, errors, events
from lading.deploy import deploy as deployment
from lading.deploy.request import Request
from lading.ledger import ledger

Place = tuple[str, str, str]


class HoldingLedger(ledger.Ledger):
    """A ledger that stores what it is given and then, at the chosen places, waits; each place once."""

    def __init__(self, kept: ledger.Ledger, places: list[Place]) -> None:
        super().__init__(kept.store)
        self.places = places
        self.lines = asyncio.StreamReader()

    async def append(self, *stored: events.Event) -> None:
        """Store, say where the deployment stands, wait for a line."""
        await super().append(*stored)
        for event in stored:
            place = (type(event).__name__, event.host, event.step)
            if place in self.places:
                self.places.remove(place)
                say({"held": place})
                await self.lines.readline()


def say(what: Mapping[str, Any]) -> None:
    """One line of JSON for the test."""
    print(json.dumps(what), flush=True)


async def deploy(order: Mapping[str, Any]) -> int:
    """The deployment of `lading deploy`, with a ledger that holds it."""
    request = Request(Path(order["directory"]), tuple(order["to"]), version=order["version"],
                      take_lease=bool(order.get("take_lease")))
    async with bootstrap.opened(os.environ, request.directory, use=bootstrap.LedgerUse.WRITTEN) as context:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, context.stop.set)
        assert context.ledger is not None
        holding = HoldingLedger(context.ledger, [(kind, host, step) for kind, host, step in order["hold"]])
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(holding.lines), sys.stdin)
        done = await deployment.deploy(replace(context, ledger=holding), request)
    say({"ended": done.as_json()})
    return 0 if done.result in ("succeeded", "unchanged") else 5


def main() -> None:
    """Deploy; say how it ended."""
    try:
        sys.exit(asyncio.run(deploy(json.loads(sys.argv[1]))))
    except errors.LadingError as wrong:
        say({"error": wrong.as_json()})
        sys.exit(wrong.exit_code)


if __name__ == "__main__":
    main()
