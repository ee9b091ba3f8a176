"""The chain of events: how rows are hashed, and what is wrong with a chain, in words (pure)."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

GENESIS = "0" * 64
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

    def told(self) -> str:
        """The row in a few words."""
        return f"row {self.seq} ({self.kind} of {self.deployment}, {self.at})"


@dataclass(frozen=True, slots=True)
class Head:
    """Where a writer's chain ends: number and hash of its last row; 0 and GENESIS before the first."""

    writer: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Attested:
    """What a host's journal says of a ledger: at the commit of *deployment* row *seq* of *writer* had this hash."""

    host: str
    deployment: str
    at: str
    writer: str
    seq: int
    hash: str


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: what is stored and hashed. Half surrogates (from an odd locale) are escaped."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=repr)
    return text.encode("utf-8", "backslashreplace").decode()


def link(row: Row) -> str:
    """The hash of a row: SHA-256 over all of its fields, the hash before among them."""
    return hashlib.sha256(canonical(astuple(row)[:-1]).encode()).hexdigest()


def faults(rows: Sequence[Row], head: Head) -> tuple[str, ...]:
    """What is wrong with one writer's rows (in the order of their numbers); nothing = each is as it was written."""
    found = [f"rows {first} to {last} are missing" if last > first else f"row {first} is missing"
             for first, last in _gaps(rows, head)]
    broken = [row for row in rows if not row.sealed]
    candidates = [row.seq for row in broken]
    candidates += [number for first, last in _gaps(rows, head) for number in range(first, min(last, first + TRIED) + 1)]
    for row in broken:
        from_ = next((n for n in candidates[:TRIED] if replace(row, seq=n).sealed), None)
        found.append(f"{row.told()} was changed" if from_ is None else
                     f"row {from_} lies in the place of row {row.seq}: rows were reordered")
    return (*found, *_breaks(rows, head))


def _gaps(rows: Sequence[Row], head: Head) -> Iterator[tuple[int, int]]:
    """First and last number of each run of missing rows."""
    before = 0
    for row in rows:
        if row.seq > before + 1:
            yield before + 1, row.seq - 1
        before = row.seq
    if head.seq > before:
        yield before + 1, head.seq


def _breaks(rows: Sequence[Row], head: Head) -> Iterator[str]:
    """Neighbours, each as it was hashed, that do not belong together; and a head that does not fit."""
    before = Row(head.writer, 0, "", "", "", "", "", "", "", GENESIS)
    for row in rows:
        if row.seq == before.seq + 1 and row.prev != before.hash and row.sealed and (before.sealed or before.seq == 0):
            yield (f"{row.told()} does not follow row {before.seq}: one of the two was replaced" if before.seq else
                   f"{row.told()} is not the first of this chain: it was replaced")
        before = row
    last = before.seq
    if last > head.seq:
        yield f"rows after {head.seq}, where the head says the chain ends: they were added, or the head was put back"
    elif last == head.seq and before.hash != head.hash and (before.sealed or last == 0):
        yield f"row {last} is not the one that the head names: it was replaced" if last else "the head was changed"


def unattested(rows: Sequence[Row], writer: str, attested: Iterable[Attested]) -> tuple[str, ...]:
    """Where hosts attest rows that this writer's chain does not have, or has otherwise."""
    have: Mapping[int, Row] = {row.seq: row for row in rows}
    last = max(have, default=0)
    found = []
    for one in attested:
        where = f"{one.host} attests row {one.seq} (commit of {one.deployment}, {one.at})"
        if one.writer != writer:
            continue
        if one.seq > last:
            found.append(f"{where}, but the ledger ends at row {last}: its end was cut off")
        elif one.seq in have and have[one.seq].hash != one.hash:
            found.append(f"{where} with another hash: the ledger was written anew from there or from before")
    return tuple(found)
