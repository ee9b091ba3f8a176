"""Hosts in memory that keep the protocol's rules, behind the two ports that an engine is given.

What a host is asked for stands in `calls`; `before` and `after` may let a call fail, or its answer be lost.
"""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from builders import a_container, last_phase
from lading import errors, state
from lading.compose import release as releases
from lading.drivers import base as drivers
from lading.inventory import hosts as inventory
from lading.plan import steps
from lading.state import journal

OPEN: tuple[journal.Phase, ...] = ("begun", "staged", "rolling", "rolled", "failed", "prepared", "undoing")
ALLOWED: Mapping[str, tuple[journal.Phase, ...]] = {
    "pull": ("begun", "staged"), "upload": ("begun", "staged"), "repair": ("begun", "staged"), "hook": ("staged",),
    "roll": ("staged", "rolling", "rolled", "failed"), "tidy": ("staged", "rolled", "failed"),
    "prepare": ("staged", "rolled", "prepared"), "commit": ("prepared", "committed"), "finish": ("committed",),
    "start": ("committed",), "undo": (*OPEN,), "close": ("begun", "staged", "undoing"),
    "leave": (*OPEN, "committed"), "confirm": (*OPEN, "committed"), "remove": ("begun",),
}
Fault = Callable[[str, str], None]
"""Called with host and call; raises what shall be raised."""


def no_fault(host: str, call: str) -> None:
    """Nothing goes wrong."""


@dataclass
class Lease:
    """Who holds an app on a host."""

    deployment: str = ""
    fence: int = 0
    process: str = ""
    held: bool = False


class SimulatedHost:
    """One host: lease and journal on its disk, the app's containers."""

    def __init__(self, name: str, kept: Sequence[releases.Release], current: releases.Release | None) -> None:
        self.name = name
        self.kept = {made.id: made for made in kept}
        self.current = state.Current("shop", current.id, current.version, "d0") if current else None
        self.containers: list[state.ContainerState] = []
        self.lease = Lease()
        self.journal: list[journal.Record] = []
        self.calls: list[str] = []
        self.before: Fault = no_fault
        self.after: Fault = no_fault
        self.sick: set[str] = set()  # release ids whose services never get well here
        self.plugin = ""  # the SHA-256 of its Compose plug-in
        self.form = ""  # what that makes of any release
        self.says: list[drivers.Said] = []  # what programs print here, each time that they are run
        self.hook: tuple[int, str] = (0, "")  # how hooks end, and what they said last
        self.probe = ""  # what health checks of sick services print
        self.log: dict[str, str] = {}  # what services have said last
        self._ids = itertools.count(1)
        if current is not None:
            self.run(current)

    # What it is

    @property
    def phase(self) -> journal.Phase | None:
        """The phase of the deployment that the lease is about."""
        return last_phase(self.journal, self.lease.deployment)

    @property
    def open(self) -> str:
        """The deployment that is open here."""
        left = journal.open_deployment(self.journal)
        return left.begun.deployment if left is not None else ""

    @property
    def runs(self) -> str:
        """The version that its containers are of, or several."""
        return ",".join(sorted({one.image.partition("@")[0].rpartition(":")[2] for one in self.containers}))

    def app(self) -> state.AppState:
        """What is seen of the app."""
        raw = {id: json.loads(made.canonical()) for id, made in self.kept.items()}
        return state.AppState("shop", self.current, raw, tuple(self.journal), tuple(self.containers))

    def seen(self) -> state.HostState:
        """What is seen of the host."""
        facts = state.Facts(engine="28.0.0", compose="2.40.3", state_dir="/s", disk_free=9999, docker_free=9999)
        return state.HostState(self.name, facts, {"shop": self.app()})

    def run(
        self, made: releases.Release, services: Sequence[str] | None = None, versions: Mapping[str, int] | None = None,
        scale: Mapping[str, int] | None = None,
    ) -> None:
        """Make the containers of a release anew, or those of some services; *versions*: of its secrets; *scale*: how many."""
        chosen = list(made.active) if services is None else services
        self.containers = [one for one in self.containers if one.service not in chosen]
        health = "unhealthy" if made.id in self.sick else "healthy"
        for name in (one for one in chosen for _ in range((scale or {}).get(one, made.services[one].replicas))):
            self.containers.append(a_container(
                made.services[name], id=f"{self.name}-{next(self._ids)}", health=health,
                probe=self.probe if health == "unhealthy" else "",
                secrets=releases.generation_label(made.services[name], versions or {})))

    def say(self, source: str, listen: drivers.Listen | None) -> None:
        """A program prints."""
        for one in self.says:
            if listen is not None and one.source == source:
                listen(one)

    # What is asked of it

    def asked(self, call: str, hold: drivers.Hold | None = None, labels: Sequence[str] = ()) -> None:
        """Note a call, as *labels* if it is several things; refuse it by lease or phase."""
        self.before(self.name, call)
        self.calls += labels or [call]
        if hold is None:
            return
        lease = self.lease
        if (lease.deployment, lease.fence, lease.held) != (hold.deployment, hold.fence, True):
            raise drivers.Refused(drivers.LOST_LEASE, f"deployment={lease.deployment}\nholder=somebody")
        if self.open != hold.deployment or self.phase not in ALLOWED[call]:
            raise drivers.Refused("phase", str(self.phase))

    def write(self, record: journal.Record) -> None:
        """Add a record to the journal."""
        self.journal.append(journal.read(record.as_json()))

    def reach(self, phase: journal.Phase, hold: drivers.Hold) -> None:
        """The deployment is in a phase."""
        self.write(journal.Reached(hold.deployment, phase=phase))

    def free(self) -> None:
        """Nobody holds the app."""
        self.lease.held = False


