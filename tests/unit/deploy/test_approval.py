"""A plan that was approved by its hash: carried out, or refused with what is different; a person where one is wanted."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from builders import a_journal, a_release, a_service
from lading import context, errors, events, settings, state
from lading.cli import prompts
from lading.deploy import approval, ended, execution, on_host, order, takeover
from lading.engines import base
from lading.inventory import hosts
from lading.ledger import ledger
from lading.plan import planner, steps
from lading.transport import recorder

MADE = a_release(a_service("web", "r/web:1"))
PLAN = planner.plan(MADE, "production", {"web1": planner.plan_host("web1", MADE, {}, (), state.AppState("shop"), None)})
OTHER = replace(PLAN, version="2", destination="staging")
LATER = replace(PLAN, version="3")


def called(folder: Path, approved: str) -> context.Context:
    """A call of lading whose transport must not be used."""

    def never(_host: object, _what: object) -> object:
        raise AssertionError("no host is asked")

    fleet = settings.Settings(folder / "lading.yaml", hosts.Inventory({}, {}))
    return context.Context(fleet, {"XDG_STATE_HOME": str(folder)}, recorder.RecorderTransport(never), None, "ann",  # type: ignore[arg-type]
                           approved=approved)


def refusal(folder: Path, approved: str, plan: steps.Plan) -> str:
    with pytest.raises(errors.PlanChangedError) as caught:
        approval.check(called(folder, approved), plan)
    assert (caught.value.exit_code, f"--plan {plan.hash[:12]}" in caught.value.hint) == (4, True)
    return caught.value.message


def test_the_approved_plan_is_good_by_its_hash_or_the_beginning_of_one_that_was_shown(tmp_path: Path) -> None:
    approval.keep({"XDG_STATE_HOME": str(tmp_path)}, PLAN)
    for approved in ("", PLAN.hash, PLAN.hash[:12]):
        approval.check(called(tmp_path, approved), PLAN)
    approval.check(called(tmp_path / "elsewhere", PLAN.hash), PLAN)


def test_the_beginning_of_a_hash_stands_only_for_a_plan_that_was_shown(tmp_path: Path) -> None:  # A3, C7: 48 bits are made equal in a minute
    with pytest.raises(errors.NotConfirmedError, match="only the beginning of a hash") as caught:
        approval.check(called(tmp_path, PLAN.hash[:12]), PLAN)
    assert (caught.value.exit_code, "all 64 digits" in caught.value.hint) == (4, True)
    approval.keep({"XDG_STATE_HOME": str(tmp_path)}, OTHER)
    alike = PLAN.hash[:12] + "0" * 52
    (tmp_path / "lading" / "plans" / f"{OTHER.hash}.json").rename(path := tmp_path / "lading" / "plans" / f"{alike}.json")
    path.write_text(json.dumps({**OTHER.as_json(), "hash": alike}))
    assert "version: 2 → 1" in refusal(tmp_path, PLAN.hash[:12], PLAN)
    approval.keep({"XDG_STATE_HOME": str(tmp_path)}, PLAN)
    with pytest.raises(errors.NotConfirmedError):
        approval.check(called(tmp_path, PLAN.hash[:12]), PLAN)
    approval.check(called(tmp_path, PLAN.hash), PLAN)


def test_another_plan_is_refused_with_what_is_different(tmp_path: Path) -> None:
    approval.keep({"XDG_STATE_HOME": str(tmp_path)}, PLAN)
    said = refusal(tmp_path, PLAN.hash, OTHER)
    assert f"not {PLAN.hash[:12]} any more but {OTHER.hash[:12]}:\nversion: 1 → 2\ndestination: production → staging" in said


def test_without_the_approved_plan_the_present_one_is_told(tmp_path: Path) -> None:
    assert "what it was is not known here, now it is:\ndeploy shop 2 to staging (web1)" in refusal(tmp_path, PLAN.hash, OTHER)


@pytest.mark.parametrize("content", ["", "[]", '{"hash": "other"}', "\0"])
def test_a_kept_plan_that_is_none_is_not_believed(tmp_path: Path, content: str) -> None:
    approval.keep({"XDG_STATE_HOME": str(tmp_path)}, PLAN)
    (tmp_path / "lading" / "plans" / f"{PLAN.hash}.json").write_text(content)
    assert "not known here" in refusal(tmp_path, PLAN.hash, OTHER)


def test_kept_plans_are_the_users_own_and_few(tmp_path: Path) -> None:
    for number in range(approval.KEPT + 3):
        approval.keep({"XDG_STATE_HOME": str(tmp_path)}, replace(PLAN, version=str(number)))
    kept = list((tmp_path / "lading" / "plans").iterdir())
    assert (len(kept), {path.stat().st_mode & 0o777 for path in kept}) == (approval.KEPT, {0o600})


def test_where_nothing_can_be_kept_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "lading").write_text("a file")
    approval.keep({"XDG_STATE_HOME": str(tmp_path)}, PLAN)
    assert "not known here" in refusal(tmp_path, PLAN.hash, OTHER)


def test_a_plan_without_a_hash_is_not_kept(tmp_path: Path) -> None:
    approval.keep({"XDG_STATE_HOME": str(tmp_path)}, replace(PLAN, unfinished={"web1": "d1"}))
    assert list(tmp_path.iterdir()) == []


def open_on_web1() -> state.FleetState:
    begun = {"kind": "begin", "deployment": "20261128-210500-4f2a", "participants": ["web1"]}
    return state.FleetState({"web1": state.HostState("web1", apps={"shop": state.AppState("shop", journal=a_journal(begun))}),
                             "web2": state.HostState("web2")})


def test_no_plan_is_carried_out_by_its_hash_while_a_deployment_is_open(tmp_path: Path) -> None:
    seen = open_on_web1()
    assert on_host.unfinished(seen, "shop") == {"web1": "20261128-210500-4f2a"}
    with pytest.raises(errors.PlanChangedError, match="20261128-210500-4f2a on web1") as caught:
        asyncio.run(takeover.end_open(called(tmp_path, PLAN.hash), "shop", seen, take_lease=False, before="the next deployment"))
    assert "lading resume shop" in caught.value.hint


def test_an_empty_plan_is_another_one_too(tmp_path: Path) -> None:  # approved, and carried out by somebody else since
    done = replace(PLAN, hosts={"web1": steps.HostPlan("web1")}, phases=())

    def carried_out(approved: str) -> ended.Ended:
        here = called(tmp_path, approved)
        return asyncio.run(execution.carry_out(here, order.make(here, done, {}, (), deployment="d1")))

    with pytest.raises(errors.PlanChangedError):
        carried_out(PLAN.hash)
    good = carried_out(done.hash)
    assert good.result == "unchanged"


def left_open(result: events.HostResult) -> ended.Ended:
    outcome = events.Outcome({"web1": events.HostOutcome(result)})
    return ended.Ended("d0", "shop", "1", "r1", "production", outcome.result, "", "", "ann", "", base.Report(outcome))


@pytest.mark.parametrize(("result", "told"), [
    ("succeeded", "deployment d0 of shop 1 was open and has been finished just now"),
    ("rolled_back", "deployment d0 of shop 1 was open and has been taken back just now"),
    ("untouched", "deployment d0 of shop 1 was open and has been ended just now: failed"),
])
def test_what_was_open_and_was_ended_is_told_though_nothing_else_is_done(
    tmp_path: Path, result: events.HostResult, told: str
) -> None:
    done = replace(PLAN, hosts={"web1": steps.HostPlan("web1")}, phases=())
    here = replace(called(tmp_path, ""), confirm=lambda _: False)
    idle = asyncio.run(execution.carry_out(here, order.make(here, done, {}, (), deployment="d1"), first=[left_open(result)]))
    assert (idle.result, idle.note) == ("unchanged", told)

    becoming = {"web1": order.Becoming(MADE, state.AppState("shop"), "1", "", "production")}
    busy = order.make(here, PLAN, becoming, (), deployment="d1")
    with pytest.raises(errors.NotConfirmedError) as caught:
        asyncio.run(execution.carry_out(here, busy, first=[left_open(result)]))
    assert caught.value.message == f"not confirmed; nothing of this plan was carried out; but before it {told}"
    with pytest.raises(errors.NotConfirmedError) as caught:
        asyncio.run(execution.carry_out(here, busy))
    assert caught.value.message == "not confirmed; nothing of this plan was carried out"


@pytest.mark.parametrize(("answer", "confirm", "good"), [
    (prompts.Answer(yes=True), False, True), (prompts.Answer(approved="0" * 12), False, True),
    (prompts.Answer(approved="0" * 12), True, True), (prompts.Answer(yes=True), True, False), (prompts.Answer(), True, False),
])
def test_a_yes_beforehand_does_not_do_where_a_person_is_wanted(
    monkeypatch: pytest.MonkeyPatch, answer: prompts.Answer, confirm: bool, good: bool
) -> None:  # C8
    shown: list[steps.Plan] = []
    ask = prompts.confirmer(answer, "Deploy?", shown.append)
    plan = replace(PLAN, confirm=confirm)
    monkeypatch.setenv("CI", "true")  # nobody is asked, wherever the tests run
    if good:
        assert ask(plan)
    else:
        with pytest.raises(errors.NotConfirmedError) as caught:
            ask(plan)
        assert (caught.value.exit_code, f"--plan {PLAN.hash[:12]}" in caught.value.hint) == (4, True)
    assert shown == [plan]


def test_the_document_of_a_plan_is_read_back(tmp_path: Path) -> None:
    approval.keep({"XDG_STATE_HOME": str(tmp_path)}, PLAN)
    stored = json.loads((tmp_path / "lading" / "plans" / f"{PLAN.hash}.json").read_text())
    assert stored == json.loads(json.dumps(PLAN.as_json()))


@pytest.mark.parametrize(("result", "approved", "known"), [
    ("succeeded", PLAN.hash, True), ("succeeded", PLAN.hash[:12], True), ("failed", PLAN.hash, False), ("succeeded", OTHER.hash, False),
])
def test_a_plan_that_was_carried_out_is_told_with_its_deployment(tmp_path: Path, result: str, approved: str, known: bool) -> None:
    async def refused() -> str:
        book = await ledger.open_ledger(tmp_path / "ledger.db")
        try:
            await book.append(
                events.DeploymentPlanned("20261130-120000-aaaa", verb="deploy", app="shop", version="1", release="r", destination="p",
                                         hosts=("web1",), plan=PLAN.hash),
                events.DeploymentEnded("20261130-120000-aaaa", result=result, hosts={"web1": result}))
            here = replace(called(tmp_path, approved), ledger=book)
            with pytest.raises(errors.PlanChangedError) as caught:
                approval.check(here, LATER, await approval.carried_out_as(here, LATER))
            return f"{caught.value.message}\n{caught.value.hint}"
        finally:
            await book.close()

    assert ("was carried out already, as 20261130-120000-aaaa\nlading show 20261130-120000-aaaa" in asyncio.run(refused())) is known
