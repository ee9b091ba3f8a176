"""What an engine is ordered to do: the job of a prepared deployment, its id, its logins."""

import asyncio
import json
import secrets
from datetime import UTC, datetime

from lading import context as contexts
from lading import state
from lading.compose import plugin, reference, registry, release
from lading.deploy import credentials, host_checks, mounted, policy, running
from lading.deploy.preparation import Prepared
from lading.drivers.shell import commands
from lading.engines import base
from lading.transport import command


def new_id() -> str:
    """The id of a deployment: the time to the second, and four random hex digits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def logins(context: contexts.Context, made: release.Release) -> tuple[commands.Login, ...]:
    """The registries of a release that want a login, with credentials by value."""
    access = credentials.access(context.settings, context.environment)
    images = [image for image in made.all_images.values() if "@" in image]
    found = []
    for name in dict.fromkeys(reference.parse(image).registry for image in images):
        known = access(name).credentials
        if known is None:
            continue
        entry = known.password
        if known.identity:
            entry = json.dumps({registry.docker_name(name): known.as_docker_keeps()})[1:-1]
        secret = command.Secret(entry.encode())
        found.append(commands.Login(name, known.username, secret, known.identity))
    return tuple(found)


async def job(context: contexts.Context, prepared: Prepared) -> base.Job:
    """What the engine is given, after preflight on what was seen.

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

    begin = {
        "verb": "deploy", "app": made.app, "version": made.version,
        "destination": prepared.destination.name, "source": bundle.source,
        "commit": bundle.commit or context.commit,
        "actor": context.actor, "reason": prepared.request.reason, "url": context.url,
        "plan": plan.hash,
        "participants": [name for batch in plan.batches for name in batch],
        "parallelism": max(map(len, plan.batches), default=0),
    }
    composes = {name: host.facts.compose for name, host in seen.hosts.items()}
    own = {}
    for name, host in seen.hosts.items():
        app = host.apps.get(made.app)
        own[name] = base.Own(running.kept_releases(app), begin=running.finished(app))
    return base.Job(
        plan=plan, release=made, bundle=bundle, known={},
        hosts={host.name: host for host in prepared.chosen}, deployment=new_id(), begin=begin,
        state_dir=context.settings.state_dir, holder=context.actor, since=contexts.now(),
        url=context.url, nonce=prepared.nonce, take_lease=prepared.request.take_lease,
        logins=logins(context, made),
        platforms=prepared.platforms, expected=prepared.expected, stop=context.stop,
        composes={"": await asyncio.to_thread(plugin.version, context.environment), **composes},
        docker_info={name: host.facts.docker_info for name, host in seen.hosts.items()},
        own=own, vouched=prepared.vouched, sources=list(prepared.mounts.sources), judge=judge,
    )
