"""What a place for a ledger is: transactions over one SQL that SQLite and PostgreSQL both take."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from lading.ledger import schema

T = TypeVar("T")
SCHEMA = schema.NUMBER
CHUNK = 1000  # rows that are read at once where all of a table is read
WAIT = 20.0  # seconds for somebody else's transaction


class Base(Protocol):
    """An open transaction. Values stand for `?`; a row is a mapping by column name, in the order of the columns.

    *for_update* is what locks the rows of a SELECT for a transaction that writes.
    """

    for_update: str

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Mapping[str, Any]]:
        """Run one statement; its rows, if it has any."""
        ...

    def scan(self, sql: str, values: Sequence[object] = ()) -> Iterator[Mapping[str, Any]]:
        """The rows of one SELECT, `CHUNK` of them in memory at a time; other statements may run in between."""
        ...


class Store(Protocol):
    """A place for a ledger; *place* names it for people, without a password; *shared*: it is a team's."""

    place: str
    shared: bool

    def prepare(self, writer: str, genesis: str) -> None:
        """Carry out the migrations that are missing; the ledger's writer is fixed by the first.

        Where none is missing nothing is written, and no right to make tables is needed.

        Raises:
            LedgerError: it cannot be opened, is damaged, or is of a lading that this one cannot work beside.
        """
        ...

    def transaction(self, work: Callable[[Base], T], *, write: bool) -> T:
        """Let *work* happen as a whole or not at all; synced to disk when it returns. It sees one state of everything.

        Raises:
            LedgerError: it cannot be read or written. After a lost connection it may have happened all the same.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
