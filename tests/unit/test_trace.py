"""A trace is never waited for: a slow listener loses lines, and is told how many; one that fails harms nobody."""

import threading

import pytest

from lading import trace

ALL: frozenset[trace.Source] = frozenset({"compose"})


class Slow:
    """A listener that hears one line, and then nothing until it may go on."""

    def __init__(self) -> None:
        self.heard: list[trace.Line] = []
        self.began, self.may_go_on = threading.Event(), threading.Event()

    def __call__(self, line: trace.Line) -> None:
        self.heard.append(line)
        self.began.set()
        self.may_go_on.wait(20)


def say(to: trace.Trace, *texts: str) -> None:
    for text in texts:
        to("web1", "roll", "compose", "", text)


def test_all_lines_come_in_their_order_before_it_ends() -> None:
    heard: list[trace.Line] = []
    with trace.Telling(heard.append, ALL) as telling:
        say(telling, *map(str, range(500)))
        telling("web2", "stage", "pull", "web", "cafe: Pull complete", 0.5)
    assert [line.text for line in heard[:-1]] == [*map(str, range(500))]
    assert heard[-1] == trace.Line("web2", "stage", "pull", "web", "cafe: Pull complete", 0.5)


def test_a_slow_listener_loses_lines_and_is_told_how_many_of_which_host() -> None:
    slow = Slow()
    with trace.Telling(slow, ALL, waiting=3) as telling:
        say(telling, "first")
        assert slow.began.wait(20)
        say(telling, *map(str, range(10)))  # nobody is waited for
        telling("web2", "roll", "compose", "", "one more")
        slow.may_go_on.set()
    texts = [(line.host, line.text) for line in slow.heard]
    assert texts[:4] == [("web1", "first"), ("web1", "0"), ("web1", "1"), ("web1", "2")]
    assert texts[4:] == [("web1", trace.lost(7)), ("web2", trace.lost(1))]
    assert (trace.lost(7)[:12], trace.lost(1)[:11]) == ("7 lines lost", "1 line lost")


def test_a_listener_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "PARTING", 0.05)
    slow = Slow()
    with trace.Telling(slow, ALL, waiting=1) as telling:
        say(telling, "first")
        assert slow.began.wait(20)
        say(telling, "second", "third")
    assert [line.text for line in slow.heard] == ["first"]
    slow.may_go_on.set()


def test_a_listener_that_fails_hears_nothing_more() -> None:
    heard: list[str] = []

    def failing(line: trace.Line) -> None:
        heard.append(line.text)
        raise BrokenPipeError

    with trace.Telling(failing, ALL) as telling:
        say(telling, "first", "second")
    assert (heard, telling.sources) == (["first"], frozenset())


def test_nobody_wants_to_hear_anything() -> None:
    say(trace.NOBODY, "first")
    assert trace.NOBODY.sources == frozenset()
