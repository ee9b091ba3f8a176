"""A look asks for what its verb needs, and tells of all apps in few processes, by the real shell."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from host_shell import HostShell
from lading import canonical, state
from lading.drivers import wants
from lading.drivers.shell import observation, observe, parsers
from lading.state import damage

AWKS = [awk for awk in ("mawk", "gawk", "busybox awk", "original-awk") if shutil.which(awk.partition(" ")[0])]
SUMS = [path for path in (shutil.which("sha256sum"), shutil.which("busybox") and "busybox sha256sum") if path]
IDS = {number: f"{number:012}".ljust(64, "a") for number in range(1, 6)}


def deployment(number: int) -> list[dict[str, Any]]:
    name = f"d{number}"
    begun = {"v": 4, "kind": "begin", "deployment": name, "verb": "deploy", "to": IDS.get(number, "f" * 64)}
    phases = [{"v": 4, "kind": kind, "deployment": name} for kind in ("staged", "rolling", "rolled", "prepared")]
    return [begun, *phases, {"v": 4, "kind": "committed", "deployment": name}, {"v": 4, "kind": "ended", "deployment": name}]


def write_app(host: HostShell, name: str = "shop", *, current: int = 5, noted: bool = True, changed: bool = True) -> Path:
    """An app that was deployed five times, all of whose releases are kept."""
    folder = host.app(name)
    (folder / "objects").mkdir(parents=True)
    (folder / "secrets" / "var.P").mkdir(parents=True)
    (folder / "secrets" / "var.P" / "3").write_text("canary")
    for number, id in IDS.items():
        files = folder / "releases" / id / "files"
        files.mkdir(parents=True)
        (files / "compose.yaml").write_text(f"{number}\n")
        (files.parent / "release.json").write_text(json.dumps({"v": 1, "files": {"compose.yaml": "0" * 64}, "number": number}))
        if noted:
            (files.parent / "deployed.json").write_text(json.dumps(state.Deployed(f"d{number}", {}, number).as_json()))
    who = {"web": state.Changed(f"d{current}", release=IDS[current])} if changed else {}
    now = state.Current(name, IDS[current], "1", f"d{current}", changed=who)
    (folder / "current").write_text(json.dumps(now.file_as_json(), separators=(",", ":")))
    (folder / "lease").write_text("fence=5\nstate=free")  # without a newline at its end
    write_journal(folder, [line for number in IDS for line in deployment(number)])
    return folder


def write_journal(folder: Path, lines: Sequence[dict[str, Any]], end: str = "") -> None:
    told = [json.dumps({"at": "2026-11-24T10:00:00Z", **line}, separators=(",", ":")) for line in lines]
    (folder / "journal").write_text("".join(f"{line}\n" for line in told) + end)


def look(
    host: HostShell, want: wants.Wants, app: str = "shop", since: wants.Since = (), name: str = "shop"
) -> state.AppState:
    asked = observation.observe("M", state_dir=str(host.state), app=app, facts=False, want=want, since=since)
    return parsers.from_result("web1", host.run(asked)).apps[name]


def begun(app: state.AppState) -> list[str]:
    return [record.deployment for record in app.journal if record.kind == "begin"]


@pytest.fixture(params=AWKS)
def any_awk(request: pytest.FixtureRequest, host: HostShell) -> HostShell:
    """A host whose awk is one of those that there are."""
    host.program("awk", f'#!/bin/sh\nexec {request.param} "$@"\n')
    return host


def test_where_is_told_what_it_shows_and_no_more(any_awk: HostShell) -> None:
    write_app(any_awk)
    app = look(any_awk, wants.RUNNING)
    assert (begun(app), len(app.journal), set(app.releases)) == (["d5"], 7, {IDS[5]})
    assert (app.edited, app.secrets, app.deployed, app.damaged, app.lost) == (("files/compose.yaml",), {}, {}, (), ())
    assert (app.lease["fence"], app.lease["state"]) == ("5", "free")


def test_a_change_is_told_all_that_a_plan_is_made_from(any_awk: HostShell) -> None:
    write_app(any_awk)
    app = look(any_awk, wants.CHANGE)
    assert (begun(app), set(app.releases), set(app.deployed)) == (["d5"], set(IDS.values()), set(IDS.values()))
    assert app.secrets == {"var.P": {3: "-"}}  # without a salt there is no sum


def test_history_is_told_all_that_a_host_shows(any_awk: HostShell) -> None:
    folder = write_app(any_awk)
    write_journal(folder, [line for number in range(1, 101) for line in deployment(number)])
    assert len(look(any_awk, wants.HISTORY).journal) == damage.WINDOW


def test_a_journal_reaches_back_to_what_the_ledger_saw(any_awk: HostShell) -> None:
    write_app(any_awk)
    assert begun(look(any_awk, wants.RUNNING, since=[("shop", "d3"), ("other", "d1")])) == ["d3", "d4", "d5"]
    assert begun(look(any_awk, wants.RUNNING, since=[("shop", "unknown")])) == [f"d{number}" for number in IDS]


def test_what_came_after_the_current_deployment_is_told_however_long_it_is(any_awk: HostShell) -> None:
    folder = write_app(any_awk)
    failed = [{"v": 4, "kind": kind, "deployment": f"f{number}"} for number in range(60) for kind in ("begin", "undone")]
    write_journal(folder, [*deployment(4), *deployment(5), *failed], end='{"at":"2026-11-24T10:00:01Z","v":4,"ki')
    app = look(any_awk, wants.RUNNING)
    assert begun(app) == ["d5", *(f"f{number}" for number in range(60))]


@pytest.mark.parametrize("more", [{"changed": False}, {"noted": False}])
def test_where_an_older_lading_left_less_the_journal_tells_the_rest(host: HostShell, more: dict[str, bool]) -> None:
    write_app(host, **more)  # type: ignore[arg-type]
    assert begun(look(host, wants.CHANGE)) == [f"d{number}" for number in IDS]


def test_a_release_that_an_open_deployment_brings_is_told(any_awk: HostShell) -> None:
    write_app(any_awk, current=4)
    app = look(any_awk, wants.RUNNING)
    assert (begun(app), set(app.releases)) == (["d4", "d5"], {IDS[4], IDS[5]})


def test_a_line_that_looks_as_if_tail_had_said_it_moves_nothing(any_awk: HostShell) -> None:
    first, second, third = (write_app(any_awk, name) for name in ("a", "b", "c"))
    for head in ("b", "c", "a"):
        write_journal(first, deployment(5), end=f"==> {head}/journal <==\n" + json.dumps(deployment(1)[0]) + "\n")
        apps = {one.name: look(any_awk, wants.RUNNING, app="", name=one.name) for one in (first, second, third)}
        assert [begun(one) for one in apps.values()] == [["d5", "d1"], ["d5"], ["d5"]]


def test_files_that_are_none_or_cannot_be_read(any_awk: HostShell) -> None:
    folder = write_app(any_awk)
    (folder / "lease").write_text("state=held\n==> other/journal <==\n")
    (folder / "current").unlink()
    (folder / "current").mkdir()
    (folder / "releases" / IDS[3] / "release.json").write_bytes(b"{\0")
    (folder / "releases" / "a b").mkdir()
    (folder / "releases" / "a b" / "release.json").write_text("{}")
    app = look(any_awk, wants.CHANGE)
    assert set(app.damaged) == {"current", f"release {IDS[3]}", "release a b"}
    assert begun(app) == [f"d{number}" for number in IDS]  # nothing else tells what is deployed


def test_what_was_changed_in_a_shipped_folder_is_told_with_links(any_awk: HostShell) -> None:
    folder = write_app(any_awk)
    files = [["a.conf", False, "1" * 64], ["in/gone", False, "1" * 64]]
    key = canonical.digest(files)
    release = {"v": 1, "files": {"compose.yaml": hashlib.sha256(b"5\n").hexdigest()}, "objects": {key: "conf"}}
    (folder / "releases" / IDS[5] / "release.json").write_text(json.dumps(release))
    (folder / "releases" / IDS[5] / "shipped.json").write_text(json.dumps({"v": 1, "folders": {key: files}}))
    (folder / "objects" / key).mkdir()
    (folder / "objects" / key / "a.conf").write_text("by hand")
    (folder / "objects" / key / "on").symlink_to("/dev/zero")  # is not read
    write_app(any_awk, "other")
    app = look(any_awk, wants.RUNNING, app="")
    assert {app.shipped_as(path): how for path, how in app.unlike.items()} == {
        "conf/a.conf": "edited by hand", "conf/in/gone": "missing", "conf/on": "added by hand"}


@pytest.mark.parametrize("program", SUMS)
def test_a_name_that_holds_a_newline_tells_of_no_other_file(host: HostShell, program: str) -> None:
    """A container that may write one folder names what lies there as if it were the sum of a file elsewhere."""
    host.program("sha256sum", f'#!/bin/sh\nexec {program} "$@"\n')
    folder = write_app(host)
    release = {"v": 1, "files": {"compose.yaml": hashlib.sha256(b"5\n").hexdigest(), "gone.yaml": "0" * 64}}
    (folder / "releases" / IDS[5] / "release.json").write_text(json.dumps(release))
    forged = folder / "objects" / "w" / f"x\n{'0' * 64}  shop" / "releases" / IDS[5] / "files"
    forged.mkdir(parents=True)
    (forged / "gone.yaml").symlink_to("x")
    (forged / "compose.yaml").write_text("x")
    assert look(host, wants.RUNNING).unlike == {"files/gone.yaml": "missing"}


def test_an_app_that_is_gone_in_the_middle_hides_no_other(host: HostShell) -> None:
    folder = write_app(host, "a")
    write_app(host, "b")
    host.program("tail", f'#!/bin/sh\nrm -rf {folder}\nexec /usr/bin/tail "$@"\n')
    app = look(host, wants.RUNNING, app="", name="b")
    assert (begun(app), app.edited) == (["d5"], ("files/compose.yaml",))


def test_an_awk_that_fails_is_an_error_and_no_empty_host(host: HostShell) -> None:
    write_app(host)
    host.program("awk", "#!/bin/sh\nexit 127\n")
    answer = host.run(observation.observe("M", state_dir=str(host.state), facts=False, want=wants.RUNNING))
    assert observe.answered("web1", answer).error == "what lading keeps there could not be told: awk failed"


def test_many_apps_cost_no_more_programs_than_one(host: HostShell) -> None:
    used = host.folder / "used"
    for name in ("awk", "cat", "tail", "find", "sha256sum", "sed", "grep"):
        host.program(name, f'#!/bin/sh\necho {name} >>{used}\nexec {shutil.which(name)} "$@"\n')
    counted = []
    for number in range(8):
        write_app(host, f"app{number}")
        look(host, wants.RUNNING, app="", name=f"app{number}")
        counted.append(sorted(used.read_text().split()))
        used.unlink()
    assert counted == [counted[0]] * 8
