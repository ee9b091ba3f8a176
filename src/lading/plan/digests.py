"""Which digest an image keeps whose text did not change: the ledger's, or the one on which its hosts agree (pure)."""

from collections.abc import Collection, Mapping
from dataclasses import field

from lading import errors
from lading.compose import reference
from lading.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Resolved:
    """What one engine says an image is: its digest, or in *lack*, why it has none.

    *platforms*: those it is there for; () = not said.
    """

    digest: str = ""
    platforms: tuple[str, ...] = ()
    lack: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """Who names which digest: image as the Compose file writes it → the same with a digest.

    *hosts*: each chosen host with the images of the release that it says it runs; {} where the app
    is new. *ledger* holds what this machine itself committed, and nothing that a host told.
    *by_hosts*: the images whose registry only hosts ask, each with what every chosen host's engine
    answered; in *registry* they have the digest on which all agree, or "".
    """

    registry: Mapping[str, str]
    hosts: Mapping[str, Mapping[str, str]]
    ledger: Mapping[str, str]
    by_hosts: Mapping[str, Mapping[str, Resolved]] = field(default_factory=dict)


def kept(told: Told) -> dict[str, str]:
    """Each image of *registry* with the digest that it keeps, or has now if nobody knew it before.

    No host gets a digest that only another host names.

    Raises:
        RefusedError: the ledger knows none, and the hosts do not agree.
    """
    return {image: _kept(image, told) for image in told.registry}


def fresh(told: Told, images: Collection[str]) -> dict[str, str]:
    """Each of *images* with the digest that its registry has now.

    Raises:
        RefusedError: only hosts ask its registry, and they do not agree.
    """
    return {image: _now(image, told) for image in images}


def one_answer(image: str, answers: Mapping[str, Resolved]) -> str:
    """The reference on which all hosts agree that asked an image's registry; "" if they do not.

    They agree on digest and platforms. An engine that says no platforms (old ones of a single manifest) does not disagree.
    """
    found = {one.digest for one in answers.values()}
    platforms = {frozenset(one.platforms) for one in answers.values() if one.platforms}
    if len(found) != 1 or "" in found or len(platforms) > 1:
        return ""
    return reference.pinned(image, found.pop())


def vouched(pins: Mapping[str, str], told: Told, named: Collection[str] = ()) -> tuple[str, ...]:
    """Those of *pins*, image → reference, that do not rest on what hosts say alone.

    The ledger may speak for them later. *named*: images whose digest the user gave.
    """
    return tuple(sorted(one for image, one in pins.items()
                        if "@" in image or image in named or _is_vouched(image, one, told)))


def _is_vouched(image: str, one: str, told: Told) -> bool:
    """Whether the ledger has this digest, or the registry, asked from here."""
    if one == told.ledger.get(image):
        return True
    return image not in told.by_hosts and one == told.registry[image]


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
        return _now(image, told)
    if image in told.ledger:
        return told.ledger[image]
    if not _said(image, told):
        return _now(image, told)
    one = agreed(image, told)
    if not one:
        raise errors.RefusedError(
            f"which digest of {image} is right cannot be told: it did not change in the Compose file, "
            f"and one host's word does not count for another\n{_table(image, told)}",
            "find out why they differ; --refresh gives every host the registry's", step="plan")
    return one


def _now(image: str, told: Told) -> str:
    """What the registry has now.

    Raises:
        RefusedError: only hosts ask it, and not all have it, or they do not agree.
    """
    if told.registry[image]:
        return told.registry[image]
    answers = told.by_hosts[image]
    width = max(map(len, answers))
    table = "\n".join(f"{name.ljust(width)}  {_words(one)}" for name, one in answers.items())
    wrong = "all hosts must have it, and agree what it is"
    hint = f"find out why, on these hosts: docker pull {image}"
    if "@" in image:
        wrong = "not every host can have it"
    else:
        hint += f"; or name its digest in the Compose file: {image}@sha256:…"
    raise errors.RefusedError(
        f"{image}: only hosts ask its registry (resolve: host), and {wrong}\n{table}",
        hint, step="plan")


def _words(one: Resolved) -> str:
    """What one host's engine answered, in a line."""
    if not one.digest:
        return " ".join(one.lack.split())
    return f"{one.digest} ({', '.join(one.platforms)})" if one.platforms else one.digest


def _table(image: str, told: Told) -> str:
    """Who says what of an image, a line each."""
    rows = {name: images.get(image, "") for name, images in told.hosts.items()}
    rows |= {"(ledger)": told.ledger.get(image, "")}
    if image in told.by_hosts:
        for name, answer in told.by_hosts[image].items():
            rows[f"(registry, by {name})"] = f"@{_words(answer)}"
    else:
        rows |= {"(registry)": told.registry[image]}
    width = max(map(len, rows))
    return "\n".join(
        f"{name.ljust(width)}  {one.partition('@')[2] or 'does not know it'}" for name, one in rows.items())
