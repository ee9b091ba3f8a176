"""A watch over services that come up: when it has seen enough, why, and what it says meanwhile; by a clock that the test winds."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from builders import a_container, a_release, a_service
from lading import state
from lading.compose import project, release
from lading.health import watch

PLAIN = a_release(a_service("web", restart="always"))
CHECKED = a_release(a_service("web", restart="always", health=project.Health()))
HOOKED = a_release(a_service("web", restart="always", health=project.Health(), definition={"post_start": [{"command": ["warm"]}]}))


class Story:
    """A watch with its clock, and what it has told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, made: release.Release, *, fresh: bool = True) -> None:
        self.now, self.told, self.stop = 100.0, list[str](), False
        monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.spec = made.services["web"]
        self.watch = watch.Watch(made, {"web": 1}, {"web"} if fresh else (), {}, lambda: self.stop, self.told.append)

    def brought_up(self, status: int = 0, output: str = "") -> "Story":
        self.watch.started(status, output)
        return self

    def at(self, seconds: float, **more: Any) -> bool:
        """A snapshot that many seconds after Compose has ended; whether the watch has seen enough."""
        self.now = 100.0 + seconds
        return self.watch.snapshot([] if more.get("gone") else [self.seen(**more)])

    def seen(self, **more: Any) -> state.ContainerState:
        return replace(a_container(self.spec), **more)


def test_who_has_no_health_check_must_run_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, PLAIN).brought_up()
    assert [story.at(second) for second in (0, 2, 4.9, 5)] == [False, False, False, True]
    assert (story.watch.why, story.watch.verdicts[0].word, story.told) == ("", "good", [])


def test_the_time_begins_anew_after_a_bad_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, PLAIN).brought_up()
    assert [story.at(0), story.at(4, status="created"), story.at(6), story.at(10), story.at(11)] == [False, False, False, False, True]


def test_what_is_not_started_now_needs_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Story(monkeypatch, PLAIN, fresh=False).brought_up().at(0)


def test_a_health_check_is_waited_for_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, CHECKED).brought_up()
    assert [story.at(1, health="starting"), story.at(2, health="starting"), story.at(3, health="healthy")] == [False, False, True]
    assert story.told == ["waits for web (it is not healthy yet; at most 270 s)"]
    assert story.watch.why == ""


def test_who_is_late_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, CHECKED).brought_up()
    assert [story.at(270, health="starting"), story.at(271, health="starting")] == [False, True]
    assert (story.watch.why, story.watch.failed) == ("time is up: web: it is not healthy yet", ["web"])


@pytest.mark.parametrize(("status", "more", "why"), [
    (0, {"health": "unhealthy"}, "web: unhealthy"), (0, {"gone": True}, "web: 0 of 1 containers exist"),
    (1, {"gone": True}, "web: 0 of 1 containers exist (port is taken)"),  # then Compose's last line says more
    (1, {"health": "starting"}, "web: it is not healthy yet (port is taken)"),  # it has given up, so nobody waits
    (0, {"restarts": 1}, "web: it restarts"),
])
def test_what_fails_ends_it_at_once(monkeypatch: pytest.MonkeyPatch, status: int, more: dict[str, Any], why: str) -> None:
    story = Story(monkeypatch, CHECKED).brought_up(status, "web starts\nport is taken\n")
    assert story.at(0, **more)
    assert (story.watch.why, story.watch.failed) == (why, ["web"])


def test_compose_s_exit_code_alone_says_nothing_but_of_a_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Story(monkeypatch, CHECKED).brought_up(1, "a warning").at(0, health="healthy")
    story = Story(monkeypatch, HOOKED).brought_up(1, "hook exited with status 3")
    assert story.at(0, health="healthy")
    assert story.watch.why == "web: Compose says that it failed, perhaps its post_start (hook exited with status 3)"


def test_a_stop_ends_it_and_counts_for_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, CHECKED).brought_up()
    story.stop = True
    assert (story.at(1, health="starting"), story.watch.stopped, story.watch.failed) == (True, True, [])
    story = Story(monkeypatch, PLAIN).brought_up()
    story.stop = True
    assert story.at(1)


def test_what_cannot_be_read_is_never_good(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch, PLAIN).brought_up()
    assert [story.at(0), story.watch.unreadable("no JSON")] == [False, False]
    assert story.watch.why == "no JSON"
    assert [story.at(5), story.at(9), story.at(10)] == [False, False, True]  # from the next good one on
    story.now += 61
    assert story.watch.unreadable("no JSON") is True


@pytest.mark.parametrize(("seconds", "stop", "stalled"), [
    (29, True, False), (30, True, True), (60, False, False), (61, False, True),
])
def test_an_engine_that_tells_nothing(monkeypatch: pytest.MonkeyPatch, seconds: float, stop: bool, stalled: bool) -> None:
    story = Story(monkeypatch, PLAIN)
    story.now += 500  # as long as Compose works it may be silent
    assert not story.watch.is_stalled()
    story.brought_up()
    story.stop = stop
    story.now += seconds
    assert story.watch.is_stalled() is stalled
    if stalled:
        assert story.watch.why == f"the engine has told nothing of the containers for {seconds} s"
