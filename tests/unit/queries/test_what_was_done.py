"""`history` and `show` over a real ledger, and hosts that answer with their journals or are silent."""

import asyncio
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from lading import context, errors, events, settings
from lading.inventory import hosts
from lading.ledger import deployments, ledger
from lading.queries import history
from lading.transport import command, recorder

ID = "20261124-101500-ab12"
Lines = list[dict[str, Any]]


def line(kind: str, **more: Any) -> dict[str, Any]:
    return {"at": "2026-11-24T10:16:00Z", "v": 4, "kind": kind, "deployment": ID, **more}


BEGIN = line("begin", verb="deploy", app="shop", to="f" * 64, participants=["web1", "web2"])
UNDONE = [BEGIN, line("undone")]


class Fleet:
    """Hosts by name, each with its journal of the app shop, or None: it does not answer; and one user's ledger."""

    def __init__(self, folder: Path, **journals: Lines | None) -> None:
        self.folder, self.journals = folder, journals

    def _answer(self, host: hosts.Host, _: Any) -> command.Result:
        lines = self.journals[host.name]
        if lines is None:
            raise errors.UnreachableError("no route", host=host.name)
        parts = {"facts": "state=/s\nengine=27.0.1\nid=E\n", "app:shop": "", "journal:shop": "\n".join(map(json.dumps, lines))}
        return command.Result(0, {**{name: text.encode() for name, text in parts.items()}, "end": b""})

    def ask(self, question: Callable[[context.Context], Any], *happened: events.Event) -> Any:
        """The answer to a question, once these events were stored."""
        inventory = hosts.Inventory({name: hosts.Host(name) for name in self.journals}, {})
        transport = recorder.RecorderTransport(self._answer)

        async def asked() -> Any:
            kept = await ledger.open_ledger(self.folder / "ledger.sqlite")
            try:
                await kept.append(*happened)
                fleet = settings.Settings(Path("lading.yaml"), inventory)
                return await question(context.Context(fleet, {}, transport, kept, "ann"))
            finally:
                await kept.close()

        return asyncio.run(asked())

    def listed(self, *happened: events.Event, **more: Any) -> deployments.Deployment:
        """The one row of `history`, which `show` tells alike."""
        found = self.ask(lambda here: history.history(here, "shop", **more), *happened)
        row: deployments.Deployment
        [row] = found.rows
        if not more:
            assert self.ask(lambda here: history.show(here, row.deployment)).row == row
        return row


TAKEN_OVER = (
    events.DeploymentTakenOver(ID, app="shop", hosts=("web1",)),
    events.DeploymentEnded(ID, result="unknown", hosts={"web1": "rolled_back", "web2": "unknown"}),
)


@pytest.mark.parametrize("happened", [TAKEN_OVER, ()])  # by whoever took it over, and by anybody else
def test_what_is_open_on_a_silent_host_is_not_rolled_back(tmp_path: Path, happened: tuple[events.Event, ...]) -> None:
    fleet = Fleet(tmp_path, web1=UNDONE, web2=None)
    row = fleet.listed(*happened)
    assert (row.result, row.hosts, row.told_by) == ("unknown", {"web1": "rolled_back", "web2": "unknown"}, "web1")
    fleet.journals["web2"] = UNDONE
    assert (fleet.listed().result, fleet.listed().told_by) == ("rolled_back", "web1, web2")


def test_a_ledger_that_is_made_anew_does_not_know_of_silent_hosts_either(tmp_path: Path) -> None:
    found = Fleet(tmp_path, web1=UNDONE, web2=None).ask(history.rebuild)
    assert [row.result for row in found.history.rows] == ["unknown"]


PLAN = events.DeploymentPlanned(ID, app="shop", hosts=("web1", "web2"), actor="ann")
REQUEST = events.DeploymentRequested(ID, app="shop", actor="ann")


@pytest.fixture
def long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored now was asked for before any lease that lives."""
    monkeypatch.setattr(history, "LEASE_SECONDS", -10)


@pytest.mark.usefixtures("long_ago")
@pytest.mark.parametrize(("happened", "hosts"), [
    ((REQUEST,), {}), ((REQUEST, PLAN), {"web1": "untouched", "web2": "untouched"}),
    ((REQUEST, PLAN, events.HostChecked(ID, "web1", "preflight")), {"web1": "untouched", "web2": "untouched"}),
])
def test_a_controller_that_was_killed_before_its_first_lease_has_begun_nothing(
    tmp_path: Path, happened: tuple[events.Event, ...], hosts: dict[str, str]
) -> None:
    fleet = Fleet(tmp_path, web1=[], web2=[])
    row = fleet.listed(*happened)
    assert (row.result, row.hosts, row.ended) == ("not_begun", hosts, "")
    assert fleet.listed(offline=True).result == "running", "nobody was asked"


@pytest.mark.usefixtures("long_ago")
@pytest.mark.parametrize(("web2", "more"), [
    (None, ()), ([line("begin", verb="deploy", app="shop", to="f" * 64)], ()), ([], (events.LeaseTaken(ID, "web1", "lease"),)),
])
def test_what_may_have_begun_is_running(tmp_path: Path, web2: Lines | None, more: tuple[events.Event, ...]) -> None:
    """A host is silent, or tells of it; or hosts tell nothing of what this ledger has seen begin."""
    assert Fleet(tmp_path, web1=[], web2=web2).listed(REQUEST, PLAN, *more).result == "running"


def test_who_has_asked_just_now_may_be_about_to_begin(tmp_path: Path) -> None:
    assert Fleet(tmp_path, web1=[], web2=[]).listed(REQUEST, PLAN).result == "running"


@pytest.mark.usefixtures("long_ago")
def test_a_host_that_was_not_asked_has_not_said_that_nothing_began(tmp_path: Path) -> None:
    assert Fleet(tmp_path, web1=[], web2=[]).listed(REQUEST, PLAN, to=["web1"]).result == "running"


def test_a_lease_lives_as_long_as_hosts_say() -> None:
    text = (resources.files("lading.drivers.shell") / "scripts/lib/lease.sh").read_text()
    assert f"lease_seconds={history.LEASE_SECONDS}\n" in text
