"""What hosts tell a ledger: of themselves alone, bounded, never about what was made here, and forgotten when asked."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from a_ledger import FIRST, Book, Place, a_plan, a_story, an_end, foreign

from builders import a_journal
from lading import events, state
from lading.ledger import deployments, ledger, projection, releases

Make = Callable[[], Place]
Books = Callable[[Place], Book]
SECOND, THIRD = "20261125-100000-bbbb", "20261126-100000-cccc"
DONE: dict[str, Any] = {"result": "succeeded", "ended": "2026-11-25T10:01:00Z"}


def told(host: str, deployment: str, result: str = "succeeded", **more: Any) -> deployments.Deployment:
    """What one host tells of one deployment."""
    return foreign(deployment, **{**DONE, "result": result, "hosts": {host: result}, "origin": f"host {host}", **more})


def listed(book: Book) -> dict[str, tuple[str, dict[str, str], str]]:
    return {row.deployment: (row.result, dict(row.hosts), row.told_by) for row in book.history(limit=10**6)}


def test_each_host_s_word_counts_for_itself(book: Book) -> None:
    assert book.take([told("web1", SECOND), told("web2", SECOND, "rolled_back")]) == 1
    assert listed(book)[SECOND] == (
        "partial", {"web1": "succeeded", "web2": "rolled_back"}, "web1, web2")
    book.take([told("web2", SECOND, "unknown")])
    assert listed(book)[SECOND][1]["web2"] == "rolled_back", "who is unsure now does not take it back"
    book.take([told("web3", SECOND, actor="the-cto")])
    assert listed(book)[SECOND][2] == "web1, web2, web3 (web3: otherwise)"


@pytest.mark.parametrize("result", ["succeeded", "rolled_back", "untouched"])
def test_nothing_that_was_made_here_is_changed(book: Book, result: str) -> None:
    book.append(a_plan(SECOND, hosts=("web1", "web2")),
                events.DeploymentEnded(SECOND, result="unknown", hosts={"web1": "succeeded", "web2": "unknown"}))
    before = {row.deployment: row for row in book.history()}
    forged = {"actor": "the-cto", "release": "evil", "version": "6", "started": "2099-01-01T00:00:00Z"}
    book.take([told(host, id, result, **forged) for host in ("web1", "web9") for id in (FIRST, SECOND)])
    assert {row.deployment: row for row in book.history()} == before
    book.take([told("web2", SECOND, result, **forged)])
    [row] = [row for row in book.history() if row.deployment == SECOND]
    assert row.hosts == {"web1": "succeeded", "web2": result}, "what this ledger does not know of web2, web2 may tell"
    assert (row.actor, row.release, row.origin) == ("a@b", "r1", "")
    assert book.verify() == ()


def test_what_a_host_told_is_forgotten(book: Book) -> None:
    book.append(a_plan(THIRD, hosts=("web1", "web2")),
                events.DeploymentEnded(THIRD, result="unknown", hosts={"web1": "succeeded", "web2": "unknown"}))
    before, own = listed(book), book.rows()
    forged = [told("web2", f"20261127-100000-{number:04x}") for number in range(300)]
    book.take([*forged, told("web1", SECOND), told("web2", SECOND, "rolled_back"), told("web2", THIRD)])
    assert len(listed(book)) == 303
    assert book.forget("web2") == (302, 0)
    assert listed(book) == {**before, SECOND: ("succeeded", {"web1": "succeeded"}, "web1")}
    assert book.rows() == own
    assert book.verify() == ()
    assert book.forget("web2") == (0, 0)


def test_releases_that_only_one_host_told_of_are_forgotten(book: Book) -> None:
    both, alone, made, named = (json.dumps({"app": name}).encode() for name in ("both", "alone", "made", "named"))
    ids = {name: ledger.release_id(one) for name, one in
           {"both": both, "alone": alone, "made": made, "named": named}.items()}
    book.keep(made)
    book.append(a_plan(SECOND, release=ids["made"]), an_end(SECOND))
    book.take([told("web1", THIRD, release=ids["named"])])
    book.keep_told({"web1": [both], "web2": [both, alone, made, named, b"x" * (releases.LARGEST + 1)]})
    assert book.count_releases() == 4, "what is too large for a release is not taken"
    assert book.forget("web2") == (0, 1)
    assert [name for name, id in ids.items() if book.release(id) is None] == ["alone"]


def test_a_host_cannot_flood_the_ledger(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "KEPT", 50)
    monkeypatch.setattr(releases, "KEPT", 5)
    for look in range(3):
        book.take([told("web2", f"2026112{look}-100000-{number:04x}") for number in range(40)])
        book.keep_told({"web2": [b'{"n":%d}' % (look * 10 + number) for number in range(10)]})
    assert len([row for row in listed(book).values() if row[2] == "web2"]) == 50
    assert book.count_releases() == 5
    assert book.crowded() == ("web2",)
    book.take([told("web2", "20261120-100000-0000", "rolled_back"), told("web1", SECOND)])
    assert listed(book)["20261120-100000-0000"][0] == "rolled_back", "what it told before it may correct"
    assert SECOND in listed(book), "other hosts are heard"
    book.forget("web2")
    assert book.crowded() == ()


def test_one_look_takes_a_bounded_part_of_a_journal() -> None:
    """FINDINGS A4: one `history` stored 99,831 forged rows "by alice"."""
    lines = a_journal(*({"v": 1, "kind": "begin", "deployment": f"20261124-101500-{number:06x}", "verb": "deploy", "app": "shop",
                   "actor": "alice\x1b[2J" * 100, "participants": ["web1", "web2"], "to": "r1", "at": "2026-11-24T10:15:00Z"}
                  for number in range(99_831)))
    seen = state.FleetState({"web2": state.HostState("web2", apps={"shop": state.AppState("shop", journal=lines)})})
    found = deployments.from_journals(seen)
    assert len(found) == deployments.LOOK
    assert {tuple(one.hosts) for one in found} == {("web2",)}
    assert all(len(one.actor) <= deployments.LIMIT and one.actor.isprintable() for one in found)


def test_all_that_was_told_moves_with_the_ledger(book: Book, make: Make, books: Books) -> None:
    book.take([told("web1", SECOND), told("web2", SECOND, "rolled_back", ran_by="ann@laptop")])
    other = books(make())
    other.merge(book.export())
    assert listed(other) == listed(book)
    other.forget("web2")
    assert listed(other)[SECOND] == ("succeeded", {"web1": "succeeded"}, "web1")


def test_forget_on_the_command_line(tmp_path: Path, make: Make, books: Books) -> None:
    place = make()
    book = books(place)
    a_story(book)
    book.take([told("web2", SECOND)])
    (tmp_path / "lading.yaml").write_text("lading: 1\nledger: {url: {env: TEAM}}\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    if isinstance(place.where, str):
        env["TEAM"] = place.where
    else:
        (tmp_path / "lading").mkdir()
        (tmp_path / "lading" / "ledger.db").symlink_to(place.where)
        (tmp_path / "lading.yaml").write_text("lading: 1\n")

    def lading(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "lading", "--config", "lading.yaml", *words], env=env, cwd=tmp_path, text=True,
                              capture_output=True, timeout=120)

    shown = lading("history", "--offline")
    assert "web2" in next(line for line in shown.stdout.splitlines() if SECOND in line)
    done = lading("ledger", "forget", "web2", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"v": 1, "host": "web2", "deployments": 1, "releases": 0}
    again = lading("ledger", "forget", "web2")
    assert (again.returncode, "has told this ledger of nothing" in again.stderr) == (2, True), again.stderr
    assert listed(book) == {FIRST: ("succeeded", {"web1": "succeeded"}, "")}
