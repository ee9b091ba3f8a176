"""What programs on hosts say goes into the trace: masked, bounded, and nothing of secrets that are not known here."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from test_coordinator import Fleet, Killed, kill_at, results

from builders import a_release, a_service
from lading import events, trace
from lading.compose import plugin, project
from lading.compose import release as releases
from lading.deploy import execution
from lading.drivers import base as drivers
from lading.engines import base
from lading.engines.compose_hosts import host_trace
from lading.health import verdict
from lading.ledger import ledger
from lading.plan import steps
from lading.queries import history

EVERYTHING: frozenset[trace.Source] = frozenset({"compose", "pull", "hook", "health", "trace"})
KEY = "canary-" + "k" * 40


@dataclass
class Heard:
    """A listener that keeps all lines."""

    sources: frozenset[trace.Source] = EVERYTHING
    lines: list[trace.Line] = field(default_factory=list)

    def __call__(
        self, host: str, step: str, source: trace.Source, service: str, text: str, progress: float | None = None
    ) -> None:
        self.lines.append(trace.Line(host, step, source, service, text, progress))

    def texts(self, source: str, host: str = "web1", step: str = "") -> list[str]:
        return [one.text for one in self.lines
                if (one.source, one.host) == (source, host) and step in ("", one.step)]


def made(version: str, **uses: tuple[str, ...]) -> releases.Release:
    services = [a_service(name, f"r.example/{name}:{version}", health=project.Health()) for name in ("web", "db")]
    return a_release(*services, version=version, plain={"VERSION": version}, secrets={"var.KEY": KEY.encode()}, uses=uses)


PLAIN_OLD, PLAIN_NEW = made("1"), made("2")
OLD, NEW = made("1", web=("var.KEY",)), made("2", web=("var.KEY",))


def bundle(of: releases.Release, value: str = KEY) -> releases.Bundle:
    return releases.Bundle(of, (), {}, {"var.KEY": value.encode()})


def compose(text: str, service: str = "", **more: Any) -> drivers.Said:
    return drivers.Said("compose", service, text, **more)


class Story:
    """One deployment on three hosts, of which web1 says something."""

    def __init__(self, old: releases.Release, new: releases.Release, *says: drivers.Said) -> None:
        self.fleet, self.new = Fleet(old, parallelism=3), new
        self.web1 = self.fleet.hosts["web1"]
        self.web1.says = list(says)
        self.heard = Heard()
        self.kept: dict[str, str] = {}

    def keep(self, what: base.Evidence) -> None:
        self.kept[what.id] = what.text

    def run(self, **more: Any) -> base.Report:
        """Deploy it."""
        values: dict[str, Any] = {"bundle": bundle(self.new), "trace": self.heard, "keep": self.keep, **more}
        return self.fleet.apply(None, self.new, **values)

    def undone(self, **more: Any) -> base.Report:
        """Deploy what never gets well on web1."""
        self.web1.sick = {self.new.id}
        return self.run(**more)

    def unhealthy(self) -> list[events.ServiceUnhealthy]:
        return [one for one in self.fleet.recorded if isinstance(one, events.ServiceUnhealthy)]


def test_each_line_tells_its_host_step_source_and_service() -> None:
    story = Story(PLAIN_OLD, PLAIN_NEW, compose("Container shop-web-1  Started", "web"),
                  drivers.Said("pull", "web", "cafe01: Pull complete", 0.5))
    assert results(story.run()) == ["succeeded"] * 3
    assert story.heard.lines == [
        trace.Line("web1", "stage", "pull", "web", "cafe01: Pull complete", 0.5),
        trace.Line("web1", "roll", "compose", "web", "Container shop-web-1  Started".replace("  ", " ")),
    ]
    assert not [one for one in story.fleet.recorded if "Started" in str(events.to_json(one)) and "StepStarted" not in str(one)]


def test_only_what_is_listened_for_is_asked_of_a_host() -> None:
    story = Story(PLAIN_OLD, PLAIN_NEW, compose("Container shop-web-1  Started", "web"), drivers.Said("pull", "web", "x"))
    story.heard.sources = frozenset({"pull"})
    story.run()
    assert [one.source for one in story.heard.lines] == ["pull"]


def test_a_host_that_need_not_be_asked_what_it_makes_of_a_release_says_so() -> None:
    story = Story(PLAIN_OLD, PLAIN_NEW)
    story.web1.plugin = "cafe"
    for one in story.fleet.hosts.values():
        one.form = "a: 1\n"
    assert results(story.run(expected=dict.fromkeys(story.fleet.hosts, "a: 1\n"), read_by="cafe")) == ["succeeded"] * 3
    assert story.heard.texts("compose", step="stage") == ["not asked what it makes of the release: the plug-in and the files are those here"]
    assert not story.heard.texts("compose", "web2")


@pytest.mark.parametrize(("form", "asked"), [("a: 1\n", False), (f"a: {plugin.NOWHERE}/b\n", True)])
def test_a_host_is_asked_if_the_form_shows_where_it_was_made(form: str, asked: bool) -> None:
    """Such a form is another one there: the host's own words, which differ, are what counts."""
    story = Story(PLAIN_OLD, PLAIN_NEW)
    for one in story.fleet.hosts.values():
        one.plugin, one.form = "cafe", "a: /home/deploy/b\n"
    done = story.run(expected=dict.fromkeys(story.fleet.hosts, form), read_by="cafe")
    assert ("reads a otherwise" in done.why) is asked
    assert bool(story.heard.texts("compose", step="stage")) is not asked


