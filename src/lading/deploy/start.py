"""The story of a deployment: read → place → observe → plan → confirm → run → record."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from lading import context as contexts
from lading import errors, settings, state
from lading.compose import bundle as bundles
from lading.compose import normal, owner, passing, plugin, profiles, project, read, reference, registry, release, rights
from lading.deploy import (
    contradicting,
    credentials,
    ended,
    identity,
    mounted,
    pinning,
    placing,
    policy,
    resume,
    running,
    source,
)
from lading.drivers.shell import commands
from lading.engines import base, preflight
from lading.inventory import hosts
from lading.plan import mounts, planner, steps
from lading.transport import command


@dataclass(frozen=True, slots=True)
class Request:
    """What the user typed for `deploy` and `plan`.

    *source*: "image" or "worktree", whose files count where they differ; *digests*: image → the digest it must have;
    *accepted*: hosts that are put right though they contradict the ledger.
    """

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
    source: str = "image"
    require_matching_source: bool = False
    digests: Mapping[str, str] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with all it was made from; *wrong*: hosts that contradict the ledger; *mounts*: what it mounts of hosts;
    *expected*: Compose's normal form for each host with something to do, secrets included.
    """

    request: Request
    destination: hosts.Destination
    chosen: tuple[hosts.Host, ...]
    bundle: release.Bundle
    plan: steps.Plan
    seen: state.FleetState
    platforms: Mapping[str, Sequence[str]]
    nonce: str
    vouched: tuple[str, ...] = ("*",)
    wrong: contradicting.Wrong = field(default_factory=dict)
    mounts: mounted.Mounted = field(default_factory=lambda: mounted.Mounted({}, frozenset()))
    expected: Mapping[str, str] = field(default_factory=dict, repr=False)


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
    _check_accepted(context, prepared)
    if await resume.end_open(context, prepared.plan.app, prepared.seen, take_lease=request.take_lease,
                             before="the next deployment"):
        prepared = await _prepare(context, request)
        _check_accepted(context, prepared)
    done = await running.carry_out(context, await job(context, prepared), verb="deploy", reason=request.reason,
                                   plan=prepared.plan, commit=prepared.bundle.commit or context.commit)
    return replace(done, note=_unwell(prepared)) if done.result == "unchanged" else done


def _check_accepted(context: contexts.Context, prepared: Prepared) -> None:
    """Refuse hosts that contradict the ledger and that nobody accepted; who approved the plan by its hash saw the repair."""
    if not context.approved:
        contradicting.check(prepared.wrong, prepared.request.accepted)


def _unwell(prepared: Prepared) -> str:
    """What runs as the release says and is not well; a deployment of the same does not change it, but says it; or ""."""
    name = prepared.plan.app
    found = [(host, one.apps[name]) for host, one in prepared.seen.hosts.items() if name in one.apps]
    seen = [(host, container) for host, app in found for container in app.containers if not container.one_off]
    said = [words for host, container in seen for words in _ailments(host, container)]
    return "; ".join([*said, f"lading logs {name}"]) if said else ""


def _ailments(host: str, seen: state.ContainerState) -> Iterator[str]:
    """What is not well with a container."""
    if seen.status == "running" and seen.health == "unhealthy":
        yield f"{seen.service} on {host} is unhealthy"
    if seen.restarts:
        yield f"Docker restarted {seen.service} on {host} ({seen.restarts} in all)"


async def resolve(context: contexts.Context, request: Request) -> tuple[
    hosts.Destination, tuple[hosts.Host, ...], project.Reading, pinning.Found
]:
    """Everything before a host is contacted: names, files, variables, digests.

    But not the digests that only hosts can ask for.
    """
    def app(place: hosts.Destination) -> str:
        return read_project(context.environment, request, place, context.settings).project.name

    destination, chosen = await placing.place(context, request.to, app)
    reading, found = await read_pinned(context.settings, context.environment, request, destination)
    policy.check(reading.project.name, reading.rights, destination.allowed)
    return destination, chosen, reading, found


async def read_pinned(
    fleet: settings.Settings, environment: Mapping[str, str], request: Request, destination: hosts.Destination
) -> tuple[project.Reading, pinning.Found]:
    """The files of the right commit, and what each image is now, as far as that is asked from here."""
    access = credentials.access(fleet, environment)
    reading = await source.settle(
        request, read_project(environment, request, destination, fleet), environment, access,
        lambda asked, beside: read_project(environment, asked, destination, fleet, beside=beside))
    return reading, await _pins(reading, request, fleet, access)


