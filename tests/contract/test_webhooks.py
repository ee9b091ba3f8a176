"""Webhooks against a real HTTP server: what they are told and how it is signed; a deployment is never changed by them."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from builders import a_release, a_service
from lading import by_reference, context, errors, settings, webhooks
from lading.compose import project
from lading.compose import release as releases
from lading.deploy import execution, order
from lading.engines import base as engines
from lading.engines.compose_hosts import coordinator
from lading.inventory import hosts as inventory
from lading.plan import planner
from simulated_hosts import Fault, SimulatedHost, connect, lost, no_fault

pytestmark = pytest.mark.contract
ENDING = webhooks.Ending(
    "d1", "deploy", "shop", "1.2", "abc", "production", "succeeded", {"web1": "succeeded"}, "ann", "new <prices> & more",
    "2026-11-30T05:00:00Z", "2026-11-30T05:00:09Z")
SECRET = "canary-of-the-hook"


@dataclass
class Received:
    """What came to the server: path, headers in small letters, body; *answers*: the statuses to give, the last one for all others."""

    answers: list[int]
    told: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    hold: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def listening(*answers: int) -> Iterator[Received]:
    """A webhook's server on loopback; an answer of 0 never comes."""
    received = Received(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.told.append((self.path, {key.lower(): value for key, value in self.headers.items()}, body))
            status = received.answers.pop(0) if len(received.answers) > 1 else received.answers[0]
            if status == 0:
                received.hold.wait(60)
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"{received.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    received.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield received
    finally:
        received.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


def hook(kind: str = "generic", *, secret: bool = False) -> by_reference.Webhook:
    return by_reference.Webhook(by_reference.Source("env", ("HOOK",), line=7), kind, by_reference.Source("env", ("SIGN",)) if secret else None)


def tell(received: Received, *hooks: by_reference.Webhook, ending: webhooks.Ending = ENDING) -> list[str]:
    environment = {"HOOK": f"{received.url}/{SECRET}", "SIGN": "s3cret"}
    return asyncio.run(webhooks.tell(hooks, ending, environment, Path("/")))


def test_a_generic_one_gets_signed_json() -> None:
    with listening(204) as received:
        assert tell(received, hook(secret=True)) == []
    ((path, headers, body),) = received.told
    assert path == f"/{SECRET}"
    signed = hmac.new(b"s3cret", headers["lading-timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["lading-signature"] == f"sha256={signed}"
    assert abs(int(headers["lading-timestamp"]) - time.time()) < 60
    assert json.loads(body) == {
        "v": 1, "deployment": "d1", "verb": "deploy", "app": "shop", "version": "1.2", "release": "abc", "destination": "production",
        "result": "succeeded", "hosts": {"web1": "succeeded"}, "actor": "ann", "reason": "new <prices> & more",
        "started": "2026-11-30T05:00:00Z", "finished": "2026-11-30T05:00:09Z", "error": "", "url": ""}


def test_without_a_secret_nothing_is_signed() -> None:
    with listening(200) as received:
        assert tell(received, hook()) == []
    assert not {"lading-signature", "lading-timestamp"} & received.told[0][1].keys()


@pytest.mark.parametrize(("ending", "line"), [
    (ENDING, "✅ shop 1.2 → production: deploy succeeded (1 host), by ann: new &lt;prices&gt; &amp; more\ndeployment d1"),
    (replace(ENDING, result="rolled_back", reason="", error="web1 roll: <!channel> it ended"),
     "❌ shop 1.2 → production: deploy rolled_back (1 host), by ann\nweb1 roll: &lt;!channel&gt; it ended\ndeployment d1"),
])
def test_slack_gets_a_text_in_which_nobody_is_mentioned(ending: webhooks.Ending, line: str) -> None:
    with listening(200) as received:
        assert tell(received, hook("slack"), ending=ending) == []
    assert json.loads(received.told[0][2]) == {"text": line}


@pytest.mark.parametrize(("answers", "attempts", "why"), [
    ([500, 200], 2, ""), ([429, 200], 2, ""), ([503, 503], 2, "it answered HTTP 503, twice"), ([404], 1, "it answered HTTP 404"),
    ([307], 1, "it answered HTTP 307"), ([500, 404], 2, "it answered HTTP 404"),
])
def test_it_is_tried_twice_where_that_may_help(answers: list[int], attempts: int, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "PAUSE", 0.0)
    with listening(*answers) as received:
        told = tell(received, hook())
    assert len(received.told) == attempts
    assert told == ([f"the webhook of lading.yaml:7 was not told: {why}"] if why else [])


def test_one_that_hangs_costs_two_time_outs_and_several_at_once_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT", 0.4)
    monkeypatch.setattr(webhooks, "PAUSE", 0.0)
    with listening(0) as received:
        began = time.monotonic()
        told = tell(received, hook(), hook("slack"), hook(secret=True))
        took = time.monotonic() - began
    assert told == ["the webhook of lading.yaml:7 was not told: no answer within 0.4 s, twice"] * 3
    assert len(received.told) == 6 and took < 4 * 2 * 0.4


@pytest.mark.parametrize(("environment", "why"), [
    ({}, "its address cannot be had from the environment variable HOOK: it is not set, or empty"),
    ({"HOOK": SECRET}, "what the environment variable HOOK holds is no address"),
    ({"HOOK": f"ftp://{SECRET}.invalid"}, "what the environment variable HOOK holds is no address"),
    ({"HOOK": f"https://[{SECRET}"}, "what the environment variable HOOK holds is no address"),
    ({"HOOK": f"http://127.0.0.1:1/{SECRET}"}, "no connection, or it broke (ConnectError), twice"),
    ({"HOOK": f"http://user:{SECRET}@{SECRET}.invalid/"}, "no connection, or it broke"),
])
def test_what_is_wrong_is_said_without_the_address(environment: dict[str, str], why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "PAUSE", 0.0)
    (told,) = asyncio.run(webhooks.tell([hook()], ENDING, environment, Path("/")))
    assert why in told and SECRET not in told and "127.0.0.1" not in told


# The ends of deployments


def made(version: str) -> releases.Release:
    return a_release(a_service("web", f"r.example/web:{version}", health=project.Health()), version=version, plain={"VERSION": version})


OLD, NEW = made("1"), made("2")


class Fleet:
    """A host on which OLD runs, its destination with webhooks, and one who deploys NEW."""

    def __init__(self, received: Received, *, before: Fault = no_fault, sick: bool = False) -> None:
        host = SimulatedHost("web1", [OLD], OLD)
        host.before, host.sick = before, {NEW.id} if sick else set()
        self.host, known = host, {"web1": inventory.Host("web1")}
        place = inventory.Destination("production", ("web1",), webhooks=(hook(), hook("slack")))
        fleet = settings.Settings(Path("/fleet/lading.yaml"), inventory.Inventory(known, {"production": place}))
        self.context = context.Context(
            fleet, {"HOOK": f"{received.url}/{SECRET}"}, None, None, "ann",  # type: ignore[arg-type]
            engine=coordinator.ComposeHosts(connect({"web1": host})))

    def order(self) -> engines.DeploymentOrder:
        app = self.host.app()
        plan = planner.plan(NEW, "production", planner.hooked(NEW, {"web1": planner.plan_host("web1", NEW, {}, (), app, OLD)}))
        becoming = {"web1": order.Becoming(NEW, app, "2", "src", "production")}
        return order.make(self.context, plan, becoming, [inventory.Host("web1")], deployment="d1", reason="prices")

    def deploy(self) -> Any:
        return asyncio.run(execution.carry_out(self.context, self.order()))


def ends(received: Received) -> list[tuple[str, str, str]]:
    told = [json.loads(body) for _, _, body in received.told]
    return [(one["verb"], one["result"], one["error"]) for one in told if "v" in one]


def test_a_deployment_tells_its_destination_once_it_has_ended() -> None:
    with listening(200) as received:
        done = Fleet(received).deploy()
    assert (done.result, done.untold, ends(received)) == ("succeeded", "", [("deploy", "succeeded", "")])
    assert sorted("text" in json.loads(body) for _, _, body in received.told) == [False, True]


def test_nothing_to_do_tells_nobody() -> None:
    with listening(200) as received:
        fleet = Fleet(received)
        fleet.deploy()
        empty = replace(fleet.order(), plan=replace(fleet.order().plan, hosts={"web1": replace(fleet.order().plan.hosts["web1"], steps=())}))
        assert empty.plan.empty
        done = asyncio.run(execution.carry_out(fleet.context, empty))
    assert (done.result, len(ends(received))) == ("unchanged", 1)


def test_one_that_failed_is_told_with_why_and_so_is_one_that_was_stopped() -> None:
    with listening(200) as received:
        failed = Fleet(received, sick=True).deploy()
    ((_, result, error),) = ends(received)
    assert (failed.result, result, error.startswith("web1")) == ("rolled_back", "rolled_back", True)
    with listening(200) as received:
        fleet = Fleet(received)
        fleet.context.stop.set()
        stopped = fleet.deploy()
    assert [one for _, one, _ in ends(received)] == [stopped.result] == ["failed"]


@pytest.mark.parametrize("answer", [404, 500])
def test_a_webhook_that_fails_changes_no_result(answer: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "PAUSE", 0.0)
    with listening(answer) as received:
        fleet = Fleet(received)
        done = fleet.deploy()
    assert (done.result, done.report.outcome.is_good, fleet.host.runs) == ("succeeded", True, "2")
    assert len(fleet.context.notes) == 2 and all("was not told: it answered HTTP" in one for one in fleet.context.notes)
    assert done.as_json()["note"] == "; ".join(fleet.context.notes)


def test_one_that_ends_before_any_host_was_changed_is_told_too() -> None:
    def gone(host: str, call: str) -> None:
        raise lost(host)

    with listening(200) as received:
        fleet = Fleet(received, before=gone)
        with pytest.raises(errors.TransportError):
            fleet.deploy()
    assert [one for _, one, _ in ends(received)] == ["failed"]


def test_who_is_told() -> None:
    one, other = hook(), hook("slack")
    fleet = inventory.Inventory({}, {"a": inventory.Destination("a", ("h1",), webhooks=(one,)),
                                     "b": inventory.Destination("b", ("h1", "h2"), webhooks=(other, one))})
    assert fleet.webhooks("a", ["h1"]) == (one,)
    assert fleet.webhooks("a,b", ["h1"]) == (one, other)
    assert fleet.webhooks("h2", ["h2"]) == (other, one)
    assert fleet.webhooks("h3", ["h3"]) == ()
