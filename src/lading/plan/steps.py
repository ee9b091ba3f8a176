"""The vocabulary of a plan: steps as data, changes as data, JSON for people and machines (pure)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, field, fields
from typing import Any, Literal, assert_never

from lading import state
from lading.dataclass import dataclass
from lading.placement import assignment as assignments

FORMAT = 1  # "v" of the document of `plan --json`
LATER = "later"  # key of a field's metadata: it came after the first plans, and stands in a document only where it is set


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what is there and what shall be; *old* and *new* never hold a secret."""

    host: str
    service: str
    field: str
    old: str = ""
    new: str = ""


@dataclass(frozen=True, slots=True)
class Right:
    """What a service may do with its hosts, in the words of `allow:`; *new*: the hosts on which it could not until now.

    *service* is empty for what belongs to the whole project; *key*: where it stands; *says*: what it means.
    """

    service: str
    right: str
    key: str
    says: str
    new: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SentImage:
    """An image that only this machine has: its content as *id*, its *size* in bytes, and the *hosts* that lack it."""

    image: str
    id: str
    size: int
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoreRelease:
    """Upload the release and the shipped objects that the host lacks."""

    release: str
    objects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PullImages:
    """Pull by digest what the host lacks, or send it there, and tag it so that a prune spares it."""

    images: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RunHook:
    """Run *service* once, on this host only, before anything is rolled anywhere; *command* None = its own; seconds."""

    hook: str
    service: str
    command: Any = None
    timeout: float = 600.0


@dataclass(frozen=True, slots=True)
class RecreateNetwork:
    """Stop all services of a network whose definition changed, and make it anew.

    *foreign*: names of containers of others that are on it; they are detached, and attached again afterwards.
    """

    network: str
    services: tuple[str, ...]
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScaleDown:
    """Remove the containers above a service's replicas, by id, before Compose would choose some by their number."""

    service: str
    containers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StopServices:
    """Stop all containers of these services as Compose does: who depends on others first, with `pre_stop` and in grace."""

    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StartServices:
    """Recreate or start exactly these services, in the order their dependencies ask for.

    *anew*: each gets new containers, also where Compose sees no reason for one; anonymous volumes go on with them.
    *scale*: service → containers, of those that run in another number than the release says.
    """

    services: tuple[str, ...]
    anew: bool = field(default=False, metadata={LATER: True})
    scale: Mapping[str, int] = field(default_factory=dict, metadata={LATER: True})


@dataclass(frozen=True, slots=True)
class VerifyServices:
    """Wait until these services are as the release says, and well, for as long as each of them must stay so."""

    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoveService:
    """Remove a service that the release no longer has, by container id, after everything else was verified."""

    service: str
    containers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoveNetwork:
    """Remove a network that the release no longer has."""

    network: str


@dataclass(frozen=True, slots=True)
class RemoveApp:
    """Remove the app from the host. *kept*: its containers run on, only lading's own files go; *data*: volumes go, too.

    *containers*: the ids of those that go.
    """

    containers: tuple[str, ...] = ()
    kept: bool = False
    data: bool = False


@dataclass(frozen=True, slots=True)
class RepairRecords:
    """Write anew what lading keeps of an app on the host; no container is touched.

    *release* is what is deployed there, since *deployment*, by *actor*; *records*: the releases whose files are written anew;
    *journal*: the one that is there is set aside, and another begun.
    """

    release: str
    deployment: str
    actor: str = ""
    records: tuple[str, ...] = ()
    journal: bool = False


@dataclass(frozen=True, slots=True)
class PrepareRelease:
    """Look once more: what was verified still is so; from now on only all hosts together go forward or back."""

    release: str


@dataclass(frozen=True, slots=True)
class CommitRelease:
    """Make the release the host's `current`; nothing takes it back any more."""

    release: str


@dataclass(frozen=True, slots=True)
class FinishRelease:
    """Look a last time, start what has died since, prune, free the lease."""

    release: str


# Steps by what they are of; each engine and driver matches those that it is given, so mypy names who does not know a new one.
Staging = PullImages | StoreRelease | RepairRecords
Changing = RecreateNetwork | StopServices | ScaleDown | StartServices
Rolling = Changing | VerifyServices
Tidying = RemoveService | RemoveNetwork
Step = Staging | RunHook | Rolling | Tidying | RemoveApp | PrepareRelease | CommitRelease | FinishRelease

Part = Literal["stage", "hook", "roll", "tidy", "remove", "prepare", "commit", "finish"]
"""A part of the story of a deployment; also the name of the step in events, errors and progress."""


def part_of(step: Step) -> Part:
    """The part of the story that a step belongs to: its neighbours of the same part go with it in one command."""
    if isinstance(step, Staging):
        return "stage"
    if isinstance(step, Rolling):
        return "roll"
    if isinstance(step, Tidying):
        return "tidy"
    match step:
        case RunHook():
            return "hook"
        case RemoveApp():
            return "remove"
        case PrepareRelease():
            return "prepare"
        case CommitRelease():
            return "commit"
        case FinishRelease():
            return "finish"
        case _:
            assert_never(step)


