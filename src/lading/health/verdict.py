"""The one judge: what of services and containers is not as the release says, by inspect (pure)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

from lading import state
from lading.compose import ending, release, services
from lading.dataclass import dataclass
from lading.placement import assignment

Word = Literal["waiting", "good", "failed"]
Kind = Literal[
    "missing", "definition", "image", "secrets", "network", "mount", "port",
    "state", "pending", "restarted",
]
IDENTITY: tuple[Kind, ...] = ("definition", "image", "secrets")
"""By these a container is known as the release's."""
ATTACHED: tuple[Kind, ...] = ("network", "mount", "port")
RANK = {"healthy": 0, "running": 0, "completed": 0, "starting": 1}
"""Which container to keep first, by its state; all others come last."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the containers of one service are to be on one host.

    *ends*: whether they must or may end.
    *label*: the versions that its secrets must have, as a container's label says them.
    """

    spec: release.ServiceSpec
    ends: ending.Ending
    label: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it should be; *why* says it in words.

    *word*: "failed" = it will not become good by itself, "waiting" = it may, "good" = it is only
    worth telling. *container*: its id; "" = it is about the service as a whole.
    """

    service: str
    kind: Kind
    word: Word
    state: state.ServiceState
    why: str
    container: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is thought of one service on one host now; *why* says what is wrong or awaited."""

    service: str
    word: Word
    state: state.ServiceState
    why: str = ""


def expect(
    made: release.Release, name: str, secret_versions: Mapping[str, int],
    replicas: int | None = None,
) -> Expected:
    """What the containers of service *name* are to be.

    *replicas*: how many; by default as many as the release says.
    """
    spec = made.services[name]
    label = release.generation_label(spec, secret_versions) if spec.secrets else ""
    if replicas is None:
        replicas = spec.replicas
    return Expected(spec, made.endings[name], label, replicas)


def expected_of(
    made: release.Release, placed: assignment.Placed, secret_versions: Mapping[str, int]
) -> list[Expected]:
    """The same of every service that a host is to run."""
    return [expect(made, name, secret_versions, replicas) for name, replicas in placed.items()]


def still_good(
    made: release.Release, placed: assignment.Placed, secret_versions: Mapping[str, int],
    containers: Sequence[state.ContainerState], *,
    fresh: Collection[str] = (), left: Collection[str] = (),
) -> list[Problem]:
    """What speaks against a release on a host that was rolled: nothing, if every service is good.

    *placed*: what the host runs of it. *fresh*: the services that this deployment started, of which
    a restart is a crash. *left*: those that it leaves as they are: one-shots on a way back.
    Containers that were adopted have been recognised (`state.recognised`).
    A one-shot that was not started now may have been removed since it ended.
    """
    found: list[Problem] = []
    for name, replicas in placed.items():
        if name in left:
            continue
        expected = expect(made, name, secret_versions, replicas)
        gone = expected.ends == "must" and name not in fresh and not containers_of(name, containers)
        if not gone:
            found += problems(expected, containers, fresh=name in fresh)
    return [one for one in found if one.word != "good"]


def judge(
    expected: Expected, containers: Sequence[state.ContainerState], *, fresh: bool
) -> Verdict:
    """What is thought of a service now, by the worst of its containers.

    *fresh*: it was just started, so that a restart of its own is a crash; but for one that ends and
    is started again until it succeeds. Compose's exit code plays no part.
    """
    name = expected.spec.name
    found = problems(expected, containers, fresh=fresh)
    for word in ("failed", "waiting"):
        for one in found:
            if one.word == word:
                return Verdict(name, one.word, one.state, one.why)
    states = [observed(seen, expected.ends) for seen in containers_of(name, containers)]
    return Verdict(name, "good", states[-1] if states else "stopped")


def problems(
    expected: Expected, containers: Sequence[state.ContainerState], *, fresh: bool = False
) -> list[Problem]:
    """Everything that is wrong with a service: missing containers, then what is wrong with each."""
    name = expected.spec.name
    mine = containers_of(name, containers)
    found: list[Problem] = []
    if len(mine) < expected.replicas:
        why = f"{len(mine)} of {expected.replicas} containers exist"
        found.append(Problem(name, "missing", "failed", "missing", why))
    for seen in mine:
        found += examine(expected, seen, fresh=fresh)
    return found


def examine(
    expected: Expected, seen: state.ContainerState, *, fresh: bool = False
) -> list[Problem]:
    """Everything that is wrong with one container: what it is, what it lacks, how it is."""
    return [*mismatches(expected, seen), *_condition(expected, seen, fresh)]


def mismatches(expected: Expected, seen: state.ContainerState) -> list[Problem]:
    """In what a container is not what the release says, and what it lacks while it runs."""
    found = [(kind, _describe(kind, expected.spec, seen)) for kind in differing(expected, seen)]
    if seen.status == "running":
        found += _detached(expected.spec, seen)
    if not found:
        return []
    word = observed(seen, expected.ends)
    return [Problem(expected.spec.name, kind, "failed", word, why, seen.id) for kind, why in found]


def differing(expected: Expected, seen: state.ContainerState) -> list[Kind]:
    """By which of IDENTITY a container is not the release's: the one comparison under all verbs."""
    found: list[Kind] = []
    if seen.content != expected.spec.content:
        found.append("definition")
    if seen.image != expected.spec.image:
        found.append("image")
    if seen.secrets != expected.label:
        found.append("secrets")
    return found


