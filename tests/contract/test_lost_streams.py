"""Where lading's words go does not matter to what it does: a full disk, a reader who left, a stream that does not block."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LADING = (sys.executable, "-m", "lading")
FULL = Path("/dev/full")


@pytest.mark.parametrize(("words", "code"), [(("--version",), 1), (("--help",), 1), (("history", "x", "--config", "none"), 2)])
def test_a_result_that_cannot_be_written_is_said(words: tuple[str, ...], code: int) -> None:
    with FULL.open("w") as full:
        done = subprocess.run([*LADING, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == code
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    if code == 1:
        assert "the result cannot be written to stdout: No space left on device" in done.stderr


def test_words_beside_the_result_are_left_out_where_they_cannot_be_written() -> None:
    with FULL.open("w") as full:
        wrong = subprocess.run([*LADING, "history", "x", "--config", "none"], stdout=subprocess.PIPE, stderr=full, text=True, check=False)
        both = subprocess.run([*LADING, "--version"], stdout=full, stderr=full, check=False)
    assert (wrong.returncode, both.returncode) == (2, 1)


def test_a_reader_who_has_enough_is_no_fault() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*LADING, "--help"], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stream_that_does_not_block_gets_everything() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    code = ("import sys\nfrom lading.cli import terminal\nterminal.prepare()\n"
            "terminal.out('x' * 300000)\nsys.exit(terminal.lost_result() is not None)\n")
    with subprocess.Popen([sys.executable, "-c", code], stdout=write) as process, os.fdopen(read) as reader:
        os.close(write)
        assert reader.read() == "x" * 300000 + "\n"
        assert process.wait(30) == 0
