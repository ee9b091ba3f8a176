"""What is as its release says and not well all the same: said where nothing was to be done, for more of the same does not mend it (pure)."""

from collections.abc import Iterable, Iterator, Mapping

from lading import spans, state
from lading.compose import release as releases
from lading.health import verdict
from lading.plan import steps


def note(made: releases.Release, plans: Mapping[str, steps.HostPlan], apps: Mapping[str, state.AppState]) -> str:
    """Each container that is unhealthy, paused or restarts, and what to type; "" where all are well. *apps*: what was seen on each host."""
    found: list[str] = []
    for host, plan in plans.items():
        seen = apps.get(host, state.AppState(made.app))
        for expected in verdict.expected_of(made, plan.placed, plan.generations):
            found += _describe(host, verdict.problems(expected, seen.containers))
    return "; ".join([*found, f"lading logs {made.app}"]) if found else ""


def _describe(host: str, problems: Iterable[verdict.Problem]) -> Iterator[str]:
    """A line for each container that is unhealthy, paused, or was restarted by Docker."""
    for one in problems:
        if (one.kind, one.state) == ("state", "unhealthy"):
            yield f"{one.service} on {host} is unhealthy"
        if (one.kind, one.state) == ("state", "paused"):
            yield f"{one.service} on {host} is paused, and runs on after docker unpause there"
        if one.kind == "restarted" or (one.kind, one.state) == ("state", "restarting"):
            yield f"{one.service} on {host}: {one.why}"


def finished(made: releases.Release, plans: Mapping[str, steps.HostPlan], apps: Mapping[str, state.AppState]) -> str:
    """The services that have ended well, as they may, so that no start runs them again; "" where there are none."""
    found: dict[str, list[str]] = {}
    for host in plans:
        seen = apps.get(host, state.AppState(made.app)).containers
        for name in sorted(verdict.completed(made, seen)):
            if made.endings[name] == "may":
                found.setdefault(name, []).append(host)
    told = [f"{name} has ended with code 0 on {', '.join(spans.packed(hosts))}, which counts as completed: "
            f"lading restart {made.app}/{name} runs it again" for name, hosts in found.items()]
    return "; ".join(told)
