"""`lading show`: one deployment, event by event, with the last lines of what failed and its times."""

from collections.abc import Mapping
from typing import Any

import click

from lading import bootstrap, canonical, events, spans
from lading.bootstrap import LedgerUse
from lading.cli import completing, history, options, render, session
from lading.ledger import deployments, evidence
from lading.ledger import timings as times
from lading.queries import history as past


@click.command()
@click.argument("deployment", shell_complete=completing.recent)
@click.option("--timings", is_flag=True, help="Seconds per phase and host.")
@options.json_option
@options.verbose_option
@click.pass_obj
def show(config: str, deployment: str, timings: bool, as_json: bool) -> int:
    """One deployment, event by event; the beginning of its id is enough."""

    async def work() -> int:
        async with session.opened(config, use=LedgerUse.QUESTIONED, offline=True) as context:
            shown = await past.show_known(context, deployment)
            if shown is None:
                async with bootstrap.reaching(context, session.teller()) as asking:
                    shown = await past.show(asking, deployment)
        took = times.timings(shown.events) if timings else None
        if as_json:
            render.document("show", _as_json(shown, took))
        else:
            _show(shown, took)
        return session.answered(shown.unreachable) if as_json else history.exit_code(shown.unreachable)

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
    render.line("")
    render.table(("host", "result"), list(shown.row.hosts.items()))
    render.line("")
    if shown.images:
        render.table(("service", "image"), list(shown.images.items()), fold=("image",))
        render.line("")
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
    told = {key: text for key, text in told.items() if key not in ("hosts", "ran_by", "origin", "excluded")}
    if row.excluded:
        told["without"] = f"{', '.join(spans.packed(row.excluded))}, excluded then"
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
    said = "; ".join(f"{k}: {_value(v)}" for k, v in data.items() if v and k not in ("changes", "log", "hosts"))
    return canonical.short(said)


def _value(value: Any) -> str:
    """A value of an event in words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} ({_value(one)})" if one else str(key) for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    return "yes" if value is True else str(value)
