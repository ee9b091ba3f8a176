"""Events, outcomes, states: both ways to JSON, and the words that people see."""

import json
import os
import sys
from pathlib import Path

import pytest

from builders import a_container, a_release, a_service, an_app
from lading import errors, events, options, settings, state
from lading.cli import front, main, reporting
from lading.compose import reference
from lading.drivers.shell import parsers
from lading.inventory import hosts
from lading.queries import differences, listing


@pytest.mark.parametrize("kind", list(events.KINDS.values()), ids=lambda kind: kind.__name__)
def test_events_both_ways(kind: type[events.Event]) -> None:
    event = kind("d", "h", "s")
    assert events.from_json(json.loads(json.dumps(events.to_json(event)))) == event


def test_newer_event_is_refused() -> None:
    with pytest.raises(ValueError, match="v2"):
        events.from_json({**events.to_json(events.HostLost("d")), "v": 2})


@pytest.mark.parametrize(("results", "whole"), [
    (["unchanged"], "unchanged"), (["succeeded", "unchanged"], "succeeded"), (["untouched", "untouched"], "failed"),
    (["rolled_back", "untouched"], "rolled_back"), (["succeeded", "rolled_back"], "partial"),
    (["failed", "rolled_back"], "partial"), (["succeeded", "unknown"], "unknown"),
])
def test_the_whole_is_honest(results: list[events.HostResult], whole: str) -> None:
    outcome = events.Outcome({str(n): events.HostOutcome(r) for n, r in enumerate(results)})
    assert outcome.result == whole


@pytest.mark.parametrize(("change", "held"), [({}, True), ({"now": "100"}, False), ({"nowboot": "c"}, False), ({"state": "free"}, False)])
def test_lease_by_uptime_and_boot(change: dict[str, str], held: bool) -> None:
    lease = {"state": "held", "boot": "b", "nowboot": "b", "expires": "99", "now": "50", **change}
    assert state.AppState("a", lease=lease).held is held


WEB, DB = a_service("web", "r/web:1"), a_service("db", "r/db:1")


def test_where_and_drift_of_one_host() -> None:
    made = a_release(WEB, DB)
    web = a_container(made.services["web"], status="exited", exit_code=1)
    stranger = a_container(made.services["web"], service="old", id="x", content="?")
    app = an_app(made, web, stranger)
    rows = {row.service: row for row in listing.host_rows(state.HostState("h", apps={"shop": app}), "")}
    assert {name: row.state for name, row in rows.items()} == {"web": "exited", "old": "running", "db": "missing"}
    assert (rows["web"].app_version, rows["web"].release, rows["old"].app_version) == ("1", made.id, "")
    found = {(one.service, one.field) for one in differences.differences("h", app)}
    assert found == {("web", "state"), ("db", "missing"), ("old", "extra")}
    assert differences.differences("h", an_app(made)) == ()


def test_unreachable_is_unknown() -> None:  # R72
    rows = listing.host_rows(state.HostState("h", error="no route"), "shop")
    assert [(row.host, row.state, row.drift) for row in rows] == [("h", "unknown", ("no route",))]


def test_answer_of_a_host() -> None:
    parts = {
        "facts": b"engine=20.10.24\nport=other 0.0.0.0:80->80/tcp\nlisten=00000000:0050\ntool=flock\nfree=12\n",
        "app:shop": b"", "current:shop": b'{"v":1,"app":"shop","release":"r1","version":"1","deployment":"d"}',
        "release:shop:r1": b'{"v":1,"files":{"a.yml":"' + b"0" * 64 + b'"}}', "sums:shop:r1": b"1" * 64 + b"  releases/r1/files/a.yml\n",
        "secrets:shop": b"var.A%2FB 2 abc\nbroken\n", "journal:shop": b'{"kind":"begin","deployment":"d"}\nnot json\n', "end": b"",
    }
    seen = parsers.host_state("h", list(parts.items()))
    app = seen.apps["shop"]
    assert (seen.facts.engine, dict(seen.facts.ports), seen.facts.listening) == ("20.10.24", {"0.0.0.0:80/tcp": "other"}, ("0.0.0.0:80",))
    assert (seen.facts.tools, seen.facts.disk_free) == (("flock",), 12)
    assert app.edited == ("files/a.yml",)
    assert app.secrets == {"var.A/B": {2: "abc"}}
    assert len(app.journal) == 1


