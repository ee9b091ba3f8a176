"""Which machines are meant by a name: a destination, a host, several; never "all" (R42)."""

import pytest

from lading import errors
from lading.inventory import hosts

WEB = {name: hosts.Host(name) for name in ("web1", "web2", "web3", "both")}
FLEET = hosts.Inventory(WEB, {
    "production": hosts.Destination("production", ("web1", "web2"), {"tier": "web"}, {"TZ": "UTC"}, confirm=True),
    "again": hosts.Destination("again", ("web2", "web3"), variables={"TZ": "UTC", "LANG": "C"}),
    "elsewhere": hosts.Destination("elsewhere", ("web3",), variables={"TZ": "CET"}),
    "staged": hosts.Destination("staged", ("web3",), project="{app}-{dest}"),
    "empty": hosts.Destination("empty", ()), "both": hosts.Destination("both", ("web1",)),
})


@pytest.mark.parametrize(("names", "name", "found"), [
    (("production",), "production", ["web1", "web2"]), (("web3",), "web3", ["web3"]),
    (("web3, web1",), "web3,web1", ["web3", "web1"]), (("web2", "production"), "web2,production", ["web2", "web1"]),
    (("empty,web1",), "empty,web1", ["web1"]), (("web1", "web1"), "web1,web1", ["web1"]),
])
def test_hosts_come_in_the_order_given_each_once(names: tuple[str, ...], name: str, found: list[str]) -> None:
    chosen, which = FLEET.choose(names)
    assert (chosen.name, [host.name for host in which]) == (name, found)
    assert chosen.hosts == tuple(found)


def test_one_destination_is_itself() -> None:
    assert FLEET.choose(("production",))[0] is FLEET.destinations["production"]


def test_several_destinations_are_joined() -> None:
    chosen, _ = FLEET.choose(("production,again",))
    assert (chosen.hosts, dict(chosen.variables), chosen.confirm) == (("web1", "web2", "web3"), {"TZ": "UTC", "LANG": "C"}, True)


@pytest.mark.parametrize(("names", "message", "hint"), [
    ((), "no destination was given", "name one of: again, both, elsewhere, empty, production, staged, web1"),
    (("",), "no destination was given", "there is no default"), (("web1,",), "an empty name", "name one of"),
    (("prodution",), "no destination or host called 'prodution'", "did you mean production?"),
    (("xyzzy",), "called 'xyzzy'", "known: again, both"), (("all",), "called 'all'", "known"),
    (("empty",), "destination empty has no hosts", "lading.yaml"), (("both",), "both a host and a destination", "rename"),
    (("production,elsewhere",), "TZ differs", "one of them at a time"),
    (("production,staged",), "different project names", "one of them at a time"),
])
def test_a_choice_that_is_refused(names: tuple[str, ...], message: str, hint: str) -> None:
    with pytest.raises(errors.InputError) as caught:
        FLEET.choose(names)
    assert (message in caught.value.message, hint in caught.value.hint) == (True, True), caught.value.as_json()


def test_a_fleet_of_nothing() -> None:
    with pytest.raises(errors.InputError) as caught:
        hosts.Inventory({}, {}).choose(("web1",))
    assert caught.value.hint == "known: none"
    with pytest.raises(errors.InputError) as caught:
        hosts.Inventory({}, {}).choose(())
    assert "(none in lading.yaml)" in caught.value.hint


def test_a_hosts_transport_is_its_own_then_its_destinations_then_the_fleets() -> None:
    known = {name: hosts.Host(name) for name in ("a", "b", "d")} | {"c": hosts.Host("c", transport="ssh")}
    places = {"x": hosts.Destination("x", ("a", "c"), transport="ansible"), "y": hosts.Destination("y", ("b",))}
    found = hosts.Inventory(known, places).reached("ssh").hosts
    assert {name: host.transport for name, host in found.items()} == {"a": "ansible", "b": "ssh", "c": "ssh", "d": "ssh"}


def test_destinations_that_disagree_about_a_transport() -> None:
    places = {name: hosts.Destination(name, ("a",), transport=name) for name in ("ssh", "ansible")}
    with pytest.raises(errors.InputError, match="disagree about the transport of a"):
        hosts.Inventory({"a": hosts.Host("a")}, places).reached("ssh")
    own = hosts.Inventory({"a": hosts.Host("a", transport="ssh")}, places).reached("ansible")
    assert own.hosts["a"].transport == "ssh"
