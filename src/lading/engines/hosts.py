"""Steps over any transport: lease, preflight, stage, roll batch by batch, verify, commit; undo (DESIGN §4)."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from lading import errors, events, state
from lading.drivers.shell import commands, observe
from lading.engines import base, changing, held, host_commands
from lading.plan import steps
from lading.rollout import rolling as rollouts
from lading.transport import base as transports


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
        """Remove the app from the hosts of the plan; of a job that keeps containers only lading's own files."""
        return await _Run(self.transport, job, record).remove(volumes)


class _Run:
    """One run of one job; what it learns on the way is kept here."""

    def __init__(self, transport: transports.Transport, job: base.Job, record: events.Record) -> None:
        self.job, self.record = job, record
        self.held = held.Held(transport, job, record)
        self.changing = changing.Changing(self.held)
        self.busy = [name for name, host in job.plan.hosts.items() if host.steps]
        self.results: dict[str, events.HostOutcome] = {}
        self.started = time.monotonic()

    async def whole(self) -> base.Report:
        """The story: all hosts or none."""
        if not self.busy:
            return self._report()
        await self._prepare(check=True)
        try:
            await self._all(self.changing.stage)
            await self._hooks()
            await self._roll()
            await self._all(self.changing.tidy)
            self._check_stop("commit")
            ledger = await self._decide()
            self._check_stop("commit")
        except held.Failure as failure:
            return await self._fail(failure)
        return self._report(await self._commit(ledger, self.busy))

    async def _hooks(self) -> None:
        for name in self.busy:
            for step in self.job.plan.hosts[name].steps:
                if isinstance(step, steps.RunHook):
                    self._check_stop("hook")
                    await self.changing.hook(name, step)

    async def _roll(self) -> None:
        """Batch by batch; between batches it pauses, which the first Ctrl-C ends at once."""
        for number, batch in enumerate(self.job.plan.batches):
            if number and self.job.plan.delay:
                await self._pause(self.job.plan.delay)
            self._check_stop("roll")
            await self._all(self.changing.roll, batch)

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.job.stop.wait(), seconds)
        except TimeoutError:
            return

    async def settle(self, forward: bool, silent: Sequence[str]) -> base.Report:
        """Another run's deployment: take it over, then finish it or undo it on every host that it left open."""
        await self._prepare(check=False)
        forth = [name for name in self.busy if forward and self.job.staged(name)]
        failure = await self._commit(await self._decide(), forth) if forth else None
        self.changing.touched = [name for name in self.busy if name not in forth]
        why = "it was committed elsewhere, but does not keep the release" if forward else "resumed and undone"
        await self._undo_all(why)
        for name in silent:
            self.results[name] = events.HostOutcome("unknown", error="it does not answer")
        return self._report(failure)

    async def remove(self, volumes: bool) -> base.Report:
        """Lease, then remove on all hosts; a host that fails is named, the others are removed all the same."""
        await self._prepare(check=False)
        record = json.dumps({"v": 1, "kind": "intent", "deployment": self.job.deployment, "step": "remove"})
        line = json.dumps({"v": 1, "kind": "ended", "deployment": self.job.deployment, "result": "removed"})
        failures: list[held.Failure] = []

        async def one(name: str) -> None:
            hold = self.held.holds[name]
            try:
                await self.record(events.StepStarted(self.job.deployment, name, "remove"))
                if self.job.begin.get("keeps_containers"):
                    await self.held.send(name, host_commands.give_back_command(hold, self.job.at(name), self.held.seen[name], record))
                else:
                    before = self.job.plan.hosts[name].previous
                    stop = host_commands.stopped(self.job.at(name).release, before.generations if before else {}, self.held.seen.get(name))
                    what = commands.remove_app(observe.marker(), hold, record=record, volumes=volumes, forget=True, stop=stop)
                    await self.held.send(name, what)
                    await self.held.send(name, commands.release_lease(observe.marker(), hold, record=line))
            except held.Failure as failure:
                failures.append(failure)
                self._set(name, "unknown" if name in self.held.lost else "failed", "", failure.why)
                return
            await self.record(events.StepEnded(self.job.deployment, name, "remove"))
            self._set(name, "succeeded", "")

        await asyncio.gather(*(one(name) for name in self.busy))
        return self._report(failures[0] if failures else None)

    async def _prepare(self, *, check: bool) -> None:
        """Lease and preflight; whatever is wrong is raised, after the leases that were taken are free again."""
        try:
            await self._all(lambda name: self.held.lease(name, check=check))
        except BaseException:
            await self.held.free("failed")
            raise

    def _check_stop(self, step: str) -> None:
        if self.job.stop.is_set():
            raise held.Failure("", step, "interrupted")

    async def _all(self, do: Callable[[str], Coroutine[Any, Any, None]], names: Iterable[str] | None = None) -> None:
        """Do it on all hosts at once; wait for all; raise the first failure."""
        ended = await asyncio.gather(*(do(name) for name in (self.busy if names is None else names)),
                                     return_exceptions=True)
        wrong = [one for one in ended if isinstance(one, BaseException)]
        for one in sorted(wrong, key=lambda w: not isinstance(w, errors.RefusedError)):
            raise one

    async def _decide(self) -> Mapping[str, object]:
        """Announce the commit, before any host is told; where the ledger ends then. It may take long, and a stop still counts."""
        await self.record(events.StepStarted(self.job.deployment, "", "commit"))
        return await self.job.attest()

    async def _commit(self, ledger: Mapping[str, object], names: Iterable[str]) -> held.Failure | None:
        """Each of *names* commits; a host that is lost now is unknown, `resume` finishes it.

        One where a service does not run any more as it was judged goes back, and its failure is returned.
        """
        changed = dict[str, held.Failure]()

        async def one(name: str) -> None:
            job, seen = self.job.at(name), self.held.seen.get(name)
            note = host_commands.written(job, job.plan.hosts[name], ledger, seen)
            what = host_commands.commit_command(self.held.holds[name], job, job.plan.hosts[name], seen, note,
                                                self.changing.fresh.get(name, frozenset()))
            try:
                await self.held.send(name, what)
            except held.Failure as failure:
                if failure.kind == "changed":
                    changed[name] = failure
                else:
                    self._set(name, "unknown", job.release.id, failure.why)
                return
            await self.record(events.HostCommitted(
                job.deployment, name, "commit", release=job.release.id, line=state.hash_of_line(note.line),
                current=state.hash_of_current(note.current)))
            self._set(name, "succeeded", job.release.id)

        await asyncio.gather(*(one(name) for name in names))
        await asyncio.gather(*(self._undo(name, failure.why) for name, failure in changed.items()))
        return next(iter(changed.values()), None)

    def _set(self, name: str, result: events.HostResult, now: str, error: str = "") -> None:
        self.results[name] = changing.outcome(self.job, name, result, now, error, time.monotonic() - self.started)

    async def _fail(self, failure: held.Failure) -> base.Report:
        """Undo all touched hosts, newest first; free the others; say what is there now."""
        touched = self.changing.touched
        await self._undo_all(failure.why)
        await self.held.free("failed", [name for name in self.busy if name not in touched])
        for name in self.busy:
            if name not in self.results:
                current = None if name in self.held.overtaken else self.job.plan.hosts[name].previous
                lost = self.held.lost.get(name, "")
                self._set(name, "unknown" if lost else "untouched", current.release if current else "",
                          failure.why if name in self.held.overtaken else lost)
        return self._report(failure)

    async def _undo_all(self, why: str) -> None:
        """Newest first: the last batch that was touched goes back before the one before it."""
        for batch in rollouts.undo_order(self.changing.touched, self.job.plan.batches):
            await asyncio.gather(*(self._undo(name, why) for name in batch))

    async def _undo(self, name: str, why: str) -> None:
        previous = self.job.plan.hosts[name].previous
        try:
            await self.changing.back(name)
        except (held.Failure, errors.LadingError) as failed:
            words = failed.why if isinstance(failed, held.Failure) else failed.message
            if name not in self.held.lost:  # nobody works there now: the next deployment may take it up at once
                await self.held.free("left", [name], kind="left")
            self._set(name, "unknown" if name in self.held.lost else "failed", "", f"{why}; undo: {words}")
            return
        now = previous.release if previous else ""
        await self.record(events.HostUndone(self.job.deployment, name, "undo", release=now))
        self._set(name, "rolled_back", now, why)

    def _report(self, failure: held.Failure | None = None) -> base.Report:
        hosts: dict[str, events.HostOutcome] = {}
        hosts.update({n: r for n, r in self.results.items() if n not in self.job.plan.hosts})
        for name, plan in self.job.plan.hosts.items():
            now = plan.previous.release if plan.previous else ""
            hosts[name] = self.results.get(name) or events.HostOutcome("unchanged", now, now)
        outcome = events.Outcome(hosts)
        if failure is None:
            return base.Report(outcome)
        return base.Report(outcome, failure.host, failure.step, failure.why, failure.log)
