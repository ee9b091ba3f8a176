"""Deployments as history shows them: from events, from hosts' journals, and both in one."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from builders import a_journal
from lading import events, state
from lading.drivers.shell import parsers
from lading.ledger import chain, deployments
from lading.state import damage, journal

ID = "20261124-101500-ab12"
AT = "2026-11-24T10:15:01.234567Z"


def begin(**more: Any) -> dict[str, Any]:
    return {"at": "2026-11-24T11:15:00Z", "v": 1, "kind": "begin", "deployment": ID, "verb": "deploy", "app": "shop",
            "version": "1.1.0", "destination": "web", "source": "git", "commit": "c0ffee", "actor": "ann@here", "reason": "why",
            "url": "", "participants": ["web1", "web2"], "to": "r1", **more}


def line(kind: str, **more: Any) -> dict[str, Any]:
    return {"at": "2026-11-24T11:16:00Z", "v": 1, "kind": kind, "deployment": ID, **more}


def seen(**journals: list[Mapping[str, Any]] | str) -> state.FleetState:
    """Hosts by name, each with its journal of the app shop, or the reason why it does not answer."""
    return state.FleetState({
        name: state.HostState(name, error=found) if isinstance(found, str)
        else state.HostState(name, apps={"shop": state.AppState("shop", journal=a_journal(*found))})
        for name, found in journals.items()
    })


def one(**journals: list[Mapping[str, Any]] | str) -> deployments.Deployment:
    found = deployments.joined(deployments.from_journals(seen(**journals)))
    assert found is not None
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
    ([line("committed", v=4)], [line("committed", v=4), line("ended", v=4, result="well")], "succeeded",
     {"web1": "succeeded", "web2": "succeeded"}),
    ([line("committed", v=4), line("ended", v=4, result="unwell")], [line("committed", v=4)], "partial",
     {"web1": "unwell", "web2": "succeeded"}),
    ([line("ended", result="given back")], [line("ended", result="failed")], "partial", {"web1": "succeeded", "web2": "untouched"}),
]


@pytest.mark.parametrize(("first", "second", "result", "hosts"), ENDS)
def test_how_it_ended(
    first: list[Mapping[str, Any]], second: list[Mapping[str, Any]], result: str, hosts: dict[str, str]
) -> None:
    told = one(web1=[begin(), *first], web2=[begin(), *second])
    assert (told.result, told.hosts) == (result, hosts)


def test_a_host_tells_of_itself_alone() -> None:
    [told] = deployments.from_journals(seen(web1=[begin(), line("committed")], web2="no route", web3=[]))
    assert told.hosts == {"web1": "succeeded"}, "web1's word that web2 takes part says nothing about web2"
    assert (told.result, told.origin) == ("succeeded", "host web1")
    assert deployments.joined([]) is None


def test_those_that_tell_otherwise_are_named() -> None:
    told = one(web1=[begin(actor="the-cto"), line("committed")], web2=[begin(), line("undone")], web3=[begin()])
    assert (told.actor, told.origin) == ("ann@here", "host web2 (web1: otherwise)")
    assert told.hosts == {"web1": "succeeded", "web2": "rolled_back", "web3": "unknown"}


FORGED: dict[str, dict[str, Any]] = {
    "no id": {"deployment": ""}, "a path": {"deployment": "../x"}, "a release": {"to": "a/b"}, "an app": {"app": "a b"},
    "a verb": {"verb": "\x1b[2J"}, "a long id": {"deployment": "a" * 101},
}


@pytest.mark.parametrize("case", FORGED)
def test_what_has_an_odd_shape_is_left_out(case: str) -> None:
    lines = "\n".join(map(json.dumps, (begin(**FORGED[case]), begin(deployment="good"))))
    host = parsers.host_state("web1", [("app:shop", b""), ("journal:shop", lines.encode())])
    assert [one.deployment for one in deployments.from_journals(state.FleetState({"web1": host}))] == ["good"]


def test_what_a_host_tells_is_bounded() -> None:
    [told] = deployments.from_journals(seen(web1=[begin(actor="\x1b[31mann\n" + "x" * 999)]))
    assert told.actor == "?[31mann?" + "x" * (deployments.LIMIT - 9)
    many: list[Mapping[str, Any]] = [
        begin(deployment=f"20261124-101500-{number:x}") for number in range(deployments.LOOK + 5)
    ]
    assert len(deployments.from_journals(seen(web1=many))) == deployments.LOOK


def test_a_host_that_begins_anew_is_unsure_again() -> None:
    assert one(web1=[begin(), line("undone"), begin()]).hosts == {"web1": "unknown"}


def test_a_removal_has_no_release_and_an_odd_id_takes_the_hosts_time() -> None:
    assert one(web1=[begin(verb="remove")]).release == ""
    assert one(web1=[begin(deployment="odd")]).started == "2026-11-24T11:15:00Z"


def test_lines_without_a_beginning_are_left_out() -> None:
    assert deployments.from_journals(seen(web1=[line("committed"), line("undone")])) == ()


def test_the_journal_of_one_deployment() -> None:
    other = line("intent") | {"deployment": "other"}
    told = deployments.told_of(seen(web1=[begin(), other], web2=[line("undone")]), ID)
    assert told == (("web1", journal.read(begin())), ("web2", journal.read(line("undone"))))
    assert [record.kind for _, record in told] == ["begin", "undone"]


def test_who_made_what_is_attested() -> None:
    head = {"writer": "w", "seq": 7, "hash": "ff"}
    [found] = deployments.attested(seen(web1=[begin(ran_by="ann@laptop"), line("committed", ledger=head)]))
    assert (found.actor, found.ran_by) == ("ann@here", "ann@laptop")


def test_what_hosts_attest() -> None:
    head = {"writer": "w", "seq": 7, "hash": "ff"}
    found = deployments.attested(seen(
        web1=[line("committed", ledger=head), line("committed"), line("undone", ledger=head)],
        web2=[line("committed", ledger={"seq": "7"})]))
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


def listed(*story: events.Event, **told: list[Mapping[str, Any]] | str) -> deployments.Deployment | None:
    """The deployment as the list has it."""
    return deployments.listed([(event, AT) for event in story], deployments.from_journals(seen(**told)))


PLAN = events.DeploymentPlanned(ID, app="shop", hosts=("web1", "web2"), actor="ann@here")


def test_hosts_say_nothing_about_what_was_made_here() -> None:
    forged: list[Mapping[str, Any]] = [begin(actor="the-cto", to="evil", version="6.6.6"), line("committed")]
    end = events.DeploymentEnded(ID, result="rolled_back", hosts={"web1": "rolled_back", "web2": "unknown"})
    alone = listed(PLAN, end)
    assert alone is not None
    found = listed(PLAN, end, web1=forged, web9=forged)
    assert found == alone, "web1's end is known, and web9 takes no part"
    later = listed(PLAN, end, web2=[begin(), line("undone")])
    assert later is not None
    assert (later.actor, later.result, later.hosts["web2"]) == ("ann@here", "rolled_back", "rolled_back")


def test_what_others_began_and_this_ledger_ended() -> None:
    resumed = events.DeploymentPlanned(ID, verb="resume", app="shop", hosts=("web1",))
    end = events.DeploymentEnded(ID, result="succeeded", hosts={"web1": "succeeded", "web2": "unknown"})
    assert listed(resumed, end) is None, "nobody tells what it was"
    found = listed(resumed, end, web1=[begin()], web2=[begin(), line("undone")])
    assert found is not None
    assert (found.hosts, found.result, found.origin) == (
        {"web1": "succeeded", "web2": "rolled_back"}, "partial", "host web1")
    assert listed() is None


def test_what_this_ledger_left_open_on_a_silent_host_is_no_end() -> None:
    """Another's deployment that this user's `deploy --to web1` took over, while web2 was cut off."""
    end = events.DeploymentEnded(ID, result="unknown", hosts={"web1": "rolled_back", "web2": "unknown"})
    found = listed(end, web1=[begin(), line("undone")], web2="no route")
    assert found is not None
    assert (found.result, found.hosts) == ("unknown", {"web1": "rolled_back", "web2": "unknown"})
    assert found.told_by == "web1"
    back = listed(end, web1=[begin(), line("undone")], web2=[begin(), line("undone")])
    assert back is not None
    assert (back.result, back.told_by) == ("rolled_back", "web1, web2")
    later = events.DeploymentEnded(ID, result="rolled_back", hosts={"web2": "rolled_back"})
    ended = listed(end, later, web1=[begin(), line("undone")], web2="no route")
    assert ended is not None
    assert (ended.result, ended.told_by) == ("rolled_back", "web1")


def heard(row: deployments.Deployment | None = None, **told: list[Mapping[str, Any]] | str) -> deployments.Deployment:
    """A deployment as the list has it after a look; *row*: as it is there already."""
    [found] = deployments.unheard([row or one(**told)], seen(**told))
    return found


def test_a_participant_that_is_silent_is_unknown() -> None:
    undone: list[Mapping[str, Any]] = [begin(), line("undone")]
    for found in (heard(web1=undone, web2="no route"), heard(web1=undone)):  # it does not answer, or was not asked
        assert (found.result, found.hosts) == ("unknown", {"web1": "rolled_back", "web2": "unknown"})
        assert (found.told_by, found.origin) == ("web1", "host web1 without web2")
    assert heard(web1=undone, web2=[]).result == "rolled_back", "it answers, and has nothing of it"
    both = one(web1=undone, web2=undone)
    assert heard(both, web1=undone, web2="no route") == both, "what it told before stays"
    mine = ended(web1="rolled_back", web2="unknown")
    assert heard(mine, web1=undone, web2="no route") == mine


def test_who_takes_part_is_what_most_hosts_say() -> None:
    liar: list[Mapping[str, Any]] = [begin(participants=["ghost"]), line("committed")]
    honest: list[Mapping[str, Any]] = [begin(participants=["web1", "web2"]), line("committed")]
    assert heard(web9=liar, web1=honest, web2=honest).result == "succeeded"
    odd = heard(web1=[begin(participants=["web1", "\x1b[2J"]), line("committed")])
    assert odd.hosts == {"web1": "succeeded"}


def test_of_several_silent_ones_none_has_told() -> None:
    end = events.DeploymentEnded(ID, result="unknown", hosts={"web1": "rolled_back", "web2": "unknown"})
    everywhere = ["web1", "web2", "web3", "web4"]
    of_three: list[Mapping[str, Any]] = [begin(participants=everywhere, actor="x"), line("undone")]
    row = listed(end, web1=of_three, web5=[begin(), line("undone")])
    assert row is not None
    found = heard(row, web1=of_three)
    assert (found.told_by, sorted(found.hosts)) == ("web1, web5 (web5: otherwise)", [*everywhere, "web5"])


REQUEST = events.DeploymentRequested(
    ID, app="shop", version="1.1.0", destination="production", actor="ann@here", reason="why", ran_by="ci@agent")


def test_what_was_refused_has_a_row() -> None:
    end = events.DeploymentEnded(ID, result="refused", error="held", hosts={"web1": "untouched"})
    found = listed(REQUEST, end)
    assert found is not None
    assert (found.result, found.hosts, found.release) == ("refused", {"web1": "untouched"}, "")
    assert (found.actor, found.version, found.destination) == ("ann@here", "1.1.0", "production")
    asked = listed(REQUEST)
    assert asked is not None
    assert (asked.result, asked.hosts, asked.ran_by) == ("running", {}, "ci@agent")
    assert listed(REQUEST, PLAN) == listed(PLAN), "the plan says more"


def test_who_ran_it_is_told_where_it_is_known() -> None:
    found = listed(events.DeploymentPlanned(ID, hosts=("web1",), ran_by="ci@agent", keys={"SHA256:x": ("web1",)}))
    assert found is not None
    assert (found.as_json()["ran_by"], found.keys) == ("ci@agent", {"SHA256:x": ("web1",)})
    assert "keys" not in found.as_json()
    assert "ran_by" not in a_plan().as_json()


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


def test_who_made_it_and_who_told_of_it_in_words() -> None:
    assert (ended(web1="succeeded").by, ended(web1="succeeded").told_by) == ("", "")
    claimed = listed(events.DeploymentPlanned(ID, actor="the-cto", ran_by="jenkins@agent"))
    assert claimed is not None
    assert claimed.by == "the-cto (run by jenkins@agent)"
    assert one(web1=[begin(ran_by="ann@here")]).by == "ann@here"
    told = one(web1=[begin()], web2=[begin()], web3=[begin(actor="the-cto")])
    assert told.told_by == "web1, web2, web3 (web3: otherwise)"
    assert one(web1=[begin()]).told_by == "web1"


def begun_nowhere(row: deployments.Deployment | None, **told: list[Mapping[str, Any]] | str) -> bool:
    assert row is not None
    return deployments.begun_nowhere(row, seen(**told))


def test_nothing_has_begun_where_all_hosts_answer_and_none_tells_of_it() -> None:
    assert begun_nowhere(listed(REQUEST, PLAN), web1=[], web2=[])
    assert begun_nowhere(listed(REQUEST), web3="no route"), "no host is touched before the plan is stored"
    assert not begun_nowhere(listed(REQUEST, PLAN), web1=[], web2="no route")
    assert not begun_nowhere(listed(REQUEST, PLAN), web1=[])
    assert not begun_nowhere(listed(REQUEST, PLAN), web1=[], web2=[begin()])
    assert not begun_nowhere(listed(REQUEST), web9=[begin()])
    assert not begun_nowhere(ended(web1="rolled_back"), web1=[])
    half = replace(a_plan(), hosts={"web1": "running", "web2": "rolled_back"})
    assert not begun_nowhere(half, web1=[], web2=[]), "web2 has told of it before"
    assert not begun_nowhere(one(web1=[begin()]), web1=[])


def test_a_journal_that_does_not_reach_back_or_is_not_its_own_says_nothing() -> None:
    row = a_plan()
    older, newer = (begin(deployment=f"202611{day}-101500-cccc") for day in (23, 25))
    later: list[Mapping[str, Any]] = [newer] * damage.WINDOW
    assert not begun_nowhere(row, web1=[], web2=later)
    assert begun_nowhere(row, web1=[], web2=[older, *later[1:]])
    assert begun_nowhere(row, web1=[], web2=later[1:])
    there = seen(web1=[], web2=[newer])
    for more in ({"foreign": "on web3"}, {"lost": ("journal",)}):
        apps = {"shop": replace(there.hosts["web2"].apps["shop"], **more)}
        hurt = replace(there, hosts={**there.hosts, "web2": replace(there.hosts["web2"], apps=apps)})
        assert not deployments.begun_nowhere(row, hurt)
    bare = replace(there, hosts={name: state.HostState(name) for name in there.hosts})
    assert deployments.begun_nowhere(row, bare), "they have never had the app"


def test_what_has_begun_nowhere_has_touched_no_host() -> None:
    assert (deployments.not_begun(a_plan()).result, deployments.not_begun(a_plan()).hosts) == (
        "not_begun", {"web1": "untouched", "web2": "untouched"})
