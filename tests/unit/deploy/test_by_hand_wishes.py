"""What may be stopped, started and scaled by hand, and what is refused before any host is touched."""

import pytest

from builders import a_release, a_service
from lading import errors
from lading.deploy import by_hand, restart
from lading.placement import assignment

JOB = a_service("migrate", "r/job:1")
WEB = a_service("web", "r/web:1", definition={"ports": [{"target": 80, "published": "8080"}]},
                depends_on={"migrate": "service_completed_successfully"})
NAMED = a_service("named", "r/named:1", definition={"container_name": "one"})
FREE = a_service("free", "r/free:1", replicas=2, definition={"ports": [{"target": 80}]})
SIDE = a_service("side", "r/side:1", tied_to=("free",), definition={"network_mode": "service:free"})
RELEASE = a_release(JOB, WEB, NAMED, FREE, SIDE)


def wanted(verb: by_hand.Verb, *services: str, count: int = 0, **now: int) -> dict[str, int]:
    placed = assignment.by_default(RELEASE) | now
    return by_hand.wanted(RELEASE, placed, by_hand.Wish(verb, "shop", services, count))


def test_an_app_as_a_whole() -> None:
    assert wanted("stop") == dict.fromkeys(("free", "named", "side", "web"), 0)
    assert wanted("start") == {}
    assert wanted("start", web=0, free=3) == {"web": 1}, "what was only scaled stays so"


def test_a_start_of_an_app_that_is_down_though_nobody_stopped_it() -> None:
    placed = assignment.by_default(RELEASE) | {"free": 3, "named": 0}
    start = by_hand.Wish("start", "shop")
    assert by_hand.wanted(RELEASE, placed, start, ("free", "web")) == {"named": 1, "free": 3, "web": 1}
    assert by_hand.wanted(RELEASE, placed, by_hand.Wish("start", "shop", ("web",)), ("free", "web")) == {"web": 1}
    assert "web" not in by_hand.wanted(RELEASE, placed, by_hand.Wish("scale", "shop", ("free",), 2), ("web",))


def test_one_service() -> None:
    assert wanted("stop", "web") == {"web": 0}
    assert wanted("start", "free", free=3) == {"free": 2}
    assert wanted("scale", "free", count=5) == {"free": 5}
    assert wanted("scale", "web", count=1) == {"web": 1}


@pytest.mark.parametrize(("verb", "service", "count", "now", "says"), [
    ("stop", "wbe", 0, {}, "has no service wbe"),
    ("stop", "migrate", 0, {}, "ends by itself"),
    ("scale", "web", 2, {}, "cannot share the host port 8080"),
    ("scale", "named", 2, {}, "cannot share one container_name"),
    ("stop", "free", 0, {}, "side runs in the containers of free"),
    ("start", "side", 0, {"side": 0, "free": 0}, "side runs in the containers of free"),
])
def test_what_cannot_be(
    verb: by_hand.Verb, service: str, count: int, now: dict[str, int], says: str
) -> None:
    with pytest.raises(errors.InputError, match=says) as caught:
        wanted(verb, service, count=count, **now)
    assert caught.value.hint


def test_the_nearest_name_is_said() -> None:
    with pytest.raises(errors.InputError) as caught:
        wanted("stop", "wbe")
    assert caught.value.hint == "did you mean `web`?"


def test_a_scale_is_read() -> None:
    assert by_hand.read_scale("shop/web=3") == by_hand.Wish("scale", "shop", ("web",), 3)


@pytest.mark.parametrize("text", ["shop", "shop/web", "shop=3", "/web=3", "shop/web=", "shop/web=x", "shop/web=-1",
                                  "shop/web=1.5", "shop/web=1001", "shop/web=٣", "shop/web=" + "9" * 5000])
def test_what_is_no_scale(text: str) -> None:
    with pytest.raises(errors.InputError):
        by_hand.read_scale(text)


@pytest.mark.parametrize(("service", "says", "hint"), [
    ("web", "web was stopped by hand", "lading start shop/web"),
    ("spare", "spare has no containers: so its release says", "lading scale shop/spare=1"),
])
def test_a_restart_of_what_has_no_containers(service: str, says: str, hint: str) -> None:
    release = a_release(a_service("web", "r/web:1"), a_service("spare", "r/spare:1", replicas=0), a_service("db", "r/db:1"))
    placed = assignment.declared(release, {"web": 0})
    assert restart.chosen(release, placed, ()) == ("db",)
    with pytest.raises(errors.InputError, match=says) as caught:
        restart.chosen(release, placed, (service,))
    assert caught.value.hint == hint
