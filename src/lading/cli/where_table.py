"""The table of `where`: which rows are shown, which hosts share one, and what gives way where it is narrow (pure)."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from lading import canonical, spans
from lading.dataclass import dataclass
from lading.queries import listing

COLUMNS = ("app", "dest", "service", "host", "version", "state", "since", "by")
WIDE = ("image", "digest", "label", "release", "deployment", "drift")
FOLDED = ("service", "host", "state", "by")  # broken over lines where nothing else helps
GAP = 2  # columns of the terminal between two of the table's
FEW = 8  # hosts; of more, those that are alike share a row


@dataclass(frozen=True, slots=True)
class Table:
    """What is shown: the names of the columns, and a row of texts for each row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    folded: tuple[str, ...] = FOLDED
    """The columns that may be broken over lines."""

    @property
    def width(self) -> int:
        """How wide it is without any cell broken."""
        lines = (self.columns, *self.rows)
        return sum(max(map(len, column)) for column in zip(*lines, strict=True)) + GAP * (len(self.columns) - 1)


def chosen(rows: Sequence[listing.Row], *, everything: bool) -> list[listing.Row]:
    """The rows that are shown: containers, those that should be there, hosts that are silent or excluded.

    Of one-shots only what did not end well. A service's hosts stand below each other, in their order; those hosts come last.
    """
    found = [row for row in rows if row.service or _nobody_looked(row)]
    shown = [row for row in found if everything or not (row.one_shot and row.state == "completed")]
    return sorted(shown, key=lambda row: (_nobody_looked(row), row.app, row.destination, row.service))


def _nobody_looked(row: listing.Row) -> bool:
    """Whether it is the row of a host that is silent or excluded."""
    return row.silent or row.excluded is not None


def notes(rows: Sequence[listing.Row]) -> list[str]:
    """What is wrong with an app on a host as a whole, but for what the lines in words say: open deployments, absent hosts."""
    told = [row for row in rows if not row.service and not _nobody_looked(row) and not row.deployment_is_open]
    return [f"{row.app} on {row.host}: {'; '.join(row.drift)}" for row in told]


def made(rows: Sequence[listing.Row], *, wide: bool, width: int, today: str) -> Table:
    """The table; one that is wider than *width* gives way: machines of people, times of other days than *today*."""
    several = len({row.host for row in rows}) > FEW
    groups = _alike(rows) if several else [[row] for row in rows]

    def table(since: Callable[[str], str], by: Callable[[str], str]) -> Table:
        found = tuple(_cells(group, since, by, wide=wide) for group in groups)
        return Table((*COLUMNS, *WIDE), found, ("drift",)) if wide else Table(COLUMNS, found)

    whole = table(moment, str)
    if wide or whole.width <= width:
        return whole
    people = table(moment, person)
    if people.width <= width:
        return people
    return table(lambda text: day(text, today), person)


def _alike(rows: Sequence[listing.Row]) -> list[list[listing.Row]]:
    """The rows in groups that differ only in host, container and time."""
    groups: dict[listing.Row, list[listing.Row]] = {}
    for row in rows:
        groups.setdefault(replace(row, host="", container="", since=""), []).append(row)
    return list(groups.values())


def _cells(
    group: Sequence[listing.Row], since: Callable[[str], str], by: Callable[[str], str], *, wide: bool
) -> tuple[str, ...]:
    """One row of the table. Of several hosts the latest time is shown: since then it is so on all of them."""
    row = group[0]
    hosts = ", ".join(spans.packed(list(dict.fromkeys(one.host for one in group))))
    latest = max(one.since for one in group)
    version = (row.version or ("-" if row.excluded is not None else "?")) + (" (adopted)" if row.adopted else "")
    words = row.words + (f" ({len(group)} containers)" if len(group) > len({one.host for one in group}) else "")
    found = (row.app or "-", row.destination or "-", row.service or "-", hosts, version, words, since(latest),
             by(row.actor) or "-")
    if not wide:
        return found
    return (*found, row.image or "-", canonical.short(row.digest).removeprefix("sha256:")[:12] or "-", row.label or "-",
            canonical.short(row.release) or "-", row.deployment or "-", canonical.short("; ".join(row.drift)) or "-")


def moment(text: str) -> str:
    """A stored time (ISO 8601, UTC) as people read it in a table."""
    return f"{text[:10]} {text[11:16]}Z" if len(text) > 10 else text or "-"


def day(text: str, today: str) -> str:
    """The same, shorter: the time of *today*, of other days only which."""
    if text.startswith(today):
        return f"{text[11:16]}Z"
    return text[:10] or "-"


def person(actor: str) -> str:
    """Who, without at which machine."""
    return actor.partition("@")[0]
