"""One list of all images of a service, wherever they stand: what is asked for, pinned, pulled, kept and judged."""

from dataclasses import replace
from typing import Any

import pytest

from builders import PIN, a_reading, a_service, an_app
from lading import state
from lading.compose import images, project, release, services, values
from lading.drivers.shell import releases as kept
from lading.engines import preflight
from lading.plan import digests, planner, steps

MOUNT = {"type": "image", "source": "r/tool:${TOOL:-1}", "target": "/tool"}
BEFORE = [{"image": "r/init:1", "command": ["prepare"]}, {"command": ["own"]}]
RAW: dict[str, Any] = {"image": "r/web:1", "volumes": [MOUNT, {"type": "volume", "source": "data", "target": "/d"}], "pre_start": BEFORE}
RESOLVED: dict[str, Any] = {**RAW, "volumes": [{**MOUNT, "source": "r/tool:1"}, RAW["volumes"][1]]}
PINNED = {image: image + PIN for image in ("r/web:1", "r/tool:1", "r/init:1")}


def a_web() -> project.Service:
    one = services.service("web", RESOLVED, RAW, RESOLVED, ())
    return replace(one, networks=("default",))


def made() -> release.Release:
    return release.build(a_reading(a_web()), PINNED).release


def test_where_images_stand() -> None:
    assert images.texts(RAW) == ("r/web:1", "r/tool:${TOOL:-1}", "r/init:1")
    assert images.of({"image": "r/a$$b", "volumes": ["data:/d"], "pre_start": ["odd"]}) == ("r/a$b",)
    assert a_web().all_images == tuple(PINNED)
    assert values.hidden_names(frozenset(("TOOL", "PASSWORD")), {"services": {"web": RAW}}, ()) == {"PASSWORD"}


def test_all_are_pinned() -> None:
    one = made()
    assert one.services["web"].all_images == {"web": "r/web:1" + PIN, "web+1": "r/tool:1" + PIN, "web+2": "r/init:1" + PIN}
    assert one.all_images == one.services["web"].all_images
    text = one.overlay
    assert '"source": "r/tool:1' + PIN + '"' in text
    assert "pre_start: !override" in text
    assert '{"image": "r/init:1' + PIN + '", "command": ["prepare"]}' in text
    assert '- {"command": ["own"]}' in text
    assert images.pinned({"image": "r/web:1"}, PINNED) == {"image": "r/web:1"}
    other = release.build(a_reading(a_web()), {**PINNED, "r/tool:1": "r/tool:1@sha256:" + "b" * 64}).release
    assert other.services["web"].content != one.services["web"].content


def test_all_are_pulled_kept_judged_and_forgotten() -> None:
    one = made()
    plan = planner.plan_host("h", one, {}, (), state.AppState("shop"), None)
    [pull] = [step for step in plan.steps if isinstance(step, steps.PullImages)]
    assert pull.images == one.all_images
    tags = [kept.kept_image("shop", name, "r1") for name in pull.images]
    assert tags == ["lading-keep/shop/web:r1", "lading-keep/shop/web__1:r1", "lading-keep/shop/web__2:r1"]
    facts = state.Facts(engine="28.0.0", compose="2.40.3", architecture="x86_64", disk_free=999, docker_free=999)
    host = state.HostState("h", facts, {"shop": an_app(one)})
    arm = {"r/tool:1" + PIN: ("linux/arm64",)}
    assert preflight.problems(one, plan, host, arm) == ["r/tool:1" + PIN + " is not there for linux/amd64 (only linux/arm64)"]
    assert digests.by_image(one.all_images) == PINNED


@pytest.mark.parametrize("written", [None, "text"])
def test_what_compose_wrote_otherwise_is_left_as_it_is(written: Any) -> None:
    found = images.elsewhere({"volumes": [written], "pre_start": [written]}, RESOLVED)
    assert (found.mounts, found.before) == ((), ())


def test_services_without_such_images_keep_their_content() -> None:
    plain = a_service("web", definition={"volumes": [{"type": "volume", "source": "data", "target": "/d"}]})
    assert release.build(a_reading(plain), {}).release.services["web"].definition["volumes"] == plain.definition["volumes"]
