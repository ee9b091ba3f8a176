"""What is sent where no stdin crosses: a launcher, polls in base64, nothing secret in a line."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lading.transport import ansible_detached

HOME = "/dev/shm/lading-0123456789"


def test_pieces_of_a_poll() -> None:
    got = ansible_detached.pieces("a banner\r\n\nLADING pieces\r\no aGkK\r\ne ZXJy\r\no eHl6\r\nLADING 7 1\r\n")
    assert got == ansible_detached.Pieces((b"hi\n", b"xyz"), (b"err",), 7, True)
    got = ansible_detached.pieces("\nLADING pieces\nLADING - 0\n")
    assert got == ansible_detached.Pieces((), (), None, False)


def test_what_is_no_answer_of_a_poll() -> None:
    assert ansible_detached.pieces("sh: 1: cannot open poll") is None
    assert ansible_detached.pieces("\nLADING pieces\no aGkK\n") is None  # cut
    assert ansible_detached.pieces("\nLADING pieces\no aGk\nLADING - 0\n") is None  # not base64


def test_what_is_no_home() -> None:
    assert ansible_detached.home(f"hello\r\nLADING home {HOME}\r\n") == HOME
    for answer in ("", "mktemp: failed to create directory", "LADING home /tmp/x\n", f"LADING home {HOME}/../x\n"):
        assert ansible_detached.home(answer) == ""


@pytest.fixture
def home() -> Iterator[str]:
    """A home, made by the line that makes one."""
    said = subprocess.run(ansible_detached.make_home(), shell=True, capture_output=True, text=True, check=True).stdout
    found = ansible_detached.home(said)
    assert Path(found).stat().st_mode & 0o777 == 0o700
    yield found
    subprocess.run(["rm", "-rf", found], check=True)


def start(place: ansible_detached.Place, sent: bytes = b"three words\n") -> bytes:
    return ansible_detached.launcher(place, "exec sh -c 'cat; echo no >&2; exit 5'", sent)


def test_a_launcher_cuts_itself_where_the_input_begins() -> None:
    sent = bytes(range(256)) * 3
    file = ansible_detached.launcher(ansible_detached.Place(HOME, 3), "exec true", sent)
    text = file[: -len(sent)].decode()
    offset = int(text.split("OFFSET=")[1].split()[0])
    assert file[offset - 1 :] == sent


def test_short_launchers_go_as_a_line_long_ones_do_not() -> None:
    place = ansible_detached.Place(HOME, 1)
    line = ansible_detached.launching(place, b"#!/bin/sh\necho it's\n")
    assert line is not None
    for one in (line, ansible_detached.make_home(), ansible_detached.poll(place, 3, 4), ansible_detached.leave(place), ansible_detached.leave_all(HOME)):
        assert "\n" not in one and "!" not in one and one.count("'") == 2  # fish and tcsh read it alike
    assert ansible_detached.launching(place, bytes(60_000)) is None


def followed(place: ansible_detached.Place, answer: str) -> tuple[bytes, bytes, int | None]:
    """What a command writes, and how it ends: its stdin ends at the first poll."""
    out = err = b""
    eof = False
    while True:
        got = ansible_detached.pieces(answer)
        assert got is not None
        out, err = out + b"".join(got.stdout), err + b"".join(got.stderr)
        if got.ended:
            return out, err, got.status
        line = ansible_detached.poll(place, len(out) and 1, len(err) and 1, eof=not eof)
        eof = True
        answer = subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout


def test_a_command_runs_apart_and_its_folder_is_removed_at_the_end(home: str, tmp_path: Path) -> None:
    brought, lined = ansible_detached.Place(home, 1), ansible_detached.Place(home, 2)
    (tmp_path / "file").write_bytes(start(brought))
    line = ansible_detached.launching(lined, start(lined))
    assert line is not None
    for place, argv in ((brought, ["sh", str(tmp_path / "file")]), (lined, ["sh", "-c", line])):
        answer = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        assert followed(place, answer) == (b"three words\n", b"no\n", 5)
    assert list(Path(home).iterdir()) == []
    assert subprocess.run(ansible_detached.leave_all(home), shell=True, capture_output=True, check=True).stdout == b"lading-left\n"
    assert not Path(home).exists()


@pytest.mark.parametrize("beats", [0.0, 0.2])
def test_a_byte_follows_the_input_for_each_poll_but_not_without_one(home: str, tmp_path: Path, beats: float) -> None:
    place, got = ansible_detached.Place(home, 1), tmp_path / "got"
    line = ansible_detached.launching(place, ansible_detached.launcher(place, f"exec sh -c 'cat >{got}'", b"three words\n", beats))
    assert line is not None
    subprocess.run(["sh", "-c", line], check=True, capture_output=True)

    def polled(**how: bool) -> int:
        """A poll, which waits a second; how many bytes were there then."""
        subprocess.run(ansible_detached.poll(place, 0, 0, **how), shell=True, check=True, capture_output=True)
        assert got.read_bytes().strip(b".") == b"three words\n"
        return got.read_bytes().count(b".")

    polled()
    assert (polled() >= 2) is (beats > 0.0)
    assert any(still(got) for _ in range(5))
    polled(eof=True)


def still(file: Path) -> bool:
    """Whether nothing was written for five times as long as a byte takes."""
    before = file.read_bytes()
    time.sleep(1)
    return file.read_bytes() == before


@pytest.mark.parametrize("kept", [200, -6, -1])
def test_what_was_not_brought_whole_is_not_run(home: str, tmp_path: Path, kept: int) -> None:
    """As where /dev/shm is full, or the link broke: in the launcher, in the input, before its last byte."""
    file = ansible_detached.launcher(ansible_detached.Place(home, 1), f"exec sh -c 'echo x >{tmp_path}/ran'", b"three words\n")
    (tmp_path / "file").write_bytes(file[:kept])
    done = subprocess.run(["sh", tmp_path / "file"], capture_output=True, check=False)
    assert ansible_detached.pieces(done.stdout.decode()) is None
    assert (list(Path(home).iterdir()), (tmp_path / "ran").exists()) == ([], False)


def test_nothing_is_run_in_a_home_of_somebody_else(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="lading-", dir="/dev/shm") as name:
        home = "/"  # for who is not root, somebody else's already
        if os.geteuid() == 0:
            home = name
            os.chown(home, 65534, 65534)
            (Path(home) / "1").mkdir()
            (Path(home) / "1/poll").write_text(f"echo x >{tmp_path}/ran\n")
        place = ansible_detached.Place(home, 1)
        line = ansible_detached.launching(place, start(place))
        assert line is not None
        for one in (line, ansible_detached.poll(place, 0, 0), ansible_detached.leave(place), ansible_detached.leave_all(home)):
            assert subprocess.run(one, shell=True, check=False).returncode == ansible_detached.HOMELESS
        (tmp_path / "file").write_bytes(start(place))
        assert subprocess.run(["sh", tmp_path / "file"], check=False).returncode == ansible_detached.HOMELESS
        assert not (tmp_path / "ran").exists()
        assert [path.name for path in Path(name).iterdir()] in ([], ["1"])
