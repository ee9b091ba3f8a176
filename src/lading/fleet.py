"""Questions about what is: where, drift, logs; one round trip per host, in parallel."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lading import canonical, errors, spans, state
from lading import context as contexts
from lading.compose import ending, restore
from lading.compose import release as releases
from lading.drivers.shell import logs as commands
from lading.drivers.shell import observe
from lading.inventory import hosts
from lading.ledger import contradictions
from lading.plan import planner, steps


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


async def look(context: contexts.Context, app: str, to: Sequence[str]) -> state.FleetState:
    """All chosen hosts (all of the fleet without *to*), one round trip each."""
    _, chosen = context.choose(to)
    seen = await observe.fleet(context.transport, chosen, state_dir=context.settings.state_dir, app=app, facts=False)
    context.silent.update(seen.silent)
    return seen


async def _compared(
    context: contexts.Context, app: str, to: Sequence[str]
) -> tuple[state.FleetState, tuple[contradictions.Contradiction, ...]]:
    """What is seen, and where hosts contradict the ledger, which is asked first: a deployment may end in between."""
    why = "it saw no deployment there" if context.ledger is not None else "there is none here"
    try:
        known = await context.commits(app)
    except errors.LedgerError as wrong:
        known, why = {}, wrong.message
    seen = await look(context, app, to)
    for name, apart in contradictions.uncompared(seen, known).items():
        context.notes.append(f"{name} on {', '.join(spans.packed(apart))} is not compared with a ledger: {why}")
    return seen, tuple(one for name in known for one in contradictions.found(name, seen, known[name]).values())


async def where(context: contexts.Context, app: str = "", to: Sequence[str] = ()) -> tuple[Row, ...]:
    """What runs where, observed now; right without any ledger. An unreachable host is a row "unknown"."""
    seen, wrong = await _compared(context, app, to)
    return tuple(row for host in seen.hosts.values() for row in host_rows(host, app, wrong))


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
    found = differences(host, app)
    for one in found:
        drifted.setdefault(one.service, []).append(f"{one.field}: {one.observed or 'nothing'}")
    rows = [
        _row(host, app, container, made, tuple(drifted.get(container.service, ())))
        for container in app.containers if not container.one_off
    ]
    present = {row.service for row in rows}
    for name, spec in made.services.items():
        if spec.active and name not in present and current is not None:
            image, _, digest = spec.image.partition("@")
            rows.append(Row(app.app, name, host, "", current.version, current.release, image, digest, "missing",
                            current.since, current.deployment, current.actor, tuple(drifted.get(name, ()))))
    present = {row.service for row in rows}
    rows += [_of_no_container(host, app, one) for one in found if one.service not in present]
    rows += [_of_no_container(host, app, contradicted(wrong))] if wrong is not None else []
    return sorted(rows, key=lambda row: (row.app, row.service, row.container))


def _of_no_container(host: str, app: state.AppState, what: Difference) -> Row:
    """A difference that is about no container: the app as a whole, such as an open deployment, with what to type next."""
    words = f"{what.field}: {what.observed or 'nothing'}"
    if what.field == "ledger":
        words += f"; next: lading deploy … --to {host} --accept-host {host}"
    begun = app.open_intent if what.field == "deployment" else None
    if begun is None:
        return Row(app.app, what.service, host, "", "", "", "", "", "unknown", "", "", "", (words,))
    version, release, since, deployment, actor = (
        str(begun.get(key) or "") for key in ("version", "to", "at", "deployment", "actor"))
    return Row(app.app, "", host, "", version, release, "", "", "unknown", since, deployment, actor,
               (f"{words}; next: lading resume {app.app}",))


def contradicted(what: contradictions.Contradiction) -> Difference:
    """Where a host contradicts the ledger, as a difference."""
    seen = f"deployment {what.seen.deployment} (release {canonical.short(what.seen.release)})"
    return Difference(what.host, what.app, "", "ledger", seen, what.why)


def _made(app: state.AppState) -> releases.Release:
    if app.current is None or app.current.release not in app.releases:
        return releases.empty(app.app)
    return restore.from_json(app.releases[app.current.release])


def _row(
    host: str, app: state.AppState, seen: state.ContainerState, made: releases.Release,
    drift: tuple[str, ...],
) -> Row:
    image, _, digest = seen.image.partition("@")
    known = _origin(app, seen)
    ends = made.endings.get(seen.service, "may")
    return Row(
        app.app, seen.service, host, seen.name, known[1], known[0], image, digest, ending.word(seen, ends), seen.since,
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


def differences(host: str, app: state.AppState) -> tuple[Difference, ...]:
    """How one app on one host differs from what it declares: the plan that was not run, and hand-edited files."""
    found = [Difference(host, app.app, "", what, "", "damaged: it cannot be read") for what in app.damaged]
    found += [Difference(host, app.app, "", "file", app.shipped_as(path), "edited by hand") for path in app.edited]
    if app.open_intent is not None:
        found.append(Difference(host, app.app, "", "deployment", str(app.open_intent["deployment"]), "not ended"))
    if app.current is None:
        owned = [c for c in app.containers if c.owned and not app.unreadable and not app.given_back]
        return (*found, *(Difference(host, app.app, c.service, "declared", "", "runs without a record") for c in owned))
    if app.current.release not in app.releases:
        lost = [Difference(host, app.app, "", "release", app.current.release, "its files are gone")]
        return (*found, *(lost if f"release {app.current.release}" not in app.damaged else ()))
    made = restore.from_json(app.releases[app.current.release])
    changes = planner.diff(host, made, app.current.generations, app, None)
    jobs = {name for name in ending.finished(app.containers) if made.endings.get(name, "never") != "never"}
    found += [_difference(host, app.app, change) for change in changes if change.service not in jobs]
    found += [
        Difference(host, app.app, c.service, "health", "healthy", "unhealthy")
        for c in app.containers if c.health == "unhealthy" and c.status == "running"
    ]
    return tuple(found)


def _difference(host: str, app: str, change: steps.Change) -> Difference:
    if change.field == "service":
        return Difference(host, app, change.service, "extra", "", "runs, but the release has no such service")
    if change.field == "containers":
        word = "missing" if change.old == "0" else "containers"
        return Difference(host, app, change.service, word, change.new, change.old if change.old != "0" else "")
    return Difference(host, app, change.service, change.field, change.new, change.old)


async def drift(context: contexts.Context, app: str = "", to: Sequence[str] = ()) -> tuple[Difference, ...]:
    """Everything in which hosts differ from what they declare; a host that does not answer is one difference.

    Raises:
        UnknownReleaseError: all hosts answer, and none knows the app.
    """
    seen, wrong = await _compared(context, app, to)
    await context.check_known(app, seen)
    found = [contradicted(one) for one in wrong]
    for host in seen.hosts.values():
        if host.unanswered:
            found.append(Difference(host.host, app, "", "host", "reachable", host.unanswered))
        for one in host.apps.values():
            if not app or one.app == app:
                found += [each for each in differences(host.host, one) if not (each.service and host.unanswered)]
    return tuple(found)


async def logs(
    context: contexts.Context, app: str, *, to: Sequence[str] = (), service: str = "", follow: bool = False,
    tail: int = 100, emit: Callable[[str, str], None] = lambda _host, _line: None,
) -> None:
    """The app's log lines of all hosts: *emit*(host, line), by time, or with *follow* as they come until `stop`.

    Raises:
        TransportError: a host does not answer, after the others were shown.
        UnknownReleaseError: nothing was shown (*follow*: would be), all hosts answer, and none knows the app.
    """
    _, chosen = context.choose(to)
    if follow:
        await context.check_known(app, await look(context, app, to))
    kept: list[tuple[str, str]] = []

    def keep(host: str, text: str) -> None:
        kept.append((host, text))

    async def one(host: Any) -> None:
        def on_part(name: str, content: bytes) -> bool:
            if name == "log":
                (emit if follow else keep)(host.name, content.decode("utf-8", "replace").rstrip("\n"))
            return False

        what = commands.logs(observe.marker(), app=app, service=service, follow=follow, tail=tail)
        result = await context.transport.run(host, what, on_part)
        if "refused" in result.parts:
            raise errors.CommandError(result.text("refused").partition("\n")[2], f"lading check {host.name}", host=host.name)
        if not follow and "end" not in result.parts:
            raise errors.CommandError(f"logs ended with status {result.status}", f"lading check {host.name}", host=host.name)

    running = [asyncio.create_task(one(host)) for host in chosen]
    stopping = asyncio.create_task(_cancelled(running, context.stop))
    ended = await asyncio.gather(*running, return_exceptions=True)
    stopping.cancel()
    for host, text in sorted(kept, key=lambda one: one[1].partition(" | ")[2].partition(" ")[0]):
        emit(host, text)
    _raise(chosen, ended)
    if not follow and not kept and not context.stop.is_set():
        seen = await look(context, app, to)
        await context.check_known(app, seen)
        contexts.check_answered(seen.silent, "whether the app's containers say anything")


def _raise(chosen: Sequence[hosts.Host], ended: Sequence[object]) -> None:
    """Name every host whose lines are missing."""
    wrong = {host.name: why for host, why in zip(chosen, ended, strict=True)
             if isinstance(why, BaseException) and not isinstance(why, asyncio.CancelledError)}
    lost = {name: why.message for name, why in wrong.items() if isinstance(why, errors.TransportError)}
    for name, why in wrong.items():
        if len(wrong) == 1 or name not in lost:
            raise why
    contexts.check_answered(lost, "what the app's containers say")


async def _cancelled(tasks: Sequence[asyncio.Task[None]], stop: asyncio.Event) -> None:
    await stop.wait()
    for task in tasks:
        task.cancel()
