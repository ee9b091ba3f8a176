"""Release + what runs → plan; the one diff that serves deploy, plan, drift and rollback (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lading import canonical, state
from lading.compose import hooks
from lading.compose import release as releases
from lading.plan import rollout, steps

KEPT = 5  # releases that stay on a host


def generations(
    wanted: Mapping[str, str], kept: Mapping[str, Mapping[int, str]]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """The generation of each secret and the names of those the host lacks; both sides are salted hashes.

    A content that the host keeps has its old number again, so that going back restarts what it must and no more.
    """
    numbers: dict[str, int] = {}
    fresh: list[str] = []
    for name, value in sorted(wanted.items()):
        known = kept.get(name, {})
        same = [number for number, hashed in known.items() if hashed == value]
        numbers[name] = max(same) if same else max(known, default=0) + 1
        if not same:
            fresh.append(name)
    return numbers, tuple(fresh)


def diff(
    host: str, release: releases.Release, numbers: Mapping[str, int], app: state.AppState,
    old: releases.Release | None,
) -> tuple[steps.Change, ...]:
    """Everything in which a host differs from *release*; empty = it is there, as it should be."""
    found: list[steps.Change] = []
    for name, spec in release.active.items():
        mine = [c for c in app.containers if c.service == name and not c.one_off]
        found += _service(host, spec, numbers, app, mine, old)
    for name in sorted({c.service for c in app.containers if not c.one_off} - set(release.services)):
        found.append(steps.Change(host, name, "service", "running", "removed"))
    if old is not None:
        for key, network in old.networks.items():
            if key not in release.networks:
                found.append(steps.Change(host, "", f"network {network['name']}", "there", "removed"))
            elif network != release.networks[key]:
                found.append(steps.Change(host, "", f"network {network['name']}", "old definition", "new definition"))
    return tuple(found)


def _service(
    host: str, spec: releases.ServiceSpec, numbers: Mapping[str, int], app: state.AppState,
    mine: Sequence[state.ContainerState], old: releases.Release | None,
) -> list[steps.Change]:
    if len(mine) != spec.replicas:
        return [steps.Change(host, spec.name, "containers", str(len(mine)), str(spec.replicas))]
    found: list[steps.Change] = []
    for container in mine:
        if container.content != spec.content or container.image != spec.image:
            before = old.services.get(spec.name) if old else None
            found += fields(host, spec, before if before and before.content == container.content else None, container)
        elif spec.secrets and container.secrets != releases.generation_label(spec, numbers):
            current = app.current.generations if app.current else {}
            moved = [n for n in spec.secrets if current.get(n) != numbers.get(n)] or ["?"]
            found += [steps.Change(host, spec.name, f"secret {name.partition('.')[2] or name}", "***", "changed")
                      for name in moved]
        else:
            found += _unwell(host, spec, container)
    return list(dict.fromkeys(found))


def _unwell(host: str, spec: releases.ServiceSpec, seen: state.ContainerState) -> list[steps.Change]:
    word = seen.state(spec.job)
    if word in ("healthy", "running", "starting", "completed", "unhealthy"):
        wrong = rollout.mismatch(spec, seen.secrets, seen)
        return [steps.Change(host, spec.name, "attached", wrong, "as in the release")] if wrong else []
    return [steps.Change(host, spec.name, "state", word, "completed" if spec.job else "running")]


def fields(
    host: str, spec: releases.ServiceSpec, before: releases.ServiceSpec | None, seen: state.ContainerState
) -> list[steps.Change]:
    """The fields in which a service's definition differs from what runs; without the old definition, the image."""
    found = []
    if seen.image != spec.image:
        found.append(steps.Change(host, spec.name, "image", seen.image, spec.image))
    if before is not None:
        for key in sorted({*before.definition, *spec.definition} - {"image"}):
            ours, theirs = spec.definition.get(key), before.definition.get(key)
            if ours != theirs:
                found.append(steps.Change(host, spec.name, key, _short(theirs), _short(ours)))
    return found or [steps.Change(host, spec.name, "definition", seen.definition, spec.content[:12])]


def _short(value: Any) -> str:
    text = "" if value is None else canonical.form(value).decode()
    return text if len(text) <= 120 else text[:117] + "..."


def plan_host(
    host: str, release: releases.Release, numbers: Mapping[str, int], fresh: tuple[str, ...], app: state.AppState,
    old: releases.Release | None, attached: Mapping[str, Sequence[str]] | None = None,
) -> steps.HostPlan:
    """The steps that bring one host to *release*; none if it is there already.

    *attached*: network → names of containers on it that are not the app's.
    """
    strangers = attached or {}
    changes = diff(host, release, numbers, app, old)
    same = app.current is not None and app.current.release == release.id and dict(app.current.generations) == numbers
    if not changes and same and not app.edited:
        return steps.HostPlan(host, (), (), app.current, numbers)
    if not changes and same:
        changes = tuple(steps.Change(host, "", f"file {app.shipped_as(path)}", "edited by hand", "as shipped") for path in app.edited)
    if not changes:
        changes = (steps.Change(host, "", "release", app.current.release if app.current else "", release.id),)
    good = app.objects - {path.partition("/")[2] for path in app.edited if path.startswith("objects/")}
    networks = [
        key for key, network in release.networks.items()
        if old is not None and not network["external"] and old.networks.get(key, network) != network
    ]
    start = _started(release, changes, networks)
    todo: list[steps.Step] = [
        steps.StoreRelease(release.id, tuple(sorted(set(release.objects) - good))),
        steps.PullImages({name: spec.image for name, spec in release.services.items() if name in start or spec.active}),
    ]
    for key in networks:
        real = str(release.networks[key]["name"])
        users = tuple(sorted(name for name, spec in release.active.items() if real in spec.networks))
        todo.append(steps.RecreateNetwork(real, users, tuple(strangers.get(real, ()))))
    if start:
        todo.append(steps.StartServices(tuple(start)))
    todo += _removals(release, app, old, strangers)
    todo.append(steps.CommitRelease(release.id))
    there = {c.id for c in app.containers if c.service in release.services}
    adopted = {key: one for key, one in (app.current.adopted if app.current else {}).items() if key in there}
    return steps.HostPlan(host, tuple(todo), changes, app.current, numbers, fresh, adopted)


