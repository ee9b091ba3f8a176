"""`x-lading.hooks`: what is run once, on one host, before anything is rolled (pure)."""

from collections.abc import Iterator, Mapping
from typing import Any

from lading.compose import services
from lading.dataclass import dataclass

TIMEOUT = 600.0  # seconds
KEYS = ("command", "service", "timeout")
FORM = "hooks: {before: {service: NAME, command: [WORD, …], timeout: 10m}}"


@dataclass(frozen=True, slots=True)
class Hook:
    """One run of *service*'s image with its definition; *command* as in Compose, None = the service's own; seconds."""

    service: str
    command: Any = None
    timeout: float = TIMEOUT


def before(extension: Mapping[str, Any]) -> Hook | None:
    """`x-lading.hooks.before`, if it is there; it has passed `faults`."""
    words = (extension.get("hooks") or {}).get("before")
    if words is None:
        return None
    return Hook(str(words["service"]), words.get("command"), services.seconds(words.get("timeout") or f"{TIMEOUT}s"))


def faults(extension: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong with the shape of `x-lading.hooks`: the path below x-lading, and why."""
    words = extension.get("hooks")
    if words is None:
        return
    if not isinstance(words, Mapping) or set(words) != {"before"}:
        yield ("hooks",), "x-lading.hooks has one key, `before`"
        return
    one, path = words["before"], ("hooks", "before")
    if not isinstance(one, Mapping) or not isinstance(one.get("service"), str):
        yield path, "x-lading.hooks.before needs a `service:`"
        return
    for key in sorted(set(map(str, one)) - set(KEYS)):
        yield (*path, key), f"x-lading.hooks.before: lading does not know `{key}`"
    command = one.get("command", "")
    if not (isinstance(command, str) or (isinstance(command, list) and all(isinstance(word, str) for word in command))):
        yield (*path, "command"), "x-lading.hooks.before.command must be a text or a list of texts"
    if "timeout" in one and not services.seconds(one["timeout"]) > 0:
        yield (*path, "timeout"), f"x-lading.hooks.before.timeout: {one['timeout']!r} is no duration such as 90s"
