"""The rows of the ledger's tables, and the statements that both SQLite and PostgreSQL take."""

from collections.abc import Mapping, Sequence
from typing import Any

from lading.ledger import chain, stores

COLUMNS = ("deployment", "verb", "app", "version", "release", "destination", "actor", "reason", "commit", "url", "source",
           "started", "ended", "result", "hosts", "origin")
INSERT_EVENT = "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?)"
PUT_DEPLOYMENT = (
    f"INSERT INTO deployments VALUES ({','.join('?' for _ in COLUMNS)}) ON CONFLICT (deployment) DO UPDATE SET "
    + ", ".join(f'"{name}"=excluded."{name}"' for name in COLUMNS[1:])
)
KEEP_RELEASE = "INSERT INTO releases VALUES (?,?) ON CONFLICT (id) DO NOTHING"
PUT_MERGED = (
    "INSERT INTO merged VALUES (?,?,?) ON CONFLICT (writer) DO UPDATE SET seq=excluded.seq, hash=excluded.hash"
)


class Damaged(Exception):
    """The ledger holds what lading does not write, and which row."""


def head(base: stores.Base, *, lock: bool = False) -> chain.Head:
    """Where this ledger's own chain ends; whoever appends locks it, so that nobody else reads the same number."""
    found = base.execute("SELECT writer, seq, hash FROM head" + (base.for_update if lock else ""))
    if len(found) != 1 or not isinstance(found[0]["seq"], int):
        raise Damaged("its head is not one row")
    return chain.Head(**found[0])


def rows(base: stores.Base, condition: str = "", values: Sequence[object] = ()) -> list[chain.Row]:
    """Rows of `events` in the order of their numbers, by writer."""
    query = "SELECT writer, seq, at, deployment, kind, host, step, data, prev, hash FROM events "
    found = [chain.Row(**row) for row in base.execute(f"{query} {condition} ORDER BY writer, seq", values)]
    if any(not isinstance(row.seq, int) for row in found):
        raise Damaged("a row of its events has no number")
    return found


def deployment_values(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A deployment in the order of the table's columns; text that is no UTF-8 (from an odd locale) is shown as `?`."""
    return tuple(str(row[name]).encode("utf-8", "replace").decode().replace("\0", "?") for name in COLUMNS)
