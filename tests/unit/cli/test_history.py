"""`show` tells every value to its end."""

from typing import Any

import pytest

from lading import events
from lading.cli import showing
from lading.ledger import deployments, evidence
from lading.queries import history as past


def test_no_value_is_cut() -> None:
    why = f"{'it was built from a changed work tree, ' * 10}commit 0123456789ab-dirty"
    stored = deployments.Stored(events.StepEnded("d1", "web1", "roll", error=why), "2026-11-28T10:00:00Z", "w", 1)
    assert showing._words(stored).endswith("-dirty")


def test_what_an_event_holds_is_told_in_words() -> None:
    planned = events.DeploymentPlanned("d1", verb="deploy", app="shop", version="1", release="r", destination="p", hosts=("web1",),
                                       keys={"SHA256:x": ("host1", "web2"), "SHA256:y": ()}, vouched=("*", "a"))
    words = showing._words(deployments.Stored(planned, "2026-11-28T10:00:00Z", "w", 1))
    assert "keys: SHA256:x (host1, web2), SHA256:y" in words and "vouched: *, a" in words
    assert showing._value(True) == "yes"


def shown() -> past.Shown:
    """A deployment of which one service's last lines are kept, and another's are not."""
    words: dict[str, Any] = dict.fromkeys(
        ("deployment", "verb", "app", "version", "release", "destination", "actor", "reason", "commit", "url", "source",
         "started", "ended", "result", "origin"), "x")
    named = [evidence.Named("x", "web1", "roll", name, name * 64) for name in "ab"]
    return past.Shown(deployments.Deployment(**words, hosts={}), (), (), {}, {}, (
        (named[0], ("starting", "no \x1b[2Jdatabase")), (named[1], None)))


def test_the_last_lines_of_what_failed_are_shown_and_missing_ones_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    showing._show(shown(), None)
    assert capsys.readouterr().out.splitlines()[-4:] == [
        "last lines of a on web1 (roll):", "    starting", "    no �[2Jdatabase",
        "the last lines of b on web1 (roll) are not kept in this ledger: bbbbbbbbbbbb"]


def test_in_json_they_are_beside_the_events() -> None:
    assert showing._as_json(shown(), None)["evidence"] == [
        {"host": "web1", "step": "roll", "of": "a", "sha256": "a" * 64, "lines": ["starting", "no \x1b[2Jdatabase"]},
        {"host": "web1", "step": "roll", "of": "b", "sha256": "b" * 64, "lines": None}]
