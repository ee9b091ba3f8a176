"""Steps over any transport: lease, preflight, stage, roll batch by batch, verify, commit; undo (DESIGN §4)."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from lading import errors, events, observe, state
from lading.commands import answers, command, docker, rolling
from lading.compose import bundle, release
from lading.engines import base, preflight, watching
from lading.plan import planner, steps
from lading.transport import base as transports

RECONNECT = 20.0  # seconds that an undo tries to reach a host that was lost


class HostsEngine:
    """Carries out a job over a transport: the one engine for hosts that run plain `docker compose`."""

    def __init__(self, transport: transports.Transport) -> None:
        self.transport = transport

    async def run(self, job: base.Job, record: events.Record) -> base.Report:
        """See `base.Engine.run`."""
        return await _Run(self.transport, job, record).whole()


class Failure(Exception):
    """One host's step failed: host, step, why, last log lines."""

    def __init__(self, host: str, step: str, why: str, log: tuple[str, ...] = ()) -> None:
        super().__init__(why)
        self.host, self.step, self.why, self.log = host, step, why, log


def compose_function(made: release.Release, numbers: Mapping[str, int]) -> str:
    """The shell function that runs Compose for a release with these secret generations."""
    variables = {
        release.secret_path(name): numbers.get(name, 0) for name in made.secrets if name.startswith("var.")
    }
    return docker.compose_function(
        made.app, made.id, made.directory, made.compose_files, variables, release.interpolation(made, numbers, "")
    )


