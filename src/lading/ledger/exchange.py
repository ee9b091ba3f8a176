"""Ledgers on the move: all of one as JSON lines, and such lines taken into another; chains stay as they are."""

import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields
from typing import IO, Any

from lading import errors
from lading.ledger import chain, deployments, evidence, projection, stores, tables

FORMAT = 1
KINDS = ("row", "release", "deployment", "evidence")
HELD = 1 << 20  # bytes of a kind that are held in memory before they go to disk
NAMED = 5  # faults that are named


class Refused(Exception):
    """Lines that cannot be taken, and why."""


class Content:
    """What lines hold, read and checked: where each writer's chain ends, and all else by its kind, laid aside on disk.

    All of it is judged before the ledger is locked to take it in.
    """

    def __init__(self, parts: Mapping[str, IO[str]]) -> None:
        self.heads: tuple[chain.Head, ...] = ()
        self._parts = parts

    def add(self, kind: str, value: Any) -> None:
        """Lay something aside.

        Raises:
            LedgerError: there is no room for it.
        """
        with _roomy():
            self._parts[kind].write(json.dumps(value) + "\n")

    def settle(self) -> None:
        """Nothing more comes.

        Raises:
            LedgerError: as `add`.
        """
        with _roomy():
            for part in self._parts.values():
                part.flush()

    def all_of(self, kind: str) -> Iterator[Any]:
        """All that was laid aside of a kind, one by one, in its order."""
        part = self._parts[kind]
        part.seek(0)
        return map(json.loads, part)

    def bytes_of(self, kind: str) -> Iterator[bytes]:
        """The same of texts, as bytes."""
        return map(str.encode, self.all_of(kind))


@contextmanager
def _aside() -> Iterator[IO[str]]:
    """A file without a name; when it is thrown away, it does not matter that its end cannot be written."""
    part = tempfile.SpooledTemporaryFile(HELD, "w+")  # noqa: SIM115
    try:
        yield part
    finally:
        with suppress(OSError):
            part.close()


@contextmanager
def _roomy() -> Iterator[None]:
    try:
        yield
    except OSError as failed:
        raise errors.LedgerError(
            f"nothing was imported: what was read cannot be laid aside: {failed.strerror}",
            "set TMPDIR to a folder with room for a file as large as the exported one") from failed


def heads(base: stores.Base) -> tuple[chain.Head, ...]:
    """Where the chains of this ledger end: its own first, then those that were taken in."""
    taken = base.execute("SELECT writer, seq, hash FROM merged ORDER BY writer")
    return (tables.head(base), *(chain.Head(**row) for row in taken))


def lines(base: stores.Base) -> Iterator[str]:
    """All of a ledger: a line that says what follows, then its rows, releases, what only hosts told, and evidence.

    Ladings that do not know a kind of line pass it over.
    """
    ends = [[one.writer, one.seq, one.hash] for one in heads(base) if one.seq]
    yield json.dumps({"v": FORMAT, "kind": "ledger", "heads": ends})
    for row in tables.scan(base):
        yield json.dumps({"row": row.values}, ensure_ascii=False)
    for kept in base.scan("SELECT bytes FROM releases ORDER BY id", at_once=stores.FEW):
        yield json.dumps({"release": bytes(kept["bytes"]).decode()}, ensure_ascii=False)
    for one in projection.all_told(base):
        yield json.dumps({"deployment": one.as_json()}, ensure_ascii=False)
    for text in evidence.every(base):
        yield json.dumps({"evidence": text}, ensure_ascii=False)


@contextmanager
def read(text: Iterable[str]) -> Iterator[Content]:
    """Lines read back and judged: every chain is whole.

    Raises:
        Refused: they are no ledger, of a newer lading, or a chain is not as it was written.
        LedgerError: there is no room to lay them aside.
    """
    with ExitStack() as held:
        content = Content({kind: held.enter_context(_aside()) for kind in KINDS})
        try:
            faults = _judged(_objects(text), content)
        except (TypeError, KeyError, AttributeError) as wrong:
            raise Refused(f"it is damaged: {wrong}") from wrong
        if faults:
            raise Refused("; ".join(faults))
        yield content


