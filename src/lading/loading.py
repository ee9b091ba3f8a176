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


def done() -> None:
    """The verb is loaded, and begins: garbage is looked for from now on, if it was not.

    What was loaded is left out for good: the first look would find nothing in all of it.
    """
    if gc.isenabled():
        return
    gc.freeze()
    gc.enable()
