"""The planner: exact steps, only what changed, never more."""

import json
from dataclasses import replace

import pytest

from builders import a_container, a_journal, a_release, a_service, an_app
from lading import state
from lading.compose import project, release
from lading.plan import planner, steps
from lading.rollout import rolling


def planned(new: release.Release, old: release.Release, **more: object) -> steps.HostPlan:
    return planner.plan_host("h", new, more.get("numbers", {}), (), an_app(old), old)  # type: ignore[arg-type]


WEB, DB = a_service("web", "r/web:1"), a_service("db", "r/db:1")


def test_same_again_is_nothing() -> None:  # R51
    made = a_release(WEB, DB)
    assert planned(made, made).steps == ()


def test_a_shipped_file_that_was_edited_or_is_missing_is_shipped_again_and_nothing_starts() -> None:
    made = replace(a_release(WEB, DB), objects={"a1": "./nginx.conf", "b2": "./conf"})
    app = replace(an_app(made), objects=frozenset({"a1", "b2"}), edited=("files/docker-compose.yml",), missing=("objects/a1",))
    plan = planner.plan_host("h", made, {}, (), app, made)
    assert [(c.field, c.old, c.new) for c in plan.changes] == [
        ("file files/docker-compose.yml", "edited by hand", "as shipped"), ("file ./nginx.conf", "missing", "as shipped")]
    assert plan.services == ()
    assert steps.StoreRelease(made.id, ("a1",)) in plan.steps


def test_what_was_edited_is_named_and_shipped_again_by_another_version_that_needs_it() -> None:
    before = replace(a_release(WEB, DB), objects={"a1": "conf", "b2": "old"})
    made = replace(a_release(a_service("web", "r/web:2"), DB), objects={"a1": "conf"})
    app = replace(an_app(before), objects=frozenset({"a1", "b2"}), edited=("files/docker-compose.yml", "objects/b2/x"),
                  added=("objects/a1/new",))
    plan = planner.plan_host("h", made, {}, (), app, before)
    assert [(c.service, c.field, c.old, c.new) for c in plan.changes if c.field != "image"] == [
        ("", "file conf/new", "added by hand", "removed")]
    assert plan.services == ("web",)
    assert steps.StoreRelease(made.id, ("a1",)) in plan.steps


def test_a_rollback_says_that_what_was_edited_stays() -> None:
    before = replace(a_release(WEB, DB), objects={"a1": "conf"})
    made = replace(before, version="0")
    app = replace(an_app(before), objects=frozenset({"a1"}), edited=("objects/a1/x",))
    plan = planner.plan_host("h", made, {}, (), app, before, ships=False)
    assert [(c.field, c.old, c.new) for c in plan.changes] == [
        ("file conf/x", "edited by hand", "stays so: a rollback ships nothing"), ("release", before.id, made.id)]


def test_a_release_whose_files_are_gone_is_stored_again_and_nothing_starts() -> None:
    made = a_release(WEB, DB)
    app = replace(an_app(made), releases={})
    plan = planner.plan_host("h", made, {}, (), app, None)  # nobody can read what ran there
    assert [(c.service, c.field, c.old, c.new) for c in plan.changes] == [
        ("", "release", "its files are gone or damaged", "stored anew")]
    assert plan.services == ()
    assert [type(step) for step in plan.steps[:3]] == [steps.PullImages, steps.StoreRelease, steps.VerifyServices]
    assert list(plan.steps[-3:]) == planner.end_of(made.id)


def test_a_record_that_does_not_count_is_written_anew_and_nothing_starts() -> None:
    made = a_release(WEB, DB)
    plan = planner.plan_host("h", made, {}, (), an_app(made), made, wrong="it lacks deployment d1")
    assert [(c.field, c.old, c.new) for c in plan.changes] == [("record", "it lacks deployment d1", "written anew")]
    assert plan.services == ()
    assert list(plan.steps[-3:]) == planner.end_of(made.id)


def test_only_what_changed_starts() -> None:  # promise 3
    plan = planned(a_release(a_service("web", "r/web:2"), DB), a_release(WEB, DB))
    assert plan.services == ("web",)
    assert [(c.service, c.field) for c in plan.changes] == [("web", "image")]
    assert isinstance(plan.steps[-1], steps.FinishRelease)


def test_first_deployment_starts_all() -> None:
    made = a_release(WEB, DB)
    plan = planner.plan_host("h", made, {}, (), state.AppState("shop"), None)
    assert plan.services == ("db", "web")


def test_field_of_a_change_is_named() -> None:
    new = a_release(a_service("web", "r/web:1", definition={"environment": {"A": "2"}}), DB)
    old = a_release(a_service("web", "r/web:1", definition={"environment": {"A": "1"}}), DB)
    assert [(c.field, c.old, c.new) for c in planned(new, old).changes] == [("environment", '{"A":"1"}', '{"A":"2"}')]


