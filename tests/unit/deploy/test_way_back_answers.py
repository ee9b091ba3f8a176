"""What `rollback` answers when it has ended what another run had left open."""

import pytest

from lading import events
from lading.deploy import ended, rollback
from lading.engines import base


def an_end(result: events.HostResult) -> ended.Ended:
    outcome = events.Outcome({"web1": events.HostOutcome(result)})
    return ended.Ended("d1", "shop", "1.0.0", "r1", "all", outcome.result, "", "", "ann", "", base.Report(outcome))


@pytest.mark.parametrize(("verbs", "result", "said"), [
    ({"rollback"}, "succeeded", "has been finished"),
    ({"rollback"}, "rolled_back", None),
    ({"deploy"}, "rolled_back", "has been taken back"),
    ({"deploy"}, "untouched", "has been taken back"),
    ({"deploy"}, "succeeded", None),
    ({"repair"}, "untouched", None),
    ({"deploy", "rollback"}, "succeeded", None),
])
def test_what_is_there_already(verbs: set[str], result: events.HostResult, said: str | None) -> None:
    answer = rollback._already_there("shop", [an_end(result)], verbs)
    if said is None:
        assert answer is None
    else:
        assert answer is not None and said in answer.note
