"""The ledger's chain on the real SQLite: each change to it is named; many processes at once; kills in the middle."""

import asyncio
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from a_ledger import APPENDER, a_plan, an_end, opened, started, tamper, verified

from lading import errors, events
from lading.ledger import chain, ledger


def test_what_is_appended_is_read_back(kept: ledger.Ledger, path: Path) -> None:
    stored = asyncio.run(kept.events("20261124-100000-aaaa"))
    assert [one.seq for one in stored] == list(range(1, 11))
    assert stored[0].event == a_plan()
    assert stored[-1].event == an_end()
    assert len({one.writer for one in stored}) == 1
    assert verified(opened(path)) == ()
    [row] = asyncio.run(kept.history("shop"))
    assert (row.result, row.hosts, row.origin, bool(row.ended)) == ("succeeded", {"web1": "succeeded"}, "", True)
    assert asyncio.run(kept.history("other")) == ()


def test_only_the_user_may_read_it(kept: ledger.Ledger, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_each_row_holds_the_hash_of_the_row_before(kept: ledger.Ledger, path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        rows = [chain.Row(*row) for row in base.execute("SELECT * FROM events ORDER BY seq")]
    assert rows[0].prev == chain.GENESIS
    assert [row.prev for row in rows[1:]] == [row.hash for row in rows[:-1]]
    head = asyncio.run(kept.head())
    assert (head.seq, head.hash) == (10, rows[-1].hash)


CHANGES: dict[str, tuple[list[str], list[str]]] = {
    "data": (["UPDATE events SET data=replace(data, 'seen 3', 'seen 9') WHERE seq=5"], ["row 5 (", "was changed"]),
    "time": (["UPDATE events SET at='2020-01-01T00:00:00.000000Z' WHERE seq=5"], ["row 5 (", "was changed"]),
    "host": (["UPDATE events SET host='web9' WHERE seq=5"], ["row 5 (", "was changed"]),
    "kind": (["UPDATE events SET kind='Nonsense' WHERE seq=5"], ["row 5 (Nonsense", "was changed"]),
    "format": (["""UPDATE events SET data=replace(data, '"v":1', '"v":2') WHERE seq=5"""], ["row 5 (", "was changed"]),
    "bytes": (["UPDATE events SET data=x'ff00' WHERE seq=5"], ["row 5 (", "was changed"]),
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
def test_verify_names_what_was_done(case: str, kept: ledger.Ledger, path: Path) -> None:
    statements, words = CHANGES[case]
    assert verified(kept) == ()
    tamper(path, *statements)
    said = "\n".join(verified(kept))
    assert [word for word in words if word not in said] == [], said


def rewrite(path: Path, since: int) -> None:
    """What a forger who knows the scheme does: change row *since* and hash all from there anew."""
    with closing(sqlite3.connect(path)) as base:
        rows = [chain.Row(*row) for row in base.execute("SELECT * FROM events WHERE seq>=? ORDER BY seq", (since,))]
        prev = rows[0].prev
        for row in rows:
            new = chain.Row(row.writer, row.seq, row.at, row.deployment, row.kind, "forged", row.step, row.data, prev)
            prev = chain.link(new)
            base.execute("UPDATE events SET host='forged', prev=?, hash=? WHERE seq=?", (new.prev, prev, row.seq))
        base.execute("UPDATE head SET hash=?", (prev,))
        base.commit()


def test_a_row_with_a_fitting_but_foreign_hash(kept: ledger.Ledger, path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        old = chain.Row(*base.execute("SELECT * FROM events WHERE seq=5").fetchone())
        new = chain.Row(old.writer, 5, old.at, old.deployment, old.kind, "forged", old.step, old.data, old.prev)
        base.execute("UPDATE events SET host='forged', hash=? WHERE seq=5", (chain.link(new),))
        base.commit()
    [said] = verified(kept)
    assert said.startswith("row 6 (")
    assert "does not follow row 5: one of the two was replaced" in said


def test_what_only_hosts_can_tell(kept: ledger.Ledger, path: Path) -> None:
    head = asyncio.run(kept.head())
    told = chain.Attested("web1", "20261124-100000-aaaa", "2026-11-24T10:00:00Z", head.writer, head.seq, head.hash)
    assert asyncio.run(kept.verify([told])) == ()
    rewrite(path, 3)
    assert verified(kept) == ()
    [said] = asyncio.run(kept.verify([told]))
    assert "web1 attests row 10" in said
    assert "written anew" in said
    with closing(sqlite3.connect(path)) as base:
        seq, hash_ = base.execute("SELECT seq, hash FROM events WHERE seq=7").fetchone()
    tamper(path, "DELETE FROM events WHERE seq>7", f"UPDATE head SET seq={seq}, hash='{hash_}'", "DELETE FROM deployments")
    said = "\n".join(asyncio.run(kept.verify([told])))
    assert "web1 attests row 10" in said
    assert "ends at row 7: its end was cut off" in said
    stranger = chain.Attested("web1", "d", "", "somebody else's", 99, "ff")
    assert "somebody" not in "\n".join(asyncio.run(kept.verify([stranger])))


def test_eight_processes_append_at_once(path: Path) -> None:
    count, each = 8, 25
    running = [
        subprocess.Popen([sys.executable, "-c", APPENDER, path, str(number), str(each)], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for number in range(count)
    ]
    ended = [(process.communicate(timeout=120), process.returncode) for process in running]
    assert [(said[1], code) for said, code in ended] == [("", 0)] * count
    kept = opened(path)
    assert verified(kept) == ()
    assert asyncio.run(kept.head()).seq == count * each
    for number in range(count):
        stored = asyncio.run(kept.events(f"d-{number}"))
        assert [one.event.step for one in stored] == [str(n) for n in range(each)]


def test_kill_9_in_the_middle_of_writing(path: Path) -> None:
    for round_ in range(3):
        with started(APPENDER, str(path), str(round_), "100000") as process:
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(20 + round_)]
            process.send_signal(signal.SIGKILL)
            said += process.stdout.readlines()
            acknowledged = [int(line) for line in said if line.endswith("\n")]
            assert process.wait() == -signal.SIGKILL
        kept = opened(path)
        assert verified(kept) == ()
        stored = [int(one.event.step) for one in asyncio.run(kept.events(f"d-{round_}"))]
        assert stored[: len(acknowledged)] == acknowledged
        assert len(stored) - len(acknowledged) in (0, 1)
    asyncio.run(kept.append(a_plan()))
    assert verified(kept) == ()


def test_nothing_of_a_failed_append_is_stored(kept: ledger.Ledger, path: Path) -> None:
    tamper(path, "CREATE TRIGGER no BEFORE INSERT ON events WHEN new.host='second' BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(errors.LedgerError):
        asyncio.run(kept.append(events.StateSeen("d", "first"), events.StateSeen("d", "second")))
    assert asyncio.run(kept.events("d")) == ()
    assert verified(kept) == ()
