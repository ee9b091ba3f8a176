"""The journal of an app on a host: what a deployment has done there, a record a line, typed both ways (pure)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from typing import Any, Literal, get_args

from lading import canonical, shape, spans
from lading.dataclass import dataclass
from lading.state import records

FORMAT = 4  # "v" of the lines that are written now; up to 3, `committed` closed a deployment
BY_HAND = 5  # "v" of the beginning of a deployment after which a number of containers is by hand
Phase = Literal[
    "begun", "staged", "rolling", "rolled", "failed", "prepared", "committed", "ended", "undoing", "undone"
]
PHASES: Mapping[str, Phase] = {phase: phase for phase in get_args(Phase)}  # the word of a line → its phase
CLOSED = frozenset({"ended", "undone"})
GONE = frozenset({"removed", "given back"})  # results of an `ended` after which nothing is deployed
_OLD_STEPS: Mapping[str, Phase] = {"stage": "begun", "roll": "rolling", "tidy": "rolled", "undo": "undoing"}

_WORDS = ("at", "kind", "deployment", "step", "verb", "app", "version", "destination", "source", "commit",
          "actor", "reason", "url", "plan", "to", "result", "hook", "process", "ran_by", "host", "engine")
_SHAPE: Mapping[str, Any] = {
    **dict.fromkeys(_WORDS, str),
    "participants": tuple[str, ...], "batches": tuple[tuple[str, ...], ...], "finished": tuple[str, ...],
    "without": tuple[str, ...], "keeps_containers": bool, "parallelism": int, "fence": int, "rc": int,
    "generations": Mapping[str, int], "ledger": Mapping[str, Any],
}


@dataclass(frozen=True, slots=True)
class Record:
    """One line. *at*: ISO 8601 UTC, added by the host.

    *raw*: the line as it stands there, but for participants, which are by name; {} before it is written.
    """

    deployment: str
    at: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def kind(self) -> str:
        """The word of the line, or that which it will have."""
        return str((self.raw or self.as_json())["kind"])

    @property
    def step(self) -> str:
        """The step that it is about, or will be; "" if it is about none."""
        return str((self.raw or self.as_json()).get("step", ""))

    def as_json(self) -> dict[str, Any]:
        """The object of the line, without the time; kind and deployment come first, as the scripts read them."""
        raise NotImplementedError

    def _json(self, kind: str, **more: Any) -> dict[str, Any]:
        return {"v": FORMAT, "kind": kind, "deployment": self.deployment, **more}


@dataclass(frozen=True, slots=True)
class Begun(Record):
    """A deployment has begun here: all that another controller needs to end it.

    *participants*: all hosts of it; *batches*: the same in the order of the roll, () in lines of older
    ladings; *to*: the release that it brings; *before*: what was deployed here; *secret_versions*: secret
    name → number, with which *to* runs; *finished*: the one-shots that had ended well before, None = the
    line does not say; *adopted*: containers that count as the release's; *keeps_containers*: no container
    is touched, forth or back. *by_hand*: service → containers, where *to* is to run with another number. *host*: as the controller calls it; *engine*: the id of its engine, which the
    host adds: a journal that was copied from another host tells so.
    """

    verb: str = "deploy"
    app: str = ""
    version: str = ""
    destination: str = ""
    source: str = ""
    commit: str = ""
    actor: str = ""
    reason: str = ""
    url: str = ""
    plan: str = ""
    ran_by: str = ""
    process: str = ""
    host: str = ""
    engine: str = ""
    fence: int = 0
    to: str = ""
    before: records.Current | None = None
    participants: tuple[str, ...] = ()
    batches: tuple[tuple[str, ...], ...] = ()
    parallelism: int = 0
    secret_versions: Mapping[str, int] = field(default_factory=dict)
    finished: tuple[str, ...] | None = None
    adopted: Mapping[str, records.Adopted] = field(default_factory=dict)
    keeps_containers: bool = False
    by_hand: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The object of the line, without the time."""
        words = ("verb", "app", "version", "destination", "source", "commit", "actor", "reason", "url", "plan",
                 "ran_by", "process")
        said: dict[str, Any] = {name: getattr(self, name) for name in words}
        said |= {name: value for name, value in (("host", self.host), ("engine", self.engine)) if value}
        said |= {"fence": self.fence, "to": self.to}
        said["from"] = self.before.as_json() if self.before is not None else None
        said["participants"] = spans.packed(self.participants)
        said["batches"] = [spans.packed(batch) for batch in self.batches]
        said["generations"] = dict(self.secret_versions)
        if self.finished is not None:
            said["finished"] = list(self.finished)
        if self.keeps_containers:
            said["keeps_containers"] = True
        line = self._json("begin", **said, **records.adopted_as_json(self.adopted))
        if self.by_hand:  # a lading that does not know of it must not end this deployment
            line |= {"v": BY_HAND, **records.by_hand_as_json(self.by_hand)}
        return line

    @property
    def rolled_in(self) -> tuple[tuple[str, ...], ...]:
        """The batches of the roll; of an older lading's record, which kept only the size of the largest, as it says."""
        if self.batches:
            return self.batches
        size = self.parallelism if self.parallelism > 0 else max(len(self.participants), 1)
        starts = range(0, len(self.participants), size)
        return tuple(self.participants[start : start + size] for start in starts)


