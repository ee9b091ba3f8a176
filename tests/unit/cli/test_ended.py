"""How a deployment ended: the version that runs on each host, what failed where, its last lines, what to type next."""

import pytest

from lading import events
from lading.cli import render_plan
from lading.deploy import ended
from lading.engines import base
from lading.plan import steps

OLD, NEW = "a" * 64, "b" * 64


def told(capsys: pytest.CaptureFixture[str], result: str, hosts: dict[str, events.HostOutcome], **report: object) -> str:
    render_plan.ended(ended.Ended(
        "20261130-1", "shop", "1.1.0", NEW, "production", result, "", "", "ana", "",
        base.Report(events.Outcome(hosts), **report), versions={OLD: "1.0.0", NEW: "1.1.0"}))  # type: ignore[arg-type]
    said = capsys.readouterr()
    return said.err + said.out


def test_versions_stand_where_hashes_stood(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, "partial", {
        "web1": events.HostOutcome("succeeded", NEW, OLD), "web2": events.HostOutcome("failed", OLD, OLD, "no disk"),
        "web3": events.HostOutcome("failed", "c" * 64, OLD), "web4": events.HostOutcome("unknown", OLD, OLD),
        "web5": events.HostOutcome("failed", "", "")})
    rows = {words[0]: words[2] for words in map(str.split, said.splitlines()) if words[0].startswith("web")}
    assert rows == {"web1": "1.1.0", "web2": "1.0.0", "web3": "c" * 12, "web4": "unknown", "web5": "-"}


def test_a_failure_names_version_host_reason_last_lines_and_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, "rolled_back", {"web1": events.HostOutcome("rolled_back", OLD, OLD)},
                host="web1", step="roll", why="web: unhealthy", log=("no database",))
    assert said.splitlines()[:3] == [
        "shop 1.1.0 failed at web1 roll: web: unhealthy", "last lines of what failed on web1:", "  | no database"]
    assert " hint: every host is back on what it ran before; why: lading logs shop --deployment 20261130-1, lading show 20261130-1" in said


@pytest.mark.parametrize(("result", "said"), [
    ("succeeded", "shop: removed from production (2 hosts), deployment 20261130-1"),
    ("partial", "remove shop from production: partial (2 hosts), deployment 20261130-1"),
])
def test_what_was_removed_is_not_told_as_what_was_deployed(capsys: pytest.CaptureFixture[str], result: str, said: str) -> None:
    hosts = {name: events.HostOutcome(result, "", OLD) for name in ("web1", "web2")}  # type: ignore[arg-type]
    render_plan.ended(ended.Ended(
        "20261130-1", "shop", "1.0.0", "", "production", result, "", "", "ana", "", base.Report(events.Outcome(hosts)), verb="remove"))
    assert capsys.readouterr().out == said + "\n"


def test_what_was_given_back_is_not_told_as_removed(capsys: pytest.CaptureFixture[str]) -> None:
    hosts = {"web1": steps.HostPlan("web1", (steps.RemoveApp(kept=True),))}
    render_plan.plan(steps.Plan("shop", "1.0.0", "", "production", hosts, (("web1",),), verb="remove"))
    assert capsys.readouterr().err.startswith("give back shop 1.0.0 on production\n")
    outcome = events.Outcome({"web1": events.HostOutcome("succeeded", "", OLD)})
    render_plan.ended(ended.Ended(
        "d1", "shop", "1.0.0", "", "production", "succeeded", "", "", "ana", "", base.Report(outcome), verb="remove", given_back=True))
    assert capsys.readouterr().out == "give back shop on production: succeeded (1 host), deployment d1\n"


@pytest.mark.parametrize(("verb", "version", "said"), [
    ("remove", "1.0.0", "remove shop 1.0.0 from production"), ("remove", "", "remove shop from production"),
    ("deploy", "1.0.0", f"shop 1.0.0 → production, release {'a' * 12}"),
])
def test_the_heading_of_a_plan(capsys: pytest.CaptureFixture[str], verb: str, version: str, said: str) -> None:
    hosts = {"web1": steps.HostPlan("web1", (steps.RemoveApp(),))}
    render_plan.plan(steps.Plan("shop", version, OLD if verb == "deploy" else "", "production", hosts, (("web1",),), verb=verb))
    assert capsys.readouterr().err.splitlines()[0] == said
