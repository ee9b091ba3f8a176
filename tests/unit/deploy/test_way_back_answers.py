"""What `rollback` answers when it has ended what another run had left open."""

from dataclasses import replace

import pytest

from builders import a_release, a_service, an_app
from lading import events, state
from lading.deploy import ended, rollback
from lading.engines import base
from lading.plan import steps


def an_end(result: events.HostResult) -> ended.Ended:
    outcome = events.Outcome({"web1": events.HostOutcome(result)})
    return ended.Ended("d1", "shop", "1.0.0", "r1", "all", outcome.result, "", "", "ann", "", base.Report(outcome))


@pytest.mark.parametrize(("verbs", "result", "said"), [
    ({"rollback"}, "succeeded", "has been finished"),
    ({"rollback"}, "rolled_back", None),
    ({"deploy"}, "rolled_back", "has been taken back"),
    ({"deploy"}, "untouched", "has been taken back"),
    ({"deploy"}, "succeeded", None),
    ({"repair"}, "untouched", None),
    ({"deploy", "rollback"}, "succeeded", None),
])
def test_what_is_there_already(verbs: set[str], result: events.HostResult, said: str | None) -> None:
    answer = rollback._already_there("shop", [an_end(result)], verbs)
    if said is None:
        assert answer is None
    else:
        assert answer is not None and said in answer.note


@pytest.mark.parametrize(("result", "said"), [
    ("succeeded", "has been finished just now"), ("rolled_back", "has been taken back just now"),
    ("untouched", "has been ended just now: failed"), ("unknown", "has been ended just now, but on hosts that do not answer"),
])
def test_what_was_open_is_told_as_it_stands(result: events.HostResult, said: str) -> None:
    assert ended.just_now([an_end(result)]) == f"deployment d1 of shop 1.0.0 was open and {said}"


def test_a_way_back_says_which_secrets_get_their_old_values_by_name() -> None:
    target = a_release(a_service("web"), version="1.0.0")

    def host(name: str, now: dict[str, int], then: dict[str, int]) -> tuple[steps.HostPlan, state.AppState]:
        app = an_app(target)
        assert app.current is not None
        return steps.HostPlan(name, generations=then), replace(app, current=replace(app.current, generations=now))

    both = {"web1": host("web1", {"var.KEY": 2, "file.cert": 1}, {"var.KEY": 1, "file.cert": 1}),
            "web2": host("web2", {"var.KEY": 3, "var.NEW": 1}, {"var.KEY": 1, "file.gone": 4})}
    plans, apps = ({name: one[at] for name, one in both.items()} for at in (0, 1))
    [said] = rollback.old_secrets(target, plans, apps)  # type: ignore[arg-type]
    assert said.startswith("secrets go back to the values that 1.0.0 ran with, not those of now: KEY on web1, web2; ")
    assert rollback.old_secrets(target, {"web1": steps.HostPlan("web1", generations={"var.KEY": 2})}, apps) == []  # type: ignore[arg-type]
