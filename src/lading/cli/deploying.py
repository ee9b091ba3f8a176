"""Verbs that change hosts, and their rehearsals: plan, bundle, deploy, rollback, remove, repair, resume."""

import os
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from lading import canonical, errors, settings, spans
from lading import context as contexts
from lading import found as finding
from lading.bootstrap import LedgerUse
from lading.cli import completing, options, progress, prompts, render, render_plan, session, terminal
from lading.deploy import adopt as adopting
from lading.deploy import approval, bundling, by_hand, ended, resolution, takeover
from lading.deploy import deploy as deployment
from lading.deploy import remove as removing
from lading.deploy import repair as repairing
from lading.deploy import restart as restarting
from lading.deploy import rollback as going_back
from lading.deploy.request import Request
from lading.plan import steps
from lading.transport import command


def file_options(command: Callable[..., Any], *, named: bool = True) -> Callable[..., Any]:
    """The options that say which app in which version; *named*: its name among them."""
    for option in reversed([
        click.option("-C", "--project-directory", default=".", type=click.Path(path_type=Path), help="The app's folder."),
        click.option("-f", "files", multiple=True, metavar="FILE", help="Compose file; several in their order."),
        *([click.option("--app", default="", metavar="NAME", help="The app's name, if the file has no name:.")] if named else []),
        click.option("--version", "version", default="", metavar="V", shell_complete=completing.versions, help="The version (else VERSION in the environment, else the Git tag of a clean tree)."),
        click.option("--allow-dirty", is_flag=True, help="Take the Git tag as the version, though files differ from it."),
        click.option("-e", "overrides", multiple=True, metavar="KEY=VALUE", help="A variable of the Compose file."),
        click.option("--profile", "profiles", multiple=True, metavar="NAME", help="Start the services of this profile too; repeat it for several."),
    ]):
        command = option(command)
    return command


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Those, and whose files count."""
    command = click.option("--require-matching-source", is_flag=True, help="Refuse if they differ, or if nothing tells.")(command)
    command = click.option(
        "--source", type=click.Choice(["image", "worktree"]), default="image",
        help="Whose files count if they differ: of the commit that the image was built from, or those here.")(command)
    return file_options(command)


def plan_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How the plan of a change is answered and shown, and how a lease is taken."""
    for option in reversed([
        options.yes_option,
        options.plan_option,
        options.json_option,
        click.option("--dry-run", is_flag=True, help="Only show the plan."),
        options.reason_option,
        options.take_option,
    ]):
        command = option(command)
    return command


VERSION_LIKE = re.compile(r"v?[0-9]")


def _named(_ctx: click.Context, _param: click.Parameter, name: str) -> str:
    """The app; what no app can be called, and looks like a version, was meant as one.

    Raises:
        InputError: no app can be called so.
    """
    if VERSION_LIKE.match(name) and not command.APP.fullmatch(name):
        raise errors.InputError(f"an app cannot be called {name[:128]!r}; the version is an option", f"--version {name[:128]}")
    return options.check_app(name)


named_argument = click.argument("named", metavar="[APP]", default="", callback=_named, shell_complete=completing.apps)
"""The app that is meant: the files must be of that one."""


def asked(project_directory: Path, to: tuple[str, ...], files: tuple[str, ...], app: str, version: str,
          overrides: tuple[str, ...], **more: Any) -> Request:
    """The request that the options make.

    Raises:
        InputError: an -e is no KEY=VALUE.
    """
    pairs = {}
    for pair in overrides:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise errors.InputError(f"-e {pair!r} is not KEY=VALUE", "-e KEY=VALUE")
        pairs[name] = value
    return Request(project_directory, to, files, app, version, pairs, **more)


@click.command()
@named_argument
@source_options
@options.to_option
@click.option("--refresh", is_flag=True, help="Look up the digest of every tag anew.")
@click.option("--require-immutable", is_flag=True, help="Refuse moving tags such as latest.")
@options.push_images_option
@click.option("--take-over", is_flag=True, help="The app belongs to this source and destination from now on.")
@options.json_option
@options.verbose_option
@click.pass_obj
def plan(config: str, /, as_json: bool, **words: Any) -> int:
    """Show what deploy would do; nothing is changed, no lease is taken."""
    request = asked(**words)

    async def work() -> int:
        async with session.opened(config, request.directory, use=LedgerUse.ASKED) as context:
            return shown(context, await deployment.plan(context, request), as_json)

    return session.run(work())


