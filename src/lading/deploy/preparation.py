"""A plan with all it is made from: resolve, observe, pin images, build the release, compare."""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial

from lading import context as contexts
from lading import errors, settings, state
from lading.compose import bundle as bundles
from lading.compose import normal, plugin, plugin_sum, profiles, project, release, rights
from lading.dataclass import dataclass
from lading.deploy import (
    asked_ahead,
    contradicting,
    host_checks,
    identity,
    mounted,
    on_host,
    pinning,
    policy,
    resolution,
    usual,
)
from lading.deploy.request import Request
from lading.inventory import hosts
from lading.placement import assignment
from lading.plan import mounts, planner, steps


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with all it was made from.

    *nonce*: what the hashes of secrets were salted with when the hosts were asked.
    *vouched*: the images whose digests do not rest on what hosts say alone.
    *contradictions*: hosts that contradict the ledger.
    *mounts*: what it mounts of hosts.
    *expected*: Compose's normal form for each host with something to do, secrets included; *read_by*: the SHA-256 of
    the plug-in that made them. *images*: what was known of them before hosts were asked.
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
    contradictions: contradicting.Wrong = field(default_factory=dict)
    mounts: mounted.Mounted = field(default_factory=lambda: mounted.Mounted({}, frozenset()))
    expected: Mapping[str, str] = field(default_factory=dict, repr=False)
    read_by: str = ""
    images: pinning.Found = field(default_factory=lambda: pinning.Found({}))


@dataclass(frozen=True, slots=True)
class _Observed:
    """What was seen of the hosts; *added*: rights that links on them add to the project's own."""

    seen: state.FleetState
    contradictions: contradicting.Wrong
    mounts: mounted.Mounted
    added: tuple[rights.Right, ...]


@dataclass(frozen=True, slots=True)
class _Images:
    """Image → reference by digest; reference → its platforms; the images that are vouched for."""

    pins: Mapping[str, str]
    platforms: Mapping[str, Sequence[str]]
    vouched: tuple[str, ...]


async def prepare(context: contexts.Context, request: Request) -> Prepared:
    """Plan a deployment; nothing is changed anywhere.

    Raises:
        InputError: the input is wrong; no host was contacted.
        TransportError: a host could not be looked at.
        RefusedError: rights, owner, data at stake, or a host that cannot take the release.
    """
    resolved = await resolution.resolve(context, request)
    contradicting.check_names(request.accepted, resolved.chosen)
    nonce = secrets.token_hex(16)
    forms = _Forms(context.environment)
    forms.ask_ahead(resolved)
    observed = await _observe(context, resolved, nonce, request)
    policy.check(resolved.app, observed.added, resolved.destination.allowed)
    ours = partial(is_ours, context, resolved.destination)
    name = identity.name(resolved.reading, observed.seen, ours, beside=request.take_over)
    if name != resolved.app:
        return await prepare(context, replace(request, app=name))

    images = await _pin_images(context, request, resolved, observed.seen)
    bundle = release.build(resolved.reading, images.pins)
    _check_owners(bundle, resolved.destination, observed, ours, take_over=request.take_over)
    assigned = assignment.everywhere(bundle.release, resolved.rows)
    plan = _plan(bundle, resolved, assigned, observed, images, nonce, ours)
    plan = replace(plan, sent=await _sent(context, plan, resolved))
    expected, read_by, seconds = await asyncio.gather(
        _expected_forms(bundle, plan, forms), _read_by(plan, context.environment),
        usual.roll_seconds(context.ledger, resolved.app, resolved.destination.name))
    plan = replace(plan, usual=seconds)
    for form in dict.fromkeys(expected.values()):
        policy.check_form(resolved.app, form, resolved.destination.allowed)
    return Prepared(
        request, resolved.destination, resolved.chosen, bundle, plan, observed.seen,
        images.platforms, nonce, images.vouched, observed.contradictions, observed.mounts, expected, read_by,
        resolved.images)


async def _observe(
    context: contexts.Context, resolved: resolution.Resolved, nonce: str, request: Request
) -> _Observed:
    """Look at the hosts: what runs there, what lies where the project mounts, where links lead."""
    reading = resolved.reading
    visible, named = mounted.of_reading(reading), hosts.split_names(request.to)
    look = partial(
        contradicting.look, context, resolved.chosen, resolved.app, nonce=nonce,
        binds=_paths_of_hosts(reading), sources=list(visible.sources),
        volumes=sorted(one.name for one in reading.project.volumes.values()))
    places = {*reading.binds, *reading.host_data, *_secret_files(reading)}
    seen, wrong = await look(data=sorted(places))
    host_checks.check_reachable(seen, accepted=request.accepted, named=named)
    below = _below(reading, seen)
    if below - places:  # rarely so: only then it is asked what lies there
        seen, wrong = await look(data=sorted(places | below))
        host_checks.check_reachable(seen, accepted=request.accepted, named=named)

    added: list[rights.Right] = []
    for host in seen.hosts.values():
        added += mounted.added(visible, resolved.app, host, reading.secrets, reading.plain,
                               guarded=bool(resolved.destination.allowed))
    return _Observed(seen, wrong, visible, tuple(added))


