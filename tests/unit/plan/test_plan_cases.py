"""Cases as data: what is on a host, what shall be there, and the exact steps between (tests/unit/plan_cases)."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, assert_never

import pytest
import yaml

from builders import a_container, a_release, a_service
from lading import state
from lading.compose import project, release
from lading.plan import planner, steps

FOLDER = Path(__file__).resolve().parents[1] / "plan_cases"
CASES = {f"{path.stem}: {case['says']}": case for path in sorted(FOLDER.glob("*.yaml")) for case in yaml.safe_load(path.read_text())}

KEYS = {"says", "before", "after", "containers", "objects", "generations", "ran", "current", "known", "strangers", "steps", "changes"}


def a_side(said: dict[str, Any]) -> release.Release:
    """A release of a case: `services` (image and fields of project.Service), `networks` (definitions), the rest as named."""
    more = dict(said)
    services = [a_service(name, **{"image": f"r/{name}:1", **_fields(spec or {})}) for name, spec in more.pop("services").items()]
    networks = {
        key: project.Resource(key, f"shop_{key}", definition or {}, external=(definition or {}).get("external", False))
        for key, definition in more.pop("networks", {"default": None}).items()
    }
    return a_release(*services, networks=networks, **more)


def _fields(spec: dict[str, Any]) -> dict[str, Any]:
    lists = ("networks", "tied_to", "profiles")
    return {key: tuple(value) if key in lists else value for key, value in spec.items()}


def running(old: release.Release, said: dict[str, Any]) -> tuple[state.ContainerState, ...]:
    """The containers of *old* as they were made, but for what the case says of some: fields, a list of them, or null."""
    found: list[state.ContainerState] = []
    for name in {**old.active, **said}:
        told = said.get(name, {})
        for number, more in enumerate([] if told is None else told if isinstance(told, list) else [told]):
            fields = {"id": f"id-{name}-{number + 1}", "number": number + 1, **more}
            known = old.services.get(name)
            spec = known or next(iter(old.services.values()))
            found.append(a_container(spec, **{"service": name, **({} if known else {"content": "other"}), **fields}))
    return tuple(found)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_case(case: dict[str, Any]) -> None:
    assert set(case) <= KEYS, "a case has no other words"
    new = a_side(case["after"])
    old = a_side(case["before"]) if "before" in case else None
    numbers, ran = case.get("generations", {}), case.get("ran", case.get("generations", {}))
    current = state.Current("shop", old.id, "1", "d0", generations=ran) if old and case.get("current", True) else None
    containers = running(old or new, case.get("containers", {})) if old or "containers" in case else ()
    kept = {old.id: json.loads(old.canonical())} if old else {}
    app = state.AppState("shop", current, kept, containers=containers, objects=frozenset(case.get("objects", ())))
    known = old if case.get("known", True) else None
    plan = planner.plan_host("h", new, numbers, (), app, known, case.get("strangers"))
    plan = planner.hooked(new, {"h": plan})["h"]
    assert [said(step) for step in plan.steps] == case["steps"]
    if "changes" in case:
        assert [f"{c.service} {c.field}: {c.old} → {c.new}".strip() for c in plan.changes] == [
            text.replace("OLD", old.id if old else "").replace("NEW", new.id) for text in case["changes"]]
    assert (plan.previous, dict(plan.generations)) == (current, numbers)


def said(step: steps.Step) -> str:
    """A step in a line of a case; of a release only that it is one."""
    match step:
        case steps.StoreRelease(_, objects):
            return " ".join(["store", *(name[:4] for name in objects)])
        case steps.PullImages(images):
            return " ".join(["pull", *sorted(images)])
        case steps.RunHook(hook, service):
            return f"hook {hook} {service}"
        case steps.RecreateNetwork(network, services, foreign):
            return " ".join(["network", network, *services, *(f"({name})" for name in foreign)])
        case steps.StopServices(services):
            return " ".join(["stop", *services])
        case steps.ScaleDown(service, ids):
            return " ".join(["scale down", service, *ids])
        case steps.StartServices(services):
            return " ".join(["start", *services])
        case steps.VerifyServices(services):
            return " ".join(["verify", *services])
        case steps.RemoveService(service, ids):
            return " ".join(["remove", service, *ids])
        case steps.RemoveNetwork(network):
            return f"remove network {network}"
        case steps.RemoveApp():
            return "remove app"
        case steps.RepairRecords():
            return "repair"
        case steps.PrepareRelease():
            return "prepare"
        case steps.CommitRelease():
            return "commit"
        case steps.FinishRelease():
            return "finish"
        case _:
            assert_never(step)


def test_what_a_release_lacks_of_a_running_definition_is_shortened() -> None:
    old = a_release(a_service("web", definition={"command": ["x" * 200]}))
    new = a_release(a_service("web", definition={"command": None}))
    app = state.AppState("shop", None, containers=(a_container(old.services["web"]),))
    (change,) = planner.diff("h", new, {}, app, old)
    assert (change.field, len(change.old), change.old[-3:], change.new) == ("command", 120, "...", "")


def test_whole_plan_in_batches_with_what_must_be_said() -> None:
    made = replace(a_side({"services": {"web": {}}}), forth=release.Pace(1, 3.0), back=release.Pace(2, 0.0), volumes={"data": {}})
    app = state.AppState("shop", None)
    busy = planner.plan_host("a", made, {}, (), app, None)
    changed = replace(busy, steps=(steps.RecreateNetwork("shop_default", (), ("edge-1",)), *busy.steps))
    plans = {"a": busy, "b": changed, "c": steps.HostPlan("c")}
    whole = planner.plan(made, "production", plans, ("look out", "look out"))
    assert (whole.batches, whole.delay, whole.empty) == ((("a",), ("b",)), 3.0, False)
    assert whole.warnings == (
        "look out", "b: network shop_default is made anew; edge-1 of others will be detached for that time",
        "may end: web (an exit with code 0 counts as completed)", "an undo restores containers and configuration, not the data in volumes")
    assert planner.plan(made, "production", plans, back=True).batches == (("a", "b"),)
    idle = planner.plan(made, "production", {"c": steps.HostPlan("c")})
    assert (idle.empty, idle.batches, idle.changes, idle.warnings) == (True, (), (), ())


def test_plan_as_json_and_its_hash() -> None:
    made = a_side({"services": {"web": {}}})
    one = planner.plan(made, "production", {"h": planner.plan_host("h", made, {}, (), state.AppState("shop"), None)})
    shown = one.as_json()
    assert (shown["app"], shown["release"], shown["hosts"], shown["batches"]) == ("shop", made.id, ["h"], [["h"]])
    assert [step["kind"] for step in shown["steps"]] == [
        "PullImages", "StoreRelease", "StartServices", "VerifyServices", "PrepareRelease", "CommitRelease", "FinishRelease"]
    assert shown["steps"][2] == {"host": "h", "kind": "StartServices", "services": ("web",)}
    assert shown["changes"][0]["service"] == "web"
    assert one.hash == replace(one).hash and len(one.hash) == 64
    assert replace(one, destination="staging").hash != one.hash


def test_the_hook_runs_on_one_host_only() -> None:
    made = a_side({"services": {"web": {}, "tool": {"profiles": ["tool"]}}, "extension": {"hooks": {"before": {"service": "tool"}}}})
    idle, busy = steps.HostPlan("a"), planner.plan_host("b", made, {}, (), state.AppState("shop"), None)
    found = planner.hooked(made, {"a": idle, "b": busy, "c": replace(busy, host="c")})
    assert [[type(step).__name__ for step in host.steps].count("RunHook") for host in found.values()] == [0, 1, 0]
    pulls = [step for step in found["b"].steps if isinstance(step, steps.PullImages)]
    assert set(pulls[0].images) == {"web", "tool"}
    assert planner.hooked(made, {"a": idle}) == {"a": idle}
