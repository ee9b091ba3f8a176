"""What can happen during a deployment, and how it ended: frozen records, JSON both ways (pure)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field, fields
from typing import Any, Literal

from lading.dataclass import dataclass

VERSION = 1  # "v" of every event that is stored

HostResult = Literal["succeeded", "unwell", "unchanged", "untouched", "rolled_back", "failed", "unknown"]
WholeResult = Literal["succeeded", "unchanged", "rolled_back", "failed", "partial", "unknown", "refused"]


@dataclass(frozen=True, slots=True)
class Event:
    """Base: which deployment; *host* and *step* are empty where the event is about the whole."""

    deployment: str
    host: str = ""
    step: str = ""


@dataclass(frozen=True, slots=True)
class DeploymentRequested(Event):
    """Somebody wants a deployment: its id is given out, and will have a result, also if it is refused.

    *destination*: as it was asked for; *actor*, *ran_by*: see `DeploymentPlanned`.
    """

    verb: str = "deploy"
    app: str = ""
    version: str = ""
    destination: str = ""
    actor: str = ""
    reason: str = ""
    url: str = ""
    ran_by: str = ""


@dataclass(frozen=True, slots=True)
class DeploymentTakenOver(Event):
    """Another process takes up a deployment that was left open, to end it; *hosts*: on which it is open.

    *way*: what a person asked for, "" = as the protocol says; *without*: hosts that the person gives up.
    """

    app: str = ""
    actor: str = ""
    reason: str = ""
    url: str = ""
    ran_by: str = ""
    hosts: tuple[str, ...] = ()
    way: str = ""
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeploymentPlanned(Event):
    """The intent, stored before the first change: what, where to, who, why. *changes* holds no secret.

    *seconds* went by from the start of the command to the plan. *vouched*: the images whose digests do not rest on what
    hosts say alone; "*": all, for all that is known.
    *actor* is what the caller or the CI says of itself; *ran_by* is the user and machine that lading ran as; *keys*:
    fingerprint of an SSH key → hosts that it let in on. *excluded*: the hosts that were left out, since somebody has excluded them
    → where each is (`HostExcluded`).
    """

    verb: str = "deploy"
    app: str = ""
    version: str = ""
    release: str = ""
    destination: str = ""
    hosts: tuple[str, ...] = ()
    source: str = ""
    commit: str = ""
    actor: str = ""
    reason: str = ""
    url: str = ""
    plan: str = ""
    changes: tuple[Mapping[str, str], ...] = ()
    seconds: float = 0.0
    vouched: tuple[str, ...] = ("*",)
    ran_by: str = ""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeploymentEnded(Event):
    """How it ended: the whole, and each host's result; *decision* is "commit" before hosts are told so."""

    result: str = ""
    hosts: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class LeaseTaken(Event):
    """The host gave this deployment the app, with this fence."""

    fence: int = 0


@dataclass(frozen=True, slots=True)
class LeaseLost(Event):
    """Somebody else holds the app on the host."""

    holder: str = ""


@dataclass(frozen=True, slots=True)
class HostChecked(Event):
    """Preflight of a host: the list of problems, empty when it may go on."""

    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostLost(Event):
    """The host does not answer; what happens there is unknown until it does."""

    error: str = ""


@dataclass(frozen=True, slots=True)
class BundleStored(Event):
    """The release lies on the host, complete."""

    release: str = ""


@dataclass(frozen=True, slots=True)
class ImagePulled(Event):
    """An image of the release is on the host, by digest."""

    service: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True)
class HookEnded(Event):
    """A hook ended, with its exit status; *evidence*: see `ServiceUnhealthy`."""

    hook: str = ""
    status: int = 0
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class StepStarted(Event):
    """A changing step is about to begin on the host."""


@dataclass(frozen=True, slots=True)
class StepEnded(Event):
    """A changing step ended; *error* is empty when it did what it should."""

    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ServiceHealthy(Event):
    """A service of the release is as it should be on the host, verified by inspect."""

    service: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class ServiceAwaited(Event):
    """What is waited for on the host, in words; only shown while it lasts, never stored."""

    what: str = ""


