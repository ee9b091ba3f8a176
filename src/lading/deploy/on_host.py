"""What a host keeps of an app, for that host alone: releases, owner, what had ended, what is open (pure)."""

from collections.abc import Mapping

from lading import state
from lading.compose import release, restore
from lading.health import verdict


def unfinished(seen: state.FleetState, app: str) -> dict[str, str]:
    """The hosts on which a deployment of an app is open, with its id."""
    found = {}
    for name, host in seen.hosts.items():
        left = host.apps[app].open if app in host.apps else None
        if left is not None:
            found[name] = left.begun.deployment
    return found


def open_verbs(seen: state.FleetState, app: str) -> frozenset[str]:
    """What the deployments of an app that are open on hosts were to do: deploy, rollback, …"""
    left = (host.apps[app].open for host in seen.hosts.values() if app in host.apps)
    return frozenset(one.begun.verb for one in left if one is not None)


def current_release(app: state.AppState) -> release.Release | None:
    """The release that a host says is current, if it still keeps it."""
    if app.current is None or app.current.release not in app.releases:
        return None
    return restore.from_json(app.releases[app.current.release])


def releases(app: state.AppState | None) -> Mapping[str, release.Release]:
    """All releases of an app that one host keeps, by id; what another host keeps is no word for this one."""
    if app is None:
        return {}
    return {name: restore.from_json(raw) for name, raw in app.releases.items()}


def finished(app: state.AppState | None) -> tuple[str, ...]:
    """The services that had ended well before a deployment: a way back does not run them again."""
    return verdict.finished(app.containers) if app is not None else ()