@dataclass
class Store:
    """The store of a simulated host."""

    host: SimulatedHost

    async def acquire(self, claim: drivers.Claim, tell: Callable[[str], None] = lambda _: None) -> drivers.Acquired:
        host, record = self.host, claim.record
        begins = isinstance(record, journal.Begun)
        host.asked("begin" if begins else "take")
        lease, phase = host.lease, last_phase(host.journal, record.deployment)
        if lease.held and lease.process != record.process and not claim.override:
            raise drivers.Refused(drivers.HELD, f"deployment={lease.deployment}\nholder=somebody")
        if begins and host.open not in ("", record.deployment):
            raise drivers.Refused("open", host.open)
        if not begins and host.open != record.deployment:
            host.after(host.name, "take")
            return drivers.Acquired(None, phase, host.seen())
        fence = lease.fence + 1
        host.lease = Lease(record.deployment, fence, record.process, True)
        host.write(replace(record, fence=fence))
        hold = drivers.Hold(claim.app, record.deployment, fence, record.process, claim.holder, claim.since)
        host.after(host.name, "begin" if begins else "take")
        return drivers.Acquired(hold, host.phase, host.seen())

    async def confirm(self, hold: drivers.Hold) -> journal.Phase:
        self.host.asked("confirm", hold)
        self.host.after(self.host.name, "confirm")
        assert self.host.phase is not None
        return self.host.phase

    async def upload(self, hold: drivers.Hold, what: drivers.Upload) -> drivers.HostForm:
        self.host.asked("upload", hold)
        self.host.kept[what.release.id] = what.release
        self.host.reach("staged", hold)
        self.host.after(self.host.name, "upload")
        if what.read_by and what.read_by == self.host.plugin:
            return drivers.HostForm(known="here")
        return drivers.HostForm(self.host.form)

    async def repair(self, hold: drivers.Hold, made: Sequence[releases.Release], app: state.AppState) -> None:
        self.host.asked("repair", hold)
        self.host.kept |= {one.id: one for one in made}
        self.host.reach("staged", hold)
        self.host.after(self.host.name, "repair")

    async def prepare(
        self, hold: drivers.Hold, expected: drivers.Containers | None
    ) -> drivers.Containers | None:
        self.host.asked("prepare", hold)
        if expected is None or list(expected) != self.host.containers:
            return list(self.host.containers)
        self.host.reach("prepared", hold)
        self.host.after(self.host.name, "prepare")
        return None

    async def commit(self, hold: drivers.Hold, what: drivers.Commit) -> None:
        self.host.asked("commit", hold)
        if self.host.phase == "prepared":
            self.host.write(what.record)
        self.host.current = what.current
        self.host.after(self.host.name, "commit")

    async def finish(
        self, hold: drivers.Hold, result: drivers.Result, expected: drivers.Containers | None, pruned: drivers.Pruned
    ) -> drivers.Containers | None:
        self.host.asked("finish", hold)
        if expected is not None and list(expected) != self.host.containers:
            return list(self.host.containers)
        self.host.write(journal.Reached(hold.deployment, phase="ended", result=result))
        self.host.free()
        self.host.after(self.host.name, "finish")
        return None

    async def close(self, hold: drivers.Hold, record: journal.Reached, *, untouched: bool = False) -> None:
        self.host.asked("undo" if untouched else "close", hold)
        self.host.write(record)
        self.host.free()
        self.host.after(self.host.name, "close")

    async def leave(self, hold: drivers.Hold) -> None:
        self.host.asked("leave", hold)
        self.host.write(journal.Left(hold.deployment))
        self.host.free()
        self.host.after(self.host.name, "leave")


