"""Which digest an image keeps whose text did not change: the ledger's, or the one on which its hosts agree (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass

from lading import errors
from lading.compose import reference


@dataclass(frozen=True, slots=True)
class Told:
    """Who names which digest: image as the Compose file writes it → the same with a digest.

    *hosts*: each chosen host with the images of the release that it says it runs; {} where the app
    is new. *ledger* holds what this machine itself committed, and nothing that a host told.
    """

    registry: Mapping[str, str]
    hosts: Mapping[str, Mapping[str, str]]
    ledger: Mapping[str, str]


def kept(told: Told) -> dict[str, str]:
    """Each image of *registry* with the digest that it keeps, or has now if nobody knew it before.

    No host gets a digest that only another host names.

    Raises:
        RefusedError: the ledger knows none, and the hosts do not agree.
    """
    return {image: _kept(image, told) for image in told.registry}


def vouched(pins: Mapping[str, str], told: Told) -> tuple[str, ...]:
    """Those of *pins*, image → reference, that do not rest on what hosts say alone: the ledger may speak for them later."""
    return tuple(sorted(one for image, one in pins.items()
                        if "@" in image or one in (told.registry[image], told.ledger.get(image))))


def agreed(image: str, told: Told) -> str:
    """The reference on which all hosts agree; "" if they do not, or if it is only some hosts' word for others.

    A host that does not run the image takes it from others only if the registry says the same.
    """
    said = _said(image, told)
    one = next(iter(said.values()), "")
    if set(said.values()) != {one}:
        return ""
    everywhere = len(said) == len(told.hosts)
    return one if everywhere or one == told.registry[image] else ""


def by_image(references: Mapping[str, str]) -> dict[str, str]:
    """The images of a release's services, *references* by service: text → the same with its digest.

    A text that stands there with two digests, or with none, says nothing.
    """
    found: dict[str, str] = {}
    unclear = set[str]()
    for one in references.values():
        text, _, digest = one.partition("@")
        if not reference.DIGEST.match(digest) or found.setdefault(text, one) != one:
            unclear.add(text)
    return {text: one for text, one in found.items() if text not in unclear}


def _said(image: str, told: Told) -> dict[str, str]:
    return {name: images[image] for name, images in told.hosts.items() if image in images}


def _kept(image: str, told: Told) -> str:
    if "@" in image:
        return told.registry[image]
    if image in told.ledger:
        return told.ledger[image]
    if not _said(image, told):
        return told.registry[image]
    one = agreed(image, told)
    if not one:
        raise errors.RefusedError(
            f"which digest of {image} is right cannot be told: it did not change in the Compose file, "
            f"and one host's word does not count for another\n{_table(image, told)}",
            "find out why they differ; --refresh gives every host the registry's", step="plan")
    return one


def _table(image: str, told: Told) -> str:
    """Who says what of an image, a line each."""
    rows = {name: images.get(image, "") for name, images in told.hosts.items()}
    rows |= {"(ledger)": told.ledger.get(image, ""), "(registry)": told.registry[image]}
    width = max(map(len, rows))
    return "\n".join(
        f"{name.ljust(width)}  {one.partition('@')[2] or 'does not know it'}" for name, one in rows.items())