def _started(release: releases.Release, changes: Sequence[steps.Change], networks: Sequence[str]) -> list[str]:
    named = {change.service for change in changes if change.service in release.active}
    real = {str(release.networks[key]["name"]) for key in networks}
    named |= {name for name, spec in release.active.items() if real & set(spec.networks)}
    while True:  # whoever shares a namespace with a recreated container must be recreated too
        tied = {name for name, spec in release.active.items() if set(spec.tied_to) & named}
        if tied <= named:
            return sorted(named)
        named |= tied


def _removals(
    release: releases.Release, app: state.AppState, old: releases.Release | None, attached: Mapping[str, Sequence[str]]
) -> list[steps.Step]:
    gone: dict[str, list[str]] = {}
    for container in app.containers:
        extra = container.service in release.active and container.number > release.active[container.service].replicas
        if (container.service not in release.services or extra) and not container.one_off and container.owned:
            gone.setdefault(container.service, []).append(container.id)
    found: list[steps.Step] = [steps.RemoveService(name, tuple(ids)) for name, ids in sorted(gone.items())]
    for key, network in (old.networks if old else {}).items():
        if key not in release.networks and not network["external"] and not attached.get(str(network["name"])):
            found.append(steps.RemoveNetwork(str(network["name"])))
    return found


def hooked(release: releases.Release, hosts: Mapping[str, steps.HostPlan]) -> dict[str, steps.HostPlan]:
    """The plans of the hosts, the first that starts something with the hook of the release before its first start."""
    found, hook = dict(hosts), hooks.before(release.extension)
    name = next((name for name, host in hosts.items() if host.services), "")
    if hook is None or not name:
        return found
    run = steps.RunHook("before", hook.service, hook.command, hook.timeout)
    todo: list[steps.Step] = []
    for step in hosts[name].steps:
        todo.append(replace(step, images={**step.images, hook.service: release.services[hook.service].image})
                    if isinstance(step, steps.PullImages) else step)
        if isinstance(step, steps.PullImages):
            todo.append(run)
    found[name] = replace(hosts[name], steps=tuple(todo))
    return found


def plan(
    release: releases.Release, destination: str, hosts: Mapping[str, steps.HostPlan], warnings: Sequence[str] = (),
    *, back: bool = False,
) -> steps.Plan:
    """The whole plan: hosts with something to do, in batches of `update_config` (*back*: of `rollback_config`)."""
    busy = [name for name, host in hosts.items() if host.steps]
    pace = release.back if back else release.forth
    said = [*warnings, *_strangers(hosts)]
    if any(release.volumes) and busy:
        said.append("an undo restores containers and configuration, not the data in volumes")
    return steps.Plan(
        release.app, release.version, release.id, destination, dict(hosts),
        rollout.batches(busy, pace.parallelism), pace.delay, tuple(dict.fromkeys(said)),
    )


def _strangers(hosts: Mapping[str, steps.HostPlan]) -> list[str]:
    return [
        f"{name}: network {step.network} is made anew; {', '.join(step.foreign)} of others will be detached for that time"
        for name, host in hosts.items() for step in host.steps
        if isinstance(step, steps.RecreateNetwork) and step.foreign
    ]


def prunable(
    app: state.AppState, made: releases.Release, numbers: Mapping[str, int]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, int], ...]]:
    """Releases, objects and secret generations that may go once *made* is committed with the generations *numbers*.

    Kept are the newest KEPT, and what a container runs that no newer kept release explains; the rest by reference.
    """
    order = [line["to"] for line in app.journal if line.get("kind") == "committed" and line.get("to")]
    ordered = [name for name in dict.fromkeys([*reversed(order), *sorted(app.releases)])
               if name in app.releases and name != made.id]
    kept, missing = set(ordered[: KEPT - 1]), {c.content for c in app.containers}
    for name in ordered:
        explained = {spec["content"] for spec in app.releases[name].get("services", {}).values()}
        kept |= {name} if missing & explained else set()
        missing -= explained
    dropped = tuple(name for name in ordered if name not in kept)
    objects = {*made.objects, *(key for name in kept for key in app.releases[name].get("objects", {}))}
    mounted = {part for c in app.containers for source in c.mounts.values() for part in source.split("/")}
    lost = {key for name in dropped for key in app.releases[name].get("objects", {})}
    return tuple(sorted(dropped)), tuple(sorted(lost - objects - mounted)), _old_secrets(app, kept, numbers, mounted)


def _old_secrets(
    app: state.AppState, kept: set[str], numbers: Mapping[str, int], mounted: set[str]
) -> tuple[tuple[str, int], ...]:
    """Secret generations that no kept release ran with; none if the journal does not say it of every one."""
    ran = {str(line["to"]): line.get("generations", {}) for line in app.journal if line.get("kind") == "begin" and line.get("to")}
    if not kept <= set(ran):
        return ()
    used = {(name, int(number)) for one in (*(ran[key] for key in kept), numbers) for name, number in one.items()}
    used |= {(name, int(number)) for name, number in (app.current.generations if app.current else {}).items()}
    return tuple(sorted((name, number) for name, known in app.secrets.items() for number in known
                        if (name, number) not in used and releases.secret_path(name) not in mounted))
