"""`lading hosts exclude` and `hosts include`: what they say, and ask."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lading import canonical, errors, provenance
from lading import context as contexts
from lading.bootstrap import LedgerUse
from lading.cli import progress, prompts, render, render_plan, session, terminal
from lading.deploy import approval, excluding
from lading.ledger import deployments
from lading.plan import steps
from lading.queries import absent


def exclude(config: str, host: str, reason: str, *, as_json: bool) -> int:
    """Exclude a host, and say what that means; no host is asked.

    Raises:
        InputError: there is no such host, or no reason.
        LedgerError: it cannot be recorded.
    """
    why = provenance.one_line(" ".join(reason.split()))
    if not why:
        raise errors.InputError("--reason is empty", 'why, in a few words: --reason "its disk is dead"')

    async def work() -> int:
        async with session.opened(config, use=LedgerUse.WRITTEN, offline=True) as context:
            found = await excluding.exclude(context, host, why)
            assert context.ledger is not None
            if as_json:
                render.document("hosts-exclude", _excluded_json(found))
            else:
                _excluded(found)
            _note(found, context.ledger.place if not context.ledger.shared else "")
        return 0

    return session.run(work())


def _excluded_json(found: excluding.Excluded) -> dict[str, Any]:
    return {"host": found.exclusion.host, "changed": found.is_new, "excluded": found.exclusion.as_json(),
            "open": [{"deployment": one.deployment, "app": one.app} for one in found.open]}


def _excluded(found: excluding.Excluded) -> None:
    host = found.exclusion.host
    if not found.is_new:
        render.line(f"{host} was {found.exclusion.words}; nothing was changed")
        return
    render.line(f"{host} is {found.exclusion.words}")
    render.line("deployments leave it out and say so; what runs on it is not touched; "
                f"once it is well: lading hosts include {host}")


def _note(found: excluding.Excluded, own: str) -> None:
    """What the person should know besides; *own*: where the ledger is, if it is this user's alone."""
    host = found.exclusion.host
    for one in found.open:
        session.note(
            f"deployment {one.deployment} of {one.app} may be open on {host}, and stays so: the others end it without {host} "
            f"(lading resume {one.app}); should they say \"in doubt\": lading resume {one.app} --undo | --continue --lost {host}")
    for name in found.alone:
        session.note(f"{name} has no other host left: what is deployed there is refused")
    if own and found.is_new:
        session.note(f"it is recorded in {own}, which is yours alone: colleagues and CI do not see it, and are refused while "
                     f"{host} does not answer; a ledger for all: lading help share one ledger")


def include(config: str, directory: Path, host: str, reason: str, *, yes: bool, as_json: bool) -> int:
    """Include a host again, and bring it up to date as far as the files in *directory* are those of what it lacks.

    Raises:
        InputError: there is no such host.
        TransportError: it does not answer; it stays excluded.
        LedgerError: it cannot be recorded.
        NotConfirmedError: nobody said yes.
    """
    async def work() -> int:
        async with session.opened(config, directory, use=LedgerUse.WRITTEN) as context:
            found = await excluding.look(context, host)
            if found is None:
                _not_excluded(host, as_json=as_json)
                session.notes(context)
                return 0
            _confirmed(found, yes=yes)
            now = await excluding.include(context, found, reason)
            if now is None:
                _not_excluded(host, as_json=as_json)
                return 0
            _say_lacks([lack for lack in now.lacks if lack not in found.lacks])
            tried = await _catch_up(context, directory, now, yes=yes, as_json=as_json)
        return _included(now, tried, as_json=as_json)

    return session.run(work())


def _confirmed(found: excluding.Returning, *, yes: bool) -> None:
    """Say what the host has missed, and ask.

    Raises:
        NotConfirmedError: the answer was no, or nobody can be asked.
    """
    host = found.exclusion.host
    terminal.err(f"{host} answers; it is {found.exclusion.words}")
    if found.missed:
        render.table(("missed", "verb", "app", "version", "destination", "result"), [
            (one.deployment, one.verb, one.app, one.version or "-", one.destination, one.result) for one in found.missed],
            error=True, fold=("destination",))
    _say_lacks(found.lacks)
    for app, deployment in found.open.items():
        terminal.err(f"deployment {deployment} of {app} is open there: lading resume {app}")
    if not found.lacks and not found.open:
        terminal.err("it lacks nothing of what was deployed meanwhile, as far as this ledger knows")
    prompts.must_answer(yes)
    if not yes and not terminal.confirm(f"Include {host} again?"):
        raise errors.NotConfirmedError("not confirmed; nothing was changed", "answer y, or add --yes")


