"""How events reach the ledger: announcements before what they announce, many in a transaction; transactions are counted."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from lading import context, events, settings
from lading.deploy import recording
from lading.inventory import hosts
from lading.ledger import ledger, sqlite, stores
from lading.transport import recorder

NAMES = [f"h{number}" for number in range(300)]


class Counted(sqlite.SqliteStore):
    """A store that counts what is written."""

    written = 0

    def transaction(self, work: Callable[[stores.Base], stores.T], *, write: bool) -> stores.T:
        """One more, if it writes."""
        self.written += write
        return super().transaction(work, write=write)


async def opened(folder: Path) -> tuple[recording.Recording, Counted]:
    await ledger.open_ledger(folder / "ledger.db")
    store = Counted(folder / "ledger.db")
    here = context.Context(settings.Settings(Path("lading.yaml"), hosts.Inventory({}, {})), {}, recorder.RecorderTransport(lambda *_: None),  # type: ignore[arg-type]
                           ledger.Ledger(store), "ann")
    return recording.Recording(here), store


def test_a_phase_that_begins_on_many_hosts_is_stored_before_any_of_them_goes_on_in_two_transactions(tmp_path: Path) -> None:
    async def whole() -> tuple[int, int]:
        record, store = await opened(tmp_path)
        first: list[int] = []

        async def begin(name: str) -> None:
            await record(events.StepStarted("d1", name, "stage"))
            first.append(store.written)
            assert all(event.host != name for event in record.waiting)

        await asyncio.gather(*(begin(name) for name in NAMES))
        assert record.context.ledger is not None
        stored = await record.context.ledger.events("d1")
        assert {one.event.host for one in stored} == set(NAMES)
        return min(first), store.written

    assert asyncio.run(whole()) == (1, 2)


def test_results_wait_for_the_next_announcement_and_are_stored_in_their_order(tmp_path: Path) -> None:
    async def whole() -> tuple[int, list[str]]:
        record, store = await opened(tmp_path)
        for name in NAMES:
            await record(events.StepEnded("d1", name, "stage"))
        await record(events.StepStarted("d1", "", "commit"))
        assert record.context.ledger is not None
        return store.written, [one.event.host for one in await record.context.ledger.events("d1")]

    assert asyncio.run(whole()) == (1, [*NAMES, ""])


def test_results_that_nothing_follows_are_stored_soon_and_at_the_end(tmp_path: Path) -> None:
    async def whole() -> list[str]:
        record, store = await opened(tmp_path)
        await record(events.HostCommitted("d1", "web1", "commit"))
        async with asyncio.timeout(20):
            while record.waiting:
                await asyncio.sleep(0)
        await record(events.DeploymentEnded("d1", result="succeeded"))
        assert await record.catch_up() == "" and store.written == 2
        assert record.context.ledger is not None
        return [type(one.event).__name__ for one in await record.context.ledger.events("d1")]

    assert asyncio.run(whole()) == ["HostCommitted", "DeploymentEnded"]
