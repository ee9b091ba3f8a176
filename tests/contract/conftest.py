"""What the tests of this folder share: an sshd, a PostgreSQL server, places for ledgers, ledgers that are closed at the end."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import sshd_server
from a_ledger import Book, Place, PostgresPlace, SqlitePlace, a_story
from deaf_proxy import Link
from registry_server import Serve, Server, manifest

import postgres_server
from lading.transport import uplink

Make = Callable[[], Place]


@pytest.fixture
def anyio_backend() -> str:
    """asyncio alone: asyncssh knows no other."""
    return "asyncio"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sshd_server.Sshd]:
    """An sshd of this test; no key comes from an agent."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    one = sshd_server.Sshd(tmp_path / "sshd")
    yield one
    one.stop()


@pytest.fixture
async def link(server: sshd_server.Sshd) -> AsyncIterator[Link]:
    """A way to the server that can be cut; the server is known by it, too."""
    async with Link(server.port) as one:
        server.known_hosts.write_text(server.known_line(name=f"[127.0.0.1]:{one.port}") + server.known_line())
        yield one


@pytest.fixture
def unheard(monkeypatch: pytest.MonkeyPatch) -> None:
    """No host was heard just now: as if some time passed between commands."""
    monkeypatch.setattr(uplink, "JUST_NOW", 0.0)


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Server]:
    """A server; each test that wants one has a database of its own."""
    server = postgres_server.Server()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgres"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes places for ledgers, each with nothing in it."""
    if request.param == "sqlite":
        return lambda: SqlitePlace(tmp_path / uuid.uuid4().hex / "ledger.db")
    server: postgres_server.Server = request.getfixturevalue("postgres")
    return lambda: PostgresPlace(server, f"t{uuid.uuid4().hex}")


@pytest.fixture
def books() -> Iterator[Callable[[Place], Book]]:
    """Opens ledgers, and closes them at the end."""
    made: list[Book] = []

    def one(place: Place) -> Book:
        made.append(Book(place))
        return made[-1]

    yield one
    for book in made:
        book.close()


@pytest.fixture
def book(make: Make, books: Callable[[Place], Book]) -> Book:
    """A ledger with the ten rows of a deployment."""
    made = books(make())
    a_story(made)
    return made


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Registries with team/app:1.0 in them."""
    started: list[Server] = []

    def one(**options: object) -> Server:
        made = Server(**options)  # type: ignore[arg-type]
        started.append(made)
        made.images["team/app:1.0"] = manifest("linux/amd64", "linux/arm64/v8", "unknown/unknown")
        return made

    yield one
    for server in started:
        server.close()