def is_same(expected: Expected, seen: state.ContainerState, *kinds: Kind) -> bool:
    """Whether a container is the release's in all of *kinds*, which are of IDENTITY."""
    return not any(kind in kinds for kind in differing(expected, seen))


def _describe(kind: Kind, spec: release.ServiceSpec, seen: state.ContainerState) -> str:
    if kind == "definition":
        return f"it runs another definition ({seen.definition})"
    if kind == "image":
        return f"it runs {seen.image}, not {spec.image}"
    return "it runs with other secrets"


def _detached(spec: release.ServiceSpec, seen: state.ContainerState) -> list[tuple[Kind, str]]:
    """The networks, mounts and ports of a service that its container lacks."""
    lost: list[tuple[Kind, str]] = []
    lost += [("network", name) for name in spec.networks if not seen.networks.get(name)]
    lost += [("mount", target) for target in spec.mounts if target not in seen.mounts]
    lost += [("port", port) for port in spec.ports if port not in seen.ports]
    return [(kind, f"{kind} {name} is not attached") for kind, name in lost]


def _condition(expected: Expected, seen: state.ContainerState, fresh: bool) -> list[Problem]:
    """How a container is: what fails, else what is awaited; and how often Docker restarted it."""
    spec, word = expected.spec, observed(seen, expected.ends)

    def problem(kind: Kind, verdict: Word, why: str) -> Problem:
        return Problem(spec.name, kind, verdict, word, why, seen.id)

    if word in ("exited", "unhealthy", "paused", "unknown"):
        found = [problem("state", "failed", _ended(expected, word, seen))]
    elif word == "completed":
        return []
    elif word == "restarting" or (fresh and seen.restarts > 0):
        return [_restarting(expected, seen)]
    elif expected.ends == "must":
        found = [problem("pending", "waiting", "it has not ended")]
    elif word == "starting" or (spec.health and word != "healthy"):
        found = [problem("pending", "waiting", "it is not healthy yet")]
    else:
        found = []
    if seen.restarts:
        found.append(problem("restarted", "good", f"Docker restarted it {seen.restarts} times"))
    return found


def _ended(expected: Expected, word: state.ServiceState, seen: state.ContainerState) -> str:
    """In what state a container failed."""
    if word != "exited":
        return word
    if seen.exit_code or expected.ends == "must":
        return f"exited with code {seen.exit_code}{', out of memory' if seen.oom_killed else ''}"
    kind = f"restart: {services.restart_policy(expected.spec.definition)}"
    if expected.spec.health or seen.health:
        kind = "a health check"
    elif expected.spec.definition.get("ports"):
        kind = "ports"
    return f"exited with code 0, but a service with {kind} is meant to run on"


def _restarting(expected: Expected, seen: state.ContainerState) -> Problem:
    """A crash; but one that ends is started again by `restart: on-failure` until it succeeds."""
    code = f" (exit code {seen.exit_code})" if seen.exit_code else ""
    policy = services.restart_policy(expected.spec.definition)
    name = expected.spec.name
    if expected.ends != "never" and policy not in ending.RUNS_ON:
        why = f"it was started again {seen.restarts} times and has not ended{code}"
        return Problem(name, "state", "waiting", "restarting", why, seen.id)
    return Problem(name, "state", "failed", "restarting", f"it restarts{code}", seen.id)


def observed(seen: state.ContainerState, ends: ending.Ending) -> state.ServiceState:
    """The one word for people.

    A health check may come from the image alone: who has one is not meant to end.
    """
    return seen.state(ends == "must" or (ends == "may" and not seen.health))


def containers_of(
    service: str, containers: Iterable[state.ContainerState]
) -> list[state.ContainerState]:
    """A service's containers, without those that ran once beside it."""
    return [one for one in containers if one.service == service and not one.one_off]


def ranked(
    expected: Expected, containers: Iterable[state.ContainerState]
) -> list[state.ContainerState]:
    """A service's containers, those to keep first.

    As the release says, then well, then those that others are made on, then the longest running.

    Compose's number plays no part: the only good container may be the second.
    """
    containers = tuple(containers)
    under = {id_ for one in containers for id_ in one.made_on}

    def rank(seen: state.ContainerState) -> tuple[bool, int, bool, str, str]:
        right = is_same(expected, seen, *IDENTITY)
        health = RANK.get(observed(seen, expected.ends), len(RANK))
        return not right, health, seen.id not in under, seen.since, seen.name

    return sorted(containers_of(expected.spec.name, containers), key=rank)


def finished(containers: Iterable[state.ContainerState]) -> tuple[str, ...]:
    """The services all of whose containers have ended with code 0."""
    ended: dict[str, bool] = {}
    for one in containers:
        if not one.one_off:
            done = one.status == "exited" and one.exit_code == 0
            ended[one.service] = done and ended.get(one.service, True)
    return tuple(sorted(name for name, done in ended.items() if done))


def completed(made: release.Release, containers: Iterable[state.ContainerState]) -> frozenset[str]:
    """The services that have ended well, and were meant to or might: they have done their work."""
    seen = tuple(containers)
    return frozenset(
        name for name in finished(seen)
        if all(observed(one, made.endings.get(name, "never")) == "completed" for one in containers_of(name, seen)))
