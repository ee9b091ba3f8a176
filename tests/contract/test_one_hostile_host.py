"""Whatever web2 answers, web1 is sent what it would be sent anyway, the beginning of it, or that and its own way back."""

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from a_machine import Machine
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from registry_server import Server, manifest

from lading import canonical, context, errors
from lading import settings as fleets
from lading.deploy import deploy, remove, rollback, takeover
from lading.deploy.request import Request
from lading.drivers.shell import driver
from lading.engines.compose_hosts import coordinator, host_run
from lading.inventory import hosts
from lading.queries import check, drift, logs, where
from lading.transport import command, recorder

HOSTS = {name: hosts.Host(name) for name in ("web1", "web2")}
APP = "shop"
FILE = """name: shop
services:
  web: {image: "REGISTRY/team/app:${VERSION}", healthcheck: {test: [CMD, "true"]}}
  store: {image: "REGISTRY/team/store:1", healthcheck: {test: [CMD, "true"]}}
  inner: {image: "inside.example/team/inner:${VERSION}", healthcheck: {test: [CMD, "true"]}}
"""
BACK = {"observe", "lease", "confirm", "undo", "release-lease", "last-lines"}
VARIES = (
    (re.compile(r"lading-[0-9a-f]{16}"), "MARKER"), (re.compile(r"(NONCE=)[0-9a-f]+"), r"\1"),
    (re.compile(r'(PROCESS=|"process":")[0-9a-f]{16}'), r"\1"), (re.compile(r"\bFENCE=\d+"), "FENCE="),
    (re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}"), "DEPLOYMENT"), (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r'"(plan|participants|batches)":("[0-9a-f]*"|\[[^]]*\]+)'), r'"\1":-'),
)
Answer = dict[str, bytes]
Lie = Callable[[Answer, Machine], Answer]


@dataclass
class Fleet:
    """Both hosts behind a recorder; *lies*: what web2's answers to a command become, by the command's name."""

    machines: dict[str, Machine]
    folder: Path
    server: Server
    lies: Mapping[str, Lie] = field(default_factory=dict)
    sent: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, host: hosts.Host, what: command.Command) -> command.Result:
        machine = self.machines[host.name]
        if host.name == "web1":
            text = what.masked()
            for pattern, word in VARIES:
                text = pattern.sub(word, text)
            self.sent.append((what.name, text))
        found = machine.run(what)
        if host.name == "web2" and what.name in self.lies and machine.current:
            found = self.lies[what.name](found, machine)
        return command.Result(0, found)

    def context(self) -> context.Context:
        live = hosts.Destination("live", tuple(HOSTS))
        fleet_file = fleets.Settings(self.folder / "lading.yaml", hosts.Inventory(HOSTS, {"live": live}),
                                     registries={"inside.example": fleets.RegistrySettings(by_hosts=True)})
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder)}
        transport = recorder.RecorderTransport(self.answer)
        engine = coordinator.ComposeHosts(driver.connect(transport, "auto"))
        return context.Context(fleet_file, environment, transport, None, "ann", engine=engine)

    def request(self, version: str) -> Request:
        return Request(self.folder, ("live",), version=version)

    def again(self, lies: Mapping[str, Lie] | None = None) -> "Fleet":
        """The same hosts as they were."""
        return Fleet({name: one.copy() for name, one in self.machines.items()}, self.folder, self.server, lies or {})


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, Fleet]]:
    """Versions 1, 2 and 3, one after the other; and the hosts as a controller left them that died while it rolled 4."""
    folder, server = tmp_path_factory.mktemp("shop"), Server()
    server.images |= {f"team/app:{number}": manifest("linux/amd64", f"linux/v{number}") for number in "1234"}
    server.images["team/store:1"] = manifest("linux/amd64")
    (folder / "compose.yaml").write_text(FILE.replace("REGISTRY", server.name))
    made = Fleet({name: Machine(APP) for name in HOSTS}, folder, server)
    for machine in made.machines.values():
        machine.reaches = {f"inside.example/team/inner:{number}": manifest("linux/amd64", f"linux/v{number}") for number in "1234"}
    for version in "123":
        assert asyncio.run(deploy.deploy(made.context(), made.request(version))).result == "succeeded"
    made.sent.clear()
    left = made.again()
    asyncio.run(deploy.deploy(left.context(), left.request("4")))
    for name, one in left.machines.items():
        kinds = [json.loads(line)["kind"] for line in one.journal]
        one.journal = one.journal[:len(kinds) - kinds[::-1].index("prepared") - 1]
        assert one.phase == "rolled"
        one.current = made.machines[name].current
    left.sent.clear()
    yield made, left
    server.close()


