"""A long ledger is read a few rows at a time: what is held, where chunks meet, chains side by side, who appends meanwhile."""

import asyncio
import itertools
import json
import os
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from a_ledger import Book, Place, SqlitePlace, a_plan, an_end, many

from lading import errors, events
from lading.ledger import chain, ledger, stores

Make = Callable[[], Place]
Books = Callable[[Place], Book]
LATER = "20261130-100000-ffff"
LONG = 2 * stores.CHUNK + 5  # rows: two chunks and a little


def held(work: Callable[[], object]) -> int:
    """Bytes of Python's that were held at the most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def least(work: Callable[[], object]) -> int:
    """The same of two runs the one that held less: a chunk may be let go late while the machine has other work."""
    return min(held(work), held(work))


def peaks(make: Make, books: Books, lines: Path, deployments: int) -> dict[str, int]:
    """What each verb holds of a ledger of so many deployments of two rows."""
    place = make()
    many(place, deployments, 2)
    book, other = books(place), books(make())

    def export() -> None:
        with lines.open("w") as file:
            book.export_to(lambda line: file.write(f"{line}\n"))

    def take_in() -> None:
        with lines.open() as file:
            assert other.merge(file) == 2 * deployments

    assert book.verify() == ()
    return {"verify": least(book.verify), "export": least(export), "rebuild": least(lambda: book.rebuild([])),
            "import": held(take_in), "commits": least(lambda: book.commits("other"))}


def test_what_is_held_does_not_grow_with_the_rows(make: Make, books: Books, tmp_path: Path) -> None:
    """Of 2.5 times as many rows: were all of them held, it would be 2.5 times as much."""
    few, more = (peaks(make, books, tmp_path / str(count), count) for count in (2 * stores.ASKED, 5 * stores.ASKED))
    assert [verb for verb in few if more[verb] > 1.6 * few[verb]] == [], (few, more)


EDGES = (1, stores.CHUNK, stores.CHUNK + 1, 2 * stores.CHUNK, LONG)


def forged(row: chain.Row) -> chain.Row:
    """The row changed, and hashed anew."""
    other = replace(row, host="forged")
    return replace(other, hash=chain.link(other))


@pytest.mark.parametrize("seq", EDGES)
def test_a_chain_that_breaks_where_chunks_meet(seq: int, make: Make, books: Books) -> None:
    """What is said is what the whole chain, held at once, gives."""
    place = make()
    many(place, 1, LONG)
    book, row = books(place), books(place).rows()[seq - 1]
    other = forged(row)
    for statement, words in (
        (f"UPDATE events SET host='{other.host}', hash='{other.hash}' WHERE seq={seq}", "replaced"),
        (f"UPDATE events SET hash='{row.hash}' WHERE seq={seq}", "was changed"),
        (f"DELETE FROM events WHERE seq={seq}", f"row {seq} is missing"),
    ):
        place.execute(statement)
        of_the_chain = [fault for fault in book.verify() if "in the list" not in fault]
        assert of_the_chain == list(chain.faults(book.rows(), book.head()))
        assert words in of_the_chain[0]


def interleaved(exported: Sequence[Sequence[str]]) -> list[str]:
    """Several exported ledgers as one, their rows by turns."""
    heads = [head for lines in exported for head in json.loads(lines[0])["heads"]]
    rows = itertools.chain.from_iterable(itertools.zip_longest(*(lines[1:] for lines in exported)))
    return [json.dumps({"v": 1, "kind": "ledger", "heads": heads}), *filter(None, rows)]


def test_chains_side_by_side(make: Make, books: Books) -> None:
    exported = []
    for count in (1, LONG // 10, 300):
        place = make()
        many(place, count, LONG // count)
        exported.append(books(place).export())
    book = books(make())
    book.append(a_plan(LATER), an_end(LATER))
    lines = interleaved(exported)
    sizes = [json.loads(lines_of[0])["heads"][0][1] for lines_of in exported]
    writers = [json.loads(lines_of[0])["heads"][0][0] for lines_of in exported]
    assert book.merge(lines) == sum(sizes)
    assert {head.writer: head.seq for head in book.heads()[1:]} == dict(zip(writers, sizes, strict=True))
    assert book.verify() == ()
    assert book.merge(lines) == 0
    book.place.execute(f"UPDATE events SET host='web9' WHERE seq={stores.CHUNK} AND writer='{writers[0]}'",
                       f"DELETE FROM events WHERE seq={stores.CHUNK + 1} AND writer='{writers[1]}'")
    said = sorted(book.verify())
    assert len(said) == 2
    assert any(one.startswith(f"writer {writers[0]}: row {stores.CHUNK} (") for one in said), said
    assert f"writer {writers[1]}: row {stores.CHUNK + 1} is missing" in said


class Disturbed:
    """A store of which each SELECT is read while somebody else works: after its first row, and after its first chunk."""

    def __init__(self, store: stores.Store, disturb: Callable[[], object]) -> None:
        self.store, self.disturb = store, disturb
        self.place, self.shared = store.place, store.shared

    def prepare(self, writer: str, genesis: str) -> None:
        self.store.prepare(writer, genesis)

    def transaction(self, work: Callable[[stores.Base], stores.T], *, write: bool) -> stores.T:
        return self.store.transaction(lambda base: work(DisturbedBase(base, self.disturb)), write=write)

    def close(self) -> None:
        self.store.close()


class DisturbedBase:
    """A transaction of it."""

    def __init__(self, base: stores.Base, disturb: Callable[[], object]) -> None:
        self.base, self.disturb, self.for_update = base, disturb, base.for_update
        self.execute, self.execute_each = base.execute, base.execute_each

    def scan(
        self, sql: str, values: Sequence[object] = (), at_once: int = stores.CHUNK
    ) -> Iterator[Mapping[str, Any]]:
        for number, row in enumerate(self.base.scan(sql, values, at_once)):
            if number in (0, at_once):
                self.disturb()
            yield row


def test_who_appends_meanwhile_disturbs_nobody(make: Make, books: Books) -> None:
    place = make()
    many(place, LONG // 2, 2)
    book, writing, numbers = books(place), books(place), itertools.count()

    def append() -> None:
        id = f"20261130-100000-{next(numbers):04x}"
        writing.append(a_plan(id), events.StateSeen(id, "web1"), an_end(id))

    disturbed = ledger.Ledger(Disturbed(book.kept.store, append))
    assert asyncio.run(disturbed.verify()) == ()
    after_verify = book.head().seq
    assert after_verify == LONG // 2 * 2 + 4 * 3, "twice in the chain, twice in the list"
    lines = asyncio.run(disturbed.export())
    assert book.head().seq == after_verify + 2 * 3
    other = books(make())
    assert other.merge(lines) == after_verify
    assert other.verify() == book.verify() == ()


def limited(folder: Path, *words: str, largest: int = 512) -> subprocess.CompletedProcess[str]:
    """lading with the user's own ledger in *folder*, where no file may have more KiB than *largest*."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "HOME": str(folder),
           "XDG_STATE_HOME": str(folder), "TMPDIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "lading", *words], env=env, cwd=folder, text=True, capture_output=True, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest << 10, largest << 10)))


