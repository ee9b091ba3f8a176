"""One call of a verb: its context from what was typed, its event loop, what it says at its end."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import click

from lading import bootstrap, errors
from lading import context as contexts
from lading.bootstrap import LedgerUse
from lading.cli import main, signals, terminal

T = TypeVar("T")


def verbose() -> bool:
    """Whether -v was given."""
    here = click.get_current_context(silent=True)
    return here is not None and bool(here.meta.get(main.VERBOSE))


def teller() -> Callable[[str], None] | None:
    """What says that which only -v asks for; None without -v."""
    return terminal.err if verbose() else None


@asynccontextmanager
async def opened(
    config: str, directory: Path = Path(), *, use: LedgerUse = LedgerUse.NONE, offline: bool = False
) -> AsyncIterator[contexts.Context]:
    """The context of this call; signals set its `stop`. *offline*: no host is asked."""
    opening = bootstrap.opened(
        os.environ, directory, config, use=use, tell=teller(), warn=note, offline=offline)
    async with opening as context:
        signals.watch(context.stop, says=use in (LedgerUse.WRITTEN, LedgerUse.QUESTIONED))
        yield context


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
