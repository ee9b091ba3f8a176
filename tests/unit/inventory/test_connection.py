"""Ansible's connection variables: honoured, noted, or refused with the place; never silently left out."""

from typing import Any

import pytest

from lading.inventory import connection, groups, hosts, ssh_arguments

PLACE = groups.Place("inventory/hosts", 4)


def made(labels: tuple[str, ...] = (), **variables: Any) -> tuple[hosts.Host, tuple[str, ...]]:
    located = {key: groups.Variable(value, groups.Place("g", number)) for number, (key, value) in enumerate(variables.items(), 1)}
    return connection.host("h", located, labels, PLACE)


@pytest.mark.parametrize(("variables", "fields"), [
    ({}, {}), ({"ansible_host": "192.0.2.1", "ansible_port": 2222, "ansible_user": "u"}, {"address": "192.0.2.1", "port": 2222, "user": "u"}),
    ({"ansible_ssh_host": "old", "ansible_host": "new", "ansible_ssh_port": "23", "ansible_ssh_user": "o"}, {"address": "old", "port": 23, "user": "o"}),
    ({"ansible_host": None, "ansible_port": None}, {}), ({"ansible_private_key_file": "~/k"}, {"key_file": "~/k"}),
    ({"ansible_ssh_private_key_file": "k", "ansible_timeout": 7}, {"key_file": "k", "connect_timeout": 7}),
    ({"ansible_ssh_common_args": "-J ops@b:2200"}, {"jump": "ops@b:2200"}), ({"ansible_ssh_common_args": "-o ProxyJump=a,b"}, {"jump": "a,b"}),
    ({"ansible_ssh_common_args": '-o ProxyCommand="ssh -W %h:%p -q b"'}, {"proxy_command": "ssh -W %h:%p -q b"}),
    ({"ansible_ssh_common_args": "-o ProxyCommand=x", "ansible_ssh_extra_args": "-J b"}, {"proxy_command": "x"}),
    ({"ansible_ssh_common_args": "-J none"}, {}), ({"ansible_ssh_common_args": "-oProxyCommand=none"}, {}),
    ({"ansible_ssh_args": "-p 2 -l a -i k", "ansible_ssh_extra_args": "-p 3"}, {"port": 2, "user": "a", "key_file": "k"}),
    ({"ansible_ssh_extra_args": "-o Port=5 -o User=x", "ansible_port": 6}, {"port": 6, "user": "x"}),
    ({"ansible_ssh_extra_args": "-o UserKnownHostsFile=k -o ConnectTimeout=3 -o ServerAliveInterval=9"},
     {"known_hosts": "k", "connect_timeout": 3, "keepalive": 9}),
    ({"ansible_ssh_common_args": "-F conf -4"}, {"ssh_config": "conf", "family": "inet"}), ({"ansible_ssh_args": "-6C"}, {"family": "inet6"}),
    ({"ansible_ssh_args": "-o AddressFamily=any"}, {}),
    ({"ansible_become": True}, {"sudo": True}), ({"ansible_become": "yes", "ansible_become_method": "sudo", "ansible_become_user": "root"}, {"sudo": True}),
    ({"ansible_become": False, "ansible_become_method": "su", "ansible_become_password": True}, {}), ({"ansible_connection": "ssh"}, {}),
    ({"ansible_host_key_checking": True}, {}), ({"ansible_become": 1, "ansible_become_exe": "sudo"}, {"sudo": True}),
])
def test_what_is_honoured(variables: dict[str, Any], fields: dict[str, Any]) -> None:
    assert made(**variables) == (hosts.Host("h", origin="inventory/hosts:4", **fields), ())


