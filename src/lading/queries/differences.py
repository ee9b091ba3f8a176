"""How one host differs from what it declares: the plan that was not run, and files edited by hand (pure)."""

from dataclasses import asdict
from typing import Any

from lading import canonical, state
from lading.compose import restore
from lading.dataclass import dataclass
from lading.health import verdict
from lading.ledger import contradictions
from lading.placement import assignment
from lading.plan import planner, steps
from lading.state import damage, journal, leases

NOT_ENDED = "not ended"
RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between what a host declares and what is observed there."""

    host: str
    app: str
    service: str
    field: str
    declared: str
    observed: str

    def as_json(self) -> dict[str, Any]:
        """One entry of `drift --json`."""
        return asdict(self)


def contradicted(what: contradictions.Contradiction) -> Difference:
    """Where a host contradicts the ledger, as a difference."""
    seen = f"deployment {what.seen.deployment} (release {canonical.short(what.seen.release)})"
    return Difference(what.host, what.app, "", "ledger", seen, what.why)


def differences(host: str, app: state.AppState) -> tuple[Difference, ...]:
    """How one app on one host differs from what it declares: the plan that was not run, and hand-edited files."""
    found = _of_records(host, app)
    if app.current is None:
        owned = [c for c in app.containers if c.owned and not app.unreadable and not app.given_back]
        return (*found, *(Difference(host, app.app, c.service, "declared", "", _without_record(app)) for c in owned))
    if app.current.release not in app.releases:
        lost = [Difference(host, app.app, "", "release", app.current.release, "its files are gone")]
        return (*found, *(lost if f"release {app.current.release}" not in app.damaged else ()))
    made = restore.from_json(app.releases[app.current.release])
    placed = assignment.declared(made, app.current.by_hand)
    changes = planner.diff(host, made, app.current.generations, app, None, placed=placed)
    done = verdict.completed(made, app.containers)
    found += [_difference(host, app.app, change) for change in changes if change.service not in done]
    for expected in verdict.expected_of(made, placed, app.current.generations):
        found += _condition(host, app, expected)
    return tuple(found)


def _without_record(app: state.AppState) -> str:
    return "runs without a record" + (f": lading keeps it in {app.elsewhere}" if app.elsewhere else "")


def _of_records(host: str, app: state.AppState) -> list[Difference]:
    """What is wrong with the app as a whole: its files on the host, a deployment that has not ended, or not well."""
    found = [Difference(host, app.app, "", what, "", "damaged: it cannot be read") for what in app.damaged]
    told = {*app.damaged, "release"}  # a release's files are told of beside the containers
    found += [Difference(host, app.app, "", one.what, "", f"damaged: {one.why}") for one in damage.found(app) if one.what not in told]
    found += [Difference(host, app.app, "", "file", app.shipped_as(path), how) for path, how in app.unlike.items()]
    if app.open is not None:
        work = leases.work(app)
        word = RUNNING if work is not None and work.lives else NOT_ENDED
        found.append(Difference(host, app.app, "", "deployment", app.open.begun.deployment, word))
    unwell = ended_unwell(app)
    if unwell:
        found.append(Difference(host, app.app, "", "deployment", unwell, "ended unwell"))
    return found


def ended_unwell(app: state.AppState) -> str:
    """The last deployment that has ended here, if its record says that containers were not well then; else ""."""
    for record in reversed(() if app.foreign else app.journal):
        if isinstance(record, journal.Reached) and record.phase in journal.CLOSED:
            return record.deployment if record.result == "unwell" else ""
    return ""


def _condition(host: str, app: state.AppState, expected: verdict.Expected) -> list[Difference]:
    """Containers of a service that are as the release says, but unhealthy, or that Docker had to restart."""
    found = []
    name = expected.spec.name
    for one in verdict.problems(expected, app.containers):
        if (one.kind, one.state) == ("state", "unhealthy"):
            found.append(Difference(host, app.app, name, "health", "healthy", "unhealthy"))
        elif one.kind == "restarted" and expected.ends != "must":
            found.append(Difference(host, app.app, name, "restarts", "0", one.why))
    return found


def _difference(host: str, app: str, change: steps.Change) -> Difference:
    if change.field == "service":
        return Difference(host, app, change.service, "extra", "", "runs, but the release has no such service")
    if change.field == "containers":
        word = "missing" if change.old == "0" else "containers"
        return Difference(host, app, change.service, word, change.new, change.old if change.old != "0" else "")
    return Difference(host, app, change.service, change.field, change.new, change.old)
