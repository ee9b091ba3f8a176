"""Take over a running Compose project as it is: compare, show, record; no container is touched."""

import asyncio
import hashlib
import secrets
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from lading import canonical, errors, state
from lading import context as contexts
from lading.compose import dialects, normal, parse, reference, release
from lading.deploy import (
    contradicting,
    ended,
    execution,
    host_checks,
    identity,
    on_host,
    order,
    pinning,
    policy,
    preparation,
    resolution,
    takeover,
)
from lading.deploy.preparation import Prepared
from lading.deploy.request import Request
from lading.drivers.shell import adoption as inspection
from lading.drivers.shell import observe
from lading.inventory import hosts
from lading.placement import assignment
from lading.plan import adoption, digests, likeness, phases, planner, steps
from lading.transport import base as transports

T = TypeVar("T")
HINT = "DEST with only the hosts where it runs"


async def plan(context: contexts.Context, request: Request) -> steps.Plan:
    """What `adopt` would record, and in what the running project differs from the file; nothing is changed.

    Raises:
        InputError, RefusedError, TransportError: as `adopt`.
    """
    return (await _prepare(context, request)).plan


async def adopt(context: contexts.Context, request: Request) -> ended.Ended:
    """Record a running project as a release of its app; its containers stay as they are, the same ids.

    Raises:
        InputError: the input is wrong, or there is no such project.
        RefusedError: lading has it already, it does not run, its data would be lost later, or nobody said yes.
        TransportError: a host could not be looked at; nothing was changed.
        LedgerError: the intent could not be stored; nothing was changed.
    """
    prepared = await _prepare(context, request)
    done = await takeover.end_open(context, prepared.plan.app, prepared.seen, take_lease=request.take_lease,
                                 before="it is adopted")
    if done:
        if all(one.result == "succeeded" for one in done):
            return done[-1]
        prepared = await _prepare(context, request)
    wanted = await order.of_prepared(context, prepared, deployment=order.new_id(), keeps_containers=True)
    return await execution.carry_out(context, wanted, commit=prepared.bundle.commit, first=done)


async def _prepare(context: contexts.Context, request: Request) -> Prepared:
    resolved = await resolution.resolve(context, request)
    if resolved.images.sent:
        raise errors.InputError(
            f"{', '.join(sorted(resolved.images.sent))}: what runs is compared with what a registry has, and there is none",
            f"lading remove … then lading deploy {resolved.app}; or adopt with a fleet file that names the registry")
    destination, chosen, reading = resolved.destination, resolved.chosen, resolved.reading
    app, nonce = reading.project.name, secrets.token_hex(16)
    seen, wrong = await contradicting.look(context, chosen, app, nonce=nonce)
    host_checks.check_reachable(seen)
    contradicting.check(wrong)
    _check_free(app, seen)
    identity.name(replace(reading, named=True), seen, partial(preparation.is_ours, context, destination), beside=request.take_over)
    networks = sorted(one.name for one in reading.project.networks.values())
    found = await _all(_look(context.transport, one, app, networks) for one in chosen)
    now = await pinning.now(context, chosen, resolved.images)
    pins = _pins(now, dict(zip(seen.hosts, found, strict=True)))
    made = release.build(reading, pins)
    assigned = assignment.everywhere(made.release, resolved.rows)
    compared = await _all(_compare(context, made, assigned.on(one.name), nonce, seen.hosts[one.name], there, one)
                          for one, there in zip(chosen, found, strict=True))
    plans = {host.host: host for host, _ in compared}
    notes = [note for _, told in compared for note in told]
    whole = steps.Plan(app, reading.version, made.release.id, destination.name, plans,
                       warnings=tuple(dict.fromkeys([*made.warnings, *notes])), verb="adopt", source=made.source,
                       confirm=destination.confirm, unfinished=on_host.unfinished(seen, app),
                       rights=policy.planned(reading.rights, app, seen),
                       assignment=assigned, phases=phases.phases(plans, [tuple(plans)]))
    return Prepared(request, destination, chosen, made, whole, seen, now.platforms, nonce)


def _pins(now: pinning.Now, found: Mapping[str, adoption.Running]) -> dict[str, str]:
    """Each image with the digest that runs on all hosts; with the registry's where they do not agree."""
    runs = {name: _runs(now.pins, there) for name, there in found.items()}
    told = digests.Told(now.pins, runs, {}, now.by_hosts)
    agreed = {image: digests.agreed(image, told) for image in now.pins}
    return {**agreed, **digests.fresh(told, [image for image, one in agreed.items() if not one])}