@dataclass(frozen=True, slots=True)
class ServiceUnhealthy(Event):
    """A service of the release is not as it should be, and why.

    *evidence*: SHA-256 of its last lines, which lie beside the ledger; "" = it said nothing, or what it said may hold
    secrets that are not known here. *log*: the lines themselves, in a ledger of an older lading.
    """

    service: str = ""
    why: str = ""
    log: tuple[str, ...] = ()
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class HostCommitted(Event):
    """The host's `current` is the new release.

    *line*, *current*: SHA-256 of what was written there (`state.hash_of_line`, `state.hash_of_current`).
    """

    release: str = ""
    line: str = ""
    current: str = ""


@dataclass(frozen=True, slots=True)
class HostUndone(Event):
    """The host is back on its previous release, verified; empty: the app is gone again, as before."""

    release: str = ""


@dataclass(frozen=True, slots=True)
class StateSeen(Event):
    """What was observed on a host, in few words."""

    summary: str = ""


@dataclass(frozen=True, slots=True)
class KeyTrusted(Event):
    """A host key was pinned by a person."""

    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class HostExcluded(Event):
    """From now on no deployment goes to the host; of no deployment.

    *place*: which machine the name stands for, as the fleet file says (`exclusion.place_of`); *actor*, *ran_by*: see `DeploymentPlanned`.
    """

    place: str = ""
    reason: str = ""
    actor: str = ""
    url: str = ""
    ran_by: str = ""


@dataclass(frozen=True, slots=True)
class HostIncluded(Event):
    """The host takes part again; of no deployment. *place*: see `HostExcluded`."""

    place: str = ""
    reason: str = ""
    actor: str = ""
    url: str = ""
    ran_by: str = ""


KINDS: Mapping[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        DeploymentRequested, DeploymentTakenOver, DeploymentPlanned, DeploymentEnded, LeaseTaken, LeaseLost, HostChecked, HostLost, BundleStored, ImagePulled,
        HookEnded, StepStarted, StepEnded, ServiceHealthy, ServiceUnhealthy, HostCommitted, HostUndone, StateSeen,
        KeyTrusted, HostExcluded, HostIncluded,
    )
}

Record = Callable[[Event], Awaitable[None]]
"""What the engine awaits before each change and after each result; ledger and progress stand behind it."""


def to_json(event: Event) -> dict[str, Any]:
    """An event as the object that is stored: v, kind, deployment, host, step, data."""
    own = {f.name for f in fields(Event)}
    data = {f.name: _plain(getattr(event, f.name)) for f in fields(event) if f.name not in own}
    return {
        "v": VERSION, "kind": type(event).__name__, "deployment": event.deployment, "host": event.host,
        "step": event.step, "data": data,
    }


def from_json(stored: Mapping[str, Any]) -> Event:
    """The event of a stored object; fields that a newer lading added are left out.

    Raises:
        ValueError: an unknown kind, or a format newer than this lading's.
    """
    if stored.get("v", 0) > VERSION or stored.get("kind") not in KINDS:
        raise ValueError(f"event {stored.get('kind')} v{stored.get('v')} is not known to this lading")
    kind = KINDS[stored["kind"]]
    names = {f.name for f in fields(kind)}
    data = {name: _frozen(value) for name, value in stored["data"].items() if name in names}
    return kind(deployment=stored["deployment"], host=stored["host"], step=stored["step"], **data)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class HostOutcome:
    """How a deployment ended on one host; *release* is what runs there now as far as known, *seconds* on this host."""

    result: HostResult
    release: str = ""
    previous: str = ""
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a deployment ended, per host."""

    hosts: Mapping[str, HostOutcome]

    @property
    def is_good(self) -> bool:
        """Whether what was asked for is there on every host."""
        return self.result in ("succeeded", "unchanged")

    @property
    def result(self) -> WholeResult:
        """The whole, by the hosts: succeeded and unchanged are the only good ones."""
        seen = {host.result for host in self.hosts.values()}
        if "unknown" in seen:
            return "unknown"
        if seen <= {"unchanged"}:
            return "unchanged"
        if seen <= {"succeeded", "unchanged"}:
            return "succeeded"
        if seen <= {"succeeded", "unchanged", "unwell"}:
            return "partial"
        if seen <= {"untouched", "unchanged"}:
            return "failed"
        if seen <= {"rolled_back", "untouched", "unchanged"}:
            return "rolled_back"
        return "partial"
