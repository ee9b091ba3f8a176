"""A PostgreSQL whose processes are all stopped: nothing that asks it waits for longer than it was told to."""

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from a_ledger import FIRST, Book, Place, PostgresPlace, a_story, an_end

import postgres_server
from lading import context, errors, events, settings
from lading.deploy import recording
from lading.inventory import hosts
from lading.ledger import ledger, postgres
from lading.transport import recorder

PATIENCE = 3.0
LATE = 20.0  # seconds: less than the patience that is not said, more than a busy machine needs
STEPS = [events.StateSeen("d", "web1", "1"), events.StateSeen("d", "web1", "2")]


@pytest.fixture
def book(postgres: postgres_server.Server, books: Callable[[Place], Book]) -> Book:
    """A ledger with the ten rows of a deployment, that is asked with little patience."""
    made = books(PostgresPlace(postgres, f"t{uuid.uuid4().hex}"))
    a_story(made)
    made.close()
    made.kept = ledger.Ledger(patient(made))
    assert made.head().seq == 10, "it is connected"
    return made


def patient(book: Book) -> postgres.PostgresStore:
    return postgres.PostgresStore(f"{book.place.where}?connect_timeout=2", PATIENCE)


Asks = Callable[[ledger.Ledger], Awaitable[object]]


@pytest.mark.parametrize("ask", [
    lambda kept: kept.append(STEPS[0]), lambda kept: kept.keep(b"{}"), lambda kept: kept.head(), lambda kept: kept.history(),
    lambda kept: kept.events(FIRST), lambda kept: kept.verify(),
])
def test_what_is_asked_ends_and_the_next_connects_anew(ask: Asks, book: Book, postgres: postgres_server.Server) -> None:
    async def one() -> None:
        await ask(book.kept)

    begun = time.monotonic()
    with postgres.frozen():
        with pytest.raises(errors.LedgerError, match="does not answer: nothing was heard of it for 3 s"):
            asyncio.run(one())
        with pytest.raises(errors.LedgerError, match="does not answer: .*timeout"):
            asyncio.run(one())
        assert time.monotonic() - begun < LATE
    book.append(*STEPS[:1])
    book.append(STEPS[1])
    assert [found.event.step for found in book.events("d")] == ["1", "2"]
    assert book.verify() == ()


def test_a_deployment_goes_on_and_the_ledger_catches_up(book: Book, postgres: postgres_server.Server) -> None:
    async def whole() -> tuple[float, str]:
        here = context.Context(settings.Settings(Path("lading.yaml"), hosts.Inventory({}, {})), {},
                               recorder.RecorderTransport(lambda *_: None),  # type: ignore[arg-type]
                               book.kept, "ann")
        record = recording.Recording(here)
        begun = time.monotonic()
        with postgres.frozen():
            await asyncio.gather(*(record(events.StepStarted("d", f"web{number}", "roll")) for number in range(20)))
            with pytest.raises(errors.LedgerError):  # and no host is told to commit
                await record.decide("d")
            await record(an_end("d"))
            took = time.monotonic() - begun
        assert record.failed is not None
        return took, await record.catch_up()

    took, lacks = asyncio.run(whole())
    assert took < LATE
    assert lacks == ""
    assert len(book.events("d")) == 22
    assert book.verify() == ()


def test_a_server_that_works_for_long_but_speaks_is_heard_out(book: Book) -> None:
    store = patient(book)
    try:
        rows = store.transaction(lambda base: base.execute("SELECT pg_sleep(1), repeat('x', 9000) FROM generate_series(1, 5)"), write=False)
    finally:
        store.close()
    assert len(rows) == 5


@pytest.mark.parametrize("words", [("history", "--offline"), ("show", FIRST), ("ledger", "verify")])
def test_the_program_ends_with_the_ledger_s_status(words: tuple[str, ...], tmp_path: Path, book: Book, postgres: postgres_server.Server) -> None:
    (tmp_path / "lading.yaml").write_text("lading: 1\nledger: {url: {env: TEAM}}\n")
    env = {**os.environ, "TEAM": f"{book.place.where}?connect_timeout=2", "LADING_CONFIG": "lading.yaml"}
    with postgres.frozen():
        done = subprocess.run([sys.executable, "-m", "lading", *words], cwd=tmp_path, env=env, text=True, capture_output=True,
                              check=False, timeout=60)
    assert (done.returncode, "the ledger does not answer" in done.stderr) == (7, True), done.stderr
    assert postgres_server.PASSWORD not in done.stdout + done.stderr
