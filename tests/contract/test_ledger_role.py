"""The rights that docs/security.md names for a team's ledger are enough for all that lading does, and not for more."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from a_ledger import FIRST, Book, Place, PostgresPlace, a_plan, a_story, an_end, foreign

import postgres_server
from lading import errors, events
from lading.ledger import evidence, ledger

DOCS = Path(__file__).resolve().parents[2] / "docs" / "security.md"
SECOND = "20261125-100000-bbbb"

Books = Callable[[Place], Book]
Does = Callable[[ledger.Ledger], Awaitable[object]]


@pytest.fixture
def place(postgres: postgres_server.Server, books: Books) -> PostgresPlace:
    """A ledger that its owner has made, with the ten rows of a deployment."""
    made = PostgresPlace(postgres, f"t{uuid.uuid4().hex}")
    a_story(books(made))
    return made


@pytest.fixture
def url(place: PostgresPlace, postgres: postgres_server.Server) -> str:
    """The ledger's URL for a user who has the role of the docs and nothing else."""
    [statements] = re.findall(r"```sql\n(.*?)```", DOCS.read_text(), re.DOTALL)
    role = f"r{uuid.uuid4().hex}"
    assert "lading_team" in statements
    for statement in filter(None, map(str.strip, re.sub("--.*", "", statements).split(";"))):
        place.execute(statement.replace("lading_team", role).replace("LOGIN", "LOGIN PASSWORD 'team'"))
    return postgres.url(str(place.where).rpartition("/")[2], user=role, password="team")


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[ledger.Ledger]:
    kept = await ledger.open_ledger(url)
    try:
        yield kept
    finally:
        await kept.close()


async def everything(url: str) -> None:
    """What the verbs ask of a ledger, from an intent to a history that hosts add to."""
    async with opened(url) as kept:
        await kept.keep(b'{"app":"shop"}')
        await kept.keep_evidence(b"no database\n")
        await kept.append(a_plan(SECOND))
        await kept.append(events.StepStarted(SECOND, "web1", "roll"), events.StepStarted(SECOND, "", "commit"))
        await kept.append(events.HostCommitted(SECOND, "web1", "commit", release="r1"), an_end(SECOND))
        for result in ("unknown", "succeeded"):
            await kept.take([foreign("20261126-100000-cccc", result=result, hosts={"web1": result})])
        await kept.keep_told({"web1": [b'{"app":"blog"}']})
        await kept.declare_elsewhere(["w"], "ann")
        assert len(await kept.history("shop")) == 3
        assert len(await kept.events(SECOND)) == 5
        assert set(await kept.commits("shop")) == {"web1"}
        assert await kept.crowded() == ()
        assert await kept.elsewhere() == {"w"}
        assert await kept.release(ledger.release_id(b'{"app":"shop"}')) is not None
        assert len(await kept.kept_evidence(evidence.id_of(b"no database\n"))) == 1
        assert await kept.verify() == ()


def test_the_role_is_enough_for_every_day(url: str, place: PostgresPlace, books: Books) -> None:
    asyncio.run(everything(url))
    assert books(place).verify() == ()


def test_it_takes_in_another_ledger(url: str, place: PostgresPlace, postgres: postgres_server.Server, books: Books) -> None:
    other = books(PostgresPlace(postgres, f"t{uuid.uuid4().hex}"))
    other.append(a_plan(SECOND), an_end(SECOND))
    lines = other.export()

    async def work() -> int:
        async with opened(url) as kept:
            return await kept.merge(lines)

    assert asyncio.run(work()) == 2
    assert books(place).verify() == ()


@pytest.mark.parametrize("statement", [
    "UPDATE events SET host='web9'", "DELETE FROM events", "TRUNCATE events", "UPDATE releases SET bytes=''", "DELETE FROM releases",
    "DELETE FROM head", "INSERT INTO head SELECT * FROM head", "DELETE FROM deployments", "DELETE FROM told", "DELETE FROM merged",
    "UPDATE format SET number=9", "UPDATE migrations SET readable_from=9", "DROP TABLE events", "ALTER TABLE events ADD x TEXT",
    "CREATE TABLE lading.more (x TEXT)", "DELETE FROM elsewhere", "DELETE FROM evidence", "UPDATE evidence SET bytes=''",
])
def test_it_changes_nothing_that_was_written(statement: str, url: str, place: PostgresPlace, books: Books) -> None:
    with psycopg.connect(url) as base:
        base.execute("SET search_path=lading")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            base.execute(statement.encode())
    assert books(place).verify() == ()


@pytest.mark.parametrize("act", [lambda kept: kept.forget("web1"), lambda kept: kept.rebuild([])], ids=["forget", "rebuild"])
def test_what_takes_rows_away_is_the_owner_s(act: Does, url: str, place: PostgresPlace, books: Books) -> None:
    books(place).take([foreign(SECOND)])

    async def work() -> None:
        async with opened(url) as kept:
            await act(kept)

    with pytest.raises(errors.LedgerError, match="permission denied") as caught:
        asyncio.run(work())
    assert "lading help security" in caught.value.hint
    assert {row.deployment for row in books(place).history()} == {FIRST, SECOND}


def test_a_role_does_not_make_what_is_missing(url: str, place: PostgresPlace) -> None:
    place.execute("DROP TABLE told, told_releases, elsewhere, evidence", "DROP INDEX events_kind, events_removals", "DELETE FROM migrations WHERE number>=2")

    async def work() -> None:
        async with opened(url):
            pass

    with pytest.raises(errors.LedgerError, match="permission denied") as caught:
        asyncio.run(work())
    assert "owner" in caught.value.hint