def shown(context: contexts.Context, made: steps.Plan, as_json: bool) -> int:
    """Show a plan, and keep it, so that it can be told what is different later; the exit code."""
    approval.keep(context.environment, made)
    if as_json:
        render.document("plan", made.as_json())
        return 0
    render_plan.plan(made)
    if not made.unfinished and not sys.stdout.isatty():
        render.line(made.hash)  # the result, for the program that will approve it
    return 0


@click.command()
@named_argument
@source_options
@options.to_option
@options.yes_option
@options.plan_option
@options.json_option
@click.option("--dry-run", is_flag=True, help="The same as lading plan.")
@options.reason_option
@click.option("--refresh", is_flag=True, help="Look up the digest of every tag anew.")
@click.option("--require-immutable", is_flag=True, help="Refuse moving tags such as latest.")
@options.push_images_option
@options.take_option
@options.wait_option
@click.option("--take-over", is_flag=True, help="The app belongs to this source and destination from now on.")
@click.option("--accept-host", "accepted", multiple=True, metavar="HOST", shell_complete=completing.hosts,
              help="Put this host right, though it contradicts the ledger; repeat it for several.")
@options.verbose_option
@click.pass_context
def deploy(ctx: click.Context, /, yes: bool, approved: str, as_json: bool, dry_run: bool, reason: str, take_lease: bool,
           patience: float, accepted: tuple[str, ...], **words: Any) -> int:
    """Bring an app to a version on a destination: all hosts or none."""
    _one_of(dry_run, approved)
    if dry_run:
        code: int = ctx.invoke(plan, as_json=as_json, **words)
        return code
    answer = prompts.Answer(yes, approved)
    request = asked(reason=reason, take_lease=take_lease, accepted=accepted, **words)
    _must_answer(ctx.obj, answer, request)
    question = "Deploy {plan.app} {plan.version} to {plan.destination} ({hosts} hosts)?"
    return change(
        ctx.obj, request.directory, answer, as_json, question, lambda c: deployment.deploy(c, request), patience=patience)


def _must_answer(config: str, answer: prompts.Answer, request: Request) -> None:
    """As `prompts.must_answer`, but that there is no version is said first: with --yes it would be the next refusal.

    Raises:
        ComposeError: there is no version.
        NotConfirmedError: as `prompts.must_answer`, also where nobody can tell, such as without a fleet file.
    """
    if not answer.given and not prompts.interactive() and (lack := _lacking_version(config, request)):
        raise lack
    prompts.must_answer(answer.given, planned=True)


def _lacking_version(config: str, request: Request) -> errors.ComposeError | None:
    """The refusal of a project without a version; None where it has one, or cannot be read so far."""
    try:
        return resolution.lacking_version(finding.fleet(os.environ, request.directory, config), os.environ, request)
    except errors.LadingError:
        return None


def _one_of(dry_run: bool, approved: str) -> None:
    """Refuse a rehearsal of an approved plan: it would seem to have been compared.

    Raises:
        InputError: both were given.
    """
    if dry_run and approved:
        raise errors.InputError(
            "--dry-run shows the plan as it is now, --plan carries one out that was approved",
            "name one; whether a plan still is what was approved: compare the hash that --dry-run prints")


def change(
    config: str, directory: Path, answer: prompts.Answer, as_json: bool, question: str,
    act: Callable[[contexts.Context], Awaitable[ended.Ended]], *, patience: float = 0.0,
    busy: Callable[[], bool] = lambda: False, more: Mapping[str, Any] | None = None,
) -> int:
    """Do what changes hosts, shown as it happens and at its end; the exit code.

    *busy*: whether *act* works on something that is no deployment yet, and that a stop has to end in order. *more*: besides,
    in the JSON document; *act* may fill it.
    """
    async def work() -> int:
        verbose = session.verbose()
        lines = progress.Progress(live=prompts.interactive() and not as_json and not verbose, verbose=verbose)
        begun = partial(_any_of, lambda: lines.begun, busy)
        async with session.opened(config, directory, use=LedgerUse.WRITTEN, begun=begun) as context:
            confirm = prompts.confirmer(answer, question, partial(_look_at, context))
            with session.noted(context), lines:
                done = await act(session.changed(
                    context, on_event=lines.event, trace=lines.telling, confirm=lines.paused(confirm),
                    approved=answer.approved, patience=patience, say=terminal.err))
        return finish(done, as_json, more)

    return session.run(work())


