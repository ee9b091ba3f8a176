"""How long the last roll took, out of a ledger: what the next plan says of the outage."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from a_ledger import FIRST, SqlitePlace, a_plan, an_end

from lading import events
from lading.deploy import usual
from lading.ledger import ledger

SECOND = "20261130-130000-bbbb"
LONG = "2026-11-30T12:00:00.000000Z", "2026-11-30T12:02:00.000000Z"
REPLACED = ({"host": "web1", "service": "web", "field": "image", "old": "r/web:1", "new": "r/web:2"},)
NEW = ({"host": "web1", "service": "web", "field": "containers", "old": "0", "new": "1"},
       {"host": "web1", "service": "web", "field": "definition", "old": "", "new": "abc"})
DOWN = ({"host": "web1", "service": "web", "field": "state", "old": "exited", "new": "running"},)
TAKEN = ({"host": "web1", "service": "", "field": "owner", "old": "git:a", "new": "git:b"},)
SHORT = "2026-11-30T13:00:00.000000Z", "2026-11-30T13:00:02.000000Z"


def seconds_after(path: Path, *last: events.DeploymentPlanned) -> float:
    """What is usual at production after a deployment that rolled for two minutes, and *last* ones of two seconds."""
    first = a_plan(FIRST, app="shop", verb="deploy", destination="production", hosts=("web1",), changes=REPLACED)

    async def work() -> float:
        book = await ledger.open_ledger(path)
        try:
            for plan in (first, *last):
                one = plan.deployment
                started, ended = events.StepStarted(one, "web1", step="roll"), events.StepEnded(one, "web1", step="roll")
                await book.append(plan, started, ended, an_end(one))
                from_to = LONG if plan is first else SHORT
                SqlitePlace(path).execute(
                    f"UPDATE events SET at='{from_to[0]}' WHERE deployment='{one}' AND kind='StepStarted'",
                    f"UPDATE events SET at='{from_to[1]}' WHERE deployment='{one}' AND kind='StepEnded'")
            return await usual.roll_seconds(book, "shop", "production")
        finally:
            await book.close()

    return asyncio.run(work())


@pytest.mark.parametrize(("more", "seconds"), [
    ({"verb": "restart"}, 2), ({"verb": "rollback"}, 2), ({"changes": (*TAKEN, *REPLACED)}, 2),
    ({"changes": NEW}, 120), ({"changes": DOWN}, 120), ({"changes": TAKEN}, 120), ({"changes": ()}, 120),
    ({"verb": "stop"}, 120), ({"verb": "scale"}, 120), ({"destination": "staging"}, 120), ({"app": "other"}, 120),
])
def test_what_counts(tmp_path: Path, more: dict[str, Any], seconds: float) -> None:
    said = {"app": "shop", "verb": "deploy", "destination": "production", "hosts": ("web1",), "changes": REPLACED, **more}
    assert seconds_after(tmp_path / "ledger.db", a_plan(SECOND, **said)) == seconds
