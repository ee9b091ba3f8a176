"""What runs where: ContainerState, HostState, FleetState (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from lading import canonical, shape, spans

ServiceState = Literal[
    "healthy", "running", "starting", "unhealthy", "restarting", "exited", "completed", "paused", "missing", "unknown"
]


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container as inspect shows it. *networks*: name → id; *mounts*: target → source or volume name.

    *made_on*: the ids of the containers whose namespaces or volumes it shares.
    """

    app: str
    service: str
    id: str
    name: str
    image: str
    image_id: str
    status: str
    health: str = ""
    exit_code: int = 0
    oom_killed: bool = False
    restarts: int = 0
    content: str = ""
    secrets: str = ""
    owned: bool = False
    adopted: bool = False
    one_off: bool = False
    number: int = 1
    since: str = ""
    working_dir: str = ""
    networks: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    made_on: tuple[str, ...] = ()

    @property
    def definition(self) -> str:
        """Which definition it runs, for people: the beginning of its content's hash, or what it is without one."""
        return self.content[:12] or ("adopted, not as in the file" if self.adopted else "not lading's")

    def state(self, job: bool) -> ServiceState:
        """The one word for people; *job*: the service is meant to end."""
        if self.status == "running":
            known: dict[str, ServiceState] = {"healthy": "healthy", "unhealthy": "unhealthy", "starting": "starting"}
            return known.get(self.health, "running")
        if self.status in ("restarting", "paused"):
            return "restarting" if self.status == "restarting" else "paused"
        if self.status in ("exited", "dead"):
            return "completed" if job and self.exit_code == 0 and self.status == "exited" else "exited"
        return "starting" if self.status == "created" else "unknown"


@dataclass(frozen=True, slots=True)
class Adopted:
    """What a container that was adopted counts as, until its service changes: it has no labels of lading's.

    *content* and *secrets* as its labels would say; *content* "" = it differs from the release it was adopted with.
    """

    content: str
    image: str
    secrets: str = ""


def adopted_as_json(adopted: Mapping[str, Adopted]) -> dict[str, Any]:
    """Container id → what it counts as: the field "adopted" of `current` and of a journal's `begin`; {} without any."""
    return {"adopted": {name: asdict(one) for name, one in adopted.items()}} if adopted else {}


def adopted_from_json(stored: Mapping[str, Any]) -> dict[str, Adopted]:
    """`adopted_as_json` read back from the object that it is a field of; what a newer lading added is left out.

    Raises:
        ValueError: it is another thing than it should be.
    """
    found: Mapping[str, Any] = shape.fitting(stored.get("adopted") or {}, Mapping[str, Mapping[str, Any]], "adopted")
    known = Adopted.__slots__
    return {name: shape.made(Adopted, {key: value for key, value in one.items() if key in known}) for name, one in found.items()}


def recognised(
    containers: Sequence[ContainerState], adopted: Mapping[str, Adopted]
) -> tuple[ContainerState, ...]:
    """The containers, those in *adopted* as if they had lading's labels."""
    return tuple(
        replace(one, owned=True, adopted=True, content=adopted[one.id].content, image=adopted[one.id].image,
                secrets=adopted[one.id].secrets) if one.id in adopted else one for one in containers
    )


def is_helper(labels: Mapping[str, str]) -> bool:
    """Whether Compose made a container beside a service's own, as for `pre_start`: with these three labels and no number."""
    word = "com.docker.compose."
    own = {name.removeprefix(word) for name in labels if name.startswith(word)}
    return own == {"project", "service", "version"} and "lading.app" not in labels


BEHIND = 20  # releases before another that are noted with it; fewer are kept
WHOLE = 64  # hex digits of an id; in format 1 of `current`, and in formats 1 and 2 of the journal, releases had 12
JOURNAL_FORMAT = 3  # "v" of a journal's lines that name a release


@dataclass(frozen=True, slots=True)
class Current:
    """What a host says is deployed: the file `current` of an app. *generations*: secret name → number.

    *adopted*: the containers that were adopted and not recreated since, by id.
    """

    app: str
    release: str
    version: str
    deployment: str
    actor: str = ""
    since: str = ""
    source: str = ""
    destination: str = ""
    generations: Mapping[str, int] = field(default_factory=dict)
    adopted: Mapping[str, Adopted] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The object stored on the host."""
        return {
            "v": 2 if len(self.release) == WHOLE else 1, "app": self.app, "release": self.release, "version": self.version, "deployment": self.deployment,
            "actor": self.actor, "since": self.since, "source": self.source, "destination": self.destination,
            "generations": dict(self.generations), **adopted_as_json(self.adopted),
        }


def hash_of_current(current: Current) -> str:
    """The SHA-256 of what `current` says."""
    return canonical.digest(current.as_json())


def hash_of_line(line: Mapping[str, Any]) -> str:
    """The SHA-256 of a journal's line, without the time, which the host adds."""
    return canonical.digest({key: value for key, value in line.items() if key != "at"})


