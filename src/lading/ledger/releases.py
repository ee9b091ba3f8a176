"""The releases that a ledger keeps, by their bytes; and which host told of which."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lading import canonical
from lading.ledger import projection, stores, tables

KEPT = 1_000  # releases that one host may have told of
LARGEST = 1 << 20  # bytes of one that is taken from a host


def id_of(content: bytes) -> str:
    """The id of a release: the SHA-256 of its canonical bytes."""
    return hashlib.sha256(content).hexdigest()


def keep(base: stores.Base, content: Iterable[bytes]) -> None:
    """Keep releases by the hash of their bytes; those that are there stay as they are."""
    for one in content:
        id = id_of(one)
        if not kept(base, id):
            base.execute(tables.KEEP_RELEASE, (id, one))


def kept(base: stores.Base, id: str) -> list[bytes]:
    """What is kept of the release *id*, by its bytes; older ladings named a row by the first 12 digits of the id."""
    query = "SELECT bytes FROM releases WHERE id=? OR id=? OR substr(id, 1, ?)=?"
    rows = base.execute(query, (id, id[:12], len(id), id))
    found = {_bytes(row["bytes"]) for row in rows}
    return [content for content in found if id_of(content).startswith(id)]


def take(base: stores.Base, told: Mapping[str, Sequence[bytes]]) -> None:
    """Keep releases that hosts tell of, and who told of which; of each host no more than KEPT, and no large ones."""
    for host, content in told.items():
        known = {row["id"] for row in base.execute("SELECT id FROM told_releases WHERE host=?", (host,))}
        for one in content:
            id = id_of(one)
            if id in known or len(known) >= KEPT or len(one) > LARGEST:
                continue
            keep(base, [one])
            base.execute("INSERT INTO told_releases VALUES (?,?)", (host, id))
            known.add(id)


def forget(base: stores.Base, host: str) -> int:
    """Take away the releases that only this host told of; how many. Those that a chain names stay."""
    told = {row["id"] for row in base.execute("SELECT id FROM told_releases WHERE host=?", (host,))}
    base.execute("DELETE FROM told_releases WHERE host=?", (host,))
    if not told:
        return 0
    needed = {name[:12] for name in _needed(base)}
    gone = [id for id in sorted(told) if id[:12] not in needed]
    for id in gone:
        base.execute("DELETE FROM releases WHERE id=?", (id,))
    return len(gone)


def _needed(base: stores.Base) -> Iterator[str]:
    """The ids that chains name, and of which hosts still tell."""
    for row in tables.scan(base, f"WHERE {tables.MILESTONES}"):
        what = projection.event(row)
        yield getattr(what, "release", "")
    for query in ("SELECT id FROM told_releases", 'SELECT "release" AS id FROM told'):
        yield from (row["id"] for row in base.scan(query))


def faults(base: stores.Base) -> Iterator[str]:
    """Releases that are not as they were kept, in words."""
    for row in base.scan("SELECT id, bytes FROM releases", at_once=stores.FEW):
        found = id_of(_bytes(row["bytes"]))
        if not canonical.is_named(row["id"], found):
            yield f"release {row['id']} was changed: its bytes have the id {found}"


def _bytes(stored: object) -> bytes:
    return stored if isinstance(stored, bytes) else str(stored).encode("utf-8", "replace")
