"""A value by reference, in words: what gets it, and what a machine must have for that; never the value."""

import pytest

from lading import errors
from lading.by_reference import Source, is_address, needs
from lading.inventory import hosts

CASES = {
    "command": (Source("command", ("pass", "show", "db")), ("pass", "show", "db"), "the command pass"),
    "file": (Source("file", ("/s/db",)), ("cat", "/s/db"), "the file /s/db"),
    "age": (Source("age", ("/s/db.age", "/k")), ("age", "--decrypt", "--identity", "/k", "/s/db.age"), "by the key /k"),
    "sops": (Source("sops", ("/s.yaml", "a", "b")), ("sops", "--decrypt", "--extract", '["a"]["b"]', "/s.yaml"), "a.b in /s.yaml"),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_gets_it(kind: str) -> None:
    source, argv, words = CASES[kind]
    (told,) = needs(source)
    assert (source.argv, words in told) == (argv, True)


def test_what_is_here_or_in_the_environment_needs_nothing() -> None:
    for source in (Source("env", ("NAME",)), Source("text", ("x",))):
        assert (source.argv, list(needs(source))) == ((), [])


def test_what_is_no_address() -> None:
    assert is_address("https://hooks.example/x")
    assert not is_address("ftp://x")
    assert not is_address("https://[::1")


def test_destinations_whose_secrets_differ_are_two_deployments() -> None:
    places = {
        name: hosts.Destination(name, ("web1",), secrets={"DB": Source("env", (name.upper(),))}) for name in ("a", "b")}
    fleet = hosts.Inventory({"web1": hosts.Host("web1")}, places)
    with pytest.raises(errors.InputError, match="DB differs between the destinations a, b"):
        fleet.choose(("a", "b"))
