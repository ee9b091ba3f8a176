"""One form of a value as bytes on every machine, and its hash (pure)."""

import hashlib
import json
import re
from typing import Any

_WHOLE = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


def form(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Any) -> str:
    """SHA-256 of the form, hex."""
    return hashlib.sha256(form(value)).hexdigest()


def object_id(files: list[tuple[str, bool, str]]) -> str:
    """The id of shipped content, from each file's path, whether it is executable, and the SHA-256 of its content in hex."""
    return digest(sorted(map(list, files)))


def is_named(name: str, id: str) -> bool:
    """Whether a release may be kept under *name*: its id, or the 12 digits of it that older ladings took.

    *id* must be the hash of what is kept there: the name alone proves nothing.
    """
    return name in (id, id[:12])


def short(text: str) -> str:
    """A text as people see it: of each SHA-256 in it the first 12 digits. Never for comparing."""
    return _WHOLE.sub(r"\1", text)
