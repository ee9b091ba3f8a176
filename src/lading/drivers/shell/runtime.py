"""The containers of a host: by Compose and docker's client in scripts, or by its engine itself."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, assert_never

from lading import shape, state
from lading.compose import overlay, sent
from lading.drivers import base
from lading.drivers.engine_api import engine, watching
from lading.drivers.shell import (
    bound,
    guarded,
    holding,
    image_pull,
    image_send,
    logs,
    observation,
    observe,
    releases,
    said,
    scripts,
)
from lading.plan import mounts, steps
from lading.state import journal
from lading.transport import command

TIMED_OUT = (124, 137)  # the status of `timeout`, and of what it had to kill; a program may end with either by itself


class ShellRuntime:
    """See `drivers.base.ContainerRuntime`."""

    def __init__(self, host: bound.Bound) -> None:
        self._host = host

    async def look(self, app: str) -> state.HostState:
        """What there is of an app; a host that does not answer is a value."""
        await self._host.until_ended()
        question = observe.Question(self._host.state_dir, app)
        return await observe.host(
            self._host.transport, self._host.host, question, self._host.engine)

    async def pull(self, hold: base.Hold, what: base.Pull, listen: base.Listen | None = None) -> None:
        """Pull what is not there, or send it there, and tag all so that a prune spares them."""
        lines = said.Lines("pull", listen, said.of_image(what.images))
        left = dict(what.sent)
        while True:
            try:
                await self._pull(hold, what, lines)
                return
            except base.Refused as lacks:
                name = lacks.text.strip()
                if lacks.kind != "absent" or not sent.is_sent(name):
                    raise
                if name not in left:
                    raise base.Refused("unsent", sent.split(name)[0]) from lacks
            holds = self._host.guarded("hold", "pull", hold, {}, timeout=image_send.PATIENCE, ends=True, step="stage")
            await image_send.send(self._host, holds, name, left.pop(name), lines, what.stopped)

    async def _pull(self, hold: base.Hold, what: base.Pull, lines: said.Lines) -> None:
        """Pull what is not there, and tag all.

        Raises:
            Refused: of kind "absent", where one that nobody pulls is not there.
        """
        dockerd = self._host.engine
        seen, self._host.present = self._host.present, {}
        there = await image_pull.there(dockerd, what, seen)
        if dockerd is not None and there is not None:
            pull = image_pull.ImagePull(dockerd, what, there, lines, hold.app)
            pull.check()
            if what.uploads and pull.only_tags:
                self._host.tagging = pull
                return
            await self._pull_by_engine(hold, pull)
            return
        images = list(dict.fromkeys(what.images.values()))
        entries = [login for login in what.logins if login.identity]
        others = [login for login in what.logins if not login.identity]
        passwords = [command.Secret(login.password) for login in (*entries, *others)]
        tags = [f"{image} {releases.kept_image(hold.app, name, what.folder or what.release)}"
                for name, image in what.images.items()]
        values: guarded.Values = {
            "LACKS": "gone" if what.kept else "pull",
            "LOCAL": scripts.lines([image for image in images if "@" not in image]),
            "PULLED": scripts.lines([image for image in images if "@" in image]),
            "KEPT": scripts.lines(tags), "ENTRIES": len(entries),
            "PASSWORDS": " ".join(str(len(password.value)) for password in passwords),
            "LOGINS": scripts.lines([f"{login.registry} {login.username}" for login in others]),
            "TELL": lines.limit,
        }
        pulling = self._host.guarded(
            "pull", "pull", hold, values, timeout=1800, ends=True, payload=tuple(passwords), step="stage")
        await self._host.send(pulling, lines.part)

    async def _pull_by_engine(self, hold: base.Hold, pull: image_pull.ImagePull) -> None:
        """Pull and tag by the engine itself, while a script holds the lock."""
        holds = self._host.guarded("hold", "pull", hold, {}, timeout=1800, ends=True, step="stage")
        await holding.while_held(self._host, holds, pull.work)

    async def run_hook(
        self, hold: base.Hold, what: base.Hook, listen: base.Listen | None = None
    ) -> base.HookEnd:
        """Run a service once, and say how that went."""
        made, step = what.release, what.step
        lines = said.Lines("hook", listen, said.of_service(step.service))
        used = mounts.of_service(made, made.services[step.service])
        limit = max(1, round(step.timeout))
        values: guarded.Values = {
            **releases.call(made, what.secret_versions, what.app).values(), "SERVICE": step.service,
            "OVERLAY": overlay.write({"services": {step.service: _once(step)}}),
            "NEEDED": scripts.lines([str(v["name"]) for v in made.volumes.values() if v["name"] in used]),
            "LIMIT": limit, "INTENT": guarded.line(journal.Intent(hold.deployment, doing="hook", hook=step.hook)),
            "RESULT": guarded.line(journal.Done(hold.deployment, doing="hook", hook=step.hook)),
            "TELL": lines.limit,
        }
        running = self._host.guarded("hook", "hook", hold, values, list(releases.resources(made)), timeout=limit + 90)
        began = time.monotonic()
        answer = await self._host.send(running, lines.part)
        word, _, output = answer.text("hook").partition("\n")
        status = shape.whole(word.strip(), 1)
        return base.HookEnd(status, output, status in TIMED_OUT and time.monotonic() - began >= step.timeout)

    async def roll(
        self, hold: base.Hold, what: base.Roll, watcher: base.Watcher, tell: Callable[[str], None],
        listen: base.Listen | None = None,
    ) -> None:
        """Bring services up, then show *watcher* what there is until it has seen enough."""
        networks = any(isinstance(step, steps.RecreateNetwork) for step in what.steps)
        starts = [name for step in what.steps if isinstance(step, steps.StartServices) for name in step.services]
        had = releases.anonymous(what.app) if what.verb == "roll" else []
        again = [f"{name} {what.release.services[name].content}" for name in starts] if what.restores else []
        lines = said.Lines("compose", listen, said.of_container(hold.app, what.release))
        dockerd = self._host.engine
        values: guarded.Values = {
            **releases.call(what.release, what.secret_versions, what.app).values(), **_roll_lines(hold, what),
            "WATCH": int(dockerd is None),
            "STEPS": scripts.lines([line for step in what.steps for line in _roll_step(step)]),
            "SPARE": "".join(f" {name}" for name in what.spares), "WHOLE": int(what.whole),
            "HAD": scripts.lines(had), "AGAIN": scripts.lines(again), "LIMIT": base.UP_TIMEOUT, "TELL": lines.limit,
        }
        more = [*(["take-down"] if networks or what.whole else []), *(["anonymous"] if had or again else [])]
        rolling = self._host.guarded(
            "roll", what.verb, hold, values, timeout=base.UP_TIMEOUT + what.patience, more=more)
        shown = _Shown(watcher, tell, lines.part)
        if dockerd is None:
            await self._host.send(rolling, shown.part)
        else:
            await self._watched(dockerd, hold.app, rolling, shown)

    async def _watched(
        self, dockerd: engine.Engine, app: str, rolling: command.Command, shown: "_Shown"
    ) -> None:
        """Bring services up by a script, while the engine is watched from here.

        Once Compose has ended, the script only keeps the lease. So whoever has seen enough does not
        wait for its end: the next script does.
        """
        events = await self._host.listening() or watching.Events(dockerd, app)
        done = asyncio.Event()
        tasks: list[asyncio.Task[Any]] = []
        try:
            await events.subscribed()
            script = asyncio.create_task(self._host.send(rolling, shown.part, done))
            watch = asyncio.create_task(_watch(dockerd, app, events, shown, done))
            tasks += [script, watch]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            done.set()
            if watch.done():
                watch.result()
            if script.done():
                await script
            else:
                tasks.remove(script)
                self._host.leave_to_end(script)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await events.close()

    async def remove(self, hold: base.Hold, what: base.Removal) -> None:
        """Remove containers and networks."""
        doing = "undo" if what.undo else "tidy"
        services = [step.service for step in what.steps if isinstance(step, steps.RemoveService)]
        networks = any(isinstance(step, steps.RemoveNetwork) for step in what.steps)
        before: journal.Record = journal.Intent(hold.deployment, doing="tidy")
        if what.undo:
            before = journal.Reached(hold.deployment, phase="undoing")
        values = {
            **releases.stopping(what.release, what.secret_versions, what.app, services),
            "STEPS": scripts.lines([_tidy_step(step) for step in what.steps]), "INTENT": guarded.line(before),
            "RESULT": guarded.result(hold.deployment, doing), "REFUSED": guarded.result(hold.deployment, doing, rc=40),
        }
        more = [*(["remove-network"] if networks else []), *(["stop-services"] if values["STOP"] else [])]
        await self._host.send(self._host.guarded("tidy", doing, hold, values, timeout=300, more=more))

    async def remove_app(self, hold: base.Hold, what: base.Departure) -> None:
        """Remove an app; but for the way back, this is the end of its deployment here."""
        if what.step.kept:
            await self._give_back(hold, what)
            return
        doing = "undo" if what.undo else "remove"
        before: journal.Record = journal.Intent(hold.deployment, doing=doing)
        after = guarded.line(journal.Reached(hold.deployment, phase="ended", result="removed"))
        if what.undo:
            before = journal.Reached(hold.deployment, phase="undoing")
            after = guarded.result(hold.deployment, doing, rc=0)
        values: dict[str, str | int] = {
            **releases.stopping(what.release, what.secret_versions, what.app), "BEFORE": guarded.line(before),
            "REFUSED": guarded.result(hold.deployment, doing, rc=40), "AFTER": after, "VOLUMES": int(what.step.data),
            "FORGET": int(not what.undo), "KEEP": releases.slug(hold.app),
            "SENT": "" if what.undo else scripts.lines(releases.sent_images(what.app)),
        }
        more = [*([] if what.undo else ["kept-tags", "sent-images"]), *(["stop-services"] if values["STOP"] else [])]
        await self._host.send(self._host.guarded(
            "remove-app", doing, hold, values, what.step.containers, timeout=300, more=more))

    async def _give_back(self, hold: base.Hold, what: base.Departure) -> None:
        """lading's own files go, the containers stay."""
        gone = releases.given_back(what.release, what.app)
        ended = journal.Reached(hold.deployment, phase="ended", result="given back")
        current = what.app.current
        values: guarded.Values = {
            **gone.values(), "BEFORE": guarded.line(journal.Intent(hold.deployment, doing="remove")),
            "ENDED": guarded.line(ended), "RELEASE": what.app.folder(current.release) if current else "",
            "KEEP": releases.slug(hold.app),
        }
        await self._host.send(self._host.guarded("detach-app", "remove", hold, values, timeout=120))

    async def start(self, hold: base.Hold, containers: Sequence[str]) -> None:
        """Start containers that have died, by id."""
        values = {
            "INTENT": guarded.line(journal.Intent(hold.deployment, doing="start")),
            "RESULT": guarded.result(hold.deployment, "start"),
            "REFUSED": guarded.result(hold.deployment, "start", rc=40),
        }
        await self._host.send(self._host.guarded("start", "start", hold, values, containers, timeout=300))

    async def last_lines(self, app: str, services: Sequence[str]) -> Mapping[str, str]:
        """The last lines that services have said, by service."""
        await self._host.until_ended()
        answer = await self._host.transport.run(
            self._host.host, logs.last_lines(observe.marker(), app=app, services=services))
        return {name: answer.text(f"log:{name}") for name in services if f"log:{name}" in answer.parts}


