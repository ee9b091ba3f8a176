"""Waiting for a deployment that somebody else works on, as long as the caller has patience."""

import asyncio
import time

from lading import context as contexts
from lading import errors, state
from lading.deploy import on_host
from lading.drivers import wants
from lading.drivers.shell import observe

PAUSE = 2.0  # seconds between two looks
STILL = 40.0  # seconds in which somebody who lives has renewed the lease


async def for_others(context: contexts.Context, app: str, seen: state.FleetState) -> bool:
    """Wait until what others work on of *app* has ended; whether there was something to wait for.

    *seen*: the hosts that the caller is about to change. Who is patient no longer, or sees that the lease
    is renewed no more, goes on as without patience: it is refused, or takes the app over.

    Raises:
        LeftError: the user stopped while nothing was changed.
    """
    if not context.patience or not on_host.unfinished(seen, app):
        return False
    context.say(_told(seen, app, context.patience))
    until = time.monotonic() + context.patience
    renewed, since = _renewals(seen, app), time.monotonic()
    while time.monotonic() < until:
        await _pause(context.stop)
        seen = await _look(context, app, seen)
        if not on_host.unfinished(seen, app):
            return True
        if _renewals(seen, app) != renewed:
            renewed, since = _renewals(seen, app), time.monotonic()
        elif time.monotonic() - since > STILL:
            break
    return True


async def _pause(stop: asyncio.Event) -> None:
    """A moment, unless the user stops."""
    try:
        await asyncio.wait_for(stop.wait(), PAUSE)
    except TimeoutError:
        return
    raise errors.LeftError("stopped while waiting; nothing was changed", "the same command again")


async def _look(context: contexts.Context, app: str, seen: state.FleetState) -> state.FleetState:
    """The hosts on which something is open, anew; one that does not answer is as it was."""
    names = on_host.unfinished(seen, app)
    asked = [context.settings.inventory.hosts[name] for name in names]
    now = await observe.fleet(
        context.transport, asked, state_dir=context.settings.state_dir, engines=context.engines, app=app,
        facts=False, want=wants.RECORDS)
    return state.FleetState({
        name: host if host.reachable else seen.hosts[name] for name, host in now.hosts.items()})


def _renewals(seen: state.FleetState, app: str) -> dict[str, str]:
    """What changes of each host's lease whenever it is renewed."""
    return {
        name: f"{host.apps[app].lease.get('fence')} {host.apps[app].lease.get('expires')}"
        for name, host in seen.hosts.items() if app in host.apps
    }


def _told(seen: state.FleetState, app: str, patience: float) -> str:
    """Who is waited for, where, and since when."""
    host, deployment = next(iter(on_host.unfinished(seen, app).items()))
    lease = seen.hosts[host].apps[app].lease
    holder, since = lease.get("holder") or "somebody", lease.get("since") or "?"
    return (f"{app} on {host} is held by {holder} (deployment {deployment}, since {since}); "
            f"waiting, at most {patience:g} s")
