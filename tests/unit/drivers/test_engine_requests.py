"""What an engine is asked, down to the bytes of the first line: nothing leaves its place, and no login shows."""

import base64
import json
from collections.abc import Callable
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.drivers.engine_api import requests
from lading.transport import command

ID = "c" * 64
NO_ENTRIES = [
    b"", b'"r"', b'"r":5', b'"r":[]', b'"r":{"auth":5}', b'"r":{"auth":"/w=="}',
    b'"r":{"identitytoken":5}', b'"r":{"username":["a"]}', b'"r":' + b"[" * 100_000, b"\xff",
]


def said(header: command.Secret) -> object:
    return json.loads(base64.urlsafe_b64decode(header.value))


def filters(asked: requests.Request) -> object:
    return json.loads(asked.query["filters"])


@pytest.mark.parametrize(("asked", "line"), [
    (requests.VERSION, "/v1.41/version"), (requests.INFO, "/v1.41/info"), (requests.NETWORKS, "/v1.41/networks"),
    (requests.containers(), "/v1.41/containers/json?all=1"),
    (requests.container(ID), f"/v1.41/containers/{ID}/json"),
    (requests.volumes(), "/v1.41/volumes"), (requests.volume("data"), "/v1.41/volumes/data"),
    (requests.image("r.io:5000/a/b:1@sha256:0f"), "/v1.41/images/r.io:5000/a/b:1@sha256:0f/json"),
    (requests.pull("r.io/a@sha256:0f", None), "/v1.41/images/create?fromImage=r.io%2Fa&tag=sha256%3A0f"),
    (requests.load(), "/v1.41/images/load?quiet=1"),
    (requests.tag("a@sha256:0f", "lading-keep/shop/web:cafe"), "/v1.41/images/a@sha256:0f/tag?repo=lading-keep%2Fshop%2Fweb&tag=cafe"),
    (requests.untag("lading-keep/shop/web:cafe"), "/v1.41/images/lading-keep/shop/web:cafe"),
    (requests.check_login("ann", b"x", "r.io"), "/v1.41/auth"),
])
def test_the_first_line_of_each_request(asked: requests.Request, line: str) -> None:
    assert asked.target("1.41") == line
    assert asked.target("") == line.removeprefix("/v1.41")


def test_what_changes_a_host_says_so_and_nothing_else_does() -> None:
    changing = [requests.pull("a@sha256:0f", None), requests.load(), requests.tag("a", "b:c"), requests.untag("b:c")]
    reading = [requests.VERSION, requests.INFO, requests.NETWORKS, requests.containers(), requests.container(ID),
               requests.volumes(), requests.volume("v"), requests.image("a"), requests.events("shop"),
               requests.check_login("ann", b"x", "r.io")]
    assert {one.changes for one in changing} == {True}
    assert {one.changes for one in reading} == {False}


def test_labels_and_events_go_as_filters() -> None:
    both = requests.containers("com.docker.compose.project=shop", 'lading.app="\n&')
    assert filters(both) == {"label": ["com.docker.compose.project=shop", 'lading.app="\n&']}
    assert filters(requests.events("shop")) == {
        "type": ["container"], "event": ["die", "health_status"], "label": ["com.docker.compose.project=shop"]}
    assert parse_qs(urlsplit(both.target("1.41")).query)["filters"] == [both.query["filters"]]


@pytest.mark.parametrize("make", [requests.container, requests.volume])
@pytest.mark.parametrize("name", ["a b", "a/../b", "a?x=1", "a#b", "a\r\nHost: evil", "ä\0", "%2e"])
def test_a_name_stays_one_part_of_a_path(make: Callable[[str], requests.Request], name: str) -> None:
    target = make(name).target("1.41")
    assert target.isascii() and target.isprintable() and " " not in target
    assert not urlsplit(target).query and not urlsplit(target).fragment
    assert unquote(target.split("/")[3]) == name


@given(st.text(), st.text(), st.text())
def test_no_text_ends_the_first_line(reference: str, name: str, version: str) -> None:
    for asked in (requests.image(reference), requests.tag(reference, name), requests.untag(name), requests.pull(reference, None),
                  requests.containers(name), requests.events(name)):
        target = asked.target("1.41")
        assert target.startswith("/v1.41/")
        assert target.isascii() and target.isprintable() and " " not in target and "#" not in target


