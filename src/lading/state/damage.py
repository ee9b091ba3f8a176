"""What is damaged or missing of what lading keeps of an app on a host, each case by its name (pure)."""

from collections.abc import Iterator
from typing import Literal

from lading import canonical
from lading.dataclass import dataclass
from lading.state import journal, records
from lading.state.observed import AppState

What = Literal["current", "journal", "release", "lease"]
PLAYBOOK = "ansible-playbook"  # the deployment that an exported playbook writes into `current`; it has no journal
WINDOW = 500  # lines that a host shows of a journal: as scripts/lib/app-state.sh says


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is not as lading left it. *what* is the file; *why* in words, after its name.

    *blocks*: nobody can say for certain what is deployed, so nothing is changed there before it is mended.
    """

    what: What
    why: str
    blocks: bool = True


def found(app: AppState) -> tuple[Damage, ...]:
    """All that is damaged or missing of an app; what an open deployment has not written yet is none of it."""
    return (*_of_current(app), *_of_journal(app), *_of_release(app), *_of_lease(app))


def blocking(app: AppState) -> Damage | None:
    """The first that must be mended before anything is changed."""
    return next((one for one in found(app) if one.blocks), None)


def declared(app: AppState) -> records.Current | None:
    """What is deployed, as `current` says; where that is damaged or gone, as the journal does."""
    if app.current is not None:
        return app.current
    if app.foreign or not _is_deployed(app):
        return None
    is_damaged = any(one.what == "current" for one in found(app))
    return app.committed if is_damaged else None


def _of_current(app: AppState) -> Iterator[Damage]:
    if "current" in app.damaged:
        yield Damage("current", "it cannot be read")
    elif app.current is None and app.open is None and not app.foreign and _is_deployed(app):
        told = app.committed
        which = f": {told.version}, release {canonical.short(told.release)}" if told is not None else ""
        yield Damage("current", f"it is gone, though the journal says that the app is deployed{which}")


def _is_deployed(app: AppState) -> bool:
    """Whether the last that the journal tells of is a commit, and no removal."""
    for record in reversed(app.journal):
        if isinstance(record, journal.Reached):
            if record.result in journal.GONE:
                return False
            if record.kind == "committed":
                return True
    return False


def _of_journal(app: AppState) -> Iterator[Damage]:
    current = app.current
    played = current is not None and current.deployment == PLAYBOOK
    if "journal" in app.damaged:
        yield Damage("journal", "it cannot be read")
    elif app.foreign:
        yield Damage("journal", f"it is another host's: it was written {app.foreign}")
    elif "journal" in app.lost and current is not None and not played:
        yield Damage("journal", f"it is gone, though {current.deployment} was deployed")


def _of_release(app: AppState) -> Iterator[Damage]:
    current = app.current
    if current is None or current.release in app.releases:
        return
    if not any(_names(one, current.release) for one in app.damaged):
        yield Damage("release", f"the files of {canonical.short(current.release)}, which is deployed, are gone", blocks=False)


def _names(damaged: str, release: str) -> bool:
    """Whether an entry of `AppState.damaged` is about a release, which may stand there by 12 digits of its id."""
    word, _, folder = damaged.partition(" ")
    return word == "release" and bool(folder) and canonical.is_named(folder, release)


def _of_lease(app: AppState) -> Iterator[Damage]:
    if "lease" in app.lost and app.journal:
        yield Damage("lease", "it is gone; the next deployment writes it anew", blocks=False)
        return
    is_there = bool(set(app.lease) - {"now", "nowboot"})
    fence = app.lease.get("fence", "")
    if is_there and not (fence.isascii() and fence.isdigit()):
        yield Damage("lease", "it cannot be read; the next deployment writes it anew", blocks=False)
