"""A host that answers nonsense in any step: the deployment ends as a report or as an error with a hint, and the others go back."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_round_trips import HOSTS, Fleet, releases

from lading import errors
from lading.engines import base
from lading.engines.compose_hosts import coordinator, host_run
from lading.inventory import hosts as inventory
from lading.transport import command

PLACES = [
    ("lease", "fence"), ("lease", "phase"), ("lease", "current:shop"), ("lease", "containers"), ("lease", "facts"), ("lease", "end"),
    ("lease", "refused"), ("lease", "journal:shop"), ("stage", "config"), ("stage", "dir"), ("stage", "refused"), ("hook", "hook"),
    ("roll", "up"), ("roll", "containers"), ("roll", "end"), ("roll", "refused"), ("tidy", "end"), ("prepare", "prepared"),
    ("prepare", "containers"), ("prepare", "refused"), ("confirm", "phase"), ("confirm", "refused"), ("commit", "end"), ("commit", "refused"),
    ("finish", "ended"), ("finish", "refused"), ("undo", "containers"), ("undo", "end"), ("release-lease", "end"),
]
junk = st.binary(max_size=40) | st.sampled_from(
    [b"", "²".encode(), b"-1", b"9" * 5000, b"[]", b"null", b'{"labels": []}', b"\xff\xfe", b"\x1b[2J", b"held\nleft", b"format\n\n", b"0\n" * 99])
LOST = b"(the part is not there)"


class Hostile(Fleet):
    """A fleet of which web2 answers one part of one command otherwise, or (LOST) without it; *idle*: which does nothing there."""

    def __init__(self, step: str, part: str, content: bytes, *, idle: bool = False) -> None:
        extension = {"hooks": {"before": {"service": "s0", "command": ["migrate"]}}}
        super().__init__(*releases(2, 1, extension=extension))
        self.place, self.content = (step, part), content
        self.asked: list[tuple[str, str]] = []
        self.idle = idle

    def answer(self, host: inventory.Host, what: command.Command) -> command.Result:
        self.asked.append((host.name, what.name))
        before = self.phase[host.name], self.runs[host.name]
        found = dict(super().answer(host, what).parts)
        if host.name == "web2" and what.name == self.place[0]:
            if self.idle:
                self.phase["web2"], self.runs["web2"] = before
            found[self.place[1]] = self.content
            if self.content == LOST:
                found.pop(self.place[1], None)
        return command.Result(0, found, stderr="\x1b]0;x\x07" + "y" * 100_000)


def ends(hosted: Hostile) -> base.Report | errors.LadingError:
    try:
        return asyncio.run(hosted.upgrade())
    except errors.LadingError as refused:
        return refused


def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that answers nonsense is not waited for."""
    monkeypatch.setattr(host_run, "RECONNECT", 0.0)
    monkeypatch.setattr(host_run, "SETTLING", 0.0)
    monkeypatch.setattr(coordinator, "PATIENCE", (0.0, 0.0, 0.0))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PLACES), junk | st.just(LOST))
def test_nonsense_in_any_step(monkeypatch: pytest.MonkeyPatch, place: tuple[str, str], content: bytes) -> None:
    no_patience(monkeypatch)
    hosted = Hostile(*place, content)
    report = ends(hosted)
    if isinstance(report, errors.LadingError):
        assert (bool(report.message), bool(report.hint), report.host) == (True, True, "web2")
        assert ("web1", "roll") not in hosted.asked and len(report.message) < 3000
        return
    json.dumps({name: host.error for name, host in report.outcome.hosts.items()}).encode()
    assert set(report.outcome.hosts) == set(HOSTS)
    assert report.outcome.result == "succeeded" or len(report.why) < 3000


@pytest.mark.parametrize(("step", "part", "content", "result"), [
    ("lease", "fence", b"one", "refused"), ("lease", "fence", LOST, "refused"), ("lease", "containers", b"{}\nx", "refused"),
    ("lease", "phase", b"well", "refused"), ("lease", "current:shop", b"\0\0", "refused"),
    ("roll", "containers", b"[1]", "rolled_back"), ("roll", "containers", LOST, "rolled_back"),
    ("roll", "refused", b"pull\n" + b"x" * 1_000_000, "rolled_back"), ("stage", "end", LOST, "failed"),
    ("prepare", "prepared", LOST, "rolled_back"), ("commit", "end", LOST, "unknown"), ("commit", "refused", b"phase\nbegun", "unknown"),
    ("finish", "end", LOST, "unknown"), ("finish", "ended", LOST, "partial"),
])
def test_never_a_success(monkeypatch: pytest.MonkeyPatch, step: str, part: str, content: bytes, result: str) -> None:
    no_patience(monkeypatch)
    hosted = Hostile(step, part, content, idle=True)
    report = ends(hosted)
    if isinstance(report, errors.LadingError):
        assert (result, bool(report.hint), report.host) == ("refused", True, "web2")
        return
    assert (report.outcome.result, len(report.why) < 3000) == (result, True)
    if step in ("commit", "finish"):
        others = {name: one.result for name, one in report.outcome.hosts.items() if name != "web2"}
        assert others == {"web1": "succeeded", "web3": "succeeded"}  # its word counts for itself alone
        assert (hosted.phase["web1"], hosted.phase["web3"]) == ("ended", "ended")


@pytest.mark.parametrize(("step", "result"), [("prepare", "rolled_back"), ("finish", "partial")])
def test_containers_that_are_never_twice_the_same_are_not_judged_for_ever(
    monkeypatch: pytest.MonkeyPatch, step: str, result: str
) -> None:
    no_patience(monkeypatch)

    class Flapping(Fleet):
        def answer(self, host: inventory.Host, what: command.Command) -> command.Result:
            if (host.name, what.name) == ("web2", step):
                return command.Result(0, {"containers": self._containers(self.new), "end": b""})
            return super().answer(host, what)

    report = asyncio.run(asyncio.wait_for(Flapping(*releases()).upgrade(), 30))
    assert report.outcome.result == result
    assert report.outcome.hosts["web2"].error
