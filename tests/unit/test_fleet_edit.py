"""A host is added to the text of a fleet file as a person would, and nothing else in it moves."""

from typing import Any

import pytest

from lading import errors, fleet_edit
from lading.compose import parse, subset
from lading.inventory import hosts

BLOCK = """# our machines
lading: 1
hosts:
  web1: {address: 10.0.0.11}  # the old one
  web2:
    address: 10.0.0.12
    labels: {zone: a}

# who goes where
destinations:
  production:
    hosts:
    - web1
    - web2  # for now
  staging: {hosts: [web1]}
"""


def added(text: str, *destinations: str, address: str = "deploy@10.0.0.13:2222") -> str:
    def read(text: str) -> Any:
        try:
            return parse.read(text.encode())[0]
        except subset.BrokenError:
            return None
    return fleet_edit.add_host(text, read(text), hosts.parse_address("web3", address), destinations, read)


def test_lines_are_added_where_they_belong() -> None:
    assert added(BLOCK, "production", "staging") == BLOCK.replace(
        "    labels: {zone: a}\n", "    labels: {zone: a}\n  web3: {address: \"10.0.0.13\", user: \"deploy\", port: 2222}\n",
    ).replace("    - web2  # for now\n", "    - web2  # for now\n    - web3\n").replace("[web1]", "[web1, web3]")


@pytest.mark.parametrize(("text", "longer"), [
    ("hosts: {web1: {address: a}}\n", 'hosts: {web1: {address: a}, web3: {address: "b"}}\n'),
    ("hosts:\n  web1: {address: a}", 'hosts:\n  web1: {address: a}\n  web3: {address: "b"}\n'),
    ("hosts:\n  web1: {}\n# end\n", 'hosts:\n  web1: {}\n  web3: {address: "b"}\n# end\n'),
    ("hosts: {}\n", 'hosts: {web3: {address: "b"}}\n'),
    ("hosts: {web1: {address: a}} # }]\r\n", 'hosts: {web1: {address: a}, web3: {address: "b"}} # }]\r\n'),
])
def test_a_host_alone(text: str, longer: str) -> None:
    assert added(text, address="b") == longer


def test_lists_on_one_line() -> None:
    text = "{hosts: {web1: {}}, destinations: {a: {hosts: [web1]}, b: {hosts: []}}}"
    assert added(text, "a", "b", address="b") == (
        '{hosts: {web1: {}, web3: {address: "b"}}, destinations: {a: {hosts: [web1, web3]}, b: {hosts: [web3]}}}')


@pytest.mark.parametrize("text", [
    "hosts: {web1: {}}\ndestinations:\n  x: {hosts: &all [web1]}\n  y: {hosts: *all}\n",  # y would grow too
    "hosts: {web1: {}}\ndestinations: {x: {hosts: [web1,]}}\n",
    "lading: 1\n", "hosts:\n", "hosts: {web1: {address: a},\n  web2: {}}\n", "hosts: &all {web1: {}}\ndestinations: {x: {}}\n",
])
def test_what_cannot_be_edited_is_left_with_what_to_write(text: str) -> None:
    with pytest.raises(errors.InputError, match="left as it is") as caught:
        added(text, "x", address="b")
    assert 'web3: {address: "b"}' in caught.value.hint


@pytest.mark.parametrize(("text", "user", "address", "port"), [
    ("10.0.0.1", "", "10.0.0.1", 0), ("deploy@web.example", "deploy", "web.example", 0), ("a@h:22", "a", "h", 22),
    ("[fe80::1]:2222", "", "fe80::1", 2222), ("me@[::1]:22", "me", "::1", 22), ("[::1]", "", "::1", 0), ("fe80::1", "", "fe80::1", 0),
    ("ssh://me@h:7/", "me", "h", 7), ("fe80::1%eth0", "", "fe80::1%eth0", 0),
    ("[fe80::1%br-0.7]:22", "", "fe80::1%br-0.7", 22), ("me@corp@h", "me@corp", "h", 0),
])
def test_an_address_as_ssh_takes_it(text: str, user: str, address: str, port: int) -> None:
    host = hosts.parse_address("x", text)
    assert (host.user, host.address, host.port) == (user, address, port)


@pytest.mark.parametrize("text", ["", "a b", "@h", "h:", "h:99999", "h:0", "[::1", "h/x", "-oProxyCommand=x", "h:22:23x", "a:b:c"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(errors.InputError, match="is no address"):
        hosts.parse_address("x", text)


@pytest.mark.parametrize(("text", "destinations"), [
    ("hosts: {web1: {address: a},\n  web2: {}}\n", ()), ("hosts: {web1: {}}\ndestinations: {x: {hosts: web1}}\n", ("x",)),
])
def test_a_layout_of_another_kind_is_left_as_it_is(text: str, destinations: tuple[str, ...]) -> None:
    with pytest.raises(errors.InputError, match="left as it is"):
        added(text, *destinations, address="b")


def test_this_machine_as_an_entry() -> None:
    assert fleet_edit.host_entry(hosts.Host("here", transport=hosts.LOCAL)) == "here: {transport: local}"