@pytest.mark.parametrize(("text", "wanted"), [
    ("redis", ("docker.io", "library/redis", "latest")), ("r.example:5000/a/b:1.0", ("r.example:5000", "a/b", "1.0")),
    ("localhost/a", ("localhost", "a", "latest")), ("team/app:x", ("docker.io", "team/app", "x")),
])
def test_references(text: str, wanted: tuple[str, str, str]) -> None:
    got = reference.parse(text)
    assert (got.registry, got.repository, got.tag) == wanted


@pytest.mark.parametrize("text", ["", "r.example/a:", "UPPER", "a:b c", "a@sha256:1", "r.example/app:1.0; rm", "r.ex\nample/a:1", "r.exa mple/a:1", "r.example:x/a:1", "r.example\x1b[2J/a:1"])
def test_no_reference(text: str) -> None:
    with pytest.raises(errors.ComposeError):
        reference.parse(text)


@pytest.mark.parametrize(("tag", "moving"), [("latest", True), ("main", True), ("1", True), ("1.0", False), ("v2.3.4", False), ("0123abc", False)])
def test_moving_tags(tag: str, moving: bool) -> None:
    assert reference.is_moving(tag) is moving


def test_example_of_the_fleet_file_loads(tmp_path: Path) -> None:
    path = tmp_path / "lading.yaml"
    path.write_text(options.example())
    assert settings.load(path, os.environ).inventory.destinations["production"].hosts == ("web1",)


BASE = "lading: 1\nhosts:\n  web1: {}\n"


@pytest.mark.parametrize(("text", "line", "message", "hint"), [
    (BASE + "destinatons: {}\n", 4, "unknown key destinatons", "did you mean destinations?"),
    (BASE + "hosts: {}\n", 4, "twice", ""), ("lading: 2\n", 1, "format 2", "newer lading"), ("hosts: {}\n", 1, "format", "lading: 1"),
    (BASE + "destinations:\n  p: {hosts: [web2]}\n", 5, "no host web2", "did you mean web1?"),
    (BASE + "destinations:\n  web1: {hosts: [web1]}\n", 5, "both a host and a destination", "rename"),
    ("lading: 1\nhosts:\n  a: {port: 70000}\n", 3, "from 1 to 65535", ""), ("lading: 1\nhosts: [\n", 3, "is not YAML", ""),
    (BASE + "state_dir: here\n", 4, "absolute", ""), (BASE + "ledger: mysql\n", 4, "sqlite", ""),
])
def test_fleet_file_is_refused(tmp_path: Path, text: str, line: int, message: str, hint: str) -> None:
    path = tmp_path / "lading.yaml"
    path.write_text(text)
    with pytest.raises(errors.SettingsError) as caught:
        settings.load(path, os.environ)
    assert (caught.value.file, caught.value.line) == (str(path), line)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("names", [(), ("",), ("a,",), ("nope",), ("empty",), ("both",)])
def test_choice_is_refused(names: tuple[str, ...]) -> None:  # R42
    fleet_of = hosts.Inventory({"a": hosts.Host("a"), "both": hosts.Host("both")},
                               {"empty": hosts.Destination("empty", ()), "both": hosts.Destination("both", ("a",))})
    with pytest.raises(errors.InputError):
        fleet_of.choose(names)


def test_choice_of_several() -> None:
    fleet_of = hosts.Inventory({"a": hosts.Host("a"), "b": hosts.Host("b")}, {"d": hosts.Destination("d", ("b", "a"))})
    chosen, which = fleet_of.choose(("a,d",))
    assert (chosen.name, [host.name for host in which]) == ("a,d", ["a", "b"])


def test_errors_as_people_and_machines_read_them(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = errors.ComposeError("bad\x1b[2J file", "mend it", file="a.yml", line=3, host="web1")
    reporting.report(wrong, as_json=False)
    assert capsys.readouterr().err == "error: bad�[2J file\n   at: a.yml:3, host web1\n hint: mend it\n"
    reporting.report(wrong, as_json=True)
    assert json.loads(capsys.readouterr().out)["error"]["line"] == 3


@pytest.mark.parametrize(("words", "code"), [(["deploy", "--nope"], 2), (["--help"], 0), (["nope"], 2), (["deploy", "--to", "x"], 4)])
def test_exit_codes(words: list[str], code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SystemExit) as ended:
        main.main(words)
    assert ended.value.code == code
    if words == ["--help"]:
        shown = [line.split()[0] for line in capsys.readouterr().out.partition("Commands:\n")[2].splitlines()]
        assert shown == list(front.VERBS)
    assert sys.exc_info() == (None, None, None)
