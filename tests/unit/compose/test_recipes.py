"""Which images a version has, and how each is built."""

from typing import Any

import pytest

from lading import errors
from lading.compose import recipes

IMAGE = "registry.example/shop:${VERSION}"
GIVEN = {"VERSION": "1.0.0", "LEVEL": "3", "WORD": "a$b"}


def made(build: Any, image: str = IMAGE, bare: tuple[str, ...] = (), **more: Any) -> recipes.Recipes:
    merged = {"services": {"web": {"image": "shop:dev", "build": build}, **more}}
    return recipes.recipes({"services": {"web": {"image": image}, "other": {"image": image}}}, merged, {"web": bare}, GIVEN)


def test_all_that_docker_is_told() -> None:
    build = {
        "context": "/app", "dockerfile": "Dockerfile.web", "target": "run", "args": {"LEVEL": "${LEVEL}", "FLAG": True, "N": 3, "E": None},
        "labels": ["a=b=c"], "no_cache": True, "pull": False, "network": "host", "shm_size": "64m", "cache_from": ["x", "y"],
        "extra_hosts": ["a:1.2.3.4"],
    }
    found = made(build, bare=("WORD", "UNSET"))
    assert found.found == {"registry.example/shop:1.0.0": recipes.Recipe(
        "registry.example/shop:1.0.0", "/app", "Dockerfile.web", "", "run",
        {"WORD": "a$b", "LEVEL": "3", "FLAG": "true", "N": "3", "E": ""}, {"a": "b=c"},
        ("--no-cache", "--network=host", "--shm-size=64m", "--cache-from=x", "--cache-from=y", "--add-host=a:1.2.3.4"))}
    assert made({"dockerfile_inline": "RUN echo $$HOME"}).found["registry.example/shop:1.0.0"].inline == "RUN echo $HOME"
    assert "a$b" not in repr(found)


def test_one_image_of_several_services_is_built_once() -> None:
    found = made({"context": "/app"}, other={"build": {"context": "/app"}}, local={"image": "x", "build": {"context": "."}},
                 plain={"image": "redis:7"})
    assert found.services == {"registry.example/shop:1.0.0": ("web", "other")}
    assert found.skipped == ("local: the deployed files give it no image",)
    with pytest.raises(errors.ComposeError, match="web and other build registry.example/shop:1.0.0 differently"):
        made({"context": "/app"}, other={"build": {"context": "/else"}})


def test_a_fixed_tag_is_not_built() -> None:
    found = made({"context": "/app"}, image="registry.example/store:1")
    assert (found.found, found.skipped) == ({}, ("web: registry.example/store:1 does not carry ${VERSION}",))


@pytest.mark.parametrize(("build", "message"), [
    ({"context": "/app", "ssh": ["default"]}, "does not carry out build.ssh"),
    ({"context": "/app", "args": {"A": "${LOST}"}}, "LOST is not set, and service web needs it"),
    ({"context": "/app", "args": ["A=${VERSION:?}", "B=${LOST:?}"]}, "LOST is not set"),
])
def test_refused(build: Any, message: str) -> None:
    with pytest.raises(errors.ComposeError, match=message) as caught:
        made(build)
    assert caught.value.hint


def test_a_missing_version() -> None:
    with pytest.raises(errors.ComposeError) as caught:
        recipes.recipes({"services": {"web": {"image": IMAGE}}}, {"services": {"web": {"build": {"context": "."}}}}, {}, {})
    assert caught.value.hint == "lading build --version V"


def test_names_that_are_needed() -> None:
    base = {"services": {"web": {"image": IMAGE, "environment": {"DB": "${DB_PASSWORD:?}"}}}}
    merged = {"services": {"web": {"build": {"context": "${DIR:-.}", "args": {"A": "${LEVEL}"}}}, "x": {}}}
    assert recipes.needed(base, merged, {"web": ("WORD",)}) == {"VERSION", "DIR", "LEVEL", "WORD"}
    assert recipes.needed({}, {}, {}) == frozenset()
    assert recipes.recipes({}, {}, {}, {}).found == {}


def test_caches_are_what_cache_from_names() -> None:
    (recipe,) = made({"context": ".", "cache_from": ["r.example/x:1", "type=local,src=/etc"], "no_cache": True}).found.values()
    assert recipe.caches == ("r.example/x:1", "type=local,src=/etc")


def test_a_key_that_is_not_carried_out_is_told_with_its_place() -> None:
    merged = {"services": {"web": {"build": {"context": ".", "secrets": ["s"]}}}}
    with pytest.raises(errors.ComposeError) as caught:
        recipes.recipes({"services": {"web": {"image": IMAGE}}}, merged, {}, GIVEN, lambda service, key: (f"{service}.{key}", 7))
    assert (caught.value.file, caught.value.line) == ("web.secrets", 7)


@pytest.mark.parametrize(("dockerfile", "taken"), [
    ("FROM a\nARG VERSION\n", True), ("arg A=1 VERSION=dev B", True), ("FROM a\nARG A \\  \r\n  VERSION\n", True),
    ("", False), ("FROM a\n#ARG VERSION\nARG VERSIONS\nENV VERSION=1\n", False),
])
def test_what_a_dockerfile_takes(dockerfile: str, taken: bool) -> None:
    assert recipes.takes(dockerfile, "VERSION") is taken
