"""lading's own files on a host, over its shell: the lease, the journal, releases, secrets."""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from lading import errors, shape, state
from lading.compose.release import Release
from lading.drivers import base
from lading.drivers.engine_api import engine, looking, pulling, requests
from lading.drivers.shell import bound, guarded, holding, lock, observation, observe, releases, scripts
from lading.state import journal
from lading.transport import command

WAITING = 1200  # seconds that a holder, or its last command, is waited for
LENGTH = 30  # seconds that a lease lasts
DONE = b"+"  # what an upload's script waits for while images are tagged
LATE = 2  # seconds: a host looks once in each, and counts whole ones


class ShellStore:
    """See `drivers.base.HostStore`."""

    def __init__(self, host: bound.Bound) -> None:
        self._host = host

    async def acquire(self, claim: base.Claim, tell: Callable[[str], None] = lambda _: None) -> base.Acquired:
        """Take the lease and its fence, write the record, and look; *tell* hears who or what is waited for."""
        apart = await self._apart()
        what = observation.lease(
            observe.marker(), claim, self._host.state_dir, WAITING + 12 * claim.grace, apart,
            self._mark(claim.app))

        def heard(name: str, content: bytes) -> bool:
            if name == "awaited":
                tell(_awaited(content.decode("utf-8", "replace")))
            return False

        answer = await self._host.send(what, heard)
        fence, phase = shape.whole(answer.text("fence")), answer.text("phase")
        if fence < 0 or phase not in (*journal.PHASES, "none"):
            raise base.Refused("broken", "it does not say what it did with the lease")
        seen = await self._seen(claim, answer, is_apart=apart is not None)
        if not seen.reachable:
            raise errors.ForeignError(seen.error, seen.error_hint, host=seen.host, step="lease")
        self._host.folder = seen.facts.state_dir
        return base.Acquired(_held(claim, fence), None if phase == "none" else cast(journal.Phase, phase), seen)

    async def _apart(self) -> observation.Apart | None:
        """What is known of an engine that is asked itself; None where a script asks it."""
        dockerd = self._host.engine
        if dockerd is None:
            return None
        try:
            await looking.own_info(dockerd)
        except (engine.UnavailableError, ValueError, errors.TransportError):
            return None
        return observe.apart(dockerd)

    def _mark(self, app: str) -> str:
        """Where the engine remembered that lading keeps an app, as it was asked before the lease."""
        dockerd = self._host.engine
        if dockerd is None or dockerd.marks is None:
            return ""
        return dockerd.marks.get(app, "-")

    async def _seen(
        self, claim: base.Claim, answer: command.Result, *, is_apart: bool
    ) -> state.HostState:
        """What there is under the lease.

        *is_apart*: the script has left out what the engine is then asked for itself.
        """
        if not is_apart:
            return observe.answered(self._host.host.name, answer)
        dockerd = self._host.engine
        if dockerd is not None:
            try:
                wanted = looking.Wanted(claim.app, facts=True, images=claim.images)
                told = await looking.look(dockerd, wanted)
                whole = await observe.joined(answer, dockerd, told)
                seen = observe.answered(self._host.host.name, whole)
                self._host.marks, self._host.present = told.marks, told.present
                return observe.noted(seen, dockerd, told)
            except (engine.UnavailableError, ValueError, errors.TransportError):
                pass  # a script asks it, and says why it does not answer
        look = claim.look
        await self._host.until_ended()
        question = observe.Question(
            self._host.state_dir, claim.app, look.nonce, look.binds, sources=look.sources,
            since=[(claim.app, claim.record.deployment)])
        return await observe.by_script(self._host.transport, self._host.host, question)

    async def confirm(self, hold: base.Hold) -> journal.Phase:
        """Whether the lease is still held, and in which phase the deployment is; the lease is renewed."""
        answer = await self._host.send(self._host.guarded("confirm", "confirm", hold, {}, timeout=30))
        phase = answer.text("phase")
        if phase not in guarded.OPEN:
            raise base.Refused("broken", f"it is in no phase that is open: {phase}")
        return cast(journal.Phase, phase)

    async def upload(self, hold: base.Hold, what: base.Upload) -> base.HostForm:
        """Store a release, and what the host's own Compose makes of it."""
        folder = what.app.folder(what.release.id)
        tar, known = releases.uploaded(what), releases.known_form(what)
        values: guarded.Values = {
            **releases.call(what.release, what.secret_versions, what.app).values(),
            "RELEASE": folder,
            "SIZE": len(tar),
            "READ_BY": known.read_by,
            "SUM_SIZE": len(known.sum),
            "SECRETS": scripts.lines(known.secrets),
            "STAGED": guarded.line(journal.Reached(hold.deployment, phase="staged")),
            "HOLDS": int(self._host.tagging is not None),
        }
        # The sum is of secrets, too, and on one that is seen anybody could try words
        payload = (command.Secret(tar + known.sum.encode()),)
        uploading = self._host.guarded(
            "upload", "upload", hold, values, timeout=1800, ends=True, payload=payload, step="stage")
        if what.rolls:
            self._host.listen_ahead(hold.app)
        answer = await self._uploaded(uploading)
        if "known" in answer.parts:
            return base.HostForm(known=known.checked(answer.text("known")))
        form = answer.parts.get("config", b"").decode("utf-8", "replace")
        form = form.replace(answer.text("dir"), "@DIR@")
        stored, meant = f"@DIR@/releases/{folder}/", f"@DIR@/releases/{what.release.id}/"
        return base.HostForm(form.replace(stored, meant))

    async def _uploaded(self, uploading: command.Command) -> command.Result:
        """What a host answers to an upload, whose images are tagged meanwhile."""
        tagging, self._host.tagging = self._host.tagging, None
        if tagging is None:
            return await self._host.send(uploading)
        return await holding.while_held(self._host, uploading, tagging.tag_or_pull, word=DONE)

    async def repair(self, hold: base.Hold, made: Sequence[Release], app: state.AppState) -> None:
        """Write the records of releases anew, beside what still lies there."""
        tar = releases.records(made, app)
        values: guarded.Values = {
            "SIZE": len(tar), "STAGED": guarded.line(journal.Reached(hold.deployment, phase="staged"))}
        await self._host.send(self._host.guarded(
            "repair", "repair", hold, values, timeout=300, ends=True, payload=(command.Secret(tar),)))

    async def prepare(self, hold: base.Hold, expected: base.Containers | None) -> base.Containers | None:
        """The deployment is prepared, if the app's containers are as *expected*; else they are returned."""
        now = await self._containers_by_engine(hold.app)
        if now is not None and (expected is None or _differ(now, expected)):
            await self.confirm(hold)  # who was overtaken judges nobody's containers
            return now
        values: guarded.Values = {
            "EXPECTED": "any" if now is not None else guarded.expected(expected),
            "PREPARED": guarded.line(journal.Reached(hold.deployment, phase="prepared")),
        }
        answer = await self._host.send(self._host.guarded("prepare", "prepare", hold, values, timeout=120))
        return None if "prepared" in answer.parts else _containers(answer)

    async def commit(self, hold: base.Hold, what: base.Commit) -> None:
        """Write that the release is deployed."""
        values = {
            "COMMITTED": guarded.line(what.record),
            "MARK": self._host.mark(hold.app),
            "RELEASE": what.app.folder(what.release.id),
            "DEPLOYED": _compact(what.deployed.as_json()),
            "CURRENT": _compact(what.current.file_as_json()),
            "SCRIPT": releases.call(what.release, what.secret_versions, what.app).operator_script(),
        }
        await self._host.send(self._host.guarded("commit", "commit", hold, values, timeout=120))

    async def finish(
        self, hold: base.Hold, result: base.Result, expected: base.Containers | None, pruned: base.Pruned
    ) -> base.Containers | None:
        """The deployment has ended here, if the app's containers are as *expected*; else they are returned."""
        await self._host.listen_no_more()
        now = None if expected is None else await self._containers_by_engine(hold.app)
        if now is not None and _differ(now, expected):
            await self.confirm(hold)
            return now
        gone = releases.dropped(pruned)
        by_engine = bool(gone.tags) and self._host.engine is not None
        record = journal.Reached(hold.deployment, phase="ended", result=result)
        values: guarded.Values = {
            **(replace(gone, sent=()) if by_engine else gone).values(),
            "DROP_RELEASES": "\n".join(gone.releases),
            "ENDED": guarded.line(record),
            "EXPECTED": "any" if now is not None else guarded.expected(expected, "any"),
            "HOLDS": int(by_engine),
        }
        finishing = self._host.guarded(
            "finish", "finish", hold, values, [] if by_engine else gone.tags, timeout=180)
        if by_engine:
            answer = await holding.while_held(
                self._host, finishing, lambda held: self._untag(held, gone))
        else:
            answer = await self._host.send(finishing)
        return None if "ended" in answer.parts else _containers(answer)

    async def _containers_by_engine(self, app: str) -> base.Containers | None:
        """The app's containers as the engine itself tells them; None where a script asks it."""
        dockerd = self._host.engine
        if dockerd is None:
            return None
        try:
            found = await looking.containers(dockerd, app)
            return observation.parse_containers("\n".join(found))
        except (engine.UnavailableError, ValueError, errors.TransportError):
            return None

    async def _untag(self, held: lock.Held, gone: releases.Dropped) -> None:
        """Give up the tags of releases that went; one that stays spares an image, and harms nobody."""
        dockerd = self._host.engine
        if dockerd is None:
            return
        untags = map(requests.untag, gone.tags)
        with contextlib.suppress(engine.UnavailableError, pulling.PullError, ValueError, errors.TransportError):
            await pulling.carry_out(dockerd, *untags, check=held.check)
            unused = await pulling.unkept(dockerd, gone.sent)
            await pulling.carry_out(dockerd, *map(requests.untag, unused), check=held.check)

    async def close(self, hold: base.Hold, record: journal.Reached, *, untouched: bool = False) -> None:
        """The deployment was undone here, or nothing was done; free the lease.

        *untouched*: no container was touched, forth or back, so that nothing was to be undone, however far it had come.
        """
        await self._host.listen_no_more()
        values = {"UNDOING": guarded.line(replace(record, phase="undoing")), "UNDONE": guarded.line(record)}
        doing = "close untouched" if untouched else "close"
        await self._host.send(self._host.guarded(
            "close", doing, hold, values, timeout=120, step="release-lease"))

    async def leave(self, hold: base.Hold) -> None:
        """Free the lease; the deployment stays open."""
        await self._host.listen_no_more()
        values = {"LEFT": guarded.line(journal.Left(hold.deployment))}
        await self._host.send(self._host.guarded("leave", "leave", hold, values, timeout=60, step="release-lease"))


