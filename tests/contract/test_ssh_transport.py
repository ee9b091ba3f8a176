"""What only SSH has: host keys, user keys, jump hosts, connections that are shared, refused, dropped, frozen or lost."""

import asyncio
import dataclasses
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import sshd_server

from lading import errors
from lading.inventory import hosts
from lading.transport import command, ssh

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
M = "MARK-77aa"
HELLO = command.Command("hello", f"printf '\\n{M} a\\n'; echo hello", M)
Connect = Callable[..., ssh.SshTransport]


@pytest.fixture
def second(tmp_path: Path) -> Iterator[sshd_server.Sshd]:
    one = sshd_server.Sshd(tmp_path / "second")
    yield one
    one.stop()


@pytest.fixture
async def connect(server: sshd_server.Sshd) -> AsyncIterator[Connect]:
    made: list[ssh.SshTransport] = []

    def one(**more: object) -> ssh.SshTransport:
        arguments = {"known_hosts": str(server.known_hosts), "config_files": [str(server.config)], **more}
        made.append(ssh.SshTransport(environment=os.environ, **arguments))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for transport in made:
        await transport.close()


def noted(began: asyncio.Event) -> bool:
    """What a caller says of a part: it was seen, go on."""
    began.set()
    return False


FOLLOW = command.Command(
    "follow", f"printf '\\n{M} a\\n\\n{M} b\\n'; cat >/dev/null; printf 'ended'", M, streams=True
)


async def hello(transport: ssh.SshTransport, host: hosts.Host) -> str:
    return (await transport.run(host, HELLO)).text("a")


async def test_one_connection_for_all_commands(server: sshd_server.Sshd, connect: Connect) -> None:
    transport = connect()
    assert await asyncio.gather(*[hello(transport, server.host()) for _ in range(12)]) == ["hello"] * 12
    assert await hello(transport, server.host()) == "hello"
    assert server.logins() == 1


async def test_an_unknown_key(server: sshd_server.Sshd, connect: Connect) -> None:
    server.known_hosts.write_text("")
    with pytest.raises(errors.HostKeyError, match="web1's key is not known") as caught:
        await hello(connect(), server.host())
    assert (caught.value.hint, caught.value.host) == ("lading hosts trust web1", "web1")
    assert server.logins() == 0


async def test_no_known_hosts_file_trusts_nobody(server: sshd_server.Sshd, connect: Connect) -> None:
    server.known_hosts.unlink()
    server.write_config("StrictHostKeyChecking no")
    with pytest.raises(errors.HostKeyError, match="not known"):
        await hello(connect(), server.host())


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
async def test_a_changed_key(server: sshd_server.Sshd, connect: Connect, tmp_path: Path, kind: str) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(other)], check=True)
    server.known_hosts.write_text(server.known_line(other))
    with pytest.raises(errors.HostKeyError, match="web1 shows another key") as caught:
        await hello(connect(), server.host())
    assert "set up anew" in caught.value.hint
    assert "in between" in caught.value.hint
    assert caught.value.hint.endswith("lading hosts trust web1 --replace")
    assert server.logins() == 0


@pytest.mark.parametrize("name", ["", "*", "web1"])
async def test_a_revoked_key(server: sshd_server.Sshd, connect: Connect, name: str) -> None:
    revoked = f"@revoked {server.known_line(name=name)}"
    server.known_hosts.write_text(revoked + server.known_line() + server.known_line(name="127.0.0.1"))
    with pytest.raises(errors.HostKeyError, match="web1's key is revoked"):
        await hello(connect(), server.host())


async def test_a_revocation_with_a_port_counts_although_the_key_is_known_without(
    server: sshd_server.Sshd, connect: Connect
) -> None:
    server.known_hosts.write_text(f"@revoked {server.known_line()}" + server.known_line(name="127.0.0.1"))
    with pytest.raises(errors.HostKeyError, match="revoked"):
        await hello(connect(), server.host())


async def test_a_broken_revocation_is_not_skipped(server: sshd_server.Sshd, connect: Connect) -> None:
    server.known_hosts.write_text("broken\n\n# fine\n" + server.known_line())
    assert await hello(connect(), server.host()) == "hello"
    server.known_hosts.write_text("@revoked broken\n" + server.known_line())
    with pytest.raises(errors.HostKeyError, match="known_hosts"):
        await hello(connect(), server.host())


