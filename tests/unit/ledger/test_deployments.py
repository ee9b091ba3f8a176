"""Deployments as history shows them: from events, from hosts' journals, and both in one."""

from collections.abc import Mapping
from typing import Any

import pytest

from lading import events, state
from lading.ledger import chain, deployments

ID = "20261124-101500-ab12"
AT = "2026-11-24T10:15:01.234567Z"


def begin(**more: Any) -> dict[str, Any]:
    return {"at": "2026-11-24T11:15:00Z", "v": 1, "kind": "begin", "deployment": ID, "verb": "deploy", "app": "shop",
            "version": "1.1.0", "destination": "web", "source": "git", "commit": "c0ffee", "actor": "ann@here", "reason": "why",
            "url": None, "participants": ["web1", "web2"], "to": "r1", **more}


def line(kind: str, **more: Any) -> dict[str, Any]:
    return {"at": "2026-11-24T11:16:00Z", "v": 1, "kind": kind, "deployment": ID, **more}


def seen(**journals: list[Mapping[str, Any]] | str) -> state.FleetState:
    """Hosts by name, each with its journal of the app shop, or the reason why it does not answer."""
    return state.FleetState({
        name: state.HostState(name, error=found) if isinstance(found, str)
        else state.HostState(name, apps={"shop": state.AppState("shop", journal=tuple(found))})
        for name, found in journals.items()
    })


def one(**journals: list[Mapping[str, Any]] | str) -> deployments.Deployment:
    [found] = deployments.from_journals(seen(**journals))
    return found


def test_a_journal_tells_who_what_when_why() -> None:
    told = one(web1=[begin(), line("intent"), line("result"), line("committed")], web2=[begin(), line("committed")])
    assert told == deployments.Deployment(
        ID, "deploy", "shop", "1.1.0", "r1", "web", "ann@here", "why", "c0ffee", "", "git", "2026-11-24T10:15:00Z",
        "2026-11-24T11:16:00Z", "succeeded", {"web1": "succeeded", "web2": "succeeded"}, "host web1")
    assert told.as_json()["url"] is None
    assert told.as_json()["version"] == "1.1.0"


ENDS: list[tuple[list[Mapping[str, Any]], list[Mapping[str, Any]], str, dict[str, str]]] = [
    ([line("committed")], [line("committed")], "succeeded", {"web1": "succeeded", "web2": "succeeded"}),
    ([line("undone")], [line("undone")], "rolled_back", {"web1": "rolled_back", "web2": "rolled_back"}),
    ([line("undone")], [line("ended", result="failed")], "rolled_back", {"web1": "rolled_back", "web2": "untouched"}),
    ([line("ended", result="failed")], [line("ended", result="failed")], "failed", {"web1": "untouched", "web2": "untouched"}),
    ([line("committed")], [line("undone")], "partial", {"web1": "succeeded", "web2": "rolled_back"}),
    ([line("committed")], [], "unknown", {"web1": "succeeded", "web2": "unknown"}),
    ([line("ended", result="removed")], [line("ended", result="removed")], "succeeded",
     {"web1": "succeeded", "web2": "succeeded"}),
    ([line("ended", result="given back")], [line("ended", result="failed")], "partial", {"web1": "succeeded", "web2": "untouched"}),
]


@pytest.mark.parametrize(("first", "second", "result", "hosts"), ENDS)
def test_how_it_ended(
    first: list[Mapping[str, Any]], second: list[Mapping[str, Any]], result: str, hosts: dict[str, str]
) -> None:
    told = one(web1=[begin(), *first], web2=[begin(), *second])
    assert (told.result, told.hosts) == (result, hosts)


def test_participants_that_do_not_answer_are_unknown_and_those_not_asked_are_absent() -> None:
    assert one(web1=[begin(), line("committed")], web2="no route").hosts == {"web1": "succeeded", "web2": "unknown"}
    assert one(web1=[begin(), line("committed")], web2="no route").result == "unknown"
    assert one(web1=[begin(), line("committed")], web3="no route").result == "succeeded"


def test_a_removal_has_no_release_and_an_odd_id_takes_the_hosts_time() -> None:
    assert one(web1=[begin(verb="remove")]).release == ""
    assert one(web1=[begin(deployment="odd")]).started == "2026-11-24T11:15:00Z"


