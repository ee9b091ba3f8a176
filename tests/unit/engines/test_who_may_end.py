"""Who may end, who must, and for whom an end is a failure: over whole deployments that a recorder answers."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from test_round_trips import HOSTS, Fleet

from builders import a_container, a_release, a_service
from lading import events
from lading.compose import project, release
from lading.engines import base
from lading.inventory import hosts as inventory
from lading.plan import planner, steps
from lading.transport import command

ENDED = {"Status": "exited", "ExitCode": 0}
RUNS = {"Status": "running"}
AFTER = a_service("zafter", depends_on={"web": "service_completed_successfully"}, restart="always")


class Ending(Fleet):
    """A fleet whose containers are in the *states* that Docker tells of a service, else running."""

    def __init__(self, old: release.Release, new: release.Release, states: dict[str, dict[str, Any]], *, broken: str = "") -> None:
        super().__init__(old, new)
        self.states, self.broken = states, broken
        self.shown: list[str] = []
        self.back: list[str] = []
        self.judged: set[str] = set()
        self.stopped: list[str] = []

    def answer(self, host: inventory.Host, what: command.Command) -> command.Result:
        self.stopped += [line for line in what.script.splitlines() if line.startswith("STOP=")]
        return super().answer(host, what)

    def do_undo(self, host: str, what: command.Command) -> dict[str, bytes]:
        steps = what.script.partition("\nSTEPS='")[2].partition("'\n")[0]
        self.back += [line for line in steps.splitlines() if line.partition(" ")[0] in ("up", "anew")]
        return super().do_undo(host, what)

    def do_roll(self, host: str, what: command.Command) -> dict[str, bytes]:
        told = super().do_roll(host, what)
        if self.broken == "post_start":
            return {**told, "up": b"1\nshop-web-1 hook exited with status 3"}
        if self.broken:
            return {"up": b"1\nit does not start", "containers": b"", "tick": b""}
        return told

    def _containers(self, made: release.Release) -> bytes:
        lines = []
        for spec in made.active.values():
            seen = a_container(spec)
            labels = {"com.docker.compose.project": seen.app, "com.docker.compose.service": seen.service,
                      "lading.app": seen.app, "lading.content": seen.content}
            lines.append(json.dumps({
                "id": seen.id, "name": f"/{seen.name}", "image": seen.image, "labels": labels,
                "state": self.states.get(spec.name, RUNS), "networks": {name: {"NetworkID": "n"} for name in seen.networks},
            }))
        return "\n".join(lines).encode()

    async def run(self, finished: tuple[str, ...] | None = ()) -> base.Report:
        """An upgrade; *finished*: what its record says of the services that had ended before it."""
        order = await self.order()
        own = {name: replace(one, begun=replace(one.begun, finished=finished)) for name, one in order.own.items()}
        return await self.apply(replace(order, own=own))


def versions(*services: project.Service) -> tuple[release.Release, release.Release]:
    """A release and the one after it, which has another image of every service."""
    new = [replace(one, image=one.image.replace(":1", ":2")) for one in services]
    return a_release(*services), a_release(*new, version="2")


@pytest.fixture(autouse=True)
def no_bake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder shows one snapshot, which cannot stay good for a while."""
    monkeypatch.setattr(release, "BAKE", 0.0, raising=False)


AT_ONCE = project.Rollout(monitor=0.0)


@pytest.mark.parametrize(("service", "seen", "result"), [
    (a_service("web", restart="on-failure", restart_written=True), RUNS, "succeeded"),  # a worker
    (a_service("web", restart="no", restart_written=True), RUNS, "succeeded"),
    (a_service("web"), ENDED, "succeeded"),  # MinIO's createbuckets
    (a_service("web", restart="on-failure:3", restart_written=True), ENDED, "succeeded"),
    (a_service("web", restart="always", restart_written=True), ENDED, "rolled_back"),
    (a_service("web", restart="unless-stopped", restart_written=True), ENDED, "rolled_back"),
    (a_service("web", definition={"ports": [{"target": 80}]}), ENDED, "rolled_back"),
    (a_service("web", restart="no", restart_written=True, health=project.Health()), ENDED, "rolled_back"),
    (a_service("web"), {"Status": "exited", "ExitCode": 1}, "rolled_back"),
])
def test_who_may_end(service: project.Service, seen: dict[str, Any], result: str) -> None:
    fleet = Ending(*versions(replace(service, rollout=AT_ONCE)), {"web": seen})
    report = asyncio.run(fleet.run())
    if result == "succeeded":
        assert (report.outcome.result, report.why) == ("succeeded", "")
    else:
        assert (report.step, "web: exited with code" in report.why) == ("roll", True), report.why


def test_only_who_is_awaited_as_completed_must_end() -> None:
    job = a_service("web", restart="no", restart_written=True, rollout=AT_ONCE)
    runs = Ending(*versions(job, replace(AFTER, rollout=AT_ONCE)), {"web": RUNS})
    assert asyncio.run(runs.run()).outcome.result != "succeeded"
    ended = Ending(*versions(job, replace(AFTER, rollout=AT_ONCE)), {"web": ENDED})
    assert asyncio.run(ended.run()).outcome.result == "succeeded"


