"""What a host keeps of an app beside its journal: `current`, releases, and what lies with a release (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, field, replace
from typing import Any

from lading import canonical, shape
from lading.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Adopted:
    """What a container that was adopted counts as, until its service changes: it has no labels of lading's.

    *content* and *secrets* as its labels would say; *content* "" = it differs from the release it was adopted with.
    """

    content: str
    image: str
    secrets: str = ""


def adopted_as_json(adopted: Mapping[str, Adopted]) -> dict[str, Any]:
    """Container id → what it counts as: the field "adopted" of `current` and of a journal's `begin`; {} without any."""
    return {"adopted": {name: asdict(one) for name, one in adopted.items()}} if adopted else {}


def adopted_from_json(stored: Mapping[str, Any]) -> dict[str, Adopted]:
    """`adopted_as_json` read back from the object that it is a field of; what a newer lading added is left out.

    Raises:
        ValueError: it is another thing than it should be.
    """
    found: Mapping[str, Any] = shape.fitting(stored.get("adopted") or {}, Mapping[str, Mapping[str, Any]], "adopted")
    known = Adopted.__slots__
    return {name: shape.made(Adopted, {key: value for key, value in one.items() if key in known}) for name, one in found.items()}


@dataclass(frozen=True, slots=True)
class Changed:
    """The deployment that last changed a container; *since*: it began then, *release*: what it brought there."""

    deployment: str
    actor: str = ""
    since: str = ""
    release: str = ""


def _changed_as_json(changed: Mapping[str, Changed]) -> dict[str, Any]:
    """The field "changed" of `current`, an entry for each deployment; {} without any."""
    told: dict[Changed, list[str]] = {}
    for name, one in changed.items():
        told.setdefault(one, []).append(name)
    return {"changed": [{**asdict(one), "of": names} for one, names in told.items()]} if told else {}


def _changed_from_json(stored: Mapping[str, Any]) -> dict[str, Changed]:
    """`_changed_as_json` read back; what a newer lading added is left out.

    Raises:
        ValueError: it is another thing than it should be.
    """
    said: Sequence[Mapping[str, Any]] = shape.fitting(
        stored.get("changed") or [], tuple[Mapping[str, Any], ...], "changed")
    found: dict[str, Changed] = {}
    for one in said:
        made = shape.made(Changed, {key: value for key, value in one.items() if key in Changed.__slots__})
        names: Sequence[str] = shape.fitting(one.get("of", []), tuple[str, ...], "of")
        found.update(dict.fromkeys(names, made))
    return found


def by_hand_as_json(by_hand: Mapping[str, int]) -> dict[str, Any]:
    """Service → containers: the field "by_hand" of `current` and of a journal's `begin`; {} without any."""
    return {"by_hand": dict(sorted(by_hand.items()))} if by_hand else {}


def by_hand_from_json(stored: Mapping[str, Any]) -> dict[str, int]:
    """`by_hand_as_json` read back from the object that it is a field of.

    Raises:
        ValueError: it is another thing than it should be.
    """
    found: Mapping[str, int] = shape.fitting(stored.get("by_hand") or {}, Mapping[str, int], "by_hand")
    if any(count < 0 for count in found.values()):
        raise ValueError("by_hand is not what it should be")
    return dict(found)


BRIEF = 12  # digits of a container's id that tell it from the others of an app
BEHIND = 20  # releases before another that are noted with it; fewer are kept
BY_HAND = 3  # the format of `current` that says numbers of containers by hand, of one that has some
WHOLE = 64  # hex digits of an id; in format 1 of `current`, and in formats 1 and 2 of the journal, releases had 12


