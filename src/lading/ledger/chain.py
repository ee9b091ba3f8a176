"""The chain of events: how rows are hashed, and what is wrong with a chain, in words (pure)."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any, Generic, TypeVar

from lading.dataclass import dataclass

T = TypeVar("T")
GENESIS = "0" * 64
NAMED = 100  # faults of each kind that are named
TRIED = 200  # numbers that are tried to find where a row was moved from


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table `events`; *data* is the stored text, *prev* the hash of the row before, *hash* its own."""

    writer: str
    seq: int
    at: str
    deployment: str
    kind: str
    host: str
    step: str
    data: str
    prev: str
    hash: str = ""

    @property
    def sealed(self) -> bool:
        """Whether the row is as it was when it was hashed."""
        return link(self) == self.hash

    @property
    def values(self) -> tuple[str | int, ...]:
        """All fields, in the order of the table's columns."""
        return _fields_of(self)

    def told(self) -> str:
        """The row in a few words."""
        return f"row {self.seq} ({self.kind} of {self.deployment}, {self.at})"


_fields_of = attrgetter(*(field.name for field in fields(Row)))  # a million times: astuple copies


@dataclass(frozen=True, slots=True)
class Head:
    """Where a writer's chain ends: number and hash of its last row; 0 and GENESIS before the first."""

    writer: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Attested:
    """What a host's journal says of a ledger: at the commit of *deployment* row *seq* of *writer* had this hash.

    *actor* and *ran_by* (user@host) made that deployment, as its beginning says, if the journal still has it.
    """

    host: str
    deployment: str
    at: str
    writer: str
    seq: int
    hash: str
    actor: str = ""
    ran_by: str = ""


_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=repr)


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: what is stored and hashed. Half surrogates (from an odd locale) are escaped."""
    return _bytes(value).decode()


def _bytes(value: Any) -> bytes:
    return _JSON.encode(value).encode("utf-8", "backslashreplace")


def link(row: Row) -> str:
    """The hash of a row: SHA-256 over all of its fields, the hash before among them."""
    return hashlib.sha256(_bytes(row.values[:-1])).hexdigest()


class Walk:
    """One writer's rows as they come, in the order of their numbers; at the end it says what is wrong with them.

    What it holds does not grow with the rows: of each kind of fault the first NAMED are named, the others counted.
    *hashes*: those of the *wanted* numbers, where they were met.
    """

    def __init__(self, writer: str, wanted: Iterable[int] = ()) -> None:
        self.hashes: dict[int, str] = {}
        self._wanted = frozenset(wanted)
        self._before = Row(writer, 0, "", "", "", "", "", "", "", GENESIS)
        self._whole = True  # whether the row before is as it was hashed
        self._gaps = _Few[tuple[int, int]]()
        self._broken = _Few[Row]()
        self._breaks = _Few[str]()

    def take(self, row: Row) -> None:
        """The next row."""
        before, whole = self._before, row.sealed
        if row.seq > before.seq + 1:
            self._gaps.add((before.seq + 1, row.seq - 1))
        if not whole:
            self._broken.add(row)
        follows = row.seq != before.seq + 1 or row.prev == before.hash
        if not follows and whole and self._whole:
            self._breaks.add(f"{row.told()} does not follow row {before.seq}: one of the two was replaced" if before.seq
                             else f"{row.told()} is not the first of this chain: it was replaced")
        if row.seq in self._wanted:
            self.hashes[row.seq] = row.hash
        self._before, self._whole = row, whole

    @property
    def last(self) -> int:
        """The number of the last row that was met."""
        return self._before.seq

    def faults(self, head: Head) -> tuple[str, ...]:
        """What is wrong, if the chain should end at *head*; nothing = each row is as it was written."""
        gaps = [*self._gaps.first, *([(self.last + 1, head.seq)] if head.seq > self.last else [])]
        found = [f"rows {first} to {last} are missing" if last > first else f"row {first} is missing"
                 for first, last in gaps]
        return (
            *found, *self._gaps.others("gaps"),
            *self._moved(gaps), *self._broken.others("rows that were changed or moved"),
            *self._breaks.first, *self._breaks.others("places where rows do not follow each other"),
            *self._end(head),
        )

    def _moved(self, gaps: Sequence[tuple[int, int]]) -> Iterator[str]:
        """Rows that are not as they were hashed: changed, or hashed for another number that is free."""
        candidates = [row.seq for row in self._broken.first]
        for first, last in gaps:
            candidates += range(first, min(last, first + TRIED) + 1)
        for row in self._broken.first:
            from_ = next((n for n in candidates[:TRIED] if replace(row, seq=n).sealed), None)
            yield (f"{row.told()} was changed" if from_ is None else
                   f"row {from_} lies in the place of row {row.seq}: rows were reordered")

    def _end(self, head: Head) -> Iterator[str]:
        """A head that does not fit the last row."""
        if self.last > head.seq:
            yield (f"rows after {head.seq}, where the head says the chain ends: "
                   "they were added, or the head was put back")
        elif self.last == head.seq and self._before.hash != head.hash and self._whole:
            yield (f"row {self.last} is not the one that the head names: it was replaced" if self.last else
                   "the head was changed")

    def unattested(self, attested: Iterable[Attested]) -> tuple[str, ...]:
        """Where hosts attest rows of this writer that the chain does not have, or has otherwise; all were *wanted*."""
        found = []
        for one in attested:
            where = f"{one.host} attests row {one.seq} (commit of {one.deployment}, {one.at})"
            if one.writer != self._before.writer:
                continue
            if one.seq > self.last:
                found.append(f"{where}, but the ledger ends at row {self.last}: its end was cut off")
            elif self.hashes.get(one.seq, one.hash) != one.hash:
                found.append(f"{where} with another hash: the ledger was written anew from there or from before")
        return tuple(found)


class _Few(Generic[T]):
    """The first NAMED of what is found, and how many there are."""

    def __init__(self) -> None:
        self.first: list[T] = []
        self.count = 0

    def add(self, one: T) -> None:
        self.count += 1
        if len(self.first) < NAMED:
            self.first.append(one)

    def others(self, what: str) -> Iterator[str]:
        if self.count > len(self.first):
            yield f"and {self.count - len(self.first)} more {what}"


def walked(rows: Iterable[Row], writer: str, wanted: Iterable[int] = ()) -> Walk:
    """A walk along all of *rows*."""
    walk = Walk(writer, wanted)
    for row in rows:
        walk.take(row)
    return walk


def faults(rows: Iterable[Row], head: Head) -> tuple[str, ...]:
    """What is wrong with one writer's rows (in the order of their numbers); nothing = each is as it was written."""
    return walked(rows, head.writer).faults(head)


def unattested(rows: Iterable[Row], writer: str, attested: Sequence[Attested]) -> tuple[str, ...]:
    """Where hosts attest rows that this writer's chain does not have, or has otherwise."""
    return walked(rows, writer, {one.seq for one in attested}).unattested(attested)
