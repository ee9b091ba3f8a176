"""In what hosts differ from what was deployed there, observed now."""

from collections.abc import Sequence

from lading import context as contexts
from lading import state
from lading.dataclass import dataclass
from lading.drivers import wants
from lading.queries import absent, differences, look
from lading.state import damage


@dataclass(frozen=True, slots=True)
class Drift:
    """The *differences*, and whether anything *is_deployed* on the hosts that could differ."""

    differences: tuple[differences.Difference, ...]
    is_deployed: bool


async def drift(context: contexts.Context, app: str = "", to: Sequence[str] = ()) -> Drift:
    """Everything in which hosts differ from what they declare; a host that does not answer, or is excluded, is one difference.

    Raises:
        UnknownReleaseError: all hosts answer, and none knows the app.
    """
    told = await look.compared(context, app, to, wants.DRIFT)
    seen = told.seen
    await context.check_known(app, seen)
    found = [differences.contradicted(one) for one in told.wrong]
    found += [each for one in told.absent for each in absent.found(one, app)]
    for host in seen.hosts.values():
        if host.unanswered:
            found.append(differences.Difference(host.host, app, "", "host", "reachable", host.unanswered))
        for one in host.apps.values():
            if not app or one.app == app:
                found += [each for each in differences.differences(host.host, one) if not (each.service and host.unanswered)]
    return Drift(tuple(found), _is_deployed(seen, app))


def _is_deployed(seen: state.FleetState, app: str) -> bool:
    """Whether a host says that *app* is deployed there, or anything without it."""
    apps = (one for host in seen.hosts.values() for one in host.apps.values() if app in ("", one.app))
    return any(damage.declared(one) is not None for one in apps)
