"""What an app's containers say on all hosts, merged by time or as it comes."""

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from lading import context as contexts
from lading import errors, state
from lading.compose import complaints
from lading.dataclass import dataclass
from lading.drivers import wants
from lading.drivers.shell import logs as commands
from lading.drivers.shell import observe
from lading.inventory import hosts
from lading.queries import history as past
from lading.queries import look

_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_PART = re.compile(r"([0-9]{1,9})([dhms])")
_DURATION = re.compile(r"(?:[0-9]{1,9}[dhms])+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: of one *service*, or ""; *follow*: as they come; *tail* per container, None = all.

    *since*: as `since` gives it, or ""; *matching*: looked for in each line's text.
    """

    service: str = ""
    follow: bool = False
    tail: int | None = 100
    since: str = ""
    matching: re.Pattern[str] | None = None

    def takes(self, text: str) -> bool:
        """Whether a text is one of those."""
        return self.matching is None or self.matching.search(text) is not None

    @property
    def narrowed(self) -> str:
        """What there was no line of, in words."""
        said = f" since {self.since}" if self.since else ""
        if self.matching is not None:
            among = f", among the last {self.tail} of each container" if self.tail is not None else ""
            said += f" with {self.matching.pattern!r}{among}"
        return said


ALL = Wanted()


def since(given: str) -> str:
    """A time or duration that a person types, as docker on a host takes it.

    *given*: such as 90s, 10m, 1h30m or 2d, or a time in ISO 8601, in UTC where it says nothing else.

    Raises:
        InputError: it is neither.
    """
    if _DURATION.fullmatch(given):
        seconds = sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(given))
        return f"{seconds}s"
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise errors.InputError(f"--since {given!r} is neither a duration nor a time",
                                "such as 10m, 1h30m, 2d, 2026-11-30 or 2026-11-30T05:10:00Z") from None
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pattern(given: str) -> re.Pattern[str]:
    """A regular expression of Python's, as a person types it.

    Raises:
        InputError: it is none.
    """
    try:
        return re.compile(given)
    except (re.error, OverflowError, RecursionError) as wrong:
        raise errors.InputError(f"--grep {given!r} is no regular expression: {wrong}",
                                "as Python's `re` writes them: lading does not use grep") from None


async def last_lines(
    context: contexts.Context, app: str, deployment: str, wanted: Wanted, emit: Callable[[str, str], None]
) -> None:
    """The lines that were kept of what failed in a *deployment*, by the beginning of its id; no host is asked.

    Raises:
        UnknownReleaseError: the ledger does not know it, or nothing of the service is kept.
        InputError: it is another app's.
    """
    row, kept = await past.last_lines(context, app, deployment)
    named = sorted({one.what for one, _ in kept})
    if wanted.service and named and wanted.service not in named:
        hint = complaints.nearest(wanted.service, named) or f"kept are those of {', '.join(named)}"
        raise errors.UnknownReleaseError(f"of {wanted.service} no last lines are kept in deployment {row.deployment}", hint)
    if not kept:
        context.notes.append(f"of deployment {row.deployment} ({row.result}) no last lines are kept: they are those of what failed in it")
    shown = 0
    for one, lines in kept:
        if wanted.service in ("", one.what):
            chosen = [line for line in lines or () if wanted.takes(line)]
            shown += len(chosen)
            for line in chosen:
                emit(one.host, f"{one.what} | {line}")
            if lines is None:
                context.notes.append(f"the last lines of {one.what} on {one.host} are not kept in this ledger any more")
    if kept and not shown:
        context.notes.append(f"no line{wanted.narrowed}")


async def logs(
    context: contexts.Context, app: str, wanted: Wanted = ALL, *, to: Sequence[str] = (),
    emit: Callable[[str, str], None] = lambda _host, _line: None,
) -> None:
    """The app's log lines of all hosts: *emit*(host, line), by time, or with `follow` as they come until `stop`.

    Raises:
        TransportError: a host does not answer, after the others were shown.
        UnknownReleaseError: nothing was shown (`follow`: would be), all hosts answer, and none knows the app or the service.
    """
    _, chosen = context.choose(to)
    service, follow = wanted.service, wanted.follow
    if follow:
        await _check_known(context, app, service, await look.look(context, app, to, wants.DRIFT))
    kept: list[tuple[str, str]] = []

    def keep(host: str, text: str) -> None:
        kept.append((host, text))

    async def one(host: Any) -> None:
        def on_part(name: str, content: bytes) -> bool:
            text = content.decode("utf-8", "replace").rstrip("\n")
            if name == "log" and wanted.takes(text.partition(" | ")[2].partition(" ")[2]):
                (emit if follow else keep)(host.name, text)
            return False

        what = commands.logs(observe.marker(), app=app, service=service, follow=follow, tail=wanted.tail, since=wanted.since)
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
        context.notes.append(f"no line of {app}{f'/{service}' if service else ''}{wanted.narrowed}")


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
