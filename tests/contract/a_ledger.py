"""Ledger files for the tests in this folder: made, read, and spoiled by hand."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lading import events
from lading.ledger import ledger

APPENDER = """
import asyncio, sys
from pathlib import Path
from lading import events
from lading.ledger import ledger

async def work():
    kept = await ledger.open_ledger(Path(sys.argv[1]))
    for number in range(int(sys.argv[3])):
        await kept.append(events.StateSeen("d-" + sys.argv[2], "web1", str(number), summary="x" * 200))
        print(number, flush=True)

asyncio.run(work())
"""


def opened(path: Path) -> ledger.Ledger:
    return asyncio.run(ledger.open_ledger(path))


def a_plan(deployment: str = "20261124-100000-aaaa", **more: object) -> events.DeploymentPlanned:
    words: dict[str, object] = {"app": "shop", "version": "1", "release": "r1", "hosts": ("web1",), "actor": "a@b", **more}
    return events.DeploymentPlanned(deployment, **words)  # type: ignore[arg-type]


def an_end(deployment: str = "20261124-100000-aaaa", result: str = "succeeded") -> events.DeploymentEnded:
    return events.DeploymentEnded(deployment, result=result, hosts={"web1": result})


def verified(kept: ledger.Ledger) -> tuple[str, ...]:
    return asyncio.run(kept.verify())


def tamper(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as base:
        for statement in statements:
            base.execute(statement)
        base.commit()


@contextmanager
def started(script: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", script, *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
