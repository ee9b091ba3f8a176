"""Excluded hosts in a ledger, in SQLite and PostgreSQL; and the command line, against a port where nobody listens."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from a_ledger import Book, Place, PostgresPlace, SqlitePlace, a_plan, a_story, an_end

import documents
import postgres_server
from builders import a_release, a_service
from lading import context as contexts
from lading import errors, events, settings
from lading.deploy import execution, order
from lading.engines.compose_hosts import coordinator
from lading.inventory import hosts
from lading.ledger import exclusions, ledger
from lading.placement import assignment
from lading.plan import planner, steps
from simulated_hosts import SimulatedHost, connect

Make = Callable[[], Place]
Books = Callable[[Place], Book]
OUT = {"web2": "10.0.0.2:22", "web3": "10.0.0.3:22"}
FIRST, SECOND = "20261130-110000-aaaa", "20261130-120000-bbbb"
AT = "10.0.0.2:22"
DEAD = events.HostExcluded("", "web2", place=AT, reason="dead", actor="ann@laptop", ran_by="ann@laptop")
BACK = events.HostIncluded("", "web2", place=AT, actor="ben@laptop")


@pytest.fixture
def book(make: Make, books: Books) -> Book:
    return books(make())


def test_a_host_is_excluded_once_and_included_once(book: Book) -> None:
    now, is_new = book.exclude(DEAD)
    assert (is_new, now.host, now.reason, now.actor) == (True, "web2", "dead", "ann@laptop")
    assert book.excluded() == (now,)
    again = events.HostExcluded("", "web2", place=AT, reason="again", actor="ben@laptop")
    assert book.exclude(again) == (now, False), "the first one stands"
    assert book.include(events.HostIncluded("", "web1")) is None
    assert (book.include(BACK), book.include(BACK), book.excluded()) == ((), None, ())
    assert [(row.verb, row.actor, dict(row.hosts)) for row in book.exclusions()] == [
        ("include", "ben@laptop", {"web2": "included"}), ("exclude", "ann@laptop", {"web2": "excluded"})]
    assert len(book.rows()) == 2, "what changes nothing is not recorded"
    assert book.exclude(again)[1]
    assert book.verify() == ()


def test_what_has_left_it_out_is_missed(book: Book) -> None:
    book.append(a_plan("20261130-100000-0000", excluded=OUT), an_end("20261130-100000-0000"))  # in an exclusion before this
    book.place.execute("UPDATE events SET at='2026-11-30T10:00:00.000000Z'")
    one, _ = book.exclude(DEAD)
    book.append(a_plan(FIRST, version="2", excluded=OUT), an_end(FIRST))
    book.append(a_plan(SECOND, version="3"), an_end(SECOND))
    book.append(a_plan(FIRST, verb="resume", excluded={"web2": AT}))
    assert [(row.deployment, row.version, row.result) for row in book.missed({"web2": one})["web2"]] == [(FIRST, "2", "succeeded")]
    other, _ = book.exclude(replace(DEAD, host="web3", place=OUT["web3"]))
    assert {name: len(rows) for name, rows in book.missed({"web2": one, "web3": other}).items()} == {"web2": 1, "web3": 1}
    assert (book.missed({}), book.history(limit=2)[1].excluded) == ({}, ("web2", "web3"))
    assert book.deployment(SECOND).excluded == ()


def test_a_host_of_the_same_name_elsewhere_is_another(book: Book) -> None:
    one, _ = book.exclude(DEAD)
    other = replace(DEAD, place="10.9.9.9:22", reason="another one")
    assert book.exclude(other)[1], "two fleet files of a user may each have a web2"
    book.append(a_plan(FIRST, excluded={"web2": "10.9.9.9:22"}), an_end(FIRST))
    assert book.missed({"web2": one}) == {"web2": []}, "it left out the other"
    assert book.include(replace(BACK, place="10.7.7.7:22")) is None
    assert [row.deployment for row in book.include(replace(BACK, place="10.9.9.9:22"))] == [FIRST]
    assert book.excluded() == (one,)


def missed(book: Book) -> list[str]:
    one, _ = book.exclude(DEAD)
    return [row.deployment for row in book.missed({"web2": one})["web2"]]


def test_what_was_missed_is_missed_until_the_host_takes_part_again(book: Book) -> None:
    book.exclude(DEAD)
    book.append(a_plan(FIRST, excluded=OUT), an_end(FIRST))
    book.include(BACK)
    assert missed(book) == [FIRST], "it was included, but nobody brought it up to date"
    book.include(BACK)
    both = {"web1": "succeeded", "web2": "rolled_back"}
    book.append(a_plan(SECOND, hosts=("web1", "web2")), events.DeploymentEnded(SECOND, result="partial", hosts=both))
    assert missed(book) == [FIRST], "it took part in vain"
    book.append(events.DeploymentEnded(SECOND, result="succeeded", hosts=dict.fromkeys(both, "succeeded")))
    book.place.execute(f"UPDATE deployments SET started='2099-01-01T00:00:00Z' WHERE deployment='{SECOND}'")
    assert missed(book) == []


def test_what_was_stopped_by_hand_is_missed_with_its_services(book: Book) -> None:
    one, _ = book.exclude(DEAD)
    changes = ({"host": "web1", "service": "web", "field": "containers", "old": "1", "new": "stopped by hand"},)
    book.append(a_plan(FIRST, verb="stop", excluded=OUT, changes=changes), an_end(FIRST))
    [row] = book.missed({"web2": one})["web2"]
    assert (row.verb, dict(row.by_hand)) == ("stop", {"web": 0})
    assert book.deployment(FIRST).by_hand == {}


def test_what_began_after_the_look_is_missed_too(book: Book) -> None:
    book.exclude(DEAD)
    book.begin(a_plan(FIRST, excluded={"web2": AT}), {"web1": "10.0.0.1:22"})
    assert [(row.deployment, row.result) for row in book.include(BACK)] == [(FIRST, "running")]


def test_a_plan_that_an_inclusion_or_an_exclusion_has_overtaken_does_not_begin(book: Book) -> None:
    book.exclude(DEAD)
    book.include(BACK)
    for chosen, without, said in (
        ({"web1": "10.0.0.1:22"}, {"web2": AT}, "web2 was left out of it, but is included again"),
        ({"web3": "10.0.0.3:22", "web2": AT}, {}, "web2 is excluded since"),
    ):
        with pytest.raises(errors.PlanChangedError) as caught:
            book.begin(a_plan(FIRST, excluded=without), chosen)
        assert (said in caught.value.message, caught.value.exit_code, caught.value.host) == (True, 4, "web2")
        book.exclude(DEAD)
    assert [row.kind for row in book.rows()] == ["HostExcluded", "HostIncluded", "HostExcluded"]
    book.begin(a_plan(FIRST, excluded={"web2": AT}), {"web1": "10.0.0.1:22"})
    assert (book.deployment(FIRST).result, book.verify()) == ("running", ())


RUNS, WANTED = (a_release(a_service("web", f"r.example/web:{version}"), version=version) for version in ("1", "2"))


def test_what_was_planned_before_an_inclusion_changes_no_host(tmp_path: Path) -> None:
    book = Book(SqlitePlace(tmp_path / "ledger.db"))
    fleet = hosts.Inventory({name: hosts.Host(name, f"10.0.0.{name[-1]}") for name in ("web1", "web2")},
                            {"production": hosts.Destination("production", ("web1", "web2"))})
    host, (one, _) = SimulatedHost("web1", [RUNS], RUNS), book.exclude(DEAD)

    def somebody_includes(plan: steps.Plan) -> bool:
        included = subprocess.run([sys.executable, "-c", INCLUDER, str(book.place.where)], timeout=60)
        return included.returncode == 0

    here = contexts.Context(
        settings.Settings(Path("/fleet/lading.yaml"), fleet), {}, None, book.kept, "ann", confirm=somebody_includes,  # type: ignore[arg-type]
        engine=coordinator.ComposeHosts(connect({"web1": host})))
    plan = planner.plan(WANTED, "production", {"web1": planner.plan_host("web1", WANTED, {}, (), host.app(), RUNS)})
    rows = (assignment.Row("web1", True, "production"), assignment.Row("web2", False, one.words, excluded=one))
    wanted = order.make(here, replace(plan, assignment=assignment.Assignment(rows)),
                        {"web1": order.Becoming(WANTED, host.app(), "2", "src", "production")}, [fleet.hosts["web1"]],
                        deployment=FIRST, reason="prices")
    with pytest.raises(errors.PlanChangedError, match="web2 was left out of it, but is included again"):
        asyncio.run(execution.carry_out(here, wanted))
    assert (book.deployment(FIRST).result, book.deployment(FIRST).hosts) == ("refused", {"web1": "untouched"})


INCLUDER = """
import asyncio, sys
from pathlib import Path
from lading import events
from lading.ledger import ledger

