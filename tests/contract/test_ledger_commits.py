"""The last commit that a ledger itself saw on each host: from its chains, whatever the list says and hosts tell."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from a_ledger import Book, Place, a_plan, an_end, foreign

from builders import a_reading, a_service, an_app
from lading import context, events, settings, state
from lading.compose import release
from lading.deploy import pinning
from lading.inventory import hosts
from lading.transport import recorder

Make = Callable[[], Place]
Books = Callable[[Place], Book]
FIRST, SECOND, THIRD = "20261124-100000-aaaa", "20261125-100000-bbbb", "20261126-100000-cccc"


@pytest.fixture
def book(make: Make, books: Books) -> Book:
    """An empty ledger."""
    return books(make())


def commit(book: Book, deployment: str, release: str, *hosts: str, verb: str = "deploy", app: str = "shop") -> None:
    """A deployment that was committed on these hosts."""
    book.append(a_plan(deployment, verb=verb, app=app, release=release, hosts=hosts),
                *(events.HostCommitted(deployment, host, "commit", release=release) for host in hosts),
                an_end(deployment))


def known(book: Book, app: str = "shop") -> dict[str, tuple[str, str]]:
    return {host: (one.deployment, one.release) for host, one in book.commits(app).items()}


def test_the_last_one_of_each_host_stands(book: Book) -> None:
    commit(book, FIRST, "r1", "web1", "web2")
    commit(book, SECOND, "r2", "web1")
    commit(book, THIRD, "x1", "web1", app="shop_2")
    assert known(book) == {"web1": (SECOND, "r2"), "web2": (FIRST, "r1")}
    assert known(book, "shop_2") == {"web1": (THIRD, "x1")}
    assert known(book, "shop-2") == {}
    at = book.commits("shop")["web1"].at
    assert at == [row.at for row in book.rows() if row.kind == "HostCommitted"][2]


@pytest.mark.parametrize("verb", ["rollback", "adopt"])
def test_every_verb_that_commits_counts(verb: str, book: Book) -> None:
    commit(book, FIRST, "r1", "web1")
    commit(book, SECOND, "r0", "web1", verb=verb)
    assert known(book) == {"web1": (SECOND, "r0")}


def test_what_was_undone_or_not_seen_to_be_committed_does_not(book: Book) -> None:
    commit(book, FIRST, "r1", "web1", "web2")
    book.append(a_plan(SECOND, release="r2", hosts=("web1", "web2")),
                events.StepStarted(SECOND, "", "commit"),
                events.HostUndone(SECOND, "web1", "undo", release="r1"))
    assert known(book) == {"web1": (FIRST, "r1"), "web2": (FIRST, "r1")}


def test_what_another_ledger_began_and_this_one_resumed(book: Book) -> None:
    book.append(a_plan(FIRST, verb="resume", release="r1"),
                events.HostCommitted(FIRST, "web1", "commit", release="r1"))
    assert known(book) == {"web1": (FIRST, "r1")}
    assert book.history() == (), "the list does not have it, and is not asked"


def test_a_host_that_the_app_was_removed_from_has_none(book: Book) -> None:
    commit(book, FIRST, "r1", "web1", "web2")
    book.append(a_plan(SECOND, verb="remove", release="", hosts=("web1", "web2")),
                events.StepEnded(SECOND, "web1", "remove"))
    assert known(book) == {"web2": (FIRST, "r1")}
    commit(book, THIRD, "r3", "web1")
    assert known(book) == {"web1": (THIRD, "r3"), "web2": (FIRST, "r1")}


def test_hosts_and_a_forged_list_say_nothing(book: Book) -> None:
    commit(book, FIRST, "r1", "web1")
    book.take([foreign(SECOND, result="succeeded", hosts={"web1": "succeeded"}, release="evil")])
    book.place.execute("UPDATE deployments SET app='other'")
    assert known(book) == {"web1": (FIRST, "r1")}


def test_chains_that_were_taken_in_count(book: Book, make: Make, books: Books) -> None:
    other = books(make())
    commit(other, FIRST, "r1", "web1", "web2")
    commit(book, SECOND, "r2", "web2")
    book.merge(other.export())
    assert known(book) == {"web1": (FIRST, "r1"), "web2": (SECOND, "r2")}
    assert dict(book.commits("nothing")) == {}


def test_a_flood_of_forged_deployments_does_not_hide_whose_digest_it_is(book: Book, tmp_path: Path) -> None:  # A1, A4
    good, evil = (f"r/db:1@sha256:{digit * 64}" for digit in "ae")
    made, forged = (release.build(a_reading(a_service("db", "r/db:1")), {"r/db:1": one}).release for one in (good, evil))
    book.keep(made.canonical())
    commit(book, FIRST, made.id, "web1", "web2")
    book.take([foreign(f"20991231-{number:06}-ffff", hosts={"web2": "succeeded"}, origin="host web2", result="succeeded") for number in range(600)])
    seen = state.FleetState({name: state.HostState(name, apps={"shop": an_app(one)}) for name, one in (("web1", made), ("web2", forged))})
    fleet = settings.Settings(tmp_path / "lading.yaml", hosts.Inventory({}, {}))
    here = context.Context(fleet, {}, recorder.RecorderTransport(lambda _host, _what: None), book.kept, "ann")  # type: ignore[arg-type,return-value]
    kept = asyncio.run(pinning.keep(here, {"r/db:1": evil}, seen, "shop"))
    assert (dict(kept.pins), kept.vouched) == ({"r/db:1": good}, (good,))
