"""Which machines are meant by a name: a destination, a host, several; never "all" (R42)."""

from dataclasses import replace

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


ANSIBLE = hosts.Inventory(
    {name: hosts.Host(name) for name in ("w1", "w2", "d1", "bastion", "twin")} | {
        "net1": hosts.Host("net1", refusal=hosts.Refusal("net1: ansible_connection: network_cli", "transport: ansible", "hosts", 9))},
    {"production": hosts.Destination("production", ("w1", "d1"), {}, {"TZ": "UTC"}, confirm=True, project="{app}-{dest}"),
     "other": hosts.Destination("other", ("w2",), {}, {"TZ": "CET"})},
    {"all": ("w1", "w2", "d1", "bastion", "net1"), "ungrouped": ("net1",), "web": ("w1", "w2"), "bastion": ("bastion",), "twin": ("w1",), "empty": ()},
    {"net1": ("a note",)},
)


@pytest.mark.parametrize(("names", "name", "found"), [
    (("web",), "web", "w1 w2"), (("bastion",), "bastion", "bastion"), (("web,d1",), "web,d1", "w1 w2 d1"), (("web:!w1",), "web:!w1", "w2"),
    (("web,!w1",), "web,!w1", "w2"), (("d1", "web:&w2"), "d1,web:&w2", "d1 w2"), (("all:!ungrouped",), "all:!ungrouped", "w1 w2 d1 bastion"),
    (("production:!d1",), "production:!d1", "w1"), (("w?",), "w?", "w1 w2"),
])
def test_groups_and_patterns_are_destinations(names: tuple[str, ...], name: str, found: str) -> None:
    chosen, which = ANSIBLE.choose(names)
    assert (chosen.name, " ".join(host.name for host in which), chosen.hosts) == (name, found, tuple(found.split()))


@pytest.mark.parametrize("pattern", ["production:!d1", "w1:&production", "prod*:!d1", "production[0]"])
def test_a_pattern_has_the_variables_of_the_destination_it_takes_hosts_from(pattern: str) -> None:
    chosen, _ = ANSIBLE.choose([pattern])
    assert (dict(chosen.variables), chosen.confirm, chosen.project) == ({"TZ": "UTC"}, True, "{app}-production")
    assert ANSIBLE.choose(["w1:!other"])[0].variables == {}


@pytest.mark.parametrize(("names", "error", "message"), [
    (("twin",), errors.InputError, "both a host and a group"), (("empty",), errors.InputError, "has no hosts"), (("web:!web",), errors.InputError, "has no hosts"),
    (("production:other",), errors.InputError, "TZ differs"), (("net1",), errors.SettingsError, "network_cli"), (("all",), errors.SettingsError, "network_cli"),
    (("web:nobody",), errors.InputError, "'nobody'"), (("ungruoped",), errors.InputError, "called 'ungruoped'"),
])
def test_choices_of_an_inventory_that_are_refused(names: tuple[str, ...], error: type[errors.LadingError], message: str) -> None:
    with pytest.raises(error) as caught:
        ANSIBLE.choose(names)
    assert message in caught.value.message
    if error is errors.SettingsError:
        assert (caught.value.file, caught.value.line, caught.value.host) == ("hosts", 9, "net1")


def test_what_an_inventory_offers() -> None:
    assert ANSIBLE.group_names() == ["web", "bastion", "twin", "empty"]
    assert ANSIBLE.groups_of("w1") == ["twin", "web"]
    assert ANSIBLE.names() == ["bastion", "d1", "empty", "net1", "other", "production", "twin", "w1", "w2", "web"]
    assert [host.name for host in ANSIBLE.reachable()] == ["w1", "w2", "d1", "bastion", "twin"]
    assert ANSIBLE.expand("web:!w1") == ("w2",)
    with pytest.raises(errors.InputError):
        ANSIBLE.expand("production")


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


@pytest.mark.parametrize(("before", "now", "same"), [
    ("web", "web", True), ("web", "web:!w1", True), ("web:&w2", "web", True), ("w1", "web", True), ("w1", "w1,w2", True),
    ("production", "production:!d1", True), ("production", "other", False), ("w1", "production", False), ("production", "w1", False),
    ("gone", "web", False), ("net1", "w1", False),
])
def test_another_choice_of_the_same_kind_is_no_other_destination(before: str, now: str, same: bool) -> None:
    assert ANSIBLE.alike(before, ANSIBLE.choose([now])[0]) is same


