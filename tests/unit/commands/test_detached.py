"""What is sent where no stdin crosses: a launcher, polls in base64, nothing secret in a line."""

import subprocess
from pathlib import Path

from lading.commands import detached

TOKEN = "0123456789abcdef"


def test_pieces_of_a_poll() -> None:
    got = detached.pieces("a banner\r\n\nLADING pieces\r\no aGkK\r\ne ZXJy\r\no eHl6\r\nLADING 7 1\r\n")
    assert got == detached.Pieces((b"hi\n", b"xyz"), (b"err",), 7, True)
    got = detached.pieces("\nLADING pieces\nLADING - 0\n")
    assert got == detached.Pieces((), (), None, False)


def test_what_is_no_answer_of_a_poll() -> None:
    assert detached.pieces("sh: 1: cannot open poll") is None
    assert detached.pieces("\nLADING pieces\no aGkK\n") is None  # cut
    assert detached.pieces("\nLADING pieces\no aGk\nLADING - 0\n") is None  # not base64


def test_a_launcher_cuts_itself_where_the_input_begins() -> None:
    sent = bytes(range(256)) * 3
    file = detached.launcher(detached.folder(TOKEN, 3), "exec true", sent)
    text = file[: -len(sent)].decode()
    offset = int(text.split("tail -c +")[1].split()[0])
    assert file[offset - 1 :] == sent
    assert "FOLDER" not in text and "TEXT_OF" not in text and "SILENCE" not in text and "PIECES" not in text


def test_short_launchers_go_as_a_line_long_ones_do_not() -> None:
    place = detached.folder(TOKEN, 1)
    line = detached.launching(place, b"#!/bin/sh\necho it's\n")
    assert line is not None
    assert "\n" not in line and "!" not in line and line.count("'") == 2  # fish and tcsh read it alike
    assert detached.launching(place, bytes(60_000)) is None


def test_lines_are_plain_words() -> None:
    place = detached.folder(TOKEN, 2)
    assert detached.poll(place, 3, 4) == f"/bin/sh /dev/shm/lading-{TOKEN}-2/poll 3 4"
    assert detached.poll(place, 0, 0, eof=True).endswith("poll 0 0 eof")
    assert detached.leave(place).endswith("poll 0 0 gone")
    assert f"{detached.base_folder(TOKEN)}-*/" in detached.leave_all(TOKEN)


def test_a_command_runs_apart_and_its_folder_is_removed_at_the_end(tmp_path: Path) -> None:
    place = str(tmp_path / "lading-test-1")
    (tmp_path / "file").write_bytes(detached.launcher(place, "exec sh -c 'cat; echo no >&2; exit 5'", b"three words\n"))
    answer = subprocess.run(["sh", tmp_path / "file"], capture_output=True, text=True, check=True).stdout
    out = err = b""
    eof = False
    while True:
        got = detached.pieces(answer)
        assert got is not None
        out, err = out + b"".join(got.stdout), err + b"".join(got.stderr)
        if got.ended:
            break
        line = detached.poll(place, len(out) and 1, len(err) and 1, eof=not eof).split()
        eof = True
        answer = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert (out, err, got.status) == (b"three words\n", b"no\n", 5)
    assert not Path(place).exists()
