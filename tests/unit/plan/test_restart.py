"""A restart makes new containers of the release that runs: of those that are meant, and of those that are made on them."""

from builders import a_container, a_release, a_service, an_app
from lading.placement import assignment
from lading.plan import planner, steps

WEB, DB = a_service("web", "r/web:1"), a_service("db", "r/db:1")
SIDE = a_service("side", "r/side:1", tied_to=("web",), definition={"network_mode": "service:web"})
AFTER = a_service("after", "r/after:1", restarts_with=("db",), depends_on={"db": "service_started"})
RELEASE = a_release(WEB, DB, SIDE)


def restarted(*services: str) -> steps.HostPlan:
    app = an_app(RELEASE, *(a_container(spec) for spec in RELEASE.services.values()))
    return planner.restart_host("h", RELEASE, {}, app, services, assignment.by_default(RELEASE))


def test_one_service_alone() -> None:
    plan = restarted("db")
    assert plan.steps == (
        steps.PullImages({"db": RELEASE.services["db"].image}), steps.StoreRelease(RELEASE.id),
        steps.StartServices(("db",), anew=True), steps.VerifyServices(("db",)), *planner.end_of(RELEASE.id))
    assert [(one.service, one.field) for one in plan.changes] == [("db", "recreated")]


def test_what_is_made_on_its_containers_is_made_anew_with_it() -> None:
    plan = restarted("web")
    assert plan.services == ("side", "web")
    assert [(one.service, one.field, one.new) for one in plan.changes] == [
        ("web", "recreated", "it is restarted"), ("side", "recreated", "because web is (network_mode: service:web)")]


def test_what_restarts_with_it_is_said() -> None:  # depends_on: {restart: true}
    made = a_release(DB, AFTER)
    app = an_app(made, *(a_container(spec) for spec in made.services.values()))
    plan = planner.restart_host("h", made, {}, app, ("db",), assignment.by_default(made))
    assert plan.services == ("after", "db")
    assert [(one.service, one.field) for one in plan.changes] == [("db", "recreated"), ("after", "recreated")]
