"""The story of a deployment: read → place → observe → plan → confirm → run → record."""

import asyncio
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from lading import context as contexts
from lading import errors, observe, state
from lading.commands import command, rolling
from lading.compose import bundle as bundles
from lading.compose import normal, project, read, reference, registry, release
from lading.deploy import credentials, ended, resume, running
from lading.engines import base, preflight
from lading.inventory import hosts
from lading.plan import planner, steps


@dataclass(frozen=True, slots=True)
class Request:
    """What the user typed for `deploy` and `plan`."""

    directory: Path
    to: tuple[str, ...]
    files: tuple[str, ...] = ()
    app: str = ""
    version: str = ""
    overrides: Mapping[str, str] = field(default_factory=dict, repr=False)
    reason: str = ""
    refresh: bool = False
    require_immutable: bool = False
    take_lease: bool = False
    take_over: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with all it was made from."""

    request: Request
    destination: hosts.Destination
    chosen: tuple[hosts.Host, ...]
    bundle: release.Bundle
    plan: steps.Plan
    seen: state.FleetState
    platforms: Mapping[str, Sequence[str]]
    nonce: str


async def plan(context: contexts.Context, request: Request) -> steps.Plan:
    """What `deploy` would do, from observation, without a lease; nothing is changed anywhere.

    Raises:
        InputError, ForeignError, TransportError: as `deploy`.
    """
    return (await _prepare(context, request)).plan


async def rehearse(context: contexts.Context, request: Request) -> Prepared:
    """The plan with all it was made from; nothing is changed anywhere.

    Raises:
        InputError, ForeignError, TransportError: as `deploy`.
    """
    return await _prepare(context, request)


async def deploy(context: contexts.Context, request: Request) -> ended.Ended:
    """Bring the destination to a version: all hosts or none.

    Raises:
        InputError: the input is wrong; no host was contacted.
        RefusedError: lease, preflight, owner or confirmation; nothing was changed.
        TransportError: a host could not be looked at before the start; nothing was changed.
        LedgerError: the intent could not be stored; nothing was changed.
    """
    prepared = await _prepare(context, request)
    unfinished = [n for n, s in prepared.seen.hosts.items() if _open(s, prepared.plan.app)]
    if unfinished:
        _refuse_held(prepared, unfinished)
        await resume.resume(context, prepared.plan.app, to=tuple(unfinished), reason="before the next deployment")
        prepared = await _prepare(context, request)
    return await running.carry_out(context, await _job(context, prepared), verb="deploy", reason=request.reason,
                                   plan=prepared.plan, commit=prepared.bundle.commit)


def _refuse_held(prepared: Prepared, names: Sequence[str]) -> None:
    for name in names:
        app = prepared.seen.hosts[name].apps[prepared.plan.app]
        if app.held and not prepared.request.take_lease:
            lease = app.lease
            link = f", {lease['url']}" if lease.get("url") else ""
            raise errors.LeaseHeldError(
                f"{app.app} on {name} is held by {lease.get('holder')} (deployment {lease.get('deployment')}, since "
                f"{lease.get('since')}{link})",
                f"wait; if that deployment is dead: lading resume {app.app}, or --take-lease", host=name, step="lease")


def _open(seen: state.HostState, app: str) -> bool:
    mine = seen.apps.get(app)
    return mine is not None and mine.open_intent is not None


async def resolve(context: contexts.Context, request: Request) -> tuple[
    hosts.Destination, tuple[hosts.Host, ...], project.Reading, Mapping[str, registry.Pinned]
]:
    """Everything before a host is contacted: names, files, variables, digests."""
    destination, chosen = context.settings.inventory.choose(request.to)
    reading = read_project(context.environment, request, destination)
    images = sorted({service.image for service in reading.project.services.values()})
    if request.require_immutable:
        for image in images:
            parsed = reference.parse(image)
            if not parsed.digest and reference.is_moving(parsed.tag):
                raise errors.InputError(f"{image}: {parsed.tag or 'latest'} is a moving tag",
                                        "name an immutable version, or leave --require-immutable away")
    pins = await registry.resolve(images, credentials.access(context.settings, context.environment))
    return destination, chosen, reading, pins


def read_project(
    environment: Mapping[str, str], request: Request, destination: hosts.Destination
) -> project.Reading:
    """The app's files and variables, under the project name that the destination wants."""
    asked = read.Request(
        directory=request.directory, files=request.files, app=request.app, version=request.version,
        overrides=request.overrides, environment=environment, destination=destination.variables,
    )
    reading = read.read(asked)
    if destination.project:
        name = destination.project.replace("{app}", reading.project.name).replace("{dest}", destination.name)
        reading = read.read(replace(asked, project=name))
    return reading


