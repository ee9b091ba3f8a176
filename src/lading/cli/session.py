"""One call of a verb: its context from what was typed, its event loop, a sign of life while it waits, what it says at its end."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import click

from lading import bootstrap, errors, spans
from lading import context as contexts
from lading.bootstrap import LedgerUse
from lading.cli import main, signals, terminal
from lading.placement import exclusion
from lading.transport import under_way

T = TypeVar("T")
BEATS = (2.0, 4.0, 8.0)
"""Seconds of silence at a terminal after which it is said what is waited for; the last again and again."""
PIPED_BEATS = (10.0, 30.0)
"""The same where nobody watches: cron mails whatever is said."""
SHOWN = 3  # kinds of waiting in one such line


def verbose() -> bool:
    """Whether -v was given."""
    here = click.get_current_context(silent=True)
    return here is not None and bool(here.meta.get(main.VERBOSE))


def teller() -> Callable[[str], None] | None:
    """What says that which only -v asks for; None without -v. The script of a command is said only with -vv."""
    here = click.get_current_context(silent=True)
    times = here.meta.get(main.VERBOSE, 0) if here is not None else 0
    if times > 1:
        return terminal.err
    return _first_line if times else None


def _first_line(text: str) -> None:
    terminal.err(text.partition("\n")[0])


@asynccontextmanager
async def opened(
    config: str, directory: Path = Path(), *, use: LedgerUse = LedgerUse.NONE, offline: bool = False,
    begun: Callable[[], bool] = lambda: False, beats: bool = True,
) -> AsyncIterator[contexts.Context]:
    """The context of this call; signals set its `stop`. *offline*: no host is asked.

    *begun*: whether there is something that a stop has to undo, or to end in order; else it ends this at once. *beats*: say
    what is waited for whenever nothing was shown for a while; not where silence is usual, or the terminal is somebody else's.

    Raises:
        LeftError: it was stopped before anything was begun.
    """
    stop, waits = asyncio.Event(), under_way.UnderWay()
    signals.watch(stop, says=use in (LedgerUse.WRITTEN, LedgerUse.QUESTIONED), begun=begun)
    beating = asyncio.create_task(_beat(waits)) if beats else None
    opening = bootstrap.opened(
        os.environ, directory, config, use=use, tell=teller(), warn=note, offline=offline, noted=waits)
    try:
        async with opening as context:
            yield replace(context, stop=stop)
    except asyncio.CancelledError as left:
        if not stop.is_set():
            raise
        raise errors.LeftError("stopped; nothing was changed", "the same command again") from left
    finally:
        if beating is not None:
            beating.cancel()


async def _beat(waits: under_way.UnderWay) -> None:
    """Say what is waited for, whenever nothing was shown for a while."""
    number = 0
    beats = BEATS if sys.stderr.isatty() else PIPED_BEATS
    while True:
        wanted = beats[min(number, len(beats) - 1)]
        left = wanted - terminal.quiet_for()
        if left > 0:
            await asyncio.sleep(left)
            continue
        number += 1
        terminal.err(f" {terminal.running_for():.0f} s: {waiting(waits.words())} …")


def excluded(config: str) -> exclusion.Excluded:
    """The hosts of the fleet file that are excluded, as far as there is a ledger that can be read; no host is asked."""

    async def work() -> exclusion.Excluded:
        async with opened(config, use=LedgerUse.ASKED, offline=True) as context:
            return await context.excluded()

    try:
        return run(work())
    except (errors.LedgerError, errors.SettingsError) as wrong:
        note(f"nobody can say which hosts are excluded: {wrong.message}")
        return {}


def waiting(words: Mapping[str, tuple[str, ...]]) -> str:
    """What is waited for, in words: what each host was asked, and by whom it is not answered yet."""
    told = [f"{', '.join(spans.packed(list(names)))} ({what})" for what, names in list(words.items())[:SHOWN]]
    more = f" and {len(words) - SHOWN} others" if len(words) > SHOWN else ""
    return f"waiting for {', '.join(told)}{more}" if told else "still at work"


def note(text: str) -> None:
    """Say what people should know beside the result."""
    terminal.err(f" note: {text}")


def notes(context: contexts.Context) -> None:
    """Say what people should know beside the result."""
    for one in context.notes:
        note(one)


@contextmanager
def noted(context: contexts.Context) -> Iterator[None]:
    """However it ends, say what people should know besides."""
    try:
        yield
    finally:
        notes(context)


def answered(silent: Mapping[str, str]) -> int:
    """The exit code of a verb that looked: 6 where a host that was asked has not answered, after its name was said."""
    for name, why in silent.items():
        terminal.err(f"{name} has not answered: {why}")
    return errors.UnansweredError.exit_code if silent else 0


def changed(context: contexts.Context, **words: object) -> contexts.Context:
    """The same context with some of its parts replaced."""
    return replace(context, **words)  # type: ignore[arg-type]


def run(work: Awaitable[T]) -> T:
    """The one asyncio.run of the program."""

    async def whole() -> T:
        return await work

    return asyncio.run(whole())
