"""The ledger and the hosts: what hosts attest, what a rebuild brings back, what was done elsewhere, ledgers that fail."""

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from app_client import LADING, App
from lab_client import Done, Lab


class Person:
    """Somebody with a state folder, and so a ledger, of their own."""

    def __init__(self, app: App, folder: Path, name: str) -> None:
        self.app, self.state = app, folder / name
        self.env = {"XDG_STATE_HOME": str(self.state), "USER": name}
        self.path = self.state / "lading" / "ledger.db"

    def lading(self, *words: str) -> Done:
        return self.app.lading(*words, env=self.env)

    def read(self, *words: str, code: int = 0) -> Any:
        done = self.lading(*words, "--json")
        assert done.returncode == code, done.stderr + done.stdout
        return json.loads(done.stdout)

    def deploy(self, version: str, *words: str, code: int = 0) -> Any:
        done = self.app.deploy(version, "--json", *words, env=self.env)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def ann(app: App, tmp_path: Path) -> Person:
    return Person(app, tmp_path, "ann")


@pytest.fixture
def ben(app: App, tmp_path: Path) -> Person:
    return Person(app, tmp_path, "ben")


def committed_heads(ann: Person, lab: Lab) -> list[dict[str, Any]]:
    """What web1's journal says of the ledger at each commit; each is a row of it, the decision to commit."""
    journal = lab.exec("web1", f"cat /var/lib/lading/apps/{ann.app.name}/journal").stdout
    heads = [line["ledger"] for text in journal.splitlines() if (line := json.loads(text))["kind"] == "committed"]
    with closing(sqlite3.connect(ann.path)) as base:
        for head in heads:
            assert set(head) == {"writer", "seq", "hash"}
            stored = base.execute("SELECT hash, kind, step FROM events WHERE writer=? AND seq=?", (head["writer"], head["seq"]))
            assert stored.fetchone() == (head["hash"], "StepStarted", "commit")
    return heads


def test_hosts_attest_the_ledger(ann: Person, lab: Lab) -> None:
    first = ann.deploy("1.0.0")
    backup = ann.path.with_name("backup")
    shutil.copy(ann.path, backup)
    ann.deploy("1.1.0")
    assert len(committed_heads(ann, lab)) == 2
    told = ann.read("ledger", "verify", "--hosts", "--to", "web1,web2")
    assert (told["ok"], told["attested"], told["faults"]) == (True, 4, [])

    shutil.copy(backup, ann.path)  # somebody puts yesterday's ledger back
    assert ann.lading("ledger", "verify").returncode == 0
    cut = ann.lading("ledger", "verify", "--hosts", "--to", "web1,web2")
    assert cut.returncode == 7
    assert cut.stdout.count("its end was cut off") == 2
    assert "web1 attests row" in cut.stdout
    with closing(sqlite3.connect(ann.path)) as base:
        base.execute("UPDATE events SET host='elsewhere' WHERE seq=3")
        base.commit()
    changed = ann.lading("ledger", "verify")
    assert (changed.returncode, "row 3 (" in changed.stdout, "was changed" in changed.stdout) == (7, True, True)
    shutil.copy(backup, ann.path)

    lab.cut("web2")
    try:
        silent = ann.lading("ledger", "verify", "--to", "web2")
    finally:
        lab.heal("web2")
    assert (silent.returncode, "what web2 attests was not compared: " in silent.stdout) == (6, True), silent.stdout + silent.stderr

    shown = ann.read("show", first["deployment"], "--timings")
    assert shown["images"]["web"].startswith("registry.lab:5000/hello:1.0.0@sha256:")
    assert shown["journal"] == []
    phases = {"lease", "stage", "roll", "prepare", "commit"}
    assert {host: set(took) for host, took in shown["timings"]["hosts"].items()} == {"web1": phases, "web2": phases}
    assert shown["timings"]["total"] > shown["timings"]["prepare"] > 0
    assert "ROLL S" in ann.lading("show", first["deployment"], "--timings").stdout


def test_a_host_of_a_newer_lading(ann: Person, lab: Lab) -> None:
    made = ann.deploy("1.0.0")
    lab.exec("web1", f"""echo '{{"v": 6, "kind": "new"}}' >>/var/lib/lading/apps/{ann.app.name}/journal""")
    why = "`journal` has a line of format 6, this lading knows 5"
    assert f"what was done on web1 from elsewhere is not shown: {why}" in ann.lading("history", ann.app.name).stdout
    assert ann.read("history", ann.app.name, code=6)[0]["deployment"] == made["deployment"]
    verified = ann.lading("ledger", "verify", "--to", "web1", "--json")
    assert (verified.returncode, json.loads(verified.stdout)["unreachable"]) == (6, [{"host": "web1", "error": why}])
    assert ann.app.where("--to", "web1")[0]["drift"] == [why]
    refused = ann.app.deploy("1.1.0", to="web1", env=ann.env)
    assert (refused.returncode, f"error: {why}" in refused.stderr) == (4, True), refused.stderr
    assert "install the newer lading" in refused.stderr


