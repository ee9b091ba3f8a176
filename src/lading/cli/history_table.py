"""The table of `history`: when, what, where to, how it ended and by whom; and what gives way where it is narrow (pure)."""

from collections.abc import Sequence

from lading import spans
from lading.cli import layout, where_table
from lading.ledger import deployments

COLUMNS = ("deployment (UTC)", "verb", "app", "version", "destination", "result", "by", "reason", "told by")
NARROW = (*COLUMNS[:7], "run by", *COLUMNS[7:])
FOLDED = ("destination", "reason", "by", "told by")  # broken over lines where nothing else helps
MORE = ("reason", "run by", "told by")


def shapes(rows: Sequence[deployments.Deployment]) -> tuple[layout.Shape, ...]:
    """The table as it is shown, the first for the widest terminal.

    What gives way stands under a row: first why, and who told of it; then as whom lading ran, and the machines of people are
    left out; then the verb; then the app.
    """
    whole = [_cells(row, row.by) for row in rows]
    narrow = []
    for row in rows:
        cells = _cells(row, where_table.person(row.actor))
        ran_by = row.ran_by if row.ran_by != row.actor else ""
        narrow.append((*cells[:7], ran_by or "-", *cells[7:]))
    people = [layout.Shape(NARROW, narrow, FOLDED, below) for below in (MORE, ("verb", *MORE), ("app", "verb", *MORE))]
    return (layout.Shape(COLUMNS, whole, FOLDED), layout.Shape(COLUMNS, whole, ("destination",), ("reason", "told by")), *people)


def _cells(row: deployments.Deployment, by: str) -> tuple[str, ...]:
    return (row.deployment or _when(row), row.verb, row.app or "-", row.version or "-", _where(row), row.result, by,
            row.reason or "-", row.told_by or "-")


def _when(row: deployments.Deployment) -> str:
    """When a host was excluded or included: no id, for nothing can be shown by it."""
    return f"{row.started[:10]} {row.started[11:16]}Z"


def _where(row: deployments.Deployment) -> str:
    """Where to, and which hosts were left out; of a host that was excluded or included, which."""
    if not row.deployment:
        return ", ".join(row.hosts)
    return row.destination + (f" without {', '.join(spans.packed(row.excluded))}" if row.excluded else "")
