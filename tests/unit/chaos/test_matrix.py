"""What `make chaos` tries, how it judges, what it writes: without a lab."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

import cell
import matrix
import reliability
from faults import FAULTS
from phases import PHASES
from scene import Red

FAULT = {one.name: one for one in FAULTS}
PHASE = {one.name: one for one in PHASES}


def found(fault: str, phase: str, said: str = "gone", **more: Any) -> cell.Cell:
    return cell.Cell(fault, phase, said, more.pop("path", "deploy"), 1.0, **more)


def tried(**parts: Sequence[cell.Cell]) -> reliability.Tried:
    whole: dict[str, Sequence[cell.Cell]] = {"cells": (), "slow": (), "strikes": (), "kills": (), **parts}
    return reliability.Tried(**whole, count=sum(map(len, whole.values())), kills_wanted=20, seed=7, seconds=60)


def row(page: str, fault: str, *, after: str = "Keepalive of SSH") -> list[str]:
    """The cells of a fault's row, in the table that follows these words."""
    lines = page[page.index(after):].splitlines()
    line = next(one for one in lines if one.startswith(f"| {FAULT[fault].words} |"))
    return [word.strip() for word in line.split("|")[2:-1]]


def at(phase: str) -> int:
    return [one.name for one in PHASES].index(phase)


def test_each_phase_is_struck_and_each_phase_of_a_fault_is_one() -> None:
    names = {one.name for one in PHASES}
    assert {phase for fault in FAULTS for phase in fault.phases} == names
    assert all({*fault.slow} <= {*fault.phases} for fault in FAULTS)
    assert all(fault.fast in fault.phases for fault in FAULTS)


def test_a_link_that_flaps_or_is_cut_for_4_s_is_tried_in_every_phase_at_both_keepalives() -> None:
    slow = matrix.slow_pairs(matrix.pairs(), named=False)
    begun = {one.name for one in PHASES} - {"resolve"}
    for name in ("cut-4s", "flap"):
        assert {phase.name for fault, phase in slow if fault.name == name} == begun
        assert {phase.name for fault, phase in matrix.pairs((name,))} == begun
    assert {fault.name for fault, _ in slow} == {"cut", "cut-4s", "flap", "half-open"}


@pytest.mark.parametrize(("fault", "phase", "word"), [
    ("cut-4s", "up", "unknown"), ("flap", "commit", "partial"), ("sick", "health", "partial"), ("crash", "health", "succeeded"),
    ("SIGINT", "commit", "rolled_back"), ("dockerd", "finish", "failed"), ("SIGTERM", "roll", "unknown"),
])
def test_some_ends_are_red_whatever_was_said(fault: str, phase: str, word: str) -> None:
    with pytest.raises(Red, match=word):
        cell.check_word(FAULT[fault], PHASE[phase], word)


@pytest.mark.parametrize(("fault", "phase", "word"), [
    ("cut", "up", "unknown"), ("sick", "health", "rolled_back"), ("SIGINT", "commit", "succeeded"), ("dockerd", "finish", "partial"),
    ("cut-4s", "lease", "refused (unreachable)"), ("frozen", "commit", "rolled_back"),
])
def test_other_ends_are_not(fault: str, phase: str, word: str) -> None:
    cell.check_word(FAULT[fault], PHASE[phase], word)


class Journals:
    """A scene of which only the journals are asked."""

    def __init__(self, **journals: Sequence[tuple[str, str]]) -> None:
        self.journals = journals

    def journal(self, host: str) -> list[dict[str, str]]:
        return [{"at": f"2026-11-29T12:{moment}Z", "kind": kind} for moment, kind in self.journals.get(host, ())]


BEGAN = datetime.fromisoformat("2026-11-29T12:10:00Z").timestamp()


