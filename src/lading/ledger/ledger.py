"""The ledger: append events to a chain, keep releases, read history, verify, move; in SQLite or PostgreSQL."""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, replace
from datetime import UTC, datetime
from pathlib import Path

from lading import canonical, errors, events
from lading.ledger import chain, commits, contradictions, deployments, exchange, projection, sqlite, stores, tables


class Ledger:
    """One ledger. Every call is one transaction in a thread of its own; the store is the only state.

    Every method raises LedgerError if the store cannot be read or written, or holds what lading does not write.
    """

    def __init__(self, store: stores.Store) -> None:
        self.store = store
        self._doubt: tuple[tuple[events.Event, ...], chain.Row] | None = None

    @property
    def place(self) -> str:
        """Where it lies, for people; without a password."""
        return self.store.place

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
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        sent: list[chain.Row] = []

        def work(base: stores.Base) -> None:
            sent.clear()
            head = tables.head(base, lock=True)
            for event in self._missing(base, what):
                row = _sealed(event, at, head)
                base.execute(tables.INSERT_EVENT, astuple(row))
                head = chain.Head(row.writer, row.seq, row.hash)
                projection.project(base, event, at)
                sent.append(row)
            base.execute("UPDATE head SET seq=?, hash=?", (head.seq, head.hash))

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

    async def keep(self, *releases: bytes) -> None:
        """Keep releases by the hash of their canonical bytes; those that are there stay as they are."""
        rows = {release_id(content): content for content in releases}

        def work(base: stores.Base) -> None:
            for id, content in rows.items():
                if not _kept(base, id):
                    base.execute(tables.KEEP_RELEASE, (id, content))

        await self._do(work, write=True)

    async def release(self, id: str) -> bytes | None:
        """The canonical bytes of a release, if this ledger keeps them as they were; all of it counts, not its name.

        *id* may be the 12 digits that older ladings wrote; where several releases begin so, nobody knows which was meant.
        """
        found = await self._do(lambda base: _kept(base, id))
        return found[0] if len(found) == 1 else None

    async def count_releases(self) -> int:
        """How many releases are kept."""
        return int((await self._do(lambda base: base.execute("SELECT count(*) AS n FROM releases")))[0]["n"])

    async def history(self, app: str = "", limit: int = 50) -> tuple[deployments.Deployment, ...]:
        """Deployments, newest first."""
        query = "SELECT * FROM deployments WHERE ?='' OR app=? ORDER BY started DESC, deployment DESC LIMIT ?"
        return await self._do(
            lambda base: tuple(projection.deployment(row) for row in base.execute(query, (app, app, limit))))

    async def deployment(self, prefix: str) -> deployments.Deployment | None:
        """The deployment with this id, or the only one whose id begins so.

        Raises:
            UnknownReleaseError: several begin so; some are named.
        """
        query = "SELECT * FROM deployments WHERE substr(deployment, 1, ?)=? ORDER BY deployment LIMIT 6"
        rows = await self._do(
            lambda base: [projection.deployment(row) for row in base.execute(query, (len(prefix), prefix))])
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
        """What is wrong, in words: rows, the list of deployments, kept releases; and what *attested* speaks against.

        Empty = every row is as it was written.
        """
        said = tuple(attested)
        return await self._do(lambda base: tuple(_faults(base, said)))

    async def take(self, told: Iterable[deployments.Deployment]) -> int:
        """Merge deployments that hosts tell of into the list, unchained; how many this ledger did not know."""
        chosen = list(told)
        return await self._do(lambda base: sum(projection.take(base, one) for one in chosen), write=True)

    async def rebuild(self, told: Iterable[deployments.Deployment]) -> None:
        """Make the list of deployments anew from the events and from what hosts tell now.

        What was read from hosts before stays where they do not tell of it again: it may be all that is left.
        """
        chosen = list(told)

        def work(base: stores.Base) -> None:
            base.execute("DELETE FROM deployments WHERE origin=''")
            for one in chosen:
                base.execute("DELETE FROM deployments WHERE deployment=?", (one.deployment,))
            for row in tables.rows(base):
                projection.project(base, projection.event(row), row.at)
            for one in chosen:
                projection.take(base, one)

        await self._do(work, write=True)

    async def export(self) -> tuple[str, ...]:
        """All of the ledger as lines of JSON, for `merge`."""
        return await self._do(lambda base: tuple(exchange.lines(base)))

    async def merge(self, lines: Iterable[str], source: str = "") -> int:
        """Take in what another ledger exported to *source*, its chains beside this one's; how many rows were new.

        Raises:
            LedgerError: the lines are damaged, or differ from what this ledger has of the same chain; nothing was taken.
        """
        try:
            content = exchange.read(lines)
            new = await self._do(lambda base: exchange.take(base, content), write=True)
        except exchange.Refused as why:
            raise errors.LedgerError(f"nothing was imported: {why}", "export it again: lading ledger export", file=source) from why
        await self.keep(*(text.encode() for text in content.releases))
        return new

    async def close(self) -> None:
        """Let go of connections."""
        await asyncio.to_thread(self.store.close)


def release_id(content: bytes) -> str:
    """The id of a release: the SHA-256 of its canonical bytes."""
    return hashlib.sha256(content).hexdigest()


def _kept(base: stores.Base, id: str) -> list[bytes]:
    """What is kept of the release *id*, by its bytes; older ladings named a row by the first 12 digits of the id."""
    query = "SELECT bytes FROM releases WHERE id=? OR id=? OR substr(id, 1, ?)=?"
    rows = base.execute(query, (id, id[:12], len(id), id))
    found = {_bytes(row["bytes"]) for row in rows}
    return [content for content in found if release_id(content).startswith(id)]


def _sealed(event: events.Event, at: str, head: chain.Head) -> chain.Row:
    stored = events.to_json(event)
    data = chain.canonical({"v": stored["v"], **stored["data"]})
    row = chain.Row(head.writer, head.seq + 1, at, event.deployment, stored["kind"], event.host, event.step, data,
                    head.hash)
    return replace(row, hash=chain.link(row))


def _faults(base: stores.Base, attested: Sequence[chain.Attested]) -> Iterator[str]:
    rows, heads = tables.rows(base), exchange.heads(base)
    for head in heads:
        mine = exchange.by_writer(rows, head.writer)
        whose = f"writer {head.writer}: " if head is not heads[0] else ""
        yield from (whose + fault for fault in chain.faults(mine, head))
        yield from (whose + fault for fault in chain.unattested(mine, head.writer, attested))
    for writer in sorted({row.writer for row in rows} - {head.writer for head in heads}):
        count = sum(row.writer == writer for row in rows)
        yield f"{count} rows of writer {writer} were added: this ledger is of writer {heads[0].writer}"
    yield from projection.differences(base, rows)
    for kept in base.execute("SELECT id, bytes FROM releases"):
        found = release_id(_bytes(kept["bytes"]))
        if not canonical.is_named(kept["id"], found):
            yield f"release {kept['id']} was changed: its bytes have the id {found}"


def _bytes(stored: object) -> bytes:
    return stored if isinstance(stored, bytes) else str(stored).encode("utf-8", "replace")


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


def _postgres(url: str) -> stores.Store:
    try:
        from lading.ledger import postgres
    except ModuleNotFoundError as missing:
        raise errors.LedgerError("a ledger in PostgreSQL needs psycopg, which is not installed here",
                                 "pip install 'lading[postgres]'") from missing
    return postgres.PostgresStore(url)
