"""A command that runs on a host by itself, where nothing but short commands and whole files can be sent: as POSIX sh (pure).

For connections that carry no stdin and give output only at the end. The launcher, script and payload in one file, makes
a folder in memory, starts the same remote line as everywhere in a session of its own, and each poll fetches what it has
written since, in base64. Output waits for its reader (64 pieces of at most 64 KiB); the end of stdin is a file. When
nobody has polled for SILENCE seconds, stdin ends and output is dropped: what may be cancelled is, what changes goes on.
A command that answers beats gets a byte now and then, but only if somebody has polled since the last one.

Other users of the host read the arguments of programs, and write to /dev/shm too. So everything lies in a home that
`mktemp` makes for one session (0700): its name may be known. Every line first enters the home and then asks whether it
owns it, in this order: a folder that somebody else put there in the meantime is refused, and nothing of it is run.
"""

import base64
import binascii
import functools
import hashlib
import re
from importlib import resources

from lading.dataclass import dataclass
from lading.transport import command

SILENCE = 20  # seconds
LEFT = "lading-left"  # what `leave_all` answers
HOMELESS = 45  # the status of a line whose session has no home any more
_LINE = 48 * 1024  # characters of base64; Linux takes arguments of 128 KiB, and a FIFO holds 64
_TICK = 0.2  # seconds that `feed` in detached/run.sh sleeps between two looks
_PIECES = 6  # of at most 64 KiB, in one answer

_FOLDER = resources.files("lading.transport") / "detached"
_DROPPED = re.compile(r"^ *(?:#.*\n|\n)?", re.M)  # comments, empty lines, indentation
# Lines for every login shell: one pair of quotes, and what differs stands behind it as words, of which the first is the home.
# In this order: what is asked is the folder that we are in, and who put it there cannot change it any more.
_ENTER = f'd=$(pwd); {{ cd "$1" 2>/dev/null && [ -O . ]; }} || exit {HOMELESS}; '
_RUN = _ENTER + 'shift; exec /bin/sh "$@"'
_LAUNCH = _ENTER + '(umask 077; echo "$3" | base64 -d >"$2") && /bin/sh "$2" "$d"; s=$?; rm -f "$2"; exit $s'
_LEAVE_ALL = _ENTER + (
    f'for w in */; do if [ -d "$w" ]; then true >"$w/gone"; true >"$w/eof"; fi; done; cd /; rmdir "$1" 2>/dev/null; echo {LEFT}'
)
_MAKE = (
    'umask 077; find /dev/shm -maxdepth 1 -type d -name "lading-*" -user "$(id -u)" -mmin +2880 -exec rm -rf {} + 2>/dev/null; '
    'h=$(mktemp -d /dev/shm/lading-XXXXXXXXXX) && echo "LADING home $h"'
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one command is on a host: the session's *home* there, and its number in it."""

    home: str
    number: int


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a poll brought: pieces of stdout and stderr in their order, the status once there is one, and whether that was all."""

    stdout: tuple[bytes, ...]
    stderr: tuple[bytes, ...]
    status: int | None
    ended: bool


def make_home() -> str:
    """The line that makes a home for a session, and removes those that are left of sessions long over."""
    return _line(_MAKE)


def home(answer: str) -> str:
    """The home that a host has made; "" if it made none."""
    found = _HOME.search("\n" + answer.replace("\r", ""))
    return found[1] if found else ""


def launcher(place: Place, line: str, sent: bytes, beats: float = 0.0) -> bytes:
    """The file to be run on the host: it starts *line* with *sent* on its stdin, at *place*, and answers as a first poll.

    With *beats*, a byte follows every so many seconds as long as polls come. It does nothing before it has been read to
    its end, and nothing with an input that is not whole.
    """
    run: dict[str, str | int] = {
        "LINE": line, "SILENCE": SILENCE, "HOME_DIR": place.home, "TICKS": round(beats / _TICK),
    }
    values: dict[str, str | int] = {
        "HOME_DIR": place.home, "NUMBER": place.number, "SUM": hashlib.sha256(sent).hexdigest(),
        "POLL": command.assign({"PIECES": _PIECES}) + _text("poll"),
        "RUN": command.assign(run) + _text("run"),
    }
    text = f"{command.assign(values)}{_text('launch')}"
    size = len(_with_offset(0, text))
    return _with_offset(size + 1, text) + sent


def _with_offset(offset: int, text: str) -> bytes:
    return f"#!/bin/sh\n{command.assign({'OFFSET': f'{offset:08d}'})}{text}".encode()


@functools.cache
def _text(name: str) -> str:
    return _DROPPED.sub("", (_FOLDER / f"{name}.sh").read_text("utf-8"))


def launching(place: Place, file: bytes) -> str | None:
    """The line that makes and runs a launcher without a file being sent, None if it is too long for that.

    Only for what holds no secret: other users of the host may see the arguments of programs.
    """
    text = base64.b64encode(file).decode()
    if len(text) > _LINE:
        return None
    return _line(_LAUNCH, place.home, f"./{place.number}.sh", text)


def poll(place: Place, stdout: int, stderr: int, *, eof: bool = False) -> str:
    """The line that fetches what came after the first *stdout* and *stderr* pieces; *eof* ends the command's stdin."""
    ends = ["eof"] if eof else []
    return _line(_RUN, place.home, f"{place.number}/poll", str(stdout), str(stderr), *ends)


def leave(place: Place) -> str:
    """The line that ends the command's stdin and says that nobody will fetch its output."""
    return _line(_RUN, place.home, f"{place.number}/poll", "0", "0", "gone")


def leave_all(place: str) -> str:
    """The same for all commands of the session with this home, which goes when the last of them has ended."""
    return _line(_LEAVE_ALL, place)


def _line(does: str, *words: str) -> str:
    """A line that every login shell reads alike: none of *words* needs a quote."""
    return " ".join(["/bin/sh", "-c", f"'{does}'", *(["sh", *words] if words else [])])


_HOME = re.compile(r"\nLADING home (/dev/shm/lading-[A-Za-z0-9]{10})\n")
_ANSWER = re.compile(r"\nLADING pieces\n((?:[oe] [A-Za-z0-9+/=]*\n)*)LADING (-|\d+) ([01])\n")


def pieces(answer: str) -> Pieces | None:
    """What a poll answered; None if that is no answer of a poll."""
    found = _ANSWER.search("\n" + answer.replace("\r", ""))
    if found is None:
        return None
    lines = [line.split(" ", 1) for line in found[1].splitlines()]
    try:
        decoded = [(name, base64.b64decode(text, validate=True)) for name, text in lines]
    except binascii.Error:
        return None
    return Pieces(
        tuple(content for name, content in decoded if name == "o"),
        tuple(content for name, content in decoded if name == "e"),
        None if found[2] == "-" else int(found[2]), found[3] == "1",
    )
