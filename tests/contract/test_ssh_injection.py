"""No name of a host or user gets to a shell by way of a ProxyCommand or `Match exec`: refused first, with `ssh` and without."""

import asyncio
import dataclasses
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from lading import errors, settings
from lading.inventory import hosts
from lading.transport import configuration, ssh, target

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]
NAMES = [
    "web1", "10.0.0.1", "::1", "fe80::1%lo", "a b", "a\tb", "user@web1", "ssh://me@web1:99", "-oPort=1", "x$(id)", "x`id`", "x;id", "a|b", "a&b",
    "a<b", "a>b", "a(b", "{a}", "a,b", "a'b", 'a"b', "a\\b", "a\x01b", "é.example", "a%hb", "u;x@web1", "-x@web1", "D\\me@web1", "a -b@web1",
]
PROGRAMS = pytest.mark.parametrize("program", [None, ""], ids=["ssh", "asyncssh"])


def asked(config: Path, text: str, program: str | None = None) -> configuration.OpenSsh:
    config.write_text(text)
    return configuration.OpenSsh(os.environ, [str(config)], program)


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_means_beside_others_what_it_means_alone(name: str, tmp_path: Path) -> None:
    text = "Host *\n  User dep\n  ProxyCommand nc %h %p\n"
    shared = asked(tmp_path / "config", text)
    await shared.of("db1")
    by_hand = subprocess.run(["ssh", "-TG", "-F", str(tmp_path / "config"), "--", name], capture_output=True, check=False)
    if by_hand.returncode:
        with pytest.raises(errors.SettingsError):
            await shared.of(name)
        with pytest.raises(errors.SettingsError, match="cannot be used"):
            await target.resolve(hosts.Host("web1", name), {}, "", "", shared)
        return
    assert await shared.of(name) == await asked(tmp_path / "config", text).of(name)
    lines = dict(line.split(" ", 1) for line in by_hand.stdout.decode().splitlines() if " " in line)
    said = (await target.resolve(hosts.Host("web1", name), {}, "", "", shared))._said
    assert (said.hostname, said.user, said.port) == (lines["hostname"], lines["user"], int(lines["port"]))


@PROGRAMS
@pytest.mark.parametrize("host", [
    hosts.Host("web2", "x$(touch {})", origin="inv.ini:2"), hosts.Host("web2", "127.0.0.1", "a`touch {}`", origin="inv.ini:2"),
    hosts.Host("web2", "127.0.0.1", "me", jump="web1,x;touch$IFS{}", origin="inv.ini:2"),
    hosts.Host("web2", "127.0.0.1", "a;touch {};", proxy_command="sh -c 'nc %h %r'", origin="inv.ini:2"),
    hosts.Host("web2", "x;touch {};", proxy_command="sh -c 'nc %h'", origin="inv.ini:2"),
], ids=["address", "user", "jump host", "user in a ProxyCommand of its own", "address in a ProxyCommand of its own"])
async def test_what_an_inventory_says_runs_nothing(host: hosts.Host, program: str | None, tmp_path: Path) -> None:
    mark, config = tmp_path / "mark", tmp_path / "config"
    host = dataclasses.replace(host, **{key: getattr(host, key).format(mark) for key in ("address", "user", "jump")})
    config.write_text('Host *\n  ProxyCommand /bin/false %h %p %r %n\nMatch exec "test %h = %r"\n  Port 23\n')
    transport = ssh.SshTransport(environment=os.environ, config_files=[str(config)])
    transport._openssh = configuration.OpenSsh(os.environ, [str(config)], program)
    for one in (hosts.Host("web1", "127.0.0.1"), host):
        with pytest.raises(errors.LadingError) as caught:
            await transport.fetch_host_keys(one)
    assert isinstance(caught.value, errors.SettingsError)
    assert (caught.value.host, caught.value.file, caught.value.line) == ("web2", "inv.ini", 2)
    assert "cannot be used: a leading -, blanks, commas and the signs of a shell" in caught.value.message
    assert not mark.exists()
    await transport.close()


