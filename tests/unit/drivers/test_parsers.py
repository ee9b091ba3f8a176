"""What hosts answer, whole or broken: what cannot be read is named as damaged, and nothing is guessed."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from lading import canonical, state
from lading.cli import where_table
from lading.compose import overlay, restore
from lading.drivers.shell import parsers
from lading.queries import listing
from lading.state import journal

CURRENT = {"v": 1, "app": "shop", "release": "r1", "version": "1", "deployment": "d"}


def seen(**parts: bytes) -> state.HostState:
    return parsers.host_state("h", [(name.replace("__", ":"), content) for name, content in parts.items()])


@pytest.mark.parametrize("broken", [b"", b"{", b"[1]", b"\xff\xfe", b"null", b"\0" * 40])
def test_what_cannot_be_read_is_damaged(broken: bytes) -> None:
    app = seen(app__shop=b"", current__shop=broken, release__shop__r1=broken, journal__shop=broken + b"\n").apps["shop"]
    assert (app.current, dict(app.releases), app.journal) == (None, {}, ())
    assert app.damaged == ("current", "release r1", *(("journal",) if broken else ()))
    assert app.unreadable == "current"
    assert not app.held and app.edited == () and app.busy == ""


def test_what_is_not_there_is_not_damaged() -> None:
    app = seen(app__shop=b"", journal__shop=b"").apps["shop"]
    assert (app.current, app.damaged, app.unreadable) == (None, (), "")


def test_a_torn_line_of_a_journal_is_no_damage() -> None:
    journal = b'{"kind":"begin","deployment":"d"}\n{"at":"2026\n\0\0\0\n'
    app = seen(app__shop=b"", journal__shop=journal).apps["shop"]
    assert (len(app.journal), app.damaged) == (1, ())
    lost = seen(app__shop=b"", journal__shop=b"\0\0\n").apps["shop"]
    assert (lost.damaged, lost.unreadable) == (("journal",), "journal")


@pytest.mark.parametrize("change", [{"v": None}, {"v": "2"}, {"release": None}, {"version": 1}, {"generations": {"a": "1"}}, {"actor": "a\0b"}])
def test_a_broken_current_is_damaged(change: dict[str, object]) -> None:
    stored = {key: value for key, value in {**CURRENT, **change}.items() if value is not None}
    app = seen(app__shop=b"", current__shop=json.dumps(stored).encode()).apps["shop"]
    assert (app.current, app.damaged) == (None, ("current",))


def test_a_newer_current_is_an_error() -> None:
    with pytest.raises(state.NewerError, match="`current` has format 4, this lading knows 3"):
        seen(app__shop=b"", current__shop=json.dumps({**CURRENT, "v": 4}).encode())


@pytest.mark.parametrize("broken", [b"{", b"[1]", b"7", b"\xff", b'{"labels": []}', b'{"id": 1}', b'{"state": {"ExitCode": "0"}}'])
def test_containers_that_cannot_be_read_are_an_error(broken: bytes) -> None:
    with pytest.raises(ValueError, match="what docker says of the containers cannot be read"):
        seen(containers=json.dumps({"id": "1"}).encode() + b"\n" + broken)


def test_current_of_a_later_lading_with_more_fields_is_read() -> None:
    raw = json.dumps({**CURRENT, "colour": "blue"}).encode()
    current = seen(app__shop=b"", current__shop=raw).apps["shop"].current
    assert current is not None and current.as_json() == {
        **CURRENT, "actor": "", "since": "", "source": "", "destination": "", "generations": {}}


def test_an_app_without_files_is_known_by_its_containers() -> None:
    line = {"id": "1", "labels": {"com.docker.compose.project": "lone"}, "state": None}
    nameless = {"id": "2", "labels": None}
    found = seen(containers=b"\n".join(json.dumps(one).encode() for one in (line, nameless)))
    assert list(found.apps) == ["lone"]
    assert found.apps["lone"].containers[0].state(False) == "unknown"


def test_each_app_has_its_own_containers() -> None:
    lines = [{"id": name, "labels": {"com.docker.compose.project": name}, "state": {}} for name in ("shop", "edge")]
    apps = seen(containers=b"\n".join(json.dumps(one).encode() for one in lines)).apps
    assert {name: [c.id for c in app.containers] for name, app in apps.items()} == {"edge": ["edge"], "shop": ["shop"]}


def test_no_sums_mean_no_edited_files() -> None:
    release = {"v": 1, "files": {"a.yml": "0" * 64}}
    parts = {"app__shop": b"", "current__shop": json.dumps(CURRENT).encode(), "release__shop__r1": json.dumps(release).encode()}
    assert seen(**parts).apps["shop"].edited == ()
    odd = {**parts, "release__shop__r1": b'{"v": 1, "files": []}', "sums__shop__r1": b""}
    assert seen(**odd).apps["shop"].edited == ()
    same = b"0" * 64 + b"  releases/r1/files/a.yml\n"
    assert seen(**parts, sums__shop__r1=same).apps["shop"].edited == ()
    app = seen(**parts, sums__shop__r1=same.replace(b"0", b"1")).apps["shop"]
    assert (app.edited, app.missing, app.unlike) == (("files/a.yml",), (), {"files/a.yml": "edited by hand"})
    app = seen(**parts, sums__shop__r1=b"").apps["shop"]
    assert (app.edited, app.missing, app.unlike) == ((), ("files/a.yml",), {"files/a.yml": "missing"})


@pytest.mark.parametrize(("sums", "how"), [
    ("{one}  objects/{key}\n", ""), ("{other}  objects/{key}\n", "edited by hand"), ("", "missing"),
    ("{other}  objects/{key}/in/a/folder\n", ""),  # a container may write there
])
@pytest.mark.parametrize("executable", [False, True])
def test_a_shipped_file_that_was_edited_or_is_missing_is_named(sums: str, how: str, executable: bool) -> None:
    key = canonical.object_id([("", executable, "1" * 64)])
    release = {"v": 1, "files": {}, "objects": {key: "./nginx.conf"}}
    parts = {"app__shop": b"", "current__shop": json.dumps(CURRENT).encode(), "release__shop__r1": json.dumps(release).encode()}
    said = sums.format(one="1" * 64, other="2" * 64, key=key)
    app = seen(**parts, sums__shop__r1=said.encode()).apps["shop"]
    assert {app.shipped_as(path): how for path, how in app.unlike.items()} == ({"./nginx.conf": how} if how else {})


def test_a_folder_that_containers_only_read_is_judged_file_by_file() -> None:
    app = in_folder({"a.conf": "2" * 64, "in/b.conf": "1" * 64, "new": "3" * 64, "on": "link"})
    assert {app.shipped_as(path): how for path, how in app.unlike.items()} == {
        "conf/a.conf": "edited by hand", "conf/in/c.conf": "missing", "conf/new": "added by hand", "conf/on": "added by hand"}
    assert app.altered == {folder_id(SHIPPED)}
    assert in_folder({"a.conf": "1" * 64, "in/b.conf": "1" * 64, "in/c.conf": "1" * 64}).unlike == {}
    emptied = in_folder({})
    assert [emptied.shipped_as(path) for path in emptied.missing] == ["conf/a.conf", "conf/in/b.conf", "conf/in/c.conf"]


@pytest.mark.parametrize("name", ["a\u2028b", "a\x0cb", "a\x85b"])
def test_a_name_that_holds_what_only_python_takes_for_the_end_of_a_line(name: str) -> None:
    files = [[name, False, "1" * 64]]
    assert in_folder({name: "1" * 64}, files=files, is_of=files).unlike == {}


def test_a_folder_with_very_many_changes_is_told_as_one() -> None:
    app = in_folder({f"{number}": "1" * 64 for number in range(parsers.UNLIKE_LIMIT)})
    assert {app.shipped_as(path): how for path, how in app.unlike.items()} == {"conf": "edited by hand"}


WRITTEN = overlay.write({"services": {"web": {"volumes": [{"type": "bind", "source": f"{overlay.OBJECTS}@", "target": "/conf"}]}}})


@pytest.mark.parametrize("case", [
    {"written": WRITTEN},  # a container may write there
    {"told": ""},  # an older lading stored it
    {"told": "{"}, {"told": '{"v":1}'},
    {"files": [["a.conf", False, "9" * 64]]},  # no list of this folder
    {"files": [["a.conf", False]]}, {"files": [[7, False, "1" * 64]]},
    {"files": [["a\nb", False, "1" * 64]], "is_of": [["a\nb", False, "1" * 64]]},  # programs write such a name otherwise
    {"files": [["Icon\r", False, "1" * 64]], "is_of": [["Icon\r", False, "1" * 64]]},
])
def test_a_folder_of_which_nobody_can_say_what_shipped_is_not_judged(case: dict[str, Any]) -> None:
    assert in_folder({"a.conf": "2" * 64}, **case).unlike == {}


@pytest.mark.parametrize(("stock", "how"), [(None, {}), (["there"], {}), ([], {"conf": "missing"})])
def test_a_folder_that_a_container_has_emptied_or_made_its_own_is_not_judged(stock: list[str] | None, how: dict[str, str]) -> None:
    """Nothing in it can be read by who looks; only that it is gone counts."""
    app = in_folder({}, written=WRITTEN, stock=None if stock is None else [folder_id(SHIPPED) for _ in stock])
    assert {app.shipped_as(path): one for path, one in app.unlike.items()} == how


SHIPPED = [["a.conf", False, "1" * 64], ["in/b.conf", True, "1" * 64], ["in/c.conf", False, "1" * 64]]


def folder_id(files: list[list[Any]]) -> str:
    return canonical.object_id([(path, executable, value) for path, executable, value in files])


def in_folder(
    have: Mapping[str, str], *, written: str = "", told: str | None = None, files: list[list[Any]] | None = None,
    is_of: list[list[Any]] | None = None, stock: list[str] | None = None,
) -> state.AppState:
    """An app that ships the folder conf: *have* is what lies in it on the host, *files* what the host has as its list.

    *stock*: the objects that the host says to have; None = it was not asked.
    """
    key = folder_id(is_of or SHIPPED)
    release = {"v": 1, "files": {}, "objects": {key: "conf"}, "overlay": written.replace("@", key)}
    listed = json.dumps({"v": 1, "folders": {key: files or SHIPPED}}) if told is None else told
    told_stock = {} if stock is None else {"objects__shop": "\n".join(stock).encode()}
    return seen(
        app__shop=b"", current__shop=json.dumps(CURRENT).encode(), release__shop__r1=json.dumps(release).encode(), **told_stock,
        sums__shop__r1="".join(f"{value}  objects/{key}/{path}\n" for path, value in have.items()).encode(),
        shipped__shop__r1=listed.encode(),
    ).apps["shop"]


def kept(version: str) -> tuple[str, bytes]:
    """A release's id and its file."""
    raw = {"v": 1, "version": version, "files": {"a.yml": "0" * 64}, "services": {}}
    return canonical.digest(raw), json.dumps(raw).encode()


