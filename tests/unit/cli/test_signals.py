"""The first signal asks to stop, and says what that means; a terminal that is closed says nothing."""

import asyncio
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios

import pytest

from lading.cli import signals

TWICE = """
import asyncio, os, signal
from lading.cli import signals

async def work():
    stop = asyncio.Event()
    signals.watch(stop, says=True)
    os.kill(os.getpid(), signal.SIGTERM)
    await stop.wait()
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(60)

asyncio.run(work())
"""


def stopped(number: signal.Signals, *, says: bool) -> None:
    """A signal comes; back once it was heard."""

    async def work() -> None:
        stop = asyncio.Event()
        signals.watch(stop, says=says)
        os.kill(os.getpid(), number)
        async with asyncio.timeout(30):
            await stop.wait()

    asyncio.run(work())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_promises_an_undo_only_as_long_as_nothing_is_decided(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped(number, says=True)
    assert "stopping after this step, then undoing unless the commit is decided; again to leave at once" in capsys.readouterr().err


def test_a_verb_that_only_looks_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    stopped(signal.SIGINT, says=False)
    stopped(signal.SIGHUP, says=True)
    assert capsys.readouterr().err == ""


def test_the_second_leaves_at_once_and_names_what_ends_the_rest() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == "leaving at once; what is open on the hosts: lading resume"

ASKED = """
import asyncio
import fcntl
from lading.cli import signals, terminal
async def work():
    stop = asyncio.Event()
    signals.watch(stop, says=True)
    print("answer:", terminal.confirm("Deploy?"), flush=True)
    await asyncio.sleep(0)
    print("stop:", stop.is_set(), flush=True)
asyncio.run(work())
"""


def test_a_question_is_ended_by_ctrl_c_at_once_and_counts_as_no() -> None:
    """The event loop stands still while it is asked, so that what it watches is heard by nobody."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", ASKED], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
                               preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(theirs)
    said = b""
    while True:
        try:
            said += os.read(ours, 65536)
        except OSError:  # the last one at the terminal has left
            break
        if b"Deploy? [y/N]" in said and b"\x03" not in said:
            os.write(ours, b"\x03")
            said += b"\x03"
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert b"answer: False" in said
    assert b"stop: False" in said