def test_lines_without_a_beginning_are_left_out() -> None:
    assert deployments.from_journals(seen(web1=[line("committed"), line("undone")])) == ()


def test_the_journal_of_one_deployment() -> None:
    other = line("intent") | {"deployment": "other"}
    assert deployments.journal(seen(web1=[begin(), other], web2=[line("undone")]), ID) == (
        ("web1", begin()), ("web2", line("undone")))


def test_what_hosts_attest() -> None:
    head = {"writer": "w", "seq": 7, "hash": "ff"}
    found = deployments.attested(seen(
        web1=[line("committed", ledger=head), line("committed"), line("undone", ledger=head)],
        web2=[line("committed", ledger="torn"), line("committed", ledger={"seq": "7"})]))
    assert found == (chain.Attested("web1", ID, "2026-11-24T11:16:00Z", "w", 7, "ff"),)


def a_plan(**more: Any) -> deployments.Deployment:
    return deployments.planned(events.DeploymentPlanned(ID, app="shop", hosts=("web1", "web2"), **more), AT)


def test_events_make_the_same() -> None:
    row = a_plan(actor="ann@here")
    assert (row.result, row.started, row.ended, row.origin) == ("running", "2026-11-24T10:15:01Z", "", "")
    assert row.hosts == {"web1": "running", "web2": "running"}
    done = deployments.ended(row, events.DeploymentEnded(ID, result="succeeded", hosts={"web1": "succeeded"}), AT)
    assert (done.result, done.ended, done.hosts) == ("succeeded", "2026-11-24T10:15:01Z", {"web1": "succeeded"})


def ended(**hosts: str) -> deployments.Deployment:
    result = "unknown" if "unknown" in hosts.values() else "rolled_back"
    return deployments.ended(a_plan(), events.DeploymentEnded(ID, result=result, hosts=hosts), AT)


def test_an_end_in_the_ledger_stands() -> None:
    known = ended(web1="rolled_back", web2="rolled_back")
    told = one(web1=[begin(), line("committed")], web2=[begin(), line("committed")])
    assert deployments.merged(known, told) is known


def test_what_was_unknown_at_the_end_is_told_later() -> None:
    known = ended(web1="rolled_back", web2="unknown")
    later = deployments.merged(known, one(web2=[begin(), line("undone")]))
    assert (later.result, later.hosts) == ("rolled_back", {"web1": "rolled_back", "web2": "rolled_back"})
    assert later.ended == "2026-11-24T11:16:00Z"


def test_an_open_one_is_ended_by_what_hosts_tell() -> None:
    known = a_plan(actor="ann@here")
    still = deployments.merged(known, one(web1=[begin()], web2=[begin(), line("undone")]))
    assert (still.result, still.ended, still.hosts) == ("running", "", {"web1": "running", "web2": "rolled_back"})
    done = deployments.merged(still, one(web1=[begin(), line("undone")]))
    assert (done.result, done.ended, done.actor) == ("rolled_back", "2026-11-24T11:16:00Z", "ann@here")


def test_a_host_that_is_silent_now_does_not_take_back_what_it_told() -> None:
    known = one(web1=[begin(), line("committed")], web2=[begin(), line("committed")])
    again = deployments.merged(known, one(web1=[begin(), line("committed")], web2="no route"))
    assert (again.result, again.hosts) == ("succeeded", {"web1": "succeeded", "web2": "succeeded"})


@pytest.mark.parametrize(("happened", "decision"), [
    ([], ""),
    ([events.StepStarted("d", "web1", "roll"), events.HostLost("d", "web2", "roll")], ""),
    ([events.StepStarted("d", "web1", "roll"), events.StepStarted("d", "", "commit")], "commit"),
    ([events.StepStarted("d", "", "commit"), events.StepStarted("d", "web1", "undo")], "undo"),  # a stop that came in time
    ([events.HostUndone("d", "web1", "undo"), events.DeploymentEnded("d", result="partial")], "undo"),
    ([events.StepStarted("d", "web1", "undo"), events.StepStarted("d", "", "commit")], "commit"),  # a person's --continue
    ([events.HostCommitted("d", "web1", "commit"), events.HostUndone("d", "web2", "undo")], "commit"),
    ([events.DeploymentEnded("d", result="failed")], ""),  # a lease that was refused decides nothing
])
def test_which_way_a_deployment_went(happened: list[events.Event], decision: str) -> None:
    assert deployments.decided(happened) == decision
