"""What becomes of a deployment, from the phases in which its participants have it: the protocol's one table (pure)."""

from collections.abc import Mapping
from typing import Literal

from lading.state import journal

Word = journal.Phase | Literal["silent", "none"]
"""What is known of a participant: its phase, "silent" if it does not answer, "none" if it was never begun there."""

Decision = Literal["forward", "continue", "undo", "in doubt", "contradiction"]

COMMITTED = frozenset({"committed", "ended"})
READY = frozenset({"staged", "rolling", "rolled", "prepared"})


def decide(phases: Mapping[str, Word], *, committed: bool, stop: bool) -> Decision:
    """Whether a deployment goes forward, is continued, is undone, or cannot be decided.

    *phases*: every participant, from answers that were confirmed under their leases; *committed*:
    the caller's own ledger has a decision to commit; *stop*: somebody wants it ended, or a step has
    failed. The rows are those of docs/protocol.md, in its order; protocol/model.py is the oracle.
    """
    answered = [word for word in phases.values() if word != "silent"]
    somebody_is_silent = len(answered) < len(phases)
    all_prepared = all(word == "prepared" for word in answered)
    if committed or any(word in COMMITTED for word in answered):
        agreed = all(word == "prepared" or word in COMMITTED for word in answered)
        return "forward" if agreed else "contradiction"
    if somebody_is_silent and all_prepared:
        return "in doubt"
    if all_prepared:
        return "forward"
    if all(word in READY for word in phases.values()) and not stop:
        return "continue"
    return "undo"
