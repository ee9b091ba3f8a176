"""What an app's containers say on all hosts, merged by time or as it comes."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from lading import context as contexts
from lading import errors, state
from lading.compose import complaints
from lading.drivers import wants
from lading.drivers.shell import logs as commands
from lading.drivers.shell import observe
from lading.inventory import hosts
from lading.queries import look


async def logs(
    context: contexts.Context, app: str, *, to: Sequence[str] = (), service: str = "", follow: bool = False,
    tail: int = 100, emit: Callable[[str, str], None] = lambda _host, _line: None,
) -> None:
    """The app's log lines of all hosts: *emit*(host, line), by time, or with *follow* as they come until `stop`.

    Raises:
        TransportError: a host does not answer, after the others were shown.
        UnknownReleaseError: nothing was shown (*follow*: would be), all hosts answer, and none knows the app or the service.
    """
    _, chosen = context.choose(to)
    if follow:
        await _check_known(context, app, service, await look.look(context, app, to, wants.DRIFT))
    kept: list[tuple[str, str]] = []

    def keep(host: str, text: str) -> None:
        kept.append((host, text))

    async def one(host: Any) -> None:
        def on_part(name: str, content: bytes) -> bool:
            if name == "log":
                (emit if follow else keep)(host.name, content.decode("utf-8", "replace").rstrip("\n"))
            return False

        what = commands.logs(observe.marker(), app=app, service=service, follow=follow, tail=tail)
        result = await context.transport.run(host, what, on_part)
        if "refused" in result.parts:
            raise errors.CommandError(result.text("refused").partition("\n")[2], f"lading check {host.name}", host=host.name)
        if not follow and "end" not in result.parts:
            raise errors.CommandError(f"logs ended with status {result.status}", f"lading check {host.name}", host=host.name)

    running = [asyncio.create_task(one(host)) for host in chosen]
    stopping = asyncio.create_task(_cancelled(running, context.stop))
    ended = await asyncio.gather(*running, return_exceptions=True)
    stopping.cancel()
    for host, text in sorted(kept, key=lambda one: one[1].partition(" | ")[2].partition(" ")[0]):
        emit(host, text)
    _raise(chosen, ended)
    if not follow and not kept and not context.stop.is_set():
        seen = await look.look(context, app, to, wants.DRIFT)
        await _check_known(context, app, service, seen)
        contexts.check_answered(seen.silent, "whether the app's containers say anything")


async def _check_known(context: contexts.Context, app: str, service: str, seen: state.FleetState) -> None:
    """Refuse an app, or a service of it, that nobody knows; a silent host may know it.

    Raises:
        UnknownReleaseError: all hosts answer, and none knows it.
    """
    await context.check_known(app, seen)
    mine = [host.apps[app] for host in seen.hosts.values() if app in host.apps]
    known = {one.service for found in mine for one in found.containers}
    for found in mine:
        for release in found.releases.values():
            known.update(release.get("services", {}))
    if service and service not in known and not seen.silent:
        hint = complaints.nearest(service, sorted(known)) or f"services: {', '.join(sorted(known)) or 'none'}"
        raise errors.UnknownReleaseError(f"{app} has no service {service}", hint)


def _raise(chosen: Sequence[hosts.Host], ended: Sequence[object]) -> None:
    """Name every host whose lines are missing."""
    wrong = {host.name: why for host, why in zip(chosen, ended, strict=True)
             if isinstance(why, BaseException) and not isinstance(why, asyncio.CancelledError)}
    lost = {name: why.message for name, why in wrong.items() if isinstance(why, errors.TransportError)}
    for name, why in wrong.items():
        if len(wrong) == 1 or name not in lost:
            raise why
    contexts.check_answered(lost, "what the app's containers say")


async def _cancelled(tasks: Sequence[asyncio.Task[None]], stop: asyncio.Event) -> None:
    await stop.wait()
    for task in tasks:
        task.cancel()