def _any_of(*questions: Callable[[], bool]) -> bool:
    return any(question() for question in questions)


def _look_at(context: contexts.Context, made: steps.Plan) -> None:
    """Show a plan on which somebody is to decide, and keep it: its hash may be the answer."""
    approval.keep(context.environment, made)
    render_plan.plan(made)


def finish(done: ended.Ended, as_json: bool, more: Mapping[str, Any] | None = None) -> int:
    """Show how it ended (*more*: besides, in the JSON document); the exit code."""
    render.document("deployment", {**done.as_json(), **(more or {})}) if as_json else render_plan.ended(done)
    if done.report.overtaken:
        return errors.LeaseHeldError.exit_code
    return 0 if done.reached or done.report.outcome.is_good else 5


@click.command()
@options.app_argument
@partial(file_options, named=False)
@options.to_option
@options.yes_option
@options.plan_option
@options.json_option
@click.option("--dry-run", is_flag=True, help="Only show what differs.")
@options.reason_option
@options.take_option
@options.verbose_option
@click.pass_obj
def adopt(config: str, /, app: str, yes: bool, approved: str, as_json: bool, dry_run: bool, **words: Any) -> int:
    """Take over a running Compose project: compare it with the file, show what differs, record it; nothing is recreated."""
    request = asked(app=app, **words)

    async def look() -> int:
        async with session.opened(config, request.directory, use=LedgerUse.ASKED) as context:
            return shown(context, await adopting.plan(context, request), as_json)

    _one_of(dry_run, approved)
    if dry_run:
        return session.run(look())
    answer = prompts.Answer(yes, approved)
    prompts.must_answer(answer.given, planned=True)
    question = "Adopt {plan.app} as {plan.version} on {plan.destination} ({hosts} hosts)? No container is touched."
    return change(config, request.directory, answer, as_json, question, lambda c: adopting.adopt(c, request))


@click.command()
@options.app_argument
@options.to_option
@click.option("--release", default="", metavar="ID", shell_complete=completing.releases,
              help="A kept release (id or version) instead of the previous one.")
@plan_options
@options.wait_option
@options.verbose_option
@click.pass_obj
def rollback(
    config: str, /, *, app: str, to: tuple[str, ...], release: str, reason: str, take_lease: bool, patience: float,
    **typed: Any,
) -> int:
    """Go back to the previous or any kept release: whole, without registry or ledger."""
    return _plan_or_change(
        config, "Roll {plan.app} back to {plan.version} on {plan.destination} ({hosts} hosts)?",
        lambda c: going_back.plan(c, app, to, release=release),
        lambda c: going_back.rollback(c, app, to, release=release, reason=reason, take_lease=take_lease),
        patience=patience, **typed)


@click.command()
@click.argument("target", metavar="APP[/SERVICE]", shell_complete=completing.targets)
@options.to_option
@plan_options
@options.wait_option
@options.verbose_option
@click.pass_obj
def restart(
    config: str, /, *, target: str, to: tuple[str, ...], reason: str, take_lease: bool, patience: float, **typed: Any
) -> int:
    """New containers of the release that runs, for a whole app or one service: in batches, waited for, undone if one gets sick."""
    app, services = _meant(target)
    return _plan_or_change(
        config, "Restart {plan.app} {plan.version} on {plan.destination} ({hosts} hosts)?",
        lambda c: restarting.plan(c, app, services, to),
        lambda c: restarting.restart(c, app, services, to, reason=reason, take_lease=take_lease),
        patience=patience, **typed)


@click.command()
@click.argument("target", metavar="APP[/SERVICE]", shell_complete=completing.targets)
@options.to_option
@plan_options
@options.wait_option
@options.verbose_option
@click.pass_obj
def stop(config: str, /, *, target: str, **typed: Any) -> int:
    """Stop an app or one service: its containers go, volumes stay; until start, or the next deploy or rollback."""
    return _in_other_numbers(config, by_hand.Wish("stop", *_meant(target)), **typed)


