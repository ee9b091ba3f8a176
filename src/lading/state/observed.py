"""What was observed on hosts: ContainerState, AppState, HostState, FleetState (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Literal

from lading import shape
from lading.dataclass import dataclass
from lading.state import records
from lading.state.journal import (
    GONE,
    Begun,
    Open,
    Reached,
    Record,
    begun_by_id,
    commits,
    open_deployment,
)

ServiceState = Literal[
    "healthy", "running", "starting", "unhealthy", "restarting", "exited", "completed", "paused", "missing", "stopped",
    "unknown",
]
""""missing" = there should be a container; "stopped" = a person wants none there."""
ADDED = "added by hand"  # how a file is told that lies in a shipped folder and was not shipped


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container as inspect shows it. *networks*: name → id; *mounts*: target → source or volume name.

    *made_on*: the ids of the containers whose namespaces or volumes it shares.
    *since*: it was started, or it ended, "" = neither yet; *created*: it was made. *version_label*, *title_label*: what its image says of
    itself (org.opencontainers.image.version; …title, or else …ref.name).
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
    created: str = ""
    version_label: str = ""
    title_label: str = ""
    working_dir: str = ""
    networks: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    made_on: tuple[str, ...] = ()
    probe: str = field(default="", compare=False, repr=False)
    """What its last health check said, as it did: not masked."""

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


def recognised(
    containers: Sequence[ContainerState], adopted: Mapping[str, records.Adopted]
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
    *edited*: what of the current release's files is not as it was shipped: "files/PATH", "objects/ID", and in a folder
    "objects/ID/PATH"; *missing*: what is not there at all; *added*: what lies in a shipped folder and was not shipped.
    *damaged*: what is there and cannot be read: "current", "journal", "release ID", "deployed ID".
    *deployed*: what lies with kept releases, by id; those that an older lading committed have only the journal.
    *lost*: what must be there, where lading has deployed something, and is not: "journal", "lease". *foreign*: for whom its
    journal was written, should that be another engine than the host's.
    *elsewhere*: where the engine remembers that lading keeps the app, and whose that is, should it be another state folder.
    """

    app: str
    current: records.Current | None = None
    releases: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    journal: tuple[Record, ...] = ()
    containers: tuple[ContainerState, ...] = ()
    secrets: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    objects: frozenset[str] = frozenset()
    edited: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    busy: str = ""
    lease: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    deployed: Mapping[str, records.Deployed] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    foreign: str = ""
    elsewhere: str = ""

    def folder(self, release: str) -> str:
        """The name of the folder in which this host keeps a release, or would."""
        return next((name for name in (release, release[:12]) if self.folders.get(name) == release), release)

    @property
    def open(self) -> Open | None:
        """The deployment that has begun and not ended here, if there is one; another host's journal tells of none."""
        return None if self.foreign else open_deployment(self.journal)

    @property
    def unlike(self) -> dict[str, str]:
        """What is *missing*, *edited* or *added*, in words, by path."""
        found = dict.fromkeys(self.missing, "missing") | dict.fromkeys(self.edited, "edited by hand")
        return dict(sorted({**found, **dict.fromkeys(self.added, ADDED)}.items()))

    @property
    def altered(self) -> frozenset[str]:
        """The ids of the shipped files and folders in which anything is *unlike*."""
        return frozenset(path.split("/")[1] for path in self.unlike if path.startswith("objects/"))

    def shipped_as(self, path: str) -> str:
        """What people call one of *unlike*: where it lies in the project."""
        lead, _, rest = path.partition("/")
        id, slash, inside = rest.partition("/")
        objects = self.releases[self.current.release].get("objects", {}) if lead == "objects" and self.current else {}
        return f"{objects[id]}{slash}{inside}" if id in objects else path

    @property
    def unreadable(self) -> str:
        """The file without which nobody can say what is deployed: `current` or `journal`, if it cannot be read."""
        return next((what for what in self.damaged if what in ("current", "journal")), "")

    @property
    def committed(self) -> records.Current | None:
        """What the journal says is deployed: the same as `current`, should that be lost."""
        last = next(reversed(commits(self.journal)), None)
        begun = begun_by_id(self.journal).get(last.deployment) if last is not None else None
        if last is None or begun is None:
            return None
        return records.Current(
            self.app, begun.to, begun.version, last.deployment, begun.actor, last.at, begun.source,
            begun.destination, begun.secret_versions, begun.adopted, by_hand=begun.by_hand,
        )

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
        begun = begun_by_id(self.journal)
        path: list[str] = []
        for record in self.journal:
            if not isinstance(record, Reached):
                continue
            if record.result in GONE:
                path = []
            begin = begun.get(record.deployment) if record.kind == "committed" else None
            if begin is not None and begin.to:
                path = _walked(path, begin.to, back=begin.verb == "rollback")
        if self.current is not None:
            path = _walked(path, self.current.release, back=False)
        return tuple(reversed(path[:-1]))

    @property
    def order(self) -> tuple[str, ...]:
        """The kept releases, the last committed first; those of which nothing tells when come last."""
        told = [record.to for record in commits(self.journal) if record.to]
        place = {name: (0, number) for number, name in enumerate(told, 1)}
        place |= {name: (one.order, 0) for name, one in self.deployed.items()}
        if self.deployed and self.current is not None and self.current.release not in self.deployed:  # an older lading's
            place[self.current.release] = (2**53, 0)
        return tuple(sorted(sorted(self.releases), key=lambda name: place.get(name, (0, 0)), reverse=True))

    def becoming(self, release: str, deployment: str, numbers: Mapping[str, int], *, back: bool) -> records.Deployed:
        """What will lie with a release that is committed now."""
        path = list(reversed(self.behind))
        if self.current is not None:
            path = _walked(path, self.current.release, back=False)
        behind = tuple(reversed(_walked(path, release, back=back)[:-1]))
        last = max((one.order for one in self.deployed.values()), default=0)
        return records.Deployed(deployment, dict(numbers), last + 1, behind[:records.BEHIND])

    def ran_with(self, release: str) -> Mapping[str, int] | None:
        """The secret generations with which a release ran here; None if nothing tells it."""
        if release in self.deployed:
            return self.deployed[release].generations
        for record in reversed(self.journal):
            if isinstance(record, Begun) and record.to == release:
                return dict(record.secret_versions)
        return None

    @property
    def given_back(self) -> bool:
        """Whether the last that lading did here was `remove --keep-running`: what runs is not its any more."""
        last = self.journal[-1] if self.journal else None
        return isinstance(last, Reached) and last.result == "given back"

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
    *problem*: why its engine is of no use; *unwritable*: the folder that lading cannot write.
    *api*: the way by which its engine was asked, for people. *probe*: what its Compose makes of `compose.probe`. *boot*: which start of the machine it is; *docker_root*: where its
    engine keeps everything."""

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
    unwritable: str = ""
    probe: str = ""
    boot: str = ""
    docker_root: str = ""
    api: str = ""

    @property
    def useless(self) -> str:
        """Why nothing can be deployed there, whatever it is; "" = nothing of the kind is known."""
        return self.problem or (f"cannot write {self.unwritable}" if self.unwritable else "")

    @property
    def machine(self) -> tuple[str, str, str] | None:
        """What tells one engine from all others; None if it has not said.

        An engine's id is copied with a machine's disk, but not the start of the machine; and on one
        machine there may be several engines.
        """
        known = (self.engine_id, self.boot, self.docker_root)
        return known if all(known) else None


@dataclass(frozen=True, slots=True)
class HostState:
    """All that was seen on one host in one round trip; *error* is set, and the rest empty, if it could not be reached.

    *others*: what is deployed there of each app, should only one have been looked at. *is_settled*: nothing is there that
    a command which was killed has left, as a hook's container; False = nobody has looked for it.
    *volumes*: those that have a name of their own; None = they were not looked at. *data*: place of host data → whether
    anything lies there; places that are not there are left out.
    """

    host: str
    facts: Facts = field(default_factory=Facts)
    apps: Mapping[str, AppState] = field(default_factory=dict)
    error: str = ""
    error_kind: str = ""
    error_hint: str = ""
    others: Mapping[str, records.Current] = field(default_factory=dict)
    volumes: Mapping[str, Volume] | None = None
    data: Mapping[str, bool] = field(default_factory=dict)
    is_settled: bool = False

    def attached(self, app: str) -> dict[str, list[str]]:
        """Network → names of the containers on it that are not of project *app*."""
        found = {net: [name for project, name in users if project != app] for net, users in self.facts.networks.items()}
        return {net: names for net, names in found.items() if names}

    @property
    def unanswered(self) -> str:
        """Why it has not said what runs there; "" = it was reached, and so was its engine."""
        return self.error or self.facts.useless

    @property
    def untold(self) -> str:
        """Why it has not said what was done there; "" = it was reached, and its journals could be read and are its own."""
        torn = [app.app for app in self.apps.values() if "journal" in app.damaged]
        wrong = [f"the journal of {', '.join(torn)} is damaged"] if torn else []
        wrong += [f"the journal of {app.app} is another host's: it was written {app.foreign}"
                  for app in self.apps.values() if app.foreign]
        return self.error or "; ".join(wrong)

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
