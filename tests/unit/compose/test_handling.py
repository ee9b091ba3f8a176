"""What becomes of each key: the table that docs/compose.md shows and the checks read."""

from typing import Any

import pytest

from lading.compose import handling, keys, project, recipes, unheeded


def test_every_key_has_one_of_the_kinds_and_no_other_key_is_told_of() -> None:
    found = handling.table()
    assert list(found) == sorted({*keys.TABLE, *keys.ABOVE})
    assert set(keys.NESTED) <= set(keys.TABLE) and not set(keys.ABOVE) & set(keys.TABLE)
    assert not [key for key in keys.NESTED if keys.TABLE[key].open]  # of what is open each part has a rule of its own
    assert {one.kind for one in found.values()} == set(handling.KINDS)
    assert all(one.says for one in found.values() if one.kind != handling.HOST)
    assert set(handling._FOUND) <= set(keys.TABLE)


@pytest.mark.parametrize(("key", "kind"), [
    ("services.*.build.target", handling.LADING), ("services.*.build.ssh", handling.LEFT), ("services.*.init", handling.HOST),
    ("services.*.develop", handling.OWN), ("services.*.provider", handling.REFUSED), ("services.*.provider.type", handling.REFUSED),
    ("services.*.env_file.path", handling.LADING), ("services.*.gpus.count", handling.HOST), ("services.*.develop.watch.exec.user", handling.OWN),
])
def test_the_kind_of_a_key(key: str, kind: str) -> None:
    assert handling.of(key).kind == kind


def test_what_lading_build_takes_is_what_the_table_says() -> None:
    taken = {key.rpartition(".")[2] for key, one in handling.table().items() if key.startswith("services.*.build.") and key in keys.TABLE and one.kind == handling.LADING}
    assert taken == {*recipes.TAKEN, *recipes.FLAGS, *recipes.WORDS, *recipes.LISTS}


def test_refused_keys_are_found_where_they_matter() -> None:
    tree: dict[str, Any] = {
        "services": {"db": {"provider": {"type": "x"}}, "web": {"image": "i", "configs": [{"source": "a"}], "provider": None}},
        "configs": {"a": {"external": True}, "b": {"external": True}}, "secrets": {"s": {"driver": "d"}, "t": None},
    }
    assert [path for path, _ in handling.refused(tree)] == [("services", "db", "provider"), ("configs", "a", "external")]
    tree["services"]["web"]["secrets"] = [{"source": "s"}, {"source": "t"}]
    assert [path for path, _ in handling.refused(tree)][2:] == [("secrets", "s", "driver")]
    assert list(handling.refused({})) == []


def test_what_is_left_out_is_said_in_the_words_of_the_table() -> None:
    deploy = {"placement": {"constraints": ["a"]}, "update_config": {"order": "start-first", "failure_action": "pause", "max_failure_ratio": 0.5}}
    said = unheeded._service("web", deploy)
    for key in ("placement", "update_config.order", "update_config.failure_action", "update_config.max_failure_ratio"):
        found = handling.of(f"services.*.deploy.{key}")
        assert found.kind == handling.LEFT
        assert any(found.says in line for line in said)


def a_service(name: str, image: str, policy: str = "") -> project.Service:
    return project.Service(name, image, {"pull_policy": policy} if policy else {})


def test_images_that_no_service_has_pulled() -> None:
    app = project.Project("shop", {one.name: one for one in (
        a_service("a", "own:1", "never"), a_service("b", "both:1", "never"), a_service("c", "both:1"),
        a_service("d", "r/x@sha256:0", "never"), a_service("e", "built:1", "build"))})
    assert app.local_images == {"own:1"}
    said = {line.split(":")[0]: line for line in unheeded.warnings(app)}
    assert set(said) == {"service a", "service b", "service d", "service e"}
    assert "each host must have own:1" in said["service a"]
    assert "pull_policy: never is not carried out" in said["service b"]
