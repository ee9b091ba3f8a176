"""All images of a service: its own, those that it mounts, and those of what runs before it (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any

from lading.compose import variables
from lading.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The entries of a service that name images beside `image:`, as the files write them, before interpolation.

    *mounts* and *before*: an entry of `volumes` or `pre_start`, with the image that it means ("" = the service's own).
    """

    mounts: tuple[tuple[Mapping[str, Any], str], ...] = ()
    before: tuple[tuple[Mapping[str, Any], str], ...] = ()


def texts(service: Mapping[str, Any]) -> tuple[str, ...]:
    """The images that a service names, its own first, as they are written there."""
    return tuple(dict.fromkeys(text for text in _texts(service) if text))


def _texts(service: Mapping[str, Any]) -> Iterator[str]:
    yield str(service.get("image") or "")
    for mount in service.get("volumes") or ():
        if _is_image(mount):
            yield str(mount.get("source") or "")
    for hook in service.get("pre_start") or ():
        if isinstance(hook, Mapping):
            yield str(hook.get("image") or "")


def _is_image(mount: Any) -> bool:
    return isinstance(mount, Mapping) and mount.get("type") == "image"


def of(service: Mapping[str, Any]) -> tuple[str, ...]:
    """The images of a service in Compose's normal form, its own first."""
    return tuple(dict.fromkeys(map(variables.plain_text, texts(service))))


def pinned(service: Mapping[str, Any], pins: Mapping[str, str]) -> dict[str, Any]:
    """The definition of a service with the images that stand elsewhere than in `image:` by digest."""
    done = dict(service)
    if any(_is_image(one) for one in service.get("volumes") or ()):
        done["volumes"] = [{**one, "source": _pin(str(one.get("source")), pins)} if _is_image(one) else one
                           for one in service["volumes"]]
    if service.get("pre_start"):
        done["pre_start"] = [{**one, "image": _pin(str(one["image"]), pins)} if one.get("image") else one
                             for one in service["pre_start"]]
    return done


def _pin(text: str, pins: Mapping[str, str]) -> str:
    return pins.get(variables.plain_text(text), text)


def elsewhere(raw: Mapping[str, Any], resolved: Mapping[str, Any]) -> Elsewhere:
    """What of a service must be written anew for its images to be pinned; *raw*: before interpolation."""
    return Elsewhere(
        mounts=tuple((one, image) for one, image in _pairs(raw, resolved, "volumes", "source") if _is_image(one)),
        before=_pairs(raw, resolved, "pre_start", "image"),
    )


def _pairs(
    raw: Mapping[str, Any], resolved: Mapping[str, Any], key: str, word: str
) -> tuple[tuple[Mapping[str, Any], str], ...]:
    """The entries of a list as they are written, each with the image that it means."""
    written, meant = raw.get(key) or (), resolved.get(key) or ()
    return tuple((one, variables.plain_text(str(other.get(word) or ""))) for one, other in zip(written, meant, strict=False)
                 if isinstance(one, Mapping) and isinstance(other, Mapping))
