"""What to type where a project's name is not ours: chosen by why it is not, never by a word in a path."""

from dataclasses import replace

import pytest

from builders import a_container, a_journal, a_release, a_service
from lading import errors, state
from lading.compose import release as releases
from lading.deploy import host_checks

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
