"""The ledger on the real SQLite: chained, verified, by many processes at once, through kills and broken files."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from lading import errors, events
from lading.ledger import chain, deployments, ledger, tables

APPENDER = """
import asyncio, sys
from pathlib import Path
from lading import events
from lading.ledger import ledger

async def work():
    kept = await ledger.open_ledger(Path(sys.argv[1]))
    for number in range(int(sys.argv[3])):
        await kept.append(events.StateSeen("d-" + sys.argv[2], "web1", str(number), summary="x" * 200))
        print(number, flush=True)

asyncio.run(work())
"""
UNPRIVILEGED = """
import asyncio, os, sys
from pathlib import Path
from lading import errors
from lading.ledger import ledger
asyncio.run(ledger.open_ledger(Path(sys.argv[2])))  # loads all that is loaded late
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
try:
    asyncio.run(ledger.open_ledger(Path(sys.argv[1])))
except errors.LedgerError as wrong:
    print(wrong.exit_code, wrong.file, wrong.message, "|", wrong.hint)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


def opened(path: Path) -> ledger.Ledger:
    return asyncio.run(ledger.open_ledger(path))


def a_plan(deployment: str = "20261124-100000-aaaa", **more: object) -> events.DeploymentPlanned:
    words: dict[str, object] = {"app": "shop", "version": "1", "release": "r1", "hosts": ("web1",), "actor": "a@b", **more}
    return events.DeploymentPlanned(deployment, **words)  # type: ignore[arg-type]


def an_end(deployment: str = "20261124-100000-aaaa", result: str = "succeeded") -> events.DeploymentEnded:
    return events.DeploymentEnded(deployment, result=result, hosts={"web1": result})


@pytest.fixture
def kept(path: Path) -> ledger.Ledger:
    """Ten rows: a deployment with eight states between its plan and its end."""
    made = opened(path)
    asyncio.run(made.append(a_plan()))
    for number in range(8):
        asyncio.run(made.append(events.StateSeen("20261124-100000-aaaa", "web1", "", summary=f"seen {number}")))
    asyncio.run(made.append(an_end()))
    return made


def verified(kept: ledger.Ledger) -> tuple[str, ...]:
    return asyncio.run(kept.verify())


