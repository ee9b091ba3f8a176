"""A ledger in a SQLite file of the user's, by the standard library; its failures in words."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from lading import errors
from lading.ledger import stores


class _Base:
    for_update = ""  # BEGIN IMMEDIATE has locked it all

    def __init__(self, base: sqlite3.Connection) -> None:
        self.base = base

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Mapping[str, Any]]:
        cursor = self.base.execute(sql, tuple(values))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


class SqliteStore:
    """See `stores.Store`. Every transaction opens the file anew: nothing is held between them."""

    def __init__(self, path: Path) -> None:
        self.path, self.place = path, str(path)

    def _connect(self) -> sqlite3.Connection:
        """A connection without implicit transactions; what is committed survives a power cut."""
        base = sqlite3.connect(self.path, timeout=stores.WAIT, isolation_level=None)
        base.execute("PRAGMA synchronous=FULL")
        return base

    def prepare(self, tables: Callable[[str], Iterable[str]], writer: str, genesis: str) -> None:
        """The file is 0600, a folder that is made for it 0700."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.path.exists():
                self.path.touch(mode=0o600)
            with closing(self._connect()) as base:
                self._make(base, tables("BLOB"), writer, genesis)
        except sqlite3.Error as failed:
            raise explained(failed, self.path) from failed
        except OSError as failed:
            raise errors.LedgerError(f"the ledger cannot be opened: {failed.strerror}",
                                     f"make {self.path.parent} writable, or set XDG_STATE_HOME", file=self.place) from failed

    def _make(self, base: sqlite3.Connection, tables: Iterable[str], writer: str, genesis: str) -> None:
        found = int(base.execute("PRAGMA user_version").fetchone()[0])
        if found > stores.SCHEMA:
            raise errors.LedgerError(f"the ledger was written by a newer lading (schema {found}, known: {stores.SCHEMA})",
                                     "install the newer lading", file=self.place)
        _log_ahead(base)
        base.execute("BEGIN IMMEDIATE")
        fresh = int(base.execute("PRAGMA user_version").fetchone()[0]) == 0
        for statement in tables:
            base.execute(statement)
        if fresh:
            base.execute("INSERT INTO head VALUES (?, 0, ?)", (writer, genesis))
            base.execute(f"PRAGMA user_version={stores.SCHEMA}")
        base.execute("COMMIT")

    def transaction(self, work: Callable[[stores.Base], stores.T], *, write: bool) -> stores.T:
        """See `stores.Store.transaction`."""
        try:
            with closing(self._connect()) as base:
                base.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                result = work(_Base(base))
                base.execute("COMMIT")
                return result
        except sqlite3.Error as failed:
            raise explained(failed, self.path) from failed

    def close(self) -> None:
        """Nothing is held."""


def _log_ahead(base: sqlite3.Connection) -> None:
    """Switch to a write-ahead log. For this alone SQLite does not wait while another process writes, so we do.

    Raises:
        sqlite3.OperationalError: it was still locked after `stores.WAIT`.
    """
    until = time.monotonic() + stores.WAIT
    while True:
        try:
            base.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as busy:
            if "locked" not in str(busy) or time.monotonic() > until:
                raise
        time.sleep(0.02)


def explained(failed: sqlite3.Error, path: Path) -> errors.LedgerError:
    """A failure of SQLite in words, with what to do."""
    text = str(failed)
    hints = {
        "readonly": ("the ledger cannot be written", f"make {path} and its folder writable, or set XDG_STATE_HOME"),
        "unable to open": ("the ledger cannot be opened", f"make {path.parent} writable, or set XDG_STATE_HOME"),
        "not a database": ("the ledger is damaged", f"move {path} away, then: lading ledger rebuild"),
        "malformed": ("the ledger is damaged", f"move {path} away, then: lading ledger rebuild"),
        "locked": (f"the ledger was locked for {stores.WAIT:.0f} s", "end the program that holds it, and try again"),
        "full": ("the disk of the ledger is full", f"make room for {path.parent}"),
        "disk I/O": ("the ledger cannot be read or written to its disk", f"look at the disk of {path.parent}: df, dmesg"),
    }
    for key, (message, hint) in hints.items():
        if key in text:
            return errors.LedgerError(message, hint, file=str(path))
    return errors.LedgerError(f"the ledger failed: {text}", f"look at {path}", file=str(path))
