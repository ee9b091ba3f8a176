"""The first signal asks to stop, and says what that means; a terminal that is closed says nothing."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

import at_terminal
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
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup
    stopped(signal.SIGHUP, says=True)
    signal.signal(signal.SIGHUP, before)
    assert capsys.readouterr().err == ""


def test_the_second_leaves_at_once_and_names_what_ends_the_rest() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == (
        "leaving at once; what is open on the hosts goes on with: lading resume; or back: lading resume APP --undo")


ASKED = """
import asyncio
from lading.cli import signals, terminal

async def work():
    stop = asyncio.Event()
    signals.watch(stop, says=True)
    print("answer:", terminal.confirm("Deploy?"), flush=True)
    await asyncio.sleep(0)
    print("stop:", stop.is_set(), flush=True)

asyncio.run(work())
"""


@pytest.fixture
def asked() -> Iterator[at_terminal.AtTerminal]:
    """A program that asks, while its event loop stands still."""
    program = at_terminal.AtTerminal([sys.executable, "-c", ASKED])
    yield program
    if program.process.poll() is None:
        program.kill()
        program.process.wait()


@pytest.mark.parametrize("keys", [b"\x03", b"\x04", b"n\n", b"\n", b"what\nno\n"])
def test_a_question_is_ended_by_ctrl_c_at_once_and_counts_as_no(asked: at_terminal.AtTerminal, keys: bytes) -> None:
    asked.sees("Deploy? [y/N]")
    asked.type(keys)
    assert asked.leaves() == 0
    assert b"answer: False" in asked.said
    assert b"stop: False" in asked.said
    assert (b"answer y or n" in asked.said) is (b"what" in keys)


def test_a_question_is_ended_by_sigterm_too(asked: at_terminal.AtTerminal) -> None:
    asked.sees("Deploy? [y/N]")
    asked.process.terminate()
    assert asked.leaves() == 0
    assert b"answer: False" in asked.said


def test_yes_is_yes(asked: at_terminal.AtTerminal) -> None:
    asked.sees("Deploy? [y/N]")
    asked.type(b"Y\n")
    assert asked.leaves() == 0
    assert b"answer: True" in asked.said