LISTS = {name: hosts.Allowed(name, (name,)) for name in ("production", "lab", "wide")}
RULED = hosts.Inventory({name: hosts.Host(name) for name in ("web1", "web2", "lab1", "free")}, {
    "production": hosts.Destination("production", ("web1", "web2"), variables={"TZ": "UTC"}, confirm=True,
                                    allowed=(LISTS["production"],)),
    "lab": hosts.Destination("lab", ("lab1",), allowed=(LISTS["lab"],)),
    "wide": hosts.Destination("wide", ("lab1", "free"), allowed=(LISTS["wide"],)),
}, {"web": ("web1", "lab1"), "none": ("web1",)})


@pytest.mark.parametrize(("names", "recorded", "name", "lists", "confirm", "found"), [
    (["web1"], {}, "production", ["production"], True, ["web1"]),
    (["web2", "web1"], {}, "production", ["production"], True, ["web2", "web1"]),
    (["lab1"], {"lab1": "wide"}, "wide", ["wide"], False, ["lab1"]),
    (["lab1"], {"lab1": "lab", "web1": "lab"}, "lab", ["lab"], False, ["lab1"]),
    (["lab"], {"lab1": "wide"}, "lab", ["lab"], False, ["lab1"]),
    (["web1,lab"], {}, "web1,lab", ["production", "lab"], True, ["web1", "lab1"]),
    (["web"], {}, "web", ["production", "lab", "wide"], True, ["web1", "lab1"]),
    (["lab*"], {}, "lab*", ["lab", "wide"], False, ["lab1"]),
])
def test_no_name_leads_past_the_rules_of_a_destination(
    names: list[str], recorded: dict[str, str], name: str, lists: list[str], confirm: bool, found: list[str]
) -> None:
    chosen, which = RULED.choose_ruled(names, recorded)
    assert (chosen.name, [one.destination for one in chosen.allowed], chosen.confirm) == (name, lists, confirm)
    assert [host.name for host in which] == list(chosen.hosts) == found


def test_a_host_of_no_destination_is_itself() -> None:
    bare = hosts.Inventory({"web1": hosts.Host("web1")}, {})
    assert bare.choose_ruled(["web1"])[0] == hosts.Destination("web1", ("web1",))


@pytest.mark.parametrize("recorded", [{}, {"lab1": "production"}, {"lab1": "gone"}])
def test_a_host_of_several_destinations_asks_for_one(recorded: dict[str, str]) -> None:
    assert RULED.undecided(["lab1", "web1,lab", "lab*", "nobody"]) == {"lab1": ("lab", "wide")}
    with pytest.raises(errors.InputError, match=r"lab1 is in several destinations \(lab, wide\)") as caught:
        RULED.choose_ruled(["lab1"], recorded)
    assert "--to lab" in caught.value.hint


def test_several_destinations_pass_the_same_variables_on() -> None:
    one = hosts.Destination("one", ("web1",), pass_env=("A",))
    fleet = hosts.Inventory({name: hosts.Host(name) for name in ("web1", "web2")}, {
        "one": one, "same": replace(one, name="same", hosts=("web2",)), "other": hosts.Destination("other", ("web2",))})
    assert fleet.choose(("one,same",))[0].pass_env == ("A",)
    with pytest.raises(errors.InputError, match="pass_env differs between the destinations one, other"):
        fleet.choose(("one,other",))


def test_several_destinations_ask_for_the_same_profiles() -> None:
    one = hosts.Destination("one", ("web1",), profiles=("debug",))
    fleet = hosts.Inventory({name: hosts.Host(name) for name in ("web1", "web2")}, {
        "one": one, "same": replace(one, name="same", hosts=("web2",)), "none": hosts.Destination("none", ("web2",), profiles=())})
    assert fleet.choose(("one,same",))[0].profiles == ("debug",)
    assert fleet.choose(("web2",))[0].profiles is None
    with pytest.raises(errors.InputError, match="profiles differ between the destinations one, none"):
        fleet.choose(("one,none",))
