"""Modules that are imported when it turns out that this call needs them, and not at the top of a file."""

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


def done() -> None:
    """The verb is loaded, and begins: if no garbage was looked for until now, it is from now on.

    What was loaded is left out for good: the first look would go through all of it, and find nothing.
    """
    if gc.isenabled():
        return
    gc.freeze()
    gc.enable()
