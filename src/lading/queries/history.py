"""Questions about what was: history, show, verify, rebuild; the ledger, and what the hosts' journals tell."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from lading import canonical, errors, loading, state
from lading import context as contexts
from lading.compose import complaints
from lading.dataclass import dataclass
from lading.drivers import wants
from lading.inventory import hosts
from lading.ledger import chain, contradictions, deployments, evidence, ledger
from lading.placement import exclusion
from lading.state import damage, journal

LEASE_SECONDS = 30  # that a host gives a lease at once: scripts/lib/lease.sh
SHOWN = 50  # deployments of a list that was made anew, newest first
NAMES = 10_000  # deployments in which the right name of an app is looked for


@dataclass(frozen=True, slots=True)
class History:
    """Deployments, newest first; *elsewhere*: how many of them this ledger only knows from hosts.

    *unreachable*: hosts that could not be read, and why; *crowded*: hosts that told of so much that no more is taken;
    *excluded*: hosts that were not asked.
    """

    rows: tuple[deployments.Deployment, ...]
    elsewhere: int
    unreachable: Mapping[str, str]
    crowded: tuple[str, ...] = ()
    excluded: tuple[exclusion.Exclusion, ...] = ()


async def history(
    context: contexts.Context, app: str = "", *, to: Sequence[str] = (), limit: int = 50, offline: bool = False
) -> History:
    """What was done, here and elsewhere: the ledger, and the journals of the hosts that answer; hosts that were excluded.

    Raises:
        LedgerError: the ledger cannot be used.
        UnknownReleaseError: nobody knows the app: not the ledger, and no host, all of which answer if they were asked.
    """
    kept = _ledger(context)
    seen, left = state.FleetState({}), list[exclusion.Exclusion]()
    if not offline:
        asked, excluded = await context.to_look_at(to)
        left = [one for name, one in excluded.items() if name not in {host.name for host in asked}]
        seen = await _read(context, app, asked)
        await kept.take(deployments.from_journals(seen))
    silent = seen.untold
    rows = await _as_seen(kept, await kept.history(app, limit), seen)
    if app and not rows and not silent and limit > 0:
        known = sorted({one.app for one in await kept.history(limit=NAMES)})
        hint = complaints.nearest(app, known) or f"apps: {', '.join(known) or 'none'}"
        raise errors.UnknownReleaseError(f"nothing is known of an app {app}", hint)
    whole = deployments.together(rows, await _of_hosts(kept, app, rows), limit)
    return History(whole, sum(1 for row in whole if row.origin), silent, await kept.crowded(), tuple(left))


async def _of_hosts(
    kept: ledger.Ledger, app: str, rows: Sequence[deployments.Deployment]
) -> list[deployments.Deployment]:
    """The exclusions and inclusions of hosts; with an *app* only of those that its deployments name."""
    concerned = {name for row in rows for name in (*row.hosts, *row.excluded)}
    return [one for one in await kept.exclusions() if not app or concerned & one.hosts.keys()]


async def _as_seen(
    kept: ledger.Ledger, rows: Sequence[deployments.Deployment], seen: state.FleetState
) -> tuple[deployments.Deployment, ...]:
    """The rows as they stand after a look at hosts; what only this look tells is not kept."""
    if not seen.hosts:
        return tuple(rows)
    lately = datetime.now(UTC) - timedelta(seconds=LEASE_SECONDS)
    found = []
    for row in deployments.unheard(rows, seen):
        is_over = row.started < lately.strftime("%Y-%m-%dT%H:%M:%SZ")
        if is_over and deployments.begun_nowhere(row, seen) and not await _saw_begin(kept, row):
            row = deployments.not_begun(row)
        found.append(row)
    return tuple(found)


async def _saw_begin(kept: ledger.Ledger, row: deployments.Deployment) -> bool:
    """Whether this ledger saw it begin on a host, whatever hosts tell now."""
    stored = await kept.events(row.deployment)
    return deployments.saw_begin(one.event for one in stored)


Evidence = tuple[evidence.Named, tuple[str, ...] | None]
"""What failed, with its last lines; None where they are not kept."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One deployment: its events if it was made here, what hosts' journals tell if not; *images* by service, if known.

    *evidence*: the last lines of what failed, None where the ledger does not keep them.
    """

    row: deployments.Deployment
    events: tuple[deployments.Stored, ...]
    journal: tuple[tuple[str, journal.Record], ...]
    images: Mapping[str, str]
    unreachable: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()


async def show_known(context: contexts.Context, prefix: str) -> Shown | None:
    """One deployment by its id or the beginning of it, if this ledger knows how it ended; no host is asked."""
    kept = _ledger(context)
    row = await kept.deployment(prefix)
    if row is None or row.origin or not row.ended:
        return None
    return await _shown(kept, row)


async def show(context: contexts.Context, prefix: str) -> Shown:
    """One deployment by its id or the beginning of it; the hosts are asked only if the ledger does not know its end.

    Raises:
        UnknownReleaseError: neither the ledger nor a host that answers knows it, or several begin so.
    """
    known = await show_known(context, prefix)
    if known is not None:
        return known
    kept = _ledger(context)
    row = await kept.deployment(prefix)
    seen, silent = await _look(context, row.app if row else "", ())
    await _remember(kept, seen)
    row = await kept.deployment(prefix)
    if row is None:
        contexts.check_answered(silent, f"whether there is a deployment {prefix}")
        raise errors.UnknownReleaseError(f"neither the ledger nor a host knows a deployment {prefix}", "lading history")
    [row] = await _as_seen(kept, [row], seen)
    return await _shown(kept, row, deployments.told_of(seen, row.deployment), silent)


async def last_lines(
    context: contexts.Context, app: str, prefix: str
) -> tuple[deployments.Deployment, tuple[Evidence, ...]]:
    """A deployment of *app* by the beginning of its id, and the last lines that the ledger keeps of it; no host is asked.

    Raises:
        UnknownReleaseError: the ledger does not know it, or several begin so.
        InputError: it is another app's.
    """
    kept = _ledger(context)
    row = await kept.deployment(prefix)
    if row is None:
        known = [one.deployment for one in await kept.history(app)]
        hint = complaints.nearest(prefix, known)
        raise errors.UnknownReleaseError(
            f"this ledger knows no deployment {prefix}", f"{hint} lading history {app}".strip())
    if row.app != app:
        raise errors.InputError(
            f"deployment {row.deployment} is of {row.app}, not of {app}", f"lading logs {row.app} --deployment {row.deployment}")
    return row, await _evidence(kept, await kept.events(row.deployment))


async def _shown(
    kept: ledger.Ledger, row: deployments.Deployment, told: tuple[tuple[str, journal.Record], ...] = (),
    silent: Mapping[str, str] = MappingProxyType({}),
) -> Shown:
    stored = await kept.events(row.deployment)
    last = await _evidence(kept, stored)
    return Shown(row, stored, told, await _images(kept, row.release), silent, last)


async def _evidence(
    kept: ledger.Ledger, stored: Sequence[deployments.Stored]
) -> tuple[Evidence, ...]:
    """The last lines that events name; None for those that are not kept."""
    named = [one for one in (evidence.of(row.event) for row in stored) if one is not None]
    there = await kept.kept_evidence(*(one.id for one in named)) if named else {}
    return tuple((one, _lines(there.get(one.id))) for one in named)


def _lines(content: bytes | None) -> tuple[str, ...] | None:
    return tuple(content.decode("utf-8", "replace").split("\n")[:-1]) if content is not None else None


async def _images(kept: ledger.Ledger, release: str) -> dict[str, str]:
    content = await kept.release(release)
    if content is None:
        return {}
    with loading.later():  # of all verbs about what was, only `show` reads a release
        from lading.compose import restore
    return {name: spec.image for name, spec in restore.from_bytes(content).services.items()}


@dataclass(frozen=True, slots=True)
class Verified:
    """The state of the ledger: *faults* in words, its head, what hosts attest of it and of other ledgers (writers).

    *imported*: where the chains end that were taken in; they are verified too. *unchecked*: what nobody could compare;
    *contradicting*: hosts that lack the last commit that the ledger saw there, or have it otherwise.
    """

    faults: tuple[str, ...]
    head: chain.Head
    place: str
    attested: tuple[chain.Attested, ...] = ()
    others: tuple[str, ...] = ()
    unreachable: Mapping[str, str] = field(default_factory=dict)
    imported: tuple[chain.Head, ...] = ()
    unchecked: tuple[str, ...] = ()
    contradicting: tuple[contradictions.Contradiction, ...] = ()


ALONE = ("whether the end of the chain was cut off, or all of it written anew, with all that hangs on it: "
         "only hosts can tell: lading ledger verify --hosts")


async def verify(kept: ledger.Ledger) -> Verified:
    """Whether the ledger's rows are as they were written; asks no host, and so cannot see that its end was cut off."""
    heads = await kept.heads()
    return Verified(await kept.verify(), heads[0], kept.place, imported=heads[1:], unchecked=(ALONE, *await _gone(kept)))


