"""Keys that a host does not take, and certificates: what lading says of each, and what to type."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import sshd_server

from lading import errors
from lading.inventory import hosts
from lading.transport import base, command, local, routed, ssh, telling

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
M = "MARK-77aa"
HELLO = command.Command("hello", f"printf '\\n{M} a\\n'; echo hello", M)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[sshd_server.Sshd]:
    one = sshd_server.Sshd(tmp_path / "sshd", f"HostCertificate {tmp_path}/sshd/host_key-cert.pub")
    yield one
    one.stop()


@pytest.fixture
async def transport(server: sshd_server.Sshd, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ssh.SshTransport]:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    one = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)])
    yield one
    await one.close()


def sign(server: sshd_server.Sshd, tmp_path: Path, *words: str) -> None:
    """Give the server a certificate, and trust its authority instead of its key."""
    authority = sshd_server.make_key(tmp_path / "authority")
    subprocess.run(["ssh-keygen", "-q", "-s", str(authority), "-h", "-I", "web1", *words, f"{server.host_key}.pub"], check=True)
    server.known_hosts.write_text(f"@cert-authority web1 {Path(f'{authority}.pub').read_text()}")
    server.restart()


@pytest.mark.parametrize("names", ["web1", "127.0.0.1", "web1.example,web1"])
async def test_a_certificate_for_the_name_or_the_address(
    names: str, server: sshd_server.Sshd, transport: ssh.SshTransport, tmp_path: Path
) -> None:
    sign(server, tmp_path, "-n", names)
    assert (await transport.run(server.host(), HELLO)).text("a") == "hello"


@pytest.mark.parametrize(("words", "said"), [
    (["-n", "web2"], "web1's host certificate is for other names"),
    (["-n", "web1", "-V", "20200101:20200201"], "web1's host certificate has expired"),
])
async def test_a_certificate_that_does_not_hold(
    words: list[str], said: str, server: sshd_server.Sshd, transport: ssh.SshTransport, tmp_path: Path
) -> None:
    sign(server, tmp_path, *words)
    with pytest.raises(errors.HostKeyError, match=said) as caught:
        await transport.run(server.host(), HELLO)
    assert "ssh-keygen -s CA -h -I web1 -n web1,127.0.0.1" in caught.value.hint
    assert server.logins() == 0


async def test_a_locked_key_that_the_agent_holds_is_not_said_to_be_missing_there(
    server: sshd_server.Sshd, transport: ssh.SshTransport, tmp_path: Path
) -> None:
    mine, path = sshd_server.make_key(tmp_path / "mine"), tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(sshd_server.LIMIT):
            while not path.exists():
                await asyncio.sleep(0.02)
        subprocess.run(["ssh-add", "-q", str(mine)], check=True, env={"SSH_AUTH_SOCK": str(path), "PATH": "/usr/bin:/bin"})
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", "a long one", "-f", str(mine)], check=True, capture_output=True)
        server.config.write_text(f"Host *\nIdentityFile {mine}\nIdentityAgent none\n")
        assert await denied(transport, server.host()) == (f"{mine} has a passphrase, and no agent holds it", f"ssh-add {mine}")
        server.config.write_text(f"Host *\nIdentityFile {mine}\nIdentityAgent {path}\n")
        again = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)])  # a call asks once
        last, hint = await denied(again, server.host())
        await again.close()
        assert last.startswith("ssh-ed25519 SHA256:") and last.endswith(" mine from the agent")
        assert hint.startswith("try by hand: ssh ")
    finally:
        agent.terminate()
        agent.wait()


async def denied(transport: ssh.SshTransport, host: hosts.Host) -> tuple[str, str]:
    """The last thing that was tried, and the hint."""
    with pytest.raises(errors.AuthenticationError) as caught:
        await transport.run(host, HELLO)
    tried = caught.value.message.partition("tried: ")[2]
    return tried.split(", ", 1)[-1] if "no agent (" in tried else tried, caught.value.hint


def fingerprint(key: Path) -> str:
    """What ssh-keygen calls a key."""
    told = subprocess.run(["ssh-keygen", "-l", "-E", "sha256", "-f", f"{key}.pub"], check=True, text=True, capture_output=True)
    return told.stdout.split()[1]


async def test_the_key_that_let_in_is_known(
    server: sshd_server.Sshd, transport: ssh.SshTransport, tmp_path: Path
) -> None:  # C6
    other = sshd_server.make_key(tmp_path / "other")
    server.config.write_text(f"Host *\nIdentityFile {other}\nIdentityFile {server.user_key}\nIdentityAgent none\n")
    host = server.host()
    assert base.key_of(transport, host) == "", "nobody was let in yet"
    await transport.run(host, HELLO)
    assert base.key_of(transport, host) == fingerprint(server.user_key)
    wrapped = telling.TellingTransport(routed.RoutedTransport({"ssh": lambda: transport}), lambda text: None)
    assert base.key_of(wrapped, host) == fingerprint(server.user_key)
    assert base.key_of(local.LocalTransport(), host) == "", "there is no key to this machine itself"
