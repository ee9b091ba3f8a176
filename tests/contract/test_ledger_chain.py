"""One suite over the places of a ledger, SQLite and PostgreSQL: chained, verified, by many processes at once, through kills."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from a_ledger import APPENDER, FIRST, Book, Place, a_plan, an_end, foreign

from lading import errors, events
from lading.ledger import chain, ledger

Make = Callable[[], Place]
Books = Callable[[Place], Book]


def test_what_is_appended_is_read_back(book: Book, books: Books) -> None:
    stored = book.events(FIRST)
    assert [one.seq for one in stored] == list(range(1, 11))
    assert stored[0].event == a_plan()
    assert stored[-1].event == an_end()
    assert len({one.writer for one in stored}) == 1
    assert books(book.place).verify() == ()
    [row] = book.history("shop")
    assert (row.result, row.hosts, row.origin, bool(row.ended)) == ("succeeded", {"web1": "succeeded"}, "", True)
    assert book.history("other") == ()


def test_each_row_holds_the_hash_of_the_row_before(book: Book) -> None:
    rows = book.rows()
    assert rows[0].prev == chain.GENESIS
    assert [row.prev for row in rows[1:]] == [row.hash for row in rows[:-1]]
    head = book.head()
    assert (head.seq, head.hash) == (10, rows[-1].hash)


@pytest.mark.parametrize("text", ["", "ü ☃ 𝄞", "half \udc80", "tab\t\0\x1b\u2028", "'; DROP TABLE events; --", "100 % ? %s"])
def test_any_text_is_kept(book: Book, text: str) -> None:
    said = events.StateSeen("d", "web1", summary=text)
    book.append(said)
    assert book.events("d")[0].event == said
    book.append(a_plan("20261125-100000-eeee", reason=text), an_end("20261125-100000-eeee"))
    assert book.history("shop", 1)[0].reason == text.replace("\udc80", "?").replace("\0", "?")
    assert [fault for fault in book.verify() if "is not in the list" not in fault] == []


CHANGES: dict[str, tuple[list[str], list[str]]] = {
    "data": (["UPDATE events SET data=replace(data, 'seen 3', 'seen 9') WHERE seq=5"], ["row 5 (", "was changed"]),
    "time": (["UPDATE events SET at='2020-01-01T00:00:00.000000Z' WHERE seq=5"], ["row 5 (", "was changed"]),
    "host": (["UPDATE events SET host='web9' WHERE seq=5"], ["row 5 (", "was changed"]),
    "kind": (["UPDATE events SET kind='Nonsense' WHERE seq=5"], ["row 5 (Nonsense", "was changed"]),
    "format": (["""UPDATE events SET data=replace(data, '"v":1', '"v":2') WHERE seq=5"""], ["row 5 (", "was changed"]),
    "bytes": (["UPDATE events SET data='no JSON' WHERE seq=5"], ["row 5 (", "was changed"]),
    "own hash": (["UPDATE events SET hash=prev WHERE seq=5"], ["row 5 (", "was changed"]),
    "one missing": (["DELETE FROM events WHERE seq=5"], ["row 5 is missing"]),
    "several missing": (["DELETE FROM events WHERE seq BETWEEN 4 AND 6"], ["rows 4 to 6 are missing"]),
    "the first missing": (["DELETE FROM events WHERE seq=1"], ["row 1 is missing"]),
    "the last missing": (["DELETE FROM events WHERE seq>8"], ["rows 9 to 10 are missing"]),
    "all missing": (["DELETE FROM events"], ["rows 1 to 10 are missing"]),
    "two exchanged": (
        ["UPDATE events SET seq=-1 WHERE seq=4", "UPDATE events SET seq=4 WHERE seq=7", "UPDATE events SET seq=7 WHERE seq=-1"],
        ["row 7 lies in the place of row 4", "row 4 lies in the place of row 7", "reordered"]),
    "one moved to the end": (["UPDATE events SET seq=11 WHERE seq=4"], ["row 4 is missing", "row 4 lies in the place of row 11"]),
    "another writer's rows": (
        ["INSERT INTO events SELECT 'ffff', seq, at, deployment, kind, host, step, data, prev, hash FROM events WHERE seq<3"],
        ["2 rows of writer ffff were added"]),
    "a row after the head": (["UPDATE head SET seq=9"], ["rows after 9"]),
    "the head's hash": (["UPDATE head SET hash='00'"], ["row 10 is not the one that the head names"]),
    "the list of deployments": (
        ["UPDATE deployments SET result='rolled_back'"], ["deployment 20261124-100000-aaaa is not in the list as its events"]),
    "the list lacks one": (["DELETE FROM deployments"], ["deployment 20261124-100000-aaaa is not in the list"]),
}


@pytest.mark.parametrize("case", CHANGES)
def test_verify_names_what_was_done(case: str, book: Book) -> None:
    statements, words = CHANGES[case]
    assert book.verify() == ()
    book.place.execute(*statements)
    said = "\n".join(book.verify())
    assert [word for word in words if word not in said] == [], said


def forge(book: Book, since: int, until: int) -> None:
    """What a forger who knows the scheme does: change rows, and hash them anew."""
    rows = [row for row in book.rows() if since <= row.seq <= until]
    prev = rows[0].prev
    for row in rows:
        new = chain.Row(row.writer, row.seq, row.at, row.deployment, row.kind, "forged", row.step, row.data, prev)
        prev = chain.link(new)
        book.place.execute(f"UPDATE events SET host='forged', prev='{new.prev}', hash='{prev}' WHERE seq={row.seq}")
    book.place.execute(f"UPDATE head SET hash='{book.rows()[-1].hash}'")


def test_a_row_with_a_fitting_but_foreign_hash(book: Book) -> None:
    forge(book, 5, 5)
    [said] = book.verify()
    assert said.startswith("row 6 (")
    assert "does not follow row 5: one of the two was replaced" in said


def test_what_only_hosts_can_tell(book: Book) -> None:
    head = book.head()
    told = chain.Attested("web1", FIRST, "2026-11-24T10:00:00Z", head.writer, head.seq, head.hash)
    assert book.verify([told]) == ()
    forge(book, 3, 10)
    assert book.verify() == ()
    [said] = book.verify([told])
    assert "web1 attests row 10" in said
    assert "written anew" in said
    seq, hash_ = book.rows()[6].seq, book.rows()[6].hash
    book.place.execute("DELETE FROM events WHERE seq>7", f"UPDATE head SET seq={seq}, hash='{hash_}'")
    said = "\n".join(book.verify([told]))
    assert "web1 attests row 10" in said
    assert "ends at row 7: its end was cut off" in said
    stranger = chain.Attested("web1", "d", "", "somebody else's", 99, "ff")
    assert "somebody" not in "\n".join(book.verify([stranger]))


def appender(place: Place, name: str, count: int) -> subprocess.Popen[str]:
    """A process that appends events d-NAME, and says the number of each when it is stored."""
    return subprocess.Popen([sys.executable, "-c", APPENDER, str(place.where), name, str(count)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_eight_processes_append_at_once(make: Make, books: Books) -> None:
    place, count, each = make(), 8, 25
    running = [appender(place, str(number), each) for number in range(count)]
    ended = [(process.communicate(timeout=120), process.returncode) for process in running]
    assert [(said[1], code) for said, code in ended] == [("", 0)] * count
    book = books(place)
    assert book.verify() == ()
    assert book.head().seq == count * each
    for number in range(count):
        assert [one.event.step for one in book.events(f"d-{number}")] == [str(n) for n in range(each)]


def test_who_verifies_while_others_write_sees_one_state(make: Make, books: Books) -> None:
    place = make()
    book = books(place)
    writing = appender(place, "0", 100000)
    try:
        assert writing.stdout is not None
        said: list[tuple[str, ...]] = []
        while len(said) < 25:
            assert writing.stdout.readline(), "it goes on writing all the time"
            said.append(book.verify())
    finally:
        writing.kill()
        writing.communicate()
    assert said == [()] * 25


def test_kill_9_in_the_middle_of_writing(make: Make, books: Books) -> None:
    place = make()
    for round_ in range(3):
        process = appender(place, str(round_), 100000)
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(20 + round_)]
        process.kill()
        said += process.stdout.readlines()
        process.communicate()
        acknowledged = [int(line) for line in said if line.endswith("\n")]
        book = books(place)
        assert book.verify() == ()
        stored = [int(one.event.step) for one in book.events(f"d-{round_}")]
        assert stored[: len(acknowledged)] == acknowledged
        assert len(stored) - len(acknowledged) in (0, 1)
    book.append(a_plan())
    assert book.verify() == ()


def test_nothing_of_a_failed_append_is_stored(book: Book) -> None:
    book.place.execute("CREATE UNIQUE INDEX one_second ON events (host) WHERE host='second'")
    book.append(events.StateSeen("d0", "second"))
    with pytest.raises(errors.LedgerError):
        book.append(events.StateSeen("d", "first"), events.StateSeen("d", "second"))
    assert book.events("d") == ()
    assert book.verify() == ()


@pytest.mark.parametrize("statement", ["DELETE FROM head", "INSERT INTO head SELECT * FROM head"])
def test_a_damaged_head(book: Book, statement: str) -> None:
    book.place.execute(statement)
    with pytest.raises(errors.LedgerError, match="damaged") as caught:
        Book(book.place)
    assert (caught.value.exit_code, "lading ledger rebuild" in caught.value.hint) == (7, True)
    assert caught.value.file == book.kept.place


def test_events_of_a_newer_lading_are_said(book: Book) -> None:
    book.place.execute("""UPDATE events SET data=replace(data, '"v":1', '"v":2') WHERE seq=5""")
    with pytest.raises(errors.LedgerError, match="row 5: event StateSeen v2 is not known"):
        book.events(FIRST)


def test_releases_are_kept_by_their_content(book: Book) -> None:
    content = b'{"app":"shop"}'
    book.keep(content, content)
    book.keep(content)
    id_ = ledger.release_id(content)
    assert book.release(id_) == content
    assert book.release("ffffffffffff") is None
    assert book.count_releases() == 1
    assert book.verify() == ()
    book.place.execute("UPDATE releases SET bytes='00'")
    assert book.release(id_) is None
    book.keep(content)  # what was changed is not mended in silence
    [said] = book.verify()
    assert f"release {id_} was changed" in said


def test_what_hosts_tell_is_merged(book: Book) -> None:
    there = foreign("20261125-100000-bbbb")
    assert book.take([there]) == 1
    known = foreign(FIRST, result="rolled_back", hosts={"web1": "rolled_back"}, ended="2026-11-24T10:01:00Z")
    done = foreign("20261125-100000-bbbb", result="succeeded", hosts={"web1": "succeeded"}, ended="2026-11-25T10:01:00Z")
    assert book.take([done, known]) == 0
    rows = book.history()
    assert [(row.deployment, row.result, row.origin) for row in rows] == [
        ("20261125-100000-bbbb", "succeeded", "host web1"), (FIRST, "succeeded", "")]
    assert book.verify() == ()


def test_rebuild_keeps_what_hosts_told_before(book: Book) -> None:
    book.take([foreign("20261125-100000-bbbb"), foreign("20261126-100000-cccc")])
    book.place.execute("UPDATE deployments SET result='nonsense'")
    told = foreign("20261126-100000-cccc", result="succeeded", hosts={"web1": "succeeded"}, ended="2026-11-26T10:01:00Z")
    book.rebuild([told])
    assert [(row.deployment[-4:], row.result) for row in book.history()] == [
        ("cccc", "succeeded"), ("bbbb", "nonsense"), ("aaaa", "succeeded")]
    assert book.verify() == ()


def test_a_controller_that_died_is_told_by_hosts(make: Make, books: Books) -> None:
    book = books(make())
    book.append(a_plan())
    [row] = book.history()
    assert (row.result, row.ended) == ("running", "")
    told = foreign(row.deployment, result="rolled_back", hosts={"web1": "rolled_back"}, ended="2026-11-24T10:09:00Z")
    book.take([told])
    [row] = book.history()
    assert (row.result, row.ended, row.origin, row.actor) == ("rolled_back", "2026-11-24T10:09:00Z", "", "a@b")
    assert book.verify() == ()


def test_the_beginning_of_an_id_is_enough(book: Book) -> None:
    book.take([foreign("20261124-110000-bbbb")])
    found = book.deployment("20261124-10")
    assert found is not None
    assert found.deployment == FIRST
    assert book.deployment("2027") is None
    with pytest.raises(errors.UnknownReleaseError) as caught:
        book.deployment("20261124")
    assert "20261124-110000-bbbb" in caught.value.hint