async def _gone(kept: ledger.Ledger) -> tuple[str, ...]:
    """Last lines that events name and the ledger does not keep, in words: they may be deleted, so it is no fault."""
    gone = await kept.missing_evidence()
    if not gone.first:
        return ()
    named = [f"{one.what} on {one.host} in {one.deployment}" for one in gone.first]
    more = f" and {gone.others} more" if gone.others else ""
    return (f"the last lines of what failed, which are not kept here (any more): {', '.join(named)}{more}",)


async def verify_with_hosts(context: contexts.Context, to: Sequence[str] = ()) -> Verified:
    """The same, compared with what the hosts' journals attest at each commit: a cut or rewritten ledger is seen."""
    kept = _ledger(context)
    known = await context.commits()
    seen, silent = await _look(context, "", to)
    told, heads = deployments.attested(seen), await kept.heads()
    here = {head.writer for head in heads}
    mine = tuple(one for one in told if one.writer in here)
    others = tuple(sorted({one.writer for one in told} - here))
    declared = await kept.elsewhere()
    lost = [writer for writer in others if writer not in declared and _is_of(context, writer, told)]
    faults = (*await kept.verify(told), *(_lost(writer, told) for writer in lost))
    unchecked = (
        *(_unattested(head, mine) for head in heads if not _is_attested(head, mine)),
        *(_strange(writer, told, writer in declared) for writer in others if writer not in lost),
        *await _gone(kept),
    )
    wrong = tuple(one for app in known for one in contradictions.found(app, seen, known[app]).values())
    return Verified(faults, heads[0], kept.place, mine, others, silent, heads[1:], unchecked, wrong)


