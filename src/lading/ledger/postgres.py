"""A ledger in PostgreSQL, for a team: one connection, made anew when it was lost; its failures in words (psycopg)."""

import itertools
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import conninfo, rows

from lading import errors
from lading.ledger import address, schema, stores

R = TypeVar("R")
_numbers = itertools.count()  # of cursors: each has a name of its own
SLACK = 5.0  # seconds that this machine waits longer than the server: a lock that somebody holds is told by the server
WORDS = {"BYTES": "BYTEA", "EACH(hosts)": "json_each_text(hosts::json)"}
FOLDER = "lading"  # the schema (in PostgreSQL's sense) that the tables lie in
CONNECT: Mapping[str, int | str] = {
    "connect_timeout": 10, "keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 20_000, "application_name": "lading",
}


class _Connection(psycopg.Connection[dict[str, Any]]):
    """A connection whose server may be silent for *patience* seconds, then it counts as lost.

    A server that is stopped, frozen or behind a dead link keeps none of its own time-outs, and the kernel answers for it.
    """

    patience = 0.0

    def wait(self, gen: Generator[Any, Any, R], *words: Any, **more: Any) -> R:
        """See psycopg: it is asked again and again, also while nothing comes."""
        return super().wait(self._heard(gen), *words, **more)

    def _heard(self, gen: Generator[Any, Any, R]) -> Generator[Any, Any, R]:
        heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    heard = time.monotonic()
                elif time.monotonic() - heard >= self.patience:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"nothing was heard of it for {self.patience:g} s")
                wanted = gen.send(ready)
        except StopIteration as ended:
            return ended.value  # type: ignore[no-any-return]


class _Base:
    for_update = " FOR UPDATE"

    def __init__(self, base: psycopg.Connection[dict[str, Any]]) -> None:
        self.base = base

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Mapping[str, Any]]:
        cursor = self.base.execute(sql.replace("?", "%s").encode(), tuple(values))
        return list(cursor.fetchall()) if cursor.description else []

    def execute_each(self, sql: str, each: Sequence[Sequence[object]]) -> None:
        with self.base.cursor() as cursor:
            cursor.executemany(sql.replace("?", "%s").encode(), each)

    def scan(
        self, sql: str, values: Sequence[object] = (), at_once: int = stores.CHUNK
    ) -> Iterator[Mapping[str, Any]]:
        with self.base.cursor(name=f"scan_{next(_numbers)}") as cursor:
            cursor.itersize = at_once
            cursor.execute(sql.replace("?", "%s").encode(), tuple(values))
            yield from cursor


def _read(url: str) -> dict[str, str]:
    """What libpq reads in the address; its own words on a wrong one quote it, so they are not kept.

    Raises:
        SettingsError: part of a user or password would be taken for something else.
        LedgerError: it is no address.
    """
    try:
        words = {name: str(word) for name, word in conninfo.conninfo_to_dict(url).items()}
        wrong = address.unescaped(url, words)
    except psycopg.Error:
        wrong = address.unescaped(url, {})
        if not wrong:
            raise errors.LedgerError("the address of the ledger is no PostgreSQL URL", address.HINT) from None
    except ValueError:  # not UTF-8, or not when it is decoded
        wrong = "the URL of the ledger has an unescaped % in it, or is not in UTF-8"
    if wrong:
        raise errors.SettingsError(wrong, address.HINT)
    return words


def _schema_is_there(base: stores.Base) -> bool:
    return bool(base.execute("SELECT 1 FROM pg_namespace WHERE nspname=?", (FOLDER,)))


def _is_there(base: stores.Base, table: str) -> bool:
    """Asked of the catalogs, not by to_regclass: that may answer from before the lock that was just waited for."""
    return bool(base.execute("SELECT 1 FROM pg_tables WHERE schemaname=? AND tablename=?", (FOLDER, table)))


def _standing(base: stores.Base) -> schema.Standing:
    """`format` holds the oldest lading that can work with the tables: the first ones read nothing else."""
    if not _is_there(base, "format"):
        return schema.Standing(0, 0)
    marks = base.execute("SELECT number FROM format")
    oldest = int(marks[0]["number"]) if marks else 0
    if not _is_there(base, "migrations"):
        return schema.Standing(0, oldest)
    return schema.Standing(int(base.execute("SELECT max(number) AS number FROM migrations")[0]["number"]), oldest)