async def _pins(
    reading: project.Reading, request: Request, fleet: settings.Settings,
    access: Callable[[str], registry.Access],
) -> pinning.Found:
    """The digests of all images, those that the request names among them; an image that nothing is started of may be gone."""
    images = sorted({image for service in reading.project.services.values() for image in service.all_images})
    started = {image for service in profiles.needed(reading.project) for image in service.all_images} | {*request.digests}
    local = reading.project.local_images
    images = [image for image in images if image not in local or image in request.digests]
    if request.require_immutable:
        for image in images:
            parsed = reference.parse(image)
            if not parsed.digest and reference.is_moving(parsed.tag):
                raise errors.InputError(f"{image}: {parsed.tag or 'latest'} is a moving tag",
                                        "name an immutable version, or leave --require-immutable away")
    asked = {image: reference.pinned(image, request.digests[image]) if image in request.digests else image for image in images}
    by_hosts = {image: wanted for image, wanted in asked.items() if fleet.by_hosts(reference.parse(image).registry)}
    mine = {image: wanted for image, wanted in asked.items() if image not in by_hosts}
    found = await registry.resolve([wanted for image, wanted in mine.items() if image in started], access)
    found |= await registry.findable([wanted for image, wanted in mine.items() if image not in started], access)
    return pinning.Found({image: found[wanted] for image, wanted in mine.items() if wanted in found},
                         {image: wanted for image, wanted in by_hosts.items() if image in started})


def read_project(
    environment: Mapping[str, str], request: Request, destination: hosts.Destination,
    fleet: settings.Settings | None = None, *, beside: Path | None = None,
) -> project.Reading:
    """The app's files and variables, under the project name that the destination wants; *beside*: see read.Request.

    Without a *fleet* file nothing of the caller's environment is passed on but VERSION.
    """
    asked = read.Request(
        directory=request.directory, files=request.files, app=request.app, version=request.version,
        overrides=request.overrides, environment=environment, destination=destination.variables, beside=beside,
        pass_env=fleet.pass_env_for(destination) if fleet is not None else passing.Passing(),
        source=fleet.source if fleet is not None else "", profiles=request.profiles, usual=destination.profiles,
    )
    reading = read.read(asked)
    if destination.project:
        name = destination.project.replace("{app}", reading.project.name).replace("{dest}", destination.name)
        reading = read.read(replace(asked, project=name))
    return reading


async def _prepare(context: contexts.Context, request: Request) -> Prepared:
    destination, chosen, reading, found = await resolve(context, request)
    contradicting.check_names(request.accepted, chosen)
    nonce = secrets.token_hex(16)
    binds = [m.source for s in profiles.needed(reading.project) for m in s.mounts
             if m.kind == "bind" and m.source.startswith("/")]
    binds += [path for s in profiles.needed(reading.project) for path in s.seccomp if path.startswith("/")]
    visible = mounted.of_reading(reading)
    places = {*reading.binds, *reading.host_data, *_secret_files(reading)}
    look = partial(contradicting.look, context, chosen, reading.project.name, nonce=nonce, binds=sorted(set(binds)),
                   sources=list(visible.sources), volumes=sorted(one.name for one in reading.project.volumes.values()))
    seen, wrong = await look(data=sorted(places))
    check_reachable(seen)
    below = _below(reading, seen)
    if below - places:  # rarely so: only then it is asked what lies there
        seen, wrong = await look(data=sorted(places | below))
        check_reachable(seen)
    added: list[rights.Right] = []
    for host in seen.hosts.values():
        added += mounted.added(visible, reading.project.name, host, reading.secrets, reading.plain,
                               guarded=bool(destination.allowed))
    policy.check(reading.project.name, added, destination.allowed)
    name = identity.name(reading, seen, partial(is_ours, context, destination), beside=request.take_over)
    if name != reading.project.name:
        return await _prepare(context, replace(request, app=name))
    now = await pinning.now(context, chosen, found)
    platforms = now.platforms
    app = reading.project.name
    kept = await pinning.keep(context, now.pins, seen, app, by_hosts=now.by_hosts,
                              named=request.digests, refresh=request.refresh)
    only_here = reading.project.local_images - kept.pins.keys()
    pins = {**await pinning.local(context, only_here, seen, app), **kept.pins}
    made = release.build(reading, pins)
    for name, host in seen.hosts.items():
        current = host.apps.get(made.release.app, state.AppState(made.release.app)).current
        alike = current is not None and is_ours(context, destination, current.destination)
        foreign = preflight.ownership(made.release.app, made.source, current.destination if current and alike else destination.name,
                                      host, request.take_over, made.path, lost=name in wrong)
        if foreign:
            hint = _taking_over(made.source) if "belongs to" in foreign or "for destination" in foreign else _moving_in(host, made.release.app)
            raise errors.ForeignError(foreign, f"if that is right: {hint}", host=name, step="observe")
    hashed = salted(made, nonce)
    plans = {name: plan_one(name, made.release, hashed, host, wrong[name].why if name in wrong else "")
             for name, host in seen.hosts.items()}
    for name, host in seen.hosts.items():
        check_data(made.release, plans[name], host)
    if not running.unfinished(seen, made.release.app):  # what is open there ends first, and may end what is wrong
        check_hosts(made.release, plans, seen, platforms)
    said = (*made.warnings, *contradicting.notes(wrong), *mounted.notes(added),
            *identity.second(reading, seen, partial(is_ours, context, destination)))
    whole = planner.plan(made.release, destination.name, planner.hooked(made.release, plans), said)
    whole = replace(whole, source=made.source, confirm=destination.confirm,
                    unfinished=running.unfinished(seen, made.release.app),
                    rights=policy.planned(reading.rights, made.release.app, seen))
    expected = await _expected(made, whole, context.environment)
    for form in dict.fromkeys(expected.values()):
        policy.check_form(made.release.app, form, destination.allowed)
    return Prepared(request, destination, chosen, made, whole, seen, platforms, nonce, kept.vouched, wrong, visible, expected)