def _paths_of_hosts(reading: project.Reading) -> list[str]:
    """The absolute paths that must be on every host: bind mounts and seccomp profiles."""
    found: set[str] = set()
    for service in profiles.needed(reading.project):
        found.update(mount.source for mount in service.mounts if mount.kind == "bind")
        found.update(service.seccomp)
    return sorted(path for path in found if path.startswith("/"))


def _secret_files(reading: project.Reading) -> set[str]:
    """The files of secrets, as the project names them."""
    return {name.removeprefix("file.") for name in reading.secrets if name.startswith("file.")}


def _below(reading: project.Reading, seen: state.FleetState) -> frozenset[str]:
    """The host data of hosts that lies below what would ship now."""
    name = reading.project.name
    found: set[str] = set()
    for host in seen.hosts.values():
        if name in host.apps:
            found |= mounts.nested(reading.binds, reading.host_data, host.apps[name])
    return frozenset(found)


def is_ours(context: contexts.Context, destination: hosts.Destination, recorded: str) -> bool:
    """Whether a destination that a host recorded is the one that was asked for."""
    return context.settings.inventory.alike(recorded, destination)


async def _pin_images(
    context: contexts.Context, request: Request, resolved: resolution.Resolved,
    seen: state.FleetState,
) -> _Images:
    """The digest that each image is deployed by, and for which platforms it is there."""
    app, local_images = resolved.app, resolved.reading.project.local_images - resolved.images.sent.keys()
    now = await pinning.now(context, resolved.chosen, resolved.images)
    kept = await pinning.keep(context, now.pins, seen, app, by_hosts=now.by_hosts,
                              named=request.digests, refresh=request.refresh)
    local = await pinning.local(context, local_images - kept.pins.keys(), seen, app)
    sent, platforms = resolved.images.names, dict(now.platforms)
    for image, one in resolved.images.sent.items():
        platforms[sent[image]] = (one.platform,)
    return _Images({**local, **kept.pins, **sent}, platforms, kept.vouched)


async def _sent(
    context: contexts.Context, plan: steps.Plan, resolved: resolution.Resolved
) -> tuple[steps.SentImage, ...]:
    """The images that hosts lack and that only this machine has; hosts that nothing is sent to are not asked.

    Raises:
        PreflightError: one lacks some, and cannot be sent any.
    """
    images = {name: image for image, name in resolved.images.names.items()}
    needed: dict[str, set[str]] = {}
    for host in plan.hosts.values():
        for step in host.steps:
            if isinstance(step, steps.PullImages):
                needed[host.host] = {one for one in step.images.values() if one in images}
    lacks = await pinning.lacking(context, resolved.chosen, needed)
    _check_carried(lacks, images, resolved.chosen)
    known = resolved.images.sent
    return tuple(
        steps.SentImage(image, known[image].id, known[image].size, tuple(lacks[name]))
        for name, image in sorted(images.items()) if name in lacks)


def _check_carried(lacks: Mapping[str, Sequence[str]], images: Mapping[str, str], chosen: Sequence[hosts.Host]) -> None:
    """Refuse to send images over a transport that carries none."""
    deaf = {host.name for host in chosen if host.transport == "ansible"}
    for name, lacking in lacks.items():
        host = next((one for one in lacking if one in deaf), "")
        if host:
            raise errors.PreflightError(
                f"{images[name]} cannot be sent to {host}, which Ansible reaches: its connections carry no streams",
                "push it to a registry that the host reaches", host=host, step="plan")


def _check_owners(
    bundle: release.Bundle, destination: hosts.Destination, observed: _Observed,
    ours: Callable[[str], bool], *, take_over: bool,
) -> None:
    """Refuse hosts on which the app's name is another's.

    Raises:
        ForeignError: there is one.
    """
    for name, host in observed.seen.hosts.items():
        recorded = _as_recorded(bundle.release.app, destination, host, ours)
        host_checks.check_owner(bundle, recorded, host, take_over=take_over,
                                lost=name in observed.contradictions)


def _as_recorded(
    app: str, destination: hosts.Destination, host: state.HostState, ours: Callable[[str], bool]
) -> str:
    """The name of a destination, by the name under which a host has recorded it."""
    current = host.apps.get(app, state.AppState(app)).current
    if current is not None and ours(current.destination):
        return current.destination
    return destination.name


