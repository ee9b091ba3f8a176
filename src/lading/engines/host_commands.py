"""The commands of a job for one host, filled in: Compose, stage, commit; and the way back (pure but for markers)."""

import json
import re
from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lading import state
from lading.compose import bundle, ending, overlay, project, release, restore
from lading.drivers.shell import commands, compose_call, observe
from lading.engines import base
from lading.plan import attribution, mounts, planner, steps
from lading.transport import command

_TARGET = re.compile(r"/[A-Za-z0-9_.,:@+/ -]*")  # what stands in YAML as it is


def compose_function(made: release.Release, numbers: Mapping[str, int], app: state.AppState | None = None) -> compose_call.ComposeCall:
    """Compose for a release with these secret generations; *app*: what a host keeps."""
    variables = {
        release.secret_path(name): numbers.get(name, 0) for name in made.secrets if name.startswith("var.")
    }
    return compose_call.compose_call(
        made.app, folder(made.id, app), made.directory, made.compose_files, variables,
        release.interpolation(made, numbers, ""), made.profiles,
    )


def folder(release: str, app: state.AppState | None) -> str:
    """The name under which a host keeps a release: its folder, and the tag of its images."""
    return app.folder(release) if app is not None else release


def _moved(file: project.ShippedFile, lead: str) -> project.ShippedFile:
    return project.ShippedFile(lead + file.path, file.content, file.executable)


@dataclass(frozen=True, slots=True)
class Written:
    """What a host writes at a commit: the line of its journal, to which it adds the time, and `current`."""

    line: Mapping[str, Any]
    current: state.Current


def written(
    job: base.Job, plan: steps.HostPlan, ledger: Mapping[str, object], app: state.AppState | None = None
) -> Written:
    """What a host writes when it commits the job's release; *app* is what was seen there before.

    *ledger*: where the ledger ends now, so that a ledger whose end was cut off is noticed.
    """
    mine = state.Changed(job.deployment, job.holder, job.since, job.release.id)
    started = [name for name in plan.services if name not in job.left]
    before = app or state.AppState(job.plan.app)
    line = {"v": 3, "kind": "committed", "deployment": job.deployment, "to": job.release.id,
            "version": job.release.version, **({"ledger": dict(ledger)} if ledger else {})}
    current = state.Current(
        job.plan.app, job.release.id, job.release.version, job.deployment, job.holder, job.since,
        str(job.begin.get("source", "")), str(job.begin.get("destination", "")), dict(plan.generations), plan.adopted,
        attribution.after(before, mine, started),
    )
    return Written(line, current)


def commit_command(
    hold: commands.Hold, job: base.Job, plan: steps.HostPlan, app: state.AppState | None, what: Written,
    fresh: frozenset[str] = frozenset(),
) -> command.Command:
    """The command that makes the job's release a host's current one; *app* is what was seen there, for what may be pruned.

    *fresh*: the services that this run started.
    """
    dropped, objects, old = planner.prunable(app, job.release, plan.generations) if app else ((), (), ())
    gone = [name for name, id in (app.folders if app else {}).items() if id in dropped or name != folder(id, app)]
    tags = [commands.kept_image(job.plan.app, service, name) for name in gone for service in _kept_images(app, name)]
    foreign = {c.service for c in app.containers if c.id in plan.adopted} if app else set()  # they have no labels
    ends = job.release.endings
    runs = {name: commands.Judged(job.release.services[name].content,
                                 release.generation_label(job.release.services[name], plan.generations), replicas,
                                 name in fresh, ends[name] == "may")
            for name, replicas in plan.placed.items() if ends[name] != "must" and name not in foreign and name not in job.left}
    before = app or state.AppState(job.plan.app)
    deployed = before.becoming(job.release.id, job.deployment, plan.generations, back=job.begin.get("verb") == "rollback")
    return commands.commit(
        observe.marker(), hold, record=json.dumps(what.line), release=folder(job.release.id, app),
        deployed=json.dumps(deployed.as_json(), separators=(",", ":")),
        current=json.dumps(what.current.file_as_json(), separators=(",", ":")),
        script=compose_function(job.release, plan.generations, app).operator_script(), runs=runs, releases=gone,
        objects=objects, secrets=[f"{release.secret_path(name)}/{number}" for name, number in old], tags=tags,
    )


def _kept_images(app: state.AppState | None, name: str) -> Iterable[str]:
    """Under which names the images of the release in a folder are kept."""
    raw = app.releases.get(app.folders[name]) if app is not None else None
    if raw is None:
        return ()
    return [key for spec in restore.from_json(raw).services.values() for key in spec.all_images]


def give_back_command(hold: commands.Hold, job: base.Job, app: state.AppState, record: str) -> command.Command:
    """The command that gives an app back: what its containers mount, and what `compose` reads, stays."""
    current = app.current
    made = job.known.get(current.release) if current else None
    mounted = {part for c in app.containers for source in c.mounts.values() for part in source.split("/")}
    kept = {(name, int(number)) for name, number in (current.generations if current else {}).items()}
    secrets = [f"{release.secret_path(name)}/{number}" for name, known in app.secrets.items() for number in known
               if (name, number) not in kept and release.secret_path(name) not in mounted]
    return commands.detach_app(
        observe.marker(), hold, record=record, release=folder(current.release, app) if current else "",
        ended=json.dumps({"v": 1, "kind": "ended", "deployment": job.deployment, "result": "given back"}),
        objects=sorted(app.objects - set(made.objects if made else ()) - mounted), secrets=secrets,
    )