class _Run:
    """One run of one job; what it learns on the way is kept here."""

    def __init__(self, transport: transports.Transport, job: base.Job, record: events.Record) -> None:
        self.transport, self.job, self.record = transport, job, record
        self.busy = [name for name, host in job.plan.hosts.items() if host.steps]
        self.holds: dict[str, rolling.Hold] = {}
        self.touched: list[str] = []
        self.lost: dict[str, str] = {}
        self.results: dict[str, events.HostOutcome] = {}
        self.started = time.monotonic()

    async def whole(self) -> base.Report:
        """The story: all hosts or none."""
        if not self.busy:
            return self._report()
        await self._prepare()
        try:
            await self._all(self._stage)
            for number, batch in enumerate(self.job.plan.batches):
                if number and self.job.release.delay:
                    await asyncio.sleep(self.job.release.delay)
                self._check_stop("roll")
                await self._all(self._roll, batch)
            await self._all(self._tidy)
            self._check_stop("commit")
        except Failure as failure:
            return await self._fail(failure)
        await self._commit()
        return self._report()

    async def _prepare(self) -> None:
        """Lease and preflight; whatever is wrong is raised, after the leases that were taken are free again."""
        try:
            await self._all(self._lease)
        except BaseException:
            await self._free("failed")
            raise

    def _check_stop(self, step: str) -> None:
        if self.job.stop.is_set():
            raise Failure("", step, "interrupted")

    async def _all(self, do: Callable[[str], Coroutine[Any, Any, None]], names: Iterable[str] | None = None) -> None:
        """Do it on all hosts at once; wait for all; raise the first failure."""
        ended = await asyncio.gather(*(do(name) for name in (self.busy if names is None else names)),
                                     return_exceptions=True)
        wrong = [one for one in ended if isinstance(one, BaseException)]
        for one in sorted(wrong, key=lambda w: not isinstance(w, errors.RefusedError)):
            raise one

    async def _send(
        self, name: str, what: command.Command, on_part: transports.OnPart | None = None
    ) -> command.Result:
        """Run a command; a refusal or a broken answer becomes a Failure of that host and step."""
        try:
            result = await self.transport.run(self.job.hosts[name], what, on_part)
        except errors.TransportError as lost:
            self.lost[name] = lost.message
            await self.record(events.HostLost(self.job.deployment, name, what.name, error=lost.message))
            raise Failure(name, what.name, lost.message) from lost
        if "refused" in result.parts:
            raise Failure(name, what.name, refusal(result.text("refused")))
        if "end" not in result.parts:
            said = result.stderr.strip().splitlines()
            raise Failure(name, what.name, f"ended with status {result.status}: {said[-1] if said else 'no output'}")
        return result

    async def _lease(self, name: str) -> None:
        job, plan = self.job, self.job.plan.hosts[name]
        old = job.known.get(plan.previous.release) if plan.previous else None
        grace = max((spec.grace for made in (job.release, old) if made for spec in made.services.values()), default=10)
        begin = json.dumps({
            "v": 1, "kind": "begin", "deployment": job.deployment, **job.begin, "to": job.release.id,
            "from": plan.previous.as_json() if plan.previous else None, "generations": dict(plan.generations),
        }, ensure_ascii=False)
        what = docker.lease(
            observe.marker(), state_dir=job.state_dir, app=job.plan.app, deployment=job.deployment, holder=job.holder,
            since=job.since, url=job.url, take=job.take_lease, grace=min(int(grace) + 1, 60), begin=begin,
            nonce=job.nonce, binds=job.release.absolute_binds,
        )
        result = await self.transport.run(job.hosts[name], what)
        if "refused" in result.parts:
            raise refused(name, job.plan.app, result.text("refused"))
        if "fence" not in result.parts or "end" not in result.parts:
            said = result.stderr.strip().splitlines()
            raise errors.CommandError(f"the lease failed with status {result.status}: {said[-1] if said else ''}",
                                      f"lading check {name}", host=name, step="lease")
        fence = int(result.text("fence"))
        self.holds[name] = rolling.Hold(
            job.state_dir, job.plan.app, job.deployment, fence, job.holder, job.since, job.url
        )
        await self.record(events.LeaseTaken(job.deployment, name, "lease", fence=fence))
        await self._checked(name, answers.from_result(name, result))

    async def _checked(self, name: str, seen: state.HostState) -> None:
        job, plan = self.job, self.job.plan.hosts[name]
        app = seen.apps.get(job.plan.app, state.AppState(job.plan.app))
        if app.current != plan.previous:
            raise errors.RefusedError("the app was changed since the plan was made", "run the command again", host=name,
                                      step="lease")
        problems = preflight.problems(job.release, plan, seen, job.platforms)
        await self.record(events.HostChecked(job.deployment, name, "preflight", problems=tuple(problems)))
        if problems:
            raise errors.PreflightError("; ".join(problems), f"lading check {name}", host=name, step="preflight")

    async def _stage(self, name: str) -> None:
        job, plan = self.job, self.job.plan.hosts[name]
        files = []
        if job.bundle is not None:
            wanted = {o for step in plan.steps if isinstance(step, steps.StoreRelease) for o in step.objects}
            files = [_moved(f, f"releases/{job.release.id}/") for f in bundle.release_files(job.bundle)]
            files += bundle.object_files(job.bundle, wanted)
            files += [
                release.project.ShippedFile(
                    f"secrets/{release.secret_path(key)}/{plan.generations[key]}",
                    bundle.secret_content(key, job.bundle.secrets[key]),
                ) for key in plan.fresh_secrets
            ]
        images = {s: i for step in plan.steps if isinstance(step, steps.PullImages) for s, i in step.images.items()}
        what = rolling.stage(
            observe.marker(), self.holds[name], release=job.release.id, tar=bundle.tar(files) if files else b"",
            images=images, logins=job.logins, compose=compose_function(job.release, plan.generations),
            offline=job.bundle is None,
        )
        await self.record(events.StepStarted(job.deployment, name, "stage"))
        begun = time.monotonic()
        result = await self._send(name, what)
        self._compare(name, result)
        await self.record(events.BundleStored(job.deployment, name, "stage", release=job.release.id))
        await self.record(events.StepEnded(job.deployment, name, "stage", seconds=round(time.monotonic() - begun, 3)))

    def _compare(self, name: str, result: command.Result) -> None:
        expected = self.job.expected.get(name, "")
        if expected:
            found = result.parts["config"].decode("utf-8", "replace").replace(result.text("dir"), "@DIR@")
            different = first_difference(expected, found)
            if different:
                raise Failure(name, "stage", f"the host's Compose reads {different} otherwise than this machine's")

    async def _roll(self, name: str) -> None:
        plan = self.job.plan.hosts[name]
        await self._bring_up(name, self.job.release, plan, judged=self.job.release.active, purge=False, verb="roll")

    async def _bring_up(
        self, name: str, made: release.Release, plan: steps.HostPlan,
        judged: Mapping[str, release.ServiceSpec], purge: bool, verb: str,
    ) -> None:
        job = self.job
        common = {"v": 1, "deployment": job.deployment, "step": verb, "to": made.id}
        wait = int(max((spec.wait + spec.bake for spec in judged.values()), default=60)) + 30
        what = rolling.roll(
            observe.marker(), self.holds[name],
            intent=json.dumps({"kind": "intent", **common, "services": list(plan.services)}),
            result=json.dumps({"kind": "result", **common}), compose=compose_function(made, plan.generations),
            services=plan.services, purge=purge, wait=wait, name=verb,
            networks=[s.network for s in plan.steps if isinstance(s, steps.RecreateNetwork)],
        )
        watch = watching.Watch(judged, frozenset(plan.services), plan.generations)
        await self.record(events.StepStarted(job.deployment, name, verb))
        if name not in self.touched:
            self.touched.append(name)
        begun = time.monotonic()

        def on_part(part: str, content: bytes) -> bool:
            watch.stopped = job.stop.is_set() and verb == "roll"
            return watch.on_part(part, content)

        await self._send(name, what, on_part)
        await self._judged(name, verb, watch, round(time.monotonic() - begun, 3))

    async def _judged(self, name: str, verb: str, watch: watching.Watch, seconds: float) -> None:
        job = self.job
        for verdict in watch.verdicts:
            if verdict.word == "good":
                await self.record(events.ServiceHealthy(job.deployment, name, verb, verdict.service, verdict.state))
        if not watch.why:
            await self.record(events.StepEnded(job.deployment, name, verb, seconds=seconds))
            return
        why = "interrupted" if watch.stopped else watch.why
        log = () if watch.stopped else await self._last_lines(name, watch.failed)
        for service in watch.failed:
            await self.record(events.ServiceUnhealthy(job.deployment, name, verb, service, why, ()))
        await self.record(events.StepEnded(job.deployment, name, verb, error=why, seconds=seconds))
        raise Failure(name, verb, why, log)

    async def _last_lines(self, name: str, services: list[str]) -> tuple[str, ...]:
        what = rolling.last_lines(observe.marker(), app=self.job.plan.app, services=services)
        try:
            result = await self.transport.run(self.job.hosts[name], what)
        except errors.TransportError:
            return ()
        return tuple(line for s in services for line in result.text(f"log:{s}").splitlines()[-50:])

    async def _tidy(self, name: str) -> None:
        plan = self.job.plan.hosts[name]
        containers = [c for s in plan.steps if isinstance(s, steps.RemoveService) for c in s.containers]
        networks = [s.network for s in plan.steps if isinstance(s, steps.RemoveNetwork)]
        if containers or networks:
            intent = json.dumps({"v": 1, "kind": "intent", "deployment": self.job.deployment, "step": "tidy",
                                 "containers": containers, "networks": networks})
            await self.record(events.StepStarted(self.job.deployment, name, "tidy"))
            await self._send(name, rolling.tidy(observe.marker(), self.holds[name], intent=intent,
                                                containers=containers, networks=networks))
            await self.record(events.StepEnded(self.job.deployment, name, "tidy"))

    async def _commit(self) -> None:
        """The decision first, then every host; a host that is lost now is unknown, `resume` finishes it."""
        job = self.job
        await self.record(events.StepStarted(job.deployment, "", "commit"))

        async def one(name: str) -> None:
            plan = job.plan.hosts[name]
            try:
                await self._send(name, commit_command(self.holds[name], job, plan, {}))
            except Failure as failure:
                self._set(name, "unknown", job.release.id, failure.why)
                return
            await self.record(events.HostCommitted(job.deployment, name, "commit", release=job.release.id))
            self._set(name, "succeeded", job.release.id)

        await asyncio.gather(*(one(name) for name in self.busy))

    def _set(self, name: str, result: events.HostResult, now: str, error: str = "") -> None:
        previous = self.job.plan.hosts[name].previous
        self.results[name] = events.HostOutcome(
            result, now, previous.release if previous else "", error, round(time.monotonic() - self.started, 3)
        )

    async def _fail(self, failure: Failure) -> base.Report:
        """Undo all touched hosts, newest first; free the others; say what is there now."""
        why = f"{failure.why}"
        await asyncio.gather(*(self._undo(name, why) for name in reversed(self.touched)))
        await self._free("failed", [name for name in self.busy if name not in self.touched])
        for name in self.busy:
            if name not in self.results:
                current = self.job.plan.hosts[name].previous
                self._set(name, "unknown" if name in self.lost else "untouched", current.release if current else "",
                          self.lost.get(name, ""))
        return self._report(failure)

    async def _undo(self, name: str, why: str) -> None:
        plan = self.job.plan.hosts[name]
        try:
            seen = await self._reach(name)
            await undo_host(self, name, seen)
        except (Failure, errors.LadingError) as failed:
            words = failed.why if isinstance(failed, Failure) else failed.message
            self._set(name, "unknown" if name in self.lost else "failed", "", f"{why}; undo: {words}")
            return
        await self.record(events.HostUndone(self.job.deployment, name, "undo",
                                            release=plan.previous.release if plan.previous else ""))
        self._set(name, "rolled_back", plan.previous.release if plan.previous else "", why)

    async def _reach(self, name: str) -> state.AppState:
        """Look again, trying for a while to reach a host that was lost."""
        until = time.monotonic() + RECONNECT
        while True:
            seen = await observe.host(self.transport, self.job.hosts[name], state_dir=self.job.state_dir,
                                      app=self.job.plan.app, facts=False)
            if seen.reachable:
                self.lost.pop(name, None)
                return seen.apps.get(self.job.plan.app, state.AppState(self.job.plan.app))
            if time.monotonic() > until:
                self.lost[name] = seen.error
                raise Failure(name, "undo", seen.error)
            await asyncio.sleep(0.5)

    async def _free(self, result: str, names: Iterable[str] | None = None) -> None:
        """Give back leases of hosts on which nothing was changed."""
        line = json.dumps({"v": 1, "kind": "ended", "deployment": self.job.deployment, "result": result})

        async def one(name: str) -> None:
            try:
                await self.transport.run(self.job.hosts[name],
                                         rolling.undone(observe.marker(), self.holds[name], record=line))
            except errors.TransportError as lost:
                self.lost[name] = lost.message

        chosen = list(self.holds) if names is None else [name for name in names if name in self.holds]
        await asyncio.gather(*(one(name) for name in chosen))

    def _report(self, failure: Failure | None = None) -> base.Report:
        hosts: dict[str, events.HostOutcome] = {}
        for name, plan in self.job.plan.hosts.items():
            now = plan.previous.release if plan.previous else ""
            hosts[name] = self.results.get(name) or events.HostOutcome("unchanged", now, now)
        outcome = events.Outcome(hosts)
        if failure is None:
            return base.Report(outcome)
        return base.Report(outcome, failure.host, failure.step, failure.why, failure.log)


