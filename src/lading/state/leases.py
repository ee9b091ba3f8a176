"""Whether somebody works on the deployment that is open on a host, as far as its lease tells (pure)."""

from collections.abc import Iterable

from lading import shape
from lading.dataclass import dataclass
from lading.state.observed import AppState

FRESH = 15  # seconds: a controller that lives has renewed its lease since, for it does once nothing was asked for ten


@dataclass(frozen=True, slots=True)
class Work:
    """Who holds the lease of an open deployment that has not run out, and since when.

    *left*: seconds until it does, unless it is renewed. *quiet*: seconds since it was renewed; None = it does not say, as
    that of an older lading.
    """

    deployment: str
    holder: str
    since: str
    left: int
    quiet: int | None

    @property
    def lives(self) -> bool:
        """Whether it was renewed so lately that somebody is at work."""
        return self.quiet is not None and self.quiet <= FRESH

    @property
    def who(self) -> str:
        """The holder and since when, in words."""
        return f"{self.holder or 'somebody'}{f', since {self.since}' if self.since else ''}"


def work(app: AppState) -> Work | None:
    """Who works on the deployment that is open here; None = nobody does, or its lease has run out or is another's."""
    left_open, lease = app.open, app.lease
    if left_open is None or not app.held or lease.get("deployment") != left_open.begun.deployment:
        return None
    left = shape.whole(lease["expires"]) - shape.whole(lease["now"])
    length = shape.whole(lease.get("length", ""))
    quiet = length - left if length >= 0 else None
    if quiet is not None and quiet < 0:
        return None  # the machine's clock has begun anew: a lease that would last longer than its own length is void
    return Work(left_open.begun.deployment, lease.get("holder", ""), lease.get("since", ""), left, quiet)


def latest(found: Iterable[Work | None]) -> Work | None:
    """Of the same deployment on several hosts: that of which was heard last; None where nobody works on any."""
    known = [one for one in found if one is not None]
    return min(known, key=lambda one: (one.quiet is None, one.quiet or 0, -one.left), default=None)
