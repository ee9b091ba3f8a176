"""Frozen examples of format v1, left by a real run: today's code reads them as what they were, and refuses newer ones."""

import asyncio
import hashlib
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from builders import last_phase
from host_shell import HostShell, by_compose
from lading import errors, events, state
from lading.compose import bundle, overlay, plugin, restore
from lading.deploy import host_checks, on_host
from lading.drivers import base as drivers
from lading.drivers.shell import observation, observe, releases
from lading.inventory import hosts
from lading.ledger import deployments, ledger, timings
from lading.plan import planner
from lading.queries import differences, listing
from lading.state import journal
from lading.transport import local

V1 = Path(__file__).parent / "v1"
RELEASES = {path.name: path for path in sorted((V1 / "host" / "apps" / "shop" / "releases").iterdir())}
STAGED = ("PullImages", "StoreRelease")
KINDS = [json.loads(line) for line in (V1 / "events.jsonl").read_text().splitlines()]
IDS = {name: hashlib.sha256((path / "release.json").read_bytes()).hexdigest() for name, path in RELEASES.items()}
PROGRAM = """#!/bin/sh
case "$1" in
compose) shift; exec {plugin} "$@";;
ps) printf 'a container\\n';;
container) cat {containers};;
*) exit 1;;
esac
"""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostShell:
    """The frozen host: its state folder, a Docker that shows its containers, the real Compose plugin."""
    made = HostShell(tmp_path, monkeypatch)
    shutil.copytree(V1 / "host", made.state, dirs_exist_ok=True)
    made.program("docker", PROGRAM.format(plugin=plugin.find({}), containers=V1 / "containers.jsonl"))
    return made


def look(host: HostShell) -> state.HostState:
    async def work() -> state.HostState:
        transport = local.LocalTransport()
        try:
            return await observe.host(transport, hosts.Host("web1"), observe.Question(str(host.state), "shop"))
        finally:
            await transport.close()

    return asyncio.run(work())


def seen(host: HostShell) -> state.AppState:
    found = look(host)
    assert found.error == ""
    return found.apps["shop"]


def frozen(name: str) -> Any:
    """A document that was printed in v1, with the releases by their whole ids, as they are printed today."""
    return named(json.loads((V1 / name).read_text()))


def named(value: Any) -> Any:
    if isinstance(value, list):
        return [named(one) for one in value]
    if isinstance(value, dict):
        return {key: IDS.get(one, one) if key == "release" else named(one) for key, one in value.items()}
    return value


def test_where_and_drift(host: HostShell) -> None:
    told = {row["service"]: row for row in frozen("where.json")}
    # what was said of all containers then: the app's version, and its newest deployment; the first one made this container
    told["store"] |= {"version": "1", "deployment": "20261124-110354-d87b"}
    shown = {row.service: row.as_json() for row in listing.host_rows(look(host), "shop")}
    assert {name: {key: row[key] for key in told[name]} for name, row in shown.items()} == told
    assert {row["app_version"] for row in shown.values()} == {"1.0.0"}
    assert differences.differences("web1", seen(host)) == ()
    current = seen(host).current
    assert current is not None
    with (host.app() / "releases" / current.release[:12] / "files" / "docker-compose.yml").open("a") as file:
        file.write("# by hand\n")
    assert [one.field for one in differences.differences("web1", seen(host))] == ["file"]


def test_history_from_the_journal(host: HostShell) -> None:
    told = {one.deployment: one.as_json() for one in deployments.from_journals(state.FleetState({"web1": look(host)}))}
    kept = {row["deployment"]: row for row in frozen("history.json")}
    vague = ("ended", "origin")  # a second may lie between the two; the journal's row says where it was read
    assert [{k: v for k, v in told[name].items() if k not in vague} for name in kept] == [
        {k: v for k, v in row.items() if k not in vague} for row in kept.values()]
    assert set(told) == set(kept)
    assert {one["origin"] for one in told.values()} == {"host web1"}


def test_a_deployment_that_was_left_open(host: HostShell) -> None:
    lines = (host.app() / "journal").read_text().splitlines(keepends=True)
    cut = next(number for number, line in enumerate(lines) if json.loads(line)["kind"] == "undone")
    (host.app() / "journal").write_text("".join(lines[:cut]))
    left = seen(host).open
    assert left is not None
    begun, before = left.begun, left.begun.before
    assert (begun.deployment, begun.participants, begun.verb) == ("20261124-110407-b7b9", ("web1",), "deploy")
    assert before is not None
    assert (before.release, before.version, dict(before.generations)) == (
        IDS["c0186b515193"], "1.1.0", {"file.token.txt": 1, "var.GREETING": 1})


