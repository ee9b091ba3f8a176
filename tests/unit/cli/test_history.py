"""`show` tells every value to its end."""

from lading import events
from lading.cli import history
from lading.ledger import deployments


def test_no_value_is_cut() -> None:
    why = f"{'it was built from a changed work tree, ' * 10}commit 0123456789ab-dirty"
    stored = deployments.Stored(events.StepEnded("d1", "web1", "roll", error=why), "2026-11-28T10:00:00Z", "w", 1)
    assert history._words(stored).endswith("-dirty")
