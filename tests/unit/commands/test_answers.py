"""What hosts answer, whole or broken: parts that cannot be read count as not there, and nothing is guessed."""

import json

import pytest

from lading import state
from lading.commands import answers

CURRENT = {"v": 1, "app": "shop", "release": "r1", "version": "1", "deployment": "d"}


def seen(**parts: bytes) -> state.HostState:
    return answers.host_state("h", [(name.replace("__", ":"), content) for name, content in parts.items()])


@pytest.mark.parametrize("broken", [b"", b"{", b"[1]", b"\xff\xfe", b"null"])
def test_what_cannot_be_read_is_not_there(broken: bytes) -> None:
    app = seen(app__shop=b"", current__shop=broken, release__shop__r1=broken, journal__shop=broken + b"\n",
               containers=broken).apps["shop"]
    assert (app.current, dict(app.releases), app.journal, app.containers) == (None, {}, (), ())
    assert not app.held and app.edited == () and app.busy == ""


@pytest.mark.parametrize("change", [{"v": 2}, {"v": None}, {"release": None}])
def test_a_newer_or_broken_current_is_an_error(change: dict[str, object]) -> None:
    stored = {key: value for key, value in {**CURRENT, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=r"format|missing"):
        seen(app__shop=b"", current__shop=json.dumps(stored).encode())


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
    release = {"files": {"a.yml": "0" * 64}}
    parts = {"app__shop": b"", "current__shop": json.dumps(CURRENT).encode(), "release__shop__r1": json.dumps(release).encode()}
    assert seen(**parts).apps["shop"].edited == ()
    same = b"0" * 64 + b"  ./files/a.yml\n"
    assert seen(**parts, sums__shop__r1=same).apps["shop"].edited == ()
    assert seen(**parts, sums__shop__r1=b"").apps["shop"].edited == ("files/a.yml",)


def test_facts_that_are_none() -> None:
    facts = seen(facts=b"noise\nfree=many\ndockerfree=\nreadonly=/srv\nlisten=\nlisten=0100007F:1F90\nlisten=0100007F:1F90\n"
                 b"listen=00000000000000000000000000000000:0016\nlisten=0000000000000000FFFF00000B00580A:0050\n").facts
    assert (facts.disk_free, facts.docker_free, facts.listening) == (-1, -1, ("127.0.0.1:8080", ":::22", "10.88.0.11:80"))
    assert facts.problem == "cannot write /srv"


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
    }
    number = {**line, "id": "xyz", "labels": {**line["labels"], "com.docker.compose.container-number": "?"}}  # type: ignore[dict-item]
    broken, one = seen(containers=f"{json.dumps(line)}\nnot json\n7\n{json.dumps(number)}\n".encode()).apps["shop"].containers
    assert one == state.ContainerState(
        app="shop", service="web", id="abc", name="shop-web-2", image="r/web:1@sha256:0", image_id="sha256:1",
        status="exited", health="unhealthy", exit_code=137, oom_killed=True, restarts=3, content="c", secrets="4",
        owned=True, one_off=True, number=2, since="2026-01-02T00:00:00Z", working_dir="/srv",
        networks={"a": "n1", "b": ""}, mounts={"/data": "shop_data", "/c": "/c"}, ports=("127.0.0.1:8080/tcp",))
    assert (broken.id, broken.number) == ("xyz", 1)
