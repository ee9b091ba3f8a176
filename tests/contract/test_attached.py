"""Somebody attached to a program: through this machine's sh and a real sshd, with a terminal and without one."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import sshd_server

from lading.inventory import hosts
from lading.transport import base, command, local, routed, ssh, telling

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
M = "MARK-77aa"
AT = base.Terminal("xterm", base.Window(101, 43))
PADDING = "# as long as a script of lading's, and longer than a terminal keeps of a line\n" * 150


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd_server.Sshd]:
    one = sshd_server.Sshd(tmp_path_factory.mktemp("sshd"))
    yield one
    one.stop()


@pytest.fixture(params=["local", "ssh", "routed"])
async def over(request: pytest.FixtureRequest, server: sshd_server.Sshd) -> AsyncIterator[base.Attaching]:
    transport: base.Transport = local.LocalTransport()
    if request.param != "local":
        transport = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)])
    if request.param == "routed":
        over_ssh = transport
        transport = telling.TellingTransport(routed.RoutedTransport({"ssh": lambda: over_ssh}), lambda text: None)
    yield base.attaching(transport, server.host())
    await transport.close()


@pytest.fixture
def host(server: sshd_server.Sshd) -> hosts.Host:
    return server.host()


def a_script(does: str, *payload: bytes) -> command.Command:
    return command.Command("try", f"{PADDING}printf '\\n{M} begin\\n'\n{does}", M, payload)


async def all_of(read: Callable[[], Awaitable[bytes]]) -> bytes:
    said = b""
    while data := await read():
        said += data
    return said


async def come(session: base.Session, word: bytes, said: bytes = b"") -> bytes:
    """What it has said by the time that it says *word*."""
    async with asyncio.timeout(sshd_server.LIMIT):
        while word not in said:
            more = await session.read()
            assert more, said
            said += more
    return said


def behind(said: bytes) -> bytes:
    """What came after the script has begun."""
    return said.replace(b"\r\n", b"\n").partition(f"\n{M} begin\n".encode())[2]


async def test_bytes_go_through_as_they_are(over: base.Attaching, host: hosts.Host) -> None:
    all_bytes = bytes(range(256)) * 4096
    session = await over.attach(host, a_script("exec cat"), None)
    writing = asyncio.create_task(session.write(all_bytes))
    writing.add_done_callback(lambda _: session.write_eof())
    said = await all_of(session.read)
    assert said.partition(f"{M} begin\n".encode())[2] == all_bytes
    assert (await session.read_errors(), await session.wait()) == (b"", 0)
    session.close()


async def test_stderr_is_apart_and_the_payload_is_the_scripts(over: base.Attaching, host: hosts.Host) -> None:
    session = await over.attach(host, a_script("head -c 4; cat >&2; exit 3", b"\0wo\n"), None)
    await session.write(b"mine")
    session.write_eof()
    said, wrong = await asyncio.gather(all_of(session.read), all_of(session.read_errors))
    assert (behind(said), wrong, await session.wait()) == (b"\0wo\n", b"mine", 3)
    session.close()


async def test_a_terminal_of_that_kind_and_size(over: base.Attaching, host: hosts.Host) -> None:
    script = "stty size; echo $TERM; trap 'stty size; exit 5' WINCH; echo set\nwhile :; do sleep 0.05; done"
    session = await over.attach(host, a_script(script), AT)
    said = await come(session, b"set\r\n")
    assert behind(said).splitlines()[0] == b"43 101"
    session.resize(base.Window(80, 24))
    await come(session, b"24 80\r\n")
    assert await session.wait() == 5
    session.close()


async def test_what_is_typed_goes_through_a_terminal_as_it_is(over: base.Attaching, host: hosts.Host) -> None:
    typed = bytes([*range(256)])
    session = await over.attach(host, a_script(f"head -c 3; printf 'now\\n'; head -c {len(typed)} | od -An -v -tx1", b"a\nb"), AT)
    said = await come(session, b"now")
    assert behind(said).startswith(b"a\nb")
    await session.write(typed)
    said = await come(session, b"ff", said.partition(b"now")[2])
    assert bytes.fromhex(said.decode()) == typed
    assert await session.wait() == 0
    session.close()


async def test_letting_go_hangs_the_terminal_up(over: base.Attaching, host: hosts.Host, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    session = await over.attach(host, a_script(f"trap 'echo hung >{gone}; exit' HUP; echo set; while :; do sleep 0.05; done"), AT)
    await come(session, b"set\r\n")
    session.close()
    async with asyncio.timeout(sshd_server.LIMIT):
        while not (gone.exists() and gone.read_text()):
            await asyncio.sleep(0.02)


async def test_a_signal_that_ended_it_is_in_its_status(over: base.Attaching, host: hosts.Host) -> None:
    session = await over.attach(host, a_script("kill -TERM $$"), None)
    await all_of(session.read)
    assert await session.wait() == 128 + signal.SIGTERM
    session.close()


async def test_a_lost_connection_is_no_status(host: hosts.Host, server: sshd_server.Sshd) -> None:
    transport = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)])
    session = await transport.attach(host, a_script("echo set; exec sleep 60"), None)
    await come(session, b"set\n")
    server.signal_sessions(signal.SIGKILL)
    assert (await session.read(), await session.wait()) == (b"", None)
    session.close()
    await transport.close()


async def test_there_is_room_where_a_server_lets_one_session_in(tmp_path: Path) -> None:
    server = sshd_server.Sshd(tmp_path / "sshd", "MaxSessions 1")
    transport = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)])
    try:
        dialled = command.Command("engine", "exec cat", M, timeout=60)
        await transport.open_program(server.host(), dialled)
        for _ in range(2):
            session = await transport.attach(server.host(), a_script("exit 4"), None)
            await all_of(session.read)
            assert await session.wait() == 4
            session.close()
    finally:
        await transport.close()
        server.stop()


@pytest.mark.parametrize("shell", ["bash", "dash", "fish", "tcsh"])
@pytest.mark.parametrize("terminal", [None, AT], ids=["streams", "terminal"])
async def test_any_login_shell_takes_the_line(shell: str, terminal: base.Terminal | None, tmp_path: Path) -> None:
    """As sshd calls it: SHELL -c LINE; its own configuration may say something first."""
    what = a_script("read -r word; echo \"$word\" | tr a-z A-Z; exit 9")
    transport = local.LocalTransport()
    fake = tmp_path / "sh"
    fake.write_text(f'#!/bin/sh\nPATH={os.environ["PATH"]}\nexec {shell} "$@"\n')
    fake.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{tmp_path}:{before}"
    try:
        session = await transport.attach(hosts.Host("web1"), what, terminal)
    finally:
        os.environ["PATH"] = before
    await session.write(b"hello\n")
    said = await come(session, b"HELLO")
    assert (behind(said).split(), await session.wait()) == ([b"HELLO"], 9)
    session.close()
    await transport.close()
