"""What a place for a ledger is: transactions over one SQL that SQLite and PostgreSQL both take."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
SCHEMA = 1
WAIT = 20.0  # seconds for somebody else's transaction


class Base(Protocol):
    """An open transaction. Values stand for `?`; a row is a mapping by column name, in the order of the columns.

    *for_update* is what locks the rows of a SELECT for a transaction that writes.
    """

    for_update: str

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Mapping[str, Any]]:
        """Run one statement; its rows, if it has any."""
        ...


class Store(Protocol):
    """A place for a ledger; *place* names it for people, without a password."""

    place: str

    def prepare(self, tables: Callable[[str], Iterable[str]], writer: str, genesis: str) -> None:
        """Make what is not there (*tables*: statements, given the type of bytes); the ledger's writer is fixed by the first.

        Raises:
            LedgerError: it cannot be opened, is damaged, or is newer than this lading.
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