@PROGRAMS
@pytest.mark.parametrize("line", ["HostName x;touch$IFS{}", "ProxyJump x;touch$IFS{}", "User a;touch$IFS{};"])
async def test_nor_does_what_the_configuration_names(line: str, program: str | None, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    proxy = "" if "Jump" in line else "ProxyCommand /bin/false %h %r\n"
    one = asked(tmp_path / "config", f"{line.format(mark)}\n{proxy}", program)
    with pytest.raises(errors.SettingsError) as caught:
        (await target.resolve(hosts.Host("web1"), {}, "", "", one))._by_proxy().__enter__()
    assert caught.value.host == "web1"
    assert not mark.exists()


@pytest.mark.parametrize(("where", "line"), [("hosts", 2), ("group_vars/all.yml", 1), ("host_vars/web2.yml", 1)])
def test_an_inventory_is_refused_where_it_says_so(where: str, line: int, tmp_path: Path) -> None:
    value = "x$(touch pwn)"
    (tmp_path / "hosts").write_text(f"web1 ansible_host=127.0.0.1\nweb2 {f'ansible_host={shlex.quote(value)}' if where == 'hosts' else ''}\n")
    if where != "hosts":
        (tmp_path / where).parent.mkdir()
        (tmp_path / where).write_text(f"ansible_host: {value}\n")
    (tmp_path / "lading.yaml").write_text("lading: 1\ninventory: hosts\n")
    found = settings.load(tmp_path / "lading.yaml", os.environ).inventory
    with pytest.raises(errors.SettingsError, match="web2: ansible_host: .* cannot be used") as caught:
        found.choose(["web2"])
    assert (caught.value.host, caught.value.file, caught.value.line) == ("web2", str(tmp_path / where), line)


async def test_a_hint_can_be_pasted(tmp_path: Path) -> None:
    one = asked(tmp_path / "config", "Bogus yes\n")
    with pytest.raises(errors.SettingsError) as caught:
        await one.of(f"x$(touch {tmp_path / 'mark'})")
    words = caught.value.hint.removeprefix("try by hand: ")
    assert shlex.split(words) == ["ssh", "-G", "--", f"x$(touch {tmp_path / 'mark'})"]
    subprocess.run(["/bin/sh", "-c", words], capture_output=True, check=False)
    assert not (tmp_path / "mark").exists()


async def test_what_is_wrong_is_told_of_the_host_whose_address_it_is(tmp_path: Path) -> None:
    one = asked(tmp_path / "config", "Bogus yes\n")
    for name in ("web1", "web2"):
        with pytest.raises(errors.SettingsError, match="Bad configuration option") as caught:
            await target.resolve(hosts.Host(name, f"{name}.example"), {}, "", "", one)
        assert (caught.value.host, caught.value.hint) == (name, f"try by hand: ssh -G -- {name}.example")


async def test_so_is_an_ssh_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "LIMIT", 3.0)
    program = tmp_path / "ssh"
    program.write_text('#!/bin/sh\ncase "$*" in *lading.invalid) exec ssh "$@";; esac\nexec tail -f /dev/null\n')
    program.chmod(0o755)
    one = asked(tmp_path / "config", "", str(program))

    async def failure(name: str) -> errors.LadingError:
        with pytest.raises(errors.SettingsError, match="`ssh -G` did not end within 3 s") as caught:
            await target.resolve(hosts.Host(name, f"{name}.example"), {}, "", "", one)
        return caught.value

    found = await asyncio.gather(failure("web1"), failure("web2"))
    assert [wrong.host for wrong in found] == ["web1", "web2"]


async def test_the_line_to_try_by_hand_is_quoted(tmp_path: Path) -> None:
    one = asked(tmp_path / "config", "")
    at = await target.resolve(hosts.Host("web1", "10.0.0.1", "DOMAIN\\me", jump="gate"), {}, "", "", one)
    at._via = "DOMAIN\\me@gate"
    assert shlex.split(at.by_hand()) == ["ssh", "-J", "DOMAIN\\me@gate", "DOMAIN\\me@10.0.0.1"]
