"""Hosts that `ssh` reaches are reached the same way, with the same key; those that it does not are refused by what they wanted."""

import dataclasses
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sshd_server

from lading import errors
from lading.inventory import hosts
from lading.transport import command, ssh, wire

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
M = "MARK-5e5e"
HELLO = command.Command("hello", f"printf '\\n{M} a\\n'; echo hello", M)
Make = Callable[..., sshd_server.Sshd]
Agent = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[sshd_server.Sshd] = []

    def one(*more: str) -> sshd_server.Sshd:
        made.append(sshd_server.Sshd(tmp_path / f"sshd{len(made)}", *more))
        return made[-1]

    yield one
    for server in made:
        server.stop()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    running: list[subprocess.Popen[bytes]] = []

    def one(*keys: Path) -> Path:
        path = tmp_path / "agent"
        running.append(subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL))
        until = time.monotonic() + sshd_server.LIMIT
        while not path.exists():
            assert time.monotonic() < until
            time.sleep(0.01)
        subprocess.run(["ssh-add", "-q", *map(str, keys)], check=True, env={"SSH_AUTH_SOCK": str(path), "PATH": "/usr/bin:/bin"})
        return path

    yield one
    for process in running:
        process.terminate()
        process.wait()


async def hello(server: sshd_server.Sshd, host: hosts.Host) -> str:
    transport = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)])
    try:
        return (await transport.run(host, HELLO)).text("a")
    finally:
        await transport.close()


def by_ssh(server: sshd_server.Sshd, name: str = "web1") -> str:
    """What `ssh` itself gets, by the same configuration."""
    words = ["ssh", "-F", str(server.config), "-o", f"UserKnownHostsFile={server.known_hosts}", "-o", "BatchMode=yes", name, "echo hello"]
    return subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL).stdout.strip()


def configure(server: sshd_server.Sshd, *lines: str) -> hosts.Host:
    """The server as `Host web1` of its configuration."""
    server.config.write_text("\n".join([
        "Host web1", "HostName 127.0.0.1", f"Port {server.port}", f"User {server.user}", *lines, ""]))
    return hosts.Host("web1")


def keys(folder: Path, count: int) -> list[Path]:
    return [sshd_server.make_key(folder / f"other{number}") for number in range(count)]


@pytest.mark.parametrize("line", ["IdentityFile {key}", "IdentityFile {key}\nIdentitiesOnly yes"])
async def test_more_than_five_keys_in_the_agent(line: str, make: Make, agent: Agent, tmp_path: Path) -> None:
    server = make("MaxAuthTries 6")
    socket = agent(*keys(tmp_path, 8), server.user_key)
    host = configure(server, line.format(key=server.user_key), f"IdentityAgent {socket}")
    assert (by_ssh(server), await hello(server, host)) == ("hello", "hello")


async def test_a_key_of_which_only_the_public_half_is_here(make: Make, agent: Agent, tmp_path: Path) -> None:
    server = make("MaxAuthTries 2")
    socket = agent(*keys(tmp_path, 5), server.user_key)
    (tmp_path / "mine.pub").write_bytes(Path(f"{server.user_key}.pub").read_bytes())
    host = configure(server, f"IdentityFile {tmp_path}/mine", "IdentitiesOnly yes", f"IdentityAgent {socket}")
    assert (by_ssh(server), await hello(server, host)) == ("hello", "hello")
    named = dataclasses.replace(host, key_file=f"{tmp_path}/mine")
    assert await hello(server, named) == "hello"


@pytest.mark.parametrize("way", ["a file", "the agent", "beside the key", "the agent, beside"])
async def test_a_certificate(way: str, make: Make, agent: Agent, tmp_path: Path) -> None:
    authority = sshd_server.make_key(tmp_path / "authority")
    server = make(f"TrustedUserCAKeys {authority}.pub", "AuthorizedKeysFile none")
    mine = sshd_server.make_key(tmp_path / "mine")
    subprocess.run(["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", server.user, f"{mine}.pub"], check=True)
    lines = [f"IdentityFile {mine}", "IdentitiesOnly yes", "IdentityAgent none"]
    if way in ("a file", "the agent"):
        Path(f"{mine}-cert.pub").rename(tmp_path / "signed.pub")
        lines.append(f"CertificateFile {tmp_path}/signed.pub")
    if way.startswith("the agent"):
        lines[2] = f"IdentityAgent {agent(mine)}"
        mine.unlink()
    host = configure(server, *lines)
    assert (by_ssh(server), await hello(server, host)) == ("hello", "hello")


