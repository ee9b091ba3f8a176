"""A server is offered nothing weaker than OpenSSH's own defaults: refused with what it wanted; a user's ssh_config may ask for more."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sshd_server

from lading import errors
from lading.transport import command, ssh

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
M = "MARK-77aa"
HELLO = command.Command("hello", f"printf '\\n{M} a\\n'; echo hello", M)
WEAK = {  # what a server has, and nothing else of its kind → what is said of it
    "KexAlgorithms diffie-hellman-group14-sha1": "key exchange algorithms .*: diffie-hellman-group14-sha1$",
    "KexAlgorithms diffie-hellman-group1-sha1": "key exchange algorithms .*: diffie-hellman-group1-sha1$",
    "KexAlgorithms diffie-hellman-group-exchange-sha1": "key exchange algorithms .*: diffie-hellman-group-exchange-sha1$",
    "Ciphers aes128-cbc,3des-cbc": "encryption algorithms .*: aes128-cbc,3des-cbc$",
    "MACs hmac-md5,hmac-sha1-96\nCiphers aes128-ctr": "MAC algorithms .*: hmac-md5,hmac-sha1-96$",
}
Make = Callable[..., sshd_server.Sshd]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[sshd_server.Sshd] = []

    def one(*more: str) -> sshd_server.Sshd:
        made.append(sshd_server.Sshd(tmp_path / str(len(made)), *more))
        return made[-1]

    yield one
    for server in made:
        server.stop()


async def said(server: sshd_server.Sshd) -> str:
    """What a server answers."""
    transport = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)])
    try:
        return (await transport.run(server.host(), HELLO)).text("a")
    finally:
        await transport.close()


@pytest.mark.parametrize("words", WEAK)
async def test_weak_ones_are_refused_by_name(make: Make, words: str) -> None:
    server = make(*words.split("\n"))
    with pytest.raises(errors.UnreachableError, match=WEAK[words]) as caught:
        await said(server)
    option, _, names = words.split("\n")[0].partition(" ")
    assert f"Host 127.0.0.1, and below it: {option} +{names}" in caught.value.hint
    transport = ssh.SshTransport(environment=os.environ, config_files=[str(server.config)])
    with pytest.raises(errors.UnreachableError, match=WEAK[words]):
        await transport.fetch_host_keys(server.host())
    await transport.close()
    assert server.logins() == 0


@pytest.mark.filterwarnings("ignore:Diffie-Hellman over finite fields")
@pytest.mark.parametrize("words", ["KexAlgorithms +{}", "KexAlgorithms ^{}", "KexAlgorithms {}"])
async def test_who_asks_for_more_in_ssh_config_gets_it(make: Make, words: str) -> None:
    server = make("KexAlgorithms diffie-hellman-group14-sha1")
    server.write_config("Host 127.0.0.1", words.format("diffie-hellman-group14-sha1"))
    assert await said(server) == "hello"


async def test_who_asks_for_less_gets_less(make: Make) -> None:
    server = make("KexAlgorithms curve25519-sha256")
    server.write_config("Host 127.0.0.1", "KexAlgorithms -curve25519*")
    with pytest.raises(errors.UnreachableError, match="key exchange algorithms"):
        await said(server)


@pytest.mark.parametrize("asked", [(), ("Host 127.0.0.1", "HostKeyAlgorithms +ssh-rsa", "PubkeyAcceptedAlgorithms +ssh-rsa")])
async def test_a_host_key_that_signs_by_sha1_is_refused(make: Make, asked: tuple[str, ...]) -> None:
    server = make("HostKeyAlgorithms ssh-rsa")
    key = server.folder / "rsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", str(key)], check=True)
    config = server.folder / "sshd_config"
    config.write_text(config.read_text().replace(str(server.host_key), str(key)))
    server.known_hosts.write_text(server.known_line(key))
    server.restart()
    server.write_config(*asked)
    with pytest.raises(errors.UnreachableError, match="SHA-1") as caught:
        await said(server)
    assert "ssh-keygen -A" in caught.value.hint
    assert server.logins() == 0


async def test_a_certificate_that_was_signed_by_sha1_is_refused(make: Make, tmp_path: Path) -> None:
    server = make()
    authority = tmp_path / "authority"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", str(authority)], check=True)
    config = server.folder / "sshd_config"
    config.write_text(config.read_text() + f"HostCertificate {server.host_key}-cert.pub\n")
    trusted = " ".join(Path(f"{authority}.pub").read_text().split()[:2])
    server.known_hosts.write_text(f"@cert-authority [127.0.0.1]:{server.port} {trusted}\n")
    for algorithm, good in (("rsa-sha2-256", True), ("ssh-rsa", False)):
        argv = ["ssh-keygen", "-q", "-t", algorithm, "-s", str(authority), "-I", "web1", "-h", "-n", "127.0.0.1", f"{server.host_key}.pub"]
        subprocess.run(argv, check=True)
        server.restart()
        if good:
            assert await said(server) == "hello"
            continue
        with pytest.raises(errors.TransportError):
            await said(server)


def test_nothing_of_it_is_said_on_stderr(make: Make, tmp_path: Path) -> None:
    """The library warns of what OpenSSH uses too; whoever deploys has nothing of that."""
    server = make("KexAlgorithms diffie-hellman-group16-sha512")
    fleet = tmp_path / "lading.yaml"
    fleet.write_text(f"lading: 1\nhosts: {{web1: {{address: 127.0.0.1, port: {server.port}, user: {server.user}}}}}\n"
                     f"ssh: {{known_hosts: {server.known_hosts}}}\n")
    argv = [sys.executable, "-m", "lading", "--config", str(fleet), "where"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False,
                          env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "SSH_AUTH_SOCK": ""})
    assert "Warning" not in done.stderr, done.stderr
    assert "does not let" in done.stderr + done.stdout or done.returncode == 6, done.stderr + done.stdout


async def test_a_key_that_is_restricted_is_enough(make: Make) -> None:
    """No forwarding, no terminal, no ~/.ssh/rc: docs/security.md recommends it."""
    server = make()
    public = Path(f"{server.user_key}.pub")
    public.write_text(f"restrict {public.read_text()}")
    assert await said(server) == "hello"
