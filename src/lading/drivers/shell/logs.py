"""What the app's containers say: their lines as they come, and the last ones of services that failed; reads only (pure)."""

from collections.abc import Sequence

from lading.drivers.shell import scripts
from lading.transport import command


def logs(
    marker: str, *, app: str, service: str, follow: bool, tail: int | None, since: str = ""
) -> command.Command:
    """The app's log lines, each a part of its own: `SERVICE-NUMBER | TIME TEXT`; *tail* lines per container to begin with.

    *tail* None: all; *since*: none older, as docker takes it, by the host's own clock where that is a duration; *follow*: goes on until stdin ends, over restarts and new containers.
    """
    values: dict[str, str | int] = {
        "MARKER": marker, "APP": app, "SERVICE": service, "TAIL": "all" if tail is None else tail,
        "SINCE": "" if tail == 0 else since, "FOLLOW": "-f" if follow else "",
    }
    text = scripts.script("logs", values)
    return command.Command("logs", text, marker, timeout=86400 if follow else 120, streams=follow, looks=True)


def last_lines(marker: str, *, app: str, services: Sequence[str], count: int = 50) -> command.Command:
    """The last lines of some services, for the report of a failure."""
    text = scripts.script("last-lines", {"MARKER": marker, "APP": app, "COUNT": count}, services)
    return command.Command("last-lines", text, marker, timeout=30, looks=True)