@pytest.mark.parametrize(("web2", "seconds"), [
    ([("09:00", "begin"), ("09:05", "rolled")], None),  # nothing was open: nobody took it over
    ([("09:00", "begin"), ("09:05", "rolling"), ("10:31", "taken"), ("10:40", "prepared")], 31),  # from the deploy's start
    ([("09:00", "begin"), ("10:20", "rolled"), ("10:31", "taken")], 11),  # from the end of what still ran
    ([("09:00", "begin"), ("09:30", "taken"), ("09:40", "undone")], None),  # the struck controller's own way back
])
def test_a_takeover_is_measured_by_the_journal(web2: list[tuple[str, str]], seconds: float | None) -> None:
    scene: Any = Journals(web1=[("09:00", "begin")], web2=web2)
    assert cell.took_over(scene, BEGAN) == seconds


def test_of_deployments_that_were_repeated_the_one_counts_that_took_over() -> None:
    scene: Any = Journals(web1=[("09:00", "begin"), ("11:10", "taken")])
    assert cell.took_over(scene, BEGAN, BEGAN + 60, BEGAN + 120) == 10


def test_a_late_takeover_is_red() -> None:
    scene: Any = Journals(web1=[("09:00", "begin"), ("11:01", "taken")])
    with pytest.raises(Red, match="after 61 s only"):
        cell.took_over(scene, BEGAN)


def test_the_page_says_how_each_cell_ended_and_by_what() -> None:
    page = "\n".join(reliability.page(tried(
        cells=[found("SIGKILL", "up", takeover=31.2), found("cut", "up", "unknown", path="deploy resume", takeover=12.0),
               found("sick", "health", "rolled_back"), found("cut", "lease", "refused (unreachable)"),
               found("two", "up", "succeeded", red="a second controller was not refused")],
        slow=[found("flap", "commit", "succeeded", keepalive="default")],
        kills=[found("killed", "after 3.1 s (web1 rolled, web2 staged)", takeover=28.0)])))
    assert row(page, "SIGKILL")[at("up")] == "*gone* 31 s"
    assert row(page, "cut")[at("up")] == "unknown 12 s **+r**"
    assert row(page, "cut")[at("lease")] == "*refused*"
    assert row(page, "sick")[at("health")] == "rolled_back"
    assert row(page, "two")[at("up")] == "**RED**"
    assert row(page, "SIGKILL")[at("resolve")] == "(2)"
    assert row(page, "SIGKILL")[at("roll")] == "*not run*"
    assert row(page, "flap", after="## At the default keepalive")[at("commit")] == "succeeded"
    assert "| controller killed |" not in page[page.index("## At the default keepalive"):]
    assert "5 cells, 1 more at the default keepalive, 0 random strikes and 1 kills: 6 green, 1 red" in page
    assert "took them over after 28 s in the middle and 31 s at most" in page
    assert "`lading resume` was needed in 1 cells (*host's link cut for ever*)." in page
    assert "1 of 20 were ended by it" in page
    assert "- after 3.1 s (web1 rolled, web2 staged): *gone* 28 s" in page
    assert "- two in up (fast keepalive): `a second controller was not refused`" in page


def test_a_page_without_a_resume_says_so() -> None:
    assert "`lading resume` was needed nowhere." in "\n".join(reliability.page(tried(cells=[found("SIGKILL", "up")])))


def test_what_was_typed_is_counted() -> None:
    assert cell.Ending(("deploy", "resume", "deploy")).words == "deploy ×2 resume"


def test_the_whole_ends_with_twenty_kills_in_a_row(tmp_path: Any) -> None:
    whole = matrix.Programme(matrix.pairs(), matrix.slow_pairs(matrix.pairs(), named=False), matrix.at_random(10, 7), matrix.KILLS, 7)
    notes = matrix.Notes.opened(tmp_path / "chaos.jsonl", 7, anew=True)
    cells = len(whole.cells)
    assert whole.count == cells + 20
    assert len(whole.jobs(notes, notes.note)) == cells + 1  # the row is one job
    for number in range(cells):
        notes.note(number, found("SIGKILL", "up"))
    again = matrix.Notes.opened(tmp_path / "chaos.jsonl", 8, anew=False)
    assert again.seed == 7
    assert len(whole.jobs(again, again.note)) == 1  # the row that was not run
    notes.note(3, found("SIGKILL", "up", red="something"))
    assert len(whole.jobs(notes, notes.note)) == 2  # and what was red
