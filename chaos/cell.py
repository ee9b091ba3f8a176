"""One cell of the matrix: strike, let it end, judge what was said, end it with no hand work, see what is left."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from faults import Fault, Strike, no
from lading.transport import command
from phases import Phase
from scene import APP, GOOD, HOSTS, TO, Controller, Red, Scene, healthy

Keepalive = Literal["fast", "default"]
TAKEOVER = 45.0  # seconds after a host's last changing command within which the next deployment has taken over
SLACK = 15.0  # seconds more on a busy machine
PATIENCE = 150.0  # seconds in which deployments are repeated while a host comes back


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell gave: *said* in a word or two by the struck controller, *path* = what ended it.

    *red*: why it is red, "" = it is not; *takeover*: seconds in which the next deployment took over; None if nothing was open.
    """

    fault: str
    phase: str
    said: str
    path: str
    seconds: float
    red: str = ""
    keepalive: Keepalive = "fast"
    takeover: float | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How what was left was ended: the verbs that were typed; *takeover* as in `Cell`."""

    typed: Sequence[str] = field(default_factory=tuple)
    takeover: float | None = None

    @property
    def words(self) -> str:
        """The verbs, each once, with their number where that is not one."""
        counts = {verb: self.typed.count(verb) for verb in self.typed}
        return " ".join(verb if count == 1 else f"{verb} ×{count}" for verb, count in counts.items())


def run(scene: Scene, fault: Fault, phase: Phase, keepalive: Keepalive = "fast") -> Cell:
    """Try *fault* in *phase*; the scene is usable afterwards, if lading is."""
    begun = time.monotonic()
    said, red, ending = "", "", Ending()
    try:
        scene.keep_alive(keepalive)
        old = baseline(scene)
        ids = {host: scene.seen(host).ids for host in HOSTS}
        said = struck(scene, fault, phase, old)
        ending = finish(scene, other(old), fault)
        rest(scene, ids, other(old), judged=() if fault.replaces else ("store",))
        scene.settled = not fault.edits
    except Red as wrong:
        red = str(wrong)
    except (AssertionError, OSError, ValueError) as wrong:
        red = f"{type(wrong).__name__}: {wrong}"
    finally:
        tidy(scene, broken=bool(red))
    return Cell(fault.name, phase.name, said, ending.words, time.monotonic() - begun, red, keepalive, ending.takeover)


def baseline(scene: Scene) -> str:
    """Both hosts healthy with one good version, the usual Compose file; that version."""
    scene.home = None
    tags = {tag for host in HOSTS for tag, _ in scene.seen(host).web}
    version = tags.pop() if len(tags) == 1 and tags <= set(GOOD) else GOOD[0]
    scene.compose()
    if not scene.settled:
        _settle(scene, version)
    scene.settled = False
    for host in HOSTS:
        if not healthy(scene.seen(host), version):
            raise Red(f"before the strike {host} was not healthy with {version}: {scene.seen(host).web}")
    return version


def _settle(scene: Scene, version: str) -> None:
    """Whatever a cell before left: as a person would, with all that helps.

    Raises:
        Red: nothing helps.
    """
    until = time.monotonic() + PATIENCE
    while (done := scene.lading("deploy", "--version", version, "--to", TO, "--yes")).returncode:
        scene.lading("resume", APP)
        if time.monotonic() > until:
            raise Red(f"what was before cannot be ended: {done.stdout[-600:]}{done.stderr[-600:]}")


def other(version: str) -> str:
    """The good version that is not *version*."""
    return next(one for one in GOOD if one != version)


def struck(scene: Scene, fault: Fault, phase: Phase, old: str) -> str:
    """The deployment with its fault, to its end and with the fault healed; in a word what the controller said."""
    one = Strike(scene, phase)
    version = scene.coming = fault.version or other(old)
    fault.early(one)
    phase.prepare(scene)
    if fault.edits or phase.edits:
        scene.compose(*fault.edits, *phase.edits)
    try:
        if phase.hold is None:
            fault.strike(one)
        if phase.hold is None or fault.strike is no:  # it is there all the time
            controller = one.controller = scene.start(version)
        else:
            controller = one.controller = scene.start(version, phase.hold)
            controller.held()
            if phase.ripen is not None:
                phase.ripen(scene, controller.go)
            fault.strike(one)
            controller.go()
            phase.release(scene)
        code, said = controller.end()
    finally:
        fault.after(one)
        phase.release(scene)
    if phase.edits or fault.strike is no:
        scene.compose()
    word = judged(scene, fault, code, said, old, version)
    check_word(fault, phase, word)
    return word


def check_word(fault: Fault, phase: Phase, word: str) -> None:
    """Whether it could end so.

    Raises:
        Red: not by this fault, or not in this phase.
    """
    result = word.partition(" ")[0]
    if fault.results and result not in fault.results:
        raise Red(f"it ended {word}, and not {' or '.join(fault.results)}")
    if phase.decided and not fault.overtaken and result in ("rolled_back", "failed", "refused"):
        raise Red(f"it ended {word} after the decision to commit")


def judged(scene: Scene, fault: Fault, code: int, said: Mapping[str, Any], old: str, new: str) -> str:
    """Whether what was said is so; in a word.

    Raises:
        Red: a mix without a report, or a report that is not true.
    """
    tags = {host: [tag for tag, _ in scene.seen(host).web] for host in HOSTS}
    if fault.expected and code not in fault.expected:
        raise Red(f"exit {code}, expected {fault.expected}: {said}")
    if "ended" in said:
        return _report(scene, fault, said["ended"], tags, old, new)
    if "error" in said:
        if any(have != [old] for have in tags.values()):
            raise Red(f"refused, and yet {tags} (before: {old}): {said}")
        return f"refused ({said['error']['kind']})"
    if not fault.dead:
        raise Red(f"the controller was gone with exit {code} and said nothing")
    if any(have != [old] for have in tags.values()) and scene.lading("drift", APP).returncode == 0:
        raise Red(f"{tags} (before: {old}), and `drift` finds nothing")
    return "gone"


def _report(
    scene: Scene, fault: Fault, ended: Mapping[str, Any], tags: Mapping[str, list[str]], old: str, new: str
) -> str:
    result = str(ended["result"])
    right = {"succeeded": [new], "rolled_back": [old], "untouched": [old], "unchanged": [old]}
    for host, outcome in ended["hosts"].items():
        wanted = right.get(outcome["result"])
        if wanted is not None and outcome["release"] and tags[host] != wanted and not fault.overtaken:
            raise Red(f"{host} is said to be {outcome['result']}, but has {tags[host]} "
                      f"(before: {old}, asked for: {new}): {ended}")
    words = {outcome["result"] for outcome in ended["hosts"].values()}
    if result in ("succeeded", "rolled_back", "failed") and words & {"unknown", "failed", "unwell"}:
        raise Red(f"{result} as a whole, and {words} by hosts: {ended}")
    if "unwell" in words and scene.lading("drift", APP).returncode == 0:
        raise Red(f"a host is unwell, and `drift` finds nothing: {ended}")
    return result


def finish(scene: Scene, version: str, fault: Fault) -> Ending:
    """Deploy *version*, which ends first what was left; with no other command, but where hosts were silent.

    Raises:
        Red: it takes more, or longer.
    """
    until, typed, starts = time.monotonic() + PATIENCE, list[str](), list[float]()
    while True:
        typed.append("deploy")
        starts.append(time.time())
        done = scene.lading("deploy", "--version", version, "--to", TO, "--yes")
        if done.returncode == 0:
            return Ending(typed, took_over(scene, *starts))
        told = f"deploy: exit {done.returncode} {done.stdout[-600:]}{done.stderr[-600:]}"
        if not fault.restarts and not fault.silent:
            raise Red(f"the next deploy did not end it: {told}")
        if fault.silent and f"lading resume {APP}" in done.stderr + done.stdout:
            typed.append("resume")
            resumed = scene.lading("resume", APP)
            told += f"\nresume: exit {resumed.returncode} {resumed.stdout[-600:]}{resumed.stderr[-600:]}"
        if time.monotonic() > until:
            raise Red(f"not ended within {PATIENCE:.0f} s; last: {told}")


def took_over(scene: Scene, *starts: float) -> float | None:
    """Seconds until one of the deployments that began at *starts* had taken over what was open; of both hosts, the longer.

    They count from its start, or from the end of the host's last changing command where that came later: both are in
    the host's journal. None: nothing was open.

    Raises:
        Red: it is more than was promised.
    """
    found = [seconds for host in HOSTS for seconds in _takeovers(scene.journal(host), starts)]
    if found and max(found) > TAKEOVER + SLACK:
        raise Red(f"the next deployment took over after {max(found):.0f} s only")
    return max(found, default=None)


def _takeovers(journal: Sequence[Mapping[str, Any]], starts: Sequence[float]) -> list[float]:
    found, last = list[float](), 0.0
    for line in journal:
        at = datetime.fromisoformat(line["at"]).timestamp()
        begun = [start for start in starts if int(start) <= at]
        if line["kind"] == "taken" and begun:
            found.append(max(at - max(last, *begun), 0.0))
        last = at
    return found


def rest(scene: Scene, ids: Mapping[str, Mapping[str, str]], version: str, judged: tuple[str, ...]) -> None:
    """All is as it should be: healthy, no drift, nothing left over, nothing else touched, the ledger whole.

    Raises:
        Red: it is not.
    """
    for host in HOSTS:
        seen = scene.seen(host)
        if not healthy(seen, version):
            raise Red(f"{host} ended with {seen.web}, not healthy with {version}")
        for name in ("bystander", *judged):
            if seen.ids.get(name) != ids[host].get(name):
                raise Red(f"{name} on {host} is another container: {ids[host].get(name)} → {seen.ids.get(name)}")
        _nothing_left(scene, host)
    for words in (("drift", APP), ("ledger", "verify")):
        done = scene.lading(*words)
        if done.returncode:
            raise Red(f"lading {' '.join(words)}: exit {done.returncode}\n{done.stdout[-800:]}{done.stderr[-800:]}")


def _nothing_left(scene: Scene, host: str) -> None:
    until = time.monotonic() + 30 + command.WAITING  # a cancelled command ends within 30 s, a shell that waits for a script in WAITING
    while left := scene.left(host):
        if time.monotonic() > until:
            raise Red(f"left on {host}: {left}")


def tidy(scene: Scene, *, broken: bool) -> None:
    """Whatever a cell left open, also a red one: gates, wires, processes."""
    for one in scene.running:
        _end(one)
    scene.running.clear()
    if not broken:
        return
    with contextlib.suppress(AssertionError):
        scene.heal()
        for host in HOSTS:
            scene.host(host, "rm -f /srv/gate/* /usr/local/bin/date /var/lib/docker/filler", check=False)


def _end(one: Controller) -> None:
    if one.process.poll() is None:
        one.process.kill()
        one.process.communicate()
