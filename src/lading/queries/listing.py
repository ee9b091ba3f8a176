"""What runs on one host, a row for each container and for whatever is about none (pure)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lading import state
from lading.compose import release as releases
from lading.compose import restore
from lading.health import verdict
from lading.ledger import contradictions
from lading.placement import assignment
from lading.queries import differences


@dataclass(frozen=True, slots=True)
class Row:
    """One container, or one that should be there, or a host that does not answer (state "unknown")."""

    app: str
    service: str
    host: str
    container: str
    version: str
    release: str
    image: str
    digest: str
    state: state.ServiceState
    since: str
    deployment: str
    actor: str
    drift: tuple[str, ...] = ()
    adopted: bool = False

    def as_json(self) -> dict[str, Any]:
        """One entry of `where --json`; what is not known is null; "adopted" is only there where it is true."""
        return {key: list(v) if isinstance(v, tuple) else (v or None) for key, v in asdict(self).items()
                if key != "adopted" or v}


def host_rows(
    host: state.HostState, app: str, contradicting: Sequence[contradictions.Contradiction] = ()
) -> list[Row]:
    """The rows of one host; pure, so that a page or a test can use it."""
    silent = [Row(app, "", host.host, "", "", "", "", "", "unknown", "", "", "", (host.unanswered,))]
    if not host.reachable:
        return silent
    wrong = {one.app: one for one in contradicting if one.host == host.host}
    apps = {name: state.AppState(name) for name in wrong} | dict(host.apps)
    chosen = [apps[name] for name in sorted(apps) if app in ("", name)]
    rows = [row for one in chosen for row in _app_rows(host.host, one, wrong.get(one.app))]
    if host.unanswered:  # its files are read, but nobody knows what runs
        return [*silent, *(row for row in rows if not row.service)]
    return rows


def _app_rows(host: str, app: state.AppState, wrong: contradictions.Contradiction | None) -> list[Row]:
    current, made = app.current, _made(app)
    drifted: dict[str, list[str]] = {}
    found = differences.differences(host, app)
    for one in found:
        drifted.setdefault(one.service, []).append(f"{one.field}: {one.observed or 'nothing'}")
    rows = [
        _row(host, app, container, made, tuple(drifted.get(container.service, ())))
        for container in app.containers if not container.one_off
    ]
    present = {row.service for row in rows}
    for name in _missing(app, made):
        if name not in present and current is not None:
            image, _, digest = made.services[name].image.partition("@")
            rows.append(Row(app.app, name, host, "", current.version, current.release, image, digest, "missing",
                            current.since, current.deployment, current.actor, tuple(drifted.get(name, ()))))
    present = {row.service for row in rows}
    rows += [_of_no_container(host, app, one) for one in found if one.service not in present]
    rows += [_of_no_container(host, app, differences.contradicted(wrong))] if wrong is not None else []
    return sorted(rows, key=lambda row: (row.app, row.service, row.container))


def _of_no_container(host: str, app: state.AppState, what: differences.Difference) -> Row:
    """A difference that is about no container: the app as a whole, such as an open deployment, with what to type next."""
    words = f"{what.field}: {what.observed or 'nothing'}"
    if what.field == "ledger":
        words += f"; next: lading deploy … --to {host} --accept-host {host}"
    left = app.open if what.field == "deployment" else None
    if left is None:
        return Row(app.app, what.service, host, "", "", "", "", "", "unknown", "", "", "", (words,))
    one = left.begun
    return Row(app.app, "", host, "", one.version, one.to, "", "", "unknown", one.at, one.deployment, one.actor,
               (f"{words}; next: lading resume {app.app}",))


def _made(app: state.AppState) -> releases.Release:
    if app.current is None or app.current.release not in app.releases:
        return releases.empty(app.app)
    return restore.from_json(app.releases[app.current.release])


def _missing(app: state.AppState, made: releases.Release) -> list[str]:
    """The services of which there are too few containers."""
    found = []
    for expected in verdict.expected_of(made, assignment.by_default(made), {}):
        kinds = {one.kind for one in verdict.problems(expected, app.containers)}
        found += [expected.spec.name] if "missing" in kinds else []
    return found


def _row(
    host: str, app: state.AppState, seen: state.ContainerState, made: releases.Release,
    drift: tuple[str, ...],
) -> Row:
    image, _, digest = seen.image.partition("@")
    known = _origin(app, seen)
    ends = made.endings.get(seen.service, "may")
    return Row(
        app.app, seen.service, host, seen.name, known[1], known[0], image, digest, verdict.observed(seen, ends), seen.since,
        app.current.deployment if app.current and known[0] == app.current.release else "",
        app.current.actor if app.current and known[0] == app.current.release else "", drift, seen.adopted,
    )


def _origin(app: state.AppState, seen: state.ContainerState) -> tuple[str, str]:
    """The release and version that a container belongs to, by its content: current first, then a kept one."""
    order = [app.current.release] if app.current else []
    for name in [*order, *(n for n in app.releases if n not in order)]:
        raw = app.releases.get(name, {})
        if raw.get("services", {}).get(seen.service, {}).get("content") == seen.content:
            return name, str(raw.get("version", ""))
    return "", ""
