"""Questions about what is: where, drift, logs, check, history; one round trip per host, in parallel."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lading import context as contexts
from lading import errors, observe, state
from lading.commands import rolling
from lading.compose import release as releases
from lading.engines import preflight
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

    def as_json(self) -> dict[str, Any]:
        """One entry of `where --json`; what is not known is null."""
        return {key: list(v) if isinstance(v, tuple) else (v or None) for key, v in asdict(self).items()}


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


async def look(context: contexts.Context, app: str, to: Sequence[str], *, facts: bool = False) -> state.FleetState:
    """All chosen hosts (all of the fleet without *to*), one round trip each."""
    _, chosen = context.choose(to)
    return await observe.fleet(context.transport, chosen, state_dir=context.settings.state_dir, app=app, facts=facts)


async def where(context: contexts.Context, app: str = "", to: Sequence[str] = ()) -> tuple[Row, ...]:
    """What runs where, observed now; right without any ledger. An unreachable host is a row "unknown"."""
    seen = await look(context, app, to)
    return tuple(row for host in seen.hosts.values() for row in host_rows(host, app))


def host_rows(host: state.HostState, app: str) -> list[Row]:
    """The rows of one host; pure, so that a page or a test can use it."""
    if not host.reachable:
        return [Row(app, "", host.host, "", "", "", "", "", "unknown", "", "", "", (host.error,))]
    return [row for one in host.apps.values() if not app or one.app == app for row in _app_rows(host.host, one)]


def _app_rows(host: str, app: state.AppState) -> list[Row]:
    current, specs = app.current, _specs(app)
    drifted: dict[str, list[str]] = {}
    for one in differences(host, app):
        drifted.setdefault(one.service, []).append(f"{one.field}: {one.observed or 'nothing'}")
    rows = [
        _row(host, app, container, specs.get(container.service), tuple(drifted.get(container.service, ())))
        for container in app.containers if not container.one_off
    ]
    present = {row.service for row in rows}
    for name, spec in specs.items():
        if spec.active and name not in present and current is not None:
            image, _, digest = spec.image.partition("@")
            rows.append(Row(app.app, name, host, "", current.version, current.release, image, digest, "missing",
                            current.since, current.deployment, current.actor, tuple(drifted.get(name, ()))))
    return sorted(rows, key=lambda row: (row.app, row.service, row.container))


def _specs(app: state.AppState) -> Mapping[str, releases.ServiceSpec]:
    if app.current is None or app.current.release not in app.releases:
        return {}
    return releases.from_json(app.releases[app.current.release]).services


def _row(
    host: str, app: state.AppState, seen: state.ContainerState, spec: releases.ServiceSpec | None,
    drift: tuple[str, ...],
) -> Row:
    image, _, digest = seen.image.partition("@")
    known = _origin(app, seen)
    job = spec.job if spec else seen.status == "exited" and seen.exit_code == 0
    return Row(
        app.app, seen.service, host, seen.name, known[1], known[0], image, digest, seen.state(job), seen.since,
        app.current.deployment if app.current and known[0] == app.current.release else "",
        app.current.actor if app.current and known[0] == app.current.release else "", drift,
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
    found = [Difference(host, app.app, "", "file", path, "edited by hand") for path in app.edited]
    if app.open_intent is not None:
        found.append(Difference(host, app.app, "", "deployment", str(app.open_intent["deployment"]), "not ended"))
    if app.current is None:
        owned = [c for c in app.containers if c.owned]
        return (*found, *(Difference(host, app.app, c.service, "declared", "", "runs without a record") for c in owned))
    if app.current.release not in app.releases:
        return (*found, Difference(host, app.app, "", "release", app.current.release, "its files are gone"))
    made = releases.from_json(app.releases[app.current.release])
    changes = planner.diff(host, made, app.current.generations, app, None)
    done = {c.service for c in app.containers if c.status == "exited" and c.exit_code == 0}
    jobs = {name for name, spec in made.services.items() if spec.job} & done
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
    """Everything in which hosts differ from what they declare; a host that does not answer is one difference."""
    seen = await look(context, app, to)
    found: list[Difference] = []
    for host in seen.hosts.values():
        if not host.reachable:
            found.append(Difference(host.host, app, "", "host", "reachable", host.error))
        for one in host.apps.values():
            if not app or one.app == app:
                found += differences(host.host, one)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` found on one host: column → (good, words); *hints*: what to do about what is not."""

    host: str
    columns: Mapping[str, tuple[bool, str]]
    hints: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether lading can deploy there."""
        return all(good for good, _ in self.columns.values())

    def as_json(self) -> dict[str, Any]:
        """One entry of `check --json`."""
        columns = {name: {"ok": good, "text": text} for name, (good, text) in self.columns.items()}
        return {"host": self.host, "ok": self.good, **columns, "hints": list(self.hints)}


async def check(context: contexts.Context, to: Sequence[str] = ()) -> tuple[Checked, ...]:
    """Whether lading can work with each host, in one round trip each; nothing is changed."""
    seen = await look(context, "", to, facts=True)
    return tuple(_checked(host) for host in seen.hosts.values())


def _checked(host: state.HostState) -> Checked:
    if not host.reachable:
        key = host.error_kind not in ("host_key",)
        columns = {"ssh": (False, host.error), "key": (key, "" if key else host.error)}
        return Checked(host.host, columns, (host.error_hint,) if host.error_hint else ())
    facts = host.facts
    wrong = preflight.tooling(facts)

    def column(text: str, *words: str) -> tuple[bool, str]:
        bad = [problem for problem in wrong if any(word in problem.lower() for word in words)]
        return (False, bad[0]) if bad else (True, text)

    columns = {
        "ssh": (True, "ok"), "key": (True, "pinned"),
        "docker": (False, facts.problem) if facts.problem else column(facts.engine, "engine", "docker_host"),
        "compose": (bool(facts.compose), facts.compose or "none") if facts.problem else column(facts.compose, "compose"),
        "disk": column(f"{facts.disk_free} MiB", "disk"), "tools": column("ok", "installed"),
        "state_dir": column(facts.state_dir, "network file system", "cannot write"),
    }
    return Checked(host.host, columns, tuple(wrong))


async def logs(
    context: contexts.Context, app: str, *, to: Sequence[str] = (), service: str = "", follow: bool = False,
    tail: int = 100, emit: Callable[[str, str], None] = lambda _host, _line: None,
) -> None:
    """The app's log lines of all hosts as they come: *emit*(host, line). Ends by itself unless *follow*.

    Raises:
        TransportError: a host does not answer, after the others were shown.
    """
    _, chosen = context.choose(to)

    async def one(host: Any) -> None:
        def on_part(name: str, content: bytes) -> bool:
            if name == "log":
                emit(host.name, content.decode("utf-8", "replace").rstrip("\n"))
            return context.stop.is_set()

        what = rolling.logs(observe.marker(), state_dir=context.settings.state_dir, app=app, service=service,
                            follow=follow, tail=tail)
        await context.transport.run(host, what, on_part)

    ended = await asyncio.gather(*(one(host) for host in chosen), return_exceptions=True)
    for wrong in ended:
        if isinstance(wrong, BaseException):
            raise wrong


@dataclass(frozen=True, slots=True)
class History:
    """Deployments, newest first; *elsewhere*: how many of them this ledger only knows from hosts."""

    rows: tuple[Any, ...]
    elsewhere: int
    unreachable: tuple[str, ...]


async def history(
    context: contexts.Context, app: str = "", *, to: Sequence[str] = (), limit: int = 50, offline: bool = False
) -> History:
    """What was done, here and elsewhere: the ledger, and the journals of the hosts that answer."""
    if context.ledger is None:
        raise errors.LedgerError("no ledger is open", "lading history")
    silent: tuple[str, ...] = ()
    if not offline:
        seen = await look(context, app, to)
        silent = tuple(name for name, host in seen.hosts.items() if not host.reachable)
        await context.ledger.import_foreign(foreign(seen))
    rows = await context.ledger.history(app, limit)
    return History(tuple(rows), sum(1 for row in rows if row.origin), silent)


def foreign(seen: state.FleetState) -> list[dict[str, Any]]:
    """The deployments that the hosts' journals tell of, joined over hosts; results are by host."""
    found: dict[str, dict[str, Any]] = {}
    for name, host in seen.hosts.items():
        for one in host.apps.values():
            for line in one.journal:
                _journal_line(found, name, line)
    for record in found.values():
        results = set(record["hosts"].values())
        record["result"] = results.pop() if len(results) == 1 else "partial" if results else "unknown"
    return list(found.values())


def _journal_line(found: dict[str, dict[str, Any]], host: str, line: Mapping[str, Any]) -> None:
    key, kind = str(line.get("deployment", "")), line.get("kind")
    if kind == "begin":
        words = ("verb", "app", "version", "destination", "source", "commit", "actor", "reason", "url")
        record = found.setdefault(key, {
            "deployment": key, **{word: str(line.get(word, "")) for word in words}, "release": str(line.get("to", "")),
            "started": str(line.get("at", "")), "ended": "", "result": "", "hosts": {}, "seen_on": host,
        })
        record["hosts"].setdefault(host, "unknown")
    elif kind in ("committed", "undone", "ended") and key in found:
        word = {"committed": "succeeded", "undone": "rolled_back"}.get(str(kind), str(line.get("result", "failed")))
        found[key]["hosts"][host] = "succeeded" if word == "removed" else word
        found[key]["ended"] = str(line.get("at", ""))
