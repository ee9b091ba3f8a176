"""Who changed a container last: never the app's newest deployment only because it is the newest."""

from dataclasses import replace
from typing import Any

import pytest

from builders import a_container, a_journal, a_release, a_service, an_app
from lading import state
from lading.plan import attribution

MADE = a_release(a_service("web"), a_service("db"))
WEB, DB = MADE.services["web"], MADE.services["db"]
ANN, BEN = "20261101-100000-aaaa", "20261128-120000-bbbb"
BY_ANN = state.Changed(ANN, "ann", "2026-11-01T10:00:00Z", MADE.id)
BY_BEN = state.Changed(BEN, "ben", "2026-11-28T12:00:00Z", MADE.id)


def begin(deployment: str, actor: str, at: str, **more: Any) -> dict[str, Any]:
    return {"v": 3, "kind": "begin", "deployment": deployment, "actor": actor, "at": at, "to": MADE.id, **more}


def close(deployment: str, at: str, kind: str = "committed", **more: Any) -> dict[str, Any]:
    return {"v": 3, "kind": kind, "deployment": deployment, "at": at, **more}


JOURNAL = (
    begin(ANN, "ann", "2026-11-01T10:00:01Z"), close(ANN, "2026-11-01T10:00:20Z"),
    begin(BEN, "ben", "2026-11-28T12:00:01Z"), close(BEN, "2026-11-28T12:00:20Z"),
)
OLD = a_container(DB, created="2026-11-01T10:00:09Z", since="2026-11-20T03:00:00Z")
NEW = a_container(WEB, created="2026-11-28T12:00:09Z", since="2026-11-28T12:00:10Z")


def app(*journal: dict[str, Any], changed: dict[str, state.Changed] | None = None, **more: Any) -> state.AppState:
    found = an_app(MADE, NEW, OLD, journal=a_journal(*journal), **more)
    assert found.current is not None
    current = replace(found.current, deployment=BEN, actor="ben", since=BY_BEN.since, changed=changed or {})
    return replace(found, current=current)


def by(seen: state.AppState, container: state.ContainerState) -> state.Changed | None:
    """Who changed one container."""
    return attribution.of_containers(replace(seen, containers=(container,))).get(container.id)


def test_the_journal_tells_who_was_at_work_when_a_container_was_made() -> None:
    seen = app(*JOURNAL)
    assert by(seen, OLD) == BY_ANN
    assert by(seen, NEW) == BY_BEN


@pytest.mark.parametrize("seen", [
    replace(OLD, created="2026-11-15T00:00:00Z"),  # made by hand, between two deployments
    replace(OLD, adopted=True), replace(OLD, owned=False),
    replace(OLD, created="", since="2026-11-28T12:00:05Z", restarts=1),  # a crash while somebody deployed
])
def test_nobody_is_named_whom_nothing_tells(seen: state.ContainerState) -> None:
    assert by(app(*JOURNAL), seen) is None


def test_without_a_time_of_its_making_its_start_counts() -> None:
    assert by(app(*JOURNAL), replace(NEW, created="")) == BY_BEN


def test_current_remembers_what_the_journal_has_no_more() -> None:
    seen = app(changed={"web": BY_BEN, OLD.id: BY_ANN})
    assert by(seen, OLD) == BY_ANN
    assert by(seen, NEW) == BY_BEN
    assert by(app(), OLD) is None  # written by an older lading


def test_what_is_remembered_of_a_service_is_not_said_of_another_container() -> None:
    by_hand = replace(NEW, created="2026-11-28T15:00:00Z")
    assert by(app(*JOURNAL, changed={"web": BY_BEN}), by_hand) is None
    other = replace(NEW, created="", since="", content="another definition")
    assert by(app(changed={"web": BY_BEN}), other) is None
    pruned = replace(BY_BEN, release="f" * 64)
    assert by(app(changed={"web": pruned}), other) == pruned


def test_an_undo_changes_what_it_brings_back() -> None:
    journal = (*JOURNAL[:2], JOURNAL[2], close(BEN, "2026-11-28T12:00:20Z", "undone"))
    assert by(app(*journal), NEW) == BY_BEN