def _differ(now: base.Containers, expected: base.Containers | None) -> bool:
    return guarded.expected(now) != guarded.expected(expected)


def _held(claim: base.Claim, fence: int) -> base.Hold | None:
    """What is held by a fence; nothing by 0."""
    if not fence:
        return None
    return base.Hold(claim.app, claim.record.deployment, fence, claim.record.process, claim.holder, claim.since,
                     claim.url, claim.grace)


def _awaited(text: str) -> str:
    """Who or what is waited for, in words."""
    kind, _, rest = text.strip().partition("\n")
    if kind == "command":
        return f"a command that still runs there: {rest}"
    lease = dict(line.split("=", 1) for line in rest.splitlines() if "=" in line)
    left = shape.whole(lease.get("left", ""), LENGTH)
    return (f"deployment {lease.get('deployment', '?')} of {lease.get('holder', 'somebody')}, which may be dead "
            f"(its lease ends within {left + LATE} s)")


def _containers(answer: command.Result) -> base.Containers:
    """The containers that a script shows.

    Raises:
        Refused: what the engine says of them cannot be read.
    """
    try:
        return observation.parse_containers(answer.text("containers"))
    except ValueError as wrong:
        raise base.Refused("engine", str(wrong)) from wrong


def _compact(said: Mapping[str, object]) -> str:
    return json.dumps(said, separators=(",", ":"))
