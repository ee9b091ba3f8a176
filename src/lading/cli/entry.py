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
    with loading.later():  # click is most of what --help loads: not before the line above
        from lading.cli import main as program
    leave(program.run(sys.argv[1:]))


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
