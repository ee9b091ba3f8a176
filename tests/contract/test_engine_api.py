"""An engine asked itself, by each way that leads there: what a hostile one says is an error in time, and never "no containers"."""

import asyncio
import dataclasses
import gc
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sshd_server
from an_engine import CLOSE, CUT, HANG, INFO, VERSION, Pieces, ScriptedEngine, answer, chunked, head

from lading.drivers import base as drivers
from lading.drivers.engine_api import connection, engine, looking, pulling, requests
from lading.drivers.shell import image_pull, lock, observe
from lading.drivers.shell import said as wording
from lading.inventory import hosts
from lading.transport import base, command, local, routed, ssh, telling

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
PROJECT = "com.docker.compose.project"
SHORT = 0.3  # seconds that a question has here whose answer never comes
ASK = requests.Request("GET", "/ask", patience=20)
IN_SHORT = dataclasses.replace(ASK, patience=SHORT)
SMALL = dataclasses.replace(ASK, limit=1000)
LISTED = {"Id": "c1", "Names": ["/web"], "Labels": {PROJECT: "shop", "lading.app": "shop"}}
SHOWN = {"Id": "c1", "Name": "/web", "Image": "sha256:0", "Config": {"Image": "r/web:1", "Labels": {PROJECT: "shop"}}, "State": {"Status": "running"}}


@pytest.fixture
async def scripted(tmp_path: Path) -> AsyncIterator[ScriptedEngine]:
    one = ScriptedEngine(tmp_path / "docker.sock")
    await one.start()
    yield one
    await one.stop()


class Host:
    """A real sshd, and the folder of programs that its sessions find first."""

    def __init__(self, folder: Path, *more: str, environment: str = "") -> None:
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        sudo = self.bin / "sudo"
        sudo.write_text('#!/bin/sh\nshift\nexec "$@"\n')
        sudo.chmod(0o755)
        self.sshd = sshd_server.Sshd(folder / "sshd", f"SetEnv PATH={self.bin}:/usr/bin:/bin HOME={folder} {environment}", *more)

    def transport(self) -> ssh.SshTransport:
        """A connection of its own."""
        return ssh.SshTransport(environment=os.environ, known_hosts=str(self.sshd.known_hosts), config_files=[str(self.sshd.config)])


MakeHost = Callable[..., Host]


@pytest.fixture(scope="module")
def a_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeHost]:
    """Hosts by what their sshd is told; each is started once."""
    made: dict[tuple[str, ...], Host] = {}

    def one(*more: str, environment: str = "") -> Host:
        key = (*more, environment)
        if key not in made:
            made[key] = Host(tmp_path_factory.mktemp("host"), *more, environment=environment)
        (made[key].bin / "docker").unlink(missing_ok=True)
        return made[key]

    yield one
    for host in made.values():
        host.sshd.stop()


def lead(transport: base.Transport, host: hosts.Host, scripted: ScriptedEngine) -> engine.Engine:
    """The engine as it is known once the host has said where its socket is."""
    asked = engine.Engine(transport, host)
    asked.use_socket(str(scripted.socket))
    return asked


@pytest.fixture(params=["local", "forwarded", "dial-stdio"])
async def asked(
    request: pytest.FixtureRequest, scripted: ScriptedEngine, a_host: MakeHost
) -> AsyncIterator[engine.Engine]:
    transport: base.Transport
    if request.param == "local":
        transport, where = local.LocalTransport(), hosts.Host("here")
    else:
        host = a_host(*([] if request.param == "forwarded" else ["AllowStreamLocalForwarding no"]))
        scripted.docker(host.bin)
        transport, where = host.transport(), host.sshd.host()
    one = lead(transport, where, scripted)
    yield one
    one.close()
    await transport.close()


@pytest.fixture
async def near(scripted: ScriptedEngine) -> AsyncIterator[engine.Engine]:
    """The same, where the way to it makes no difference."""
    transport = local.LocalTransport()
    one = lead(transport, hosts.Host("here"), scripted)
    yield one
    one.close()
    await transport.close()


async def said(asked: engine.Engine, *questions: requests.Request) -> list[Any]:
    return [json.loads(one.body) for one in await asked.ask(*questions)]


# By each way


async def test_answers_come_in_the_order_of_the_questions(asked: engine.Engine, scripted: ScriptedEngine, request: pytest.FixtureRequest) -> None:
    scripted.says({f"GET /{number}": {"n": number, "x": "y" * 999} for number in range(150)})
    found = await said(asked, *(requests.Request("GET", f"/{number}") for number in range(150)))
    assert [one["n"] for one in found] == list(range(150))
    assert (await said(asked, requests.INFO))[0]["ID"] == "A:B"
    assert scripted.asked[0] == "GET /version HTTP/1.1"
    assert {line.split("/")[1] for line in scripted.asked[1:]} == {"v1.41"}
    assert scripted.connections == 1
    way = request.node.callspec.params["asked"]
    assert asked.described == f"API 1.41, {'forwarded' if way == 'local' else way}"


async def test_questions_of_many_at_once_do_not_mix(asked: engine.Engine, scripted: ScriptedEngine) -> None:
    scripted.says({f"GET /{number}": number for number in range(40)})
    found = await asyncio.gather(*(said(asked, *[requests.Request("GET", f"/{number}")] * 3) for number in range(40)))
    assert found == [[number] * 3 for number in range(40)]
    assert scripted.connections == 1


