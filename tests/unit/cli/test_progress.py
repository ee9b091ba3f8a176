"""What programs on hosts say, as people see it: the last line beside its host; line by line with -v; piped only health checks."""

import re

import pytest

from lading import events, trace
from lading.cli import progress
from lading.plan import steps


def rows(lines: progress.Progress) -> list[str]:
    """What stands on the screen, without how long it has been so."""
    return [re.sub(r"  0 s *", "  ", line).rstrip() for line in str(lines._lines()).splitlines()]


def started(step: str, host: str = "web1") -> events.StepStarted:
    return events.StepStarted("d1", host, step)


def test_on_a_terminal_the_last_line_stands_beside_its_host() -> None:
    lines = progress.Progress(live=True)
    assert lines.telling.sources == progress.EVERYTHING
    lines.event(started("stage"))
    lines.event(started("stage", "web2"))
    lines.line(trace.Line("web1", "stage", "pull", "web", "cafe01: Waiting", 0.25))
    lines.line(trace.Line("web1", "stage", "pull", "web", "cafe02: Pull complete", 0.5))
    lines.line(trace.Line("web3", "stage", "pull", "web", "of nobody that is shown"))
    assert rows(lines) == ["web1  stage  pull web (50%): cafe02: Pull complete", "web2  stage  …"]
    lines.event(started("roll"))
    lines.line(trace.Line("web1", "stage", "pull", "web", "too late"))
    assert rows(lines) == ["web1  roll   …", "web2  stage  …"]
    lines.line(trace.Line("web1", "roll", "compose", "", "Network\x1b[2J shop_default  Created"))
    assert rows(lines)[0] == "web1  roll   compose: Network�[2J shop_default  Created"


def test_what_is_waited_for_stands_with_what_the_health_check_says() -> None:
    lines = progress.Progress(live=True)
    lines.event(events.ServiceAwaited("d1", "web1", "roll", "waits for web (it is not healthy yet; at most 60 s)"))
    lines.line(trace.Line("web1", "roll", "health", "web", "check 3 failed: no database"))
    assert rows(lines) == ["web1  roll  waits for web (it is not healthy yet; at most 60 s) · health web: check 3 failed: no database"]


def test_of_more_hosts_than_lines_those_at_work_are_shown_and_the_rest_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "10")
    monkeypatch.setenv("COLUMNS", "80")
    lines = progress.Progress(live=True)
    for number in range(30):
        lines.event(ended_step(f"web{number}", "stage", 1.0))
    lines.event(started("roll", "web29"))
    shown = rows(lines)
    assert (len(shown), shown[0], shown[-1]) == (7, "web29  roll   …", "and 24 in stage")


@pytest.mark.parametrize(("high", "each"), [("40", 3), ("15", 2), ("10", 1)])
def test_a_host_has_as_many_lines_as_there_is_room_for(high: str, each: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a line of a program is, the hosts stay where they are, and all of them are seen."""
    monkeypatch.setenv("LINES", high)
    monkeypatch.setenv("COLUMNS", "80")
    lines = progress.Progress(live=True)
    for number in range(1, 6):
        lines.event(started("stage", f"web{number}"))
        lines.line(trace.Line(f"web{number}", "stage", "pull", "web", "registry.example/shop@sha256:" + "ab" * 100))
    shown = rows(lines)
    assert len(shown) == 5 * each
    assert [line[:11] for line in shown[::each]] == [f"web{number}  stage" for number in range(1, 6)]
    assert all(line.endswith("…") for line in shown[each - 1::each])


@pytest.mark.parametrize(("verbose", "shown"), [(True, ["compose web: Started", "health web: unhealthy"]),
                                                (False, ["health web: unhealthy"])])
def test_piped_only_health_is_told_and_with_v_all(
    verbose: bool, shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[tuple[trace.Source, str]] = [("compose", "Started"), ("health", "unhealthy")]
    with progress.Progress(live=False, verbose=verbose) as lines:
        for source, text in said:
            if source in lines.telling.sources:  # as the engine asks
                lines.telling("web1", "roll", source, "web", text)
    told = capsys.readouterr().err.splitlines()
    assert [line.partition("  web1       roll ")[2] for line in told] == shown


def ended_step(host: str, step: str, seconds: float) -> events.StepEnded:
    return events.StepEnded("d1", host, step, seconds=seconds)


def test_the_summary_stays_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    lines = progress.Progress(live=True)
    for host, seconds in (("web1", 1.0), ("web2", 2.5)):
        lines.event(ended_step(host, "stage", seconds))
        lines.event(ended_step(host, "roll", 3.0))
    lines.event(events.HostLost("d1", "web2", "commit", "no answer"))
    lines._summary()
    assert [line.split() for line in capsys.readouterr().err.splitlines()] == [
        ["HOST", "STAGE", "ROLL", "LAST"], ["web1", "1.0", "s", "3.0", "s"],
        ["web2", "2.5", "s", "3.0", "s", "commit:", "lost:", "no", "answer"]]


def test_of_many_hosts_it_says_from_how_long_to_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    lines = progress.Progress(live=True)
    for number in range(20):
        lines.event(ended_step(f"web{number}", "roll", 1.0 + number))
    lines._summary()
    assert [line.split() for line in capsys.readouterr().err.splitlines()] == [["HOST", "ROLL"], ["20", "hosts", "1.0–20.0", "s"]]


@pytest.mark.parametrize(("event", "begun"), [
    (events.DeploymentRequested("d1"), False), (events.DeploymentPlanned("d1"), True), (events.DeploymentTakenOver("d1"), True)])
def test_there_is_something_to_undo_once_it_is_planned(event: events.Event, begun: bool) -> None:
    lines = progress.Progress(live=True)
    lines.event(event)
    assert lines.begun is begun


def test_hosts_stand_as_in_the_plan_and_releases_have_their_versions(capsys: pytest.CaptureFixture[str]) -> None:
    lines = progress.Progress(live=True)
    made = steps.Plan("shop", "1.1.0", "b" * 64, "production", {name: steps.HostPlan(name) for name in ("web2", "web1")})
    assert not lines.paused(lambda _: False)(made)
    lines.event(events.HostUndone("d1", "web1", "undo", "c" * 64))
    lines.event(events.HostCommitted("d1", "web2", "commit", "b" * 64))
    assert rows(lines) == ["web2  commit  1.1.0 is current", f"web1  undo    back on {'c' * 12}"]


def test_what_is_waited_for_is_not_said_twice() -> None:
    lines = progress.Progress(live=True)
    lines.event(events.ServiceAwaited("d1", "web1", "roll", "waits for web (it is not healthy yet; at most 60 s)"))
    lines.line(trace.Line("web1", "roll", "health", "web", "it is not healthy yet"))
    assert rows(lines) == ["web1  roll  waits for web (it is not healthy yet; at most 60 s)"]
