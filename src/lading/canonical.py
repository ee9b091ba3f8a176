"""One form of a value as bytes on every machine, and its hash (pure)."""

import hashlib
import json
from typing import Any


def form(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Any) -> str:
    """SHA-256 of the form, hex."""
    return hashlib.sha256(form(value)).hexdigest()


def object_id(files: list[tuple[str, bool, str]]) -> str:
    """The id of shipped content, from each file's path, whether it is executable, and the SHA-256 of its content in hex."""
    return digest(sorted(map(list, files)))
