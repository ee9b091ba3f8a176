"""A plan shows every change at once, and names who is recreated because of another; surplus is never chosen by number."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import a_container, a_release, a_service, an_app
from lading import state
from lading.compose import project, release
from lading.plan import planner, steps


@dataclass(frozen=True)
class Side:
    """What a version of the app is made of, before or after a few changes."""

    image: str = "r/web:1"
    definition: Mapping[str, Any] = field(default_factory=lambda: {"environment": {"A": "1"}, "configs": [{"source": "conf"}]})
    uses: tuple[str, ...] = ("var.P",)
    numbers: Mapping[str, int] = field(default_factory=lambda: {"var.P": 1, "var.Q": 1})
    replicas: int = 1
    mtu: str = "1400"
    page: bytes = b"page"
    conf: bytes = b"conf"


def made(side: Side) -> release.Release:
    web = a_service(
        "web", side.image, definition=side.definition, replicas=side.replicas,
        mounts=(project.Mount("bind", "./page", "/page"),), configs=(project.FileRef("conf", "/conf"),))
    shipped = {"page": (project.ShippedFile("", side.page),), "conf.txt": (project.ShippedFile("", side.conf),)}
    return a_release(
        web, a_service("db", "r/db:1", networks=("back",)), binds=shipped, uses={"web": side.uses},
        secrets={"var.P": b"p", "var.Q": b"q"}, configs={"conf": project.Resource("conf", "shop_conf", {}, file="conf.txt")},
        networks={"default": project.Resource("default", "shop_default", {"mtu": side.mtu}),
                  "back": project.Resource("back", "shop_back", {})})


def other(side: Side, **more: Any) -> Side:
    return replace(side, definition={**side.definition, **more})


CHANGES: dict[str, tuple[Callable[[Side], Side], tuple[str, str]]] = {
    "image": (lambda s: replace(s, image="r/web:2"), ("web", "image")),
    "variable": (lambda s: other(s, environment={"A": "2"}), ("web", "environment")),
    "field": (lambda s: other(s, user="7"), ("web", "user")),
    "secret": (lambda s: replace(s, numbers={**s.numbers, "var.P": 2}), ("web", "secret P")),
    "new secret": (lambda s: replace(s, uses=("var.P", "var.Q")), ("web", "secret Q")),
    "replicas": (lambda s: replace(s, replicas=2), ("web", "containers")),
    "network": (lambda s: replace(s, mtu="1500"), ("", "network shop_default")),
    "file": (lambda s: replace(s, page=b"other"), ("web", "file /page")),
    "config": (lambda s: replace(s, conf=b"other"), ("web", "config conf")),
}


def on_host(old: release.Release, numbers: Mapping[str, int]) -> state.AppState:
    containers = [a_container(spec, secrets=release.generation_label(spec, numbers) if spec.secrets else "")
                  for spec in old.active.values()]
    return an_app(old, *containers, generations=dict(numbers))


LONG = {f"NAME_{number}": f"value-{number}" for number in range(20)}
ARGUMENTS = [f"--option-{number}=value" for number in range(20)]
WORD = "x" * 200


@pytest.mark.parametrize(("key", "old", "new", "shown"), [
    ("environment", LONG, {**LONG, "NAME_9": "other", "TLS": "off"}, [("environment NAME_9", '"value-9"', '"other"'), ("environment TLS", "", '"off"')]),
    ("environment", {**LONG, "NONE": None}, LONG, [("environment NONE", "", "")]),
    ("command", ARGUMENTS, [*ARGUMENTS, "--no-tls"], [("command", "[]", '["--no-tls"]')]),
    ("environment", {**LONG, "A": WORD + "1"}, {**LONG, "A": WORD + "2"}, [("environment A", f'...{"x" * 30}1"', f'...{"x" * 30}2"')]),
    ("environment", {}, {f"N{number:03}": "" for number in range(102)}, None),
])
def test_a_change_in_a_long_value_is_shown_itself(key: str, old: Any, new: Any, shown: list[tuple[str, str, str]] | None) -> None:  # D2
    before, after = (made(Side(definition={key: value})) for value in (old, new))
    plan = planner.plan_host("h", after, Side().numbers, (), on_host(before, Side().numbers), before)
    told = [(c.field, c.old, c.new) for c in plan.changes]
    assert told == shown if shown is not None else (len(told), told[-1]) == (101, ("environment", "", "and 2 more"))


@given(st.sets(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=4))
def test_every_change_is_shown_whatever_changes_beside_it(names: set[str]) -> None:
    before = after = Side()
    for name in names:
        after = CHANGES[name][0](after)
    old, new = made(before), made(after)
    plan = planner.plan_host("h", new, after.numbers, (), on_host(old, before.numbers), old)
    shown = {(c.service, c.field) for c in plan.changes if c.field != "recreated"}
    assert shown == {CHANGES[name][1] for name in names}
    assert "db" not in {c.service for c in plan.changes}


def test_a_secret_is_shown_beside_a_new_image() -> None:  # D2
    before, after = Side(), replace(Side(), image="r/web:2", numbers={"var.P": 2, "var.Q": 1})
    old, new = made(before), made(after)
    plan = planner.plan_host("h", new, after.numbers, ("var.P",), on_host(old, before.numbers), old)
    assert [(c.field, c.new) for c in plan.changes if c.field != "image"] == [("secret P", "changed")]


def test_a_secret_that_is_not_used_any_more_is_shown() -> None:
    before, after = replace(Side(), uses=("var.P", "var.Q")), replace(Side(), image="r/web:2")
    old, new = made(before), made(after)
    plan = planner.plan_host("h", new, after.numbers, (), on_host(old, before.numbers), old)
    assert [(c.field, c.old, c.new) for c in plan.changes if c.field != "image"] == [("secret Q", "***", "not used any more")]


@pytest.mark.parametrize(("content", "label", "shown"), [("other", "7", "?"), ("other", "", "P"), (None, "1.1", "?")])
def test_a_secret_of_a_container_that_nobody_knows_is_shown(content: str | None, label: str, shown: str) -> None:
    made_ = a_release(a_service("web"), secrets={"var.P": b"p"}, uses={"web": ("var.P",)})
    spec = made_.services["web"]
    app = an_app(made_, a_container(spec, content=content or spec.content, secrets=label), generations={"var.P": 1})
    fields = [c.field for c in planner.plan_host("h", made_, {"var.P": 1}, (), app, made_).changes]
    assert fields == [*(["definition"] if content else []), f"secret {shown}"]


def test_a_definition_that_nobody_knows_is_said_beside_the_image() -> None:
    new = a_release(a_service("web", "r/web:2"))
    app = an_app(new, a_container(new.services["web"], content="", image="r/web:1"))
    assert [(c.field, c.old) for c in planner.plan_host("h", new, {}, (), app, new).changes] == [
        ("image", "r/web:1"), ("definition", "not lading's")]


def test_the_definition_is_found_in_any_kept_release() -> None:  # half of an undo, or a release that was rolled back
    kept, current = (a_release(a_service("web", definition={"user": user})) for user in ("1", "2"))
    new = a_release(a_service("web", definition={"user": "3"}))
    app = an_app(current, a_container(kept.services["web"]))
    app = replace(app, releases={**app.releases, **an_app(kept).releases})
    assert [(c.field, c.old, c.new) for c in planner.plan_host("h", new, {}, (), app, current).changes] == [("user", '"1"', '"3"')]


def test_a_config_in_the_compose_file_itself_may_differ() -> None:
    def version(text: bytes) -> release.Release:
        web = a_service("web", f"r/web:{text.decode()}", definition={"configs": [{"source": "app"}]},
                        configs=(project.FileRef("app", "/app"),))
        return a_release(web, configs={"app": project.Resource("app", "shop_app", {"content": text.decode()})},
                         files=(project.ShippedFile("docker-compose.yml", text),))

    old = version(b"1")
    plan = planner.plan_host("h", version(b"2"), {}, (), an_app(old), old)
    assert [c.field for c in plan.changes] == ["image", "config app"]


TIES = {"network_mode": ("network_mode", "service:vpn"), "ipc": ("ipc", "service:vpn"), "pid": ("pid", "service:vpn"),
        "volumes_from": ("volumes_from", ["vpn:ro"])}


@pytest.mark.parametrize("key", TIES)
def test_who_is_recreated_because_of_another_is_named(key: str) -> None:
    name, value = TIES[key]
    tied = a_service("web", tied_to=("vpn",), definition={name: value})
    third = a_service("third", tied_to=("web",), definition={"pid": "service:web"})
    old = a_release(a_service("vpn", "r/vpn:1"), tied, third, a_service("db"))
    new = a_release(a_service("vpn", "r/vpn:2"), tied, third, a_service("db"))
    plan = planner.plan_host("h", new, {}, (), an_app(old), old)
    how = "volumes_from" if key == "volumes_from" else f"{key}: service:vpn"
    assert [(c.service, c.field, c.new) for c in plan.changes if c.service != "vpn"] == [
        ("third", "recreated", "because web is (pid: service:web)"), ("web", "recreated", f"because vpn is ({how})")]
    assert plan.services == ("third", "vpn", "web")


def test_who_is_restarted_because_of_another_is_named() -> None:  # depends_on: {restart: true}
    after = a_service("web", restarts_with=("db",), depends_on={"db": "service_started"})
    job = a_service("job", restarts_with=("db",), restart="no", restart_written=True)
    old = a_release(a_service("db", "r/db:1"), after, job, a_service("far", restarts_with=("web",)))
    new = a_release(a_service("db", "r/db:2"), after, job, a_service("far", restarts_with=("web",)))
    ended = {"job": {"status": "exited", "exit_code": 0}}
    app = an_app(old, *(a_container(spec, **ended.get(name, {})) for name, spec in old.active.items()))
    plan = planner.plan_host("h", new, {}, (), app, old)
    assert [(c.service, c.field, c.new) for c in plan.changes if c.service != "db"] == [
        ("web", "restarted", "because db is recreated (depends_on: restart: true)")]
    assert plan.services == ("db", "web")
    without = replace(app, containers=tuple(c for c in app.containers if c.service != "db"))
    assert planner.plan_host("h", new, {}, (), without, old).services == ("db",)


def tied_services(replicas: int, mtu: str = "") -> release.Release:
    """`base`, who is made on it or restarts with it, and `next`, on whose network nobody else is."""
    base = a_service("base", replicas=replicas, networks=("back",))
    side = a_service("side", tied_to=("base",), definition={"network_mode": "service:base"}, networks=())
    web = a_service("web", restarts_with=("base",), depends_on={"base": "service_started"}, networks=("back",))
    networks = {"default": project.Resource("default", "shop_default", {"mtu": mtu} if mtu else {}),
                "back": project.Resource("back", "shop_back", {})}
    return a_release(base, side, web, a_service("next"), networks=networks)


def of_base(made: release.Release, *bases: dict[str, Any]) -> state.AppState:
    """The services of `tied_services` on a host, `side` made on the container of `base` with id "one"."""
    others = [a_container(spec, made_on=("one",) if name == "side" else ()) for name, spec in made.active.items() if name != "base"]
    return an_app(made, *(a_container(made.services["base"], **base) for base in bases), *others)


def shown(plan: steps.HostPlan) -> list[tuple[str, str, str]]:
    return [(change.service, change.field, change.new) for change in plan.changes]


def test_one_container_more_changes_no_other() -> None:  # Compose keeps what is there, and stops nobody for it
    old, new = tied_services(1), tied_services(2)
    plan = planner.plan_host("h", new, {}, (), of_base(old, {"id": "one"}), old)
    assert shown(plan) == [("base", "containers", "2")]
    assert plan.services == ("base",)


def test_who_is_made_on_a_container_that_is_lost_is_recreated() -> None:
    made = tied_services(1)
    plan = planner.plan_host("h", made, {}, (), of_base(made), made)
    assert shown(plan) == [("base", "containers", "1"), ("side", "recreated", "because base is (network_mode: service:base)")]


def test_who_is_made_on_what_is_started_beside_a_network_is_recreated_too() -> None:
    old, new = tied_services(1), tied_services(2, mtu="1400")
    plan = planner.plan_host("h", new, {}, (), of_base(old, {"id": "one"}), old)
    assert shown(plan)[2:] == [
        ("base", "recreated", "because what is started with it is made anew"),
        ("next", "recreated", "because network shop_default is made anew"),
        ("side", "recreated", "because base is (network_mode: service:base)"),
        ("web", "recreated", "because base is recreated (depends_on: restart: true)")]
    assert plan.services == ("base", "next", "side", "web")


def test_who_restarts_with_what_compose_makes_anew_is_named_too() -> None:
    def version(mtu: str, tag: str) -> release.Release:
        first = a_service("first", restarts_with=("base",), depends_on={"base": "service_started"}, networks=("back",))
        second = a_service("second", restarts_with=("first",), depends_on={"first": "service_started"}, networks=("back",))
        return a_release(
            a_service("base", f"r/base:{tag}", networks=("back",)), first, second, a_service("next"),
            networks={"default": project.Resource("default", "shop_default", {"mtu": mtu}),
                      "back": project.Resource("back", "shop_back", {})})

    old = version("1", "1")
    plan = planner.plan_host("h", version("2", "2"), {}, (), an_app(old), old)
    assert [one for one in shown(plan) if one[0] in ("first", "second")] == [
        ("first", "recreated", "because base is recreated (depends_on: restart: true)"),
        ("second", "recreated", "because first is recreated (depends_on: restart: true)")]


def test_the_container_that_others_are_made_on_stays() -> None:
    old, new = tied_services(2), tied_services(1)
    app = of_base(old, {"id": "one", "since": LATE}, {"id": "two", "since": EARLY})
    plan = planner.plan_host("h", new, {}, (), app, old)
    assert (removed(plan), shown(plan)) == (["two"], [("base", "containers", "1")])


def test_who_is_made_on_a_container_that_goes_is_recreated() -> None:
    old, new = tied_services(2), tied_services(1)
    app = of_base(old, {"id": "one", "health": "unhealthy"}, {"id": "two"})
    plan = planner.plan_host("h", new, {}, (), app, old)
    assert removed(plan) == ["one"]
    assert shown(plan) == [
        ("base", "containers", "1"), ("side", "recreated", "because it is made on a container of base that goes")]
    assert plan.services == ("side",)


def test_a_container_of_a_profile_on_a_network_that_is_made_anew_is_named() -> None:
    def version(mtu: str) -> release.Release:
        return a_release(a_service("web"), a_service("tool", profiles=("tool",)),
                         networks={"default": project.Resource("default", "shop_default", {"mtu": mtu})})

    old = version("1")
    app = an_app(old, *(a_container(spec) for spec in old.services.values()))
    plan = planner.plan_host("h", version("2"), {}, (), app, old)
    assert [(c.service, c.field) for c in plan.changes] == [("", "network shop_default"), ("tool", "stopped"), ("web", "recreated")]
    assert plan.services == ("web",)


def test_who_was_taken_off_a_network_and_stopped_is_made_anew() -> None:  # Compose would start it without the network
    made = a_release(a_service("web"), a_service("db"))
    stopped = a_container(made.services["web"], status="exited", exit_code=137, networks={})
    plan = planner.plan_host("h", made, {}, (), an_app(made, stopped, a_container(made.services["db"])), made)
    assert shown(plan) == [("web", "attached", "as in the release")]
    assert (plan.services, plan.anew) == (("web",), True)
    still_on = replace(stopped, networks={"shop_default": ""})
    plan = planner.plan_host("h", made, {}, (), an_app(made, still_on, a_container(made.services["db"])), made)
    assert (shown(plan), plan.anew) == ([("web", "state", "running")], False)


def test_a_network_stays_while_a_container_that_runs_on_is_on_it() -> None:  # its removal would fail, and undo the deployment
    def version(*networks: str, profile: bool) -> release.Release:
        tool = a_service("tool", profiles=("tool",), networks=networks[-1:])
        return a_release(a_service("web"), tool, profiles=("tool",) if profile else (),
                         networks={key: project.Resource(key, f"shop_{key}", {}) for key in networks})

    old, new = version("default", "own", profile=True), version("default", profile=False)
    app = an_app(old, *(a_container(spec) for spec in old.services.values()))
    for strangers, who in (({}, "shop-tool-1"), ({"shop_own": ["edge"]}, "edge, shop-tool-1")):
        plan = planner.plan_host("h", new, {}, (), app, old, strangers)
        assert ("", "network shop_own", f"stays: {who} is on it") in shown(plan)
        assert not [step for step in plan.steps if isinstance(step, steps.RemoveNetwork)]
    alone = an_app(old, a_container(old.services["web"]))
    plan = planner.plan_host("h", new, {}, (), alone, old)
    assert ("", "network shop_own", "removed") in shown(plan)
    assert steps.RemoveNetwork("shop_own") in plan.steps


@pytest.mark.parametrize(("extension", "starts"), [({}, ("web",)), ({"on_undo": "run"}, ("job", "web"))])
def test_the_plan_of_a_way_back_names_only_what_is_run(extension: dict[str, str], starts: tuple[str, ...]) -> None:
    def version(tag: str) -> release.Release:
        job = a_service("job", f"r/app:{tag}", restart="no", restart_written=True)
        return a_release(a_service("web", f"r/app:{tag}"), job, extension=extension)

    old, new = version("1"), version("2")
    plan = planner.without_one_shots(planner.plan_host("h", old, {}, (), an_app(new), new), old, ("job",))
    assert plan.services == tuple(c.service for c in plan.changes) == starts


def test_a_way_back_of_one_shots_alone_is_committed() -> None:
    old, new = (a_release(a_service("job", f"r/app:{tag}", restart="no", restart_written=True)) for tag in "12")
    plan = planner.without_one_shots(planner.plan_host("h", old, {}, (), an_app(new), new), old, ("job",))
    assert (plan.services, [c.field for c in plan.changes]) == ((), ["release"])
    assert planner.without_one_shots(steps.HostPlan("h"), old, ("job",)) == steps.HostPlan("h")


WEB = a_release(a_service("web", "r/web:1"))
ONE = WEB.services["web"]
EARLY, LATE = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def gone(*containers: state.ContainerState) -> list[str]:
    """The ids that a deployment of the same again removes."""
    plan = planner.plan_host("h", WEB, {}, (), an_app(WEB, *containers), WEB)
    return removed(plan)


def removed(plan: steps.HostPlan) -> list[str]:
    """The ids of all containers that a plan removes."""
    return [one for step in plan.steps for one in getattr(step, "containers", ())]


def test_the_only_container_stays_whatever_its_number() -> None:  # D4
    two = a_release(a_service("web", "r/web:1"), a_service("db", "r/db:2"))
    app = an_app(WEB, a_container(ONE, id="two", number=2))
    plan = planner.plan_host("h", two, {}, (), app, WEB)
    assert removed(plan) == []
    assert plan.services == ("db",)


@pytest.mark.parametrize(("first", "second", "leaves"), [
    ({"content": "other"}, {}, "one"),
    ({"image": "r/web:0"}, {}, "one"),
    ({"secrets": "1"}, {}, "one"),
    ({"status": "exited", "exit_code": 1}, {}, "one"),
    ({"health": "unhealthy"}, {}, "one"),
    ({"health": "starting"}, {}, "one"),
    ({"health": "unhealthy"}, {"content": "other"}, "two"),
    ({"since": LATE}, {"since": EARLY}, "one"),
    ({"since": EARLY}, {"since": LATE}, "two"),
    ({"owned": False, "content": ""}, {}, "one"),
])
def test_surplus_is_chosen_by_content_then_health_then_age(first: dict[str, Any], second: dict[str, Any], leaves: str) -> None:
    containers = (a_container(ONE, id="one", number=1, **first), a_container(ONE, id="two", number=2, **second))
    assert gone(*containers) == gone(*reversed(containers)) == [leaves]
