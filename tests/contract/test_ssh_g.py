"""What asyncssh is given is what `ssh -G` says, over many configurations; without `ssh`, the same where asyncssh can read it."""

import asyncio
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lading import errors
from lading.inventory import hosts
from lading.transport import algorithms, configuration, openssh, reaching, target

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
HOME = os.path.expanduser("~")  # noqa: PTH111 (a text)
WEB1 = hosts.Host("web1")
GROUP = "diffie-hellman-group-exchange-sha256"  # OpenSSH's, of which asyncssh would take small groups
BLOCK = "Host web1\n  "
ALIKE = [  # settings that asyncssh reads as OpenSSH does
    "", "HostName 192.0.2.7", "HostName %h.example.org", "User deploy", "Port 2222", "User deploy\nPort 2222", "User one\nUser two",
    "Host web1\nUser one\nHost *\nUser two", "Host other\nUser one\nHost *\nUser two", "Host web?\nUser one", "Host web* !web1\nUser one",
    "Host !web2 web*\nUser one", "Host other web1\nUser one", "ProxyJump bastion", "ProxyJump me@bastion:2200", "ProxyJump a,b:23",
    "ProxyJump none", "ProxyCommand nc %h %p", "ProxyCommand ssh -W %h:%p gate",
    "ProxyCommand none", "ProxyJump none\nProxyJump bastion", "IdentityFile ~/.ssh/%h_key", "IdentityFile /k/%n/%r/%p",
    "IdentityFile /one\nIdentityFile /two", "IdentityFile ${HOME}/k", "IdentityFile /k/%%x", "IdentityFile /k/%u-%i", "IdentityFile %d/k",
    "CertificateFile /c-cert.pub", "CertificateFile /c/%r\nCertificateFile /d", "IdentitiesOnly yes", "IdentitiesOnly no",
    "IdentityAgent none", "IdentityAgent /run/agent", "IdentityAgent ~/agent", "ServerAliveInterval 60", "ServerAliveInterval 0",
    "ServerAliveCountMax 5", "ConnectTimeout 30", "ConnectTimeout=30", "Port = 24", "HostKeyAlias web", "PubkeyAuthentication no",
    "PubkeyAuthentication yes", "AddressFamily inet", "AddressFamily inet6", "AddressFamily any", "BindAddress 127.0.0.1",
    "UserKnownHostsFile /one /two", "GlobalKnownHostsFile /all", "Match host web1\nUser one", "Match originalhost web1\nUser one",
    "Match all\nUser one", "Match user root\nPort 23", "Match exec true\nUser one", "Match exec false\nUser one",
    "Host web1\nHostName x\nMatch host x\nUser one", "Host web1\nHostName x\nMatch host web1\nUser one", "KexAlgorithms curve25519-sha256",
    "Ciphers aes256-ctr,aes128-ctr", "MACs hmac-sha2-512", "HostKeyAlgorithms rsa-sha2-512", "Ciphers -*-ctr", "MACs -umac*",
    "Ciphers +aes128-cbc", "KexAlgorithms +diffie-hellman-group14-sha1", "HostKeyAlgorithms -ecdsa*",
]
ONLY_OPENSSH = [  # settings that asyncssh reads otherwise, or not at all
    "User deploy  # comment", "ConnectTimeout 10s", "ConnectTimeout 1m", "ServerAliveInterval 1m", "PubkeyAuthentication unbound",
    "PubkeyAuthentication host-bound", 'Match exec "test %h = web1"\nUser one', 'Match exec "test %n = web2"\nUser one',
    'User "de=ploy"', "ProxyCommand nc %h %p\nProxyJump bastion", "ProxyJump bastion\nProxyCommand nc %h %p", "Host web1 # x\nUser one",
    "Host a,web1\nUser one", "# caf\xe9\nUser one", "IdentityAgent SSH_AUTH_SOCK", "IdentityAgent $MINE", 'IdentityFile "/a b/k"',
    'UserKnownHostsFile "/a b" /two', "UserKnownHostsFile none", "UserKnownHostsFile ~/.ssh/kh_%h", "IdentityFile none",
    "Match final\nUser one", "Match !host web2\nUser one", "Match localuser root\nUser one", "CertificateFile none",
    "ServerAliveInterval 1h", "KexAlgorithms ^curve25519-sha256,ecdh-sha2-nistp256", "Ciphers ^aes128-ctr", "HostKeyAlgorithms ^rsa-sha2-512",
    "CanonicalizeHostname no\nUser one", "ProxyJump ssh://me@bastion:24", "Compression yes\nPort 25", "KexAlgorithms -ecdh-*",
]


def by_hand(config: Path, *words: str) -> dict[str, list[str]]:
    """What `ssh -G` prints, each option's values in their order."""
    done = subprocess.run(["ssh", "-T", "-G", "-F", str(config), *words, "web1"], check=True, capture_output=True)
    found: dict[str, list[str]] = {}
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)
    return found


