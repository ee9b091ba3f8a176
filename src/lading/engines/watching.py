"""The parts of a `roll` command's answer, as they come, for the watch that follows it."""

from collections.abc import Mapping

from lading import shape, state
from lading.drivers.shell import observation
from lading.health import watch
from lading.transport import base as transports


def parts_of(follows: watch.Watch, adopted: Mapping[str, state.Adopted]) -> transports.OnPart:
    """What hands each part on to *follows*; *adopted*: containers without labels of lading's."""
    containers = ""

    def on_part(name: str, content: bytes) -> bool:
        nonlocal containers
        text = content.decode("utf-8", "replace")
        if name == "up":
            status, _, output = text.partition("\n")
            follows.started(shape.whole(status.strip(), 1), output)
        elif name == "gone":
            follows.tell(text.strip())
        elif name == "containers":
            containers = text
        elif name == "tick":
            return _snapshot(follows, containers, adopted)
        return False

    return on_part


def _snapshot(follows: watch.Watch, text: str, adopted: Mapping[str, state.Adopted]) -> bool:
    try:
        containers = state.recognised(observation.parse_containers(text), adopted)
    except ValueError as unread:
        return follows.unreadable(str(unread))
    return follows.snapshot(containers)