def _say_lacks(lacks: Sequence[excluding.Lack]) -> None:
    for lack in lacks:
        why = f"; {lack.why}: {lack.command}" if lack.why else ""
        terminal.err(f"it lacks {absent.what(lack.missed)}, release {canonical.short(lack.missed.release) or '-'}{why}")


def _not_excluded(host: str, *, as_json: bool) -> None:
    if as_json:
        render.document("hosts-include", {
            "host": host, "changed": False, "excluded": None, "missed": [], "deployments": [], "failed": [], "next": []})
    else:
        render.line(f"{host} is not excluded; nothing was changed")


async def _catch_up(
    context: contexts.Context, directory: Path, found: excluding.Returning, *, yes: bool, as_json: bool
) -> list[excluding.Tried]:
    """What can be deployed from here, one app after the other."""
    verbose = session.verbose()
    question = "Deploy {plan.app} {plan.version} to {plan.destination} ({hosts} hosts)?"
    confirm = prompts.confirmer(prompts.Answer(yes), question, partial(_show, context))
    tried = []
    for lack in found.lacks:
        lines = progress.Progress(live=prompts.interactive() and not as_json and not verbose, verbose=verbose)
        with session.noted(context), lines:
            told = session.changed(context, on_event=lines.event, trace=lines.telling, confirm=lines.paused(confirm), say=terminal.err)
            one = await excluding.catch_up(told, directory, found.exclusion.host, lack)
        if one is not None:
            tried.append(one)
    return tried


def _show(context: contexts.Context, made: steps.Plan) -> None:
    approval.keep(context.environment, made)
    render_plan.plan(made)


def _included(found: excluding.Returning, tried: list[excluding.Tried], *, as_json: bool) -> int:
    """Say how it ended, and what is left to type; the exit code."""
    good = [one.lack for one in tried if one.is_good]
    ended = {lack.missed.app for lack in good}  # a deployment ends what is open before it begins
    resumed = [f"lading resume {app}" for app in found.open if app not in ended]
    left = list(dict.fromkeys([*resumed, *(lack.command for lack in found.lacks if lack not in good)]))
    if as_json:
        render.document("hosts-include", _included_json(found, tried, left))
    else:
        _say_included(found, tried, left)
    for one in tried:
        if one.failure is not None:
            return one.failure.exit_code
    return 0 if len(good) == len(tried) else errors.DeployFailedError.exit_code


def _say_included(found: excluding.Returning, tried: list[excluding.Tried], left: list[str]) -> None:
    host = found.exclusion.host
    for one in tried:
        if one.done is not None:
            render_plan.ended(one.done)
        if one.failure is not None:
            terminal.err(f"{one.lack.missed.app} was not brought up to date: {one.failure.message}")
            terminal.err(f" hint: {one.failure.hint or one.lack.command}")
    if not left:
        render.line(f"{host} is included again, and up to date")
        return
    render.line(f"{host} is included again, and not yet up to date; next, in the folder of each app, with the same files and "
                "options (-f, -e, --profile) as then:")
    for command in left:
        render.line(f"  {command}")


def _included_json(
    found: excluding.Returning, tried: list[excluding.Tried], left: list[str]
) -> dict[str, Any]:
    return {
        "host": found.exclusion.host, "changed": True, "excluded": found.exclusion.as_json(),
        "missed": [_missed_json(one) for one in found.missed],
        "deployments": [one.done.as_json() for one in tried if one.done is not None],
        "failed": [{"app": one.lack.missed.app, "error": one.failure.as_json()} for one in tried if one.failure is not None],
        "next": left,
    }


def _missed_json(one: deployments.Deployment) -> dict[str, Any]:
    names = ("deployment", "verb", "app", "version", "release", "destination", "started", "result")
    return {name: getattr(one, name) or None for name in names}
