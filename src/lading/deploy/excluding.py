"""Exclude a host from what is deployed, and include it again: recorded, and brought up to date from the files at hand."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lading import canonical, errors, events, state
from lading import context as contexts
from lading.compose import complaints, restore
from lading.compose.sent import is_sent
from lading.dataclass import dataclass
from lading.deploy import deploy, ended, resolution
from lading.deploy.request import Request
from lading.drivers import wants
from lading.drivers.shell import observe
from lading.inventory import hosts
from lading.ledger import deployments, ledger
from lading.placement import exclusion
from lading.plan import steps
from lading.transport import command


@dataclass(frozen=True, slots=True)
class Excluded:
    """How a host is excluded now, and whether that *is_new*.

    *open*: deployments that may not have ended on it; *alone*: destinations that have no other host left.
    """

    exclusion: exclusion.Exclusion
    is_new: bool
    open: tuple[deployments.Deployment, ...]
    alone: tuple[str, ...]


async def exclude(context: contexts.Context, host: str, reason: str) -> Excluded:
    """Exclude a host; one that is excluded already stays so, as it was recorded. No host is asked.

    Raises:
        InputError: there is no such host.
        LedgerError: it cannot be recorded; nothing was changed.
    """
    _check_host(context.settings.inventory, host)
    kept = _ledger(context)
    now, is_new = await kept.exclude(events.HostExcluded(
        "", host, place=context.place_of(host), reason=reason, actor=context.actor, url=context.url, ran_by=context.ran_by))
    everybody = await context.excluded()
    places = context.settings.inventory.destinations.values()
    alone = tuple(one.name for one in places if host in one.hosts and everybody.keys() >= set(one.hosts))
    return Excluded(now, is_new, await kept.unended(host), alone)


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that a host has missed, and has not; *command*: what brings it up to date.

    *why*: why lading does not do that itself, or what to mind; "" = it may, by a deployment to this host.
    """

    missed: deployments.Deployment
    command: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Returning:
    """An excluded host that answers: how it is excluded, the deployments that it has missed, and what it lacks.

    *current*: app → what is deployed there; *open*: app → the deployment that has not ended there.
    """

    exclusion: exclusion.Exclusion
    missed: tuple[deployments.Deployment, ...]
    lacks: tuple[Lack, ...]
    current: Mapping[str, state.Current]
    open: Mapping[str, str]


async def look(context: contexts.Context, host: str) -> Returning | None:
    """What including a host would mean; None: it is not excluded. Only an excluded host is asked.

    Raises:
        InputError: there is no such host.
        UnreachableError: it does not answer.
        LedgerError: nobody can say whether it is excluded.
    """
    inventory = context.settings.inventory
    _check_host(inventory, host)
    kept = _ledger(context)
    one = (await context.excluded()).get(host)
    if one is None:
        context.notes.extend(_namesakes(host, context.place_of(host), await kept.excluded()))
        return None
    seen = await observe.fleet(
        context.transport, [inventory.hosts[host]], state_dir=context.settings.state_dir, engines=context.engines, facts=False,
        want=wants.RECORDS)
    for why in seen.silent.values():
        raise errors.UnreachableError(f"{host} stays excluded: {why}", f"lading check {host}", host=host, step="observe")
    there = seen.hosts[host].apps
    current = {name: app.current for name, app in there.items() if app.current is not None}
    left = {name: app.open.begun.deployment for name, app in there.items() if app.open is not None}
    return await _returning(context, one, (await kept.missed({host: one}))[host], current, left)


def _namesakes(host: str, place: str, excluded: Sequence[exclusion.Exclusion]) -> list[str]:
    """The excluded hosts of the same name elsewhere: another fleet file's, or this one before it was moved (pure)."""
    return [f"{host} at {place} is another host for the ledger than the {host} at {one.place}, which is {one.words}"
            for one in excluded if one.host == host]


