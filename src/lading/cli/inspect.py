"""Verbs that only look: check, where, drift, logs."""

from pathlib import Path

import click

from lading import errors
from lading.bootstrap import LedgerUse
from lading.cli import completing, options, render, render_hosts, session, terminal
from lading.queries import check as checks
from lading.queries import drift as drifts
from lading.queries import logs as log_lines
from lading.queries import where as places


def _as_arguments(_ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> None:
    if given:
        raise errors.InputError("check takes hosts and destinations as they are, without --to", f"lading check {' '.join(given)}")


@click.command()
@click.argument("dest", nargs=-1, shell_complete=completing.destinations)
@click.option("--to", multiple=True, hidden=True, expose_value=False, callback=_as_arguments)
@options.json_option
@options.verbose_option
@click.pass_obj
def check(config: str, dest: tuple[str, ...], as_json: bool) -> int:
    """Can lading work with each host: ssh, key, docker, compose, registry, disk, tools, state folder. One table."""

    async def work() -> int:
        async with session.opened(config) as context:
            found = await checks.check(context, dest)
        render.document("check", [one.as_json() for one in found]) if as_json else render_hosts.check(found)
        session.notes(context)
        return 0 if all(one.good for one in found) else 6

    return session.run(work())


@click.command()
@options.maybe_app_argument
@options.to_option
@click.option("--all", "everything", is_flag=True, help="One-shots that have ended well, too.")
@click.option("--wide", is_flag=True, help="Also image, digest, label, release, deployment, drift.")
@options.json_option
@options.verbose_option
@click.pass_obj
def where(config: str, app: str, to: tuple[str, ...], everything: bool, wide: bool, as_json: bool) -> int:
    """Which version runs where, and in what state, observed now; exit 6 if a host has not answered."""

    async def work() -> int:
        async with session.opened(config, use=LedgerUse.COMPARED) as context:
            answer = await places.where(context, app, to)
        if as_json:
            render.document("where", [row.as_json() for row in answer.rows])
        else:
            render_hosts.where(answer, app, everything=everything, wide=wide)
        session.notes(context)
        return session.answered(context.silent)

    return session.run(work())


@click.command()
@options.maybe_app_argument
@options.to_option
@options.json_option
@options.verbose_option
@click.pass_obj
def drift(config: str, app: str, to: tuple[str, ...], as_json: bool) -> int:
    """What differs from what was deployed; exit 0 if nothing does, 1 if something does, 6 if a host has not answered."""

    async def work() -> int:
        async with session.opened(config, use=LedgerUse.COMPARED) as context:
            found = await drifts.drift(context, app, to)
        if as_json:
            render.document("drift", [one.as_json() for one in found.differences])
        else:
            render_hosts.drift(found, app)
        session.notes(context)
        return session.answered(context.silent) or (1 if found.differences else 0)

    return session.run(work())


@click.command()
@options.app_argument
@options.to_option
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--service", default="", metavar="NAME", shell_complete=completing.services, help="Only this service.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N",
              help="Lines per container to begin with: 100, all with --since, 10000 with --grep.")
@click.option("--since", default="", metavar="TIME", help="None older: 10m, 1h30m, 2d, or a time such as 2026-11-30T05:10:00Z.")
@click.option("--grep", default="", metavar="REGEX", help="Only lines in which this is found, as Python's `re` writes it.")
@click.option("--deployment", default="", metavar="ID", help="What was kept of the containers that failed in it; no host is asked.",
              shell_complete=completing.recent)
@options.verbose_option
@click.pass_obj
def logs(
    config: str, app: str, to: tuple[str, ...], follow: bool, service: str, tail: int | None, since: str, grep: str, deployment: str,
) -> int:
    """The app's log lines of all hosts, merged as they come; colours are left out, control characters shown as �, piped too."""
    wanted = log_lines.Wanted(
        service, follow, _lines(tail, since, grep), log_lines.since(since) if since else "",
        log_lines.pattern(grep) if grep else None)
    if deployment and (follow or since or to or tail is not None):
        raise errors.InputError("--deployment shows what was kept, all of it: it goes with --service and --grep alone", f"lading show {deployment}")

    async def work() -> int:
        shown = render_hosts.LogLines()
        use = LedgerUse.QUESTIONED if deployment else LedgerUse.NONE
        async with session.opened(config, Path(), use=use, offline=bool(deployment), begun=lambda: True, beats=not follow) as context:
            def emit(host: str, text: str) -> None:
                shown.emit(host, text)
                if terminal.lost_result() is not None:  # nobody reads on
                    context.stop.set()

            if deployment:
                await log_lines.last_lines(context, app, deployment, wanted, emit)
            else:
                await log_lines.logs(context, app, wanted, to=to, emit=emit)
            session.notes(context)
        return 0

    return session.run(work())


def _lines(tail: int | None, since: str, grep: str) -> int | None:
    """How many lines of each container to begin with; None = all."""
    if tail is not None:
        return tail
    if since:
        return None
    return 10000 if grep else 100
