"""Files of this machine. Read: true files only, since pipes and devices may have no end, and no more than is wanted."""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from lading import errors


def read(path: Path, *, limit: int) -> bytes:
    """The bytes of a file.

    Raises:
        OSError: it cannot be read, is another thing, or has more than *limit* bytes.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as nul:
        raise OSError(errno.EINVAL, "its name holds a NUL") from nul
    with os.fdopen(opened, "rb") as file:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(errno.EINVAL, "it is not a file: a folder, a pipe or a device")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit >> 10} KiB")
    return data


def lines(name: str, *, limit: int) -> Iterator[str]:
    """The lines of a file or a pipe, one after the other; `-` is stdin.

    Raises:
        InputError: it cannot be read, is another thing, or a line has more than *limit* bytes.
    """
    hint = "name a file, or - for stdin"
    try:
        mode = stat.S_IFIFO if name == "-" else Path(name).stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise errors.InputError(f"{name} is neither a file nor a pipe", hint)
        opened = os.dup(0) if name == "-" else os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as fault:
        raise errors.InputError(f"{name} cannot be read: {reason(fault)}", hint) from fault
    with os.fdopen(opened, "rb") as file:
        number = 0
        while line := file.readline(limit + 1):
            number += 1
            if len(line) > limit:
                raise errors.InputError(f"line {number} has more than {limit >> 20} MiB", "is it the right file?", file=name, line=number)
            yield line.decode("utf-8", "replace")


def check_new(path: Path, hint: str) -> None:
    """Refuse a path that the user names for something new, before any work for it, if it is taken or cannot be made.

    Raises:
        InputError: so it is.
    """
    with writing(path, hint):
        if os.path.lexists(path):
            raise errors.InputError(f"{path} exists already; it is left as it is", hint)
        if not stat.S_ISDIR(path.absolute().parent.stat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


@contextmanager
def writing(path: Path, hint: str) -> Iterator[None]:
    """What writes to a path that the user named.

    Raises:
        InputError: it cannot be written, and why.
    """
    try:
        yield
    except OSError as fault:
        raise errors.InputError(f"{path} cannot be written: {reason(fault)}", hint) from fault


@contextmanager
def new_text(path: Path, hint: str) -> Iterator[TextIO]:
    """A new text file that is at *path* once all of it is written and synced, and never in part.

    Until then it lies beside it under another name; what could not be finished is removed.

    Raises:
        InputError: it cannot be written, and why; or something is at *path* meanwhile.
    """
    with writing(path, hint):
        opened, part = tempfile.mkstemp(prefix=".lading-", dir=path.absolute().parent)
        try:
            with os.fdopen(opened, "w", encoding="utf-8") as file:
                yield file
                file.flush()
                os.fsync(opened)
            check_new(path, hint)
            Path(part).rename(path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise


def is_file(path: Path) -> bool:
    """Whether a file is there, as far as one may look."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder is there, as far as one may look."""
    try:
        return path.is_dir()
    except OSError:
        return False


def expanded(text: str) -> Path:
    """A path with `~` filled in; of a user that is unknown it stays."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def reason(fault: Exception) -> str:
    """Why a path cannot be used, in words."""
    return (isinstance(fault, OSError) and fault.strerror) or str(fault)
