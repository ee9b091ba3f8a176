"""A program where nobody can answer: bounded output, and what it leaves behind holds nobody up."""

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lading import by_reference, process, secrets

pytestmark = pytest.mark.contract


def run(script: str, *, timeout: float = 20, limit: int = 1000) -> process.Finished | process.Overdue:
    return asyncio.run(process.unattended(["/bin/sh", "-c", script], env=dict(os.environ), cwd="/", timeout=timeout, limit=limit))


def test_output_is_bounded_and_read_to_its_end() -> None:
    done = run("head -c 3000000 /dev/zero; echo told >&2; exit 3")
    assert isinstance(done, process.Finished)
    assert (done.status, len(done.stdout), done.error_text) == (3, 1000, "told")


def test_an_agent_that_holds_the_output_open_is_not_waited_for() -> None:
    began = time.monotonic()
    done = run("sleep 6 & echo value")
    assert isinstance(done, process.Finished)
    assert done.stdout == b"value\n" and time.monotonic() - began < 5


def test_a_value_that_two_threads_want_is_read_once(tmp_path: Path) -> None:
    known = secrets.Known(dict(os.environ), tmp_path)
    wanted = {"X": by_reference.Source("command", ("/bin/sh", "-c", "echo run >>runs; sleep 0.2; echo x"))}
    together = threading.Barrier(4)

    def read() -> dict[str, str]:
        together.wait(10)
        return known.read(wanted)

    with ThreadPoolExecutor(4) as pool:
        assert [one.result() for one in [pool.submit(read) for _ in range(4)]] == [{"X": "x"}] * 4
    assert (tmp_path / "runs").read_text() == "run\n"


def test_one_that_failed_is_not_run_again(tmp_path: Path) -> None:
    known = secrets.Known(dict(os.environ), tmp_path)
    for _ in range(2):
        with pytest.raises(Exception, match="it ended with status 1"):
            known.read({"X": by_reference.Source("command", ("/bin/sh", "-c", "echo run >>runs; exit 1"))})
    assert (tmp_path / "runs").read_text() == "run\n"
