"""The SHA-256 of the Compose plug-in here, worked out once: kept by what tells files apart."""

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path

from lading import disk

FILE = "compose-plugin.json"
ELF = b"\x7fELF"


def of(binary: str, folder: Path) -> str:
    """The sum of a plug-in; "" for a script, which may call who knows what.

    *folder*: where the sum is kept. If there is no such folder, it is worked out each time.
    """
    try:
        with Path(binary).open("rb") as opened:
            if opened.read(len(ELF)) != ELF:
                return ""
            before = _stamp(binary, opened.fileno())
            known = _kept(folder / FILE, before)
            if known:
                return known
            opened.seek(0)
            found = hashlib.file_digest(opened, "sha256").hexdigest()
            if _stamp(binary, opened.fileno()) != before:  # it was written meanwhile
                return ""
    except OSError:
        return ""
    _keep(folder / FILE, before, found)
    return found


def _stamp(binary: str, descriptor: int) -> list[str | int]:
    """What is another once the program is another, or its content."""
    found = os.fstat(descriptor)
    return [binary, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _kept(path: Path, stamp: list[str | int]) -> str:
    try:
        kept = json.loads(disk.read(path, limit=64 * 1024))
    except (OSError, ValueError):
        return ""
    if not isinstance(kept, dict) or kept.get("stamp") != stamp:
        return ""
    return str(kept.get("sum", ""))


def _keep(path: Path, stamp: list[str | int], found: str) -> None:
    with contextlib.suppress(OSError):
        handle, name = tempfile.mkstemp(dir=path.parent)  # 0600
        with os.fdopen(handle, "w") as opened:
            json.dump({"stamp": stamp, "sum": found}, opened)
        Path(name).replace(path)