Verb = Callable[[Fleet], Coroutine[Any, Any, Any]]
LOOKS: dict[str, Verb] = {
    "plan": lambda f: deploy.plan(f.context(), f.request("4")),
    "where": lambda f: where.where(f.context(), APP),
    "drift": lambda f: drift.drift(f.context(), APP),
    "logs": lambda f: logs.logs(f.context(), APP),
    "check": lambda f: check.check(f.context()),
}
CHANGES: dict[str, Verb] = {
    "deploy": lambda f: deploy.deploy(f.context(), f.request("4")),
    "rollback": lambda f: rollback.rollback(f.context(), APP, ["live"]),
    "remove": lambda f: remove.remove(f.context(), APP, ["live"]),
}
RESUMES: dict[str, Verb] = {
    "on": lambda f: takeover.resume(f.context(), APP),
    "back": lambda f: takeover.resume(f.context(), APP, wish=takeover.Wish("undo")),
}


_HONEST: dict[tuple[str, str], list[tuple[str, str]]] = {}


def honest_run(of: str, fleet_: Fleet, verb: Verb) -> list[tuple[str, str]]:
    """The same for hosts that do not lie; each is found once."""
    if (fleet_.server.name, of) not in _HONEST:
        _HONEST[fleet_.server.name, of] = run(fleet_, verb)
    return _HONEST[fleet_.server.name, of]


def run(fleet_: Fleet, verb: Verb) -> list[tuple[str, str]]:
    """What web1 is sent."""
    with contextlib.suppress(errors.LadingError):
        asyncio.run(verb(fleet_))
    return fleet_.sent


def check_sent(sent: list[tuple[str, str]], honest: list[list[tuple[str, str]]], machine: Machine) -> None:
    """The property."""
    best = max((common(sent, one) for one in honest), default=0)
    rest, known = sent[best:], {one for run in honest for one in run}
    strange = [one for one in rest if one[0] not in BACK and one not in known]
    assert not strange, f"after {[name for name, _ in sent[:best]]}: {strange[0]}"
    mine = " ".join([*machine.releases, machine.current, *machine.journal, *(text for one in honest for _, text in one)])
    foreign = {word for _, text in rest for word in re.findall(r"\b[0-9a-f]{64}\b", text)
               if word not in mine and word not in str(machine.containers)}
    assert not foreign
    assert not any("mallory" in text for _, text in sent)


def common(one: list[tuple[str, str]], other: list[tuple[str, str]]) -> int:
    """How many commands two runs have alike from their beginning."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            break
        count += 1
    return count


def forged(machine: Machine, **changed: Any) -> tuple[str, bytes]:
    """A release of web2's own making, under the id that its bytes have."""
    name = json.loads(machine.current)["release"]
    made = {**json.loads(machine.releases[name]), **changed}
    return canonical.digest(made)[:len(name)], canonical.form(made)


def other_digest(answer: Answer, machine: Machine) -> Answer:
    """A1: another image of the same repository, and the newest date of all."""
    services = json.loads(machine.releases[json.loads(machine.current)["release"]])["services"]
    services["store"]["image"] = services["store"]["image"].partition("@")[0] + "@sha256:" + "e" * 64
    name, content = forged(machine, services=services)
    current = {**json.loads(machine.current), "release": name, "since": "2099-01-01T00:00:00Z"}
    return {**answer, f"release:{APP}:{name}": content, f"current:{APP}": json.dumps(current).encode()}


def other_begin(answer: Answer, machine: Machine) -> Answer:
    """A2: another release, source and destination in what was left open, and it is said to be committed."""
    name, content = forged(machine, version="6.6.6", directory="../../tmp/x")
    lines = [json.loads(line) for line in machine.journal]
    begin = {**next(line for line in reversed(lines) if line["kind"] == "begin"), "to": name, "version": "6.6.6",
             "source": "https://git.example/mallory", "destination": "mallory", "participants": ["web1", "web2", "web9"]}
    committed = {"v": begin["v"], "at": "2099-01-01T00:00:00Z", "kind": "committed", "deployment": begin["deployment"], "to": name}
    told = "".join(json.dumps(line) + "\n" for line in [*lines, committed, begin])
    return {**answer, f"release:{APP}:{name}": content, f"journal:{APP}": told.encode()}


def mallorys(answer: Answer, machine: Machine) -> Answer:
    """The app is of another source and destination there."""
    current = {**json.loads(machine.current or "{}"), "source": "mallory", "destination": "mallory", "version": "9"}
    return {**answer, f"current:{APP}": json.dumps(current).encode()}


def committed(answer: Answer, machine: Machine) -> Answer:
    """What was left open is said to be committed."""
    last = json.loads(next(line for line in reversed(machine.journal) if '"begin"' in line))
    line = {"v": last["v"], "kind": "committed", "deployment": last["deployment"], "to": last["to"]}
    return {**answer, f"journal:{APP}": answer.get(f"journal:{APP}", b"") + json.dumps(line).encode() + b"\n"}


def says(phase: str) -> Lie:
    """The deployment is in this phase there."""

    def lie(answer: Answer, machine: Machine) -> Answer:
        return {**answer, "phase": phase.encode()}

    return lie


