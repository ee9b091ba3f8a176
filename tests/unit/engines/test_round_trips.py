"""How often each host is spoken to: a deployment, where, drift, check; counted by the recorder, which answers as hosts do."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import a_container, a_release, a_service
from lading import context, events, settings, state
from lading.compose import project, release
from lading.deploy import preparation
from lading.drivers.shell import driver, observe
from lading.engines import base
from lading.engines.compose_hosts import coordinator
from lading.inventory import hosts as inventory
from lading.plan import planner
from lading.queries import check, drift, where
from lading.state import journal
from lading.transport import base as transports
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


def is_said(what: command.Command, word: str) -> bool:
    """Whether a script is given this line."""
    return word in what.script.splitlines()


class Fleet:
    """Hosts on which *old* runs, until they are told to roll to *new*.

    *phase*: of the deployment, on each; *ended*: on which it was undone, or left open.
    """

    def __init__(self, old: release.Release, new: release.Release) -> None:
        self.old, self.new = old, new
        self.runs = dict.fromkeys(HOSTS, old)
        self.phase: dict[str, journal.Phase | None] = dict.fromkeys(HOSTS)
        self.ended: list[tuple[str, str]] = []
        self.recorder = recorder.RecorderTransport(self.answer)

    def answer(self, host: inventory.Host, what: command.Command) -> command.Result:
        """What a host answers; a command that it does not know is an error."""
        parts = getattr(self, "do_" + what.name.replace("-", "_"))(host.name, what)
        return command.Result(0, {**parts, "end": b""})

    def do_observe(self, host: str, _what: command.Command) -> dict[str, bytes]:
        current = state.Current("shop", self.old.id, self.old.version, "d0").as_json()
        return {
            "facts": b"state=/s\nengine=20.10.24\ncompose=2.40.3\n", "app:shop": b"",
            "current:shop": json.dumps(current).encode(), f"release:shop:{self.old.id}": self.old.canonical(),
            "containers": self._containers(self.runs[host]),
        }

    def do_lease(self, host: str, what: command.Command) -> dict[str, bytes]:
        if is_said(what, "MODE=begin"):
            self.phase[host] = "begun"
        phase = self.phase[host]
        fence = b"0" if phase in (None, "ended", "undone") else b"1"
        return {"fence": fence, "phase": (phase or "none").encode(), **self.do_observe(host, what)}

    def do_confirm(self, host: str, _what: command.Command) -> dict[str, bytes]:
        return {"phase": (self.phase[host] or "none").encode()}

    def do_stage(self, host: str, what: command.Command) -> dict[str, bytes]:
        if "\nSTAGED=" in what.script:
            self.phase[host] = "staged"
        return {"dir": b"/s/apps/shop", "config": b""}

    def do_hook(self, _host: str, _what: command.Command) -> dict[str, bytes]:
        return {"hook": b"0\n"}

    def do_roll(self, host: str, _what: command.Command) -> dict[str, bytes]:
        self.runs[host], self.phase[host] = self.new, "rolled"
        return {"up": b"0\n", "containers": self._containers(self.new), "tick": b""}

    def do_undo(self, host: str, _what: command.Command) -> dict[str, bytes]:
        self.runs[host], self.phase[host] = self.old, "undoing"
        return {"up": b"0\n", "containers": self._containers(self.old), "tick": b""}

    def do_tidy(self, _host: str, _what: command.Command) -> dict[str, bytes]:
        return {}

    def do_prepare(self, host: str, _what: command.Command) -> dict[str, bytes]:
        self.phase[host] = "prepared"
        return {"prepared": b""}

    def do_commit(self, host: str, _what: command.Command) -> dict[str, bytes]:
        self.phase[host] = "committed"
        return {}

    def do_finish(self, host: str, _what: command.Command) -> dict[str, bytes]:
        self.phase[host] = "ended"
        return {"ended": b""}

    def do_release_lease(self, host: str, what: command.Command) -> dict[str, bytes]:
        """A deployment is closed, or only left."""
        closes = "\nUNDONE=" in what.script
        self.phase[host] = "undone" if closes else self.phase[host]
        self.ended.append((host, "undone" if closes else "left"))
        return {}

    def do_remove(self, host: str, _what: command.Command) -> dict[str, bytes]:
        self.phase[host] = "ended"
        return {}

    def do_last_lines(self, _host: str, _what: command.Command) -> dict[str, bytes]:
        return {}

    def _containers(self, made: release.Release) -> bytes:
        return b"\n".join(inspected(a_container(spec)) for spec in made.active.values())

    def counted(self) -> dict[str, int]:
        """Round trips of each host until now; they are forgotten."""
        found = dict(self.recorder.count)
        self.recorder.count.clear()
        return found

    async def upgrade(self) -> base.Report:
        """What `lading deploy` does with the hosts: look, plan, carry out."""
        return await self.apply(await self.order())

    async def apply(self, what: base.DeploymentOrder) -> base.Report:
        """Carry an order out over the recorder, or over what stands before it."""
        return await self.engine.apply(what, self.record)

    @property
    def engine(self) -> coordinator.ComposeHosts:
        """The engine, over this fleet's transport."""
        return coordinator.ComposeHosts(driver.connect(self.transport, "auto"))

    @property
    def transport(self) -> transports.Transport:
        """What hosts are reached by."""
        return self.recorder

    async def order(self, verb: str = "deploy", finished: tuple[str, ...] = ()) -> base.DeploymentOrder:
        """The upgrade, planned; *finished*: what had ended well before it."""
        seen = await observe.fleet(self.recorder, list(HOSTS.values()), state_dir="auto", app="shop")
        plans = {name: preparation.plan_host(name, self.new, {}, host) for name, host in seen.hosts.items()}
        whole = planner.plan(self.new, "all", planner.hooked(self.new, plans), back=verb == "rollback")
        begun = journal.Begun("d1", verb=verb, app="shop", actor="ann", participants=tuple(HOSTS), process="p1",
                              batches=whole.batches, to=self.new.id, version=self.new.version, finished=finished)
        left = self.new.left_on_the_way_back(finished) if verb == "rollback" else frozenset[str]()
        own = {
            name: base.HostOrder(replace(begun, before=plan.previous), self.new, {self.old.id: self.old}, left)
            for name, plan in plans.items()
        }
        bundle = release.Bundle(self.new, (), {}, {})
        return base.DeploymentOrder("d1", whole, HOSTS, own, "ann", "now", "p1", bundle=bundle)

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
def test_an_upgrade_takes_eight_round_trips_a_host_however_many_services(count: int) -> None:
    hosted = Fleet(*releases(count))
    report = asyncio.run(hosted.upgrade())
    assert (report.outcome.result, report.why) == ("succeeded", "")
    assert hosted.counted() == dict.fromkeys(HOSTS, 8)


