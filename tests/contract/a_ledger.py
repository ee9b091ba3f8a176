"""Where ledgers of the tests lie, and how somebody tampers with them behind lading's back."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

import postgres_server
from lading import events
from lading.ledger import chain, deployments, ledger, tables

FIRST = "20261124-100000-aaaa"
LATER = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")  # than what a test stores now


class SqlitePlace:
    """A file."""

    def __init__(self, path: Path) -> None:
        self.where: Path | str = path

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.where)) as base:
            for statement in statements:
                cursor = base.execute(statement)
            rows = cursor.fetchall()
            base.commit()
        return rows

    def insert(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement with `?` in it for each row."""
        with closing(sqlite3.connect(self.where)) as base:
            base.executemany(statement, rows)
            base.commit()

    def script(self, text: str) -> None:
        """Run a dump."""
        with closing(sqlite3.connect(self.where)) as base:
            base.executescript(text)


class PostgresPlace:
    """A database of its own."""

    def __init__(self, server: postgres_server.Server, name: str) -> None:
        server.execute("postgres", f"CREATE DATABASE {name}")
        self.where: Path | str = server.url(name)

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(str(self.where)) as base:
            base.execute("SET search_path=lading")
            for statement in statements:
                cursor = base.execute(statement.encode())
            return list(cursor.fetchall()) if cursor.description else []

    def insert(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement with `?` in it for each row."""
        with psycopg.connect(str(self.where)) as base:
            base.execute("SET search_path=lading")
            base.cursor().executemany(statement.replace("?", "%s").encode(), rows)

    def script(self, text: str) -> None:
        """Run a dump."""
        with psycopg.connect(str(self.where)) as base:
            base.execute(text.encode())


Place = SqlitePlace | PostgresPlace


class Book:
    """A ledger as tests use it: every call to its end."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.kept = asyncio.run(ledger.open_ledger(place.where))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.kept, name)
        return lambda *words, **more: asyncio.run(method(*words, **more))

    def rows(self) -> list[chain.Row]:
        """The rows as they lie there."""
        return [chain.Row(*row) for row in self.place.execute("SELECT * FROM events ORDER BY writer, seq")]


def a_plan(deployment: str = FIRST, **more: Any) -> events.DeploymentPlanned:
    words: dict[str, Any] = {"app": "shop", "version": "1", "release": "r1", "hosts": ("web1",), "actor": "a@b", **more}
    return events.DeploymentPlanned(deployment, **words)


def an_end(deployment: str = FIRST, result: str = "succeeded") -> events.DeploymentEnded:
    return events.DeploymentEnded(deployment, result=result, hosts={"web1": result})


def a_story(book: Book, deployment: str = FIRST) -> None:
    """Ten rows: a deployment with eight states between its plan and its end."""
    book.append(a_plan(deployment))
    for number in range(8):
        book.append(events.StateSeen(deployment, "web1", "", summary=f"seen {number}"))
    book.append(an_end(deployment))


def many(place: Place, count: int, each: int) -> None:
    """A whole ledger of so many deployments of *each* rows, written past lading, since lading syncs every row."""
    Book(place).close()
    head = chain.Head(place.execute("SELECT writer FROM head")[0][0], 0, chain.GENESIS)
    rows, ids = list[chain.Row](), list[str]()
    for number in range(count):
        ids.append(f"20261124-{number // 3600 % 24:02}{number // 60 % 60:02}{number % 60:02}-{number:08x}")
        seen = events.StateSeen(ids[-1], "web1", "", summary="x" * 60)
        for event in (a_plan(ids[-1]), *[seen] * (each - 2), an_end(ids[-1])):
            rows.append(ledger.sealed(event, "2026-11-24T10:00:00.000000Z", head))
            head = chain.Head(head.writer, rows[-1].seq, rows[-1].hash)
    place.insert(tables.INSERT_EVENT, [row.values for row in rows])
    place.insert(
        "INSERT INTO deployments VALUES (?, 'deploy', 'shop', '1', 'r1', '', 'a@b', '', '', '', '', "
        "'2026-11-24T10:00:00Z', '2026-11-24T10:00:00Z', 'succeeded', '{\"web1\":\"succeeded\"}', '')",
        [(id,) for id in ids])
    place.execute(f"UPDATE head SET seq={head.seq}, hash='{head.hash}'")


def foreign(deployment: str, **more: Any) -> deployments.Deployment:
    """A deployment as hosts tell of it; open unless said otherwise."""
    words: dict[str, Any] = {
        "verb": "deploy", "app": "shop", "version": "2", "release": "r2", "destination": "web", "actor": "x@y", "reason": "",
        "commit": "", "url": "", "source": "", "started": LATER, "ended": "", "result": "unknown",
        "hosts": {"web1": "unknown"}, "origin": "host web1", **more,
    }
    return deployments.Deployment(deployment, **words)


APPENDER = """
import asyncio, sys
from pathlib import Path
from lading import events
from lading.ledger import ledger

async def work():
    where = sys.argv[1]
    kept = await ledger.open_ledger(where if "://" in where else Path(where))
    for number in range(int(sys.argv[3])):
        await kept.append(events.StateSeen("d-" + sys.argv[2], "web1", str(number), summary="x" * 200))
        print(number, flush=True)
    await kept.close()

asyncio.run(work())
"""
