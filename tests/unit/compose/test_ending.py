"""How services end: by what awaits them, their restart policy, ports and health check; read from a release, new or kept."""

import json

import pytest

from builders import a_release, a_service
from lading.compose import ending, project, release, restore


@pytest.mark.parametrize(("service", "ends"), [
    (a_service("web"), "may"), (a_service("web", restart="no"), "may"), (a_service("web", restart="on-failure:3"), "may"),
    (a_service("web", restart="always"), "never"), (a_service("web", restart="unless-stopped"), "never"),
    (a_service("web", definition={"deploy": {"restart_policy": {"condition": "none"}}}), "may"),
    (a_service("web", definition={"deploy": {"restart_policy": {"condition": "any"}}}), "never"),
    (a_service("web", definition={"restart": "no", "deploy": {"restart_policy": {"condition": "any"}}}), "never"),
    (a_service("web", definition={"restart": "always", "deploy": {"restart_policy": {"max_attempts": 3}}}), "may"),
    (a_service("web", definition={"ports": [{"target": 80}]}), "never"), (a_service("web", health=project.Health()), "never"),
    (a_service("web", restart="no", restart_written=True, definition={"restart": "***"}), "may"),
    (a_service("web", restart="always", restart_written=True, definition={"restart": "***"}), "never"),
])
def test_the_rule(service: project.Service, ends: ending.Ending) -> None:
    made = a_release(service, a_service("after", depends_on={"web": "service_started"}))
    assert made.endings["web"] == ends
    awaits = a_service("after", depends_on={"web": "service_completed_successfully"}, restarts_with=("web",))
    assert a_release(service, awaits).endings["web"] == "must"
    kept = restore.from_json(json.loads(made.canonical()))
    assert (kept.endings, kept.id) == (made.endings, made.id)


def test_the_bytes_of_a_release_are_as_they_were() -> None:  # upgrading lading restarts nothing
    made = a_release(a_service("web", restart="on-failure", restart_written=True))
    stored = json.loads(made.canonical())["services"]["web"]
    assert (stored["job"], stored["wait"], stored["bake"]) == (True, 900.0, 0.0)
    assert (made.wait("web"), made.bake("web")) == (60.0, 5.0)
    checked = project.Health(start_period=100.0)
    slow = a_release(a_service("web", restart="on-failure", restart_written=True, health=checked, definition={
        "healthcheck": {"test": ["CMD", "true"], "start_period": "100s"}}))
    assert (slow.wait("web"), slow.bake("web")) == (370.0, 0.0)
    job = a_release(a_service("web", restart="no", restart_written=True),
                    a_service("after", depends_on={"web": "service_completed_successfully"}))
    assert (job.wait("web"), job.bake("web"), job.wait("after")) == (900.0, 0.0, 60.0)


@pytest.mark.parametrize(("finished", "left"), [(("buckets",), {"buckets", "migrate"}), ((), {"migrate"}), (None, {"migrate", "worker"})])
def test_what_is_left_on_the_way_back(finished: tuple[str, ...] | None, left: set[str]) -> None:
    def version(**more: dict[str, str]) -> release.Release:
        return a_release(a_service("migrate"), a_service("worker", restart="on-failure", restart_written=True), a_service("buckets"),
                         a_service("web", restart="always", depends_on={"migrate": "service_completed_successfully"}), **more)

    assert version().left_on_the_way_back(finished) == left
    assert version(extension={"on_undo": "run"}).left_on_the_way_back(finished) == frozenset()