def test_the_lease_is_taken_over_with_the_next_fence(host: HostShell) -> None:
    begun = journal.Begun("d2", process="p2", app="shop")
    claim = drivers.Claim("shop", begun, "ben@desk", "2026-11-25T10:00:00Z", grace=1)
    taken = host.run(observation.lease(observe.marker(), claim, str(host.state), timeout=60))
    assert taken.text("fence").strip() == "6"
    assert seen(host).open is not None


def test_an_app_that_was_adopted() -> None:
    kept, lines = (V1 / "adopted" / "current").read_text(), (V1 / "adopted" / "journal").read_text().splitlines()
    current = state.current_from_json(json.loads(kept))
    assert json.loads(json.dumps(current.as_json())) == json.loads(kept)
    store = current.adopted["96cfad048b74bb48bfd755d86ac16194954ed94e72d8cb4e92b7df23f2eb2b50"]
    assert (store.content, store.image.partition("@")[0], store.secrets) == ("6b42da8af1d0a1a4b8be68dab1e899bc", "registry.lab:5000/store:1", "")
    told = tuple(journal.read(json.loads(line)) for line in lines)
    begun = [record for record in told if isinstance(record, journal.Begun)]
    assert [(one.verb, one.keeps_containers) for one in begun] == [("adopt", True), ("deploy", False)]
    assert begun[1].before is not None
    assert begun[0].adopted == current.adopted == begun[1].before.adopted
    left = state.AppState("shop", journal=told[:1]).open
    assert left is not None
    assert left.begun.keeps_containers


def test_whole_ids() -> None:
    """`current` of format 2, a journal of format 3, and what the ledger notes of them at the commit."""
    folder = V1.parent / "v2"
    current = state.current_from_json(json.loads((folder / "current").read_text()))
    begun, committed = (journal.read(json.loads(line)) for line in (folder / "journal").read_text().splitlines())
    assert (current.release, current.deployment) == (IDS["c0186b515193"], "20261128-221500-5c1e")
    assert isinstance(begun, journal.Begun)
    assert (begun.raw["v"], begun.to, begun.participants) == (3, current.release, ("web1", "web2", "web3", "web4"))
    assert begun.before is not None
    assert begun.before.release == IDS["dfa3a5086413"]
    assert isinstance(committed, journal.Reached)
    assert (committed.kind, committed.phase) == ("committed", "ended")  # up to format 3 it closes
    assert state.AppState("shop", journal=(begun, committed)).open is None
    seen = events.from_json(json.loads((folder / "events.jsonl").read_text()))
    assert isinstance(seen, events.HostCommitted)
    assert (seen.release, seen.line, seen.current) == (
        committed.to, state.hash_of_line(committed.raw), state.hash_of_current(current))


def test_numbers_by_hand() -> None:
    """`current` of format 3, and a journal whose `begin` is of format 5."""
    folder = V1.parent / "v5"
    current = state.current_from_json(json.loads((folder / "current").read_text()))
    told = tuple(journal.read(json.loads(line)) for line in (folder / "journal").read_text().splitlines())
    app = state.AppState("shop", current, journal=told)
    assert current.by_hand == {"web": 3, "db": 0}
    assert (app.open, app.committed.by_hand if app.committed else None) == (None, current.by_hand)
    assert json.loads(json.dumps(current.as_json())) == json.loads((folder / "current").read_text())


V4_DEPLOYED, V4_TAKEN_BACK, V4_NEXT = "20261129-154539-ee54", "20261129-154553-08a8", "20261129-154616-3a35"


def v4_lines() -> list[dict[str, Any]]:
    """A journal of format 4: a deployment, one that failed and was taken back, one more."""
    text = (V1.parent / "v4" / "journal").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_phase_a_line() -> None:
    records = [journal.read(line) for line in v4_lines()]
    phases = {id: last_phase(records, id) for id in (V4_DEPLOYED, V4_TAKEN_BACK, V4_NEXT)}
    assert phases == {V4_DEPLOYED: "ended", V4_TAKEN_BACK: "undone", V4_NEXT: "ended"}
    assert state.AppState("shop", journal=tuple(records)).open is None
    assert [one.version for one in journal.commits(records)] == ["1.0.0", "1.1.0"]
    begun = records[0]
    assert isinstance(begun, journal.Begun)
    assert (begun.host, begun.participants, begun.process) == ("web1", ("web1", "web2"), "1ac5128cdd3adcb3")