async def test_hashed_names(server: sshd_server.Sshd, connect: Connect) -> None:
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(server.known_hosts)], check=True, capture_output=True)
    assert "127.0.0.1" not in server.known_hosts.read_text()
    assert await hello(connect(), server.host()) == "hello"


@pytest.mark.parametrize("name", ["web1", "127.0.0.1"])
async def test_a_key_known_by_the_host_s_name_or_address(
    server: sshd_server.Sshd, connect: Connect, name: str
) -> None:
    server.known_hosts.write_text(server.known_line(name=name))
    assert await hello(connect(), server.host()) == "hello"


async def test_a_host_without_an_address_goes_to_the_configuration(
    server: sshd_server.Sshd, connect: Connect, tmp_path: Path
) -> None:
    own = tmp_path / "own_known_hosts"
    own.write_text(server.known_line())
    where = ["Host alias", "HostName 127.0.0.1", f"Port {server.port}", f"User {server.user}"]
    server.known_hosts.write_text("")
    server.write_config(*where, f"UserKnownHostsFile {own}")
    assert await hello(connect(user="somebody-else"), hosts.Host("alias")) == "hello"
    server.write_config(*where, "UserKnownHostsFile none")  # asyncssh alone would trust any key now
    with pytest.raises(errors.HostKeyError, match="alias's key is not known"):
        await hello(connect(), hosts.Host("alias"))


async def test_the_default_user(server: sshd_server.Sshd, connect: Connect) -> None:
    unnamed = dataclasses.replace(server.host(), user="")
    with pytest.raises(errors.AuthenticationError, match=r"let nobody-such@127\.0\.0\.1:"):
        await hello(connect(user="nobody-such"), unnamed)
    assert await hello(connect(user=server.user), unnamed) == "hello"


async def test_a_wrong_user_key(server: sshd_server.Sshd, connect: Connect, tmp_path: Path) -> None:
    wrong = sshd_server.make_key(tmp_path / "wrong")
    server.write_config(key=wrong)
    with pytest.raises(errors.AuthenticationError) as caught:
        await hello(connect(), server.host())
    listed = subprocess.run(["ssh-keygen", "-lf", str(wrong)], check=True, capture_output=True, text=True).stdout
    assert f"{server.user}@127.0.0.1:{server.port}" in caught.value.message
    assert listed.split()[1] in caught.value.message
    assert "no agent" in caught.value.message
    assert (caught.value.hint, caught.value.host) == (
        f"try by hand: ssh -p {server.port} {server.user}@127.0.0.1", "web1"
    )


