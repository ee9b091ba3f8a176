"""Batches of hosts, and the verdict on a service from what inspect shows (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lading import state
from lading.compose import ending, release, services

Word = Literal["waiting", "good", "failed"]


def batches(hosts: Sequence[str], parallelism: int) -> tuple[tuple[str, ...], ...]:
    """The hosts in groups of *parallelism* (0 = all at once), in their order."""
    size = parallelism if parallelism > 0 else max(len(hosts), 1)
    return tuple(tuple(hosts[start : start + size]) for start in range(0, len(hosts), size))


def way_back(touched: Sequence[str], batched: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """The touched hosts in the order of an undo: newest first, batch by batch as they were rolled."""
    found = [tuple(name for name in batch if name in touched) for batch in reversed(batched)]
    return tuple(batch for batch in found if batch)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is thought of one service on one host now; *why* says what is wrong or awaited."""

    service: str
    word: Word
    state: state.ServiceState
    why: str = ""


def judge(
    spec: release.ServiceSpec, label: str, containers: Sequence[state.ContainerState], *, ends: ending.Ending, fresh: bool
) -> Verdict:
    """Whether a service is as its release says, from one inspect; *label*: the generations its secrets must have.

    *ends*: whether it must or may end. *fresh*: it was just started, so that a restart of its own is a crash; but for one
    that ends and is started again until it succeeds. Compose's exit code plays no part.
    """
    mine = [c for c in containers if c.service == spec.name and not c.one_off]
    if len(mine) < spec.replicas:
        return Verdict(spec.name, "failed", "missing", f"{len(mine)} of {spec.replicas} containers exist")
    worst = Verdict(spec.name, "good", "running")
    for container in mine:
        verdict = _one(spec, ends, label, container, fresh)
        if verdict.word == "failed":
            return verdict
        if verdict.word == "waiting" or worst.word == "good":
            worst = verdict
    return worst


def _one(
    spec: release.ServiceSpec, ends: ending.Ending, label: str, seen: state.ContainerState, fresh: bool
) -> Verdict:
    word = ending.word(seen, ends)
    wrong = mismatch(spec, label, seen)
    if wrong:
        return Verdict(spec.name, "failed", word, wrong)
    if word == "completed":
        return Verdict(spec.name, "good", word)
    if word in ("exited", "unhealthy", "paused", "unknown"):
        return Verdict(spec.name, "failed", word, _ended(spec, word, ends, seen))
    if word == "restarting" or (fresh and seen.restarts > 0):
        return _restarted(spec, ends, seen)
    if ends == "must":
        return Verdict(spec.name, "waiting", word, "it has not ended")
    if word == "starting" or (spec.health and word != "healthy"):
        return Verdict(spec.name, "waiting", word, "it is not healthy yet")
    return Verdict(spec.name, "good", word)


def _ended(spec: release.ServiceSpec, word: state.ServiceState, ends: ending.Ending, seen: state.ContainerState) -> str:
    """In what state a container failed."""
    if word != "exited":
        return word
    if seen.exit_code or ends == "must":
        return f"exited with code {seen.exit_code}{', out of memory' if seen.oom_killed else ''}"
    kind = f"restart: {services.restart_policy(spec.definition)}"
    if spec.health or seen.health:
        kind = "a health check"
    elif spec.definition.get("ports"):
        kind = "ports"
    return f"exited with code 0, but a service with {kind} is meant to run on"


def _restarted(spec: release.ServiceSpec, ends: ending.Ending, seen: state.ContainerState) -> Verdict:
    """One that ends is started again by `restart: on-failure` until it succeeds; for all others it is a crash."""
    code = f" (exit code {seen.exit_code})" if seen.exit_code else ""
    policy = services.restart_policy(spec.definition)
    if ends != "never" and policy not in ending.RUNS_ON:
        return Verdict(spec.name, "waiting", "restarting", f"it was started again {seen.restarts} times and has not ended{code}")
    return Verdict(spec.name, "failed", "restarting", f"it restarts{code}")


def mismatch(spec: release.ServiceSpec, label: str, seen: state.ContainerState) -> str:
    """What of a container is not as the release says: image, definition, secrets, networks, mounts, ports; or ""."""
    if seen.content != spec.content:
        return f"it runs another definition ({seen.definition})"
    if seen.image != spec.image:
        return f"it runs {seen.image}, not {spec.image}"
    if seen.secrets != (label if spec.secrets else ""):
        return "it runs with other secrets"
    if seen.status != "running":
        return ""
    for what, wanted, have in (
        ("network", spec.networks, [name for name, id_ in seen.networks.items() if id_]),
        ("mount", spec.mounts, list(seen.mounts)),
        ("port", spec.ports, list(seen.ports)),
    ):
        lost = [item for item in wanted if item not in have]
        if lost:
            return f"{what} {lost[0]} is not attached"
    return ""
