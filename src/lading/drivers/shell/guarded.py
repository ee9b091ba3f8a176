"""What runs under an app's lease: in which phases each script is allowed, its journal's lines, its command (pure)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from lading import state
from lading.drivers import base
from lading.drivers.shell import scripts
from lading.state import journal
from lading.transport import command

Values = Mapping[str, str | int]

OPEN = tuple(phase for phase in get_args(journal.Phase) if phase not in journal.CLOSED)
FRESH: tuple[journal.Phase, ...] = ("begun", "staged", "rolling", "rolled", "failed")

ALLOWED: Mapping[str, Sequence[journal.Phase]] = {
    "pull": ("begun", "staged"),
    "upload": ("begun", "staged"),
    "repair": ("begun", "staged"),
    "hook": ("staged",),
    "roll": ("staged", "rolling", "rolled", "failed"),
    "tidy": ("staged", "rolled", "failed"),
    "prepare": ("staged", "rolled", "prepared"),
    "commit": ("prepared", "committed"),
    "start": ("committed",),
    "finish": ("committed",),
    "undo": (*FRESH, "prepared", "undoing"),
    "remove": ("begun",),
    "close": ("begun", "staged", "undoing"),
    "close untouched": (*FRESH, "prepared", "undoing"),
    "leave": OPEN,
    "confirm": OPEN,
}
"""What is done → the phases in which it may be: rule 4 of the protocol. Nothing undoes what was committed.

A deployment that rolls nothing on a host is prepared from `staged`. "close untouched": no container was touched, forth
or back, so undoing and closing are one.
"""


def line(record: journal.Record) -> str:
    """A record as a script appends it to the journal, which adds the time in front."""
    return as_line(record.as_json())


def as_line(said: Mapping[str, Any]) -> str:
    """The object of a line in the one form in which scripts read it: compact, format, kind and deployment first."""
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def result(deployment: str, doing: str, **more: object) -> str:
    """The line that says what became of something that is no phase of its own."""
    return as_line({**journal.Done(deployment, doing=doing).as_json(), **more})


def expected(containers: Iterable[state.ContainerState] | None, unknown: str = "unknown") -> str:
    """How containers are, as scripts/lib/as-expected.sh compares it; *unknown* where nobody knows."""
    if containers is None:
        return unknown
    said = [
        f"{one.id} {one.status} {one.exit_code} {one.restarts} {one.health}"
        for one in containers if not one.one_off
    ]
    return "\n".join(sorted(said))


def guarded(
    name: str, doing: str, hold: base.Hold, common: Values, values: Values, words: Sequence[str] = (), *,
    marker: str, timeout: int, more: Sequence[str] = (), ends: bool = False,
    payload: tuple[bytes | command.Secret, ...] = (), step: str = "",
) -> command.Command:
    """The script *name* under the lease of *hold*, in a phase that allows *doing*.

    *common*: where lading's state is on the host; *ends*: it is ended with its controller; *step*: its name for people.
    """
    given: dict[str, str | int] = {
        "MARKER": marker, "APP": hold.app, **common, "DEPLOYMENT": hold.deployment, "FENCE": hold.fence,
        "STEP": step or doing, "ALLOWED": " ".join(ALLOWED[doing]), "CHANGES": int(not ends), "GRACE": hold.grace,
        **values,
    }
    needed = [*([] if common.get("KNOWN_STATE_DIR") else ["engine-state-dir"]), *more]
    text = scripts.script(name, given, words, needed)
    return command.Command(
        step or doing, text, marker, payload, timeout, changes=not ends, beats=name not in ("confirm",)
    )