async def test_a_jump_by_the_same_configuration(make: Make) -> None:
    server, bastion = make(), make()
    Path(f"{bastion.user_key}.pub").write_bytes(Path(f"{server.user_key}.pub").read_bytes())
    server.known_hosts.write_text(server.known_line() + bastion.known_line())
    host = configure(server, "ProxyJump gate", "", "Host gate", "HostName 127.0.0.1", f"Port {bastion.port}", f"User {bastion.user}",
                     "", "Host *", f"IdentityFile {server.user_key}", "IdentityAgent none", f"UserKnownHostsFile {server.known_hosts}")
    bastion.restart()
    assert (by_ssh(server), await hello(server, host)) == ("hello", "hello")
    assert (server.logins(), bastion.logins()) == (2, 2)


async def test_a_jump_host_that_forbids_forwarding(make: Make) -> None:
    server, bastion = make(), make("AllowTcpForwarding no")
    Path(f"{bastion.user_key}.pub").write_bytes(Path(f"{server.user_key}.pub").read_bytes())
    server.known_hosts.write_text(server.known_line() + bastion.known_line())
    bastion.restart()
    host = dataclasses.replace(server.host(), jump=f"{bastion.user}@127.0.0.1:{bastion.port}")
    with pytest.raises(errors.UnreachableError, match="web1 is not reached: its jump host .* forbids forwarding") as caught:
        await hello(server, host)
    assert "AllowTcpForwarding" in caught.value.hint


async def test_a_jump_host_that_finds_nobody(make: Make) -> None:
    server = make()
    host = dataclasses.replace(server.host(), port=sshd_server.free_port(), jump=f"{server.user}@127.0.0.1:{server.port}")
    with pytest.raises(errors.UnreachableError, match="web1 .* cannot be reached from its jump host .*: connect(ion refused|.* failed)"):
        await hello(server, host)


async def test_a_server_that_takes_no_keys(make: Make) -> None:
    server = make("PubkeyAuthentication no", "PasswordAuthentication yes", "KbdInteractiveAuthentication yes")
    with pytest.raises(errors.AuthenticationError, match="; the server takes only (password, keyboard-interactive|keyboard-interactive, password); tried: ") as caught:
        await hello(server, server.host())
    assert caught.value.hint.endswith(f"ssh-copy-id -p {server.port} {server.user}@127.0.0.1")


async def test_no_keys_of_ours(make: Make) -> None:
    server = make()
    host = configure(server, f"IdentityFile {server.user_key}", "PubkeyAuthentication no")
    with pytest.raises(errors.AuthenticationError, match="PubkeyAuthentication is no"):
        await hello(server, host)


@pytest.mark.parametrize(("start", "said"), [
    ("exec sh", "in another shell than the one that lading starts"), ("exec tail -n +1 -f /dev/null", "runs nothing of what it is sent within 2 s"),
])
async def test_a_startup_file_that_starts_another_shell(
    start: str, said: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ForceCommand` does what such a file does: it comes before the command that was asked for."""
    begin = tmp_path / "begin"
    begin.write_text(f"{start}\neval \"$SSH_ORIGINAL_COMMAND\"\n")
    server = make(f"ForceCommand /bin/sh {begin}")
    monkeypatch.setattr(wire, "PROOF", 2.0)
    payload = bytes(3 * 8192)
    what = command.Command("first", f"head -c {len(payload)} >/dev/null; printf '\\n{M} a\\n'; echo hello", M, (payload,))
    transport = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)])
    begun = time.monotonic()
    with pytest.raises(errors.ShellError, match=said) as caught:
        await transport.run(server.host(), what)
    await transport.close()
    assert (time.monotonic() - begun < 20, caught.value.host, caught.value.step) == (True, "web1", "first")


async def test_what_is_proven_once_is_not_asked_again(make: Make) -> None:
    server = make()
    transport = ssh.SshTransport(environment=os.environ, known_hosts=str(server.known_hosts), config_files=[str(server.config)])
    what = command.Command("first", f"printf '\\n{M} a\\n'; head -c 30000 | wc -c; printf '\\n{M} end\\n'", M, (bytes(30000),))
    for _ in range(2):
        done = await transport.run(server.host(), what)
        assert (done.text("a"), sorted(done.parts)) == ("30000", ["a", "end"])
    await transport.close()
