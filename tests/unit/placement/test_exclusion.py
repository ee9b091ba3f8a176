"""Hosts that somebody has excluded are left out of a choice; one that is named itself is refused."""

from dataclasses import replace

import pytest

from builders import a_release, a_service
from lading import errors
from lading.inventory import hosts
from lading.placement import assignment, choices, exclusion
from lading.plan import planner, steps

DEAD = exclusion.Exclusion("web2", "its disk is dead", "ann@laptop", "2026-11-30T10:16:59Z", "ann@laptop")
WORDS = "excluded since 2026-11-30 10:16Z by ann@laptop: its disk is dead"
EXCLUDED = {"web2": DEAD}
FLEET = hosts.Inventory({name: hosts.Host(name) for name in ("web1", "web2", "web3", "db1")}, {
    "production": hosts.Destination("production", ("web1", "web2", "web3")), "pair": hosts.Destination("pair", ("web2",)),
    "other": hosts.Destination("other", ("db1",)),
}, {"east": ("web2", "web3")})


def left(*names: str, excluded: exclusion.Excluded = EXCLUDED) -> tuple[list[str], list[str]]:
    _, chosen = FLEET.choose(names)
    kept, out = exclusion.leave_out(chosen, names, excluded)
    return [host.name for host in kept], [one.host for one in out]


@pytest.mark.parametrize(("names", "kept", "out"), [
    (["production"], ["web1", "web3"], ["web2"]),
    (["web*"], ["web1", "web3"], ["web2"]),
    (["east,db1"], ["web3", "db1"], ["web2"]),
    (["other"], ["db1"], []),
    (["web1", "web3"], ["web1", "web3"], []),
])
def test_a_destination_a_group_and_a_pattern_leave_it_out(names: list[str], kept: list[str], out: list[str]) -> None:
    assert left(*names) == (kept, out)


@pytest.mark.parametrize(("host", "place"), [
    (hosts.Host("web2", "10.0.0.2"), "10.0.0.2:22"),
    (hosts.Host("web2", "10.0.0.2", user="deploy", port=2222), "10.0.0.2:2222"),
    (hosts.Host("web2", "10.0.0.2", jump="bastion"), "10.0.0.2:22 through bastion"),
    (hosts.Host("web2"), "web2 of the SSH configuration"),
    (hosts.Host("web2", port=2222), "web2:2222 of the SSH configuration"),
    (hosts.Host("web2", transport=hosts.LOCAL), "this machine, laptop"),
])
def test_a_host_is_told_from_others_of_its_name(host: hosts.Host, place: str) -> None:
    assert exclusion.place_of(host, "laptop") == place
    fleet = hosts.Inventory({"web2": host}, {})
    mine, other = replace(DEAD, place=place), replace(DEAD, place="10.9.9.9:22")
    assert exclusion.of_fleet([other, mine, replace(mine, host="web3")], fleet, "laptop") == {"web2": mine}
    assert exclusion.of_fleet([DEAD], fleet, "laptop") == {}, "what says no place counts for none"


def test_a_plan_is_overtaken_by_an_exclusion_and_by_an_inclusion() -> None:
    standing = {("web2", "b:22"): replace(DEAD, place="b:22")}
    exclusion.check_still({"web1": "a:22", "web2": "other:22"}, {"web2": "b:22"}, standing)
    with pytest.raises(errors.PlanChangedError) as caught:
        exclusion.check_still({"web2": "b:22"}, {"web3": "c:22"}, standing)
    assert caught.value.message.endswith(f"web2 is {WORDS}; web3 was left out of it, but is included again")


@pytest.mark.parametrize("names", [["web2"], ["web1,web2"], ["production", "web2"]])
def test_its_own_name_is_refused_with_the_reason_and_what_to_type(names: list[str]) -> None:
    with pytest.raises(errors.ExcludedError) as caught:
        left(*names)
    assert (caught.value.message, caught.value.host, caught.value.exit_code) == (f"web2 is {WORDS}", "web2", 4)
    assert "lading hosts include web2" in caught.value.hint


def test_where_nobody_is_left_it_is_refused_with_all_reasons() -> None:
    also = replace(DEAD, host="web3", reason="moved")
    with pytest.raises(errors.ExcludedError) as caught:
        left("east", excluded={"web2": DEAD, "web3": also})
    assert caught.value.message == f"no host is left: web2 is {WORDS}; web3 is {also.words}"
    with pytest.raises(errors.ExcludedError, match="no host is left"):
        left("pair")


def test_who_ran_it_is_told_where_that_is_another() -> None:
    assert DEAD.words == WORDS
    assert replace(DEAD, ran_by="").words == WORDS
    assert replace(DEAD, actor="ben", ran_by="ci@agent").words == (
        "excluded since 2026-11-30 10:16Z by ben (run by ci@agent): its disk is dead")
    assert DEAD.as_json() == {
        "host": "web2", "reason": "its disk is dead", "actor": "ann@laptop", "since": "2026-11-30T10:16:59Z"}


def test_the_plan_says_it_and_its_hash_does_not_depend_on_it() -> None:
    destination, chosen = FLEET.choose(["production:!web3"])
    kept, out = exclusion.leave_out(chosen, ["production:!web3"], EXCLUDED)
    rows = choices.of_names(FLEET, ["production:!web3"], destination, kept, out)
    assert [(row.host, row.chosen, row.rule) for row in rows] == [
        ("web1", True, "--to production:!web3"), ("web2", False, WORDS), ("web3", False, "!web3 in --to production:!web3")]
    made = a_release(a_service("web"))
    plan = planner.plan(made, "production", {"web1": steps.HostPlan("web1")})
    told = replace(plan, assignment=assignment.everywhere(made, rows))
    assert told.as_json()["excluded"] == [DEAD.as_json()]
    assert told.as_json()["assignment"][1] == {"host": "web2", "chosen": False, "rule": WORDS, "services": {}}
    assert (plan.as_json()["excluded"], told.hash) == ([], plan.hash)
    assert told.assignment.only([], "it is not there").excluded == (DEAD,)
