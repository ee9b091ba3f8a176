"""What runs where, observed now; right without any ledger."""

from collections.abc import Sequence

from lading import context as contexts
from lading.queries import listing, look


async def where(context: contexts.Context, app: str = "", to: Sequence[str] = ()) -> tuple[listing.Row, ...]:
    """What runs where, observed now; right without any ledger. An unreachable host is a row "unknown"."""
    seen, wrong = await look.compared(context, app, to)
    return tuple(row for host in seen.hosts.values() for row in listing.host_rows(host, app, wrong))
