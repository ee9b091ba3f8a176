"""An app's containers followed by its engine's own word: no event is needed to see, and an engine that is silent shows nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from an_engine import CLOSE, CUT, HANG, Pieces, ScriptedEngine, answer, chunked, head

from a_party import MADE, Enough, Party, kinds
from host_shell import HostShell
from lading import state
from lading.drivers import base
from lading.drivers.engine_api import engine, looking, requests, watching
from lading.drivers.shell import bound, driver
from lading.inventory import hosts
from lading.plan import steps
from lading.transport import local

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
HERE = hosts.Host("here")
PROJECT = "com.docker.compose.project"
EVENTS, LIST = "GET /events", "GET /containers/json"
LISTED = {"Id": "c1", "Labels": {PROJECT: "shop"}}
SHOWN = {"Id": "c1", "Name": "/web", "Image": "sha256:0", "Config": {"Image": "by-engine", "Labels": {PROJECT: "shop"}}, "State": {"Status": "running"}}
OLD = {"status": "health_status: healthy", "id": "c1", "Type": "container", "Action": "health_status: healthy", "Actor": {"ID": "c1"}}
NEW = {"Type": "container", "Action": "health_status", "Actor": {"ID": "c1", "Attributes": {"health_status": "healthy"}}, "scope": "local"}
DIED = {"status": "die", "id": "c1", "Type": "container", "Action": "die", "Actor": {"ID": "c1", "Attributes": {"exitCode": "1"}}}
OTHERS = [{"Action": "start"}, {"Action": "exec_die"}, {"Action": "exec_create: sh -c die"}, {"Action": "kill"}, {"Action": 5}, {"Action": None}, {}, [], None, 5,
          {"status": "die"}, {"Actor": {"Action": "die"}}]


@pytest.fixture
async def scripted(tmp_path: Path) -> AsyncIterator[ScriptedEngine]:
    one = ScriptedEngine(tmp_path / "docker.sock")
    one.says({LIST: [answer([LISTED])], "GET /containers/c1/json": SHOWN, EVENTS: [chunked(ends=False), HANG]})
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def engines(scripted: ScriptedEngine) -> AsyncIterator[engine.Engines]:
    transport = local.LocalTransport()
    one = engine.Engines(transport)
    one.of(HERE).use_socket(str(scripted.socket))
    yield one
    one.close()
    await transport.close()


@pytest.fixture
def asked(engines: engine.Engines) -> engine.Engine:
    return engines.of(HERE)


def line(said: Any) -> bytes:
    return said if isinstance(said, bytes) else json.dumps(said).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def is_due(asked: engine.Engine) -> bool:
    """Whether an event that comes says at once that a look is due; the stream stays open, so that nothing else does."""
    events = watching.Events(asked, "shop")
    try:
        await events.subscribed()
        async with asyncio.timeout(20):
            await events.due.wait()
        return not events._task.done()
    finally:
        await events.close()


@pytest.mark.parametrize("said", [OLD, NEW, DIED, {"Action": "health_status: unhealthy"}, {"Action": "die", "x": "\ud800"}], ids=range(5))
def test_an_event_that_says_that_a_look_is_due(said: object) -> None:
    assert watching.is_due(line(said))


@pytest.mark.parametrize("said", [*OTHERS, b"", b"{", b"die", b"[" * 60_000, b'{"Action":' * 9_000, b"\xff", b"\0"], ids=range(len(OTHERS) + 7))
def test_any_other_event(said: object) -> None:
    assert not watching.is_due(line(said))


@pytest.mark.parametrize("said", [OLD, NEW, DIED], ids=["old health", "new health", "died"])
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_events_are_read_however_they_are_cut(asked: engine.Engine, scripted: ScriptedEngine, said: object, size: int) -> None:
    text = b"".join(line(one) + b"\n" for one in (*OTHERS, b"x" * 200_000, said))
    pieces: list[bytes | str] = [chunked(ends=False)]
    tail = text[-300:]
    pieces += [chunk(text[:-300]), CUT]
    for at in range(0, len(tail), size):
        pieces += [chunk(tail[at:at + size]), CUT]
    scripted.answers[EVENTS] = [*pieces, HANG]
    assert await is_due(asked)
    assert scripted.lines().count(EVENTS) == 1
    assert '"com.docker.compose.project=shop"' in requests.events("shop").query["filters"]


@pytest.mark.parametrize("first", [
    [chunked()], [chunked(line(DIED)[:9], ends=False), CLOSE], [CLOSE], [head(500, "Content-Length: 0")], [answer({"message": "no"}, 404)],
    [head(500, "Content-Length: 9"), b"no", CLOSE], [head(200), line(DIED), CLOSE], [b"garbage\r\n\r\n"],
], ids=range(8))
async def test_events_that_end_are_asked_for_anew_and_a_look_is_due(asked: engine.Engine, scripted: ScriptedEngine, first: Pieces) -> None:
    scripted.answers[EVENTS] = [first, [chunked(line(DIED) + b"\n", ends=False), HANG]]
    events = watching.Events(asked, "shop")
    await events.subscribed()
    async with asyncio.timeout(20):
        await events.due.wait()
        events.due.clear()
        await events.due.wait()
    await events.close()
    assert scripted.lines().count(EVENTS) == 2


async def test_events_that_nobody_waits_for_yet_are_not_asked_for_anew(
    asked: engine.Engine, scripted: ScriptedEngine
) -> None:
    scripted.answers[EVENTS] = [[chunked()], [chunked(ends=False), HANG]]
    events = watching.Events(asked, "shop", is_ahead=True)
    async with asyncio.timeout(20):
        await asyncio.wait({events._task})
    assert not events.stands
    assert scripted.lines().count(EVENTS) == 1
    await events.close()


async def test_who_rolls_listens_to_what_was_asked_for_ahead_or_to_another_stream_where_it_was_lost(
    asked: engine.Engine, scripted: ScriptedEngine
) -> None:
    scripted.answers[EVENTS] = [[chunked()], [chunked(ends=False), HANG]]
    await looking.containers(asked, "shop")
    transport = local.LocalTransport()
    there = bound.Bound(transport, HERE, "/nowhere", asked)
    there.listen_ahead("shop")
    assert await there.listening() is None
    there.listen_ahead("shop")
    events = await there.listening()
    assert events is not None
    assert events.stands
    assert await there.listening() is None
    await events.close()
    await transport.close()


async def test_who_is_stopped_before_events_are_told_leaves_nothing_open(
    asked: engine.Engine, scripted: ScriptedEngine
) -> None:
    scripted.answers[EVENTS] = [HANG]
    await looking.containers(asked, "shop")
    transport = local.LocalTransport()
    there = bound.Bound(transport, HERE, "/nowhere", asked)
    there.listen_ahead("shop")
    rolling = asyncio.create_task(there.listening())
    async with asyncio.timeout(20):
        while EVENTS not in scripted.lines():
            await asyncio.sleep(0.01)
    rolling.cancel()
    await asyncio.wait({rolling})
    await there.listen_no_more()
    assert asked._streams == set()
    await transport.close()


async def test_who_listens_no_more_leaves_nothing_open(asked: engine.Engine, scripted: ScriptedEngine) -> None:
    events = watching.Events(asked, "shop")
    await events.subscribed()
    await events.close()
    async with asyncio.timeout(20):
        while len(scripted._writers) > 1:
            await asyncio.sleep(0.01)
    assert asked._streams == set()


async def followed(asked: engine.Engine, count: int) -> list[list[str]]:
    """What *count* looks have seen: the ids; and why others could not be read."""
    events = watching.Events(asked, "shop")
    seen: list[list[str]] = []

    def look(found: Sequence[str]) -> bool:
        seen.append([json.loads(one)["id"] for one in found])
        return len(seen) >= count

    def wrong(why: str) -> bool:
        seen.append([why])
        return len(seen) >= count

    try:
        await events.subscribed()
        async with asyncio.timeout(40):
            await watching.follow(asked, "shop", events, look, wrong)
    finally:
        await events.close()
    return seen


SILENT: dict[str, Pieces] = {
    "closed": [CLOSE], "short": [head(200, "Content-Length: 9"), b"[]", CLOSE], "no length": [head(200), b"[]", CLOSE],
    "an error": [answer({"message": "starting"}, 500)], "too busy": [answer([], 503)],
}


@pytest.mark.parametrize("kind", SILENT)
async def test_an_engine_that_does_not_answer_shows_nothing(asked: engine.Engine, scripted: ScriptedEngine, kind: str) -> None:
    scripted.answers[LIST] = [[answer([LISTED])], SILENT[kind], SILENT[kind], [answer([LISTED])]]
    assert await followed(asked, 2) == [["c1"], ["c1"]]


async def test_an_engine_that_is_away_for_a_while_is_looked_at_again(asked: engine.Engine, scripted: ScriptedEngine) -> None:
    following = asyncio.create_task(followed(asked, 4))
    while LIST not in scripted.lines():
        await asyncio.sleep(0.01)
    await scripted.stop()
    await asyncio.sleep(0)
    await scripted.start()
    assert await following == [["c1"]] * 4


async def test_no_containers_are_none_and_one_that_has_gone_is_left_out(asked: engine.Engine, scripted: ScriptedEngine) -> None:
    scripted.answers[LIST] = [[answer([])], [answer([LISTED, {**LISTED, "Id": "c2"}])]]
    assert await followed(asked, 2) == [[], ["c1"]]


@pytest.mark.parametrize("said", [answer([1]), answer({}), answer(b"[" * 100_000), answer([{**LISTED, "Labels": 5}])], ids=range(4))
async def test_what_cannot_be_read_is_told_and_no_look(asked: engine.Engine, scripted: ScriptedEngine, said: bytes) -> None:
    scripted.answers[LIST] = [[said], [answer([LISTED])]]
    first, second = await followed(asked, 2)
    assert (second, len(first), first != ["c1"]) == (["c1"], 1, True)


# A whole roll, by the real script


async def rolled(there: HostShell, one: Party, engines: engine.Engines, watcher: Enough) -> None:
    await engines.of(HERE).ask(requests.VERSION)
    transport = local.LocalTransport()
    what = base.Roll(secret_versions={}, patience=60, steps=(steps.StartServices(("web",)),), release=MADE, app=state.AppState("shop"))
    try:
        ports = driver.connect(transport, str(there.state), engines)(HERE)
        async with asyncio.timeout(50):
            await ports.runtime.roll(one.hold, what, watcher, one.told.append, None)
    finally:
        await transport.close()


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[HostShell, Party]:
    folder = tmp_path / "host"
    folder.mkdir()
    there = HostShell(folder, monkeypatch)
    return there, Party(there).come_to("staged")


async def test_a_roll_is_watched_by_the_engine_and_the_script_only_holds_the_lease(
    staged: tuple[HostShell, Party], engines: engine.Engines, scripted: ScriptedEngine
) -> None:
    there, one = staged
    watcher = Enough(2)
    await rolled(there, one, engines, watcher)
    assert (watcher.status, [[found.image for found in seen] for seen in watcher.seen]) == (0, [["by-engine"]] * 2)
    assert kinds(there)[-2:] == ["rolling", "rolled"]
    assert [said for said in there.lines() if said.startswith(("ps", "events", "container inspect"))] == []
    assert scripted.lines()[:3] == ["GET /version", "GET /version", EVENTS]  # before anything is done


@pytest.mark.parametrize("shown", [answer({**SHOWN, "Name": 5}), answer(5), answer({**SHOWN, "Config": "x"})], ids=range(3))
async def test_a_roll_of_which_nothing_can_be_read_is_told_to_the_watcher(
    staged: tuple[HostShell, Party], engines: engine.Engines, scripted: ScriptedEngine, shown: bytes
) -> None:
    there, one = staged
    scripted.answers["GET /containers/c1/json"] = [shown]
    watcher = Enough()
    await rolled(there, one, engines, watcher)
    assert isinstance(watcher.seen[0], str)


async def test_a_roll_that_is_cancelled_before_it_begins_listens_no_more(
    engines: engine.Engines, scripted: ScriptedEngine
) -> None:
    await engines.of(HERE).ask(requests.NETWORKS)
    scripted.answers[EVENTS] = [HANG]
    ports = driver.connect(local.LocalTransport(), "/nowhere", engines)(HERE)
    what = base.Roll(MADE, {}, state.AppState("shop"), (), 60)
    hold = base.Hold("shop", "d1", 1, "p1", "ann", "2026-11-24T10:00:00Z", "", 0)
    rolling = asyncio.create_task(ports.runtime.roll(hold, what, Enough(), print))
    while EVENTS not in scripted.lines():
        await asyncio.sleep(0.01)
    rolling.cancel()
    await asyncio.wait({rolling})
    assert not [task for task in asyncio.all_tasks() if "Events._follow" in repr(task)]
