"""How often each host is spoken to: a deployment, where, drift, check; counted by the recorder, which answers as hosts do."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from builders import a_container, a_release, a_service
from lading import context, events, settings, state
from lading.compose import project, release
from lading.deploy import preparation
from lading.drivers.shell import observe
from lading.engines import base, hosts
from lading.inventory import hosts as inventory
from lading.plan import planner
from lading.queries import check, drift, where
from lading.transport import command, recorder

HOSTS = {name: inventory.Host(name) for name in ("web1", "web2", "web3")}


def inspected(seen: state.ContainerState) -> bytes:
    """A container as `docker container inspect` shows it with the format of drivers/shell/observation.py."""
    health = {"Health": {"Status": "healthy"}}
    labels = {"com.docker.compose.project": seen.app, "com.docker.compose.service": seen.service, "lading.app": seen.app,
              "lading.content": seen.content}
    return json.dumps({
        "id": seen.id, "name": f"/{seen.name}", "image": seen.image, "labels": labels, "state": {"Status": "running", **health},
        "networks": {name: {"NetworkID": "n"} for name in seen.networks},
    }).encode()


class Fleet:
    """Hosts on which *old* runs, until they are told to roll to *new*."""

    def __init__(self, old: release.Release, new: release.Release) -> None:
        self.old, self.new = old, new
        self.runs = dict.fromkeys(HOSTS, old)
        self.recorder = recorder.RecorderTransport(self.answer)

    def answer(self, host: inventory.Host, what: command.Command) -> command.Result:
        """What a host answers; a command that it does not know is an error."""
        made = self.runs[host.name]
        current = state.Current("shop", self.old.id, self.old.version, "d0").as_json()
        look = {
            "facts": b"state=/s\nengine=20.10.24\ncompose=2.40.3\n", "app:shop": b"", "current:shop": json.dumps(current).encode(),
            f"release:shop:{self.old.id}": self.old.canonical(), "containers": self._containers(made),
        }
        if what.name == "roll":
            self.runs[host.name] = self.new
        parts: dict[str, bytes] = {
            "observe": look, "lease": {"fence": b"1", **look}, "stage": {"dir": b"/s/apps/shop", "config": b""},
            "roll": {"up": b"0\n", "containers": self._containers(self.new), "tick": b""}, "hook": {"hook": b"0\n"},
            "tidy": {}, "commit": {}, "release-lease": {},
        }[what.name]
        return command.Result(0, {**parts, "end": b""})

    def _containers(self, made: release.Release) -> bytes:
        return b"\n".join(inspected(a_container(spec)) for spec in made.active.values())

    def counted(self) -> dict[str, int]:
        """Round trips of each host until now; they are forgotten."""
        found = dict(self.recorder.count)
        self.recorder.count.clear()
        return found

    async def upgrade(self) -> base.Report:
        """What `lading deploy` does with the hosts: look, plan, carry out."""
        return await hosts.HostsEngine(self.recorder).run(await self.job(), self.record)

    async def job(self) -> base.Job:
        """The upgrade, planned."""
        seen = await observe.fleet(self.recorder, list(HOSTS.values()), state_dir="auto", app="shop")
        bundle = release.Bundle(self.new, (), {}, {})
        plans = {name: preparation.plan_host(name, self.new, {}, host) for name, host in seen.hosts.items()}
        whole = planner.plan(self.new, "all", planner.hooked(self.new, plans))
        return base.Job(whole, self.new, bundle, {self.old.id: self.old}, HOSTS, "d1", {"source": "src"}, "auto", "ann", "now")

    async def record(self, event: events.Event) -> None:
        """Nothing is kept."""


def releases(count: int = 1, removed: int = 0, **more: Any) -> tuple[release.Release, release.Release]:
    """Two versions of an app with *count* services; the new one lacks *removed* of the old one's and their networks."""
    kept = [f"s{number}" for number in range(count)]
    gone = [f"old{number}" for number in range(removed)]

    def made(version: str, names: list[str]) -> release.Release:
        networks = {name: project.Resource(name, f"shop_{name}", {}) for name in ["default", *(n for n in names if n in gone)]}
        services = [a_service(name, f"r.example/{name}:{version}", networks=(name,) if name in gone else ("default",),
                              health=project.Health()) for name in names]
        return a_release(*services, version=version, plain={"VERSION": version}, networks=networks, **more)

    return made("1", kept + gone), made("2", kept)


@pytest.mark.parametrize("count", [1, 20])
def test_an_upgrade_takes_five_round_trips_a_host_however_many_services(count: int) -> None:
    hosted = Fleet(*releases(count))
    report = asyncio.run(hosted.upgrade())
    assert (report.outcome.result, report.why) == ("succeeded", "")
    assert hosted.counted() == dict.fromkeys(HOSTS, 5)


@pytest.mark.parametrize("removed", [1, 10])
def test_removing_services_and_networks_takes_one_more(removed: int) -> None:
    hosted = Fleet(*releases(2, removed))
    assert asyncio.run(hosted.upgrade()).outcome.result == "succeeded"
    assert hosted.counted() == dict.fromkeys(HOSTS, 6)


def test_a_hook_takes_one_more_on_its_one_host() -> None:
    extension = {"hooks": {"before": {"service": "s0", "command": ["migrate"]}}}
    hosted = Fleet(*releases(2, extension=extension))
    assert asyncio.run(hosted.upgrade()).outcome.result == "succeeded"
    assert hosted.counted() == {"web1": 6, "web2": 5, "web3": 5}


@pytest.mark.parametrize("app", ["", "shop"])
def test_where_drift_and_check_take_one_round_trip_a_host(app: str) -> None:
    hosted = Fleet(*releases(20))
    fleet_file = settings.Settings(Path("lading.yaml"), inventory.Inventory(HOSTS, {}))
    here = context.Context(fleet_file, {}, hosted.recorder, None, "ann")
    rows = asyncio.run(where.where(here, app)).rows
    assert Counter((row.host, row.version) for row in rows) == {(name, "1"): 20 for name in HOSTS}
    assert hosted.counted() == dict.fromkeys(HOSTS, 1)
    assert asyncio.run(drift.drift(here, app)) == ()
    assert hosted.counted() == dict.fromkeys(HOSTS, 1)
    assert [row.host for row in asyncio.run(check.check(here))] == [check.HERE, *HOSTS]
    assert hosted.counted() == dict.fromkeys(HOSTS, 1)
