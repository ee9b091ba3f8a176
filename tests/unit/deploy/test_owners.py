"""What to type where a project's name is not ours: chosen by why it is not, never by a word in a path."""

from dataclasses import replace

import pytest

from builders import a_container, a_journal, a_release, a_service, an_app
from lading import errors, state
from lading.compose import release as releases
from lading.deploy import host_checks
from lading.plan import planner, steps

MADE = a_release(a_service("web"))
SPEC = MADE.services["web"]
OTHERS = "/srv/belongs to bob/for destination x/another state folder"
STRANGER = a_container(SPEC, owned=False, working_dir=OTHERS)
OURS = a_container(SPEC, working_dir=OTHERS)
CURRENT = state.Current("shop", MADE.id, "1", "d", source="git:a", destination="live")
GIVEN_BACK = a_journal({"kind": "ended", "deployment": "d", "result": "given back"})
APP = state.AppState("shop")


@pytest.mark.parametrize(("app", "hint"), [
    (replace(APP, containers=(STRANGER,)), "lading adopt shop --to web1; or another name: --app NAME"),
    (replace(APP, current=CURRENT, containers=(STRANGER,)), "lading remove shop --to web1 --keep-running, then lading adopt"),
    (replace(APP, containers=(OURS,), journal=GIVEN_BACK), "lading adopt shop --to web1"),
    (replace(APP, containers=(OURS,)), "if nobody else deploys it: lading repair web1 shop"),
    (replace(APP, containers=(OURS,), elsewhere=f"{OTHERS}, of user bob"), f"deploy as that user, or move {OTHERS} to"),
    (replace(APP, current=replace(CURRENT, source=f"/srv/{OTHERS}@0123456789abcdef")), "--take-over"),
    (replace(APP, current=replace(CURRENT, destination="another state folder")), "--take-over"),
])
def test_the_hint_follows_from_the_kind(app: state.AppState, hint: str) -> None:
    seen = state.HostState("web1", apps={"shop": app})
    bundle = releases.Bundle(MADE, (), {}, {}, source="git:a")
    with pytest.raises(errors.ForeignError) as refused:
        host_checks.check_owner(bundle, "live", seen, take_over=False, lost=False)
    assert refused.value.hint.startswith(f"if that is right: {hint}")


SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(("source", "told", "names"), [
    (SHA, "git init and a first commit", True), (f"{OTHERS}@0123456789abcdef", "git init and a first commit", True),
    ("git.example/team/shop", "has another remote", False),
])
def test_the_refusal_says_what_makes_another_owner(source: str, told: str, names: bool) -> None:
    seen = state.HostState("web1", apps={"shop": replace(APP, current=CURRENT)})
    with pytest.raises(errors.ForeignError) as refused:
        host_checks.check_owner(releases.Bundle(MADE, (), {}, {}, source=source), "live", seen, take_over=False, lost=False)
    assert told in refused.value.hint
    assert ("source: NAME" in refused.value.hint) is names


@pytest.mark.parametrize(("current", "changes"), [
    (None, []), (CURRENT, []),
    (replace(CURRENT, source="git:b"), [("owner", "git:b", "git:a")]),
    (replace(CURRENT, destination="staging"), [("destination", "staging", "live")]),
])
def test_a_take_over_is_a_change_of_the_record_alone(
    current: state.Current | None, changes: list[tuple[str, str, str]]
) -> None:
    app = replace(an_app(MADE), current=current)
    bundle = releases.Bundle(MADE, (), {}, {}, source="git:a")
    owners = host_checks.taken_over(bundle, "live", state.HostState("web1", apps={"shop": app}))
    assert [(one.service, one.field, one.old, one.new) for one in owners] == [("", *one) for one in changes]
    plan = planner.plan_host("web1", MADE, {}, (), app, MADE, owners=owners)
    assert plan.changes[:len(owners)] == owners
    assert [one for one in plan.steps if isinstance(one, steps.Changing)] == []
    assert bool(plan.steps) is (current != CURRENT)
