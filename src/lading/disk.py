"""Read a file of this machine: true files only, since pipes and devices may have no end, and no more than is wanted."""

import errno
import os
import stat
from pathlib import Path


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
