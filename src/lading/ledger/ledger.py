"""The ledger: append events to a chain, keep releases, read history, verify; SQLite in the user's state folder."""

import asyncio
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, astuple, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from lading import errors, events
from lading.ledger import chain, deployments, tables

T = TypeVar("T")


class Ledger:
    """One ledger file. Every call is one transaction in a thread of its own; the file is the only state.

    Every method raises LedgerError if the file cannot be read or written, or holds what lading does not write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.to_thread(self._transaction, work)

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with closing(tables.connect(self.path)) as base:
                base.execute("BEGIN IMMEDIATE")
                result = work(base)
                base.execute("COMMIT")
                return result
        except sqlite3.Error as failed:
            raise tables.explained(failed, self.path) from failed
        except _Unreadable as found:
            raise errors.LedgerError(f"the ledger holds what this lading cannot read: {found}",
                                     "if a newer lading wrote it, install that; else: lading ledger verify",
                                     file=str(self.path)) from found

    async def append(self, *what: events.Event) -> None:
        """Add events to this writer's chain; they are synced to disk when it returns, or nothing was stored."""
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

        def work(base: sqlite3.Connection) -> None:
            head = tables.head(base)
            for event in what:
                row = _sealed(event, at, head)
                base.execute("INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?)", astuple(row))
                head = chain.Head(row.writer, row.seq, row.hash)
                _project(base, event, at)
            base.execute("UPDATE head SET seq=?, hash=?", (head.seq, head.hash))

        await self._do(work)

    async def keep(self, *releases: bytes) -> None:
        """Keep releases by the hash of their canonical bytes; those that are there stay as they are."""
        rows = [(release_id(content), content) for content in releases]
        await self._do(lambda base: base.executemany("INSERT OR IGNORE INTO releases VALUES (?,?)", rows))

    async def release(self, id: str) -> bytes | None:
        """The canonical bytes of a release, if this ledger keeps them as they were."""
        rows = await self._do(lambda base: base.execute("SELECT bytes FROM releases WHERE id=?", (id,)).fetchall())
        return bytes(rows[0]["bytes"]) if rows and release_id(rows[0]["bytes"]) == id else None

    async def count_releases(self) -> int:
        """How many releases are kept."""
        return int(await self._do(lambda base: base.execute("SELECT count(*) FROM releases").fetchone()[0]))

    async def history(self, app: str = "", limit: int = 50) -> tuple[deployments.Deployment, ...]:
        """Deployments, newest first."""
        query = "SELECT * FROM deployments WHERE ?='' OR app=? ORDER BY started DESC, deployment DESC LIMIT ?"
        return await self._do(lambda base: tuple(_deployment(r) for r in base.execute(query, (app, app, limit))))

    async def deployment(self, prefix: str) -> deployments.Deployment | None:
        """The deployment with this id, or the only one whose id begins so.

        Raises:
            UnknownReleaseError: several begin so; some are named.
        """
        query = "SELECT * FROM deployments WHERE substr(deployment, 1, ?)=? ORDER BY deployment LIMIT 6"
        rows = await self._do(lambda base: [_deployment(r) for r in base.execute(query, (len(prefix), prefix))])
        if len(rows) > 1 and rows[0].deployment != prefix:
            raise errors.UnknownReleaseError(f"several deployments begin with {prefix!r}",
                                             "say more of: " + ", ".join(row.deployment for row in rows))
        return rows[0] if rows else None

    async def events(self, deployment: str) -> tuple[deployments.Stored, ...]:
        """All events of one deployment, in the order in which they were stored."""
        query = "SELECT * FROM events WHERE deployment=? ORDER BY writer, seq"
        return await self._do(lambda base: tuple(
            deployments.Stored(_event(row), row.at, row.writer, row.seq)
            for row in tables.rows(base, query, deployment)))

    async def head(self) -> chain.Head:
        """Where this writer's chain ends."""
        return await self._do(tables.head)

    async def verify(self, attested: Iterable[chain.Attested] = ()) -> tuple[str, ...]:
        """What is wrong, in words: rows, the list of deployments, kept releases; and what *attested* speaks against.

        Empty = every row is as it was written.
        """
        said = tuple(attested)
        return await self._do(lambda base: tuple(_faults(base, said)))

    async def take(self, told: Iterable[deployments.Deployment]) -> int:
        """Merge deployments that hosts tell of into the list, unchained; how many this ledger did not know."""
        chosen = list(told)
        return await self._do(lambda base: sum(_take(base, one) for one in chosen))

    async def rebuild(self, told: Iterable[deployments.Deployment]) -> None:
        """Make the list of deployments anew from the events and from what hosts tell now.

        What was read from hosts before stays where they do not tell of it again: it may be all that is left.
        """
        chosen = list(told)

        def work(base: sqlite3.Connection) -> None:
            base.execute("DELETE FROM deployments WHERE origin=''")
            base.executemany("DELETE FROM deployments WHERE deployment=?", [(one.deployment,) for one in chosen])
            for row in tables.rows(base, "SELECT * FROM events ORDER BY writer, seq"):
                _project(base, _event(row), row.at)
            for one in chosen:
                _take(base, one)

        await self._do(work)