def _moved(file: release.project.ShippedFile, lead: str) -> release.project.ShippedFile:
    return release.project.ShippedFile(lead + file.path, file.content, file.executable)


def commit_command(
    hold: rolling.Hold, job: base.Job, plan: steps.HostPlan, seen: Mapping[str, state.AppState]
) -> command.Command:
    """The command that makes the job's release a host's current one; *seen* by host, for what may be pruned."""
    current = state.Current(
        job.plan.app, job.release.id, job.release.version, job.deployment, job.holder, job.since,
        str(job.begin.get("source", "")), str(job.begin.get("destination", "")), dict(plan.generations),
    )
    app = seen.get(plan.host)
    dropped, objects = planner.prunable(app, job.release.id) if app else ((), ())
    tags = [
        rolling.kept_image(job.plan.app, service, name)
        for name in dropped for service in (app.releases[name].get("services", {}) if app else {})
    ]
    record = json.dumps({"v": 1, "kind": "committed", "deployment": job.deployment, "to": job.release.id,
                         "version": job.release.version})
    return rolling.commit(
        observe.marker(), hold, record=record, current=json.dumps(current.as_json(), separators=(",", ":")),
        script=docker.operator_script(compose_function(job.release, plan.generations)), releases=dropped,
        objects=objects, tags=tags,
    )


