"""The steps of all hosts as phases, which hosts take together (pure)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from lading.plan import steps


def phases(
    hosts: Mapping[str, steps.HostPlan], batches: Sequence[Sequence[str]], delay: float = 0.0
) -> tuple[steps.Phase, ...]:
    """What is carried out, in the order of the story: a part that no host has is left out.

    *batches*: the hosts in the groups in which they are rolled, *delay* seconds between two; every
    other part is taken by all hosts at once.
    """
    whole = [tuple(hosts)]
    found: list[steps.Phase] = []
    for part in get_args(steps.Part):
        rolled = part == "roll"
        chosen = tuple(_batches(hosts, batches if rolled else whole, part))
        if chosen:
            found.append(steps.Phase(chosen, delay if rolled else 0.0))
    return tuple(found)


def _batches(
    hosts: Mapping[str, steps.HostPlan], batches: Sequence[Sequence[str]], part: steps.Part
) -> Iterator[Mapping[str, tuple[steps.Step, ...]]]:
    """The batches that have something to do in a part, each host with its steps of that part."""
    for names in batches:
        batch: dict[str, tuple[steps.Step, ...]] = {}
        for name in names:
            mine = tuple(step for step in hosts[name].steps if steps.part_of(step) == part)
            if mine:
                batch[name] = mine
        if batch:
            yield batch