@click.command()
@click.argument("target", metavar="APP[/SERVICE]", shell_complete=completing.targets)
@options.to_option
@plan_options
@options.wait_option
@options.verbose_option
@click.pass_obj
def start(config: str, /, *, target: str, **typed: Any) -> int:
    """Start what was stopped by hand, or is down by itself; a service that is named runs in the number that its release says."""
    return _in_other_numbers(config, by_hand.Wish("start", *_meant(target)), **typed)


@click.command()
@click.argument("target", metavar="APP/SERVICE=N", shell_complete=completing.targets)
@options.to_option
@plan_options
@options.wait_option
@options.verbose_option
@click.pass_obj
def scale(config: str, /, *, target: str, **typed: Any) -> int:
    """Run N containers of a service on each host, until the next deploy or rollback says otherwise."""
    return _in_other_numbers(config, by_hand.read_scale(target), **typed)


def _in_other_numbers(
    config: str, wish: by_hand.Wish, *, to: tuple[str, ...], reason: str, take_lease: bool, patience: float, **typed: Any
) -> int:
    """Stop, start or scale, as the wish says."""
    options.check_app(wish.app)
    question = wish.verb.capitalize() + " {plan.app} {plan.version} on {plan.destination} as planned ({hosts} hosts)?"
    return _plan_or_change(
        config, question,
        lambda c: by_hand.plan(c, wish, to),
        lambda c: by_hand.carry_out(c, wish, to, reason=reason, take_lease=take_lease),
        patience=patience, **typed)


def _meant(target: str) -> tuple[str, tuple[str, ...]]:
    """APP or APP/SERVICE: the app, and which of its services; () = all.

    Raises:
        InputError: it is neither. `shop/`, of a script whose variable is empty, is not the whole app.
    """
    app, slash, service = target.partition("/")
    if not app or (slash and not service):
        raise errors.InputError(f"{target[:128]!r} is not APP or APP/SERVICE", "such as shop or shop/web; what there is: lading where")
    return options.check_app(app), (service,) if service else ()


def _plan_or_change(
    config: str, question: str, plan_of: Callable[[contexts.Context], Awaitable[steps.Plan]],
    act: Callable[[contexts.Context], Awaitable[ended.Ended]], *, yes: bool, approved: str, as_json: bool, dry_run: bool,
    patience: float = 0.0,
) -> int:
    """With --dry-run show what a verb on a deployed app would do, without a lease; else do it, once it was answered."""
    _one_of(dry_run, approved)
    if not dry_run:
        answer = prompts.Answer(yes, approved)
        prompts.must_answer(answer.given, planned=True)
        return change(config, Path(), answer, as_json, question, act, patience=patience)

    async def work() -> int:
        async with session.opened(config, use=LedgerUse.ASKED) as context:
            return shown(context, await plan_of(context), as_json)

    return session.run(work())


@click.command()
@options.app_argument
@options.to_option
@click.option("--volumes", is_flag=True, help="Remove its volumes and host data too, also volumes that an earlier removal left.")
@click.option("--keep-running", is_flag=True, help="Only lading's files go; containers, networks and data stay.")
@plan_options
@options.wait_option
@options.verbose_option
@click.pass_obj
def remove(
    config: str, /, *, app: str, to: tuple[str, ...], volumes: bool, keep_running: bool, reason: str, take_lease: bool,
    patience: float, **typed: Any,
) -> int:
    """Remove an app from hosts; its volumes and data stay unless --volumes."""
    if volumes and keep_running:
        raise errors.InputError("--volumes and --keep-running exclude each other", "name one")
    question = "Remove {plan.app} from {plan.destination} ({hosts} hosts)?"
    if volumes:
        question = "Remove {plan.app} from {plan.destination} ({hosts} hosts), and its volumes with all their data?"
    if keep_running:
        question = "Give {plan.app} back on {plan.destination} ({hosts} hosts), its containers running?"
    return _plan_or_change(
        config, question,
        lambda c: removing.plan(c, app, to, volumes=volumes, keep_running=keep_running),
        lambda c: removing.remove(
            c, app, to, volumes=volumes, keep_running=keep_running, reason=reason, take_lease=take_lease),
        patience=patience, **typed)


