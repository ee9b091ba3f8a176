"""While a verb waits it says for whom; Ctrl-C before anything was begun ends it at once."""

import asyncio
import os
import signal
from pathlib import Path

import click
import pytest

from lading import errors
from lading.cli import main, session
from lading.transport import under_way


def a_fleet(folder: Path) -> str:
    (folder / "lading.yaml").write_text("lading: 1\nhosts: {web1: {address: 127.0.0.1, port: 1}}\n")
    return str(folder / "lading.yaml")


def test_each_question_is_named_once_with_the_hosts_that_have_not_answered() -> None:
    noted = under_way.UnderWay()
    assert session.waiting(noted.words()) == "still at work"
    with noted.until_answered("web1", "observe"), noted.until_answered("web2", "observe"):
        with noted.until_answered("db1", "lease"):
            assert session.waiting(noted.words()) == "waiting for web1, web2 (observe), db1 (lease)"
        assert noted.words() == {"observe": ("web1", "web2")}


def test_what_nobody_shows_anything_of_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(session, "PIPED_BEATS", (0.02,))
    said = ""

    async def work() -> None:
        nonlocal said
        async with session.opened(a_fleet(tmp_path)):
            async with asyncio.timeout(30):
                while "s: still at work …" not in said:
                    await asyncio.sleep(0.01)
                    said += capsys.readouterr().err

    session.run(work())
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_anything_was_begun_the_first_signal_leaves_at_once(tmp_path: Path, number: signal.Signals) -> None:
    async def work() -> None:
        async with session.opened(a_fleet(tmp_path)):
            os.kill(os.getpid(), number)
            await asyncio.sleep(600)

    with pytest.raises(errors.LeftError, match="nothing was changed"):
        session.run(work())


def test_what_was_begun_is_not_torn_off_but_asked_to_stop(tmp_path: Path) -> None:
    async def work() -> bool:
        async with session.opened(a_fleet(tmp_path), begun=lambda: True) as context:
            os.kill(os.getpid(), signal.SIGINT)
            async with asyncio.timeout(30):
                return await context.stop.wait()

    assert session.run(work())


@pytest.mark.parametrize(("times", "said"), [(0, None), (1, ["web1 roll: begins"]), (2, ["web1 roll: begins", "        web1 roll | set -eu"])])
def test_scripts_are_told_only_with_vv(times: int, said: list[str] | None, capsys: pytest.CaptureFixture[str]) -> None:
    with click.Context(click.Command("where")) as here:
        here.meta[main.VERBOSE] = times
        tell = session.teller()
        if tell is not None:
            tell("web1 roll: begins\nweb1 roll | set -eu")
    assert (capsys.readouterr().err.splitlines() if tell else None) == said
