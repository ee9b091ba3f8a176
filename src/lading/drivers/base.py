"""What can be done on one host, in two ports: what lading keeps there, and the containers (no script, no transport).

`HostStore` needs files and locks, so a shell. `ContainerRuntime` needs a container engine, however it is spoken to.
Every method raises `Refused` where the host did not do it and says why, and a TransportError where it did not answer.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal, Protocol

from lading import state, trace
from lading.compose.release import Bundle, Release
from lading.dataclass import dataclass
from lading.inventory import hosts
from lading.plan import steps
from lading.state import journal


class Refused(Exception):
    """A host did not do what it was told, and nothing else either; *kind* in one word, *text*: its own words."""

    def __init__(self, kind: str, text: str = "") -> None:
        super().__init__(f"{kind}: {text}" if text else kind)
        self.kind, self.text = kind, text


UP_TIMEOUT = 900  # seconds that bringing services up may take, waiting for dependencies included
TOLD = 400  # lines of one command that are told as they come: what waits on a cut link fits into its window
TOLD_BYTES = 1000  # of such a line
PROBE_KEPT = 4096  # characters of what a health check said, as Docker itself keeps them
LOST_LEASE = "fence"  # the kind of a refusal: somebody else has the lease now
HELD = "held"  # … somebody who lives has it
CLOSED = "closed"  # … this deployment has ended here, or another one is open


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials of one registry for the time of a pull.

    *identity*: *password* is the registry's entry in a Docker configuration, since nobody can log in
    with such a token.
    """

    registry: str
    username: str
    password: bytes = field(repr=False)
    identity: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at with the lease: *nonce* salts the hashes of secrets; *binds*: host paths that must be there;
    *sources*: what is mounted of the host, of which it says where that really leads; *engine_info*: what the engine
    said in the look before, "" = it is asked; *is_settled*: that look has seen nothing that a killed command had left.
    """

    nonce: str = ""
    binds: Sequence[str] = ()
    sources: Sequence[str] = ()
    engine_info: str = ""
    is_settled: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease that is wanted. *record*: how the deployment begins here, or who takes it over; *override*: also from a
    holder that lives; *grace*: seconds that its containers need to stop; *holder*, *since*, *url*: for people.
    *aside*: the journal that is there does not count; it is kept beside the one that begins now.
    *images*: what is to be staged, of which the host may say along with the look whether it has them.
    """

    app: str
    record: journal.Begun | journal.Taken
    holder: str
    since: str
    url: str = ""
    override: bool = False
    grace: int = 10
    look: Look = Look()
    aside: bool = False
    images: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """What a deployment holds on a host: its lease, by fence; *grace*: seconds that its containers need to stop."""

    app: str
    deployment: str
    fence: int
    process: str
    holder: str
    since: str
    url: str = ""
    grace: int = 10


@dataclass(frozen=True, slots=True)
class Acquired:
    """The answer to a claim. *hold* is None where there is nothing to hold: the deployment never began here, or has ended.

    *phase*: in which the deployment is here, None = it never began; *seen*: what there is.
    """

    hold: Hold | None
    phase: journal.Phase | None
    seen: state.HostState


@dataclass(frozen=True, slots=True)
class Upload:
    """A release for a host. *bundle* is None where the host keeps it; *objects*: the ids of shipped files that it lacks;
    *fresh_secrets*: names of the secrets that it lacks; *app*: what was seen of the app there. *read_by*: the SHA-256 of
    the Compose plug-in here, if it makes the same of *bundle* on every host; "" = the host's own is asked. *rolls*: services
    are brought up afterwards.
    """

    release: Release
    bundle: Bundle | None
    objects: Sequence[str]
    secret_versions: Mapping[str, int]
    fresh_secrets: Sequence[str]
    app: state.AppState
    read_by: str = ""
    rolls: bool = False


@dataclass(frozen=True, slots=True)
class HostForm:
    """What a host's Compose makes of a release: its normal form, `@DIR@` for the app's folder; "" where it was not asked.

    *known*: why it was not: the plug-in and the files are those "here", or those that were read there "before".
    """

    text: str = ""
    known: Literal["", "here", "before"] = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """An image that goes from this machine to hosts. *image*: as people call it; *id*: its content, `sha256:…`; *size* in
    bytes; *open*: its archive as `docker save` writes it, piece by piece, which raises an InputError where it cannot be had.
    """

    image: str
    id: str
    size: int
    open: Callable[[], AsyncGenerator[bytes, None]]


