"""Whether a service's containers must end by themselves, may end, or never should: the one rule for all verbs (pure)."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal, Protocol

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
