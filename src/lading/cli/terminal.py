"""The one door to the terminal: every text and question goes through it, and nothing in them steers the terminal.

What is printed comes from files, hosts, registries, programs and ledgers, none of which is trusted: control characters,
also those of Unicode (C1, directions, unpaired surrogates), are shown as `�`, or escaped in JSON; piped or not, since
what is piped often ends at a terminal. Only lading's own colours (render, progress) are escape sequences.

What cannot be shown (terminal closed, reader gone, disk full) stops nothing: a deployment goes on and says how it ended
by its exit code, in the ledger and on the hosts.
"""

import io
import json
import os
import re
import select
import signal
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lading import loading
from lading.cli import documents, layout

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


def clean(text: str) -> str:
    """*text* without control characters but line ends and tabs; colours are left out, all else is seen as `�`."""
    plain = _COLOUR.sub("", text.replace("\r\n", "\n"))
    return plain if plain.isprintable() else "".join(c if c in "\n\t" or _shows(c) else "�" for c in plain)


def _shows(c: str) -> bool:
    return c.isprintable() or unicodedata.category(c) == "Zs"  # such as the no-break space


def one_line(text: str) -> str:
    """The same on one line, so that a text cannot pass for the next row or line of lading's own."""
    return " ".join(part for part in clean(text).split("\n") if part)


_began = _shown_at = time.monotonic()


def shown() -> None:
    """Something is seen to happen: somebody who waits need not be told that it goes on."""
    global _shown_at
    _began = _shown_at = time.monotonic()


def running_for() -> float:
    """Seconds since this began, as whoever sits at the terminal counts them."""
    return time.monotonic() - _began


def quiet_for() -> float:
    """Seconds since anything was shown."""
    return time.monotonic() - _shown_at


def width(*, error: bool = False) -> int:
    """How many columns the terminal at stdout, or stderr, has; 0 = there is none."""
    stream = sys.stderr if error else sys.stdout
    if not stream.isatty():
        return 0
    told = os.environ.get("COLUMNS", "")
    if told.isdigit() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def columns() -> int:
    """How wide a page on stdout is laid out; without a terminal as COLUMNS says, or as on one of 80."""
    told = os.environ.get("COLUMNS", "")
    return width() or (int(told) if told.isdigit() and int(told) else 80)


def out(text: str) -> None:
    """A line of the result, on stdout; on a terminal broken between words."""
    shown()
    _write(_fitted(one_line(text), width()) + "\n")


def err(text: str) -> None:
    """What is said beside the result, on stderr; a text of several lines is indented from its second line on."""
    shown()
    wide = width(error=True)
    lines = clean(text).replace("\n", "\n        ").split("\n")
    _write("".join(f"{_fitted(line, wide)}\n" for line in lines), error=True)


def _write(text: str, *, error: bool = False) -> None:
    """At once, whoever reads it."""
    stream = sys.stderr if error else sys.stdout
    stream.write(text)
    stream.flush()


def _fitted(line: str, wide: int) -> str:
    """A line that is wider than the terminal, broken between words; its further lines stand a bit to the right."""
    if not wide or layout.breadth(line) <= wide:
        return line
    lead = line[: len(line) - len(line.lstrip())]
    parts = layout.wrapped(line, max(wide - len(lead) - 2, 20))
    return "\n".join(f"{lead}{'  ' if number else ''}{part}" for number, part in enumerate(parts))


def raw(text: str) -> None:
    """Lines that another program is to read, on stdout: they are JSON, of one line each."""
    _write("".join(f"{escaped(line)}\n" for line in text.removesuffix("\n").split("\n")))


def document(name: str, value: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
    """The one JSON document of `--json`, with its version; *name*: that of its schema."""
    whole = documents.versioned(name, value)
    lines = json.dumps(whole, ensure_ascii=False, indent=1).split("\n")
    _write("".join(f"{escaped(line)}\n" for line in lines))


def escaped(text: str) -> str:
    """A line of JSON, the same value, with every character escaped that is not printable."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def confirm(question: str) -> bool:
    """Ask for yes or no on the terminal, on stderr; a signal that stops lading and the end of the input are a no."""
    with _signals() as heard:  # from before the question is seen
        while True:
            shown()
            _write(f"{one_line(question)} [y/N]: ", error=True)
            answer = _answer(heard)
            if answer is None:
                err("")
            if answer in ("y", "yes"):
                return True
            if answer in (None, "", "n", "no"):
                return False
            err("answer y or n")


@contextmanager
def _signals() -> Iterator[int]:
    """What can be read from as soon as a signal has come, for an event loop that would hear of it stands still meanwhile."""
    heard, told = os.pipe()
    os.set_blocking(told, False)
    is_main = threading.current_thread() is threading.main_thread()  # another hears of none
    before = signal.set_wakeup_fd(told) if is_main else -1
    try:
        yield heard
    finally:
        if is_main:
            signal.set_wakeup_fd(before)
        os.close(heard)
        os.close(told)


def _answer(heard: int) -> str | None:
    """The line that is typed, in small letters; None = the input has ended, or a signal was *heard* instead."""
    try:
        if sys.stdin.isatty() and heard in select.select([sys.stdin.fileno(), heard], [], [])[0]:
            return None
        line = sys.stdin.readline()
    except (KeyboardInterrupt, OSError):  # OSError: the terminal is gone
        return None
    return line.strip().lower() if line else None


def prompt(question: str, default: str | None) -> str:
    """Ask for a text on the terminal, on stderr."""
    with loading.later():  # help is shown without click, most of whose start it would be
        import click

    return str(click.prompt(one_line(question), default=default, show_default=bool(default), err=True))


class _Lasting(io.RawIOBase):
    """A stream on which writing never fails: from the first failure on, kept as *lost*, it takes everything and shows nothing."""

    def __init__(self, raw: io.FileIO) -> None:
        self.raw = raw
        self.lost: OSError | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.raw.fileno()

    def isatty(self) -> bool:
        return self.raw.isatty()

    def write(self, data: Any) -> int:
        """As of a blocking stream, also where somebody made it one that does not block."""
        while self.lost is None:
            try:
                written = self.raw.write(data)
            except OSError as lost:
                self.lost = lost
                break
            if written is not None:
                return written
            select.select([], [self.raw], [])
        return memoryview(data).nbytes


_streams: dict[str, _Lasting] = {}


def lost_result() -> OSError | None:
    """Why the result could not be written to stdout, if it could not; all that was said so far is written first."""
    sys.stdout.flush()
    return _streams["stdout"].lost if "stdout" in _streams else None


def prepare() -> None:
    """Writing never fails, and a terminal that cannot show a letter gets its escape."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed before the process began: what is said goes nowhere
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        if not isinstance(stream, io.TextIOWrapper):
            continue
        raw = getattr(stream.buffer, "raw", stream.buffer)  # PYTHONUNBUFFERED: the file itself
        if isinstance(raw, io.FileIO):
            lines, encoding = stream.line_buffering, stream.encoding
            stream.flush()
            _streams[name] = _Lasting(raw)
            stream = io.TextIOWrapper(io.BufferedWriter(_streams[name]), encoding=encoding, line_buffering=lines)
            setattr(sys, name, stream)
        stream.reconfigure(errors="backslashreplace")