def test_secrets_that_are_known_are_masked_also_in_lines_that_were_cut() -> None:
    long = f"{'x' * 200} {KEY[:30]}"
    story = Story(OLD, NEW, compose(f"key={KEY} is wrong", "web"), compose(long, "web", is_cut=True),
                  compose(f"password r3gistry-{KEY[:3]}word", "web"))
    login = drivers.Login("r.example", "ci", f"r3gistry-{KEY[:3]}word".encode())
    story.run(logins=(login,))
    said = story.heard.texts("compose")
    assert (said[0], said[2]) == ("key=*** is wrong", "password ***")
    assert said[1].startswith("xxxx") and said[1].endswith("…") and "canary" not in said[1]


def test_a_line_is_one_line_of_bounded_length() -> None:
    story = Story(PLAIN_OLD, PLAIN_NEW, compose("a\tb\n c " + "y" * 900))
    story.run()
    [text] = story.heard.texts("compose")
    assert (text[:6], len(text), text[-1]) == ("a b c ", host_trace.LONGEST, "…")


def test_too_many_lines_are_lost_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_trace, "PER_SECOND", 0)
    story = Story(PLAIN_OLD, PLAIN_NEW, *(compose(str(number)) for number in range(100)))
    story.heard.sources = EVERYTHING - {"health"}
    story.undone()
    forth = story.heard.texts("compose", step="roll")
    assert forth == [*map(str, range(host_trace.BURST))]
    assert "40 lines not shown, for there were too many" in story.heard.texts("trace")
    assert len(story.heard.texts("compose", step="undo")) == host_trace.BURST  # each step has its own


def test_of_one_step_no_more_than_some_lines_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_trace, "PER_SECOND", 1e9)
    monkeypatch.setattr(host_trace, "PER_STEP", 70)
    story = Story(PLAIN_OLD, PLAIN_NEW, *(compose(str(number)) for number in range(100)))
    story.run()
    assert len(story.heard.texts("compose")) == 70
    assert story.heard.texts("trace") == ["30 lines not shown, for there were too many"]


def test_a_service_that_is_waited_for_is_told_with_its_last_health_check() -> None:
    story = Story(OLD, NEW)
    story.web1.probe = f"exit code 7: curl: (7) refused\nfor {KEY}"
    story.undone()
    said = [one for one in story.heard.lines if one.source == "health"]
    assert [(one.host, one.step, one.service) for one in said] == [("web1", "roll", "db"), ("web1", "roll", "web")]
    assert said[1].text == "unhealthy: exit code 7: curl: (7) refused for ***"


