"""A command for a host: script, payload, secrets; raw for the wire, masked for print (pure).

The remote line is always the same, whatever the login shell is (fish, csh, dash): it reads N bytes of script from
stdin and evaluates them; the payload follows, then stdin stays open: its end cancels what may be cancelled. The
answer comes in parts, each announced by a line with a random marker, so that a chatty .bashrc changes nothing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field

from lading.dataclass import dataclass

APP = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}")  # an app's name, as Compose takes that of a project
OURS = "lading"  # what the shell that reads the script is called: its $0
WAITING = 60  # seconds that a shell waits for a script
TIMED_OUT = (124, 143)  # its exit status then, by the `timeout` of GNU or of BusyBox
_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./-]+\Z")


@dataclass(frozen=True, slots=True)
class Secret:
    """Bytes that never show: neither in a log, nor in an error, nor in the recorder's print."""

    value: bytes = field(repr=False)

    def __str__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class Command:
    """One script for one host.

    *name* is the step it does (for events, errors, tests); *script* is POSIX sh and holds no secret; *payload* follows
    it on stdin, its lengths known to the script; *timeout* in seconds bounds it on the host; *changes* means that it
    is not ended when stdin ends; *marker* announces the parts of the answer; *beats*: the script answers each byte that
    comes after its payload, at once, and has read the payload within seconds after it came; *streams*: it goes on as
    long as somebody listens, so once it has begun it does not count among the hosts that are worked on (`ssh.parallel`);
    *looks*: it changes nothing, so where nobody knows whether the host has got it, it is asked again.
    """

    name: str
    script: str
    marker: str
    payload: tuple[bytes | Secret, ...] = ()
    timeout: int = 60
    changes: bool = False
    beats: bool = False
    streams: bool = False
    looks: bool = False

    def wire(self) -> bytes:
        """What goes to stdin: the script, then the payload."""
        chunks = [chunk.value if isinstance(chunk, Secret) else chunk for chunk in self.payload]
        return b"".join([self.script.encode(), *chunks])

    def masked(self) -> str:
        """The same for people: the script, then each chunk of the payload by its length."""
        sizes = [f"<{len(c.value)} secret bytes>" if isinstance(c, Secret) else f"<{len(c)} bytes>" for c in self.payload]
        return "\n".join([self.script, *sizes])


@dataclass(frozen=True, slots=True)
class Result:
    """What a host answered: exit status, the parts by name (last one wins), stderr, and how long it took in seconds."""

    status: int
    parts: Mapping[str, bytes]
    stderr: str = ""
    seconds: float = 0.0

    def text(self, part: str) -> str:
        """One part as text, without surrounding space; empty if it did not come."""
        return self.parts.get(part, b"").decode("utf-8", "replace").strip()


def quote(value: str) -> str:
    """*value* as one word of a POSIX shell; the only place in lading where anything is quoted for a shell.

    Raises:
        ValueError: the value holds a NUL, which no shell word can.
    """
    if "\0" in value:
        raise ValueError("a NUL cannot be passed to a shell")
    if _SAFE.match(value):
        return value
    return "'" + value.replace("'", "'\\''") + "'"


def assign(values: Mapping[str, str | int]) -> str:
    """Shell assignments, one a line, the values quoted: how arguments get into a script."""
    return "".join(f"{name}={quote(str(value))}\n" for name, value in values.items())


def remote_line(length: int, *, sudo: bool = False, group: str = "", timeout: int = 60) -> str:
    """The one line that is given to the login shell: read *length* bytes of script from stdin and run them.

    Works unchanged in sh, bash, dash, fish and tcsh (tried: tests/contract/test_transports.py). dd takes not a byte more, for what follows
    is the payload: all in one block where it can (GNU, BusyBox), else byte by byte, which is slow. *timeout* in seconds; 0 = none: what
    somebody is attached to ends when he likes, and `timeout` would take its terminal away.
    """
    prefix = "sudo -n " if sudo else f"sudo -n -g {quote(group)} " if group else ""
    bound = f"timeout -k 10 {timeout} " if timeout else ""
    return f"exec {prefix}{bound}/bin/sh -c 'eval \"`{_read(str(length))}`\"' {OURS}"


def waiting_line(*, sudo: bool = False, group: str = "") -> str:
    """The line of a shell that waits for any script, whose first line of stdin says of the rest what `remote_line` is told: LENGTH [TIMEOUT].

    What runs the script is the same to the letter, below sudo too, which is started only then: its rules allow `timeout`, and no other shell.
    It waits for WAITING seconds and then ends with one of TIMED_OUT: sshd may keep a connection for hours whose controller is gone.
    """
    prefix, arguments = "", ""
    if sudo:
        prefix = "sudo -n "
    elif group:
        prefix, arguments = 'sudo -n -g "$1" ', f" {OURS} {quote(group)}"
    first_line = rf'timeout {WAITING} /bin/sh -c "read -r n t && echo n=\$n t=\$t"'
    script = rf'/bin/sh -c "eval \"\`{_read("$n")}\`\"" {OURS}'
    become = f"exec {prefix}${{t:+timeout -k 10 $t}} {script}"
    return f"exec /bin/sh -c 'told=$({first_line}) || exit; eval $told; {become}'{arguments}"


def _read(length: str) -> str:
    """Read *length* bytes and not one more."""
    return f"dd bs={length} count=1 iflag=fullblock 2>/dev/null || dd bs=1 count={length} 2>/dev/null"


def split_parts(output: bytes, marker: str) -> list[tuple[str, bytes]]:
    """The answer's parts in order: (name, content). What stands before the first marker line is dropped."""
    lead = b"\n" + marker.encode() + b" "
    found: list[tuple[str, bytes]] = []
    for piece in (b"\n" + output).split(lead)[1:]:
        name, _, content = piece.partition(b"\n")
        found.append((name.decode("ascii", "replace"), content))
    return found


def join(argv: Sequence[str]) -> str:
    """An argv as one line of shell, each word quoted."""
    return " ".join(quote(word) for word in argv)


def by_ssh(host: str, argv: Sequence[str]) -> str:
    """The line for a person that runs *argv* on *host*; a shell reads the words here, and another one there."""
    line = join(argv)
    return f"ssh {quote(host)} {line if line == ' '.join(argv) else quote(line)}"
