"""One machine under two names, or through two users: refused before any lease (D9)."""

import pytest

from lading import errors, state
from lading.deploy import host_checks


def host(name: str, **facts: str) -> state.HostState:
    words = {"engine_id": "E:1", "boot": "b1", "docker_root": "/var/lib/docker", **facts}
    return state.HostState(name, state.Facts(**words))  # type: ignore[arg-type]


def check(*hosts: state.HostState) -> None:
    host_checks.check_reachable(state.FleetState({one.host: one for one in hosts}))


def test_two_names_of_one_engine_are_refused_and_named() -> None:
    with pytest.raises(errors.PreflightError, match="web1 and web9 are one machine") as caught:
        check(host("web1"), host("web2", engine_id="E:2"), host("web9"))
    assert (caught.value.host, caught.value.step, caught.value.exit_code) == ("web9", "observe", 4)


@pytest.mark.parametrize("other", [
    {"engine_id": "E:2"}, {"boot": "b2"},  # the id of an engine goes with a copied disk
    {"docker_root": "/srv/docker"}, {"engine_id": ""}, {"boot": ""}, {"docker_root": ""},
])
def test_machines_that_differ_or_do_not_say_are_taken_for_two(other: dict[str, str]) -> None:
    check(host("web1"), host("web2", **other))


@pytest.mark.parametrize(("error_kind", "others", "named", "hinted"), [
    ("unreachable", True, (), True), ("unreachable", False, (), False), ("unreachable", True, ("web1",), False),
    ("host_key", True, (), False),
])
def test_a_host_that_does_not_answer_can_be_left_out_where_others_are(
    error_kind: str, others: bool, named: tuple[str, ...], hinted: bool
) -> None:
    silent = state.HostState("web1", error="no route to host", error_kind=error_kind, error_hint="try by hand: ssh web1")
    seen = [silent, *([host("web2")] if others else [])]
    with pytest.raises(errors.TransportError) as caught:
        host_checks.check_reachable(state.FleetState({one.host: one for one in seen}), named=named)
    more = "; to go on without it: lading hosts exclude web1 --reason …, and --to without it if it is named there" if hinted else ""
    assert caught.value.hint == f"try by hand: ssh web1{more}"
