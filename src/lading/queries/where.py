"""What runs where, observed now; right without any ledger."""

from collections.abc import Sequence
from dataclasses import dataclass

from lading import context as contexts
from lading.drivers import wants
from lading.queries import listing, look, summary


@dataclass(frozen=True, slots=True)
class Answer:
    """What was seen: *rows*, one for each container; *lines*: the same in words, one for each app and destination."""

    rows: tuple[listing.Row, ...]
    lines: tuple[str, ...]


async def where(context: contexts.Context, app: str = "", to: Sequence[str] = ()) -> Answer:
    """What runs where, observed now; right without any ledger. An unreachable host is a row "unknown".

    Raises:
        UnknownReleaseError: all hosts answer, and nobody knows the app.
    """
    seen, wrong = await look.compared(context, app, to, wants.RUNNING)
    if not seen.silent:
        await context.check_known(app, seen)
    found = tuple(row for host in seen.hosts.values() for row in listing.host_rows(host, app, wrong))
    places = {name: one.hosts for name, one in context.settings.inventory.destinations.items()}
    return Answer(found, summary.lines(seen, found, places, app))
