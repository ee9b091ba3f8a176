"""A job's hold on its hosts: leases taken and given back, commands sent under them, what was lost on the way."""

import asyncio
import json
import time
from collections.abc import Iterable
from dataclasses import replace

from lading import errors, events, shape, spans, state
from lading.compose import masking
from lading.drivers.shell import commands, observation, observe
from lading.engines import base, preflight, words
from lading.transport import base as transports
from lading.transport import command

RECONNECT = 20.0  # seconds that an undo tries to reach a host that was lost


class Failure(Exception):
    """One host's step failed: host, step, why, last log lines; *kind*: the word of a script that refused."""

    def __init__(self, host: str, step: str, why: str, log: tuple[str, ...] = (), kind: str = "") -> None:
        super().__init__(errors.short(why))
        self.host, self.step, self.why, self.kind = host, step, errors.short(why), kind
        self.log = tuple(map(errors.short, log))


class Held:
    """What one run of one job holds: *holds* by host, *seen* when the lease was taken, *lost* hosts with the reason.

    *overtaken*: hosts on which another deployment has taken the app over.
    """

    def __init__(self, transport: transports.Transport, job: base.Job, record: events.Record) -> None:
        self.transport, self.job, self.record = transport, job, record
        self.holds: dict[str, commands.Hold] = {}
        self.seen: dict[str, state.AppState] = {}
        self.lost: dict[str, str] = {}
        self.overtaken: set[str] = set()

    async def send(
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
            refusal = result.text("refused")
            holder = words.overtaken(refusal)
            if holder:
                self.overtaken.add(name)
                await self.record(events.LeaseLost(self.job.deployment, name, what.name, holder=holder))
            raise Failure(name, what.name, self.shown(words.refusal(refusal)), kind=refusal.partition("\n")[0])
        if "end" not in result.parts:
            said = self.shown(result.stderr).strip().splitlines()
            raise Failure(name, what.name, f"ended with status {result.status}: {said[-1] if said else 'no output'}")
        return result

    def shown(self, text: str) -> str:
        """What a program on a host said, without the secrets that this job brings."""
        made = self.job.bundle
        return masking.hidden(text, made.secrets, made.release.plain) if made else text

    async def lease(self, name: str, *, check: bool) -> None:
        """Take the lease of a host and look at it again; *check*: refuse a host that cannot take the release.

        Raises:
            RefusedError: it is held, has changed since the plan, or preflight speaks against it.
            TransportError: the host does not answer.
        """
        job, plan = self.job.at(name), self.job.plan.hosts[name]
        old = job.known.get(plan.previous.release) if plan.previous else None
        grace = max((spec.grace for made in (job.release, old) if made for spec in made.services.values()), default=10)
        begin = json.dumps({
            "kind": "begin", "deployment": job.deployment, **job.begin,
            "participants": spans.packed(job.begin.get("participants", ())),
            "v": 3, "to": job.release.id,
            "from": plan.previous.as_json() if plan.previous else None, "generations": dict(plan.generations),
            **state.adopted_as_json(plan.adopted),
        }, ensure_ascii=False)
        what = observation.lease(
            observe.marker(), state_dir=job.state_dir, app=job.plan.app, deployment=job.deployment, holder=job.holder,
            since=job.since, url=job.url, take=job.take_lease, grace=min(int(grace) + 1, 60), begin=begin,
            nonce=job.nonce, binds=job.release.needed_binds, docker_info=job.docker_info.get(name, ""),
            sources=job.sources,
        )
        result = await self.transport.run(job.hosts[name], what)
        if "refused" in result.parts:
            raise words.refused(name, job.plan.app, result.text("refused"))
        if shape.whole(result.text("fence")) < 0 or "end" not in result.parts:
            said = result.stderr.strip().splitlines()
            raise errors.CommandError(f"the lease failed with status {result.status}: {said[-1] if said else ''}",
                                      f"lading check {name}", host=name, step="lease")
        fence = shape.whole(result.text("fence"))
        self.holds[name] = commands.Hold(
            job.state_dir, job.plan.app, job.deployment, fence, job.holder, job.since, job.url
        )
        await self.record(events.LeaseTaken(job.deployment, name, "lease", fence=fence))
        await self._checked(name, result, check)

    async def _checked(self, name: str, result: command.Result, check: bool) -> None:
        job, plan = self.job.at(name), self.job.plan.hosts[name]
        seen = observe.answered(name, result)
        if not seen.reachable:
            raise errors.ForeignError(seen.error, seen.error_hint, host=name, step="lease")
        self.holds[name] = replace(self.holds[name], folder=seen.facts.state_dir)
        app = seen.apps.get(job.plan.app, state.AppState(job.plan.app))
        self.seen[name] = app
        if app.current != plan.previous or (check and app.unreadable) or not {c.id for c in app.containers} >= set(plan.adopted):
            raise errors.RefusedError("the app was changed since the plan was made", "run the command again", host=name,
                                      step="lease")
        if check:
            job.judge(seen)
        problems = preflight.problems(job.release, plan, seen, job.platforms) if check else []
        await self.record(events.HostChecked(job.deployment, name, "preflight", problems=tuple(problems)))
        if problems:
            raise errors.PreflightError("; ".join(problems), preflight.remedy(seen), host=name, step="preflight")

    async def reach(self, name: str) -> state.HostState:
        """Look again, trying for a while to reach a host that was lost, or whose engine does not answer.

        Raises:
            Failure: it does not answer.
        """
        until = time.monotonic() + RECONNECT
        while True:
            seen = await observe.host(self.transport, self.job.hosts[name], state_dir=self.job.state_dir,
                                      app=self.job.plan.app)
            if seen.reachable:
                self.lost.pop(name, None)
                if not seen.facts.problem:
                    return seen
            if time.monotonic() > until:
                if seen.error:
                    self.lost[name] = seen.error
                raise Failure(name, "undo", seen.error or seen.facts.problem)
            await asyncio.sleep(0.5)

    async def free(self, result: str, names: Iterable[str] | None = None, *, kind: str = "ended") -> None:
        """Give back the leases of *names*, or of all hosts that are held; of kind `left` where the deployment stays open."""
        line = json.dumps({"v": 1, "kind": kind, "deployment": self.job.deployment, "result": result})

        async def one(name: str) -> None:
            try:
                await self.transport.run(self.job.hosts[name],
                                         commands.release_lease(observe.marker(), self.holds[name], record=line))
            except errors.TransportError as lost:
                self.lost[name] = lost.message

        chosen = list(self.holds) if names is None else [name for name in names if name in self.holds]
        await asyncio.gather(*(one(name) for name in chosen))
