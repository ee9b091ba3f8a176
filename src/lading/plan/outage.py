"""What a roll takes away for a while, said before it begins: which services, on how many hosts at once, for how long (pure)."""

from collections.abc import Iterable

from lading import spans
from lading.plan import steps

_UNDRAINED = "requests that reach one just then are not drained"
_RECORDS = frozenset({"containers", "state", "service"})  # fields of a change for which no container that serves is replaced


def expected(plan: steps.Plan) -> tuple[str, ...]:
    """A sentence for each group of services that is recreated in the same batches.

    Nothing of what was not there before, or is down already.

    How long is what the last roll took that is known (`Plan.usual`): the most it should be, for it counts from the stop to
    the verdict.
    """
    if plan.verb == "remove":
        return ()
    groups: dict[tuple[str, ...], list[str]] = {}
    for service, hosts in _recreated(plan).items():
        groups.setdefault(tuple(hosts), []).append(service)
    return tuple(_sentence(plan, services, hosts) for hosts, services in groups.items())


def taken_away(changes: Iterable[steps.Change]) -> frozenset[str]:
    """The services of which a roll for these changes replaces containers that are there.

    A first deployment takes nothing away, nor does a start of what is down, so that neither measures an outage.
    """
    changes = tuple(changes)
    new = {change.service for change in changes if change.field == "containers" and change.old == "0"}
    return frozenset(change.service for change in changes if change.service and change.field not in _RECORDS) - new


def _recreated(plan: steps.Plan) -> dict[str, list[str]]:
    """Service → hosts on which its containers are replaced; of those that are there to serve."""
    found: dict[str, list[str]] = {}
    for host in plan.hosts.values():
        for service in host.services:
            if _serves(host, service) and service not in {*_only_counted(host), *plan.one_shots}:
                found.setdefault(service, []).append(host.host)
    return found


def _serves(host: steps.HostPlan, service: str) -> bool:
    """Whether a service has a container on a host that runs until now."""
    new = any(change.service == service and change.field == "containers" and change.old == "0" for change in host.changes)
    return host.previous is not None and service not in host.down and not new


def _only_counted(host: steps.HostPlan) -> set[str]:
    """The services of which containers come, go or are started again, and none is replaced."""
    fields: dict[str, set[str]] = {}
    for change in host.changes:
        fields.setdefault(change.service, set()).add(change.field)
    return {service for service, changed in fields.items() if changed <= _RECORDS}


def _sentence(plan: steps.Plan, services: list[str], hosts: tuple[str, ...]) -> str:
    names = " and ".join(filter(None, [", ".join(services[:-1]), services[-1]]))
    away = f"{names} {'is' if len(services) == 1 else 'are'} away"
    long = f"at most about {plan.usual:.0f} s, as long as the last roll took" if plan.usual >= 1 else "a few seconds"
    placed = [host for host in plan.hosts.values() if not host.placed or set(services) & set(host.placed)]
    serving = [host for host in placed if any(_serves(host, one) for one in services)]
    at_once = max((len(set(batch) & set(hosts)) for batch in plan.batches), default=len(hosts))
    if len(serving) == 1:
        return f"{away} for {long}"
    if at_once == len(serving):
        now = "" if len(serving) == len(placed) else " that serve now"
        return f"all {len(serving)} hosts{now} at once: {away} for {long}"
    return f"{_where(hosts, at_once, len(serving))}: {away} there for {long}; {_UNDRAINED}"


def _where(hosts: tuple[str, ...], at_once: int, serving: int) -> str:
    """On which of the hosts that serve, where the others go on meanwhile."""
    if at_once == len(hosts):
        return f"on {', '.join(spans.packed(hosts))} of {serving} hosts"
    return f"{'one' if at_once == 1 else at_once} of {serving} hosts at a time"