async def undo_host(run: _Run, name: str, seen: state.AppState) -> None:
    """Bring one host back to its previous release, or to nothing if there was none; verified, lease freed."""
    job, previous = run.job, run.job.plan.hosts[name].previous
    line = json.dumps({"v": 1, "kind": "undone", "deployment": job.deployment,
                       "to": previous.release if previous else ""})
    if previous is None:
        record = json.dumps({"v": 1, "kind": "intent", "deployment": job.deployment, "step": "undo"})
        await run._send(name, rolling.vanish(observe.marker(), run.holds[name], record=record, volumes=False,
                                             forget=False))
    else:
        old = job.known.get(previous.release)
        if old is None:
            raise Failure(name, "undo", f"release {previous.release} is not kept on the host")
        plan = planner.plan_host(name, old, dict(previous.generations), (), seen, job.release)
        plan, judged, purge = undo_plan(plan, old)
        await run._bring_up(name, old, plan, judged, purge, "undo")
        removals = [c for s in plan.steps if isinstance(s, steps.RemoveService) for c in s.containers]
        if removals:
            await run._send(name, rolling.tidy(observe.marker(), run.holds[name], intent=line.replace("undone", "intent"),
                                               containers=removals, networks=()))
    await run._send(name, rolling.undone(observe.marker(), run.holds[name], record=line))