def alike(row: dict[str, Any]) -> dict[str, Any]:
    """A row of history without what may differ by a second, and without where it was read."""
    return {key: value for key, value in row.items() if key not in ("origin", "started", "ended")}


def test_rebuild_from_hosts(ann: Person) -> None:
    ann.deploy("1.0.0", "--reason", "the first")
    failed = ann.deploy("1.2.0", code=5)
    ann.deploy("1.1.0")
    name = ann.app.name
    before = ann.read("history", name)
    assert [row["result"] for row in before] == ["succeeded", "rolled_back", "succeeded"]
    images = ann.read("show", before[2]["deployment"])["images"]
    shutil.rmtree(ann.state)

    rebuilt = ann.lading("ledger", "rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert "lost: of 3 deployments read from hosts: their events one by one" in rebuilt.stdout
    assert "3 deployments made elsewhere" in rebuilt.stdout
    after = ann.read("history", name, "--offline")
    assert [alike(row) for row in after] == [alike(row) for row in before]
    assert [row["ended"] >= row["started"] for row in after] == [True] * 3
    shown = ann.read("show", before[2]["deployment"])
    assert (shown["reason"], shown["images"], shown["events"]) == ("the first", images, [])
    kinds = [line["kind"] for line in ann.read("show", failed["deployment"])["journal"] if line["on"] == "web1"]
    assert (kinds[0], kinds[-1]) == ("begin", "undone")
    assert ann.lading("ledger", "verify").returncode == 0
    told = ann.read("ledger", "verify", "--hosts", "--to", "web1,web2")
    assert (told["ok"], len(told["other_writers"])) == (True, 1)
    again = ann.read("ledger", "rebuild")
    assert (again["deployments"], again["from_hosts"], again["unreachable"]) == (3, 3, [])
    ann.deploy("1.0.0")
    assert [bool(row["origin"]) for row in ann.read("history", name)] == [False, True, True, True]


def test_what_was_made_elsewhere(ann: Person, ben: Person) -> None:  # R7 R66
    first, second = ann.deploy("1.0.0"), ann.deploy("1.1.0", "--reason", "by ann")
    shown = ben.read("show", second["deployment"][:17])  # ben has asked for nothing before
    assert (shown["actor"].split("@")[0], shown["reason"], shown["result"]) == ("ann", "by ann", "succeeded")
    assert shown["images"]["web"].startswith("registry.lab:5000/hello:1.1.0@sha256:")
    assert {line["on"] for line in shown["journal"]} == {"web1", "web2"}
    mine = ben.deploy("1.0.0")
    listed = ben.lading("history", ben.app.name)
    assert "2 deployments made elsewhere" in listed.stdout
    rows = ben.read("history", ben.app.name)
    assert [(row["deployment"], row["actor"].split("@")[0], bool(row["origin"])) for row in rows] == [
        (mine["deployment"], "ben", False), (second["deployment"], "ann", True), (first["deployment"], "ann", True)]
    assert "1 deployment made elsewhere" in ann.lading("history", ann.app.name).stdout
    nobody = ben.lading("show", "20000101-000000-0000")
    assert (nobody.returncode, "neither the ledger nor a host knows" in nobody.stderr) == (2, True)
    removed = ben.lading("remove", ben.app.name, "--to", "web1,web2", "--yes")
    assert removed.returncode == 0, removed.stderr
    gone = ann.read("history", ann.app.name)[0]
    assert (gone["verb"], gone["result"], gone["release"], gone["hosts"]) == (
        "remove", "succeeded", None, {"web1": "succeeded", "web2": "succeeded"})


@contextmanager
def deploying(ann: Person, version: str, until: str) -> Iterator[subprocess.Popen[str]]:
    """Ann's deployment in the background that has just said *until*; it is ended at the end of the block."""
    words = (*LADING, "deploy", "--version", version, "--to", "web1,web2", "--yes")
    process = ann.app.lab.popen(*words, cwd=ann.app.folder, env=ann.env)
    try:
        wait_for(process, until)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    said = ""
    while words not in said:
        line = process.stderr.readline() if process.stderr else ""
        assert line, f"it never said {words!r}, but:\n{said}"
        said += line


def test_the_ledger_goes_in_the_middle_and_comes_back(ann: Person) -> None:
    ann.deploy("1.0.0")
    away = ann.path.parent.with_name("away")
    with deploying(ann, "1.1.0", "web1       stage begins") as process:
        ann.path.parent.rename(away)
        wait_for(process, "roll begins")
        away.rename(ann.path.parent)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "succeeded" in out
    assert "the ledger lacks" not in err
    assert ann.app.versions() == {("web1", "1.1.0", "healthy"), ("web2", "1.1.0", "healthy")}
    [row, _] = ann.read("history", ann.app.name, "--offline")
    kinds = [event["kind"] for event in ann.read("show", row["deployment"])["events"]]
    assert (row["result"], kinds[0], kinds[-1]) == ("succeeded", "DeploymentRequested", "DeploymentEnded")
    assert (kinds.count("StepStarted"), kinds.count("StepEnded"), kinds.count("HostCommitted")) == (7, 6, 2)
    assert ann.read("ledger", "verify", "--to", "web1,web2")["ok"]


def test_the_ledger_goes_in_the_middle_for_ever(ann: Person) -> None:
    ann.deploy("1.0.0")
    away = ann.path.parent.with_name("away")
    with deploying(ann, "1.2.0", "web1       stage begins") as process:
        ann.path.parent.rename(away)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 5, err
    assert "rolled_back" in out
    assert "note: the ledger lacks" in err
    assert str(ann.path) in err
    assert ann.app.versions() == {("web1", "1.0.0", "healthy"), ("web2", "1.0.0", "healthy")}
    away.rename(ann.path.parent)
    offline = ann.read("history", ann.app.name, "--offline")
    assert [row["result"] for row in offline] == ["running", "succeeded"]
    told = ann.read("history", ann.app.name)
    assert [(row["result"], row["hosts"], row["origin"]) for row in told[:1]] == [
        ("rolled_back", {"web1": "rolled_back", "web2": "rolled_back"}, None)]
    assert ann.read("ledger", "verify")["ok"]
    ann.deploy("1.1.0")


def not_a_database(path: Path) -> tuple[str, ...]:
    path.write_text("this is no database, and long enough to be taken for one" * 20)
    return ()


def of_a_newer_lading(path: Path) -> tuple[str, ...]:
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA user_version=99")
    return ()


def on_a_read_only_disk(path: Path) -> tuple[str, ...]:
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", script, str(path.parent))


def without_its_head(path: Path) -> tuple[str, ...]:
    with closing(sqlite3.connect(path)) as base:
        base.execute("DELETE FROM head")
        base.commit()
    return ()


@pytest.mark.parametrize(("spoil", "words", "hint"), [
    (not_a_database, "the ledger is damaged", "lading ledger rebuild"),
    (of_a_newer_lading, "the ledger was written by a newer lading (schema 99", "install the newer lading"),
    (on_a_read_only_disk, "the ledger cannot be", "XDG_STATE_HOME"),
    (without_its_head, "the ledger is damaged", "lading ledger rebuild"),
])
def test_a_ledger_that_cannot_be_used(
    ann: Person, lab: Lab, spoil: Callable[[Path], tuple[str, ...]], words: str, hint: str
) -> None:
    empty = ann.lading("history", ann.app.name)
    assert (empty.returncode, empty.stdout) == (2, ""), empty.stderr
    prefix = spoil(ann.path)
    done = lab.run(*prefix, *LADING, "deploy", "--version", "1.0.0", "--to", "web1,web2", "--yes", check=False,
                   cwd=ann.app.folder, env=ann.env)
    assert done.returncode == 7, done.stderr
    assert f"error: {words}" in done.stderr
    assert f"at: {ann.path}" in done.stderr
    assert hint in done.stderr.partition(" hint: ")[2]
    for host in ("web1", "web2"):
        lab.exec(host, f"test ! -e /var/lib/lading/apps/{ann.app.name} && test -z \"$(ls /home/*/.lading/*/apps/{ann.app.name} 2>/dev/null)\"")
        assert ann.app.ids(host) == {}


def test_a_ledger_that_was_emptied_is_seen(ann: Person, ben: Person) -> None:  # C5
    ann.deploy("1.0.0")
    writer = ann.read("ledger", "verify")["writer"]
    shutil.rmtree(ann.state)
    alone = ann.read("ledger", "verify")
    assert alone["unchecked"] != [], "what only hosts can tell is said"
    for made in (False, True):
        if made:
            ann.deploy("1.1.0")
        seen = ann.lading("ledger", "verify", "--hosts", "--to", "web1,web2")
        assert seen.returncode == 7, seen.stdout
        assert f"for a ledger of writer {writer}, which is not here: this ledger was emptied" in seen.stdout
    other = ben.read("ledger", "verify", "--hosts", "--to", "web1,web2")
    assert (other["ok"], len(other["other_writers"])) == (True, 2), "another person's own ledger is no fault"
    assert any(writer in words for words in other["unchecked"])


def test_the_actor_is_a_claim(ann: Person) -> None:  # C6
    ann.deploy("1.0.0")
    claimed = {**ann.env, "GITHUB_ACTIONS": "true", "GITHUB_TRIGGERING_ACTOR": "the-cto"}
    done = ann.app.deploy("1.1.0", "--json", env=claimed)
    assert done.returncode == 0, done.stderr
    row = ann.read("history", ann.app.name, "--offline")[0]
    assert row["actor"] == "the-cto"
    assert row["ran_by"].startswith("root@")
    [(key, hosts)] = ann.read("show", row["deployment"])["keys"].items()
    assert key.startswith("SHA256:")
    assert hosts == ["web1", "web2"]
    shown = ann.lading("show", row["deployment"])
    assert "the-cto, by its own word; run by root@" in " ".join(shown.stdout.split())
