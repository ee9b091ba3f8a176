"""One host of one deployment: its lease, its phase, the steps that are carried out there, and the way back."""

import asyncio
import time
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, TypeVar, assert_never

from lading import canonical, errors, events, state
from lading.compose import hooks, normal
from lading.compose import release as releases
from lading.drivers import base as drivers
from lading.drivers import refusals
from lading.engines import base, comparison, decision, preflight
from lading.engines.compose_hosts.failure import Failure
from lading.engines.compose_hosts.host_trace import HostTrace, Shown
from lading.health import verdict, watch
from lading.placement import assignment
from lading.plan import attribution, planner, steps
from lading.state import journal

RECONNECT = 20.0  # seconds that an undo waits for an engine that is away
SETTLING = 30.0  # seconds that containers have between the verdict and the commit, where an engine has restarted
LAST_LINES = 50  # of a service that failed, as they are shown and kept
LAST_LINE = 2000  # characters of such a line
_NOT_ASKED: Mapping[str, str] = {
    "here": "not asked what it makes of the release: the plug-in and the files are those here",
    "before": "not asked what it makes of the release: the plug-in and the files are those that it has read before",
}
T = TypeVar("T")


class HostRun:
    """One host of one deployment.

    *phase*: in which the deployment is here, as far as is known; *seen*: the app as it was when the
    lease was taken; *touched*: containers may have changed; *lost*: why it does not answer, "" = it does;
    *overtaken*: another deployment has the app now; *good*: its containers when they were last judged good;
    *fresh*: the services that this deployment has started here, of which a restart is a crash.
    """

    def __init__(
        self, name: str, order: base.DeploymentOrder, driver: drivers.HostDriver, record: events.Record,
        compared: comparison.Forms, shown: Shown, trace: HostTrace,
    ) -> None:
        self.name, self.order, self.driver, self.record = name, order, driver, record
        self.own = order.own.get(name)
        self.plan = order.plan.hosts.get(name, steps.HostPlan(name))
        self.hold: drivers.Hold | None = None
        self.phase: decision.Word = "none"
        self.host: state.HostState = state.HostState(name)
        self.seen = state.AppState(order.plan.app)
        self.touched = False
        self.lost = ""
        self.overtaken = ""
        self.good: drivers.Containers | None = None
        self.fresh: frozenset[str] = frozenset()
        self._told: set[str] = set()  # services of which it was recorded that they failed
        self.outcome: events.HostOutcome | None = None
        self.busy = asyncio.Lock()
        self.ledger_head: Mapping[str, object] = {}  # where the committing ledger ends, once the decision lies there
        self._compared, self._shown, self._trace = compared, shown, trace
        self._began = self.last_heard = time.monotonic()

    # What is known of the host

    @property
    def deployment(self) -> str:
        """The deployment that this is about."""
        return self.order.deployment

    @property
    def is_open_there(self) -> bool:
        """Whether the deployment was open on the host when it was looked at."""
        return self.own is not None and bool(self.own.begun.deployment)

    @property
    def own_release(self) -> str:
        """The id of what the host becomes."""
        return self._own.release.id

    def end(self, result: events.HostResult, now: str, error: str = "") -> None:
        """Note how it ended here; *now*: the release that runs."""
        before = self._before()
        seconds = round(time.monotonic() - self._began, 3)
        self.outcome = events.HostOutcome(result, now, before.release if before else "", error, seconds)

    def _before(self) -> state.Current | None:
        return self._own.begun.before if self.own is not None else self.plan.previous

    @property
    def _own(self) -> base.HostOrder:
        if self.own is None:
            raise Failure(self.name, "lease", "it has no record of this deployment")
        return self.own

    @property
    def _held(self) -> drivers.Hold:
        if self.hold is None:
            raise Failure(self.name, "lease", "its lease is not held")
        return self.hold

    # Speaking with it

    async def _ask(self, step: str, asked: Awaitable[T]) -> T:
        """What the host answers; a refusal or a lost answer becomes a Failure of this host and step."""
        async with self.busy:
            try:
                answer = await asked
            except errors.TransportError as lost:
                self.lost = lost.message
                await self.record(events.HostLost(self.deployment, self.name, step, error=lost.message))
                raise Failure(self.name, step, lost.message, kind="lost") from lost
            except drivers.Refused as refused:
                self.last_heard = time.monotonic()
                raise await self._refused(step, refused) from refused
        self.lost = ""
        self.last_heard = time.monotonic()
        return answer

    async def _refused(self, step: str, refused: drivers.Refused) -> Failure:
        if refused.kind in (drivers.LOST_LEASE, drivers.HELD):
            self.overtaken = refusals.holder(refused.text)
            self.hold = None
            await self.record(events.LeaseLost(self.deployment, self.name, step, holder=self.overtaken))
        return Failure(self.name, step, self._shown(refusals.describe(refused.kind, refused.text)), kind=refused.kind)

    async def begin(self) -> None:
        """Take the lease, and refuse a host that has changed since the plan, or cannot take the release.

        Raises:
            RefusedError: it is held, has changed, or preflight speaks against it.
            TransportError: it does not answer.
        """
        try:
            await self._acquire(self._own.begun)
        except drivers.Refused as refused:
            raise refusals.lease_error(self.name, self.order.plan.app, refused.kind, refused.text) from refused
        except errors.TransportError as lost:
            self.lost, self.phase = lost.message, "silent"
            raise
        self._check_unchanged()
        if self._own.begun.verb not in ("remove", "repair"):
            await self._check_fit()

    async def take(self, record: journal.Taken) -> None:
        """Take the lease of a deployment that has begun already; where it has ended, or never began, only its phase is told."""
        try:
            await self._acquire(record)
        except drivers.Refused as refused:
            await self._refused("lease", refused)
            self.overtaken = self.overtaken or refused.text or refused.kind
        except errors.TransportError as lost:
            self.lost, self.phase, self.hold = lost.message, "silent", None

    async def _acquire(self, record: journal.Begun | journal.Taken) -> None:
        claim = drivers.Claim(
            self.order.plan.app, record, self.order.holder, self.order.since, self.order.url,
            self.order.override, self._grace(), self.order.look.get(self.name, drivers.Look()),
            aside=self._repairs is not None and self._repairs.journal, images=self._images(),
        )
        async with self.busy:
            acquired = await self.driver.store.acquire(claim, self._tell_waiting)
        self.lost = self.overtaken = ""
        self.last_heard = time.monotonic()
        self.hold, self.phase, self.host = acquired.hold, acquired.phase or "none", acquired.seen
        self.seen = acquired.seen.apps.get(self.order.plan.app, state.AppState(self.order.plan.app))
        self.fresh |= attribution.services_of(self.seen, self.deployment)
        if acquired.hold is not None:
            await self.record(events.LeaseTaken(self.deployment, self.name, "lease", fence=acquired.hold.fence))

    def _images(self) -> tuple[str, ...]:
        """The images that are staged here."""
        pulls = [one for one in self.plan.steps if isinstance(one, steps.PullImages)]
        return tuple(dict.fromkeys(image for one in pulls for image in one.images.values()))

    def _tell_waiting(self, text: str) -> None:
        self.order.show(events.ServiceAwaited(self.deployment, self.name, "lease", f"waits for {text}"))

    def _grace(self) -> int:
        """Seconds that the slowest service of either release may take to stop."""
        if self.own is None:
            return 10
        before = self._own.kept.get(self._own.begun.before.release) if self._own.begun.before else None
        made = [one for one in (self._own.release, before) if one is not None]
        graces = [spec.grace for one in made for spec in one.services.values()]
        return min(int(max(graces, default=10)) + 1, 60)

    def _check_unchanged(self) -> None:
        there = {container.id for container in self.seen.containers}
        same = self.seen.current == self.plan.previous and there >= set(self.plan.adopted)
        readable = self._own.begun.verb in ("remove", "repair") or not self.seen.unreadable
        if not (same and readable) or self._is_another_s(there):
            raise errors.RefusedError("the app was changed since the plan was made", "run the command again",
                                      host=self.name, step="lease")

    def _is_another_s(self, containers: set[str]) -> bool:
        """Whether an app that was new here has come to have containers: deployed meanwhile with another state folder."""
        known = self._own.containers
        return self._own.begun.before is None and known is not None and not containers <= known

    async def _check_fit(self) -> None:
        self.order.judge(self.host)
        problems = preflight.problems(self._own.release, self.plan, self.host, self.order.platforms)
        await self.record(events.HostChecked(self.deployment, self.name, "preflight", problems=tuple(problems)))
        if problems:
            raise errors.PreflightError("; ".join(problems), preflight.remedy(self.host), host=self.name, step="preflight")

    async def confirm(self) -> None:
        """Ask once more whether the lease is ours; renews it."""
        if self.hold is not None:
            self.phase = await self._ask("confirm", self.driver.store.confirm(self.hold))

    async def leave(self) -> None:
        """Give the lease back; the deployment stays open here."""
        if self.hold is None:
            return
        hold, self.hold = self.hold, None
        try:
            await self._ask("release-lease", self.driver.store.leave(hold))
        except Failure:
            return  # the lease ends by itself

    async def renew(self, after: float) -> None:
        """Renew the lease if nothing was asked of the host for *after* seconds, and nothing is being asked."""
        if self.hold is None or self.busy.locked() or time.monotonic() - self.last_heard < after:
            return
        async with self.busy:
            await self.driver.store.confirm(self.hold)
            self.last_heard = time.monotonic()

    def forced_without(self) -> tuple[str, ...]:
        """The hosts that a person gave up when this deployment was forced to an end here."""
        mine = [one for one in self.seen.journal if isinstance(one, journal.Reached)]
        return next((one.without for one in mine if one.deployment == self.deployment and one.without), ())

    @property
    def wants_hook(self) -> bool:
        """Whether what the host becomes has a hook that runs before the roll, on one of its hosts."""
        return self.own is not None and hooks.before(self.own.release.extension) is not None

    @property
    def hook_is_done(self) -> bool:
        """Whether the hook has run here, and well; one of which nobody knows the end has not."""
        mine = [one for one in self.seen.journal if one.deployment == self.deployment]
        return any(isinstance(one, journal.Done) and one.hook and one.rc == 0 for one in mine)

    def note_ended(self) -> None:
        """It had ended here before: how, its journal says."""
        now = self.seen.current.release if self.seen.current else ""
        mine = [one for one in self.seen.journal if one.deployment == self.deployment]
        if self.phase != "ended":
            touched = any(one.kind in ("rolling", "undoing") for one in mine)
            self.end("rolled_back" if touched else "untouched", now)
            return
        ends = [one for one in mine if isinstance(one, journal.Reached) and one.phase == "ended"]
        unwell = bool(ends) and ends[-1].result == "unwell"
        self.end("unwell" if unwell else "succeeded", now)

    # The steps

    async def carry_out(self, todo: Sequence[steps.Step]) -> None:
        """Carry steps out in their order; neighbours of one part go together."""
        for part, group in groupby(todo, steps.part_of):
            chosen = tuple(group)
            match part:
                case "stage":
                    await self._stage([one for one in chosen if isinstance(one, steps.Staging)])
                case "hook":
                    await self._hook([one for one in chosen if isinstance(one, steps.RunHook)])
                case "roll":
                    await self._roll([one for one in chosen if isinstance(one, steps.Rolling)])
                case "tidy":
                    await self._tidy([one for one in chosen if isinstance(one, steps.Tidying)])
                case "remove":
                    await self._remove_app([one for one in chosen if isinstance(one, steps.RemoveApp)])
                case "prepare":
                    await self._prepare()
                case "commit":
                    await self._commit()
                case "finish":
                    await self._finish()
                case _:
                    assert_never(part)

    async def _announce(self, step: str) -> float:
        """Announce a step; a stop that was asked for while the ledger was waited for comes before it."""
        await self.record(events.StepStarted(self.deployment, self.name, step))
        if self.order.stop.is_set() and step != "undo":
            raise Failure(self.name, step, "interrupted", kind="stopped")
        return time.monotonic()

    async def _ended(self, step: str, begun: float, error: str = "") -> None:
        seconds = round(time.monotonic() - begun, 3)
        self._trace.end()
        await self.record(events.StepEnded(self.deployment, self.name, step, error=error, seconds=seconds))

    async def _stage(self, todo: Sequence[steps.Staging]) -> None:
        """Pull, upload, and compare what the host's Compose makes of the release with what this machine's does."""
        begun = await self._announce("stage")
        self._trace.begin("stage")
        for step in todo:
            match step:
                case steps.PullImages():
                    await self._pull(step, uploads=any(isinstance(one, steps.StoreRelease) for one in todo))
                case steps.StoreRelease():
                    await self._store(step)
                case steps.RepairRecords():
                    await self._repair(step)
                case _:
                    assert_never(step)
        await self._ended("stage", begun)

    async def _pull(self, step: steps.PullImages, *, uploads: bool) -> None:
        what = drivers.Pull(self._own.release.id, step.images, self.order.logins,
                            kept=self.order.bundle is None, folder=self.seen.folder(self._own.release.id),
                            sent=self.order.sent, stopped=self.order.stop.wait, uploads=uploads)
        listen = self._trace.listens("pull")
        try:
            await self._ask("stage", self.driver.runtime.pull(self._held, what, listen))
        except Failure as failure:
            logins = self.order.more_logins() if failure.kind == "gone" else ()
            if not logins:
                raise
            again = replace(what, logins=logins)
            await self._ask("stage", self.driver.runtime.pull(self._held, again, listen))

    async def _store(self, step: steps.StoreRelease) -> None:
        release = self._own.release
        expected = self.order.expected.get(self.name, "")
        read_by = self.order.read_by if expected and normal.is_everywhere(expected) else ""
        what = drivers.Upload(release, self.order.bundle, step.objects, self.plan.generations,
                              self.plan.fresh_secrets, self.seen, read_by,
                              rolls=any(steps.part_of(one) == "roll" for one in self.plan.steps))
        form = await self._ask("stage", self.driver.store.upload(self._held, what))
        if form.known:
            self._trace.tell("compose", _NOT_ASKED[form.known])
        else:
            await asyncio.to_thread(self._compare, expected, form.text)
        self.phase = "staged"
        await self.record(events.BundleStored(self.deployment, self.name, "stage", release=release.id))

    async def _repair(self, step: steps.RepairRecords) -> None:
        made = [self._own.kept[id] for id in step.records]
        await self._ask("repair", self.driver.store.repair(self._held, made, self.seen))
        self.phase = "staged"

    @property
    def _repairs(self) -> steps.RepairRecords | None:
        """What is repaired here, if anything is."""
        return next((one for one in self.plan.steps if isinstance(one, steps.RepairRecords)), None)

    def _compare(self, expected: str, found: str) -> None:
        different = self._compared.difference(expected, found) if expected else ""
        if different:
            there, here = (self.order.composes.get(one, "") for one in (self.name, ""))
            raise Failure(self.name, "stage", f"Compose {there or '(unknown)'} on the host reads {different} otherwise "
                          f"than {here or 'the one'} here: install the same version on both, or write it otherwise")

    async def _hook(self, todo: Sequence[steps.RunHook]) -> None:
        for step in todo:
            await self._run_hook(step)

    async def _run_hook(self, step: steps.RunHook) -> None:
        """Run a hook once; an exit status other than 0 is a Failure."""
        begun = await self._announce("hook")
        made, versions = self._own.release, self.plan.generations
        what = drivers.Hook(made, versions, self.seen, step)
        self._trace.begin("hook", self._unknown(made, versions))
        listen = self._trace.listens("hook")
        end = await self._ask("hook", self.driver.runtime.run_hook(self._held, what, listen))
        status = end.status
        how = f"time is up ({step.timeout:g} s)" if end.late else f"exit code {status}"
        why = f"hook {step.hook} ({step.service}): {how}"
        lines, evidence = self._kept(step.service, end.lines, made, versions) if status else ((), "")
        await self.record(events.HookEnded(
            self.deployment, self.name, "hook", hook=step.hook, status=status, evidence=evidence))
        await self._ended("hook", begun, why if status else "")
        if status:
            raise Failure(self.name, "hook", why, lines)

    async def _roll(self, todo: Sequence[steps.Rolling]) -> None:
        """Bring the host's services to the release, and wait until they are good."""
        back = self._own.begun.verb in ("rollback", "start")  # whose last containers may be gone
        await self._bring_up("roll", self._own.release, self.plan.generations, todo, self.plan.placed, restores=back)
        started = [step for step in todo if isinstance(step, steps.StartServices)]
        self.fresh |= {name for step in started for name in step.services}
        self.phase = "rolled"

    async def _bring_up(
        self, verb: str, made: releases.Release, versions: Mapping[str, int], todo: Sequence[steps.Rolling],
        numbers: assignment.Placed, *, restores: bool, whole: bool = False,
    ) -> None:
        changing = [step for step in todo if not isinstance(step, steps.VerifyServices)]
        judged = [step for step in todo if isinstance(step, steps.VerifyServices)]
        started = tuple(name for step in changing if isinstance(step, steps.StartServices) for name in step.services)
        names = [name for step in judged for name in step.services]
        placed = {name: numbers.get(name, made.services[name].replicas) for name in names}
        patience = max((made.wait(one) + made.bake(one) for one in placed), default=60.0)
        spares = [name for name, ends in made.endings.items() if ends != "never" and name not in started]
        what = drivers.Roll(
            made, versions, self.seen, changing, int(patience) + 30, verb=verb, restores=restores,
            whole=whole, spares=spares, starts=started,
        )

        def tell(text: str) -> None:
            self.order.show(events.ServiceAwaited(self.deployment, self.name, verb, text))

        begun = await self._announce(verb)
        self._trace.begin(verb, self._unknown(made, versions))
        self.touched, self.phase = True, "rolling" if verb == "roll" else "undoing"
        awaited = watch.awaited(made, started, drivers.UP_TIMEOUT)
        if awaited:
            tell(awaited)
        stops = (lambda: self.order.stop.is_set()) if verb == "roll" else (lambda: False)
        fresh = self.fresh.union(started) if verb == "roll" else started  # also what whoever began it here has started
        follows = watch.Watch(made, placed, fresh, versions, stops, tell)
        recognising = Recognising(follows, self._adopted(verb), self._trace)
        listen = self._trace.listens("compose")
        asked = self._ask(verb, self.driver.runtime.roll(self._held, what, recognising, tell, listen))
        await self._watched(asked, follows)
        await self._judged(verb, follows, begun, made, versions)
        self.good = recognising.last

    def _adopted(self, verb: str) -> Mapping[str, state.Adopted]:
        before = self._before()
        return before.adopted if before is not None else {}

    async def _watched(self, asked: Coroutine[Any, Any, None], follows: watch.Watch) -> None:
        """Until the command ends; one whose engine falls silent for longer than its services may take is given up."""
        task = asyncio.create_task(asked)
        try:
            while not (await asyncio.wait({task}, timeout=watch.SILENCE / 6))[0]:
                if follows.is_stalled():
                    return
            await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    async def _judged(
        self, verb: str, follows: watch.Watch, begun: float, made: releases.Release, versions: Mapping[str, int]
    ) -> None:
        for one in follows.verdicts:
            if one.word == "good":
                await self.record(events.ServiceHealthy(self.deployment, self.name, verb, one.service, one.state))
        if not follows.why:
            await self._ended(verb, begun)
            return
        why = "interrupted" if follows.stopped else self._shown(follows.why)
        failed = () if follows.stopped else follows.failed
        log = await self._record_failed(verb, dict.fromkeys(failed, why), made, versions)
        await self._ended(verb, begun, why)
        raise Failure(self.name, verb, why, log)

    async def _record_failed(
        self, step: str, failed: Mapping[str, str], made: releases.Release, versions: Mapping[str, int]
    ) -> tuple[str, ...]:
        """Note each service that failed, and why, with the hash of its last lines, which are kept; the lines of all."""
        self._told |= failed.keys()
        said = await self._last_lines(tuple(failed))
        shown: list[str] = []
        for service, why in failed.items():
            lines, evidence = self._kept(service, said.get(service, ""), made, versions)
            shown += lines
            await self.record(events.ServiceUnhealthy(
                self.deployment, self.name, step, service, why, evidence=evidence))
        return tuple(shown)

    async def _last_lines(self, services: Sequence[str]) -> Mapping[str, str]:
        """What services have said last, as they said it; nothing where the host does not answer."""
        if not services:
            return {}
        try:
            return await self.driver.runtime.last_lines(self.order.plan.app, services)
        except errors.TransportError:
            return {}

    def _kept(
        self, service: str, log: str, made: releases.Release, versions: Mapping[str, int]
    ) -> tuple[tuple[str, ...], str]:
        """The last lines of a service as they are shown, and the hash by which they are kept.

        None where they may hold secrets that are not known here.
        """
        if service in self._unknown(made, versions):
            return (f"{service} has secrets that are not known here, so its last lines are not shown: "
                    f"lading logs {self.order.plan.app}",), ""
        lines = tuple(_bounded(line) for line in self._shown(log).splitlines()[-LAST_LINES:])
        evidence = base.Evidence("".join(f"{line}\n" for line in lines))
        if evidence.id:
            self.order.keep(evidence)
        return lines, evidence.id

    def _unknown(self, made: releases.Release, versions: Mapping[str, int]) -> frozenset[str]:
        """The services of which nothing is shown that they print: they have, or had here, secrets that nobody knows."""
        found = self._shown.unknown(made, versions, self.plan.generations)
        if self.order.bundle is not None:
            return found
        kept = [self._own.release, *self._own.kept.values()]
        return found | {name for one in kept for name, spec in one.services.items() if spec.secrets}

    async def _tidy(self, todo: Sequence[steps.Tidying]) -> None:
        """Remove what the release no longer has, after everything else is verified."""
        before = self._before()
        old = self._own.kept.get(before.release) if before is not None else None
        await self._remove(todo, old, before.generations if before is not None else {})

    async def _remove(
        self, gone: Sequence[steps.Tidying], running: releases.Release | None, versions: Mapping[str, int],
    ) -> None:
        begun = await self._announce("tidy")
        what = drivers.Removal(gone, running, versions, self.seen)
        await self._ask("tidy", self.driver.runtime.remove(self._held, what))
        removed = {one for step in gone if isinstance(step, steps.RemoveService) for one in step.containers}
        if self.good is not None:
            self.good = [one for one in self.good if one.id not in removed]
        await self._ended("tidy", begun)

    async def _prepare(self) -> None:
        """Look once more: what was judged good still is; then only all hosts together go forward or back.

        What starts again with an engine has SETTLING seconds.
        """
        begun = await self._announce("prepare")
        until = time.monotonic() + SETTLING
        while True:
            found = await self._ask("prepare", self.driver.store.prepare(self._held, self.good))
            if found is None:
                break
            problems = self._problems(found)
            if any(one.word == "failed" for one in problems) or time.monotonic() > until:
                failed = {one.service: f"does not run any more as it was judged: {one.why}" for one in problems}
                why = "; ".join(f"{service} {what}" for service, what in failed.items())
                why = why or "its containers change while they are judged"
                log = await self._record_failed("prepare", failed, self._own.release, self.plan.generations)
                await self._ended("prepare", begun, why)
                raise Failure(self.name, "prepare", why, log)
            self.good = None if problems else found
            if problems:
                await asyncio.sleep(1)
        self.phase = "prepared"
        await self._ended("prepare", begun)

    def _problems(self, containers: drivers.Containers) -> list[verdict.Problem]:
        """What speaks against the release, by the one judge."""
        made = self._own.release
        known = state.recognised(containers, self.plan.adopted)
        foreign = {one.service for one in known if one.adopted}  # they stay what they were
        placed = {name: count for name, count in self.plan.placed.items() if name not in foreign}
        return verdict.still_good(made, placed, self.plan.generations, known, fresh=self.fresh, left=self._own.left)

    async def _commit(self) -> None:
        release, begun = self._own.release, self._own.begun
        if release.id != begun.to:
            raise Failure(self.name, "commit", f"release {canonical.short(begun.to)} is not kept on the host")
        record = journal.Reached(self.deployment, phase="committed", to=release.id, version=release.version,
                                 ledger=self.ledger_head, without=self.order.without)
        since = attribution.began_at(self.deployment) or self.order.since
        mine = state.Changed(self.deployment, begun.actor, since, release.id)
        current = state.Current(
            self.order.plan.app, release.id, release.version, self.deployment, begun.actor, since,
            begun.source, begun.destination, dict(self.plan.generations), self.plan.adopted,
            self._changed(mine), begun.by_hand,
        )
        deployed = self._deployed(release.id, back=begun.verb == "rollback")
        what = drivers.Commit(record, release, current, deployed, self.seen, self.plan.generations)
        await self._ask("commit", self.driver.store.commit(self._held, what))
        self.phase = "committed"
        await self.record(events.HostCommitted(
            self.deployment, self.name, "commit", release=release.id,
            line=journal.hash_of_line(record.as_json()), current=state.hash_of_current(current)))

    def _deployed(self, release: str, *, back: bool) -> state.Deployed:
        """What lies with the release: of one that is only found again, what lay there of the way to it."""
        noted = self.seen.deployed.get(release) if self._repairs is not None else None
        if noted is not None:
            return replace(noted, deployment=self.deployment, generations=dict(self.plan.generations))
        return self.seen.becoming(release, self.deployment, self.plan.generations, back=back)

    def _changed(self, mine: state.Changed) -> dict[str, state.Changed]:
        """Who changed what. A repair changes no container: those of which nothing tells are of what it finds deployed."""
        known = attribution.after(self.seen, mine, self.fresh)
        found = self._repairs
        if found is None:
            return known
        since = attribution.began_at(found.deployment)
        before = state.Changed(found.deployment, found.actor, since, found.release)
        others = {one.id[:state.BRIEF] for one in self.seen.containers if not one.one_off}
        return {**dict.fromkeys(sorted(others), before), **known}

    async def _finish(self) -> None:
        """Start what has died since once more, note how it ended, prune, free the lease."""
        pruned = self._pruned()
        result, good = await self._settled(pruned)
        if result != "ended":
            await self._ask("finish", self.driver.store.finish(self._held, result, good, pruned))
        self.hold, self.phase = None, "ended"
        self.end("unwell" if result == "unwell" else "succeeded", self._own.release.id,
                 "" if result != "unwell" else "not all of its services are well: lading logs " + self.order.plan.app)

    async def _settled(self, pruned: drivers.Pruned) -> tuple[Any, drivers.Containers | None]:
        """How the services are at the end: "ended" where the host has written that they are well."""
        until = time.monotonic() + SETTLING
        started = False
        while True:
            expected = self.good if self.good is not None else ()
            found = await self._ask("finish", self.driver.store.finish(self._held, "well", expected, pruned))
            if found is None:
                return "ended", None
            problems = self._problems(found)
            if not problems and time.monotonic() <= until:
                self.good = found
                continue
            dead = [one.container for one in problems if one.state in ("exited", "starting") and one.container]
            if dead and not started:
                started = True
                await self._ask("finish", self.driver.runtime.start(self._held, dead))
            elif time.monotonic() > until or all(one.word == "failed" for one in problems):
                why = {one.service: one.why for one in problems}
                await self._record_failed("finish", why, self._own.release, self.plan.generations)
                return "unwell", None
            await asyncio.sleep(1)

    def _pruned(self) -> drivers.Pruned:
        if self._own.begun.verb == "repair":  # what has only been found again is not gone through
            return drivers.Pruned((), (), (), self.seen, self._own.release)
        dropped, objects, secrets = planner.prunable(self.seen, self._own.release, self.plan.generations)
        return drivers.Pruned(dropped, objects, secrets, self.seen, self._own.release)

    async def _remove_app(self, todo: Sequence[steps.RemoveApp]) -> None:
        """Take the app away; this is the end of its deployment here."""
        begun = await self._announce("remove")
        before = self._before()
        for step in todo:
            what = drivers.Departure(step, self._own.release, before.generations if before else {}, self.seen)
            await self._ask("remove", self.driver.runtime.remove_app(self._held, what))
        self.hold, self.phase = None, "ended"
        await self._ended("remove", begun)
        self.end("succeeded", "")

    # The way back

    async def undo(self, why: str) -> None:
        """Bring the host back to its previous release, or to nothing if there was none; verified, lease freed."""
        removes = self.own is not None and self.own.begun.verb == "remove"  # which is no phase of its own
        if self.phase in ("begun", "staged") and not removes:
            await self._close("untouched", "")
            return
        try:
            await self._note_left()
            await self._back()
        except (Failure, errors.LadingError) as failed:
            what = failed.why if isinstance(failed, Failure) else failed.message
            told = not (self.lost or self.overtaken)
            await self.leave()  # nobody works there now: the next deployment may take it up at once
            self.end("failed" if told else "unknown", "", f"{why}; undo: {what}")
            return
        before = self._before()
        now = before.release if before else ""
        await self.record(events.HostUndone(self.deployment, self.name, "undo", release=now))
        self.end("rolled_back", now, why)

    async def close(self) -> None:
        """Nothing was done here: the deployment ends as if it had not begun."""
        await self._close("untouched", "")

    async def _close(self, result: events.HostResult, error: str) -> None:
        before = self._before()
        now = before.release if before else ""
        if self.hold is not None:
            record = journal.Reached(self.deployment, phase="undone", to=now, without=self.order.without)
            try:
                await self._ask("release-lease", self.driver.store.close(self._held, record))
            except Failure as failure:
                self.end("unknown" if self.lost else "failed", "", failure.why)
                return
            self.hold, self.phase = None, "undone"
        self.end(result, now, error)

    async def _note_left(self) -> None:
        """Of what another process has left failed here, keep the last lines before its containers go."""
        if self.order.replan is None or self._own.begun.keeps_containers:
            return
        known = self._problems(self.seen.containers)
        others = {one.container for one in known if one.kind in verdict.IDENTITY}  # they are of the release before
        failed = {one.service: f"found so by who took it back: {one.why}" for one in known
                  if (one.kind, one.word) == ("state", "failed") and one.container not in others and one.service not in self._told}
        await self._record_failed("undo", failed, self._own.release, self.plan.generations)

    async def _back(self) -> None:
        begun, hold = self._own.begun, self._held
        if begun.keeps_containers:  # adopt, remove --keep-running: what runs was and stays as it is
            pass
        elif begun.before is None:
            step = steps.RemoveApp()
            what = drivers.Departure(step, self._own.release, self.plan.generations, self.seen, undo=True)
            await self._announce("undo")
            await self._ask("undo", self.driver.runtime.remove_app(hold, what))
            self.touched, self.phase = True, "undoing"
        else:
            await self._restore(begun.before)
        now = begun.before.release if begun.before else ""
        record = journal.Reached(self.deployment, phase="undone", to=now, without=self.order.without)
        close = self.driver.store.close(self._held, record, untouched=begun.keeps_containers)
        await self._ask("undo", close)
        self.hold, self.phase = None, "undone"

    async def _restore(self, before: state.Current) -> None:
        """Everything of the previous release that does not run as it did is made anew, by what is seen now."""
        old = self._own.kept.get(before.release)
        if old is None:
            raise Failure(self.name, "undo", f"release {canonical.short(before.release)} is not kept on the host")
        host = await self._reach()
        app = host.apps.get(old.app, state.AppState(old.app))
        placed = assignment.declared(old, before.by_hand)
        plan = planner.plan_host(self.name, old, dict(before.generations), (), app, self._own.release,
                                 host.attached(old.app), placed=placed)
        plan, whole = planner.way_back(plan, old, self._own.begun.finished)
        rolling = [step for step in plan.steps if isinstance(step, steps.Rolling)]
        self.seen = app
        await self._bring_up("undo", old, before.generations, rolling, placed, restores=True, whole=whole)
        gone = [step for step in plan.steps if isinstance(step, steps.RemoveService)]
        if gone:
            await self._ask("undo", self.driver.runtime.remove(
                self._held, drivers.Removal(gone, None, {}, app, undo=True)))

    async def _reach(self) -> state.HostState:
        """Look again; an engine that does not answer is waited for."""
        until = time.monotonic() + RECONNECT
        while True:
            seen = await self.driver.runtime.look(self.order.plan.app)
            if not seen.unanswered:
                return seen
            if time.monotonic() > until:
                self.lost = seen.error or self.lost
                raise Failure(self.name, "undo", seen.unanswered)
            await asyncio.sleep(0.5)


def _bounded(line: str) -> str:
    return line if len(line) <= LAST_LINE else line[:LAST_LINE] + "…"


class Recognising:
    """Shows a watch a host's containers, those that were adopted as what they count as; keeps the last ones."""

    def __init__(self, follows: watch.Watch, adopted: Mapping[str, state.Adopted], trace: HostTrace) -> None:
        self.follows, self.adopted, self._trace = follows, adopted, trace
        self.last: drivers.Containers | None = None

    def started(self, status: int, output: str) -> None:
        """See `drivers.Watcher`."""
        self.follows.started(status, output)

    def snapshot(self, containers: drivers.Containers) -> bool:
        """See `drivers.Watcher`."""
        self.last = containers
        enough = self.follows.snapshot(state.recognised(containers, self.adopted))
        self._trace.health(self.follows.verdicts, containers)
        return enough

    def unreadable(self, why: str) -> bool:
        """See `drivers.Watcher`."""
        self.last = None
        return self.follows.unreadable(why)
