"""What one host keeps of an app, for that host alone."""

from builders import a_release, a_service, an_app
from lading import state
from lading.deploy import on_host

MADE = a_release(a_service("web", "r/web:1"))


def test_a_host_without_the_app_keeps_nothing_of_it() -> None:
    assert (on_host.releases(None), on_host.finished(None)) == ({}, ())
    assert on_host.current_release(state.AppState("shop")) is None


def test_a_release_that_is_kept() -> None:
    seen = an_app(MADE)
    assert list(on_host.releases(seen)) == [MADE.id]
    assert on_host.current_release(seen) == MADE
