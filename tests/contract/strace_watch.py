"""Everything that a program and its children open, start and contact, as strace saw it."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# PID syscall(…) = RESULT; -y writes behind each descriptor what it is: 3</real/path>, 4<TCP:[…]>
OPENED = re.compile(r"^\d+ +(?:open|openat|openat2)\((.*)\) = \d+<(.*)>$")
STARTED = re.compile(r"^\d+ +execve(?:at)?\((?:[^\"]*, )?\"([^\"]*)\".* = 0$")
CALLED = re.compile(r"^\d+ +(?:connect|sendto)\(.*sa_family=(AF_INET6?|AF_UNIX).*$")
PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
ADDRESS = re.compile(r"inet_addr\(\"([^\"]*)\"\)|inet_pton\(AF_INET6, \"([^\"]*)\"")
SOCKET = re.compile(r"sun_path=(@?\"[^\"]*\")")
RESUMED = re.compile(r"^(\d+) +<\.\.\. \w+ resumed>(.*)$")
UNFINISHED = re.compile(r"^(\d+) +(.*) <unfinished \.\.\.>$")
WRITES = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC")


@dataclass
class Seen:
    """What a program did. *read*, *written*: real paths of opened files; *started*: programs; *called*: "ADDRESS:PORT" or a socket."""

    status: int
    stdout: str
    stderr: str
    read: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    started: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)


def watch(argv: Sequence[str], folder: Path, env: Mapping[str, str], log: Path) -> Seen:
    """Run *argv* to its end under strace."""
    trace = "trace=open,openat,openat2,execve,execveat,connect,sendto"
    words = ["strace", "-f", "-qq", "-y", "-s", "4096", "-e", trace, "-e", "signal=none", "-o", str(log), "--", *argv]
    done = subprocess.run(words, cwd=folder, env=dict(env), capture_output=True, text=True, timeout=280, errors="replace")
    seen = Seen(done.returncode, done.stdout, done.stderr)
    for line in _whole(log.read_text(errors="replace").splitlines()):
        _note(seen, line)
    return seen


def _whole(lines: Sequence[str]) -> list[str]:
    """The lines, those of calls that were interrupted by others' put together."""
    begun: dict[str, str] = {}
    found = []
    for line in lines:
        if (half := UNFINISHED.match(line)) is not None:
            begun[half[1]] = f"{half[1]} {half[2]}"
        elif (rest := RESUMED.match(line)) is not None:
            found.append(begun.pop(rest[1], rest[1]) + rest[2])
        else:
            found.append(line)
    return [*found, *begun.values()]


def _note(seen: Seen, line: str) -> None:
    if (opened := OPENED.match(line)) is not None:
        writes = any(word in opened[1] for word in WRITES)
        (seen.written if writes else seen.read).add(opened[2])
    elif (started := STARTED.match(line)) is not None:
        seen.started.add(started[1])
    elif CALLED.match(line):
        seen.called.add(_place(line))


def _place(line: str) -> str:
    if (socket := SOCKET.search(line)) is not None:
        return socket[1].strip('"')
    address, port = ADDRESS.search(line), PORT.search(line)
    place = (address[1] or address[2]) if address else "?"
    return f"{place}:{port[1] if port else '?'}"