async def work():
    kept = await ledger.open_ledger(Path(sys.argv[1]))
    assert await kept.include(events.HostIncluded("", "web2", place="10.0.0.2:22")) == ()
    await kept.close()

asyncio.run(work())
"""


def test_what_is_open_on_a_host_is_known(book: Book) -> None:
    a_story(book)
    book.append(a_plan(FIRST, hosts=("web1", "web2")))
    assert [[row.deployment for row in book.unended(name)] for name in ("web2", "web3")] == [[FIRST], []]
    book.append(an_end(FIRST))
    assert book.unended("web1") == ()


def test_exclusions_of_another_ledger_count_by_their_time(book: Book, make: Make, books: Books) -> None:
    other = books(make())
    book.exclude(DEAD)
    other.append(BACK)
    assert book.merge(other.export()) == 1
    assert book.excluded() == (), "it was included later, elsewhere"
    book.exclude(DEAD)
    third = books(make())
    third.merge(book.export())
    assert [one.host for one in third.excluded()] == ["web2"]
    assert third.verify() == ()


BOTH = """
import asyncio, sys
from pathlib import Path
from lading import events
from lading.ledger import ledger

async def work():
    where = sys.argv[1]
    kept = await ledger.open_ledger(where if "://" in where else Path(where))
    sys.stdin.readline()
    for number in range(20):
        _, is_new = await kept.exclude(events.HostExcluded("", f"web{number}", reason=sys.argv[2], actor=sys.argv[2]))
        print(int(is_new), flush=True)
    await kept.close()

