"""The ledger's tables in SQLite, how it is opened, and its failures in words."""

import sqlite3
from contextlib import closing
from pathlib import Path

from lading import errors
from lading.ledger import chain

SCHEMA = 1
WAIT = 20.0  # seconds for somebody else's transaction
CREATE = """
CREATE TABLE IF NOT EXISTS head (writer TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL);
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
CREATE TABLE IF NOT EXISTS releases (id TEXT PRIMARY KEY, bytes BLOB NOT NULL);
"""
PUT_DEPLOYMENT = (
    "INSERT OR REPLACE INTO deployments VALUES (:deployment,:verb,:app,:version,:release,:destination,:actor,:reason,"
    ":commit,:url,:source,:started,:ended,:result,:hosts,:origin)"
)


def connect(path: Path) -> sqlite3.Connection:
    """A connection without implicit transactions; what is committed survives a power cut."""
    base = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
    base.row_factory = sqlite3.Row
    base.execute("PRAGMA synchronous=FULL")
    return base


def head(base: sqlite3.Connection) -> chain.Head:
    """Where this ledger's own chain ends; whoever appends holds the write lock when reading it."""
    found = base.execute("SELECT writer, seq, hash FROM head").fetchall()
    if len(found) != 1 or not isinstance(found[0]["seq"], int):
        raise sqlite3.DatabaseError("malformed: its head is not one row")
    return chain.Head(*found[0])


def rows(base: sqlite3.Connection, query: str, *values: str) -> list[chain.Row]:
    """Rows of `events` that a query of all their columns finds."""
    found = [chain.Row(*row) for row in base.execute(query, values)]
    if any(not isinstance(row.seq, int) for row in found):
        raise sqlite3.DatabaseError("malformed: a row has no number")
    return found


def prepare(path: Path, writer: str) -> None:
    """Make the file (0600, in a 0700 folder) and its tables if they are not there; check the schema's number.

    Raises:
        LedgerError: it cannot be made, is damaged, or is newer than this lading.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)
        with closing(connect(path)) as base:
            _make(base, path, writer)
    except sqlite3.Error as failed:
        raise explained(failed, path) from failed
    except OSError as failed:
        raise errors.LedgerError(f"the ledger cannot be opened: {failed.strerror}",
                                 f"make {path.parent} writable, or set XDG_STATE_HOME", file=str(path)) from failed


def _make(base: sqlite3.Connection, path: Path, writer: str) -> None:
    found = int(base.execute("PRAGMA user_version").fetchone()[0])
    if found > SCHEMA:
        raise errors.LedgerError(f"the ledger was written by a newer lading (schema {found}, known: {SCHEMA})",
                                 "install the newer lading", file=str(path))
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("BEGIN IMMEDIATE")
    fresh = int(base.execute("PRAGMA user_version").fetchone()[0]) == 0
    for statement in CREATE.split(";"):
        base.execute(statement)
    if fresh:
        base.execute("INSERT INTO head VALUES (?, 0, ?)", (writer, chain.GENESIS))
        base.execute(f"PRAGMA user_version={SCHEMA}")
    base.execute("COMMIT")


def explained(failed: sqlite3.Error, path: Path) -> errors.LedgerError:
    """A failure of SQLite in words, with what to do."""
    text = str(failed)
    hints = {
        "readonly": ("the ledger cannot be written", f"make {path} and its folder writable, or set XDG_STATE_HOME"),
        "unable to open": ("the ledger cannot be opened", f"make {path.parent} writable, or set XDG_STATE_HOME"),
        "not a database": ("the ledger is damaged", f"move {path} away, then: lading ledger rebuild"),
        "malformed": ("the ledger is damaged", f"move {path} away, then: lading ledger rebuild"),
        "locked": (f"the ledger was locked for {WAIT:.0f} s", "end the program that holds it, and try again"),
        "full": ("the disk of the ledger is full", f"make room for {path.parent}"),
        "disk I/O": ("the ledger cannot be read or written to its disk", f"look at the disk of {path.parent}: df, dmesg"),
    }
    for key, (message, hint) in hints.items():
        if key in text:
            return errors.LedgerError(message, hint, file=str(path))
    return errors.LedgerError(f"the ledger failed: {text}", f"look at {path}", file=str(path))