def test_a_release_of_an_older_lading_has_its_whole_id() -> None:
    id, content = kept("1")
    before = {**CURRENT, "release": id[:12]}
    lines = [{"v": 1, "kind": "begin", "deployment": "d", "to": id[:12], "from": before},
             {"v": 1, "kind": "begin", "deployment": "e", "to": "0123456789ab", "from": None}]
    app = seen(**{
        "app:shop": b"", "current:shop": json.dumps(before).encode(), f"release:shop:{id[:12]}": content,
        "journal:shop": "".join(f"{json.dumps(line)}\n" for line in lines).encode(), f"sums:shop:{id[:12]}": b"",
    }).apps["shop"]
    assert app.current is not None and app.current.release == id
    assert (list(app.releases), dict(app.folders), app.damaged) == ([id], {id[:12]: id}, ())
    assert [record.to for record in app.journal if isinstance(record, journal.Begun)] == [id, "0123456789ab"]  # what is not kept has no other name
    assert [record.before.release for record in app.journal
            if isinstance(record, journal.Begun) and record.before is not None] == [id]
    assert (app.folder(id), app.folder("f" * 64), app.missing) == (id[:12], "f" * 64, ("files/a.yml",))


def test_a_name_of_twelve_digits_proves_nothing() -> None:
    """The folder that has the first digits of one release holds another: it is neither of the two."""
    (id, _), (_, other) = kept("1"), kept("2")
    current = json.dumps({**CURRENT, "release": id}).encode()
    app = seen(**{"app:shop": b"", "current:shop": current, f"release:shop:{id[:12]}": other, f"sums:shop:{id[:12]}": b""}).apps["shop"]
    assert id not in app.releases
    assert (app.folder(id), app.unlike) == (id, {})
    assert restore.readable(app).damaged == (f"release {id[:12]}",)


