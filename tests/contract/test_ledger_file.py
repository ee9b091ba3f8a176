"""What is SQLite's own: rights, files that are no ledger, disks, locks."""

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from a_ledger import APPENDER, Book, SqlitePlace, a_story

from lading import errors
from lading.ledger import stores

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


@pytest.fixture
def book(path: Path) -> Book:
    """A ledger with the ten rows of a deployment."""
    made = Book(SqlitePlace(path))
    a_story(made)
    return made


def refused(path: Path) -> errors.LedgerError:
    with pytest.raises(errors.LedgerError) as caught:
        Book(SqlitePlace(path)).keep(b"x")
    assert caught.value.exit_code == 7
    assert caught.value.file == str(path)
    assert caught.value.hint
    return caught.value


def test_only_the_user_may_read_it(book: Book, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_newer_schema_is_refused(book: Book, path: Path) -> None:
    before = path.read_bytes()
    book.place.execute(f"PRAGMA user_version={stores.SCHEMA + 1}")
    wrong = refused(path)
    assert "newer lading" in wrong.message
    assert "install the newer lading" in wrong.hint
    book.place.execute(f"PRAGMA user_version={stores.SCHEMA}")
    assert len(path.read_bytes()) == len(before)
    assert book.verify() == ()


def test_a_file_that_is_no_database(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("this is no database, and long enough to be taken for one" * 20)
    wrong = refused(path)
    assert "damaged" in wrong.message
    assert "lading ledger rebuild" in wrong.hint


def test_a_damaged_database(book: Book, path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    assert "damaged" in refused(path).message


def test_a_file_that_may_not_be_written(book: Book, path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy = folder / "ledger.db"
        with closing(sqlite3.connect(path)) as base:
            base.execute("VACUUM INTO ?", (str(copy),))
        copy.chmod(0o444)
        folder.chmod(0o555)
        done = subprocess.run([sys.executable, "-c", UNPRIVILEGED, copy, path], text=True, capture_output=True, check=True)
        folder.chmod(0o755)
    assert done.stdout.startswith(f"7 {copy} the ledger cannot be written |"), done.stdout + done.stderr
    assert "XDG_STATE_HOME" in done.stdout


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    wrong = refused(tmp_path / "state" / "ledger.db")
    assert "cannot be opened" in wrong.message
    assert str(tmp_path / "state") in wrong.hint


def test_a_ledger_that_somebody_holds(book: Book, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "WAIT", 0.2)
    with closing(sqlite3.connect(path, isolation_level=None)) as base:
        base.execute("BEGIN IMMEDIATE")
        assert "was locked" in refused(path).message
    assert book.verify() == ()


def test_a_disk_that_takes_no_more(book: Book, path: Path) -> None:
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n" + APPENDER
    done = subprocess.run([sys.executable, "-c", limited, path, "full", "100000"], text=True, capture_output=True, timeout=60)
    assert done.returncode == 1
    assert "LedgerError: the" in done.stderr.splitlines()[-1]
    assert "disk" in done.stderr.splitlines()[-1]
    assert book.verify() == ()
    stored = [int(one.event.step) for one in book.events("d-full")]
    assert stored == [int(line) for line in done.stdout.split()]




def test_a_ledger_that_another_process_makes_just_now_is_waited_for(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # where SQLite refuses to switch to a write-ahead log, and does not wait
        opening = subprocess.Popen([sys.executable, "-c", APPENDER, str(path), "late", "1"], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            opening.wait(2)
        other.execute("COMMIT")
        out, said = opening.communicate(timeout=60)
    assert (opening.returncode, said) == (0, ""), out
