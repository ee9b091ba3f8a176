"""What is done on one host: stage, hook, bring up and judge, tidy, the way back; done, or a Failure."""

import asyncio
import json
import time
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any

from lading import canonical, errors, events, shape, state
from lading.compose import dialects, parse, release
from lading.drivers.shell import commands, logs, observe
from lading.engines import base, held, host_commands, watching
from lading.health import watch
from lading.plan import planner, steps
from lading.transport import command


class Changing:
    """The changing steps of one job, host by host; *touched*: the hosts on which containers may have changed.

    *fresh*: the services that were started and judged good, by host.
    """

    def __init__(self, hold: held.Held) -> None:
        self.held, self.job, self.record = hold, hold.job, hold.record
        self.touched: list[str] = []
        self.compared: dict[tuple[str, str], str] = {}
        self.fresh: dict[str, frozenset[str]] = {}

    async def _begin(self, name: str, step: str) -> None:
        """Announce a step of the way there; a stop that was asked for while the ledger was waited for comes before it."""
        await self.record(events.StepStarted(self.job.deployment, name, step))
        if self.job.stop.is_set() and step != "undo":
            raise held.Failure(name, step, "interrupted")

    async def stage(self, name: str) -> None:
        """Upload, pull, and compare what the host's Compose makes of the release with what this machine's does."""
        job = self.job.at(name)
        await self._begin(name, "stage")
        begun = time.monotonic()
        try:
            result = await self._stage(name, job)
        except held.Failure as failure:
            logins = job.more_logins() if failure.kind == "gone" else ()
            if not logins:
                raise
            result = await self._stage(name, replace(job, logins=logins))
        await asyncio.to_thread(self._compare, name, result)
        await self.record(events.BundleStored(job.deployment, name, "stage", release=job.release.id))
        await self.record(events.StepEnded(job.deployment, name, "stage", seconds=round(time.monotonic() - begun, 3)))

    async def _stage(self, name: str, job: base.Job) -> command.Result:
        plan, app = job.plan.hosts[name], self.held.seen.get(name)
        return await self.held.send(name, host_commands.stage_command(self.held.holds[name], job, plan, app))

    def _compare(self, name: str, result: command.Result) -> None:
        expected = self.job.expected.get(name, "")
        if expected:
            found = result.parts.get("config", b"").decode("utf-8", "replace").replace(result.text("dir"), "@DIR@")
            id = self.job.release.id
            kept_as = host_commands.folder(id, self.held.seen.get(name))
            found = found.replace(f"@DIR@/releases/{kept_as}/", f"@DIR@/releases/{id}/")
            different = self._difference(expected, found)
            if different:
                there, here = (self.job.composes.get(one, "") for one in (name, ""))
                raise held.Failure(name, "stage", f"Compose {there or '(unknown)'} on the host reads {different} otherwise than "
                                                  f"{here or 'the one'} here: install the same version on both, or write it otherwise")

    def _difference(self, expected: str, found: str) -> str:
        """Where two normal forms differ in value: hosts of one Compose version write the same text, which is read once."""
        if expected == found:
            return ""
        if (expected, found) not in self.compared:
            ours = expected.encode()
            self.compared[expected, found] = dialects.difference(parse.load(ours), parse.foreign(found.encode(), ours))
        return self.compared[expected, found]

    async def hook(self, name: str, step: steps.RunHook) -> None:
        """Run a hook once, on this host, before anything is rolled; a status other than 0 is a Failure."""
        job = self.job.at(name)
        what = host_commands.hook_command(self.held.holds[name], job, job.plan.hosts[name], step, self.held.seen.get(name))
        await self._begin(name, "hook")
        begun = time.monotonic()
        result = await self.held.send(name, what)
        first, _, log = result.text("hook").partition("\n")
        status = shape.whole(first.strip(), 1)
        late = status in (124, 137) and time.monotonic() - begun >= step.timeout
        why = f"hook {step.hook} ({step.service}): " + (f"time is up ({step.timeout:g} s)" if late else f"exit code {status}")
        await self.record(events.HookEnded(job.deployment, name, "hook", hook=step.hook, status=status))
        await self.record(events.StepEnded(job.deployment, name, "hook", error=why if status else "",
                                           seconds=round(time.monotonic() - begun, 3)))
        if status:
            raise held.Failure(name, "hook", why, tuple(self.held.shown(log).splitlines()[-50:]))

    async def roll(self, name: str) -> None:
        """Bring the host's services to the job's release and wait until they are good."""
        made, plan = self.job.at(name).release, self.job.plan.hosts[name]
        judged: Mapping[str, int] = plan.placed
        if self.job.keep_jobs:
            plan, judged = host_commands.way_back(plan, made, self.job.at(name).finished)
        await self._bring_up(name, made, plan, judged, whole=False, verb="roll")
        self.fresh[name] = frozenset(plan.services)

    async def _bring_up(
        self, name: str, made: release.Release, plan: steps.HostPlan,
        judged: Mapping[str, int], whole: bool, verb: str,
    ) -> None:
        job = self.job
        common = {"v": 3, "deployment": job.deployment, "step": verb, "to": made.id}
        wait = int(max((made.wait(one) + made.bake(one) for one in judged), default=60)) + 30
        networks = [s for s in plan.steps if isinstance(s, steps.RecreateNetwork)]
        what = commands.roll(
            observe.marker(), self.held.holds[name],
            intent=json.dumps({"kind": "intent", **common, "services": list(plan.services)}),
            result=json.dumps({"kind": "result", **common}), compose=host_commands.compose_function(made, plan.generations, self.held.seen.get(name)),
            services=plan.services,
            spare=[s for s, ends in made.endings.items() if ends != "never" and s not in plan.services], whole=whole, anew=plan.anew, wait=wait, name=verb, networks=[s.network for s in networks],
            surplus=[c for s in plan.steps if isinstance(s, steps.ScaleDown) for c in s.containers],
            had=host_commands.anonymous(self.held.seen.get(name)) if verb == "roll" else {},
            again=[(s, made.services[s].content) for s in plan.services] if verb == "undo" or job.keep_jobs else (),
        )
        follows = watch.Watch(
            made, judged, plan.services, plan.generations,
            lambda: job.stop.is_set() and verb == "roll",
            lambda text: job.show(events.ServiceAwaited(job.deployment, name, verb, text)),
        )
        await self._begin(name, verb)
        if name not in self.touched:
            self.touched.append(name)
        begun = time.monotonic()

        awaited = host_commands.awaited(made, plan.services)
        if awaited:
            job.show(events.ServiceAwaited(job.deployment, name, verb, awaited))
        parts = watching.parts_of(follows, plan.previous.adopted if plan.previous else {})
        await self._watched(self.held.send(name, what, parts), follows)
        await self._judged(name, verb, follows, round(time.monotonic() - begun, 3))

    async def _watched(self, sent: Coroutine[Any, Any, command.Result], follows: watch.Watch) -> None:
        """Until the command ends; one whose engine falls silent for longer than its services may take is given up."""
        task = asyncio.create_task(sent)
        try:
            while not (await asyncio.wait({task}, timeout=watch.SILENCE / 6))[0]:
                if follows.is_stalled():
                    return
            await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    async def _judged(self, name: str, verb: str, follows: watch.Watch, seconds: float) -> None:
        job = self.job
        for verdict in follows.verdicts:
            if verdict.word == "good":
                await self.record(events.ServiceHealthy(job.deployment, name, verb, verdict.service, verdict.state))
        if not follows.why:
            await self.record(events.StepEnded(job.deployment, name, verb, seconds=seconds))
            return
        why = "interrupted" if follows.stopped else self.held.shown(follows.why)
        log = () if follows.stopped else await self._last_lines(name, follows.failed)
        for service in follows.failed:
            await self.record(events.ServiceUnhealthy(job.deployment, name, verb, service, why, ()))
        await self.record(events.StepEnded(job.deployment, name, verb, error=why, seconds=seconds))
        raise held.Failure(name, verb, why, log)

    async def _last_lines(self, name: str, services: list[str]) -> tuple[str, ...]:
        what = logs.last_lines(observe.marker(), app=self.job.plan.app, services=services)
        try:
            result = await self.held.transport.run(self.job.hosts[name], what)
        except errors.TransportError:
            return ()
        return tuple(line for s in services for line in self._shown(name, s, result.text(f"log:{s}")))

    def _shown(self, name: str, service: str, log: str) -> list[str]:
        """A service's last lines; none where they may hold secrets that this machine does not know (a way back)."""
        job = self.job.at(name)
        specs = [made.services[service] for made in (job.release, *job.known.values()) if service in made.services]
        if job.bundle is None and any(spec.secrets for spec in specs):
            return [f"{service} has secrets that are not known here, so its last lines are not shown: lading logs {job.plan.app}"]
        return self.held.shown(log).splitlines()[-50:]

    async def tidy(self, name: str) -> None:
        """Remove what the release no longer has, after everything else is verified."""
        plan = self.job.plan.hosts[name]
        containers = [c for s in plan.steps if isinstance(s, steps.RemoveService) for c in s.containers]
        networks = [s.network for s in plan.steps if isinstance(s, steps.RemoveNetwork)]
        if containers or networks:
            intent = json.dumps({"v": 1, "kind": "intent", "deployment": self.job.deployment, "step": "tidy",
                                 "containers": containers, "networks": networks})
            await self._begin(name, "tidy")
            old = self.job.at(name).known.get(plan.previous.release) if plan.previous else None
            gone = [s.service for s in plan.steps if isinstance(s, steps.RemoveService)]
            stop = host_commands.stopped(old, plan.previous.generations if plan.previous else {}, self.held.seen.get(name), gone)
            await self.held.send(name, commands.tidy(observe.marker(), self.held.holds[name], intent=intent, stop=stop,
                                                    containers=containers, networks=networks))
            await self.record(events.StepEnded(self.job.deployment, name, "tidy"))

    async def back(self, name: str) -> None:
        """Bring the host back to its previous release, or to nothing if there was none; verified, lease freed."""
        seen = await self.held.reach(name)
        job, previous, hold = self.job.at(name), self.job.plan.hosts[name].previous, self.held.holds[name]
        common = {"v": 3, "deployment": job.deployment, "to": previous.release if previous else ""}
        intent = json.dumps({"kind": "intent", "step": "undo", **common})
        if job.begin.get("keeps_containers"):  # adopt, remove --keep-running: what runs was and stays as it is
            pass
        elif previous is None:
            stop = host_commands.stopped(job.release, self.job.plan.hosts[name].generations, self.held.seen.get(name))
            what = commands.remove_app(observe.marker(), hold, record=intent, volumes=False, forget=False, stop=stop)
            await self.held.send(name, what)
        else:
            await self._restore(name, previous, seen, intent)
        record = json.dumps({"kind": "undone", **common})
        await self.held.send(name, commands.release_lease(observe.marker(), hold, record=record))

    async def _restore(self, name: str, previous: state.Current, seen: state.HostState, intent: str) -> None:
        job = self.job.at(name)
        old = job.known.get(previous.release)
        if old is None:
            raise held.Failure(name, "undo", f"release {canonical.short(previous.release)} is not kept on the host")
        app = seen.apps.get(old.app, state.AppState(old.app))
        plan = planner.plan_host(name, old, dict(previous.generations), (), app, job.release,
                                 seen.attached(old.app))
        plan, judged, whole = host_commands.undo_plan(plan, old, self.job.at(name).finished)
        await self._bring_up(name, old, plan, judged, whole, "undo")
        gone = [c for s in plan.steps if isinstance(s, steps.RemoveService) for c in s.containers]
        if gone:
            what = commands.tidy(observe.marker(), self.held.holds[name], intent=intent, containers=gone, networks=())
            await self.held.send(name, what)


def outcome(job: base.Job, name: str, result: events.HostResult, now: str, error: str, seconds: float) -> events.HostOutcome:
    """How a host ended, beside what it was before."""
    previous = job.plan.hosts[name].previous
    return events.HostOutcome(result, now, previous.release if previous else "", error, round(seconds, 3))
