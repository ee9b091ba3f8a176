"""ProxyCommand: run by a shell as OpenSSH runs it, whatever it writes to stderr; nothing of it is left behind."""

import os
from pathlib import Path

import pytest
import sshd_server

from lading import errors
from lading.inventory import hosts
from lading.transport import command, ssh

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
M = "MARK-77aa"
HELLO = command.Command("hello", f"printf '\\n{M} a\\n'; echo hello", M)


def behind(server: sshd_server.Sshd, proxy: str) -> hosts.Host:
    """A host without an address that is reached by *proxy* only: its port is one on which nobody listens."""
    server.write_config("Host web1", "HostName 127.0.0.1", f"User {server.user}", "HostKeyAlias web1", f"ProxyCommand {proxy}")
    server.known_hosts.write_text(server.known_line() + server.known_line(name="web1"))
    return hosts.Host("web1", port=sshd_server.free_port())


def by_ssh(server: sshd_server.Sshd) -> str:
    """The command that leads to *server* by way of itself."""
    options = f"-F none -i {server.user_key} -o UserKnownHostsFile={server.known_hosts} -p {server.port}"
    return f"ssh {options} -W 127.0.0.1:{server.port} {server.user}@127.0.0.1"


@pytest.mark.parametrize("proxy", ["{by_ssh} 2>/dev/null", "{by_ssh} 2>&-", "sh -c 'echo to %h:%p >&2; exec {by_ssh}'"])
async def test_one_connection_and_nothing_left_of_it(server: sshd_server.Sshd, proxy: str) -> None:
    host = behind(server, proxy.format(by_ssh=by_ssh(server)))
    transport = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)])
    for _ in range(2):
        assert (await transport.run(host, HELLO)).text("a") == "hello"
    assert server.logins() == 2  # one to it, one through it
    assert [fingerprint for _, fingerprint, _ in await transport.fetch_host_keys(host)]
    await transport.close()
    assert not [one for one in Path("/proc").glob("[0-9]*/cmdline") if str(server.known_hosts).encode() in read(one)]


def read(path: Path) -> bytes:
    """A file that may have gone."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


async def test_one_that_fails_is_named(server: sshd_server.Sshd) -> None:
    host = behind(server, "false %h")
    transport = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)])
    with pytest.raises(errors.UnreachableError, match="is not reached by its ProxyCommand, 'false 127.0.0.1'") as caught:
        await transport.run(host, HELLO)
    assert caught.value.hint == f"try by hand: ssh -p {host.port} {server.user}@web1"
    await transport.close()
