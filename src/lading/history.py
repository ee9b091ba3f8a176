"""Questions about what was: history, show, verify, rebuild; the ledger, and what the hosts' journals tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lading import canonical, errors, observe, state
from lading import context as contexts
from lading.compose import restore
from lading.ledger import chain, deployments, ledger


@dataclass(frozen=True, slots=True)
class History:
    """Deployments, newest first; *elsewhere*: how many of them this ledger only knows from hosts.

    *unreachable*: hosts that could not be read, and why.
    """

    rows: tuple[deployments.Deployment, ...]
    elsewhere: int
    unreachable: Mapping[str, str]


async def history(
    context: contexts.Context, app: str = "", *, to: Sequence[str] = (), limit: int = 50, offline: bool = False
) -> History:
    """What was done, here and elsewhere: the ledger, and the journals of the hosts that answer.

    Raises:
        LedgerError: the ledger cannot be used.
    """
    kept = _ledger(context)
    silent: Mapping[str, str] = {}
    if not offline:
        seen = await _look(context, app, to)
        silent = seen.untold
        await kept.take(deployments.from_journals(seen))
    rows = await kept.history(app, limit)
    return History(rows, sum(1 for row in rows if row.origin), silent)


@dataclass(frozen=True, slots=True)
class Shown:
    """One deployment: its events if it was made here, what hosts' journals tell if not; *images* by service, if known."""

    row: deployments.Deployment
    events: tuple[deployments.Stored, ...]
    journal: tuple[tuple[str, Mapping[str, Any]], ...]
    images: Mapping[str, str]
    unreachable: Mapping[str, str] = field(default_factory=dict)


async def show(context: contexts.Context, prefix: str) -> Shown:
    """One deployment by its id or the beginning of it; the hosts are asked only if the ledger does not know its end.

    Raises:
        UnknownReleaseError: neither the ledger nor a host that answers knows it, or several begin so.
    """
    kept = _ledger(context)
    row = await kept.deployment(prefix)
    journal: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    silent: Mapping[str, str] = {}
    if row is None or row.origin or not row.ended:
        seen = await _look(context, row.app if row else "", ())
        silent = seen.untold
        await _remember(kept, seen)
        row = await kept.deployment(prefix)
        if row is None:
            contexts.check_answered(silent, f"whether there is a deployment {prefix}")
            raise errors.UnknownReleaseError(f"neither the ledger nor a host knows a deployment {prefix}", "lading history")
        journal = deployments.journal(seen, row.deployment)
    return Shown(row, await kept.events(row.deployment), journal, await _images(kept, row.release), silent)


async def _images(kept: ledger.Ledger, release: str) -> dict[str, str]:
    content = await kept.release(release)
    if content is None:
        return {}
    return {name: spec.image for name, spec in restore.from_bytes(content).services.items()}


@dataclass(frozen=True, slots=True)
class Verified:
    """The state of the ledger: *faults* in words, its head, what hosts attest of it and of other ledgers (writers).

    *imported*: where the chains end that were taken in; they are verified too.
    """

    faults: tuple[str, ...]
    head: chain.Head
    place: str
    attested: tuple[chain.Attested, ...] = ()
    others: tuple[str, ...] = ()
    unreachable: Mapping[str, str] = field(default_factory=dict)
    imported: tuple[chain.Head, ...] = ()


async def verify(kept: ledger.Ledger) -> Verified:
    """Whether the ledger's rows are as they were written; asks no host, and so cannot see that its end was cut off."""
    heads = await kept.heads()
    return Verified(await kept.verify(), heads[0], kept.place, imported=heads[1:])


async def verify_with_hosts(context: contexts.Context, to: Sequence[str] = ()) -> Verified:
    """The same, compared with what the hosts' journals attest at each commit: a cut or rewritten ledger is seen."""
    kept = _ledger(context)
    seen = await _look(context, "", to)
    told, heads = deployments.attested(seen), await kept.heads()
    here = {head.writer for head in heads}
    mine = tuple(one for one in told if one.writer in here)
    others = tuple(sorted({one.writer for one in told} - here))
    return Verified(await kept.verify(mine), heads[0], kept.place, mine, others, seen.untold, heads[1:])


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild made: the list, how many of it from hosts, releases kept; and what cannot be had again, in words."""

    history: History
    releases: int
    lost: tuple[str, ...]


async def rebuild(context: contexts.Context) -> Rebuilt:
    """Make the list of deployments anew from the ledger's events and the hosts, and say what is lost."""
    kept = _ledger(context)
    seen = await _look(context, "", ())
    told, silent = deployments.from_journals(seen), seen.untold
    await kept.rebuild(told)
    await _remember(kept, seen)
    rows = await kept.history(limit=1_000_000)
    found = History(rows, sum(1 for row in rows if row.origin), silent)
    lost = [f"what only the journal of {name} tells: {why}" for name, why in silent.items()]
    if found.elsewhere:
        lost.append(f"of {found.elsewhere} deployments read from hosts: their events one by one, their log lines, how "
                    "long each phase took, refused attempts that reached no host")
        head = await kept.head()
        lost.append(f"their place in a chain: that of this ledger (writer {head.writer}) has {head.seq} rows of its own")
    full = sorted(f"{app.app} on {name}" for name, host in seen.hosts.items() for app in host.apps.values()
                  if len(app.journal) >= JOURNAL_LINES)
    if full:
        lost.append(f"deployments older than the last {JOURNAL_LINES} journal lines: {', '.join(full)}")
    return Rebuilt(found, await kept.count_releases(), tuple(lost))


JOURNAL_LINES = 500  # that a host shows of a journal (commands.files.APP_STATE)


async def _remember(kept: ledger.Ledger, seen: state.FleetState) -> None:
    """Take over deployments and releases that hosts keep; a release whose bytes are not those of its id is left out."""
    await kept.take(deployments.from_journals(seen))
    found = {
        canonical.form(raw): name
        for host in seen.hosts.values() for app in host.apps.values() for name, raw in app.releases.items()
    }
    await kept.keep(*(content for content, name in found.items() if ledger.release_id(content) == name))


async def _look(context: contexts.Context, app: str, to: Sequence[str]) -> state.FleetState:
    _, chosen = context.choose(to)
    return await observe.fleet(context.transport, chosen, state_dir=context.settings.state_dir, app=app, facts=False)


def _ledger(context: contexts.Context) -> ledger.Ledger:
    if context.ledger is None:
        raise errors.LedgerError("no ledger is open", "a bug: please report it")
    return context.ledger
