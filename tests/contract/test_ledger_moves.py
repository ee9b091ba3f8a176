"""Ledgers on the move: exported from one place, imported into another; chains stay as they are."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from a_ledger import FIRST, Book, Place, PostgresPlace, SqlitePlace, a_plan, a_story, an_end, foreign

import postgres_server
from lading import errors
from lading.ledger import ledger

Make = Callable[[], Place]
Books = Callable[[Place], Book]
LATER = "20261125-100000-bbbb"


@pytest.fixture
def other(make: Make, books: Books) -> Book:
    """An empty ledger at another place."""
    return books(make())


def test_all_of_a_ledger_is_taken_in(book: Book, other: Book) -> None:
    book.keep(b'{"app":"shop"}')
    book.take([foreign("20261126-100000-cccc")])
    other.append(a_plan(LATER, actor="other"), an_end(LATER))
    assert other.merge(book.export()) == 10
    assert {row.deployment for row in other.history()} == {LATER, "20261126-100000-cccc", FIRST}
    assert other.events(FIRST) == book.events(FIRST)
    assert other.release(ledger.release_id(b'{"app":"shop"}')) == b'{"app":"shop"}'
    assert other.verify() == ()
    assert [head.seq for head in other.heads()] == [2, 10]
    assert other.heads()[1] == book.head()


def test_again_and_further(book: Book, other: Book) -> None:
    assert other.merge(book.export()) == 10
    assert other.merge(book.export()) == 0
    book.append(a_plan(LATER), an_end(LATER))
    assert other.merge(book.export()) == 2
    assert other.verify() == ()
    assert other.heads()[1] == book.head()
    assert book.merge(other.export()) == 0, "it has all of this already"
    assert book.heads() == (book.head(),)


def test_what_was_taken_in_is_verified_with_the_rest(book: Book, other: Book) -> None:
    other.merge(book.export())
    other.place.execute("UPDATE events SET host='web9' WHERE seq=5")
    [said] = other.verify()
    assert f"writer {book.head().writer}: row 5 (" in said
    other.place.execute("DELETE FROM events WHERE seq=5")
    assert "row 5 is missing" in other.verify()[0]


def test_a_third_has_all_that_the_second_took_in(book: Book, other: Book, make: Make, books: Books) -> None:
    other.append(a_plan(LATER), an_end(LATER))
    other.merge(book.export())
    third = books(make())
    assert third.merge(other.export()) == 12
    assert {head.writer for head in third.heads()[1:]} == {book.head().writer, other.head().writer}
    assert third.verify() == ()


def test_two_histories_of_one_writer(book: Book, other: Book, make: Make, books: Books) -> None:
    other.merge(book.export())
    writer = book.head().writer
    book.place.execute("DELETE FROM events WHERE seq=10", "DELETE FROM deployments",
                       f"UPDATE head SET seq=9, hash='{book.rows()[8].hash}'")
    book.append(an_end(result="rolled_back"))
    with pytest.raises(errors.LedgerError, match=f"writer {writer} has two histories: they part at row 10"):
        other.merge(book.export())
    assert other.verify() == ()


BROKEN: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "nothing": (lambda lines: [], "no exported ledger"),
    "something else": (lambda lines: ["{}"], "no exported ledger"),
    "no JSON": (lambda lines: [*lines, "torn {"], "line 12 is not of an exported ledger"),
    "a newer format": (lambda lines: [lines[0].replace('"v": 1', '"v": 9'), *lines[1:]], "newer lading (format 9"),
    "a row changed": (lambda lines: [line.replace("seen 3", "seen 9") for line in lines], "row 5 (StateSeen"),
    "a row missing": (lambda lines: [*lines[:5], *lines[6:]], "row 5 is missing"),
    "the end missing": (lambda lines: lines[:-2], "rows 9 to 10 are missing"),
    "rows of nobody": (lambda lines: [lines[0].replace('[["', '[["x'), *lines[1:]], "belong to no chain"),
    "a row without fields": (lambda lines: [*lines, '{"row": [1]}'], "it is damaged"),
    "a head that is none": (lambda lines: ['{"v": 1, "kind": "ledger", "heads": [7]}'], "it is damaged"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_nothing_is_taken_of_what_is_broken(case: str, book: Book, other: Book) -> None:
    spoil, words = BROKEN[case]
    with pytest.raises(errors.LedgerError) as caught:
        other.merge(spoil(list(book.export())))
    assert words in caught.value.message, caught.value.message
    assert other.rows() == []
    assert other.history() == ()


def test_between_the_places(book: Book, books: Books, postgres: postgres_server.Server, tmp_path: Path) -> None:
    """What one place exports, the other takes: from a file to a server and back."""
    target: Place = SqlitePlace(tmp_path / "to" / "ledger.db")
    if isinstance(book.place, SqlitePlace):
        target = PostgresPlace(postgres, f"t{uuid.uuid4().hex}")
    moved = books(target)
    assert moved.merge(book.export()) == 10
    assert moved.events(FIRST) == book.events(FIRST)
    a_story(moved, LATER)
    assert moved.verify() == ()


def test_by_the_command_line(tmp_path: Path, books: Books, postgres: postgres_server.Server) -> None:
    from_ = books(SqlitePlace(tmp_path / "ann" / "lading" / "ledger.db"))
    a_story(from_)
    (tmp_path / "team.yaml").write_text("lading: 1\nledger: {url: {env: LADING_LEDGER}}\n")
    to = PostgresPlace(postgres, f"t{uuid.uuid4().hex}")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "HOME": str(tmp_path),
           "XDG_STATE_HOME": str(tmp_path / "ann")}

    def lading(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "lading", *words], env={**env, **more}, cwd=tmp_path / "ann", text=True,
                              capture_output=True, timeout=60)

    exported = lading("ledger", "export", "-o", "all.jsonl")
    assert exported.returncode == 0, exported.stderr
    again = lading("ledger", "export", "-o", "all.jsonl")
    assert (again.returncode, "exists already" in again.stderr) == (2, True)
    assert lading("ledger", "export").stdout == (tmp_path / "ann" / "all.jsonl").read_text()

    unset = lading("--config", "../team.yaml", "ledger", "import", "all.jsonl")
    assert (unset.returncode, "LADING_LEDGER, which is not set" in unset.stderr) == (2, True), unset.stderr
    done = lading("--config", "../team.yaml", "ledger", "import", "all.jsonl", LADING_LEDGER=str(to.where))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("10 new rows in PostgreSQL t")
    assert postgres_server.PASSWORD not in done.stdout + done.stderr
    verified = lading("--config", "../team.yaml", "ledger", "verify", LADING_LEDGER=str(to.where))
    assert (verified.returncode, "intact: 0 rows of writer" in verified.stdout) == (0, True), verified.stdout
    assert f", 10 imported of writer {from_.head().writer} in PostgreSQL" in verified.stdout
    told = json.loads(lading("--config", "../team.yaml", "ledger", "verify", "--json", LADING_LEDGER=str(to.where)).stdout)
    assert told["imported"] == [{"writer": from_.head().writer, "rows": 10, "head": from_.head().hash}]
    assert books(to).events(FIRST) == from_.events(FIRST)


def test_a_file_that_cannot_be_taken_in_is_named(other: Book) -> None:
    with pytest.raises(errors.LedgerError) as caught:
        other.merge(["nonsense\n"], "book.jsonl")
    assert caught.value.file == "book.jsonl"