@dataclass(frozen=True, slots=True)
class Pull:
    """Images that a host shall have. *images*: "SERVICE" or "SERVICE+1" → reference; *kept*: it had them once, for they
    are of a release that it keeps; *folder*: as which it keeps that, "" = by its id. *sent*: those that are sent where the
    host lacks them; *stopped* comes back once no more of them shall be. *uploads*: an upload follows, until whose end their
    tags may wait.
    """

    release: str
    images: Mapping[str, str]
    logins: Sequence[Login] = ()
    kept: bool = False
    folder: str = ""
    sent: Mapping[str, Sent] = field(default_factory=dict)
    stopped: Callable[[], Coroutine[Any, Any, Any]] | None = None
    uploads: bool = False


@dataclass(frozen=True, slots=True)
class Roll:
    """Bring services of a host up. *steps*: what is done, in this order; *verb*: "roll" or "undo".

    *restores*: it is a way back, so anonymous volumes that were left behind are mounted again; *whole*: all of the
    app's containers are stopped first; *spares*: services whose ended containers stay as they are; *patience*: seconds
    in which it must be judged; *starts*: all services that are started.
    """

    release: Release
    secret_versions: Mapping[str, int]
    app: state.AppState
    steps: Sequence[steps.Changing]
    patience: int
    verb: str = "roll"
    restores: bool = False
    whole: bool = False
    spares: Sequence[str] = ()
    starts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """A line that a program on a host has printed, as it did: not masked.

    *service*: whose it is, as far as the line or the command tells; *progress*: see `trace.Trace`;
    *is_cut*: the line goes on.
    """

    source: trace.Source
    service: str
    text: str
    progress: float | None = None
    is_cut: bool = False


Listen = Callable[[Said], None]
"""Who is told what programs print, as it comes. Where it is None nothing of it crosses the wire."""


class Watcher(Protocol):
    """Who is told what happens during a roll; `health.watch.Watch` is one."""

    def started(self, status: int, output: str) -> None:
        """Compose has ended, with this exit status and these last lines."""
        ...

    def snapshot(self, containers: Sequence[state.ContainerState]) -> bool:
        """These are the app's containers now; True = seen enough."""
        ...

    def unreadable(self, why: str) -> bool:
        """What the engine says of the containers cannot be read; True = seen enough."""
        ...


@dataclass(frozen=True, slots=True)
class Hook:
    """A service that is run once beside the app, or before it: *timeout* in seconds."""

    release: Release
    secret_versions: Mapping[str, int]
    app: state.AppState
    step: steps.RunHook


@dataclass(frozen=True, slots=True)
class HookEnd:
    """How a hook went: its exit status, its last lines, and whether it was ended because its time was up."""

    status: int
    lines: str = ""
    late: bool = False


@dataclass(frozen=True, slots=True)
class Removal:
    """What the release no longer has. *release*: what ran until now, which knows how its services want to be stopped;
    *undo*: it is part of the way back.
    """

    steps: Sequence[steps.Tidying]
    release: Release | None
    secret_versions: Mapping[str, int]
    app: state.AppState
    undo: bool = False