async def test_an_agent_with_and_without_keys(server: sshd_server.Sshd, connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(sshd_server.LIMIT):
            while not path.exists():
                await asyncio.sleep(0.02)
        server.config.write_text(f"Host *\nIdentityAgent {path}\nIdentityFile {tmp_path}/none.pub\n")
        (tmp_path / "none.pub").write_text("")
        server.config.write_text(f"Host *\nIdentityAgent {path}\n")
        with pytest.raises(errors.AuthenticationError, match="an agent without keys"):
            await hello(connect(), server.host())
        subprocess.run(
            ["ssh-add", "-q", str(server.user_key)], check=True, env={"SSH_AUTH_SOCK": str(path), "PATH": "/usr/bin:/bin"}
        )
        assert await hello(connect(), server.host()) == "hello"
    finally:
        agent.terminate()
        agent.wait()


def through(server: sshd_server.Sshd, second: sshd_server.Sshd) -> hosts.Host:
    """*server* behind *second*, which accepts the same user key and is known."""
    Path(f"{second.user_key}.pub").write_text(Path(f"{server.user_key}.pub").read_text())
    server.known_hosts.write_text(server.known_line() + second.known_line())
    return server.host(jump="bastion")


async def test_a_jump_host_of_the_inventory(
    server: sshd_server.Sshd, second: sshd_server.Sshd, connect: Connect
) -> None:
    host = through(server, second)
    transport = connect(lookup={"bastion": second.host("bastion")}.get)
    other = dataclasses.replace(host, name="web2")
    assert list(await asyncio.gather(hello(transport, host), hello(transport, other))) == ["hello", "hello"]
    assert (second.logins(), server.logins()) == (1, 2)


@pytest.mark.parametrize("form", ["{user}@127.0.0.1:{port}", "ssh://{user}@127.0.0.1:{port}"])
async def test_a_jump_specification(
    server: sshd_server.Sshd, second: sshd_server.Sshd, connect: Connect, form: str
) -> None:
    jump = form.format(user=second.user, port=second.port)
    host = dataclasses.replace(through(server, second), jump=jump)
    assert await hello(connect(), host) == "hello"
    assert (second.logins(), server.logins()) == (1, 1)


async def test_two_jumps(server: sshd_server.Sshd, second: sshd_server.Sshd, connect: Connect) -> None:
    host = dataclasses.replace(through(server, second), jump=f"bastion,{server.user}@127.0.0.1:{server.port}")
    assert await hello(connect(lookup={"bastion": second.host("bastion")}.get), host) == "hello"
    assert (second.logins(), server.logins()) == (1, 2)


async def test_what_goes_wrong_on_the_way(server: sshd_server.Sshd, second: sshd_server.Sshd, connect: Connect) -> None:
    host = through(server, second)
    inventory = {"bastion": second.host("bastion")}
    dead = dataclasses.replace(host, port=sshd_server.free_port())
    with pytest.raises(errors.UnreachableError, match="web1") as unreached:
        await hello(connect(lookup=inventory.get), dead)
    by_hand = f"ssh -p {dead.port} -J {second.user}@127.0.0.1:{second.port} {server.user}@127.0.0.1"
    assert unreached.value.hint == f"try by hand: {by_hand}"
    server.known_hosts.write_text(server.known_line())
    with pytest.raises(errors.HostKeyError, match="on the way to web1: bastion's key is not known") as caught:
        await hello(connect(lookup=inventory.get), host)
    assert (caught.value.hint, caught.value.host) == ("lading hosts trust bastion", "web1")
    circle = {"bastion": second.host("bastion", jump="web1"), "web1": host}
    with pytest.raises(errors.UnreachableError, match="web1 → bastion → web1"):
        await hello(connect(lookup=circle.get), host)
    with pytest.raises(errors.SettingsError, match="jump"):
        await hello(connect(), dataclasses.replace(host, jump="a:b:c"))


async def test_nobody_listens(server: sshd_server.Sshd, connect: Connect) -> None:
    host = dataclasses.replace(server.host(), port=sshd_server.free_port())
    with pytest.raises(errors.UnreachableError, match=r"web1 \(127.0.0.1:\d+\) refuses the connection") as caught:
        await hello(connect(), host)
    assert caught.value.host == "web1"


async def test_no_network_leads_there(connect: Connect) -> None:
    with pytest.raises(errors.UnreachableError, match=r"cannot be reached: network is unreachable"):
        await hello(connect(), hosts.Host("web1", address="127.255.255.255"))


async def test_a_name_that_does_not_exist(connect: Connect) -> None:
    with pytest.raises(errors.UnreachableError, match="cannot be resolved"):
        await hello(connect(), hosts.Host("no-such-host.invalid"))


async def test_a_server_that_says_nothing(connect: Connect) -> None:
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    with pytest.raises(errors.UnreachableError, match="did not answer within 0.5 s"):
        await hello(connect(connect_timeout=0.5), hosts.Host("web1", "127.0.0.1", port=port))
    silent.close()


async def test_a_server_that_drops_connections(server: sshd_server.Sshd, connect: Connect) -> None:
    drops = 0

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal drops
        drops += 1
        if drops > 2:
            there, back = await asyncio.open_connection("127.0.0.1", server.port)
            await asyncio.gather(pipe(reader, back), pipe(there, writer))
        writer.close()

    front = await asyncio.start_server(drop, "127.0.0.1", 0)
    port = front.sockets[0].getsockname()[1]
    server.known_hosts.write_text(server.known_line(name=f"[127.0.0.1]:{port}"))
    transport = connect()
    assert await hello(transport, dataclasses.replace(server.host(), port=port)) == "hello"
    assert drops == 3
    await transport.close()
    drops = -100
    with pytest.raises(errors.UnreachableError, match="drops every connection; see MaxStartups"):
        await hello(transport, dataclasses.replace(server.host(), port=port))
    assert drops == -95
    front.close()


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
    writer.close()


@pytest.mark.usefixtures("unheard")
async def test_a_frozen_connection_is_replaced(server: sshd_server.Sshd, connect: Connect) -> None:
    transport = connect(keepalive=1)
    assert await hello(transport, server.host()) == "hello"
    server.signal_sessions(signal.SIGSTOP)
    async with asyncio.timeout(sshd_server.LIMIT):
        assert await hello(transport, server.host()) == "hello"  # nothing had begun: by a new connection
    assert server.logins() == 2


async def test_a_server_that_freezes_during_a_command(server: sshd_server.Sshd, connect: Connect) -> None:
    transport = connect(keepalive=1)
    began = asyncio.Event()
    what = command.Command("wait", f"printf '\\n{M} a\\n\\n{M} b\\n'; cat >/dev/null", M)
    task = asyncio.create_task(transport.run(server.host(), what, lambda name, content: noted(began)))
    await began.wait()
    server.signal_sessions(signal.SIGSTOP)
    async with asyncio.timeout(sshd_server.LIMIT):
        with pytest.raises(errors.UnreachableError, match="the connection to web1 was lost while wait ran"):
            await task


async def test_a_connection_that_is_lost(server: sshd_server.Sshd, connect: Connect) -> None:
    transport = connect()
    began = asyncio.Event()
    what = command.Command("wait", f"printf '\\n{M} a\\n\\n{M} b\\n'; cat >/dev/null", M)
    task = asyncio.create_task(transport.run(server.host(), what, lambda name, content: noted(began)))
    await began.wait()
    server.signal_sessions(signal.SIGKILL)
    with pytest.raises(errors.UnreachableError, match="the connection to web1 was lost while wait ran") as caught:
        await task
    assert (caught.value.host, caught.value.step) == ("web1", "wait")
    assert await hello(transport, server.host()) == "hello"
    assert server.logins() == 2


async def test_closing_ends_those_who_wait(server: sshd_server.Sshd, connect: Connect) -> None:
    transport = connect()
    began = asyncio.Event()
    what = command.Command("wait", f"printf '\\n{M} a\\n\\n{M} b\\n'; cat >/dev/null", M)
    task = asyncio.create_task(transport.run(server.host(), what, lambda name, content: noted(began)))
    await began.wait()
    await transport.close()
    with pytest.raises(errors.UnreachableError, match="was closed"):
        await task


async def test_no_more_connections_than_allowed(server: sshd_server.Sshd, connect: Connect) -> None:
    transport = connect(max_connections=2)
    many = [dataclasses.replace(server.host(), name=f"web{i}") for i in range(6)]
    most = 0
    what = command.Command("count", f"printf '\\n{M} a\\n'; sleep 0.2", M)

    def note(name: str, content: bytes) -> bool:
        nonlocal most
        most = max(most, sum(link.connection is not None for link in transport._links.values()))
        return False

    for group in (many[:2], many[2:]):  # the second group finds two idle connections, and all want to open theirs
        done = await asyncio.gather(*[transport.run(host, what, note) for host in group])
        assert [one.status for one in done] == [0] * len(group)
        assert most == 2


async def test_what_streams_keeps_no_other_host_waiting(server: sshd_server.Sshd, connect: Connect) -> None:
    transport = connect(parallel=1)
    first, second = (dataclasses.replace(server.host(), name=name) for name in ("web1", "web2"))
    began = asyncio.Event()
    following = asyncio.create_task(transport.run(first, FOLLOW, lambda name, content: noted(began)))
    await began.wait()
    assert [await hello(transport, second), await hello(transport, first)] == ["hello", "hello"]
    assert not following.done()
    assert server.logins() == 2
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    assert [*await asyncio.gather(hello(transport, first), hello(transport, second))] == ["hello", "hello"]


async def test_what_does_not_stream_keeps_other_hosts_waiting(server: sshd_server.Sshd, connect: Connect) -> None:
    transport = connect(parallel=1)
    first, second = (dataclasses.replace(server.host(), name=name) for name in ("web1", "web2"))
    began = asyncio.Event()
    working = dataclasses.replace(FOLLOW, streams=False)
    first_task = asyncio.create_task(transport.run(first, working, lambda name, content: noted(began)))
    await began.wait()
    waiting = asyncio.create_task(hello(transport, second))
    assert [await hello(transport, first) for _ in range(20)] == ["hello"] * 20  # long enough to connect
    assert server.logins() == 1
    first_task.cancel()
    assert await waiting == "hello"


async def test_what_streams_counts_among_the_connections(server: sshd_server.Sshd, connect: Connect) -> None:
    transport = connect(max_connections=1)
    first, second = (dataclasses.replace(server.host(), name=name) for name in ("web1", "web2"))
    began = asyncio.Event()
    following = asyncio.create_task(transport.run(first, FOLLOW, lambda name, content: noted(began)))
    await began.wait()
    waiting = asyncio.create_task(hello(transport, second))
    assert [await hello(transport, first) for _ in range(20)] == ["hello"] * 20  # long enough to connect
    assert server.logins() == 1
    following.cancel()
    assert await waiting == "hello"
    assert server.logins() == 2


@pytest.mark.parametrize(("cipher", "each"), [("aes256-gcm@openssh.com", 1), ("aes128-cbc", 2)])
async def test_an_empty_packet_goes_before_others_only_where_the_cipher_is_chained(
    second: sshd_server.Sshd, connect: Connect, cipher: str, each: int
) -> None:
    settings = second.folder / "sshd_config"
    settings.write_text(f"{settings.read_text()}Ciphers {cipher}\n")
    second.restart()
    second.write_config(f"Ciphers {cipher}")
    transport = connect(known_hosts=str(second.known_hosts), config_files=[str(second.config)])
    assert await hello(transport, second.host()) == "hello"
    (link,) = transport._links.values()
    assert link.connection is not None and link.uplink is not None
    before = link.connection._send_seq
    await link.uplink.reach()
    assert link.connection._send_seq - before == each


@pytest.mark.usefixtures("unheard")
async def test_small_commands_ask_the_server_for_little_beside_their_answers(
    server: sshd_server.Sshd, connect: Connect
) -> None:
    transport = connect()
    assert await hello(transport, server.host()) == "hello"
    (link,) = transport._links.values()
    assert link.connection is not None and link.ready is not None
    await link.ready
    before = link.connection._send_seq
    assert [await hello(transport, server.host()) for _ in range(9)] == ["hello"] * 9
    await link.ready
    # It shows that it is there, and room is asked for by the same; the next session is opened ahead
    assert link.connection._send_seq - before == 9 * len(("question", "data", "close", "open", "exec"))


async def test_the_keys_a_host_shows(server: sshd_server.Sshd, connect: Connect) -> None:
    server.known_hosts.write_text("")
    found = await connect().fetch_host_keys(server.host())
    listed = subprocess.run(["ssh-keygen", "-lf", str(server.host_key)], check=True, capture_output=True, text=True).stdout
    assert [(algorithm, fingerprint) for algorithm, fingerprint, _ in found] == [("ssh-ed25519", listed.split()[1])]
    server.known_hosts.write_text(found[0][2] + "\n")
    assert await hello(connect(), server.host()) == "hello"
    with pytest.raises(errors.UnreachableError, match="refuses"):
        await connect().fetch_host_keys(dataclasses.replace(server.host(), port=sshd_server.free_port()))


async def test_a_key_file_that_is_not_there_is_passed_over(server: sshd_server.Sshd, connect: Connect) -> None:
    server.write_config("IdentityFile ~/.ssh/no-such-key")
    assert await hello(connect(), server.host()) == "hello"


async def test_a_broken_configuration_is_said(server: sshd_server.Sshd, connect: Connect) -> None:
    server.config.write_text("Host *\nPort many\n")
    with pytest.raises(errors.SettingsError, match="OpenSSH configuration"):
        await hello(connect(), dataclasses.replace(server.host(), port=0))
    server.write_config(key=server.known_hosts)
    with pytest.raises(errors.AuthenticationError, match="cannot be read"):
        await hello(connect(), server.host())
