"""Links that are cut, come back, flap, or are slow, with a real sshd behind them: what a running command and the next one see."""

import asyncio
import dataclasses
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sshd_server
from deaf_proxy import Link

from lading import errors
from lading.inventory import hosts
from lading.transport import ansible, ansible_session, base, beats, command, ssh, uplink

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]
M = "MARK-c071"
HELLO = command.Command("hello", f"printf '\\n{M} a\\n'; echo hello", M)
ANSWERING = f"""beat(){{ printf '\\n{M} beat\\n\\n{M} on\\n'; }}
beat; while [ "$(dd bs=1 count=1 2>/dev/null)" = . ]; do beat; done; printf '\\n{M} end\\n'
"""


@pytest.fixture
async def transport(server: sshd_server.Sshd) -> AsyncIterator[ssh.SshTransport]:
    one = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)])
    yield one
    await one.close()


@pytest.fixture
def host(server: sshd_server.Sshd, link: Link) -> hosts.Host:
    return dataclasses.replace(server.host(), port=link.port)


def short(monkeypatch: pytest.MonkeyPatch, beat: float = 0.2, answer: float = 3.0) -> None:
    monkeypatch.setattr(beats, "BEAT", beat)
    monkeypatch.setattr(beats, "ANSWER", answer)


async def hello(transport: base.Transport, host: hosts.Host) -> str:
    return (await transport.run(host, HELLO)).text("a")


class Beaten:
    """A running command that answers beats; stdin ends after *last* of them."""

    def __init__(self, transport: base.Transport, host: hosts.Host, last: int = 10**6) -> None:
        self.count = -1  # it says one by itself
        self.last = last
        what = command.Command("roll", ANSWERING, M, timeout=120, beats=True)
        self.task = asyncio.create_task(transport.run(host, what, self._part))

    def _part(self, name: str, content: bytes) -> bool:
        self.count += name == "beat"
        return self.count >= self.last

    async def reaches(self, count: int) -> None:
        async with asyncio.timeout(sshd_server.LIMIT):
            while self.count < count:
                assert not self.task.done(), self.task.result()
                await asyncio.sleep(0.01)

    async def lost(self) -> None:
        """It is told of a cut, long before the keepalive would (60 s)."""
        async with asyncio.timeout(30):
            with pytest.raises(errors.UnreachableError, match="^the connection to web1 was lost while roll ran$") as caught:
                await self.task
        assert caught.value.hint == "what it did there is unknown; see with: lading where"


