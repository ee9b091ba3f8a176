"""Images that go from this machine to hosts: what the local engine gives, what an engine takes, and what is left where it is cut."""

import asyncio
import json
import os
import shlex
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import sshd_server
from an_engine import ScriptedEngine, answer, chunked

import image_archives
from a_party import DOCKER, Party
from host_shell import HostShell
from lading import errors
from lading.compose import sent
from lading.deploy import local_engine
from lading.drivers import base as drivers
from lading.drivers.engine_api import engine, pulling
from lading.drivers.shell import image_send, said
from lading.inventory import hosts
from lading.transport import base, local, ssh

pytestmark = pytest.mark.timeout(120)
SAVED = image_archives.saved(os.urandom(3_000_000), b"small")
NAME = sent.name("shop:1.0.0", SAVED.config)
LOADED = {"POST /images/load": {"stream": f"Loaded image: {NAME}\n"}}
LINES = said.Lines("pull", None, lambda subject, text: "")


def unchecked() -> None:
    pass


def unpacked(body: bytes) -> bytes:
    """What was sent, as far as it came."""
    opened = zlib.decompressobj(wbits=31)
    return opened.decompress(body)


def going(content: bytes = SAVED.content, *, wanted: str = SAVED.config, size: int = 100_000) -> image_send.Outgoing:
    async def pieces() -> AsyncGenerator[bytes, None]:
        for start in range(0, len(content), size):
            yield content[start : start + size]

    return image_send.Outgoing(NAME, drivers.Sent("shop:1.0.0", wanted, len(content), pieces), lambda size: None)


# By each way to an engine


@pytest.fixture(params=["local", "forwarded", "dial-stdio"])
async def asked(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[engine.Engine, ScriptedEngine]]:
    scripted = ScriptedEngine(tmp_path / "docker.sock")
    await scripted.start()
    transport: base.Transport = local.LocalTransport()
    where, sshd = hosts.Host("here"), None
    if request.param != "local":
        (tmp_path / "bin").mkdir()
        scripted.docker(tmp_path / "bin")
        more = [] if request.param == "forwarded" else ["AllowStreamLocalForwarding no"]
        sshd = sshd_server.Sshd(tmp_path / "sshd", f"SetEnv PATH={tmp_path / 'bin'}:/usr/bin:/bin HOME={tmp_path}", *more)
        transport, where = ssh.SshTransport(environment=os.environ, known_hosts=str(sshd.known_hosts), config_files=[str(sshd.config)]), sshd.host()
    one = engine.Engine(transport, where)
    one.use_socket(str(scripted.socket))
    yield one, scripted
    one.close()
    await transport.close()
    await scripted.stop()
    if sshd is not None:
        sshd.stop()


Asked = tuple[engine.Engine, ScriptedEngine]


@pytest.mark.anyio
async def test_an_archive_arrives_whole_and_is_known_by_its_content(asked: Asked) -> None:
    dockerd, scripted = asked
    scripted.says(LOADED)
    outgoing, checks = going(), []
    await pulling.load(dockerd, outgoing.pieces(), lambda: checks.append(1))
    assert outgoing.ids == {SAVED.config, SAVED.manifest}
    assert len(checks) > 3  # not only before it begins
    arrived, was = image_archives.files(unpacked(scripted.bodies[0])), image_archives.files(SAVED.content)
    assert json.loads(arrived["manifest.json"])[0]["RepoTags"] == [NAME]
    assert {name: arrived[name] for name in arrived if "json" not in name} == {name: was[name] for name in was if "json" not in name}


@pytest.mark.anyio
async def test_an_engine_that_takes_no_more_says_why(asked: Asked) -> None:
    dockerd, scripted = asked
    scripted.takes = 50_000
    scripted.says({"POST /images/load": [answer({"message": "no space left on device"}, 500)]})
    with pytest.raises(pulling.PullError, match="no space left on device"):
        await pulling.load(dockerd, going().pieces(), unchecked)
    scripted.takes = None
    scripted.says({"POST /images/load": [chunked(b'{"errorDetail":{},"error":"invalid tar header"}\r\n')]})
    with pytest.raises(pulling.PullError, match="invalid tar header"):
        await pulling.load(dockerd, going().pieces(), unchecked)


