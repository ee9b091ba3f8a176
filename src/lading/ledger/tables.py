"""The rows of the ledger's tables, and the statements that both SQLite and PostgreSQL take."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lading.ledger import chain, stores

COLUMNS = ("deployment", "verb", "app", "version", "release", "destination", "actor", "reason", "commit", "url", "source",
           "started", "ended", "result", "hosts", "origin")
TOLD = ("host", "deployment", "verb", "app", "version", "release", "destination", "actor", "reason", "commit", "url",
        "source", "started", "ended", "result", "ran_by")
MILESTONES = (  # as the index events_kind has it
    "kind IN ('DeploymentRequested', 'DeploymentPlanned', 'DeploymentEnded', 'HostCommitted')"
)
INSERT_EVENT = "INSERT INTO events VALUES (?,?,?,?,?,?,?,?,?,?)"
PUT_DEPLOYMENT = (
    f"INSERT INTO deployments VALUES ({','.join('?' for _ in COLUMNS)}) ON CONFLICT (deployment) DO UPDATE SET "
    + ", ".join(f'"{name}"=excluded."{name}"' for name in COLUMNS[1:])
)
PUT_TOLD = (
    f"INSERT INTO told VALUES ({','.join('?' for _ in TOLD)}) ON CONFLICT (host, deployment) DO UPDATE SET "
    + ", ".join(f'"{name}"=excluded."{name}"' for name in TOLD[2:])
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
    return list(scan(base, condition, values))


def scan(
    base: stores.Base, condition: str = "", values: Sequence[object] = (), order: str = "writer, seq"
) -> Iterator[chain.Row]:
    """The same one by one: a few of them in memory, however many there are."""
    query = "SELECT writer, seq, at, deployment, kind, host, step, data, prev, hash FROM events "
    for found in base.scan(f"{query} {condition} ORDER BY {order}", values):
        row = chain.Row(**found)
        if not isinstance(row.seq, int):
            raise Damaged("a row of its events has no number")
        yield row


def deployment_values(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A deployment in the order of the table's columns."""
    return tuple(stored(row[name]) for name in COLUMNS)


def stored(word: object) -> str:
    """A word as both stores take it: text that is no UTF-8 (from an odd locale) is shown as `?`."""
    return str(word).encode("utf-8", "replace").decode().replace("\0", "?")