def other_tag(answer: Answer, machine: Machine) -> Answer:
    """What only hosts can ask a registry for is another image there."""
    told = {"Descriptor": {"digest": "sha256:" + "e" * 64}, "Platforms": [{"os": "linux", "architecture": "amd64"}]}
    return {**answer, "answer0": b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps(told).encode()}


def held_by_another(answer: Answer, machine: Machine) -> Answer:
    """Somebody holds the app there."""
    return {**answer, f"lease:{APP}": b"state=held\ndeployment=20990101-000000-ffff\nboot=b\nnowboot=b\nexpires=99\nnow=1\nholder=mallory\n"}


STRUCTURED = [other_digest, other_begin, mallorys, committed, held_by_another, other_tag,
              *(says(phase) for phase in ("begun", "failed", "prepared", "committed", "ended", "undone"))]
COMMANDS = ["observe", "resolve", "lease", "confirm", "stage", "roll", "prepare", "commit", "finish", "undo", "release-lease", "remove"]
PARTS = ["phase", "prepared", "ended", f"current:{APP}", f"journal:{APP}", f"lease:{APP}", f"app:{APP}", "facts", "containers", "fence", "config", "dir", "up", "tick", "end", "answer0",
         "refused", "app:mallory", "silent"]
CONTENTS = st.binary(max_size=60) | st.sampled_from([
    b"", b"null", b"[]", b"{}", b"\x1b[2J\0", b"held\nholder=mallory", b"changed\nweb", b"fence\n", b"9" * 5000, b"[" * 50_000, b"x" * 2_000_000,
    b'{"v": 9}', b'{"v": 1}', b"problem=away"])


@st.composite
def broken(draw: st.DrawFn) -> Lie:
    """One part is another thing, is not there, or is cut."""
    part, content, way = draw(st.sampled_from(PARTS)), draw(CONTENTS), draw(st.sampled_from(["other", "lost", "cut"]))

    def lie(answer: Answer, machine: Machine) -> Answer:
        if way == "lost":
            return {name: one for name, one in answer.items() if name != part}
        return {**answer, part: answer.get(part, b"")[:len(content) * 7] if way == "cut" else content}

    return lie


LIES = st.dictionaries(st.sampled_from(COMMANDS), st.sampled_from(STRUCTURED) | broken(), min_size=1, max_size=3)
settings.register_profile("one-hostile-host", suppress_health_check=list(HealthCheck), deadline=None, derandomize=True,
                          phases=(Phase.explicit, Phase.generate))
PROFILE = settings.get_profile("one-hostile-host")


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that lies is not waited for."""
    monkeypatch.setattr(host_run, "RECONNECT", 0.0)
    monkeypatch.setattr(host_run, "SETTLING", 0.5)
    monkeypatch.setattr(coordinator, "PATIENCE", (0.0, 0.0, 0.0))


@pytest.mark.parametrize("verb", LOOKS)
@settings(PROFILE, max_examples=8)
@given(lies=LIES)
@example(lies={"observe": other_digest})
@example(lies={"resolve": other_tag})
def test_a_look(deployed: Any, verb: str, lies: dict[str, Lie]) -> None:
    made, _ = deployed
    honest = honest_run(verb, made.again(), LOOKS[verb])
    liar = made.again(lies)
    assert run(liar, LOOKS[verb]) == honest[:len(liar.sent)]


@pytest.mark.parametrize("verb", CHANGES)
@settings(PROFILE, max_examples=6)
@given(lies=LIES)
@example(lies={"observe": other_digest})
@example(lies={"resolve": other_tag})
@example(lies={"observe": mallorys})
@example(lies={"observe": other_begin, "lease": other_begin})
def test_a_change(deployed: Any, verb: str, lies: dict[str, Lie]) -> None:
    made, _ = deployed
    sent = honest_run(verb, made.again(), CHANGES[verb])
    assert sent[-1][0] in ("finish", "remove")
    liar = made.again(lies)
    run(liar, CHANGES[verb])
    check_sent(liar.sent, [sent], made.machines["web1"])


@pytest.mark.parametrize("verb", ["resume", "rollback", "remove"])
@settings(PROFILE, max_examples=6)
@given(lies=LIES)
@example(lies={"observe": other_begin, "lease": other_begin})
@example(lies={"observe": committed})
@example(lies={"lease": says("committed"), "confirm": says("committed")})
@example(lies={"confirm": says("prepared")})
@example(lies={"lease": says("ended")})
def test_what_was_left_open(deployed: Any, verb: str, lies: dict[str, Lie]) -> None:
    _, left = deployed
    act = {**CHANGES, "resume": RESUMES["on"]}[verb]
    ways = [
        honest_run(f"{verb} on", left.again(), act),
        honest_run(f"{verb} back", left.again({"confirm": says("failed")}), act),
        honest_run("back", left.again(), RESUMES["back"]),
    ]
    assert {name for name, _ in ways[0]} >= {"prepare", "commit", "finish"} and "undo" in {name for name, _ in ways[1]}
    liar = left.again(lies)
    run(liar, act)
    check_sent(liar.sent, ways, left.machines["web1"])