@dataclass(frozen=True, slots=True)
class Phase:
    """Steps that hosts take together: batch after batch, *delay* seconds between two; all end it before the next begins.

    *batches*: in each, host → its steps, in order.
    """

    batches: tuple[Mapping[str, tuple[Step, ...]], ...]
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class HostPlan:
    """The steps for one host, in order; no steps = unchanged. *previous* is what the host goes back to.

    *adopted*: the containers that count as the release's though they have no labels of lading's. *placed*: what the host is
    to run of the release, service → containers; *by_hand*: what of that is another number since a person wants it. *down*: of
    which services no container ran there when it was looked at.
    """

    host: str
    steps: tuple[Step, ...] = ()
    changes: tuple[Change, ...] = ()
    previous: state.Current | None = None
    generations: Mapping[str, int] = field(default_factory=dict)
    fresh_secrets: tuple[str, ...] = ()
    adopted: Mapping[str, state.Adopted] = field(default_factory=dict)
    placed: Mapping[str, int] = field(default_factory=dict)
    by_hand: Mapping[str, int] = field(default_factory=dict)
    down: tuple[str, ...] = ()

    @property
    def services(self) -> tuple[str, ...]:
        """The services that are started or recreated."""
        return tuple(name for step in self.steps if isinstance(step, StartServices) for name in step.services)

    @property
    def anew(self) -> bool:
        """Whether all services that are started get new containers."""
        return any(step.anew for step in self.steps if isinstance(step, StartServices))


def _written(step: Step) -> dict[str, Any]:
    """A step's fields, without those that came later and say nothing: old plans keep their words, and their hash."""
    unset = {one.name for one in fields(step) if LATER in one.metadata and not getattr(step, one.name)}
    return {name: value for name, value in asdict(step).items() if name not in unset}


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done: per host, in batches of hosts, *delay* seconds between two; a value, carried out by an engine.

    *phases*: what is carried out, in this order, and nothing else; *batches*: the hosts in the order of the roll.
    *source*: to whom the app will belong on the hosts; *confirm*: the destination wants a person's yes; *unfinished*:
    host → another deployment that is open there, so that nothing can be approved yet. *assignment*: every host that came
    into question, and the rule that decided; no part of what is approved, since the hosts themselves are. *sent*: the
    images that hosts lacked when it was made, and get from this machine; which images they are the release says, and
    that is approved.
    """

    app: str
    version: str
    release: str
    destination: str
    hosts: Mapping[str, HostPlan]
    batches: tuple[tuple[str, ...], ...] = ()
    delay: float = 0.0
    warnings: tuple[str, ...] = ()
    verb: str = "deploy"
    source: str = ""
    confirm: bool = False
    unfinished: Mapping[str, str] = field(default_factory=dict)
    rights: tuple[Right, ...] = ()
    assignment: assignments.Assignment = field(default_factory=assignments.Assignment)
    phases: tuple[Phase, ...] = ()
    sent: tuple[SentImage, ...] = ()
    usual: float = 0.0
    """Seconds that the last roll took, 0 = nobody knows; no part of what is approved."""
    one_shots: tuple[str, ...] = ()
    """The services that are meant to end: they serve nobody, so that none is away while it is made anew; the release says them."""
    _hashed: list[str] = field(default_factory=list, init=False, repr=False, compare=False)
    """The hash, once it was asked for: it is made of all hosts, and asked for again and again."""

    @property
    def versions(self) -> dict[str, str]:
        """Release → version, of what hosts may run at the end."""
        before = {host.previous.release: host.previous.version for host in self.hosts.values() if host.previous is not None}
        return {**before, self.release: self.version}

    def steps_of(self, host: str) -> tuple[Step, ...]:
        """All that is done on a host, in order."""
        batches = [batch for phase in self.phases for batch in phase.batches]
        return tuple(step for batch in batches for step in batch.get(host, ()))

    def _steps_by_host(self) -> dict[str, list[Step]]:
        """The same of every host, in one pass: there may be as many batches as hosts."""
        found: dict[str, list[Step]] = {name: [] for name in self.hosts}
        for phase in self.phases:
            for batch in phase.batches:
                for host, steps in batch.items():
                    found.setdefault(host, []).extend(steps)
        return found

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do on any host."""
        return not any(host.steps for host in self.hosts.values())

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes of all hosts."""
        return tuple(change for host in self.hosts.values() for change in host.changes)

    def as_json(self) -> dict[str, Any]:
        """The document of `plan --json`; no hash while another deployment is open."""
        return {**self._bound(), "assignment": self.assignment.as_json(), "confirm": self.confirm,
                "excluded": [one.as_json() for one in self.assignment.excluded],
                "sent": [{**asdict(one), "hosts": list(one.hosts)} for one in self.sent],
                "open": dict(self.unfinished), "hash": None if self.unfinished else self.hash}

    def _bound(self) -> dict[str, Any]:
        """What an approval is bound to: everything that will be done, where, to whose app; no secret's value."""
        steps = self._steps_by_host()
        return {
            "v": FORMAT, "verb": self.verb, "source": self.source, "app": self.app, "version": self.version,
            "release": self.release, "destination": self.destination, "hosts": list(self.hosts),
            "batches": [list(batch) for batch in self.batches], "delay": self.delay,
            "steps": [
                {"host": host.host, "kind": type(step).__name__, **_written(step)}
                for host in self.hosts.values() for step in steps.get(host.host, ())
            ],
            "changes": [asdict(change) for change in self.changes],
            "warnings": list(self.warnings),
            "previous": {name: host.previous.release if host.previous else None for name, host in self.hosts.items()},
            "rights": [asdict(right) for right in self.rights],
        }

    @property
    def hash(self) -> str:
        """The SHA-256 of all that the plan does, kept in every host's record of the deployment."""
        if not self._hashed:
            written = json.dumps(self._bound(), sort_keys=True).encode()
            self._hashed.append(hashlib.sha256(written).hexdigest())
        return self._hashed[0]
