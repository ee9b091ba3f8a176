"""What one host keeps of an app, for that host alone."""

from builders import a_journal, a_release, a_service, an_app
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


def test_what_the_deployments_that_are_open_were_to_do() -> None:
    begun = {"kind": "begin", "deployment": "d1", "verb": "rollback", "participants": ["web1"]}
    open_there = state.HostState("web1", apps={"shop": state.AppState("shop", journal=a_journal(begun))})
    closed = state.HostState("web2", apps={"shop": state.AppState("shop")})
    seen = state.FleetState({"web1": open_there, "web2": closed, "web3": state.HostState("web3")})
    assert on_host.open_verbs(seen, "shop") == {"rollback"}
