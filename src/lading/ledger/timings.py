"""How long each phase of a deployment took on each host, from its events (pure)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, get_args

from lading import events
from lading.dataclass import dataclass
from lading.ledger import deployments
from lading.plan import steps

PHASES = ("lease", *get_args(steps.Part), "undo")


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds. *prepare*: from the command's start to the plan; *hosts*: host → phase → seconds; *total*: all of it.

    *gaps*: the first and the last time at which a run was seen whose end is not in the ledger (it failed meanwhile, or the
    run goes on); *total* is then only what is known.
    A phase counts from its first change to its result as stored, waiting for other hosts left out; preflight is part
    of the lease, with which it shares a round trip.
    """

    prepare: float
    hosts: Mapping[str, Mapping[str, float]]
    total: float
    gaps: tuple[tuple[str, str], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The object under "timings" of `show --json --timings`."""
        return {"prepare": self.prepare, "hosts": {h: dict(p) for h, p in self.hosts.items()}, "total": self.total,
                "gaps": [{"from": since, "to": until} for since, until in self.gaps]}


def timings(stored: Sequence[deployments.Stored]) -> Timings:
    """The times of one deployment, from all of its events in their order; a resume adds to what was before it."""
    clock = _Clock()
    for one in stored:
        clock.see(one.event, one.at)
    return Timings(round(clock.prepare, 3), clock.hosts, round(clock.total, 3), (*clock.gaps, *clock.unended))


class _Clock:
    """What has begun and not ended, and what has been added up."""

    def __init__(self) -> None:
        self.prepare = self.total = 0.0
        self.hosts: dict[str, dict[str, float]] = {}
        self.begun: dict[tuple[str, str], str] = {}
        self.gaps: list[tuple[str, str]] = []
        self.unended: list[tuple[str, str]] = []

    def see(self, event: events.Event, at: str) -> None:
        self._follow(event, at)
        match event:
            case events.DeploymentPlanned():
                self.begun = {(host, "lease"): at for host in event.hosts}
                self.prepare, self.total = self.prepare + event.seconds, self.total + event.seconds
            case events.DeploymentTakenOver():
                self.begun = {(host, "lease"): at for host in event.hosts}
            case events.DeploymentEnded():
                self.total += event.seconds
            case events.StepStarted():
                self.begun[event.host, event.step] = at
            case events.LeaseTaken() | events.StepEnded():
                self.lap(event.host, event.step, at)
            case events.HostChecked():
                self.lap(event.host, "lease", at)
            case events.HostUndone():
                self.lap(event.host, "undo", at)
            case events.HostCommitted():
                self.begun[event.host, "commit"] = self.begun.get(("", "commit"), at)
                self.lap(event.host, "commit", at)

    def _follow(self, event: events.Event, at: str) -> None:
        """Keep from when to when the run was seen that has not ended."""
        if isinstance(event, events.DeploymentPlanned | events.DeploymentTakenOver):
            self.gaps += self.unended
            self.unended = [(at, at)]
        elif isinstance(event, events.DeploymentEnded):
            self.unended = []
        elif self.unended:
            self.unended = [(self.unended[0][0], at)]

    def lap(self, host: str, phase: str, at: str) -> None:
        """Add the time since the phase began or was last added to; nothing if nobody saw it begin."""
        since = self.begun.get((host, phase))
        if since is not None:
            mine = self.hosts.setdefault(host, {})
            mine[phase] = round(mine.get(phase, 0.0) + _between(since, at), 3)
            self.begun[host, phase] = at


def _between(since: str, until: str) -> float:
    """Seconds between two stored times; 0 where the clock was set back."""
    return max(0.0, (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds())
