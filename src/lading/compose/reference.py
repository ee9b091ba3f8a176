"""Image references as Docker reads them: registry, repository, tag, digest (pure)."""

import re

from lading import errors
from lading.dataclass import dataclass

DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
REGISTRY = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?")
REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*\Z")
_FIXED = re.compile(r"v?\d+\.\d+|[0-9a-f]{7,40}\Z|\d{6,}")


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference; *tag* is "latest" where the text names neither tag nor digest."""

    registry: str
    repository: str
    tag: str
    digest: str


def parse(text: str) -> Reference:
    """Docker's rules: the first part is a registry if it has a dot or a colon, or is "localhost".

    Raises:
        ComposeError: it is no image reference.
    """
    rest, at, digest = text.partition("@")
    head, slash, tail = rest.partition("/")
    if slash and (any(sign in head for sign in ".:") or head == "localhost"):
        registry, rest = head, tail
    else:
        registry = "docker.io"
    repository, colon, tag = rest.partition(":")
    if registry == "docker.io" and "/" not in repository:
        repository = f"library/{repository}"
    if not REGISTRY.fullmatch(registry) or not REPOSITORY.match(repository) or (colon and not TAG.match(tag)) or (at and not DIGEST.match(digest)):
        raise errors.ComposeError(f"{text!r} is no image reference", "write it as registry/name:tag")
    return Reference(registry, repository, tag or ("" if digest else "latest"), digest)


def pinned(text: str, digest: str) -> str:
    """*text* with exactly this digest; the tag stays, people read it."""
    return f"{text.partition('@')[0]}@{digest}"


def full(text: str) -> str:
    """The full name, REGISTRY/REPOSITORY:TAG or …@DIGEST: to every engine the same image."""
    parsed = parse(text)
    end = f"@{parsed.digest}" if parsed.digest else f":{parsed.tag}"
    return f"{parsed.registry}/{parsed.repository}{end}"


def is_moving(tag: str) -> bool:
    """Whether a tag looks like one that is moved on purpose: latest, a branch, a bare major version."""
    return not _FIXED.match(tag)
