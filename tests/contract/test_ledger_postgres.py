"""What is PostgreSQL's own: servers that go and come, connections cut in a commit, rights, locks, passwords."""

import asyncio
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable

import deaf_proxy
import psycopg
import pytest
from a_ledger import APPENDER, FIRST, Book, Place, PostgresPlace, a_plan, a_story, an_end

import postgres_server
from lading import errors, events
from lading.ledger import ledger, stores

Books = Callable[[Place], Book]


@pytest.fixture
def place(postgres: postgres_server.Server) -> PostgresPlace:
    return PostgresPlace(postgres, f"t{uuid.uuid4().hex}")


@pytest.fixture
def book(place: PostgresPlace, books: Books) -> Book:
    """A ledger with the ten rows of a deployment."""
    made = books(place)
    a_story(made)
    return made


def refused(url: str) -> errors.LedgerError:
    with pytest.raises(errors.LedgerError) as caught:
        asyncio.run(ledger.open_ledger(url))
    assert caught.value.exit_code == 7
    assert caught.value.hint
    assert postgres_server.PASSWORD not in " ".join([caught.value.message, caught.value.hint, caught.value.file])
    return caught.value


def test_its_place_is_named_without_the_password(book: Book) -> None:
    assert book.kept.place.startswith("PostgreSQL t")
    assert book.kept.place.endswith(" on 127.0.0.1")


def test_a_server_that_is_not_there(postgres: postgres_server.Server) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        wrong = refused(postgres.url("any", port=taken.getsockname()[1]))
    assert "does not answer" in wrong.message
    assert "PostgreSQL any on 127.0.0.1" in wrong.file


def test_a_wrong_password_and_a_wrong_url(postgres: postgres_server.Server) -> None:
    assert "password authentication failed" in refused(postgres.url("postgres", password="wrong")).message
    assert "postgresql://USER" in refused("postgresql://lading:canary-postgres@[::1/x").hint


def test_psycopg_is_not_installed(postgres: postgres_server.Server) -> None:
    script = ("import asyncio, sys\nsys.modules['psycopg'] = None\nfrom lading import errors\nfrom lading.ledger import ledger\n"
              "try:\n    asyncio.run(ledger.open_ledger(sys.argv[1]))\nexcept errors.LedgerError as wrong:\n    print(wrong.message, wrong.hint)")
    done = subprocess.run([sys.executable, "-c", script, postgres.url("postgres")], text=True, capture_output=True, check=True)
    assert done.stdout == "a ledger in PostgreSQL needs psycopg, which is not installed here pip install 'lading[postgres]'\n"


def test_sqlite_needs_no_psycopg() -> None:
    script = "import sys\nfrom lading.cli import history\nfrom lading.ledger import ledger\nassert 'psycopg' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_newer_schema_is_refused(book: Book, place: PostgresPlace) -> None:
    place.execute(f"UPDATE format SET number={stores.SCHEMA + 1}")
    wrong = refused(str(place.where))
    assert ("newer lading" in wrong.message, wrong.hint) == (True, "install the newer lading")


def test_a_user_without_rights(book: Book, place: PostgresPlace, postgres: postgres_server.Server) -> None:
    reader = f"r{uuid.uuid4().hex}"
    place.execute(f"CREATE ROLE {reader} LOGIN PASSWORD 'reader'", f"GRANT USAGE ON SCHEMA lading TO {reader}",
                  f"GRANT SELECT ON ALL TABLES IN SCHEMA lading TO {reader}")
    name = str(place.where).rpartition("/")[2]

    async def work() -> None:
        kept = await ledger.open_ledger(postgres.url(name, user=reader, password="reader"))
        try:
            assert len(await kept.events(FIRST)) == 10
            await kept.append(a_plan())
        finally:
            await kept.close()

    with pytest.raises(errors.LedgerError, match="cannot be written: permission denied"):
        asyncio.run(work())
    assert book.verify() == ()


def test_tables_that_somebody_dropped(book: Book, place: PostgresPlace) -> None:
    place.execute("DROP TABLE events")
    with pytest.raises(errors.LedgerError, match="damaged"):
        book.append(a_plan())


def test_a_head_that_somebody_holds(book: Book, place: PostgresPlace, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "WAIT", 0.2)
    other = books(place)
    with psycopg.connect(str(place.where)) as holder:
        holder.execute("SELECT * FROM lading.head FOR UPDATE")
        with pytest.raises(errors.LedgerError, match="was locked"):
            other.append(a_plan())
        assert len(other.events(FIRST)) == 10, "reading waits for nobody"
    other.append(a_plan("20261125-100000-bbbb"))
    assert book.verify() == ()


def test_a_server_that_crashes_between_two_calls(book: Book, postgres: postgres_server.Server) -> None:
    postgres.stop("immediate")
    try:
        with pytest.raises(errors.LedgerError):
            book.append(events.StateSeen("d", "web1", "1"))
    finally:
        postgres.start()
    book.append(events.StateSeen("d", "web1", "1"), events.StateSeen("d", "web1", "2"))
    assert [one.event.step for one in book.events("d")] == ["1", "2"]
    assert book.verify() == ()


def test_a_server_that_crashes_while_many_write(place: PostgresPlace, books: Books, postgres: postgres_server.Server) -> None:
    books(place)
    running = [
        subprocess.Popen([sys.executable, "-c", APPENDER, str(place.where), str(number), "100000"], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for number in range(2)
    ]
    said = [[process.stdout.readline() for _ in range(15)] for process in running if process.stdout]
    postgres.stop("immediate")
    rest = [(process.stdout.readlines(), process.stderr.read()) for process in running if process.stdout and process.stderr]
    for process in running:
        process.communicate(timeout=60)
    postgres.start()
    book = books(place)
    assert book.verify() == ()
    for number, (lines, err) in enumerate(rest):
        assert "LedgerError: the ledger does not answer" in err
        acknowledged = [int(line) for line in said[number] + lines]
        stored = [int(one.event.step) for one in book.events(f"d-{number}")]
        assert stored[: len(acknowledged)] == acknowledged
        assert len(stored) - len(acknowledged) in (0, 1)


@pytest.mark.parametrize(("word", "stored"), [(b"COMMIT", True), (b"INSERT INTO events", False)])
def test_a_connection_that_is_cut(
    word: bytes, stored: bool, book: Book, place: PostgresPlace, postgres: postgres_server.Server
) -> None:
    name = str(place.where).rpartition("/")[2]

    async def work(proxy: deaf_proxy.DeafProxy) -> bool:
        kept = await ledger.open_ledger(postgres.url(name, port=proxy.port))
        try:
            proxy.armed.set()
            with pytest.raises(errors.LedgerError, match="does not answer"):
                await kept.append(events.StateSeen("d", "web1", "1"))
            there = bool(await kept.events("d"))
            await kept.append(events.StateSeen("d", "web1", "1"), events.StateSeen("d", "web1", "2"))
            return there
        finally:
            await kept.close()

    with deaf_proxy.DeafProxy(word, postgres.port) as proxy:
        assert asyncio.run(work(proxy)) is stored
    assert [one.event.step for one in book.events("d")] == ["1", "2"]
    assert book.verify() == ()


def test_it_is_found_again_by_another_process(book: Book, place: PostgresPlace, books: Books) -> None:
    again = books(place)
    again.append(a_plan("20261125-100000-bbbb"), an_end("20261125-100000-bbbb"))
    assert book.head().seq == 12
    assert again.head().writer == book.head().writer
