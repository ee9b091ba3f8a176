"""What is said where nothing was to be done and something is not well."""

from dataclasses import replace

import pytest

from builders import a_release, a_service, an_app
from lading.deploy import unwell
from lading.plan import steps

MADE = a_release(a_service("web", definition={"restart": "always"}), a_service("job"))


@pytest.mark.parametrize(("seen", "said"), [
    ({}, ""),
    ({"health": "unhealthy"}, "web on web1 is unhealthy; lading logs shop"),
    ({"status": "paused"}, "web on web1 is paused, and runs on after docker unpause there; lading logs shop"),
    ({"restarts": 2}, "web on web1: Docker restarted it 2 times; lading logs shop"),
    ({"status": "restarting", "exit_code": 1}, "web on web1: it restarts (exit code 1); lading logs shop"),
])
def test_what_is_not_well(seen: dict[str, str], said: str) -> None:
    app = an_app(MADE)
    app = replace(app, containers=tuple(replace(one, **seen) for one in app.containers))  # type: ignore[arg-type]
    plans = {"web1": steps.HostPlan("web1", placed={"web": 1}), "web2": steps.HostPlan("web2")}
    assert unwell.note(MADE, plans, {"web1": app}) == said


def test_what_has_ended_as_it_may_is_told_with_what_runs_it_again() -> None:
    app = an_app(MADE)
    ended = replace(app, containers=tuple(replace(one, status="exited") for one in app.containers))
    plans = {"web1": steps.HostPlan("web1"), "web2": steps.HostPlan("web2"), "web3": steps.HostPlan("web3")}
    assert unwell.finished(MADE, plans, {"web1": ended, "web2": ended, "web3": app}) == (
        "job has ended with code 0 on web1, web2, which counts as completed: lading restart shop/job runs it again")
    assert unwell.finished(MADE, plans, {"web1": app}) == ""


def test_what_must_end_and_has_is_no_news() -> None:
    made = a_release(a_service("job"), a_service("web", depends_on={"job": "service_completed_successfully"}))
    app = an_app(made)
    ended = replace(app, containers=tuple(
        replace(one, status="exited") if one.service == "job" else one for one in app.containers))
    assert (made.endings["job"], unwell.finished(made, {"web1": steps.HostPlan("web1")}, {"web1": ended})) == ("must", "")


def test_what_has_a_health_check_of_its_image_has_not_ended_well() -> None:
    app = an_app(MADE)
    ended = replace(app, containers=tuple(replace(one, status="exited", health="unhealthy") for one in app.containers))
    assert unwell.finished(MADE, {"web1": steps.HostPlan("web1")}, {"web1": ended}) == "", "a start starts it"