def _is_of(context: contexts.Context, writer: str, told: Sequence[chain.Attested]) -> bool:
    """Whether a ledger that hosts attest should be this one: a team has one, and so has a person, or a CI's user.

    A person is user@host; where the actor is what a CI says of whoever started it, the user that it runs as counts.
    """
    if _ledger(context).shared:
        return True
    own = [one for one in told if one.writer == writer]
    if "@" in context.actor:
        return any(one.actor == context.actor for one in own)
    return any(one.ran_by == context.ran_by for one in own)


def _lost(writer: str, told: Sequence[chain.Attested]) -> str:
    return (f"{_commits(writer, told)}, which is not here: this ledger was emptied, written anew or put in its place: "
            "lading ledger import what is left of it, or lading ledger rebuild, which notes that it is lost")


def _strange(writer: str, told: Sequence[chain.Attested], is_declared: bool) -> str:
    why = "declared lost or elsewhere by ledger rebuild" if is_declared else "it is another's, or lost"
    return f"{_commits(writer, told)}, which is not here: {why}"


def _commits(writer: str, told: Sequence[chain.Attested]) -> str:
    """How often, where and by whom hosts attest a ledger."""
    own = [one for one in told if one.writer == writer]
    where = sorted({one.host for one in own})
    who = sorted({one.actor for one in own} - {""})
    by = f" by {', '.join(who[:5])}" if who else ""
    return f"{', '.join(where)} attest {len(own)} commits{by} for a ledger of writer {writer}"


