"""Verbs that only look: check, where, drift, logs."""

from pathlib import Path

import click

from lading.bootstrap import LedgerUse
from lading.cli import completing, options, render, render_hosts, session, terminal
from lading.queries import check as checks
from lading.queries import drift as drifts
from lading.queries import logs as log_lines
from lading.queries import where as places


@click.command()
@click.argument("dest", nargs=-1, shell_complete=completing.destinations)
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
        render.document("drift", [one.as_json() for one in found]) if as_json else render_hosts.drift(found)
        session.notes(context)
        return session.answered(context.silent) or (1 if found else 0)

    return session.run(work())


@click.command()
@options.app_argument
@options.to_option
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--service", default="", metavar="NAME", shell_complete=completing.services, help="Only this service.")
@click.option("--tail", default=100, show_default=True, help="Lines per container to begin with.")
@options.verbose_option
@click.pass_obj
def logs(config: str, app: str, to: tuple[str, ...], follow: bool, service: str, tail: int) -> int:
    """The app's log lines of all hosts, merged as they come; colours are left out, control characters shown as �, piped too."""

    async def work() -> int:
        lines = render_hosts.LogLines()
        async with session.opened(config, Path()) as context:
            def emit(host: str, text: str) -> None:
                lines.emit(host, text)
                if terminal.lost_result() is not None:  # nobody reads on
                    context.stop.set()

            await log_lines.logs(context, app, to=to, service=service, follow=follow, tail=tail, emit=emit)
        return 0

    return session.run(work())
