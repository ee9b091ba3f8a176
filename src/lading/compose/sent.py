"""Images that are sent from this machine: the name that says which content one has, and the local engine's words on it (pure)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from lading import shape
from lading.compose import reference
from lading.dataclass import dataclass

_NAMED = re.compile(r"(?P<repository>[^@]+):(?:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]*)-)?sha256-(?P<id>[0-9a-f]{64})")
_LONGEST = 128  # characters of a tag


@dataclass(frozen=True, slots=True)
class Local:
    """An image of the local engine.

    *id*: its content, `sha256:…`: the digest of its configuration, or in the containerd image store
    that of its manifest. *size* in bytes. *is_pulled*: a registry has it under this name, as far as
    the engine knows.
    """

    id: str
    size: int
    platform: str
    is_pulled: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


def name(image: str, id: str) -> str:
    """How hosts call an image of this content: `shop:1.0.0-sha256-…`.

    A registry is never asked for such a name, and lading gives it to nothing else.
    """
    parsed = reference.parse(image)
    repository = image.partition("@")[0]
    if parsed.tag and repository.endswith(f":{parsed.tag}"):
        repository = repository.removesuffix(f":{parsed.tag}")
    suffix = id.replace(":", "-")
    lead = parsed.tag[: _LONGEST - len(suffix) - 1]
    return f"{repository}:{lead}-{suffix}" if lead else f"{repository}:{suffix}"


def split(text: str) -> tuple[str, str]:
    """An image as people call it, and its digest, "" if its reference names none: of what was sent, too."""
    found = _NAMED.fullmatch(text)
    if found is None:
        image, _, digest = text.partition("@")
        return image, digest
    tag = f":{found['tag']}" if found["tag"] else ""
    return found["repository"] + tag, f"sha256:{found['id']}"


def is_sent(text: str) -> bool:
    """Whether a reference is the name of content that was sent."""
    return _NAMED.fullmatch(text) is not None


def inspected(raw: Mapping[str, Any], image: str) -> Local:
    """An image as `docker image inspect` shows it.

    Raises:
        ValueError: it is none of Linux, or not shown as Docker does.
    """
    shape.fields(raw, {"Id": str, "Size": int, "Os": str, "Architecture": str, "Variant": str})
    id = raw.get("Id", "")
    if not reference.DIGEST.match(id):
        raise ValueError(f"its id is {id[:80]!r}")
    words = [raw.get("Os", ""), raw.get("Architecture", ""), raw.get("Variant", "")]
    config: Mapping[str, Any] = raw.get("Config") or {}
    labels = {str(key): str(value) for key, value in (config.get("Labels") or {}).items()}
    known = shape.fitting(raw.get("RepoDigests") or [], tuple[str, ...], "RepoDigests")
    return Local(id, max(0, raw.get("Size", 0)), "/".join(filter(None, words)), _is_pulled(image, id, known), labels)


def _is_pulled(image: str, id: str, digests: Sequence[str]) -> bool:
    """Whether an engine has an image by its name's registry; the containerd image store gives every image a digest: its id."""
    wanted = reference.parse(image)
    for one in digests:
        parsed = reference.parse(one)
        if (parsed.registry, parsed.repository) == (wanted.registry, wanted.repository) and parsed.digest != id:
            return True
    return False


def megabytes(size: int) -> str:
    """A size for people, as Docker writes it."""
    return f"{size / 1e6:.1f} MB" if size < 1e7 else f"{size / 1e6:.0f} MB"
