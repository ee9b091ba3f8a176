"""How an error is said, and the last word on the exit code: a result that could not be written is an error, too."""

import errno

from lading import errors
from lading.cli import terminal


def report(wrong: errors.LadingError, as_json: bool) -> None:
    """Say what is wrong, where, and what to type next: one JSON document on stdout, or text on stderr."""
    if as_json:
        terminal.document("error", {"error": wrong.as_json()})
        return
    place = ", ".join(filter(None, [
        wrong.file + (f":{wrong.line}" if wrong.line else ""), f"host {wrong.host}" if wrong.host else "",
        f"step {wrong.step}" if wrong.step else "",
    ]))
    terminal.err(f"error: {wrong.message}")
    if place:
        terminal.err(f"   at: {place}")
    if wrong.hint:
        terminal.err(f" hint: {wrong.hint}")


def exit_code(code: int) -> int:
    """The exit code, or 1 if all was well but the result could not be written; a reader who has enough, or is gone, is no fault."""
    lost = terminal.lost_result()
    if code or lost is None or lost.errno in (errno.EPIPE, errno.EIO):
        return code
    report(errors.LadingError(f"the result cannot be written to stdout: {lost.strerror}", "the command itself ended well"), as_json=False)
    return 1