def test_an_export_that_fails_halfway_leaves_no_file(tmp_path: Path) -> None:
    many(SqlitePlace(tmp_path / "lading" / "ledger.db"), LONG // 5, 5)
    before = sorted(tmp_path.iterdir())
    done = limited(tmp_path, "ledger", "export", "-o", "all.jsonl")
    assert (done.returncode, "all.jsonl cannot be written: File too large" in done.stderr) == (2, True), done.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("largest", [512, 1500], ids=["when memory is left", "later"])
def test_an_import_without_room_takes_nothing(largest: int, tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path / "from" / "ledger.db")
    many(place, LONG, 3)
    (tmp_path / "all.jsonl").write_text("\n".join(Book(place).export()))
    done = limited(tmp_path, "ledger", "import", "all.jsonl", largest=largest)
    assert done.returncode == 7, done.stderr
    assert "nothing was imported: what was read cannot be laid aside: File too large" in done.stderr
    assert Book(SqlitePlace(tmp_path / "lading" / "ledger.db")).rows() == []


def test_rows_that_are_not_in_their_order_are_refused(make: Make, books: Books) -> None:
    place = make()
    many(place, 1, 4)
    lines, other = books(place).export(), books(make())
    with pytest.raises(errors.LedgerError, match=r"nothing was imported: row 2 of writer \w+ comes after row 3"):
        other.merge([lines[0], lines[1], lines[3], lines[2], lines[4]])
    assert other.rows() == []


def test_a_rebuild_shows_the_newest_and_counts_all(tmp_path: Path) -> None:
    many(SqlitePlace(tmp_path / "lading" / "ledger.db"), 60, 3)
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("lading: 1\nhosts: {web1: {address: 127.0.0.1, port: 9}}\n")
    done = limited(tmp_path, "--config", str(fleet), "ledger", "rebuild")
    assert done.returncode == 6, done.stderr
    assert len([line for line in done.stdout.splitlines() if line.startswith("20261124-")]) == 50
    assert "the newest 50 are shown; all: lading history --limit 60" in done.stdout
    assert "60 deployments, 0 of them from hosts" in done.stdout
    told = json.loads(limited(tmp_path, "--config", str(fleet), "ledger", "rebuild", "--json").stdout)
    assert (told["deployments"], told["from_hosts"]) == (60, 0)
