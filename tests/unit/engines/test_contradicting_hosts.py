"""A verb that changes something refuses a host that contradicts the ledger, before anything but a look was sent there."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from lading import context, errors, events, settings, state
from lading.deploy import remove, rollback, takeover
from lading.inventory import hosts
from lading.ledger import ledger
from lading.queries import drift, history, where
from lading.transport import command, recorder

DEPLOYMENT, RELEASE = "20261128-100000-aaaa", "a" * 64
CURRENT = state.Current("shop", RELEASE, "1.1.0", DEPLOYMENT, "ann@laptop")
LINE = {"v": 3, "kind": "committed", "deployment": DEPLOYMENT, "to": RELEASE, "version": "1.1.0"}
VERBS: dict[str, Callable[[context.Context], Coroutine[Any, Any, Any]]] = {
    "rollback": lambda here: rollback.rollback(here, "shop", ["web1"]),
    "remove": lambda here: remove.remove(here, "shop", ["web1"]),
    "resume": lambda here: takeover.resume(here, "shop", to=["web1"]),
}
WRONG = {
    "emptied": {},
    "forged": {"current:shop": json.dumps(CURRENT.as_json() | {"actor": "bob"}), "journal:shop": json.dumps(LINE)},
    "stale": {"current:shop": json.dumps(CURRENT.as_json() | {"deployment": "20261127-1"}),
              "journal:shop": json.dumps(LINE | {"deployment": "20261127-1"})},
}
RIGHT = {"current:shop": json.dumps(CURRENT.as_json()), "journal:shop": json.dumps({**LINE, "at": "2026-11-28T10:00:09Z"})}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[ledger.Ledger]:
    """A ledger that saw the commit on web1."""
    made = asyncio.run(ledger.open_ledger(tmp_path / "ledger.db"))
    asyncio.run(made.append(
        events.DeploymentPlanned(DEPLOYMENT, verb="deploy", app="shop", release=RELEASE, hosts=("web1",)),
        events.HostCommitted(DEPLOYMENT, "web1", "commit", RELEASE, state.hash_of_line(LINE), state.hash_of_current(CURRENT)),
        events.DeploymentEnded(DEPLOYMENT, result="succeeded", hosts={"web1": "succeeded"})))
    yield made
    asyncio.run(made.close())


def here(says: dict[str, str], kept: ledger.Ledger | None) -> tuple[context.Context, recorder.RecorderTransport]:
    def answer(_host: hosts.Host, _what: command.Command) -> command.Result:
        parts = {name: f"{text}\n".encode() for name, text in says.items()}
        return command.Result(0, {"facts": b"state=/s\n", "app:shop": b"", **parts, "end": b""})

    transport = recorder.RecorderTransport(answer)
    file = settings.Settings(Path("lading.yaml"), hosts.Inventory({"web1": hosts.Host("web1")}, {}))
    return context.Context(file, {}, transport, kept, "ann"), transport


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("verb", VERBS)
def test_it_is_refused(verb: str, case: str, kept: ledger.Ledger) -> None:
    asked, transport = here(WRONG[case], kept)
    with pytest.raises(errors.ContradictionError) as caught:
        asyncio.run(VERBS[verb](asked))
    assert (caught.value.exit_code, caught.value.host) == (4, "web1")
    assert "--accept-host web1" in caught.value.hint
    assert transport.count["web1"] == 1  # the look


@pytest.mark.parametrize("case", WRONG)
def test_where_and_drift_name_it(case: str, kept: ledger.Ledger) -> None:
    asked, _ = here(WRONG[case], kept)
    assert [one.host for one in asyncio.run(drift.drift(asked, "shop")).differences if one.field == "ledger"] == ["web1"]
    told = [row.drift[0] for row in asyncio.run(where.where(asked)).rows if row.app == "shop" and not row.service]
    assert [one.endswith("--accept-host web1") for one in told if one.startswith("ledger: ")] == [True]


def test_what_the_ledger_saw_is_no_contradiction(kept: ledger.Ledger) -> None:
    asked, _ = here(RIGHT, kept)
    found = asyncio.run(drift.drift(asked, "shop"))
    assert [one.field for one in found.differences] == ["release"]  # its files are not in the answer
    assert found.is_deployed
    assert asked.notes == []


def test_without_a_ledger_nothing_is_compared_and_that_is_said() -> None:
    asked, _ = here(WRONG["stale"], None)
    assert [one.field for one in asyncio.run(drift.drift(asked, "shop")).differences] == ["release"]
    assert asked.notes == ["shop on web1 is not compared with a ledger: there is none here"]


def test_the_history_of_an_app_that_nobody_knows(kept: ledger.Ledger) -> None:
    asked, _ = here(RIGHT, kept)
    with pytest.raises(errors.UnknownReleaseError) as caught:
        asyncio.run(history.history(asked, "shpo", offline=True))
    assert (caught.value.exit_code, caught.value.hint) == (2, "did you mean `shop`?")
    with pytest.raises(errors.UnknownReleaseError) as caught:
        asyncio.run(history.history(asked, "zebra"))
    assert caught.value.hint == "apps: shop"
    assert [row.app for row in asyncio.run(history.history(asked, "shop", offline=True)).rows] == ["shop"]
