"""An excluded host as questions about what runs where tell of it: why it is, and what it has missed (pure)."""

from collections.abc import Iterator, Sequence

from lading.dataclass import dataclass
from lading.ledger import deployments
from lading.placement import exclusion
from lading.queries import differences, listing

FIELD = "excluded"


@dataclass(frozen=True, slots=True)
class Absent:
    """An excluded host, and the deployments that have left it out since, the oldest first."""

    exclusion: exclusion.Exclusion
    missed: tuple[deployments.Deployment, ...] = ()

    @property
    def host(self) -> str:
        """Its name."""
        return self.exclusion.host

    def behind(self, app: str = "") -> tuple[deployments.Deployment, ...]:
        """What it lacks now: the last deployment that it has missed of each app and destination; *app*: only of this one."""
        return tuple(one for one in deployments.behind(self.missed) if app in ("", one.app))


def rows(absent: Absent, app: str) -> list[listing.Row]:
    """A row for each app and destination of which it has missed something, else one that says only that it is excluded."""
    last: dict[tuple[str, str], deployments.Deployment] = {}
    for one in absent.behind(app):
        last.setdefault((one.app, one.destination), one)  # the release comes before what was done to it by hand
    return [_row(absent, one) for one in last.values()] or [_row(absent, None, app)]


def _row(absent: Absent, last: deployments.Deployment | None, app: str = "") -> listing.Row:
    """*last*: the last deployment that it has missed of an app and destination."""
    missed = [one for one in absent.missed if last is not None and (one.app, one.destination) == (last.app, last.destination)]
    told = tuple(listing.Missed(one.deployment, one.verb, one.version, one.result) for one in missed)
    why = absent.exclusion
    drift = (why.words, *([f"missed: {', '.join(one.deployment for one in missed)}"] if missed else []))
    excluded = listing.Excluded(why.reason, why.actor, why.since, told)
    return listing.Row(
        last.app if last is not None else app, "", why.host, "", "", last.release if last is not None else "", "", "", "excluded",
        why.since, "", why.actor, drift, destination=last.destination if last is not None else "",
        app_version=_version(last) if last is not None else "", excluded=excluded)


def _version(one: deployments.Deployment) -> str:
    """The version that it lacks; "" where it lacks none: the app was removed, or something of it stopped, started or scaled."""
    return "" if one.verb == "remove" or one.verb in deployments.BY_HAND else one.version


def line(absent: Absent, app: str = "") -> str:
    """It in words, with what to type once it is well again."""
    lacks = ", ".join(map(what, absent.behind(app)))
    told = f"it misses {lacks}" if lacks else _nothing([one for one in absent.missed if app in ("", one.app)])
    return f"{absent.host} is {absent.exclusion.words}; {told}; once it is well: lading hosts include {absent.host}"


def _nothing(missed: Sequence[deployments.Deployment]) -> str:
    """That it lacks nothing, though it may have missed something: what was taken back, restarted or repaired elsewhere."""
    if not missed:
        return "it has missed nothing that is known here"
    return f"what it has missed has left nothing behind: {', '.join(f'{one.verb} {one.deployment}' for one in missed)}"


def what(one: deployments.Deployment) -> str:
    """What a deployment that was missed has brought, or may bring, in words."""
    open_ = f" (deployment {one.deployment} is not ended)" if one.result in deployments.UNSURE else ""
    if one.verb == "remove":
        return f"that {one.app} was removed from {one.destination}{open_}"
    if one.verb in deployments.BY_HAND:
        return f"that {_by_hand(one)}{open_}"
    return f"{one.app} {one.version} of {one.destination}{open_}"


def _by_hand(one: deployments.Deployment) -> str:
    """What of an app was stopped, started or scaled on the other hosts."""
    done = {"stop": "stopped", "start": "started", "scale": "scaled"}[one.verb]
    told = [f"{name} of {one.app} was {done}" + (f" to {count}" if count else "") for name, count in one.by_hand.items()]
    return f"{', '.join(told) or f'{one.app} was {done}'} in {one.destination}"


def found(absent: Absent, app: str) -> Iterator[differences.Difference]:
    """That nobody has looked at it, as differences: nobody can say that it is as it was deployed."""
    behind: Sequence[deployments.Deployment | None] = absent.behind(app) or [None]
    for one in behind:
        declared = what(one) if one is not None else ""
        yield differences.Difference(absent.host, one.app if one is not None else app, "", FIELD, declared, absent.exclusion.words)