@dataclass(frozen=True, slots=True)
class Departure:
    """An app that leaves a host. *step*: what of it goes; *undo*: it is the way back of a first deployment, and lading's
    own files stay; *release*: what runs there.
    """

    step: steps.RemoveApp
    release: Release
    secret_versions: Mapping[str, int]
    app: state.AppState
    undo: bool = False


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit. *record*: its line in the journal; *current*, *deployed*: what is written; *release*: what is committed,
    with these *secret_versions*.
    """

    record: journal.Reached
    release: Release
    current: state.Current
    deployed: state.Deployed
    app: state.AppState
    secret_versions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Pruned:
    """What goes when a deployment has ended. *releases*: ids; *objects*: ids; *secrets*: (name, version).

    *app*: what was seen of the app; *release*: what is deployed now. An older lading named folders by 12
    digits of an id: the driver knows which folders and tags are meant.
    """

    releases: Sequence[str]
    objects: Sequence[str]
    secrets: Sequence[tuple[str, int]]
    app: state.AppState
    release: Release


Containers = Sequence[state.ContainerState]
Result = Literal["well", "unwell", "removed", "given back"]


class HostStore(Protocol):
    """What lading keeps on one host: lease, journal, releases, secrets."""

    async def acquire(self, claim: Claim, tell: Callable[[str], None] = ...) -> Acquired:
        """Take the lease and its fence, write the record, and look; *tell* hears who or what is waited for."""
        ...

    async def confirm(self, hold: Hold) -> journal.Phase:
        """Whether the lease is still held, and in which phase the deployment is; the lease is renewed."""
        ...

    async def upload(self, hold: Hold, what: Upload) -> HostForm:
        """Store a release, and what the host's own Compose makes of it."""
        ...

    async def repair(self, hold: Hold, releases: Sequence[Release], app: state.AppState) -> None:
        """Write the records of releases anew, beside what still lies there; *app*: what was seen."""
        ...

    async def prepare(self, hold: Hold, expected: Containers | None) -> Containers | None:
        """The deployment is prepared, if the app's containers are as *expected*, to the state of each; then None.

        Else nothing is written, and they are returned as they are, to be judged. *expected* None: nobody knows them yet.
        """
        ...

    async def commit(self, hold: Hold, what: Commit) -> None:
        """Write that the release is deployed."""
        ...

    async def finish(
        self, hold: Hold, result: Result, expected: Containers | None, pruned: Pruned
    ) -> Containers | None:
        """The deployment has ended here as *result* says, if the containers are as *expected*; prune, free the lease; then None.

        Else nothing is done, and they are returned. *expected* None: however they are.
        """
        ...

    async def close(self, hold: Hold, record: journal.Reached, *, untouched: bool = False) -> None:
        """The deployment was undone here, or nothing was done; free the lease.

        *untouched*: no container was touched, forth or back, so that there was nothing to undo, however far it had come.
        """
        ...

    async def leave(self, hold: Hold) -> None:
        """Free the lease; the deployment stays open."""
        ...


class ContainerRuntime(Protocol):
    """The containers of one host.

    What changes containers works under the lease and in a phase that allows it, and tells the journal what it is about
    to do, and how that ended (rule 1 of docs/protocol.md): each method says which lines it writes.
    """

    async def look(self, app: str) -> state.HostState:
        """What there is of an app; a host that does not answer is a value."""
        ...

    async def pull(self, hold: Hold, what: Pull, listen: Listen | None = None) -> None:
        """Pull what is not there, or send it there, and tag all so that a prune spares them."""
        ...

    async def run_hook(self, hold: Hold, what: Hook, listen: Listen | None = None) -> HookEnd:
        """Run a service once, and say how that went.

        In the journal: an intent and a result, both with the hook's name.
        """
        ...

    async def roll(
        self, hold: Hold, what: Roll, watcher: Watcher, tell: Callable[[str], None], listen: Listen | None = None
    ) -> None:
        """Bring services up, then show *watcher* what there is until it has seen enough.

        *tell* hears what people should know, such as that a volume is gone. In the journal: `rolling`, then `rolled` or
        `failed`; on the way back `undoing` and its result.
        """
        ...

    async def remove(self, hold: Hold, what: Removal) -> None:
        """Remove containers and networks. In the journal: an intent and a result."""
        ...

    async def remove_app(self, hold: Hold, what: Departure) -> None:
        """Remove an app. In the journal: an intent and a result, and `ended`, which frees the lease; on the way back `undoing`."""
        ...

    async def start(self, hold: Hold, containers: Sequence[str]) -> None:
        """Start containers that have died, by id. In the journal: an intent and a result."""
        ...

    async def last_lines(self, app: str, services: Sequence[str]) -> Mapping[str, str]:
        """The last lines that services have said, by service; {} if nobody knows."""
        ...


@dataclass(frozen=True, slots=True)
class HostDriver:
    """Both ports of one host."""

    store: HostStore
    runtime: ContainerRuntime


Connect = Callable[[hosts.Host], HostDriver]
"""How an engine gets at a host."""
