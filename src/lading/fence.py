"""Run a program that may read only what it is given, write nothing and open no TCP connection: Landlock, where the kernel has it.

lading starts this file as a program of its own (`python -I -S fence.py READABLE… -- PROGRAM ARGUMENT…`): it puts up the
fence around itself and then becomes the other program. It imports nothing but the standard library.
"""

import ctypes
import errno
import os
import stat
import struct
import sys
from collections.abc import Iterable, Sequence

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls; the same numbers on every Linux that is in use
ASK_VERSION = 1
PATH_BENEATH = 1
SET_NO_NEW_PRIVS = 38
ABSENT = (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)  # no Landlock, Landlock is off, a container forbids the call

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
READ_FOLDER = READ_FILE | READ_DIR
RUN = EXECUTE | READ_FILE
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE  # what can be said of a path that is no folder
ALL_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # how many rights over files each version of Landlock knows
TCP = 3  # bind and connect
OUTSIDE = 3  # abstract sockets and signals of processes outside the fence

LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/nix/store", "/gnu/store")
PROGRAMS = ("/bin", "/sbin", "/usr", "/opt")  # what a plug-in that is a script may start
TOO_FEW = 64  # exit status of a wrong call, as sysexits(3) has it
NOT_FENCED = 71  # of a fence that cannot be put up


def around(program: Sequence[str], readable: Iterable[str]) -> list[str]:
    """The command that runs *program* (an absolute path and its arguments) with nothing to read but *readable*."""
    return [sys.executable, "-I", "-S", __file__, *readable, "--", *program]


def version() -> int:
    """Which Landlock the kernel has for this process; 0 for none."""
    try:
        return _call(CREATE_RULESET, None, 0, ASK_VERSION)
    except OSError as fault:
        if fault.errno in ABSENT:
            return 0
        raise


def describe() -> str:
    """What a fence of this machine closes, in words."""
    known = version()
    if not known:
        return "none (kernel without Landlock)"
    return f"Landlock {known}" if known >= 4 else f"Landlock {known} (TCP stays open)"


def _call(number: int, *arguments: object) -> int:
    """A system call that libc may have no function for.

    Raises:
        OSError: it failed.
    """
    done: int = ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    if done < 0:
        fault = ctypes.get_errno()
        raise OSError(fault, os.strerror(fault))
    return done


def put_up(readable: Sequence[str], program: str) -> None:
    """Fence this process in, for good, if the kernel can.

    Raises:
        OSError: it can, and it failed.
    """
    known = version()
    if not known:
        return
    every = (1 << ALL_RIGHTS.get(known, 16)) - 1
    parts = (every, *([TCP] if known >= 4 else []), *([OUTSIDE] if known >= 6 else []))
    told = struct.pack(f"={len(parts)}Q", *parts)
    rules = _call(CREATE_RULESET, told, ctypes.c_size_t(len(told)), 0)
    for path in readable:
        _allow(rules, path, READ_FOLDER)
    _allow(rules, os.devnull, READ_FILE | WRITE_FILE)
    _allow(rules, program, RUN)
    for path in needs(program):
        _allow(rules, path, READ_FOLDER | EXECUTE)
    if ctypes.CDLL(None, use_errno=True).prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        fault = ctypes.get_errno()
        raise OSError(fault, os.strerror(fault))
    _call(RESTRICT_SELF, rules, 0)
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    """Add a rule for a path and all below it; one that is not there needs none."""
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            rights &= FILE_RIGHTS
        _call(ADD_RULE, rules, PATH_BENEATH, struct.pack("=Qi", rights, opened), 0)
    finally:
        os.close(opened)


def needs(program: str) -> tuple[str, ...]:
    """What a program reads before its own first line: nothing if it is linked statically, as Docker's Compose is."""
    opened = os.open(program, os.O_RDONLY | os.O_CLOEXEC)
    head = os.read(opened, 4096)
    os.close(opened)
    if head.startswith(b"#!"):
        return (*LIBRARIES, *PROGRAMS, program.rpartition("/")[0])
    return () if _is_static(head) else LIBRARIES


def _is_static(head: bytes) -> bool:
    """Whether an ELF file names no interpreter; one that cannot be read here may do."""
    if not head.startswith(b"\x7fELF\x02\x01"):
        return False
    (table,) = struct.unpack_from("<Q", head, 32)
    size, count = struct.unpack_from("<HH", head, 54)
    if table + size * count > len(head):
        return False
    interpreter = 3
    return all(struct.unpack_from("<I", head, table + size * number)[0] != interpreter for number in range(count))


def main(words: Sequence[str]) -> int:
    """Become the program behind `--`, fenced in; the status if that is not possible."""
    if "--" not in words[:-1]:
        print("usage: fence.py READABLE... -- PROGRAM ARGUMENT...", file=sys.stderr)
        return TOO_FEW
    split = words.index("--")
    program = list(words[split + 1 :])
    try:
        put_up(words[:split], program[0])
        os.execv(program[0], program)
    except OSError as fault:
        print(f"{program[0]} cannot be run in a fence: {fault.strerror}", file=sys.stderr)
    return NOT_FENCED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
