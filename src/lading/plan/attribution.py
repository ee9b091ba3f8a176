"""Which deployment last changed a container: by the journal while it tells, else by what `current` remembers (pure)."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from lading import state
from lading.dataclass import dataclass
from lading.state import journal

_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-")  # how the id of a deployment begins


@dataclass(frozen=True, slots=True)
class Run:
    """One deployment as a journal tells it, by the host's own clock; *until* is empty while it is open."""

    changed: state.Changed
    began: str
    until: str = ""

    def covers(self, moment: str) -> bool:
        """Whether it was at work then."""
        return self.began <= moment and (not self.until or moment <= self.until)


def runs(app: state.AppState) -> tuple[Run, ...]:
    """The deployments that may have changed containers which are still the app's, the oldest first.

    What came before a removal counts no more; an adoption, and a giving back, change no container. One whose id is no time
    was made by an exported playbook: it has no journal, and `current` says when it ended.
    """
    known = tuple(_runs(app.journal))
    current = app.current
    if current is None or not current.since or began_at(current.deployment):
        return known
    played = state.Changed(current.deployment, current.actor, current.since, current.release)
    return (*known, Run(played, known[-1].until if known else "", current.since))


def _runs(records: Sequence[journal.Record]) -> Iterator[Run]:
    begun: Run | None = None
    for record in _since_removal(records):
        if isinstance(record, journal.Begun):
            if begun is not None:
                yield begun
            begun = None if record.keeps_containers else _begun(record)
        elif begun is not None and _closes(record, begun):
            yield replace(begun, until=record.at)
            begun = None
    if begun is not None:
        yield begun


def _since_removal(records: Sequence[journal.Record]) -> Sequence[journal.Record]:
    """What came after the app was last removed, or given back."""
    ends = [number for number, one in enumerate(records) if isinstance(one, journal.Reached) and one.result in journal.GONE]
    return records[ends[-1] + 1:] if ends else records


def _begun(one: journal.Begun) -> Run:
    since = began_at(one.deployment) or one.at
    return Run(state.Changed(one.deployment, one.actor, since, one.to), one.at)


def _closes(record: journal.Record, run: Run) -> bool:
    if not isinstance(record, journal.Reached) or record.deployment != run.changed.deployment:
        return False
    return record.phase in journal.CLOSED


def began_at(deployment: str) -> str:
    """When a deployment began, as its id tells it (ISO 8601, UTC); "" if it does not."""
    found = _TIME.match(deployment)
    if found is None:
        return ""
    year, month, day, hour, minute, second = found.groups()
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}Z"


def of_containers(app: state.AppState) -> dict[str, state.Changed]:
    """Container id → the deployment that last changed it; without those of which nothing tells, such as one made by hand."""
    known = runs(app)
    found: dict[str, state.Changed] = {}
    for seen in app.containers:
        by = _of_container(app, seen, known) if seen.owned and not seen.adopted else None
        if by is not None:
            found[seen.id] = by
    return found


def services_of(app: state.AppState, deployment: str) -> frozenset[str]:
    """The services of which a deployment has changed a container, as far as anything tells it."""
    known = of_containers(app)
    mine = {id for id, changed in known.items() if changed.deployment == deployment}
    return frozenset(one.service for one in app.containers if one.id in mine)


def _of_container(app: state.AppState, seen: state.ContainerState, known: Sequence[Run]) -> state.Changed | None:
    moment = seen.created or ("" if seen.restarts else seen.since)
    by_time = next((run.changed for run in known if moment and run.covers(moment)), None)
    if by_time is not None:
        return by_time
    remembered = app.current.changed if app.current is not None else {}
    if seen.id[:state.BRIEF] in remembered:
        return remembered[seen.id[:state.BRIEF]]
    by_service = remembered.get(seen.service)
    if by_service is None or _contradicted(app, seen, by_service):
        return None
    is_told = any(run.changed.deployment == by_service.deployment for run in known)
    return None if is_told and seen.created else by_service  # when it was at work is known, and that was not then


def _contradicted(app: state.AppState, seen: state.ContainerState, by: state.Changed) -> bool:
    """Whether a deployment cannot have made a container, since its release defines the service otherwise."""
    release = app.releases.get(by.release)
    if release is None:
        return False
    content = release.get("services", {}).get(seen.service, {}).get("content")
    return bool(content != seen.content)


def after(app: state.AppState, mine: state.Changed, started: Collection[str]) -> dict[str, state.Changed]:
    """Who has changed what once a deployment is committed that has *started* these services; *app*: what was seen before.

    Each container that was there keeps whom it had, by its id: also of a service that was started, which may only have been
    given more containers.
    """
    found = dict.fromkeys(sorted(started), mine)
    known = of_containers(app)
    for container in app.containers:
        if container.id in known and not container.one_off:
            found[container.id[:state.BRIEF]] = known[container.id]
    return found
