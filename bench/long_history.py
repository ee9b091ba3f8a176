"""A thousand deployments before the one that is measured: in a host's journal, and in the controller's ledger."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "contract"))
import a_ledger

import ledger_bench
import look_cost

COUNT = 1000


def lengthen_journal(app: Path) -> None:
    """Put COUNT copies of what a host's journal tells of one deployment before it; *app*: the app's folder there."""
    journal, lease = app / "journal", app / "lease"
    lines = journal.read_text()
    deployment = json.loads(lines.splitlines()[0])["deployment"]
    past = "".join(lines.replace(deployment, look_cost.deployment(number)) for number in range(1, COUNT + 1))
    journal.write_text(past + lines)
    facts = dict(line.split("=", 1) for line in lease.read_text().splitlines())
    facts["from"] = str(int(facts["from"]) + len(past.encode()))  # where the last deployment begins in the journal
    lease.write_text("".join(f"{name}={value}\n" for name, value in facts.items()))


def fill_ledger(file: Path, app: str) -> None:
    """Make a ledger that tells of COUNT deployments of the app."""
    a_ledger.Book(a_ledger.SqlitePlace(file)).close()
    ledger_bench.fill_sqlite(file, COUNT, app)
