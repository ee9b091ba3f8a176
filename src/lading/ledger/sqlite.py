"""A ledger in a SQLite file of the user's, by the standard library; its failures in words."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from lading import errors
from lading.ledger import schema, stores

WORDS = {"BYTES": "BLOB", "EACH": "json_each"}


class _Base:
    for_update = ""  # BEGIN IMMEDIATE has locked it all

    def __init__(self, base: sqlite3.Connection) -> None:
        self.base = base

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Mapping[str, Any]]:
        cursor = self.base.execute(sql, tuple(values))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def execute_each(self, sql: str, each: Sequence[Sequence[object]]) -> None:
        self.base.executemany(sql, each)

    def scan(
        self, sql: str, values: Sequence[object] = (), at_once: int = stores.CHUNK
    ) -> Iterator[Mapping[str, Any]]:
        cursor = self.base.execute(sql, tuple(values))
        names = [column[0] for column in cursor.description]
        while rows := cursor.fetchmany(at_once):
            for row in rows:
                yield dict(zip(names, row, strict=True))


class SqliteStore:
    """See `stores.Store`. Every transaction opens the file anew: nothing is held between them."""

    shared = False

    def __init__(self, path: Path) -> None:
        self.path, self.place = path, str(path)

    def _connect(self) -> sqlite3.Connection:
        """A connection without implicit transactions; what is committed survives a power cut."""
        base = sqlite3.connect(self.path, timeout=stores.WAIT, isolation_level=None)
        base.execute("PRAGMA synchronous=FULL")
        return base

    def prepare(self, writer: str, genesis: str) -> None:
        """The file is 0600, a folder that is made for it 0700."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.path.exists():
                self.path.touch(mode=0o600)
            with closing(self._connect()) as base:
                missing = schema.missing(_standing(base), self.place)
                _log_ahead(base)
                while missing is not None:
                    self._migrate(base, writer, genesis)
                    missing = schema.missing(_standing(base), self.place)
        except sqlite3.Error as failed:
            raise explained(failed, self.path) from failed
        except OSError as failed:
            raise errors.LedgerError(f"the ledger cannot be opened: {failed.strerror}",
                                     f"make {self.path.parent} writable, or set XDG_STATE_HOME", file=self.place) from failed

    def _migrate(self, base: sqlite3.Connection, writer: str, genesis: str) -> None:
        """Carry out the next migration, unless another process has done so in the meantime."""
        base.execute("BEGIN IMMEDIATE")
        found = _standing(base)
        wanted = schema.missing(found, self.place)
        if wanted is not None:
            for statement in wanted.statements(WORDS):
                base.execute(statement)
            if found.readable_from == 0:
                base.execute("INSERT INTO head VALUES (?, 0, ?)", (writer, genesis))
            base.execute("INSERT INTO migrations VALUES (?, ?)", (wanted.number, wanted.readable_from))
            base.execute(f"PRAGMA user_version={wanted.readable_from}")
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


def _standing(base: sqlite3.Connection) -> schema.Standing:
    """`user_version` holds the oldest lading that can work with the file: the first ones read nothing else."""
    oldest = int(base.execute("PRAGMA user_version").fetchone()[0])
    if not base.execute("SELECT 1 FROM sqlite_master WHERE type='table' AND name='migrations'").fetchone():
        return schema.Standing(0, oldest)
    number = base.execute("SELECT max(number) FROM migrations").fetchone()[0]
    return schema.Standing(int(number), oldest)


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