def _objects(text: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(text, 1):
        try:
            yield dict(json.loads(line))
        except (ValueError, TypeError) as wrong:
            raise Refused(f"line {number} is not of an exported ledger") from wrong


def _judged(found: Iterator[Mapping[str, Any]], content: Content) -> list[str]:
    """Lay aside what the lines hold; the first faults of its chains."""
    content.heads = _heads(next(found, {}))
    chains = _Chains(content.heads)
    for one in found:
        if "row" in one:
            chains.take(chain.Row(*one["row"]))
            content.add("row", one["row"])
        if "release" in one:
            content.add("release", str(one["release"]))
        if "deployment" in one:
            _told(one["deployment"])
            content.add("deployment", one["deployment"])
        if "evidence" in one:
            content.add("evidence", _evidence(one["evidence"]))
    content.settle()
    return list(itertools.islice(chains.faults(), NAMED))


def _heads(first: Mapping[str, Any]) -> tuple[chain.Head, ...]:
    """Where the chains end, by the first line."""
    if first.get("kind") != "ledger":
        raise Refused("this is no exported ledger")
    if first.get("v") != FORMAT:
        raise Refused(f"it was exported by a newer lading (format {first.get('v')}, known: {FORMAT})")
    return tuple(chain.Head(*one) for one in first["heads"])


class _Chains:
    """The chains of lines that are read one by one."""

    def __init__(self, heads: Sequence[chain.Head]) -> None:
        self._heads = heads
        self._walks = {head.writer: chain.Walk(head.writer) for head in heads}
        self._strangers: set[str] = set()

    def take(self, row: chain.Row) -> None:
        walk = self._walks.get(row.writer)
        if walk is None:
            self._strangers.add(row.writer)
        elif row.seq <= walk.last:
            raise Refused(f"row {row.seq} of writer {row.writer} comes after row {walk.last}")
        else:
            walk.take(row)

    def faults(self) -> Iterator[str]:
        for head in self._heads:
            yield from self._walks[head.writer].faults(head)
        yield from (f"rows of writer {writer} belong to no chain" for writer in sorted(self._strangers))


def _evidence(text: Any) -> str:
    if not isinstance(text, str) or len(text) > evidence.LARGEST:
        raise TypeError("evidence is no text, or too large")
    return text


def _told(stored: Mapping[str, Any]) -> deployments.Deployment:
    names = [field.name for field in fields(deployments.Deployment) if field.name not in ("hosts", "ran_by", *deployments.BESIDE)]
    texts: dict[str, Any] = {name: str(stored[name] or "") for name in names}
    texts["ran_by"] = str(stored.get("ran_by") or "")
    return deployments.Deployment(**texts, hosts=dict(stored["hosts"] or {}))


def take(base: stores.Base, content: Content) -> int:
    """Take in the chains of another ledger beside the own one; what is there already stays. How many rows were new.

    Raises:
        Refused: a writer has two histories.
    """
    own = tables.head(base, lock=True)
    ends = {head.writer: _end(base, head.writer) for head in content.heads}
    rows, new = (chain.Row(*one) for one in content.all_of("row")), 0
    for chunk in stores.chunks(rows, stores.CHUNK):
        fresh = list(_fresh(base, chunk, ends))
        base.execute_each(tables.INSERT_EVENT, [row.values for row in fresh])
        projection.follow(base, [projection.event(row) for row in fresh])
        new += len(fresh)
    for head in content.heads:
        _put_head(base, head, own, ends[head.writer])
    for told in stores.chunks(map(_told, content.all_of("deployment")), stores.CHUNK):
        projection.take(base, told)
    return new


def _end(base: stores.Base, writer: str) -> int:
    """The number of the last row that this ledger has of a writer; 0: it has none."""
    found = base.execute("SELECT max(seq) AS last FROM events WHERE writer=?", (writer,))
    return int(found[0]["last"] or 0)


def _put_head(base: stores.Base, head: chain.Head, own: chain.Head, had: int) -> None:
    """Note where a chain ends now, if rows of it are new."""
    if head.seq <= had:
        return
    if head.writer == own.writer:
        base.execute("UPDATE head SET seq=?, hash=?", (head.seq, head.hash))
    else:
        base.execute(tables.PUT_MERGED, (head.writer, head.seq, head.hash))


def _fresh(base: stores.Base, theirs: Sequence[chain.Row], ends: Mapping[str, int]) -> Iterator[chain.Row]:
    """Rows that go on where this ledger's copy of their chain ends; those before are there, and equal."""
    for writer, group in itertools.groupby(theirs, key=lambda row: row.writer):
        rows = list(group)
        span = (writer, rows[0].seq, rows[-1].seq)
        have = {row.seq: row for row in tables.rows(base, "WHERE writer=? AND seq BETWEEN ? AND ?", span)}
        for row in rows:
            if row.seq > ends[writer]:
                yield row
            elif have.get(row.seq) != row:
                raise Refused(f"writer {writer} has two histories: they part at row {row.seq}")