async def _returning(
    context: contexts.Context, one: exclusion.Exclusion, missed: Sequence[deployments.Deployment],
    current: Mapping[str, state.Current], left: Mapping[str, str],
) -> Returning:
    sent = await _sent(_ledger(context), {lack.release for lack in deployments.behind(missed)})
    found = lacks(context.settings.inventory, one.host, missed, current, sent)
    return Returning(one, tuple(missed), found, current, left)


async def _sent(kept: ledger.Ledger, ids: Collection[str]) -> frozenset[str]:
    """Those of the releases that have images which were sent, as far as this ledger keeps them."""
    found = {id: await kept.release(id) for id in ids}
    made = {id: restore.from_bytes(content) for id, content in found.items() if content is not None}
    return frozenset(id for id, one in made.items() if any(map(is_sent, (spec.image for spec in one.services.values()))))


def lacks(
    inventory: hosts.Inventory, host: str, missed: Sequence[deployments.Deployment],
    current: Mapping[str, state.Current], sent: Collection[str] = (),
) -> tuple[Lack, ...]:
    """What a host lacks of what it has missed; *current*: app → what is deployed there; *sent*: releases with images that were sent (pure)."""
    behind = deployments.behind(missed)
    found: list[Lack] = []
    for one in behind:
        there = current.get(one.app)
        is_by_hand = one.verb in deployments.BY_HAND
        stays = not (is_by_hand and any(lack.missed.app == one.app and lack.missed.verb in deployments.NEWS for lack in found))
        if _has(one, there if stays else None):
            continue
        lack = _lack(inventory, host, one, there, sent)
        if not lack.why and _stopped(behind, one):
            lack = replace(lack, why="it starts what was stopped or scaled there by hand since")
        found.append(lack)
    return tuple(found)


def _has(one: deployments.Deployment, there: state.Current | None) -> bool:
    """Whether what was missed is there all the same."""
    if one.verb == "remove":
        return there is None
    if one.verb not in deployments.BY_HAND:
        return there is not None and canonical.is_named(one.release, there.release)
    known = there.by_hand if there is not None else {}
    return bool(one.by_hand) and all(known.get(name) == count for name, count in one.by_hand.items())


def _stopped(behind: Sequence[deployments.Deployment], one: deployments.Deployment) -> bool:
    """Whether something of an app was stopped or scaled by hand since."""
    return any(other.app == one.app and None not in other.by_hand.values() for other in behind if other.verb in deployments.BY_HAND)


def _lack(
    inventory: hosts.Inventory, host: str, one: deployments.Deployment, there: state.Current | None, sent: Collection[str]
) -> Lack:
    """The command for what a host lacks."""
    if one.result in deployments.UNSURE:
        return Lack(one, f"lading resume {one.app}", f"{one.deployment} is not ended")
    place, why = _way(inventory, host, one, there)
    if one.verb == "remove":
        typed = command.join(["lading", "remove", one.app, "--to", place])
        return Lack(one, typed, why or "what is removed is not removed unasked")
    if one.verb in deployments.BY_HAND:
        typed = command.join(["lading", *_by_hand(one), "--to", place])
        return Lack(one, typed, why or "what is stopped, started or scaled by hand is done by hand")
    words = ["lading", "deploy", one.app, "--version", one.version, "--to", place]
    if one.release in sent:
        return Lack(one, command.join([*words, "--push-images"]), why or "it has images that were sent from the machine that has them")
    return Lack(one, command.join(words), why)


def _by_hand(one: deployments.Deployment) -> tuple[str, str]:
    """The verb and what it is about, as it is typed."""
    for service, count in one.by_hand.items():
        what = f"{one.app}/{service}"
        return ("start", what) if count is None else ("scale", f"{what}={count}") if count else ("stop", what)
    return one.verb, one.app


