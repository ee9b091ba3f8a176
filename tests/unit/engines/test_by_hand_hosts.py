"""stop, start and scale on simulated hosts: all hosts or none, and what each declares then."""

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest
from test_coordinator import NAMES, NEW, Fleet, Killed, kill_at, made, results

from lading.engines import base
from lading.placement import assignment
from lading.plan import phases, planner
from lading.state import journal
from simulated_hosts import no_fault

RELEASE = made("1", "web", "db")


class Shop(Fleet):
    """Three hosts on which a release runs, of whose services a person wants other numbers."""

    def __init__(self) -> None:
        super().__init__(RELEASE)
        self.ids = itertools.count(1)

    def wish(self, verb: str, wanted: Mapping[str, int]) -> base.Report:
        plans = {}
        for name, host in self.hosts.items():
            assert host.current is not None
            placed = assignment.declared(RELEASE, host.current.by_hand)
            plans[name] = planner.by_hand_host(name, RELEASE, {}, host.app(), wanted, placed)
        whole = replace(planner.plan(RELEASE, "all", plans), verb=verb)
        batches = tuple((name,) for name in NAMES)
        plan = replace(whole, batches=batches, phases=phases.phases(whole.hosts, batches))
        return asyncio.run(self.engine.apply(self.order(plan, RELEASE, f"d{next(self.ids)}"), self.record))

    def declared(self) -> list[Mapping[str, int]]:
        return [host.current.by_hand for host in self.hosts.values() if host.current is not None]

    def count(self, service: str) -> list[int]:
        return [sum(one.service == service for one in host.containers) for host in self.hosts.values()]


def test_scaled_then_stopped_then_started() -> None:
    shop = Shop()
    assert results(shop.wish("scale", {"web": 3})) == ["succeeded"] * 3
    assert (shop.count("web"), shop.declared()) == ([3] * 3, [{"web": 3}] * 3)
    assert results(shop.wish("stop", {"web": 0})) == ["succeeded"] * 3
    assert (shop.count("web"), shop.count("db"), shop.declared()) == ([0] * 3, [1] * 3, [{"web": 0}] * 3)
    assert results(shop.wish("start", {"web": 1})) == ["succeeded"] * 3
    assert (shop.count("web"), shop.declared()) == ([1] * 3, [{}] * 3)


def test_a_host_that_fails_takes_all_back_to_the_number_before() -> None:
    shop = Shop()
    shop.wish("scale", {"web": 2})
    shop.hosts["web3"].sick.add(RELEASE.id)
    failed = shop.wish("scale", {"web": 4})
    assert results(failed)[:2] == ["rolled_back"] * 2
    assert failed.host == "web3"
    shop.hosts["web3"].sick.clear()
    assert shop.count("web")[:2] == [2, 2], "the number by hand that was there before, not the release's"
    assert shop.declared() == [{"web": 2}] * 3


def test_what_was_stopped_stays_stopped_when_something_else_fails() -> None:
    shop = Shop()
    shop.wish("stop", {"db": 0})
    shop.hosts["web2"].sick.add(RELEASE.id)
    shop.wish("scale", {"web": 2})
    assert shop.count("db") == [0] * 3
    assert shop.declared() == [{"db": 0}] * 3


@pytest.mark.parametrize(("call", "on", "effect"), [
    ("roll", "web2", False), ("roll", "web3", True), ("prepare", "web1", True), ("commit", "web2", True)])
def test_who_takes_it_over_lets_as_many_run_as_were_wished_for(call: str, on: str, effect: bool) -> None:
    shop = Shop()
    kill_at(shop, call, on, effect=effect)
    with pytest.raises(Killed):
        shop.wish("scale", {"web": 3, "db": 0})
    for host in shop.hosts.values():
        host.before = host.after = no_fault
        host.free()
        host.journal = [journal.read(one.as_json()) for one in host.journal]  # as another machine reads it
    assert results(shop.settle("continue")) == ["succeeded"] * 3
    assert (shop.count("web"), shop.count("db")) == ([3] * 3, [0] * 3)
    assert shop.declared() == [{"web": 3, "db": 0}] * 3


def test_a_deployment_ends_it() -> None:
    shop = Shop()
    shop.wish("scale", {"web": 3})
    deployed = asyncio.run(shop.engine.apply(shop.order(shop.plan(NEW), NEW, "d9"), shop.record))
    assert results(deployed) == ["succeeded"] * 3
    assert (shop.count("web"), shop.declared()) == ([1] * 3, [{}] * 3)
