"""The ledger: append events to a chain, keep releases, read history, verify, move; in SQLite or PostgreSQL."""

import asyncio
import contextlib
import errno
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from lading import errors, events
from lading.ledger import (
    chain,
    commits,
    contradictions,
    deployments,
    evidence,
    exchange,
    exclusions,
    projection,
    releases,
    sqlite,
    stores,
    tables,
)
from lading.placement import exclusion

release_id = releases.id_of


class Ledger:
    """One ledger. Every call is one transaction in a thread of its own; the store is the only state.

    Every method raises LedgerError if the store cannot be read or written, or holds what lading does not write.
    """

    def __init__(self, store: stores.Store) -> None:
        self.store = store
        self.scratch: tempfile.TemporaryDirectory[str] | None = None  # of a copy
        self._doubt: tuple[tuple[events.Event, ...], chain.Row] | None = None

    @property
    def place(self) -> str:
        """Where it lies, for people; without a password."""
        return self.store.place

    @property
    def shared(self) -> bool:
        """Whether a team shares it, rather than one user of one machine."""
        return self.store.shared

    async def _do(self, work: Callable[[stores.Base], stores.T], *, write: bool = False) -> stores.T:
        try:
            return await asyncio.to_thread(self.store.transaction, work, write=write)
        except tables.Damaged as found:
            raise errors.LedgerError(
                f"the ledger is damaged, or written by a newer lading: {found}",
                "install the newer lading; or move it away, then: lading ledger rebuild", file=self.place) from found

    async def append(self, *what: events.Event) -> None:
        """Add events to this ledger's chain; they are synced to disk when it returns.

        After a LedgerError they are not stored, or a lost connection does not say: the same events given again are then
        stored once.
        """
        await self._append(what)

    async def begin(self, what: events.DeploymentPlanned, places: Mapping[str, str]) -> None:
        """Add the intent of a deployment, unless a host was excluded or included after it was planned.

        *places*: the hosts that it goes to, each with where it is.

        Raises:
            PlanChangedError: one was; nothing is stored.
        """
        await self._append((what,), lambda base: exclusion.check_still(places, what.excluded, exclusions.standing(base)))

    async def _append(
        self, what: tuple[events.Event, ...], check: Callable[[stores.Base], None] = lambda _: None
    ) -> None:
        """See `append`. *check* looks at what is stored, and nothing comes between; what it raises is raised."""
        at = _moment()
        sent: list[chain.Row] = []

        def work(base: stores.Base) -> None:
            sent.clear()
            head = tables.head(base, lock=True)
            check(base)
            sent.extend(_added(base, self._missing(base, what), at, head))

        try:
            await self._do(work, write=True)
            self._doubt = None
        except errors.LedgerError:
            self._doubt = (what, sent[-1]) if sent else self._doubt
            raise

    def _missing(self, base: stores.Base, what: tuple[events.Event, ...]) -> tuple[events.Event, ...]:
        """The events without those of a call that failed and was stored all the same."""
        if self._doubt is None:
            return what
        before, last = self._doubt
        query = "SELECT 1 FROM events WHERE writer=? AND seq=? AND hash=?"
        there = what[:len(before)] == before and base.execute(query, (last.writer, last.seq, last.hash))
        return what[len(before):] if there else what

    async def exclude(self, what: events.HostExcluded) -> tuple[exclusion.Exclusion, bool]:
        """Exclude a host, unless it is excluded already: how it is now, and whether that is new."""
        at = _moment()

        def work(base: stores.Base) -> tuple[exclusion.Exclusion, bool]:
            head = tables.head(base, lock=True)
            before = exclusions.standing(base).get((what.host, what.place))
            if before is not None:
                return before, False
            _added(base, [what], at, head)
            return exclusions.of_event(what, at), True

        return await self._do(work, write=True)

    async def include(self, what: events.HostIncluded) -> tuple[deployments.Deployment, ...] | None:
        """Include an excluded host: all that it has missed until now (`missed`); None: it was not excluded.

        A deployment that leaves it out has begun before this, and is among them; or it is refused (`begin`).
        """
        at = _moment()

        def work(base: stores.Base) -> tuple[deployments.Deployment, ...] | None:
            head = tables.head(base, lock=True)
            one = exclusions.standing(base).get((what.host, what.place))
            if one is None:
                return None
            missed = tuple(exclusions.missed(base, {what.host: one})[what.host])
            _added(base, [what], at, head)
            return missed

        return await self._do(work, write=True)

    async def excluded(self) -> tuple[exclusion.Exclusion, ...]:
        """The hosts that are excluded now, of whichever fleet file: `exclusion.of_fleet` chooses."""
        return tuple((await self._do(exclusions.standing)).values())

    async def exclusions(self) -> tuple[deployments.Deployment, ...]:
        """Every exclusion and inclusion of a host, as a row of the history, the newest first."""
        found = await self._do(exclusions.changes)
        return tuple(deployments.of_host(what, at) for what, at in reversed(found))

    async def missed(
        self, excluded: Mapping[str, exclusion.Exclusion]
    ) -> Mapping[str, Sequence[deployments.Deployment]]:
        """Excluded host → the deployments that have left it out since, the oldest first."""
        return await self._do(lambda base: exclusions.missed(base, excluded))

    async def unended(self, host: str) -> tuple[deployments.Deployment, ...]:
        """The deployments of which nobody knows how they ended on a host, or whether they have."""
        query = "SELECT * FROM deployments WHERE result IN ('unknown', 'running') ORDER BY started DESC"
        rows = await self._do(lambda base: [projection.deployment(row) for row in base.execute(query)])
        return tuple(row for row in rows if row.hosts.get(host) in deployments.UNSURE)

    async def keep(self, *content: bytes) -> None:
        """Keep releases by the hash of their canonical bytes; those that are there stay as they are."""
        await self._do(lambda base: releases.keep(base, content), write=True)

    async def release(self, id: str) -> bytes | None:
        """The canonical bytes of a release, if this ledger keeps them as they were; all of it counts, not its name.

        *id* may be the 12 digits that older ladings wrote; where several releases begin so, nobody knows which was meant.
        """
        found = await self._do(lambda base: releases.kept(base, id))
        return found[0] if len(found) == 1 else None

    async def keep_evidence(self, *content: bytes) -> None:
        """Keep the last lines of services that failed, by their SHA-256."""
        await self._do(lambda base: evidence.keep(base, content, _now()), write=True)

    async def kept_evidence(self, *ids: str) -> Mapping[str, bytes]:
        """What is kept of these, by name; what is not there, or was changed, is left out."""
        return await self._do(lambda base: evidence.kept(base, ids))

    async def missing_evidence(self) -> evidence.Missing:
        """What events name and this ledger does not keep: it was deleted, or could not be stored."""
        return await self._do(evidence.missing)

    async def count(self) -> tuple[int, int]:
        """How many deployments are in the list, and how many of them this ledger only knows from hosts."""
        query = "SELECT count(*) AS n FROM deployments WHERE ?='' OR origin<>''"

        def work(base: stores.Base) -> tuple[int, int]:
            found = [base.execute(query, (which,)) for which in ("", "hosts")]
            return int(found[0][0]["n"]), int(found[1][0]["n"])

        return await self._do(work)

    async def count_releases(self) -> int:
        """How many releases are kept."""
        return int((await self._do(lambda base: base.execute("SELECT count(*) AS n FROM releases")))[0]["n"])

    async def history(self, app: str = "", limit: int = 50) -> tuple[deployments.Deployment, ...]:
        """Deployments, newest first."""
        query = "SELECT * FROM deployments WHERE ?='' OR app=? ORDER BY started DESC, deployment DESC LIMIT ?"

        def work(base: stores.Base) -> tuple[deployments.Deployment, ...]:
            found = base.execute(query, (app, app, limit))
            return tuple(projection.attributed(base, projection.deployment(row)) for row in found)

        return await self._do(work)

    async def made(self, app: str, release: str) -> tuple[str, ...]:
        """The deployments by which this ledger itself brought a release of an app out, newest first; none that hosts tell of."""
        query = "SELECT deployment FROM deployments WHERE origin='' AND verb='deploy' AND app=? AND \"release\"=? ORDER BY started DESC"
        return tuple(str(row["deployment"]) for row in await self._do(lambda base: base.execute(query, (app, release))))

    async def deployment(self, prefix: str) -> deployments.Deployment | None:
        """The deployment with this id, or the only one whose id begins so.

        Raises:
            UnknownReleaseError: several begin so; some are named.
        """
        query = "SELECT * FROM deployments WHERE substr(deployment, 1, ?)=? ORDER BY deployment LIMIT 6"

        def work(base: stores.Base) -> list[deployments.Deployment]:
            found = base.execute(query, (len(prefix), prefix))
            return [projection.attributed(base, projection.deployment(row)) for row in found]

        rows = await self._do(work)
        if len(rows) > 1 and rows[0].deployment != prefix:
            raise errors.UnknownReleaseError(f"several deployments begin with {prefix!r}",
                                             "say more of: " + ", ".join(row.deployment for row in rows))
        return rows[0] if rows else None

    async def events(self, deployment: str) -> tuple[deployments.Stored, ...]:
        """All events of one deployment, in the order in which they were stored."""

        def work(base: stores.Base) -> tuple[deployments.Stored, ...]:
            rows = tables.rows(base, "WHERE deployment=?", (deployment,))
            if len({row.writer for row in rows}) > 1:
                rows.sort(key=lambda row: row.at)
            return tuple(deployments.Stored(projection.event(row), row.at, row.writer, row.seq) for row in rows)

        return await self._do(work)

    async def commits(self, app: str) -> Mapping[str, contradictions.Committed]:
        """Host → the last commit of *app* that the chains of this ledger tell of; never what hosts told."""
        return (await self._do(lambda base: commits.of_apps(base, app))).get(app, {})

    async def all_commits(self) -> Mapping[str, Mapping[str, contradictions.Committed]]:
        """The same of every app."""
        return await self._do(commits.of_apps)

    async def head(self) -> chain.Head:
        """Where this ledger's own chain ends."""
        return await self._do(tables.head)

    async def heads(self) -> tuple[chain.Head, ...]:
        """Where its chains end: its own first, then those of other ledgers that were taken in."""
        return await self._do(exchange.heads)

    async def verify(self, attested: Iterable[chain.Attested] = ()) -> tuple[str, ...]:
        """What is wrong, in words: rows, the list of deployments, kept releases, evidence; and what *attested* speaks against.

        Empty = every row is as it was written.
        """
        said = tuple(attested)
        return await self._do(lambda base: tuple(_faults(base, said)))

    async def take(self, told: Iterable[deployments.Deployment]) -> int:
        """Merge deployments that hosts tell of into the list, unchained; how many this ledger did not know."""
        chosen = list(told)
        return await self._do(lambda base: projection.take(base, chosen), write=True)

    async def keep_told(self, told: Mapping[str, Sequence[bytes]]) -> None:
        """Keep releases that hosts tell of (host → canonical bytes), and which host told of which.

        Of a host at most `releases.KEPT` are taken, as with what it tells of deployments.
        """
        await self._do(lambda base: releases.take(base, told), write=True)

    async def crowded(self) -> tuple[str, ...]:
        """The hosts that have told of so much that nothing more is taken from them."""
        query = "SELECT host FROM told GROUP BY host HAVING count(*) >= ? ORDER BY host"
        rows = await self._do(lambda base: base.execute(query, (projection.KEPT,)))
        return tuple(row["host"] for row in rows)

    async def forget(self, host: str) -> tuple[int, int]:
        """Take away what a host told: of how many deployments, and how many releases nobody else knows of.

        Nothing of this ledger's own chain, or of one that was taken in, is touched.
        """

        def work(base: stores.Base) -> tuple[int, int]:
            return projection.forget(base, host), releases.forget(base, host)

        return await self._do(work, write=True)

    async def elsewhere(self) -> frozenset[str]:
        """Writers of other ledgers that somebody has declared to be elsewhere, or lost."""
        rows = await self._do(lambda base: base.execute("SELECT writer FROM elsewhere"))
        return frozenset(row["writer"] for row in rows)

    async def declare_elsewhere(self, writers: Iterable[str], actor: str) -> None:
        """Note that hosts attest ledgers of these writers, and that somebody knows that they are not this one."""

        def work(base: stores.Base) -> None:
            for writer in writers:
                base.execute("INSERT INTO elsewhere VALUES (?,?,?) ON CONFLICT (writer) DO NOTHING",
                             (tables.stored(writer), _now(), tables.stored(actor)))

        await self._do(work, write=True)

    async def rebuild(self, told: Iterable[deployments.Deployment]) -> None:
        """Make the list of deployments anew from the events and from what hosts tell now.

        What was read from hosts before stays where they do not tell of it again: it may be all that is left.
        """
        chosen = list(told)
        await self._do(lambda base: projection.rebuild(base, chosen), write=True)

    async def export(self) -> tuple[str, ...]:
        """All of the ledger as lines of JSON, for `merge`."""
        lines: list[str] = []
        await self.export_to(lines.append)
        return tuple(lines)

    async def export_to(self, write: Callable[[str], object]) -> None:
        """The same, line by line: no more than a few of them are in memory."""

        def work(base: stores.Base) -> None:
            for line in exchange.lines(base):
                write(line)

        await self._do(work)

    async def merge(self, lines: Iterable[str], source: str = "") -> int:
        """Take in what another ledger exported to *source*, its chains beside this one's; how many rows were new.

        Raises:
            LedgerError: the lines are damaged, or differ from what this ledger has of the same chain; nothing was taken.
        """
        try:
            with exchange.read(lines) as content:
                new = await self._do(lambda base: exchange.take(base, content), write=True)
                await self._do(lambda base: releases.keep(base, content.bytes_of("release")), write=True)
                await self._do(lambda base: evidence.keep(base, content.bytes_of("evidence"), _now()), write=True)
                return new
        except exchange.Refused as why:
            raise errors.LedgerError(f"nothing was imported: {why}", "export it again: lading ledger export", file=source) from why

    async def close(self) -> None:
        """Let go of connections."""
        await asyncio.to_thread(self.store.close)
        if self.scratch is not None:
            self.scratch.cleanup()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _added(base: stores.Base, what: Iterable[events.Event], at: str, head: chain.Head) -> list[chain.Row]:
    """Add events to the chain that ends at *head*, which is locked; their rows."""
    rows: list[chain.Row] = []
    for event in what:
        row = sealed(event, at, head)
        base.execute(tables.INSERT_EVENT, row.values)
        head = chain.Head(row.writer, row.seq, row.hash)
        projection.project(base, event)
        rows.append(row)
    base.execute("UPDATE head SET seq=?, hash=?", (head.seq, head.hash))
    return rows


