"""Ctrl-C, SIGTERM and a terminal that is closed: answered at once; what was begun is undone, or left at once."""

import asyncio
import os
import signal
from collections.abc import Callable

from lading.cli import terminal

STOPPING = (
    "stopping after this step, then undoing unless the commit is decided; again to leave at once")


def watch(stop: asyncio.Event, *, says: bool, begun: Callable[[], bool] = lambda: True) -> None:
    """The first Ctrl-C or SIGTERM sets *stop*; the second leaves at once.

    *says*: the first tells that what was begun is undone. Before anything was *begun* there is nothing to undo: the first
    ends the task that watches, which is told by `asyncio.CancelledError` with *stop* set.

    A terminal that is closed (SIGHUP) sets *stop* too, but never counts as a second: it often comes twice. Under nohup it
    is ignored.
    """
    asked = False
    task = asyncio.current_task()

    def first() -> None:
        nonlocal asked
        if asked:
            terminal.err("")
            terminal.err("leaving at once; what is open on the hosts goes on with: lading resume; or back: lading resume APP --undo")
            os._exit(130)
        asked = True
        stop.set()
        if not begun() and task is not None:
            task.cancel()
        elif says:
            terminal.err("")
            terminal.err(STOPPING)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, first)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, stop.set)