def _plan(
    bundle: release.Bundle, resolved: resolution.Resolved, assigned: assignment.Assignment,
    observed: _Observed, images: _Images, nonce: str, ours: Callable[[str], bool],
) -> steps.Plan:
    """The plan of all hosts.

    Raises:
        PreflightError: a host cannot take it, or data would be lost there.
    """
    made, seen, app = bundle.release, observed.seen, resolved.app
    owners = {name: host_checks.taken_over(bundle, _as_recorded(app, resolved.destination, host, ours), host)
              for name, host in seen.hosts.items()}
    plans = _plan_hosts(bundle, assigned, observed, nonce, owners)
    for name, host in seen.hosts.items():
        host_checks.check_data(made, plans[name], host)
    unfinished = on_host.unfinished(seen, app)
    if not unfinished:  # what is open there ends first, and may end what is wrong
        host_checks.check_hosts(made, plans, seen, images.platforms)
    notes = (
        *bundle.warnings,
        *contradicting.notes(observed.contradictions),
        *mounted.notes(observed.added),
        *identity.second(resolved.reading, seen, ours),
    )
    plan = planner.plan(made, resolved.destination.name, planner.hooked(made, plans), notes)
    return replace(
        plan, assignment=assigned, source=bundle.source,
        confirm=resolved.destination.confirm, unfinished=unfinished,
        rights=policy.planned(resolved.reading.rights, app, seen))


def _plan_hosts(
    bundle: release.Bundle, assigned: assignment.Assignment, observed: _Observed, nonce: str,
    owners: Mapping[str, Sequence[steps.Change]],
) -> dict[str, steps.HostPlan]:
    hashed = salted_secrets(bundle, nonce)
    plans = {}
    for name, host in observed.seen.hosts.items():
        contradiction = observed.contradictions.get(name)
        why = contradiction.why if contradiction is not None else ""
        plans[name] = plan_host(name, bundle.release, hashed, host, why, placed=assigned.on(name),
                                owners=owners[name])
    return plans


def plan_host(
    name: str, made: release.Release, hashed: Mapping[str, str], seen: state.HostState,
    contradiction: str = "", *, placed: assignment.Placed | None = None,
    owners: Sequence[steps.Change] = (),
) -> steps.HostPlan:
    """The plan of one host from what was seen there.

    *hashed*: see `salted_secrets`. *contradiction*: in what the host contradicts the ledger.
    *placed*: what it is to run of the release; by default all that was asked for.
    *owners*: in what its record of whose the app is changes.
    """
    app = seen.apps.get(made.app, state.AppState(made.app))
    numbers, fresh = planner.generations(hashed, app.secrets)
    data = seen.data if seen.volumes is not None else None
    return planner.plan_host(name, made, numbers, fresh, app, on_host.current_release(app),
                             seen.attached(made.app), contradiction, seen.volumes, data,
                             placed=placed, owners=owners)


def salted_secrets(bundle: release.Bundle, nonce: str) -> dict[str, str]:
    """Name → hash with *nonce* of each secret of a bundle, as hosts tell of those they keep."""
    found = {}
    for name, value in bundle.secrets.items():
        kept = bundles.secret_content(name, value)
        found[name] = hashlib.sha256(nonce.encode() + kept).hexdigest()
    return found


class _Forms:
    """What Compose makes of a release: asked for once for each set of generations, beside what else is waited for."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._asked: dict[tuple[str, tuple[tuple[str, int], ...]], asyncio.Task[str]] = {}

    def ask_ahead(self, resolved: resolution.Resolved) -> None:
        """Ask for the form of what will most likely be deployed, before any host has been looked at.

        It is that if the registries alone say what the images are, and there is no secret whose
        generation only a host knows. If it turns out otherwise, this was asked for nothing.
        """
        reading, images = resolved.reading, resolved.images
        pins = {**pinning.by_registries(images), **images.names}
        needed = {image for service in reading.project.services.values() for image in service.all_images}
        if not reading.secrets and needed <= pins.keys():
            self.ask(release.build(reading, pins), {})

    def ask(self, bundle: release.Bundle, generations: Mapping[str, int]) -> asyncio.Task[str]:
        """Compose's normal form of a bundle with these generations of its secrets."""
        key = bundle.release.id, tuple(sorted(generations.items()))
        if key not in self._asked:
            asking = asyncio.to_thread(normal.form, bundle, dict(generations), self._environment)
            self._asked[key] = asyncio.create_task(asking)
            self._asked[key].add_done_callback(asked_ahead.noted)
        return self._asked[key]


async def _expected_forms(bundle: release.Bundle, plan: steps.Plan, forms: _Forms) -> Mapping[str, str]:
    """Compose's normal form for each host with something to do."""
    return {name: await forms.ask(bundle, host.generations) for name, host in plan.hosts.items() if host.steps}


async def _read_by(plan: steps.Plan, environment: Mapping[str, str]) -> str:
    """The SHA-256 of the plug-in that makes them, if any host has something to do."""
    if not any(host.steps for host in plan.hosts.values()):
        return ""
    return await asyncio.to_thread(plugin_sum.of, plugin.find(environment), settings.state_home(environment))