def sealed(event: events.Event, at: str, head: chain.Head) -> chain.Row:
    """The row that an event is at the end of a chain."""
    stored = events.to_json(event)
    data = chain.canonical({"v": stored["v"], **stored["data"]})
    row = chain.Row(head.writer, head.seq + 1, at, event.deployment, stored["kind"], event.host, event.step, data,
                    head.hash)
    return replace(row, hash=chain.link(row))


def _faults(base: stores.Base, attested: Sequence[chain.Attested]) -> Iterator[str]:
    heads = exchange.heads(base)
    for head in heads:
        said = [one for one in attested if one.writer == head.writer]
        rows = tables.scan(base, "WHERE writer=?", (head.writer,))
        walk = chain.walked(rows, head.writer, {one.seq for one in said})
        whose = f"writer {head.writer}: " if head is not heads[0] else ""
        yield from (whose + fault for fault in walk.faults(head))
        yield from (whose + fault for fault in walk.unattested(said))
    here = {head.writer for head in heads}
    for row in base.execute("SELECT writer, count(*) AS n FROM events GROUP BY writer ORDER BY writer"):
        if row["writer"] not in here:
            yield (f"{row['n']} rows of writer {row['writer']} were added: "
                   f"this ledger is of writer {heads[0].writer}")
    yield from _written_anew(base, [one for one in attested if one.writer not in here])
    yield from projection.differences(base)
    yield from releases.faults(base)
    yield from evidence.faults(base)


