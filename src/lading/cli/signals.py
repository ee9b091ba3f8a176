"""Ctrl-C, SIGTERM and a terminal that is closed: what was begun is undone, or left at once."""

import asyncio
import os
import signal

from lading.cli import terminal


def watch(stop: asyncio.Event, *, says: bool) -> None:
    """The first Ctrl-C or SIGTERM sets *stop* (*says*: and tells that what was begun is undone); the second leaves at once.

    A terminal that is closed (SIGHUP) sets *stop* too, but never counts as a second: it often comes twice. Under nohup it
    is ignored.
    """
    asked = False

    def first() -> None:
        nonlocal asked
        if asked:
            terminal.err("")
            terminal.err("leaving at once; what is open on the hosts: lading resume")
            os._exit(130)
        asked = True
        stop.set()
        if says:
            terminal.err("")
            terminal.err("stopping after this step, then undoing unless the commit is decided; again to leave at once")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, first)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, stop.set)
