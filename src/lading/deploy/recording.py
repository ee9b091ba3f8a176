"""Store events as they happen, many in a transaction; a ledger that fails in the middle of a deployment is caught up with at its end."""

import asyncio
from collections.abc import Mapping

from lading import context as contexts
from lading import errors, events
from lading.engines import base

INTERVAL = 0.2  # seconds that a result may wait to be stored


class Recording:
    """What the engine awaits before each change, once the intent is stored.

    What announces a change (StepStarted) is on disk before the change begins; a phase that begins on a thousand hosts is one
    transaction, before its first command, or two. What tells of a result goes with the next announcement, after INTERVAL at
    the latest: a transaction costs the controller as much as two commands on a host. From then on the hosts' own records decide, so a ledger that fails (disk full, held by somebody, gone) no longer stops
    anything: its events wait here in their order, and `catch_up` stores them. *failed* is why it failed, if it did.
    """

    def __init__(self, context: contexts.Context) -> None:
        self.context = context
        self.failed: errors.LedgerError | None = None
        self.waiting: list[events.Event] = []
        self.unkept: errors.LedgerError | None = None
        """Why last lines of services that failed could not be kept."""
        self._evidence: dict[str, base.Evidence] = {}
        self._lock = asyncio.Lock()
        self._came = self._stored = 0
        self._soon: asyncio.Task[None] | None = None

    async def __call__(self, event: events.Event) -> None:
        """Store the event, or keep it for later; then show it."""
        self.waiting.append(event)
        self._came += 1
        if isinstance(event, events.StepStarted):
            await self._until(self._came)
        elif self._soon is None or self._soon.done():
            self._soon = asyncio.create_task(self._later())
        self.context.on_event(event)

    def keep(self, what: base.Evidence) -> None:
        """Keep the last lines of what failed; they are stored with the event that names them, at the latest."""
        self._evidence[what.id] = what

    async def _later(self) -> None:
        await asyncio.sleep(INTERVAL)
        await self._until(self._came)

    async def _until(self, number: int) -> None:
        """Store what waits, unless the first *number* events were stored meanwhile, or the ledger has failed."""
        async with self._lock:
            if self.failed is None and self._stored < number:
                await self._store()

    async def decide(self, deployment: str) -> Mapping[str, object]:
        """Store the decision to commit, and all that came before it, before any host is told (docs/protocol.md, rule 13).

        Where the ledger's chain ends then, for the hosts' journals.

        Raises:
            LedgerError: it could not be stored.
        """
        await self(events.StepStarted(deployment, "", "commit"))
        async with self._lock:
            if self.waiting:
                await self._store()
            if self.waiting:
                assert self.failed is not None
                raise self.failed
            self.failed = None
        return await self.context.attest()

    async def catch_up(self) -> str:
        """Try once more to store what waits; what the ledger lacks, in words, or ""."""
        async with self._lock:
            if self._soon is not None:
                self._soon.cancel()
            count = len(self.waiting)
            await self._store()
        if not self.waiting:
            return self._lacks_evidence()
        assert self.failed is not None
        return (f"the ledger lacks {count} events of this deployment ({self.failed.message}, {self.failed.file}); the hosts' "
                "journals tell how it ended: lading history")

    def _lacks_evidence(self) -> str:
        if self.unkept is None:
            return ""
        return ("the ledger does not keep the last lines of what failed "
                f"({self.unkept.message}, {self.unkept.file}): {self.unkept.hint}")

    async def _store(self) -> None:
        await self._store_evidence()
        chosen = tuple(self.waiting)
        try:
            if self.context.ledger is not None:
                await self.context.ledger.append(*chosen)
            del self.waiting[:len(chosen)]
            self._stored += len(chosen)
        except errors.LedgerError as failed:
            self.failed = failed

    async def _store_evidence(self) -> None:
        """In a transaction of its own: a ledger that does not take it still takes the events."""
        chosen = tuple(self._evidence.values())
        if not chosen:
            return
        try:
            if self.context.ledger is not None:
                await self.context.ledger.keep_evidence(*(one.text.encode() for one in chosen))
            self.unkept = None
        except errors.LedgerError as failed:
            self.unkept = failed
            return
        for one in chosen:
            self._evidence.pop(one.id, None)