@pytest.mark.parametrize("removed", [1, 10])
def test_removing_services_and_networks_takes_one_more(removed: int) -> None:
    hosted = Fleet(*releases(2, removed))
    assert asyncio.run(hosted.upgrade()).outcome.result == "succeeded"
    assert hosted.counted() == dict.fromkeys(HOSTS, 9)


def test_a_hook_takes_one_more_on_its_one_host() -> None:
    extension = {"hooks": {"before": {"service": "s0", "command": ["migrate"]}}}
    hosted = Fleet(*releases(2, extension=extension))
    assert asyncio.run(hosted.upgrade()).outcome.result == "succeeded"
    assert hosted.counted() == {"web1": 9, "web2": 8, "web3": 8}


@pytest.mark.parametrize("app", ["", "shop"])
def test_where_drift_and_check_take_one_round_trip_a_host(app: str) -> None:
    hosted = Fleet(*releases(20))
    fleet_file = settings.Settings(Path("lading.yaml"), inventory.Inventory(HOSTS, {}))
    here = context.Context(fleet_file, {}, hosted.recorder, None, "ann")
    rows = asyncio.run(where.where(here, app)).rows
    assert Counter((row.host, row.version) for row in rows) == {(name, "1"): 20 for name in HOSTS}
    assert hosted.counted() == dict.fromkeys(HOSTS, 1)
    assert asyncio.run(drift.drift(here, app)) == drift.Drift((), is_deployed=True)
    assert hosted.counted() == dict.fromkeys(HOSTS, 1)
    assert [row.host for row in asyncio.run(check.check(here))] == [check.HERE, *HOSTS]
    assert hosted.counted() == dict.fromkeys(HOSTS, 1)