def _written_anew(base: stores.Base, strangers: Sequence[chain.Attested]) -> Iterator[str]:
    """Commits that a chain here claims, though the host noted another ledger when it committed them."""
    query = "SELECT writer FROM events WHERE deployment=? AND kind='HostCommitted' AND host=?"
    for one in strangers:
        for row in base.execute(query, (tables.stored(one.deployment), tables.stored(one.host))):
            yield (f"{one.host} attests the commit of {one.deployment} ({one.at}) for the ledger of writer "
                   f"{one.writer}, but the chain of writer {row['writer']} has it: it was written anew")


async def open_ledger(where: Path | str) -> Ledger:
    """The ledger in the file *where*, or at the URL of a PostgreSQL database; made if it is not there.

    Raises:
        LedgerError: it cannot be read or written, is damaged, or was written by a newer lading.
        SettingsError: the URL does not say where its password ends.
    """
    opened = Ledger(sqlite.SqliteStore(where) if isinstance(where, Path) else _postgres(where))
    try:
        await asyncio.to_thread(opened.store.prepare, secrets.token_hex(8), chain.GENESIS)
        await opened.head()
    except BaseException:
        await opened.close()
        raise
    return opened


async def open_for_questions(where: Path | str) -> tuple[Ledger, bool]:
    """The same for who only asks; whether it is a copy: what hosts tell goes into one where the ledger itself cannot be written.

    Raises:
        LedgerError: as `open_ledger`, and it is not for lack of a place to write to.
    """
    try:
        return await open_ledger(where), False
    except errors.LedgerError as failed:
        if not isinstance(where, Path) or not _not_for_us(failed.__cause__):
            raise
        folder = tempfile.TemporaryDirectory(prefix="lading-")
        try:
            copied = await open_ledger(_copied(where, Path(folder.name)))
        except BaseException:
            folder.cleanup()
            raise
        copied.scratch = folder
        return copied, True


def _not_for_us(cause: BaseException | None) -> bool:
    """Whether a file could not be made, opened or written, whatever is in it."""
    words = ("readonly", "unable to open")  # as SQLite says it
    return (isinstance(cause, OSError) and cause.errno != errno.ENOSPC) or any(word in str(cause) for word in words)


def _copied(ledger: Path, folder: Path) -> Path:
    """A ledger's files as they are, in another folder; none where it has none that can be read."""
    with contextlib.suppress(OSError):
        for name in (ledger.name, f"{ledger.name}-wal"):
            shutil.copyfile(ledger.with_name(name), folder / name)
    return folder / ledger.name


def _postgres(url: str) -> stores.Store:
    try:
        from lading.ledger import postgres
    except ModuleNotFoundError as missing:
        raise errors.LedgerError("a ledger in PostgreSQL needs psycopg, which is not installed here",
                                 "pip install 'lading[postgres]'") from missing
    return postgres.PostgresStore(url)