def way_back(
    plan: steps.HostPlan, old: release.Release, finished: Container[str] | None
) -> tuple[steps.HostPlan, Mapping[str, int]]:
    """A plan back to *old* and what is judged by it: *finished* one-shots stay as they are unless `x-lading.on_undo: run`."""
    left = old.left_on_the_way_back(finished)
    judged = {name: replicas for name, replicas in plan.placed.items() if name not in left}
    start = tuple(name for name in plan.services if name in judged)
    return _starting(plan, start, anew=plan.anew), judged


def undo_plan(
    plan: steps.HostPlan, old: release.Release, finished: Container[str] | None
) -> tuple[steps.HostPlan, Mapping[str, int], bool]:
    """The way back of an undo, which has no plan that anybody approved: after a network step all is made anew."""
    plan, judged = way_back(plan, old, finished)
    whole = any(isinstance(step, steps.RecreateNetwork) for step in plan.steps)
    return (_starting(plan, tuple(judged), anew=True) if whole else plan), judged, whole


def _starting(plan: steps.HostPlan, services: tuple[str, ...], *, anew: bool) -> steps.HostPlan:
    """The plan with just these services to start."""
    kept = [step for step in plan.steps if not isinstance(step, steps.StartServices)]
    return replace(plan, steps=(*kept, steps.StartServices(services, anew)))


def anonymous(app: state.AppState | None) -> dict[tuple[str, str], list[str]]:
    """The anonymous volumes of an app's containers: (service, content hash) → "VOLUME TARGET" each, as `commands.roll` notes them.

    Of a service with several containers nobody could tell whose volume is which: it has none here.
    """
    if app is None:
        return {}
    containers = [one for one in app.containers if not one.one_off and one.content]
    counts = Counter(one.service for one in containers)
    found: dict[tuple[str, str], list[str]] = {}
    for container in containers:
        if counts[container.service] > 1:
            continue
        for target, source in sorted(container.mounts.items()):
            if mounts.NAMELESS.fullmatch(source) and _TARGET.fullmatch(target):
                found.setdefault((container.service, container.content), []).append(f"{source} {target}")
    return found


def awaited(made: release.Release, services: Collection[str]) -> str:
    """What Compose itself waits for while it brings *services* up, in words; "" if they await nothing of each other."""
    words = {ending.COMPLETED: "to end", "service_healthy": "to become healthy"}
    found: dict[str, None] = {}
    for name in services:
        for other, condition in made.services[name].depends_on.items():
            word = words.get(condition.removesuffix(release.AND_RESTART), "")
            if word and other in services:
                found[f"{other} {word}"] = None
    return f"waits for {', '.join(sorted(found))} (at most {commands.UP_TIMEOUT} s)" if found else ""


def stopped(
    made: release.Release | None, numbers: Mapping[str, int], app: state.AppState | None, services: Collection[str] | None = None
) -> commands.Stop | None:
    """What stops the services of *made* that have a `pre_stop`, before their containers are removed: only Compose runs it.

    *services*: which of them go; None = all. A hook that fails, or takes more than two minutes, keeps nobody.
    """
    found = [name for name, spec in made.services.items() if spec.definition.get("pre_stop")] if made is not None else []
    chosen = [name for name in found if services is None or name in services]
    if made is None or not chosen:
        return None
    return commands.Stop(compose_function(made, numbers, app), chosen)


def hook_command(
    hold: commands.Hold, job: base.Job, plan: steps.HostPlan, step: steps.RunHook, app: state.AppState | None
) -> command.Command:
    """The command that runs a hook of the job's release on a host."""
    made = job.release
    own: dict[str, object] = dict.fromkeys(("container_name", "depends_on", "labels", "ports"), overlay.RESET)
    if step.command is not None:
        own["command"] = overlay.Override(step.command)
    used = mounts.of_service(made, made.services[step.service])
    common = {"v": 1, "deployment": job.deployment, "step": "hook", "hook": step.hook}
    return commands.hook(
        observe.marker(), hold, service=step.service,
        compose=compose_function(made, plan.generations, app),
        overlay=overlay.write({"services": {step.service: own}}),
        networks={key: str(n["name"]) for key, n in made.networks.items() if not n["external"]},
        volumes={key: str(v["name"]) for key, v in made.volumes.items() if not v["external"]},
        needed=[str(v["name"]) for v in made.volumes.values() if v["name"] in used],
        timeout=max(1, round(step.timeout)), intent=json.dumps({"kind": "intent", **common}),
        result=json.dumps({"kind": "result", **common}),
    )


def stage_command(
    hold: commands.Hold, job: base.Job, plan: steps.HostPlan, app: state.AppState | None
) -> command.Command:
    """Upload what the host lacks, pull, and show what the host's own Compose makes of it."""
    files: list[project.ShippedFile] = []
    name = folder(job.release.id, app)
    if job.bundle is not None:
        wanted = {o for step in plan.steps if isinstance(step, steps.StoreRelease) for o in step.objects}
        files = [_moved(f, f"releases/{name}/") for f in bundle.release_files(job.bundle)]
        files += bundle.object_files(job.bundle, wanted)
        files += [
            project.ShippedFile(
                f"secrets/{release.secret_path(name)}/{plan.generations[name]}",
                bundle.secret_content(name, job.bundle.secrets[name]),
            )
            for name in plan.fresh_secrets
        ]
    images = {s: i for step in plan.steps if isinstance(step, steps.PullImages) for s, i in step.images.items()}
    return commands.stage(
        observe.marker(), hold, release=name, tar=bundle.tar(files) if files else b"", images=images,
        logins=job.logins, compose=compose_function(job.release, plan.generations, app), kept=job.bundle is None,
    )
