"""What runs where in words, a line for each app and destination, as one would say it to a colleague (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import field

from lading import spans, state
from lading.dataclass import dataclass
from lading.queries import absent, listing
from lading.state import damage, leases

WELL = ("healthy", "running", "completed", "stopped", "excluded")
"""The states of which there is nothing to say: so it was deployed, or a person wants it so."""
LOOK = {
    "exited": "logs", "unhealthy": "logs", "restarting": "logs", "missing": "drift", "paused": "drift", "unknown": "drift",
}
"""The verb that tells more of a service in another state; one that is starting tells it by itself."""
FEW = 3  # services; of more that are in one state on a host, only the number is said


@dataclass(slots=True)
class _Group:
    """An app in a destination, as it is gathered: what each host declares, and which hosts are silent.

    *not_well*: service and state → the hosts where it is so, of those states that are not WELL.
    """

    app: str
    destination: str
    versions: dict[str, list[str]] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)
    open: dict[str, list[leases.Work | None]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    unwell: list[str] = field(default_factory=list)
    not_well: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    by_hand: dict[str, list[str]] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """The hosts that have it, or may have it."""
        return sum(map(len, self.versions.values())) + len(self.without) + len(self.silent)


def lines(
    seen: state.FleetState, rows: Sequence[listing.Row], destinations: Mapping[str, Sequence[str]], app: str = "",
    left_out: Sequence[absent.Absent] = (),
) -> tuple[str, ...]:
    """One line for each app and destination; then the silent hosts that none of them names, and each excluded one.

    *rows*: those of the same look; *destinations*: name → hosts, as the fleet file says; *app*: only this one.
    """
    groups: dict[tuple[str, str], _Group] = {}
    for host in seen.hosts.values():
        for name in sorted(host.apps):
            if app in ("", name) and host.reachable:
                _add(groups, host.host, host.apps[name])
    named: set[str] = set()
    for group in groups.values():
        _mark(group, rows)
        members = _members(group, destinations, alone=len(groups) == 1)
        _leave_out_silent(group, seen, members)
        group.excluded = [one.host for one in left_out if members is None or one.host in members]
        named.update(group.silent)
    told = [_line(groups[key]) for key in sorted(groups)]
    left = [name for name in seen.silent if name not in named]
    if left:
        told.append(f"{_names(left)} {_do_not(left)} answer")
    return (*told, *(absent.line(one, app) for one in left_out))


def _leave_out_silent(group: _Group, seen: state.FleetState, members: set[str] | None) -> None:
    """Silent hosts are named as such, also those whose files could be read."""
    silent = set(seen.silent)

    def answering(names: Sequence[str]) -> list[str]:
        return [name for name in names if name not in silent]

    group.silent = [name for name in seen.silent if members is None or name in members]
    group.versions = {version: answering(names) for version, names in group.versions.items()}
    group.without = answering(group.without)


def _add(groups: dict[tuple[str, str], _Group], host: str, app: state.AppState) -> None:
    """What one host declares of one app."""
    left = app.open
    if app.current is None and left is None and not app.containers and not app.damaged:
        return  # it was removed
    place = listing.destination(app)
    group = groups.setdefault((app.app, place), _Group(app.app, place))
    deployed = damage.declared(app)
    if deployed is not None:
        group.versions.setdefault(deployed.version, []).append(host)
    else:
        group.without.append(host)
    if damage.blocking(app) is not None:
        group.damaged.append(host)
    if left is not None:
        group.open.setdefault(left.begun.deployment, []).append(leases.work(app))


def _mark(group: _Group, rows: Sequence[listing.Row]) -> None:
    """The hosts that differ from what was deployed, those where it did not end well, and what a person wants otherwise.

    Where damage hides what was deployed, nobody can say whether they differ.
    """
    differing: dict[str, None] = {}
    unwell: dict[str, None] = {}
    for row in rows:
        if (row.app, row.destination) != (group.app, group.destination):
            continue
        if row.service and row.state not in WELL:
            _once(group.not_well.setdefault((row.service, row.state), []), row.host)
        if _differs(row) and row.host not in group.damaged:
            differing[row.host] = None
        if row.unwell:
            unwell[row.host] = None
        if row.by_hand is not None:
            number = f"{row.by_hand} by hand" if row.by_hand else "stopped by hand"
            _once(group.by_hand.setdefault(f"{row.service} {number}", []), row.host)
    group.differing, group.unwell = list(differing), list(unwell)


def _once(hosts: list[str], host: str) -> None:
    """Add a host that is not there yet."""
    if host not in hosts:
        hosts.append(host)


def _differs(row: listing.Row) -> bool:
    """Whether it differs from what was deployed in more than the state that is told."""
    if not row.drifted:
        return False
    told = ("state", "missing", *listing.SEEN) if row.service and row.state not in WELL else listing.SEEN
    return any(one.partition(":")[0] not in told for one in row.drift)


def _not_well(group: _Group) -> list[str]:
    """Services that are not as they should be, with their state and what tells more: those in one state on the same hosts together."""
    together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (service, word), hosts in group.not_well.items():
        together.setdefault((word, tuple(hosts)), []).append(service)
    found = []
    for (word, where), services in together.items():
        names = ", ".join(services) if len(services) <= FEW else f"{len(services)} services"
        hint = f": lading {LOOK[word]} {group.app}" if word in LOOK else ""
        found.append(f"{names} {word} on {_names(where)}{hint}")
    return found


def _members(group: _Group, destinations: Mapping[str, Sequence[str]], *, alone: bool) -> set[str] | None:
    """The hosts that a destination means; None = all that were asked, since nothing says which."""
    words = group.destination.split(",")
    found = {name for word in words for name in destinations.get(word, ())}
    found |= {name for name in words if name not in destinations}
    known = any(word in destinations for word in words)
    return None if alone and not known else found


def _line(group: _Group) -> str:
    subject = " ".join(filter(None, [group.app, group.destination]))
    parts = [", ".join(_versions(group)), *_not_well(group)]
    if group.damaged:
        host = group.damaged[0] if len(group.damaged) == 1 else "HOST"
        parts.append(f"damaged on {_names(group.damaged)}: lading repair {host} {group.app}")
    parts += [f"{what} on {_names(names)}" for what, names in group.by_hand.items()]
    if group.differing:
        parts.append(f"not as deployed on {_names(group.differing)}: lading drift {group.app}")
    if group.unwell:
        parts.append(f"unwell on {_names(group.unwell)}: lading drift {group.app}")
    parts += [_open(group.app, deployment, leases.latest(found)) for deployment, found in group.open.items()]
    if group.silent:
        parts.append(f"{_names(group.silent)} {_do_not(group.silent)} answer")
    if group.excluded:
        parts.append(f"{_names(group.excluded)} {'are' if len(group.excluded) > 1 else 'is'} excluded")
    return f"{subject}: {'; '.join(part for part in parts if part)}"


def _open(app: str, deployment: str, work: leases.Work | None) -> str:
    """A deployment that has not ended: who works on it as far as that is known, and what to type."""
    if work is None:
        return f"{deployment} is not ended: lading resume {app}"
    if work.lives:
        return f"{deployment} is running ({work.who}): lading show {deployment}; to deploy after it: --wait 10m"
    if work.quiet is not None:
        return (f"{deployment} is not ended, and not heard of for {work.quiet} s ({work.who}): "
                f"lading resume {app} waits until its lease has ended ({work.left} s), and refuses if it lives")
    return (f"{deployment} is not ended, and nothing tells whether {work.who}, lives: "
            f"its lease ends in {work.left} s, then lading resume {app}")


def _versions(group: _Group) -> list[str]:
    """Each version with its hosts: the one that most have is counted, those of the others are named."""
    ranked = sorted(((version, names) for version, names in group.versions.items() if names), key=lambda one: -len(one[1]))
    found = []
    for number, (version, names) in enumerate(ranked):
        if number or len(names) == 1:
            found.append(f"{version} on {_names(names)}")
        elif len(names) == group.total:
            found.append(f"{version} on {group.total} hosts")
        else:
            found.append(f"{version} on {len(names)} of {group.total} hosts")
    if group.without:
        found.append(f"no deployed version on {_names(group.without)}")
    return found


def _names(hosts: Sequence[str]) -> str:
    return ", ".join(spans.packed(hosts))


def _do_not(hosts: Sequence[str]) -> str:
    return "do not" if len(hosts) > 1 else "does not"
