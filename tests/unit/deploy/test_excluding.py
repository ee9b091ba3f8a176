"""What an excluded host lacks when it comes back, and the one command for each app; what an open deployment makes of it."""

from dataclasses import replace

import pytest

from builders import a_release, a_service
from lading import errors, state
from lading.deploy import excluding, takeover
from lading.inventory import hosts
from lading.ledger import deployments
from lading.placement import exclusion
from lading.plan import planner, steps

FLEET = hosts.Inventory({name: hosts.Host(name) for name in ("web1", "web2", "db1")}, {
    "production": hosts.Destination("production", ("web1", "web2")), "data": hosts.Destination("data", ("db1",)),
    "also": hosts.Destination("also", ("db1",))}, {"all": ("web1", "web2", "db1")})
MADE = a_release(a_service("web"), version="1.2.0")
MISSED = deployments.Deployment(
    "d1", "deploy", MADE.app, "1.2.0", MADE.id, "production", "ann", "", "", "", "", "2026-11-30T11:00:00Z", "", "succeeded", {})


def commands(host: str, current: dict[str, str], *missed: deployments.Deployment) -> list[str]:
    there = {app: state.Current(app, release, "1", "d0") for app, release in current.items()}
    return [one.command for one in excluding.lacks(FLEET, host, missed, there)]


def test_a_command_can_be_pasted_whatever_the_ledger_says() -> None:
    odd = replace(MISSED, destination="data*:!$(id)", version="1.2.0;id")
    assert commands("db1", {}, odd) == [f"lading deploy {MADE.app} --version '1.2.0;id' --to 'data*:!$(id)'"]


def test_what_it_has_already_is_not_deployed_again() -> None:
    app = MADE.app
    command = [f"lading deploy {app} --version 1.2.0 --to web2"]
    assert commands("web2", {}, MISSED) == command
    assert commands("web2", {app: "0" * 64}, MISSED) == command
    assert commands("web2", {app: MADE.id}, MISSED) == []


def test_an_app_that_was_removed_meanwhile_is_removed_if_it_is_there() -> None:
    gone = replace(MISSED, verb="remove", release="")
    assert commands("web2", {MADE.app: MADE.id}, gone) == [f"lading remove {MADE.app} --to web2"]
    assert commands("web2", {}, gone) == []


def test_a_host_of_several_destinations_is_reached_by_the_destination() -> None:
    assert commands("db1", {}, replace(MISSED, destination="data")) == [f"lading deploy {MADE.app} --version 1.2.0 --to data"]


def test_another_release_than_the_one_that_was_missed_is_refused() -> None:
    plan = planner.plan(MADE, "web2", {"web2": steps.HostPlan("web2")})
    excluding.check_same(MISSED, plan)
    with pytest.raises(errors.RefusedError) as caught:
        excluding.check_same(replace(MISSED, release="f" * 64), plan)
    assert "ffffffffffff" in caught.value.message
    assert caught.value.hint.endswith(f"lading deploy {MADE.app} --version 1.2.0 --to production")


@pytest.mark.parametrize(("name", "hint"), [("wbe2", "did you mean `web2`?"), ("xyz", "lading hosts list"), ("all", "lading hosts list")])
def test_only_a_host_can_be_excluded(name: str, hint: str) -> None:
    excluding._check_host(FLEET, "web2")
    with pytest.raises(errors.InputError) as caught:
        excluding._check_host(FLEET, name)
    assert caught.value.hint == hint


def test_a_participant_that_is_excluded_is_not_asked_and_says_why() -> None:
    dead = exclusion.Exclusion("web2", "dead", "ann", "2026-11-30T10:16:59Z")
    missing = takeover._missing(["web1", "web2", "web9"], ["web1", "web2"], {"web2": dead, "db1": replace(dead, host="db1")})
    assert missing == {"web9": "it is not in lading.yaml", "web2": f"it is {dead.words}"}
