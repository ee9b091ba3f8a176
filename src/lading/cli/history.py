"""Verbs about what was done: history; ledger verify, rebuild, export, import."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click

from lading import bootstrap, disk, errors
from lading import context as contexts
from lading import found as finding
from lading.bootstrap import LedgerUse
from lading.cli import completing, history_table, main, options, render, session, terminal
from lading.ledger import ledger as ledgers
from lading.queries import history as past

LINE_LIMIT = 16 << 20  # bytes in a line of an exported ledger
NEW_FILE = "-o with a new file in a folder that is there"


@click.command()
@options.maybe_app_argument
@options.to_option
@click.option("--limit", default=50, show_default=True, help="How many, newest first.")
@click.option("--offline", is_flag=True, help="Ask no host; only what this ledger knows.")
@options.json_option
@options.verbose_option
@click.pass_obj
def history(config: str, app: str, to: tuple[str, ...], limit: int, offline: bool, as_json: bool) -> int:
    """Who deployed what, when, with which result; what was done elsewhere is read from the hosts."""

    async def work() -> int:
        async with session.opened(config, use=LedgerUse.QUESTIONED, offline=offline) as context:
            found = await past.history(context, app, to=to, limit=limit, offline=offline)
        if as_json and not found.rows:
            contexts.check_answered(found.unreachable, "whether anything was done")
        render.document("history", [row.as_json() for row in found.rows]) if as_json else _history(found)
        return session.answered(found.unreachable) if as_json else exit_code(found.unreachable)

    return session.run(work())


def exit_code(unread: Mapping[str, str]) -> int:
    """6 where the result has named a host that was asked and could not be read."""
    return errors.UnansweredError.exit_code if unread else 0


def _history(found: past.History) -> None:
    if not found.rows:
        render.line("no deployment is known: neither to this ledger nor to the hosts that have answered")
    else:
        _listed(found)
    for name, why in found.unreachable.items():
        render.line(f"what was done on {name} from elsewhere is not shown: {why}")
    for one in found.excluded:
        render.line(f"what was done on {one.host} from elsewhere is not shown: it is {one.words}")
    for name in found.crowded:
        render.line(f"{name} has told of so many deployments that no more are taken: if they are not real, "
                    f"lading ledger forget {name}")


def _listed(found: past.History) -> None:
    render.first_that_fits(history_table.shapes(found.rows))
    if found.elsewhere:
        render.line(f"{found.elsewhere} deployment{'s' * (found.elsewhere > 1)} made elsewhere: read from hosts, not chained here")


@asynccontextmanager
async def _ledger(config: str) -> AsyncIterator[ledgers.Ledger]:
    """The ledger alone; without a fleet file it is the user's own."""
    kept = await bootstrap.open_ledger(os.environ, finding.fleet_if_any(os.environ, config=config))
    try:
        yield kept
    finally:
        await kept.close()


@click.group(cls=main.Noun)
def ledger() -> None:
    """Verify or rebuild the ledger; move it."""


@ledger.command()
@click.option("--hosts", is_flag=True, help="Compare with what the hosts' journals attest: sees a cut or rewritten ledger.")
@options.to_option
@options.json_option
@options.verbose_option
@click.pass_obj
def verify(config: str, hosts: bool, to: tuple[str, ...], as_json: bool) -> int:
    """Name what is not as it was written, hosts that contradict it, and what could not be checked; exit 7 if anything is
    wrong, 6 if a host that was asked cannot be read."""

    async def work() -> past.Verified:
        if not hosts and not to:
            async with _ledger(config) as kept:
                return await past.verify(kept)
        async with session.opened(config, use=LedgerUse.WRITTEN) as context:
            return await past.verify_with_hosts(context, to)

    found = session.run(work())
    if as_json:
        render.document("ledger-verify", _verified_json(found))
    else:
        _verified(found)
    return 7 if found.faults or found.contradicting else 6 if found.unreachable else 0


def _verified_json(found: past.Verified) -> dict[str, Any]:
    return {
        "ok": not found.faults and not found.contradicting, "writer": found.head.writer, "rows": found.head.seq, "head": found.head.hash,
        "faults": list(found.faults), "attested": len(found.attested), "other_writers": list(found.others),
        "unreachable": _unread(found.unreachable),
        "contradicting": [{"host": one.host, "app": one.app, "why": one.why} for one in found.contradicting],
        "imported": [{"writer": one.writer, "rows": one.seq, "head": one.hash} for one in found.imported],
        "unchecked": list(found.unchecked),
    }


