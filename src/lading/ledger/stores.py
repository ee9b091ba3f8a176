"""What a place for a ledger is: transactions over one SQL that SQLite and PostgreSQL both take."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from lading.ledger import schema

T = TypeVar("T")
SCHEMA = schema.NUMBER
CHUNK = 1000  # rows that are read at once where all of a table is read
FEW = 8  # the same of rows that hold whole releases or last lines
ASKED = 500  # ids in one statement: older SQLite takes 999 values
WAIT = 20.0  # seconds for somebody else's transaction


class Base(Protocol):
    """An open transaction. Values stand for `?`; a row is a mapping by column name, in the order of the columns.

    *for_update* is what locks the rows of a SELECT for a transaction that writes.
    """

    for_update: str

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[Mapping[str, Any]]:
        """Run one statement; its rows, if it has any."""
        ...

    def execute_each(self, sql: str, each: Sequence[Sequence[object]]) -> None:
        """Run one statement that returns nothing for each of these values, in their order."""
        ...

    def scan(
        self, sql: str, values: Sequence[object] = (), at_once: int = CHUNK
    ) -> Iterator[Mapping[str, Any]]:
        """The rows of one SELECT, *at_once* of them in memory; other statements may run in between.

        All of them are of one state, whoever writes meanwhile.
        """
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


def chunks(all_of_it: Iterable[T], size: int) -> Iterator[list[T]]:
    """What comes, *size* of it at a time."""
    rest = iter(all_of_it)
    while chunk := list(itertools.islice(rest, size)):
        yield chunk


def marks(values: Sequence[object]) -> str:
    """A `?` for each of the values: what stands in `IN (…)`."""
    return ",".join("?" for _ in values)