def undo_plan(
    plan: steps.HostPlan, old: release.Release
) -> tuple[steps.HostPlan, Mapping[str, release.ServiceSpec], bool]:
    """The way back: finished one-shots stay as they are unless `x-lading.on_undo: run`; a network step purges."""
    again = old.extension.get("on_undo") == "run"
    judged = {name: spec for name, spec in old.active.items() if again or not spec.job}
    purge = any(isinstance(step, steps.RecreateNetwork) for step in plan.steps)
    start = tuple(judged) if purge else tuple(name for name in plan.services if name in judged)
    kept = [step for step in plan.steps if not isinstance(step, steps.StartServices)]
    return (
        steps.HostPlan(plan.host, (*kept, steps.StartServices(start)), plan.changes, plan.previous, plan.generations),
        judged, purge,
    )


def refusal(text: str) -> str:
    """A refusal of a script in words: its kind, then what it said."""
    kind, _, rest = text.partition("\n")
    said = "; ".join(line for line in rest.splitlines() if line.strip())
    words = {
        "busy": "another command of lading still runs there", "fence": "another deployment has taken the app over",
        "upload": "the upload failed", "login": "the registry refused the login", "pull": "an image cannot be pulled",
        "gone": "an image is not on the host any more", "config": "the host's Compose refuses the file",
        "state": "lading's folder cannot be used", "remove": "something could not be removed",
    }
    return f"{words.get(kind, kind)}: {said}" if said else words.get(kind, kind)


def refused(host: str, app: str, text: str) -> errors.LadingError:
    """The error for a refused lease: who holds it, since when, how to take it."""
    kind, _, rest = text.partition("\n")
    if kind in ("held", "busy", "fence"):
        lease = dict(line.split("=", 1) for line in rest.splitlines() if "=" in line)
        who = lease.get("holder", "somebody")
        link = f", {lease['url']}" if lease.get("url") else ""
        if kind == "held":
            return errors.LeaseHeldError(
                f"{app} on {host} is held by {who} (deployment {lease.get('deployment', '?')}, since "
                f"{lease.get('since', '?')}{link}; free in {lease.get('left', '?')} s at the latest)",
                "wait, or add --take-lease if that deployment is dead", host=host, step="lease")
        return errors.LeaseHeldError(f"{app} on {host}: a command of another deployment still runs: {rest.strip()}",
                                     f"wait for it; lading where {app}", host=host, step="lease")
    if kind == "format":
        return errors.ForeignError(f"the state on {host} has format {rest.strip()}, this lading knows 1",
                                   "install the newer lading", host=host, step="lease")
    return errors.PreflightError(refusal(text), f"lading check {host}", host=host, step="lease")


def first_difference(expected: str, found: str) -> str:
    """Where two normal forms of Compose differ: the key of the first line, never its value; "" = nowhere."""
    ours, theirs = expected.splitlines(), found.splitlines()
    path: dict[int, str] = {}
    for index, line in enumerate(ours):
        depth = len(line) - len(line.lstrip())
        path = {key: value for key, value in path.items() if key < depth}
        path[depth] = line.strip().partition(":")[0]
        if index >= len(theirs) or theirs[index] != line:
            return ".".join(path[key] for key in sorted(path))
    return "the end of the file" if len(theirs) > len(ours) else ""
