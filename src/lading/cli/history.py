"""Verbs about what was done: history, show; ledger verify, rebuild, export, import."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click

from lading import bootstrap, canonical, disk, errors, events
from lading import context as contexts
from lading.bootstrap import LedgerUse
from lading.cli import completing, options, render, session, terminal
from lading.ledger import deployments, evidence
from lading.ledger import ledger as ledgers
from lading.ledger import timings as times
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
        async with session.opened(config, use=LedgerUse.QUESTIONED) as context:
            found = await past.history(context, app, to=to, limit=limit, offline=offline)
        if as_json and not found.rows:
            contexts.check_answered(found.unreachable, "whether anything was done")
        render.document([row.as_json() for row in found.rows]) if as_json else _history(found)
        return session.answered(found.unreachable) if as_json else _exit(found.unreachable)

    return session.run(work())


def _exit(unread: Mapping[str, str]) -> int:
    """6 where the result has named a host that was asked and could not be read."""
    return errors.UnansweredError.exit_code if unread else 0


def _history(found: past.History) -> None:
    if not found.rows:
        render.line("no deployment is known here or told of by the hosts that have answered")
    else:
        _listed(found)
    for name, why in found.unreachable.items():
        render.line(f"what was done on {name} from elsewhere is not shown: {why}")
    for name in found.crowded:
        render.line(f"{name} has told of so many deployments that no more are taken: if they are not real, "
                    f"lading ledger forget {name}")


def _listed(found: past.History) -> None:
    render.table(("deployment (UTC)", "verb", "app", "version", "destination", "result", "by", "reason", "told by"), [
        (r.deployment, r.verb, r.app, r.version, r.destination, r.result, r.by, r.reason or "-", r.told_by or "-")
        for r in found.rows
    ], fold=("destination", "reason", "by", "told by"))
    if found.elsewhere:
        render.line(f"{found.elsewhere} deployment{'s' * (found.elsewhere > 1)} made elsewhere: read from hosts, not chained here")


@click.command()
@click.argument("deployment", shell_complete=completing.recent)
@click.option("--timings", is_flag=True, help="Seconds per phase and host.")
@options.json_option
@options.verbose_option
@click.pass_obj
def show(config: str, deployment: str, timings: bool, as_json: bool) -> int:
    """One deployment, event by event; the beginning of its id is enough."""

    async def work() -> int:
        async with session.opened(config, use=LedgerUse.QUESTIONED) as context:
            shown = await past.show(context, deployment)
        took = times.timings(shown.events) if timings else None
        if as_json:
            render.document(_as_json(shown, took))
        else:
            _show(shown, took)
        return session.answered(shown.unreachable) if as_json else _exit(shown.unreachable)

    return session.run(work())


def _as_json(shown: past.Shown, took: times.Timings | None) -> dict[str, Any]:
    stored = [{"at": s.at, "writer": s.writer, "seq": s.seq, **events.to_json(s.event)} for s in shown.events]
    keys = {key: list(names) for key, names in shown.row.keys.items()}
    found = {**shown.row.as_json(), **({"keys": keys} if keys else {}), "images": dict(shown.images) or None, "events": stored,
             "journal": [{"on": host, **record.raw} for host, record in shown.journal],
             "evidence": [_evidence_json(one, lines) for one, lines in shown.evidence]}
    return found | ({"timings": took.as_json()} if took else {})


def _evidence_json(one: evidence.Named, lines: tuple[str, ...] | None) -> dict[str, Any]:
    return {"host": one.host, "step": one.step, "of": one.what, "sha256": one.id,
            "lines": list(lines) if lines is not None else None}


def _show(shown: past.Shown, took: times.Timings | None) -> None:
    render.table(("what", "value"), _facts(shown.row), fold=("value",))
    render.table(("host", "result"), list(shown.row.hosts.items()))
    if shown.images:
        render.table(("service", "image"), list(shown.images.items()), fold=("image",))
    if took is not None:
        _timings(took)
    elif shown.events:
        render.table(("at", "host", "step", "event", "data"),
                     [(s.at[11:23], s.event.host or "-", s.event.step or "-", type(s.event).__name__, _words(s))
                      for s in shown.events], fold=("data",))
    for one, lines in shown.evidence if took is None else ():
        _last_lines(one, lines)
    if shown.journal:
        render.table(("at", "journal of", "step", "record"),
                     [(record.at[11:19], host, record.step or "-", record.kind) for host, record in shown.journal])
    for name, why in shown.unreachable.items():
        render.line(f"what the journal of {name} tells is not shown: {why}")


def _last_lines(one: evidence.Named, lines: tuple[str, ...] | None) -> None:
    if lines is None:
        render.line(f"the last lines of {one.what} on {one.host} ({one.step}) are not kept in this ledger: "
                    f"{canonical.short(one.id)}")
        return
    render.line(f"last lines of {one.what} on {one.host} ({one.step}):")
    for line in lines:
        render.line(f"    {line}")


def _facts(row: deployments.Deployment) -> list[tuple[str, str]]:
    """What is known of a deployment as a whole: who made it is told with how far that can be trusted."""
    told = {key: canonical.short(str(value)) for key, value in row.as_json().items() if value}
    told = {key: text for key, text in told.items() if key not in ("hosts", "ran_by", "origin")}
    if row.ran_by:
        keys = [f"key {key} on {', '.join(names)}" for key, names in row.keys.items()]
        told["actor"] = f"{row.actor}, by its own word; run by {'; '.join([row.ran_by, *keys])}"
    if row.origin:
        told["told by"] = f"{row.told_by}; not chained here"
    return list(told.items())


def _timings(took: times.Timings) -> None:
    if not took.hosts and not took.gaps:
        render.line("no times: this ledger has no events of it (they are where it was made)")
        return
    phases = [phase for phase in times.PHASES if any(phase in one for one in took.hosts.values())]
    render.table(("host", *(f"{phase} s" for phase in phases)),
                 [(host, *(f"{one[phase]:.1f}" if phase in one else "-" for phase in phases))
                  for host, one in took.hosts.items()])
    whole = "the times that are known add up to" if took.gaps else "all of it:"
    render.line(f"before the plan: {took.prepare:.1f} s; {whole} {took.total:.1f} s")
    for since, until in took.gaps:
        render.line(f"seen from {since[:19]} to {until[:19]} UTC; what came then, and its end, is not in this ledger: a gap, or it still runs")


def _words(stored: deployments.Stored) -> str:
    """What an event says beyond its kind, in a few words."""
    data = events.to_json(stored.event)["data"]
    said = "; ".join(f"{k}: {v}" for k, v in data.items() if v and k not in ("changes", "log", "hosts"))
    return canonical.short(said)


@asynccontextmanager
async def _ledger(config: str) -> AsyncIterator[ledgers.Ledger]:
    """The ledger alone; without a fleet file it is the user's own."""
    kept = await bootstrap.open_ledger(os.environ, bootstrap.load_if_any(os.environ, config=config))
    try:
        yield kept
    finally:
        await kept.close()


@click.group()
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
        render.document(_verified_json(found))
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
        render.document({"deployments": found.deployments, "from_hosts": found.history.elsewhere, "releases": found.releases,
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
@click.argument("host")
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
        render.document({"host": host, "deployments": rows, "releases": releases})
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
