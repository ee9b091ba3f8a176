"""How long the last roll took, out of a ledger: what the next plan says of the outage."""

import asyncio
from pathlib import Path

import pytest
from a_ledger import FIRST, SqlitePlace, a_plan, an_end

from lading import events
from lading.deploy import usual
from lading.ledger import ledger

SECOND = "20261130-130000-bbbb"
LONG = "2026-11-30T12:00:00.000000Z", "2026-11-30T12:02:00.000000Z"
SHORT = "2026-11-30T13:00:00.000000Z", "2026-11-30T13:00:02.000000Z"


def seconds_after(path: Path, *last: events.DeploymentPlanned) -> float:
    """What is usual at production after a deployment that rolled for two minutes, and *last* ones of two seconds."""
    first = a_plan(FIRST, app="shop", verb="deploy", destination="production", hosts=("web1",))

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
    ({"verb": "restart"}, 2), ({"verb": "rollback"}, 2),
    ({"verb": "stop"}, 120), ({"verb": "scale"}, 120), ({"destination": "staging"}, 120), ({"app": "other"}, 120),
])
def test_what_counts(tmp_path: Path, more: dict[str, str], seconds: float) -> None:
    said = {"app": "shop", "verb": "deploy", "destination": "production", "hosts": ("web1",), **more}
    assert seconds_after(tmp_path / "ledger.db", a_plan(SECOND, **said)) == seconds