def tamper(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as base:
        for statement in statements:
            base.execute(statement)
        base.commit()


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


@contextmanager
def started(script: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", script, *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


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


def refused(path: Path) -> errors.LedgerError:
    async def work() -> None:
        await (await ledger.open_ledger(path)).append(a_plan())

    with pytest.raises(errors.LedgerError) as caught:
        asyncio.run(work())
    assert caught.value.exit_code == 7
    assert caught.value.file == str(path)
    assert caught.value.hint
    return caught.value


def test_a_newer_schema_is_refused(kept: ledger.Ledger, path: Path) -> None:
    before = path.read_bytes()
    tamper(path, f"PRAGMA user_version={tables.SCHEMA + 1}")
    wrong = refused(path)
    assert "newer lading" in wrong.message
    assert "install the newer lading" in wrong.hint
    tamper(path, f"PRAGMA user_version={tables.SCHEMA}")
    assert len(path.read_bytes()) == len(before)
    assert verified(opened(path)) == ()


def test_a_file_that_is_no_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("this is no database, and long enough to be taken for one" * 20)
    wrong = refused(path)
    assert "damaged" in wrong.message
    assert "lading ledger rebuild" in wrong.hint


def test_a_damaged_database(kept: ledger.Ledger, path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    assert "damaged" in refused(path).message


@pytest.mark.parametrize("statement", ["DELETE FROM head", "INSERT INTO head SELECT * FROM head", "UPDATE head SET seq='x'"])
def test_a_damaged_head(kept: ledger.Ledger, path: Path, statement: str) -> None:
    tamper(path, statement)
    assert "damaged" in refused(path).message


def test_events_of_a_newer_lading_are_said(kept: ledger.Ledger, path: Path) -> None:
    tamper(path, """UPDATE events SET data=replace(data, '"v":1', '"v":2') WHERE seq=5""")
    with pytest.raises(errors.LedgerError, match="row 5: event StateSeen v2 is not known"):
        asyncio.run(kept.events("20261124-100000-aaaa"))


def test_a_file_that_may_not_be_written(kept: ledger.Ledger) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy = folder / "ledger.db"
        with closing(sqlite3.connect(kept.path)) as base:
            base.execute("VACUUM INTO ?", (str(copy),))
        copy.chmod(0o444)
        folder.chmod(0o555)
        done = subprocess.run([sys.executable, "-c", UNPRIVILEGED, copy, kept.path], text=True, capture_output=True, check=True)
        folder.chmod(0o755)
    assert done.stdout.startswith(f"7 {copy} the ledger cannot be written |"), done.stdout + done.stderr
    assert "XDG_STATE_HOME" in done.stdout


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    wrong = refused(tmp_path / "state" / "ledger.db")
    assert "cannot be opened" in wrong.message
    assert str(tmp_path / "state") in wrong.hint


def test_a_ledger_that_somebody_holds(kept: ledger.Ledger, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "WAIT", 0.2)
    with closing(sqlite3.connect(path, isolation_level=None)) as base:
        base.execute("BEGIN IMMEDIATE")
        assert "was locked" in refused(path).message
    assert verified(kept) == ()


def test_a_disk_that_takes_no_more(kept: ledger.Ledger, path: Path) -> None:
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n" + APPENDER
    with started(limited, str(path), "full", "100000") as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "LedgerError: the" in err.splitlines()[-1]
    assert "disk" in err.splitlines()[-1]
    assert verified(kept) == ()
    stored = [int(one.event.step) for one in asyncio.run(kept.events("d-full"))]
    assert stored == [int(line) for line in out.split()]


def test_releases_are_kept_by_their_content(kept: ledger.Ledger, path: Path) -> None:
    content = b'{"app":"shop"}'
    asyncio.run(kept.keep(content, content))
    asyncio.run(kept.keep(content))
    id_ = ledger.release_id(content)
    assert asyncio.run(kept.release(id_)) == content
    assert asyncio.run(kept.release("ffffffffffff")) is None
    assert asyncio.run(kept.count_releases()) == 1
    assert verified(kept) == ()
    tamper(path, "UPDATE releases SET bytes=x'00'")
    assert asyncio.run(kept.release(id_)) is None
    [said] = verified(kept)
    assert f"release {id_} was changed" in said


def foreign(deployment: str, **more: object) -> deployments.Deployment:
    words: dict[str, object] = {
        "verb": "deploy", "app": "shop", "version": "2", "release": "r2", "destination": "web", "actor": "x@y", "reason": "",
        "commit": "", "url": "", "source": "", "started": "2026-11-25T10:00:00Z", "ended": "", "result": "unknown",
        "hosts": {"web1": "unknown"}, "origin": "host web1", **more,
    }
    return deployments.Deployment(deployment, **words)  # type: ignore[arg-type]


def test_what_hosts_tell_is_merged(kept: ledger.Ledger) -> None:
    there = foreign("20261125-100000-bbbb")
    assert asyncio.run(kept.take([there])) == 1
    known = foreign("20261124-100000-aaaa", result="rolled_back", hosts={"web1": "rolled_back"}, ended="2026-11-24T10:01:00Z")
    done = foreign("20261125-100000-bbbb", result="succeeded", hosts={"web1": "succeeded"}, ended="2026-11-25T10:01:00Z")
    assert asyncio.run(kept.take([done, known])) == 0
    rows = asyncio.run(kept.history())
    assert [(row.deployment, row.result, row.origin) for row in rows] == [
        ("20261125-100000-bbbb", "succeeded", "host web1"), ("20261124-100000-aaaa", "succeeded", "")]
    assert verified(kept) == ()


def test_rebuild_keeps_what_hosts_told_before(kept: ledger.Ledger, path: Path) -> None:
    asyncio.run(kept.take([foreign("20261125-100000-bbbb"), foreign("20261126-100000-cccc")]))
    tamper(path, "UPDATE deployments SET result='nonsense'")
    told = foreign("20261126-100000-cccc", result="succeeded", hosts={"web1": "succeeded"}, ended="2026-11-26T10:01:00Z")
    asyncio.run(kept.rebuild([told]))
    assert [(row.deployment[-4:], row.result) for row in asyncio.run(kept.history())] == [
        ("cccc", "succeeded"), ("bbbb", "nonsense"), ("aaaa", "succeeded")]
    assert verified(kept) == ()


def test_a_controller_that_died_is_told_by_hosts(path: Path) -> None:
    kept = opened(path)
    asyncio.run(kept.append(a_plan()))
    [row] = asyncio.run(kept.history())
    assert (row.result, row.ended) == ("running", "")
    told = foreign(row.deployment, result="rolled_back", hosts={"web1": "rolled_back"}, ended="2026-11-24T10:09:00Z")
    asyncio.run(kept.take([told]))
    [row] = asyncio.run(kept.history())
    assert (row.result, row.ended, row.origin, row.actor) == ("rolled_back", "2026-11-24T10:09:00Z", "", "a@b")
    assert verified(kept) == ()


def test_the_beginning_of_an_id_is_enough(kept: ledger.Ledger) -> None:
    asyncio.run(kept.take([foreign("20261124-110000-bbbb")]))
    found = asyncio.run(kept.deployment("20261124-10"))
    assert found is not None
    assert found.deployment == "20261124-100000-aaaa"
    assert asyncio.run(kept.deployment("2027")) is None
    with pytest.raises(errors.UnknownReleaseError) as caught:
        asyncio.run(kept.deployment("20261124"))
    assert "20261124-110000-bbbb" in caught.value.hint