def _unread(hosts: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"host": name, "error": why} for name, why in hosts.items()]


def _verified(found: past.Verified) -> None:
    for fault in found.faults:
        render.line(f"✗ {fault}")
    for one in found.contradicting:
        render.line(f"✗ {one.host} contradicts this ledger about {one.app}: {one.why}")
    for name, why in found.unreachable.items():
        render.line(f"what {name} attests was not compared: {why}")
    for what in found.unchecked:
        render.line(f"not checked: {what}")
    word = "damaged" if found.faults else "intact"
    seen = f", {len(found.attested)} commits attested by hosts" if found.attested else ""
    taken = "".join(f", {one.seq} imported of writer {one.writer}" for one in found.imported)
    limits = ", as far as it was checked" if (found.unchecked or found.unreachable) and not found.faults else ""
    hosts = sorted({one.host for one in found.contradicting})
    otherwise = f", but contradicted by {', '.join(hosts)}" if hosts else ""
    render.line(f"{word}: {found.head.seq} rows of writer {found.head.writer}{taken} in {found.place}{seen}{limits}{otherwise}")


@ledger.command()
@options.json_option
@options.verbose_option
@click.pass_obj
def rebuild(config: str, as_json: bool) -> int:
    """Make the list of deployments anew from events and hosts, and say what is lost; exit 6 if a host cannot be read."""

    async def work() -> past.Rebuilt:
        async with session.opened(config, use=LedgerUse.WRITTEN) as context:
            return await past.rebuild(context)

    found = session.run(work())
    if as_json:
        render.document("ledger-rebuild", {
            "deployments": found.deployments, "from_hosts": found.history.elsewhere, "releases": found.releases,
            "lost": list(found.lost), "unreachable": _unread(found.history.unreachable)})
    else:
        _history(found.history)
        if found.deployments > len(found.history.rows):
            render.line(f"the newest {len(found.history.rows)} are shown; all: lading history --limit {found.deployments}")
        render.line(f"{found.deployments} deployments, {found.history.elsewhere} of them from hosts; {found.releases} releases kept")
        for words in found.lost:
            render.line(f"lost: {words}")
    return 6 if found.history.unreachable else 0


@ledger.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new file; else stdout.")
@click.pass_obj
def export(config: str, output: Path | None) -> int:
    """Write all of the ledger as lines of JSON, to be imported into another (SQLite or PostgreSQL)."""
    if output is not None:
        disk.check_new(output, NEW_FILE)

    async def work() -> None:
        async with _ledger(config) as kept:
            if output is None:
                await kept.export_to(lambda line: terminal.raw(f"{line}\n"))
                return
            with disk.new_text(output, NEW_FILE) as file:
                await kept.export_to(lambda line: file.write(f"{line}\n"))

    session.run(work())
    return 0


@ledger.command()
@click.argument("host", shell_complete=completing.hosts)
@options.json_option
@options.verbose_option
@click.pass_obj
def forget(config: str, host: str, as_json: bool) -> int:
    """Take away all that a host has told this ledger; what was made with this ledger stays. No host is asked."""

    async def work() -> tuple[int, int]:
        async with _ledger(config) as kept:
            return await kept.forget(host)

    rows, releases = session.run(work())
    if not rows and not releases:
        raise errors.InputError(f"{host} has told this ledger of nothing", "lading history")
    if as_json:
        render.document("ledger-forget", {"host": host, "deployments": rows, "releases": releases})
    else:
        render.line(f"{host} had told of {rows} deployments, and alone of {releases} releases: forgotten")
    return 0


@ledger.command("import")
@click.argument("file", type=click.Path(allow_dash=True))
@click.pass_obj
def import_(config: str, file: str) -> int:
    """Take in an exported ledger: its chains are verified, and lie beside this one's; what is there stays."""
    async def work() -> tuple[int, str]:
        async with _ledger(config) as kept:
            return await kept.merge(disk.lines(file, limit=LINE_LIMIT), "" if file == "-" else file), kept.place

    new, place = session.run(work())
    render.line(f"{new} new rows in {place}")
    return 0
