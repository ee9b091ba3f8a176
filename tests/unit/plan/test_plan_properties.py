"""What holds for every plan: it ends, it is no more than needed, its order is safe (promises 3 and 5)."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from builders import a_container, a_journal, a_release, a_service
from lading import state
from lading.compose import project, release
from lading.plan import planner, steps
from lading.rollout import rolling
from lading.state import journal

NAMES = ("db", "job", "side", "web")
SECRETS = {"var.P": b"p", "file.key": b"k"}
ORDER = (
    steps.PullImages, steps.StoreRelease, steps.RunHook, steps.RecreateNetwork, steps.ScaleDown, steps.StartServices,
    steps.VerifyServices, steps.RemoveService, steps.RemoveNetwork,
    steps.PrepareRelease, steps.CommitRelease, steps.FinishRelease,
)


@st.composite
def services(draw: st.DrawFn, name: str) -> project.Service:
    networks = sorted(draw(st.sets(st.sampled_from(("front", "back")), min_size=1)))
    restart = draw(st.sampled_from(("no", "always")))
    tied = ("web",) if name == "side" and draw(st.booleans()) else ()
    definition = {"environment": {"A": draw(st.sampled_from("ab"))}, "networks": networks, "restart": restart, "ipc": [*tied]}
    return a_service(
        name, f"r/{name}:{draw(st.integers(1, 2))}", networks=tuple(networks), restart=restart, restart_written=True,
        replicas=draw(st.sampled_from((1, 1, 2))), definition=definition, tied_to=tied,
        profiles=draw(st.sampled_from(((), (), ("p",)))))


@st.composite
def versions(draw: st.DrawFn) -> release.Release:
    names = sorted(draw(st.sets(st.sampled_from(NAMES), min_size=1)))
    networks = {key: project.Resource(key, f"shop_{key}", {"mtu": draw(st.sampled_from("12"))}) for key in ("front", "back")}
    uses = {name: tuple(draw(st.sets(st.sampled_from(sorted(SECRETS))))) for name in names}
    extension = draw(st.sampled_from(({}, {"hooks": {"before": {"service": names[0]}}})))
    return a_release(*[draw(services(name)) for name in names], networks=networks, secrets=SECRETS, uses=uses,
                     extension=extension, version=str(draw(st.integers(1, 2))))


NUMBERS = st.fixed_dictionaries({name: st.integers(1, 2) for name in SECRETS})


def started(app: state.AppState, made: release.Release, names: tuple[str, ...], numbers: Mapping[str, int]) -> state.AppState:
    """What Docker has after `up` of exactly *names*."""
    kept = [c for c in app.containers if c.service not in names]
    for name in names:
        spec = made.services[name]
        label = release.generation_label(spec, numbers) if spec.secrets else ""
        ended: dict[str, Any] = {"status": "exited", "exit_code": 0} if spec.job else {}
        kept += [a_container(spec, id=f"{spec.content}-{n}", number=n + 1, secrets=label, **ended) for n in range(spec.replicas)]
    return replace(app, containers=tuple(kept))


def carried_out(plan: steps.HostPlan, made: release.Release, app: state.AppState) -> state.AppState:
    """The host after all steps of a plan."""
    for step in plan.steps:
        match step:
            case steps.StoreRelease(name, objects):
                raw = json.loads(made.canonical())
                app = replace(app, releases={**app.releases, name: raw}, objects=app.objects | set(objects))
            case steps.RecreateNetwork(network):
                app = replace(app, containers=tuple(c for c in app.containers if network not in c.networks))
            case steps.StartServices(names):
                app = started(app, made, names, plan.generations)
            case steps.RemoveService(_, ids) | steps.ScaleDown(_, ids):
                app = replace(app, containers=tuple(c for c in app.containers if c.id not in ids))
            case steps.CommitRelease():
                current = state.Current("shop", made.id, made.version, "d", generations=dict(plan.generations))
                app = replace(app, current=current)
            case _:
                pass
    return app


def deployed(made: release.Release, numbers: Mapping[str, int]) -> state.AppState:
    empty = state.AppState("shop")
    return carried_out(planner.plan_host("h", made, numbers, (), empty, None), made, empty)


@given(versions(), versions(), NUMBERS, NUMBERS)
def test_a_plan_carried_out_leaves_nothing_to_do(
    old: release.Release, new: release.Release, before: dict[str, int], after: dict[str, int]
) -> None:
    app = deployed(old, before)
    assert planner.plan_host("h", old, before, (), app, old).steps == ()
    plan = planner.plan_host("h", new, after, (), app, old)
    app = carried_out(plan, new, app)
    assert planner.diff("h", new, after, app, new) == ()
    assert planner.plan_host("h", new, after, (), app, new).steps == ()
    back = planner.plan_host("h", old, before, (), app, new)
    assert planner.diff("h", old, before, carried_out(back, old, app), old) == ()


@given(versions(), versions(), NUMBERS, st.booleans())
def test_steps_come_in_the_safe_order(old: release.Release, new: release.Release, numbers: dict[str, int], known: bool) -> None:
    plan = planner.hooked(new, {"h": planner.plan_host("h", new, numbers, (), deployed(old, numbers), old if known else None)})["h"]
    places = [ORDER.index(type(step)) for step in plan.steps]
    assert places == sorted(places)
    assert not places or (places[0], places[-1]) == (0, len(ORDER) - 1)
    assert bool(plan.steps) is bool(plan.changes)
    assert set(plan.services) <= set(new.active)


@given(versions(), NUMBERS, st.sampled_from(NAMES))
def test_a_new_image_of_one_service_leaves_the_others_out(made: release.Release, numbers: dict[str, int], name: str) -> None:
    if name not in made.active:
        return
    spec = replace(made.services[name], image="r/new:9", content="new")
    new = replace(made, services={**made.services, name: spec})
    app = deployed(made, numbers)
    plan = planner.plan_host("h", new, numbers, (), app, made)
    tied = {other for other, one in made.active.items() if name in one.tied_to}
    assert set(plan.services) == {name} | tied
    assert [step for step in plan.steps if isinstance(step, steps.RecreateNetwork | steps.RemoveService | steps.RemoveNetwork)] == []
    others = {c.id for c in app.containers if c.service not in plan.services}
    assert others <= {c.id for c in carried_out(plan, new, app).containers}


HOSTS = st.lists(st.integers(1, 99).map("web{}".format), unique=True)


@given(HOSTS, st.integers(-1, 8))
def test_batches_hold_all_hosts_in_order_and_no_more_at_a_time(hosts: list[str], size: int) -> None:
    found = rolling.batches(hosts, size)
    assert [name for batch in found for name in batch] == hosts
    limit = size if size > 0 else len(hosts)
    assert all(len(batch) == limit for batch in found[:-1]) and all(1 <= len(batch) <= limit for batch in found[-1:])


@given(HOSTS, st.integers(0, 4), st.data())
def test_the_way_back_is_the_way_there_newest_first(hosts: list[str], size: int, data: st.DataObject) -> None:
    batched = rolling.batches(hosts, size)
    touched = data.draw(st.sets(st.sampled_from(hosts))) if hosts else set()
    back = rolling.undo_order(sorted(touched), batched)
    assert sorted(name for batch in back for name in batch) == sorted(touched)
    places = [hosts.index(batch[0]) for batch in back]
    assert places == sorted(places, reverse=True)


HASHES = st.sampled_from("abc")
KEPT = st.dictionaries(st.sampled_from(("p", "q")), st.dictionaries(st.integers(1, 5), HASHES, min_size=1))


@given(st.dictionaries(st.sampled_from(("p", "q", "r")), HASHES), KEPT)
def test_a_secret_the_host_keeps_has_its_number_and_a_new_one_a_higher(
    wanted: dict[str, str], kept: dict[str, dict[int, str]]
) -> None:
    numbers, fresh = planner.generations(wanted, kept)
    assert set(numbers) == set(wanted)
    for name, number in numbers.items():
        known = kept.get(name, {})
        assert (name in fresh) is (wanted[name] not in known.values())
        assert known.get(number) == wanted[name] if name not in fresh else number > max(known, default=0)
    stored = {name: {**kept.get(name, {}), number: wanted[name]} for name, number in numbers.items()}
    assert planner.generations(wanted, stored) == (numbers, ())


@st.composite
def histories(draw: st.DrawFn) -> tuple[state.AppState, release.Release, dict[str, int]]:
    """A host with kept releases, a journal of any order, containers of some of them, and what is committed next."""
    made = [replace(a_release(a_service("web", f"r/web:{n}")), objects={f"o{n % 5}": "conf"}) for n in range(9)]
    raws = {one.id: json.loads(one.canonical()) for one in made}
    names = list(raws)
    order = draw(st.lists(st.sampled_from(names), max_size=14))
    told = a_journal(*(
        {"kind": kind, "deployment": "d", "to": name, "generations": {"var.P": names.index(name)}}
        for name in order for kind in draw(st.sampled_from((("begin", "committed"), ("begin",), ("committed",))))))
    here = draw(st.sets(st.sampled_from(names)))
    runs = draw(st.lists(st.sampled_from(made), max_size=2))
    containers = tuple(
        a_container(one.services["web"], mounts={"/c": f"/s/objects/{draw(st.sampled_from(('o0', 'o9')))}/a"}) for one in runs)
    number = draw(st.integers(0, 8))
    current = draw(st.sampled_from((None, state.Current("shop", names[0], "0", "d", generations={"var.P": number}))))
    app = state.AppState("shop", current, {name: raws[name] for name in here}, told, containers,
                         {"var.P": dict.fromkeys(range(9), "h")}, frozenset(f"o{n}" for n in range(5)))
    return app, draw(st.sampled_from(made)), {"var.P": draw(st.integers(0, 8))}


@given(histories())
def test_what_is_pruned_is_needed_by_nothing(given_: tuple[state.AppState, release.Release, dict[str, int]]) -> None:
    app, made, numbers = given_
    dropped, objects, secrets = planner.prunable(app, made, numbers)
    left = {name: raw for name, raw in app.releases.items() if name not in dropped}
    assert set(dropped) <= set(app.releases) - {made.id}
    explained = {raw["services"]["web"]["content"] for raw in left.values()} | {made.services["web"].content}
    here = {raw["services"]["web"]["content"] for raw in app.releases.values()}
    assert {c.content for c in app.containers} & here <= explained
    assert len(set(left) - {made.id}) <= planner.KEPT - 1 + len(app.containers)
    assert set(objects) & {*made.objects, *(name for raw in left.values() for name in raw["objects"])} == set()
    assert not any(name in source for name in objects for c in app.containers for source in c.mounts.values())
    assert ("var.P", numbers["var.P"]) not in secrets
    assert app.current is None or ("var.P", app.current.generations["var.P"]) not in secrets
    ran = {record.to: record.secret_versions["var.P"] for record in app.journal if isinstance(record, journal.Begun)}
    assert not {("var.P", ran[name]) for name in left if name in ran and name != made.id} & set(secrets)


def test_what_a_container_still_mounts_is_not_pruned() -> None:
    made = [replace(a_release(a_service("web", f"r/web:{n}")), objects={f"o{n}": "conf"}) for n in range(7)]
    raws = {one.id: json.loads(one.canonical()) for one in made[:6]}
    told = a_journal(*({"kind": "committed", "deployment": "d", "to": one.id} for one in made))
    stranger = a_container(made[0].services["web"], content="none of them", mounts={"/conf": "/s/apps/shop/objects/o0/a.conf"})
    app = state.AppState("shop", None, raws, told, (stranger,))
    assert planner.prunable(app, made[6], {})[:2] == (tuple(sorted((made[0].id, made[1].id))), ("o1",))
