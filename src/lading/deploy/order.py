"""What an engine is ordered to do: one factory for all verbs that change anything; ids, records, logins."""

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime

from lading import context as contexts
from lading import state
from lading.compose import plugin, reference, registry_access, release
from lading.dataclass import dataclass
from lading.deploy import credentials, host_checks, mounted, on_host, policy
from lading.deploy.preparation import Prepared
from lading.drivers import base as drivers
from lading.engines import base, preflight
from lading.inventory import hosts
from lading.plan import steps
from lading.state import journal


@dataclass(frozen=True, slots=True)
class Becoming:
    """What one host becomes, and whose it is there: *app* is what was seen of the app, *before* what was deployed.

    *left*: services that are not run again.
    """

    release: release.Release
    app: state.AppState
    version: str
    source: str
    destination: str
    left: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Means:
    """What carrying out needs beside the plan; see `engines.base.DeploymentOrder`, whose names these are."""

    bundle: release.Bundle | None = None
    sent: Mapping[str, drivers.Sent] = field(default_factory=dict)
    logins: Sequence[drivers.Login] = ()
    more_logins: Callable[[], Sequence[drivers.Login]] = tuple
    expected: Mapping[str, str] = field(default_factory=dict, repr=False)
    read_by: str = ""
    composes: Mapping[str, str] = field(default_factory=dict)
    look: Mapping[str, drivers.Look] = field(default_factory=dict)
    platforms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    vouched: tuple[str, ...] = ("*",)
    judge: Callable[[state.HostState], None] = base.anything


NOTHING_MORE = Means()


def new_id() -> str:
    """The id of a deployment: the time to the second, and four random hex digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def new_process() -> str:
    """The word by which a process is known to hold a lease: random, for ids of processes come again."""
    return secrets.token_hex(8)


def make(
    context: contexts.Context, plan: steps.Plan, becoming: Mapping[str, Becoming], where: Sequence[hosts.Host], *,
    deployment: str, means: Means = NOTHING_MORE, reason: str = "", commit: str = "", override: bool = False,
    keeps_containers: bool = False,
) -> base.DeploymentOrder:
    """The order to carry out *plan*, with the record with which the deployment begins on each host that has something to do.

    *where*: how the hosts are reached; *override*: leases of living holders are taken; *keeps_containers*:
    no container is touched, forth or back.
    """
    busy = [name for name, host in plan.hosts.items() if host.steps]
    process = new_process()
    common = journal.Begun(
        deployment, verb=plan.verb, app=plan.app, commit=commit, actor=context.actor, reason=reason,
        url=context.url, plan=plan.hash, ran_by=context.ran_by, process=process, participants=tuple(busy),
        batches=plan.batches, keeps_containers=keeps_containers,
    )
    own = {name: _own(common, plan.hosts[name], becoming[name]) for name in busy}
    return base.DeploymentOrder(
        deployment, plan, {host.name: host for host in where if host.name in own}, own, context.actor,
        contexts.now(), process, url=context.url, reason=reason, override=override, stop=context.stop,
        show=context.on_event, bundle=means.bundle, sent=means.sent, logins=means.logins, more_logins=means.more_logins,
        expected=means.expected, read_by=means.read_by, composes=means.composes, look=means.look, platforms=means.platforms,
        vouched=means.vouched, judge=means.judge,
    )


def _own(common: journal.Begun, plan: steps.HostPlan, what: Becoming) -> base.HostOrder:
    begun = replace(
        common, host=plan.host, version=what.version, source=what.source, destination=what.destination, to=what.release.id,
        before=plan.previous, secret_versions=dict(plan.generations), finished=on_host.finished(what.app),
        adopted=plan.adopted, by_hand=plan.by_hand,
    )
    ids = frozenset(container.id for container in what.app.containers)
    kept = {what.release.id: what.release, **on_host.releases(what.app)}  # an undo may go back to the same
    return base.HostOrder(begun, what.release, kept, what.left, containers=ids)


def logins(context: contexts.Context, made: release.Release) -> tuple[drivers.Login, ...]:
    """The registries of a release that want a login, with credentials by value."""
    access = credentials.access(context.settings, context.environment, context.known)
    images = [image for image in made.all_images.values() if "@" in image]
    found = []
    for name in dict.fromkeys(reference.parse(image).registry for image in images):
        known = access(name).credentials
        if known is None:
            continue
        entry = known.password
        if known.identity:
            entry = json.dumps({registry_access.docker_name(name): known.as_docker_keeps()})[1:-1]
        found.append(drivers.Login(name, known.username, entry.encode(), known.identity))
    return tuple(found)


async def of_prepared(
    context: contexts.Context, prepared: Prepared, *, deployment: str, keeps_containers: bool = False
) -> base.DeploymentOrder:
    """The order of a prepared deployment, after preflight on what was seen.

    Raises:
        PreflightError: a host cannot take the release.
    """
    bundle, plan, seen = prepared.bundle, prepared.plan, prepared.seen
    made = bundle.release
    host_checks.check_hosts(made, plan.hosts, seen, prepared.platforms)

    def judge(host: state.HostState) -> None:
        allowed = prepared.destination.allowed
        added = mounted.added(prepared.mounts, made.app, host, bundle.secrets, made.plain,
                              guarded=bool(allowed))
        policy.check(made.app, added, allowed)

    becoming, look, composes = {}, {}, {"": await asyncio.to_thread(plugin.version, context.environment)}
    for name, host in seen.hosts.items():
        app = host.apps.get(made.app, state.AppState(made.app))
        becoming[name] = Becoming(made, app, made.version, bundle.source, prepared.destination.name)
        look[name] = drivers.Look(prepared.nonce, preflight.needed_binds(made, plan.hosts[name].placed), tuple(prepared.mounts.sources), host.facts.docker_info, host.is_settled)
        composes[name] = host.facts.compose
    means = Means(
        bundle=bundle, sent=prepared.images.sources(), logins=logins(context, made), expected=prepared.expected, read_by=prepared.read_by, composes=composes,
        look=look, platforms=prepared.platforms, vouched=prepared.vouched, judge=judge,
    )
    return make(
        context, plan, becoming, prepared.chosen, deployment=deployment, means=means,
        reason=prepared.request.reason, commit=bundle.commit or context.commit,
        override=prepared.request.take_lease, keeps_containers=keeps_containers,
    )