NAMES = ("to", "release", "deployment", "app", "hook", "step")  # they become parts of paths on a host


class NewerError(ValueError):
    """It was written by a newer lading."""


def _known(what: str, version: Any, newest: int = 1) -> None:
    if isinstance(version, int) and version > newest:
        raise NewerError(f"{what} format {version}, this lading knows {newest}")
    if version not in range(1, newest + 1):
        raise ValueError(f"{what} no format")


def current_from_json(stored: Mapping[str, Any]) -> Current:
    """`Current.as_json` read back; what a newer lading of the same format added is left out.

    Raises:
        NewerError: it was written by a newer lading.
        ValueError: a field is missing, or another thing than it should be.
    """
    _known("`current` has", stored.get("v"), 2)
    shape.words(stored, NAMES)
    known = {key: value for key, value in stored.items() if key in Current.__slots__ and key != "adopted"}
    return replace(shape.made(Current, known), adopted=adopted_from_json(stored))


JOURNAL = {
    **dict.fromkeys(("at", "kind", "deployment", "step", "verb", "app", "version", "destination", "source", "commit", "actor",
                     "reason", "url", "plan", "to", "result", "hook"), str),
    "participants": tuple[str, ...], "finished": tuple[str, ...], "parallelism": int, "generations": Mapping[str, int], "ledger": Mapping[str, Any],
}


def participants_as_json(names: Sequence[str]) -> dict[str, Any]:
    """Participants of a deployment as a journal keeps them: in spans, which format 2 is for; in format 1 if there is none."""
    words = spans.packed(names)
    return {"v": 1 if words == list(names) else 2, "participants": words}