async def _watch(
    dockerd: engine.Engine, app: str, events: watching.Events, shown: "_Shown", done: asyncio.Event
) -> None:
    """Show what there is once Compose has ended, until the watcher has seen enough.

    Then the script may end.
    """
    await shown.is_up.wait()
    try:
        await watching.follow(dockerd, app, events, shown.look, shown.unreadable)
    finally:
        done.set()


def unheard(name: str, content: bytes) -> bool:
    """Parts that nobody asks for."""
    return False


class _Shown:
    """Shows a watcher what comes while services are brought up."""

    def __init__(
        self, watcher: base.Watcher, tell: Callable[[str], None], more: Callable[[str, bytes], bool] = unheard
    ) -> None:
        self._watcher, self._tell, self._more = watcher, tell, more
        self._containers = b""
        self.is_up = asyncio.Event()
        """Compose has ended."""

    def part(self, name: str, content: bytes) -> bool:
        """Take a part of the answer; True = seen enough."""
        text = content.decode("utf-8", "replace")
        match name:
            case "gone":
                for line in text.strip().splitlines():
                    self._tell(line)
            case "up":
                status, _, output = text.strip().partition("\n")
                self._watcher.started(shape.whole(status, 1), output)
                self.is_up.set()
            case "containers":
                self._containers = content
            case "tick":
                return self._snapshot(self._containers.decode("utf-8", "replace"))
            case _:
                return self._more(name, content)
        return False

    def look(self, containers: Sequence[str]) -> bool:
        """Take the containers as the engine tells them, a JSON object each; True = seen enough."""
        return self._snapshot("\n".join(containers))

    def unreadable(self, why: str) -> bool:
        """Take note that what the engine tells cannot be read; True = seen enough."""
        return self._watcher.unreadable(why)

    def _snapshot(self, lines: str) -> bool:
        try:
            found = observation.parse_containers(lines)
        except ValueError as wrong:
            return self._watcher.unreadable(str(wrong))
        return self._watcher.snapshot(found)