class PostgresStore:
    """See `stores.Store`. Calls wait for each other: they share one connection.

    *patience*: seconds without a sign of the server after which the connection counts as lost; 0 = a little more than WAIT.
    """

    shared = True

    def __init__(self, url: str, patience: float = 0.0) -> None:
        words = _read(url)
        self._words, self._patience = {**CONNECT, **words}, patience
        self.place = f"PostgreSQL {words.get('dbname', '')} on {words.get('host', 'this machine')}"
        self._hidden = address.secrets(url, words)
        self._check_tls(words)
        self._base: psycopg.Connection[dict[str, Any]] | None = None
        self._turn = threading.Lock()

    def _check_tls(self, words: Mapping[str, str]) -> None:
        """Passwords and history cross no network in clear: libpq's own default would let the server choose.

        Raises:
            LedgerError: the address does not demand TLS.
        """
        defaults = {one.keyword.decode(): (one.val or b"").decode() for one in psycopg.pq.Conninfo.get_defaults()}
        host = address.in_clear({**defaults, **words})
        if host:
            raise errors.LedgerError(
                address.cause(f"the ledger on {host} would be spoken to without TLS: its URL does not demand it", self._hidden),
                address.TLS_HINT, file=address.cause(self.place, self._hidden))

    def _open(self) -> psycopg.Connection[dict[str, Any]]:
        if self._base is None or self._base.closed or self._base.broken:
            base = _Connection.connect(**self._words, autocommit=True, row_factory=rows.dict_row)  # type: ignore[arg-type]
            base.patience = self._patience or stores.WAIT + SLACK
            wait, longest = int(stores.WAIT * 1000), int((stores.WAIT + SLACK / 2) * 1000)
            base.execute(f"SET search_path={FOLDER}; SET synchronous_commit=on; SET lock_timeout={wait}; "
                         f"SET statement_timeout={longest}; SET idle_in_transaction_session_timeout={3 * wait}".encode())
            self._base = base
        return self._base

    def prepare(self, writer: str, genesis: str) -> None:
        """The tables lie in the schema `lading`; those who make it at once wait for each other."""
        while schema.missing(self.transaction(_standing, write=False), self.place) is not None:
            self.transaction(lambda base: self._migrate(base, writer, genesis), write=True)

    def _migrate(self, base: stores.Base, writer: str, genesis: str) -> None:
        """Carry out the next migration, unless another process has done so in the meantime."""
        base.execute("SELECT pg_advisory_xact_lock(hashtext('lading'))")
        found = _standing(base)
        wanted = schema.missing(found, self.place)
        if wanted is None:
            return
        if found.readable_from == 0:
            if not _schema_is_there(base):
                base.execute(f"CREATE SCHEMA {FOLDER}")
            base.execute("CREATE TABLE IF NOT EXISTS format (number INTEGER NOT NULL)")
        for statement in wanted.statements(WORDS):
            base.execute(statement)
        if found.readable_from == 0:
            base.execute("INSERT INTO head VALUES (?, 0, ?)", (writer, genesis))
            base.execute("INSERT INTO format VALUES (?)", (wanted.readable_from,))
        base.execute("INSERT INTO migrations VALUES (?, ?)", (wanted.number, wanted.readable_from))
        base.execute("UPDATE format SET number=?", (wanted.readable_from,))

    def transaction(self, work: Callable[[stores.Base], stores.T], *, write: bool) -> stores.T:
        """See `stores.Store.transaction`; what only reads sees one snapshot and locks nothing."""
        with self._turn:
            try:
                base = self._open()
                with base.transaction():
                    if not write:
                        base.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    return work(_Base(base))
            except psycopg.Error as failed:
                if self._base is not None and isinstance(failed, psycopg.OperationalError):
                    self._base.close()
                raise self._explained(failed) from failed

    def close(self) -> None:
        """Close the connection."""
        with self._turn:
            if self._base is not None:
                self._base.close()

    def _explained(self, failed: psycopg.Error) -> errors.LedgerError:
        """A failure of PostgreSQL in words, with what to do; nothing of the password."""
        text = address.cause(failed.diag.message_primary or str(failed), self._hidden) or type(failed).__name__
        match failed:
            case psycopg.errors.LockNotAvailable():
                return errors.LedgerError(f"the ledger was locked for {stores.WAIT:.0f} s",
                                          "end the program that holds it, and try again", file=self.place)
            case psycopg.errors.InsufficientPrivilege() | psycopg.errors.ReadOnlySqlTransaction():
                return errors.LedgerError(f"the ledger cannot be written: {text}",
                                          f"GRANT the user what lading help security names for the ledger's role; tables are made, "
                                          f"and hosts forgotten, by the owner of schema {FOLDER}", file=self.place)
            case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
                return errors.LedgerError(f"the ledger is damaged: {text}", f"restore the schema {FOLDER} from a backup, or drop "
                                          "it, then: lading ledger rebuild", file=self.place)
            case psycopg.OperationalError():
                return errors.LedgerError(f"the ledger does not answer: {text}",
                                          "look at the server and at its URL; to go on without it: a fleet file that says ledger: sqlite",
                                          file=self.place)
        return errors.LedgerError(f"the ledger failed: {text}", "look at the server's log", file=self.place)
