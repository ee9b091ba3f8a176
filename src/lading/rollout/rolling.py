"""Hosts in batches, one after the other, and the order in which they are taken back (pure)."""

from collections.abc import Sequence


def batches(hosts: Sequence[str], parallelism: int) -> tuple[tuple[str, ...], ...]:
    """The hosts in groups of *parallelism* (0 = all at once), in their order."""
    size = parallelism if parallelism > 0 else max(len(hosts), 1)
    return tuple(tuple(hosts[start : start + size]) for start in range(0, len(hosts), size))


def undo_order(
    touched: Sequence[str], rolled: Sequence[Sequence[str]]
) -> tuple[tuple[str, ...], ...]:
    """The touched hosts in the order of an undo: newest first, batch by batch as *rolled*."""
    found = [tuple(name for name in batch if name in touched) for batch in reversed(rolled)]
    return tuple(batch for batch in found if batch)
