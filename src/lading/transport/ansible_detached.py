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
import hashlib
import re
from dataclasses import dataclass

SILENCE = 20  # seconds
LEFT = "lading-left"  # what `leave_all` answers
HOMELESS = 45  # the status of a line whose session has no home any more
_LINE = 48 * 1024  # characters of base64; Linux takes arguments of 128 KiB, and a FIFO holds 64
_TICK = 0.2  # seconds that `feed` sleeps between two looks
_PIECES = 6  # of at most 64 KiB, in one answer

POLL = """W=${0%/*}; o=$1 e=$2
case "${3:-}" in eof) true >"$W/eof";; gone) true >"$W/gone"; true >"$W/eof"; exit 0;; esac
echo "$$ $o $e" >"$W/beat.new" && mv "$W/beat.new" "$W/beat" || exit 44
drop(){ i=$(($2 - 1)); while [ -e "$W/$1.$i" ]; do rm -f "$W/$1.$i"; i=$((i - 1)); done; }
drop o $o; drop e $e
over(){ [ -e "$W/status" ] && [ -e "$W/o.eof" ] && [ -e "$W/e.eof" ]; }
n=0; while [ $n -lt 10 ] && [ ! -e "$W/o.$o" ] && [ ! -e "$W/e.$e" ] && ! over; do sleep 0.1; n=$((n + 1)); done
over || sleep 0.1
s=-; [ ! -e "$W/status" ] || read -r s <"$W/status"
end=0; ! over || end=1
show(){ i=$2; while [ $((i - $2)) -lt @PIECES@ ] && [ -e "$W/$1.$i" ]; do
printf '%s ' $1; base64 <"$W/$1.$i" | tr -d '\\n'; echo; i=$((i + 1)); done; [ ! -e "$W/$1.$i" ] || end=0; }
printf '\\nLADING pieces\\n'; show o $o; show e $e
printf 'LADING %s %s\\n' "$s" $end
[ $end = 0 ] || rm -rf "$W"
"""

RUN = """W=${0%/*}
mkfifo "$W/i" "$W/o" "$W/e" || exit 1
pump(){ n=0; while dd bs=65536 count=1 of="$W/$1.new" && [ -s "$W/$1.new" ]; do
[ ! -e "$W/gone" ] || continue
mv "$W/$1.new" "$W/$1.$n"; n=$((n + 1))
while [ -e "$W/$1.$((n - 64))" ] && [ ! -e "$W/gone" ]; do sleep 0.1; done
done; true >"$W/$1.eof"; }
beat(){ read -r b <"$W/beat" || return 0; [ "$b" != "$old" ] || return 0; old=$b; n=0; printf .; }
feed(){ rm -f "$W/input"; cat; old=; n=0
while [ -d "$W" ] && [ ! -e "$W/eof" ]; do sleep 0.2; n=$((n + 1)); [ @TICKS@ = 0 ] || [ $n -lt @TICKS@ ] || beat; done; }
watch(){ old=; n=0; while sleep 1; [ -d "$W" ]; do b=; read -r b <"$W/beat"
if [ "$b" = "$old" ]; then n=$((n + 1)); else n=0; old=$b; fi
[ $n -lt @SILENCE@ ] || { true >"$W/gone"; true >"$W/eof"; }
if [ -e "$W/gone" ] && [ -e "$W/status" ]; then rm -rf "$W"; cd /; rmdir @HOME@; break; fi
done; }
pump o <"$W/o" & pump e <"$W/e" &
feed <"$W/input" >"$W/i" &
watch &
true >"$W/started"
( cd "$2" || cd /; umask $1; @LINE@ ) <"$W/i" >"$W/o" 2>"$W/e"
echo $? >"$W/status.new"; mv "$W/status.new" "$W/status"; true >"$W/eof"
"""

