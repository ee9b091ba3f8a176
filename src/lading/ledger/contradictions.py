"""Where a host contradicts this ledger: it lacks the last commit that the ledger saw there, or has it otherwise (pure)."""

from collections.abc import Mapping, Sequence

from lading import canonical, state
from lading.dataclass import dataclass
from lading.state import damage, journal

WINDOW = damage.WINDOW


@dataclass(frozen=True, slots=True)
class Committed:
    """A commit that was seen to succeed on a host; *at* is ISO 8601 UTC, *release* is the id as it was stored.

    *line*, *current*: hashes of what the host wrote, as `HostCommitted` has them; "" in the events of older ladings.
    """

    deployment: str
    release: str
    at: str
    line: str = ""
    current: str = ""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What a host says of an app is not what this ledger saw there; *why* in words, *seen* the commit it is about."""

    host: str
    app: str
    why: str
    seen: Committed


def found(
    app: str, seen: state.FleetState, known: Mapping[str, Committed]
) -> dict[str, Contradiction]:
    """The hosts that contradict, by name; *known*: the last commits as the ledger told them before the hosts were asked.

    A host that does not answer, or whose files cannot be read, is not compared: that is told as what it is. Whatever comes
    after the last commit that this ledger saw was made elsewhere, and is news.
    """
    wrong: dict[str, Contradiction] = {}
    for name, host in seen.hosts.items():
        if name not in known or not host.reachable:
            continue
        why = _why(host.apps.get(app, state.AppState(app)), known[name])
        if why:
            wrong[name] = Contradiction(name, app, why, known[name])
    return wrong


def reach(known: Mapping[str, Mapping[str, Committed]]) -> dict[str, list[tuple[str, str]]]:
    """Host → apps, and the deployments that their journals there must reach back to, so that `found` can compare them."""
    back: dict[str, list[tuple[str, str]]] = {}
    for app, commits in known.items():
        for host, last in commits.items():
            back.setdefault(host, []).append((app, last.deployment))
    return back


def uncompared(
    seen: state.FleetState, known: Mapping[str, Mapping[str, Committed]]
) -> dict[str, tuple[str, ...]]:
    """App → hosts where lading has it, and of which this ledger saw no commit; *known*: its commits by app and host."""
    apart: dict[str, tuple[str, ...]] = {}
    for name, host in seen.hosts.items():
        for app in host.apps.values():
            if app.current is not None and name not in known.get(app.app, {}):
                apart[app.app] = (*apart.get(app.app, ()), name)
    return apart


def _why(app: state.AppState, known: Committed) -> str:
    if app.unreadable:
        return ""
    what = f"deployment {known.deployment} (release {canonical.short(known.release)})"
    at = next((number for number, record in enumerate(app.journal) if _commits(record, known.deployment)), -1)
    if at < 0:
        return _lacking(app, known, what)
    line, later = app.journal[at].raw, app.journal[at + 1:]
    if not canonical.is_named(known.release, str(line.get("to", ""))) or known.line not in ("", state.hash_of_line(line)):
        return f"its journal tells {what} otherwise than this ledger saw it committed there"
    if any(map(_moves_on, later)) or app.open is not None:
        return ""
    return _current(app, known, what)


def _commits(record: journal.Record, deployment: str) -> bool:
    return record.kind == "committed" and record.deployment == deployment


def _moves_on(record: journal.Record) -> bool:
    """Whether `current` may be another from here on."""
    return isinstance(record, journal.Reached) and (record.kind == "committed" or record.result in journal.GONE)


def _lacking(app: state.AppState, known: Committed, what: str) -> str:
    if not app.journal and any(container.owned for container in app.containers):
        return (f"it has no record of {app.app}, whose containers run there, but this ledger saw {what} committed there: "
                "deployed with another state folder, perhaps by another SSH user, or emptied")
    if not app.journal:
        return f"it has no record of {app.app}, but this ledger saw {what} committed there: emptied, reinstalled, or another machine of that name"
    if len(app.journal) >= WINDOW and _newest(app.journal) > known.deployment:
        return ""  # the host shows no more, and goes on after it
    return f"its journal lacks {what}, which this ledger saw committed there: an old snapshot, or not its own journal"


def _newest(lines: Sequence[journal.Record]) -> str:
    """The newest deployment of a journal: their ids begin with the time."""
    return max(record.deployment for record in lines)


def _current(app: state.AppState, known: Committed, what: str) -> str:
    """What is wrong with `current`; it may also have been mended as the journal tells it, or be of an exported playbook."""
    current = app.current
    if current is None:
        return f"its `current` is gone, but its journal ends with {what}"
    if current.deployment == damage.PLAYBOOK:
        return ""
    same = current.deployment == known.deployment and canonical.is_named(known.release, current.release)
    if not same or (known.current not in ("", state.hash_of_current(current)) and current != app.committed):
        return f"its `current` is not what was written with {what}"
    return ""