class _Unreadable(Exception):
    """A row that this lading cannot read, and why."""


def release_id(content: bytes) -> str:
    """The id of a release: the first 12 hex digits of the SHA-256 of its canonical bytes."""
    return hashlib.sha256(content).hexdigest()[:12]


def _sealed(event: events.Event, at: str, head: chain.Head) -> chain.Row:
    stored = events.to_json(event)
    data = chain.canonical({"v": stored["v"], **stored["data"]})
    row = chain.Row(head.writer, head.seq + 1, at, event.deployment, stored["kind"], event.host, event.step, data,
                    head.hash)
    return replace(row, hash=chain.link(row))


def _event(row: chain.Row) -> events.Event:
    try:
        data = json.loads(row.data)
        return events.from_json({"v": data.pop("v", 0), "kind": row.kind, "deployment": row.deployment,
                                 "host": row.host, "step": row.step, "data": data})
    except (ValueError, TypeError, AttributeError) as wrong:
        raise _Unreadable(f"row {row.seq}: {wrong}") from wrong


def _deployment(row: sqlite3.Row) -> deployments.Deployment:
    try:
        return deployments.Deployment(**{**dict(row), "hosts": dict(json.loads(row["hosts"]))})
    except (ValueError, TypeError) as wrong:
        raise _Unreadable(f"deployment {row['deployment']}: {wrong}") from wrong


def _known(base: sqlite3.Connection, deployment: str) -> deployments.Deployment | None:
    rows = base.execute("SELECT * FROM deployments WHERE deployment=?", (deployment,)).fetchall()
    return _deployment(rows[0]) if rows else None


def _put(base: sqlite3.Connection, row: deployments.Deployment) -> None:
    base.execute(tables.PUT_DEPLOYMENT, {**asdict(row), "hosts": chain.canonical(row.hosts)})


def _take(base: sqlite3.Connection, told: deployments.Deployment) -> bool:
    known = _known(base, told.deployment)
    _put(base, deployments.merged(known, told) if known else told)
    return known is None


def _project(base: sqlite3.Connection, event: events.Event, at: str) -> None:
    if isinstance(event, events.DeploymentPlanned) and event.verb != "resume":
        _put(base, deployments.planned(event, at))
    elif isinstance(event, events.DeploymentEnded):
        known = _known(base, event.deployment)
        if known is not None:
            _put(base, deployments.ended(known, event, at))


def _faults(base: sqlite3.Connection, attested: Sequence[chain.Attested]) -> Iterator[str]:
    head = tables.head(base)
    rows = tables.rows(base, "SELECT * FROM events ORDER BY writer, seq")
    mine = [row for row in rows if row.writer == head.writer]
    yield from chain.faults(mine, head)
    for writer in sorted({row.writer for row in rows} - {head.writer}):
        count = sum(row.writer == writer for row in rows)
        yield f"{count} rows of writer {writer} were added: this ledger is of writer {head.writer}"
    yield from chain.unattested(mine, head.writer, attested)
    yield from _misprojected(base, mine)
    for id, content in base.execute("SELECT id, bytes FROM releases"):
        if release_id(content) != id:
            yield f"release {id} was changed: its bytes have the id {release_id(content)}"


def _misprojected(base: sqlite3.Connection, rows: Sequence[chain.Row]) -> Iterator[str]:
    """Deployments of the list that say otherwise than their events."""
    found: dict[str, deployments.Deployment] = {}
    for row in rows:
        event = _event(row) if row.sealed and row.kind in ("DeploymentPlanned", "DeploymentEnded") else None
        if isinstance(event, events.DeploymentPlanned) and event.verb != "resume":
            found[row.deployment] = deployments.planned(event, row.at)
        elif isinstance(event, events.DeploymentEnded) and row.deployment in found:
            found[row.deployment] = deployments.ended(found[row.deployment], event, row.at)
    for key, one in found.items():
        listed = _known(base, key)
        settled = one.ended and "unknown" not in one.hosts.values()
        if listed is None or (listed != one if settled else listed.started != one.started):
            yield f"deployment {key} is not in the list as its events tell it: lading ledger rebuild"


async def open_ledger(path: Path) -> Ledger:
    """The ledger at *path*, made if it is not there.

    Raises:
        LedgerError: it cannot be read or written, is damaged, or was written by a newer lading.
    """
    await asyncio.to_thread(tables.prepare, path, secrets.token_hex(8))
    return Ledger(path)