@pytest.mark.parametrize(("lines", "phase"), [
    (1, "begun"), (2, "staged"), (3, "rolling"), (4, "rolled"), (5, "prepared"), (6, "committed"),
])
def test_whatever_has_not_ended_is_open(lines: int, phase: str) -> None:
    records = tuple(journal.read(line) for line in v4_lines()[:lines])
    left = state.AppState("shop", journal=records).open
    assert left is not None
    assert (left.begun.deployment, left.phase) == (V4_DEPLOYED, phase)


def test_lines_of_a_phase_are_written_as_they_were_read() -> None:
    for line in v4_lines():
        written = journal.read(line).as_json()
        assert written == {key: value for key, value in line.items() if key not in ("at", "rc")}  # the host adds these


@pytest.mark.parametrize("name", RELEASES)
def test_releases(name: str) -> None:
    folder = RELEASES[name]
    content = (folder / "release.json").read_bytes()
    made = restore.from_bytes(content)
    assert (made.id, made.canonical()) == (IDS[name], content)
    assert made.id.startswith(name)
    assert made.overlay == (folder / "compose.overlay.yaml").read_text()
    assert bundle.plain_env(made.plain) == (folder / "plain.env").read_text()
    assert {spec.image.partition("@")[0] for spec in made.active.values()} == {
        f"registry.lab:5000/hello:{made.version}", "registry.lab:5000/store:1"}


def generations(app: state.AppState, wanted: str) -> dict[str, int]:
    begun = [record for record in app.journal if isinstance(record, journal.Begun) and record.to == IDS[wanted]]
    return dict(begun[-1].secret_versions)


@pytest.mark.parametrize("name", RELEASES)
def test_compose_reads_a_kept_release_with_todays_command(name: str, host: HostShell) -> None:
    app, made = seen(host), restore.from_bytes((RELEASES[name] / "release.json").read_bytes())
    call = releases.call(made, generations(app, name), app)
    script = by_compose(call.values(), host.app(), "config", "--format", "json")
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    services = json.loads(done.stdout)["services"]
    assert {key: (one["image"], one["labels"]["lading.content"]) for key, one in services.items()} == {
        key: (spec.image, spec.content) for key, spec in made.active.items()}
    greeting = {1: "hello", 2: "hi"}[generations(app, name)["var.GREETING"]]
    assert services["web"]["environment"] == {"GREETING": greeting}
    sources = {mount["target"]: Path(mount["source"]) for mount in services["web"]["volumes"]}
    assert (sources["/conf"] / "a.conf").read_text() == "color = blue\n"
    assert sources["/state"] == host.app() / "project" / "state"
    token = json.loads(done.stdout)["secrets"]["token"]["file"]
    assert Path(token).read_text() == "s3cret\n"
    if app.current is not None and made.id == app.current.release:
        by_hand = subprocess.run([host.app() / "compose", "config", "--format", "json"], capture_output=True, text=True, check=True)
        assert by_hand.stdout == done.stdout


def test_the_overlay_names_its_format() -> None:
    for folder in RELEASES.values():
        assert "format 1:" in overlay.HEADER
        assert (folder / "compose.overlay.yaml").read_text().startswith(overlay.HEADER)


def test_the_plan_is_made_as_it_was(host: HostShell) -> None:
    whole = look(host)
    app, made = whole.apps["shop"], restore.from_bytes((RELEASES["c0186b515193"] / "release.json").read_bytes())
    assert app.current is not None
    one = planner.plan_host("web1", made, dict(app.current.generations), (), app, on_host.current_release(app))
    plan = planner.plan(made, "web1", planner.hooked(made, {"web1": one}))
    before, now = frozen("plan.json"), json.loads(json.dumps(plan.as_json()))
    was, are = before.pop("steps"), now.pop("steps")
    assert {key: now[key] for key in before} == before  # what came later stands beside it
    kept = [step for step in are if step in was]
    assert sorted(kept, key=was.index) == was  # images are pulled before the release is stored since then
    assert [one for one in kept if one["kind"] not in STAGED] == [one for one in was if one["kind"] not in STAGED]
    assert [one["kind"] for one in are if one not in was] == ["VerifyServices", "PrepareRelease", "FinishRelease"]


@pytest.mark.parametrize("stored", KINDS, ids=lambda one: one["kind"])
def test_events(stored: dict[str, Any]) -> None:
    again = json.loads(json.dumps(events.to_json(events.from_json(stored))))
    assert {**again, "data": {key: again["data"][key] for key in stored["data"]}} == stored
    later = {**stored, "data": {**stored["data"], "of a later lading": 1}}
    assert events.from_json(later) == events.from_json(stored)


