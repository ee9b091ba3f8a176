"""What an engine is given and gives back: an order, and an outcome per host; `Engine` is what every engine can do."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from typing import Literal, Protocol

from lading import events, state
from lading import trace as traces
from lading.compose import release as releases
from lading.dataclass import dataclass
from lading.drivers import base as drivers
from lading.inventory import hosts
from lading.plan import steps
from lading.state import journal

Way = Literal["", "continue", "undo"]
"""How a person wants an open deployment to end; "" = as the protocol's table says."""


def anything(seen: state.HostState) -> None:
    """The judge of an order that is never refused for what a host's links lead to."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The last lines of a service that failed, masked as they are shown."""

    text: str

    @property
    def id(self) -> str:
        """The SHA-256 by which an event names it; "" = it said nothing."""
        return hashlib.sha256(self.text.encode()).hexdigest() if self.text else ""


def no_evidence(what: Evidence) -> None:
    """Where last lines go if nothing is kept."""


async def no_ledger() -> Mapping[str, object]:
    """The decision to commit where nothing is kept."""
    return {}


@dataclass(frozen=True, slots=True)
class HostOrder:
    """What of an order is one host's own, from that host's records alone: no other host has a say in it.

    *begun*: the record with which the deployment begins there, or has begun; *release*: what the host
    becomes; *kept*: the releases that it keeps, by id; *left*: services that are not run again, since
    they have ended well on the way there; *stored*: whether what it becomes lies there already.
    *containers*: the ids of those that were seen when it was planned; None = nobody knows.
    """

    begun: journal.Begun
    release: releases.Release
    kept: Mapping[str, releases.Release] = field(default_factory=dict)
    left: frozenset[str] = frozenset()
    stored: bool = False
    containers: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class DeploymentOrder:
    """All that carrying out a plan needs; made by one factory for all verbs that change anything.

    *hosts*: where the participants are reached; *own*: what differs by host; *bundle* is None for what
    the hosts keep already; *sent*: the images that are sent where they lack; *logins*: for registries; *more_logins*: asked for where a kept image is gone
    and its registry does not give it to everybody. *expected*: host → Compose's normal form, which the
    host's own Compose must arrive at; *read_by*: the SHA-256 of the plug-in that did here; *composes*: the version of each host's Compose, under "" of the
    one here. *look*: host → what is looked at with the lease; *platforms*: what each image is there for.
    *judge* raises where a host makes something else of it than is allowed. *decide* stores the decision
    to commit and tells where the ledger ends then. *stop* is set by the first Ctrl-C or SIGTERM.
    *show* is told what is of interest only while it lasts, *trace* what programs on the hosts say meanwhile; neither
    is waited for. *keep* takes the last lines of what failed. *override*: leases of living holders are taken.
    *vouched*: the images whose digests do not rest on what hosts say alone. *replan*: for an open
    deployment, what is left to do on a host, from what is seen there. *committed*: whether the ledger
    has a decision to commit it. *unreachable*: participants that cannot be asked, and why; *without*: those
    that a person gives up for lost.
    """

    deployment: str
    plan: steps.Plan
    hosts: Mapping[str, hosts.Host]
    own: Mapping[str, HostOrder]
    holder: str
    since: str
    process: str
    url: str = ""
    reason: str = ""
    override: bool = False
    bundle: releases.Bundle | None = None
    sent: Mapping[str, drivers.Sent] = field(default_factory=dict)
    logins: Sequence[drivers.Login] = ()
    more_logins: Callable[[], Sequence[drivers.Login]] = tuple
    expected: Mapping[str, str] = field(default_factory=dict, repr=False)
    read_by: str = ""
    composes: Mapping[str, str] = field(default_factory=dict)
    look: Mapping[str, drivers.Look] = field(default_factory=dict)
    platforms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    vouched: tuple[str, ...] = ("*",)
    judge: Callable[[state.HostState], None] = anything
    decide: Callable[[], Awaitable[Mapping[str, object]]] = no_ledger
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    show: Callable[[events.Event], None] = lambda _: None
    trace: traces.Trace = traces.NOBODY
    keep: Callable[[Evidence], None] = no_evidence
    unreachable: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    replan: "Callable[[str, state.HostState, journal.Phase], steps.HostPlan] | None" = None
    committed: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """How it ended: the outcome per host, and what went wrong first (host, step, words, last log lines).

    *overtaken*: who has taken the app over meanwhile; what became of this deployment is then that one's doing.
    """

    outcome: events.Outcome
    host: str = ""
    step: str = ""
    why: str = ""
    log: tuple[str, ...] = ()
    overtaken: str = ""


class Engine(Protocol):
    """Carries out orders; awaits *record* before each change."""

    async def apply(self, order: DeploymentOrder, record: events.Record) -> Report:
        """Carry a plan out on all hosts or none; a host that fails is a value in the report.

        A report has an outcome for every host of the plan: of those without steps, "unchanged". Before the first host
        commits, `order.decide` has come back: the decision lies in the ledger.

        Raises:
            RefusedError, TransportError: before anything was changed on any host.
        """
        ...

    async def settle(self, order: DeploymentOrder, record: events.Record, way: Way) -> Report:
        """End a deployment that another process left open, as its participants' journals say, or a person.

        Raises:
            LeaseHeldError: whoever works on it lives.
        """
        ...

    async def remove(self, order: DeploymentOrder, record: events.Record) -> Report:
        """Carry out a plan that takes an app away: each host for itself, for nothing can be taken back.

        Raises:
            RefusedError, TransportError: before anything was changed on any host.
        """
        ...