@pytest.mark.anyio
@pytest.mark.parametrize("why", ["cut", "another", "the lock was lost", "cancelled"])
async def test_what_is_not_to_be_there_never_arrives_whole(asked: Asked, why: str) -> None:
    dockerd, scripted = asked
    scripted.says(LOADED)
    content = SAVED.content[:2_000_000] if why == "cut" else SAVED.content
    outgoing = going(content, wanted="sha256:" + "1" * 64 if why == "another" else SAVED.config)
    calls: list[int] = []

    def check() -> None:
        calls.append(1)
        if why == "the lock was lost" and len(calls) > 3:
            raise drivers.Refused("silent", "not heard")
        if why == "cancelled" and len(calls) == 4:
            task.cancel()

    task = asyncio.create_task(pulling.load(dockerd, outgoing.pieces(), check))
    await asyncio.wait({task})
    assert task.cancelled() if why == "cancelled" else isinstance(task.exception(), drivers.Refused)
    assert outgoing.ids == frozenset()
    assert not unpacked(scripted.bodies[0]).endswith(bytes(1024))
    assert [one["ApiVersion"] for one in [json.loads((await again(dockerd))[0])]] == ["1.41"]  # the engine can be asked on


async def again(dockerd: engine.Engine) -> list[bytes]:
    from lading.drivers.engine_api import requests
    return [one.body for one in await dockerd.ask(requests.VERSION)]


@pytest.mark.anyio
async def test_an_engine_that_hangs_up_has_not_taken_it(asked: Asked) -> None:
    dockerd, scripted = asked
    scripted.takes = 50_000
    scripted.says({"POST /images/load": ["close"]})
    with pytest.raises(engine.UnavailableError):
        await pulling.load(dockerd, going().pieces(), unchecked)


@pytest.mark.anyio
async def test_what_no_release_keeps(asked: Asked) -> None:
    dockerd, scripted = asked
    scripted.says({
        "GET /images/a:1/json": {"RepoTags": ["a:1"]}, "GET /images/b:1/json": {"RepoTags": ["b:1", "lading-keep/x/web:ab"]},
        "GET /images/c:1/json": {"RepoTags": None}})
    assert await pulling.unkept(dockerd, ["a:1", "b:1", "c:1", "d:1"]) == ["a:1"]
    scripted.says({"GET /images/a:1/json": {"Id": "sha256:1"}})
    assert (await pulling.id_of(dockerd, "a:1"), await pulling.id_of(dockerd, "d:1")) == ("sha256:1", "")
    scripted.says({"GET /images/a:1/json": [answer({"message": "broken"}, 500)]})
    with pytest.raises(ValueError, match="broken"):
        await pulling.id_of(dockerd, "a:1")


# Where only docker's client on the host gets at its engine: the real scripts, and a docker that stores what it is given


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostShell:
    return HostShell(tmp_path, monkeypatch)


STORE = """#!/bin/sh
case "$*" in
"load -q") gzip -d >{folder}/archive || exit 1
    {after} ;;
"image inspect -f"*|"image inspect"*) [ -s {folder}/there ] || exit 1
    case $* in *"{{{{.Id}}}}"*) cat {folder}/there ;; esac ;;
"tag "*) echo "$2 $3" >>{folder}/tags ;;
"image rm "*) rm {folder}/there ;;
*) exec {docker} "$@" ;;
esac
"""


def store(host: HostShell, after: str) -> None:
    """From now on docker stores what it is given, and then does what *after* says."""
    host.docker(DOCKER)
    (host.bin / "docker").rename(host.bin / "docker-else")
    host.program("docker", STORE.format(folder=host.folder, after=after.format(folder=host.folder), docker=host.bin / "docker-else"))