def _runs(images: Iterable[str], there: adoption.Running) -> dict[str, str]:
    """Those of *images* that run on a host, with the digest that they have there."""
    found = {image: adoption.digest(image, there) for image in images}
    return {image: reference.pinned(image, digest) for image, digest in found.items() if digest}


async def _all(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do it on all hosts at once, wait for all, raise the first failure."""
    done = await asyncio.gather(*work, return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException):
            raise one
    return [one for one in done if not isinstance(one, BaseException)]


def _check_free(app: str, seen: state.FleetState) -> None:
    mine = {name: host.apps.get(app, state.AppState(app)) for name, host in seen.hosts.items()}
    if any(one.open for one in mine.values()):
        return
    for name, one in mine.items():
        if (current := one.current) is not None:
            raise errors.ForeignError(f"there is nothing to adopt: lading has {app} there already, release {canonical.short(current.release)}",
                                      f"lading where {app}", host=name, step="observe")


async def _look(transport: transports.Transport, host: hosts.Host, app: str, networks: list[str]) -> adoption.Running:
    """The running project on one host.

    Raises:
        UnknownReleaseError: there is none.
        PreflightError: none of its containers runs.
    """
    result = await transport.run(host, inspection.project(observe.marker(), app=app, networks=networks))
    found = adoption.running(*(inspection.objects(result, part) for part in ("containers", "images", "networks")))
    if not found.containers:
        others = ", ".join(name for name in result.text("projects").split() if name) or "none"
        raise errors.UnknownReleaseError(f"no Compose project {app} on {host.name}; there: {others}",
                                         f"lading adopt NAME --to {HINT}", host=host.name, step="observe")
    if not any(raw["State"].get("Running") for raw in found.containers):
        raise errors.PreflightError(f"project {app} does not run on {host.name}: none of its {len(found.containers)} containers does",
                                    f"docker compose -p {app} start there, or remove them and lading deploy",
                                    host=host.name, step="observe")
    return found


async def _compare(
    context: contexts.Context, made: release.Bundle, placed: assignment.Placed, nonce: str, seen: state.HostState,
    there: adoption.Running, host: hosts.Host,
) -> tuple[steps.HostPlan, tuple[str, ...]]:
    """The plan of one host, and what people should know of it."""
    app = seen.apps.get(made.release.app, state.AppState(made.release.app))
    numbers, fresh = planner.generations(preparation.salted_secrets(made, nonce), app.secrets)
    form = await asyncio.to_thread(normal.form, made, numbers, context.environment)
    tree = dialects.settled(parse.load(form.replace("@DIR@/", likeness.HERE).encode()))
    sources, pairs = adoption.to_look_at(tree, there)
    if sources or pairs:
        what = inspection.lies(observe.marker(), app=made.release.app, state_dir=context.settings.state_dir, nonce=nonce,
                             sources=sources, pairs=pairs)
        result = await context.transport.run(host, what)
        evidence = replace(there.evidence, lies=inspection.listings(result, sources), wanted=_wanted(made, nonce, numbers),
                           same=inspection.same(result, pairs))
        there = replace(there, evidence=evidence)
    folder = f"{seen.facts.state_dir}/apps/{made.release.app}"
    wrong = adoption.traps(tree, there, folder)
    if wrong:
        raise errors.PreflightError("; ".join(wrong), "then adopt again; nothing was changed", host=host.name, step="compare")
    compared = adoption.compare(host.name, made.release, numbers, tree, there, app, folder, placed=placed)
    first = steps.Change(host.name, "", "release", "", made.release.id)
    lacks = tuple(sorted(set(made.release.objects) - app.objects))
    images = {name: made.release.services[name].image for name in placed}
    end = planner.end_of(made.release.id)
    todo = (steps.PullImages(images), steps.StoreRelease(made.release.id, lacks), *end)
    whole = steps.HostPlan(host.name, todo, (first, *compared.changes), None, numbers, fresh, compared.adopted, placed)
    return whole, compared.notes


def _wanted(made: release.Bundle, nonce: str, numbers: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """Place below the app's folder → what lies there once the release is stored, as `inspection.lies` says it."""

    def line(executable: bool, content: bytes, path: str) -> str:
        return f"{'x' if executable else '-'} {hashlib.sha256(nonce.encode() + content).hexdigest()} {path}"

    found = {f"objects/{key}": inspection.listing([line(f.executable, f.content, f.path) for f in files])
             for key, files in made.objects.items()}
    found |= {f"secrets/{release.secret_path(name)}/{numbers[name]}": inspection.listing([line(False, value, "")])
              for name, value in made.secrets.items() if name.startswith("file.")}
    return found