@pytest.mark.parametrize(("variables", "line", "message", "hint"), [
    ({"ansible_connection": "local"}, 1, "ansible_connection: local", "transport: ansible"),
    ({"ansible_connection": "winrm"}, 1, "ansible_connection: winrm", "transport: ansible"),
    ({"ansible_become": True, "ansible_become_method": "su"}, 2, "su, but lading knows only sudo", "transport: ansible"),
    ({"ansible_become": True, "ansible_become_user": "app"}, 2, "app, but lading becomes root", "transport: ansible"),
    ({"ansible_become": True, "ansible_become_password": True}, 2, "without a password", "NOPASSWD"),
    ({"ansible_become": True, "ansible_become_exe": "doas"}, 2, "another program than sudo", "transport: ansible"),
    ({"ansible_become": "perhaps"}, 1, "neither true nor false", "correct it"), ({"ansible_port": "ssh"}, 1, "no whole number", "correct it"),
    ({"ansible_port": 70000}, 1, "no whole number", "correct it"), ({"ansible_host": ["a"]}, 1, "one line of text", "correct it"),
    ({"ansible_user": "a\nb"}, 1, "one line of text", "correct it"), ({"ansible_ssh_private_key": True}, 1, "does not take", "ansible_ssh_private_key_file"),
    ({"ansible_private_key_passphrase": True}, 1, "does not take", "agent"), ({"ansible_ssh_pkcs11_provider": "p"}, 1, "does not take", "agent"), ({"ansible_ssh_common_args": "-o Ciphers=x"}, 1, "the option ciphers", "~/.ssh/config"),
    ({"ansible_ssh_common_args": "-e x"}, 1, "-e", "~/.ssh/config"),
    ({"ansible_ssh_common_args": "-o AddressFamily=ip"}, 1, "addressfamily ip", "~/.ssh/config"), ({"ansible_ssh_extra_args": "-p x"}, 1, "port x", "~/.ssh/config"),
    ({"ansible_host": "x$(touch pwn)"}, 1, "ansible_host: 'x$(touch pwn)' cannot be used", "as they are"),
    ({"ansible_host": "h", "ansible_user": "a;b"}, 2, "ansible_user: 'a;b' cannot be used", "as they are"),
    ({"ansible_host": "-oProxyCommand=x"}, 1, "a leading -", "as they are"), ({"ansible_host": "a b"}, 1, "'a b' cannot be used", "as they are"),
    ({"ansible_ssh_common_args": "-J 'a,x`id`'"}, 1, "proxyjump 'a,x`id`' cannot be used", "as they are"),
    ({"ansible_ssh_extra_args": "-o 'User=a|b'"}, 1, "user 'a|b' cannot be used", "as they are"),
    ({"ansible_ssh_extra_args": "'"}, 1, "No closing quotation", "~/.ssh/config"),
])
def test_what_is_refused_when_the_host_is_chosen(variables: dict[str, Any], line: int, message: str, hint: str) -> None:
    host, _ = made(**variables)
    assert host.refusal is not None
    assert (host.refusal.file, host.refusal.line) == ("g", line)
    assert (message in host.refusal.message, hint in host.refusal.hint) == (True, True), host.refusal


def test_a_name_that_lading_cannot_use() -> None:
    host, _ = connection.host("/srv/chroot", {}, (), groups.Place("f"))
    assert host.refusal == hosts.Refusal("'/srv/chroot' is no name for a host of lading's", "letters, digits, _ . - : only", "f", 0)
    assert host.origin == "f"


@pytest.mark.parametrize(("name", "remains"), [("x$(id)", True), ("/srv/chroot", False)])
def test_no_transport_takes_a_name_that_means_something_to_a_shell(name: str, remains: bool) -> None:
    host, _ = connection.host(name, {}, (), groups.Place("f"))
    found = hosts.Inventory({name: host}, {}).reached("ansible").hosts[name]
    assert (found.refusal is not None) == remains


@pytest.mark.parametrize(("variables", "note"), [
    ({"ansible_password": True}, "ansible_password: lading logs in with keys (g:1)"),
    ({"ansible_ssh_common_args": "-o StrictHostKeyChecking=no"},
     "ansible_ssh_common_args: stricthostkeychecking=no is not heeded: lading always verifies host keys; pin them: lading hosts trust (g:1)"),
    ({"ansible_host_key_checking": False}, "ansible_host_key_checking: not heeded: lading always verifies host keys; pin them: lading hosts trust (g:1)"),
    ({"ansible_become_flags": "-H", "ansible_become": True}, "ansible_become_flags: not heeded: lading runs sudo -n (g:1)"),
    ({"ansible_ssh_extra_args": "-A -C"}, "ansible_ssh_extra_args: forwardagent=yes is not heeded: lading forwards no agent (g:1)"),
    ({"ansible_ssh_args": "-o UserKnownHostsFile=/dev/null"},
     "ansible_ssh_args: userknownhostsfile=/dev/null is not heeded: lading always verifies host keys (g:1)"),
])
def test_what_is_not_heeded_is_said(variables: dict[str, Any], note: str) -> None:
    host, notes = made(**variables)
    assert (host.refusal, host.known_hosts, notes) == (None, "", (note,))


def test_a_note_about_a_whole_inventory_has_no_line() -> None:
    variables = {"ansible_password": groups.Variable(True, groups.Place("inventory"))}
    assert connection.host("h", variables, (), PLACE)[1] == ("ansible_password: lading logs in with keys (inventory)",)


def test_labels_are_chosen_variables() -> None:
    host, _ = made(("tier", "n", "on", "off", "gone", "list", "map", "never"), tier="web", n=5, on=True, off=False, gone=None, list=[1], map={})
    assert host.labels == {"tier": "web", "n": "5", "on": "true", "off": "false"}


@pytest.mark.parametrize(("text", "options"), [
    ("", {}), ("-4o", None), ("-Cqo Port=5", {"port": "5"}), ("-oPort=5 -o 'Port 6'", {"port": "5"}), ('-o "User \\"a b\\""', {"user": "a b"}),
    ("-o ControlMaster=auto -o ControlPersist=60s", {}), ("-o StrictHostKeyChecking=yes -o ForwardAgent=no -x", {}), ("web", None), ("-", None),
    ("-o", None), ("-o Port=", None), ("-p", None), ("-o LocalForward=1", None), ("-N", None), ("-o ProxyCommand=a=b", {"proxycommand": "a=b"}),
])
def test_arguments_of_ssh(text: str, options: dict[str, str] | None) -> None:
    if options is None:
        with pytest.raises(ValueError):
            ssh_arguments.parse(text)
    else:
        assert ssh_arguments.parse(text) == ssh_arguments.Arguments(options, {})