@pytest.mark.parametrize("way", [{"forth": True, "back": True}, {"back": False}, {"forth": False}], ids=["both", "forth", "back"])
async def test_a_cut_is_noticed_and_a_link_that_returns_is_used_again(
    server: sshd_server.Sshd, link: Link, transport: ssh.SshTransport, host: hosts.Host, way: dict[str, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short(monkeypatch)
    running = Beaten(transport, host)
    await running.reaches(2)
    link.cut(**way)
    await running.lost()
    following = asyncio.create_task(hello(transport, host))
    await asyncio.sleep(0)
    link.restore()
    assert await following == "hello"
    again = Beaten(transport, host, last=3)
    assert (await again.task).status == 0
    assert server.logins() == 1


async def test_a_link_that_does_not_return_is_replaced(
    server: sshd_server.Sshd, link: Link, transport: ssh.SshTransport, host: hosts.Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    short(monkeypatch)
    monkeypatch.setattr(ssh, "RETURN", 0.5)
    running = Beaten(transport, host)
    await running.reaches(1)
    link.lose()
    await running.lost()
    async with asyncio.timeout(30):
        assert await asyncio.gather(*[hello(transport, host) for _ in range(4)]) == ["hello"] * 4
    assert server.logins() == 2


@pytest.mark.usefixtures("unheard")
async def test_a_cut_that_nothing_ran_over_is_noticed_by_the_next_command(
    server: sshd_server.Sshd, link: Link, transport: ssh.SshTransport, host: hosts.Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    short(monkeypatch)
    monkeypatch.setattr(ssh, "RETURN", 0.5)
    assert await hello(transport, host) == "hello"
    link.lose()
    async with asyncio.timeout(30):
        assert await hello(transport, host) == "hello"
    assert server.logins() == 2


async def test_a_jump_host_that_does_not_return_is_left_too(
    server: sshd_server.Sshd, tmp_path: Path, link: Link, transport: ssh.SshTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    short(monkeypatch)
    monkeypatch.setattr(ssh, "RETURN", 0.5)
    behind = server.host(jump=f"{server.user}@127.0.0.1:{link.port}")
    running = Beaten(transport, behind)
    await running.reaches(1)
    assert server.logins() == 2
    link.lose()
    await running.lost()
    async with asyncio.timeout(30):
        assert await hello(transport, behind) == "hello"
    assert server.logins() == 4


async def test_a_cut_of_four_seconds_is_not_noticed(
    server: sshd_server.Sshd, link: Link, transport: ssh.SshTransport, host: hosts.Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    short(monkeypatch, answer=beats.ANSWER)
    running = Beaten(transport, host)
    await running.reaches(1)
    link.cut()
    await asyncio.sleep(4)
    link.restore()
    running.last = running.count + 3
    assert (await running.task).status == 0
    assert server.logins() == 1


async def test_a_link_that_flaps_ends_with_working_commands(
    server: sshd_server.Sshd, link: Link, transport: ssh.SshTransport, host: hosts.Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    short(monkeypatch)
    cut = 0

    async def flap() -> None:
        for _ in range(8):
            link.cut()
            await asyncio.sleep(0.6)
            link.restore()
            await asyncio.sleep(0.4)

    running = Beaten(transport, host)
    await running.reaches(1)
    monkeypatch.setattr(beats, "ANSWER", 0.2)  # as 2 s up and 3 s down are to 10 and 10 s, but worse
    monkeypatch.setattr(ssh, "RETURN", 0.4)
    flapping = asyncio.create_task(flap())
    while not flapping.done():
        await asyncio.wait({running.task, flapping}, return_when=asyncio.FIRST_COMPLETED)
        if running.task.done():
            assert isinstance(running.task.exception(), errors.UnreachableError)
            cut += 1
            running = Beaten(transport, host)
    assert cut > 0
    await flapping
    short(monkeypatch)
    running.task.cancel()
    await asyncio.wait({running.task})
    assert await hello(transport, host) == "hello"


async def settled(link: Link) -> int:
    """How much waits on a link that is cut, once no more comes."""
    last, alike = 0, 0
    while alike < 4:
        await asyncio.sleep(0.5)
        alike = alike + 1 if link.waiting == last and last else 0
        last = link.waiting
    return last


def noted(event: asyncio.Event) -> base.OnPart:
    """What sets *event* at the first part."""

    def note(name: str, content: bytes) -> bool:
        event.set()
        return False

    return note


async def test_no_more_than_64_kib_of_a_connection_are_on_their_way(
    link: Link, transport: ssh.SshTransport, host: hosts.Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte that is sent now comes after all that waits, wherever that is: in asyncssh, the kernel, or a router."""
    short(monkeypatch, 1.0, 60.0)
    payload = os.urandom(20 << 20)
    script = f"part(){{ printf '\\n{M} %s\\n' $1; }}; part begun; part a; head -c {len(payload)} | sha256sum"
    what = command.Command("upload", script, M, (payload,), beats=True)
    began = [asyncio.Event() for _ in range(3)]
    link.rate = 500_000.0
    uploads = [asyncio.create_task(transport.run(host, what, noted(event))) for event in began]
    await asyncio.gather(*[event.wait() for event in began])
    link.cut(back=False)
    assert beats.PIECE < await settled(link) < beats.WAITING + 8192  # packets have heads
    link.rate = 0.0
    link.restore()
    assert {(await upload).text("a").split()[0] for upload in uploads} == {hashlib.sha256(payload).hexdigest()}


async def test_beats_come_in_time_beside_a_large_upload_over_a_slow_link(
    link: Link, transport: ssh.SshTransport, host: hosts.Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    short(monkeypatch, 0.5, 5.0)
    payload = bytes(20 << 20)
    what = command.Command("upload", f"printf '\\n{M} a\\n'; head -c {len(payload)} | wc -c", M, (payload,), beats=True)
    running = Beaten(transport, host)
    await running.reaches(1)
    link.rate = 200_000.0  # 2 MiB, the window of a channel, would take ten seconds
    upload = asyncio.create_task(transport.run(host, what))
    await running.reaches(running.count + 10)
    assert not upload.done()
    link.rate = 0.0
    assert (await upload).text("a") == str(len(payload))
    running.last = running.count + 1
    assert (await running.task).status == 0


async def test_a_payload_that_waits_for_its_command_does_not_hold_up_others(
    transport: ssh.SshTransport, host: hosts.Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its command reads nothing for a while: the link is no less well for that, and others have all the room."""
    short(monkeypatch, 0.3, 3.0)
    go = tmp_path / "go"
    payload = bytes(8 << 20)
    script = f"until [ -e {command.quote(str(go))} ]; do sleep 0.1; done; printf '\\n{M} a\\n'; head -c {len(payload)} | wc -c"
    what = command.Command("upload", script, M, (payload,), beats=True)
    waiting = [asyncio.create_task(transport.run(host, what)) for _ in range(uplink_pieces() + 1)]
    running = Beaten(transport, host)
    await running.reaches(15)
    ready = command.Command("upload", f"printf '\\n{M} a\\n'; head -c {len(payload)} | wc -c", M, (payload,), beats=True)
    assert (await transport.run(host, ready)).text("a") == str(len(payload))
    go.touch()
    assert {(await one).text("a") for one in waiting} == {str(len(payload))}
    running.last = running.count + 1
    await running.task


def uplink_pieces() -> int:
    """How many pieces of a connection may be on their way."""
    return beats.WAITING // beats.PIECE


async def test_a_connection_that_is_lost_holds_no_room(server: sshd_server.Sshd, transport: ssh.SshTransport) -> None:
    assert await hello(transport, server.host()) == "hello"
    (link,) = transport._links.values()
    assert isinstance(link.uplink, uplink.Uplink) and link.connection is not None
    arrived = asyncio.Event()
    for _ in range(uplink_pieces()):
        await link.uplink.take()
        link.uplink.sent(arrived.set)
    link.connection.abort()
    async with asyncio.timeout(30):
        await link.uplink.take()
    assert await hello(transport, server.host()) == "hello"


async def test_through_ansible(
    server: sshd_server.Sshd, link: Link, host: hosts.Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(f"""all: {{hosts: {{web1: {{ansible_host: 127.0.0.1, ansible_port: {link.port}, ansible_user: {server.user},
      ansible_ssh_common_args: -F {server.config} -o UserKnownHostsFile={server.known_hosts}}}}}}}\n""")
    one = ansible.AnsibleTransport(ansible_session.Reach((str(inventory),)))
    try:
        assert await hello(one, host) == "hello"
        short(monkeypatch, 1.0, 5.0)
        running = Beaten(one, host)
        await running.reaches(2)
        link.cut()
        await running.lost()
        link.restore()
        assert await hello(one, host) == "hello"
        assert len(one._sessions) == 1
        monkeypatch.setattr(ansible, "RETURN", 0.5)
        running = Beaten(one, host)
        await running.reaches(1)
        link.lose()
        await running.lost()
        assert await hello(one, host) == "hello"
        assert len(one._sessions) == 2
    finally:
        link.restore()
        await one.close()
