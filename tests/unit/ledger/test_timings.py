"""Seconds per phase and host, from events."""

import pytest

from lading import events
from lading.cli import showing
from lading.ledger import deployments, timings

D = "d"


def stored(*what: tuple[float, events.Event]) -> list[deployments.Stored]:
    """Events at seconds past ten."""
    return [deployments.Stored(event, f"2026-11-24T10:00:{at:09.6f}Z", "w", number)
            for number, (at, event) in enumerate(what, 1)]


def test_a_deployment_phase_by_phase() -> None:
    took = timings.timings(stored(
        (1, events.DeploymentPlanned(D, hosts=("web1", "web2"), seconds=2.5)),
        (1.5, events.LeaseTaken(D, "web1", "lease")), (1.75, events.HostChecked(D, "web1", "preflight")),
        (2, events.LeaseTaken(D, "web2", "lease")), (2, events.HostChecked(D, "web2", "preflight")),
        (2, events.StepStarted(D, "web1", "stage")), (2, events.StepStarted(D, "web2", "stage")),
        (4, events.StepEnded(D, "web1", "stage")), (5, events.StepEnded(D, "web2", "stage")),
        (5, events.StepStarted(D, "web1", "roll")), (8, events.ServiceHealthy(D, "web1", "roll", "web", "healthy")),
        (8, events.StepEnded(D, "web1", "roll")),
        (9, events.StepStarted(D, "", "commit")), (9.5, events.HostCommitted(D, "web1", "commit")),
        (10, events.HostCommitted(D, "web2", "commit")), (10, events.DeploymentEnded(D, seconds=9.0)),
    ))
    assert took.as_json() == {
        "prepare": 2.5, "total": 11.5, "gaps": [],
        "hosts": {"web1": {"lease": 0.75, "stage": 2.0, "roll": 3.0, "commit": 0.5},
                  "web2": {"lease": 1.0, "stage": 3.0, "commit": 1.0}},
    }


def test_a_takeover_waits_for_leases_from_when_it_begins() -> None:
    took = timings.timings(stored(
        (0, events.DeploymentPlanned(D, hosts=("web1",), seconds=1)),
        (50, events.DeploymentTakenOver(D, hosts=("web1",))), (52, events.LeaseTaken(D, "web1", "lease")),
    ))
    assert took.as_json()["hosts"] == {"web1": {"lease": 2.0}}


def test_an_undo_and_a_resume_are_added() -> None:
    took = timings.timings(stored(
        (0, events.DeploymentPlanned(D, hosts=("web1",), seconds=1)),
        (1, events.StepStarted(D, "web1", "undo")), (3, events.StepEnded(D, "web1", "undo")), (3.5, events.HostUndone(D, "web1", "undo")),
        (4, events.DeploymentEnded(D, seconds=4)),
        (10, events.DeploymentPlanned(D, verb="resume", hosts=("web1",), seconds=1)),
        (11, events.StepStarted(D, "web1", "undo")), (12, events.HostUndone(D, "web1", "undo")),
        (12, events.DeploymentEnded(D, seconds=2)),
    ))
    assert took == timings.Timings(2.0, {"web1": {"undo": 3.5}}, 8.0)


def test_what_nobody_saw_begin_and_a_clock_that_was_set_back() -> None:
    took = timings.timings(stored(
        (9, events.HostUndone(D, "web1", "undo")), (9, events.StepStarted(D, "web2", "roll")),
        (8, events.StepEnded(D, "web2", "roll"))))
    assert took.hosts == {"web2": {"roll": 0.0}}
    assert timings.timings([]) == timings.Timings(0.0, {}, 0.0)


def test_a_run_whose_end_the_ledger_lacks_is_no_whole(capsys: pytest.CaptureFixture[str]) -> None:
    took = timings.timings(stored(
        (1, events.DeploymentPlanned(D, hosts=("web1",), seconds=0.4)), (2, events.StepStarted(D, "web1", "stage")),
        (20, events.DeploymentPlanned(D, verb="resume", hosts=("web1",), seconds=1))))
    at = "2026-11-24T10:00:{}.000000Z".format
    assert took.gaps == ((at("01"), at("02")), (at("20"), at("20")))
    assert took.as_json()["gaps"][0] == {"from": at("01"), "to": at("02")}
    showing._timings(took)
    said = capsys.readouterr().out
    assert "seen from 2026-11-24T10:00:01 to 2026-11-24T10:00:02 UTC" in said
    assert "known add up to 1.4 s" in said and "all of it" not in said