def _way(
    inventory: hosts.Inventory, host: str, one: deployments.Deployment, there: state.Current | None
) -> tuple[str, str]:
    """What `--to` says for this host alone; else for more, and why.

    The name of a host in several destinations means the one that is recorded there for the app.
    """
    places = [place.name for place in inventory.destinations.values() if host in place.hosts]
    recorded = there.destination if there is not None else ""
    if len(places) <= 1 or (recorded in places and one.destination not in {*places} - {recorded}):
        return host, ""
    return one.destination, f"{host} is in several destinations, and none or another is recorded there: this goes to all of it"


async def include(context: contexts.Context, found: Returning, reason: str) -> Returning | None:
    """Include a host that was looked at; with what it has missed until now, since somebody may have deployed after the look.

    None: it is not excluded any more.

    Raises:
        LedgerError: it cannot be recorded; nothing was changed.
    """
    host = found.exclusion.host
    missed = await _ledger(context).include(events.HostIncluded(
        "", host, place=context.place_of(host), reason=reason, actor=context.actor, url=context.url, ran_by=context.ran_by))
    if missed is None:
        return None
    return await _returning(context, found.exclusion, missed, found.current, found.open)


@dataclass(frozen=True, slots=True)
class Tried:
    """How bringing a host up to date ended; *failure*: why it did not begin."""

    lack: Lack
    done: ended.Ended | None = None
    failure: errors.LadingError | None = None

    @property
    def is_good(self) -> bool:
        """Whether the host has what it lacked."""
        return self.done is not None and self.done.report.outcome.is_good


async def catch_up(context: contexts.Context, directory: Path, host: str, lack: Lack) -> Tried | None:
    """Deploy what a host lacks, to it alone, if the files in *directory* are that app's and give that release; None: they are
    another's, or a person has to decide (`Lack.why`).
    """
    request = Request(directory, (host,), version=lack.missed.version, reason=f"{host} is included again")
    if lack.why or _app_of(context, request) != lack.missed.app:
        return None
    before = context.confirm

    def confirm(plan: steps.Plan) -> bool:
        check_same(lack.missed, plan)
        return before(plan)

    try:
        return Tried(lack, await deploy.deploy(replace(context, confirm=confirm), request))
    except errors.LadingError as failed:  # the host is included all the same: how this ended is told beside that
        return Tried(lack, failure=failed)


def _app_of(context: contexts.Context, request: Request) -> str:
    """The name of the app whose files these are; "" if they are no app's."""
    try:
        destination, _ = context.settings.inventory.choose_ruled(request.to)
        return resolution.find_files(context.environment, request, destination, context.settings).name
    except errors.LadingError:
        return ""


def check_same(missed: deployments.Deployment, plan: steps.Plan) -> None:
    """Refuse a plan of another release than the one that was missed (pure).

    Raises:
        RefusedError: it is one.
    """
    if canonical.is_named(missed.release, plan.release):
        return
    raise errors.RefusedError(
        f"the files here make release {canonical.short(plan.release)} of {plan.app} {plan.version}, but what was deployed to "
        f"{missed.destination} is {canonical.short(missed.release)}: they, a tag, a variable or an option (-f, -e, --profile) are not as they were then",
        f"to bring all hosts to this one: lading deploy {plan.app} --version {command.quote(plan.version)} "
        f"--to {command.quote(missed.destination)}")


def _check_host(inventory: hosts.Inventory, name: str) -> None:
    """Refuse what is no host.

    Raises:
        InputError: it is none.
    """
    if name in inventory.hosts:
        return
    if name in inventory.names():
        raise errors.InputError(f"{name} is no single host: one is excluded at a time", "lading hosts list")
    raise errors.InputError(
        f"there is no host called {name!r}", complaints.nearest(name, list(inventory.hosts)) or "lading hosts list")


def _ledger(context: contexts.Context) -> ledger.Ledger:
    assert context.ledger is not None, "whoever excludes and includes is given a ledger"
    return context.ledger