asyncio.run(work())
"""


def test_of_two_people_at_once_the_second_is_told_of_the_first(book: Book) -> None:
    people = [subprocess.Popen([sys.executable, "-c", BOTH, str(book.place.where), who], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
              for who in ("ann", "ben")]
    for one in people:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    told = [one.communicate(timeout=60)[0].split() for one in people]
    assert [int(ann) + int(ben) for ann, ben in zip(*told, strict=True)] == [1] * 20
    assert (len(book.rows()), len(book.excluded()), book.verify()) == (20, 20, ())


OLDER = """
import asyncio, sys
from pathlib import Path
from lading import events

events.KINDS = {name: kind for name, kind in events.KINDS.items() if not name.startswith(("HostEx", "HostIn"))}
from lading.ledger import ledger

async def work():
    where = sys.argv[1]
    kept = await ledger.open_ledger(where if "://" in where else Path(where))
    await kept.append(events.DeploymentPlanned("20261130-130000-cccc", app="shop", hosts=("web1",)))
    print(len(await kept.history()), await kept.verify(), sorted(await kept.commits("shop")))
    await kept.close()

asyncio.run(work())
"""


def test_a_lading_that_does_not_know_these_events_goes_on_beside_them(book: Book) -> None:
    a_story(book)
    book.exclude(DEAD)
    older = subprocess.run([sys.executable, "-c", OLDER, str(book.place.where)], text=True, capture_output=True, timeout=60)
    assert older.stdout == "2 () []\n", older.stderr
    assert [one.host for one in book.excluded()] == ["web2"]


# The command line

FLEET = """lading: 1
hosts:
  web1: {address: 127.0.0.1, port: 1}
  web2: {address: 127.0.0.1, port: 1}
