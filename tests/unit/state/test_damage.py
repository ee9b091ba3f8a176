"""What is damaged of what lading keeps of an app: each case by its name, and nothing else (D14)."""

from importlib import resources
from typing import Any

import pytest

from builders import a_journal, a_release, a_service, an_app
from lading import state
from lading.state import damage

MADE = a_release(a_service("web"))
DEPLOYED = a_journal(
    {"v": 4, "kind": "begin", "deployment": "d1", "to": MADE.id, "version": "1.1.0"},
    {"v": 4, "kind": "committed", "deployment": "d1", "to": MADE.id},
    {"v": 4, "kind": "ended", "deployment": "d1", "result": "well"},
)
OPEN = a_journal({"v": 4, "kind": "begin", "deployment": "d2", "to": MADE.id})
REMOVED = a_journal({"v": 4, "kind": "begin", "deployment": "d2", "verb": "remove"},
                    {"v": 4, "kind": "ended", "deployment": "d2", "result": "removed"})
LEFT = a_journal({"v": 4, "kind": "undone", "deployment": "d3"}, {"v": 4, "kind": "left", "deployment": "d3"})
LEASE = {"fence": "2", "state": "free", "now": "1", "nowboot": "b"}


def app(**more: Any) -> state.AppState:
    return an_app(MADE, **{"journal": DEPLOYED, "lease": LEASE, **more})


def without_current(**more: Any) -> state.AppState:
    return state.AppState("shop", **{"journal": DEPLOYED, "lease": LEASE, **more})


@pytest.mark.parametrize("whole", [
    app(), app(journal=(), lost=()), state.AppState("shop"), without_current(journal=(*DEPLOYED, *REMOVED)),
    without_current(journal=(*DEPLOYED, *OPEN)), without_current(journal=LEFT), app(lease={}),
    state.AppState("shop", state.Current("shop", MADE.id, "1", damage.PLAYBOOK), {MADE.id: {}}, lost=("journal", "lease")),
])
def test_what_is_whole(whole: state.AppState) -> None:
    assert (damage.found(whole), damage.blocking(whole)) == ((), None)


@pytest.mark.parametrize(("hurt", "what", "why", "blocks"), [
    (without_current(damaged=("current",)), "current", "it cannot be read", True),
    (without_current(), "current", f"the app is deployed: 1.1.0, release {MADE.id[:12]}", True),
    (without_current(journal=DEPLOYED[1:]), "current", "it is gone, though the journal says that the app is deployed", True),
    (without_current(journal=(*DEPLOYED, *LEFT)), "current", "it is gone", True),
    (app(journal=(), damaged=("journal",)), "journal", "it cannot be read", True),
    (app(foreign="on web2, for the engine E"), "journal", "it is another host's: it was written on web2, for the engine E", True),
    (without_current(foreign="on web2"), "journal", "it is another host's", True),
    (app(journal=(), lost=("journal",)), "journal", "it is gone, though d1 was deployed", True),
    (app(lost=("lease",)), "lease", "it is gone", False),
    (app(lease={"fence": "x"}), "lease", "it cannot be read", False),
    (app(lease={"state": "free"}), "lease", "it cannot be read", False),
])
def test_what_is_damaged(hurt: state.AppState, what: str, why: str, blocks: bool) -> None:
    [found] = damage.found(hurt)
    assert (found.what, why in found.why, found.blocks) == (what, True, blocks)
    assert damage.blocking(hurt) == (found if blocks else None)


def test_a_deployed_release_whose_files_are_gone_is_named_once() -> None:
    lost = state.AppState("shop", app().current, journal=DEPLOYED, lease=LEASE)
    [found] = damage.found(lost)
    assert (found.what, found.blocks, MADE.id[:12] in found.why) == ("release", False, True)
    for name in (MADE.id, MADE.id[:12]):
        assert damage.found(state.AppState("shop", app().current, journal=DEPLOYED, lease=LEASE, damaged=(f"release {name}",))) == ()
    others = ("deployed x", "release")
    assert len(damage.found(state.AppState("shop", app().current, journal=DEPLOYED, lease=LEASE, damaged=others))) == 1


def test_a_host_shows_as_many_lines_of_a_journal_as_is_reckoned_with() -> None:
    assert f"longest={damage.WINDOW} " in (resources.files("lading.drivers.shell") / "scripts/lib/app-state.sh").read_text()


@pytest.mark.parametrize(("seen", "version"), [
    (app(), "1"),
    (without_current(), "1.1.0"),
    (without_current(damaged=("current",)), "1.1.0"),
    (without_current(journal=(*DEPLOYED, *OPEN), damaged=("current",)), "1.1.0"),
    (without_current(journal=(*DEPLOYED, *REMOVED), damaged=("current",)), None),
    (without_current(journal=(), damaged=("current", "journal")), None),
    (without_current(foreign="on web2"), None),
    (without_current(foreign="on web2", damaged=("current",)), None),
    (without_current(journal=OPEN), None),
    (state.AppState("shop"), None),
])
def test_what_is_deployed_by_current_or_else_by_the_journal(seen: state.AppState, version: str | None) -> None:
    told = damage.declared(seen)
    assert (told.version if told is not None else None) == version