def test_a_check_that_says_something_else_each_time_is_not_told_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    heard, fleet = Heard(), Fleet()
    there = host_trace.HostTrace("web1", heard, host_trace.Shown(fleet.order(fleet.plan())))
    seen = fleet.hosts["web1"].containers

    def look(why: str, probe: str) -> None:
        sick = [replace(one, health="starting", probe=probe) for one in seen]
        there.health([verdict.Verdict("web", "waiting", "starting", why)], sick)

    there.begin("roll")
    for why, probe in (("starting", ""), ("starting", "10:00 no"), ("starting", "10:01 no"), ("unhealthy", "10:02 no")):
        look(why, probe)
    monkeypatch.setattr(host_trace, "HEALTH_AGAIN", 0.0)
    look("unhealthy", "10:03 no")
    look("unhealthy", "10:03 no")
    there.health([verdict.Verdict("web", "good", "healthy")], seen)
    assert heard.texts("health") == ["starting", "starting: 10:00 no", "unhealthy: 10:02 no", "unhealthy: 10:03 no"]


# Secrets that are not known here


def test_on_the_way_back_nothing_is_told_of_services_whose_old_secrets_are_not_known() -> None:
    lines = (compose(f"old-{KEY[::-1]}", "web"), compose("Container shop-web-1  Started", "web"),
             compose("a word of db", "db"), compose("a word of nobody's"))
    story = Story(OLD, NEW, *lines)
    for host in story.fleet.hosts.values():
        assert host.current is not None
        host.current = replace(host.current, generations={"var.KEY": 9})  # the old release has another value
    story.web1.log = {"web": "said by the old one"}
    assert results(story.undone())[0] == "rolled_back"
    assert len(story.heard.texts("compose", step="roll")) == 4
    assert story.heard.texts("compose", step="undo") == ["Container shop-web-1 Started", "a word of db"]


@pytest.mark.parametrize("source", ["hook", "health", "compose"])
def test_where_no_secret_is_known_only_composes_own_words_are_told(source: trace.Source) -> None:
    heard = Heard()
    fleet = Fleet()
    order = replace(fleet.order(fleet.plan()), trace=heard)
    shown = host_trace.Shown(order)
    there = host_trace.HostTrace("web1", heard, shown)
    hidden = shown.unknown(OLD, {}, {})
    assert hidden == {"web"}
    there.begin("undo", hidden)
    for service in ("web", "", "db"):
        there.said(drivers.Said(source, service, f"of {service}"))
        there.said(drivers.Said(source, service, "Container shop-web-1  Started"))
    own = ["Container shop-web-1 Started"] * 2 if source == "compose" else []
    assert [one.text for one in heard.lines] == [*own, "of db", "Container shop-web-1 Started"]


# Evidence


def test_the_last_lines_of_a_failed_service_are_kept_as_they_are_shown_and_named_in_its_event() -> None:
    story = Story(OLD, NEW)
    lines = [f"{number} {KEY}" for number in range(80)]
    story.web1.log = {"web": "\n".join(lines) + "\n", "db": ""}
    report = story.undone()
    shown = tuple(line.replace(KEY, "***") for line in lines[-50:])
    assert report.log == shown
    db, web = story.unhealthy()
    assert (web.service, web.step, db.service, db.evidence) == ("web", "roll", "db", "")
    assert story.kept == {web.evidence: "".join(f"{line}\n" for line in shown)}
    assert web.evidence == base.Evidence(story.kept[web.evidence]).id


def test_a_line_that_is_kept_is_bounded() -> None:
    story = Story(PLAIN_OLD, PLAIN_NEW)
    story.web1.log = {"web": "x" * 5000}
    [line] = story.undone().log
    assert len(line) == 2001


def test_last_lines_with_secrets_that_are_not_known_are_not_kept() -> None:
    story = Story(OLD, NEW)
    story.web1.log = {"web": "said", "db": "said too"}
    report = story.undone(bundle=None)
    assert report.log == ("said too", "web has secrets that are not known here, so its last lines are not shown: lading logs shop")
    assert [one.evidence != "" for one in story.unhealthy()] == [True, False]
    assert list(story.kept.values()) == ["said too\n"]


def test_on_the_way_back_what_may_hold_an_old_secret_is_neither_shown_nor_kept() -> None:
    story = Story(OLD, NEW)
    assert story.web1.current is not None
    story.web1.current = replace(story.web1.current, generations={"var.KEY": 9})
    story.web1.sick = {OLD.id, NEW.id}
    story.web1.log = {"web": "said", "db": "said too"}
    report = story.run()
    assert report.outcome.hosts["web1"].result == "failed"
    found = {(one.step, one.service): one.evidence != "" for one in story.unhealthy()}
    assert found == {("roll", "web"): True, ("roll", "db"): True, ("undo", "web"): False, ("undo", "db"): True}