def _secret_files(reading: project.Reading) -> set[str]:
    """The files of secrets, as the project names them."""
    return {name.removeprefix("file.") for name in reading.secrets if name.startswith("file.")}


def _below(reading: project.Reading, seen: state.FleetState) -> frozenset[str]:
    """The host data of hosts that lies below what would ship now."""
    apps = [host.apps[reading.project.name] for host in seen.hosts.values() if reading.project.name in host.apps]
    return frozenset[str]().union(*(mounts.nested(reading.binds, reading.host_data, one) for one in apps))


def is_ours(context: contexts.Context, destination: hosts.Destination, recorded: str) -> bool:
    """Whether a destination that a host recorded is the one that was asked for."""
    return context.settings.inventory.alike(recorded, destination)


def _taking_over(source: str) -> str:
    """What to type where an app is another source's."""
    named = "; `source: NAME` in lading.yaml tells that it is the same project" if owner.FOLDER.match(source) else ""
    return f"--take-over{named}"


def _moving_in(host: state.HostState, app: str) -> str:
    """What to type where a project runs that is not lading's."""
    known = host.apps.get(app, state.AppState(app)).current is not None
    first = f"lading remove {app} --to {host.host} --keep-running, then " if known else ""
    return f"{first}lading adopt {app} --to {host.host}; or another name: --app NAME"


def stored_secret(name: str, value: bytes) -> bytes:
    """What a host keeps of a secret, for comparing."""
    return bundles.secret_content(name, value)


def salted(made: release.Bundle, nonce: str) -> dict[str, str]:
    """The secrets of a bundle as a host tells of those that it keeps: name → hash with *nonce*."""
    return {key: hashlib.sha256(nonce.encode() + stored_secret(key, value)).hexdigest()
            for key, value in made.secrets.items()}


def plan_one(
    name: str, made: release.Release, hashed: Mapping[str, str], seen: state.HostState, wrong: str = ""
) -> steps.HostPlan:
    """The plan of one host from what was seen there; *wrong*: in what it contradicts the ledger."""
    app = seen.apps.get(made.app, state.AppState(made.app))
    numbers, fresh = planner.generations(hashed, app.secrets)
    old = running.kept_release(app)
    return planner.plan_host(name, made, numbers, fresh, app, old, seen.attached(made.app), wrong, seen.volumes,
                             seen.data if seen.volumes is not None else None)


def check_data(made: release.Release, plan: steps.HostPlan, seen: state.HostState) -> None:
    """Refuse what would lose data on a host, or would be recorded there and never happen.

    Raises:
        PreflightError: there is something; what to do by hand is its hint.
    """
    app = seen.apps.get(made.app, state.AppState(made.app))
    ran = app.current.generations if app.current is not None else {}
    moved = [name.removeprefix("var.") for name, number in plan.generations.items()
             if name.startswith("var.") and ran.get(name, number) != number]
    found = mounts.problems(made, running.kept_release(app), seen, moved)
    if found:
        raise errors.PreflightError("; ".join(one.why for one in found), found[0].hint, host=seen.host, step="plan")


