"""Hosts that OpenSSH's configuration does not tell apart but by name and address (pure)."""

import pytest

from lading.transport import ssh_blocks

OWN = "Host web1\nHostName 10.0.0.1\nUser me\nHost web2\nHostName 10.0.0.2\nUser me\n"


def kinds(*texts: str, names: tuple[str, str] = ("web1", "web2")) -> tuple[ssh_blocks.Kind | None, ssh_blocks.Kind | None]:
    found = ssh_blocks.read(texts)
    return (found.kind(names[0]), found.kind(names[1])) if found is not None else (None, None)


@pytest.mark.parametrize("text", [
    "", "User me", "Host web1 web2\nUser me", "Host web?\nUser me", "Host *\nHost !db* web*\nUser me", "Match all\nPort 23", "# 100%",
    "ProxyCommand nc %h", "Host unix/* unix%*\nPort 23", "Host=web1 web2\nPort=23", "Match final all\nPort 23", "Host .\nPort 23",
    "Host web1\n User me\nHost web2\n  user  me", "Host db\nHostName 10.0.0.9", "Compression",
])
def test_hosts_that_are_alike(text: str) -> None:
    one, other = kinds("", text)
    assert one is not None
    assert one == other
    assert (one.hostname, other.hostname) == ("web1", "web2")


@pytest.mark.parametrize("text", [OWN, f"{OWN}Host *\nPort 23", f"Host *\nPort 23\n{OWN}", f"Match final all\n{OWN}", f"{OWN}Host db\nHostName x"])
def test_hosts_of_which_each_has_its_address(text: str) -> None:
    one, other = kinds(text)
    assert one is not None
    assert one == other
    assert (one.hostname, other.hostname) == ("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize("text", [
    "Host web1\nUser me", "Host web1\nUser me\nHost web2\nUser you", "Host web1\nHostName x\nHost web2\nUser me", "Host web* !web1\nPort 23",
    "Host web1\nUser me\nHost *\nUser you\nHost web2\nUser me", f"HostName far\n{OWN}", f"{OWN}Host web1\nHostName x",
    "Host web1\nInclude x\nHost web2\nInclude x", "Host web1\nHostName A\nHost web2\nHostName B", f"Match final all\n{OWN}Host *.1\nPort 23",
])
def test_hosts_that_are_told_apart(text: str) -> None:
    one, other = kinds(text)
    assert one is not None
    assert other is not None
    assert one != other


def test_where_a_file_is_read_counts() -> None:
    one, other = kinds("Include a\nHost *\nInclude b", "Host web1\nUser me", "Host web2\nUser me")
    assert one != other


@pytest.mark.parametrize("text", [
    "Match host web1", "Match exec true", "Match all # x", 'Host "web1"', "Host a,web1", "Host web1 # x", "HostName %h.x",
    "UserKnownHostsFile ~/%h", '"Host" web1',
])
def test_lines_that_only_openssh_can_read(text: str) -> None:
    assert kinds("", text) == (None, None)


def test_a_name_that_ssh_would_write_otherwise() -> None:
    assert kinds("Host WEB?\nUser me", names=("WEB1", "web1"))[0] is None


@pytest.mark.parametrize("name", ["a b", "user@web1", "ssh://web1:99", "-oProxyCommand=x", "x$(id)", "[::1]", "a,b", "é", ""])
def test_a_name_that_ssh_would_refuse_or_take_apart(name: str) -> None:
    assert kinds("User me", names=(name, "web1"))[0] is None


@pytest.mark.parametrize("name", ["fe80::1%eth0", "10.0.0.1", "a_b-c.example", "::1"])
def test_addresses_that_are_alike(name: str) -> None:
    one, other = kinds("User me", names=(name, "web1"))
    assert one == other is not None