def test_evidence() -> None:
    """An event that names last lines, and a line of an exported ledger that holds them."""
    event, line = (json.loads(one) for one in (V1.parent / "v2" / "evidence.jsonl").read_text().splitlines())
    seen = events.from_json(event)
    assert isinstance(seen, events.ServiceUnhealthy)
    assert seen.evidence == hashlib.sha256(line["evidence"].encode()).hexdigest()
    assert events.to_json(seen) == event


def test_every_kind_of_event_is_frozen() -> None:
    assert {one["kind"] for one in KINDS} >= set(events.KINDS)


@pytest.fixture
def kept(tmp_path: Path) -> ledger.Ledger:
    """The frozen ledger, as a file."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as base:
        base.executescript((V1 / "ledger.sql").read_text())
    return asyncio.run(ledger.open_ledger(path))


def test_the_ledger(kept: ledger.Ledger, host: HostShell) -> None:
    attested = deployments.attested(state.FleetState({"web1": look(host)}))
    assert len(attested) == 4
    assert asyncio.run(kept.verify(attested)) == ()
    rows = asyncio.run(kept.history("shop"))
    assert [row.as_json() for row in rows] == json.loads((V1 / "history.json").read_text())  # rows stay as they were written
    for row in rows:
        stored = asyncio.run(kept.events(row.deployment))
        assert isinstance(stored[0].event, events.DeploymentPlanned)
        assert isinstance(stored[-1].event, events.DeploymentEnded)
        assert {"lease", "roll"} <= set(timings.timings(stored).hosts["web1"])
    for name, folder in RELEASES.items():
        content = asyncio.run(kept.release(name))
        assert content == (folder / "release.json").read_bytes()
    asyncio.run(kept.append(events.StateSeen("d", "web1", summary="today's lading goes on with the chain")))
    assert asyncio.run(kept.verify(attested)) == ()


def newer(path: str, version: int = 2) -> Callable[[Path], None]:
    """Write a format that is not known yet into a JSON file, or into the last line of one, of the state folder."""

    def act(root: Path) -> None:
        lines = (root / path).read_text().splitlines()
        lines[-1] = json.dumps({**json.loads(lines[-1]), "v": version}, separators=(",", ":"))
        (root / path).write_text("\n".join(lines) + "\n")

    return act


NEWER: dict[str, tuple[Callable[[Path], None], str]] = {
    "current": (newer("apps/shop/current", 4), "`current` has format 4, this lading knows 3"),
    "journal": (newer("apps/shop/journal", 6), "`journal` has a line of format 6, this lading knows 5"),
    "release": (newer("apps/shop/releases/c0186b515193/release.json"), "release c0186b515193 has format 2, this lading knows 1"),
    "state folder": (lambda root: [(root / "format").write_text("2\n")].clear(), "the state there has format 2, this lading knows 1"),
}


@pytest.mark.parametrize("case", NEWER)
def test_a_newer_format_on_a_host_is_refused(case: str, host: HostShell) -> None:
    act, words = NEWER[case]
    host_checks.check_reachable(state.FleetState({"web1": look(host)}))
    act(host.state)
    with pytest.raises(errors.ForeignError) as caught:
        host_checks.check_reachable(state.FleetState({"web1": look(host)}))
    wrong = caught.value
    assert (wrong.exit_code, wrong.message, wrong.host) == (4, words, "web1")
    assert wrong.hint == "install the newer lading"


def test_a_newer_release_in_the_ledger_is_refused() -> None:
    stored = json.loads((RELEASES["c0186b515193"] / "release.json").read_bytes())
    with pytest.raises(errors.InputError, match="a release of format 2 was found; this lading knows 1"):
        restore.from_json({**stored, "v": 2})


@pytest.mark.parametrize("change", [{"v": 2}, {"kind": "ShipSunk"}])
def test_a_newer_event_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"event (LeaseTaken v2|ShipSunk v1) is not known to this lading"):
        events.from_json({**next(one for one in KINDS if one["kind"] == "LeaseTaken"), **change})


def test_a_newer_event_in_the_ledger_is_refused(kept: ledger.Ledger) -> None:
    with closing(sqlite3.connect(kept.place)) as base:
        base.execute("""UPDATE events SET data=replace(data, '"v":1', '"v":2') WHERE seq=3""")
        base.commit()
    with pytest.raises(errors.LedgerError) as caught:
        asyncio.run(kept.events("20261124-110354-d87b"))
    assert "row 3: event" in caught.value.message
    assert (caught.value.exit_code, caught.value.file) == (7, str(kept.place))
    assert "newer lading" in caught.value.hint
