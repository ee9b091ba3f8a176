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
