"""Ledgers on the move: all of one as JSON lines, and such lines taken into another; chains stay as they are."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from lading.ledger import chain, deployments, evidence, projection, stores, tables

FORMAT = 1


class Refused(Exception):
    """Lines that cannot be taken, and why."""


@dataclass(frozen=True, slots=True)
class Content:
    """What lines hold: where each writer's chain ends, rows, releases, deployments that were read from hosts, evidence."""

    heads: tuple[chain.Head, ...]
    rows: tuple[chain.Row, ...]
    releases: tuple[str, ...]
    told: tuple[deployments.Deployment, ...]
    evidence: tuple[str, ...] = ()


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


def read(text: Iterable[str]) -> Content:
    """Lines read back and judged: every chain is whole.

    Raises:
        Refused: they are no ledger, of a newer lading, or a chain is not as it was written.
    """
    found: list[Mapping[str, Any]] = []
    for number, line in enumerate(text, 1):
        try:
            found.append(dict(json.loads(line)))
        except (ValueError, TypeError) as wrong:
            raise Refused(f"line {number} is not of an exported ledger") from wrong
    first = found[0] if found else {}
    if first.get("kind") != "ledger":
        raise Refused("this is no exported ledger")
    if first.get("v") != FORMAT:
        raise Refused(f"it was exported by a newer lading (format {first.get('v')}, known: {FORMAT})")
    try:
        content = Content(
            tuple(chain.Head(*one) for one in first["heads"]),
            tuple(chain.Row(*one["row"]) for one in found if "row" in one),
            tuple(str(one["release"]) for one in found if "release" in one),
            tuple(_told(one["deployment"]) for one in found if "deployment" in one),
            tuple(_evidence(one["evidence"]) for one in found if "evidence" in one),
        )
        faults = list(_faults(content))
    except (TypeError, KeyError, AttributeError) as wrong:
        raise Refused(f"it is damaged: {wrong}") from wrong
    if faults:
        raise Refused("; ".join(faults[:5]))
    return content


def _evidence(text: Any) -> str:
    if not isinstance(text, str) or len(text) > evidence.LARGEST:
        raise TypeError("evidence is no text, or too large")
    return text


def _told(stored: Mapping[str, Any]) -> deployments.Deployment:
    names = [field.name for field in fields(deployments.Deployment) if field.name not in ("hosts", "keys", "ran_by")]
    texts: dict[str, Any] = {name: str(stored[name] or "") for name in names}
    texts["ran_by"] = str(stored.get("ran_by") or "")
    return deployments.Deployment(**texts, hosts=dict(stored["hosts"] or {}))


def _faults(content: Content) -> Iterator[str]:
    for head in content.heads:
        yield from chain.faults(by_writer(content.rows, head.writer), head)
    strangers = {row.writer for row in content.rows} - {head.writer for head in content.heads}
    yield from (f"rows of writer {writer} belong to no chain" for writer in sorted(strangers))


def by_writer(rows: Iterable[chain.Row], writer: str) -> list[chain.Row]:
    """The rows of one writer, in the order of their numbers."""
    return sorted((row for row in rows if row.writer == writer), key=lambda row: row.seq)


def take(base: stores.Base, content: Content) -> int:
    """Take in the chains of another ledger beside the own one; what is there already stays. How many rows were new.

    Raises:
        Refused: a writer has two histories.
    """
    own, new = tables.head(base, lock=True), 0
    for head in content.heads:
        have = tables.rows(base, "WHERE writer=?", (head.writer,))
        fresh = _fresh(have, by_writer(content.rows, head.writer), head)
        for row in fresh:
            base.execute(tables.INSERT_EVENT, row.values)
            projection.project(base, projection.event(row))
        if fresh and head.writer == own.writer:
            base.execute("UPDATE head SET seq=?, hash=?", (head.seq, head.hash))
        elif fresh:
            base.execute(tables.PUT_MERGED, (head.writer, head.seq, head.hash))
        new += len(fresh)
    projection.take(base, content.told)
    return new


def _fresh(have: Sequence[chain.Row], theirs: Sequence[chain.Row], head: chain.Head) -> Sequence[chain.Row]:
    """Rows that go on where this ledger's copy of the chain ends."""
    for mine, other in zip(have, theirs, strict=False):
        if mine != other:
            raise Refused(f"writer {head.writer} has two histories: they part at row {mine.seq}")
    return theirs[len(have):]