def test_a_deployment_that_is_open_is_at_work_still() -> None:
    hook = close(BEN, "2026-11-28T12:00:05Z", "intent", step="hook")
    assert by(app(*JOURNAL[:3], hook), NEW) == BY_BEN
    killed = begin("20261129-080000-cccc", "eve", "2026-11-29T08:00:01Z")
    assert by(app(*JOURNAL[:3], killed), NEW) == BY_BEN


@pytest.mark.parametrize("result", ["removed", "given back"])
def test_what_was_before_a_removal_counts_no_more(result: str) -> None:
    gone = close(BEN, "2026-11-28T13:00:00Z", "ended", result=result)
    assert by(app(*JOURNAL, gone), OLD) is None


def test_an_adoption_changes_no_container() -> None:
    journal = (begin(BEN, "ben", "2026-11-28T12:00:01Z", keeps_containers=True), close(BEN, "2026-11-28T12:00:20Z"))
    assert by(app(*journal), NEW) is None


def test_a_playbook_has_no_journal_and_current_says_when_it_ended() -> None:
    seen = app(*JOURNAL[:2])
    assert seen.current is not None
    played = replace(seen.current, deployment="ansible-playbook", since="2026-11-28T12:01:00Z")
    played_by = by(replace(seen, current=played), NEW)
    assert played_by is not None
    assert (played_by.deployment, played_by.actor, played_by.since) == ("ansible-playbook", "ben", "2026-11-28T12:01:00Z")
    assert by(replace(seen, current=played), OLD) == BY_ANN
    alone = replace(seen, current=played, journal=())
    assert by(alone, OLD) == played_by
    assert by(replace(alone, current=None), OLD) is None


def test_a_commit_keeps_whom_the_others_had() -> None:
    mine = state.Changed("20261129-090000-dddd", "eve", "2026-11-29T09:00:00Z", "e" * 64)
    once = a_container(DB, id="once", one_off=True, created=OLD.created)
    seen = replace(app(*JOURNAL[:2], changed={"web": BY_BEN}), containers=(NEW, OLD, once))
    assert attribution.after(seen, mine, ["web"]) == {"web": mine, NEW.id: BY_BEN, OLD.id: BY_ANN}
    assert attribution.after(state.AppState("shop"), mine, ["web"]) == {"web": mine}
    another = replace(NEW, id="id-web-2", created="2026-11-29T09:00:09Z")
    assert seen.current is not None
    scaled = replace(seen, current=replace(seen.current, changed=attribution.after(seen, mine, ["web"])))
    assert by(scaled, NEW) == BY_BEN  # one more container was made beside it
    assert by(scaled, another) == mine


@pytest.mark.parametrize(("deployment", "time"), [
    ("20261128-120000-bbbb", "2026-11-28T12:00:00Z"), ("ansible-playbook", ""), ("d1", ""),
])
def test_an_id_begins_with_its_time(deployment: str, time: str) -> None:
    assert attribution.began_at(deployment) == time


def test_who_changed_what_lies_in_current_and_is_no_part_of_what_it_declares() -> None:
    current = state.Current("shop", MADE.id, "1", BEN, "ben", BY_BEN.since)
    noted = replace(current, changed={"web": BY_BEN, "0123456789ab": BY_ANN, "ba9876543210": BY_ANN})
    stored = noted.file_as_json()
    assert state.current_from_json(stored).changed == noted.changed
    assert [entry["of"] for entry in stored["changed"]] == [["web"], ["0123456789ab", "ba9876543210"]]
    assert (noted.as_json(), state.hash_of_current(noted)) == (current.as_json(), state.hash_of_current(current))
    assert "changed" not in current.file_as_json()
    newer = {**stored, "changed": [{**stored["changed"][0], "why": "added later"}]}
    assert state.current_from_json(newer).changed == {"web": BY_BEN}


@pytest.mark.parametrize("wrong", ["web", {"web": "ben"}, [{"of": ["web"]}], [{"deployment": 1, "of": []}], [{"deployment": "d", "of": "web"}]])
def test_what_is_no_record_of_it_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError):
        state.current_from_json({**state.Current("shop", MADE.id, "1", BEN).as_json(), "changed": wrong})