def filled(path: str, said: dict[str, list[str]]) -> str:
    """A path of `ssh -G` as `ssh` opens it."""
    values = {"%h": said["hostname"][0], "%n": "web1", "%r": said["user"][0], "%p": said["port"][0], "%u": "root" if os.getuid() == 0 else
              said["user"][0], "%i": str(os.getuid()), "%d": HOME, "${HOME}": HOME, "%%": "%"}
    path = HOME + path[1:] if path.startswith("~/") else path
    for token, value in values.items():
        path = path.replace(token, value)
    return path


async def given(config: Path, host: hosts.Host = WEB1, **more: Any) -> tuple[dict[str, Any], openssh.Configured, target.Target]:
    """What asyncssh gets for *host*, and out of what."""
    asked = configuration.OpenSsh(os.environ, [str(config)], **more)
    at = await target.resolve(host, {"connect_timeout": 0, "keepalive_interval": 0}, "", "", asked)
    return at._arguments, at._said, at


@pytest.mark.parametrize("text", [*ALIKE, *ONLY_OPENSSH])
async def test_what_ssh_says(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/standard")
    monkeypatch.setenv("MINE", "/run/mine")
    config = tmp_path / "config"
    config.write_bytes(f"{text}\n".encode("latin-1"))
    real = by_hand(config)
    told, said, at = await given(config)
    assert (told["host"], told["port"], told["username"]) == (real["hostname"][0], int(real["port"][0]), real["user"][0])
    patience, alive = real["connecttimeout"][0], int(real["serveraliveinterval"][0])
    assert told["connect_timeout"] == (reaching.CONNECT if patience == "none" else int(patience))
    assert told["keepalive_interval"] == (alive or reaching.KEEPALIVE)
    families = {"any": socket.AF_UNSPEC, "inet": socket.AF_INET, "inet6": socket.AF_INET6}
    assert told["family"] == families[real["addressfamily"][0]]
    assert told.get("local_addr") == ((real["bindaddress"][0], 0) if "bindaddress" in real else None)
    assert told["host_key_alias"] == real.get("hostkeyalias", [None])[0]
    assert list(said.identity_files) == [filled(one, real) for one in real.get("identityfile", []) if one != "none"]
    assert list(said.certificate_files) == [filled(one, real) for one in real.get("certificatefile", []) if one != "none"]
    agents = {"none": "", "SSH_AUTH_SOCK": "/run/standard", "$MINE": "/run/mine"}
    agent = real.get("identityagent", ["SSH_AUTH_SOCK"])[0]
    assert said.agent == agents.get(agent, filled(agent, real))
    assert said.identities_only == (real["identitiesonly"][0] == "yes")
    assert said.by_key == (real["pubkeyauthentication"][0] not in ("no", "false"))
    jump = real.get("proxyjump", [""])[0]
    assert at.jump == ("" if jump == "none" else jump)
    proxy = real.get("proxycommand", [""])[0]
    assert at._proxy == ("" if proxy == "none" else filled(proxy, real))
    files = [*real["userknownhostsfile"][0].split(), *real["globalknownhostsfile"][0].split()]
    assert " ".join(said.known_hosts).split() == [one for one in files if one != "none"]
    for option, name in (("kexalgorithms", "kex_algs"), ("ciphers", "encryption_algs"), ("macs", "mac_algs")):
        taken = [one for one in told[name] if one in real[option][0].split(",")]
        assert taken == told[name] or set(told[name]) <= {*real[option][0].split(","), *algorithms.KEX}, option
        assert GROUP not in told[name]
        assert taken, option
    asked = [one for one in told["server_host_key_algs"] if one not in real["hostkeyalgorithms"][0].split(",")]
    assert asked == []


@pytest.mark.parametrize("text", ALIKE)
async def test_what_asyncssh_reads_alike(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/standard")
    config = tmp_path / "config"
    config.write_text(f"{text}\n")
    told, said, at = await given(config)
    other, read, way = await given(config, program="")
    names = ("host", "port", "username", "connect_timeout", "keepalive_interval", "family", "host_key_alias", "server_host_key_algs")
    assert {name: other[name] for name in names} == {name: told[name] for name in names}
    assert (way.jump, way._proxy) == (at.jump, at._proxy)
    assert (read.agent, read.identities_only, read.by_key) == (said.agent, said.identities_only, said.by_key)
    assert read.certificate_files == said.certificate_files
    if "IdentityFile" in text:
        assert read.identity_files == said.identity_files
    for name in ("kex_algs", "encryption_algs", "mac_algs"):
        assert set(other[name]) == set(told[name]), name


async def test_what_the_fleet_file_says_wins(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("User theirs\nPort 23\nConnectTimeout 5\nIdentityFile /theirs\nProxyJump far\nMatch user mine\nHostName 192.0.2.9\n")
    key = tmp_path / "key"
    key.touch()
    host = hosts.Host("web1", user="mine", port=24, connect_timeout=7, key_file=str(key), jump="near")
    told, said, at = await given(config, host)
    assert (told["host"], told["port"], told["username"], told["connect_timeout"]) == ("192.0.2.9", 24, "mine", 7)
    assert (said.identity_files, at.jump) == ((str(key),), "near")


@pytest.mark.parametrize(("text", "user"), [("", "fleet"), ("User theirs", "theirs"), ("Host other\nUser theirs", "fleet")])
async def test_the_fleets_user_is_for_names_without_one(text: str, user: str, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f"{text}\n")
    for program in (None, ""):
        asked = configuration.OpenSsh(os.environ, [str(config)], program)
        assert (await target.resolve(hosts.Host("web1"), {}, "fleet", "", asked))._said.user == user
        addressed = hosts.Host("web1", "192.0.2.1")
        assert (await target.resolve(addressed, {}, "fleet", "", asked))._said.user == "fleet"


async def test_a_home_of_ones_own_counts_and_so_does_the_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host web1\nPort 25\nIdentityFile ~/.ssh/mine\n")
    system = tmp_path / "system"
    system.write_text("Port 26\nUser everybody\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(configuration, "SYSTEM", str(system))
    said = await configuration.OpenSsh(os.environ).of("web1")
    assert (said.port, said.user, said.identity_files) == (25, "everybody", (str(tmp_path / ".ssh" / "mine"),))
    assert said.known_hosts[0] == str(tmp_path / ".ssh" / "known_hosts")


async def test_a_wrong_configuration_is_named(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host *\nBogus yes\n")
    with pytest.raises(errors.SettingsError, match="line 2: Bad configuration option: bogus"):
        await given(config)


def counted(folder: Path) -> tuple[str, Path]:
    """An `ssh` that notes each of its calls, and the file in which it does."""
    program, notes = folder / "ssh", folder / "notes"
    program.write_text(f'#!/bin/sh\necho "$*" >>{notes}\nexec ssh "$@"\n')
    program.chmod(0o755)
    return str(program), notes


@pytest.mark.parametrize(("text", "calls"), [
    ("User one\n", 1), ("Host web*\nUser one\nHost db*\nUser two\n", 2), ("Host web1?\nUser one\nProxyCommand nc %h %p\n", 2),
    ("Host db*\nHostName 192.0.2.1\n", 21), ("Match exec true\nUser one\n", 40), ('Host "web1"\nUser one\n', 40),
])
async def test_hosts_that_are_alike_are_asked_for_once(text: str, calls: int, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(text)
    program, notes = counted(tmp_path)
    asked = configuration.OpenSsh(os.environ, [str(config)], program)
    names = [f"{kind}{number}" for kind in ("web", "db") for number in range(20)]
    for _ in range(2):
        found = await asyncio.gather(*(asked.of(name) for name in names))
    assert len(notes.read_text().splitlines()) == calls + 1, "and one for what OpenSSH does by itself"
    single = configuration.OpenSsh(os.environ, [str(config)])
    assert found[0] == await single.of("web0")
    assert found[39] == await configuration.OpenSsh(os.environ, [str(config)]).of("db19")


OWN = "".join(f"Host web{number}\n  HostName 192.0.2.{number}\n  User one\n" for number in range(20))


@pytest.mark.parametrize(("text", "calls"), [
    (f"{OWN}Host db*\n  User two\n", 2), (f"{OWN}Host *\n  ProxyJump gate\n  IdentityFile ~/.ssh/%h\n", 2), (f"Host db*\n  Port 23\n{OWN}", 2),
    (f"{OWN}Match final all\n  Port 24\n", 2), (f"{OWN}Match final all\nHost 192.0.2.1?\n  Port 24\n", 3),
    (f"Host web1*\n  HostName 192.0.2.1\n{OWN}", 13), (f"{OWN}Host web7 db7\n  Port 24\n", 4),
])
async def test_what_is_told_of_hosts_that_are_alike_is_what_each_would_be_told(text: str, calls: int, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(text)
    program, notes = counted(tmp_path)
    asked = configuration.OpenSsh(os.environ, [str(config)], program)
    names = [f"{kind}{number}" for kind in ("web", "db") for number in range(20)]
    found = await asyncio.gather(*(asked.of(name) for name in names))
    assert len(notes.read_text().splitlines()) == calls + 1
    for name, said in zip(names, found, strict=True):
        assert said == await configuration.OpenSsh(os.environ, [str(config)]).of(name), name


async def test_an_ssh_that_is_another_program(tmp_path: Path) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\necho 'Unknown option -G' >&2\nexit 1\n")
    (tmp_path / "ssh").chmod(0o755)
    config = tmp_path / "config"
    config.write_text("Port 23\n")
    assert (await configuration.OpenSsh(os.environ, [str(config)], str(tmp_path / "ssh")).of("web1")).port == 23
