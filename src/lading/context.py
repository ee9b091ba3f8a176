"""What every verb is given: fleet file, environment, transport, ledger, who asks and who listens."""

import asyncio
import os
import pwd
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lading import errors, events, provenance, secrets, settings, spans, state
from lading import trace as traces
from lading.compose import answered, complaints
from lading.dataclass import dataclass
from lading.inventory import hosts
from lading.ledger import contradictions
from lading.ledger import ledger as ledgers
from lading.placement import exclusion
from lading.transport import base

if TYPE_CHECKING:  # the values of a deployment and who carries it out: verbs that only look have neither
    from lading.drivers.engine_api import engine as engine_api
    from lading.engines import base as engines
    from lading.plan import steps


@dataclass(frozen=True, slots=True)
class Context:
    """One call of lading. *on_event* shows progress, *trace* what programs on hosts say meanwhile; *confirm* is asked before the first change and may say no.

    *actor* is what the caller or the CI says of itself, *ran_by* the user and machine that lading runs as (user@host).
    *approved*: the beginning of the hash of the plan that may be carried out, "" = any. *silent*: hosts that did not
    answer a question of this call, and why; whoever asks notes them, so that no verb says "nothing" without their names.
    *commit* is the CI's, for projects that are not in Git. *ledger* may be None for verbs that only look; *stop* is set
    by the first Ctrl-C or SIGTERM; *began* is a reading of the monotonic clock at the start of the call.
    """

    settings: settings.Settings
    environment: Mapping[str, str]
    transport: base.Transport
    ledger: ledgers.Ledger | None
    actor: str
    url: str = ""
    commit: str = ""
    approved: str = ""
    on_event: Callable[[events.Event], None] = lambda _: None
    confirm: Callable[["steps.Plan"], bool] = lambda _: True
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    began: float = field(default_factory=time.monotonic)
    notes: list[str] = field(default_factory=list)
    """What people should know beside the result of a look; whoever looks adds to it."""
    silent: dict[str, str] = field(default_factory=dict)
    ran_by: str = ""
    trace: traces.Trace = traces.NOBODY
    engine: "engines.Engine | None" = None
    """Who carries orders out; bootstrap hands it in. Verbs that only look have none."""
    engines: "engine_api.Engines | None" = None
    """By whom hosts' engines are asked themselves; None = by scripts."""
    patience: float = 0.0
    """Seconds that are waited for a deployment of the same app that somebody else works on."""
    say: Callable[[str], None] = lambda _: None
    """Is told at once what the user should know meanwhile."""
    get_ready: Callable[[], None] = lambda: None
    """Load what hosts are reached with, which takes a while: called where something else is waited for anyway."""
    known: secrets.Known | None = field(default=None, repr=False)
    """The values by reference that were read in this call; None = none is kept."""
    compose: answered.Answers = field(default_factory=answered.Answers, repr=False)
    """What Compose has answered in this call."""

    async def record(self, event: events.Event) -> None:
        """Store an event, then show it; awaited by the engine before each change.

        Raises:
            LedgerError: it could not be stored.
        """
        if self.ledger is not None:
            await self.ledger.append(event)
        self.on_event(event)

    async def begin(self, event: events.DeploymentPlanned, going_to: Mapping[str, hosts.Host]) -> None:
        """Store the intent of a deployment to these hosts, then show it.

        Raises:
            PlanChangedError: a host was excluded or included since it was planned.
            LedgerError: it could not be stored.
        """
        if self.ledger is not None:
            chosen = {name: exclusion.place_of(host, self.machine) for name, host in going_to.items()}
            await self.ledger.begin(event, chosen)
        self.on_event(event)

    async def attest(self) -> Mapping[str, object]:
        """Where the ledger's chain ends now, for the hosts' journals: writer, seq, hash; nothing without a ledger."""
        if self.ledger is None:
            return {}
        head = await self.ledger.head()
        return {"writer": head.writer, "seq": head.seq, "hash": head.hash}

    async def commits(self, app: str = "") -> Mapping[str, Mapping[str, contradictions.Committed]]:
        """App (all without *app*) → host → the last commit that the ledger saw there; nothing without a ledger."""
        if self.ledger is None:
            return {}
        return {app: await self.ledger.commits(app)} if app else await self.ledger.all_commits()

    async def excluded(self) -> exclusion.Excluded:
        """Host of the fleet file → how it is excluded, by the ledger as it is now; nobody without a ledger.

        Raises:
            LedgerError: it cannot be read.
        """
        if self.ledger is None:
            return {}
        return exclusion.of_fleet(await self.ledger.excluded(), self.settings.inventory, self.machine)

    def place_of(self, host: str) -> str:
        """Which machine a host of the fleet file is, for the ledger."""
        return exclusion.place_of(self.settings.inventory.hosts[host], self.machine)

    @property
    def machine(self) -> str:
        """The name of the machine that lading runs on."""
        return self.ran_by.rpartition("@")[2]

    async def to_look_at(self, names: Sequence[str]) -> tuple[tuple[hosts.Host, ...], exclusion.Excluded]:
        """The hosts that a look asks, and those of the choice that are excluded.

        An excluded host is only asked if it is named itself.
        """
        _, chosen = self.choose(names)
        try:
            known = await self.excluded()
        except errors.LedgerError as wrong:
            self.notes.append(f"nobody can say which hosts are excluded: {wrong.message}")
            known = {}
        left = {host.name: known[host.name] for host in chosen if host.name in known}
        asked = exclusion.named(names, left)
        return tuple(host for host in chosen if host.name not in left or host.name in asked), left

    async def check_known(self, app: str, seen: state.FleetState) -> None:
        """Refuse an app that nobody knows; a host that cannot be read may know it, as the journal does of a removed one.

        Raises:
            UnknownReleaseError: no host that was asked knows it, all answered, and the ledger, if one is open, has nothing of it.
            UnansweredError: no host that answered knows it, and others did not answer.
        """
        if not app or any(app in host.apps for host in seen.hosts.values()):
            return
        check_answered(seen.silent, f"whether there is an app {app}")
        if self.ledger is None or not await self.ledger.history(app, 1):
            there = {name for host in seen.hosts.values() for name in host.others}
            known = sorted({*there, *await self.commits()})
            hint = complaints.nearest(app, known)
            raise errors.UnknownReleaseError(
                f"there is no app {app} on {', '.join(spans.packed(list(seen.hosts)))}", f"{hint} lading where".strip())

    def choose(self, names: Sequence[str]) -> tuple[hosts.Destination, tuple[hosts.Host, ...]]:
        """The destination and hosts meant by `--to`; no name at all means every host (only for verbs that look)."""
        if names:
            return self.settings.inventory.choose(names)
        known = self.settings.inventory.reachable()
        if not known:
            raise errors.SettingsError("lading.yaml names no host", "lading init", file=str(self.settings.path))
        return hosts.Destination("", tuple(host.name for host in known)), known