@dataclass(frozen=True, slots=True)
class Current:
    """What a host says is deployed: the file `current` of an app. *generations*: secret name → number.

    *adopted*: the containers that were adopted and not recreated since, by id. *changed*: who last changed what runs: this
    deployment, by service; an earlier one, by the first digits (BRIEF) of the id of a container that this one left alone.
    It decides nothing. *by_hand*: service → containers, where a person wants another number than the release; 0 = stopped.
    """

    app: str
    release: str
    version: str
    deployment: str
    actor: str = ""
    since: str = ""
    source: str = ""
    destination: str = ""
    generations: Mapping[str, int] = field(default_factory=dict)
    adopted: Mapping[str, Adopted] = field(default_factory=dict)
    changed: Mapping[str, Changed] = field(default_factory=dict, compare=False)
    by_hand: Mapping[str, int] = field(default_factory=dict)

    def file_as_json(self) -> dict[str, Any]:
        """The object stored on the host."""
        return {**self.as_json(), **_changed_as_json(self.changed)}

    def as_json(self) -> dict[str, Any]:
        """What it declares, as ladings of any age read it and journals quote it: all but who changed what."""
        return {
            "v": self._format, "app": self.app, "release": self.release, "version": self.version, "deployment": self.deployment,
            "actor": self.actor, "since": self.since, "source": self.source, "destination": self.destination,
            "generations": dict(self.generations), **adopted_as_json(self.adopted), **by_hand_as_json(self.by_hand),
        }

    @property
    def _format(self) -> int:
        """The oldest that says it: a lading that knows nothing of numbers by hand must not go on without them."""
        if self.by_hand:
            return BY_HAND
        return 2 if len(self.release) == WHOLE else 1


def hash_of_current(current: Current) -> str:
    """The SHA-256 of what `current` declares: the same to ladings that know nothing of who changed what."""
    return canonical.digest(current.as_json())


NAMES = ("to", "release", "deployment", "app", "hook", "step")  # they become parts of paths on a host


class NewerError(ValueError):
    """It was written by a newer lading."""


def known(what: str, version: Any, newest: int = 1) -> None:
    """Check the format that something says it has.

    Raises:
        NewerError: it is newer than *newest*.
        ValueError: it is none.
    """
    if isinstance(version, int) and version > newest:
        raise NewerError(f"{what} format {version}, this lading knows {newest}")
    if version not in range(1, newest + 1):
        raise ValueError(f"{what} no format")


def current_from_json(stored: Mapping[str, Any]) -> Current:
    """`Current.as_json` read back; what a newer lading of the same format added is left out.

    Raises:
        NewerError: it was written by a newer lading.
        ValueError: a field is missing, or another thing than it should be.
    """
    known("`current` has", stored.get("v"), BY_HAND)
    shape.words(stored, NAMES)
    typed = ("adopted", "changed", "by_hand")
    words = {key: value for key, value in stored.items() if key in Current.__slots__ and key not in typed}
    return replace(shape.made(Current, words), adopted=adopted_from_json(stored), changed=_changed_from_json(stored),
                   by_hand=by_hand_from_json(stored))


class Kept(dict[str, Any]):
    """A release that hosts keep, as its file says it; never changed. Those that keep the same one share it: it is its own hash."""

    __hash__ = object.__hash__  # type: ignore[assignment]


def release_from_json(name: str, stored: Mapping[str, Any]) -> Kept:
    """The file `release.json` of a release that a host keeps, as it is.

    Raises:
        NewerError: it was written by a newer lading.
        ValueError: it does not say its format.
    """
    known(f"release {name} has", stored.get("v"))
    return Kept(stored)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is needed to go back to a release, as it lies with it on a host (`deployed.json`), written at its commit.

    *generations*: secret name → number, with which it ran; *order*: the greatest is the last that was committed;
    *behind*: the releases before it, nearest first.
    """

    deployment: str
    generations: Mapping[str, int] = field(default_factory=dict)
    order: int = 0
    behind: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The object stored on the host."""
        return {"v": 1, "deployment": self.deployment, "generations": dict(self.generations), "order": self.order,
                "behind": list(self.behind)}


def deployed_from_json(stored: Mapping[str, Any]) -> Deployed:
    """`Deployed.as_json` read back; what a newer lading of the same format added is left out.

    Raises:
        NewerError: it was written by a newer lading.
        ValueError: a field is missing, or another thing than it should be.
    """
    known("`deployed.json` has", stored.get("v"))
    return shape.made(Deployed, {key: value for key, value in stored.items() if key in Deployed.__slots__})

