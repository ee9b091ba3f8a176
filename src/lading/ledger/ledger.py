"""The ledger: append events to a chain, read history, verify; SQLite in the user's state folder."""

import asyncio
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from lading import events
from lading.ledger import tables

T = TypeVar("T")
GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it lies in the ledger."""

    event: events.Event
    at: str
    writer: str
    seq: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment, projected from its events; *origin* names the host it was read from, "" = made with this ledger."""

    deployment: str
    verb: str
    app: str
    version: str
    release: str
    destination: str
    actor: str
    reason: str
    commit: str
    url: str
    source: str
    started: str
    ended: str
    result: str
    hosts: Mapping[str, str]
    origin: str

    def as_json(self) -> dict[str, Any]:
        """One entry of `history --json`."""
        return {name: getattr(self, name) or None for name in self.__slots__}


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: what is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def link(writer: str, seq: int, at: str, event: Mapping[str, Any], prev: str) -> str:
    """The hash of a row: SHA-256 over all of it and the hash before."""
    row = [writer, seq, at, event["deployment"], event["kind"], event["host"], event["step"], event["data"], prev]
    return hashlib.sha256(canonical(row).encode()).hexdigest()


class Ledger:
    """One ledger file. Every call is one transaction in a thread of its own; the file is the only state."""

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

    async def append(self, *what: events.Event) -> None:
        """Add events to this writer's chain; they are synced to disk when it returns.

        Raises:
            LedgerError: nothing was stored.
        """
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

        def work(base: sqlite3.Connection) -> None:
            writer, seq, prev = tables.head(base)
            for event in what:
                stored = events.to_json(event)
                seq += 1
                hashed = link(writer, seq, at, stored, prev)
                base.execute("INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?)", (
                    writer, seq, at, event.deployment, stored["kind"], event.host, event.step,
                    canonical({"v": stored["v"], **stored["data"]}), prev, hashed))
                prev = hashed
                _project(base, event, at)
            base.execute("UPDATE head SET seq=?, hash=?", (seq, prev))

        await self._do(work)

    async def history(self, app: str = "", limit: int = 50) -> tuple[Deployment, ...]:
        """Deployments, newest first."""
        query = "SELECT * FROM deployments WHERE ?='' OR app=? ORDER BY started DESC, deployment DESC LIMIT ?"
        return await self._do(lambda base: tuple(_row(r) for r in base.execute(query, (app, app, limit))))

    async def deployment(self, prefix: str) -> Deployment | None:
        """The deployment with this id, or the only one whose id begins so."""
        query = "SELECT * FROM deployments WHERE substr(deployment, 1, ?)=? ORDER BY deployment=? DESC LIMIT 2"
        rows = await self._do(lambda base: list(base.execute(query, (len(prefix), prefix, prefix))))
        return _row(rows[0]) if len(rows) == 1 or (rows and rows[0]["deployment"] == prefix) else None

    async def events(self, deployment: str) -> tuple[Stored, ...]:
        """All events of one deployment, in the order in which they were stored."""
        query = "SELECT * FROM events WHERE deployment=? ORDER BY at, seq"
        rows = await self._do(lambda base: list(base.execute(query, (deployment,))))
        return tuple(Stored(_event(row), row["at"], row["writer"], row["seq"]) for row in rows)

    async def head(self) -> tuple[str, int, str]:
        """This writer's id, the number and the hash of its last event."""
        return await self._do(tables.head)

    async def verify(self) -> tuple[str, ...]:
        """What is wrong with the chain, in words; empty = every row is as it was written."""
        return await self._do(_verify)

    async def import_foreign(self, records: Iterable[Mapping[str, Any]]) -> int:
        """Take over deployments that hosts' journals tell of; known ones stay as they are. How many were new."""
        chosen = list(records)

        def work(base: sqlite3.Connection) -> int:
            before = base.total_changes
            for record in chosen:
                base.execute(tables.INSERT_DEPLOYMENT, {**record, "hosts": canonical(record["hosts"]),
                                                        "origin": f"host {record['seen_on']}"})
            return base.total_changes - before

        return await self._do(work)

    async def rebuild(self) -> None:
        """Make the deployments table anew from the events; what came from hosts is imported again by the caller."""

        def work(base: sqlite3.Connection) -> None:
            base.execute("DELETE FROM deployments")
            for row in base.execute("SELECT * FROM events ORDER BY writer, seq").fetchall():
                _project(base, _event(row), row["at"])

        await self._do(work)


def _event(row: sqlite3.Row) -> events.Event:
    data = json.loads(row["data"])
    return events.from_json({"v": data.pop("v", 1), "kind": row["kind"], "deployment": row["deployment"],
                             "host": row["host"], "step": row["step"], "data": data})


def _row(row: sqlite3.Row) -> Deployment:
    return Deployment(**{**dict(row), "hosts": json.loads(row["hosts"])})


def _project(base: sqlite3.Connection, event: events.Event, at: str) -> None:
    if isinstance(event, events.DeploymentPlanned) and event.verb != "resume":
        names = ("deployment", "verb", "app", "version", "release", "destination", "actor", "reason", "commit", "url",
                 "source")
        values = {name: getattr(event, name) for name in names}
        base.execute(tables.INSERT_DEPLOYMENT, {
            **values, "started": at[:19] + "Z", "ended": "", "result": "running", "origin": "",
            "hosts": canonical(dict.fromkeys(event.hosts, "running")),
        })
    elif isinstance(event, events.DeploymentEnded):
        base.execute("UPDATE deployments SET ended=?, result=?, hosts=? WHERE deployment=?",
                     (at[:19] + "Z", event.result, canonical(event.hosts), event.deployment))


def _verify(base: sqlite3.Connection) -> tuple[str, ...]:
    writer, last, final = tables.head(base)
    faults: list[str] = []
    prev, expected = GENESIS, 1
    rows: Sequence[sqlite3.Row] = base.execute("SELECT * FROM events WHERE writer=? ORDER BY seq", (writer,)).fetchall()
    for row in rows:
        if row["seq"] != expected:
            faults.append(f"row {expected} is missing" if row["seq"] > expected else f"row {row['seq']} is there twice")
        elif row["prev"] != prev:
            faults.append(f"row {row['seq']} does not follow the row before it: one of them was moved or changed")
        data = json.loads(row["data"])
        data.pop("v", None)
        stored = {"deployment": row["deployment"], "kind": row["kind"], "host": row["host"], "step": row["step"],
                  "data": data}
        if link(writer, row["seq"], row["at"], stored, row["prev"]) != row["hash"]:
            faults.append(f"row {row['seq']} ({row['kind']} of {row['deployment']}, {row['at']}) was changed")
        prev, expected = row["hash"], row["seq"] + 1
    if expected - 1 != last or (rows and prev != final):
        faults.append(f"the chain ends at row {expected - 1}, its head says {last}: rows at the end are missing")
    return tuple(faults)


async def open_ledger(path: Path) -> Ledger:
    """The ledger at *path*, made if it is not there.

    Raises:
        LedgerError: it cannot be read or written, is damaged, or was written by a newer lading.
    """
    opened = Ledger(path)
    await asyncio.to_thread(tables.prepare, path, secrets.token_hex(8), GENESIS)
    return opened