@click.command()
@click.argument("host", shell_complete=completing.hosts)
@options.app_argument
@plan_options
@options.verbose_option
@click.pass_obj
def repair(config: str, /, *, host: str, app: str, reason: str, take_lease: bool, **typed: Any) -> int:
    """Write anew what lading keeps of an app on a host and is damaged or gone: from the ledger, and from what the host has.

    No container is touched. What cannot be rebuilt is said.
    """
    return _plan_or_change(
        config, "Write what lading keeps of {plan.app} on {plan.destination} anew? No container is touched.",
        lambda c: repairing.plan(c, host, app),
        lambda c: repairing.repair(c, host, app, reason=reason, take_lease=take_lease), **typed)


@click.command()
@options.maybe_app_argument
@options.to_option
@click.option("--continue", "forward", is_flag=True, help="Decide what is in doubt: it was committed.")
@click.option("--undo", "back", is_flag=True, help="Decide what is in doubt: it was not.")
@click.option("--lost", multiple=True, metavar="HOST", shell_complete=completing.hosts,
              help="Decide without this host, which is given up for lost.")
@options.take_option
@click.option("--yes", is_flag=True, expose_value=False, help="Accepted so that scripts can always give it: resume asks no question anyway.")
@options.json_option
@options.verbose_option
@click.pass_obj
def resume(
    config: str, app: str, to: tuple[str, ...], forward: bool, back: bool, lost: tuple[str, ...], take_lease: bool,
    as_json: bool,
) -> int:
    """Finish or undo what another run left open, from the hosts' own records; without --to on every host.

    "Nothing is open" is said, with exit code 0, only when all hosts that were asked have answered; else 6 and their names.
    """
    if forward and back:
        raise errors.InputError("--continue and --undo exclude each other", "name one")
    if lost and not (forward or back):
        raise errors.InputError("--lost says which hosts are given up, not what becomes of the others", "add --continue or --undo")
    wish = takeover.Wish("continue" if forward else "undo" if back else "", lost, override=take_lease)

    async def work() -> int:
        lines = progress.Progress(live=False, verbose=session.verbose())
        async with session.opened(config, use=LedgerUse.WRITTEN, begun=lambda: lines.begun) as context:
            asked = await takeover.to_ask(context, to)
            terminal.err(f"asking {', '.join(spans.packed([host.name for host in asked]))} what is open")
            with session.noted(context), lines:
                told = session.changed(context, on_event=lines.event, trace=lines.telling)
                found = await takeover.resume(told, app, to=to, wish=wish)
        if not found.ended:
            contexts.check_answered(found.silent, "whether something is open")
        _resumed(found, as_json)
        good = ("succeeded", "unchanged", "rolled_back", "failed")  # failed: undone before any host was changed
        if not all(one.result in good for one in found.ended):
            return 5
        return session.answered(found.silent)

    return session.run(work())


def _resumed(found: takeover.Resumed, as_json: bool) -> None:
    if as_json:
        render.document("resume", [one.as_json() for one in found.ended])
        return
    for one in found.ended:
        render_plan.ended(one)
    if not found.ended:
        render.line(f"nothing is open on {', '.join(spans.packed(found.asked))}")


@click.command()
@source_options
@click.option("--to", multiple=True, metavar="DEST", help="Take this destination's variables.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A new folder, or a .tar file.")
@click.option("--no-digests", is_flag=True, help="Ask no registry; images keep their tags.")
@options.json_option
@click.pass_obj
def bundle(config: str, /, output: Path, no_digests: bool, as_json: bool, **words: Any) -> int:
    """Write what a deployment would upload, without secrets, to look at."""
    request = asked(**words)
    needed = bool(request.to) or not no_digests
    fleet = finding.fleet(os.environ, request.directory, config) if needed else _fleet_if_any(config, request.directory)
    made = session.run(bundling.write(request, dict(os.environ), fleet, output, digests=not no_digests))
    if as_json:
        render.document("bundle", made)
    else:
        render.line(f"{made['app']} release {canonical.short(made['release'])}: {len(made['files'])} files in {output}")
    return 0


def _fleet_if_any(config: str, directory: Path) -> settings.Settings | None:
    """The fleet file for its `pass_env`, where it may be read at all; without one nothing of the environment is passed on."""
    try:
        return finding.fleet_if_any(os.environ, directory, config)
    except errors.NotAllowedError:
        return None