def test_what_is_waited_for_is_said_once() -> None:
    checked = a_service("db", health=project.Health(), rollout=AT_ONCE)
    after = replace(AFTER, rollout=AT_ONCE, depends_on={**AFTER.depends_on, "db": "service_healthy", "gone": "service_healthy"},
                    restarts_with=("db",))
    old, new = versions(after, a_service("web", rollout=AT_ONCE), checked)
    fleet = Ending(old, new, {"web": RUNS})

    async def story() -> list[events.Event]:
        shown: list[events.Event] = []
        await fleet.apply(replace(await fleet.order(), show=shown.append))
        return [one for one in shown if one.host == "web1" and one.step == "roll"]

    assert asyncio.run(story()) == [
        events.ServiceAwaited("d1", "web1", "roll", "waits for db to become healthy, web to end (at most 900 s)"),
        events.ServiceAwaited("d1", "web1", "roll", "waits for db (it is not healthy yet; at most 270 s), web (it has not ended; at most 900 s)")]


@pytest.mark.parametrize(("finished", "started"), [
    (("buckets",), {"web", "worker"}),
    ((), {"buckets", "web", "worker"}),
    (None, {"buckets", "web"}),  # an older lading's record: by the restart policy, as it did
])
def test_a_way_back_brings_back_who_ran_and_runs_nothing_again_that_had_ended(finished: tuple[str, ...] | None, started: set[str]) -> None:
    web = a_service("web", restart="always", rollout=AT_ONCE)
    worker = a_service("worker", restart="on-failure", restart_written=True, rollout=AT_ONCE)
    fleet = Ending(*versions(web, worker, a_service("buckets", rollout=AT_ONCE)), {"buckets": ENDED}, broken="web")
    report = asyncio.run(fleet.run(finished))
    assert report.outcome.result == "rolled_back", report
    assert {name for line in fleet.back for name in ("buckets", "web", "worker") if f" {name}" in line} == started


@pytest.mark.parametrize(("verb", "result"), [("deploy", "rolled_back"), ("rollback", "succeeded")])
def test_what_a_way_back_leaves_is_not_judged_when_it_is_prepared(verb: str, result: str) -> None:
    """It had ended well before; meanwhile it is gone: a rollback asks for none of it, a deployment does."""
    buckets = a_service("buckets", restart="no", restart_written=True, rollout=AT_ONCE)
    web = a_service("web", restart="always", rollout=AT_ONCE)
    fleet = Gone(*versions(web, buckets), {"buckets": ENDED})

    async def story() -> base.Report:
        order = await fleet.order(verb, finished=("buckets",))
        if verb == "rollback":
            own = fleet.new
            plans = {name: planner.without_one_shots(plan, own, ("buckets",)) for name, plan in order.plan.hosts.items()}
            whole = planner.plan(own, "all", plans, back=True)
            order = replace(order, plan=whole)
        return await fleet.apply(order)

    assert asyncio.run(story()).outcome.result == result


class Gone(Ending):
    """A fleet that says when it prepares that `buckets` is not there any more."""

    def do_prepare(self, host: str, what: command.Command) -> dict[str, bytes]:
        expected = what.script.partition("\nEXPECTED='")[2].partition("'\n")[0]
        rest = b"\n".join(line for line in self._containers(self.runs[host]).splitlines() if b"buckets" not in line)
        count = len(rest.splitlines())
        if len(expected.splitlines()) == count:
            return super().do_prepare(host, what)
        return {"containers": rest}


@pytest.mark.parametrize(("definition", "result"), [({"post_start": [{"command": ["warm"]}]}, "rolled_back"), ({}, "succeeded")])
def test_a_post_start_that_fails_is_a_failure(definition: dict[str, Any], result: str) -> None:
    """Compose says so by its status alone: the container runs. Where no hook could be meant, what inspect shows counts."""
    old, new = versions(a_service("web", restart="always", rollout=AT_ONCE, definition=definition))
    fleet = Ending(old, new, {}, broken="post_start")
    report = asyncio.run(fleet.run())
    assert (report.outcome.result, "hook exited with status 3" in report.why) == (result, result == "rolled_back"), report.why


HOOKED: dict[str, Any] = {"definition": {"pre_stop": [{"command": ["drain"]}]}, "restart": "always", "rollout": AT_ONCE}


def test_compose_stops_who_has_a_pre_stop_before_it_is_removed() -> None:
    old = a_release(a_service("web", restart="always", rollout=AT_ONCE), a_service("gone", **HOOKED))
    fleet = Ending(old, a_release(a_service("web", restart="always", rollout=AT_ONCE), version="2"), {})
    assert asyncio.run(fleet.run()).outcome.result == "succeeded"
    assert fleet.stopped == ["STOP=gone"] * 3

    async def removed() -> base.Report:
        order = await fleet.order("remove")
        todo = steps.RemoveApp(tuple(name for name in ("web", "gone")))
        phase = steps.Phase((dict.fromkeys(HOSTS, (todo,)),))
        own = {name: replace(one, release=old) for name, one in order.own.items()}
        removal = replace(order, own=own, plan=replace(order.plan, phases=(phase,), verb="remove"))
        return await fleet.engine.remove(removal, fleet.record)

    fleet.runs, fleet.stopped = dict.fromkeys(HOSTS, old), []
    assert asyncio.run(removed()).outcome.result == "succeeded"
    assert fleet.stopped == ["STOP=gone"] * 3