def test_deploy_keys_that_compose_ignores_restart_nothing() -> None:
    new = a_release(a_service("web", "r/web:1", definition={"deploy": {"update_config": {"parallelism": 2}}}), DB)
    assert planned(new, a_release(WEB, DB)).services == ()


def test_a_removed_service_goes_last() -> None:
    plan = planned(a_release(WEB), a_release(WEB, DB))
    assert plan.services == ()
    kinds = [type(step) for step in plan.steps]
    assert kinds[-5:-3] == [steps.VerifyServices, steps.RemoveService]


def test_a_changed_network_restarts_all_its_services() -> None:
    def network(label: str) -> dict[str, project.Resource]:
        return {"default": project.Resource("default", "shop_default", {"labels": {"l": label}})}

    plan = planned(a_release(WEB, DB, networks=network("2")), a_release(WEB, DB, networks=network("1")))
    assert plan.services == ("db", "web")
    assert steps.RecreateNetwork("shop_default", ("db", "web")) in plan.steps


def test_who_shares_a_namespace_is_recreated_too() -> None:
    tied = a_service("side", "r/side:1", tied_to=("web",))
    plan = planned(a_release(a_service("web", "r/web:2"), tied, DB), a_release(WEB, tied, DB))
    assert plan.services == ("side", "web")


def test_a_new_generation_recreates_exactly_its_users() -> None:
    made = a_release(WEB, DB, secrets={"var.P": b"x"}, uses={"web": ("var.P",)})
    app = an_app(made, a_container(made.services["web"], secrets="1"), a_container(made.services["db"]),
                 generations={"var.P": 1})
    plan = planner.plan_host("h", made, {"var.P": 2}, ("var.P",), app, made)
    assert plan.services == ("web",)
    assert [(c.field, c.old, c.new) for c in plan.changes] == [("secret P", "***", "changed")]
    assert planner.plan_host("h", made, {"var.P": 1}, (), app, made).steps == ()


def test_generations_come_back() -> None:
    kept = {"a": {1: "old", 2: "new"}}
    assert planner.generations({"a": "old", "b": "x"}, kept) == ({"a": 1, "b": 1}, ("b",))
    assert planner.generations({"a": "third"}, kept) == ({"a": 3}, ("a",))


def test_prune_spares_what_containers_use() -> None:
    made = [a_release(a_service("web", f"r/web:{n}"), plain={"VERSION": str(n)}) for n in range(8)]
    app = an_app(made[0])
    journal = a_journal(*({"kind": "committed", "deployment": "d", "to": one.id} for one in made))
    raw = {one.id: {"services": {"web": {"content": one.services["web"].content}}} for one in made}
    app = state.AppState("shop", app.current, raw, journal, app.containers)
    dropped, _, _ = planner.prunable(app, made[7], {})
    assert set(dropped) == {made[1].id, made[2].id}


def test_what_runs_in_every_release_keeps_none_of_them() -> None:
    made = [a_release(a_service("web", f"r/web:{n}"), DB, plain={"VERSION": str(n)}) for n in range(8)]
    journal = a_journal(*({"kind": "committed", "deployment": "d", "to": one.id} for one in made))
    raw = {one.id: json.loads(one.canonical()) for one in made[:7]}
    app = state.AppState("shop", an_app(made[6]).current, raw, journal, an_app(made[6]).containers)
    assert set(planner.prunable(app, made[7], {})[0]) == {made[0].id, made[1].id, made[2].id}


def test_prune_spares_objects_of_the_new_release_and_drops_old_secrets() -> None:
    made = [a_release(a_service("web", f"r/web:{n}"), plain={"VERSION": str(n)}) for n in range(7)]
    raw = {one.id: {**json.loads(one.canonical()), "objects": {f"o{n}": "x", "first" if not n else "o": "y"}}
           for n, one in enumerate(made[:6])}
    journal = a_journal(*(line for n, one in enumerate(made) for line in (
        {"kind": "begin", "deployment": "d", "to": one.id, "generations": {"var.P": n}},
        {"kind": "committed", "deployment": "d", "to": one.id})))
    app = state.AppState("shop", an_app(made[5]).current, raw, journal, (),
                                 {"var.P": dict.fromkeys(range(7), "hash")})
    again = replace(made[6], objects={"first": "y"})
    dropped, objects, secrets = planner.prunable(app, again, {"var.P": 6})
    assert (set(dropped), objects) == ({made[0].id, made[1].id}, ("o0", "o1"))
    assert secrets == (("var.P", 0), ("var.P", 1))


@pytest.mark.parametrize(("limit", "wanted"), [(0, (("a", "b", "c"),)), (2, (("a", "b"), ("c",))), (1, (("a",), ("b",), ("c",)))])
def test_batches(limit: int, wanted: tuple[tuple[str, ...], ...]) -> None:
    assert rolling.batches(["a", "b", "c"], limit) == wanted
