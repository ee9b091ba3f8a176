"""A host that is this machine: what the fleet file may say of it, and what its commands are given (issue 14)."""

import asyncio
import os
from pathlib import Path

import pytest

from lading import allowed, errors, settings
from lading.inventory import hosts
from lading.transport import command, local


def fleet(folder: Path, host: str, more: str = "") -> settings.Settings:
    """The settings of a fleet file with one host."""
    path = folder / "lading.yaml"
    path.write_text(f"lading: 1\nhosts:\n  here: {host}\n{more}")
    return settings.load(path, {})


def test_it_needs_no_address(tmp_path: Path) -> None:
    (host,) = fleet(tmp_path, "{transport: local, sudo: true}").inventory.hosts.values()
    assert (host.is_local, host.sudo, host.place) == (True, True, "(this machine)")


@pytest.mark.parametrize("more", ["address: 10.0.0.1", "port: 22", "user: deploy", "jump: web1"])
def test_nothing_leads_there(more: str, tmp_path: Path) -> None:
    with pytest.raises(errors.SettingsError, match="is this machine, and nothing leads there") as caught:
        fleet(tmp_path, f"{{transport: local, {more}}}")
    assert (caught.value.line, more.partition(":")[0] in caught.value.hint) == (3, True)


@pytest.mark.parametrize("more", ["transport: local\n", "destinations: {all: {hosts: [here], transport: local}}\n"])
def test_a_whole_fleet_is_never_this_machine(more: str, tmp_path: Path) -> None:
    with pytest.raises(errors.SettingsError, match="must be ssh or ansible, not 'local'"):
        fleet(tmp_path, "{}", more)


def test_a_fleet_file_that_was_found_needs_its_user_s_word(tmp_path: Path) -> None:
    fleet(tmp_path, "{transport: local}")
    (entry,) = allowed.entries(tmp_path / "lading.yaml", settings.parse_file(tmp_path / "lading.yaml"))
    assert (entry.option, entry.does) == ("hosts.here.transport", "works on this machine's own Docker")


def test_commands_are_given_what_a_login_has_and_the_way_to_docker() -> None:
    caller = {
        "PATH": "/bin", "HOME": "/root", "LC_ALL": "C", "DOCKER_HOST": "unix:///run/x", "DOCKER_CONTEXT": "y",
        "REGISTRY_PASSWORD": "p", "LADING_LEDGER": "postgresql://", "SSH_AUTH_SOCK": "/a", "VERSION": "1",
    }
    assert set(local.login_environment(caller)) == {"PATH", "HOME", "LC_ALL", "DOCKER_HOST", "DOCKER_CONTEXT"}


def said(script: str, caller: dict[str, str]) -> str:
    """What a command on this machine prints."""
    async def run() -> str:
        transport = local.LocalTransport(environment=local.login_environment(caller))
        here = hosts.Host("here", transport=hosts.LOCAL)
        stream = await transport.open_program(here, command.Command("try", script, "marker"))
        found = b""
        while more := await stream.read():
            found += more
        await transport.close()
        return found.decode()
    return asyncio.run(run())


def test_commands_begin_where_a_login_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    caller = {"PATH": os.environ["PATH"], "HOME": str(home), "DOCKER_CONFIG": "logins"}
    assert said('printf "%s %s" "$PWD" "$DOCKER_CONFIG"', caller) == f"{home} {elsewhere}/logins"
    assert said('printf %s "$PWD"', caller | {"HOME": str(tmp_path / "gone")}) == "/"


@pytest.mark.parametrize(("text", "address"), [("'[fe80::1]'", "fe80::1"), ("fe80::1", "fe80::1"), ("web1", "web1")])
def test_an_ipv6_address_may_stand_in_brackets(text: str, address: str, tmp_path: Path) -> None:
    assert fleet(tmp_path, f"{{address: {text}}}").inventory.hosts["here"].address == address


@pytest.mark.parametrize("text", ["'[::1]:22'", "ann@web1"])
def test_what_is_more_than_an_address_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(errors.SettingsError, match="is more than an address"):
        fleet(tmp_path, f"{{address: {text}}}")
