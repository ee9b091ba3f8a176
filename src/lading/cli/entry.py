"""The process: how it begins without a look for garbage, and how it leaves at once."""

import atexit
import gc
import os
import sys
import threading
from typing import NoReturn

from lading import loading


def main() -> NoReturn:
    """Run the command that was typed, and leave with its exit code."""
    gc.disable()  # `loading.done` turns it on again
    words = sys.argv[1:]
    if wants_front_page(words):
        leave(show_front_page(words))
    with loading.later():  # not before the line above; help needs none of it
        from lading.cli import main as program
    leave(program.run(words))


def wants_front_page(words: list[str]) -> bool:
    """Whether only what lading can do is asked for; a shell's Tab asks by the environment."""
    return words in ([], ["-h"], ["--help"]) and "_LADING_COMPLETE" not in os.environ


def show_front_page(words: list[str]) -> int:
    """Show it; the exit code."""
    with loading.later():  # verbs load some of it, and much more
        from lading.cli import front, reporting, terminal
    terminal.prepare()
    page = front.help_page(front.width_on(terminal.columns())) if words else front.overview()
    for line in page.splitlines():
        terminal.out(line)
    return reporting.exit_code(0)


def leave(code: int) -> NoReturn:
    """Leave at once: to free all that was loaded, object by object, is a tenth of a short command.

    What others want done at the end is done, and all that was said is written. A thread that still
    works is waited for, by the interpreter's own way out.
    """
    if threading.active_count() > 1:
        sys.exit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # never fails: see `terminal.prepare`
    os._exit(code)