def _roll_lines(hold: base.Hold, what: base.Roll) -> dict[str, str]:
    """The lines of the journal around a roll, or the way back, which is in one phase until it is closed."""
    if what.verb == "undo":
        return {
            "ROLLING": guarded.line(journal.Reached(hold.deployment, phase="undoing", to=what.release.id)),
            "RESULT": guarded.result(hold.deployment, "undo"),
            "REFUSED": guarded.result(hold.deployment, "undo", rc=40),
        }
    return {
        "ROLLING": guarded.line(journal.Reached(hold.deployment, phase="rolling", to=what.release.id)),
        "RESULT": guarded.line(journal.Reached(hold.deployment, phase="rolled")),
        "REFUSED": guarded.line(journal.Reached(hold.deployment, phase="failed")),
    }


def _roll_step(step: steps.Changing) -> Iterator[str]:
    """A step as lines of scripts/roll.sh."""
    match step:
        case steps.RecreateNetwork():
            yield f"network {step.network}"
        case steps.StopServices():
            yield f"stop {' '.join(step.services)}"
        case steps.ScaleDown():
            yield from (f"surplus {id}" for id in step.containers)
        case steps.StartServices():
            if step.services:
                numbers = [f"--scale {name}={count}" for name, count in sorted(step.scale.items())]
                yield " ".join(["anew" if step.anew else "up", *numbers, *step.services])
        case _:
            assert_never(step)


def _tidy_step(step: steps.Tidying) -> str:
    """A step as a line of scripts/tidy.sh."""
    match step:
        case steps.RemoveService():
            return f"remove {' '.join(step.containers)}"
        case steps.RemoveNetwork():
            return f"network {step.network}"
        case _:
            assert_never(step)


def _once(step: steps.RunHook) -> dict[str, object]:
    """How a hook's service differs from its own definition."""
    own: dict[str, object] = dict.fromkeys(("container_name", "depends_on", "labels", "ports"), overlay.RESET)
    if step.command is not None:
        own["command"] = overlay.Override(step.command)
    return own