def test_a_release_that_is_kept_twice_has_the_folder_of_its_whole_id() -> None:
    id, content = kept("1")
    app = seen(**{"app:shop": b"", f"release:shop:{id[:12]}": content, f"release:shop:{id}": content}).apps["shop"]
    assert (list(app.releases), app.folder(id)) == ([id], id)


def test_facts_that_are_none() -> None:
    facts = seen(facts=b"noise\nfree=many\ndockerfree=\nreadonly=/srv\nlisten=\nlisten=xyz\nlisten=1F90\nlisten=0100007F:1F90\nlisten=0100007F:1F90\n"
                 b"listen=00000000000000000000000000000000:0016\nlisten=0000000000000000FFFF00000B00580A:0050\n").facts
    assert (facts.disk_free, facts.docker_free, facts.listening) == (-1, -1, ("127.0.0.1:8080", ":::22", "10.88.0.11:80"))
    assert (facts.problem, facts.unwritable, facts.useless) == ("", "/srv", "cannot write /srv")


def test_a_container_in_full() -> None:
    line = {
        "id": "abc", "name": "/shop-web-2", "image": "r/web:1@sha256:0", "image_id": "sha256:1", "restarts": 3,
        "labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "lading.app": "shop",
                   "com.docker.compose.container-number": "2", "com.docker.compose.oneoff": "True", "lading.content": "c",
                   "lading.secrets": "4", "com.docker.compose.project.working_dir": "/srv"},
        "state": {"Status": "exited", "ExitCode": 137, "OOMKilled": True, "Health": {"Status": "unhealthy"},
                  "StartedAt": "2026-01-01T00:00:00.1Z", "FinishedAt": "2026-01-02T00:00:00.123456789Z"},
        "networks": {"a": {"NetworkID": "n1"}, "b": None},
        "mounts": [{"Destination": "/data", "Name": "shop_data", "Source": "/var/x"}, {"Destination": "/c", "Source": "/c"}],
        "ports": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}], "53/udp": None},
        "volumes_from": ["ccc:ro"], "modes": ["container:bbb", "private", ""],
    }
    number = {**line, "id": "xyz", "labels": {**line["labels"], "com.docker.compose.container-number": "?"}}  # type: ignore[dict-item]
    broken, one = seen(containers=f"{json.dumps(line)}\n\n{json.dumps(number)}\n".encode()).apps["shop"].containers
    assert one == state.ContainerState(
        app="shop", service="web", id="abc", name="shop-web-2", image="r/web:1@sha256:0", image_id="sha256:1",
        status="exited", health="unhealthy", exit_code=137, oom_killed=True, restarts=3, content="c", secrets="4",
        owned=True, one_off=True, number=2, since="2026-01-02T00:00:00Z", working_dir="/srv",
        networks={"a": "n1", "b": ""}, mounts={"/data": "shop_data", "/c": "/c"}, ports=("127.0.0.1:8080/tcp",),
        made_on=("bbb", "ccc"))
    assert (broken.id, broken.number) == ("xyz", 1)


