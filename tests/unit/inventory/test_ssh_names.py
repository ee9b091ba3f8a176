"""Names of hosts and users that a shell may be given (pure); tests/contract/test_ssh_injection.py compares them with OpenSSH."""

import pytest

from lading.inventory import ssh_names


@pytest.mark.parametrize("text", ["web1", "WEB1.example.com", "10.0.0.1", "::1", "[::1]", "fe80::1%eth0", "a_b-c", "größe", ""])
def test_hosts(text: str) -> None:
    assert ssh_names.is_host(text)


SIGNS = ["-oProxyCommand=x", "x$(id)", "x`id`", "x;id", "x|id", "x&id", "x<y", "x>y", "x(y)", "{a,b}", "a'b", 'a"b', "a\\b", "a,b"]


@pytest.mark.parametrize("text", [*SIGNS, "a b", "a\tb", "a\nb", "a\x7fb", "a\x01b", "*", "a?", "#a", "a!b", "~root"])
def test_what_is_no_host(text: str) -> None:
    assert not ssh_names.is_host(text)
    assert not ssh_names.is_destination(text)
    assert not ssh_names.is_destination(f"me@{text}")
    assert not ssh_names.is_jump(f"gate;{text}")


@pytest.mark.parametrize("text", ["me", "DOMAIN\\me", "me@example.com", "a,b", "a#b", "me%x", ""])
def test_users(text: str) -> None:
    assert ssh_names.is_user(text)


@pytest.mark.parametrize("text", ["-x", "a$IFS-oX", "a;b", "a|b", "a&b", "a<b", "a>b", "a(b", "{b}", "`id`", "a'b", 'a"b', "a\nb", "a -b", "a\\", "a*", "?"])
def test_what_is_no_user(text: str) -> None:
    assert not ssh_names.is_user(text)
    assert not ssh_names.is_destination(f"{text}@web1")
    assert not ssh_names.is_jump(f"gate,{text}@web1:22")


@pytest.mark.parametrize("text", ["", "none", "gate", "me@gate:22", "a,b", "a, me@b:23", "ssh://me@gate:24", "[fe80::1]:22"])
def test_jump_specifications(text: str) -> None:
    assert ssh_names.is_jump(text)
