"""The ledger's tables and the statements that both SQLite and PostgreSQL take."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lading.ledger import chain, stores

CREATE = """
CREATE TABLE IF NOT EXISTS head (writer TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS merged (writer TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    writer TEXT NOT NULL, seq INTEGER NOT NULL, at TEXT NOT NULL, deployment TEXT NOT NULL, kind TEXT NOT NULL,
    host TEXT NOT NULL, step TEXT NOT NULL, data TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL,
    PRIMARY KEY (writer, seq));
CREATE INDEX IF NOT EXISTS events_deployment ON events (deployment);
CREATE TABLE IF NOT EXISTS deployments (
    deployment TEXT PRIMARY KEY, verb TEXT NOT NULL, app TEXT NOT NULL, version TEXT NOT NULL, "release" TEXT NOT NULL,
    destination TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL, "commit" TEXT NOT NULL, url TEXT NOT NULL,
    source TEXT NOT NULL, started TEXT NOT NULL, ended TEXT NOT NULL, result TEXT NOT NULL, hosts TEXT NOT NULL,
    origin TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS releases (id TEXT PRIMARY KEY, bytes BYTES NOT NULL)
"""
COLUMNS = ("deployment", "verb", "app", "version", "release", "destination", "actor", "reason", "commit", "url", "source",
           "started", "ended", "result", "hosts", "origin")
INSERT_EVENT = "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?)"
PUT_DEPLOYMENT = (
    f"INSERT INTO deployments VALUES ({','.join('?' for _ in COLUMNS)}) ON CONFLICT (deployment) DO UPDATE SET "
    + ", ".join(f'"{name}"=excluded."{name}"' for name in COLUMNS[1:])
)
KEEP_RELEASE = "INSERT INTO releases VALUES (?,?) ON CONFLICT (id) DO NOTHING"
PUT_MERGED = (
    "INSERT INTO merged VALUES (?,?,?) ON CONFLICT (writer) DO UPDATE SET seq=excluded.seq, hash=excluded.hash"
)


class Damaged(Exception):
    """The ledger holds what lading does not write, and which row."""


def create(bytes_type: str) -> Iterator[str]:
    """The statements that make the tables, where bytes are of this type."""
    return (statement.replace("BYTES", bytes_type) for statement in CREATE.split(";"))


def head(base: stores.Base, *, lock: bool = False) -> chain.Head:
    """Where this ledger's own chain ends; whoever appends locks it, so that nobody else reads the same number."""
    found = base.execute("SELECT writer, seq, hash FROM head" + (base.for_update if lock else ""))
    if len(found) != 1 or not isinstance(found[0]["seq"], int):
        raise Damaged("its head is not one row")
    return chain.Head(**found[0])


def rows(base: stores.Base, condition: str = "", values: Sequence[object] = ()) -> list[chain.Row]:
    """Rows of `events` in the order of their numbers, by writer."""
    query = "SELECT writer, seq, at, deployment, kind, host, step, data, prev, hash FROM events "
    found = [chain.Row(**row) for row in base.execute(f"{query} {condition} ORDER BY writer, seq", values)]
    if any(not isinstance(row.seq, int) for row in found):
        raise Damaged("a row of its events has no number")
    return found


def deployment_values(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A deployment in the order of the table's columns; text that is no UTF-8 (from an odd locale) is shown as `?`."""
    return tuple(str(row[name]).encode("utf-8", "replace").decode().replace("\0", "?") for name in COLUMNS)
