"""lading's own controller, held at a chosen event until it is told to go on: no test build, no luck with timing.

    held_controller.py '{"directory": …, "version": …, "to": […], "hold": [[KIND, HOST, STEP], …]}'

It deploys as `lading deploy --yes --json` does. Once an event of *hold* has happened, it prints {"held": [KIND, HOST, STEP],
"deployment": ID} and waits for a line on stdin; at its end it prints {"ended": DOCUMENT} or {"error": DOCUMENT} and leaves with
lading's exit code. What is about a host holds that host alone, what is about the whole (HOST is "") holds all.
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

from lading import bootstrap, context, errors, events
from lading.deploy import deploy as deployment
from lading.deploy.request import Request
from lading.engines import base
from lading.ledger import ledger

Place = tuple[str, str, str]


class Holder:
    """Waits at the chosen places, each place once, for a line on stdin."""

    def __init__(self, places: list[Place]) -> None:
        self.places = places
        self.lines = asyncio.StreamReader()

    async def listen(self) -> None:
        """Read stdin from now on."""
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self.lines), sys.stdin)

    async def hold(self, event: events.Event) -> None:
        """Say where the deployment stands, and wait, if *event* is one of the places."""
        place = (type(event).__name__, event.host, event.step)
        if place not in self.places:
            return
        self.places.remove(place)
        say({"held": place, "deployment": event.deployment})
        await self.lines.readline()


class HoldingLedger(ledger.Ledger):
    """A ledger that stores what is about the whole deployment and then is held."""

    def __init__(self, kept: ledger.Ledger, holder: Holder) -> None:
        super().__init__(kept.store)
        self.holder = holder

    async def append(self, *stored: events.Event) -> None:
        """Store, and hold."""
        await super().append(*stored)
        for event in stored:
            if not event.host:
                await self.holder.hold(event)

    async def begin(self, what: events.DeploymentPlanned, places: Mapping[str, str]) -> None:
        """Store the intent, and hold."""
        await super().begin(what, places)
        await self.holder.hold(what)


class HoldingEngine:
    """lading's engine, held after what it has recorded about a host."""

    def __init__(self, engine: base.Engine, holder: Holder) -> None:
        self.engine, self.holder = engine, holder

    async def apply(self, order: base.DeploymentOrder, record: events.Record) -> base.Report:
        """See `base.Engine.apply`."""
        return await self.engine.apply(order, self._held(record))

    async def settle(self, order: base.DeploymentOrder, record: events.Record, way: base.Way) -> base.Report:
        """See `base.Engine.settle`."""
        return await self.engine.settle(order, self._held(record), way)

    async def remove(self, order: base.DeploymentOrder, record: events.Record) -> base.Report:
        """See `base.Engine.remove`."""
        return await self.engine.remove(order, self._held(record))

    def _held(self, record: events.Record) -> events.Record:
        async def recorded(event: events.Event) -> None:
            await record(event)
            if event.host:
                await self.holder.hold(event)

        return recorded


def say(what: Mapping[str, Any]) -> None:
    """One line of JSON for the test."""
    print(json.dumps(what), flush=True)


def obey_signals(stop: asyncio.Event) -> None:
    """As the command line does: the first Ctrl-C or SIGTERM stops, the second leaves at once; a closed terminal stops."""

    def interrupted() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    loop.add_signal_handler(signal.SIGHUP, stop.set)


def held(made: context.Context, holder: Holder) -> context.Context:
    """The same context, whose ledger and engine are held."""
    assert made.ledger is not None and made.engine is not None
    return replace(made, ledger=HoldingLedger(made.ledger, holder), engine=HoldingEngine(made.engine, holder))


async def deploy(order: Mapping[str, Any]) -> int:
    """The deployment of `lading deploy`, held."""
    request = Request(Path(order["directory"]), tuple(order["to"]), version=order["version"])
    async with bootstrap.opened(os.environ, request.directory, use=bootstrap.LedgerUse.WRITTEN) as made:
        obey_signals(made.stop)
        holder = Holder([(kind, host, step) for kind, host, step in order["hold"]])
        await holder.listen()
        done = await deployment.deploy(held(made, holder), request)
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