def pulled(host: HostShell, content: bytes = SAVED.content, stopped: Callable[[], Any] | None = None) -> tuple[Party, list[drivers.Said]]:
    """A deployment pulls, in which one image is sent."""
    party, told = Party(host), list[drivers.Said]()
    party.begin()

    async def pieces() -> AsyncGenerator[bytes, None]:
        for start in range(0, len(content), 200_000):
            yield content[start : start + 200_000]
        if stopped is not None:
            await asyncio.Event().wait()

    one = drivers.Sent("shop:1.0.0", SAVED.config, len(SAVED.content), pieces)
    what = drivers.Pull("cafe", {"web": NAME, "job": NAME}, sent={NAME: one}, stopped=stopped)
    host.ask(lambda ports: ports.runtime.pull(party.hold, what, told.append))
    return party, told


def test_docker_s_client_takes_what_is_sent(host: HostShell) -> None:
    store(host, f"echo {SAVED.config} >{{folder}}/there")
    _, told = pulled(host)
    assert json.loads(image_archives.files((host.folder / "archive").read_bytes())["manifest.json"])[0]["RepoTags"] == [NAME]
    assert (host.folder / "tags").read_text().split() == [NAME, "lading-keep/shop/web:cafe", NAME, "lading-keep/shop/job:cafe"]
    assert (told[-1].text, told[-1].service, told[-1].progress) == ("sent shop:1.0.0: 3.0 MB of 3.0 MB", "web,job", 1.0)
    assert told[0].text.startswith("sending shop:1.0.0: ")


def test_what_a_host_has_instead_is_not_kept(host: HostShell) -> None:
    store(host, f"echo sha256:{'1' * 64} >{{folder}}/there")
    with pytest.raises(drivers.Refused, match=f"content: shop:1.0.0\nit says sha256:{'1' * 64}"):
        pulled(host)
    assert not (host.folder / "there").exists()
    assert not (host.folder / "tags").exists()


def test_a_client_that_refuses_is_quoted(host: HostShell) -> None:
    store(host, "echo no space left on device >&2; exit 1")
    with pytest.raises(drivers.Refused, match="load: shop:1.0.0\nno space left on device"):
        pulled(host)


def test_what_is_cut_short_here_leaves_nothing_there(host: HostShell) -> None:
    store(host, f"echo {SAVED.config} >{{folder}}/there")
    with pytest.raises(drivers.Refused, match="local: shop:1.0.0: it ended before its end"):
        pulled(host, SAVED.content[:1_000_000])
    assert not (host.folder / "there").exists()


def test_who_stops_is_answered_at_once(host: HostShell) -> None:
    store(host, f"echo {SAVED.config} >{{folder}}/there")

    async def soon() -> None:
        while not (host.folder / "archive").exists():
            await asyncio.sleep(0.01)

    with pytest.raises(drivers.Refused, match="stopped"):
        pulled(host, stopped=soon)
    assert not (host.folder / "there").exists()


def test_what_was_sent_once_and_is_gone_is_refused(host: HostShell) -> None:
    host.docker({"image inspect*": 1}, DOCKER)
    party = Party(host)
    party.begin()
    what = drivers.Pull("cafe", {"web": NAME}, kept=True)
    with pytest.raises(drivers.Refused, match="unsent: shop:1.0.0"):
        host.ask(lambda ports: ports.runtime.pull(party.hold, what))


# The engine of this machine


def client(folder: Path, *lines: str) -> dict[str, str]:
    """An environment in which docker's client does so."""
    folder.mkdir(exist_ok=True)
    (folder / "docker").write_text("\n".join(["#!/bin/sh", 'echo "$*" >>"$0.lines"', 'case "$*" in', *lines, "esac", ""]))
    (folder / "docker").chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def shows(*images: dict[str, Any]) -> str:
    return f"echo {shlex.quote(json.dumps(images))}"


ONE = {"Id": SAVED.config, "Size": 5, "Os": "linux", "Architecture": "amd64", "RepoDigests": []}
PULLED = {**ONE, "RepoDigests": ["postgres@sha256:" + "2" * 64]}
LACKS = "echo 'Error response from daemon: No such image: x' >&2; exit 1"


