"""The controller that `make chaos` holds: whatever stores an event about the whole is held there."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import held_controller
from lading import events
from lading.ledger import ledger

PLANNED = events.DeploymentPlanned("20261201-100000-abcd", app="shop")
Storing = Callable[[ledger.Ledger], Awaitable[None]]
WAYS: dict[str, Storing] = {
    "append": lambda kept: kept.append(PLANNED),
    "begin": lambda kept: kept.begin(PLANNED, {}),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_event_about_the_whole_is_stored_and_then_holds(tmp_path: Path, way: str) -> None:
    async def hold() -> tuple[bool, int, bool]:
        kept = await ledger.open_ledger(tmp_path / "ledger.db")
        holder = held_controller.Holder([("DeploymentPlanned", "", "")])
        storing = asyncio.ensure_future(WAYS[way](held_controller.HoldingLedger(kept, holder)))
        while holder.places and not storing.done():
            await asyncio.sleep(0)
        held, stored = not storing.done(), len(await kept.events(PLANNED.deployment))
        holder.lines.feed_data(b"\n")
        await asyncio.wait_for(storing, timeout=10)
        await kept.close()
        return held, stored, storing.done()

    assert asyncio.run(hold()) == (True, 1, True)
