"""The ledger as a file: what it keeps and merges; files that cannot be used are refused in words."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from a_ledger import APPENDER, a_plan, opened, started, tamper, verified

from lading import errors
from lading.ledger import deployments, ledger, tables

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
    asyncio.run(kept.keep(content))  # what was changed is not mended in silence
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