async def _prepare(context: contexts.Context, request: Request) -> Prepared:
    destination, chosen, reading, pinned = await resolve(context, request)
    nonce = secrets.token_hex(16)
    binds = [m.source for s in reading.project.services.values() for m in s.mounts
             if m.kind == "bind" and m.source.startswith("/")]
    seen = await observe.fleet(context.transport, chosen, state_dir=context.settings.state_dir,
                               app=reading.project.name, nonce=nonce, binds=sorted(set(binds)))
    check_reachable(seen)
    pins = {image: reference.pinned(image, pin.digest) for image, pin in pinned.items()}
    platforms = {pins[image]: pin.platforms for image, pin in pinned.items()}
    if not request.refresh:
        pins = keep_digests(pins, seen, reading)
    made = release.build(reading, pins)
    for name, host in seen.hosts.items():
        wrong = preflight.ownership(made.release.app, made.source, destination.name, host, request.take_over)
        if wrong:
            hint = "--take-over" if "belongs to" in wrong or "for destination" in wrong else "another name: --app NAME"
            raise errors.ForeignError(wrong, f"if that is right: {hint}", host=name, step="observe")
    hashed = {key: hashlib.sha256(nonce.encode() + stored_secret(key, value)).hexdigest()
              for key, value in made.secrets.items()}
    plans = {name: plan_one(name, made.release, hashed, host) for name, host in seen.hosts.items()}
    whole = planner.plan(made.release, destination.name, planner.hooked(made.release, plans), made.warnings)
    return Prepared(request, destination, chosen, made, whole, seen, platforms, nonce)


def stored_secret(name: str, value: bytes) -> bytes:
    """What a host keeps of a secret, for comparing."""
    return bundles.secret_content(name, value)


def plan_one(
    name: str, made: release.Release, hashed: Mapping[str, str], seen: state.HostState
) -> steps.HostPlan:
    """The plan of one host from what was seen there."""
    app = seen.apps.get(made.app, state.AppState(made.app))
    numbers, fresh = planner.generations(hashed, app.secrets)
    return planner.plan_host(name, made, numbers, fresh, app, running.kept_release(app), seen.attached(made.app))


def check_reachable(seen: state.FleetState) -> None:
    """All hosts must answer before anything begins.

    Raises:
        TransportError: one does not; of the kind that its answer was.
    """
    kinds = {kind.kind: kind for kind in (errors.UnreachableError, errors.AuthenticationError, errors.HostKeyError)}
    for name, host in seen.hosts.items():
        if host.error_kind == "format":
            raise errors.ForeignError(host.error, "install the newer lading", host=name, step="observe")
        if not host.reachable:
            kind = kinds.get(host.error_kind, errors.CommandError)
            raise kind(host.error, host.error_hint or f"lading check {name}", host=name, step="observe")
        if host.facts.state_format not in ("", "1"):
            raise errors.ForeignError(f"the state there has format {host.facts.state_format}, this lading knows 1",
                                      "install the newer lading", host=name, step="observe")


def keep_digests(
    pins: Mapping[str, str], seen: state.FleetState, reading: project.Reading
) -> dict[str, str]:
    """An image whose text did not change keeps the digest of the newest committed release among the hosts."""
    current = [
        (app.current.since, app.releases[app.current.release])
        for host in seen.hosts.values()
        if (app := host.apps.get(reading.project.name)) and app.current and app.current.release in app.releases
    ]
    if not current:
        return dict(pins)
    newest = max(current, key=lambda one: one[0])[1]
    known = {spec["image"].partition("@")[0]: spec["image"] for spec in newest.get("services", {}).values()}
    return {image: known.get(image, pin) if "@" not in image else pin for image, pin in pins.items()}


async def _job(context: contexts.Context, prepared: Prepared) -> base.Job:
    made = prepared.bundle
    problems = {
        name: preflight.problems(made.release, prepared.plan.hosts[name], host, prepared.platforms)
        for name, host in prepared.seen.hosts.items()
    }
    for name, wrong in problems.items():
        if wrong:
            raise errors.PreflightError("; ".join(wrong), f"lading check {name}", host=name, step="preflight")
    expected: dict[str, str] = {}
    for name, host in prepared.plan.hosts.items():
        if host.steps:
            expected[name] = await asyncio.to_thread(normal.form, made, host.generations, context.environment)
    known = running.known_releases(prepared.seen, made.release.app)
    begin = {
        "verb": "deploy", "app": made.release.app, "version": made.release.version,
        "destination": prepared.destination.name, "source": made.source, "commit": made.commit,
        "actor": context.actor, "reason": prepared.request.reason, "url": context.url, "plan": prepared.plan.hash,
        "participants": [name for batch in prepared.plan.batches for name in batch],
        "parallelism": max(map(len, prepared.plan.batches), default=0),
    }
    return base.Job(
        plan=prepared.plan, release=made.release, bundle=made, known=known,
        hosts={host.name: host for host in prepared.chosen}, deployment=new_id(), begin=begin,
        state_dir=context.settings.state_dir, holder=context.actor, since=contexts.now(), url=context.url,
        nonce=prepared.nonce, take_lease=prepared.request.take_lease, logins=logins(context, made.release),
        platforms=prepared.platforms, expected=expected, stop=context.stop,
    )


def logins(context: contexts.Context, made: release.Release) -> tuple[rolling.Login, ...]:
    """The registries of a release that want a login, with credentials by value."""
    access = credentials.access(context.settings, context.environment)
    names = dict.fromkeys(reference.parse(spec.image).registry for spec in made.services.values())
    found = []
    for name in names:
        known = access(name).credentials
        if known is not None:
            found.append(rolling.Login(name, known.username, command.Secret(known.password.encode())))
    return tuple(found)


def new_id() -> str:
    """The id of a deployment: the time to the second, and four random hex digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


