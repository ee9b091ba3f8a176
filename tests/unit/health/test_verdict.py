"""The one judge: services by their containers, and a release as a whole, as the watch, the commit, plan and drift ask it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import PIN, a_container, a_release, a_service
from lading import state
from lading.compose import project, release
from lading.health import verdict
from lading.placement import assignment

WEB = a_service("web", "r/web:1")


def judge(
    made: release.Release, containers: Sequence[state.ContainerState], *, fresh: bool = True, replicas: int | None = None
) -> verdict.Verdict:
    return verdict.judge(verdict.expect(made, "web", {}, replicas), containers, fresh=fresh)


AFTER = a_service("after", depends_on={"web": "service_completed_successfully"})
MAY = a_release(WEB)
RUNS_ON = a_release(a_service("web", "r/web:1", restart="always"))
PORTS = a_release(a_service("web", "r/web:1", definition={"ports": [{"target": 80}]}))
RETRIED = a_release(a_service("web", "r/web:1", restart="on-failure:5"))
CHECKED = a_release(a_service("web", health=project.Health()))
JOB = a_release(a_service("web", restart="no", restart_written=True), AFTER)
RETRIED_JOB = a_release(a_service("web", restart="on-failure"), AFTER)
ALWAYS_JOB = a_release(a_service("web", restart="always"), AFTER)
ENDED = {"status": "exited", "exit_code": 0}


@pytest.mark.parametrize(("made", "more", "word"), [
    (MAY, {}, "good"), (MAY, ENDED, "good"), (MAY, {"status": "exited", "exit_code": 1}, "failed"), (MAY, {"restarts": 1}, "waiting"),
    (MAY, {**ENDED, "health": "healthy"}, "failed"),  # the image has a health check
    (RUNS_ON, {}, "good"), (RUNS_ON, ENDED, "failed"), (RUNS_ON, {"restarts": 1}, "failed"), (RUNS_ON, {"status": "restarting"}, "failed"),
    (PORTS, {}, "good"), (PORTS, ENDED, "failed"),
    (RETRIED, {"status": "restarting", "restarts": 2}, "waiting"), (RETRIED, {**ENDED, "restarts": 2}, "good"),
    (MAY, {"status": "created"}, "waiting"), (MAY, {"status": "dead"}, "failed"), (MAY, {"status": "paused"}, "failed"),
    (MAY, {"content": "other"}, "failed"), (MAY, {"image": "r/web:1" + PIN[:-1] + "b"}, "failed"),
    (MAY, {"networks": {"shop_default": ""}}, "failed"), (MAY, {"secrets": "1"}, "failed"),
    (CHECKED, {"health": "starting"}, "waiting"), (CHECKED, {"health": "healthy"}, "good"), (CHECKED, {"health": "unhealthy"}, "failed"),
    (CHECKED, ENDED, "failed"),
    (JOB, {}, "waiting"), (JOB, ENDED, "good"), (JOB, {"status": "exited", "exit_code": 1}, "failed"),
    (RETRIED_JOB, {"status": "restarting", "restarts": 1, "exit_code": 1}, "waiting"), (ALWAYS_JOB, {"status": "restarting"}, "failed"),
])  # DESIGN §4, Wait
def test_verdicts(made: release.Release, more: dict[str, object], word: str) -> None:
    spec = made.services["web"]
    verdict = judge(made, [a_container(spec, **more)])
    assert verdict.word == word
    assert verdict.why or word == "good"


@pytest.mark.parametrize(("made", "more", "kind"), [
    (RUNS_ON, {}, "restart: always"), (PORTS, {}, "ports"), (CHECKED, {}, "a health check"), (MAY, {"health": "healthy"}, "a health check"),
])
def test_who_ended_well_and_is_meant_to_run_on_is_told_why(made: release.Release, more: dict[str, str], kind: str) -> None:
    spec = made.services["web"]
    seen = a_container(spec, **ENDED, **more)
    why = judge(made, [seen]).why
    assert why == f"exited with code 0, but a service with {kind} is meant to run on"


WORDS = st.sampled_from(("running", "exited", "created", "restarting", "paused", "dead", "removing"))


@st.composite
def judged(draw: st.DrawFn) -> tuple[release.Release, list[state.ContainerState], bool]:
    awaits = draw(st.sampled_from((None, "service_started", "service_completed_successfully")))
    made = a_release(a_service("web", replicas=draw(st.integers(1, 2)), restart=draw(st.sampled_from(("no", "always"))),
                               restart_written=True, health=draw(st.sampled_from((None, project.Health())))),
                     a_service("after", depends_on={"web": awaits} if awaits else {}))
    spec = made.services["web"]
    containers = [
        a_container(spec, id=str(n), status=draw(WORDS), exit_code=draw(st.integers(0, 1)), restarts=draw(st.integers(0, 1)),
                    health=draw(st.sampled_from(("", "healthy", "unhealthy", "starting"))),
                    content=draw(st.sampled_from((spec.content, spec.content, "other"))), one_off=draw(st.booleans()))
        for n in range(draw(st.integers(0, 3)))]
    return made, containers, draw(st.booleans())


@given(judged(), st.randoms(use_true_random=False))
def test_a_verdict_is_good_only_if_every_container_is(case: tuple[release.Release, list[state.ContainerState], bool], chance: Any) -> None:
    made, containers, fresh = case
    spec, ends = made.services["web"], made.endings["web"]
    found = judge(made, containers, fresh=fresh)
    mixed = list(containers)
    chance.shuffle(mixed)
    assert judge(made, mixed, fresh=fresh).word == found.word
    mine = [c for c in containers if not c.one_off]
    words = {judge(made, [c], fresh=fresh, replicas=1).word for c in mine}
    if len(mine) < spec.replicas:
        assert (found.word, found.state) == ("failed", "missing")
    else:
        assert found.word == ("failed" if "failed" in words else "waiting" if "waiting" in words else "good")
    if found.word == "good":
        assert all(c.content == spec.content and verdict.observed(c, ends) in ("healthy", "running", "completed") for c in mine)
        assert all((c.status, c.exit_code) == ("exited", 0) for c in mine if ends == "must")
        assert all(c.health == "healthy" for c in mine if spec.health and ends != "must")
    else:
        assert found.why


def test_a_restart_long_ago_is_no_crash_now() -> None:
    made = a_release(a_service("web", restart="always"))
    restarted = a_container(made.services["web"], restarts=3)
    words = [judge(made, [restarted], fresh=fresh).word for fresh in (False, True)]
    assert words == ["good", "failed"]


def test_one_good_container_does_not_outvote_one_that_waits() -> None:
    made = a_release(a_service("web", replicas=2, health=project.Health()))
    spec = made.services["web"]
    waits, good = a_container(spec, health="starting"), a_container(spec, health="healthy")
    for order in ((waits, good), (good, waits)):
        assert judge(made, order).word == "waiting"


def test_a_missing_container_is_a_failure() -> None:
    assert judge(MAY, []).state == "missing"


def test_no_container_is_wanted_and_none_is_there() -> None:
    assert judge(MAY, [], replicas=0) == verdict.Verdict("web", "good", "stopped")


BOTH = a_release(a_service("web", replicas=2, restart="always"), a_service("db", "r/db:1", restart="always"), a_service("may", "r/may:1"))
UP = a_container(BOTH.services["web"], health="healthy")
STORE = replace(a_container(BOTH.services["db"], restarts=4))
DONE = a_container(BOTH.services["may"], status="exited", exit_code=0)


def still(*containers: state.ContainerState, left: tuple[str, ...] = (), made: release.Release = BOTH) -> list[tuple[str, str, str]]:
    found = verdict.still_good(made, assignment.by_default(made), {}, containers, fresh=("web",), left=left)
    return [(one.service, one.word, one.why) for one in found]


def a_one_off(seen: state.ContainerState) -> state.ContainerState:
    return replace(seen, one_off=True, status="exited")


@pytest.mark.parametrize(("runs", "said"), [
    ((UP, UP, STORE, DONE), []),  # what db was restarted before this deployment, which did not start it, is no crash now
    ((UP, UP, STORE, DONE, replace(UP, service="other", content="c9", status="exited")), []),
    ((STORE, DONE, UP, a_one_off(UP), UP), []),
    ((UP, UP, STORE, replace(DONE, status="running")), []),
    ((UP, UP, replace(STORE, secrets="1.3"), DONE), [("db", "failed", "it runs with other secrets")]),
    ((UP, UP, DONE), [("db", "failed", "0 of 1 containers exist")]),
    ((UP, STORE, DONE), [("web", "failed", "1 of 2 containers exist")]),
    ((UP, replace(UP, content="c11"), STORE, DONE), [("web", "failed", "it runs another definition (c11)")]),
    ((), [("db", "failed", "0 of 1 containers exist"), ("may", "failed", "0 of 1 containers exist"), ("web", "failed", "0 of 2 containers exist")]),
    ((UP, replace(UP, health="unhealthy"), STORE, DONE), [("web", "failed", "unhealthy")]),
    ((UP, replace(UP, restarts=1), STORE, DONE), [("web", "failed", "it restarts")]),
    ((UP, UP, replace(STORE, status="restarting"), DONE), [("db", "failed", "it restarts")]),
    ((UP, UP, replace(STORE, status="exited"), DONE), [("db", "failed", "exited with code 0, but a service with restart: always is meant to run on")]),
    ((UP, UP, STORE, replace(DONE, exit_code=1)), [("may", "failed", "exited with code 1")]),
    ((UP, replace(UP, networks={}), STORE, DONE), [("web", "failed", "network shop_default is not attached")]),
])  # the cases of the look that the commit's script took
def test_what_does_not_run_any_more_as_it_was_judged(runs: tuple[state.ContainerState, ...], said: list[tuple[str, str, str]]) -> None:
    assert still(*runs) == said


def test_what_starts_again_is_waited_for_and_no_more() -> None:
    checked = a_release(a_service("web", health=project.Health()))
    up = a_container(checked.services["web"], health="starting")
    assert still(up, made=checked) == [("web", "waiting", "it is not healthy yet")]
    assert still(replace(up, health="healthy"), made=checked) == []
    assert still(replace(up, health="unhealthy"), made=checked) == [("web", "failed", "unhealthy")]
    assert still(replace(up, status="created", health=""), made=checked) == [("web", "waiting", "it is not healthy yet")]


def test_secrets_are_judged_by_their_versions() -> None:
    made = a_release(WEB, secrets={"var.P": b"", "var.Q": b""}, uses={"web": ("var.P", "var.Q")})
    up = a_container(made.services["web"], secrets="1.2")
    placed = assignment.by_default(made)
    assert verdict.still_good(made, placed, {"var.P": 1, "var.Q": 2}, [up]) == []
    [other] = verdict.still_good(made, placed, {"var.P": 1, "var.Q": 3}, [up])
    assert (other.kind, other.container) == ("secrets", up.id)


ONE_SHOT = a_release(WEB, a_service("after", depends_on={"web": "service_completed_successfully"}, restart="always"))
ALONE = a_container(ONE_SHOT.services["after"])


@pytest.mark.parametrize(("fresh", "left", "more", "said"), [
    ((), (), {"status": "exited", "exit_code": 0}, []),
    (("web",), (), {"status": "exited", "exit_code": 1}, ["exited with code 1"]),
    (("web",), (), {}, ["it has not ended"]),
    ((), (), None, []),  # somebody has removed what ended long ago
    (("web",), (), None, ["0 of 1 containers exist"]),
    ((), ("web",), {"status": "exited", "exit_code": 3}, []),  # a way back leaves it as it is
])
def test_one_shots_of_a_release_that_was_rolled(
    fresh: tuple[str, ...], left: tuple[str, ...], more: dict[str, Any] | None, said: list[str]
) -> None:
    seen = [ALONE, *([a_container(ONE_SHOT.services["web"], **more)] if more is not None else [])]
    found = verdict.still_good(ONE_SHOT, assignment.by_default(ONE_SHOT), {}, seen, fresh=fresh, left=left)
    assert [one.why for one in found] == said


def test_only_what_a_host_is_to_run_is_judged() -> None:
    """A host that is given one of three services is good with that one."""
    assert verdict.still_good(BOTH, {"web": 1}, {}, [UP]) == []
    assert [one.service for one in verdict.still_good(BOTH, {"web": 1, "db": 1}, {}, [UP])] == ["db"]


def test_all_that_is_wrong_with_a_container_is_named_and_the_first_decides() -> None:
    spec = MAY.services["web"]
    seen = a_container(spec, content="x", image="r/web:0", secrets="3", networks={}, status="running", health="unhealthy", restarts=2)
    found = verdict.examine(verdict.expect(MAY, "web", {}), seen)
    assert [one.kind for one in found] == ["definition", "image", "secrets", "network", "state", "restarted"]
    assert judge(MAY, [seen], fresh=False).why == "it runs another definition (x)"
    assert found[-1].why == "Docker restarted it 2 times"


def test_what_ended_well_and_was_meant_to_has_done_its_work() -> None:
    made = a_release(a_service("may"), a_service("web", restart="always"))
    ended = [a_container(spec, **ENDED) for spec in made.services.values()]
    stranger = replace(ended[0], service="gone")
    assert verdict.completed(made, [*ended, stranger]) == {"may"}


def test_what_has_a_health_check_of_its_image_is_not_meant_to_end() -> None:
    """So `where` says of it; `drift` and a start must not take it for done."""
    made = a_release(a_service("web"))
    ended = a_container(made.services["web"], **ENDED)
    assert verdict.completed(made, [ended]) == {"web"}
    assert verdict.completed(made, [replace(ended, health="unhealthy")]) == set()


def test_who_has_finished() -> None:
    made = a_release(a_service("a"), a_service("b", replicas=2), a_service("c"), a_service("d"))
    done = {"status": "exited", "exit_code": 0}
    [a, b, c, d] = made.services.values()
    seen = [a_container(a, **done), a_container(b, **done), a_container(b), a_container(c, status="exited", exit_code=1),
            a_container(d, **done, one_off=True)]
    assert verdict.finished(seen) == ("a",)
