"""What programs on hosts say, as people see it: the last line beside its host; line by line with -v; piped only health checks."""

import pytest

from lading import events, trace
from lading.cli import progress


def cells(lines: progress.Progress) -> list[list[str]]:
    columns = [[str(cell) for cell in column.cells] for column in lines._lines().columns]
    return [[column[row] for column in columns] for row in range(len(columns[0]))]


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
    assert [(row[0], row[1], row[4]) for row in cells(lines)] == [
        ("web1", "stage", "pull web (50%): cafe02: Pull complete"), ("web2", "stage", "")]
    lines.event(started("roll"))
    lines.line(trace.Line("web1", "stage", "pull", "web", "too late"))
    assert [row[4] for row in cells(lines)] == ["", ""]
    lines.line(trace.Line("web1", "roll", "compose", "", "Network\x1b[2J shop_default  Created"))
    assert cells(lines)[0][4] == "compose: Network�[2J shop_default  Created"


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
