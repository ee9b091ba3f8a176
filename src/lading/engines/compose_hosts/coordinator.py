"""All hosts of one deployment: phases and batches, the decision to commit, and the one way back for every failure.

The rules are those of docs/protocol.md; their numbers stand beside what follows them.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Iterable, Sequence

from lading import errors, events
from lading.drivers import base as drivers
from lading.drivers import refusals
from lading.engines import base, comparison, decision
from lading.engines.compose_hosts.failure import Failure
from lading.engines.compose_hosts.host_run import HostRun
from lading.engines.compose_hosts.host_trace import HostTrace, Shown
from lading.plan import phases, steps
from lading.rollout import rolling
from lading.state import journal

PATIENCE = (5.0, 10.0, 15.0)  # seconds that hosts which do not answer are tried, at each of the first tries to settle
RENEW = 10.0  # seconds after which the lease of a host that nothing was asked of is renewed
AGAIN = 0.5  # seconds between two tries to reach a host


class ComposeHosts:
    """The engine for hosts that run plain `docker compose`; *connect* leads to a host."""

    def __init__(self, connect: drivers.Connect) -> None:
        self.connect = connect

    async def apply(self, order: base.DeploymentOrder, record: events.Record) -> base.Report:
        """See `base.Engine.apply`."""
        return await Coordinator(self.connect, order, record).apply()

    async def settle(self, order: base.DeploymentOrder, record: events.Record, way: base.Way) -> base.Report:
        """See `base.Engine.settle`."""
        return await Coordinator(self.connect, order, record).settle(way)

    async def remove(self, order: base.DeploymentOrder, record: events.Record) -> base.Report:
        """See `base.Engine.remove`."""
        return await Coordinator(self.connect, order, record).remove()


class Coordinator:
    """One order, carried out on all its hosts."""

    def __init__(self, connect: drivers.Connect, order: base.DeploymentOrder, record: events.Record) -> None:
        self.order, self.record = order, record
        compared, shown = comparison.Forms(), Shown(order)
        self.runs = {
            name: HostRun(
                name, order, connect(order.hosts[name]), record, compared, shown, HostTrace(name, order.trace, shown))
            for name in order.hosts
        }
        self.silent = dict(order.unreachable)
        self.decided = order.committed
        self.failure: Failure | None = None
        self.overtaken = ""  # by whom, once a host has told it
        self.settled = False

    # The three things that an engine does

    async def apply(self) -> base.Report:
        """All hosts or none."""
        if not self.runs:
            return self._report()
        async with self._renewing():
            await self._begin()
            await self._go_through(self.order.plan.phases)
            await self._leave_what_is_open()
        return self._report()

    async def settle(self, way: base.Way) -> base.Report:
        """End what another process has left open."""
        async with self._renewing():
            first = [run for run in self.runs.values() if run.is_open_there]
            await self._take(first, PATIENCE[0])
            await self._refuse_if_held()
            await self._take([run for run in self.runs.values() if run not in first], PATIENCE[0])
            await self._refuse_if_held()
            await self._decide(stop=way == "undo", way=way)
            if not self.settled:
                await self._recover(self.failure or Failure("", "resume", "a host did not answer"))
        return self._report()

    async def remove(self) -> base.Report:
        """Each host for itself; one that fails is named, the others go on."""
        async with self._renewing():
            await self._begin()
            await asyncio.gather(*(self._remove(run) for run in self.runs.values()))
        return self._report()

    async def _remove(self, run: HostRun) -> None:
        try:
            await run.carry_out(self.order.plan.steps_of(run.name))
        except Failure as failure:
            self.failure = self.failure or failure
            lost = bool(run.lost)
            await run.leave()
            run.end("unknown" if lost else "failed", "", failure.why)

    # Forward

    async def _begin(self) -> None:
        """Take the lease of every host; if one refuses, the deployment has begun nowhere."""
        try:
            await self._all(run.begin() for run in self.runs.values())
        except BaseException:
            await self._call_off()
            raise

    async def _call_off(self) -> None:
        """Nothing was done: end it where it has begun, also where only the answer was lost."""
        lost = [run for run in self.runs.values() if run.lost]
        if lost:
            await self._take(lost, PATIENCE[0])
        await asyncio.gather(*(run.close() for run in self.runs.values() if run.hold is not None))

    async def _go_through(self, todo: Sequence[steps.Phase]) -> None:
        """One phase after the other; what fails, or is lost, or is stopped, is settled in one way (rule 15)."""
        try:
            for phase in todo:
                await self._take_phase(phase)
        except Failure as failure:
            self.failure = failure
            await self._recover(failure)

    async def _take_phase(self, phase: steps.Phase) -> None:
        """Batch by batch; between batches it pauses, which the first Ctrl-C ends at once."""
        for number, batch in enumerate(phase.batches):
            part = steps.part_of(next(iter(batch.values()))[0])
            if number and phase.delay:
                await self._pause(phase.delay)
            if part == "commit":
                self._check_prepared()
                await self._decide_to_commit()
            elif part != "finish":
                self._check_stop(part)
            await self._all(self.runs[name].carry_out(todo) for name, todo in batch.items())
            if part == "commit" and self.order.stop.is_set():
                self.order.show(events.ServiceAwaited(
                    self.order.deployment, "", part, "was decided before the stop: it is too late, and goes on to its end"))

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self.order.stop.wait(), seconds)
        except TimeoutError:
            return

    def _check_stop(self, step: str) -> None:
        if self.order.stop.is_set():
            raise Failure("", step, "interrupted", kind="stopped")

    def _check_prepared(self) -> None:
        """A commit is decided only with all participants prepared; a stop still counts (rule 13).

        Raises:
            Failure: somebody is not prepared, or it was stopped.
        """
        late = [run.name for run in self.runs.values() if run.phase != "prepared"]
        if late:
            raise Failure(late[0], "commit", "it is not prepared")
        self._check_stop("commit")

    async def _decide_to_commit(self) -> None:
        """The decision, in the ledger before the first host is told (rule 13).

        Raises:
            Failure: the ledger could not store it, and no host is told.
        """
        if self.decided:
            return
        try:
            head = await self.order.decide()
        except errors.LedgerError as failed:
            raise Failure("", "commit", f"the ledger could not store the decision to commit: {failed.message}",
                          kind="ledger") from failed
        self.decided = True
        for run in self.runs.values():
            run.ledger_head = head

    async def _all(self, work: Iterable[Awaitable[None]]) -> None:
        """Do it on all hosts at once; wait for all; raise the first failure, a refusal before anything else."""
        ended = await asyncio.gather(*work, return_exceptions=True)
        wrong = [one for one in ended if isinstance(one, BaseException)]
        for one in sorted(wrong, key=lambda failure: not isinstance(failure, errors.RefusedError)):
            raise one

    # Ending what did not go through

    async def _recover(self, failure: Failure) -> None:
        """Take every lease anew, ask again, decide by the table; as often as the time allows, for a link may flap (rule 15)."""
        if failure.kind == "ledger":
            await self._leave_all("in doubt: " + failure.why)
            return
        until = asyncio.get_running_loop().time() + sum(PATIENCE)
        for number in itertools.count(1):
            await self._take(self._unsettled(), PATIENCE[min(number, len(PATIENCE)) - 1])
            if any(run.overtaken for run in self.runs.values()):
                await self._leave_all(failure.why)
                return
            last = number >= len(PATIENCE) and asyncio.get_running_loop().time() > until
            await self._decide(stop=True, way="", last=last)
            if self.settled or last:
                return
            await asyncio.sleep(AGAIN)

    def _unsettled(self) -> list[HostRun]:
        return [run for run in self.runs.values() if run.outcome is None or run.outcome.result == "unknown"]

    async def _take(self, runs: Sequence[HostRun], patience: float) -> None:
        """Take leases anew; hosts that do not answer are tried for *patience* seconds."""
        self.overtaken = next((run.overtaken for run in self.runs.values() if run.overtaken), self.overtaken)
        record = journal.Taken(self.order.deployment, actor=self.order.holder, reason=self.order.reason,
                               url=self.order.url, process=self.order.process)
        until = asyncio.get_running_loop().time() + patience
        left = list(runs)
        while left:
            await asyncio.gather(*(run.take(record) for run in left))
            left = [run for run in left if run.lost]
            if asyncio.get_running_loop().time() > until:
                return
            if left:
                await asyncio.sleep(AGAIN)

    async def _refuse_if_held(self) -> None:
        """Somebody lives who works on it: all is left as it is.

        Raises:
            LeaseHeldError: so it is.
        """
        held = [run for run in self.runs.values() if run.overtaken]
        if not held:
            return
        await asyncio.gather(*(run.leave() for run in self.runs.values()))
        raise errors.LeaseHeldError(
            f"{self.order.plan.app} on {held[0].name} is held by {held[0].overtaken}",
            refusals.WAYS, host=held[0].name, step="lease")

    async def _decide(self, *, stop: bool, way: base.Way, last: bool = True) -> None:
        """Confirm all leases, then go by the table (rules 11 and 12); *last*: who is silent now is not waited for."""
        if not await self._confirm():
            return
        if self._removes():
            await self._undo()
            return
        known = self._phases()
        word = decision.decide(known, committed=self.decided, stop=stop)
        silent = {name for name, phase in known.items() if phase == "silent"}
        if word == "in doubt" and way and silent <= set(self.order.without):
            word = "forward" if way == "continue" else "undo"
        if word == "continue" and not self._hook_is_settled():
            word = "undo"
        match word:
            case "forward":
                await self._forward(last)
            case "continue":
                await self._continue()
            case "undo":
                await self._undo()
            case "in doubt" if not last:
                return
            case "in doubt" | "contradiction":
                await self._name(word)

    def _phases(self) -> dict[str, decision.Word]:
        """Every participant with its phase; not those without which it was forced before, for that counts (rule 17)."""
        found: dict[str, decision.Word] = {name: run.phase for name, run in self.runs.items()}
        found |= dict.fromkeys(self.silent, "silent")
        given_up = self._given_up()
        return {name: word for name, word in found.items() if name not in given_up}

    def _removes(self) -> bool:
        """Whether it is a removal by all records: there each host is for itself, and what has not ended is taken back."""
        verbs = {run.own.begun.verb for run in self.runs.values() if run.own is not None}
        return verbs == {"remove"}

    def _hook_is_settled(self) -> bool:
        """Whether the deployment may go on: a hook runs once, before the roll, so one that was interrupted ends it."""
        runs = self.runs.values()
        return not any(run.wants_hook for run in runs) or any(run.hook_is_done for run in runs)

    def _given_up(self) -> frozenset[str]:
        """The hosts without which it was forced to an end.

        All others must say so, for one alone decides nothing about another.
        """
        answering = {name: run for name, run in self.runs.items() if not run.lost}
        told = {name: frozenset(run.forced_without()) for name, run in answering.items()}
        named = frozenset[str]().union(*told.values())
        others = set(told) - named
        agreed = bool(others) and all(told[name] == named for name in others)
        return named if agreed else frozenset()

    async def _confirm(self) -> bool:
        """Whether all leases were ours at one moment; what the phases say counts only then."""
        held = [run for run in self.runs.values() if run.hold is not None]
        ended = await asyncio.gather(*(run.confirm() for run in held), return_exceptions=True)
        for run, one in zip(held, ended, strict=True):
            if isinstance(one, Failure):
                run.phase = "silent" if run.lost else run.phase
            elif isinstance(one, BaseException):
                raise one
        if any(run.overtaken for run in held):
            await self._leave_all("another deployment has taken the app over")
            return False
        return not any(run.lost for run in held)

    async def _forward(self, last: bool) -> None:
        """Commit and finish on all that answer; *last*: who is silent now stays unknown."""
        held = [run for run in self.runs.values() if run.hold is not None]
        todo = [run for run in held if run.phase in ("prepared", "committed")]
        await asyncio.gather(*(run.undo("it was committed without this host") for run in held if run not in todo))
        try:
            if any(run.phase == "prepared" for run in todo):
                await self._decide_to_commit()
            await self._all(self._commit_and_finish(run) for run in todo)
        except Failure as failure:
            self.failure = self.failure or failure
            return
        self._note_ended()
        self._note_silent()
        self.settled = last or not self._unsettled()

    async def _commit_and_finish(self, run: HostRun) -> None:
        """One host to its end, whatever the others say: it is decided."""
        end: list[steps.Step] = [steps.FinishRelease(run.own_release)]
        if run.phase == "prepared":
            end.insert(0, steps.CommitRelease(run.own_release))
        await run.carry_out(end)

    async def _continue(self) -> None:
        """Go on where each host is: what has rolled is not rolled again, the next step judges it (rule 14)."""
        assert self.order.replan is not None
        plans: dict[str, steps.HostPlan] = {}
        for run in self.runs.values():
            run.plan = self.order.replan(run.name, run.host, run.phase)  # type: ignore[arg-type]
            plans[run.name] = run.plan
        batches = [[name for name in batch if name in plans] for batch in self.order.plan.batches]
        self.settled = True
        await self._go_through(phases.phases(plans, batches, self.order.plan.delay))

    async def _undo(self) -> None:
        """Newest first: the last batch that was rolled goes back before the one before it."""
        held = [run.name for run in self.runs.values() if run.hold is not None]
        batches = rolling.undo_order(held, self.order.plan.batches)
        others = [name for name in held if not any(name in batch for batch in batches)]
        why = self.failure.why if self.failure is not None else "resumed and undone"
        for batch in (*batches, tuple(others)):
            await asyncio.gather(*(self.runs[name].undo(why) for name in batch))
        self._note_ended()
        self._note_silent()
        self.settled = not self._unsettled()

    async def _name(self, word: str) -> None:
        """Nobody can decide: leave all, and say which host says what."""
        told = ", ".join(f"{name}: {phase}" for name, phase in self._phases().items())
        self.failure = self.failure or Failure("", "resume", f"{word}: {told}", kind=word)
        await self._leave_all(f"{word}: {told}")

    async def _leave_all(self, why: str) -> None:
        await asyncio.gather(*(run.leave() for run in self.runs.values()))
        for run in self.runs.values():
            if run.outcome is None:
                run.end("unknown", "", run.lost or why)
        self._note_silent()
        self.settled = True

    async def _leave_what_is_open(self) -> None:
        """A plan that does not end its deployment leaves it open, and says so."""
        open_runs = [run for run in self.runs.values() if run.hold is not None]
        await asyncio.gather(*(run.leave() for run in open_runs))
        for run in open_runs:
            run.end("unknown", "", "the plan does not end here: lading resume " + self.order.plan.app)

    def _note_ended(self) -> None:
        """Hosts on which it had ended before."""
        for run in self._unsettled():
            if run.hold is None and run.phase in ("ended", "undone", "none"):
                run.note_ended()

    def _note_silent(self) -> None:
        for run in self.runs.values():
            if run.outcome is None and run.lost:
                run.end("unknown", "", run.lost)

    # Leases

    def _renewing(self) -> "Renewing":
        return Renewing(self.runs.values())

    def _report(self) -> base.Report:
        found: dict[str, events.HostOutcome] = {}
        for name, plan in self.order.plan.hosts.items():
            now = plan.previous.release if plan.previous else ""
            found[name] = events.HostOutcome("unchanged", now, now)
        for name, run in self.runs.items():
            if run.outcome is None:
                run.end("unknown" if run.lost else "untouched", "", run.lost)
            assert run.outcome is not None
            found[name] = run.outcome
        for name, why in self.silent.items():
            found[name] = events.HostOutcome("unknown", error=why)
        failure, outcome = self.failure, events.Outcome(found)
        if failure is None or (outcome.is_good and not self.overtaken):
            return base.Report(outcome)  # what failed for a while was mended
        return base.Report(outcome, failure.host, failure.step, failure.why, failure.log, self.overtaken)


class Renewing:
    """Renews the leases of hosts of which nothing is asked for a while, as long as it is entered."""

    def __init__(self, runs: Iterable[HostRun]) -> None:
        self._runs = tuple(runs)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._renew())

    async def __aexit__(self, *raised: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW / 4)
            await asyncio.gather(*(run.renew(RENEW) for run in self._runs), return_exceptions=True)