def test_a_container_that_was_only_created_has_no_time() -> None:
    line = {"id": "abc", "name": "/shop-web-1", "image": "r/web:1", "image_id": "sha256:1", "created": "2026-01-01T00:00:00.1Z",
            "labels": {"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "lading.app": "shop"},
            "state": {"Status": "created", "StartedAt": "0001-01-01T00:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z"}}
    host = seen(containers=f"{json.dumps(line)}\n".encode())
    (one,) = host.apps["shop"].containers
    assert (one.since, one.created) == ("", "2026-01-01T00:00:00Z")
    rows = [row for row in listing.host_rows(host, "shop") if row.container]
    assert [row.as_json()["since"] for row in rows] == [None]
    assert where_table.moment(rows[0].since) == "-"


def test_whose_the_other_apps_are() -> None:
    """What cannot be read, is of a newer lading or has no app's name is passed over: it is looked at when that app is."""
    known = state.Current("mailer", "a" * 64, "1", "d", source="git.example/team/mailer")
    named = [json.dumps({**known.as_json(), "app": name}) for name in ("../x", "Mailer")]
    lines = [json.dumps(known.as_json()), "{", json.dumps({**known.as_json(), "v": 99}), *named, ""]
    seen = parsers.host_state("web1", [("others", "\n".join(lines).encode())])
    assert seen.others == {"mailer": known}


def test_what_lies_with_a_release_is_read_by_its_whole_id() -> None:
    note = state.Deployed("d1", {"var.P": 4}, 3, ("r0",))
    said = json.dumps(note.as_json()).encode()
    app = seen(app__shop=b"", release__shop__r1=b'{"v": 1}', deployed__shop__r1=said, deployed__shop__r2=said).apps["shop"]
    assert (dict(app.deployed), app.damaged) == ({"r1": note}, ())
    torn = seen(app__shop=b"", release__shop__r1=b'{"v": 1}', deployed__shop__r1=said[:-2]).apps["shop"]
    assert (dict(torn.deployed), torn.damaged) == ({}, ("deployed r1",))


@pytest.mark.parametrize("change", [{"to": {}}, {"to": ["r"]}, {"from": {"v": 1, "release": {}}}])
def test_a_line_whose_release_is_no_name_is_damage(change: dict[str, object]) -> None:
    line = {"v": 3, "kind": "begin", "deployment": "d", **change}
    app = seen(**{"app:shop": b"", "journal:shop": json.dumps(line).encode()}).apps["shop"]
    assert (app.journal, app.damaged) == ((), ("journal",))


def test_what_stands_for_many_hosts_is_counted_and_what_names_them_is_not() -> None:
    batches = [{"v": 4, "kind": "begin", "deployment": "d", "batches": [[f"web[{number}:90000]"]]} for number in range(3)]
    with pytest.raises(ValueError, match="more than 200,000 participants"):
        seen(**{"app:shop": b"", "journal:shop": "\n".join(map(json.dumps, batches)).encode()})
    line = json.dumps({"v": 1, "kind": "begin", "deployment": "d", "participants": [f"web{n}" for n in range(1000)]})
    assert len(seen(**{"app:shop": b"", "journal:shop": "\n".join([line] * 201).encode()}).apps["shop"].journal) == 201