def test_what_no_registry_has_is_taken_from_here(tmp_path: Path) -> None:
    env = client(tmp_path, f"*shop:1*postgres*gone*) {LACKS};;", f"*shop:1) {shows(ONE)};;", f"*postgres) {shows(PULLED)};;", f"*) {LACKS};;")
    some = local_engine.LocalEngine(env, wholly=False)
    assert asyncio.run(some.taken(["shop:1", "postgres", "gone"])) == {"shop:1": sent.Local(SAVED.config, 5, "linux/amd64")}
    asyncio.run(some.taken(["shop:1", "gone"]))
    assert len((tmp_path / "docker.lines").read_text().splitlines()) == 4  # each is asked for once
    every = local_engine.LocalEngine(env, wholly=True)
    assert asyncio.run(every.taken(["postgres"]))["postgres"].is_pulled
    with pytest.raises(errors.InputError, match="does not have gone, and lading.yaml says that there is no registry"):
        asyncio.run(every.taken(["shop:1", "gone"]))


@pytest.mark.parametrize(("does", "why"), [
    ("*) echo 'Cannot connect to the Docker daemon at unix:///x' >&2; exit 1;;", "Cannot connect to the Docker daemon"),
    ("*) echo what;;", "docker image inspect shop:1 here"), ("*) echo '[]';;", "docker image inspect shop:1 here"), ("*) exit 3;;", "ended with status 3"),
])
def test_an_engine_here_that_does_not_answer(tmp_path: Path, does: str, why: str) -> None:
    with pytest.raises(errors.InputError, match=why) as caught:
        asyncio.run(local_engine.LocalEngine(client(tmp_path, does), wholly=False).taken(["shop:1"]))
    assert caught.value.hint


def test_without_a_client_here(tmp_path: Path) -> None:
    engine_here = local_engine.LocalEngine({"PATH": str(tmp_path)}, wholly=False)
    with pytest.raises(errors.InputError, match="the docker client is not installed here"):
        asyncio.run(engine_here.taken(["shop:1"]))
    with pytest.raises(errors.InputError, match="the docker client is not installed here"):
        asyncio.run(read(engine_here))


async def read(one: local_engine.LocalEngine) -> bytes:
    what = one.source("shop:1", sent.Local(SAVED.config, 5, "linux/amd64"))
    return b"".join([piece async for piece in what.open()])


def test_an_archive_is_read_as_it_comes(tmp_path: Path) -> None:
    (tmp_path / "saved").write_bytes(SAVED.content)
    env = client(tmp_path, f"'save {SAVED.config}') cat {tmp_path}/saved;;")
    assert asyncio.run(read(local_engine.LocalEngine(env, wholly=False))) == SAVED.content
    env = client(tmp_path, f"*) head -c 5000 {tmp_path}/saved; echo broken pipe >&2; exit 1;;")
    with pytest.raises(errors.InputError, match="docker save shop:1: broken pipe"):
        asyncio.run(read(local_engine.LocalEngine(env, wholly=False)))


def test_who_takes_no_more_leaves_no_program(tmp_path: Path) -> None:
    env = client(tmp_path, f"*) echo $$ >{tmp_path}/pid; exec cat /dev/zero;;")

    async def some() -> None:
        opened = local_engine.LocalEngine(env, wholly=False).source("shop:1", sent.Local(SAVED.config, 5, "")).open()
        await anext(opened)
        await opened.aclose()

    asyncio.run(some())
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


@pytest.mark.parametrize(("does", "said"), [
    (f"*) {shows({**ONE, 'Id': 'sha256:' + '3' * 64})};;", "now sha256:333333333333"), (f"*) {LACKS};;", "now it is gone")])
def test_an_image_that_moves_before_it_is_sent_is_refused(tmp_path: Path, does: str, said: str) -> None:
    with pytest.raises(errors.RefusedError, match="another image on this machine than when the plan was made") as caught:
        asyncio.run(local_engine.LocalEngine(client(tmp_path, does), wholly=True).check({"shop:1": SAVED.config}))
    assert said in caught.value.message
    asyncio.run(local_engine.LocalEngine(client(tmp_path, f"*) {shows(ONE)};;"), wholly=True).check({"shop:1": SAVED.config}))
