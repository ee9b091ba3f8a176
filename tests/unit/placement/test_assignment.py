"""What each host is to run: by default every service that was asked for, on every chosen host."""

from dataclasses import replace
from typing import Any

import pytest

from builders import a_container, a_release, a_service, an_app
from lading import state
from lading.compose import project
from lading.export import ansible
from lading.placement import assignment
from lading.plan import mounts, planner, steps

ASKED = a_service("debug", profiles=("debug",))
MADE = a_release(a_service("web", replicas=2), a_service("idle", replicas=0), ASKED)
ROWS = (assignment.Row("web1", True, "destination production"), assignment.Row("web2", True, "destination production"),
        assignment.Row("web3", False, "!web3 in --to"))


def test_all_services_on_all_hosts_by_default() -> None:
    found = assignment.everywhere(MADE, ROWS)
    assert found.on("web1") == found.on("web2") == {"web": 2, "idle": 0}
    assert found.on("web3") == found.on("nobody") == {}
    assert found.as_json()[1:] == [
        {"host": "web2", "chosen": True, "rule": "destination production", "services": {"web": 2, "idle": 0}},
        {"host": "web3", "chosen": False, "rule": "!web3 in --to", "services": {}}]


def test_hosts_that_are_left_in_the_end_say_why() -> None:
    found = assignment.everywhere(MADE, ROWS).only(["web2"], "shop is not deployed there")
    assert [(row.host, row.chosen, row.rule) for row in found.rows] == [
        ("web2", True, "destination production"), ("web3", False, "!web3 in --to"), ("web1", False, "shop is not deployed there")]
    assert found.on("web1") == {}


MOUNT = {"type": "volume", "source": "d", "target": "/d"}
TWO = a_release(a_service("web"), a_service("db", mounts=(project.Mount("volume", "d", "/d"),), definition={"volumes": [MOUNT]}),
                volumes={"d": project.Resource("d", "shop_d", {}, external=True)})


def test_a_host_is_planned_for_what_it_is_to_run() -> None:
    whole = planner.plan_host("h", TWO, {}, (), state.AppState("shop"), None)
    part = planner.plan_host("h", TWO, {}, (), state.AppState("shop"), None, placed={"web": 3})
    assert (whole.services, whole.placed) == (("db", "web"), {"db": 1, "web": 1})
    assert (part.services, part.placed) == (("web",), {"web": 3})
    [change] = [one for one in part.changes if one.field == "containers"]
    assert (change.service, change.new) == ("web", "3")
    [pulled] = [step for step in part.steps if isinstance(step, steps.PullImages)]
    assert list(pulled.images) == ["web"]


@pytest.mark.parametrize(("placed", "services"), [({"web": 1, "db": 1}, ()), ({"web": 2, "db": 1}, ("web",)), ({"web": 1}, ())])
def test_what_runs_is_compared_with_what_the_host_is_to_run(placed: dict[str, int], services: tuple[str, ...]) -> None:
    app = an_app(TWO, a_container(TWO.services["web"]), a_container(TWO.services["db"], mounts={"/d": "shop_d"}))
    plan = planner.plan_host("h", TWO, {}, (), app, TWO, placed=placed)
    assert plan.services == services


def test_volumes_are_of_what_the_host_is_to_run() -> None:
    host = state.HostState("h", volumes={})
    assert [one.why for one in mounts.problems(TWO, None, host)] == ["the external volume shop_d does not exist"]
    assert mounts.problems(TWO, None, host, placed={"web": 1}) == []


def test_a_playbook_runs_what_its_hosts_are_to_run() -> None:
    def text(**more: Any) -> str:
        return ansible.playbook(ansible.Deployment(TWO, "production", (("h",),), {"h": {}}, (), "auto", **more))

    content = TWO.services["db"].content
    assert (content in text(), content in text(placed={"web": 1})) == (True, False)


def test_a_plan_says_it_and_its_hash_does_not_depend_on_it() -> None:
    plan = planner.plan(MADE, "production", {"web1": steps.HostPlan("web1")})
    told = replace(plan, assignment=assignment.everywhere(MADE, ROWS))
    assert [one["host"] for one in told.as_json()["assignment"]] == ["web1", "web2", "web3"]
    assert (told.hash, plan.as_json()["assignment"]) == (plan.hash, [])
