"""The last lines of what failed, beside the chain: kept by their hash, moved and verified with the ledger; missing, they are told."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from a_ledger import FIRST, Book, Place, PostgresPlace, a_plan, an_end

from lading import context, errors, events, settings
from lading.deploy import recording
from lading.engines import base
from lading.inventory import hosts
from lading.ledger import evidence
from lading.queries import history
from lading.transport import recorder

Make = Callable[[], Place]
Books = Callable[[Place], Book]
SAID = base.Evidence("starting\nno database ***\n")
SECOND = "20261125-100000-bbbb"


def a_failure(book: Book, deployment: str = SECOND) -> None:
    """A deployment whose service and hook have failed, and said the same."""
    book.keep_evidence(SAID.text.encode())
    book.append(
        a_plan(deployment),
        events.ServiceUnhealthy(deployment, "web1", "roll", "web", "it exited", evidence=SAID.id),
        events.HookEnded(deployment, "web1", "hook", hook="migrate", status=1, evidence=SAID.id),
        events.ServiceUnhealthy(deployment, "web1", "roll", "db", "it exited"),
        an_end(deployment, "failed"))


def asked(book: Book) -> context.Context:
    fleet = settings.Settings(Path("lading.yaml"), hosts.Inventory({}, {}))
    nobody = recorder.RecorderTransport(lambda *_: None)  # type: ignore[arg-type]
    return context.Context(fleet, {}, nobody, book.kept, "ann")


def shown(book: Book, deployment: str = SECOND) -> list[tuple[str, str, tuple[str, ...] | None]]:
    """What `lading show` tells."""
    found = asyncio.run(history.show(asked(book), deployment))
    return [(one.what, one.step, lines) for one, lines in found.evidence]


LINES = ("starting", "no database ***")
BOTH = [("web", "roll", LINES), ("migrate", "hook", LINES)]
NONE = evidence.Missing((), 0)
GONE = [("web", "roll", None), ("migrate", "hook", None)]


def test_what_is_kept_is_shown_by_the_hash_in_its_event(book: Book) -> None:
    a_failure(book)
    assert shown(book) == BOTH
    assert shown(book, FIRST) == []
    assert book.kept_evidence(SAID.id, "f" * 64) == {SAID.id: SAID.text.encode()}
    assert (book.verify(), book.missing_evidence()) == ((), NONE)
    book.keep_evidence(SAID.text.encode())
    assert len(book.place.execute("SELECT id FROM evidence")) == 1


def test_it_may_be_deleted_and_the_chain_stays_whole(book: Book) -> None:
    a_failure(book)
    book.place.execute("DELETE FROM evidence")
    assert book.verify() == ()
    assert shown(book) == GONE
    assert book.missing_evidence() == evidence.Missing((
        evidence.Named(SECOND, "web1", "roll", "web", SAID.id), evidence.Named(SECOND, "web1", "hook", "migrate", SAID.id)), 0)
    found = asyncio.run(history.verify(book.kept))
    assert (found.faults, found.unchecked[1:]) == ((), (
        "the last lines of what failed, which are not kept here (any more): "
        f"web on web1 in {SECOND}, migrate on web1 in {SECOND}",))
    for number in range(5):
        book.append(events.ServiceUnhealthy(SECOND, f"web{number}", "roll", "web", "it exited", evidence=SAID.id))
    assert asyncio.run(history.verify(book.kept)).unchecked[1].endswith(" and 2 more")


def test_what_was_changed_is_a_fault_and_is_not_shown(book: Book) -> None:
    a_failure(book)
    other = "decode('78','hex')" if isinstance(book.place, PostgresPlace) else "x'78'"
    book.place.execute(f"UPDATE evidence SET bytes={other}")
    [fault] = book.verify()
    assert fault == f"evidence {SAID.id} was changed: its bytes have the SHA-256 {evidence.id_of(b'x')}"
    assert shown(book) == GONE


def test_it_moves_with_its_ledger(book: Book, make: Make, books: Books) -> None:
    a_failure(book)
    lines = book.export()
    other = books(make())
    other.merge(lines)
    assert (shown(other), other.verify(), other.missing_evidence()) == (BOTH, (), NONE)
    without = books(make())
    without.merge([line for line in lines if '"evidence":' not in line or '"row":' in line])
    assert (shown(without), without.verify(), len(without.missing_evidence().first)) == (GONE, (), 2)
    without.merge(lines)
    assert shown(without) == BOTH


@pytest.mark.parametrize("wrong", [3, None, ["x"], "x" * (evidence.LARGEST + 1)], ids=["number", "null", "list", "large"])
def test_evidence_that_is_no_text_is_refused_with_all_else(wrong: object, book: Book, make: Make, books: Books) -> None:
    other = books(make())
    with pytest.raises(errors.LedgerError, match="nothing was imported: it is damaged: evidence is no text, or too large"):
        other.merge([*book.export(), json.dumps({"evidence": wrong})])
    assert other.history() == ()


def test_a_deployment_stores_it_with_the_event_that_names_it(book: Book) -> None:
    async def work() -> str:
        record = recording.Recording(asked(book))
        record.keep(SAID)
        await record(events.ServiceUnhealthy(SECOND, "web1", "roll", "web", "it exited", evidence=SAID.id))
        return await record.catch_up()

    book.append(a_plan(SECOND), an_end(SECOND, "failed"))
    assert asyncio.run(work()) == ""
    assert shown(book) == BOTH[:1]


def test_a_ledger_that_does_not_take_it_takes_the_events_all_the_same(book: Book) -> None:
    async def work() -> str:
        record = recording.Recording(asked(book))
        record.keep(SAID)
        await record(events.ServiceUnhealthy(SECOND, "web1", "roll", "web", "it exited", evidence=SAID.id))
        return await record.catch_up()

    book.append(a_plan(SECOND), an_end(SECOND, "failed"))
    book.place.execute("ALTER TABLE evidence RENAME TO away")
    said = asyncio.run(work())
    assert said.startswith("the ledger does not keep the last lines of what failed (")
    book.place.execute("ALTER TABLE away RENAME TO evidence")
    assert (shown(book), book.verify()) == (GONE[:1], ())
