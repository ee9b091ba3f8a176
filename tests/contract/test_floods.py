"""A host that floods: what it sends in 16 MiB is read in bounded time, or it counts as not answered; the other hosts are read."""

import asyncio
import json
from collections.abc import Callable

import pytest

from lading import state
from lading.drivers.shell import observe, parsers
from lading.inventory import hosts
from lading.transport import command, recorder

pytestmark = pytest.mark.timeout(600)  # what the lading before took hours for
SIZE = 15 << 20  # bytes
GOOD = {"facts": b"state=/var/lib/lading\nformat=1\nengine=27.0\n", "app:shop": b"", "end": b""}
LINE = json.dumps({"kind": "begin", "deployment": "d", "v": 2, "participants": ["web[1:9999]"], "to": "0" * 12})


def lines(one: str) -> bytes:
    """As many lines as fit."""
    return (one + "\n").encode() * (SIZE // (len(one) + 1))


def many(name: str, content: bytes, cost: int = 512) -> dict[str, bytes]:
    """As many parts as the transport lets through, for each costs it something beside its content."""
    return {name.format(number): content for number in range(SIZE // (cost + len(content)))}


def release(size: int) -> bytes:
    """A release with a file list and objects of so many entries, beside the sums of as many files."""
    return json.dumps({"v": 1, "files": {f"f{n}": "0" * 64 for n in range(size)}, "objects": {f"{n:064}": "x" for n in range(size)}}).encode()


CURRENT = json.dumps(state.Current("shop", "0" * 12, "1", "d1").as_json()).encode()
FLOODS: dict[str, Callable[[], dict[str, bytes]]] = {
    "containers without anything": lambda: {"containers": lines("{}")},
    "containers": lambda: {"containers": lines('{"id":"a","labels":{"com.docker.compose.project":"shop"}}')},
    "deep JSON": lambda: {"containers": b"[" * SIZE},
    "deep objects": lambda: {"current:shop": b'{"a":' * (SIZE // 5)},
    "a number without end": lambda: {"current:shop": b'{"v":' + b"9" * SIZE + b"}"},
    "numbers": lambda: {"current:shop": b'{"v":[' + b"1e9," * (SIZE // 4) + b"1]}"},
    "a long field": lambda: {"current:shop": json.dumps({"v": 1, "app": "x" * SIZE}).encode()},
    "escapes": lambda: {"journal:shop": b'{"kind":"' + b"\\u0041" * (SIZE // 6) + b'"}'},
    "backslashes": lambda: {"journal:shop": b'{"kind":"' + b"\\" * (SIZE // 2 * 2) + b'"}'},
    "a journal of short lines": lambda: {"journal:shop": lines("{}")},
    "a journal": lambda: {"journal:shop": lines(LINE)},
    "a journal of spans": lambda: {"journal:shop": "\n".join(LINE.replace("9999", f"{50000 + n}") for n in range(SIZE // 110)).encode()},
    "apps": lambda: many("app:a{}", b""),
    "apps with current": lambda: {**many("app:a{}", b"", 1100), **many("current:a{}", CURRENT, 1100)},
    "releases of an app": lambda: many("release:shop:{:064}", b'{"v":1}'),
    "releases of many apps": lambda: {**many("app:a{}", b"", 1100), **many("release:a{}:0123456789ab", b'{"v":1}', 1100)},
    "edited files": lambda: {"current:shop": CURRENT, "release:shop:" + "0" * 12: release(40_000),
                             "sums:shop:" + "0" * 12: b"".join(b"%064d  objects/%064d\n" % (n, n + 1) for n in range(50_000))},
    "ports": lambda: {"facts": lines("port=shop 0.0.0.0:1-65535->1-65535/tcp")},
    "short facts": lambda: {"facts": lines("a=")},
    "networks": lambda: {"facts": lines("net=a b,c,d,e,f,g,h shop")},
    "no text": lambda: {"facts": b"\xff" * SIZE},
    "secrets": lambda: {"secrets:shop": lines("a 1 b")},
    "a lease": lambda: {"lease:shop": lines("a=b")},
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_is_read_in_bounds_and_other_hosts_are_read(kind: str) -> None:
    bad = {**GOOD, **FLOODS[kind]()}
    answered = {"bad": command.Result(0, bad), "good": command.Result(0, GOOD)}
    transport = recorder.RecorderTransport(lambda host, what: answered[host.name])
    kept: list[state.FleetState] = []

    async def look() -> None:  # without a result: Python 3.11's asyncio.run makes a text of it, which takes gigabytes here
        kept.append(await observe.fleet(transport, [hosts.Host("bad"), hosts.Host("good")], state_dir="auto"))

    asyncio.run(look())
    seen = kept[0]
    assert (seen.hosts["good"].error, list(seen.hosts["good"].apps)) == ("", ["shop"])
    flooded = seen.hosts["bad"]
    assert not flooded.error or (flooded.error_kind == "command" and flooded.error_hint and not flooded.apps)
    assert sum(len(app.journal) for app in flooded.apps.values()) <= parsers.LINE_LIMIT


@pytest.mark.parametrize("kind", ["containers without anything", "a journal of short lines", "short facts"])
def test_more_lines_than_any_host_tells_are_named(kind: str) -> None:
    seen = observe.answered("web2", command.Result(0, {**GOOD, **FLOODS[kind]()}))
    assert seen.error.startswith("it answers more than 200,000 lines of "), seen.error


@pytest.mark.parametrize("version", [b"2", b"3"])
def test_a_few_letters_that_stand_for_many_hosts_are_bounded(version: bytes) -> None:
    journal = FLOODS["a journal of spans"]()["journal:shop"].replace(b'"v": 2', b'"v": ' + version)
    seen = observe.answered("web2", command.Result(0, {**GOOD, "journal:shop": journal}))
    assert seen.error == "its journals name more than 200,000 participants"


def test_reading_ends_when_it_has_taken_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observe, "READING", 0.0)
    for more in ({"containers": b"{}\n"}, {"journal:shop": b"{}\n"}, {"release:shop:0123456789ab": b"{}"}, {}):
        seen = observe.answered("web2", command.Result(0, {**GOOD, **more}))
        assert (seen.error, seen.error_kind) == ("web2 answers so much that reading it takes more than 0 s", "command")
        assert "lading check web2" in seen.error_hint