@dataclass
class Runtime:
    """The containers of a simulated host."""

    host: SimulatedHost
    hooks: list[str] = field(default_factory=list)

    async def look(self, app: str) -> state.HostState:
        return self.host.seen()

    async def pull(
        self, hold: drivers.Hold, what: drivers.Pull, listen: drivers.Listen | None = None
    ) -> None:
        self.host.asked("pull", hold)
        self.host.say("pull", listen)
        self.host.after(self.host.name, "pull")

    async def run_hook(
        self, hold: drivers.Hold, what: drivers.Hook, listen: drivers.Listen | None = None
    ) -> drivers.HookEnd:
        self.host.asked("hook", hold)
        self.host.write(journal.Intent(hold.deployment, doing="hook", hook=what.step.hook))
        self.hooks.append(what.step.hook)
        self.host.say("hook", listen)
        self.host.after(self.host.name, "hook")
        self.host.write(journal.Done(hold.deployment, doing="hook", hook=what.step.hook, rc=self.host.hook[0]))
        return drivers.HookEnd(*self.host.hook)

    async def roll(
        self, hold: drivers.Hold, what: drivers.Roll, watcher: drivers.Watcher, tell: Callable[[str], None],
        listen: drivers.Listen | None = None,
    ) -> None:
        host = self.host
        host.asked(what.verb, hold, [f"{what.verb} {_word(step)}" for step in what.steps])
        host.reach("rolling" if what.verb == "roll" else "undoing", hold)
        for step in what.steps:
            match step:
                case steps.StartServices():
                    host.run(what.release, step.services, what.secret_versions, step.scale)
                case steps.ScaleDown(_, ids):
                    host.containers = [one for one in host.containers if one.id not in ids]
                case steps.StopServices() | steps.RecreateNetwork():
                    pass
        if what.verb == "roll":
            host.reach("rolled", hold)
        host.say("compose", listen)
        host.after(host.name, what.verb)
        watcher.started(0, "")
        for _ in range(100):
            if watcher.snapshot(list(host.containers)):
                return
        raise errors.UnreachableError("it never gets well", host=host.name)

    async def remove(self, hold: drivers.Hold, what: drivers.Removal) -> None:
        labels = [f"tidy {_word(step)}" for step in what.steps]
        self.host.asked("undo" if what.undo else "tidy", hold, labels)
        gone = [step for step in what.steps if isinstance(step, steps.RemoveService)]
        ids = {one for step in gone for one in step.containers}
        self.host.containers = [one for one in self.host.containers if one.id not in ids]
        self.host.after(self.host.name, "tidy")

    async def remove_app(self, hold: drivers.Hold, what: drivers.Departure) -> None:
        self.host.asked("undo" if what.undo else "remove", hold, ["remove_app"])
        if not what.step.kept:
            self.host.containers = []
        if what.undo:
            self.host.reach("undoing", hold)
        else:
            self.host.current = None
            self.host.write(journal.Reached(hold.deployment, phase="ended", result="removed"))
            self.host.free()
        self.host.after(self.host.name, "remove")

    async def start(self, hold: drivers.Hold, containers: Sequence[str]) -> None:
        self.host.asked("start", hold)
        started = [replace(one, status="running", health="healthy") if one.id in containers else one
                   for one in self.host.containers]
        self.host.containers = started

    async def last_lines(self, app: str, services: Sequence[str]) -> Mapping[str, str]:
        return {name: self.host.log[name] for name in services if name in self.host.log}


def _word(step: object) -> str:
    return type(step).__name__


def connect(hosts: Mapping[str, SimulatedHost]) -> drivers.Connect:
    """How an engine gets at simulated hosts."""

    def at(host: inventory.Host) -> drivers.HostDriver:
        one = hosts[host.name]
        return drivers.HostDriver(Store(one), Runtime(one))

    return at


def lost(host: str) -> errors.UnreachableError:
    """The link to a host is cut."""
    return errors.UnreachableError(f"the connection to {host} was lost", host=host)
