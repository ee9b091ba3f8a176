"""What a host says of itself counts: its own key, its own known_hosts, a ProxyCommand, its own times."""

import dataclasses
import os
import socket
from pathlib import Path

import pytest
import sshd_server

from lading import errors
from lading.inventory import hosts
from lading.transport import command, openssh, reaching, ssh

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
M = "MARK-31cd"
HELLO = command.Command("hello", f"printf '\\n{M} a\\n'; echo hello", M)


async def hello(server: sshd_server.Sshd, host: hosts.Host, **more: object) -> str:
    arguments = {"known_hosts": str(server.known_hosts), "config_files": [str(server.config)], **more}
    transport = ssh.SshTransport(environment=os.environ, **arguments)  # type: ignore[arg-type]
    try:
        return (await transport.run(host, HELLO)).text("a")
    finally:
        await transport.close()


async def test_a_key_of_its_own(server: sshd_server.Sshd, tmp_path: Path) -> None:
    server.write_config(key=sshd_server.make_key(tmp_path / "wrong"))
    with pytest.raises(errors.AuthenticationError):
        await hello(server, server.host())
    assert await hello(server, dataclasses.replace(server.host(), key_file=str(server.user_key))) == "hello"


async def test_a_key_that_is_not_there_is_named(server: sshd_server.Sshd) -> None:
    host = dataclasses.replace(server.host(), key_file="/nowhere/key", origin="inventory/hosts:7")
    with pytest.raises(errors.AuthenticationError, match="/nowhere/key") as caught:
        await hello(server, host)
    assert (caught.value.hint, caught.value.host) == ("see inventory/hosts:7", "web1")


async def test_a_known_hosts_of_its_own(server: sshd_server.Sshd, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("")
    with pytest.raises(errors.HostKeyError):
        await hello(server, server.host(), known_hosts=str(empty))
    host = dataclasses.replace(server.host(), known_hosts=str(server.known_hosts))
    assert await hello(server, host, known_hosts=str(empty)) == "hello"


async def test_a_proxy_command(server: sshd_server.Sshd, tmp_path: Path) -> None:
    """The way to an address that leads nowhere: an ssh to a bastion that goes on from there; the host's key is verified."""
    bastion = sshd_server.Sshd(tmp_path / "bastion")
    try:
        way = (f"ssh -F none -i {bastion.user_key} -p {bastion.port} -o UserKnownHostsFile={bastion.known_hosts} -o BatchMode=yes "
               f"-W 127.0.0.1:%p {bastion.user}@127.0.0.1")
        host = dataclasses.replace(server.host(), address="192.0.2.1", proxy_command=way)
        with pytest.raises(errors.HostKeyError):
            await hello(server, host)
        server.known_hosts.write_text(server.known_line(name=f"[192.0.2.1]:{server.port}"))
        assert await hello(server, host) == "hello"
        assert bastion.logins() == 2
    finally:
        bastion.stop()


async def test_a_connect_timeout_of_its_own(server: sshd_server.Sshd) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        host = dataclasses.replace(server.host(), port=deaf.getsockname()[1], connect_timeout=1)
        with pytest.raises(errors.UnreachableError, match="within 1 s|cannot be reached"):
            await hello(server, host, connect_timeout=600)


def test_what_is_said_of_one_host_only() -> None:
    host = hosts.Host("h", "192.0.2.1", "u", 23, key_file="/k y", proxy_command="nc %h %p", connect_timeout=3, keepalive=4)
    said = openssh.Configured("192.0.2.1", "u", 23, identity_files=("/mine",), connect_timeout=30, keepalive=60, jump="j")
    told = reaching.reached(host, said)
    assert (told.identity_files, told.jump, told.proxy_command) == (("/k y",), "", "")
    given = reaching.arguments(host, told, {"connect_timeout": 600, "keepalive_interval": 0})
    assert (given["connect_timeout"], given["login_timeout"], given["keepalive_interval"]) == (3, 3, 4)
    assert reaching.reached(hosts.Host("h"), said) == said
    plain = reaching.arguments(hosts.Host("h"), said, {"connect_timeout": 0})
    assert (plain["connect_timeout"], plain["keepalive_interval"]) == (30, 60)
    nothing = reaching.arguments(hosts.Host("h"), openssh.Configured("h", "u"), {})
    assert (nothing["connect_timeout"], nothing["keepalive_interval"]) == (reaching.CONNECT, reaching.KEEPALIVE)
    assert reaching.by_hand(host) == " -i '/k y' -o 'ProxyCommand=nc %h %p'"
    assert reaching.proxy("nc -x '%h %r' %p %n 100%% %z", "a", 5, "u") == ["nc", "-x", "a u", "5", "a", "100%", "%z"]
