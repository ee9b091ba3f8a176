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


def why(current: state.Current | None, *missed: deployments.Deployment, host: str = "web2", sent: str = "") -> list[tuple[str, str]]:
    there = {MADE.app: current} if current is not None else {}
    return [(one.command.replace(MADE.app, "APP"), one.why) for one in excluding.lacks(FLEET, host, missed, there, {sent})]


HERE = state.Current(MADE.app, MADE.id, "1.2.0", "d0", destination="production")


@pytest.mark.parametrize("result", ["running", "unknown"])
def test_a_deployment_that_has_not_ended_is_resumed_and_not_repeated(result: str) -> None:
    assert why(None, replace(MISSED, result=result)) == [("lading resume APP", "d1 is not ended")]
    assert why(HERE, replace(MISSED, result=result)) == []


def by_hand(verb: str, **numbers: int | None) -> deployments.Deployment:
    return replace(MISSED, deployment="d2", verb=verb, by_hand=numbers)


@pytest.mark.parametrize(("there", "missed", "command"), [
    ({}, by_hand("stop", web=0), "lading stop APP/web --to web2"),
    ({"web": 0}, by_hand("stop", web=0), ""),
    ({"web": 0}, by_hand("start", web=None), "lading start APP/web --to web2"),
    ({}, by_hand("start", web=None), ""),
    ({"web": 2}, by_hand("scale", web=3), "lading scale APP/web=3 --to web2"),
    ({"web": 3}, by_hand("scale", web=3), ""),
    ({}, by_hand("stop"), "lading stop APP --to web2"),
])
def test_what_was_done_by_hand_is_told_with_its_command(
    there: dict[str, int], missed: deployments.Deployment, command: str
) -> None:
    told = [(command, "what is stopped, started or scaled by hand is done by hand")] if command else []
    assert why(replace(HERE, by_hand=there), missed) == told


def test_a_release_whose_services_were_stopped_since_is_not_deployed_unasked() -> None:
    old = replace(HERE, release="0" * 64, by_hand={"web": 0})
    [deployed, stopped] = why(old, MISSED, by_hand("stop", web=0))
    assert deployed == ("lading deploy APP --version 1.2.0 --to web2", "it starts what was stopped or scaled there by hand since")
    assert stopped[0] == "lading stop APP/web --to web2"
    assert why(old, MISSED, by_hand("start", web=None)) == [("lading deploy APP --version 1.2.0 --to web2", "")]


def test_images_that_were_sent_are_sent_again_by_a_person() -> None:
    [(command, reason)] = why(None, MISSED, sent=MADE.id)
    assert (command, "were sent" in reason) == ("lading deploy APP --version 1.2.0 --to web2 --push-images", True)


@pytest.mark.parametrize(("recorded", "missed", "place", "unasked"), [
    ("data", "data", "db1", True), ("data", "db*", "db1", True), ("data", "also", "also", False),
    ("", "data", "data", False), ("", "db*", "'db*'", False), ("gone", "data", "data", False),
])
def test_of_a_host_in_several_destinations_only_itself_is_deployed_to(recorded: str, missed: str, place: str, unasked: bool) -> None:
    old = replace(HERE, release="0" * 64, destination=recorded) if recorded else None
    [(command, reason)] = why(old, replace(MISSED, destination=missed), host="db1")
    assert (command, not reason) == (f"lading deploy APP --version 1.2.0 --to {place}", unasked)


def test_an_app_that_was_removed_meanwhile_is_removed_if_it_is_there() -> None:
    gone = replace(MISSED, verb="remove", release="")
    assert commands("web2", {MADE.app: MADE.id}, gone) == [f"lading remove {MADE.app} --to web2"]
    assert commands("web2", {}, gone) == []


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
