"""What a roll takes away for a while, said before it begins: which services, on how many hosts at once, for how long (pure)."""

from lading.plan import steps

_UNDRAINED = "requests that reach one just then are not drained"


def expected(plan: steps.Plan) -> tuple[str, ...]:
    """A sentence for each group of services that is recreated in the same batches; nothing for what was not there before.

    How long is what the last roll took that is known (`Plan.usual`): the most it should be, for it counts from the stop to
    the verdict.
    """
    if plan.verb == "remove":
        return ()
    groups: dict[tuple[str, ...], list[str]] = {}
    for service, hosts in _recreated(plan).items():
        groups.setdefault(tuple(hosts), []).append(service)
    return tuple(_sentence(plan, services, hosts) for hosts, services in groups.items())


def _recreated(plan: steps.Plan) -> dict[str, list[str]]:
    """Service → hosts on which its containers are replaced; of those that are there to serve."""
    found: dict[str, list[str]] = {}
    for host in plan.hosts.values():
        for service in host.services:
            if host.previous is not None and service not in {*_only_counted(host), *plan.one_shots}:
                found.setdefault(service, []).append(host.host)
    return found


def _only_counted(host: steps.HostPlan) -> set[str]:
    """The services of which containers come or go, and none is replaced; one that is new has no others."""
    fields: dict[str, set[str]] = {}
    for change in host.changes:
        fields.setdefault(change.service, set()).add(change.field)
    new = {change.service for change in host.changes if change.field == "containers" and change.old == "0"}
    return new | {service for service, changed in fields.items() if changed == {"containers"}}


def _sentence(plan: steps.Plan, services: list[str], hosts: tuple[str, ...]) -> str:
    names = " and ".join(filter(None, [", ".join(services[:-1]), services[-1]]))
    verb = "is" if len(services) == 1 else "are"
    long = f"at most about {plan.usual:.0f} s, as long as the last roll took" if plan.usual >= 1 else "a few seconds"
    every = {name for name, host in plan.hosts.items() if not host.placed or set(services) & set(host.placed)}
    at_once = max((len(set(batch) & set(hosts)) for batch in plan.batches), default=len(hosts))
    if len(every) == 1:
        return f"{names} {verb} away for {long}"
    if at_once == len(every):
        return f"all {len(every)} hosts at once: {names} {verb} away for {long}"
    count = "one" if at_once == 1 else str(at_once)
    return f"{count} of {len(every)} hosts at a time: {names} {verb} away there for {long}; {_UNDRAINED}"