def journal_from_json(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """A line of a host's journal, its participants by name.

    Raises:
        NewerError: it was written by a newer lading.
        ValueError: it lacks its kind or deployment, or a word is another thing than it should be.
    """
    _known("`journal` has a line of", line.get("v", 1), JOURNAL_FORMAT)
    if "kind" not in line or "deployment" not in line:
        raise ValueError("a line lacks its kind or deployment")
    shape.fields(line, JOURNAL)
    shape.words(line, NAMES)
    if isinstance(line.get("from"), Mapping):
        current_from_json(line["from"])
    elif line.get("from"):
        raise ValueError("from is not what it should be")
    if line.get("v", 1) == 1 or "participants" not in line:
        return line
    return {**line, "participants": spans.unpacked(tuple(line["participants"]))}


class Kept(dict[str, Any]):
    """A release that hosts keep, as its file says it; never changed. Those that keep the same one share it: it is its own hash."""

    __hash__ = object.__hash__  # type: ignore[assignment]


def release_from_json(name: str, stored: Mapping[str, Any]) -> Kept:
    """The file `release.json` of a release that a host keeps, as it is.

    Raises:
        NewerError: it was written by a newer lading.
        ValueError: it does not say its format.
    """
    _known(f"release {name} has", stored.get("v"))
    return Kept(stored)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is needed to go back to a release, as it lies with it on a host (`deployed.json`), written at its commit.

    *generations*: secret name → number, with which it ran; *order*: the greatest is the last that was committed;
    *behind*: the releases before it, nearest first.
    """

    deployment: str
    generations: Mapping[str, int] = field(default_factory=dict)
    order: int = 0
    behind: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The object stored on the host."""
        return {"v": 1, "deployment": self.deployment, "generations": dict(self.generations), "order": self.order,
                "behind": list(self.behind)}


def deployed_from_json(stored: Mapping[str, Any]) -> Deployed:
    """`Deployed.as_json` read back; what a newer lading of the same format added is left out.

    Raises:
        NewerError: it was written by a newer lading.
        ValueError: a field is missing, or another thing than it should be.
    """
    _known("`deployed.json` has", stored.get("v"))
    return shape.made(Deployed, {key: value for key, value in stored.items() if key in Deployed.__slots__})


def _walked(path: list[str], to: str, *, back: bool) -> list[str]:
    """The way here once a release was committed, *back* along it or onwards."""
    if back and to in path:
        last = len(path) - path[::-1].index(to)
        return path[:last]
    return path if path[-1:] == [to] else [*path, to]


@dataclass(frozen=True, slots=True)
class AppState:
    """One app on one host: declared (*current*, *releases* kept there, raw JSON by id), journal, and what runs.

    *folders*: what lies in the host's folder `releases`, name → id: an older lading named a folder by 12 digits of the id.
    *secrets*: secret name → generation → salted SHA-256, as the host computed it. *objects*: ids of shipped files.
    *edited*: what of the current release's files is not as it was shipped: "files/PATH", "objects/ID".
    *damaged*: what is there and cannot be read: "current", "journal", "release ID", "deployed ID".
    *deployed*: what lies with kept releases, by id; those that an older lading committed have only the journal.
    """

    app: str
    current: Current | None = None
    releases: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    journal: tuple[Mapping[str, Any], ...] = ()
    containers: tuple[ContainerState, ...] = ()
    secrets: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    objects: frozenset[str] = frozenset()
    edited: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    busy: str = ""
    lease: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    deployed: Mapping[str, Deployed] = field(default_factory=dict)

    def folder(self, release: str) -> str:
        """The name of the folder in which this host keeps a release, or would."""
        return next((name for name in (release, release[:12]) if self.folders.get(name) == release), release)

    @property
    def open_intent(self) -> Mapping[str, Any] | None:
        """The `begin` of a deployment that has not ended here, if there is one."""
        begun: Mapping[str, Any] | None = None
        for line in self.journal:
            if line.get("kind") == "begin":
                begun = line
            elif begun is not None and line.get("kind") in ("ended", "undone", "committed") and (
                line.get("deployment") == begun.get("deployment")
            ):
                begun = None
        return begun

    def shipped_as(self, path: str) -> str:
        """What people call one of *edited*: where it lies in the project."""
        lead, _, rest = path.partition("/")
        objects = self.releases[self.current.release].get("objects", {}) if lead == "objects" and self.current else {}
        return str(objects.get(rest, path))

    @property
    def unreadable(self) -> str:
        """The file without which nobody can say what is deployed: `current` or `journal`, if it cannot be read."""
        return next((what for what in self.damaged if what in ("current", "journal")), "")

    @property
    def committed(self) -> Current | None:
        """What the journal says is deployed: the same as `current`, should that be lost."""
        begun = {line["deployment"]: line for line in self.journal if line["kind"] == "begin"}
        line = next((line for line in reversed(self.journal) if line["kind"] == "committed"), None)
        begin = begun.get(line["deployment"]) if line else None
        if line is None or begin is None:
            return None
        release, version, actor, source, destination = (
            str(begin.get(name, "")) for name in ("to", "version", "actor", "source", "destination"))
        return Current(self.app, release, version, line["deployment"], actor, str(line.get("at", "")), source, destination,
                       begin.get("generations", {}), adopted_from_json(begin))

    @property
    def behind(self) -> tuple[str, ...]:
        """The releases before the current one, nearest first: what a rollback goes back along.

        A rollback leaves behind it only what lay before its target, so that the next one goes on back.
        What was undone was never committed, and a removal ends the path. It lies with the current release; the journal, of
        which a host shows only the end, tells it where an older lading committed that.
        """
        known = self.deployed.get(self.current.release) if self.current is not None else None
        return known.behind if known is not None else self._told_behind

    @property
    def _told_behind(self) -> tuple[str, ...]:
        """The same as far as the end of the journal tells it."""
        begun = {line["deployment"]: line for line in self.journal if line["kind"] == "begin"}
        path: list[str] = []
        for line in self.journal:
            if line.get("result") in ("removed", "given back"):
                path = []
            begin = begun.get(line["deployment"]) if line["kind"] == "committed" else None
            to = str(begin.get("to") or "") if begin is not None else ""
            if to and begin is not None:
                path = _walked(path, to, back=begin.get("verb") == "rollback")
        if self.current is not None:
            path = _walked(path, self.current.release, back=False)
        return tuple(reversed(path[:-1]))

    @property
    def order(self) -> tuple[str, ...]:
        """The kept releases, the last committed first; those of which nothing tells when come last."""
        told = [str(line["to"]) for line in self.journal if line.get("kind") == "committed" and line.get("to")]
        place = {name: (0, number) for number, name in enumerate(told, 1)}
        place |= {name: (one.order, 0) for name, one in self.deployed.items()}
        if self.deployed and self.current is not None and self.current.release not in self.deployed:  # an older lading's
            place[self.current.release] = (2**53, 0)
        return tuple(sorted(sorted(self.releases), key=lambda name: place.get(name, (0, 0)), reverse=True))

    def becoming(self, release: str, deployment: str, numbers: Mapping[str, int], *, back: bool) -> Deployed:
        """What will lie with a release that is committed now."""
        path = list(reversed(self.behind))
        if self.current is not None:
            path = _walked(path, self.current.release, back=False)
        behind = tuple(reversed(_walked(path, release, back=back)[:-1]))
        last = max((one.order for one in self.deployed.values()), default=0)
        return Deployed(deployment, dict(numbers), last + 1, behind[:BEHIND])

    def ran_with(self, release: str) -> Mapping[str, int] | None:
        """The secret generations with which a release ran here; None if nothing tells it."""
        if release in self.deployed:
            return self.deployed[release].generations
        for line in reversed(self.journal):
            if line.get("kind") == "begin" and line.get("to") == release:
                return {name: int(number) for name, number in line.get("generations", {}).items()}
        return None

    @property
    def given_back(self) -> bool:
        """Whether the last that lading did here was `remove --keep-running`: what runs is not its any more."""
        return bool(self.journal) and self.journal[-1].get("result") == "given back"

    @property
    def held(self) -> bool:
        """Whether a lease on the app is still valid by the host's own uptime."""
        lease = self.lease
        return (
            lease.get("state") == "held" and lease.get("boot") == lease.get("nowboot")
            and shape.whole(lease.get("expires", ""), 0) > shape.whole(lease.get("now", ""), 2**53)
        )


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume of a host that has a name of its own; *driver* "" = only its name is known."""

    name: str
    driver: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a host can do. Sizes in MiB; *tools*: those missing; *ports*: published "ip:port/proto" → container's project;
    *networks*: network → (project, name) of each container on it, stopped ones too; *known_networks*: all there are, if
    they were asked for, since an engine always has some; *runtimes*: likewise; *containers*: the names and ids of all; *registries*: name → what the engine
    said when it asked there for an image that is nowhere; *docker_info*: what it said, as lines NAME=VALUE. *links*: the number of
    a mount's source in the order of the question → where it really leads, if that is elsewhere; "" = nobody can say.
    *probe*: what its Compose makes of `compose.probe`."""

    engine: str = ""
    engine_id: str = ""
    compose: str = ""
    architecture: str = ""
    context: str = ""
    state_dir: str = ""
    state_format: str = ""
    state_fs: str = ""
    disk_free: int = 0
    docker_free: int = 0
    tools: tuple[str, ...] = ()
    missing_paths: tuple[str, ...] = ()
    listening: tuple[str, ...] = ()
    ports: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    known_networks: tuple[str, ...] = ()
    registries: Mapping[str, str] = field(default_factory=dict)
    docker_info: str = ""
    runtimes: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    links: Mapping[int, str] = field(default_factory=dict)
    problem: str = ""
    probe: str = ""


@dataclass(frozen=True, slots=True)
class HostState:
    """All that was seen on one host in one round trip; *error* is set, and the rest empty, if it could not be reached.

    *others*: what is deployed there of each app, should only one have been looked at.
    *volumes*: those that have a name of their own; None = they were not looked at. *data*: place of host data → whether
    anything lies there; places that are not there are left out.
    """

    host: str
    facts: Facts = field(default_factory=Facts)
    apps: Mapping[str, AppState] = field(default_factory=dict)
    error: str = ""
    error_kind: str = ""
    error_hint: str = ""
    others: Mapping[str, Current] = field(default_factory=dict)
    volumes: Mapping[str, Volume] | None = None
    data: Mapping[str, bool] = field(default_factory=dict)

    def attached(self, app: str) -> dict[str, list[str]]:
        """Network → names of the containers on it that are not of project *app*."""
        found = {net: [name for project, name in users if project != app] for net, users in self.facts.networks.items()}
        return {net: names for net, names in found.items() if names}

    @property
    def unanswered(self) -> str:
        """Why it has not said what runs there; "" = it was reached, and so was its engine."""
        return self.error or self.facts.problem

    @property
    def untold(self) -> str:
        """Why it has not said what was done there; "" = it was reached, and its journals could be read."""
        torn = [app.app for app in self.apps.values() if "journal" in app.damaged]
        return self.error or (f"the journal of {', '.join(torn)} is damaged" if torn else "")

    @property
    def reachable(self) -> bool:
        """Whether the host answered."""
        return not self.error


@dataclass(frozen=True, slots=True)
class FleetState:
    """What was seen on all hosts that were asked, in the order of the question."""

    hosts: Mapping[str, HostState]

    @property
    def silent(self) -> dict[str, str]:
        """The hosts that have not said what runs there, and why; only without them is "nothing runs" true."""
        return {name: host.unanswered for name, host in self.hosts.items() if host.unanswered}

    @property
    def untold(self) -> dict[str, str]:
        """The hosts that have not said what was done there, and why; only without them is "nothing was" true."""
        return {name: host.untold for name, host in self.hosts.items() if host.untold}
