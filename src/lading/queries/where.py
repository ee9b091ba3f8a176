"""What runs where, observed now; right without any ledger."""

from collections.abc import Sequence

from lading import context as contexts
from lading.dataclass import dataclass
from lading.drivers import wants
from lading.queries import absent, listing, look, summary


@dataclass(frozen=True, slots=True)
class Answer:
    """What was seen: *rows*, one for each container; *lines*: the same in words, one for each app and destination."""

    rows: tuple[listing.Row, ...]
    lines: tuple[str, ...]


async def where(context: contexts.Context, app: str = "", to: Sequence[str] = ()) -> Answer:
    """What runs where, observed now; right without any ledger. An unreachable host is a row "unknown", an excluded one says so.

    Raises:
        UnknownReleaseError: all hosts answer, and nobody knows the app.
    """
    told = await look.compared(context, app, to, wants.RUNNING)
    seen = told.seen
    if not seen.silent:
        await context.check_known(app, seen)
    found = [row for host in seen.hosts.values() for row in listing.host_rows(host, app, told.wrong)]
    found += [row for one in told.absent for row in absent.rows(one, app)]
    places = {name: one.hosts for name, one in context.settings.inventory.destinations.items()}
    return Answer(tuple(found), summary.lines(seen, found, places, app, told.absent))
