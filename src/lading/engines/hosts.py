"""Steps over any transport: lease, preflight, stage, roll batch by batch, verify, commit; undo (DESIGN §4)."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from lading import errors, events, observe, state
from lading.commands import answers, command, docker, rolling
from lading.compose import release
from lading.engines import base, host_commands, preflight, watching, words
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


    async def settle(
        self, job: base.Job, record: events.Record, *, forward: bool, silent: Sequence[str]
    ) -> base.Report:
        """End an open deployment on the hosts of the plan: commit it, or undo it; *silent* hosts stay unknown."""
        return await _Run(self.transport, job, record).settle(forward, silent)

    async def remove(self, job: base.Job, record: events.Record, *, volumes: bool) -> base.Report:
        """Remove the app from the hosts of the plan."""
        return await _Run(self.transport, job, record).remove(volumes)


class Failure(Exception):
    """One host's step failed: host, step, why, last log lines."""

    def __init__(self, host: str, step: str, why: str, log: tuple[str, ...] = ()) -> None:
        super().__init__(why)
        self.host, self.step, self.why, self.log = host, step, why, log


class _Run:
    """One run of one job; what it learns on the way is kept here."""

    def __init__(self, transport: transports.Transport, job: base.Job, record: events.Record) -> None:
        self.transport, self.job, self.record = transport, job, record
        self.busy = [name for name, host in job.plan.hosts.items() if host.steps]
        self.holds: dict[str, rolling.Hold] = {}
        self.touched: list[str] = []
        self.lost: dict[str, str] = {}
        self.seen: dict[str, state.AppState] = {}
        self.results: dict[str, events.HostOutcome] = {}
        self.repair = False
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

    async def settle(self, forward: bool, silent: Sequence[str]) -> base.Report:
        """Another run's deployment: take it over, then finish it or undo it on every host that it left open."""
        self.repair = True
        await self._prepare()
        if forward:
            await self._commit()
        else:
            self.touched = list(self.busy)
            await asyncio.gather(*(self._undo(name, "resumed and undone") for name in self.busy))
        for name in silent:
            self.results[name] = events.HostOutcome("unknown", error="it does not answer")
        return self._report()

    async def remove(self, volumes: bool) -> base.Report:
        """Lease, then remove on all hosts; a host that fails is named, the others are removed all the same."""
        self.repair = True
        await self._prepare()
        record = json.dumps({"v": 1, "kind": "intent", "deployment": self.job.deployment, "step": "remove"})
        line = json.dumps({"v": 1, "kind": "ended", "deployment": self.job.deployment, "result": "removed"})
        failures: list[Failure] = []

        async def one(name: str) -> None:
            hold = self.holds[name]
            try:
                await self.record(events.StepStarted(self.job.deployment, name, "remove"))
                await self._send(name, rolling.vanish(observe.marker(), hold, record=record, volumes=volumes, forget=True))
                await self._send(name, rolling.undone(observe.marker(), hold, record=line))
            except Failure as failure:
                failures.append(failure)
                self._set(name, "unknown" if name in self.lost else "failed", "", failure.why)
                return
            await self.record(events.StepEnded(self.job.deployment, name, "remove"))
            self._set(name, "succeeded", "")

        await asyncio.gather(*(one(name) for name in self.busy))
        return self._report(failures[0] if failures else None)

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
            raise Failure(name, what.name, words.refusal(result.text("refused")))
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
            raise words.refused(name, job.plan.app, result.text("refused"))
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
        self.seen[name] = app
        if app.current != plan.previous:
            raise errors.RefusedError("the app was changed since the plan was made", "run the command again", host=name,
                                      step="lease")
        problems = [] if self.repair else preflight.problems(job.release, plan, seen, job.platforms)
        await self.record(events.HostChecked(job.deployment, name, "preflight", problems=tuple(problems)))
        if problems:
            raise errors.PreflightError("; ".join(problems), f"lading check {name}", host=name, step="preflight")

    async def _stage(self, name: str) -> None:
        job = self.job
        what = host_commands.stage_command(self.holds[name], job, job.plan.hosts[name])
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
            different = words.first_difference(expected, found)
            if different:
                raise Failure(name, "stage", f"the host's Compose reads {different} otherwise than this machine's")

    async def _roll(self, name: str) -> None:
        plan, judged = self.job.plan.hosts[name], self.job.release.active
        if self.job.keep_jobs:
            plan, judged, _ = host_commands.undo_plan(plan, self.job.release)
        await self._bring_up(name, self.job.release, plan, judged, purge=False, verb="roll")

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
            result=json.dumps({"kind": "result", **common}), compose=host_commands.compose_function(made, plan.generations),
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
                await self._send(name, host_commands.commit_command(self.holds[name], job, plan, self.seen.get(name)))
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
            await self._back(name, seen)
        except (Failure, errors.LadingError) as failed:
            words = failed.why if isinstance(failed, Failure) else failed.message
            self._set(name, "unknown" if name in self.lost else "failed", "", f"{why}; undo: {words}")
            return
        await self.record(events.HostUndone(self.job.deployment, name, "undo",
                                            release=plan.previous.release if plan.previous else ""))
        self._set(name, "rolled_back", plan.previous.release if plan.previous else "", why)

    async def _back(self, name: str, seen: state.AppState) -> None:
        """Bring one host back to its previous release, or to nothing if there was none; verified, lease freed."""
        job, previous, hold = self.job, self.job.plan.hosts[name].previous, self.holds[name]
        common = {"v": 1, "deployment": job.deployment, "to": previous.release if previous else ""}
        intent = json.dumps({"kind": "intent", "step": "undo", **common})
        if previous is None:
            await self._send(name, rolling.vanish(observe.marker(), hold, record=intent, volumes=False, forget=False))
        else:
            old = job.known.get(previous.release)
            if old is None:
                raise Failure(name, "undo", f"release {previous.release} is not kept on the host")
            plan = planner.plan_host(name, old, dict(previous.generations), (), seen, job.release)
            plan, judged, purge = host_commands.undo_plan(plan, old)
            await self._bring_up(name, old, plan, judged, purge, "undo")
            gone = [c for s in plan.steps if isinstance(s, steps.RemoveService) for c in s.containers]
            if gone:
                what = rolling.tidy(observe.marker(), hold, intent=intent, containers=gone, networks=())
                await self._send(name, what)
        record = json.dumps({"kind": "undone", **common})
        await self._send(name, rolling.undone(observe.marker(), hold, record=record))

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
        hosts.update({n: r for n, r in self.results.items() if n not in self.job.plan.hosts})
        for name, plan in self.job.plan.hosts.items():
            now = plan.previous.release if plan.previous else ""
            hosts[name] = self.results.get(name) or events.HostOutcome("unchanged", now, now)
        outcome = events.Outcome(hosts)
        if failure is None:
            return base.Report(outcome)
        return base.Report(outcome, failure.host, failure.step, failure.why, failure.log)
