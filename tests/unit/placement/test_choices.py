"""Every host that came into question has a row: taken or left, and by which rule."""

import pytest

from lading import spans
from lading.inventory import hosts
from lading.placement import assignment, choices

MANY = tuple(f"web{number:02}" for number in range(1, 51))
FLEET = hosts.Inventory({name: hosts.Host(name) for name in (*MANY, "db1", "db2", "spare", "lab1")}, {
    "production": hosts.Destination("production", MANY[:48], written=("web", "!web49:!web50"), left_out={"web49": "!web49", "web50": "!web50"}),
    "data": hosts.Destination("data", ("db1", "db2"), written=("db1", "db2")),
    "lab": hosts.Destination("lab", ("lab1",)), "also": hosts.Destination("also", ("lab1", "db1")),
}, {"web": MANY, "east": ("db1", "web01")})


def rows(*names: str, recorded: dict[str, str] | None = None) -> list[tuple[str, str, str]]:
    destination, chosen = FLEET.choose_ruled(names, recorded)
    found = choices.of_names(FLEET, names, destination, chosen)
    assert [row.host for row in found if row.chosen] == [host.name for host in chosen]
    return [(" ".join(spans.packed(names)), "yes" if yes else "no", rule)
            for (yes, rule), names in choices.grouped(found).items()]


WEB = "destination production, hosts: [web, !web49:!web50]"
OUT = [("web49", "no", "!web49 in hosts: of destination production"), ("web50", "no", "!web50 in hosts: of destination production")]


@pytest.mark.parametrize(("names", "found"), [
    (["production"], [("web[01:48]", "yes", WEB), *OUT]),  # fifty hosts are three rows
    (["data"], [("db1 db2", "yes", "destination data, hosts: [db1, db2]")]),
    (["data,production"], [("db1 db2", "yes", "destination data, hosts: [db1, db2]"), ("web[01:48]", "yes", WEB), *OUT]),
    (["db2"], [("db2", "yes", "--to db2, of destination data, hosts: [db1, db2]"),
               ("db1", "no", "--to db2 means only that host of destination data")]),
    (["db2,data"], [("db2", "yes", "--to db2, of destination data, hosts: [db1, db2]"),
                    ("db1", "yes", "destination data, hosts: [db1, db2]")]),
    (["spare"], [("spare", "yes", "--to spare")]),
    (["east"], [("db1 web01", "yes", "group east of the inventory")]),
    (["production:!web[1:46]"], [("web01 web48", "yes", "--to production:!web[1:46]"),
                                 ("web[02:47]", "no", "!web[1:46] in --to production:!web[1:46]"), *OUT]),
    (["data:&east"], [("db1", "yes", "--to data:&east"), ("db2", "no", "&east in --to data:&east")]),
    (["data[0]"], [("db1", "yes", "--to data[0]"), ("db2", "no", "--to data[0] does not mean it, of destination data")]),
    (["east:!db1"], [("web01", "yes", "--to east:!db1"), ("db1", "no", "!db1 in --to east:!db1")]),
])
def test_rows(names: list[str], found: list[tuple[str, str, str]]) -> None:
    assert rows(*names) == found


def test_a_host_of_several_destinations_has_the_rest_of_the_recorded_one() -> None:
    assert rows("lab1", recorded={"lab1": "also"}) == [
        ("lab1", "yes", "--to lab1, of destination also"), ("db1", "no", "--to lab1 means only that host of destination also")]
    assert rows("lab1", "web02", recorded={"lab1": "also"})[0] == ("lab1", "yes", "--to lab1")


def test_a_host_that_no_rule_names_is_said_to_be_asked_for() -> None:
    """Whoever chooses otherwise, and not by names, still has a row for each host."""
    row, *_ = choices.of_names(FLEET, ["spare"], FLEET.destinations["lab"], [FLEET.hosts["lab1"]])
    assert row == assignment.Row("lab1", True, "--to spare")