def check_answered(silent: Mapping[str, str], what: str) -> None:
    """Refuse to say "nothing" where not all have answered; *silent*: who did not, and why.

    Raises:
        UnansweredError: somebody is silent.
    """
    if silent:
        told = "; ".join(why if why.startswith(name) else f"{name}: {why}" for name, why in silent.items())
        raise errors.UnansweredError(f"{what} cannot be said, for not all hosts have answered ({told})",
                                     f"lading check {' '.join(silent)}", host=next(iter(silent)))


def now() -> str:
    """The time as stored and shown: ISO 8601, UTC, whole seconds, Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def who(environment: Mapping[str, str]) -> provenance.Provenance:
    """Who asks, why, and from where: what the CI says of its run; a person is user@host."""
    said = provenance.read(environment)
    return replace(said, actor=said.actor or provenance.one_line(f"{_user(environment)}@{socket.gethostname()}"))


def _user(environment: Mapping[str, str]) -> str:
    name = environment.get("USER") or environment.get("LOGNAME")
    if name:
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


def process_owner() -> str:
    """The user and machine that lading runs as, by the system and not by the environment, which anybody may set."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = f"uid-{os.geteuid()}"
    return provenance.one_line(f"{name}@{socket.gethostname()}")


def ledger_path(environment: Mapping[str, str]) -> Path:
    """Where this user's own ledger lies."""
    return settings.state_home(environment) / "ledger.db"


def ledger_place(fleet: settings.Settings | None, environment: Mapping[str, str]) -> Path | str:
    """Where the ledger lies: a file of this user's, or the URL that the fleet file refers to.

    Raises:
        SettingsError: the variable that it names is not set.
    """
    if fleet is None or not fleet.ledger_env:
        return ledger_path(environment)
    url = environment.get(fleet.ledger_env, "")
    if not url:
        raise errors.SettingsError(f"the ledger's URL is in the environment variable {fleet.ledger_env}, which is not set",
                                   f"export {fleet.ledger_env}=postgresql://…", file=str(fleet.path))
    return url