def check_reachable(seen: state.FleetState, *, readable: bool = True) -> None:
    """All hosts must answer before anything begins, and (*readable*) say what is deployed there.

    Raises:
        TransportError: one does not; of the kind that its answer was.
        ForeignError: its state is of a newer lading, or damaged.
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
        for app in host.apps.values():
            if readable and app.unreadable:
                raise damaged(name, f"{host.facts.state_dir}/apps/{app.app}/{app.unreadable}", app)


def damaged(host: str, path: str, app: state.AppState) -> errors.ForeignError:
    """The refusal of a host that cannot say what is deployed there: never taken for one on which nothing is."""
    told = app.committed
    line = json.dumps(told.as_json()) if told is not None else ""
    mend = f"as its journal tells it: printf '%s\\n' {command.quote(line)} >{command.quote(path)}" if line else (
        f"put {path} back from a backup")
    return errors.ForeignError(
        f"{path} is damaged, so that nobody can say what of {app.app} is deployed there",
        f"on {host}, {mend}; or give it up there (volumes and data stay): lading remove {app.app} --to {host}",
        host=host, step="observe")


async def job(context: contexts.Context, prepared: Prepared) -> base.Job:
    """What the engine is given, after preflight on what was seen.

    Raises:
        PreflightError: a host cannot take the release.
    """
    made = prepared.bundle
    check_hosts(made.release, prepared.plan.hosts, prepared.seen, prepared.platforms)

    def judge(host: state.HostState) -> None:
        allowed = prepared.destination.allowed
        added = mounted.added(prepared.mounts, made.release.app, host, made.secrets, made.release.plain,
                              guarded=bool(allowed))
        policy.check(made.release.app, added, allowed)

    begin = {
        "verb": "deploy", "app": made.release.app, "version": made.release.version,
        "destination": prepared.destination.name, "source": made.source, "commit": made.commit or context.commit,
        "actor": context.actor, "reason": prepared.request.reason, "url": context.url, "plan": prepared.plan.hash,
        "participants": [name for batch in prepared.plan.batches for name in batch],
        "parallelism": max(map(len, prepared.plan.batches), default=0),
    }
    return base.Job(
        plan=prepared.plan, release=made.release, bundle=made, known={},
        hosts={host.name: host for host in prepared.chosen}, deployment=new_id(), begin=begin,
        state_dir=context.settings.state_dir, holder=context.actor, since=contexts.now(), url=context.url,
        nonce=prepared.nonce, take_lease=prepared.request.take_lease, logins=logins(context, made.release),
        platforms=prepared.platforms, expected=prepared.expected, stop=context.stop,
        composes={"": await asyncio.to_thread(plugin.version, context.environment),
                  **{name: host.facts.compose for name, host in prepared.seen.hosts.items()}},
        docker_info={name: host.facts.docker_info for name, host in prepared.seen.hosts.items()},
        own={name: base.Own(running.kept_releases(host.apps.get(made.release.app)),
                            begin=running.finished(host.apps.get(made.release.app)))
             for name, host in prepared.seen.hosts.items()},
        vouched=prepared.vouched, sources=list(prepared.mounts.sources), judge=judge,
    )


def check_hosts(
    made: release.Release, plans: Mapping[str, steps.HostPlan], seen: state.FleetState,
    platforms: Mapping[str, Sequence[str]],
) -> None:
    """Refuse hosts that cannot take a release: all that is wrong on all of them, in the plan already.

    Raises:
        PreflightError: there is such a host.
    """
    found = {name: preflight.problems(made, plans[name], host, platforms) for name, host in seen.hosts.items()}
    wrong = {name: "; ".join(problems) for name, problems in found.items() if problems}
    if not wrong:
        return
    first, *others = wrong
    told = "".join(f"; {name}: {wrong[name]}" for name in others)
    raise errors.PreflightError(wrong[first] + told, preflight.remedy(seen.hosts[first]), host=first, step="preflight")


async def _expected(
    made: release.Bundle, plan: steps.Plan, environment: Mapping[str, str]
) -> Mapping[str, str]:
    """Compose's normal form for each host with something to do; Compose is run once for all with the same generations."""
    forms: dict[tuple[tuple[str, int], ...], str] = {}
    busy = {name: tuple(sorted(host.generations.items())) for name, host in plan.hosts.items() if host.steps}
    for numbers in dict.fromkeys(busy.values()):
        forms[numbers] = await asyncio.to_thread(normal.form, made, dict(numbers), environment)
    return {name: forms[numbers] for name, numbers in busy.items()}


def logins(context: contexts.Context, made: release.Release) -> tuple[commands.Login, ...]:
    """The registries of a release that want a login, with credentials by value."""
    access = credentials.access(context.settings, context.environment)
    names = dict.fromkeys(reference.parse(image).registry for image in made.all_images.values() if "@" in image)
    found = []
    for name in names:
        known = access(name).credentials
        if known is not None:
            entry = json.dumps({registry.docker_name(name): known.as_docker_keeps()})[1:-1] if known.identity else known.password
            found.append(commands.Login(name, known.username, command.Secret(entry.encode()), known.identity))
    return tuple(found)


def new_id() -> str:
    """The id of a deployment: the time to the second, and four random hex digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