def test_a_login_shows_only_that_there_is_one() -> None:
    secret = b"hunter2-\xc3\xa4"
    encoded = [base64.b64encode(secret).decode(), "hunter2"]
    for asked in (requests.pull("r.io/a@sha256:0f", requests.login("ann", secret, "r.io")),
                  requests.check_login("ann", secret, "r.io")):
        shown = [asked.masked(), repr(asked), str(asked), requests.summary([asked, asked]), asked.target("1.41")]
        assert not [text for text in shown for part in encoded if part in text]
    pull = requests.pull("r.io/a@sha256:0f", requests.login("ann", secret, "r.io"))
    assert pull.masked() == "POST /images/create fromImage=r.io/a tag=sha256:0f X-Registry-Auth: ***"
    assert said(pull.secrets[0][1]) == {"username": "ann", "password": "hunter2-ä", "serveraddress": "r.io"}
    assert requests.check_login("ann", secret, "r.io").masked() == "POST /auth"
    assert json.loads(requests.check_login("ann", secret, "r.io").body.value) == {
        "username": "ann", "password": "hunter2-ä", "serveraddress": "r.io"}


def test_what_is_shown_is_one_line() -> None:
    odd = "a\nb\x1b[31m"
    shown = [one.masked() for one in (
        requests.containers(odd), requests.events(odd), requests.container(odd), requests.image(odd),
        requests.tag(odd, f"{odd}:{odd}"), requests.pull(f"{odd}@{odd}", None))]
    assert [text for text in shown if not text.isprintable()] == []


def test_what_goes_out_at_once_is_counted_by_kind() -> None:
    many = [*(requests.container(f"{number:064x}") for number in range(3)), requests.volumes(), requests.container("abc")]
    assert requests.summary(many) == "GET /containers/ID/json (3 times), GET /volumes, GET /containers/abc/json"
    assert requests.summary([requests.containers()]) == "GET /containers/json"
    assert requests.summary([requests.containers("lading.app")]) == 'GET /containers/json {"label":["lading.app"]}'
    assert requests.summary([]) == ""


@pytest.mark.parametrize(("written", "header"), [
    (b'"r":{"auth":"YW5uOng6eQ=="}', {"username": "ann", "password": "x:y"}),
    (b'"r":{"auth":"YW5uOg==","identitytoken":"t"}', {"username": "ann", "identitytoken": "t"}),
    (b'"r":{"auth":"b2xk","username":"ann","password":"x"}', {"username": "ann", "password": "x"}),
    (b'"r":{"username":"ann","password":"x","email":"a@b"}', {"username": "ann", "password": "x"}),
    (b'"r":{"registrytoken":"t","identitytoken":""}', {"registrytoken": "t"}),
    (b'"r":{}', {}),
])
def test_an_entry_of_docker_s_configuration_as_a_header(written: bytes, header: dict[str, str]) -> None:
    assert said(requests.entry(written, "r.io")) == {**header, "serveraddress": "r.io"}


@pytest.mark.parametrize("written", NO_ENTRIES, ids=[str(number) for number in range(len(NO_ENTRIES))])
def test_what_is_no_entry_is_refused(written: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        requests.entry(written, "r.io")


@pytest.mark.parametrize(("told", "oldest", "spoken"), [
    ("1.41", "1.12", "1.41"), ("1.41", "", "1.41"), ("1.47", "1.24", "1.47"), ("1.51", "1.24", "1.51"),
    ("1.52", "1.44", "1.51"), ("1.60", "1.51", "1.51"), ("1.100", "1.44", "1.51"), ("2.0", "1.44", "1.51"),
    ("1.44", "1.44", "1.44"),
])
def test_the_newest_version_that_both_know(told: str, oldest: str, spoken: str) -> None:
    assert requests.version(told, oldest) == spoken


@pytest.mark.parametrize(("told", "oldest", "why"), [
    ("1.40", "1.12", "it speaks API 1.12 to 1.40, lading 1.41 to 1.51"), ("1.60", "1.60", "it speaks API 1.60 to 1.60"),
    ("0.99", "", r"it speaks API \? to 0.99"), ("1.45", "1.46", "it speaks"), ("1.9", "", "it speaks"),
    ("", "", "'' is no version"), ("1", "", "'1' is no version"), ("1.", "", "no version"), (".41", "", "no version"),
    ("v1.41", "", "no version"), ("1.41\n", "", "no version"), ("1.41", "x", "'x' is no version"), ("1.4.1", "", "no version"),
    ("-1.41", "", "no version"), ("1.²", "", "."), ("9" * 5000 + ".1", "", "'9{20}' is no version"), ("1.41\r\nX: y", "", "no version"),
])
def test_an_engine_with_which_there_is_no_common_version(told: str, oldest: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        requests.version(told, oldest)


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_version_is_one_of_those_that_lading_knows(told: str, oldest: str) -> None:
    try:
        chosen = requests.version(told, oldest)
    except ValueError:
        return
    assert chosen in {f"1.{minor}" for minor in range(41, 52)}


@pytest.mark.parametrize(("status", "is_good"), [(199, False), (200, True), (204, True), (299, True), (304, False), (404, False), (500, False)])
def test_what_is_a_good_answer(status: int, is_good: bool) -> None:
    assert requests.Answer(status, b"").is_good is is_good
