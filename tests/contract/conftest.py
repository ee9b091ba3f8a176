"""What the tests of this folder share."""

import asyncio
from pathlib import Path

import pytest
from a_ledger import a_plan, an_end, opened

from lading import events
from lading.ledger import ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


@pytest.fixture
def kept(path: Path) -> ledger.Ledger:
    """Ten rows: a deployment with eight states between its plan and its end."""
    made = opened(path)
    asyncio.run(made.append(a_plan()))
    for number in range(8):
        asyncio.run(made.append(events.StateSeen("20261124-100000-aaaa", "web1", "", summary=f"seen {number}")))
    asyncio.run(made.append(an_end()))
    return made
