"""Modules that are imported once this call turns out to need them; garbage meanwhile."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def later() -> Iterator[None]:
    """Whatever is imported inside a function is imported in here, with the reason beside it.

    What is imported stays, so no garbage is looked for meanwhile.
    """
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


@contextlib.contextmanager
def without_optional_libraries() -> Iterator[None]:
    """No library of this machine is looked for: what is imported in here does without.

    asyncssh looks for liboqs and libnettle when it is imported. Python's search for a library that
    is not there starts ldconfig, gcc and ld, each time anew; and what servers are offered would
    depend on what else is installed here.
    """
    import ctypes.util

    find = ctypes.util.find_library
    ctypes.util.find_library = _find_nothing
    try:
        yield
    finally:
        ctypes.util.find_library = find


def _find_nothing(name: str) -> None:
    """No library has this name."""


def done() -> None:
    """The verb is loaded, and begins: garbage is looked for from now on, if it was not.

    What was loaded is left out for good: the first look would find nothing in all of it.
    """
    if gc.isenabled():
        return
    gc.freeze()
    gc.enable()