@pytest.mark.parametrize("pieces", [
    [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"],
    [bytes([one]) for one in b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"],
    [chunked(b"{", b"}")],
    [chunked(b"{}", ends=False), CUT, b"0\r\nTrailer: x\r\n\r\n"],
    [head(100), head(102, "Link: x"), answer({})],
    [b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", CLOSE],
    [head(200, "Content-Length: 2", "Connection: close"), b"{}", CLOSE],
], ids=["whole", "byte by byte", "chunks", "trailer", "informational", "http 1.0", "closing"])
async def test_a_whole_answer_however_it_comes(asked: engine.Engine, scripted: ScriptedEngine, pieces: Pieces) -> None:
    scripted.answers["GET /ask"] = pieces
    assert (await said(asked, ASK), await said(asked, ASK)) == ([{}], [{}])


ENDLESS = [b"x" * 65536] * 40
HOSTILE: dict[str, tuple[requests.Request, Pieces]] = {
    "nothing": (IN_SHORT, [HANG]),
    "gone": (ASK, [CLOSE]),
    "half a head": (ASK, [b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE]),
    "half a head for ever": (IN_SHORT, [b"HTTP/1.1 200 OK\r\nContent-Le", HANG]),
    "a head without an end": (ASK, [b"HTTP/1.1 200 OK\r\n", *[b"X-A: " + b"a" * 8000 + b"\r\n"] * 40, HANG]),
    "a line without an end": (ASK, [b"HTTP/1.1 200 OK\r\nX: ", *ENDLESS, HANG]),
    "too large a head": (ASK, [head(200, *["X-A: " + "a" * 9000] * 40, "Content-Length: 0")]),
    "no HTTP": (IN_SHORT, [b"SSH-2.0-OpenSSH_9.2\r\n", HANG]),
    "NULs": (ASK, [b"\0" * 100_000, HANG]),
    "a hundred informational answers": (ASK, [head(102)] * 100 + [answer({})]),
    "informational answers for ever": (IN_SHORT, [head(100), HANG]),
    "another protocol": (ASK, [head(101, "Upgrade: tcp", "Connection: Upgrade"), b"{}", HANG]),
    "a short body": (ASK, [head(200, "Content-Length: 20"), b"[]", CLOSE]),
    "a short body for ever": (IN_SHORT, [head(200, "Content-Length: 20"), b"[]", HANG]),
    "no body": (ASK, [head(200, "Content-Length: 2"), CLOSE]),
    "no length": (ASK, [head(200), b"[]", CLOSE]),
    "no length of an error": (ASK, [head(500), b"{}", CLOSE]),
    "a length of words": (ASK, [head(200, "Content-Length: two"), b"[]"]),
    "two lengths": (ASK, [head(200, "Content-Length: 2", "Content-Length: 20"), b"[]"]),
    "less than nothing": (ASK, [head(200, "Content-Length: -2"), b"[]"]),
    "a large body": (SMALL, [answer(b"[" + b" " * 1000 + b"]")]),
    "a large body in chunks": (SMALL, [chunked(*[b" " * 100] * 11)]),
    "a body that says it is huge": (SMALL, [head(200, f"Content-Length: {10**15}"), *ENDLESS, HANG]),
    "a body without an end": (SMALL, [head(200, "Transfer-Encoding: chunked"), *[b"10\r\n" + b"x" * 16 + b"\r\n"] * 1000, HANG]),
    "chunks of a byte for ever": (IN_SHORT, [head(200, "Transfer-Encoding: chunked"), *[b"1\r\n[\r\n"] * 100, HANG]),
    "cut chunks": (ASK, [chunked(b"[]", ends=False), CLOSE]),
    "half a chunk": (ASK, [head(200, "Transfer-Encoding: chunked"), b"20\r\n[]", CLOSE]),
    "a chunk of words": (ASK, [head(200, "Transfer-Encoding: chunked"), b"xyz\r\n[]\r\n0\r\n\r\n"]),
    "a chunk's head without an end": (ASK, [head(200, "Transfer-Encoding: chunked"), b"2;x=", *ENDLESS, HANG]),
    "a compressed body": (ASK, [head(200, "Transfer-Encoding: gzip"), b"[]", CLOSE]),
    "more than was asked": (ASK, [answer({}) + answer([])]),
    "something behind it": (ASK, [answer({}) + b"\0"]),
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_what_is_no_whole_answer_is_no_answer(asked: engine.Engine, scripted: ScriptedEngine, kind: str) -> None:
    question, pieces = HOSTILE[kind]
    scripted.answers["GET /ask"] = pieces
    with pytest.raises(engine.UnavailableError):
        await asked.ask(question)
    assert scripted.lines().count("GET /ask") == 1
    scripted.answers["GET /ask"] = [answer({"well": True})]
    assert await said(asked, ASK) == [{"well": True}]


async def test_an_answer_in_too_many_pieces_is_given_up(near: engine.Engine, scripted: ScriptedEngine) -> None:
    """Reading a piece has its price, however small it is."""
    scripted.answers["GET /ask"] = [head(200, "Transfer-Encoding: chunked"), *[b"1\r\n \r\n" * 5000] * (connection.PIECES // 5000 + 1), HANG]
    with pytest.raises(engine.UnavailableError, match="it answers more than"):
        await near.ask(dataclasses.replace(ASK, patience=110))


async def test_an_answer_too_few_is_no_answer_to_the_next(asked: engine.Engine, scripted: ScriptedEngine) -> None:
    scripted.says({"GET /a": "a", "GET /b": "b"})
    scripted.answers["GET /ask"] = [b""]
    with pytest.raises(engine.UnavailableError):
        await asked.ask(requests.Request("GET", "/a", patience=SHORT), IN_SHORT)
    assert await said(asked, requests.Request("GET", "/b")) == ["b"]


async def test_a_connection_that_died_between_two_questions_is_opened_anew_once(asked: engine.Engine, scripted: ScriptedEngine) -> None:
    scripted.says({"GET /ask": 1})
    assert await said(asked, ASK) == [1]
    await scripted.drop()
    assert await said(asked, ASK) == [1]
    assert scripted.connections == 2
    scripted.answers["GET /ask"] = [CLOSE]
    with pytest.raises(engine.UnavailableError):
        await asked.ask(ASK)
    assert scripted.lines().count("GET /ask") == 4


async def test_who_lost_interest_leaves_no_answer_for_the_next(asked: engine.Engine, scripted: ScriptedEngine) -> None:
    scripted.says({"GET /b": "b"})
    scripted.answers["GET /ask"] = [head(200, "Content-Length: 3"), HANG]
    waiting = asyncio.create_task(asked.ask(ASK))
    while scripted.asked[-1:] != ["GET /v1.41/ask HTTP/1.1"]:
        await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert await said(asked, requests.Request("GET", "/b")) == ["b"]


async def test_bodies_and_secrets_arrive_and_are_not_told(asked: engine.Engine, scripted: ScriptedEngine) -> None:
    told: list[str] = []
    asked._tell = told.append
    scripted.says({"POST /auth": {"Status": "Login Succeeded"}, "POST /images/create": [chunked(b'{"status":"Done"}')]})
    await asked.ask(requests.check_login("ann", b"hunter2", "r.io"))
    await pulling.pull(asked, "r.io/a@sha256:0f", requests.login("ann", b"hunter2", "r.io"), told.append, still_held)
    assert scripted.lines() == ["GET /version", "POST /auth", "POST /images/create"]
    sent = scripted.heads[-1].lower()
    assert "x-registry-auth: " in sent and "content-length: 0" in sent
    assert told[-1] == "Done"
    assert [line for line in told if "hunter2" in line or "eyJ" in line] == []


async def test_an_engine_that_speaks_no_version_of_ours(asked: engine.Engine, scripted: ScriptedEngine) -> None:
    hostile: list[Any] = [
        {**VERSION, "ApiVersion": "1.60", "MinAPIVersion": "1.60"}, {**VERSION, "ApiVersion": "1.40"}, {**VERSION, "ApiVersion": "x"},
        {**VERSION, "ApiVersion": 1.41}, {}, [], {**VERSION, "Components": [{"Name": "Podman Engine"}]}, {**VERSION, "Components": ["Engine"]}]
    for said_of_itself in hostile:
        scripted.answers["GET /version"] = [answer(said_of_itself)]
        with pytest.raises(engine.UnavailableError):
            await asked.ask(requests.INFO)
    scripted.answers["GET /version"] = [answer(VERSION, 500)]
    with pytest.raises(engine.UnavailableError):
        await asked.ask(requests.INFO)
    assert [line for line in scripted.lines() if line != "GET /version"] == []
    scripted.says({"GET /version": {**VERSION, "ApiVersion": "1.52", "MinAPIVersion": "1.44"}})
    await asked.ask(requests.INFO)
    assert scripted.asked[-1] == "GET /v1.51/info HTTP/1.1"


# Looks


WANTED = looking.Wanted("shop", facts=True, volumes=())


def lists(scripted: ScriptedEngine, **more: Any) -> None:
    """A host with one container and one volume, and what else is said."""
    scripted.says({
        "GET /containers/json": [answer([LISTED])], "GET /networks": [answer([{"Name": "n"}])], "GET /volumes": {"Volumes": [{"Name": "v", "Labels": {PROJECT: "shop"}}]},
        "GET /containers/c1/json": SHOWN, "GET /volumes/v": {"Name": "v", "Driver": "local"}, **{f"GET {path}": said for path, said in more.items()}})


async def test_a_look(asked: engine.Engine, scripted: ScriptedEngine) -> None:
    lists(scripted)
    seen = await looking.look(asked, WANTED)
    assert [json.loads(one)["id"] for one in seen.containers] == ["c1"]
    assert (seen.listed[-1], seen.info[0], seen.marks, seen.is_settled) == ("there=n", "engine=20.10.24", {}, True)
    assert (seen.volumes or [""])[0] == "v"
    await looking.look(asked, WANTED)
    assert scripted.lines().count("GET /info") == 1


NO_CONTAINERS = {
    "cut": [head(200, "Content-Length: 3"), b"[]", CLOSE], "no length": [head(200), b"[]", CLOSE], "empty": [answer(b"")],
    "null": [answer(None)], "an object": [answer({})], "no objects": [answer([1])], "an error": [answer([], 500)], "a refusal": [answer([], 403)],
    "not there": [answer([], 404)], "no content": [head(204)], "not changed": [head(304)], "moved": [head(301, "Content-Length: 2"), b"[]"],
    "deep": [answer(b"[" * 100_000 + b"]" * 100_000)], "an id that is none": [answer([{**LISTED, "Id": None}])],
    "labels that are none": [answer([{**LISTED, "Labels": {PROJECT: 1}}])], "html": [answer(b"<html>")], "another coding": [answer(b"\xff\xfe[\0]\0")],
}


@pytest.mark.parametrize("kind", NO_CONTAINERS)
async def test_what_is_no_list_is_never_no_containers(near: engine.Engine, scripted: ScriptedEngine, kind: str) -> None:
    lists(scripted)
    scripted.answers["GET /containers/json"] = NO_CONTAINERS[kind]
    for wanted in (WANTED, looking.Wanted("shop"), looking.Wanted()):
        with pytest.raises((engine.UnavailableError, ValueError)):
            await looking.look(near, wanted)
    with pytest.raises((engine.UnavailableError, ValueError)):
        await looking.containers(near, "shop")


@pytest.mark.parametrize("path", ["/networks", "/volumes", "/info", "/containers/c1/json", "/volumes/v"])
@pytest.mark.parametrize("pieces", [[answer({"message": "x"}, 500)], [CLOSE], [answer(b"[[")], [answer(5)]], ids=["error", "closed", "broken", "number"])
async def test_a_look_of_which_a_part_is_missing_is_none(near: engine.Engine, scripted: ScriptedEngine, path: str, pieces: Pieces) -> None:
    lists(scripted)
    scripted.answers[f"GET {path}"] = pieces
    with pytest.raises((engine.UnavailableError, ValueError)):
        await looking.look(near, WANTED)


async def test_a_container_that_has_gone_between_list_and_question_is_left_out(near: engine.Engine, scripted: ScriptedEngine) -> None:
    lists(scripted)
    scripted.answers["GET /containers/json"] = [answer([LISTED, {**LISTED, "Id": "c2"}, {**LISTED, "Id": "c3"}])]
    scripted.says({"GET /containers/c3/json": {**SHOWN, "Id": "c3"}})
    assert [json.loads(one)["id"] for one in (await looking.look(near, WANTED)).containers] == ["c1", "c3"]
    assert [json.loads(one)["id"] for one in await looking.containers(near, "shop")] == ["c1", "c3"]


async def test_what_was_there_the_last_time_is_asked_for_along_with_its_list(asked: engine.Engine, scripted: ScriptedEngine) -> None:
    def ids(found: Sequence[str]) -> list[str]:
        return [json.loads(one)["id"] for one in found]

    lists(scripted)
    assert ids((await looking.look(asked, WANTED)).containers) == ["c1"]
    scripted.asked.clear()
    assert ids(await looking.containers(asked, "shop")) == ["c1"]
    assert [line.split("/")[-1].partition("?")[0] for line in scripted.lines()] == ["json", "json"]
    # Another one has come in its place: only what is listed counts
    scripted.answers["GET /containers/json"] = [answer([{**LISTED, "Id": "c2"}])]
    scripted.says({"GET /containers/c2/json": {**SHOWN, "Id": "c2"}})
    assert ids(await looking.containers(asked, "shop")) == ["c2"]
    scripted.asked.clear()
    assert ids((await looking.look(asked, WANTED)).containers) == ["c2"]
    assert not any("c1" in line for line in scripted.lines())
    scripted.answers["GET /containers/json"] = [answer([])]
    assert ids(await looking.containers(asked, "shop")) == []


async def test_a_large_look_is_read_whole(near: engine.Engine, scripted: ScriptedEngine) -> None:
    lists(scripted)
    many = [{**LISTED, "Id": f"{number:064x}", "Labels": {PROJECT: "shop", "lading.app": "x" * 999}} for number in range(400)]
    scripted.answers["GET /containers/json"] = [answer(many)]
    scripted.says({f"GET /containers/{one['Id']}/json": {**SHOWN, "Id": one["Id"]} for one in many})
    assert len((await looking.look(near, WANTED)).containers) == 400


# Ways that are closed: scripts do it, without a word


def quiet(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> bool:
    """Whether nobody would have seen anything."""
    gc.collect()  # an exception that nobody has asked for is told then
    return (caplog.text, *capfd.readouterr()) == ("", "", "")


CLIENT = """#!/bin/sh
[ -z "{dials}" ] || case "$*" in "system dial-stdio") exec {dials} "$@";; esac
case "$*" in
info*) printf 'engine=20.10.24\\nid=A:B\\narch=x86_64\\nctx=default\\nplugin=2.40.3\\nruntimes=runc \\nroot=/var/lib/docker\\n';;
"ps -a "*) printf 'c=c1 shop shop\\nport=shop \\nnet=web n shop\\n';;
"ps -aq"*) echo c1;;
"container inspect"*) printf '%s\\n' '{shown}';;
"volume ls"* | "volume inspect"*) ;;
"network ls"*) echo there=n;;
*) exit 1;;
esac
"""
BY_SCRIPT = json.dumps({"id": "c1", "name": "/web", "image": "by-script", "labels": {PROJECT: "shop"}, "state": {"Status": "running"}})


class Looker:
    """Looks at a host as `where` does, its engine asked itself where that can be."""

    def __init__(self, transport: base.Transport, host: hosts.Host, tmp_path: Path) -> None:
        self.transport, self.host, self.state = transport, host, tmp_path / "state"
        self.state.mkdir(exist_ok=True)
        self.engine = engine.Engine(transport, host)

    async def image(self) -> str:
        """The image of the one container there, which says who has told of it."""
        seen = await observe.host(self.transport, self.host, observe.Question(str(self.state), "shop"), self.engine)
        assert seen.error == ""
        (one,) = seen.apps["shop"].containers
        return one.image


@pytest.fixture
async def looker(tmp_path: Path) -> AsyncIterator[Callable[..., Looker]]:
    made: list[Looker] = []

    def one(host: Host, **more: Any) -> Looker:
        transport = host.transport()
        made.append(Looker(transport, dataclasses.replace(host.sshd.host(), **more), tmp_path))
        return made[-1]

    yield one
    for looker in made:
        looker.engine.close()
        await looker.transport.close()


def client(host: Host, scripted: ScriptedEngine | None = None, environment: str = "") -> None:
    """The host's docker: a client that answers as the engine would, and dials it if it is given.

    A binary, for one that is a script may lead anywhere, and is asked the way itself.
    """
    dials = ""
    if scripted is not None:
        (host.bin / "dial").mkdir(exist_ok=True)
        dials = str(scripted.docker(host.bin / "dial"))
    script = host.bin / "docker.sh"
    script.write_text(CLIENT.format(dials=dials, shown=BY_SCRIPT))
    script.chmod(0o755)
    source = f'#include <unistd.h>\nint main(int n, char **words) {{ execv("{script}", words); return 127; }}\n'
    subprocess.run(["gcc", "-x", "c", "-o", str(host.bin / "docker"), "-"], input=source, text=True, check=True)


async def test_the_engine_itself_is_asked_beside_a_script(
    a_host: MakeHost, looker: Callable[..., Looker], scripted: ScriptedEngine, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    host = a_host(environment=f"DOCKER_HOST=unix://{scripted.socket}")
    client(host)
    lists(scripted)
    one = looker(host)
    assert (await one.image(), await one.image()) == ("r/web:1", "r/web:1")
    assert one.engine.described == "API 1.41, forwarded"
    del one
    assert quiet(caplog, capfd)


async def falls_back(one: Looker) -> bool:
    """Whether scripts tell of the host, at the first look as at the next ones."""
    return [await one.image() for _ in range(3)] == ["by-script"] * 3


NO_FORWARDING = ["AllowStreamLocalForwarding no", "DisableForwarding yes"]


@pytest.mark.parametrize("refusal", NO_FORWARDING)
async def test_a_host_that_forwards_no_sockets_is_dialled(
    a_host: MakeHost, looker: Callable[..., Looker], scripted: ScriptedEngine, refusal: str,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:
    host = a_host(refusal)
    client(host, scripted)
    lists(scripted)
    one = looker(host)
    assert (await one.image(), await one.image()) == ("r/web:1", "r/web:1")
    assert (one.engine.described, scripted.connections) == ("API 1.41, dial-stdio", 1)
    assert quiet(caplog, capfd)


@pytest.mark.parametrize("refusal", NO_FORWARDING)
async def test_a_host_that_lets_nobody_through_is_asked_by_scripts(
    a_host: MakeHost, looker: Callable[..., Looker], refusal: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    host = a_host(refusal)
    client(host)
    assert await falls_back(looker(host))
    assert quiet(caplog, capfd)


async def test_a_key_that_is_restricted_is_dialled(
    a_host: MakeHost, looker: Callable[..., Looker], scripted: ScriptedEngine, tmp_path: Path
) -> None:
    keys = tmp_path / "authorized_keys"
    host = a_host("Match all", f"AuthorizedKeysFile {keys}")
    keys.write_text(f"restrict {host.sshd.user_key.with_suffix('.pub').read_text()}")
    client(host, scripted)
    lists(scripted)
    one = looker(host)
    assert (await one.image(), one.engine.described) == ("r/web:1", "API 1.41, dial-stdio")


async def test_room_for_one_session_is_enough_for_a_socket(
    a_host: MakeHost, looker: Callable[..., Looker], scripted: ScriptedEngine, tmp_path: Path
) -> None:
    host = a_host("MaxSessions 1", environment=f"DOCKER_HOST=unix://{scripted.socket}")
    client(host)
    lists(scripted)
    one = looker(host)
    assert [await one.image() for _ in range(3)] == ["r/web:1"] * 3
    assert one.engine.described == "API 1.41, forwarded"


@pytest.mark.parametrize("more", [(["MaxSessions 1"], {"sudo": True}), (["MaxSessions 1", "DisableForwarding yes"], {})], ids=["sudo", "not forwarded"])
async def test_where_there_is_room_for_one_session_commands_have_it(
    a_host: MakeHost, looker: Callable[..., Looker], scripted: ScriptedEngine, more: tuple[list[str], dict[str, bool]],
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:
    host = a_host(*more[0])
    client(host, scripted)
    lists(scripted)
    for _ in range(4):
        one = looker(host, **more[1])
        assert [await one.image() for _ in range(3)][1:] == ["by-script"] * 2
        assert (await one.transport.run(one.host, command.Command("id", "printf '\\nM a\\n'; echo ran", "M"))).text("a") == "ran"
    assert quiet(caplog, capfd)


async def test_where_there_is_room_for_two_sessions_a_pull_takes_the_one_that_asks(
    a_host: MakeHost, scripted: ScriptedEngine
) -> None:
    """The other one is the script's that holds the lock meanwhile."""
    host = a_host("MaxSessions 2", "DisableForwarding yes")
    client(host, scripted)
    scripted.answers[PULL] = [chunked(lines({"status": "Status: Downloaded"}))]
    transport = host.transport()
    where = host.sshd.host()
    holds, done = asyncio.Event(), asyncio.Event()

    def is_held(name: str, _: bytes) -> bool:
        if name == "held":
            holds.set()
        return False

    what = command.Command("hold", "printf '\nM held\n\nM next\n'; cat >/dev/null; printf '\nM end\n'", "M")
    holding = asyncio.create_task(transport.run(where, what, is_held, done))
    await holds.wait()
    asked = engine.Engine(transport, where)
    assert (await said(asked, requests.INFO))[0]["ID"] == "A:B"
    assert await pulled(asked) == ["Status: Downloaded"]
    assert (await said(asked, requests.INFO))[0]["ID"] == "A:B"
    done.set()
    assert "end" in (await holding).parts
    asked.close()
    await transport.close()


async def test_by_sudo_the_engine_is_dialled(a_host: MakeHost, looker: Callable[..., Looker], scripted: ScriptedEngine) -> None:
    host = a_host()
    client(host, scripted)
    lists(scripted)
    one = looker(host, sudo=True)
    assert [await one.image() for _ in range(2)] == ["r/web:1"] * 2
    assert one.engine.described == "API 1.41, dial-stdio"


async def test_an_engine_that_is_elsewhere_is_found_and_that_nobody_was_where_it_was_sought_is_not_told(
    a_host: MakeHost, looker: Callable[..., Looker], scripted: ScriptedEngine, tmp_path: Path,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:
    host = a_host(environment=f"DOCKER_HOST=unix://{scripted.socket}")
    client(host)
    lists(scripted)
    one = looker(host)
    one.engine.use_socket(str(tmp_path / "nobody"))
    assert (await one.image(), one.engine.socket) == ("r/web:1", str(scripted.socket))
    assert quiet(caplog, capfd)


async def test_where_nobody_listens_scripts_look_this_time_and_the_engine_is_asked_the_next(
    a_host: MakeHost, looker: Callable[..., Looker], scripted: ScriptedEngine, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    host = a_host(environment=f"DOCKER_HOST=unix://{scripted.socket}")
    client(host)
    lists(scripted)
    one = looker(host)
    await scripted.stop()
    assert await falls_back(one)
    await scripted.start()
    assert await one.image() == "r/web:1"
    await scripted.stop()
    assert await falls_back(one)
    await scripted.start()
    assert await one.image() == "r/web:1"
    del one
    assert quiet(caplog, capfd)


@pytest.mark.parametrize("environment", ["DOCKER_HOST=tcp://127.0.0.1:1", "DOCKER_HOST=ssh://x", "DOCKER_CONTEXT=other", "DOCKER_CONFIG={}", "DOCKER_CONFIG={}/small",
                                         "DOCKER_CONFIG={}/escaped", "DOCKER_HOST=unix://relative"])
async def test_where_only_the_client_knows_the_way_scripts_ask(
    a_host: MakeHost, looker: Callable[..., Looker], tmp_path: Path, environment: str,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:
    for folder, name in (("", "currentContext"), ("small", "currentcontext"), ("escaped", "current\\u0043ontext")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "config.json").write_text(f'{{"{name}": "other"}}')
    host = a_host(environment=environment.format(tmp_path))
    client(host)
    one = looker(host)
    assert await falls_back(one)
    assert (one.engine.is_client_only, one.engine.described) == (True, "by its client")
    del one
    assert quiet(caplog, capfd)


@pytest.mark.parametrize("wrong", [
    {"/version": {**VERSION, "Components": [{"Name": "Podman Engine"}]}}, {"/version": {**VERSION, "ApiVersion": "1.99", "MinAPIVersion": "1.60"}},
    {"/containers/json": [answer(b"[" * 100_000)]}, {"/containers/json": [answer([], 500)]}, {"/containers/json": [head(200, "Content-Length: 9"), b"[]", CLOSE]},
    {"/containers/c1/json": [answer({"message": "x"}, 500)]}, {"/networks": [answer({})]}, {"/info": [answer([])]}, {"/info": {**INFO, "DockerRootDir": 5}},
], ids=range(9))
async def test_an_engine_that_answers_what_nobody_can_use_is_asked_by_scripts(
    a_host: MakeHost, looker: Callable[..., Looker], scripted: ScriptedEngine, wrong: dict[str, Any],
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:
    host = a_host("DisableForwarding yes")
    client(host, scripted)
    lists(scripted, **wrong)
    one = looker(host)
    assert await falls_back(one)
    lists(scripted, **{"/version": VERSION, "/info": INFO})
    assert await one.image() == "r/web:1"
    del one
    assert quiet(caplog, capfd)


async def test_an_engine_is_asked_again_over_a_link_that_came_back(
    a_host: MakeHost, looker: Callable[..., Looker], scripted: ScriptedEngine
) -> None:
    host = a_host(environment=f"DOCKER_HOST=unix://{scripted.socket}")
    client(host)
    lists(scripted)
    one = looker(host)
    assert await one.image() == "r/web:1"
    before = host.sshd.logins()
    host.sshd.signal_sessions(signal.SIGKILL)
    assert await one.image() == "r/web:1"
    assert host.sshd.logins() == before + 1


# Streams


async def test_a_stream_that_is_refused_says_so_even_if_its_words_never_come(asked: engine.Engine, scripted: ScriptedEngine) -> None:
    scripted.answers["GET /ask"] = [head(500, "Content-Length: 9"), HANG]
    with pytest.raises(engine.UnavailableError):
        [piece async for piece in asked.stream(IN_SHORT)]
    for pieces_of_it, status in (([answer({"message": "no"}, 404)], 404), ([head(503, "Content-Length: 0")], 503), ([head(204)], 0)):
        scripted.answers["GET /ask"] = pieces_of_it
        if not status:
            assert [piece async for piece in asked.stream(ASK)] == [b""]
            continue
        with pytest.raises(connection.RefusedError) as caught:
            [piece async for piece in asked.stream(ASK)]
        assert caught.value.status == status


async def test_a_stream_whose_answer_never_begins_is_given_up(asked: engine.Engine, scripted: ScriptedEngine) -> None:
    scripted.answers["GET /ask"] = [HANG]
    with pytest.raises(engine.UnavailableError):
        [piece async for piece in asked.stream(IN_SHORT)]


PULL = "POST /images/create"
IMAGE = "r.io/a@sha256:0f"


def lines(*said: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\r\n" for one in said)


def still_held() -> None:
    """The lock of the deployment that changes something here."""


async def pulled(near: engine.Engine) -> list[str]:
    told: list[str] = []
    await pulling.pull(near, IMAGE, None, told.append, still_held)
    return told


async def test_a_pull_is_told_as_docker_s_client_tells_it(near: engine.Engine, scripted: ScriptedEngine) -> None:
    progress = lines({"status": "Pulling from a", "id": "sha256:0f"}, {"status": "Downloading", "progressDetail": {"current": 1}, "id": "x"},
                     {"status": "Pull complete", "progressDetail": {}, "id": "x"}, {"status": "Status: Downloaded"})
    scripted.answers[PULL] = [chunked(*(progress[at:at + 7] for at in range(0, len(progress), 7)))]
    assert await pulled(near) == ["sha256:0f: Pulling from a", "x: Pull complete", "Status: Downloaded"]
    assert scripted.asked[-1].startswith("POST /v1.41/images/create?fromImage=r.io%2Fa&tag=sha256%3A0f ")


@pytest.mark.parametrize(("pieces", "why"), [
    ([chunked(lines({"status": "x"}, {"error": "denied\n now", "errorDetail": {}}, {"status": "y"}))], "^denied now$"),
    ([chunked(lines({"error": "denied"})[:-2])], "^denied$"),
    ([answer({"message": "no basic auth"}, 500)], "^Error response from daemon: no basic auth$"),
    ([head(404, "Content-Length: 0")], "^Error response from daemon: $"),
])
async def test_a_pull_that_fails_has_the_engine_s_words(near: engine.Engine, scripted: ScriptedEngine, pieces: Pieces, why: str) -> None:
    scripted.answers[PULL] = pieces
    with pytest.raises(pulling.PullError, match=why):
        await pulled(near)


@pytest.mark.parametrize("pieces", [
    [chunked(lines({"status": "x"}), ends=False), CLOSE], [head(200), lines({"status": "x"}), CLOSE], [CLOSE],
    [chunked(b"x" * 65536, b"x" * 65536)], [chunked(lines({"status": "x"}), ends=False), b"zz\r\n", HANG],
], ids=range(5))
async def test_a_pull_that_stops_in_the_middle_is_none(near: engine.Engine, scripted: ScriptedEngine, pieces: Pieces) -> None:
    scripted.answers[PULL] = pieces
    with pytest.raises(engine.UnavailableError):
        await pulled(near)
    assert scripted.lines().count(PULL) == 1


async def test_what_nobody_can_read_in_a_pull_is_passed_over(near: engine.Engine, scripted: ScriptedEngine) -> None:
    odd = [b"5", b"[]", b"null", b"x", b"{", b'{"status":5}', b'{"error":{"a":1}}', b"[" * 60_000, b'{"status":"\\ud800"}', b'{"status":"\\u0000"}',
           b"\xff", b"", b'{"status":null}', b'{"status":"a","id":7}']
    scripted.answers[PULL] = [chunked(*(one + b"\r\n" for one in odd), b'{"status":"well"}')]
    assert await pulled(near) == ["well"]


async def test_which_images_are_there(near: engine.Engine, scripted: ScriptedEngine) -> None:
    scripted.says({"GET /images/a/json": {"Id": "x"}})
    assert await pulling.has(near, ["a", "b"]) == {"a": True, "b": False}
    assert await pulling.has(near, []) == {}
    scripted.answers["GET /images/b/json"] = [answer({"message": "broken"}, 500)]
    with pytest.raises(ValueError, match="500: broken"):
        await pulling.has(near, ["a", "b"])


async def test_an_image_that_has_gone_since_it_was_seen_is_pulled_while_the_lock_is_held(
    near: engine.Engine, scripted: ScriptedEngine
) -> None:
    gone, good = answer({"message": "No such image"}, 404), head(201, "Content-Length: 0")
    scripted.answers |= {TAG: [[gone], [good]], look_for(PINNED): [gone], PULL: [chunked(b'{"status":"Done"}')]}
    await seen_to_be_there(near).tag_or_pull(now_held())
    assert scripted.lines()[-4:] == [TAG, look_for(PINNED), PULL, TAG]


async def test_a_tag_that_is_refused_though_its_image_is_there_is_refused(
    near: engine.Engine, scripted: ScriptedEngine
) -> None:
    scripted.says({look_for(PINNED): {}})
    with pytest.raises(drivers.Refused, match="an image cannot be tagged: .*page not found"):
        await seen_to_be_there(near).tag_or_pull(now_held())
    assert scripted.lines()[-2:] == [TAG, look_for(PINNED)]


PINNED = f"r.io/a@sha256:{'0f' * 32}"
TAG = f"POST {requests.tag(PINNED, 'k:x').path}"


def seen_to_be_there(near: engine.Engine) -> image_pull.ImagePull:
    """A pull of one image, which the engine had when it was looked at."""
    what = drivers.Pull("cafe", {"web": PINNED})
    return image_pull.ImagePull(
        near, what, {PINNED: True}, wording.Lines("pull", None, wording.of_image(what.images)), "shop")


def look_for(image: str) -> str:
    """The question whether an image is there."""
    return f"GET {requests.image(image).path}"


def now_held() -> lock.Held:
    """A lock of which a script has just said that it holds it."""
    held = lock.Held()
    held.part("held", b"")
    return held


async def test_what_is_done_to_tags(near: engine.Engine, scripted: ScriptedEngine) -> None:
    scripted.answers |= {"POST /images/a/tag": [head(201, "Content-Length: 0")], "DELETE /images/k:x": [answer([{"Untagged": "k:x"}])]}
    await pulling.carry_out(near, requests.tag("a", "k:x"), requests.untag("k:x"), requests.untag("k:gone"), check=still_held)
    with pytest.raises(pulling.PullError, match="^Error response from daemon: page not found$"):
        await pulling.carry_out(near, requests.tag("gone", "k:x"), check=still_held)
    scripted.answers["DELETE /images/k:x"] = [answer({"message": "in use"}, 409)]
    with pytest.raises(pulling.PullError, match="in use"):
        await pulling.carry_out(near, requests.untag("k:x"), check=still_held)


async def test_a_change_never_goes_out_unchecked(near: engine.Engine, scripted: ScriptedEngine) -> None:
    with pytest.raises(ValueError, match="a change needs a check"):
        await near.ask(requests.INFO, requests.untag("k:x"))
    with pytest.raises(ValueError, match="a change needs a check"):
        await anext(near.stream(requests.pull(IMAGE, None)))
    assert scripted.lines() == []


class Checked:
    """What is asked each time before a change goes out: yes, for so many times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise drivers.Refused("silent", "the host was not heard")


async def test_a_change_over_a_connection_that_died_goes_out_again_only_if_the_lock_is_still_held(
    near: engine.Engine, scripted: ScriptedEngine
) -> None:
    tag = requests.tag("a", "k:x")
    done = head(201, "Content-Length: 0")
    await near.ask(requests.INFO)
    scripted.answers["POST /images/a/tag"] = [[CLOSE], [done]]
    await pulling.carry_out(near, tag, check=Checked(2))
    assert scripted.lines().count("POST /images/a/tag") == 2
    scripted.answers["POST /images/a/tag"] = [[CLOSE], [done]]
    with pytest.raises(drivers.Refused, match="silent"):
        await pulling.carry_out(near, tag, check=Checked(1))
    assert scripted.lines().count("POST /images/a/tag") == 1


async def test_nothing_is_pulled_where_the_lock_was_lost_while_the_engine_was_reached(near: engine.Engine, scripted: ScriptedEngine) -> None:
    with pytest.raises(drivers.Refused, match="silent"):
        await pulling.pull(near, IMAGE, None, lambda text: None, check=Checked(0))
    with pytest.raises(drivers.Refused, match="silent"):
        await pulling.carry_out(near, requests.untag("k:x"), check=Checked(0))
    assert scripted.lines() == ["GET /version"]
    assert near._streams == set()


# Transports


class WithoutStreams:
    """A transport that carries commands alone, as that of Ansible."""

    async def run(
        self, host: hosts.Host, what: command.Command, on_part: base.OnPart | None = None, until: asyncio.Event | None = None
    ) -> command.Result:
        raise AssertionError("nothing is run")

    async def close(self) -> None:
        pass


async def test_over_a_transport_without_streams_scripts_ask(scripted: ScriptedEngine) -> None:
    over = routed.RoutedTransport({"ansible": WithoutStreams, "ssh": local.LocalTransport})
    by_ansible = lead(telling.TellingTransport(over, lambda text: None), hosts.Host("a", transport="ansible"), scripted)
    with pytest.raises(engine.UnavailableError, match="^a is reached by a transport that carries no streams$"):
        await by_ansible.ask(requests.INFO)
    assert by_ansible.is_client_only
    told: list[str] = []
    by_ssh = lead(telling.TellingTransport(over, told.append), hosts.Host("b"), scripted)
    assert (await said(by_ssh, requests.INFO))[0]["ID"] == "A:B"
    assert told == [f"b: opens its socket {scripted.socket}"]
    by_ssh.close()


async def test_what_opens_is_told_masked(a_host: MakeHost, scripted: ScriptedEngine) -> None:
    told: list[str] = []
    host = a_host("DisableForwarding yes")
    scripted.docker(host.bin)
    transport = host.transport()
    one = lead(telling.TellingTransport(transport, told.append), host.sshd.host(), scripted)
    assert (await said(one, requests.INFO))[0]["ID"] == "A:B"
    assert told[0] == f"web1: opens its socket {scripted.socket}"
    assert told[1].splitlines()[1] == "web1 engine | exec docker system dial-stdio"
    one.close()
    await transport.close()


async def test_who_no_longer_wants_a_program_that_is_being_opened_leaves_none(a_host: MakeHost, scripted: ScriptedEngine) -> None:
    """The one session that this host has is free for the next command."""
    host = a_host("MaxSessions 1")
    scripted.docker(host.bin)
    transport = host.transport()
    where = host.sshd.host()
    what = command.Command("engine", "exec docker system dial-stdio", "M")
    ran = command.Command("id", "printf '\nM a\n'; echo ran", "M")
    assert (await transport.run(where, ran)).text("a") == "ran"
    for turns in range(8):
        transport._link(where).carries_programs = True
        opening = asyncio.create_task(transport.open_program(where, what))
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait({opening})
        assert (await transport.run(where, ran)).text("a") == "ran"
    await transport.close()


async def test_a_program_that_cannot_be_opened_is_no_stream(scripted: ScriptedEngine, a_host: MakeHost) -> None:
    host = a_host("DisableForwarding yes")  # and no docker at all
    transport = host.transport()
    one = lead(transport, host.sshd.host(), scripted)
    for _ in range(2):
        with pytest.raises(engine.UnavailableError):
            await one.ask(requests.INFO)
    assert one.described == ""
    await transport.close()
class Late(local.LocalTransport):
    """What is read of the first stream comes once *told* is set."""

    def __init__(self) -> None:
        super().__init__()
        self.told = asyncio.Event()
        self.opened = 0

    async def open_socket(self, host: hosts.Host, path: str) -> base.Stream:
        """See `base.Streaming`."""
        stream = await super().open_socket(host, path)
        self.opened += 1
        return Waiting(stream, self.told) if self.opened == 1 else stream


@dataclasses.dataclass
class Waiting:
    """A stream of which nothing is read before *told* is set."""

    over: base.Stream
    told: asyncio.Event

    async def read(self) -> bytes:
        """See `base.Stream`."""
        await self.told.wait()
        return await self.over.read()

    async def write(self, data: bytes) -> None:
        """See `base.Stream`."""
        await self.over.write(data)

    async def arrived(self) -> None:
        """See `base.Stream`."""
        await self.over.arrived()

    def close(self) -> None:
        """See `base.Stream`."""
        self.over.close()


@pytest.mark.parametrize("elsewhere", ["socket", "client"])
async def test_an_engine_that_is_slow_to_answer_is_not_taken_for_the_one_that_the_host_names_meanwhile(
    elsewhere: str, scripted: ScriptedEngine, tmp_path: Path
) -> None:
    slow, transport = ScriptedEngine(tmp_path / "slow.sock"), Late()
    slow.says({"GET /containers/json": [answer([])]})
    await slow.start()
    lists(scripted)
    one = lead(transport, hosts.Host("here"), slow)
    asking = asyncio.create_task(looking.containers(one, "shop"))
    while not slow.asked:
        await asyncio.sleep(0.01)
    looked = None
    if elsewhere == "socket":
        assert one.use_socket(str(scripted.socket))
        looked = asyncio.create_task(looking.containers(one, "shop"))
        await asyncio.sleep(0)
    else:
        with pytest.raises(engine.UnavailableError):
            one.use_socket(engine.BY_CLIENT)
    transport.told.set()
    with pytest.raises(engine.UnavailableError):
        await asking
    assert looked is None or len(await looked) == 1
    assert (one.is_client_only, slow.lines()) == (elsewhere == "client", ["GET /version"])
    one.close()
    await transport.close()
    await slow.stop()


async def test_what_many_answers_are_together_is_bounded(near: engine.Engine, scripted: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ALL", 100_000)
    scripted.says({"GET /ask": [answer(b"[" + b" " * 10_000 + b"]")]})
    assert len(await near.ask(*[ASK] * 9)) == 9
    with pytest.raises(engine.UnavailableError):
        await near.ask(*[ASK] * 11)


async def test_many_answers_that_come_slowly_are_not_waited_for_one_after_the_other(
    near: engine.Engine, scripted: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "AT_ONCE", 1)
    scripted.says({"GET /ask": [answer([])]})
    await near.ask(ASK)
    monkeypatch.setattr(connection, "ALTOGETHER", 0.0)
    with pytest.raises(engine.UnavailableError):
        await near.ask(ASK, ASK)