destinations: {production: {hosts: [web1, web2]}}
"""


class Person:
    """Somebody who calls lading in a folder with a fleet file whose hosts do not answer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "lading.yaml").write_text(FLEET)
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_STATE_HOME": str(folder), "USER": "ann",
                    "LADING_CONFIG": str(folder / "lading.yaml")}

    def lading(self, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([sys.executable, "-m", "lading", *words], env={**self.env, **(env or {})}, cwd=self.folder, text=True,
                              capture_output=True, timeout=60)
        documents.check(words, done.stdout)
        return done

    def read(self, *words: str) -> Any:
        return json.loads(self.lading(*words, "--json").stdout)

    @property
    def place(self) -> SqlitePlace:
        return SqlitePlace(contexts.ledger_path(self.env))


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


@pytest.mark.parametrize(("words", "said"), [
    (("web2",), "--reason"), (("web2", "--reason", " "), "--reason is empty"), (("wbe2", "--reason", "x"), "did you mean `web2`?"),
    (("production", "--reason", "x"), "is no single host"),
])
def test_what_cannot_be_excluded_changes_nothing(person: Person, words: tuple[str, ...], said: str) -> None:
    done = person.lading("hosts", "exclude", *words)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert not Path(person.place.where).exists() or person.place.execute("SELECT * FROM events") == []


def test_it_is_recorded_and_said_and_no_host_is_asked(person: Person) -> None:
    first = person.lading("hosts", "exclude", "web2", "--reason", "its  disk\nis dead", "-v")
    assert (first.returncode, "its disk is dead" in first.stdout, "yours alone" in first.stderr) == (0, True, True)
    second = person.lading("hosts", "exclude", "web2", "--reason", "other")
    assert (second.returncode, "its disk is dead; nothing was changed" in second.stdout, second.stderr) == (0, True, "")
    assert person.read("hosts", "exclude", "web2", "--reason", "x")["changed"] is False
    last = person.lading("hosts", "exclude", "web1", "--reason", "too")
    assert "production has no other host left" in last.stderr
    assert len(person.place.execute("SELECT * FROM events")) == 2


def test_where_drift_and_history_say_it_without_asking(person: Person) -> None:
    for name in ("web1", "web2"):
        person.lading("hosts", "exclude", name, "--reason", "dead")
    shown = person.lading("where")
    assert (shown.returncode, shown.stdout.count("excluded since"), "refuses" in shown.stderr) == (0, 2, False)
    assert [(row["host"], row["state"], row["silent"]) for row in person.read("where")] == [
        ("web1", "excluded", False), ("web2", "excluded", False)]
    named = person.lading("where", "--to", "web2")
    assert (named.returncode, "web2 is excluded, and does not answer" in named.stderr) == (0, True)
    drift = person.lading("drift")
    assert (drift.returncode, drift.stdout.count("excluded since")) == (1, 2)
    history = person.lading("history")
    assert (history.returncode, history.stdout.count("is not shown: it is excluded since")) == (0, 2)
    assert [(row["deployment"], row["verb"], row["hosts"]) for row in person.read("history", "--offline")] == [
        (None, "exclude", {"web2": "excluded"}), (None, "exclude", {"web1": "excluded"})]


def test_a_host_of_the_same_name_in_another_fleet_file_is_not_excluded(person: Person) -> None:
    person.lading("hosts", "exclude", "web2", "--reason", "dead")
    other = person.folder / "other.yaml"
    other.write_text("lading: 1\nhosts:\n  web1: {address: 127.0.0.1, port: 2}\n  web2: {address: 127.0.0.1, port: 2}\n"
                     "destinations: {production: {hosts: [web1, web2]}}\n")
    env = {"LADING_CONFIG": str(other)}
    asked = person.lading("rollback", "shop", "--to", "web2", "--yes", env=env)
    assert (asked.returncode, "web2 (127.0.0.1:2)" in asked.stderr) == (6, True), "it is asked, and does not answer"
    included = person.lading("hosts", "include", "web2", "--yes", env=env)
    assert included.stdout == "web2 is not excluded; nothing was changed\n"
    assert "web2 at 127.0.0.1:2 is another host for the ledger than the web2 at 127.0.0.1:1, which is excluded since" in included.stderr
    assert person.lading("rollback", "shop", "--to", "web2", "--yes").returncode == 4


@pytest.mark.parametrize("words", [
    ("rollback", "shop", "--to", "web2"), ("restart", "shop", "--to", "web2"), ("remove", "shop", "--to", "web1,web2"), ("repair", "web2", "shop"),
])
def test_what_names_it_is_refused_before_any_host_is_asked(person: Person, words: tuple[str, ...]) -> None:
    person.lading("hosts", "exclude", "web2", "--reason", "dead")
    done = person.lading(*words, "--yes", "--json")
    wrong = json.loads(done.stdout)["error"]
    assert (done.returncode, wrong["kind"], wrong["host"]) == (4, "excluded", "web2")
    assert "lading hosts include web2" in wrong["hint"]


def test_a_choice_of_which_nobody_is_left_is_refused(person: Person) -> None:
    for name in ("web1", "web2"):
        person.lading("hosts", "exclude", name, "--reason", f"{name} is dead")
    for words in (("rollback", "shop", "--yes"), ("resume", "shop"), ("plan",)):
        (person.folder / "compose.yaml").write_text("name: shop\nservices: {web: {image: 'localhost:1/shop:1'}}\n")
        done = person.lading(*words)
        assert done.returncode == 4, done.stderr
        assert "web1 is dead" in done.stderr and "web2 is dead" in done.stderr


def test_a_pattern_leaves_it_out_and_asks_the_others(person: Person) -> None:
    person.lading("hosts", "exclude", "web2", "--reason", "dead")
    done = person.lading("rollback", "shop", "--to", "web*", "--yes")
    assert (done.returncode, "web1 (127.0.0.1:1)" in done.stderr, "web2 (" in done.stderr) == (6, True, False)
    resumed = person.lading("resume")
    assert "asking web1 what is open" in resumed.stderr
    assert resumed.stderr.count("web2 is excluded since") == 1


def test_what_only_looks_or_builds_first_is_refused_as_early(person: Person) -> None:
    (person.folder / "compose.yaml").write_text("name: shop\nservices: {web: {image: 'localhost:1/shop:${VERSION}', build: .}}\n")
    (person.folder / "Dockerfile").write_text("FROM scratch\n")
    person.lading("hosts", "exclude", "web2", "--reason", "dead")
    for words in (("adopt", "shop", "--version", "1", "--to", "web2", "--dry-run"), ("ship", "--version", "1", "--to", "web2", "--yes")):
        done = person.lading(*words, env={"DOCKER_HOST": "tcp://127.0.0.1:1"})
        assert (done.returncode, "web2 is excluded since" in done.stderr) == (4, True), done.stderr


@pytest.mark.parametrize("verb", ["verify", "rebuild"])
def test_the_ledger_is_not_held_against_it_and_says_so(person: Person, verb: str) -> None:
    for name in ("web1", "web2"):
        person.lading("hosts", "exclude", name, "--reason", "dead")
    words = ("ledger", verb, *(["--hosts"] if verb == "verify" else []))
    done = person.lading(*words)
    assert (done.returncode, done.stdout.count("it was not asked, for it is excluded since")) == (6, 4 if verb == "rebuild" else 2), done.stdout
    assert "127.0.0.1" not in done.stdout + done.stderr, "nobody was asked"
    told = json.loads(person.lading(*words, "--json").stdout)
    assert [one["host"] for one in told["unreachable"]] == ["web1", "web2"]
    if verb == "verify":
        assert "web2 (127.0.0.1:1)" in person.lading(*words, "--to", "web2").stdout


def test_the_list_of_hosts_says_it_where_a_ledger_can_be_read(person: Person) -> None:
    assert [row["excluded"] for row in person.read("hosts", "list")] == [None, None]
    assert not Path(person.place.where).exists(), "a look leaves no ledger behind"
    person.lading("hosts", "exclude", "web2", "--reason", "dead")
    rows = {row["host"]: row["excluded"] for row in person.read("hosts", "list")}
    assert (rows["web1"], rows["web2"]["reason"]) == (None, "dead")
    assert "web2 is excluded since" in person.lading("hosts", "list").stdout
    (person.folder / "lading.yaml").write_text(FLEET + "ledger: {url: {env: TEAM_LEDGER}}\n")
    unknown = person.lading("hosts", "list")
    assert (unknown.returncode, "nobody can say which hosts are excluded" in unknown.stderr, "web2" in unknown.stdout) == (0, True, True)


def test_the_row_of_an_exclusion_shows_no_id(person: Person) -> None:
    person.lading("hosts", "exclude", "web2", "--reason", "dead")
    [row] = person.read("history", "--offline")
    assert f"{row['started'][:10]} {row['started'][11:16]}Z  exclude" in person.lading("history", "--offline").stdout


def test_who_does_not_answer_stays_excluded_and_who_is_not_excluded_is_not_asked(person: Person) -> None:
    assert person.read("hosts", "include", "web2", "--yes")["changed"] is False
    person.lading("hosts", "exclude", "web2", "--reason", "dead")
    done = person.lading("hosts", "include", "web2", "--yes")
    assert (done.returncode, "web2 stays excluded" in done.stderr, "lading check web2" in done.stderr) == (6, True, True)
    assert person.lading("hosts", "include", "wbe2", "--yes").returncode == 2
    assert len(person.place.execute("SELECT * FROM events")) == 1


def test_what_may_be_open_there_is_told_with_what_to_type(person: Person) -> None:
    async def begin() -> None:
        kept = await ledger.open_ledger(contexts.ledger_path(person.env))
        await kept.append(a_plan(FIRST, hosts=("web1", "web2")))
        await kept.close()

    asyncio.run(begin())
    told = person.lading("hosts", "exclude", "web2", "--reason", "dead")
    assert f"deployment {FIRST} of shop may be open on web2" in told.stderr
    assert "lading resume shop --undo | --continue --lost web2" in told.stderr
    assert person.read("hosts", "exclude", "web2", "--reason", "x")["open"] == [{"deployment": FIRST, "app": "shop"}]


def test_without_the_ledger_nothing_is_excluded_and_nothing_deployed(person: Person, postgres: postgres_server.Server) -> None:
    (person.folder / "lading.yaml").write_text(FLEET + "ledger: {url: {env: TEAM_LEDGER}}\n")
    team = {"TEAM_LEDGER": str(PostgresPlace(postgres, "team_of_excluded_hosts").where)}
    gone = {"TEAM_LEDGER": "postgresql://nobody@127.0.0.1:1/none?sslmode=disable"}
    for words in (("exclude", "web2", "--reason", "dead"), ("include", "web2", "--yes")):
        done = person.lading("hosts", *words, env=gone)
        assert (done.returncode, "the ledger does not answer" in done.stderr) == (7, True), done.stderr
    shared = person.lading("hosts", "exclude", "web2", "--reason", "dead", env=team)
    assert (shared.returncode, shared.stderr) == (0, ""), "a team sees it"
    other = person.lading("rollback", "shop", "--to", "web2", "--yes", env={**team, "USER": "ben", "XDG_STATE_HOME": "/nowhere"})
    assert (other.returncode, "by ann@" in other.stderr) == (4, True)
    looked = person.lading("where", env=gone)
    assert "not compared with the ledger" in looked.stderr


def test_the_rows_of_both_kinds_are_found_without_a_look_at_all_events(tmp_path: Path) -> None:
    place = SqlitePlace(tmp_path / "ledger.db")
    Book(place).close()
    plan = place.execute(f"EXPLAIN QUERY PLAN SELECT seq FROM events {exclusions.WHERE}")
    assert "events_deployment" in str(plan)
