"""The version of a service as people call it: its image's tag, or what stands for a tag that is moved (pure)."""

import re

from lading import errors
from lading.compose import reference

_NUMBER = re.compile(r"v?\d")
DIGITS = 12  # of a digest


def shown(image: str, digest: str, *, label: str = "", title: str = "") -> str:
    """The tag of *image*; of one that is moved on purpose, or of none, the version that the image says it has itself.

    *label*: the image's version label, which counts where its *title* names this very image: an image inherits the labels
    of its base, and nothing else tells on a host whose they are. Without one, a tag that is a number at least (15, of
    postgres:15), else the first digits of the *digest*.
    """
    try:
        named = reference.parse(image)
    except errors.ComposeError:
        return _digits(digest) or image
    if named.tag and not reference.is_moving(named.tag):
        return named.tag
    if label and is_own(title, named.repository):
        return label
    return named.tag if _NUMBER.match(named.tag) else _digits(digest) or named.tag


def _digits(digest: str) -> str:
    return digest.removeprefix("sha256:")[:DIGITS]


def is_own(title: str, repository: str) -> bool:
    """Whether the title of an image, such as `team/shop`, names the image of this repository."""
    words = title.strip().lower().partition(":")[0]
    return bool(words) and words.rpartition("/")[2] == repository.rpartition("/")[2]