def _is_attested(head: chain.Head, mine: Sequence[chain.Attested]) -> bool:
    return head.seq == 0 or any(one.writer == head.writer and one.seq == head.seq for one in mine)


def _unattested(head: chain.Head, mine: Sequence[chain.Attested]) -> str:
    """The rows after the last that a host knows: nobody sees if they are cut off or written anew."""
    last = max((one.seq for one in mine if one.writer == head.writer and one.seq <= head.seq), default=0)
    since = f"after the last commit that hosts attest (row {last})" if last else "no host attests a commit of it"
    return f"rows {last + 1} to {head.seq} of writer {head.writer}: {since}"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild made: how many deployments, the newest of them, how many of all from hosts, releases kept.

    *lost*: what cannot be had again, in words.
    """

    deployments: int
    history: History
    releases: int
    lost: tuple[str, ...]


async def rebuild(context: contexts.Context) -> Rebuilt:
    """Make the list of deployments anew from the ledger's events and the hosts, and say what is lost."""
    kept = _ledger(context)
    seen, silent = await _look(context, "", ())
    told = deployments.from_journals(seen)
    await kept.rebuild(told)
    await _remember(kept, seen)
    here = {head.writer for head in await kept.heads()}
    gone = sorted({one.writer for one in deployments.attested(seen)} - here)
    await kept.declare_elsewhere(gone, context.ran_by or context.actor)
    rows = await _as_seen(kept, await kept.history(limit=SHOWN), seen)
    total, from_hosts = await kept.count()
    found = History(rows, from_hosts, silent)
    lost = [f"what only the journal of {name} tells: {why}" for name, why in silent.items()]
    if found.elsewhere:
        lost.append(f"of {found.elsewhere} deployments read from hosts: their events one by one, their log lines, how "
                    "long each phase took, refused attempts that reached no host")
        head = await kept.head()
        lost.append(f"their place in a chain: that of this ledger (writer {head.writer}) has {head.seq} rows of its own")
    lost += [f"the chain of writer {writer}, which hosts attest: it is noted as lost or elsewhere" for writer in gone]
    full = sorted(f"{app.app} on {name}" for name, host in seen.hosts.items() for app in host.apps.values()
                  if len(app.journal) >= damage.WINDOW)
    if full:
        lost.append(f"deployments older than the last {damage.WINDOW} journal lines: {', '.join(full)}")
    return Rebuilt(total, found, await kept.count_releases(), tuple(lost))


async def _remember(kept: ledger.Ledger, seen: state.FleetState) -> None:
    """Take over what each host tells of itself: deployments, and the releases that it keeps."""
    await kept.take(deployments.from_journals(seen))
    await kept.keep_told({name: _releases(host) for name, host in seen.hosts.items()})


def _releases(host: state.HostState) -> list[bytes]:
    """The canonical bytes of the releases that a host keeps under a name that is theirs."""
    found = [(name, canonical.form(raw)) for app in host.apps.values() for name, raw in app.releases.items()]
    return [content for name, content in found if canonical.is_named(name, ledger.release_id(content))]


async def _look(
    context: contexts.Context, app: str, to: Sequence[str]
) -> tuple[state.FleetState, dict[str, str]]:
    """What hosts tell; those that have told nothing, and why: an excluded one is not asked, unless it is named itself."""
    asked, excluded = await context.to_look_at(to)
    seen = await _read(context, app, asked)
    left = {name: f"it was not asked, for it is {one.words}" for name, one in excluded.items() if name not in seen.hosts}
    return seen, {**seen.untold, **left}


async def _read(context: contexts.Context, app: str, asked: Sequence[hosts.Host]) -> state.FleetState:
    with loading.later():  # much of what is asked here is answered by the ledger alone
        from lading.drivers.shell import observe
    return await observe.fleet(context.transport, asked, state_dir=context.settings.state_dir, engines=context.engines, app=app, facts=False,
                               want=wants.HISTORY)


def _ledger(context: contexts.Context) -> ledger.Ledger:
    if context.ledger is None:
        raise errors.LedgerError("no ledger is open", "a bug: please report it")
    return context.ledger
