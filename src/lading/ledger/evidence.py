"""The last lines of services that failed, by their SHA-256: beside the chain, whose events name them; what is missing is told."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lading import events
from lading.dataclass import dataclass
from lading.ledger import projection, stores, tables

LARGEST = 1 << 20  # bytes of one that another ledger brings
NAMED = 5  # of what is missing that is named
KEEP = "INSERT INTO evidence VALUES (?,?,?) ON CONFLICT (id) DO NOTHING"


@dataclass(frozen=True, slots=True)
class Named:
    """Evidence that an event names: *what*: a service, or a hook."""

    deployment: str
    host: str
    step: str
    what: str
    id: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Evidence that events name and a ledger does not keep: the *first* of it, and how many *others* there are."""

    first: tuple[Named, ...]
    others: int


def id_of(content: bytes) -> str:
    """The name of evidence: the SHA-256 of its bytes."""
    return hashlib.sha256(content).hexdigest()


def of(event: events.Event) -> Named | None:
    """The evidence that an event names, if it names any."""
    match event:
        case events.ServiceUnhealthy(service=what, evidence=id) | events.HookEnded(hook=what, evidence=id) if id:
            return Named(event.deployment, event.host, event.step, what, id)
    return None


def keep(base: stores.Base, content: Iterable[bytes], at: str) -> None:
    """Keep last lines by their hash; those that are there stay as they are."""
    for one in content:
        base.execute(KEEP, (id_of(one), at, one))


def kept(base: stores.Base, ids: Iterable[str]) -> Mapping[str, bytes]:
    """What is kept under these names, as far as it is what its name says."""
    found = dict[str, bytes]()
    for id in dict.fromkeys(ids):
        for row in base.execute("SELECT bytes FROM evidence WHERE id=?", (id,)):
            content = _bytes(row["bytes"])
            if id_of(content) == id:
                found[id] = content
    return found


def every(base: stores.Base) -> Iterator[str]:
    """All that is kept, as text."""
    for row in base.scan("SELECT bytes FROM evidence ORDER BY id", at_once=stores.FEW):
        yield _bytes(row["bytes"]).decode("utf-8", "replace")


def faults(base: stores.Base) -> Iterator[str]:
    """Last lines that are not as they were kept, in words."""
    for row in base.scan("SELECT id, bytes FROM evidence", at_once=stores.FEW):
        found = id_of(_bytes(row["bytes"]))
        if row["id"] != found:
            yield f"evidence {row['id']} was changed: its bytes have the SHA-256 {found}"


def missing(base: stores.Base) -> Missing:
    """What events name and nobody keeps here: it was deleted, or could not be stored; no fault."""
    first, others = list[Named](), 0
    for named in stores.chunks(_named(base), stores.ASKED):
        there = _there(base, [one.id for one in named])
        gone = [one for one in named if one.id not in there]
        wanted = NAMED - len(first)
        first += gone[:wanted]
        others += len(gone[wanted:])
    return Missing(tuple(first), others)


def _named(base: stores.Base) -> Iterator[Named]:
    """All that events name."""
    for row in tables.scan(base, "WHERE kind IN ('ServiceUnhealthy', 'HookEnded')"):
        named = of(projection.event(row))
        if named is not None:
            yield named


def _there(base: stores.Base, ids: Sequence[str]) -> set[str]:
    """Which of these are kept, by their names alone."""
    rows = base.execute(f"SELECT id FROM evidence WHERE id IN ({stores.marks(ids)})", ids)
    return {row["id"] for row in rows}


def _bytes(stored: object) -> bytes:
    return stored if isinstance(stored, bytes) else str(stored).encode("utf-8", "replace")