def test_what_dies_before_it_is_prepared_has_its_evidence_too() -> None:
    story = Story(PLAIN_OLD, PLAIN_NEW)
    story.web1.log = {"web": "out of memory"}

    def dies(host: str, call: str) -> None:
        if (host, call) == ("web1", "prepare"):
            story.web1.containers = [replace(one, health="unhealthy") for one in story.web1.containers]

    story.web1.before = dies
    report = story.run()
    assert (report.step, report.log) == ("prepare", ("out of memory",))
    assert {(one.step, one.service) for one in story.unhealthy()} == {("prepare", "web"), ("prepare", "db")}
    assert [*story.kept.values()] == ["out of memory\n"]


def test_what_a_dead_controller_left_failed_has_its_evidence_before_its_containers_go() -> None:
    story = Story(PLAIN_OLD, PLAIN_NEW)
    story.web1.log = {"web": "no such table", "db": "ready"}
    kill_at(story.fleet, "roll", "web2", effect=True)
    with pytest.raises(Killed):
        story.run()
    for host in story.fleet.hosts.values():
        host.free()
    story.web1.containers = [replace(one, status="exited", exit_code=3) if one.service == "web" else one for one in story.web1.containers]
    story.fleet.recorded.clear()
    story.fleet.settle("undo", keep=story.keep)
    assert [(one.host, one.step, one.service, one.why) for one in story.unhealthy()] == [
        ("web1", "undo", "web", "found so by who took it back: exited with code 3")]
    assert [*story.kept.values()] == ["no such table\n"]
    assert set(story.fleet.runs()) == {"1"}


def test_a_hook_that_fails_has_its_evidence_in_its_event() -> None:
    story = Story(OLD, NEW, drivers.Said("hook", "web", f"migrating with {KEY}"))
    story.web1.hook = (3, f"no table for {KEY}\n")
    plan = hooked(story.fleet, NEW)
    report = story.fleet.apply(plan, NEW, bundle=bundle(NEW), trace=story.heard, keep=story.keep)
    [ended] = [one for one in story.fleet.recorded if isinstance(one, events.HookEnded)]
    assert (report.log, ended.status) == (("no table for ***",), 3)
    assert story.kept == {ended.evidence: "no table for ***\n"}
    assert story.heard.texts("hook") == ["migrating with ***"]


def hooked(fleet: Fleet, new: releases.Release) -> steps.Plan:
    """The plan with a hook on web1."""
    plan = fleet.plan(new)
    step = steps.RunHook("migrate", "web", None, 60)
    phase = steps.Phase(({"web1": (step,)},))
    at = next(n for n, one in enumerate(plan.phases) if steps.part_of(next(iter(one.batches[0].values()))[0]) == "roll")
    return replace(plan, phases=(*plan.phases[:at], phase, *plan.phases[at:]))


def test_from_the_call_to_the_ledger(tmp_path: Path) -> None:
    """A deployment that fails: who called hears what hosts say, and reads the last lines later."""
    story = Story(OLD, NEW, compose(f"Container shop-web-1  Error {KEY}", "web"))
    story.web1.sick = {NEW.id}
    story.web1.log = {"web": f"no database for {KEY}"}

    async def work() -> tuple[str, tuple[history.Evidence, ...]]:
        kept = await ledger.open_ledger(tmp_path / "ledger.db")
        called = replace(story.fleet.context, engine=story.fleet.engine, ledger=kept, trace=story.heard)
        order = replace(story.fleet.order(story.fleet.plan(NEW), NEW), bundle=bundle(NEW))
        done = await execution.carry_out(called, order)
        return done.result, (await history.show(called, "d1")).evidence

    result, [(web, lines)] = asyncio.run(work())
    assert (result, web.what, lines) == ("rolled_back", "web", ("no database for ***",))
    assert story.heard.texts("compose", step="roll") == ["Container shop-web-1 Error ***"]
    assert KEY.encode() not in (tmp_path / "ledger.db").read_bytes()
