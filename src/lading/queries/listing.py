"""What runs on one host, a row for each container and for whatever is about none (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Literal

from lading import canonical, state
from lading.compose import release as releases
from lading.compose import restore, sent
from lading.dataclass import dataclass
from lading.health import verdict
from lading.ledger import contradictions, deployments
from lading.placement import assignment
from lading.plan import attribution
from lading.queries import differences, version
from lading.state import damage

OPEN = (f"deployment: {differences.NOT_ENDED}", f"deployment: {differences.RUNNING}")
SEEN = ("health", "restarts", "deployment")  # differences that are said in words of their own

SELDOM = ("adopted", "by_hand", "excluded")
"""What the document of a row holds only where it says something."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A deployment that has left an excluded host out, and how it ended elsewhere."""

    deployment: str
    verb: str
    version: str
    result: str


def _without_version(missed: Sequence[Missed]) -> str:
    """The last verb that was missed and has brought no version."""
    verbs = [one.verb for one in missed if one.verb in ("remove", *deployments.BY_HAND)]
    return next(reversed(verbs), missed[-1].verb)


@dataclass(frozen=True, slots=True)
class Excluded:
    """Why, by whom and since when a host is excluded, and what it has *missed* of one app and destination."""

    reason: str
    actor: str
    since: str
    missed: tuple[Missed, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One container, or one that should be there, or a host that does not answer (state "unknown") or is excluded.

    *version*: that of its image, see `version.shown`; *label*: what the image says of it. *since*: it was started, or
    it ended. *deployment* and *actor*: who changed the container last; empty where nothing tells it. *release*: what that
    deployment has brought; *app_version*: that of *release*. *restarts*: by Docker, since it was made.
    *one_shot*: it is meant to end, or may. *unwell*: the last deployment ended here with containers that are not well.
    *silent*: the host has not said what runs there, and *drift* says why. *by_hand*: how many containers of the service a
    person wants there, where that is another number than the release's; 0 = it was stopped. *excluded*: so is the host;
    *release* and *app_version* are those that it misses, *since* and *actor* of the exclusion.
    """

    app: str
    service: str
    host: str
    container: str
    version: str
    release: str
    image: str
    digest: str
    state: state.ServiceState | Literal["excluded"]
    since: str
    deployment: str
    actor: str
    drift: tuple[str, ...] = ()
    adopted: bool = False
    destination: str = ""
    app_version: str = ""
    label: str = ""
    restarts: int = 0
    one_shot: bool = False
    unwell: bool = False
    silent: bool = False
    by_hand: int | None = None
    excluded: Excluded | None = None

    def as_json(self) -> dict[str, Any]:
        """One entry of `where --json`; what is not known is null; SELDOM is only there where it says something."""
        found: dict[str, Any] = {}
        for key, value in asdict(self).items():
            if key not in SELDOM or (value is not None and value is not False):
                found[key] = _json(value)
        return found

    @property
    def drifted(self) -> bool:
        """Whether it is seen to differ from what was deployed in more than its state says."""
        return self.excluded is None and any(one.partition(":")[0] not in SEEN for one in self.drift)

    @property
    def deployment_is_open(self) -> bool:
        """Whether it is the row of a deployment that has not ended."""
        return not self.service and any(one.startswith(OPEN) for one in self.drift)

    @property
    def words(self) -> str:
        """Its state for people: what Docker says, and what does not meet the eye."""
        if self.state == "stopped":
            return "stopped by hand"
        found: list[str] = [self.state]
        if self.by_hand:
            found.append(f"{self.by_hand} by hand")
        if self.excluded is not None and self.excluded.missed:
            found.append(f"misses {self.app_version or _without_version(self.excluded.missed)}")
        if self.drifted and self.service and self.state not in ("missing", "unknown"):
            found.append("drifted")
        if self.restarts and self.state != "completed":
            found.append(f"restarted {self.restarts}×")
        if self.unwell:
            found.append("unwell")
        return ", ".join(found)


def _json(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return None if value == "" else value


def host_rows(
    host: state.HostState, app: str, contradicting: Sequence[contradictions.Contradiction] = ()
) -> list[Row]:
    """The rows of one host; pure, so that a page or a test can use it."""
    silent = [replace(_empty(host.host, app, (host.unanswered,)), silent=True)]
    if not host.reachable:
        return silent
    wrong = {one.app: one for one in contradicting if one.host == host.host}
    apps = {name: state.AppState(name) for name in wrong} | dict(host.apps)
    chosen = [apps[name] for name in sorted(apps) if app in ("", name)]
    rows = [row for one in chosen for row in _app_rows(host.host, one, wrong.get(one.app))]
    if host.unanswered:  # its files are read, but nobody knows what runs
        return [*silent, *(row for row in rows if not row.service)]
    return rows


def _empty(host: str, app: str, drift: tuple[str, ...], service: str = "", destination: str = "") -> Row:
    """A row of no container, of which nothing is known but what is wrong."""
    return Row(app, service, host, "", "", "", "", "", "unknown", "", "", "", drift, destination=destination)


def destination(app: state.AppState) -> str:
    """The destination for which an app was deployed, or is being deployed; "" if nothing tells."""
    deployed = damage.declared(app)
    if deployed is not None:
        return deployed.destination
    return app.open.begun.destination if app.open is not None else ""


def _app_rows(host: str, app: state.AppState, wrong: contradictions.Contradiction | None) -> list[Row]:
    made = _made(app)
    drifted: dict[str, list[str]] = {}
    found = differences.differences(host, app)
    for one in found:
        drifted.setdefault(one.service, []).append(_words(one))
    changed = attribution.of_containers(app)
    rows = [
        _row(host, app, container, made, tuple(drifted.get(container.service, ())), changed.get(container.id))
        for container in app.containers if not container.one_off
    ]
    present = {row.service for row in rows}
    for name, count in _by_hand(app, made).items():
        if name not in present and app.current is not None and not count:
            rows.append(_without(host, app, app.current, made.services[name], "stopped", tuple(drifted.get(name, ()))))
    present = {row.service for row in rows}
    for name in _lacking(app, made):
        if name not in present and app.current is not None:
            rows.append(_without(host, app, app.current, made.services[name], "missing", tuple(drifted.get(name, ()))))
    present = {row.service for row in rows}
    rows += [_of_no_container(host, app, one) for one in found if one.service not in present]
    if wrong is not None:
        rows.append(_of_no_container(host, app, differences.contradicted(wrong)))
    return sorted(rows, key=lambda row: (row.app, row.service, row.container))


def _lacking(app: state.AppState, made: releases.Release) -> list[str]:
    """The services of which there are too few containers."""
    found = []
    for expected in verdict.expected_of(made, assignment.declared(made, _by_hand(app, made)), {}):
        kinds = {one.kind for one in verdict.problems(expected, app.containers)}
        found += [expected.spec.name] if "missing" in kinds else []
    return found


def _by_hand(app: state.AppState, made: releases.Release) -> dict[str, int]:
    """The numbers of containers that a person wants of services that there are."""
    wanted = app.current.by_hand if app.current is not None else {}
    return {name: count for name, count in sorted(wanted.items()) if name in made.services}


def _without(
    host: str, app: state.AppState, current: state.Current, spec: releases.ServiceSpec,
    word: state.ServiceState, drift: tuple[str, ...],
) -> Row:
    """A service of which there is no container, though the release wants one: by whom it is so, or should be there."""
    image, digest = sent.split(spec.image)
    return Row(
        app.app, spec.name, host, "", version.shown(image, digest), current.release, image, digest, word,
        current.since, current.deployment, current.actor, drift, destination=current.destination,
        app_version=current.version, by_hand=current.by_hand.get(spec.name),
    )


def _of_no_container(host: str, app: state.AppState, what: differences.Difference) -> Row:
    """A difference that is about no container: the app as a whole, such as an open deployment, with what to type next."""
    words = _words(what)
    if what.field == "ledger":
        words += f"; next: {_way_out(host, app)}"
    if app.open is None or what.field != "deployment" or what.observed not in (differences.NOT_ENDED, differences.RUNNING):
        return _empty(host, app.app, (words,), what.service, destination(app))
    one = app.open.begun
    way = f"lading show {one.deployment}" if what.observed == differences.RUNNING else f"lading resume {app.app}"
    return Row(app.app, "", host, "", one.version, one.to, "", "", "unknown", one.at, one.deployment, one.actor,
               (f"{words}; next: {way}",), destination=one.destination, app_version=one.version)


def _words(what: differences.Difference) -> str:
    """A difference in a few words; of a file with its name."""
    field = f"file {what.declared}" if what.field == "file" else what.field
    return f"{field}: {what.observed or 'nothing'}"


def _way_out(host: str, app: state.AppState) -> str:
    """What to type where a host contradicts the ledger: what is damaged is mended before anything else."""
    if damage.blocking(app) is not None:
        return f"lading repair {host} {app.app}"
    return f"lading deploy … --to {host} --accept-host {host}"


def _made(app: state.AppState) -> releases.Release:
    if app.current is None or app.current.release not in app.releases:
        return releases.empty(app.app)
    return restore.from_json(app.releases[app.current.release])


def _row(
    host: str, app: state.AppState, seen: state.ContainerState, made: releases.Release,
    drift: tuple[str, ...], by: state.Changed | None,
) -> Row:
    image, digest = sent.split(seen.image)
    release, app_version = _origin(app, seen, by)
    ends = made.endings.get(seen.service, "may")
    deployment, actor = (by.deployment, by.actor) if by is not None else ("", "")
    return Row(
        app.app, seen.service, host, seen.name,
        version.shown(image, digest or seen.image_id, label=seen.version_label, title=seen.title_label),
        release, image, digest, verdict.observed(seen, ends), seen.since, deployment, actor, drift, seen.adopted,
        destination(app), app_version, seen.version_label, seen.restarts, ends != "never",
        bool(differences.ended_unwell(app)), by_hand=_by_hand(app, made).get(seen.service),
    )


def _origin(
    app: state.AppState, seen: state.ContainerState, by: state.Changed | None
) -> tuple[str, str]:
    """The release that *by* has brought, and its version, if the container is as it says.

    Where nobody is known to have changed the container (it was adopted), the current one counts.
    """
    current = app.current.release if app.current is not None else ""
    brought = by.release if by is not None else current
    for name, raw in app.releases.items():
        if canonical.is_named(brought, name) and _defines(raw, seen):
            return name, str(raw.get("version", ""))
    return "", ""


def _defines(release: Mapping[str, Any], seen: state.ContainerState) -> bool:
    """Whether a release defines a service as a container of it is."""
    spec = release.get("services", {}).get(seen.service, {})
    return bool(spec.get("content") == seen.content)
