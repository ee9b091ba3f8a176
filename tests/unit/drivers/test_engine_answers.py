"""What an engine answers, hostile too: each line stays one line, what does not fit is an error, and never "no containers"."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.drivers.engine_api import answers, requests
from lading.drivers.shell import observation, parsers
from lading.transport import command

PROJECT = "com.docker.compose.project"
ODD = "a\nb\r\vc\x1c\x85\u2028d"
"""A text with all that some program takes for the end of a line."""
NO_OBJECTS = ["", "null", "5", '"x"', "{", "[]", "[", '{"a":NaN}', '{"a":"\\u0000"}', '{"a":"\\ud800"}', "[" * 100_000, '{"a":' * 100_000]
NO_LISTS = ["", "null", "5", "{}", '{"items":[]}', "[", "[{}", "[1]", "[null]", '[[]]', '[{},"x"]', "[" * 100_000, '0,"items":[]', '[1],"items":[]',
            '[]}', '[{"a":"\\u0000"}]']


def good(said: Any) -> requests.Answer:
    return requests.Answer(200, said.encode() if isinstance(said, str) else json.dumps(said).encode())


def ids(values: list[str]) -> list[str]:
    return [value[:12] for value in values]


def a_container(**more: Any) -> dict[str, Any]:
    return {"Id": "c1", "Names": ["/shop-web-1"], "Labels": {PROJECT: "shop", "lading.app": "shop"}, **more}


def test_an_object_and_a_list() -> None:
    assert answers.object_of(good({"a": [1]})) == {"a": [1]}
    assert answers.objects_of(good([{"a": 1}, {}])) == [{"a": 1}, {}]
    assert answers.objects_of(good([])) == []


@pytest.mark.parametrize("text", NO_OBJECTS, ids=ids(NO_OBJECTS))
def test_another_thing_is_no_object(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        answers.object_of(good(text))


@pytest.mark.parametrize("text", NO_LISTS, ids=ids(NO_LISTS))
def test_another_thing_is_no_list_and_never_an_empty_one(text: str) -> None:
    with pytest.raises(ValueError, match="."):
        answers.objects_of(good(text))


@pytest.mark.parametrize("read", [answers.object_of, answers.objects_of, answers.volumes_of_all])
@pytest.mark.parametrize("status", [199, 304, 404, 500])
def test_what_the_engine_does_not_give_is_an_error_with_its_words(
    read: Callable[[requests.Answer], object], status: int
) -> None:
    with pytest.raises(ValueError, match=f"^the engine answers {status}: no such thing$"):
        read(requests.Answer(status, b'{"message":"no such\\nthing"}'))
    with pytest.raises(ValueError, match=f"^the engine answers {status}: $"):
        read(requests.Answer(status, b""))


@pytest.mark.parametrize(("body", "said"), [
    (b'{"message":"a\\n  b"}', "a b"), (b"plain\r\ntext", "plain text"), (b"", ""), (b"[]", "[]"), (b'{"x":1}', '{"x":1}'),
    (b'{"message":["a"]}', "['a']"), (b'{"message":null}', "None"), (b"\xff", "�"), (b"x" * 1000, "x" * 300),
    (b"[" * 100_000, "[" * 300),
], ids=range(10))
def test_what_an_engine_says_of_a_failure_is_one_short_line(body: bytes, said: str) -> None:
    assert answers.message(body) == said


@pytest.mark.parametrize(("said", "count"), [({"Volumes": None}, 0), ({}, 0), ({"Volumes": []}, 0), ({"Volumes": [{"Name": "a"}]}, 1)])
def test_volumes(said: object, count: int) -> None:
    assert len(answers.volumes_of_all(good(said))) == count


@pytest.mark.parametrize("said", [{"Volumes": {}}, {"Volumes": "x"}, {"Volumes": [1]}, {"Volumes": [None]}, {"Volumes": 5}])
def test_what_are_no_volumes(said: dict[str, object]) -> None:
    if not said["Volumes"]:
        assert answers.volumes_of_all(good(said)) == ()
        return
    with pytest.raises(ValueError, match="Volumes"):
        answers.volumes_of_all(good(said))


# Info


INFO = {"ServerVersion": "28.5.1", "ID": "a:b", "Architecture": "x86_64", "Runtimes": {"runc": {}, "crun": {"path": "/x"}},
        "DockerRootDir": "/var/lib/docker"}


def test_an_engine_of_itself_as_a_script_tells_it() -> None:
    assert answers.info(INFO) == ["engine=28.5.1", "id=a:b", "arch=x86_64", "runtimes=crun runc ", "root=/var/lib/docker"]
    assert answers.info({}) == ["engine=", "id=", "arch=", "runtimes=", "root="]
    assert answers.info({"Runtimes": None})[3] == "runtimes="


@pytest.mark.parametrize("wrong", [{"ServerVersion": 28}, {"ID": None}, {"Architecture": []}, {"Runtimes": ["runc"]}, {"Runtimes": "x"},
                                   {"DockerRootDir": {}}])
def test_an_engine_that_says_of_itself_what_nobody_can_read(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} is not"):
        answers.info({**INFO, **wrong})


def test_nothing_that_an_engine_says_of_itself_makes_a_line_more() -> None:
    hostile = f"{ODD}\nengine=9 x"
    said = answers.info({"ServerVersion": hostile, "ID": hostile, "Architecture": hostile, "Runtimes": {hostile: None},
                         "DockerRootDir": hostile})
    assert len("\n".join(said).splitlines()) == 5


# Lists of containers and networks


def facts(*lines: str) -> Any:
    answer = command.Result(0, {"facts": "\n".join(lines).encode(), "end": b""})
    return parsers.from_result("web1", answer).facts


def test_containers_as_docker_ps_lists_them() -> None:
    one = a_container(
        Names=["/web", "/other/db"], NetworkSettings={"Networks": {"shop_default": {}, "x": None}},
        Ports=[{"IP": "0.0.0.0", "PrivatePort": 8080, "PublicPort": 80, "Type": "tcp"},
               {"IP": "::", "PrivatePort": 8080, "PublicPort": 80, "Type": "tcp"}, {"PrivatePort": 90, "Type": "udp"}])
    assert list(answers.listed([one])) == [
        "c=c1 shop shop", "port=shop 0.0.0.0:80->8080/tcp, :::80->8080/tcp", "net=web,other/db shop_default,x shop"]
    seen = facts(*answers.listed([one]))
    assert seen.ports == {"0.0.0.0:80/tcp": "shop", ":::80/tcp": "shop"}
    assert (seen.containers, seen.networks["x"]) == (("c1", "web"), [("shop", "web,other/db")])


@pytest.mark.parametrize("empty", [{"Id": "c1"}, {"Id": "c1", "Names": None, "Labels": None, "Ports": None, "NetworkSettings": None},
                                   {"Id": "c1", "NetworkSettings": {"Networks": None}, "Ports": [], "Names": []}])
def test_a_container_of_which_little_is_said(empty: dict[str, object]) -> None:
    assert list(answers.listed([empty])) == ["c=c1  ", "port= ", "net=  "]


@pytest.mark.parametrize("wrong", [
    {"Id": None}, {"Id": 5}, {"Labels": ["a"]}, {"Labels": "x"}, {"Labels": {"a": None}}, {"Labels": {PROJECT: 5}}, {"Names": "web"},
    {"Names": [None]}, {"Names": {"a": "b"}}, {"Ports": {"a": 1}}, {"Ports": ["80"]}, {"Ports": [None]}, {"Ports": [{"PublicPort": "80"}]},
    {"Ports": [{"PublicPort": True}]}, {"Ports": [{"IP": None}]}, {"Ports": [{"PublicPort": 2**60}]}, {"NetworkSettings": "x"},
    {"NetworkSettings": {"Networks": ["a"]}},
], ids=json.dumps)
def test_a_container_that_nobody_can_read_is_an_error(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="is not what it should be"):
        list(answers.listed([{**a_container(), **wrong}]))


def test_a_container_without_an_id_is_an_error() -> None:
    with pytest.raises(ValueError, match="Id"):
        list(answers.listed([{}]))


def test_nothing_in_a_container_makes_a_line_or_a_word_more() -> None:
    hostile = f"{ODD} there=x"
    one = {"Id": hostile, "Names": [f"/{hostile}"], "Labels": {PROJECT: hostile, "lading.app": hostile},
           "Ports": [{"IP": hostile, "PublicPort": 1, "PrivatePort": 2, "Type": hostile}], "NetworkSettings": {"Networks": {hostile: {}}}}
    lines = "\n".join(answers.listed([one])).splitlines()
    assert [line.split("=")[0] for line in lines] == ["c", "port", "net"]
    assert [line.count(" ") for line in lines] == [2, 1, 2]


def test_networks() -> None:
    assert list(answers.networks([{"Name": "a"}, {"Name": "b c"}])) == ["there=a", "there=b c"]
    assert len("\n".join(answers.networks([{"Name": f"{ODD}\nengine=9"}])).splitlines()) == 1
    for wrong in ({}, {"Name": None}, {"Name": 5}):
        with pytest.raises(ValueError, match="Name"):
            list(answers.networks([wrong]))


def test_whose_containers_are_chosen() -> None:
    found = [a_container(), {"Id": "c2", "Labels": {PROJECT: "shop2", "lading.app": ""}}, {"Id": "c3", "Labels": None},
             {"Id": "c4", "Labels": {PROJECT: "shop"}}]
    assert answers.ids(found, "shop") == ["c1", "c4"]
    assert answers.ids(found, "") == ["c1"]
    assert answers.ids(found, "none") == []
    with pytest.raises(ValueError, match="Id"):
        answers.ids([{"Labels": {PROJECT: "shop"}}], "shop")


HALF = "0123456789ab_shop-web-1"


@pytest.mark.parametrize(("one", "is_settled"), [
    (a_container(), True),
    (a_container(State="created"), True),
    (a_container(State="created", Names=[f"/{HALF}"]), False),
    (a_container(State="running", Names=[f"/{HALF}"]), True),
    (a_container(State=None, Names=[f"/{HALF}"]), True),
    (a_container(State="created", Names=[f"/{HALF}"], Labels={PROJECT: "shop2"}), True),
    (a_container(State="created", Names=["/0123456789AB_web"]), True),
    ({"Labels": {PROJECT: "shop-hook-d1", "com.docker.compose.oneoff": "True"}}, False),
    ({"Labels": {PROJECT: "shop-hook-d1", "com.docker.compose.oneoff": "False"}}, True),
    ({"Labels": {PROJECT: "shop2-hook-d1", "com.docker.compose.oneoff": "True"}}, True),
    ({}, True),
])
def test_what_a_killed_command_has_left(one: dict[str, object], is_settled: bool) -> None:
    assert answers.is_settled([a_container(), one], "shop") is is_settled


# One container


INSPECTED = {
    "Id": "c1", "Name": "/web", "Image": "sha256:0", "Created": "2026-11-24T10:00:00.5Z", "RestartCount": 2,
    "Config": {"Image": "r/web:1", "Labels": {PROJECT: "shop", "com.docker.compose.service": "web"}},
    "State": {"Status": "running", "StartedAt": "2026-11-24T10:00:00.5Z", "Health": {"Status": "healthy", "Log": []}},
    "NetworkSettings": {"Networks": {"n": {"NetworkID": "n1"}}}, "Mounts": [{"Destination": "/d", "Name": "v"}],
    "HostConfig": {"NetworkMode": "container:c9", "IpcMode": None, "VolumesFrom": ["c8:ro"], "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "80"}]}},
}


def test_a_container_is_read_as_one_that_a_script_has_shown() -> None:
    (one,) = observation.parse_containers(answers.container(INSPECTED))
    assert (one.app, one.service, one.id, one.name, one.image, one.image_id) == ("shop", "web", "c1", "web", "r/web:1", "sha256:0")
    assert (one.status, one.health, one.restarts, one.since) == ("running", "healthy", 2, "2026-11-24T10:00:00Z")
    assert (one.networks, one.mounts, one.made_on, one.ports) == ({"n": "n1"}, {"/d": "v"}, ("c8", "c9"), (":80/tcp",))


@pytest.mark.parametrize("left_out", INSPECTED)
def test_a_container_of_which_a_part_is_not_said(left_out: str) -> None:
    shown = answers.container({key: value for key, value in INSPECTED.items() if key != left_out})
    assert len(shown.splitlines()) == 1
    if left_out in ("Id", "Name", "Image", "Config"):
        with pytest.raises(ValueError, match="cannot be read"):
            observation.parse_containers(shown)
        return
    assert observation.parse_containers(shown)[0].id == "c1"


@pytest.mark.parametrize("wrong", [{"Config": "x"}, {"Config": [1]}, {"HostConfig": 5}, {"NetworkSettings": ["a"]}], ids=json.dumps)
def test_a_container_whose_parts_are_other_things(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="is not what it should be"):
        answers.container({**INSPECTED, **wrong})


@pytest.mark.parametrize("wrong", [{"Mounts": "x"}, {"State": []}, {"RestartCount": "2"}, {"Name": 5}, {"HostConfig": {"PortBindings": []}}], ids=json.dumps)
def test_what_is_no_container_is_found_by_whoever_reads_it(wrong: Mapping[str, object]) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        observation.parse_containers(answers.container({**INSPECTED, **wrong}))


def test_a_label_with_ends_of_lines_in_it_stays_in_its_container() -> None:
    config = {"Image": "r/web:1", "Labels": {PROJECT: "shop", "x": ODD, "org.opencontainers.image.version": ODD}}
    shown = answers.container({**INSPECTED, "Config": config})
    (one,) = observation.parse_containers(shown)
    assert one.version_label == ODD


@pytest.mark.parametrize("show", [answers.container, answers.volume])
def test_what_is_nested_too_deeply_is_an_error_and_nothing_else(show: Callable[[answers.Said], str]) -> None:
    """Reading and writing JSON have limits of their own, and one is reached before the other."""
    limit = sys.getrecursionlimit()
    for depth in range(limit - 150, limit + 50):
        text = '{"State":' + '{"a":' * depth + "1" + "}" * depth + ',"Labels":' + "[" * depth + "]" * depth + "}"
        try:
            show(answers.object_of(good(text)))
        except ValueError:
            break
    else:
        pytest.fail("nothing was too deep")


# Volumes


def test_volumes_with_names_of_their_own() -> None:
    assert list(answers.volume_names([{"Name": "a"}, {"Name": "0" * 64}, {"Name": "0" * 63}])) == ["a", "0" * 63]
    assert len("\n".join(answers.volume_names([{"Name": ODD}])).splitlines()) == 1
    with pytest.raises(ValueError, match="Name"):
        list(answers.volume_names([{}]))


def test_an_app_s_volumes() -> None:
    found: list[answers.Said] = [{"Name": "a", "Labels": {PROJECT: "shop"}}, {"Name": "b", "Labels": None}, {"Name": "c", "Labels": {PROJECT: "shop2"}}]
    assert answers.volumes_of(found, "shop") == ["a"]
    assert answers.volumes_of(found, "") == []
    with pytest.raises(ValueError, match="Labels"):
        answers.volumes_of([{"Name": "a", "Labels": {PROJECT: 5}}], "shop")


def test_a_volume_is_read_as_one_that_a_script_has_shown() -> None:
    made = {"Name": "data", "Driver": "local", "Options": {"o": "bind"}, "Labels": {"x": ODD}}
    found = observation.parse_volumes(answers.volume(made) + "\n" + answers.volume({"Name": "b", "Driver": None, "Options": None, "Labels": None}))
    assert (found["data"].driver, found["data"].options, found["data"].labels) == ("local", {"o": "bind"}, {"x": ODD})
    assert (found["b"].driver, found["b"].options, found["b"].labels) == ("", {}, {})


@pytest.mark.parametrize("wrong", [{}, {"Name": 5}, {"Name": "a", "Labels": {"x": 1}}, {"Name": "a", "Options": []}], ids=json.dumps)
def test_what_is_no_volume_is_found_by_whoever_reads_it(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="."):
        observation.parse_volumes(answers.volume(wrong))


def marked(name: str, **labels: str) -> answers.Said:
    return {"Name": name, "Labels": {f"lading.{key}": value for key, value in labels.items()}}


def test_where_an_engine_remembers_that_lading_keeps_apps() -> None:
    found: list[answers.Said] = [marked("lading-state-shop", folder="/srv/a b", user="ann"), marked("lading-state-x", folder="/x"), marked("lading-state-y", user="bob"),
             marked("other", folder="/x"), {"Name": "z", "Labels": None}]
    assert answers.marks(found) == {"shop": "ann /srv/a b", "x": " /x"}


def test_a_mark_is_one_line_about_one_app() -> None:
    lines = [f"lading-state-{app} {where}" for app, where in
             answers.marks([marked("lading-state-a\nlading-state-shop root /evil", folder="/x\nlading-state-shop root /evil", user="a b\nc")]).items()]
    answer = command.Result(0, {"facts": b"state=/var/lib/lading", "marks": "\n".join(lines).encode(), "app:shop": b"", "end": b""})
    assert parsers.from_result("web1", answer).apps["shop"].elsewhere == ""


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8)
KEYS = st.sampled_from(["Id", "Name", "Names", "Labels", "Ports", "NetworkSettings", "Config", "HostConfig", "State", "Mounts", "Driver",
                        "Options", "Runtimes", "ServerVersion", "ID", "DockerRootDir", "Created", "Image"])


@given(st.dictionaries(KEYS, JSON | st.dictionaries(st.sampled_from(["Networks", "Labels", PROJECT, "lading.app"]), JSON)))
def test_whatever_an_engine_says_is_lines_or_a_value_error(said: dict[str, Any]) -> None:
    reads: list[Callable[[], list[str]]] = [
        lambda: answers.info(said), lambda: list(answers.listed([said])), lambda: list(answers.networks([said])),
        lambda: [answers.container(said)], lambda: [answers.volume(said)], lambda: list(answers.volume_names([said])),
        lambda: [str(answers.is_settled([said], "shop"))], lambda: answers.ids([said], ""), lambda: answers.volumes_of([said], "shop"),
        lambda: [f"{app} {where}" for app, where in answers.marks([said]).items()]]
    for read in reads:
        try:
            found = read()
        except ValueError:
            continue
        assert [line for line in found if "\n" in line] == []
