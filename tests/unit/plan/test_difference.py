"""What is different between the plan that was approved and the one that is there now, in words."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from builders import a_release, a_service
from lading import state
from lading.placement import assignment, exclusion
from lading.plan import difference, planner, steps

MADE = a_release(a_service("web", "r/web:1"))
HOST = planner.plan_host("web1", MADE, {}, (), state.AppState("shop"), None)
PLAN = planner.plan(MADE, "production", {"web1": HOST})


def document(plan: steps.Plan) -> dict[str, Any]:
    return plan.as_json()


RIGHT = steps.Right("web", "privileged", "services.web.privileged", "root on the host")
OTHERS = {
    "another release": replace(PLAN, release="b" * 64),
    "another version": replace(PLAN, version="2"),
    "another destination": replace(PLAN, destination="staging"),
    "another owner": replace(PLAN, source="git.example/other"),
    "another verb": replace(PLAN, verb="adopt"),
    "another host": replace(PLAN, hosts={**PLAN.hosts, "web2": planner.plan_host("web2", MADE, {}, (), state.AppState("shop"), None)}),
    "another order": replace(PLAN, batches=(("web1",), ())),
    "a pause": replace(PLAN, delay=5.0),
    "a warning": replace(PLAN, warnings=("look out",)),
    "a change": replace(PLAN, hosts={"web1": replace(HOST, changes=(steps.Change("web1", "web", "image", "a", "b"),))}),
    "a step less": replace(PLAN, phases=PLAN.phases[1:]),
    "a right": replace(PLAN, rights=(RIGHT,)),
    "what runs there": replace(PLAN, hosts={"web1": replace(HOST, previous=state.Current("shop", "r0", "0", "d0"))}),
}


def test_an_exclusion_says_why_other_hosts_are_in_it() -> None:
    dead = exclusion.Exclusion("web2", "its disk is dead", "ann@laptop", "2026-11-30T10:16:59Z")
    without = replace(PLAN, assignment=assignment.Assignment((assignment.Row("web2", False, dead.words, excluded=dead),)))
    with_it = OTHERS["another host"]
    [first, *rest] = difference.between(document(with_it), document(without))
    assert (first, bool(rest)) == ("web2 was excluded meanwhile by ann@laptop: its disk is dead", True)
    assert difference.between(document(without), document(with_it))[0] == "web2 was included again meanwhile"
    assert difference.between(document(without), document(replace(without, version="2"))) == ["version: 1 → 2"]


@given(st.sampled_from(sorted(OTHERS)), st.sampled_from(sorted(OTHERS)))
def test_whatever_matters_changes_the_hash_and_is_told(one: str, two: str) -> None:  # C7
    assert (OTHERS[one].hash == OTHERS[two].hash) is (one == two)
    for name in (one, two):
        assert OTHERS[name].hash != PLAN.hash
        assert difference.between(document(PLAN), document(OTHERS[name])) != ["its format"]


def test_who_asks_and_whether_a_person_must_does_not_change_the_hash() -> None:
    assert replace(PLAN, confirm=True).hash == PLAN.hash


def test_no_hash_while_a_deployment_is_open() -> None:
    shown = document(replace(PLAN, unfinished={"web1": "20261128-210500-4f2a"}))
    assert (shown["hash"], shown["open"]) == (None, {"web1": "20261128-210500-4f2a"})
    assert document(PLAN)["hash"] == PLAN.hash and len(PLAN.hash) == 64


def test_differences_in_words() -> None:
    release, host = document(OTHERS["another release"]), document(OTHERS["another host"])
    assert difference.between(document(PLAN), release)[0] == f"release: {MADE.id[:12]} → {'b' * 12}"
    told = difference.between(document(PLAN), host)
    assert told[0] == "hosts: web1 → web1, web2"
    assert "new: web containers: 0 → 1 (web2)" in told
    assert "no longer: web containers: 0 → 1 (web2)" in difference.between(host, document(PLAN))
    assert difference.between(document(PLAN), {**document(PLAN), "v": 2}) == ["its format"]


def test_many_differences_are_counted() -> None:
    many = tuple(steps.Change("web1", "web", f"field{n}", "a", "b") for n in range(40))
    told = difference.summary(document(replace(PLAN, hosts={"web1": replace(HOST, changes=many)})))
    assert (len(told), told[0], told[-1]) == (8, "deploy shop 1 to production (web1)", "and 34 more")


def test_the_same_on_several_hosts_is_one_line_and_steps_are_told_only_where_nothing_else_is() -> None:
    both = replace(PLAN, hosts={name: replace(HOST, host=name, changes=(steps.Change(name, "web", "image", "a", "b" * 200),)) for name in ("web1", "web2")})
    (line,) = [one for one in difference.between(document(PLAN), document(both)) if one.startswith("new: web image")]
    assert len(line) == difference.WIDE + 1
    without_a_commit = {**document(PLAN), "steps": [one for one in document(PLAN)["steps"] if one["kind"] != "CommitRelease"]}
    assert difference.between(document(PLAN), without_a_commit) == ["the steps by which it is done: lading plan --json"]
    pulled = {"steps": [{"host": name, "kind": "PullImages", "images": {"web": "r/web:1"}} for name in ("web1", "web2")]}
    assert difference.between({"steps": []}, pulled) == ["new: web has to pull r/web:1 (web1, web2)"]
    assert "another release runs there than before (web1)" in difference.between(document(PLAN), document(OTHERS["what runs there"]))
    assert "new: right: web privileged, root on the host" in difference.between(document(PLAN), document(OTHERS["a right"]))


def test_a_document_of_another_lading_is_compared_as_far_as_it_goes() -> None:
    told = difference.between({"app": "shop", "changes": None}, document(PLAN))
    assert told[0] == "verb: - → deploy"


def test_hosts_that_go_in_another_order_are_told_as_such() -> None:
    at_once, one_by_one = ({**document(PLAN), "batches": batches} for batches in ([["web1", "web2"]], [["web1"], ["web2"]]))
    assert difference.between(at_once, one_by_one) == ["batches: web1, web2 → web1, then web2"]
