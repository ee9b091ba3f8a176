"""Peak memory and CPU of the ledger's verbs over a million events: `.venv/bin/python bench/ledger_bench.py [--store postgres]`.

A ledger of 100,000 deployments of ten events each is made in a temporary folder, in SQLite or in a PostgreSQL server of
its own; then each verb is a `lading` of its own. Memory is what the kernel notes as the highest of that process (ru_maxrss:
shared libraries count), CPU its own user and system time: a server's is not in it. `rebuild` asks one host, which refuses.
"""

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "contract"))
import a_ledger

import postgres_server
from lading import events
from lading.ledger import chain, deployments, ledger, tables

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
RELEASE = "5c" * 32
HOSTS = ("web1", "web2")
VERBS = ("verify", "export", "rebuild", "import")


def story(number: int, app: str = "") -> tuple[list[events.Event], str]:
    """The ten events of a deployment, and when they were; of *app*, or of one of twenty."""
    when = FIRST + timedelta(minutes=5 * number)
    id = f"{when:%Y%m%d-%H%M%S}-{number:08x}"
    words: dict[str, Any] = {"app": app or f"shop{number % 20}", "version": f"1.{number}", "actor": "ann@laptop", "ran_by": "ann@laptop"}
    steps: list[events.Event] = [events.StepStarted(id, "", "roll")]
    for host in HOSTS:
        steps.append(events.ServiceHealthy(id, host, "roll", service="web", state="running, healthy, 2 of 2"))
        steps.append(events.StepEnded(id, host, "roll", seconds=4.2))
    ends = dict.fromkeys(HOSTS, "succeeded")
    told: list[events.Event] = [
        events.DeploymentRequested(id, destination="production", **words),
        events.DeploymentPlanned(id, release=RELEASE, destination="production", hosts=HOSTS, plan="7d" * 32, **words),
        *steps,
        *(events.HostCommitted(id, host, "commit", release=RELEASE, line="a1" * 32, current="b2" * 32) for host in HOSTS),
        events.DeploymentEnded(id, result="succeeded", hosts=ends, seconds=9.1),
    ]
    return told, f"{when:%Y-%m-%dT%H:%M:%S}.000000Z"


class Maker:
    """Rows of the events, chained, and of the list of deployments, as lading would have written them."""

    def __init__(self, writer: str, count: int, app: str = "") -> None:
        self.head, self.count, self.app = chain.Head(writer, 0, chain.GENESIS), count, app

    def events(self) -> Iterator[tuple[object, ...]]:
        """The chain; where it ends stands in *head*."""
        for number in range(self.count):
            told, at = story(number, self.app)
            for event in told:
                row = ledger.sealed(event, at, self.head)
                self.head = chain.Head(row.writer, row.seq, row.hash)
                yield astuple(row)

    def listed(self) -> Iterator[tuple[str, ...]]:
        """The list."""
        for number in range(self.count):
            told, at = story(number, self.app)
            row = deployments.listed(((one, at) for one in told), ())
            assert row is not None
            words = {name: getattr(row, name) for name in tables.COLUMNS}
            yield tables.deployment_values({**words, "hosts": chain.canonical(row.hosts)})


def fill_sqlite(path: Path, count: int, app: str = "") -> None:
    """Write all of it past lading, which syncs each event."""
    with closing(sqlite3.connect(path)) as base:
        made = Maker(base.execute("SELECT writer FROM head").fetchone()[0], count, app)
        base.executemany(tables.INSERT_EVENT, made.events())
        base.executemany(tables.PUT_DEPLOYMENT, made.listed())
        base.execute("UPDATE head SET seq=?, hash=?", (made.head.seq, made.head.hash))
        base.commit()


def fill_postgres(url: str, count: int) -> None:
    """The same of a database."""
    with psycopg.connect(url) as base:
        base.execute("SET search_path=lading")
        found = base.execute("SELECT writer FROM head").fetchone()
        assert found is not None
        made = Maker(str(found[0]), count)
        _copy(base, "events", made.events())
        _copy(base, "deployments", made.listed())
        base.execute("UPDATE head SET seq=%s, hash=%s", (made.head.seq, made.head.hash))
    with psycopg.connect(url, autocommit=True) as base:
        base.execute("VACUUM ANALYZE")


def _copy(base: psycopg.Connection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    with base.cursor().copy(f"COPY {table} FROM STDIN".encode()) as into:
        for row in rows:
            into.write_row(row)


def measure(folder: Path, *words: str) -> None:
    """Run one verb on the fleet file in *folder*; a line with its memory, CPU and exit code."""
    output = os.open(folder / "output", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    argv = [sys.executable, "-m", "lading", "--config", str(folder / "fleet.yaml"), "ledger", *words]
    begun = time.monotonic()
    files = [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
    process = os.posix_spawn(argv[0], argv, os.environ, file_actions=files)
    _, status, used = os.wait4(process, 0)
    os.close(output)
    said = (folder / "output").read_text(errors="replace").splitlines()[-1:]
    cpu = used.ru_utime + used.ru_stime
    print(f"{words[0]:8} peak {used.ru_maxrss / 1024:7.1f} MiB, CPU {cpu:6.1f} s, wall {time.monotonic() - begun:6.1f} s, "
          f"exit {os.waitstatus_to_exitcode(status)}: {' '.join(said)[:120]}", flush=True)


def compare(folder: Path, places: Sequence[a_ledger.Place], count: int, verbs: list[str]) -> None:
    """Fill the first place and measure the verbs; `import` takes what was exported into the second."""
    first, second = places
    for place in places:
        a_ledger.Book(place).close()
    if isinstance(first.where, Path):
        fill_sqlite(first.where, count)
    else:
        fill_postgres(first.where, count)
    exported = folder / "all.jsonl"
    options = {"export": ["-o", str(exported)], "import": [str(exported)]}
    for verb in verbs:
        place = second if verb == "import" else first
        write_fleet(folder, place)
        measure(folder, verb, *options.get(verb, []))


def write_fleet(folder: Path, place: a_ledger.Place) -> None:
    """A fleet file of one host that refuses, whose ledger is *place*."""
    where = "sqlite"
    if isinstance(place.where, Path):
        os.environ["XDG_STATE_HOME"] = str(place.where.parents[1])
    else:
        where = "{url: {env: LADING_LEDGER}}"
        os.environ["LADING_LEDGER"] = place.where
    fleet = ("lading: 1", f"ledger: {where}", "hosts: {web1: {address: 127.0.0.1, port: 9, user: nobody}}")
    (folder / "fleet.yaml").write_text("\n".join(fleet) + "\n")


def main() -> None:
    """Make a ledger and print a line for each verb."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--deployments", type=int, default=100_000)
    parser.add_argument("--only", default=",".join(VERBS), help="verbs, by comma; import needs export before it")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lading-bench-") as name:
        folder = Path(name)
        verbs = asked.only.split(",")
        if asked.store == "sqlite":
            paths = [folder / side / "lading" / "ledger.db" for side in ("from", "to")]
            compare(folder, [a_ledger.SqlitePlace(path) for path in paths], asked.deployments, verbs)
            return
        server = postgres_server.Server()
        try:
            databases = [a_ledger.PostgresPlace(server, side) for side in ("source", "target")]
            compare(folder, databases, asked.deployments, verbs)
        finally:
            server.remove()


if __name__ == "__main__":
    main()
