"""What an engine is given and gives back: a job, and an outcome per host."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from lading import events, state
from lading.compose import release as releases
from lading.drivers.shell import commands
from lading.inventory import hosts
from lading.plan import steps


def anything(seen: state.HostState) -> None:
    """The judge of a job that is never refused for what a host's links lead to."""


async def no_ledger() -> Mapping[str, object]:
    """What is attested where nothing is kept."""
    return {}


@dataclass(frozen=True, slots=True)
class Own:
    """What of a job is one host's own, from that host's records alone: no other host has a say in it.

    *known*: the releases that it keeps, by id; *release*: what it becomes, if not what the job says;
    *begin*: what its record says otherwise than the job's; *staged*: whether what it becomes lies
    there, so that it can be committed.
    """

    known: Mapping[str, releases.Release]
    release: releases.Release | None = None
    begin: Mapping[str, Any] = field(default_factory=dict)
    staged: bool = True


@dataclass(frozen=True, slots=True)
class Job:
    """All that carrying out a plan needs. *begin*: the record that every host keeps, without kind and fence.

    *bundle* is None for a rollback to what the hosts keep; *known*: releases by id, for undo; *own*: what differs by host
    (`at`); *expected*: the
    Compose normal form that every host's own Compose must arrive at ("" = not compared); *composes*: the version of each
    host's Compose, and under "" of the one here; *stop* is set by the first
    Ctrl-C or SIGTERM; *keep_jobs*: services that are meant to end are not run again (a way back); *platforms*: what each image is there for;
    *docker_info*: what `docker info` said on each host when the plan was made;
    *vouched*: the images whose digests do not rest on what hosts say alone;
    *sources*: what is mounted of hosts (`docker.observe`); *judge* raises where a host makes something else of it than is allowed;
    *attest*: where the ledger ends now (writer, seq, hash), for the hosts' journals at commit;
    *more_logins*: asked for where a kept image is gone and its registry does not give it to everybody;
    *show*: is told what is only of interest while it lasts, and is not recorded.
    """

    plan: steps.Plan
    release: releases.Release
    bundle: releases.Bundle | None
    known: Mapping[str, releases.Release]
    hosts: Mapping[str, hosts.Host]
    deployment: str
    begin: Mapping[str, Any]
    state_dir: str
    holder: str
    since: str
    url: str = ""
    nonce: str = ""
    take_lease: bool = False
    logins: Sequence[commands.Login] = ()
    platforms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    expected: Mapping[str, str] = field(default_factory=dict)
    composes: Mapping[str, str] = field(default_factory=dict)
    keep_jobs: bool = False
    docker_info: Mapping[str, str] = field(default_factory=dict)
    attest: Callable[[], Awaitable[Mapping[str, object]]] = no_ledger
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    own: Mapping[str, Own] = field(default_factory=dict)
    vouched: tuple[str, ...] = ("*",)
    sources: Sequence[str] = ()
    judge: Callable[[state.HostState], None] = anything
    more_logins: Callable[[], Sequence[commands.Login]] = tuple
    show: Callable[[events.Event], None] = lambda _: None

    @property
    def finished(self) -> tuple[str, ...] | None:
        """The services that had ended well before it began, of a job `at` a host; None if that host's record does not say."""
        written = self.begin.get("finished")
        return None if written is None else tuple(map(str, written))

    @property
    def left(self) -> frozenset[str]:
        """The services that it does not run again: the one-shots of a way back."""
        back = self.begin.get("verb") == "rollback"
        return self.release.left_on_the_way_back(self.finished) if back else frozenset()

    def at(self, host: str) -> "Job":
        """The job as it is for one host."""
        own = self.own.get(host)
        if own is None:
            return self
        begin = {**self.begin, **own.begin}
        return replace(self, release=own.release or self.release, begin=begin, known=own.known)

    def staged(self, host: str) -> bool:
        """Whether a host that another run left open can be committed there."""
        own = self.own.get(host)
        return own is None or own.staged


@dataclass(frozen=True, slots=True)
class Report:
    """How it ended: the outcome per host, and what went wrong first (host, step, words, last log lines)."""

    outcome: events.Outcome
    host: str = ""
    step: str = ""
    why: str = ""
    log: tuple[str, ...] = ()


class Engine(Protocol):
    """Carries out a job; awaits *record* before each change."""

    async def run(self, job: Job, record: events.Record) -> Report:
        """Carry the job out on all hosts or none; a failing host is a value in the report.

        Raises:
            RefusedError, TransportError: before anything was changed on any host.
        """
        ...
