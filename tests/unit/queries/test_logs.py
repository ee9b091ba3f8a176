"""Which log lines are meant, before a host is asked, and what a host is told of that."""


import pytest

from host_shell import HostShell
from lading import errors
from lading.drivers.shell import logs as commands
from lading.queries import logs


@pytest.mark.parametrize(("given", "means"), [
    ("90s", "90s"), ("10m", "600s"), ("1h30m", "5400s"), ("2d", "172800s"), ("0s", "0s"),
    ("2026-11-30", "2026-11-30T00:00:00Z"), ("2026-11-30T05:10:00", "2026-11-30T05:10:00Z"),
    ("2026-11-30T05:10:00Z", "2026-11-30T05:10:00Z"), ("2026-11-30T05:10:00+02:00", "2026-11-30T03:10:00Z"),
])
def test_since_is_a_duration_or_a_time(given: str, means: str) -> None:
    assert logs.since(given) == means


@pytest.mark.parametrize("given", ["yesterday", "10", "m", "10 m", "1.5h", "-5m", "٣m", "2026-13-01", "10m;id"])
def test_any_other_since_is_refused(given: str) -> None:
    with pytest.raises(errors.InputError, match="neither a duration nor a time"):
        logs.since(given)


@pytest.mark.parametrize("given", ["(", "[a", "*x", "a{99999999999}"])
def test_a_wrong_expression_is_refused(given: str) -> None:
    with pytest.raises(errors.InputError, match="is no regular expression"):
        logs.pattern(given)


def test_what_there_was_no_line_of_is_said() -> None:
    assert logs.Wanted(since="600s").narrowed == " since 600s"
    wanted = logs.Wanted(tail=5, matching=logs.pattern(r"err\d"))
    assert (wanted.narrowed, wanted.takes("an err7 there"), wanted.takes("err")) == (
        r" with 'err\\d', among the last 5 of each container", True, False)
    assert logs.Wanted(tail=None, matching=logs.pattern("x")).narrowed == " with 'x'"


@pytest.mark.parametrize(("tail", "since", "asked"), [
    (None, "600s", "--tail all --since 600s"), (7, "", "--tail 7"), (9, "2026-11-30T05:10:00Z", "--tail 9 --since 2026-11-30T05:10:00Z"),
])
def test_a_host_is_asked_for_just_those(tail: int | None, since: str, asked: str, host: HostShell) -> None:
    line = "2026-11-30T05:11:00Z hello\n"
    host.docker({"ps -aq*": "c1\n", "inspect -f {{.Id}}*": "c1@run@web-1\n", "logs*": line})
    done = host.run(commands.logs("M", app="shop", service="", follow=False, tail=tail, since=since))
    assert done.text("log") == "web-1 | 2026-11-30T05:11:00Z hello"
    assert [one for one in host.lines() if one.startswith("logs")] == [f"logs --timestamps {asked} c1"]


def test_no_old_line_at_all_is_older_than_any_time(host: HostShell) -> None:
    """Of `--tail 0 --since 10m` the first counts: the script goes on from the last line that there is."""
    host.docker({"ps -aq*": "c1\n", "inspect -f {{.Id}}*": "c1@run@web-1\n", "logs*": "2026-11-30T05:11:00Z hello\n"})
    done = host.run(commands.logs("M", app="shop", service="", follow=False, tail=0, since="600s"))
    asked = [one for one in host.lines() if one.startswith("logs")]
    assert ("log" in done.parts, asked[-1]) == (False, "logs --timestamps --since 2026-11-30T05:11:00Z c1")