LAUNCH = """#!/bin/sh
main(){ u=$(umask); umask 077; LC_ALL=C; export LC_ALL
d=${1:-$(pwd)}; exec 3<"$0" || exit 42
@ENTER@
W=@NUMBER@; mkdir "$W" || exit 41
trap 'rm -rf "$W"; exit 42' EXIT
set -e
tail -c +@OFFSET@ <&3 >"$W/input"; exec 3<&-
case $(sha256sum <"$W/input") in @SUM@*) ;; *) exit 42;; esac
cat >"$W/poll" <<'POLL'
@POLL@POLL
cat >"$W/run" <<'RUN'
@RUN@RUN
set +e
trap - EXIT
if command -v setsid >/dev/null 2>&1; then apart=setsid; else apart=nohup; fi
$apart /bin/sh "$W/run" "$u" "$d" </dev/null >/dev/null 2>&1 &
n=0; until [ -e "$W/started" ]; do n=$((n + 1)); [ $n -lt 200 ] || { rm -rf "$W"; exit 43; }; sleep 0.05; done
/bin/sh "$W/poll" 0 0
exit 0; }
main "$@"
"""
# In this order: what is asked is the folder that we are in, and who put it there cannot change it any more.
ENTER = f"{{ cd @HOME@ 2>/dev/null && [ -O . ]; }} || exit {HOMELESS}"
MAKE = """umask 077; find /dev/shm -maxdepth 1 -type d -name "lading-*" -user "$(id -u)" -mmin +2880 -exec rm -rf {} + 2>/dev/null
h=$(mktemp -d /dev/shm/lading-XXXXXXXXXX) && echo "LADING home $h" """


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
    return f"/bin/sh -c '{MAKE.replace(chr(10), '; ').strip()}'"


def home(answer: str) -> str:
    """The home that a host has made; "" if it made none."""
    found = _HOME.search("\n" + answer.replace("\r", ""))
    return found[1] if found else ""


def launcher(place: Place, line: str, sent: bytes, beats: float = 0.0) -> bytes:
    """The file to be run on the host: it starts *line* with *sent* on its stdin, at *place*, and answers as a first poll.

    With *beats*, a byte follows every so many seconds as long as polls come. It does nothing before it has been read to its end, and nothing with an input that is not whole.
    """
    words = {
        "@ENTER@": ENTER, "@POLL@": POLL, "@RUN@": RUN, "@LINE@": line, "@HOME@": place.home,
        "@NUMBER@": str(place.number), "@PIECES@": str(_PIECES), "@SILENCE@": str(SILENCE),
        "@SUM@": hashlib.sha256(sent).hexdigest(), "@TICKS@": str(round(beats / _TICK)),
    }
    text = LAUNCH
    for word, value in words.items():
        text = text.replace(word, value)
    size = len(text.replace("@OFFSET@", "0" * 8).encode())
    return text.replace("@OFFSET@", f"{size + 1:08d}").encode() + sent


def launching(place: Place, file: bytes) -> str | None:
    """The line that makes and runs a launcher without a file being sent, None if it is too long for that.

    Only for what holds no secret: other users of the host may see the arguments of programs.
    """
    text = base64.b64encode(file).decode()
    if len(text) > _LINE:
        return None
    made = f"./{place.number}.sh"
    return _inside(place.home, f"(umask 077; echo {text} | base64 -d >{made}) && /bin/sh {made} \"$d\"; s=$?; rm -f {made}; exit $s")


def poll(place: Place, stdout: int, stderr: int, *, eof: bool = False) -> str:
    """The line that fetches what came after the first *stdout* and *stderr* pieces; *eof* ends the command's stdin."""
    return _inside(place.home, f"exec /bin/sh {place.number}/poll {stdout} {stderr}" + (" eof" if eof else ""))


def leave(place: Place) -> str:
    """The line that ends the command's stdin and says that nobody will fetch its output."""
    return _inside(place.home, f"exec /bin/sh {place.number}/poll 0 0 gone")


def leave_all(place: str) -> str:
    """The same for all commands of the session with this home, which goes when the last of them has ended."""
    each = "for w in */; do if [ -d $w ]; then true >$w/gone; true >$w/eof; fi; done"
    return _inside(place, f"{each}; cd /; rmdir {place} 2>/dev/null; echo {LEFT}")


def _inside(place: str, does: str) -> str:
    """A line that does something in a home: quoted so that every login shell reads it alike."""
    return f"/bin/sh -c 'd=$(pwd); {ENTER.replace('@HOME@', place)}; {does}'"


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
