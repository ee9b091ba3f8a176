"""What `ledger verify` can and cannot see: the list both ways, ledgers put in another's place, and its own limits."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from a_ledger import FIRST, Book, Place, SqlitePlace, a_plan, an_end, foreign, many

from lading import events
from lading.ledger import chain

Make = Callable[[], Place]
Books = Callable[[Place], Book]
SECOND, THIRD = "20261125-100000-bbbb", "20261126-100000-cccc"


def forged(deployment: str, hosts: str = '{"web1":"succeeded"}', origin: str = "") -> str:
    """A statement that adds a row to the list, and nothing else."""
    return (f"INSERT INTO deployments VALUES ('{deployment}', 'deploy', 'shop', '6.6.6', 'evil', '', 'the-cto', '', '', "
            f"'', '', '2026-11-25T10:00:00Z', '2026-11-25T10:01:00Z', 'succeeded', '{hosts}', '{origin}')")


LIES: dict[str, list[str]] = {
    "added": [forged(SECOND)],
    "an open one closed": [f"UPDATE deployments SET result='succeeded', hosts='{{\"web1\":\"succeeded\",\"web9\":\"succeeded\"}}' "
                           f"WHERE deployment='{THIRD}'"],
    "another actor": [f"UPDATE deployments SET actor='the-cto' WHERE deployment='{THIRD}'"],
    "another version": [f"UPDATE deployments SET version='9' WHERE deployment='{THIRD}'"],
    "another release": [f"UPDATE deployments SET \"release\"='evil' WHERE deployment='{FIRST}'"],
    "said to be a host's": [f"UPDATE deployments SET origin='host web1' WHERE deployment='{FIRST}'"],
    "a host less": [f"UPDATE deployments SET hosts='{{}}' WHERE deployment='{FIRST}'"],
    "removed": [f"DELETE FROM deployments WHERE deployment='{THIRD}'"],
}


@pytest.mark.parametrize("case", LIES)
def test_the_list_and_the_events_are_compared_both_ways(case: str, book: Book) -> None:
    book.append(a_plan(THIRD))  # it is open
    book.take([foreign("20261127-100000-dddd")])
    assert book.verify() == ()
    book.place.execute(*LIES[case])
    [said] = book.verify()
    assert "in the list" in said
    assert "lading ledger rebuild" in said
    book.rebuild([])
    if case == "added":
        assert [row.deployment for row in book.history() if row.version == "6.6.6"] == []
    if case != "said to be a host's":
        assert book.verify() == ()


def test_a_resume_makes_no_row_of_the_list(book: Book) -> None:
    book.append(a_plan(SECOND, verb="resume"), an_end(SECOND))
    assert book.verify() == ()
    book.place.execute(forged(SECOND))
    [said] = book.verify()
    assert f"{SECOND} is in the list as made here, but no event tells of it" in said


def test_a_chain_written_anew_by_another_writer_is_seen(book: Book, make: Make, books: Books) -> None:
    book.append(a_plan(SECOND), events.HostCommitted(SECOND, "web1", "commit", release="r1"), an_end(SECOND))
    head = book.head()
    told = chain.Attested("web1", SECOND, "2026-11-25T10:01:00Z", head.writer, head.seq, head.hash)
    assert book.verify([told]) == ()
    anew = books(make())
    anew.append(a_plan(SECOND, actor="somebody"), events.HostCommitted(SECOND, "web1", "commit", release="evil"),
                an_end(SECOND))
    assert anew.verify() == ()
    [said] = anew.verify([told])
    assert f"web1 attests the commit of {SECOND}" in said
    assert f"for the ledger of writer {head.writer}, but the chain of writer {anew.head().writer} has it" in said
    anew.merge(book.export())
    assert "was written anew" not in " ".join(anew.verify([told])), "that ledger is here too"


def test_writers_are_declared_to_be_elsewhere(book: Book, books: Books) -> None:
    assert book.elsewhere() == frozenset()
    book.declare_elsewhere(["w1", "w2"], "ann@laptop")
    book.declare_elsewhere(["w1"], "ben@desk")
    assert books(book.place).elsewhere() == {"w1", "w2"}
    assert book.place.execute("SELECT writer, actor FROM elsewhere ORDER BY writer") == [
        ("w1", "ann@laptop"), ("w2", "ann@laptop")]


def test_many_faults_are_counted(book: Book) -> None:
    book.append(*(events.StateSeen("d", "web1", str(number)) for number in range(300)))
    book.place.execute("UPDATE events SET host='web9'")
    said = book.verify()
    assert len([one for one in said if "was changed" in one]) == chain.NAMED
    assert "and 210 more rows that were changed or moved" in said


MEASURED = r"""
import asyncio, re, sys
from pathlib import Path
from lading.ledger import ledger

def peak():
    return re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]  # KiB, of this program alone

async def work():
    kept = await ledger.open_ledger(Path(sys.argv[1]))
    before = peak()
    assert await kept.verify() == ()
    if "all" in sys.argv:
        await kept.rebuild([])
        await kept.export_to(lambda line: None)
    print(before, peak())

asyncio.run(work())
"""
ROWS = 20_000


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """A row takes about 1 KiB in Python: were all of them held, these would take more than 20 MiB."""
    path = tmp_path / "ledger.db"
    many(SqlitePlace(path), ROWS // 40, 40)
    done = subprocess.run([sys.executable, "-c", MEASURED, str(path), "all"], text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    before, peak = map(int, done.stdout.split())
    assert (peak - before) * 1024 / ROWS < 600, f"{before} KiB before, {peak} KiB at the peak"
    assert peak < 200 << 10
