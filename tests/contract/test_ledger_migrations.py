"""Every schema that was ever shipped becomes today's, on both stores; an older lading goes on beside a newer schema as it says."""

import subprocess
import sys
import uuid
from collections.abc import Callable
from concurrent import futures
from pathlib import Path

import psycopg
import pytest
from a_ledger import APPENDER, Book, Place, PostgresPlace, SqlitePlace, a_plan, an_end

import postgres_server
from lading import errors
from lading.ledger import schema

OLD = Path(__file__).resolve().parents[1] / "formats" / "ledgers"
HASHED = ["sqlite-4029802", "sqlite-08d5c5f", "postgres-08d5c5f"]  # rows are hashed as today
DUMPS = ["sqlite-fe8dad6", *HASHED]
FIRST, OPEN, TOLD, TAKEN = (
    "20261124-100000-aaaa", "20261125-100000-bbbb", "20261126-100000-cccc", "20261123-100000-dddd")

Make = Callable[[], Place]
Books = Callable[[Place], Book]


@pytest.fixture(params=DUMPS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A ledger as an older lading left it."""
    text = (OLD / f"{request.param}.sql").read_text()
    if request.param.startswith("sqlite"):
        place: Place = SqlitePlace(tmp_path / "old.db")
    else:
        place = PostgresPlace(request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex}")
    place.script(text)
    return place


def columns(place: Place) -> list[tuple[object, ...]]:
    """Each column of each table and each index, as the store itself tells of them."""
    if isinstance(place, PostgresPlace):
        return [
            *place.execute("SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
                           "WHERE table_schema='lading' ORDER BY table_name, ordinal_position"),
            *place.execute("SELECT tablename, indexdef FROM pg_indexes WHERE schemaname='lading' "
                           "ORDER BY tablename, indexname"),
        ]
    tables = place.execute("SELECT name FROM sqlite_master WHERE type='table' ORDER BY name")
    found = [(table, *column) for table, in tables for column in place.execute(f"PRAGMA table_info({table})")]
    return [*found, *place.execute("SELECT name, tbl_name FROM sqlite_master WHERE type='index' ORDER BY name")]


def fresh(old: Place, tmp_path: Path, request: pytest.FixtureRequest, books: Books) -> Place:
    """A new ledger in the same kind of store."""
    if isinstance(old, SqlitePlace):
        return books(SqlitePlace(tmp_path / "fresh" / "ledger.db")).place
    return books(PostgresPlace(request.getfixturevalue("postgres"), f"t{uuid.uuid4().hex}")).place


def test_an_old_schema_becomes_today_s(
    old: Place, tmp_path: Path, request: pytest.FixtureRequest, books: Books
) -> None:
    book = books(old)
    assert columns(old) == columns(fresh(old, tmp_path, request, books))
    assert [row.deployment for row in book.history("shop") if not row.origin] == [OPEN, FIRST]
    book.append(a_plan("20261127-100000-eeee"), an_end("20261127-100000-eeee"))
    assert books(old).head().seq == 10


@pytest.mark.parametrize("old", HASHED, indirect=True)
def test_what_an_old_ledger_kept_stays(old: Place, books: Books) -> None:
    before = old.execute("SELECT * FROM lading.deployments" if isinstance(old, PostgresPlace) else
                         "SELECT * FROM deployments")
    book = books(old)
    assert old.execute("SELECT * FROM deployments") == before
    assert book.verify() == ()
    assert book.count_releases() == 1
    if TAKEN in [row[0] for row in before]:
        assert {host: one.deployment for host, one in book.commits("blog").items()} == {"web3": TAKEN}


def test_the_numbers_are_those_of_the_files() -> None:
    files = schema.files()
    assert [one.number for one in files] == list(range(1, schema.NUMBER + 1))
    assert all(1 <= one.readable_from <= one.number for one in files)


def test_one_word_names_what_this_lading_lacks(make: Make, books: Books) -> None:
    place = books(make()).place
    newer = f"INSERT INTO migrations VALUES ({schema.NUMBER + 1}, "
    place.execute(newer + "1)")
    book = books(place)
    book.append(a_plan())
    assert book.verify() == (), "it says that this lading can work beside it"
    oldest = schema.NUMBER + 1
    place.execute(f"UPDATE format SET number={oldest}" if isinstance(place, PostgresPlace) else
                  f"PRAGMA user_version={oldest}")
    with pytest.raises(errors.LedgerError, match=f"newer lading .schema {oldest}, known: {schema.NUMBER}") as caught:
        Book(place)
    assert caught.value.exit_code == 7


def test_the_first_ladings_go_on_beside_it(make: Make, books: Books) -> None:
    """What lading 08d5c5f reads before it begins, and the statements by which it stores."""
    book = books(make())
    if isinstance(book.place, PostgresPlace):
        assert book.place.execute("SELECT number FROM format") == [(1,)]
    else:
        assert book.place.execute("PRAGMA user_version") == [(1,)]
    words = ",".join(["''"] * 14)
    book.place.execute("INSERT INTO releases VALUES ('a7f901de2e34', '{\"app\":\"shop\",\"v\":1}')",
                       f"INSERT INTO deployments VALUES ('{TOLD}', {words}, 'host web1')")
    rows = book.place.execute("SELECT * FROM deployments")
    assert [len(row) for row in rows] == [16], "it reads all columns, and knows these"


@pytest.mark.parametrize("old", HASHED, indirect=True)
def test_many_open_an_old_ledger_at_once(old: Place, books: Books) -> None:
    running = [subprocess.Popen([sys.executable, "-c", APPENDER, str(old.where), str(number), "3"], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE) for number in range(4)]
    ended = [(process.communicate(timeout=120)[1], process.returncode) for process in running]
    assert ended == [("", 0)] * 4
    book = books(old)
    assert book.head().seq == 8 + 4 * 3
    assert book.verify() == ()


def test_a_migration_happens_as_a_whole(postgres: postgres_server.Server, books: Books) -> None:
    place = PostgresPlace(postgres, f"t{uuid.uuid4().hex}")
    place.script((OLD / "postgres-08d5c5f.sql").read_text())
    place.execute("CREATE TABLE lading.told_releases (in_the_way TEXT)")
    with pytest.raises(errors.LedgerError):
        Book(place)
    assert place.execute("SELECT to_regclass('lading.told')") == [(None,)]
    assert place.execute("SELECT max(number) FROM lading.migrations") == [(1,)]
    place.execute("DROP TABLE lading.told_releases")
    assert books(place).verify() == ()


def test_who_waited_for_the_tables_sees_them(postgres: postgres_server.Server, books: Books) -> None:
    """PostgreSQL answers to_regclass from what a connection knew before it waited for a lock."""
    place = PostgresPlace(postgres, f"t{uuid.uuid4().hex}")
    waiting = "SELECT 1 FROM pg_locks WHERE locktype='advisory' AND NOT granted"
    with futures.ThreadPoolExecutor(1) as pool:
        with psycopg.connect(str(place.where)) as holder, psycopg.connect(str(place.where), autocommit=True) as watcher:
            holder.execute("SELECT pg_advisory_xact_lock(hashtext('lading'))")
            opened = pool.submit(books, place)
            while not watcher.execute(waiting).fetchone():
                assert not opened.done()
            holder.execute((OLD / "postgres-08d5c5f.sql").read_text().encode())
        assert opened.result().verify() == ()