@dataclass(frozen=True, slots=True)
class Taken(Record):
    """Another process has taken the deployment over, or its own has taken its lease anew; *fence*: with this one."""

    actor: str = ""
    reason: str = ""
    url: str = ""
    process: str = ""
    fence: int = 0

    def as_json(self) -> dict[str, Any]:
        """The object of the line, without the time."""
        return self._json("taken", actor=self.actor, reason=self.reason, url=self.url, process=self.process,
                          fence=self.fence)


@dataclass(frozen=True, slots=True)
class Reached(Record):
    """The deployment is in a phase. *to*, *version*: of a commit, what is deployed now; of an undo, what it went back to.

    *result*: of an end, how: "well", "unwell", "removed", "given back". *ledger*: where the committing
    ledger ended then. *without*: the hosts that a person gave up for lost when this was forced.
    """

    phase: Phase = "begun"
    to: str = ""
    version: str = ""
    result: str = ""
    ledger: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The object of the line, without the time."""
        said = {"to": self.to, "version": self.version, "result": self.result, "ledger": dict(self.ledger),
                "without": list(self.without)}
        return self._json(self.phase, **{name: value for name, value in said.items() if value})


@dataclass(frozen=True, slots=True)
class Intent(Record):
    """Something is about to be done that is no phase of its own: a hook, the removal of what the release lacks."""

    doing: str = ""
    hook: str = ""

    def as_json(self) -> dict[str, Any]:
        """The object of the line, without the time."""
        return self._json("intent", step=self.doing, **({"hook": self.hook} if self.hook else {}))


@dataclass(frozen=True, slots=True)
class Done(Record):
    """It was done; *rc*: the exit status of what did it."""

    doing: str = ""
    hook: str = ""
    rc: int = 0

    def as_json(self) -> dict[str, Any]:
        """The object of the line, without the time; the script adds the status at its end."""
        return self._json("result", step=self.doing, **({"hook": self.hook} if self.hook else {}))


@dataclass(frozen=True, slots=True)
class Left(Record):
    """The lease was given back, the deployment stays open; also any line that this lading has no use for."""

    def as_json(self) -> dict[str, Any]:
        """The object of the line, without the time."""
        return self._json("left")


def read(line: Mapping[str, Any]) -> Record:
    """A record from its line; what a newer lading of the same format added is left out, but for *raw*.

    Raises:
        NewerError: it was written by a newer lading.
        ValueError: it lacks its kind or deployment, or a word is another thing than it should be.
    """
    version = line.get("v", 1)
    records.known("`journal` has a line of", version, BY_HAND)
    if "kind" not in line or "deployment" not in line:
        raise ValueError("a line lacks its kind or deployment")
    shape.fields(line, _SHAPE)
    shape.words(line, records.NAMES)
    kind, common = str(line["kind"]), (str(line["deployment"]), str(line.get("at", "")), line)
    if kind == "begin":
        return _begun(line, common)
    if kind in ("taken", "resumed"):
        words = {name: line.get(name, "") for name in ("actor", "reason", "url", "process")}
        return Taken(*common, **words, fence=line.get("fence", 0))
    if kind == "committed" and version < FORMAT:  # it closed the deployment, whatever became of `current`
        return Reached(*common, phase="ended", to=line.get("to", ""), version=line.get("version", ""),
                       ledger=line.get("ledger", {}), result="well")
    if kind in PHASES:
        return Reached(*common, phase=PHASES[kind], to=line.get("to", ""), version=line.get("version", ""),
                       result=line.get("result", ""), ledger=line.get("ledger", {}),
                       without=tuple(line.get("without", ())))
    if kind == "intent":
        return _intent(line, common)
    if kind == "result":
        return Done(*common, doing=line.get("step", ""), hook=line.get("hook", ""), rc=line.get("rc", 0))
    return Left(*common)


def _begun(line: Mapping[str, Any], common: tuple[str, str, Mapping[str, Any]]) -> Begun:
    before = line.get("from")
    if before and not isinstance(before, Mapping):
        raise ValueError("from is not what it should be")
    packed = line.get("v", 1) > 1
    names = tuple(line.get("participants", ()))
    batches = _unpacked(tuple(tuple(batch) for batch in line.get("batches", ())))
    words = ("app", "version", "destination", "source", "commit", "actor", "reason", "url", "plan", "ran_by",
             "process", "host", "engine", "to")
    finished = line.get("finished")
    participants = spans.unpacked(names) if packed else names
    deployment, at, raw = common
    if "participants" in raw:
        raw = {**raw, "participants": participants}
    return Begun(
        deployment, at, raw, verb=line.get("verb", ""), **{name: line.get(name, "") for name in words},
        fence=line.get("fence", 0), before=records.current_from_json(before) if before else None,
        participants=participants, batches=batches,
        parallelism=line.get("parallelism", 0), secret_versions=line.get("generations", {}),
        finished=None if finished is None else tuple(finished), adopted=records.adopted_from_json(line),
        keeps_containers=bool(line.get("keeps_containers", False)), by_hand=records.by_hand_from_json(line),
    )


@lru_cache(maxsize=256)
def _unpacked(batches: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """Batches by name: together as few as one list of names, and the same value for equal ones, as `spans.unpacked`."""
    found = list[tuple[str, ...]]()
    total = 0
    for words in batches:
        names = spans.unpacked(words)
        total += len(names)
        if total > spans.LIMIT:
            raise ValueError("batches stand for too many hosts")
        found.append(names)
    return tuple(found)


def _intent(line: Mapping[str, Any], common: tuple[str, str, Mapping[str, Any]]) -> Record:
    """An intent; the roll and the undo of older ladings, which wrote no phases, as the phase that it begins."""
    step = str(line.get("step", ""))
    phase = _OLD_STEPS.get(step) if line.get("v", 1) < FORMAT else None
    if phase is not None:
        return Reached(*common, phase=phase)
    return Intent(*common, doing=step, hook=line.get("hook", ""))


@dataclass(frozen=True, slots=True)
class Open:
    """A deployment that has not ended on a host: its beginning, and the phase in which it is."""

    begun: Begun
    phase: Phase


def open_deployment(journal: Iterable[Record]) -> Open | None:
    """The deployment that has begun and neither ended nor been undone, if there is one."""
    found: Open | None = None
    for record in journal:
        if isinstance(record, Begun):
            found = Open(record, "begun")
        elif found is not None and record.deployment == found.begun.deployment and isinstance(record, Reached):
            found = None if record.phase in CLOSED else Open(found.begun, record.phase)
    return found


def commits(journal: Iterable[Record]) -> tuple[Reached, ...]:
    """The commits, in their order; of older ladings, whose `committed` was the end, those ends."""
    return tuple(record for record in journal if isinstance(record, Reached) and record.kind == "committed")


def hash_of_line(line: Mapping[str, Any]) -> str:
    """The SHA-256 of a line, without the time, which the host adds."""
    return canonical.digest({key: value for key, value in line.items() if key != "at"})


def begun_by_id(journal: Sequence[Record]) -> dict[str, Begun]:
    """Deployment → its beginning, of all that begin in what is seen of a journal."""
    return {record.deployment: record for record in journal if isinstance(record, Begun)}
