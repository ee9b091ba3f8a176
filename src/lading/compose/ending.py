"""Whether a service's containers must end by themselves, may end, or never should: the one rule for all verbs (pure)."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, Protocol

from lading import state
from lading.compose import services

Ending = Literal["must", "may", "never"]
COMPLETED = "service_completed_successfully"
MAY_END = ("", "no", "on-failure")  # restart policies under which an exit with code 0 is an end
RUNS_ON = ("always", "unless-stopped")


class Spec(Protocol):
    """What the rule reads of a service of a release."""

    @property
    def name(self) -> str: ...
    @property
    def definition(self) -> Mapping[str, Any]: ...
    @property
    def depends_on(self) -> Mapping[str, str]: ...
    @property
    def health(self) -> bool: ...
    @property
    def job(self) -> bool: ...


def of_all(specs: Iterable[Spec]) -> dict[str, Ending]:
    """How each service of a release ends.

    Only whom another one awaits as completed must end. Who is not started again after an exit with code 0, and offers
    neither a port nor a health check, may end. For all others an end is a failure.
    """
    known = list(specs)
    awaited: set[str] = set()
    for one in known:
        awaited.update(name for name, condition in one.depends_on.items() if condition.startswith(COMPLETED))
    return {one.name: _of(one, awaited) for one in known}


def _of(spec: Spec, awaited: Collection[str]) -> Ending:
    if spec.name in awaited:
        return "must"
    if spec.health or spec.definition.get("ports"):
        return "never"
    policy = services.restart_policy(spec.definition).partition(":")[0]
    if policy in (*MAY_END, *RUNS_ON):
        return "may" if policy in MAY_END else "never"
    return "may" if spec.job else "never"  # a masked word: the release knows what it was


def word(seen: state.ContainerState, ending: Ending) -> state.ServiceState:
    """The one word for people. A health check may come from the image alone: who has one is not meant to end."""
    return seen.state(ending == "must" or (ending == "may" and not seen.health))


def finished(containers: Iterable[state.ContainerState]) -> tuple[str, ...]:
    """The services all of whose containers have ended with code 0."""
    ended: dict[str, bool] = {}
    for one in containers:
        if not one.one_off:
            done = one.status == "exited" and one.exit_code == 0
            ended[one.service] = done and ended.get(one.service, True)
    return tuple(sorted(name for name, done in ended.items() if done))
